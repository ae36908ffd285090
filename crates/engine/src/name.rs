//! Recording one name: when it begins to be quiet, when it is over, and whether anything was said.

use conclave_mixer::{Rate, levels};

use crate::{ClipId, NameRules, Pcm, halve::Thirder, play::ClipCell};

/// What counts as silence, here as everywhere in the product.
const SILENCE_DBFS: f32 = -50.0;
/// Names are brought to one loudness.
const LEVEL_DBFS: f32 = -20.0;
/// Frames (20 ms) with a signal that make a recording usable.
const LEAST_SIGNAL: usize = 10;
/// No name is longer than this, whatever the rules say.
const LONGEST_FRAMES: usize = 1_500;

/// A recording that goes on.
#[derive(Debug)]
pub(crate) struct NameRecorder {
    pub(crate) clip: ClipId,
    cell: ClipCell,
    /// Names of 48 kHz legs are kept at 16 kHz, as prompts are.
    thirder: Option<Thirder>,
    rate: Rate,
    samples: Vec<i16>,
    frames: usize,
    longest: usize,
    silence: usize,
    quiet_for: usize,
    with_signal: usize,
}

impl NameRecorder {
    /// `rate` is the leg's.
    pub(crate) fn new(clip: ClipId, cell: ClipCell, rules: NameRules, rate: Rate) -> Self {
        let frames = |span: std::time::Duration| span.as_millis().div_ceil(20) as usize;
        let longest = frames(rules.longest).clamp(1, LONGEST_FRAMES);
        let thirder = (rate == Rate::Hz48000).then(Thirder::new);
        let rate = rate.min(Rate::Hz16000);
        NameRecorder {
            clip,
            cell,
            thirder,
            rate,
            samples: Vec::with_capacity(longest * rate.frame_len()),
            frames: 0,
            longest,
            silence: frames(rules.silence).max(1),
            quiet_for: 0,
            with_signal: 0,
        }
    }

    /// Takes one 20 ms frame; true when the recording is over by its rules.
    pub(crate) fn take(&mut self, frame: &[i16]) -> bool {
        if let Some(thirder) = &mut self.thirder {
            let mut third = [0; Rate::Hz16000.frame_len()];
            thirder.push(frame, &mut third);
            self.samples.extend_from_slice(&third);
        } else {
            self.samples.extend_from_slice(frame);
        }
        self.frames += 1;
        if levels::rms_dbfs(frame) >= SILENCE_DBFS {
            self.with_signal += 1;
            self.quiet_for = 0;
        } else {
            self.quiet_for += 1;
        }
        self.frames >= self.longest || self.quiet_for >= self.silence
    }

    /// Keeps the name, if it is one: trimmed and levelled.
    pub(crate) fn finish(self) -> bool {
        if self.with_signal < LEAST_SIGNAL {
            return false;
        }
        let mut name = levels::trim_silence(&self.samples, SILENCE_DBFS).to_vec();
        if name.is_empty() {
            return false;
        }
        levels::level_to(&mut name, LEVEL_DBFS);
        let pcm = Pcm {
            rate: self.rate.hz(),
            samples: name.into(),
        };
        self.cell.set(crate::pcm::Clip::new(pcm)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;

    fn tone(frames: usize, amplitude: f64) -> Vec<i16> {
        (0..frames * 160)
            .map(|n| ((n as f64 * 0.5).sin() * amplitude) as i16)
            .collect()
    }

    /// After how many frames of `said` the recording ends, and how long the name then is.
    fn check(said: &[i16], frames: usize, kept: Option<std::ops::RangeInclusive<usize>>) {
        let cell = ClipCell::default();
        let rules = NameRules::default();
        let mut name = NameRecorder::new(ClipId(1), Arc::clone(&cell), rules, Rate::Hz8000);
        let mut silence = vec![0; 160 * 400];
        silence.splice(..said.len(), said.iter().copied());
        let over = silence.chunks(160).position(|frame| name.take(frame));
        assert_eq!(over, Some(frames - 1));
        assert_eq!(name.finish(), kept.is_some());
        let length = cell.get().map(|clip| clip.len(Rate::Hz8000));
        match kept {
            Some(range) => assert!(range.contains(&length.unwrap()), "{length:?}"),
            None => assert_eq!(length, None),
        }
    }

    #[test]
    fn silence_ends_it_from_the_beginning() {
        check(&[], 100, None);
    }

    #[test]
    fn two_seconds_after_the_last_word_end_it() {
        let mut said = vec![0; 160 * 20];
        said.extend(tone(40, 3_000.0));
        check(&said, 160, Some(5_600..=7_200));
    }

    #[test]
    fn it_is_never_longer_than_the_rules() {
        check(&tone(400, 3_000.0), 250, Some(39_000..=40_000));
    }

    #[test]
    fn a_click_is_no_name() {
        check(&tone(3, 9_000.0), 103, None);
    }

    #[test]
    fn a_whisper_below_the_floor_is_no_name() {
        check(&tone(100, 60.0), 100, None);
    }

    #[test]
    fn a_name_is_levelled() {
        let cell = ClipCell::default();
        let rules = NameRules {
            longest: Duration::from_secs(1),
            ..NameRules::default()
        };
        let mut name = NameRecorder::new(ClipId(1), Arc::clone(&cell), rules, Rate::Hz8000);
        for frame in tone(50, 600.0).chunks(160) {
            name.take(frame);
        }
        assert!(name.finish());
        let level = level_of(&cell);
        assert!((level + 20.0).abs() < 1.0, "{level}");
    }

    fn level_of(cell: &ClipCell) -> f32 {
        let mut samples = vec![0; cell.get().unwrap().len(Rate::Hz8000)];
        cell.get().unwrap().read(Rate::Hz8000, 0, &mut samples);
        levels::rms_dbfs(&samples)
    }

    #[test]
    fn a_name_said_at_48_khz_is_as_long() {
        let cell = ClipCell::default();
        let rules = NameRules::default();
        let mut name = NameRecorder::new(ClipId(1), Arc::clone(&cell), rules, Rate::Hz48000);
        let mut tone = conclave_mixer::tone::Tone::new(440.0, -30.0, Rate::Hz48000);
        for _ in 0..50 {
            let mut frame = [0; 960];
            tone.fill(&mut frame);
            assert!(!name.take(&frame));
        }
        assert!(name.finish());
        let length = cell.get().unwrap().len(Rate::Hz8000);
        assert!((7_600..=8_000).contains(&length), "{length}");
        assert!((level_of(&cell) + 20.0).abs() < 1.0);
    }
}
