//! Making a sound shorter or longer without its pitch changing: by overlap-add, at the place where it is most like itself
//! (WSOLA), which in a voice is one or more of its periods.

use core::ops::RangeInclusive;

/// How far a splice may jump, in samples at 8 kHz: 2.5 to 15 ms.
const JUMPS: RangeInclusive<usize> = 20..=120;
/// So much worse than the best place is as good: the longest jump among them is taken, so that there are few.
const AS_GOOD: f32 = 0.02;

/// A jump within a sound, and how alike its two ends are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Splice {
    /// In samples.
    pub(crate) jump: usize,
    /// Normalised correlation.
    pub(crate) likeness: f32,
}

impl Splice {
    /// The best one of at most so many samples from the beginning of a frame of 20 ms; none where that is too few.
    pub(crate) fn find(frame: &[i16], at_most: usize) -> Option<Splice> {
        let scale = scale(frame);
        let longest = (*JUMPS.end()).min(at_most / scale);
        let likeness = |jump| likeness(frame, scale, jump);
        let jumps = *JUMPS.start()..=longest;
        let best = jumps.clone().map(likeness).reduce(f32::max)?;
        let (jump, likeness) = jumps
            .rev()
            .map(|jump| (jump, likeness(jump)))
            .find(|(_, likeness)| *likeness >= best - AS_GOOD)?;
        let jump = jump * scale;
        Some(Splice { jump, likeness })
    }

    /// One for a frame in which nothing is to be heard.
    pub(crate) fn anywhere(frame: &[i16], at_most: usize) -> Option<Splice> {
        let jump = at_most.min(JUMPS.end() * scale(frame));
        (jump > 0).then_some(Splice {
            jump,
            likeness: 0.0,
        })
    }

    /// Leaves out what is jumped over; returns the length that remains.
    pub(crate) fn shorten(self, frame: &mut [i16]) -> usize {
        let left = frame.len().saturating_sub(self.jump);
        let overlap = left.min(self.jump);
        for at in 0..overlap {
            frame[at] = self.blend(frame[at], frame[at + self.jump], at, overlap);
        }
        frame.copy_within(self.jump + overlap.., overlap);
        left
    }

    /// Says what is jumped over twice: into `frame` as much as it holds, into `rest`, as long as the jump, what is left.
    pub(crate) fn lengthen(self, frame: &mut [i16], rest: &mut [i16]) {
        let left = frame.len().saturating_sub(self.jump);
        let overlap = left.min(self.jump);
        // The end of the longer sound is that of the frame.
        rest.copy_from_slice(&frame[left..]);
        // From behind, so that nothing is overwritten before it has been read.
        for at in (0..left).rev() {
            let again = frame[at];
            frame[at + self.jump] = if at < overlap {
                self.blend(frame[at + self.jump], again, at, overlap)
            } else {
                again
            };
        }
    }

    /// From one sound over to another, as loud in between as at the ends whether they are alike or not.
    fn blend(self, from: i16, to: i16, at: usize, overlap: usize) -> i16 {
        let b = (at + 1) as f32 / (overlap + 1) as f32;
        let a = 1.0 - b;
        let alike = self.likeness.clamp(0.0, 1.0);
        let power = a * a + b * b + 2.0 * a * b * alike;
        let sum = (a * f32::from(from) + b * f32::from(to)) / power.sqrt();
        sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16
    }
}

/// Samples for each one at 8 kHz.
fn scale(frame: &[i16]) -> usize {
    (frame.len() / 160).max(1)
}

/// How alike the two ends of a jump are in what will be blended, at 8 kHz whatever the rate.
fn likeness(frame: &[i16], scale: usize, jump: usize) -> f32 {
    let length = frame.len() / scale;
    let overlap = jump.min(length.saturating_sub(jump));
    let at = |place: usize| f32::from(frame[place * scale]);
    let (mut product, mut before, mut after) = (0.0, 1.0, 1.0);
    for place in 0..overlap {
        let (x, y) = (at(place), at(place + jump));
        product += x * y;
        before += x * x;
        after += y * y;
    }
    product / (before * after).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(hertz: f32, rate: usize, samples: core::ops::Range<usize>) -> Vec<i16> {
        let sample = |n| (n as f32 * hertz / rate as f32 * TAU).sin() * 8000.0;
        samples.map(|n| sample(n) as i16).collect()
    }

    /// The greatest step, against that of the tone itself.
    fn steepness(samples: &[i16], hertz: f32, rate: usize) -> f32 {
        let steps = samples
            .windows(2)
            .map(|w| (f32::from(w[1]) - f32::from(w[0])).abs());
        steps.fold(0.0, f32::max) / (8000.0 * TAU * hertz / rate as f32)
    }

    #[test]
    fn a_voiced_sound_loses_and_gains_whole_periods() {
        for (rate, hertz) in [
            (8000, 110.0),
            (8000, 230.0),
            (16_000, 150.0),
            (48_000, 125.0),
        ] {
            let length = rate / 50;
            let before = tone(hertz, rate, 0..length);
            let splice = Splice::find(&before, length).unwrap();
            let periods = splice.jump as f32 * hertz / rate as f32;
            assert!(
                (periods - periods.round()).abs() < 0.06,
                "{rate} {hertz}: {periods}"
            );
            assert!(splice.likeness > 0.97);

            let mut frame = before.clone();
            let left = splice.shorten(&mut frame);
            assert_eq!(left, length - splice.jump);
            let mut all = frame[..left].to_vec();
            all.extend(tone(hertz, rate, length..2 * length));
            assert!(steepness(&all, hertz, rate) < 1.3, "{rate} {hertz}");

            let (mut frame, mut rest) = (before.clone(), vec![0; splice.jump]);
            splice.lengthen(&mut frame, &mut rest);
            let all = [frame, rest, tone(hertz, rate, length..2 * length)].concat();
            assert!(steepness(&all, hertz, rate) < 1.3, "{rate} {hertz}");
            assert_eq!(all.len(), 2 * length + splice.jump);
        }
    }

    #[test]
    fn noise_keeps_its_power() {
        let mut seed = 1u32;
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((seed >> 16) as i16) / 4
        };
        let power = |samples: &[i16]| -> f64 {
            samples.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / samples.len() as f64
        };
        let (mut before, mut after) = (0.0, 0.0);
        for _ in 0..200 {
            let mut frame: Vec<i16> = (0..160).map(|_| noise()).collect();
            before += power(&frame);
            let splice = Splice {
                jump: 80,
                likeness: 0.0,
            };
            let left = splice.shorten(&mut frame);
            after += power(&frame[..left]);
        }
        assert!((after / before - 1.0).abs() < 0.1, "{}", after / before);
    }

    #[test]
    fn there_are_bounds() {
        assert_eq!(Splice::find(&[5; 160], 19), None);
        assert_eq!(Splice::anywhere(&[0; 160], 0), None);
        assert_eq!(Splice::anywhere(&[0; 160], 7).unwrap().jump, 7);
        assert_eq!(Splice::anywhere(&[0; 960], 5000).unwrap().jump, 720);
        // A steady level is alike everywhere: as much as may be.
        assert_eq!(Splice::find(&[500; 160], 64).unwrap().jump, 64);
    }
}
