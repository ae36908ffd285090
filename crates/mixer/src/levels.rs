//! Levels of recorded speech: measuring, trimming, bringing to a common loudness.
//!
//! dBFS is relative to a full-scale square wave, as RFC 6464 and RFC 7874 have it: a full-scale sine measures −3.

use multiversion::multiversion;

/// What a signal of zeros measures, in dBFS.
pub const SILENCE_DBFS: f32 = -120.0;

/// Samples that are judged together when speech is told from silence: 10 ms at 8 kHz, 5 ms at 16 kHz.
const WINDOW: usize = 80;
/// Where the loudest sample of a levelled clip may lie: −1 dBFS.
const PEAK: f32 = 29_204.0;
/// Windows so far below the mean of the speech are pauses (ITU-T P.56's margin).
const MARGIN_DB: f32 = 15.9;

/// RMS of `samples` in dBFS, [`SILENCE_DBFS`] at the least.
#[must_use]
pub fn rms_dbfs(samples: &[i16]) -> f32 {
    power_dbfs(power(samples))
}

/// Level of the speech in `samples` in dBFS, its pauses left out, in the manner of ITU-T P.56's active level.
///
/// [`SILENCE_DBFS`] where nothing but silence is.
#[must_use]
pub fn active_dbfs(samples: &[i16]) -> f32 {
    let mean_above = |threshold: f32| {
        let powers = samples.chunks(WINDOW).map(power).filter(|&p| p > threshold);
        let (sum, count) = powers.fold((0.0, 0), |(sum, count), p| (sum + f64::from(p), count + 1));
        (sum / f64::from(count.max(1))) as f32
    };
    let mean = mean_above(0.0);
    power_dbfs(mean_above(mean * ratio(-MARGIN_DB)))
}

/// The part of `samples` between the silences at its ends; empty if all of it is below `threshold_dbfs`.
///
/// 5 to 10 ms of what precedes and follows the speech are kept, for its soft edges.
///
/// ```
/// use conclave_mixer::levels::trim_silence;
///
/// let clip = [vec![3; 800], vec![4000; 800], vec![3; 800]].concat();
/// assert_eq!(trim_silence(&clip, -50.0), &clip[720..1680]);
/// assert!(trim_silence(&[3; 800], -50.0).is_empty());
/// ```
#[must_use]
pub fn trim_silence(samples: &[i16], threshold_dbfs: f32) -> &[i16] {
    let speaks = |window: &[i16]| rms_dbfs(window) >= threshold_dbfs;
    let Some(first) = samples.chunks(WINDOW).position(speaks) else {
        return &[];
    };
    let last = samples.chunks(WINDOW).rposition(speaks).unwrap_or(first);
    let end = samples.len().min((last + 2) * WINDOW);
    &samples[first.saturating_sub(1) * WINDOW..end]
}

/// Brings the [active level](active_dbfs) of `samples` to `target_dbfs`, and returns the gain in dB.
///
/// The gain is lower where the loudest sample would pass −1 dBFS. Silence stays as it is.
pub fn level_to(samples: &mut [i16], target_dbfs: f32) -> f32 {
    let active = active_dbfs(samples);
    if active <= SILENCE_DBFS {
        return 0.0;
    }
    let peak = samples.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
    let gain = ratio((target_dbfs - active) / 2.0).min(PEAK / f32::from(peak.max(1)));
    for sample in samples {
        *sample = crate::fade::round_i16(f32::from(*sample) * gain);
    }
    20.0 * gain.log10()
}

/// Mean square, 1 at full scale.
#[multiversion(targets("x86_64+avx2"))]
pub(crate) fn power(samples: &[i16]) -> f32 {
    // Squares two by two, which is one instruction for eight samples.
    let square = |x: i16| i32::from(x) * i32::from(x);
    let (pairs, rest) = samples.as_chunks::<2>();
    let pairs = pairs.iter().map(|&[a, b]| {
        let both = square(a).wrapping_add(square(b));
        u64::from(both.cast_unsigned())
    });
    let rest = rest.iter().map(|&x| square(x) as u64);
    let sum: u64 = pairs.chain(rest).sum();
    sum as f32 / (samples.len().max(1) as f32 * 32_768.0 * 32_768.0)
}

pub(crate) fn power_dbfs(power: f32) -> f32 {
    // The logarithm of zero is slow to be none.
    if power == 0.0 {
        return SILENCE_DBFS;
    }
    (10.0 * power.log10()).max(SILENCE_DBFS)
}

fn ratio(power_db: f32) -> f32 {
    10_f32.powf(power_db / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rate, tone::Tone};

    fn tone(dbfs: f32, samples: usize) -> Vec<i16> {
        let mut out = vec![0; samples];
        Tone::new(437.0, dbfs, Rate::Hz8000).fill(&mut out);
        out
    }

    fn assert_near(measured: f32, wanted: f32) {
        assert!(
            (measured - wanted).abs() < 0.2,
            "{measured} dB, not {wanted}"
        );
    }

    #[test]
    fn levels_are_measured_against_a_full_scale_square_wave() {
        assert_near(rms_dbfs(&[i16::MIN; 160]), 0.0);
        assert_near(rms_dbfs(&[3277; 160]), -20.0);
        assert_near(rms_dbfs(&tone(-12.0, 8_000)), -12.0);
        assert_eq!(rms_dbfs(&[0; 160]), SILENCE_DBFS);
        assert_eq!(rms_dbfs(&[]), SILENCE_DBFS);
    }

    #[test]
    fn pauses_do_not_count_for_the_level_of_speech() {
        let words = [tone(-25.0, 8_000), vec![2; 24_000], tone(-25.0, 8_000)].concat();
        assert_near(active_dbfs(&words), -25.0);
        assert!(rms_dbfs(&words) < -28.0);
        assert_eq!(active_dbfs(&[0; 100]), SILENCE_DBFS);
    }

    #[test]
    fn a_name_comes_to_minus_20_whether_it_was_whispered_or_shouted() {
        for spoken in [-45.0, -30.0, -20.0, -8.0] {
            let mut name = [tone(spoken, 4_000), vec![0; 2_000], tone(spoken, 4_000)].concat();
            let gain = level_to(&mut name, -20.0);
            assert_near(gain, -20.0 - spoken);
            assert_near(active_dbfs(&name), -20.0);
        }
    }

    #[test]
    fn a_peak_keeps_the_gain_down() {
        let mut knock = tone(-40.0, 8_000);
        knock[100] = 20_000;
        level_to(&mut knock, -20.0);
        assert!(knock.iter().all(|x| x.unsigned_abs() <= 29_205));
        let mut silence = vec![0; 1_000];
        assert_eq!(level_to(&mut silence, -20.0), 0.0);
        assert_eq!(level_to(&mut [], -20.0), 0.0);
    }

    #[test]
    fn trimming_keeps_what_lies_between_words() {
        let name = [
            vec![0; 4_000],
            tone(-30.0, 1_600),
            vec![0; 1_600],
            tone(-30.0, 1_600),
            vec![0; 999],
        ]
        .concat();
        let trimmed = trim_silence(&name, -50.0);
        assert!(
            (4_800..=4_800 + 4 * WINDOW).contains(&trimmed.len()),
            "{}",
            trimmed.len()
        );
        assert!(trim_silence(&[], -50.0).is_empty());
        assert_eq!(trim_silence(&name[4_000..5_600], -50.0).len(), 1_600);
    }
}
