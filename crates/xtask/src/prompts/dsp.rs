//! Levels, fades and filters. Samples are in −1 to 1.

use super::RATE;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// 20 ms.
pub(super) const FRAME: usize = RATE as usize / 50;

pub(super) fn samples(milliseconds: f64) -> usize {
    (milliseconds * f64::from(RATE) / 1000.0).round() as usize
}

pub(super) fn db(power: f64) -> f64 {
    10.0 * power.max(1e-12).log10()
}

pub(super) fn power(samples: &[f64]) -> f64 {
    samples.iter().map(|s| s * s).sum::<f64>() / samples.len().max(1) as f64
}

pub(super) fn peak(samples: &[f64]) -> f64 {
    samples.iter().fold(0.0, |peak: f64, s| peak.max(s.abs()))
}

pub(super) fn scale(samples: &mut [f64], gain: f64) {
    samples.iter_mut().for_each(|s| *s *= gain);
}

/// The level of speech while there is speech, in dBFS: frames more than 15.9 dB below the level
/// itself are pauses and don't count (the margin of ITU-T P.56, on frames in place of its envelope).
pub(super) fn active_level(samples: &[f64]) -> f64 {
    let frames: Vec<f64> = samples.chunks(FRAME).map(power).collect();
    let mut level = db(power(samples));
    for _ in 0..20 {
        let active: Vec<f64> = frames
            .iter()
            .copied()
            .filter(|&p| db(p) > level - 15.9)
            .collect();
        let next = db(active.iter().sum::<f64>() / active.len().max(1) as f64);
        if (next - level).abs() < 0.01 {
            break;
        }
        level = next;
    }
    level
}

/// Without the silence at both ends: what stays below `floor_dbfs` for whole 5 ms.
pub(super) fn trimmed(samples: &[f64], floor_dbfs: f64) -> &[f64] {
    let step = FRAME / 4;
    let loud: Vec<bool> = samples
        .chunks(step)
        .map(|chunk| db(power(chunk)) > floor_dbfs)
        .collect();
    match (loud.iter().position(|&l| l), loud.iter().rposition(|&l| l)) {
        (Some(first), Some(last)) => &samples[first * step..((last + 1) * step).min(samples.len())],
        _ => &[],
    }
}

/// Raised-cosine fades at both ends, so that nothing clicks where a prompt is cut into another.
pub(super) fn fade(samples: &mut [f64], rise: usize, fall: usize) {
    let ramp = |i: usize, of: usize| 0.5 - 0.5 * (PI * (i as f64 + 0.5) / of as f64).cos();
    for (i, sample) in samples.iter_mut().take(rise).enumerate() {
        *sample *= ramp(i, rise);
    }
    for (i, sample) in samples.iter_mut().rev().take(fall).enumerate() {
        *sample *= ramp(i, fall);
    }
}

pub(super) fn quantised(samples: &[f64]) -> Vec<i16> {
    samples
        .iter()
        .map(|s| (s * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16)
        .collect()
}

/// A second-order filter (Butterworth), after R. Bristow-Johnson's audio EQ cookbook.
pub(super) struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
    state: [f64; 2],
}

impl Biquad {
    pub(super) fn low_pass(hertz: f64) -> Self {
        Self::new(hertz, |cos| {
            [(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0]
        })
    }

    pub(super) fn high_pass(hertz: f64) -> Self {
        Self::new(hertz, |cos| {
            [(1.0 + cos) / 2.0, -(1.0 + cos), (1.0 + cos) / 2.0]
        })
    }

    fn new(hertz: f64, numerator: impl Fn(f64) -> [f64; 3]) -> Self {
        let (sin, cos) = (2.0 * PI * hertz / f64::from(RATE)).sin_cos();
        let alpha = sin * FRAC_1_SQRT_2;
        let a0 = 1.0 + alpha;
        Self {
            b: numerator(cos).map(|b| b / a0),
            a: [-2.0 * cos / a0, (1.0 - alpha) / a0],
            state: [0.0; 2],
        }
    }

    /// One sample through the transposed direct form II.
    pub(super) fn step(&mut self, x: f64) -> f64 {
        let y = self.b[0] * x + self.state[0];
        self.state[0] = self.b[1] * x - self.a[0] * y + self.state[1];
        self.state[1] = self.b[2] * x - self.a[1] * y;
        y
    }
}
