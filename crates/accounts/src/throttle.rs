use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::sources::Sources;
use crate::{PinPolicy, Source};

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
    now: DateTime<Utc>,
    sources: Sources,
    wrong: DayCount,
    typing: DayCount,
    alerts: VecDeque<Alert>,
}

/// What a throttle has seen, to be kept over a restart. It holds no caller's number in the clear.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ThrottleState {
    sources: Sources,
    wrong: DayCount,
    typing: DayCount,
}

/// Alerts that nobody fetches are dropped from the oldest.
const MOST_ALERTS: usize = 64;

impl Throttle {
    /// A throttle that has seen nothing.
    pub fn new(policy: PinPolicy, now: DateTime<Utc>) -> Self {
        Self::import(policy, ThrottleState::default(), now)
    }

    /// A throttle that goes on where another left off, under the same or another policy.
    pub fn import(policy: PinPolicy, state: ThrottleState, now: DateTime<Utc>) -> Self {
        let ThrottleState {
            mut sources,
            mut wrong,
            mut typing,
        } = state;
        sources.bound(policy.sources, policy.remembered(), now);
        wrong.bound(policy.ceiling, policy.quiet, now);
        typing.bound(policy.typing_ceiling, policy.quiet, now);
        let mut throttle = Self {
            policy,
            now,
            sources,
            wrong,
            typing,
            alerts: VecDeque::new(),
        };
        throttle.handle_timeout(now);
        throttle
    }

    /// What to keep over a restart.
    pub fn export(&self) -> ThrottleState {
        ThrottleState {
            sources: self.sources.clone(),
            wrong: self.wrong.clone(),
            typing: self.typing.clone(),
        }
    }

    /// Counts an attempt and says how to answer it.
    pub fn attempt(&mut self, source: &Source, attempt: Attempt, now: DateTime<Utc>) -> Ruling {
        self.handle_timeout(now);
        let now = self.now;
        if attempt == Attempt::Mistyped {
            if self.typing.count(now) {
                self.alert(Alert::CeilingReached {
                    ceiling: Ceiling::TypingErrors,
                    at: now,
                });
            }
            return Ruling {
                delay: Duration::ZERO,
                by_consent: false,
            };
        }
        let wrong_today = self.sources.wrong_today(source, now);
        let by_consent = match attempt {
            Attempt::Opens { known, check_digit } => {
                let alarm = self.consent(Ceiling::WrongPins).is_some()
                    || (!check_digit && self.consent(Ceiling::TypingErrors).is_some());
                let passes =
                    known && source.number.is_some() && self.policy.known_passes(wrong_today);
                alarm && !passes
            }
            Attempt::Closed | Attempt::Wrong | Attempt::Mistyped => {
                self.sources.count(source, now);
                if attempt == Attempt::Wrong && self.wrong.count(now) {
                    self.alert(Alert::CeilingReached {
                        ceiling: Ceiling::WrongPins,
                        at: now,
                    });
                }
                false
            }
        };
        Ruling {
            delay: self.policy.delay(wrong_today),
            by_consent,
        }
    }

    /// Since when doors ask for consent because of `ceiling`, if they do (as of the last time
    /// given).
    pub fn consent(&self, ceiling: Ceiling) -> Option<DateTime<Utc>> {
        match ceiling {
            Ceiling::WrongPins => self.wrong.reached,
            Ceiling::TypingErrors => self.typing.reached,
        }
    }

    /// How many wrong PINs, or typing errors, came in the day before the last time given. Not
    /// counted beyond the ceiling.
    pub fn count_today(&self, ceiling: Ceiling) -> u32 {
        match ceiling {
            Ceiling::WrongPins => self.wrong.today(self.now),
            Ceiling::TypingErrors => self.typing.today(self.now),
        }
    }

    /// An operator ends consent. The day's count starts afresh: a guesser who is still there has
    /// another ceiling's worth of guesses.
    pub fn end_consent(&mut self, ceiling: Ceiling, now: DateTime<Utc>) {
        self.handle_timeout(now);
        let at = self.now;
        let count = match ceiling {
            Ceiling::WrongPins => &mut self.wrong,
            Ceiling::TypingErrors => &mut self.typing,
        };
        if count.end(at) {
            self.alert(Alert::Ended { ceiling, at });
        }
    }

    /// Ends consent if a day has passed quietly. [`attempt`](Self::attempt) does so too; this is
    /// for telling the operator in time.
    pub fn handle_timeout(&mut self, now: DateTime<Utc>) {
        self.now = self.now.max(now);
        let at = self.now;
        if self.wrong.settle(at) {
            self.alert(Alert::Quiet {
                ceiling: Ceiling::WrongPins,
                at,
            });
        }
        if self.typing.settle(at) {
            self.alert(Alert::Quiet {
                ceiling: Ceiling::TypingErrors,
                at,
            });
        }
    }

    /// When consent ends if nothing more happens.
    pub fn poll_timeout(&self) -> Option<DateTime<Utc>> {
        [&self.wrong, &self.typing]
            .into_iter()
            .filter_map(DayCount::quiet_at)
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

    fn alert(&mut self, alert: Alert) {
        if self.alerts.len() == MOST_ALERTS {
            self.alerts.pop_front();
        }
        self.alerts.push_back(alert);
    }
}

/// Events of the last day against a ceiling.
///
/// The times of the last `limit` events tell both whether the ceiling is reached and how many
/// came in a day as far as that matters, so a flood takes no more memory than that.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct DayCount {
    #[serde(skip)]
    limit: usize,
    #[serde(skip)]
    quiet: usize,
    times: VecDeque<DateTime<Utc>>,
    reached: Option<DateTime<Utc>>,
}

/// The largest ceiling: beyond it nobody could speak of watching.
const HIGHEST_CEILING: u32 = 1_000_000;

impl DayCount {
    /// Takes on a policy; what an import brought is made to fit it.
    fn bound(&mut self, limit: u32, quiet: u32, now: DateTime<Utc>) {
        self.limit = limit.min(HIGHEST_CEILING) as usize;
        self.quiet = (quiet as usize).min(self.limit.saturating_sub(1));
        self.times.make_contiguous().sort_unstable();
        self.times
            .iter_mut()
            .for_each(|time| *time = (*time).min(now));
        self.reached = self.reached.map(|time| time.min(now));
        self.drop_surplus();
        if self.limit == 0 || self.today(now) as usize >= self.limit {
            self.reached.get_or_insert(now);
        }
    }

    fn drop_surplus(&mut self) {
        let surplus = self.times.len().saturating_sub(self.limit);
        self.times.drain(..surplus);
    }

    /// Counts one; true if it reached the ceiling just now.
    fn count(&mut self, now: DateTime<Utc>) -> bool {
        self.times.push_back(now);
        self.drop_surplus();
        if self.reached.is_some() || (self.today(now) as usize) < self.limit {
            return false;
        }
        self.reached = Some(now);
        true
    }

    fn today(&self, now: DateTime<Utc>) -> u32 {
        (self.times.len() - self.times.partition_point(|time| !is_today(*time, now))) as u32
    }

    /// True if it became quiet just now. A ceiling of zero is never quiet.
    fn settle(&mut self, now: DateTime<Utc>) -> bool {
        let quiet = self.quiet_at().is_some_and(|at| at <= now);
        if quiet {
            self.reached = None;
        }
        quiet
    }

    /// When no more than `quiet` events will lie within the day, and a day has passed since the
    /// ceiling was reached.
    fn quiet_at(&self) -> Option<DateTime<Utc>> {
        let reached = self.reached.filter(|_| self.limit > 0)?;
        let last_loud = self
            .times
            .len()
            .checked_sub(self.quiet + 1)
            .map(|at| self.times[at]);
        Some(day_after(last_loud.unwrap_or(reached).max(reached)))
    }

    /// True if it was on.
    fn end(&mut self, now: DateTime<Utc>) -> bool {
        self.times.clear();
        let was_on = self.reached.take().is_some();
        if self.limit == 0 {
            self.reached = Some(now);
            return false;
        }
        was_on
    }
}

/// Whether `time` lies within the 24 h up to `now`.
pub(crate) fn is_today(time: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    day_after(time) > now
}

fn day_after(time: DateTime<Utc>) -> DateTime<Utc> {
    time.checked_add_signed(TimeDelta::days(1))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
