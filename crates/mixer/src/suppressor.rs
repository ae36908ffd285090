//! Noise suppression of one leg, by WebRTC's suppressor: 12 dB, from half a second after the leg's first sound on.
//!
//! It hears 16 kHz in frames of 10 ms. Other rates are brought there and back by the room's own filters. Of 48 kHz the
//! suppressor has what lies below 8 kHz; the rest, which is the frame less what those filters let through, is turned down
//! as it would turn down the next band above its own.

use sonora_ns::config::{NS_FRAME_SIZE, NsConfig, OVERLAP_SIZE};
use sonora_ns::noise_suppressor::NoiseSuppressor;

use crate::Rate;
use crate::fade::{line, round_i16};
use crate::fir::{HISTORY, Scratch, convert_onto};

const INNER: Rate = Rate::Hz16000;
/// More than one band, so that the suppressor says what would become of those above.
const BANDS: usize = 3;
/// How much later a sample of 48 kHz comes out of the way to 16 kHz and back, in samples.
const THERE_AND_BACK: usize = 93;
/// The suppressor's own delay, 6 ms, in samples of 48 kHz.
const INNER_DELAY: usize = OVERLAP_SIZE * 3;

/// What is said on a leg, less its steady noise: later by 6 ms, and by 3 ms (of 48 kHz: 2) where there are filters.
#[derive(Debug)]
pub(crate) struct Suppressor {
    rate: Rate,
    inner: NoiseSuppressor,
    /// The leg's sound.
    wave: Wave,
    /// The same at 16 kHz, before and after.
    noisy: Wave,
    clean: Wave,
    /// What of 48 kHz lies above 8 kHz, and its gain at the end of the last frame.
    above: Vec<f32>,
    above_gain: f32,
}

impl Suppressor {
    pub(crate) fn new(rate: Rate) -> Self {
        let above = match rate {
            Rate::Hz48000 => vec![0.0; INNER_DELAY + rate.frame_len()],
            Rate::Hz8000 | Rate::Hz16000 => Vec::new(),
        };
        Self {
            rate,
            inner: NoiseSuppressor::new_with_bands(NsConfig::default(), BANDS),
            wave: Wave::new(rate),
            noisy: Wave::new(INNER),
            clean: Wave::new(INNER),
            above,
            above_gain: 1.0,
        }
    }

    /// Takes a whole frame of the leg's rate.
    pub(crate) fn apply(&mut self, frame: &mut [i16], scratch: &mut Scratch) {
        let mut inner = [0.0; INNER.frame_len()];
        let wave = self.wave.push(frame.iter().map(|&x| f32::from(x)));
        if self.rate == INNER {
            inner.copy_from_slice(&wave[HISTORY..]);
        } else {
            let mut converted = [0; INNER.frame_len()];
            convert_onto(self.rate, INNER, wave, &mut converted, scratch);
            inner = converted.map(|x| x as f32);
        }
        if self.rate == Rate::Hz48000 {
            self.split(&inner, scratch);
        }
        let mut gains = [self.above_gain; 3];
        let (tens, _) = inner.as_chunks_mut::<NS_FRAME_SIZE>();
        for (ten, gain) in tens.iter_mut().zip(&mut gains[1..]) {
            self.inner.analyze(ten);
            self.inner.process(ten);
            *gain = self.inner.upper_band_gain();
        }
        if self.rate == INNER {
            give(frame, inner);
            return;
        }
        let clean = self.clean.push(inner.into_iter());
        let mut converted = [0; Rate::Hz48000.frame_len()];
        let converted = &mut converted[..frame.len()];
        convert_onto(INNER, self.rate, clean, converted, scratch);
        let clean = converted.iter().map(|&x| x as f32);
        if self.rate == Rate::Hz48000 {
            let half = frame.len() / 2;
            let gains = line(gains[0], gains[1], half).chain(line(gains[1], gains[2], half));
            let above = self.above.iter().zip(gains).map(|(x, gain)| x * gain);
            give(frame, clean.zip(above).map(|(low, high)| low + high));
        } else {
            give(frame, clean);
        }
        self.above_gain = gains[2];
    }

    /// Finds what of the leg's frame is not in `low`, its part at 16 kHz.
    fn split(&mut self, low: &[f32], scratch: &mut Scratch) {
        let mut below = [0; Rate::Hz48000.frame_len()];
        let low = self.noisy.push(low.iter().copied());
        convert_onto(INNER, Rate::Hz48000, low, &mut below, scratch);
        let all = &self.wave.samples[HISTORY - THERE_AND_BACK..];
        self.above.copy_within(below.len().., 0);
        let above = &mut self.above[INNER_DELAY..];
        for ((above, &all), below) in above.iter_mut().zip(all).zip(below) {
            *above = all - below as f32;
        }
    }
}

/// A frame and what came before it.
#[derive(Debug)]
struct Wave {
    samples: Vec<f32>,
}

impl Wave {
    fn new(rate: Rate) -> Self {
        Self {
            samples: vec![0.0; HISTORY + rate.frame_len()],
        }
    }

    fn push(&mut self, frame: impl Iterator<Item = f32>) -> &[f32] {
        let before = self.samples.len() - HISTORY;
        self.samples.copy_within(before.., 0);
        for (to, from) in self.samples[HISTORY..].iter_mut().zip(frame) {
            *to = from;
        }
        &self.samples
    }
}

fn give(frame: &mut [i16], samples: impl IntoIterator<Item = f32>) {
    for (to, from) in frame.iter_mut().zip(samples) {
        *to = round_i16(from.clamp(f32::from(i16::MIN), f32::from(i16::MAX)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::levels::rms_dbfs;
    use crate::tone::Tone;

    /// Even noise of so many dBFS, the same each time.
    struct Noise {
        state: u32,
        peak: f32,
    }

    impl Noise {
        fn new(dbfs: f32) -> Self {
            let peak = 32_768.0 * 3_f32.sqrt() * 10_f32.powf(dbfs / 20.0);
            Self { state: 1, peak }
        }

        fn next(&mut self) -> i16 {
            self.state = self
                .state
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            let unit = (self.state >> 8) as f32 / 8_388_608.0 - 1.0;
            (unit * self.peak) as i16
        }
    }

    /// Syllables of 200 ms with 100 ms between them: harmonics of 150 Hz.
    fn speech(rate: Rate, dbfs: f32, seconds: usize) -> Vec<i16> {
        let mut sum = vec![0; rate.hz() as usize * seconds];
        let harmonics = [150.0, 300.0, 450.0, 600.0, 900.0, 1_200.0, 2_400.0];
        for hz in harmonics {
            let mut tone = vec![0; sum.len()];
            Tone::new(hz, dbfs - 8.5, rate).fill(&mut tone);
            for (sum, x) in sum.iter_mut().zip(tone) {
                *sum += x;
            }
        }
        let (period, spoken) = (rate.frame_len() * 15, rate.frame_len() * 10);
        for (n, x) in sum.iter_mut().enumerate() {
            if n % period >= spoken {
                *x = 0;
            }
        }
        sum
    }

    fn suppressed(rate: Rate, sound: &[i16]) -> Vec<i16> {
        let (mut suppressor, mut scratch) = (Suppressor::new(rate), Scratch::new());
        let mut out = sound.to_vec();
        for frame in out.chunks_exact_mut(rate.frame_len()) {
            suppressor.apply(frame, &mut scratch);
        }
        out
    }

    #[test]
    fn steady_noise_is_turned_down_and_speech_is_not() {
        for rate in Rate::ALL {
            let mut noise = Noise::new(-45.0);
            let clean = speech(rate, -22.0, 8);
            let noisy: Vec<i16> = clean.iter().map(|&x| x + noise.next()).collect();
            let out = suppressed(rate, &noisy);
            // The last four seconds: the words, and the pauses between them.
            let (mut words, mut pauses) = ((vec![], vec![]), vec![]);
            let (tick, from) = (rate.frame_len(), rate.hz() as usize * 4);
            let from = from / (tick * 15) * tick * 15;
            for at in (from..out.len() - tick * 15).step_by(tick * 15) {
                words
                    .0
                    .extend_from_slice(&noisy[at + tick * 2..][..tick * 7]);
                words.1.extend_from_slice(&out[at + tick * 2..][..tick * 7]);
                pauses.extend_from_slice(&out[at + tick * 12..][..tick * 3]);
            }
            let lost = rms_dbfs(&words.0) - rms_dbfs(&words.1);
            assert!(lost.abs() < 1.5, "{rate:?}: words lose {lost} dB");
            let left = rms_dbfs(&pauses);
            assert!(left < -52.0, "{rate:?}: {left} dBFS in pauses");
        }
    }

    #[test]
    fn what_is_said_comes_later_by_what_is_stated() {
        for (rate, delay) in [
            (Rate::Hz8000, 71),
            (Rate::Hz16000, 96),
            (Rate::Hz48000, 381),
        ] {
            // A sweep from 300 to 3,000 Hz in 0.4 s: no noise that could be learned.
            let hz = f64::from(rate.hz());
            let sound: Vec<i16> = (0..rate.frame_len() * 20)
                .map(|n| {
                    let t = n as f64 / hz;
                    let turns = 300.0 * t + 2_700.0 / 0.8 * t * t;
                    ((std::f64::consts::TAU * turns).sin() * 8_000.0) as i16
                })
                .collect();
            let out = suppressed(rate, &sound);
            let sound = &sound[..sound.len() - 400];
            let away = |delay: usize| -> f32 {
                let pairs = sound.iter().zip(&out[delay..]);
                let difference: Vec<i16> = pairs.map(|(a, b)| b.saturating_sub(*a)).collect();
                rms_dbfs(&difference)
            };
            let best = (0..400).min_by(|a, b| away(*a).total_cmp(&away(*b)));
            assert_eq!(best, Some(delay), "{rate:?}");
        }
    }

    #[test]
    fn what_lies_above_holds_nothing_of_what_lies_below() {
        let (rate, mut scratch) = (Rate::Hz48000, Scratch::new());
        for (hz, above) in [
            (1_000.0, false),
            (6_500.0, false),
            (9_500.0, true),
            (15_000.0, true),
        ] {
            let mut suppressor = Suppressor::new(rate);
            let mut tone = Tone::new(hz, -20.0, rate);
            let mut frame = vec![0; rate.frame_len()];
            for _ in 0..5 {
                tone.fill(&mut frame);
                suppressor.apply(&mut frame.clone(), &mut scratch);
            }
            let found: Vec<i16> = suppressor.above.iter().map(|&x| x as i16).collect();
            let level = rms_dbfs(&found[INNER_DELAY..]);
            let right = if above {
                (level + 20.0).abs() < 0.5
            } else {
                level < -65.0
            };
            assert!(right, "{hz} Hz: {level} dBFS above");
        }
    }

    #[test]
    fn silence_stays_silent() {
        for rate in Rate::ALL {
            let out = suppressed(rate, &vec![0; rate.frame_len() * 50]);
            assert!(out.iter().all(|&x| x == 0), "{rate:?}");
        }
    }
}
