//! Bytes as a PIN and as a day at the door: a doorkeeper against a naive one, who keeps everything
//! and counts anew each time. Shared by the fuzz target `pin`, the replay of its corpus and a
//! property test.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{
    Account, AccountId, AccountState, BookingId, ConferenceKey, Directory, Door, Doorkeeper,
    Outcome, Owner, Pin, PinKey, PinPolicy, Role, Source, Ticket, Window,
};

/// Panics where a promise is broken.
pub(crate) fn check(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        check_pin(text);
    }
    Play::new().run(bytes);
}

fn check_pin(text: &str) {
    let parsed = Pin::parse(text);
    let is_pin = (4..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    assert_eq!(parsed.is_ok(), is_pin);
    let Ok(pin) = parsed else { return };
    assert_eq!((pin.expose(), usize::from(pin.len())), (text, text.len()));
    assert_eq!(format!("{pin:?}"), "Pin(**********)");
    if pin.has_check_digit() {
        for wrong in slips(text) {
            assert!(!wrong.has_check_digit(), "a slip passes");
        }
    }
}

/// Every single wrong digit and every swap of neighbours.
fn slips(digits: &str) -> impl Iterator<Item = Pin> + '_ {
    let wrong = (0..digits.len()).flat_map(move |at| {
        (b'0'..=b'9').map(move |digit| {
            let mut bytes = digits.as_bytes().to_vec();
            bytes[at] = digit;
            bytes
        })
    });
    let swapped = (1..digits.len()).map(move |at| {
        let mut bytes = digits.as_bytes().to_vec();
        bytes.swap(at - 1, at);
        bytes
    });
    wrong
        .chain(swapped)
        .filter(move |bytes| bytes != digits.as_bytes())
        .map(|bytes| Pin::parse(&String::from_utf8(bytes).expect("digits")).expect("as long"))
}

const FREE: usize = 2;
const KNOWN_TRIES: usize = 2;
const QUIET: usize = 1;
const CEILING: usize = 4;
const TYPING_CEILING: usize = 6;

fn policy() -> PinPolicy {
    PinPolicy {
        free_tries: FREE as u32,
        known_tries: KNOWN_TRIES as u32,
        quiet: QUIET as u32,
        ceiling: CEILING as u32,
        typing_ceiling: TYPING_CEILING as u32,
        first_delay: Duration::from_secs(1),
        longest_delay: Duration::from_secs(5),
        ..PinPolicy::default()
    }
}

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

/// The digits followed by their check digit.
fn pin(free: &str) -> Pin {
    (0..10)
        .map(|last| Pin::parse(&format!("{free}{last}")).expect("a PIN"))
        .find(Pin::has_check_digit)
        .expect("one of ten")
}

fn owner() -> Owner {
    Owner::new("Ada Byron", "ada@example.org").expect("an owner")
}

struct Play {
    directory: Directory,
    keeper: Doorkeeper,
    pins: Vec<Pin>,
    now: DateTime<Utc>,
    naive: Naive,
    /// Each with whether an alarm made it.
    tickets: Vec<(Ticket, bool)>,
}

impl Play {
    fn new() -> Self {
        let mut directory = Directory::new(PinKey::new([7; 32]));
        let mut pins = Vec::new();
        let mut add = |id, with: &dyn Fn(&mut Account), guest: Pin| {
            let mut account = Account::new(AccountId(id), owner());
            with(&mut account);
            let host = pin(&format!("3500000{id}"));
            directory
                .add(account, &host, &guest)
                .expect("all PINs differ");
            pins.extend([host, guest]);
        };
        add(0, &|_| (), pin("41000000"));
        add(
            1,
            &|account| account.state = AccountState::Suspended,
            pin("41000001"),
        );
        add(2, &|account| account.terms.consent = true, pin("41000002"));
        // A migrated one, whose last digit is no check digit.
        let migrated = Pin::parse("410000030").expect("a PIN");
        assert!(!migrated.has_check_digit());
        add(3, &|_| (), migrated);
        let (host, guest) = (pin("35000009"), pin("41000009"));
        let starts = start() + TimeDelta::days(1);
        let window =
            Window::new(starts, starts + TimeDelta::days(1), Duration::ZERO).expect("a window");
        directory
            .book(BookingId(0), AccountId(0), window, &host, &guest)
            .expect("a booking");
        pins.extend([host, guest]);
        // Nobody's: well-formed and not.
        pins.extend([
            pin("99999901"),
            pin("99999902"),
            slips("999999999").next().expect("a slip"),
        ]);
        let typo = slips(pins[0].expose()).next().expect("a slip");
        pins.push(typo);
        let keeper = Doorkeeper::new(policy(), start());
        let naive = Naive {
            now: start(),
            ..Naive::default()
        };
        Self {
            directory,
            keeper,
            pins,
            now: start(),
            naive,
            tickets: Vec::new(),
        }
    }

    /// Three bytes a step: what and who, which PIN, how much later.
    fn run(mut self, bytes: &[u8]) {
        for step in bytes.chunks_exact(3).take(2_000) {
            self.now += match step[2] {
                // A clock that is set back.
                255 => TimeDelta::seconds(-90),
                later => TimeDelta::seconds(i64::from(later).pow(2)),
            };
            match step[0] >> 3 {
                0 => {
                    self.keeper.end_consent(self.now);
                    self.naive.end(self.now);
                }
                1 => {
                    if let Some((ticket, alarm)) = self.tickets.pop() {
                        self.keeper.vouch(&ticket);
                        if alarm {
                            self.naive.vouch((ticket.conference(), ticket.role()));
                        }
                    }
                }
                2 => {
                    let key = ConferenceKey::Account(AccountId((step[1] % 4).into()));
                    self.keeper.release(key, Role::Guest);
                    self.naive.suspects.remove(&(key, Role::Guest));
                }
                3 => {
                    // A restart. Its clock is right, so the machine's may fall back to it.
                    self.now = self.now.max(self.naive.now);
                    self.keeper = Doorkeeper::import(policy(), self.keeper.export(), self.now);
                    self.naive.settle(self.now);
                }
                4 => {
                    self.keeper.handle_timeout(self.now);
                    self.naive.settle(self.now);
                }
                bound => self.judge(step[0] & 7, step[1], (bound == 5).then_some(AccountId(0))),
            }
            assert_eq!(self.keeper.consent_since(), self.naive.wrong.reached);
        }
    }

    fn judge(&mut self, caller: u8, pin: u8, bound: Option<AccountId>) {
        let pin = &self.pins[usize::from(pin) % self.pins.len()];
        let source = match caller {
            6 => Source::withheld("trunk"),
            7 => Source::withheld("other"),
            number => Source::new("trunk", &format!("+4930{number}")),
        };
        // Of a withheld number a careless store may say so: it is not to be believed.
        let known = caller.is_multiple_of(2);
        let found = self.directory.find(pin).map(|door| Door { known, ..door });
        let (expected, delay) = self
            .naive
            .judge(&source, pin, found.as_ref(), bound, self.now);
        let verdict = self.keeper.judge(&source, pin, found, bound, self.now);
        assert_eq!(verdict.ready_at, self.now + delay);
        let got = match &verdict.outcome {
            Outcome::Admit(ticket) => Answer::Admit {
                by_consent: ticket.by_consent(),
            },
            Outcome::Mistyped => Answer::Mistyped,
            Outcome::NotValid => Answer::NotValid,
        };
        assert_eq!(got, expected);
        if let Outcome::Admit(ticket) = verdict.outcome
            && self.tickets.len() < 100
        {
            self.tickets.push((ticket, self.naive.alarm));
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Admit { by_consent: bool },
    Mistyped,
    NotValid,
}

/// The rules as they are written, without a thought for memory.
#[derive(Default)]
struct Naive {
    now: DateTime<Utc>,
    sources: Vec<(Source, DateTime<Utc>)>,
    wrong: Count,
    typing: Count,
    suspects: BTreeMap<(ConferenceKey, Role), Suspect>,
    /// Whether an alarm was the reason for consent of the last ticket.
    alarm: bool,
}

/// How often recognised without somebody vouching, and a booking's end.
type Suspect = (u32, Option<DateTime<Utc>>);

#[derive(Default)]
struct Count {
    times: Vec<DateTime<Utc>>,
    reached: Option<DateTime<Utc>>,
}

fn within_a_day(time: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - time < TimeDelta::days(1)
}

impl Count {
    fn today(&self, now: DateTime<Utc>) -> usize {
        self.times
            .iter()
            .filter(|time| within_a_day(**time, now))
            .count()
    }

    fn add(&mut self, now: DateTime<Utc>, ceiling: usize) {
        self.times.push(now);
        if self.reached.is_none() && self.today(now) >= ceiling {
            self.reached = Some(now);
        }
    }

    fn settle(&mut self, now: DateTime<Utc>) {
        let a_day_passed = self
            .reached
            .is_some_and(|reached| !within_a_day(reached, now));
        if a_day_passed && self.today(now) <= QUIET {
            self.reached = None;
        }
    }
}

impl Naive {
    fn settle(&mut self, now: DateTime<Utc>) {
        self.now = self.now.max(now);
        self.wrong.settle(self.now);
        self.typing.settle(self.now);
    }

    fn end(&mut self, now: DateTime<Utc>) {
        self.settle(now);
        self.wrong = Count::default();
        self.typing = Count::default();
    }

    fn vouch(&mut self, key: (ConferenceKey, Role)) {
        if let Some((touches, _)) = self.suspects.get_mut(&key) {
            *touches -= 1;
            if *touches == 0 {
                self.suspects.remove(&key);
            }
        }
    }

    fn judge(
        &mut self,
        source: &Source,
        pin: &Pin,
        found: Option<&Door>,
        bound: Option<AccountId>,
        time: DateTime<Utc>,
    ) -> (Answer, Duration) {
        self.settle(time);
        let now = self.now;
        if found.is_none() && !pin.has_check_digit() {
            self.typing.add(now, TYPING_CEILING);
            return (Answer::Mistyped, Duration::ZERO);
        }
        let own = |(who, at): &&(Source, DateTime<Utc>)| who == source && within_a_day(*at, now);
        let wrong = self.sources.iter().filter(own).count();
        let delay = Duration::from_secs(match wrong {
            0..FREE => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            _ => 5,
        });
        let opens = |door: &&Door| {
            let begun = door
                .window
                .is_none_or(|window| window.starts <= time && time < window.ends);
            let ours = bound.is_none_or(|account| account == door.account);
            begun && ours && door.state == AccountState::Active
        };
        let Some(door) = found.filter(opens) else {
            self.sources.push((source.clone(), now));
            if found.is_none() {
                self.wrong.add(now, CEILING);
            }
            return (Answer::NotValid, delay);
        };
        let known = door.known && source.number.is_some();
        let typing = self.typing.reached.is_some() && !pin.has_check_digit();
        let alarm = (self.wrong.reached.is_some() || typing) && !(known && wrong < KNOWN_TRIES);
        self.alarm = alarm;
        let by_terms = door.terms.consent && door.role == Role::Guest;
        let key = (door.conference, door.role);
        let suspected = !known && self.suspects.contains_key(&key);
        if alarm {
            self.suspects
                .retain(|_, (_, ends)| ends.is_none_or(|ends| ends > now));
            let ends = door.window.map(|window| window.ends);
            self.suspects.entry(key).or_insert((0, ends)).0 += 1;
        }
        (
            Answer::Admit {
                by_consent: alarm || suspected || by_terms,
            },
            delay,
        )
    }
}
