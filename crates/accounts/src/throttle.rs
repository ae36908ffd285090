use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::daycount::DayCount;
use crate::sources::Sources;
use crate::{Guess, PinPolicy, Source, SourceKey};

/// What a caller's PIN turned out to be, as far as guessing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It opens a door now.
    Opens {
        /// The caller's number opened this account in the last 90 days. Not believed of a
        /// withheld number.
        known: bool,
        /// The PIN has a right check digit. Where it hasn't (a migrated PIN), typing errors are
        /// guesses at it.
        check_digit: bool,
    },
    /// It is some door's, but opens none now: a booking not begun or over, an account suspended,
    /// a number bound to another account. Counts against the source, so that it can't be told
    /// from a wrong one, but not against the ceiling: who knows a PIN is not guessing, and a
    /// hundred guests who dial a minute early are no attack.
    Closed,
    /// It is nobody's, though well-formed.
    Wrong,
    /// It is nobody's and its check digit is wrong.
    Mistyped,
}

/// What the throttle says to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// How long the answer is kept back, whatever it is: a delay of wrong answers alone would
    /// tell the caller to hang up and try the next.
    pub delay: Duration,
    /// A door that opens, opens only by a human's consent.
    pub by_consent: bool,
}

/// Something an operator wants to know at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Alert {
    /// A day's ceiling was reached, and consent is on.
    CeilingReached {
        /// Which ceiling.
        ceiling: Ceiling,
        /// When.
        at: DateTime<Utc>,
    },
    /// Consent is off again: a day passed quietly.
    Quiet {
        /// Which ceiling.
        ceiling: Ceiling,
        /// When it was noticed.
        at: DateTime<Utc>,
    },
    /// Consent is off again: an operator ended it.
    Ended {
        /// Which ceiling.
        ceiling: Ceiling,
        /// When.
        at: DateTime<Utc>,
    },
}

/// The two things that are counted for the bridge as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ceiling {
    /// Well-formed wrong PINs. Reached, every door asks for consent.
    WrongPins,
    /// Typing errors. Reached, PINs without a check digit ask for consent.
    TypingErrors,
}

/// Watches guessing across calls: who is delayed, and when doors open by consent only.
///
/// A pure machine: it is told the time. Times that go backward are taken as the latest one seen.
/// A day is the 24 hours before `now`, so there is no midnight at which a guesser starts afresh.
///
/// ```
/// use conclave_accounts::{Attempt, PinPolicy, Source, Throttle};
/// # let now = chrono::DateTime::UNIX_EPOCH;
/// let mut throttle = Throttle::new(PinPolicy::default(), now);
/// let source = Source::new("trunk", "+4930123456");
/// for _ in 0..5 {
///     assert!(throttle.attempt(&source, Attempt::Wrong, now).delay.is_zero());
/// }
/// assert_eq!(throttle.attempt(&source, Attempt::Wrong, now).delay.as_secs(), 1);
/// ```
#[derive(Debug)]
pub struct Throttle {
    policy: PinPolicy,
    /// The latest time that was told here: what it is asked about is judged by this one.
    now: DateTime<Utc>,
    /// The latest time of a guess or of another notice: what is kept goes by this one alone, so
    /// that all who were told the same keep the same.
    clock: Option<DateTime<Utc>>,
    sources: Sources,
    wrong: Watch,
    typing: Watch,
    alerts: VecDeque<Alert>,
}

/// One of the two counts, and what the operator was told of it.
#[derive(Debug)]
struct Watch {
    count: DayCount,
    /// Since when consent is on, as far as the operator knows.
    told: Option<DateTime<Utc>>,
}

/// What a throttle has seen, to be kept over a restart. It holds no caller's number in the clear.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrottleState {
    clock: Option<DateTime<Utc>>,
    sources: Sources,
    wrong: DayCount,
    typing: DayCount,
}

/// Alerts that nobody fetches are dropped from the oldest.
const MOST_ALERTS: usize = 64;

/// A state whose times lie ahead by no more than this was written by another bridge, whose clock
/// differs; one further ahead, by a clock that was put right since.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(1);

impl Throttle {
    /// A throttle that has seen nothing.
    pub fn new(policy: PinPolicy, now: DateTime<Utc>) -> Self {
        Self::import(policy, ThrottleState::default(), now)
    }

    /// A throttle that goes on where another left off, under the same or another policy. Times
    /// that lie more than a minute ahead are taken for `now`: the clock was put right meanwhile.
    pub fn import(policy: PinPolicy, state: ThrottleState, now: DateTime<Utc>) -> Self {
        let ThrottleState {
            clock,
            mut sources,
            mut wrong,
            mut typing,
        } = state;
        let latest = [clock, sources.latest(), wrong.latest(), typing.latest()];
        let ahead = now.checked_add_signed(CLOCKS_DIFFER);
        let clock = latest.into_iter().flatten().max().map(|time| {
            if ahead.is_some_and(|ahead| time > ahead) {
                now
            } else {
                time
            }
        });
        sources.bound(policy.sources, policy.remembered(), clock);
        wrong.bound(policy.ceiling, policy.quiet, clock);
        typing.bound(policy.typing_ceiling, policy.quiet, clock);
        let mut throttle = Self {
            policy,
            now: clock.map_or(now, |clock| clock.max(now)),
            clock,
            sources,
            wrong: Watch::new(wrong, now),
            typing: Watch::new(typing, now),
            alerts: VecDeque::new(),
        };
        throttle.look();
        throttle
    }

    /// What to keep over a restart.
    pub fn export(&self) -> ThrottleState {
        ThrottleState {
            clock: self.clock,
            sources: self.sources.clone(),
            wrong: self.wrong.count.clone(),
            typing: self.typing.count.clone(),
        }
    }

    /// Counts an attempt and says how to answer it.
    pub fn attempt(&mut self, source: &Source, attempt: Attempt, now: DateTime<Utc>) -> Ruling {
        self.handle_timeout(now);
        let key = source.into();
        let guess = match attempt {
            Attempt::Opens { known, check_digit } => {
                return self.opens(key, known && source.number.is_some(), check_digit);
            }
            Attempt::Closed => Guess::Closed,
            Attempt::Wrong => Guess::Wrong,
            Attempt::Mistyped => Guess::Mistyped,
        };
        self.guess(key, guess, self.now)
    }

    /// How to answer a PIN that opens a door, as of the last time given. Counts nothing.
    pub(crate) fn opens(&self, source: SourceKey, known: bool, check_digit: bool) -> Ruling {
        let wrong_today = self.sources.wrong_today(source, self.now);
        let alarm = self.consent(Ceiling::WrongPins).is_some()
            || (!check_digit && self.consent(Ceiling::TypingErrors).is_some());
        Ruling {
            delay: self.policy.delay(wrong_today),
            by_consent: alarm && !(known && self.policy.known_passes(wrong_today)),
        }
    }

    /// Counts a guess and says how to answer it.
    pub(crate) fn guess(&mut self, source: SourceKey, kind: Guess, at: DateTime<Utc>) -> Ruling {
        let now = self.pass(at);
        let delay = match kind {
            Guess::Mistyped => {
                self.typing.count.count(now);
                Duration::ZERO
            }
            Guess::Wrong | Guess::Closed => {
                let wrong_today = self.sources.wrong_today(source, now);
                self.sources.count(source, now);
                if kind == Guess::Wrong {
                    self.wrong.count.count(now);
                }
                self.policy.delay(wrong_today)
            }
        };
        self.look();
        Ruling {
            delay,
            by_consent: false,
        }
    }

    /// How long a PIN of this source is kept back, as of the last time given.
    pub(crate) fn delay(&self, source: SourceKey) -> Duration {
        self.policy
            .delay(self.sources.wrong_today(source, self.now))
    }

    /// Since when doors ask for consent because of `ceiling`, if they do (as of the last time
    /// given).
    pub fn consent(&self, ceiling: Ceiling) -> Option<DateTime<Utc>> {
        self.watch(ceiling).told
    }

    /// How many wrong PINs, or typing errors, came in the day before the last time given. Not
    /// counted beyond the ceiling.
    pub fn count_today(&self, ceiling: Ceiling) -> u32 {
        self.watch(ceiling).count.today(self.now)
    }

    /// An operator ends consent. The day's count starts afresh: a guesser who is still there has
    /// another ceiling's worth of guesses.
    pub fn end_consent(&mut self, ceiling: Ceiling, now: DateTime<Utc>) {
        self.handle_timeout(now);
        self.end(&[ceiling], self.now);
    }

    /// The same for some ceilings at once, as of `at` in the order of notices.
    pub(crate) fn end(&mut self, ceilings: &[Ceiling], at: DateTime<Utc>) {
        let at = self.pass(at);
        for &ceiling in ceilings {
            let watch = match ceiling {
                Ceiling::WrongPins => &mut self.wrong,
                Ceiling::TypingErrors => &mut self.typing,
            };
            watch.count.end();
            if !watch.count.is_always_on() && watch.told.take().is_some() {
                self.alert(Alert::Ended { ceiling, at });
            }
        }
    }

    /// Ends consent if a day has passed quietly. [`attempt`](Self::attempt) does so too; this is
    /// for telling the operator in time.
    pub fn handle_timeout(&mut self, now: DateTime<Utc>) {
        self.now = self.now.max(now);
        self.look();
    }

    /// When consent ends if nothing more happens.
    pub fn poll_timeout(&self) -> Option<DateTime<Utc>> {
        [&self.wrong, &self.typing]
            .into_iter()
            .filter(|watch| watch.told.is_some())
            .filter_map(|watch| watch.count.quiet_at())
            .min()
    }

    /// The next thing for the operator, oldest first.
    pub fn poll_alert(&mut self) -> Option<Alert> {
        self.alerts.pop_front()
    }

    /// The policy it keeps to.
    pub fn policy(&self) -> &PinPolicy {
        &self.policy
    }

    /// The latest time seen.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The time of a notice, or the latest one before it where that is later.
    pub(crate) fn pass(&mut self, at: DateTime<Utc>) -> DateTime<Utc> {
        let at = self.clock.map_or(at, |clock| clock.max(at));
        self.clock = Some(at);
        self.handle_timeout(at);
        at
    }

    /// Finds out whether consent went on or off, and tells the operator.
    fn look(&mut self) {
        for ceiling in [Ceiling::WrongPins, Ceiling::TypingErrors] {
            let watch = match ceiling {
                Ceiling::WrongPins => &mut self.wrong,
                Ceiling::TypingErrors => &mut self.typing,
            };
            if watch.count.is_always_on() {
                continue;
            }
            let since = watch.count.since(self.now);
            let before = std::mem::replace(&mut watch.told, since);
            match (before, since) {
                (None, Some(at)) => self.alert(Alert::CeilingReached { ceiling, at }),
                (Some(_), None) => self.alert(Alert::Quiet {
                    ceiling,
                    at: self.now,
                }),
                (None, None) | (Some(_), Some(_)) => {}
            }
        }
    }

    fn watch(&self, ceiling: Ceiling) -> &Watch {
        match ceiling {
            Ceiling::WrongPins => &self.wrong,
            Ceiling::TypingErrors => &self.typing,
        }
    }

    fn alert(&mut self, alert: Alert) {
        if self.alerts.len() == MOST_ALERTS {
            self.alerts.pop_front();
        }
        self.alerts.push_back(alert);
    }
}

impl Watch {
    fn new(count: DayCount, now: DateTime<Utc>) -> Self {
        let told = if count.is_always_on() {
            Some(now)
        } else {
            count.reached()
        };
        Self { count, told }
    }
}
