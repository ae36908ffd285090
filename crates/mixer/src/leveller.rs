//! Automatic gain: brings the speech of a line to the loudness that a telephone conference should have.

use crate::fade::{line, round_i16};
use crate::levels::power_dbfs;

/// −19 dBm0 of active speech (RFC 7874, ITU-T G.169), in dB below a full-scale square wave: 0 dBm0 is 6.18 dB below one.
const TARGET_DBFS: f32 = -19.0 - 6.18;
/// What is so near to the target is left alone.
const NEAR_DB: f32 = 1.0;
const MOST_DB: f32 = 18.0;
const LEAST_DB: f32 = -15.0;
/// For the first second and a half of speech, and after.
const FIRST_SLOPE_DB_S: f32 = 8.0;
const SLOPE_DB_S: f32 = 2.0;
const FIRST_FRAMES: u32 = 75;
/// Frames of speech over which its level is a mean.
const MEMORY: f32 = 150.0;
/// A frame that is ten times as powerful as one of the last quarter of a second is a rise, as each word has some. A noise has
/// one: where it begins.
const RISE: f32 = 10.0;
const LOOKS_BACK: usize = 12;
/// One rise so soon after another, in ticks, is speech; and speech it is for so long.
const RISES_WITHIN: u64 = 75;
const SPEECH_FOR: u64 = 40;
const FRAME_S: f32 = 0.02;
const CEILING: f32 = i16::MAX as f32;

/// The gain of one leg. It moves while somebody speaks, and rests in silence and noise.
#[derive(Clone, Debug)]
pub(crate) struct Leveller {
    gain_db: f32,
    /// What the last frame ended with.
    gain: f32,
    /// The mean power of the speech so far, and of how many frames, [`MEMORY`] at most.
    speech: f32,
    frames: f32,
    moved: u32,
    recent: [f32; LOOKS_BACK],
    risen: bool,
    rose_at: Option<u64>,
    speech_until: u64,
}

impl Default for Leveller {
    fn default() -> Self {
        Self {
            gain_db: 0.0,
            gain: 1.0,
            speech: 0.0,
            frames: 0.0,
            moved: 0,
            recent: [0.0; LOOKS_BACK],
            risen: false,
            rose_at: None,
            speech_until: 0,
        }
    }
}

impl Leveller {
    /// Takes note of a frame of this power; `speaks` where it stands out of the line's noise.
    pub(crate) fn hear(&mut self, power: f32, speaks: bool, tick: u64) {
        self.look_for_rises(power, speaks, tick);
        if !speaks || tick >= self.speech_until {
            return;
        }
        self.frames = (self.frames + 1.0).min(MEMORY);
        self.speech += (power - self.speech) / self.frames;
        let slope = if self.moved < FIRST_FRAMES {
            FIRST_SLOPE_DB_S
        } else {
            SLOPE_DB_S
        };
        self.moved += 1;
        let wanted = (TARGET_DBFS - power_dbfs(self.speech)).clamp(LEAST_DB, MOST_DB);
        let way = wanted - self.gain_db;
        if way.abs() > NEAR_DB {
            self.gain_db += way.clamp(-slope * FRAME_S, slope * FRAME_S);
        }
    }

    fn look_for_rises(&mut self, power: f32, speaks: bool, tick: u64) {
        let least = self.recent.iter().fold(f32::MAX, |least, &p| least.min(p));
        self.recent[tick as usize % LOOKS_BACK] = power;
        let risen = speaks && power > RISE * least;
        if risen && !self.risen {
            let before = self.rose_at.replace(tick);
            if before.is_some_and(|before| tick - before < RISES_WITHIN) {
                self.speech_until = tick + SPEECH_FOR;
            }
        }
        self.risen = risen;
    }

    /// Brings a frame to the present gain, less where it would overflow.
    pub(crate) fn apply(&mut self, frame: &mut [i16]) {
        let peak = frame.iter().fold(1, |peak, x| x.unsigned_abs().max(peak));
        let wanted = 10_f32.powf(self.gain_db / 20.0);
        let bearable = CEILING / f32::from(peak);
        let (from, to) = (self.gain.min(bearable), wanted.min(bearable));
        self.gain = to;
        if from == 1.0 && to == 1.0 {
            return;
        }
        let gains = line(from, to, frame.len());
        for (sample, gain) in frame.iter_mut().zip(gains) {
            *sample = round_i16((f32::from(*sample) * gain).clamp(-CEILING, CEILING));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::talker::Talker;

    fn power_of(dbfs: f32) -> f32 {
        10_f32.powf(dbfs / 10.0)
    }

    /// Gains in dB after each tick of a line whose frames have these levels.
    fn gains(levels: impl Iterator<Item = f32>) -> Vec<f32> {
        let (mut talker, mut leveller) = (Talker::default(), Leveller::default());
        let gain = |(tick, dbfs): (u64, f32)| {
            let power = power_of(dbfs);
            let speaks = talker.hear(power, tick);
            leveller.hear(power, speaks, tick);
            leveller.gain_db
        };
        (1..).zip(levels).map(gain).collect()
    }

    /// Words of 300 ms with 100 ms between them; the words have this level.
    fn speech(dbfs: f32, ticks: usize) -> impl Iterator<Item = f32> {
        (0..ticks).map(move |tick| if tick % 20 < 15 { dbfs } else { -75.0 })
    }

    #[test]
    fn speech_comes_to_the_target_and_no_faster_than_it_may() {
        for dbfs in [-45.0, -40.0, -32.0, -25.0, -15.0, -10.0] {
            let gains = gains(speech(dbfs, 1_000));
            let level = dbfs + gains[999];
            let wanted = TARGET_DBFS.clamp(dbfs + LEAST_DB, dbfs + MOST_DB);
            assert!((level - wanted).abs() <= NEAR_DB + 0.1, "{dbfs}: {level}");
            for (n, pair) in gains.windows(2).enumerate() {
                let a_second = (pair[1] - pair[0]).abs() / FRAME_S;
                let most = if n < 150 { 8.01 } else { 2.01 };
                assert!(a_second <= most, "{dbfs} at {n}: {a_second} dB/s");
            }
        }
    }

    #[test]
    fn it_rests_in_silence_and_in_noise() {
        let noise = |dbfs| std::iter::repeat_n(dbfs, 1_000);
        for dbfs in [-80.0, -50.0, -40.0, -30.0, -15.0] {
            let gains = gains(std::iter::repeat_n(-80.0, 100).chain(noise(dbfs)));
            assert_eq!(gains[1_099], 0.0, "{dbfs}");
        }
        let gains = gains(speech(-35.0, 500).chain(noise(-80.0)).chain(noise(-38.0)));
        assert_eq!(gains[520], gains[1_499]);
        assert_eq!(gains[1_499], gains[2_499]);
    }

    #[test]
    fn nothing_overflows() {
        let mut leveller = Leveller {
            gain_db: 18.0,
            ..Leveller::default()
        };
        for _ in 0..3 {
            let mut frame: Vec<i16> = (0..160)
                .map(|n| [i16::MIN, i16::MAX, 9_000, 0][n / 3 % 4])
                .collect();
            let before = frame.clone();
            leveller.apply(&mut frame);
            let signs = frame.iter().zip(&before).all(|(a, b)| (*a < 0) == (*b < 0));
            assert!(signs);
        }
        let mut soft = [1_000; 160];
        leveller.apply(&mut soft);
        leveller.apply(&mut soft);
        assert_eq!(soft[159], 32_767);
    }
}
