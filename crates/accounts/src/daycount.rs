use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Events of the last day against a ceiling.
///
/// The times of the last `limit` events tell both whether the ceiling is reached and how many
/// came in a day as far as that matters, so a flood takes no more memory than that.
///
/// What it holds follows from the events alone. Whether consent is on at some moment is worked out
/// from that and the moment ([`since`](Self::since)): that somebody looked leaves no trace, so
/// bridges that look at different times keep the same state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DayCount {
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
    /// The latest time in it.
    pub(crate) fn latest(&self) -> Option<DateTime<Utc>> {
        self.times.iter().copied().max().max(self.reached)
    }

    /// Takes on a policy; what an import brought is made to fit it. Nothing in it is later than
    /// `latest`.
    pub(crate) fn bound(&mut self, limit: u32, quiet: u32, latest: Option<DateTime<Utc>>) {
        self.limit = limit.min(HIGHEST_CEILING) as usize;
        self.quiet = (quiet as usize).min(self.limit.saturating_sub(1));
        self.times.make_contiguous().sort_unstable();
        if let Some(latest) = latest {
            self.times
                .iter_mut()
                .for_each(|time| *time = (*time).min(latest));
            self.reached = self.reached.map(|time| time.min(latest));
        }
        self.drop_surplus();
        if self.limit == 0 {
            self.reached = None;
        } else if let Some(now) = latest.filter(|now| self.today(*now) as usize >= self.limit) {
            self.reached.get_or_insert(now);
        }
    }

    /// When the ceiling was last reached, if that is not known to be over.
    pub(crate) fn reached(&self) -> Option<DateTime<Utc>> {
        self.reached
    }

    /// Whether consent is always on.
    pub(crate) fn is_always_on(&self) -> bool {
        self.limit == 0
    }

    /// Since when the ceiling counts as reached at `now`, if it does. Not asked where it
    /// [always](Self::is_always_on) does.
    pub(crate) fn since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.reached
            .filter(|_| self.quiet_at().is_some_and(|at| at > now))
    }

    /// Counts one.
    pub(crate) fn count(&mut self, now: DateTime<Utc>) {
        self.settle(now);
        self.times.push_back(now);
        self.drop_surplus();
        if self.limit > 0 && self.reached.is_none() && self.today(now) as usize >= self.limit {
            self.reached = Some(now);
        }
    }

    /// How many within the day up to `now`; not counted beyond the limit.
    pub(crate) fn today(&self, now: DateTime<Utc>) -> u32 {
        (self.times.len() - self.times.partition_point(|time| !is_today(*time, now))) as u32
    }

    /// When no more than `quiet` events will lie within the day, and a day has passed since the
    /// ceiling was reached.
    pub(crate) fn quiet_at(&self) -> Option<DateTime<Utc>> {
        let reached = self.reached?;
        let last_loud = self
            .times
            .len()
            .checked_sub(self.quiet + 1)
            .map(|at| self.times[at]);
        Some(day_after(last_loud.unwrap_or(reached).max(reached)))
    }

    /// Starts afresh.
    pub(crate) fn end(&mut self) {
        self.times.clear();
        self.reached = None;
    }

    /// A quiet day that has passed by `now` is over for good.
    fn settle(&mut self, now: DateTime<Utc>) {
        self.reached = self.since(now);
    }

    fn drop_surplus(&mut self) {
        let surplus = self.times.len().saturating_sub(self.limit);
        self.times.drain(..surplus);
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
