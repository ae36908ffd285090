//! How late packets are, over the last few seconds.

/// Packets remembered: four seconds of 20 ms packets.
const WINDOW: usize = 200;
/// So many of the window may be later than the edge: single stragglers don't hold the delay up.
const OUTLIERS: usize = 2;
/// Below this many packets every one counts.
const FEW: usize = 50;

/// What delays may differ by on a steady network.
const STEADY_US: i64 = 4_000;
/// Of what they differ by beyond that, one part is added.
const PART: i64 = 12;

/// The relative delays of the last packets: arrival time minus media time, in microseconds. Only
/// differences between them mean anything.
pub(crate) struct DelayWindow {
    /// Against the first of the stream, so that 32 bits serve.
    reference: i64,
    delays: Box<[i32; WINDOW]>,
    filled: usize,
    at: usize,
    edge: i32,
    /// The earliest.
    least: i32,
    /// One has passed that either of the two may have been.
    stale: bool,
    /// Packets since the two were looked for.
    looked: u8,
}

impl DelayWindow {
    pub(crate) fn new() -> Self {
        DelayWindow {
            reference: 0,
            delays: Box::new([0; WINDOW]),
            filled: 0,
            at: 0,
            edge: 0,
            least: 0,
            stale: false,
            looked: 0,
        }
    }

    pub(crate) const fn clear(&mut self) {
        self.filled = 0;
        self.at = 0;
    }

    /// Where the next one goes.
    pub(crate) fn place(&self) -> &i32 {
        &self.delays[self.at]
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.filled == 0
    }

    pub(crate) fn push(&mut self, delay_us: i64) {
        if self.filled == 0 {
            self.reference = delay_us;
        }
        let delay = delay_us.saturating_sub(self.reference);
        let delay = delay.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        let gone = std::mem::replace(&mut self.delays[self.at], delay);
        self.at = (self.at + 1) % WINDOW;
        self.filled = (self.filled + 1).min(WINDOW);
        self.least = self.least.min(delay);
        // A later one counts at once, the passing of one that was the edge, or the earliest, within a few packets.
        self.stale |= gone != delay && (gone >= self.edge || gone <= self.least);
        self.looked = self.looked.saturating_add(1);
        if self.filled <= FEW || delay > self.edge || (self.stale && self.looked >= 8) {
            self.edge = self.find_edge();
            let delays = &self.delays[..self.filled];
            self.least = delays.iter().fold(i32::MAX, |least, &d| least.min(d));
            (self.stale, self.looked) = (false, 0);
        }
    }

    /// The relative delay within which packets come, but for the few stragglers: a packet with media
    /// time t is here by t + edge.
    pub(crate) const fn edge_us(&self) -> i64 {
        self.reference + self.edge as i64
    }

    /// How much later than the edge packets are to be expected yet: a twelfth of what the delays differ by, as far as that
    /// is more than the few milliseconds of a network that does not jitter.
    pub(crate) const fn margin_us(&self) -> i64 {
        let spread = self.edge as i64 - self.least as i64;
        let spread = spread - STEADY_US;
        if spread > 0 { spread / PART } else { 0 }
    }

    /// By how much the latest of the last second is later than the latest of a second some three before: what a slow clock
    /// adds. It takes a while to tell.
    pub(crate) fn rise_us(&self) -> i64 {
        if self.filled < WINDOW {
            return 0;
        }
        // From the oldest on.
        let (new, old) = self.delays.split_at(self.at);
        let latest = |part: usize| {
            let all = old.iter().chain(new);
            let part = all.skip(part * (WINDOW / 4)).take(WINDOW / 4);
            part.fold(i32::MIN, |latest, &d| latest.max(d))
        };
        (i64::from(latest(3)) - i64::from(latest(0))).max(0)
    }

    fn find_edge(&self) -> i32 {
        let mut latest = [i32::MIN; OUTLIERS + 1];
        for &delay in &self.delays[..self.filled] {
            if delay > latest[OUTLIERS] {
                latest[OUTLIERS] = delay;
                latest.sort_unstable_by(|a, b| b.cmp(a));
            }
        }
        if self.filled < FEW {
            latest[0]
        } else {
            latest[OUTLIERS]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_leaves_out_stragglers_and_forgets() {
        let mut window = DelayWindow::new();
        for packet in 0..WINDOW {
            window.push(1_000_000 + [0, 3000, 1000][packet % 3]);
        }
        assert_eq!(window.edge_us(), 1_003_000);
        window.push(1_100_000);
        window.push(1_100_000);
        assert_eq!(window.edge_us(), 1_003_000);
        window.push(1_050_000);
        assert_eq!(window.edge_us(), 1_050_000);
        for _ in 0..WINDOW + 8 {
            window.push(900_000);
        }
        assert_eq!(window.edge_us(), 900_000);
    }

    #[test]
    fn the_margin_grows_with_the_jitter_and_the_rise_is_that_of_the_clock() {
        let mut window = DelayWindow::new();
        for packet in 0..WINDOW {
            window.push([0, 3_900][packet % 2]);
        }
        assert_eq!((window.margin_us(), window.rise_us()), (0, 0));
        for packet in 0..WINDOW as i64 + 8 {
            window.push([0, 64_000][packet as usize % 2] + 4 * packet);
        }
        assert!((5_000..5_200).contains(&window.margin_us()));
        assert_eq!(window.rise_us(), 600);
    }
}
