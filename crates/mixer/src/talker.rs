//! Who is talking: an energy rule over an adaptive noise floor.

use crate::levels::{SILENCE_DBFS, power_dbfs};

/// How loud a leg is, as its last frame said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// RMS in dB below a full-scale square wave (a full-scale sine is −3 dBFS), −120 for silence. The leg's
    /// own level: a muted leg has one too.
    pub dbfs: f32,
    /// Somebody speaks: 10 dB above the line's noise and above −50 dBFS, or did within the last 300 ms.
    pub talking: bool,
}

impl Level {
    pub(crate) const SILENT: Self = Self {
        dbfs: SILENCE_DBFS,
        talking: false,
    };
}

const ABOVE_FLOOR: f32 = 10.0; // 10 dB
const LEAST: f32 = 1e-5; // −50 dBFS
const FIRST_FLOOR: f32 = 1e-6; // −60 dBFS
const LOWEST_FLOOR: f32 = 1e-9; // −90 dBFS
/// The floor rises 3 dB/s, so that a steady noise is one after a few seconds, and speech, with its pauses, isn't.
const RISE: f32 = 1.014;
/// It falls to a pause within some 60 ms.
const FALL: f32 = 0.3;
const HANGOVER: u64 = 15;

/// Powers are mean squares, 1 at full scale. Times are numbers of ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Talker {
    power: f32,
    floor: f32,
    heard_at: u64,
    talks_until: u64,
}

impl Default for Talker {
    fn default() -> Self {
        Self {
            power: 0.0,
            floor: FIRST_FLOOR,
            heard_at: 0,
            talks_until: 0,
        }
    }
}

impl Talker {
    /// Takes a frame's power; whether it stands out of the line's noise.
    pub(crate) fn hear(&mut self, power: f32, tick: u64) -> bool {
        self.power = power;
        self.heard_at = tick;
        let speaks = power > LEAST && power > self.floor * ABOVE_FLOOR;
        if speaks {
            self.talks_until = tick + HANGOVER;
        }
        self.floor = if power < self.floor {
            (self.floor + (power - self.floor) * FALL).max(LOWEST_FLOOR)
        } else {
            (self.floor * RISE).min(power)
        };
        speaks
    }

    pub(crate) const fn talks(&self, tick: u64) -> bool {
        tick < self.talks_until
    }

    pub(crate) fn level(&self, tick: u64) -> Level {
        let dbfs = if self.heard_at == tick {
            power_dbfs(self.power)
        } else {
            SILENCE_DBFS
        };
        Level {
            dbfs,
            talking: self.talks(tick),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs through `(dBFS, ticks)` and says in which share of the last stretch somebody talked.
    fn share_talking(stretches: &[(f32, u64)]) -> f32 {
        let mut talker = Talker::default();
        let mut tick = 0;
        let mut share = 0.0;
        for &(dbfs, ticks) in stretches {
            let mut talking = 0;
            for _ in 0..ticks {
                tick += 1;
                talker.hear(10_f32.powf(dbfs / 10.0), tick);
                talking += u64::from(talker.level(tick).talking);
            }
            share = talking as f32 / ticks as f32;
        }
        share
    }

    #[test]
    fn speech_is_found_at_once_and_a_pause_after_the_hangover() {
        assert_eq!(share_talking(&[(-20.0, 10)]), 1.0);
        assert_eq!(share_talking(&[(-20.0, 10), (-70.0, 14)]), 1.0);
        assert_eq!(share_talking(&[(-20.0, 10), (-70.0, 15), (-70.0, 10)]), 0.0);
    }

    #[test]
    fn what_is_faint_or_steady_is_no_speech() {
        assert_eq!(share_talking(&[(-55.0, 100)]), 0.0);
        // A fan at −40 dBFS is taken for noise after a few seconds, and speech over it is still found.
        let fan = (-40.0, 300);
        assert_eq!(share_talking(&[fan, (-40.0, 100)]), 0.0);
        assert_eq!(share_talking(&[fan, (-22.0, 10)]), 1.0);
    }

    #[test]
    fn words_with_pauses_stay_speech() {
        let word_and_pause = [(-22.0, 40), (-60.0, 10)];
        let mut minutes = word_and_pause.repeat(60);
        minutes.push((-22.0, 40));
        assert_eq!(share_talking(&minutes), 1.0);
    }
}
