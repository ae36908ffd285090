//! The one clock that the machines are told: wall time at the start, carried on by the monotonic clock, so that
//! it never goes back.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

/// Names a file with a number of seconds by which the clock is ahead: for tests of what takes days. It is read again
/// and again, so that a test moves a running bridge through time; it never goes back.
const TEST_CLOCK: &str = "CONCLAVE_TEST_CLOCK";

/// How often the file is read.
const TEST_CLOCK_EVERY: Duration = Duration::from_millis(20);

/// The wall clock. (chrono is built without one, so that the machines have none.)
pub(crate) fn wall() -> DateTime<Utc> {
    let now: DateTime<Utc> = SystemTime::now().into();
    match test_clock() {
        Some(file) => now + TimeDelta::milliseconds(read(&file)),
        None => now,
    }
}

#[derive(Clone)]
pub(crate) struct Clock {
    wall: DateTime<Utc>,
    started: Instant,
    /// In milliseconds; zero but in tests.
    ahead: Arc<AtomicI64>,
    test: bool,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let ahead = Arc::new(AtomicI64::new(0));
        let file = test_clock();
        if let Some(file) = file.clone() {
            warn!(file = %file.display(), "{TEST_CLOCK} is set: this bridge keeps the time of a test, and is for nothing else");
            ahead.store(read(&file), Ordering::Relaxed);
            let ahead = Arc::downgrade(&ahead);
            std::thread::spawn(move || {
                while let Some(ahead) = ahead.upgrade() {
                    ahead.fetch_max(read(&file), Ordering::Relaxed);
                    std::thread::sleep(TEST_CLOCK_EVERY);
                }
            });
        }
        Self {
            wall: SystemTime::now().into(),
            started: Instant::now(),
            ahead,
            test: file.is_some(),
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        let ahead = TimeDelta::milliseconds(self.ahead.load(Ordering::Relaxed));
        let passed = TimeDelta::from_std(self.started.elapsed()).unwrap_or(TimeDelta::MAX);
        self.wall + passed + ahead
    }

    /// The instant at which a timer of the machines falls due.
    pub(crate) fn instant(&self, at: DateTime<Utc>) -> Instant {
        let wait = (at - self.now()).to_std().unwrap_or(Duration::ZERO);
        // A test's clock jumps: then look again soon.
        let most = if self.test {
            TEST_CLOCK_EVERY
        } else {
            Duration::from_secs(3600)
        };
        Instant::now() + wait.min(most)
    }
}

fn test_clock() -> Option<PathBuf> {
    std::env::var_os(TEST_CLOCK).map(PathBuf::from)
}

/// Milliseconds; zero where there is nothing to be read yet.
fn read(file: &std::path::Path) -> i64 {
    let seconds = std::fs::read_to_string(file).ok();
    let seconds: Option<f64> = seconds.and_then(|text| text.trim().parse().ok());
    seconds.map_or(0, |seconds| (seconds * 1000.0) as i64)
}
