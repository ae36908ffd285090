//! Whether a line plays music or steady noise, with nobody speaking on it.
//!
//! Over a few seconds the level of speech lies now at the top of its range and now at the bottom, jumps from frame to
//! frame, and its rate of zero crossings jumps too, between voice and hiss. Music and noise do at most two of the
//! three. The product of the three, with the spread measured against the range, is the same at every loudness, and
//! nearly so whether the pauses of the speech are silent or filled with the noise of the line.

use multiversion::multiversion;

use crate::levels::{SILENCE_DBFS, power, power_dbfs};

/// Six seconds of 20 ms frames.
const WINDOW: usize = 300;
/// A second.
const EVERY: usize = 50;
/// What is so much softer than the speech of the line is its background, and no noise of its own: a breath, the room of who
/// listens.
const BACKGROUND_DB: f32 = 25.0;
/// How loud speech is thought to be at least, as before it was heard, and at most.
const SPEECH_DBFS: std::ops::RangeInclusive<f32> = -30.0..=-15.0;
/// What is remembered of it fades by so much with each judgement: by 10 dB in four minutes.
const FORGETS_DB: f32 = 0.04;
/// What lies further below the loud part of a window counts as silence: how deep that is belongs to the line.
const DEEPEST_DB: f32 = 20.0;
/// A smaller range is no speech's.
const SHALLOWEST_DB: f32 = 14.0;
/// Music and noise are there most of the time: where half of a window lies so far below its loud part, it is a pause after
/// speech, or the breath of who listens.
const MOSTLY_DB: f32 = 15.0;
/// Below what speech reached in hours of it, with pink noise 10 dB below it too.
const STEADY_BELOW: f32 = 15.5;
/// The flag goes where windows are beyond this: as speech is most of the time.
const SPEECH_ABOVE: f32 = 30.0;
/// Judgements in a row, two seconds of them, before the flag goes.
const TO_CLEAR: u8 = 2;

/// Tells music and steady noise on a line from speech, 6 s after they began at the earliest.
///
/// It takes the frames of one leg as they were decoded, at any sample rate, and allocates nothing.
///
/// ```
/// use conclave_mixer::{NoiseDetector, Rate, tone::Tone};
///
/// let mut line = NoiseDetector::default();
/// let mut hum = Tone::new(100.0, -25.0, Rate::Hz8000);
/// let changes: Vec<(usize, bool)> = (0..500)
///     .filter_map(|tick| {
///         let mut frame = [0; Rate::Hz8000.frame_len()];
///         hum.fill(&mut frame);
///         Some((tick, line.push(&frame)?))
///     })
///     .collect();
/// assert_eq!(changes, [(299, true)]); // told once
/// ```
#[derive(Clone, Debug)]
pub struct NoiseDetector {
    window: Box<Window>,
    heard: usize,
    /// Frames of nothing in a row: after a window of them it holds nothing else, and nothing more is put there.
    zeros: usize,
    flagged: bool,
    /// How loud the loud part of a window of speech was, within [`SPEECH_DBFS`].
    speech: f32,
    /// Judgements in a row that speak against the flag.
    against: u8,
}

/// The last frames, as a ring.
#[derive(Clone, Debug)]
struct Window {
    /// dBFS of each.
    levels: [f32; WINDOW],
    /// The logarithm of its zero crossings.
    crossings: [f32; WINDOW],
}

impl Default for NoiseDetector {
    fn default() -> Self {
        Self {
            window: Box::new(Window {
                levels: [SILENCE_DBFS; WINDOW],
                crossings: [0.0; WINDOW],
            }),
            heard: 0,
            zeros: 0,
            flagged: false,
            speech: *SPEECH_DBFS.start(),
            against: 0,
        }
    }
}

impl NoiseDetector {
    /// Takes the next 20 ms; says so when the line has begun (true) or ceased (false) to play music or noise.
    pub fn push(&mut self, frame: &[i16]) -> Option<bool> {
        let level = power_dbfs(power(frame));
        self.zeros = 0;
        self.note(level, (f32::from(crossings(frame)) + 1.0).ln())
    }

    /// The same for 20 ms of zeros.
    pub fn push_zeros(&mut self) -> Option<bool> {
        self.zeros = self.zeros.saturating_add(1);
        self.note(SILENCE_DBFS, 0.0)
    }

    fn note(&mut self, level: f32, crossings: f32) -> Option<bool> {
        if self.zeros <= WINDOW {
            let at = self.heard % WINDOW;
            self.window.levels[at] = level;
            self.window.crossings[at] = crossings;
        }
        self.heard += 1;
        let due = self.heard >= WINDOW && self.heard.is_multiple_of(EVERY);
        if due { self.judge() } else { None }
    }

    /// The memory beside the detector itself that the next frame is going to touch, unless the line is long silent: a caller with
    /// more lines than its processor's cache holds may have it fetched in time.
    #[must_use]
    pub fn ahead(&self) -> Option<[&f32; 2]> {
        let at = self.heard % WINDOW;
        let window = &self.window;
        (self.zeros < WINDOW).then(|| [&window.levels[at], &window.crossings[at]])
    }

    /// Whether the line plays music or noise.
    #[must_use]
    pub fn flagged(&self) -> bool {
        self.flagged
    }

    fn judge(&mut self) -> Option<bool> {
        let (loud, unsteadiness) = self.unsteadiness();
        let speech = unsteadiness.is_some_and(|u| u > SPEECH_ABOVE);
        let faded = self.speech - FORGETS_DB;
        let speech = if speech { faded.max(loud) } else { faded };
        self.speech = speech.clamp(*SPEECH_DBFS.start(), *SPEECH_DBFS.end());
        if !self.flagged {
            self.flagged = unsteadiness.is_some_and(|u| u < STEADY_BELOW);
            return self.flagged.then_some(true);
        }
        let speech_or_silence = unsteadiness.is_none_or(|u| u > SPEECH_ABOVE);
        self.against = if speech_or_silence {
            self.against + 1
        } else {
            0
        };
        if self.against < TO_CLEAR {
            return None;
        }
        (self.flagged, self.against) = (false, 0);
        Some(false)
    }

    /// How loud the loud part of the window is, and how little it is like music or noise; `None` where it is background.
    fn unsteadiness(&self) -> (f32, Option<f32>) {
        if self.zeros >= WINDOW {
            return (SILENCE_DBFS, None);
        }
        let mut sorted = self.window.levels.map(order);
        let (below, loud, _) = sorted.select_nth_unstable(WINDOW * 9 / 10);
        let loud = level_of(*loud);
        if loud < self.speech - BACKGROUND_DB {
            return (loud, None);
        }
        let (softer, middle, _) = below.select_nth_unstable(WINDOW / 2);
        if level_of(*middle) < loud - MOSTLY_DB {
            return (loud, Some(SPEECH_ABOVE + 1.0));
        }
        let (_, soft, _) = softer.select_nth_unstable(WINDOW / 10);
        let range = (loud - level_of(*soft)).clamp(SHALLOWEST_DB, DEEPEST_DB);
        let levels = self.window.levels.map(|level| level.max(loud - DEEPEST_DB));
        let newest = (self.heard + WINDOW - 1) % WINDOW;
        let jumps = jump(&levels, newest) * jump(&self.window.crossings, newest);
        let spread = spread(&levels) / range;
        (loud, Some(1000.0 * spread.powi(3) * jumps))
    }
}

/// How often the sign changes from sample to sample.
#[multiversion(targets("x86_64+avx2"))]
fn crossings(frame: &[i16]) -> u16 {
    let neighbours = frame.iter().zip(frame.iter().skip(1));
    neighbours.map(|(a, b)| (a ^ b).cast_unsigned() >> 15).sum()
}

/// Mean step from one value of a window to the next, up to the newest one.
#[multiversion(targets("x86_64+avx2"))]
fn jump(ring: &[f32; WINDOW], newest: usize) -> f32 {
    let step = |n: usize| (ring[n] - ring[(n + 1) % WINDOW]).abs();
    // From the newest to the oldest is none.
    (sum(&std::array::from_fn(step)) - step(newest)) / (WINDOW - 1) as f32
}

/// A level as a number of the same order, in which many are sorted sooner.
fn order(level: f32) -> i32 {
    let bits = level.to_bits().cast_signed();
    bits ^ ((bits >> 31).cast_unsigned() >> 1).cast_signed()
}

/// Which level that number stands for.
fn level_of(order: i32) -> f32 {
    let bits = order ^ ((order >> 31).cast_unsigned() >> 1).cast_signed();
    f32::from_bits(bits.cast_unsigned())
}

/// Standard deviation of a window.
#[multiversion(targets("x86_64+avx2"))]
fn spread(values: &[f32; WINDOW]) -> f32 {
    let mean = sum(values) / WINDOW as f32;
    let squares = values.map(|v| (v - mean) * (v - mean));
    (sum(&squares) / WINDOW as f32).sqrt()
}

/// Four sums side by side, which the compiler turns into vector code.
#[inline(always)]
fn sum(values: &[f32; WINDOW]) -> f32 {
    let mut sums = [0.0; 4];
    for four in values.as_chunks::<4>().0 {
        for (sum, value) in sums.iter_mut().zip(four) {
            *sum += value;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    /// Sound by the second and a noise sample, full scale at 1.
    type Sound = fn(f32, f32) -> f32;

    fn voice(t: f32, _: f32) -> f32 {
        (1..8)
            .map(|k| (TAU * 140.0 * k as f32 * t).sin() / k as f32)
            .sum::<f32>()
            / 3.0
    }
    /// Syllables of voice and hiss with a pause after every fourth.
    fn speech(t: f32, noise: f32) -> f32 {
        let beat = t * 5.0;
        match (beat as u32 % 5, beat.fract()) {
            (4, _) => noise * 1e-3,
            (_, at) if at < 0.25 => noise * 0.15,
            (_, at) if at < 0.8 => voice(t, noise) * (at * 4.0).sin().abs(),
            _ => noise * 1e-3,
        }
    }
    /// A note every quarter of a second, dying away over a chord.
    fn music(t: f32, _: f32) -> f32 {
        let note = [440.0, 554.4, 659.3, 880.0][(t * 4.0) as usize % 4];
        let chord = (TAU * 220.0 * t).sin() + (TAU * 330.0 * t).sin();
        0.15 * chord + 0.5 * (TAU * note * t).sin() * (-(t * 4.0).fract() * 3.0).exp()
    }
    fn hiss(_: f32, noise: f32) -> f32 {
        noise * 0.3
    }
    fn fan(t: f32, noise: f32) -> f32 {
        noise * (0.3 + 0.05 * (TAU * 1.5 * t).sin()) + 0.1 * (TAU * 120.0 * t).sin()
    }

    /// Plays `(sound, seconds)` at `gain_db` and `hz`; when the flag changed, in seconds.
    fn changes(stretches: &[(Sound, u32)], gain_db: f32, hz: usize) -> Vec<(f32, bool)> {
        let (mut line, mut dice, mut sample) = (NoiseDetector::default(), 1_u32, 0);
        let gain = 30_000.0 * 10_f32.powf(gain_db / 20.0);
        let mut told = Vec::new();
        let mut frame = vec![0; hz / 50];
        for &(sound, seconds) in stretches {
            for _ in 0..seconds * 50 {
                for x in &mut frame {
                    dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let noise = (dice >> 8) as f32 / (1 << 23) as f32 - 1.0;
                    *x = (sound(sample as f32 / hz as f32, noise) * gain) as i16;
                    sample += 1;
                }
                let at = sample as f32 / hz as f32;
                told.extend(line.push(&frame).map(|flag| (at, flag)));
            }
        }
        assert_eq!(line.flagged(), told.last().is_some_and(|(_, flag)| *flag));
        told
    }

    #[test]
    fn zeros_are_frames_like_others() {
        let (mut one, mut other) = (NoiseDetector::default(), NoiseDetector::default());
        let mut dice = 1_u32;
        for tick in 0..12_000 {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Stretches of hiss, of silence from a tenth of a second to many, and of both.
            let silent = match tick / 900 % 3 {
                0 => false,
                1 => tick % 900 < tick / 12,
                _ => dice >> 31 == 0,
            };
            let frame: [i16; 160] =
                std::array::from_fn(|n| ((dice >> 16) as i16).wrapping_mul(2 * n as i16 + 1));
            let told = if silent {
                (one.push(&[0; 160]), other.push_zeros())
            } else {
                (one.push(&frame), other.push(&frame))
            };
            assert_eq!(told.0, told.1, "{tick}");
        }
        assert_eq!(one.speech, other.speech);
    }

    #[test]
    fn music_and_noise_are_flagged_within_ten_seconds_at_every_level_and_rate() {
        for sound in [music, hiss, fan] as [Sound; 3] {
            for hz in [8_000, 16_000, 48_000] {
                for gain_db in [0.0, -15.0, -30.0] {
                    let told = changes(&[(sound, 20)], gain_db, hz);
                    assert!(
                        matches!(told[..], [(..=10.0, true)]),
                        "{hz} {gain_db}: {told:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn speech_is_not_flagged_at_any_level_and_rate() {
        for hz in [8_000, 16_000, 48_000] {
            for gain_db in [0.0, -15.0, -30.0] {
                assert_eq!(changes(&[(speech, 60)], gain_db, hz), []);
            }
        }
    }

    /// Who listens takes a breath of a second every four.
    fn breath(t: f32, noise: f32) -> f32 {
        let at = t % 4.0;
        let open = if at < 1.0 {
            (at * TAU / 2.0).sin()
        } else {
            0.0
        };
        noise * (0.02 * open * open + 2e-4)
    }

    #[test]
    fn who_listens_and_breathes_is_not_flagged() {
        for stretches in [&[(breath as Sound, 60)][..], &[(speech, 20), (breath, 60)]] {
            assert_eq!(changes(stretches, 0.0, 8_000), []);
        }
    }

    #[test]
    fn what_is_too_faint_to_disturb_is_not_flagged() {
        assert_eq!(changes(&[(hiss, 30)], -50.0, 8_000), []);
        assert_eq!(changes(&[(|_, _| 0.0, 30)], 0.0, 8_000), []);
    }

    #[test]
    fn the_flag_goes_when_somebody_speaks_again_or_the_line_falls_silent() {
        for after in [speech, |_, _| 0.0] as [Sound; 2] {
            let told = changes(&[(music, 20), (after, 20)], -6.0, 8_000);
            assert!(
                matches!(told[..], [(_, true), (20.0..30.0, false)]),
                "{told:?}"
            );
        }
    }

    #[test]
    fn music_after_speech_is_flagged_within_ten_seconds() {
        let told = changes(&[(speech, 20), (music, 20)], -6.0, 8_000);
        assert!(matches!(told[..], [(20.0..=30.0, true)]), "{told:?}");
    }
}
