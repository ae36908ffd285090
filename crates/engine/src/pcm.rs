//! Audio that can be played: samples with a rate, read from a WAV file, brought to the rates of the legs.

use std::{
    path::Path,
    sync::{Arc, LazyLock, OnceLock},
};

use conclave_mixer::Rate;

use crate::EngineError;

/// Mono samples at a rate in Hz.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pcm {
    /// Samples each second: 8,000 to 48,000.
    pub rate: u32,
    /// The samples.
    pub samples: Arc<[i16]>,
}

impl Pcm {
    /// Reads a WAV file of one channel with 16 bit samples (prompts have 16 kHz; 8 to 48 kHz are
    /// taken, at most ten minutes).
    ///
    /// # Errors
    /// [`EngineError::Wav`], which names the file.
    pub fn from_wav_file(file: impl AsRef<Path>) -> Result<Pcm, EngineError> {
        let file = file.as_ref();
        let fail = |why: String| EngineError::Wav {
            file: file.to_owned(),
            why,
        };
        let bytes = std::fs::read(file).map_err(|e| fail(e.to_string()))?;
        Pcm::from_wav(&bytes).map_err(fail)
    }

    /// The same from bytes, for prompts that a binary embeds.
    ///
    /// # Errors
    /// What is wrong with the bytes, in words.
    pub fn from_wav(bytes: &[u8]) -> Result<Pcm, String> {
        let mut reader = hound::WavReader::new(bytes).map_err(|e| e.to_string())?;
        let spec = reader.spec();
        if spec.channels != 1
            || spec.bits_per_sample != 16
            || spec.sample_format != hound::SampleFormat::Int
        {
            return Err(format!(
                "want one channel of 16 bit samples, not {} of {}",
                spec.channels, spec.bits_per_sample
            ));
        }
        if !(8_000..=48_000).contains(&spec.sample_rate) {
            return Err(format!(
                "want 8000 to 48000 samples each second, not {}",
                spec.sample_rate
            ));
        }
        if u64::from(reader.len()) > u64::from(spec.sample_rate) * 600 {
            return Err("longer than ten minutes".to_owned());
        }
        let samples = reader
            .samples::<i16>()
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| e.to_string())?;
        Ok(Pcm {
            rate: spec.sample_rate,
            samples: samples.into(),
        })
    }

    fn at(&self, rate: Rate) -> Arc<[i16]> {
        if self.rate == rate.hz() {
            Arc::clone(&self.samples)
        } else {
            resample(&self.samples, self.rate, rate.hz()).into()
        }
    }
}

/// A [`Pcm`] at the rates that legs have. What G.711 needs is made when the clip is added, off the media threads; what
/// needs 16 kHz, which prompts have, when its first listener comes. Legs of 48 kHz are given three samples for each of those
/// as they go: kept, they would take three times the memory.
#[derive(Debug)]
pub(crate) struct Clip {
    source: Pcm,
    narrow: Arc<[i16]>,
    wide: OnceLock<Arc<[i16]>>,
}

impl Clip {
    pub(crate) fn new(source: Pcm) -> Self {
        LazyLock::force(&BETWEEN);
        Clip {
            narrow: source.at(Rate::Hz8000),
            wide: OnceLock::new(),
            source,
        }
    }

    fn wide(&self) -> &[i16] {
        self.wide.get_or_init(|| self.source.at(Rate::Hz16000))
    }

    /// How many samples there are at `rate`.
    pub(crate) fn len(&self, rate: Rate) -> usize {
        match rate {
            Rate::Hz8000 => self.narrow.len(),
            Rate::Hz16000 => self.wide().len(),
            Rate::Hz48000 => self.wide().len() * 3,
        }
    }

    /// Copies samples at `rate` from the `start`th on; returns how many there were for `into`.
    pub(crate) fn read(&self, rate: Rate, start: usize, into: &mut [i16]) -> usize {
        let count = self.len(rate).saturating_sub(start).min(into.len());
        let into = &mut into[..count];
        let start = start.min(self.len(rate));
        match rate {
            Rate::Hz8000 => into.copy_from_slice(&self.narrow[start..][..count]),
            Rate::Hz16000 => into.copy_from_slice(&self.wide()[start..][..count]),
            Rate::Hz48000 => thrice(self.wide(), start, into),
        }
        count
    }
}

/// Samples on each side of what is put between two.
const NEAR: usize = 8;
/// Weights of the samples around for the first and the second third of the way from one to the next.
static BETWEEN: LazyLock<[[f32; 2 * NEAR]; 2]> = LazyLock::new(|| {
    [1.0 / 3.0, 2.0 / 3.0].map(|way| {
        let weight = |tap: usize| {
            let x = tap as f64 + 1.0 - NEAR as f64 - way;
            sinc(x) * blackman(x / NEAR as f64)
        };
        let weights: [f64; 2 * NEAR] = std::array::from_fn(weight);
        let sum: f64 = weights.iter().sum();
        weights.map(|weight| (weight / sum) as f32)
    })
});

/// Three samples for each one: those from the `start`th on.
fn thrice(samples: &[i16], start: usize, into: &mut [i16]) {
    let between = &*BETWEEN;
    for (n, out) in (start..).zip(into) {
        let (at, third) = (n / 3, n % 3);
        let Some(weights) = third.checked_sub(1).map(|way| &between[way]) else {
            *out = samples[at];
            continue;
        };
        let first = (at + 1).checked_sub(NEAR);
        let around = first.and_then(|first| samples[first..].first_chunk::<{ 2 * NEAR }>());
        let around = around.copied().unwrap_or_else(|| {
            // Before the beginning and after the end it is silent.
            std::array::from_fn(|tap| {
                let near = (at + 1 + tap).checked_sub(NEAR);
                near.and_then(|n| samples.get(n)).copied().unwrap_or(0)
            })
        });
        let sum: f32 = weights
            .iter()
            .zip(around)
            .map(|(w, s)| w * f32::from(s))
            .sum();
        *out = sum.round() as i16;
    }
}

/// Taps on each side of the centre, in samples of the lower of the two rates.
const REACH: usize = 24;

/// From one rate to another by a windowed sinc (Blackman; pass band to 45 % of the lower rate): not fast, since it
/// runs once for each clip.
fn resample(input: &[i16], from: u32, to: u32) -> Vec<i16> {
    let shared = gcd(from, to);
    let (up, down) = ((to / shared) as usize, (from / shared) as usize);
    // In samples of the input: the filter is as long as the lower rate demands.
    let stretch = (f64::from(from) / f64::from(to)).max(1.0);
    let reach = (REACH as f64 * stretch).ceil() as usize;
    let cutoff = 0.9 / stretch;
    let phases: Vec<Vec<f32>> = (0..up)
        .map(|phase| {
            let taps: Vec<f64> = (0..2 * reach)
                .map(|tap| {
                    let x = tap as f64 + 1.0 - reach as f64 - phase as f64 / up as f64;
                    sinc(x * cutoff) * blackman(x / reach as f64)
                })
                .collect();
            // Each phase has unity gain, or a steady level would come out with a ripple.
            let sum: f64 = taps.iter().sum();
            taps.iter().map(|tap| (tap / sum) as f32).collect()
        })
        .collect();
    let mut padded = vec![0.0f32; reach];
    padded.extend(input.iter().map(|&s| f32::from(s)));
    padded.resize(padded.len() + 2 * reach, 0.0);
    (0..input.len() * up / down)
        .map(|n| {
            let (whole, phase) = (n * down / up, n * down % up);
            let sum: f32 = padded[whole + 1..]
                .iter()
                .zip(&phases[phase])
                .map(|(s, tap)| s * tap)
                .sum();
            sum.round().clamp(-32_768.0, 32_767.0) as i16
        })
        .collect()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

fn blackman(x: f64) -> f64 {
    let x = x.clamp(-1.0, 1.0) * std::f64::consts::PI;
    0.42 + 0.5 * x.cos() + 0.08 * (2.0 * x).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate: u32, seconds: f64) -> Vec<i16> {
        (0..(f64::from(rate) * seconds) as usize)
            .map(|n| {
                let turn = hz * n as f64 / f64::from(rate) * std::f64::consts::TAU;
                (turn.sin() * 10_000.0) as i16
            })
            .collect()
    }

    /// The amplitude of `hz` in the middle of `samples`.
    fn amplitude(samples: &[i16], hz: f64, rate: u32) -> f64 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let (mut re, mut im) = (0.0, 0.0);
        for (n, &s) in middle.iter().enumerate() {
            let turn = hz * n as f64 / f64::from(rate) * std::f64::consts::TAU;
            re += f64::from(s) * turn.cos();
            im += f64::from(s) * turn.sin();
        }
        2.0 * re.hypot(im) / middle.len() as f64
    }

    #[test]
    fn a_tone_keeps_its_level_at_any_rate() {
        for (from, to) in [
            (16_000, 8_000),
            (8_000, 16_000),
            (44_100, 8_000),
            (8_000, 48_000),
        ] {
            let out = resample(&tone(1_000.0, from, 0.5), from, to);
            assert_eq!(out.len(), (to / 2) as usize, "{from} to {to}");
            let level = amplitude(&out, 1_000.0, to);
            assert!((level - 10_000.0).abs() < 100.0, "{from} to {to}: {level}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_does_not_fold_back() {
        let out = resample(&tone(5_000.0, 16_000, 0.5), 16_000, 8_000);
        let image = amplitude(&out, 3_000.0, 8_000);
        assert!(image < 30.0, "image of {image}");
    }

    #[test]
    fn a_clip_sounds_alike_at_every_rate() {
        let clip = Clip::new(Pcm {
            rate: 16_000,
            samples: tone(1_000.0, 16_000, 0.5).into(),
        });
        for rate in Rate::ALL {
            let mut whole = vec![0; clip.len(rate) + 1];
            assert_eq!(clip.read(rate, 0, &mut whole), rate.hz() as usize / 2);
            whole.pop();
            let level = amplitude(&whole, 1_000.0, rate.hz());
            assert!((level - 10_000.0).abs() < 100.0, "{rate:?}: {level}");
            let mut parts = Vec::new();
            while parts.len() < whole.len() {
                let mut part = [0; 77];
                let count = clip.read(rate, parts.len(), &mut part);
                parts.extend_from_slice(&part[..count]);
            }
            assert_eq!(parts, whole, "{rate:?}, in parts");
        }
        let mut wide = vec![0; 24_000];
        clip.read(Rate::Hz48000, 0, &mut wide);
        let image = amplitude(&wide, 15_000.0, 48_000);
        assert!(image < 10.0, "image of {image}");
        assert_eq!(clip.read(Rate::Hz48000, 24_000, &mut wide), 0);
        assert_eq!(clip.read(Rate::Hz8000, 9_999, &mut wide), 0);
    }

    #[test]
    fn a_wav_that_is_none_is_refused_in_words() {
        let mut stereo = std::io::Cursor::new(Vec::new());
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::new(&mut stereo, spec).unwrap();
        writer.write_sample(1i16).unwrap();
        writer.write_sample(1i16).unwrap();
        writer.finalize().unwrap();
        let why = Pcm::from_wav(stereo.get_ref()).unwrap_err();
        assert!(why.contains("not 2 of 16"), "{why}");
        assert!(Pcm::from_wav(b"no RIFF").is_err());
        let missing = Pcm::from_wav_file("/nowhere/welcome.wav").unwrap_err();
        assert!(missing.to_string().starts_with("/nowhere/welcome.wav: "));
    }

    #[test]
    fn wav_comes_back_as_it_was_written() {
        let mut file = std::io::Cursor::new(Vec::new());
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
        for s in [0i16, 1, -1, i16::MIN, i16::MAX] {
            writer.write_sample(s).unwrap();
        }
        writer.finalize().unwrap();
        let pcm = Pcm::from_wav(file.get_ref()).unwrap();
        assert_eq!(pcm.rate, 16_000);
        assert_eq!(&pcm.samples[..], [0, 1, -1, i16::MIN, i16::MAX]);
    }
}
