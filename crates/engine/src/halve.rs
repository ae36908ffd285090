//! From 48 to 16 kHz and from 16 to 8 kHz for ears that want no more: the tone detector's, and names'.

/// Half of a half-band low-pass of 23 taps (a windowed sinc), from its middle outwards; every second one is nothing.
/// Flat to 0.1 dB up to 3 kHz, and 55 dB down above 5.5 kHz, from where digits could be folded down.
const MIDDLE: f32 = 0.500_847;
const TAPS: [f32; 6] = [
    0.313_852, -0.091_963, 0.042_028, -0.019_174, 0.007_607, -0.002_773,
];
/// Samples before a frame that its first ones depend on.
const BEFORE: usize = 22;
/// The longest frame: 20 ms.
const LONGEST: usize = 320;

/// Halves the rate of one stream, 11 samples late. Allocates nothing.
pub(crate) struct Halver([f32; BEFORE]);

impl Halver {
    pub(crate) const fn new() -> Self {
        Self([0.0; BEFORE])
    }

    /// Fills `out` with half as many samples as `frame` has; that has at most 320, an even number.
    pub(crate) fn push(&mut self, frame: &[i16], out: &mut [i16]) {
        let mut samples = [0.0; BEFORE + LONGEST];
        samples[..BEFORE].copy_from_slice(&self.0);
        for (to, from) in samples[BEFORE..].iter_mut().zip(frame) {
            *to = f32::from(*from);
        }
        for (n, out) in out.iter_mut().take(frame.len() / 2).enumerate() {
            let middle = 2 * n + BEFORE / 2;
            let pairs = TAPS.iter().enumerate().map(|(k, tap)| {
                let off = 2 * k + 1;
                tap * (samples[middle - off] + samples[middle + off])
            });
            *out = (MIDDLE * samples[middle] + pairs.sum::<f32>()) as i16;
        }
        self.0
            .copy_from_slice(&samples[frame.len()..frame.len() + BEFORE]);
    }
}

/// Half of a low-pass of 35 taps (a sinc under a Kaiser window), without its middle. Flat to 0.1 dB up to 5.5 kHz, and
/// 50 dB down above 10 kHz: from 16 kHz on, what would be folded onto digits is nothing.
const MIDDLE_OF_THREE: f32 = 0.316402;
const TAPS_OF_THREE: [f32; 17] = [
    0.264901, 0.141312, 0.015581, -0.052854, -0.051560, -0.012700, 0.020155, 0.024909, 0.008870,
    -0.007562, -0.011551, -0.005113, 0.002293, 0.004473, 0.002224, -0.000426, -0.001153,
];
const BEFORE_THREE: usize = 34;
const LONGEST_OF_THREE: usize = 960;

/// Takes one stream to a third of its rate, 17 samples late. Allocates nothing.
#[derive(Debug)]
pub(crate) struct Thirder([f32; BEFORE_THREE]);

impl Thirder {
    pub(crate) const fn new() -> Self {
        Self([0.0; BEFORE_THREE])
    }

    /// Fills `out` with a third as many samples as `frame` has; that has at most 960, a multiple of three.
    pub(crate) fn push(&mut self, frame: &[i16], out: &mut [i16]) {
        let mut samples = [0.0; BEFORE_THREE + LONGEST_OF_THREE];
        samples[..BEFORE_THREE].copy_from_slice(&self.0);
        for (to, from) in samples[BEFORE_THREE..].iter_mut().zip(frame) {
            *to = f32::from(*from);
        }
        let windows = samples.windows(BEFORE_THREE + 1).step_by(3);
        for (out, window) in out.iter_mut().zip(windows).take(frame.len() / 3) {
            let (before, after) = window.split_at(BEFORE_THREE / 2);
            let pairs = before.iter().rev().zip(&after[1..]).zip(&TAPS_OF_THREE);
            let sum: f32 = pairs
                .map(|((before, after), tap)| tap * (before + after))
                .sum();
            *out = (MIDDLE_OF_THREE * after[0] + sum) as i16;
        }
        self.0
            .copy_from_slice(&samples[frame.len()..frame.len() + BEFORE_THREE]);
    }
}

#[cfg(test)]
mod tests {
    use conclave_mixer::{
        Rate,
        tone::{Tone, strength_dbfs},
    };

    use super::*;

    #[test]
    fn what_is_high_is_not_folded_down() {
        let check = |hz: f64, heard_at: f64, expected: std::ops::Range<f32>| {
            let (mut halver, mut tone) = (Halver::new(), Tone::new(hz, -10.0, Rate::Hz16000));
            let mut heard = Vec::new();
            for _ in 0..20 {
                let (mut frame, mut half) = ([0; 320], [0; 160]);
                tone.fill(&mut frame);
                halver.push(&frame, &mut half);
                heard.extend(half);
            }
            let level = strength_dbfs(&heard[160..], heard_at, 8_000);
            assert!(expected.contains(&level), "{hz} Hz: {level} at {heard_at}");
        };
        for digit in [697.0, 941.0, 1_209.0, 1_633.0, 3_000.0] {
            check(digit, digit, -10.2..-9.8);
        }
        check(6_500.0, 1_500.0, -120.0..-60.0);
        check(7_303.0, 697.0, -120.0..-60.0);
    }

    #[test]
    fn a_third_of_the_rate_is_as_clean() {
        let check = |hz: f64, heard_at: f64, expected: std::ops::Range<f32>| {
            let (mut thirder, mut tone) = (Thirder::new(), Tone::new(hz, -10.0, Rate::Hz48000));
            let mut heard = Vec::new();
            for _ in 0..20 {
                let (mut frame, mut third) = ([0; 960], [0; 320]);
                tone.fill(&mut frame);
                thirder.push(&frame, &mut third);
                heard.extend(third);
            }
            let level = strength_dbfs(&heard[320..], heard_at, 16_000);
            assert!(expected.contains(&level), "{hz} Hz: {level} at {heard_at}");
        };
        for digit in [697.0, 941.0, 1_209.0, 1_633.0, 3_000.0, 5_500.0] {
            check(digit, digit, -10.2..-9.8);
        }
        check(10_500.0, 5_500.0, -120.0..-55.0);
        check(15_303.0, 697.0, -120.0..-60.0);
        check(17_633.0, 1_633.0, -120.0..-60.0);
    }
}
