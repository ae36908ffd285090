//! The tones: quiet, soft and unlike each other. A DTMF digit is a tone of 697 to 941 Hz together
//! with one of 1209 to 1633 Hz (ITU-T Q.23); none of ours holds such a pair at any moment, so that
//! no in-band detector takes one for a digit.

use super::dsp;
use std::f64::consts::TAU;

type Tone = fn() -> Vec<f64>;

pub(super) const TONES: &[(&str, Tone)] = &[
    ("entry-tone", entry),
    ("exit-tone", exit),
    ("record-tone", record),
    ("refused-tone", refused),
    ("recording-tone", recording),
];

const E4: f64 = 329.63;
const C5: f64 = 523.25;
const E5: f64 = 659.26;
const C6: f64 = 1046.50;

/// Up: somebody has come.
fn entry() -> Vec<f64> {
    finished(&[(0.0, C5, 260.0), (130.0, E5, 420.0)], -27.0)
}

/// The same, down: somebody has gone.
fn exit() -> Vec<f64> {
    finished(&[(0.0, E5, 260.0), (130.0, C5, 420.0)], -27.0)
}

/// One clear note: speak now.
fn record() -> Vec<f64> {
    finished(&[(0.0, C6, 380.0)], -24.0)
}

/// Two low knocks: somebody stood before the locked door.
fn refused() -> Vec<f64> {
    finished(&[(0.0, E4, 150.0), (180.0, E4, 220.0)], -25.0)
}

/// The customary reminder that a line is recorded: 1400 Hz, a fifth of a second, nothing else.
fn recording() -> Vec<f64> {
    let length = dsp::samples(200.0);
    let mut tone: Vec<f64> = (0..length)
        .map(|i| (TAU * 1400.0 * seconds(i)).sin())
        .collect();
    dsp::fade(&mut tone, dsp::samples(10.0), dsp::samples(30.0));
    levelled(tone, -30.0)
}

/// Struck notes, each from its start (ms) at its pitch (Hz) for its length (ms).
fn finished(notes: &[(f64, f64, f64)], dbfs: f64) -> Vec<f64> {
    let mut tone = Vec::new();
    for &(start, pitch, length) in notes {
        let (start, length) = (dsp::samples(start), dsp::samples(length));
        let mut note: Vec<f64> = (0..length).map(|i| struck(pitch, seconds(i))).collect();
        dsp::fade(&mut note, dsp::samples(6.0), length / 2);
        tone.resize(tone.len().max(start + length), 0.0);
        for (sum, sample) in tone[start..].iter_mut().zip(note) {
            *sum += sample;
        }
    }
    levelled(tone, dbfs)
}

/// A wooden bar under a felt mallet: such bars are tuned so that the first overtone lies two octaves
/// up, out of the way of every digit's.
fn struck(pitch: f64, t: f64) -> f64 {
    let partial = |n: f64, decay: f64| (TAU * pitch * n * t).sin() * (-t / decay).exp();
    partial(1.0, 0.22) + 0.18 * partial(4.0, 0.05)
}

fn levelled(mut tone: Vec<f64>, dbfs: f64) -> Vec<f64> {
    let gain = 10f64.powf((dbfs - dsp::active_level(&tone)) / 20.0);
    dsp::scale(&mut tone, gain);
    tone.resize(tone.len().next_multiple_of(dsp::FRAME), 0.0);
    tone
}

fn seconds(sample: usize) -> f64 {
    sample as f64 / f64::from(super::RATE)
}
