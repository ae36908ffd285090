//! A bridge under siege, in virtual time: guessers on many lines, and honest callers among them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{
    Account, AccountId, Directory, Door, Doorkeeper, Odds, Outcome, Owner, Pin, PinKey, PinPolicy,
    Source, Verdict,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What the guessers do. They are told when consent is on, which a real one would have to find
/// out, and never waste a guess on a mistyped string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Guess as fast as the lines let them, alarm or not.
    Flood,
    /// Guess until the alarm, rest until it is over, guess again.
    Burst,
    /// One fewer each day than the ceiling: the alarm never comes.
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
}

impl Siege {
    pub(crate) fn run(&self) -> Report {
        World::new(self).run()
    }
}

struct World<'a> {
    siege: &'a Siege,
    rng: StdRng,
    directory: Directory,
    keeper: Doorkeeper,
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
        let mut keeper = Doorkeeper::new(siege.policy.clone(), start);
        for (id, pin) in guests.iter().enumerate() {
            let source = known_source(id as u64);
            let verdict = keeper.judge(&source, pin, directory.find(pin), None, start);
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
            keeper,
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
            .map(|line| Reverse((self.start, Actor::Line(line))))
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
                Actor::Line(_) => self.line(now),
                Actor::Known => self.known_caller(now),
                Actor::First => self.first_time_caller(now),
                Actor::Fumbler => self.fumbler(now),
            };
            agenda.push(Reverse((next, actor)));
        }
        self.report
    }

    /// One try on one line, or a rest; returns when the line is free again.
    fn line(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        if let Some(until_later) = self.rest(now) {
            return until_later;
        }
        let target = AccountId(0);
        let bound = matches!(self.siege.plan, Plan::Target | Plan::Forge).then_some(target);
        let noted = if self.keeper.consent_since().is_none() {
            self.noted.pop()
        } else {
            None
        };
        let from_notes = noted.is_some();
        let pin = noted.unwrap_or_else(|| {
            Pin::draw(self.siege.policy.guest_digits, &mut self.rng).expect("a good length")
        });
        let source = match (self.siege.plan, from_notes) {
            (Plan::Forge, true) => known_source(target.0),
            _ => self.fresh_number(),
        };
        self.report.guesses += 1;
        let verdict = self.judge(&source, &pin, bound, now);
        if let Outcome::Admit(ticket) = &verdict.outcome {
            if ticket.by_consent() {
                // Nobody lets a stranger in who won't say a name.
                self.report.held += 1;
                if self.notes() && !from_notes && self.noted.len() < 10_000 {
                    self.noted.push(pin);
                }
            } else {
                self.opened(from_notes, now);
            }
        }
        verdict.ready_at.max(now) + self.siege.try_takes
    }

    fn notes(&self) -> bool {
        matches!(self.siege.plan, Plan::Harvest | Plan::Forge)
    }

    /// When to look again, if the plan says not to guess now.
    fn rest(&mut self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let consent = self.keeper.consent_since().is_some();
        let later = now + TimeDelta::minutes(10);
        match self.siege.plan {
            Plan::Flood | Plan::Target => None,
            Plan::Burst => self.quiet(consent, now).then_some(later),
            Plan::Ration => {
                let day = (now - self.start).num_days();
                if self.rationed.0 != day {
                    self.rationed = (day, 0);
                }
                self.rationed.1 += 1;
                let left = self.rationed.1 < self.siege.policy.ceiling;
                (!left).then(|| self.start + TimeDelta::days(day + 1))
            }
            Plan::Harvest | Plan::Forge => {
                if !consent {
                    self.flooding_until = Some(now + TimeDelta::days(2));
                }
                let over = self.flooding_until.is_some_and(|until| now >= until);
                (over && self.quiet(consent, now)).then_some(later)
            }
        }
    }

    /// The alarm ends by itself only if somebody makes it look at the time.
    fn quiet(&mut self, consent: bool, now: DateTime<Utc>) -> bool {
        self.keeper.handle_timeout(now);
        consent && self.keeper.consent_since().is_some()
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
                self.keeper.vouch(ticket);
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
        let found: Option<Door> = self.directory.find_for(source, pin, now);
        self.keeper.judge(source, pin, found, bound, now)
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
