//! A sound of its own for each caller and each prompt, and the filter that tells them apart.

use std::{f64::consts::TAU, fs, path::Path};

use conclave_conference::Prompt;

/// Samples a second of the telephone line.
pub(crate) const RATE: usize = 8000;
/// 40 ms: long enough to tell tones that are 90 Hz apart.
pub(crate) const WINDOW: usize = 320;
/// Half a window.
pub(crate) const HOP: usize = 160;

/// The tones of callers lie above those of prompts.
pub(crate) const CALLERS: [f64; 6] = [2000.0, 2250.0, 2500.0, 2750.0, 3000.0, 3250.0];

/// The two tones of a telephone's key.
pub(crate) fn key(key: u8) -> (f64, f64) {
    let place = b"123A456B789C*0#D".iter().position(|k| *k == key).unwrap();
    let low = [697.0, 770.0, 852.0, 941.0][place / 4];
    (low, [1209.0, 1336.0, 1477.0, 1633.0][place % 4])
}

/// Tones of which each prompt has two.
fn grid() -> Vec<f64> {
    (0..14).map(|step| 400.0 + 90.0 * f64::from(step)).collect()
}

/// The two tones of a prompt, as indices into the grid.
fn pair(prompt: Prompt) -> (usize, usize) {
    let index = Prompt::ALL
        .iter()
        .position(|other| *other == prompt)
        .unwrap();
    let mut pairs = (0..14).flat_map(|low| (low + 1..14).map(move |high| (low, high)));
    pairs.nth(index).unwrap()
}

/// Writes a set of prompts in which each is two tones of 300 ms; the hold music goes on for 10 s.
pub(crate) fn write_prompts(directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    for prompt in Prompt::ALL {
        let (low, high) = pair(*prompt);
        let length = if *prompt == Prompt::HoldMusic {
            160_000
        } else {
            4800
        };
        let mut file =
            hound::WavWriter::create(directory.join(format!("{prompt}.wav")), spec).unwrap();
        for n in 0..length {
            let at = f64::from(n) / 16000.0;
            let fade = (f64::from(n.min(length - n)) / 80.0).min(1.0);
            let fade = if *prompt == Prompt::HoldMusic {
                1.0
            } else {
                fade
            };
            let wave = (TAU * grid()[low] * at).sin() + (TAU * grid()[high] * at).sin();
            file.write_sample((fade * wave * 4000.0) as i16).unwrap();
        }
        // A pause, so that a prompt that comes twice is heard as two.
        if *prompt != Prompt::HoldMusic {
            (0..1600).for_each(|_| file.write_sample(0i16).unwrap());
        }
        file.finalize().unwrap();
    }
}

/// Level of one frequency in dB below full scale (a full-scale sine is 0 dB), through a Hann window.
pub(crate) fn level(samples: &[i16], frequency: f64) -> f64 {
    let coefficient = 2.0 * (TAU * frequency / RATE as f64).cos();
    let (mut s1, mut s2) = (0.0, 0.0);
    let count = samples.len() as f64;
    for (n, sample) in samples.iter().enumerate() {
        let hann = 0.5 - 0.5 * (TAU * (n as f64 + 0.5) / count).cos();
        let s0 = hann * f64::from(*sample) + coefficient * s1 - s2;
        (s2, s1) = (s1, s0);
    }
    let power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
    10.0 * (power.max(1e-9) / (count * count / 16.0) / (32768.0 * 32768.0)).log10()
}

/// The prompt whose two tones stand out of this window, if one does.
pub(crate) fn prompt_in(window: &[i16]) -> Option<Prompt> {
    let mut levels: Vec<_> = grid()
        .into_iter()
        .enumerate()
        .map(|(index, frequency)| (level(window, frequency), index))
        .collect();
    levels.sort_by(|a, b| b.0.total_cmp(&a.0));
    let [(first, a), (second, b), (third, _), ..] = levels[..] else {
        unreachable!()
    };
    if second < -45.0 || first - second > 6.0 || second - third < 12.0 {
        return None;
    }
    Prompt::ALL
        .iter()
        .copied()
        .find(|prompt| pair(*prompt) == (a.min(b), a.max(b)))
}

#[test]
fn each_prompt_is_recognised() {
    let directory = tempfile::tempdir().unwrap();
    write_prompts(directory.path());
    for prompt in Prompt::ALL {
        let mut file =
            hound::WavReader::open(directory.path().join(format!("{prompt}.wav"))).unwrap();
        let samples: Vec<i16> = file.samples().map(Result::unwrap).step_by(2).collect();
        assert_eq!(prompt_in(&samples[800..800 + WINDOW]), Some(*prompt));
        assert!(
            CALLERS
                .iter()
                .all(|caller| level(&samples[800..800 + WINDOW], *caller) < -60.0)
        );
    }
    assert_eq!(prompt_in(&[0; WINDOW]), None);
}
