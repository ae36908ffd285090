//! Telephone tones as ITU-T Q.23 and Q.24 say them, apart from the detector's own tables: the measure must not
//! share a fault with what it measures.

// The tests and the campaign each use a part of it.
#![allow(dead_code)]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::f64::consts::TAU;

use conclave_dtmf::ToneDetector;

pub(crate) mod limits;

pub(crate) const KEYS: &str = "123A456B789C*0#D";
/// Samples in a millisecond.
pub(crate) const MS: f64 = 8.0;

/// The two frequencies of a key.
pub(crate) fn frequencies(key: char) -> (f64, f64) {
    let place = KEYS.find(key).unwrap();
    let low = [697.0, 770.0, 852.0, 941.0][place / 4];
    let high = [1209.0, 1336.0, 1477.0, 1633.0][place % 4];
    (low, high)
}

/// The amplitude of a sine at that level: full scale is 3.17 dB above 0 dBm0.
pub(crate) fn amplitude(dbm0: f64) -> f64 {
    32_768.0 * 10f64.powf((dbm0 - 3.17) / 20.0)
}

/// Numbers that look drawn, the same on every run.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// From 0 up to but not including 1.
    pub(crate) fn part(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.part()
    }

    pub(crate) fn sign(&mut self) -> f64 {
        if self.part() < 0.5 { -1.0 } else { 1.0 }
    }

    pub(crate) fn key(&mut self) -> char {
        KEYS.as_bytes()[(self.part() * 16.0) as usize] as char
    }

    /// A number of the normal distribution with variance 1.
    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.part(), self.part());
        (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
    }
}

/// One press as a telephone sends it.
#[derive(Clone, Copy)]
pub(crate) struct Press {
    pub(crate) key: char,
    /// Real frequencies over nominal ones.
    pub(crate) off: (f64, f64),
    /// Hz beside that.
    pub(crate) hertz: (f64, f64),
    /// dBm0 of the low and of the high tone.
    pub(crate) level: (f64, f64),
    pub(crate) ms: f64,
    /// From where to where there is nothing, in ms from the start.
    pub(crate) gap: (f64, f64),
}

impl Press {
    pub(crate) fn of(key: char) -> Press {
        Press {
            key,
            off: (1.0, 1.0),
            hertz: (0.0, 0.0),
            level: (-10.0, -10.0),
            ms: 50.0,
            gap: (0.0, 0.0),
        }
    }
}

/// What comes over a line.
pub(crate) struct Line {
    pub(crate) samples: Vec<f64>,
    pub(crate) chance: Chance,
    /// What was pressed.
    pub(crate) keys: String,
}

impl Line {
    /// A line that has been quiet for a time that nobody chose.
    pub(crate) fn new(seed: u64) -> Line {
        let mut line = Line {
            samples: Vec::new(),
            chance: Chance(seed),
            keys: String::new(),
        };
        let quiet = line.chance.between(40.0, 60.0);
        line.pause(quiet);
        line
    }

    pub(crate) fn pause(&mut self, ms: f64) {
        let length = self.samples.len() + (ms * MS).round() as usize;
        self.samples.resize(length, 0.0);
    }

    pub(crate) fn press(&mut self, press: Press) {
        let (low, high) = frequencies(press.key);
        let tones = [
            (low * press.off.0 + press.hertz.0, press.level.0),
            (high * press.off.1 + press.hertz.1, press.level.1),
        ]
        .map(|(hertz, dbm0)| (hertz, amplitude(dbm0), self.chance.part()));
        for n in 0..(press.ms * MS).round() as usize {
            let at = n as f64 / MS;
            let open = !(press.gap.0..press.gap.1).contains(&at);
            let wave = |(hertz, amplitude, phase): (f64, f64, f64)| {
                amplitude * (TAU * (hertz * at / 1000.0 + phase)).sin()
            };
            let sample = if open {
                tones.map(wave).iter().sum()
            } else {
                0.0
            };
            self.samples.push(sample);
        }
        self.keys.push(press.key);
    }

    /// White noise over the whole line, so many dB below both tones of `level` together.
    pub(crate) fn noise(&mut self, level: (f64, f64), below: f64) {
        let power = (amplitude(level.0).powi(2) + amplitude(level.1).powi(2)) / 2.0;
        let deviation = (power * 10f64.powf(-below / 10.0)).sqrt();
        for sample in &mut self.samples {
            *sample += deviation * self.chance.normal();
        }
    }

    /// As 16 bits, clipped where it is too loud.
    pub(crate) fn sampled(&self) -> Vec<i16> {
        let clip = |sample: &f64| sample.round().clamp(-32_768.0, 32_767.0) as i16;
        self.samples.iter().map(clip).collect()
    }
}

/// The digits that a detector finds in frames of 20 ms.
pub(crate) fn digits(samples: &[i16]) -> String {
    let (mut tones, mut digits) = (ToneDetector::new(), String::new());
    for frame in samples.chunks(160) {
        tones.push(frame, |digit| digits.push(digit.as_char()));
    }
    digits
}
