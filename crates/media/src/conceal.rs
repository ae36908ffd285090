//! What is heard in place of what was lost.

/// Fills gaps by repeating the last pitch periods and fading, after the manner of ITU-T G.711
/// Appendix I, without its delay: instead of holding output back for an overlap, the step between
/// the last sample heard and the first repeated one is levelled out over a quarter of a period.
///
/// One period is repeated in the first 10 ms, two in the next, then three, so that a long gap does
/// not buzz; where there is no pitch the longest period is used, for the same reason. The gain falls from 10 ms on and is zero at 60 ms.
pub(crate) struct Concealer {
    /// What was heard last, as a ring: the oldest sample at `oldest`, the newest before it. In order while a gap is filled.
    history: Vec<i16>,
    oldest: usize,
    /// Zeros that were heard after it, and are put there when they are needed.
    zeros: usize,
    /// Samples in 1/8 ms.
    scale: usize,
    run: Option<Run>,
}

/// A gap that is being filled.
#[derive(Clone, Copy)]
struct Run {
    period: usize,
    /// Periods that are repeated now.
    periods: usize,
    /// Where in them.
    position: usize,
    /// Where it was when the number of periods changed.
    left_at: usize,
    /// Samples made.
    made: usize,
    /// The step between what was heard and what is repeated.
    step: f32,
    /// What is repeated is zeros alone.
    silent: bool,
}

/// All in samples at 8 kHz.
const MS: usize = 8;
const SHORTEST_PERIOD: usize = 5 * MS;
const LONGEST_PERIOD: usize = 15 * MS;
const TEMPLATE: usize = 20 * MS;
/// Three of the longest periods, and a quarter for their overlap.
const HISTORY: usize = 3 * LONGEST_PERIOD + LONGEST_PERIOD / 4;
const STEADY: usize = 10 * MS;
/// From here on nothing is heard.
pub(crate) const FADED: usize = 60 * MS;
/// Below this correlation it isn't voiced.
const VOICED: f32 = 0.5;

impl Concealer {
    pub(crate) fn new(sample_rate: u32) -> Self {
        let scale = (sample_rate as usize / 8000).max(1);
        Concealer {
            history: vec![0; HISTORY * scale],
            oldest: 0,
            zeros: 0,
            scale,
            run: None,
        }
    }

    /// Takes note of samples that were heard.
    pub(crate) fn heard(&mut self, samples: &[i16]) {
        if samples.iter().all(|&sample| sample == 0) {
            self.heard_zeros(samples.len());
            return;
        }
        self.put_zeros();
        let size = self.history.len();
        let new = &samples[samples.len().saturating_sub(size)..];
        let (first, rest) = new.split_at(new.len().min(size - self.oldest));
        self.history[self.oldest..][..first.len()].copy_from_slice(first);
        self.history[..rest.len()].copy_from_slice(rest);
        self.oldest = (self.oldest + new.len()) % size;
    }

    /// The same of so many zeros.
    pub(crate) fn heard_zeros(&mut self, samples: usize) {
        self.zeros = (self.zeros + samples).min(self.history.len());
    }

    fn put_zeros(&mut self) {
        let zeros = std::mem::take(&mut self.zeros);
        let to_end = zeros.min(self.history.len() - self.oldest);
        self.history[self.oldest..][..to_end].fill(0);
        self.history[..zeros - to_end].fill(0);
        self.oldest = (self.oldest + zeros) % self.history.len();
    }

    /// Where so many samples go that will be heard next; `None` while zeros are heard, which go nowhere.
    pub(crate) fn place(&self, samples: usize) -> Option<&[i16]> {
        let place = &self.history[self.oldest..];
        (self.zeros == 0).then(|| &place[..place.len().min(samples)])
    }

    /// Whether a gap is being filled.
    pub(crate) const fn is_filling(&self) -> bool {
        self.run.is_some()
    }

    /// Whether the gap has lasted so long that there is nothing left to hear.
    pub(crate) fn is_faded(&self) -> bool {
        self.run.is_some_and(|run| run.made >= FADED * self.scale)
    }

    /// Fills `out` with what goes on from the samples [`heard`](Self::heard). During a gap nothing new may be
    /// reported as heard before the whole gap is filled.
    pub(crate) fn fill(&mut self, out: &mut [i16]) {
        let mut run = match self.run {
            Some(run) => run,
            None => self.begin(),
        };
        for sample in out {
            *sample = self.next_sample(&mut run);
        }
        self.run = Some(run);
    }

    /// The gap is over: blends from what would have been repeated into the `good` samples that follow.
    pub(crate) fn end(&mut self, good: &mut [i16]) {
        let Some(mut run) = self.run.take() else {
            return;
        };
        let tenths = run.made / (STEADY * self.scale);
        let overlap = ((4 + 4 * tenths).min(10) * MS * self.scale).min(good.len());
        for (index, sample) in good[..overlap].iter_mut().enumerate() {
            let weight = (index + 1) as f32 / (overlap + 1) as f32;
            let repeated = f32::from(self.next_sample(&mut run));
            *sample = (f32::from(*sample) * weight + repeated * (1.0 - weight)) as i16;
        }
    }

    fn begin(&mut self) -> Run {
        if self.zeros == self.history.len() {
            // When many lines fail at once, most of them are those of people who listen: a gap of theirs costs next to nothing.
            return Run {
                period: LONGEST_PERIOD * self.scale,
                periods: 1,
                position: 0,
                left_at: 0,
                made: 0,
                step: 0.0,
                silent: true,
            };
        }
        self.put_zeros();
        self.history.rotate_left(self.oldest);
        self.oldest = 0;
        let period = self.find_period();
        let before = self.history.len() - 1;
        let step = f32::from(self.history[before]) - f32::from(self.history[before - period]);
        Run {
            period,
            periods: 1,
            position: 0,
            left_at: 0,
            made: 0,
            step,
            silent: false,
        }
    }

    fn next_sample(&self, run: &mut Run) -> i16 {
        if run.silent {
            run.made += 1;
            return 0;
        }
        let quarter = run.period / 4;
        let steady = STEADY * self.scale;
        let mut sample = self.repeated(run.period, run.periods, run.position);
        if run.made < quarter {
            sample += run.step * (1.0 - run.made as f32 / quarter as f32);
        }
        let since_change = run.made % steady;
        let fewer = run.periods - 1;
        if run.made >= steady && run.made < 3 * steady && since_change < quarter && fewer > 0 {
            let weight = since_change as f32 / quarter as f32;
            let old = (run.left_at + since_change) % (fewer * run.period);
            let old = self.repeated(run.period, fewer, old);
            sample = sample * weight + old * (1.0 - weight);
        }
        let faded = FADED * self.scale;
        let gain = if run.made < steady {
            1.0
        } else {
            faded.saturating_sub(run.made) as f32 / (faded - steady) as f32
        };
        run.made += 1;
        run.position += 1;
        if run.made.is_multiple_of(steady) && run.periods < 3 {
            // The same place in the period, with more periods to go before it comes again.
            run.left_at = run.position;
            run.position %= run.period;
            run.periods += 1;
        } else if run.position >= run.periods * run.period {
            run.position = 0;
        }
        (sample * gain).clamp(i16::MIN.into(), i16::MAX.into()) as i16
    }

    /// The last `periods`, in which the end runs over into the beginning without a step.
    fn repeated(&self, period: usize, periods: usize, position: usize) -> f32 {
        let (length, quarter) = (periods * period, period / 4);
        let start = self.history.len() - length;
        let sample = f32::from(self.history[start + position]);
        let into_end = (position + quarter).saturating_sub(length);
        if into_end == 0 {
            return sample;
        }
        let weight = into_end as f32 / quarter as f32;
        let before = f32::from(self.history[self.history.len() + position - 2 * length]);
        sample * (1.0 - weight) + before * weight
    }

    /// The lag at which the last 20 ms are most like what was before them, by normalised
    /// correlation, at 8 kHz whatever the rate.
    fn find_period(&self) -> usize {
        // From the newest sample back.
        let mut past = [0.0; TEMPLATE + LONGEST_PERIOD + 1];
        let newest_first = self.history.iter().rev().step_by(self.scale);
        for (to, &from) in past.iter_mut().zip(newest_first) {
            *to = f32::from(from);
        }
        let mut best = (VOICED, LONGEST_PERIOD);
        let template = &past[..TEMPLATE];
        let energy = product(template, template);
        if energy < 1.0 {
            return LONGEST_PERIOD * self.scale;
        }
        let first = &past[SHORTEST_PERIOD..][..TEMPLATE];
        let mut lagged = product(first, first);
        for lag in SHORTEST_PERIOD..=LONGEST_PERIOD {
            let likeness =
                product(template, &past[lag..][..TEMPLATE]) / (energy * lagged.max(1.0)).sqrt();
            // Multiples of the period are as alike: the shortest that is clearly best.
            if likeness > best.0 * 1.02 {
                best = (likeness, lag);
            }
            lagged += past[TEMPLATE + lag].powi(2) - past[lag].powi(2);
        }
        best.1 * self.scale
    }
}

/// Inner product, by eight sums side by side, which the compiler turns into vector code.
fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let eights = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    for (a, b) in eights {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(hertz: f32, samples: std::ops::Range<usize>) -> Vec<i16> {
        samples
            .map(|i| ((i as f32 * hertz / 8000.0 * TAU).sin() * 8000.0) as i16)
            .collect()
    }

    fn power(samples: &[i16]) -> f64 {
        samples.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / samples.len() as f64
    }

    #[test]
    fn a_voiced_sound_goes_on_through_a_lost_frame() {
        for hertz in [100.0, 123.0, 180.0, 197.0] {
            let mut concealer = Concealer::new(8000);
            concealer.heard(&tone(hertz, 0..800));
            let (mut made, expected) = ([0; 80], tone(hertz, 800..880));
            concealer.fill(&mut made);
            let wrong: Vec<i16> = made.iter().zip(&expected).map(|(a, b)| a - b).collect();
            assert!(
                power(&wrong) < power(&expected) / 30.0,
                "{hertz}: {}",
                power(&wrong).sqrt()
            );
        }
    }

    #[test]
    fn zeros_are_heard_like_other_samples() {
        for zeros in [1, 40, 160, 389, 390, 391, 1_000] {
            let (mut one, mut other) = (Concealer::new(8000), Concealer::new(8000));
            let (before, after) = (tone(130.0, 0..500), tone(170.0, 500..660));
            // At once, so that nothing tells of the zeros in it.
            let mut all = [before.clone(), vec![0; zeros]].concat();
            other.heard(&before);
            other.heard_zeros(zeros / 2);
            other.heard(&vec![0; zeros - zeros / 2]);
            assert!(other.place(160).is_none());
            if zeros % 2 == 0 {
                all.extend(&after);
                other.heard(&after);
                assert!(other.place(160).is_some());
            }
            one.heard(&all);
            for frames in [2, 6] {
                let [mut made, mut expected] = [[1; 160]; 2];
                for _ in 0..frames {
                    one.fill(&mut expected);
                    other.fill(&mut made);
                    assert_eq!(made, expected, "{zeros}");
                }
                [made, expected] = [[8_000; 160]; 2];
                assert_eq!(one.is_faded(), other.is_faded());
                one.end(&mut expected);
                other.end(&mut made);
                assert_eq!(made, expected, "{zeros}");
            }
        }
    }

    #[test]
    fn nothing_clicks() {
        for hertz in [60.0, 131.0, 350.0, 697.0, 1209.0] {
            let mut concealer = Concealer::new(8000);
            let mut all = tone(hertz, 0..800);
            concealer.heard(&all);
            let mut gap = [0; 400];
            for part in gap.chunks_mut(160) {
                concealer.fill(part);
            }
            all.extend(gap);
            let mut good = tone(hertz, 1200..1360);
            concealer.end(&mut good);
            all.extend(good);
            // A pure tone moves by at most amplitude * TAU * f / rate a sample.
            let steepest = 8000.0 * TAU * hertz / 8000.0;
            for (index, pair) in all.windows(2).enumerate() {
                let step = (f32::from(pair[1]) - f32::from(pair[0])).abs();
                assert!(step < 1.6 * steepest + 200.0, "{hertz} Hz, {index}: {step}");
            }
        }
    }

    #[test]
    fn a_long_gap_fades_to_silence() {
        let mut concealer = Concealer::new(8000);
        concealer.heard(&tone(770.0, 0..800));
        let mut gap = [0; 640];
        concealer.fill(&mut gap);
        let levels: Vec<f64> = gap.chunks(80).map(power).collect();
        assert!(levels[0] > 0.8 * 32e6 && levels[0] < 1.2 * 32e6);
        assert!(
            levels[1..6].windows(2).all(|pair| pair[1] < pair[0]),
            "{levels:?}"
        );
        assert_eq!(levels[6..], [0.0, 0.0]);
        assert!(concealer.is_faded());
    }

    #[test]
    fn silence_and_noise_stay_in_bounds() {
        let mut concealer = Concealer::new(48000);
        let mut out = [1; 960];
        concealer.fill(&mut out);
        assert_eq!(out, [0; 960]);
        concealer.end(&mut out[..960]);
        let square: Vec<i16> = (0..4000).map(|i| [i16::MIN, i16::MAX][i / 7 % 2]).collect();
        concealer.heard(&square);
        concealer.fill(&mut out);
        concealer.end(&mut out[..3]);
    }
}
