//! Gains that move without a click.

/// A gain that goes to its target in a straight line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fade {
    gain: f32,
}

impl Fade {
    pub(crate) const fn at(gain: f32) -> Self {
        Fade { gain }
    }

    /// True if a frame at `target` would leave its samples as they are.
    pub(crate) fn is_unity(&self, target: f32) -> bool {
        self.gain == 1.0 && target == 1.0
    }

    pub(crate) fn is_silent(&self, target: f32) -> bool {
        self.gain == 0.0 && target == 0.0
    }

    /// Brings a frame to the gain, which moves to `target`; from 0 to 1 it would take `frames` frames.
    pub(crate) fn apply(&mut self, frame: &mut [i16], target: f32, frames: f32) {
        if self.is_unity(target) {
            return;
        }
        let step = 1.0 / (frames * frame.len() as f32);
        for sample in frame {
            self.gain = if self.gain < target {
                (self.gain + step).min(target)
            } else {
                (self.gain - step).max(target)
            };
            *sample = (f32::from(*sample) * self.gain) as i16;
        }
    }
}

/// Takes the edge off a jump from one source to another: what was last heard dies away
/// in 5 ms under the new source, instead of breaking off.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seam {
    last: i16,
}

impl Seam {
    /// Remembers how a frame ended.
    pub(crate) fn after(&mut self, frame: &[i16]) {
        self.last = frame.last().copied().unwrap_or(0);
    }

    /// Joins a frame of another source to what was heard before; false if it fits as it is.
    pub(crate) fn join(&self, frame: &mut [i16]) -> bool {
        let length = (frame.len() / 4).max(1);
        let Some(first) = frame.first() else {
            return false;
        };
        // The jump, not the last sample: a new source that happens to go on where the old one was stays as it is.
        let jump = f32::from(self.last) - f32::from(*first);
        if jump == 0.0 {
            return false;
        }
        for (n, sample) in frame[..length].iter_mut().enumerate() {
            let left = (length - n) as f32 / length as f32;
            *sample = (f32::from(*sample) + jump * left).clamp(-32_768.0, 32_767.0) as i16;
        }
        true
    }
}

/// Adds `other` to `frame`, kept within 16 bits.
pub(crate) fn add(frame: &mut [i16], other: &[i16]) {
    for (sample, more) in frame.iter_mut().zip(other) {
        *sample = sample.saturating_add(*more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fade_reaches_its_target_and_stays() {
        let mut fade = Fade::at(0.0);
        let mut frame = [10_000; 160];
        fade.apply(&mut frame, 1.0, 2.0);
        assert!(frame[159] > 4_900 && frame[159] < 5_100);
        assert!(frame.windows(2).all(|w| (w[0] - w[1]).abs() <= 40));
        fade.apply(&mut [10_000; 160], 1.0, 2.0);
        assert!(fade.is_unity(1.0));
        let mut frame = [10_000; 160];
        fade.apply(&mut frame, 0.0, 0.5);
        assert!(fade.is_silent(0.0));
        assert_eq!(frame[80..], [0; 80]);
    }

    #[test]
    fn a_seam_has_no_step() {
        let mut seam = Seam::default();
        seam.after(&[0, 9_000]);
        let mut frame = [-9_000; 160];
        assert!(seam.join(&mut frame));
        assert_eq!(frame[0], 9_000);
        assert!(
            frame
                .windows(2)
                .all(|w| (i32::from(w[0]) - i32::from(w[1])).abs() <= 451)
        );
        assert_eq!(frame[40..], [-9_000; 120]);
    }
}
