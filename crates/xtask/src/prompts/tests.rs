//! The files in the repository: all there, in the right format, as loud as they should be.

use super::{RATE, dsp, texts::SPOKEN, tones::TONES, wav};
use conclave_conference::Prompt;
use std::collections::BTreeSet;
use std::f64::consts::TAU;

fn load(name: &str) -> Vec<f64> {
    let samples = wav::read(&super::directory().join(format!("{name}.wav"))).unwrap();
    assert_eq!(
        samples.len() % dsp::FRAME,
        0,
        "{name} is not a whole number of frames"
    );
    samples
        .into_iter()
        .map(|s| f64::from(s) / 32_768.0)
        .collect()
}

#[test]
fn each_prompt_has_its_file_and_no_file_lacks_a_prompt() {
    let spoken = SPOKEN.iter().map(|(name, _)| *name);
    let made: Vec<&str> = spoken
        .chain(TONES.iter().map(|(name, _)| *name))
        .chain(["hold-music"])
        .collect();
    let prompts: BTreeSet<&str> = Prompt::ALL.iter().map(|prompt| prompt.name()).collect();
    assert_eq!(made.iter().copied().collect::<BTreeSet<_>>(), prompts);
    assert_eq!(made.len(), prompts.len(), "a name is there twice");
    let files = std::fs::read_dir(super::directory()).unwrap();
    let files: BTreeSet<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        files,
        prompts.iter().map(|name| format!("{name}.wav")).collect()
    );
}

#[test]
fn speech_has_one_loudness_and_soft_edges() {
    for (name, text) in SPOKEN {
        let samples = load(name);
        let level = dsp::active_level(&samples);
        assert!(
            (level - super::SPEECH_DBFS).abs() < 0.7,
            "{name}: {level:.1} dBFS"
        );
        assert!(
            dsp::peak(&samples) < 0.8,
            "{name}: peak {:.2}",
            dsp::peak(&samples)
        );
        assert!(
            samples.len() > dsp::FRAME * 10 + text.len() * 200,
            "{name} is too short for its words"
        );
        let (first, last) = (samples[0].abs(), samples[samples.len() - 1].abs());
        assert!(first < 1e-3 && last < 1e-3, "{name} clicks");
    }
}

#[test]
fn tones_are_quieter_than_speech_and_short() {
    for (name, _) in TONES {
        let samples = load(name);
        let level = dsp::active_level(&samples);
        assert!(
            (-32.0..super::SPEECH_DBFS - 3.0).contains(&level),
            "{name}: {level:.1} dBFS"
        );
        assert!(
            samples.len() <= RATE as usize * 7 / 10,
            "{name} takes too long"
        );
    }
}

#[test]
fn tones_are_what_the_code_makes() {
    for (name, tone) in TONES {
        let made = dsp::quantised(&tone());
        let kept = wav::read(&super::directory().join(format!("{name}.wav"))).unwrap();
        // The last bit of a sine is the platform's.
        assert!(
            made.len() == kept.len() && made.iter().zip(&kept).all(|(a, b)| a.abs_diff(*b) <= 1),
            "{name}: run `cargo xtask prompts`"
        );
    }
}

/// A digit is one tone of each group at once. The check is stricter than any detector: far wider bands than
/// Q.24's 3.5 %, and 20 dB of twist.
#[test]
fn no_tone_can_be_taken_for_a_digit() {
    for (name, _) in TONES {
        for (at, frame) in load(name)
            .windows(dsp::FRAME)
            .step_by(dsp::FRAME / 4)
            .enumerate()
        {
            assert!(
                !holds_a_pair(frame),
                "{name} holds a pair after {} ms",
                at * 5
            );
        }
    }
    let digit: Vec<f64> = (0..dsp::FRAME)
        .map(|i| 0.02 * (sine(770.0, i) + sine(1336.0, i)))
        .collect();
    assert!(holds_a_pair(&digit), "the check would not find a digit");
}

fn holds_a_pair(frame: &[f64]) -> bool {
    let strongest = |hertz: [f64; 4]| {
        hertz
            .iter()
            .map(|&h| tone_power(frame, h))
            .fold(0.0, f64::max)
    };
    let low = strongest([697.0, 770.0, 852.0, 941.0]);
    let high = strongest([1209.0, 1336.0, 1477.0, 1633.0]);
    let all = dsp::power(frame);
    dsp::db(all) > -50.0 && (low + high) > 0.5 * all && (dsp::db(low) - dsp::db(high)).abs() < 20.0
}

/// The power of one frequency in a frame, by correlation under a Hann window.
fn tone_power(frame: &[f64], hertz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (i, sample) in frame.iter().enumerate() {
        let window = 1.0 - (TAU * i as f64 / frame.len() as f64).cos();
        let angle = TAU * hertz * i as f64 / f64::from(RATE);
        re += sample * window * angle.cos();
        im += sample * window * angle.sin();
    }
    2.0 * (re * re + im * im) / (frame.len() * frame.len()) as f64
}

fn sine(hertz: f64, i: usize) -> f64 {
    (TAU * hertz * i as f64 / f64::from(RATE)).sin()
}

#[test]
fn hold_music_is_long_calm_and_has_no_seam() {
    let music = load("hold-music");
    assert!(music.len() >= RATE as usize * 60);
    let level = dsp::db(dsp::power(&music));
    assert!((level + 23.0).abs() < 0.5, "{level:.1} dBFS");
    assert!(dsp::peak(&music) < 0.5, "peak {:.2}", dsp::peak(&music));
    // No second falls silent or shouts.
    for (second, samples) in music.chunks(RATE as usize).enumerate() {
        let level = dsp::db(dsp::power(samples));
        assert!(
            (-33.0..-17.0).contains(&level),
            "second {second}: {level:.1} dBFS"
        );
    }
    // Where the end meets the beginning, neither the step nor its change stands out.
    let seam: Vec<f64> = music
        .iter()
        .rev()
        .take(2)
        .rev()
        .chain(music.iter().take(2))
        .copied()
        .collect();
    let step = |w: &[f64]| (w[1] - w[0]).abs();
    let bend = |w: &[f64]| (w[2] - 2.0 * w[1] + w[0]).abs();
    let highest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
    let elsewhere = (
        highest(&mut music.windows(2).map(step)),
        highest(&mut music.windows(3).map(bend)),
    );
    assert!(
        step(&seam[1..3]) <= elsewhere.0,
        "step {}",
        step(&seam[1..3])
    );
    assert!(seam.windows(3).all(|w| bend(w) <= elsewhere.1));
}
