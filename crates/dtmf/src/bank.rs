//! The filters of the tone detector: how much of each of the eight frequencies, and at which phase, lies in the
//! last 25 ms.

use core::{
    f64::consts::{LN_10, TAU},
    ops::Add,
};

/// Samples that are looked at together: 5 ms at 8 kHz.
pub(crate) const BLOCK: usize = 40;
/// Frequencies of a group.
pub(crate) const HALF: usize = 4;
const TONES: usize = 2 * HALF;
/// The low group, then the high group, in Hz (ITU-T Q.23).
const HERTZ: [u16; TONES] = [697, 770, 852, 941, 1209, 1336, 1477, 1633];
const RATE: f64 = 8000.0;
/// Blocks in a second, after which every phase comes back.
const BLOCKS_A_SECOND: usize = 200;
/// The sum of the weights 1, 2, 3, 2, 1 of a window's blocks.
const WEIGHTS: f32 = 9.0;

/// One value for each frequency.
pub(crate) type Each = [f32; TONES];

/// Below this mean square a block is taken for silence: −44 dBm0, softer than any two tones that matter.
const SILENCE: f32 = dbm0(-44.0);
/// Blocks of silence after which nothing else is left in a window and the one before it.
const SILENT_BLOCKS: u8 = 7;

/// Correlations of 5 ms blocks with each frequency, summed over five of them with triangular weights. The window
/// that comes of it has no side lobes to speak of at the other tones' distances, and costs six additions a block.
#[derive(Clone)]
pub(crate) struct Bank {
    /// Which block of a second this is.
    place: usize,
    silent: u8,
    block: Sums,
    blocks: [Sums; 2],
    threes: [Sums; 2],
    window: Sums,
    before: Sums,
}

/// What adds up over blocks.
#[derive(Clone, Copy)]
struct Sums {
    re: Each,
    im: Each,
    /// Mean square of everything.
    power: f32,
}

/// One tone of a window.
#[derive(Clone, Copy)]
pub(crate) struct Tone {
    /// Mean square.
    pub(crate) power: f32,
    /// Cosine of how far its phase runs away from the nominal one in a block.
    pub(crate) drift: f32,
}

impl Bank {
    pub(crate) const fn new() -> Self {
        Bank {
            place: 0,
            silent: SILENT_BLOCKS,
            block: Sums::ZERO,
            blocks: [Sums::ZERO; 2],
            threes: [Sums::ZERO; 2],
            window: Sums::ZERO,
            before: Sums::ZERO,
        }
    }

    /// Takes a block; false if there has been nothing but silence for a whole window.
    pub(crate) fn push(&mut self, samples: &[i16; BLOCK]) -> bool {
        self.place = (self.place + 1) % BLOCKS_A_SECOND;
        let samples = samples.map(f32::from);
        let power = mean_square(&samples);
        self.block = if power < SILENCE {
            if self.silent == SILENT_BLOCKS {
                return false;
            }
            self.silent += 1;
            Sums::ZERO
        } else {
            self.silent = 0;
            correlate(&samples, power).turned(&TURNS[self.place])
        };
        let three = self.block + self.blocks[0] + self.blocks[1];
        self.before = self.window;
        self.window = three + self.threes[0] + self.threes[1];
        self.blocks = [self.block, self.blocks[0]];
        self.threes = [three, self.threes[0]];
        true
    }

    /// Mean square of the last block; 0 if that is silence.
    pub(crate) fn block_power(&self) -> f32 {
        self.block.power
    }

    /// Mean square of one frequency in the last block, and of what lies within 200 Hz of it.
    pub(crate) fn block_tone(&self, tone: usize) -> f32 {
        const SCALE: f32 = 2.0 / (BLOCK * BLOCK) as f32;
        SCALE * self.block.magnitude(tone)
    }

    /// Mean square of the window.
    pub(crate) fn window_power(&self) -> f32 {
        self.window.power / WEIGHTS
    }

    /// Which frequency of each group is the strongest, and how far above the next one, as a ratio of powers.
    pub(crate) fn strongest(&self) -> [(usize, f32); 2] {
        let mut magnitudes = [0.0; TONES];
        for (tone, magnitude) in magnitudes.iter_mut().enumerate() {
            *magnitude = self.window.magnitude(tone);
        }
        [0, HALF].map(|group| {
            let (mut best, mut first, mut second) = (group, 0.0, f32::MIN_POSITIVE);
            let members = magnitudes.iter().enumerate().skip(group).take(HALF);
            for (tone, &magnitude) in members {
                let rises = magnitude > first;
                let lower = if rises { first } else { magnitude };
                second = if lower > second { lower } else { second };
                (best, first) = if rises {
                    (tone, magnitude)
                } else {
                    (best, first)
                };
            }
            (best, first / second)
        })
    }

    /// One frequency in the window. The tone's real frequency is told by how its phase goes on from the window before; what the
    /// window loses by the difference is made up for.
    pub(crate) fn tone(&self, tone: usize) -> Tone {
        const SCALE: f32 = 2.0 / ((BLOCK * BLOCK) as f32 * WEIGHTS * WEIGHTS);
        let (now, before) = (&self.window, &self.before);
        let re = now.re[tone] * before.re[tone] + now.im[tone] * before.im[tone];
        let im = now.im[tone] * before.re[tone] - now.re[tone] * before.im[tone];
        let drift = re / sqrt(re * re + im * im).max(f32::MIN_POSITIVE);
        // The weights' frequency response, and the first term of the block's.
        let weights = (1.0 + 2.0 * drift) / 3.0;
        let response = weights * weights * weights * weights * (1.0 - (1.0 - drift) / 6.0);
        Tone {
            power: SCALE * now.magnitude(tone) / response.max(0.05),
            drift,
        }
    }
}

impl Sums {
    const ZERO: Sums = Sums {
        re: [0.0; TONES],
        im: [0.0; TONES],
        power: 0.0,
    };

    fn magnitude(&self, tone: usize) -> f32 {
        self.re[tone] * self.re[tone] + self.im[tone] * self.im[tone]
    }

    /// Brings the phases of a block to those of the first one.
    fn turned(mut self, [cos, sin]: &[Each; 2]) -> Sums {
        for tone in 0..TONES {
            let (re, im) = (self.re[tone], self.im[tone]);
            self.re[tone] = re * cos[tone] + im * sin[tone];
            self.im[tone] = im * cos[tone] - re * sin[tone];
        }
        self
    }
}

impl Add for Sums {
    type Output = Sums;

    fn add(mut self, other: Sums) -> Sums {
        for tone in 0..TONES {
            self.re[tone] += other.re[tone];
            self.im[tone] += other.im[tone];
        }
        self.power += other.power;
        self
    }
}

/// The phase is that of the block's middle, around which cosines are even and sines odd: half the products.
fn correlate(samples: &[f32; BLOCK], power: f32) -> Sums {
    let (mut even, mut odd) = ([0.0; BLOCK / 2], [0.0; BLOCK / 2]);
    for n in 0..BLOCK / 2 {
        let (left, right) = (samples[n], samples[BLOCK - 1 - n]);
        (even[n], odd[n]) = (left + right, left - right);
    }
    let (mut re, mut im) = ([0.0; TONES], [0.0; TONES]);
    for n in 0..BLOCK / 2 {
        let [cos, sin] = &WAVES.0[n];
        for tone in 0..TONES {
            re[tone] += even[n] * cos[tone];
            im[tone] += odd[n] * sin[tone];
        }
    }
    Sums { re, im, power }
}

fn mean_square(samples: &[f32; BLOCK]) -> f32 {
    let mut lanes = [0.0; 8];
    for eight in samples.as_chunks::<8>().0 {
        for (lane, sample) in lanes.iter_mut().zip(eight) {
            *lane += sample * sample;
        }
    }
    lanes.iter().sum::<f32>() / BLOCK as f32
}

/// Aligned so that a product takes its factor from memory.
#[repr(align(32))]
struct Waves([[Each; 2]; BLOCK / 2]);

/// Cosines and sines of each frequency, from the block's first sample to its middle.
static WAVES: Waves = {
    let mut waves = [[[0.0; TONES]; 2]; BLOCK / 2];
    let mut n = 0;
    while n < BLOCK / 2 {
        let to_middle = (BLOCK - 1) as f64 / 2.0 - n as f64;
        let mut tone = 0;
        while tone < TONES {
            let turns = HERTZ[tone] as f64 * to_middle / RATE;
            waves[n][0][tone] = cosine(turns) as f32;
            waves[n][1][tone] = cosine(turns - 0.25) as f32;
            tone += 1;
        }
        n += 1;
    }
    Waves(waves)
};

/// Cosine and sine of how far each frequency has turned at the beginning of each block of a second.
static TURNS: [[Each; 2]; BLOCKS_A_SECOND] = {
    let mut turns = [[[0.0; TONES]; 2]; BLOCKS_A_SECOND];
    let mut block = 0;
    while block < BLOCKS_A_SECOND {
        let mut tone = 0;
        while tone < TONES {
            let turned = (HERTZ[tone] as usize * block % BLOCKS_A_SECOND) as f64;
            let turned = turned / BLOCKS_A_SECOND as f64;
            turns[block][0][tone] = cosine(turned) as f32;
            turns[block][1][tone] = cosine(turned - 0.25) as f32;
            tone += 1;
        }
        block += 1;
    }
    turns
};

/// The least [`Tone::drift`] of tones that are off by at most `part` of their frequency and `hertz` beside that; less than
/// half of the block's rate.
pub(crate) const fn least_drift(part: f64, hertz: f64) -> Each {
    let mut least = [0.0; TONES];
    let mut tone = 0;
    while tone < TONES {
        let off = HERTZ[tone] as f64 * part + hertz;
        assert!(off < BLOCKS_A_SECOND as f64 / 2.0);
        least[tone] = cosine(off / BLOCKS_A_SECOND as f64) as f32;
        tone += 1;
    }
    least
}

/// The ratio of powers that so many decibels are.
pub(crate) const fn db(decibels: f64) -> f32 {
    let mut power = taylor(decibels * LN_10 / 10.0 / 1024.0);
    let mut doublings = 0;
    while doublings < 10 {
        power *= power;
        doublings += 1;
    }
    power as f32
}

/// The mean square of a sine of that level: one that fills 16 bits has +3.17 dBm0 (G.711, µ-law).
pub(crate) const fn dbm0(level: f64) -> f32 {
    32_768.0 * 32_768.0 / 2.0 * db(level - 3.17)
}

/// eˣ for a small x.
const fn taylor(x: f64) -> f64 {
    1.0 + x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0)))
}

/// Cosine of an angle in turns, for tables: `core` has none.
const fn cosine(turns: f64) -> f64 {
    let whole = turns as i64;
    // Within half a turn of 0, then an eighth of that: the series is short, the angle is doubled three times.
    let mut rest = turns - whole as f64;
    if rest > 0.5 {
        rest -= 1.0;
    } else if rest < -0.5 {
        rest += 1.0;
    }
    let x = rest * TAU / 8.0;
    let square = x * x;
    let mut cosine = 1.0
        - square / 2.0
            * (1.0
                - square / 12.0
                    * (1.0 - square / 30.0 * (1.0 - square / 56.0 * (1.0 - square / 90.0))));
    let mut doublings = 0;
    while doublings < 3 {
        cosine = 2.0 * cosine * cosine - 1.0;
        doublings += 1;
    }
    cosine
}

/// Square root to 5 digits, by halving the exponent and two of Newton's steps: `core` has none.
fn sqrt(square: f32) -> f32 {
    if square < f32::MIN_POSITIVE {
        return 0.0;
    }
    let mut root = f32::from_bits((square.to_bits() >> 1) + 0x1fbd_1df5);
    root = 0.5 * (root + square / root);
    0.5 * (root + square / root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_without_a_library_is_right() {
        for n in -300..300 {
            let turns = f64::from(n) / 97.0;
            assert!(
                (cosine(turns) - (turns * TAU).cos()).abs() < 1e-9,
                "{turns}"
            );
            let ratio = f64::from(db(f64::from(n) / 5.0));
            let exact = 10f64.powf(f64::from(n) / 50.0);
            assert!((ratio / exact - 1.0).abs() < 1e-5, "{ratio} for {exact}");
            let square = exact as f32 * 1e20;
            assert!(
                (sqrt(square) / square.sqrt() - 1.0).abs() < 1e-4,
                "{square}"
            );
        }
        assert_eq!(sqrt(0.0), 0.0);
    }
}
