//! A bridge under siege, in virtual time: guessers on many lines, and honest callers among them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{
    Account, AccountId, Directory, Odds, Outcome, Owner, Pin, PinKey, PinPolicy, Source, Verdict,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::bridges::{Asked, Bridges};

/// What the guessers do. They are told when consent is on, which a real one would have to find
/// out, and never waste a guess on a mistyped string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Guess as fast as the lines let them, alarm or not.
    Flood,
    /// Guess until the alarm, rest until it is over, guess again.
    Burst,
    /// Two fewer each day than the ceiling: the alarm never comes, though a guess
    /// of yesterday may lie within the same 24 hours as those of today.
    Ration,
    /// Flood for two days and note which PINs the bridge recognises although nobody is let in;
    /// rest until the alarm is over, use them, begin again.
    Harvest,
    /// Flood one account by the number that is bound to it.
    Target,
    /// As `Harvest` against one account, but use the PINs from a forged number that it knows.
    Forge,
}

/// One siege. All numbers are the world's, none is the bridge's.
#[derive(Clone, Debug)]
pub(crate) struct Siege {
    pub(crate) plan: Plan,
    pub(crate) policy: PinPolicy,
    pub(crate) accounts: u64,
    /// How many bridges share the log; the lines are spread over them.
    pub(crate) bridges: usize,
    pub(crate) lines: u32,
    pub(crate) days: u32,
    /// What one try takes on one line: dialling, the digits, the answer.
    pub(crate) try_takes: TimeDelta,
    /// Whether honest callers come as well.
    pub(crate) honest: bool,
    pub(crate) seed: u64,
}

/// How it went.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) guesses: u64,
    /// Guesses that opened a door without anybody's consent.
    pub(crate) opened: u64,
    /// Of these, with PINs noted before.
    pub(crate) harvested: u64,
    /// Days on which at least one was opened.
    pub(crate) days_opened: u32,
    /// Recognised, but by consent.
    pub(crate) held: u64,
    pub(crate) odds: Option<Odds>,
    /// Seconds from the first PIN typed to the door, of callers whose number is known.
    pub(crate) known: Vec<f64>,
    /// Known callers who were asked to wait for consent.
    pub(crate) known_held: u64,
    /// The same of first-time callers who had to wait for consent.
    pub(crate) first_held: Vec<f64>,
    /// First-time callers who had not.
    pub(crate) first_passed: u64,
}

/// Who acts next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Actor {
    Known,
    First,
    Fumbler,
    Line(u32),
    Answer(u32),
}

/// A guess that is not answered yet.
struct Guessed {
    asked: Asked,
    pin: Pin,
    from_notes: bool,
}

impl Siege {
    pub(crate) fn run(&self) -> Report {
        World::new(self).run()
    }
}

/// Whom a guesser is after who is after one account.
const TARGET: AccountId = AccountId(0);

struct World<'a> {
    siege: &'a Siege,
    rng: StdRng,
    directory: Directory,
    bridges: Bridges,
    /// Each line's guess that is under way.
    guesses: Vec<Option<Guessed>>,
    guests: Vec<Pin>,
    start: DateTime<Utc>,
    report: Report,
    last_day_opened: Option<i64>,
    rationed: (i64, u32),
    flooding_until: Option<DateTime<Utc>>,
    noted: Vec<Pin>,
    numbers: u64,
}

impl<'a> World<'a> {
    fn new(siege: &'a Siege) -> Self {
        let mut rng = StdRng::seed_from_u64(siege.seed);
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let mut directory = Directory::new(PinKey::new(rng.random()));
        let mut guests = Vec::new();
        for id in 0..siege.accounts {
            let owner = Owner::new(&format!("Person {id}"), &format!("person{id}@example.org"));
            let account = Account::new(AccountId(id), owner.expect("a good owner"));
            loop {
                let draw =
                    |digits, rng: &mut StdRng| Pin::draw(digits, rng).expect("a good length");
                let host = draw(siege.policy.host_digits, &mut rng);
                let guest = draw(siege.policy.guest_digits, &mut rng);
                // Again where a shortened PIN is taken.
                if directory.add(account.clone(), &host, &guest).is_ok() {
                    guests.push(guest);
                    break;
                }
            }
        }
        let mut bridges = Bridges::new(siege.bridges, &siege.policy, start);
        for (pin, id) in guests.iter().zip(0..) {
            let source = known_source(id);
            let asked = bridges.ask(id, &source, pin, directory.find(pin), None, start);
            let verdict = bridges.answer(id, asked, start);
            if let Outcome::Admit(ticket) = verdict.outcome {
                directory.opened(&source, &ticket, start);
            }
        }
        let report = Report {
            odds: Some(Odds::of(&siege.policy, &directory.doors())),
            ..Report::default()
        };
        Self {
            siege,
            rng,
            directory,
            bridges,
            guesses: (0..siege.lines).map(|_| None).collect(),
            guests,
            start,
            report,
            last_day_opened: None,
            rationed: (0, 0),
            flooding_until: None,
            noted: Vec::new(),
            numbers: 0,
        }
    }

    fn run(mut self) -> Report {
        let end = self.start + TimeDelta::days(self.siege.days.into());
        let mut agenda: BinaryHeap<Reverse<(DateTime<Utc>, Actor)>> = (0..self.siege.lines)
            .map(|line| Reverse((self.start + self.turn(line), Actor::Line(line))))
            .collect();
        if self.siege.honest {
            agenda.extend(
                [Actor::Known, Actor::First, Actor::Fumbler].map(|who| Reverse((self.start, who))),
            );
        }
        while let Some(Reverse((now, actor))) = agenda.pop() {
            if now >= end {
                break;
            }
            let next = match actor {
                Actor::Line(line) => self.line(line, now),
                Actor::Answer(line) => (self.answer(line, now), Actor::Line(line)),
                Actor::Known => (self.known_caller(now), actor),
                Actor::First => (self.first_time_caller(now), actor),
                Actor::Fumbler => (self.fumbler(now), actor),
            };
            agenda.push(Reverse(next));
        }
        self.report
    }

    /// The guessers take care not to call all at once: what is under way when the ceiling is reached
    /// is lost to them.
    fn turn(&self, line: u32) -> TimeDelta {
        self.siege.try_takes * line as i32 / self.siege.lines.max(1) as i32
    }

    /// One try on one line, or a rest; returns what comes next, and when.
    fn line(&mut self, line: u32, now: DateTime<Utc>) -> (DateTime<Utc>, Actor) {
        let consent = self.bridges.consent_until(now);
        if let Some(later) = self.rest(consent, now) {
            return (later + self.turn(line), Actor::Line(line));
        }
        let bound = matches!(self.siege.plan, Plan::Target | Plan::Forge).then_some(TARGET);
        let noted = if consent.is_none() {
            self.noted.pop()
        } else {
            None
        };
        let from_notes = noted.is_some();
        let pin = noted.unwrap_or_else(|| {
            Pin::draw(self.siege.policy.guest_digits, &mut self.rng).expect("a good length")
        });
        let source = match (self.siege.plan, from_notes) {
            (Plan::Forge, true) => known_source(TARGET.0),
            _ => self.fresh_number(),
        };
        self.report.guesses += 1;
        let found = self.directory.find_for(&source, &pin, now);
        let asked = self
            .bridges
            .ask(line.into(), &source, &pin, found, bound, now);
        self.guesses[line as usize] = Some(Guessed {
            asked,
            pin,
            from_notes,
        });
        let storage = TimeDelta::milliseconds(self.rng.random_range(2..8));
        (now + storage, Actor::Answer(line))
    }

    /// The answer to that try; returns when the line is free again.
    fn answer(&mut self, line: u32, now: DateTime<Utc>) -> DateTime<Utc> {
        let Some(guessed) = self.guesses[line as usize].take() else {
            return now;
        };
        let verdict = self.bridges.answer(line.into(), guessed.asked, now);
        if let Outcome::Admit(ticket) = &verdict.outcome {
            if ticket.by_consent() {
                // Nobody lets a stranger in who won't say a name.
                self.report.held += 1;
                if self.notes() && !guessed.from_notes && self.noted.len() < 10_000 {
                    self.noted.push(guessed.pin);
                }
            } else {
                self.opened(guessed.from_notes, now);
            }
        }
        verdict.ready_at.max(now) + self.siege.try_takes
    }

    fn notes(&self) -> bool {
        matches!(self.siege.plan, Plan::Harvest | Plan::Forge)
    }

    /// When to look again, if the plan says not to guess now.
    fn rest(
        &mut self,
        consent: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        match self.siege.plan {
            Plan::Flood | Plan::Target => None,
            Plan::Burst => consent,
            Plan::Ration => {
                let day = (now - self.start).num_days();
                if self.rationed.0 != day {
                    self.rationed = (day, 0);
                }
                self.rationed.1 += 1;
                let left = self.rationed.1 + 1 < self.siege.policy.ceiling;
                (!left).then(|| self.start + TimeDelta::days(day + 1))
            }
            Plan::Harvest | Plan::Forge => {
                if consent.is_none() {
                    self.flooding_until = Some(now + TimeDelta::days(2));
                }
                let over = self.flooding_until.is_some_and(|until| now >= until);
                consent.filter(|_| over)
            }
        }
    }

    fn opened(&mut self, from_notes: bool, now: DateTime<Utc>) {
        self.report.opened += 1;
        self.report.harvested += u64::from(from_notes);
        let day = (now - self.start).num_days();
        if self.last_day_opened.replace(day) != Some(day) {
            self.report.days_opened += 1;
        }
    }

    /// Somebody whose number is known: one in twenty swaps two digits first.
    fn known_caller(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        let id = self.rng.random_range(0..self.guests.len());
        let (source, pin) = (known_source(id as u64), self.guests[id].clone());
        let mut typed_at = now;
        if self.rng.random_range(0..20) == 0 {
            let verdict = self.judge(&source, &mistyped(&pin), None, now);
            typed_at = verdict.ready_at.max(now) + TimeDelta::seconds(5);
        }
        let verdict = self.judge(&source, &pin, None, typed_at);
        match verdict.outcome {
            Outcome::Admit(ticket) if !ticket.by_consent() => {
                self.directory.opened(&source, &ticket, typed_at);
                self.report.known.push(seconds(verdict.ready_at - now));
            }
            _ => self.report.known_held += 1,
        }
        now + TimeDelta::seconds(self.rng.random_range(300..900))
    }

    /// Somebody who calls for the first time. A Host lets them in 5 to 60 s after hearing of them.
    fn first_time_caller(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        let id = self.rng.random_range(0..self.guests.len());
        let (source, pin) = (self.fresh_number(), self.guests[id].clone());
        let verdict = self.judge(&source, &pin, None, now);
        if let Outcome::Admit(ticket) = &verdict.outcome {
            if ticket.by_consent() {
                let human = TimeDelta::milliseconds(self.rng.random_range(5_000..60_000));
                let in_at = verdict.ready_at + human;
                self.report.first_held.push(seconds(in_at - now));
                self.bridges.vouch(0, ticket, now);
            } else {
                self.report.first_passed += 1;
            }
            self.directory.opened(&source, ticket, now);
        }
        now + TimeDelta::seconds(self.rng.random_range(1800..5400))
    }

    /// Somebody with last year's PIN.
    fn fumbler(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        let source = self.fresh_number();
        let pin = Pin::draw(self.siege.policy.guest_digits, &mut self.rng).expect("a good length");
        self.judge(&source, &pin, None, now);
        now + TimeDelta::hours(8)
    }

    fn judge(
        &mut self,
        source: &Source,
        pin: &Pin,
        bound: Option<AccountId>,
        now: DateTime<Utc>,
    ) -> Verdict {
        let found = self.directory.find_for(source, pin, now);
        let bridge = self.rng.random_range(0..60);
        let asked = self.bridges.ask(bridge, source, pin, found, bound, now);
        self.bridges.answer(bridge, asked, now)
    }

    fn fresh_number(&mut self) -> Source {
        self.numbers += 1;
        Source::new("trunk", &format!("+1555{:09}", self.numbers))
    }
}

fn known_source(account: u64) -> Source {
    Source::new("trunk", &format!("+4930{account:07}"))
}

/// Two neighbours swapped, or one digit wrong where all are equal.
fn mistyped(pin: &Pin) -> Pin {
    let mut digits: Vec<u8> = pin.expose().bytes().collect();
    match digits.windows(2).position(|two| two[0] != two[1]) {
        Some(at) => digits.swap(at, at + 1),
        None => digits[0] = if digits[0] == b'0' { b'1' } else { b'0' },
    }
    let digits = String::from_utf8(digits).expect("digits");
    Pin::parse(&digits).expect("as long as before")
}

fn seconds(span: TimeDelta) -> f64 {
    span.num_milliseconds() as f64 / 1000.0
}
