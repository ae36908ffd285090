//! Straight lines between two gains, so that nothing steps and nothing clicks.

/// Scales `samples` by a gain that goes from `from` (just before the first) to `to` (at the last).
pub(crate) fn scale(samples: &mut [i16], from: f32, to: f32) {
    let gains = line(from, to, samples.len());
    for (sample, gain) in samples.iter_mut().zip(gains) {
        // A gain of at most one can't leave the range of the sample.
        *sample = round_i16(f32::from(*sample) * gain);
    }
}

/// The same for a sum of many legs.
pub(crate) fn scale_sum(samples: &mut [i32], from: f32, to: f32) {
    let gains = line(from, to, samples.len());
    for (sample, gain) in samples.iter_mut().zip(gains) {
        *sample = round(*sample as f32 * gain);
    }
}

/// What follows a signal that broke off at `last`: a line down to zero, `len` samples long.
pub(crate) fn tail(last: i32, len: usize) -> impl Iterator<Item = i32> {
    line(1.0, 0.0, len).map(move |gain| round(last as f32 * gain))
}

/// Goes from `from` into `to`, both of the same signal as two limiters made it; the result is in `to`.
pub(crate) fn cross(from: &[i16], to: &mut [i16]) {
    let gains = line(0.0, 1.0, to.len());
    for ((to, &from), gain) in to.iter_mut().zip(from).zip(gains) {
        *to = round_i16(f32::from(from) * (1.0 - gain) + f32::from(*to) * gain);
    }
}

/// `len` gains in a straight line, of which the last is `to`.
pub(crate) fn line(from: f32, to: f32, len: usize) -> impl Iterator<Item = f32> {
    let step = (to - from) / len.max(1) as f32;
    (1..=len as i32).map(move |i| from + step * i as f32)
}

/// To the nearest integer. (`f32::round` is a call into libm on the x86-64 baseline.)
#[inline]
pub(crate) fn round(x: f32) -> i32 {
    (x + 0.5_f32.copysign(x)) as i32
}

/// The same for what is in the range of 16 bit, in a form that the compiler turns into vector code: adding 1.5 × 2²³
/// leaves no bits for a fraction, and the integer in the lowest ones.
#[inline]
pub(crate) fn round_i16(x: f32) -> i16 {
    (x + 12_582_912.0).to_bits() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_finds_the_nearest_integer() {
        for x in i16::MIN..=i16::MAX {
            for off in [-0.49, 0.0, 0.49] {
                let y = f32::from(x) + off;
                assert_eq!((round_i16(y), round(y)), (x, x.into()), "{y}");
            }
        }
        assert_eq!((round(1e12), round(-1e12)), (i32::MAX, i32::MIN));
    }

    #[test]
    fn lines_end_where_they_should() {
        for (from, to) in [(0.0, 1.0), (1.0, 0.0), (0.178, 1.0)] {
            let mut extremes = [i16::MIN, i16::MAX].repeat(80);
            scale(&mut extremes, from, to);
            assert_eq!(extremes[159], round(to * 32_767.0) as i16);
            assert!(extremes.chunks(2).all(|pair| pair[0] <= 0 && pair[1] >= 0));
        }
        assert_eq!(tail(32_767, 40).last(), Some(0));
    }
}
