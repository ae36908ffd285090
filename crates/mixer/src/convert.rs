//! Whole clips from any sample rate to any other, outside the tick.

use crate::fade::round;
use rubato::audioadapter::Adapter;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

/// A rate that no audio has: below 1 kHz or above 384 kHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sample rate of {hz} Hz is not between 1,000 and 384,000")]
pub struct RateError {
    hz: u32,
}

/// Converts a clip of `from` Hz to `to` Hz; the result is as long as the clip, to the sample, and not delayed.
///
/// It allocates and takes its time: for prompts and files, not for the tick.
///
/// # Errors
/// A rate below 1,000 or above 384,000 Hz.
///
/// ```
/// let clip = conclave_mixer::convert::resample(&[500; 44_100], 44_100, 8_000)?;
/// assert_eq!(clip.len(), 8_000);
/// # Ok::<(), conclave_mixer::convert::RateError>(())
/// ```
pub fn resample(samples: &[i16], from: u32, to: u32) -> Result<Vec<i16>, RateError> {
    for hz in [from, to] {
        if !(1_000..=384_000).contains(&hz) {
            return Err(RateError { hz });
        }
    }
    if from == to || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    let wave: Vec<f32> = samples.iter().map(|&x| f32::from(x)).collect();
    // What can fail here are sizes that don't fit each other, and these do.
    let failed = |_| RateError { hz: from };
    let input = InterleavedSlice::new(&wave, 1, wave.len()).map_err(|_| RateError { hz: from })?;
    let mut resampler = Fft::<f32>::new(from as usize, to as usize, 1_024, 1, FixedSync::Both)
        .map_err(|_| RateError { hz: from })?;
    let output = resampler
        .process_all(&input, wave.len(), None)
        .map_err(failed)?;
    // Rubato rounds the length up in floating point, sometimes by one too many.
    let len = (wave.len() as u64 * u64::from(to)).div_ceil(from.into()) as usize;
    let samples = (0..output.frames().min(len)).filter_map(|i| output.read_sample(0, i));
    Ok(samples
        .map(|x| round(x.clamp(-32_768.0, 32_767.0)) as i16)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rate, tone::Tone, tone::strength_dbfs};

    #[test]
    fn a_tone_keeps_its_level_length_and_place() {
        let mut clip = vec![0; 16_000];
        Tone::new(1_000.0, -20.0, Rate::Hz16000).fill(&mut clip);
        for hz in [8_000, 44_100, 48_000] {
            let there = resample(&clip, 16_000, hz).unwrap();
            assert_eq!(there.len(), hz as usize);
            let level = strength_dbfs(&there, 1_000.0, hz);
            assert!((level + 20.0).abs() < 0.2, "{level} dB at {hz} Hz");
            let back = resample(&there, hz, 16_000).unwrap();
            let inner = 1_000..15_000;
            let worst = clip[inner.clone()]
                .iter()
                .zip(&back[inner])
                .map(|(a, b)| a.abs_diff(*b))
                .max();
            assert!(worst < Some(40), "{worst:?} at {hz} Hz");
        }
    }

    #[test]
    fn short_clips_and_odd_rates() {
        assert_eq!(resample(&[], 16_000, 8_000).unwrap(), []);
        assert_eq!(resample(&[7; 3], 8_000, 8_000).unwrap(), [7; 3]);
        assert_eq!(resample(&[7; 3], 8_000, 16_000).unwrap().len(), 6);
        for (from, to) in [(0, 8_000), (8_000, 0), (8_000, u32::MAX)] {
            assert!(resample(&[1; 10], from, to).is_err());
        }
        assert_eq!(
            resample(&[0; 44_100], 44_100, 48_000).unwrap().len(),
            48_000
        );
        // The rates have no common divisor: the longest filter there is.
        assert_eq!(resample(&[0; 1_000], 7_919, 8_000).unwrap().len(), 1_011);
    }
}
