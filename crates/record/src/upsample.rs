//! From a telephone's rate to 48 kHz.

use std::{f64::consts::PI, sync::LazyLock};

use crate::FRAME;

/// Input samples on each side of an output one that it is made of.
const NEAR: usize = 12;
const TAPS: usize = 2 * NEAR;

/// For each output sample between two input ones, the weights of the input around it.
struct Phases(Vec<[f32; TAPS]>);

impl Phases {
    fn new(factor: usize) -> Self {
        let phase = |phase: usize| {
            let way = phase as f64 / factor as f64;
            let weight = |tap: usize| {
                let x = tap as f64 + 1.0 - NEAR as f64 - way;
                sinc(0.96 * x) * hann(x / NEAR as f64)
            };
            let weights: [f64; TAPS] = std::array::from_fn(weight);
            let sum: f64 = weights.iter().sum();
            weights.map(|weight| (weight / sum) as f32)
        };
        Self((0..factor).map(phase).collect())
    }

    fn of(factor: usize) -> &'static Self {
        static THREE: LazyLock<Phases> = LazyLock::new(|| Phases::new(3));
        static SIX: LazyLock<Phases> = LazyLock::new(|| Phases::new(6));
        if factor == 3 { &THREE } else { &SIX }
    }
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 {
        1.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

fn hann(x: f64) -> f64 {
    if x.abs() < 1.0 {
        0.5 + 0.5 * (PI * x).cos()
    } else {
        0.0
    }
}

/// One stream's way to 48 kHz; behind by 1.5 ms at 8 kHz, 0.75 ms at 16 kHz.
#[derive(Debug, Default, Clone)]
pub(crate) struct Upsampler {
    before: [f32; TAPS - 1],
}

impl Upsampler {
    /// Adds a frame of 160, 320 or 960 samples to `out`. `None` is silence at the rate of the frames before.
    pub(crate) fn add(&mut self, frame: &[f32], out: &mut [f32; FRAME]) {
        let factor = FRAME / frame.len().max(1);
        if factor <= 1 {
            for (out, sample) in out.iter_mut().zip(frame) {
                *out += sample;
            }
            return;
        }
        let mut line = [0.0; TAPS - 1 + FRAME / 3];
        let line = &mut line[..TAPS - 1 + frame.len()];
        line[..TAPS - 1].copy_from_slice(&self.before);
        line[TAPS - 1..].copy_from_slice(frame);
        let phases = Phases::of(factor);
        for (window, out) in line.windows(TAPS).zip(out.chunks_mut(factor)) {
            for (weights, out) in phases.0.iter().zip(out) {
                *out += window.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>();
            }
        }
        self.before.copy_from_slice(&line[frame.len()..]);
    }

    /// Whether silence would come out as silence.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.before.iter().all(|sample| *sample == 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of a tone comes out, and what comes with it, in dB relative to what went in.
    fn check(rate: usize, hz: f64) -> (f64, f64) {
        let mut upsampler = Upsampler::default();
        let length = rate / 50;
        let mut heard = Vec::new();
        for tick in 0..50 {
            let sample = |n: usize| {
                let time = (tick * length + n) as f64 / rate as f64;
                (10_000.0 * (2.0 * PI * hz * time).sin()) as f32
            };
            let frame: Vec<f32> = (0..length).map(sample).collect();
            let mut out = [0.0; FRAME];
            upsampler.add(&frame, &mut out);
            heard.extend(out);
        }
        let heard = &heard[10 * FRAME..];
        let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
        for (n, sample) in heard.iter().enumerate() {
            let turn = 2.0 * PI * hz * n as f64 / 48_000.0;
            re += f64::from(*sample) * turn.cos();
            im += f64::from(*sample) * turn.sin();
            all += f64::from(*sample).powi(2);
        }
        let level = 2.0 * f64::hypot(re, im) / heard.len() as f64;
        let tone = level * level / 2.0 * heard.len() as f64;
        (
            20.0 * (level / 10_000.0).log10(),
            10.0 * ((all - tone).max(1e-9) / tone).log10(),
        )
    }

    #[test]
    fn a_tone_stays_one_tone() {
        for (rate, hz) in [
            (8_000, 300.0),
            (8_000, 1_000.0),
            (8_000, 3_000.0),
            (16_000, 6_000.0),
            (48_000, 15_000.0),
        ] {
            let (level, rest) = check(rate, hz);
            assert!(
                level.abs() < 0.5 && rest < -45.0,
                "{rate}, {hz}: {level:.2} dB, {rest:.1} dB"
            );
        }
    }
}
