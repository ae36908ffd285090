//! Straight lines between two gains, so that nothing steps and nothing clicks.

/// Scales `samples` by a gain that goes from `from` (just before the first) to `to` (at the last).
pub(crate) fn scale(samples: &mut [i16], from: f32, to: f32) {
    let gains = line(from, to, samples.len());
    for (sample, gain) in samples.iter_mut().zip(gains) {
        // A gain of at most one can't leave the range of the sample.
        *sample = round(f32::from(*sample) * gain) as i16;
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
        *to = round(f32::from(from) * (1.0 - gain) + f32::from(*to) * gain) as i16;
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
