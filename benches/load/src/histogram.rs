//! Durations counted in buckets of a tenth of a millisecond: percentiles of millions without keeping them.

use std::time::Duration;

const BUCKET: Duration = Duration::from_micros(100);
const BUCKETS: usize = 20_000;

#[derive(Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u32>,
    count: u64,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            count: 0,
            max: Duration::ZERO,
        }
    }
}

impl Histogram {
    pub(crate) fn add(&mut self, duration: Duration) {
        let bucket = (duration.as_nanos() / BUCKET.as_nanos()) as usize;
        self.buckets[bucket.min(BUCKETS - 1)] += 1;
        self.count += 1;
        self.max = self.max.max(duration);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += more;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn max(&self) -> Duration {
        self.max
    }

    /// The least duration that so many per cent are not longer than, to a tenth of a millisecond; what is beyond two
    /// seconds is told by [`max`](Self::max) alone.
    pub(crate) fn percentile(&self, percent: u64) -> Duration {
        let wanted = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (n, bucket) in self.buckets.iter().enumerate() {
            seen += u64::from(*bucket);
            if seen >= wanted {
                return (BUCKET * (n as u32 + 1)).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let mut histogram = Histogram::default();
        for n in 1..=1000_u64 {
            histogram.add(Duration::from_micros(n * 77 % 1000 * 100));
        }
        assert_eq!(histogram.count(), 1000);
        let at = |percent| histogram.percentile(percent).as_micros();
        assert_eq!((at(50), at(99), at(100)), (50_000, 99_000, 99_900));
        assert_eq!(histogram.max(), Duration::from_micros(99_900));
        assert_eq!(Histogram::default().percentile(99), Duration::ZERO);

        let mut later = Histogram::default();
        later.add(Duration::from_millis(300));
        histogram.merge(&later);
        assert_eq!(histogram.count(), 1001);
        assert_eq!(histogram.max(), Duration::from_millis(300));
        assert_eq!(histogram.percentile(99).as_micros(), 99_100);
    }
}
