//! Sample rate conversion inside the tick: short polyphase filters for ×2, ×3 and ×6, up and down.
//!
//! The three rates have no other ratios, so a filter of fixed taps does in 1.5 ms (1 ms between 16 and 48 kHz)
//! what a converter for any ratio needs 4 to 10 ms for. It keeps no state: whoever calls hands in the last
//! [`HISTORY`] samples along with the frame. Images and aliases are 60 dB down
//! (50 dB at the very edge of the telephone band).

use crate::fade::round;
use crate::rate::Rate;
use std::f64::consts::PI;
use std::sync::LazyLock;

/// Samples before the frame that the longest filter looks back at: (24 − 1) × 6, rounded up.
pub(crate) const HISTORY: usize = 144;

/// Makes the filters, so that no tick has to.
pub(crate) fn prepare() {
    LazyLock::force(&FILTERS);
}

/// Workspace of a conversion.
#[derive(Debug)]
pub(crate) struct Scratch {
    phase: Vec<f32>,
    sums: Vec<f32>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let longest = Rate::Hz16000.frame_len();
        Self {
            phase: vec![0.0; longest + HISTORY],
            sums: vec![0.0; longest],
        }
    }
}

/// Converts the frame that follows [`HISTORY`] samples in `wave` and adds it to `out`.
pub(crate) fn convert_onto(
    from: Rate,
    to: Rate,
    wave: &[f32],
    out: &mut [i32],
    scratch: &mut Scratch,
) {
    match filter(from, to) {
        Some(filter) if from < to => filter.raise(wave, out, scratch),
        Some(filter) => filter.lower(wave, out, scratch),
        None => {}
    }
}

fn filter(a: Rate, b: Rate) -> Option<&'static Filter> {
    match (a.min(b), a.max(b)) {
        (Rate::Hz8000, Rate::Hz16000) => Some(&FILTERS[0]),
        (Rate::Hz16000, Rate::Hz48000) => Some(&FILTERS[1]),
        (Rate::Hz8000, Rate::Hz48000) => Some(&FILTERS[2]),
        _ => None,
    }
}

// 24 taps a phase pass 3.4 kHz and stop 4.6 kHz, 32 pass 7.1 kHz and stop 8.9 kHz.
static FILTERS: LazyLock<[Filter; 3]> =
    LazyLock::new(|| [Filter::new(2, 24), Filter::new(3, 32), Filter::new(6, 24)]);

struct Filter {
    ratio: usize,
    taps: usize,
    /// For each phase of the higher rate its taps, the one for the oldest sample first.
    phases: Vec<f32>,
}

impl Filter {
    /// A windowed sinc (Kaiser, β for 60 dB) that cuts off at half the lower rate.
    fn new(ratio: usize, taps: usize) -> Self {
        const BETA: f64 = 5.65;
        let len = ratio * taps;
        let middle = (len - 1) as f64 / 2.0;
        let sinc = |x: f64| {
            if x == 0.0 {
                1.0
            } else {
                (PI * x).sin() / (PI * x)
            }
        };
        let tap = |i: usize| {
            let x = i as f64 - middle;
            let window = bessel_i0(BETA * (1.0 - (x / middle).powi(2)).max(0.0).sqrt());
            sinc(x / ratio as f64) * window
        };
        let mut phases = vec![0.0; len];
        for phase in 0..ratio {
            // Each phase by itself has a gain of one, so a constant stays one without a ripple.
            let sum: f64 = (0..taps).map(|k| tap(k * ratio + phase)).sum();
            for j in 0..taps {
                phases[phase * taps + j] = (tap((taps - 1 - j) * ratio + phase) / sum) as f32;
            }
        }
        Self {
            ratio,
            taps,
            phases,
        }
    }

    fn raise(&self, wave: &[f32], out: &mut [i32], scratch: &mut Scratch) {
        let seen = &wave[HISTORY + 1 - self.taps..];
        for (offset, taps) in self.phases.chunks_exact(self.taps).enumerate() {
            let sums = &mut scratch.sums[..out.len() / self.ratio];
            sums.fill(0.0);
            convolve_onto(taps, seen, sums);
            for (frame, &sum) in out.chunks_exact_mut(self.ratio).zip(&*sums) {
                frame[offset] = frame[offset].wrapping_add(round(sum));
            }
        }
    }

    fn lower(&self, wave: &[f32], out: &mut [i32], scratch: &mut Scratch) {
        let seen = &wave[HISTORY - (self.taps - 1) * self.ratio..];
        let sums = &mut scratch.sums[..out.len()];
        sums.fill(0.0);
        for (offset, taps) in self.phases.chunks_exact(self.taps).rev().enumerate() {
            let phase = &mut scratch.phase[..self.taps - 1 + out.len()];
            for (to, from) in phase.iter_mut().zip(seen.chunks_exact(self.ratio)) {
                *to = from[offset];
            }
            convolve_onto(taps, phase, sums);
        }
        let gain = 1.0 / self.ratio as f32;
        for (out, &sum) in out.iter_mut().zip(&*sums) {
            *out = out.wrapping_add(round(sum * gain));
        }
    }
}

/// Adds to each `sums[i]` the product of `taps` and `wave[i..]`.
///
/// Sixteen outputs at a time stay in registers while the taps go by, which the compiler turns into vector code.
fn convolve_onto(taps: &[f32], wave: &[f32], sums: &mut [f32]) {
    const LANES: usize = 16;
    for (i, sums) in sums.chunks_exact_mut(LANES).enumerate() {
        let mut lanes = [0.0; LANES];
        lanes.copy_from_slice(sums);
        for (wave, tap) in wave[i * LANES..].windows(LANES).zip(taps) {
            for (lane, x) in lanes.iter_mut().zip(wave) {
                *lane += tap * x;
            }
        }
        sums.copy_from_slice(&lanes);
    }
}

/// The modified Bessel function of order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::strength_dbfs;

    /// A second of a sine at −6 dBFS (peak half of full scale) from one rate to another, frame by frame.
    fn converted(from: Rate, to: Rate, frequency: f64) -> Vec<i16> {
        let mut scratch = Scratch::new();
        let mut wave = vec![0.0; HISTORY + from.frame_len()];
        let mut all = Vec::new();
        for tick in 0..50 {
            for i in 0..from.frame_len() {
                let t = (tick * from.frame_len() + i) as f64 / f64::from(from.hz());
                wave[HISTORY + i] = ((2.0 * PI * frequency * t).sin() * 16_384.0) as f32;
            }
            let mut out = vec![0; to.frame_len()];
            convert_onto(from, to, &wave, &mut out, &mut scratch);
            all.extend(out.iter().map(|&x| x as i16));
            wave.copy_within(from.frame_len().., 0);
        }
        all.split_off(to.frame_len())
    }

    fn check(from: Rate, to: Rate, frequency: f64, heard_at: f64, range: std::ops::Range<f64>) {
        let heard = f64::from(strength_dbfs(
            &converted(from, to, frequency),
            heard_at,
            to.hz(),
        ));
        assert!(
            range.contains(&heard),
            "{frequency} Hz {from:?} to {to:?}: {heard:.1} dB at {heard_at} Hz"
        );
    }

    #[test]
    fn speech_passes_at_its_level() {
        use Rate::{Hz8000 as N, Hz16000 as W, Hz48000 as F};
        let level = -9.03; // rms of a sine with half of full scale as its peak
        let passes = level - 0.1..level + 0.1;
        for frequency in [300.0, 1_000.0, 3_400.0] {
            for (from, to) in [(N, W), (N, F), (W, N), (W, F), (F, N), (F, W)] {
                check(from, to, frequency, frequency, passes.clone());
            }
        }
        check(W, F, 7_000.0, 7_000.0, level - 0.3..level + 0.1);
        check(F, W, 7_000.0, 7_000.0, level - 0.3..level + 0.1);
    }

    #[test]
    fn images_and_aliases_are_60_db_down() {
        use Rate::{Hz8000 as N, Hz16000 as W, Hz48000 as F};
        let gone = -200.0..-9.0 - 58.0;
        check(N, W, 1_000.0, 7_000.0, gone.clone());
        check(N, W, 3_300.0, 4_700.0, gone.clone());
        check(N, W, 3_400.0, 4_600.0, -200.0..-9.0 - 50.0);
        check(N, F, 3_000.0, 5_000.0, gone.clone());
        check(N, F, 3_000.0, 13_000.0, gone.clone());
        check(W, N, 5_000.0, 3_000.0, gone.clone());
        check(F, N, 7_000.0, 1_000.0, gone.clone());
        check(F, W, 10_000.0, 6_000.0, gone.clone());
        check(W, F, 6_000.0, 10_000.0, gone);
    }
}
