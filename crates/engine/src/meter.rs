//! Counters that a thread writes and anybody may read, without a lock.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use crate::{EngineStats, Lateness};

/// Ten seconds of ticks.
const WINDOW: usize = 500;

/// What one thread counts.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) packets_in: AtomicU64,
    pub(crate) packets_out: AtomicU64,
    pub(crate) ignored: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) ticks_left_out: AtomicU64,
    pub(crate) sums_missed: AtomicU64,
    /// Packets on their way to this thread from the owners of their sockets.
    pub(crate) underway: AtomicUsize,
    ticks: AtomicUsize,
    /// Lateness of the last ticks in µs, as a ring.
    lateness: [AtomicU32; WINDOW],
    /// Of all ticks: the counts of [`Lateness`], and the sum in µs.
    late: [AtomicU64; Lateness::BOUNDS.len() + 1],
    late_sum: AtomicU64,
}

impl Default for Meter {
    fn default() -> Self {
        Meter {
            packets_in: AtomicU64::new(0),
            packets_out: AtomicU64::new(0),
            ignored: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            ticks_left_out: AtomicU64::new(0),
            sums_missed: AtomicU64::new(0),
            underway: AtomicUsize::new(0),
            ticks: AtomicUsize::new(0),
            lateness: [const { AtomicU32::new(0) }; WINDOW],
            late: [const { AtomicU64::new(0) }; Lateness::BOUNDS.len() + 1],
            late_sum: AtomicU64::new(0),
        }
    }
}

impl Meter {
    pub(crate) fn tick_began(&self, late: Duration) {
        let at = self.ticks.fetch_add(1, Relaxed) % WINDOW;
        let micros = u32::try_from(late.as_micros()).unwrap_or(u32::MAX);
        self.lateness[at].store(micros, Relaxed);
        let bucket = Lateness::BOUNDS.partition_point(|bound| *bound < late);
        self.late[bucket].fetch_add(1, Relaxed);
        self.late_sum.fetch_add(u64::from(micros), Relaxed);
    }

    pub(crate) fn count(counter: &AtomicU64, by: usize) {
        if by > 0 {
            counter.fetch_add(by as u64, Relaxed);
        }
    }

    fn recent(&self, into: &mut Vec<u32>) {
        let known = self.ticks.load(Relaxed).min(WINDOW);
        into.extend(self.lateness[..known].iter().map(|l| l.load(Relaxed)));
    }
}

/// The sum over all threads.
pub(crate) fn stats<'a>(meters: impl Iterator<Item = &'a Meter>) -> EngineStats {
    let mut lateness = Vec::new();
    let mut stats = EngineStats::default();
    for meter in meters {
        stats.packets_in += meter.packets_in.load(Relaxed);
        stats.packets_out += meter.packets_out.load(Relaxed);
        stats.ignored += meter.ignored.load(Relaxed);
        stats.dropped += meter.dropped.load(Relaxed);
        stats.ticks_left_out += meter.ticks_left_out.load(Relaxed);
        stats.sums_missed += meter.sums_missed.load(Relaxed);
        meter.recent(&mut lateness);
        for (sum, count) in stats.lateness.counts.iter_mut().zip(&meter.late) {
            *sum += count.load(Relaxed);
        }
        stats.lateness.sum += Duration::from_micros(meter.late_sum.load(Relaxed));
    }
    lateness.sort_unstable();
    let at = |percent: usize| {
        let place = (lateness.len() * percent / 100).min(lateness.len().saturating_sub(1));
        let micros = lateness.get(place).copied().unwrap_or(0);
        Duration::from_micros(u64::from(micros))
    };
    stats.lateness_p50 = at(50);
    stats.lateness_p99 = at(99);
    stats.lateness_max = at(100);
    stats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_last_ten_seconds() {
        let meter = Meter::default();
        assert_eq!(stats([&meter].into_iter()).lateness_max, Duration::ZERO);
        meter.tick_began(Duration::from_secs(9));
        for n in 0..WINDOW as u64 {
            meter.tick_began(Duration::from_micros(n));
        }
        let seen = stats([&meter].into_iter());
        assert_eq!(seen.lateness_p50, Duration::from_micros(250));
        assert_eq!(seen.lateness_p99, Duration::from_micros(495));
        assert_eq!(seen.lateness_max, Duration::from_micros(499));
        // The first one, 9 s late, is in the histogram still.
        let mut counts = [0; Lateness::BOUNDS.len() + 1];
        (counts[0], counts[8]) = (500, 1);
        assert_eq!(seen.lateness.counts, counts);
        let sum = Duration::from_secs(9) + Duration::from_micros(500 * 499 / 2);
        assert_eq!(seen.lateness.sum, sum);
    }
}
