//! A limiter in place of clipping: it sees the whole frame before it gives out its first sample, so it looks
//! ahead without adding delay.

use multiversion::multiversion;

use crate::fade::{line, round_i16};

/// The gain is planned for 2.5 ms at a time.
const BLOCKS: usize = 8;
/// How far the gain rises again in one block: 35 dB/s. In proportion, so that a deep overload is not modulated more
/// than a slight one; faster would be heard as distortion.
const RELEASE: f32 = 1.01;
const CEILING: f32 = i16::MAX as f32;

/// The gain at the end of the last frame, which is all the state there is.
///
/// Two limiters that are equal go on alike from the same input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limiter {
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl Limiter {
    /// Brings one frame into the range of 16 bit. What is in range, while no gain is on its way back up, passes
    /// unchanged bit for bit.
    pub(crate) fn apply(&mut self, mix: &[i32], out: &mut [i16]) {
        let fits = narrow(mix, out);
        if self.gain != 1.0 || !fits {
            self.limit(mix, out);
        }
    }

    /// The same of `total` less `own`, where that needs no gain: whether it was so. Otherwise `out` is of no use.
    pub(crate) fn pass_less(self, total: &[i32], own: &[i16], out: &mut [i16]) -> bool {
        self.gain == 1.0 && narrow_less(total, own, out)
    }

    fn limit(&mut self, mix: &[i32], out: &mut [i16]) {
        let len = mix.len().div_ceil(BLOCKS).max(1);
        let mut bearable = [1.0_f32; BLOCKS + 1];
        for (gain, block) in bearable.iter_mut().zip(mix.chunks(len)) {
            let peak = peak(block);
            *gain = (CEILING / (peak as f32).max(CEILING)).min(1.0);
        }
        // Between two blocks the gain is one that both can bear, and a straight line joins those points:
        // it is nowhere above what its block can bear.
        let blocks = mix.chunks(len).zip(out.chunks_mut(len));
        for (i, (mix, out)) in blocks.enumerate() {
            let end = (self.gain * RELEASE)
                .min(1.0)
                .min(bearable[i])
                .min(bearable[i + 1]);
            let start = self.gain.min(bearable[i]);
            // Only a frame's first block can find the gain too high: it falls within the block's first half
            // (1.25 ms), where what still overshoots is cut off.
            let attack = if start < self.gain { mix.len() / 2 } else { 0 };
            let ((attacked, mix), (out_attacked, out)) =
                (mix.split_at(attack), out.split_at_mut(attack));
            ramp(attacked, out_attacked, self.gain, start);
            ramp(mix, out, start, end);
            self.gain = end;
        }
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn narrow(mix: &[i32], out: &mut [i16]) -> bool {
    narrow_each(mix.iter().copied(), out)
}

#[multiversion(targets("x86_64+avx2"))]
fn narrow_less(total: &[i32], own: &[i16], out: &mut [i16]) -> bool {
    let others = total.iter().zip(own);
    narrow_each(others.map(|(all, &own)| all.wrapping_sub(own.into())), out)
}

/// Leaves out the upper 16 bits; whether they say nothing.
#[inline(always)]
fn narrow_each(mix: impl Iterator<Item = i32>, out: &mut [i16]) -> bool {
    let mut beyond = 0;
    for (out, x) in out.iter_mut().zip(mix) {
        *out = x as i16;
        beyond |= x.wrapping_sub(i16::MIN.into()).cast_unsigned() >> 16;
    }
    beyond == 0
}

#[multiversion(targets("x86_64+avx2"))]
fn peak(mix: &[i32]) -> u32 {
    mix.iter().fold(0, |peak, x| peak.max(x.unsigned_abs()))
}

#[multiversion(targets("x86_64+avx2"))]
fn ramp(mix: &[i32], out: &mut [i16], from: f32, to: f32) {
    let gains = line(from, to, mix.len());
    for ((out, &x), gain) in out.iter_mut().zip(mix).zip(gains) {
        *out = round_i16((x as f32 * gain).clamp(-CEILING, CEILING));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(limiter: &mut Limiter, mix: &[i32]) -> Vec<i16> {
        let mut out = vec![0; mix.len()];
        limiter.apply(mix, &mut out);
        out
    }

    #[test]
    fn what_is_in_range_passes_unchanged() {
        let mix: Vec<i32> = (0..160)
            .map(|i| if i % 2 == 0 { 32_767 } else { -32_768 })
            .collect();
        let out = limited(&mut Limiter::default(), &mix);
        assert!(out.iter().zip(&mix).all(|(&out, &x)| i32::from(out) == x));
    }

    #[test]
    fn overload_keeps_the_shape_of_the_wave() {
        let mut limiter = Limiter::default();
        let sine = |tick: usize| -> Vec<i32> {
            let phase = |i| (tick * 160 + i) as f32 * std::f32::consts::TAU / 16.0;
            (0..160)
                .map(|i| (phase(i).sin() * 131_068.0) as i32)
                .collect()
        };
        limited(&mut limiter, &sine(0));
        for tick in 1..5 {
            let mix = sine(tick);
            for (&out, &x) in limited(&mut limiter, &mix).iter().zip(&mix) {
                let wanted = x as f32 / 4.0;
                assert!((f32::from(out) - wanted).abs() < 40.0, "{out} for {wanted}");
            }
        }
    }

    #[test]
    fn the_gain_comes_back_to_exactly_one() {
        let mut limiter = Limiter::default();
        limited(&mut limiter, &[200_000; 160]);
        assert!(limiter.gain < 0.2);
        for _ in 0..24 {
            limited(&mut limiter, &[100; 160]);
        }
        assert_eq!(limiter, Limiter::default());
    }

    #[test]
    fn a_late_peak_is_met_by_a_gain_that_fell_before_it() {
        let mut mix = [20_000; 160];
        mix[90] = 65_534;
        let out = limited(&mut Limiter::default(), &mix);
        assert_eq!(out[90], 32_767);
        let steepest = out[..90].windows(2).map(|w| (w[1] - w[0]).abs()).max();
        assert!(steepest < Some(1_000), "{steepest:?}");
    }

    #[test]
    fn the_extremes_of_the_sum_and_odd_lengths_are_borne() {
        for len in [0, 1, 7, 8, 159, 161] {
            let out = limited(&mut Limiter::default(), &vec![i32::MIN; len]);
            assert!(out.iter().all(|&x| x < 0));
        }
    }
}
