//! The one clock that the machines are told: wall time at the start, carried on by the monotonic clock, so that
//! it never goes back.

use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};

/// The wall clock. (chrono is built without one, so that the machines have none.)
pub(crate) fn wall() -> DateTime<Utc> {
    SystemTime::now().into()
}

#[derive(Clone, Copy)]
pub(crate) struct Clock {
    wall: DateTime<Utc>,
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            wall: wall(),
            started: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.at(Instant::now())
    }

    fn at(&self, instant: Instant) -> DateTime<Utc> {
        self.wall + TimeDelta::from_std(instant - self.started).unwrap_or(TimeDelta::MAX)
    }

    /// The instant at which a timer of the machines falls due.
    pub(crate) fn instant(&self, at: DateTime<Utc>) -> Instant {
        let wait = (at - self.now()).to_std().unwrap_or(Duration::ZERO);
        Instant::now() + wait.min(Duration::from_secs(3600))
    }
}
