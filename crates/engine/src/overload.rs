//! When to take no more calls: before those that are there suffer.

use std::time::Duration;

use crate::EngineStats;

/// A thread that works for so much of a second has nothing to spare for what comes at once.
const BUSY_PERCENT: u8 = 85;
/// With so many of its ticks late, whatever else the machine does, sound is about to suffer.
const BEHIND_PERCENT: u8 = 80;
/// What it must come down to, and for how long, before calls are taken again.
const RELAXED_PERCENT: (u8, u8) = (70, 10);
const RELAXED_FOR: Duration = Duration::from_secs(5);

/// Says from [`EngineStats`], asked for once a second or so, whether an engine has as much to do as it can: new calls are then
/// better refused, which costs little and which a switch takes elsewhere, than let in to everybody's harm.
///
/// ```
/// # use conclave_engine::{EngineStats, Overload};
/// # use std::time::Duration;
/// let mut overload = Overload::default();
/// let stats = EngineStats { busy_percent: 90, ..EngineStats::default() };
/// assert!(overload.is_on(&stats, Duration::from_secs(1)));
/// // It goes when there has been less to do for five seconds.
/// assert!(overload.is_on(&EngineStats::default(), Duration::from_secs(2)));
/// assert!(!overload.is_on(&EngineStats::default(), Duration::from_secs(7)));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Overload {
    on: bool,
    /// Since when there has been little to do.
    relaxed_since: Option<Duration>,
}

impl Overload {
    /// Whether there is too much to do; `now` is the time since any beginning.
    pub fn is_on(&mut self, stats: &EngineStats, now: Duration) -> bool {
        let (busy, behind) = (stats.busy_percent, stats.behind_percent);
        if busy >= BUSY_PERCENT || behind >= BEHIND_PERCENT {
            self.on = true;
        }
        if busy > RELAXED_PERCENT.0 || behind > RELAXED_PERCENT.1 {
            self.relaxed_since = None;
        } else {
            let since = *self.relaxed_since.get_or_insert(now);
            self.on &= now.saturating_sub(since) < RELAXED_FOR;
        }
        self.on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_at_once_and_goes_slowly() {
        let mut overload = Overload::default();
        let mut second = 0;
        let mut check = |busy_percent, behind_percent, expected| {
            second += 1;
            let stats = EngineStats {
                busy_percent,
                behind_percent,
                ..EngineStats::default()
            };
            let on = overload.is_on(&stats, Duration::from_secs(second));
            assert_eq!(on, expected, "second {second}");
        };
        check(84, 79, false);
        check(0, 80, true);
        for _ in 0..4 {
            check(70, 10, true);
        }
        // Not yet, and all over again.
        check(71, 0, true);
        for _ in 0..5 {
            check(60, 0, true);
        }
        check(60, 0, false);
        check(84, 79, false);
        check(85, 0, true);
    }
}
