//! Sine tones: made, and found again.

use crate::Rate;
use std::f64::consts::TAU;

/// A sine that goes on from frame to frame without a seam.
///
/// ```
/// use conclave_mixer::{Rate, tone::{Tone, strength_dbfs}};
///
/// let mut frame = [0; 320];
/// Tone::new(440.0, -20.0, Rate::Hz16000).fill(&mut frame);
/// assert!((strength_dbfs(&frame, 440.0, 16_000) + 20.0).abs() < 0.5);
/// assert!(strength_dbfs(&frame, 1000.0, 16_000) < -40.0);
/// ```
#[derive(Clone, Debug)]
pub struct Tone {
    peak: f64,
    phase: f64,
    step: f64,
}

impl Tone {
    /// A tone of `frequency` Hz whose RMS is `dbfs`; above −3 dBFS it would clip, so that is the loudest.
    #[must_use]
    pub fn new(frequency: f64, dbfs: f32, rate: Rate) -> Self {
        let peak = 10_f64.powf(f64::from(dbfs) / 20.0) * 2_f64.sqrt();
        Self {
            peak: peak.min(1.0) * f64::from(i16::MAX),
            phase: 0.0,
            step: TAU * frequency / f64::from(rate.hz()),
        }
    }

    /// Writes the next samples of the tone.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = (self.phase.sin() * self.peak).round() as i16;
            self.phase = (self.phase + self.step) % TAU;
        }
    }
}

/// How strong the tone of `frequency` Hz is in `samples`, which are `hz` a second: its RMS in dBFS, −120 at the
/// least. (Goertzel's filter under a Hann window, so that a tone two bins away, `2 × hz / samples.len()`,
/// counts 30 dB less and one four bins away 60.)
#[must_use]
pub fn strength_dbfs(samples: &[i16], frequency: f64, hz: u32) -> f32 {
    let turn = TAU * frequency / f64::from(hz);
    let around = TAU / samples.len().max(1) as f64;
    let (mut s1, mut s2, mut weight) = (0.0, 0.0, 0.0);
    for (i, &x) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (around * (i as f64 + 0.5)).cos();
        let s = f64::from(x) * window + 2.0 * turn.cos() * s1 - s2;
        (s1, s2) = (s, s1);
        weight += window;
    }
    let power = s1 * s1 + s2 * s2 - 2.0 * turn.cos() * s1 * s2;
    // |X|² of a sine of amplitude a is (a × weight / 2)²; its mean square is a² / 2.
    let mean_square = power.max(0.0) * 2.0 / f64::max(weight * weight, 1.0) / 32_768_f64.powi(2);
    crate::levels::power_dbfs(mean_square as f32)
}
