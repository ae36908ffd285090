//! Counters that a thread writes and anybody may read, without a lock.

use std::{
    sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use crate::{EngineStats, Lateness};

/// Ten seconds of ticks.
const WINDOW: usize = 500;
/// Over so long it is measured how much a thread has to do.
const SPAN: Duration = Duration::from_secs(1);
/// A tick that begins so late leaves its packets half the time.
const LATE: Duration = Duration::from_millis(10);

/// What one thread counts.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) packets_in: AtomicU64,
    pub(crate) packets_out: AtomicU64,
    pub(crate) ignored: AtomicU64,
    pub(crate) dropped: AtomicU64,
    ticks_left_out: AtomicU64,
    pub(crate) sums_missed: AtomicU64,
    /// Packets on their way to this thread from the owners of their sockets.
    pub(crate) underway: AtomicUsize,
    ticks: AtomicUsize,
    /// Lateness of the last ticks in µs, as a ring.
    lateness: [AtomicU32; WINDOW],
    /// Of all ticks: the counts of [`Lateness`], and the sum in µs.
    late: [AtomicU64; Lateness::BOUNDS.len() + 1],
    late_sum: AtomicU64,
    span: Span,
    /// How the last two spans were, in percent.
    busy: [AtomicU8; 2],
    behind: [AtomicU8; 2],
}

/// What has come together in the span that goes on.
#[derive(Debug, Default)]
struct Span {
    began_us: AtomicU64,
    worked_us: AtomicU64,
    ticks: AtomicU32,
    late: AtomicU32,
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
            span: Span::default(),
            busy: Default::default(),
            behind: Default::default(),
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
        self.span.ticks.fetch_add(1, Relaxed);
        self.span.late.fetch_add(u32::from(late >= LATE), Relaxed);
    }

    /// So many ticks never began.
    pub(crate) fn left_out(&self, ticks: u64) {
        self.ticks_left_out.fetch_add(ticks, Relaxed);
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
        self.span.ticks.fetch_add(ticks, Relaxed);
        self.span.late.fetch_add(ticks, Relaxed);
    }

    /// The thread has worked from then to then, since the engine's start, and sleeps now.
    pub(crate) fn worked(&self, from: Duration, to: Duration) {
        let Span {
            began_us,
            worked_us,
            ticks,
            late,
        } = &self.span;
        let micros = |time: Duration| time.as_micros() as u64;
        let worked = worked_us.fetch_add(micros(to - from), Relaxed) + micros(to - from);
        let lasts = micros(to).saturating_sub(began_us.load(Relaxed));
        if lasts < micros(SPAN) {
            return;
        }
        let percent = |part: u64, of: u64| (part * 100 / of.max(1)).min(100) as u8;
        let behind = percent(late.swap(0, Relaxed).into(), ticks.swap(0, Relaxed).into());
        for (last_two, now) in [(&self.busy, percent(worked, lasts)), (&self.behind, behind)] {
            last_two[1].store(last_two[0].swap(now, Relaxed), Relaxed);
        }
        began_us.store(micros(to), Relaxed);
        worked_us.store(0, Relaxed);
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
        for (most, last_two) in [
            (&mut stats.busy_percent, &meter.busy),
            (&mut stats.behind_percent, &meter.behind),
        ] {
            let of_two = last_two.iter().map(|percent| percent.load(Relaxed)).max();
            *most = (*most).max(of_two.unwrap_or(0));
        }
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
    fn how_much_there_is_to_do_is_told_of_the_last_two_seconds() {
        let (idle, meter) = (Meter::default(), Meter::default());
        let ms = Duration::from_millis;
        let told = || {
            let stats = stats([&idle, &meter].into_iter());
            (stats.busy_percent, stats.behind_percent)
        };
        let second = |n: u64, works: u64, late: u64| {
            for tick in 0..50 {
                let begins = ms(n * 1_000 + tick * 20);
                meter.tick_began(if tick < late { ms(10) } else { ms(9) });
                meter.worked(begins + ms(20 - works), begins + ms(20));
            }
        };
        second(0, 5, 0);
        assert_eq!(told(), (25, 0));
        second(1, 18, 25);
        assert_eq!(told(), (90, 50));
        second(2, 5, 0);
        assert_eq!(told(), (90, 50));
        second(3, 4, 0);
        assert_eq!(told(), (25, 0));
        meter.left_out(450);
        second(4, 5, 0);
        assert_eq!(told(), (25, 90));
    }

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
