//! The sum of all, without a clipped sample.

use crate::{FRAME, upsample::Upsampler};

const CEILING: f32 = 32_000.0;
/// How much of what the limiter took away comes back in a frame.
const RELEASE: f32 = 0.05;

/// Sums the frames of a tick at their own rates and brings each sum to 48 kHz. What comes out is one frame behind: the
/// limiter looks ahead.
#[derive(Debug)]
pub(crate) struct Mix {
    bands: [Band; 3],
    next: [f32; FRAME],
    gain: f32,
}

#[derive(Debug)]
struct Band {
    sum: Vec<f32>,
    used: bool,
    upsampler: Upsampler,
}

impl Band {
    fn new(length: usize) -> Self {
        Self {
            sum: vec![0.0; length],
            used: false,
            upsampler: Upsampler::default(),
        }
    }
}

impl Mix {
    pub(crate) fn new() -> Self {
        Self {
            bands: [FRAME / 6, FRAME / 3, FRAME].map(Band::new),
            next: [0.0; FRAME],
            gain: 1.0,
        }
    }

    /// A frame of this tick: 160, 320 or 960 samples; one of another length is none.
    pub(crate) fn add(&mut self, frame: &[i16]) {
        let band = self
            .bands
            .iter_mut()
            .find(|band| band.sum.len() == frame.len());
        if let Some(band) = band {
            for (sum, sample) in band.sum.iter_mut().zip(frame) {
                *sum += f32::from(*sample);
            }
            band.used = true;
        }
    }

    /// The tick is over: the frame before it.
    pub(crate) fn close(&mut self) -> [i16; FRAME] {
        let mut sum = [0.0; FRAME];
        for band in &mut self.bands {
            if band.used || !band.upsampler.is_at_rest() {
                band.upsampler.add(&band.sum, &mut sum);
            }
            if std::mem::take(&mut band.used) {
                band.sum.fill(0.0);
            }
        }
        let due = std::mem::replace(&mut self.next, sum);
        let target = fitting(&due).min(fitting(&self.next));
        let target = target.min(self.gain + RELEASE);
        // This frame begins with a gain that fits it, and ends with one that fits the next.
        let from = self.gain.min(fitting(&due));
        let step = (target - from) / FRAME as f32;
        self.gain = target;
        std::array::from_fn(|n| (due[n] * (from + step * n as f32)).round() as i16)
    }
}

fn fitting(frame: &[f32; FRAME]) -> f32 {
    let peak = frame.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
    (CEILING / peak).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_is_unchanged_and_a_frame_late() {
        let mut mix = Mix::new();
        let said: [i16; FRAME] = std::array::from_fn(|n| (n as i16 - 480) * 50);
        mix.add(&said);
        assert_eq!(mix.close(), [0; FRAME]);
        assert_eq!(mix.close(), said);
        assert_eq!(mix.close(), [0; FRAME]);
    }

    #[test]
    fn many_at_full_scale_do_not_clip() {
        let mut mix = Mix::new();
        let wave = |tick: usize| {
            move |n: usize| {
                let phase = (tick * FRAME + n) as f64 / 48_000.0 * 440.0 * std::f64::consts::TAU;
                (phase.sin() * 30_000.0) as i16
            }
        };
        let mut heard = Vec::new();
        for tick in 0..100 {
            // One talks, then five do, then one.
            for _ in 0..if (20..40).contains(&tick) { 5 } else { 1 } {
                mix.add(&std::array::from_fn::<i16, FRAME, _>(wave(tick)));
            }
            heard.extend(mix.close());
        }
        let peak = heard.iter().map(|x| x.unsigned_abs()).max();
        assert!(peak <= Some(32_001), "{peak:?}");
        // No step is steeper than the loudest sine's own.
        let steepest = heard.windows(2).map(|w| w[0].abs_diff(w[1])).max();
        assert!(steepest <= Some(1_900), "{steepest:?}");
        let late = &heard[90 * FRAME..];
        assert!(late.iter().any(|x| *x > 29_000), "the level comes back");
    }
}
