//! In-band DTMF by ITU-T Q.24: tones in 8 kHz audio to digits.

use core::fmt;

use crate::{
    Digit,
    bank::{BLOCK, Bank, Each, HALF, Tone, db, dbm0, least_drift},
};

/// Finds DTMF digits in the 8 kHz audio of one leg, by the limits of ITU-T Q.24 (its table for the
/// strictest administration of each limit):
///
/// | | accepted | refused |
/// | --- | --- | --- |
/// | each frequency | ±1.5 % and 2 Hz | beyond ±3.5 % |
/// | each tone's level | 0 to −25 dBm0 | −55 dBm0 |
/// | high tone against low tone | +4 to −8 dB | beyond +8 and −12 dB |
/// | time of tone | 40 ms | 23 ms |
/// | pause; a gap within one digit | 40 ms apart: two digits | 10 ms apart: one digit |
/// | a cycle of tone and pause | 93 ms | |
/// | noise | 15 dB below both tones, over 0 to 4 kHz | |
///
/// 0 dBm0 is 3.17 dB below a sine that fills 16 bits, as in µ-law (A-law: 3.14 dB).
///
/// It costs little while the line is quiet, allocates nothing, and its answer depends on the samples alone, not
/// on the lengths in which they come.
///
/// ```
/// use conclave_dtmf::{Digit, ToneDetector};
///
/// let mut tones = ToneDetector::new();
/// let mut digits = Vec::new();
/// let sine = |hertz: f64, n: i32| (hertz * std::f64::consts::TAU * f64::from(n) / 8000.0).sin();
/// for n in 0..800 {
///     let five = 4000.0 * (sine(770.0, n) + sine(1336.0, n));
///     tones.push(&[five as i16], |digit| digits.push(digit));
/// }
/// assert_eq!(digits, [Digit::new('5').unwrap()]); // once, however long it lasts
/// assert!(tones.suspects()); // still being sent
/// ```
#[derive(Clone)]
pub struct ToneDetector {
    /// Samples that don't fill a block yet.
    pending: [i16; BLOCK],
    pending_len: usize,
    bank: Bank,
    /// Mean squares of the last blocks, as a ring.
    powers: [f32; RUN_BLOCKS],
    next_power: usize,
    /// Windows in succession that were this digit's.
    run: Run,
    held: Option<Held>,
}

/// A digit that may be one: it has passed in the last `passes` windows.
#[derive(Clone, Copy)]
struct Run {
    pair: Pair,
    passes: u32,
}

/// A digit that was told of and whose tone goes on.
#[derive(Clone, Copy)]
struct Held {
    pair: Pair,
    power: f32,
    /// Blocks in succession without the tone.
    absent: u32,
    /// Blocks in succession at whose end the window wasn't the tone's.
    unlike: u32,
}

/// Which low and which high tone.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Pair {
    low: usize,
    high: usize,
}

/// The strongest tone of each group in the last window.
#[derive(Clone, Copy)]
struct Window {
    pair: Pair,
    low: Tone,
    high: Tone,
    /// The lesser of how far both stand above their groups, as a ratio of powers.
    peak: f32,
    /// Mean square of everything.
    whole: f32,
}

/// By low tone (rows) and high tone (columns).
const KEYS: [[char; HALF]; HALF] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];

/// Three windows of 25 ms, 5 ms apart, are 35 ms: what 40 ms of tone fill wherever they begin.
const PASSES: u32 = 3;
const RUN_BLOCKS: usize = 7;
/// Windows that look like a digit before it is kept from others. Speech has one that does once in an hour or two.
const SUSPICIOUS: u32 = 1;
/// How much tone those 35 ms have to hold: the middle between 23 and 40 ms.
const SHORTEST_BLOCKS: f32 = 6.0;

/// What a window must be to count.
struct Limits {
    /// Each tone's mean square.
    softest: f32,
    /// High tone over low tone, as a ratio of powers.
    twist: [f32; 2],
    /// Part of the window's power that both tones make up. What a voice has beside two of its
    /// harmonics, the second harmonic of the low tone among them, is counted here.
    share: f32,
    /// The best tone of a group over its others, as a ratio of powers.
    peak: f32,
    /// How well each tone's phase has to go on, which is how near its frequency is.
    drift: Each,
}

/// −36 dBm0 for each tone, midway between −25 and −55 and somewhat more for what noise does; +6 to −10 dB of twist; −0.7 dB of
/// the power (noise at 15 dB leaves −0.14); 8 dB within a group; midway between 1.5 % + 2 Hz and 3.5 %.
const NEW: Limits = Limits {
    softest: dbm0(-36.0),
    twist: [db(-10.0), db(6.0)],
    share: 0.85,
    peak: db(8.0),
    drift: least_drift(0.025, 1.0),
};

/// A digit that was told of goes on through what would not begin one.
const HELD: Limits = Limits {
    softest: dbm0(-42.0),
    twist: [db(-14.0), db(10.0)],
    share: 0.6,
    peak: db(6.0),
    drift: least_drift(0.028, 2.0),
};

/// Blocks without the tone after which it is over: 25 ms, more than a gap of 10 ms and less than a pause of 40.
const OVER_ABSENT: u32 = 5;
/// Blocks without a window that is the tone's, after which it is over too: a voice has parts of any tone. A gap of 10 ms spoils seven.
const OVER_UNLIKE: u32 = 10;

impl ToneDetector {
    /// A detector that has heard nothing yet.
    pub const fn new() -> Self {
        ToneDetector {
            pending: [0; BLOCK],
            pending_len: 0,
            bank: Bank::new(),
            powers: [0.0; RUN_BLOCKS],
            next_power: 0,
            run: Run::NONE,
            held: None,
        }
    }

    /// Takes the samples that come next, any number of them; tells of each digit when it is certain, 30 to
    /// 40 ms after its tone began.
    pub fn push(&mut self, samples: &[i16], mut digit: impl FnMut(Digit)) {
        let mut rest = samples;
        if self.pending_len > 0 {
            let (head, tail) = rest.split_at(rest.len().min(BLOCK - self.pending_len));
            self.pending[self.pending_len..][..head.len()].copy_from_slice(head);
            self.pending_len += head.len();
            rest = tail;
            if self.pending_len < BLOCK {
                return;
            }
            self.pending_len = 0;
            let block = self.pending;
            self.block(&block).map(&mut digit);
        }
        let (blocks, rest) = rest.as_chunks();
        for block in blocks {
            self.block(block).map(&mut digit);
        }
        self.pending[..rest.len()].copy_from_slice(rest);
        self.pending_len = rest.len();
    }

    /// Whether the last samples are to be kept from others: a digit goes on, or seems to have begun (20 to 30 ms ago).
    pub fn suspects(&self) -> bool {
        self.held.is_some() || self.run.passes >= SUSPICIOUS
    }

    fn block(&mut self, samples: &[i16; BLOCK]) -> Option<Digit> {
        let sounds = self.bank.push(samples);
        if !sounds && self.held.is_none() {
            self.run = Run::NONE;
            return None;
        }
        self.powers[self.next_power] = self.bank.block_power();
        self.next_power = (self.next_power + 1) % RUN_BLOCKS;
        let window = self.window();
        self.hold(window);

        let Some(window) = window.filter(|window| window.fits(&NEW)) else {
            self.run = Run::NONE;
            return None;
        };
        let pair = window.pair;
        let before = if self.run.pair == pair {
            self.run.passes
        } else {
            0
        };
        let passes = before.saturating_add(1);
        self.run = Run { pair, passes };
        let power = window.power();
        let goes_on = self.held.is_some_and(|held| held.pair == pair);
        if goes_on || passes < PASSES || !self.is_long(power) {
            return None;
        }
        self.held = Some(Held {
            pair,
            power,
            absent: 0,
            unlike: 0,
        });
        Digit::new(KEYS[pair.low][pair.high - HALF])
    }

    /// Whether the tone that was told of goes on.
    fn hold(&mut self, window: Option<Window>) {
        let Some(mut held) = self.held else { return };
        let Pair { low, high } = held.pair;
        let power = self.bank.block_power();
        let both = self.bank.block_tone(low) + self.bank.block_tone(high);
        // −3 dB of the block, −6 dB of what the tone had.
        let present = both >= 0.5 * power && power >= 0.25 * held.power;
        held.absent = if present { 0 } else { held.absent + 1 };
        match window {
            Some(window) if window.pair == held.pair && window.fits(&HELD) => {
                held.power = window.power();
                held.unlike = 0;
            }
            Some(_) | None => held.unlike += 1,
        }
        let over = held.absent >= OVER_ABSENT || held.unlike >= OVER_UNLIKE;
        self.held = (!over).then_some(held);
    }

    /// The last window, if it might be a tone's.
    fn window(&self) -> Option<Window> {
        let whole = self.bank.window_power();
        if whole < 2.0 * HELD.softest {
            return None;
        }
        let [(low, low_peak), (high, high_peak)] = self.bank.strongest();
        let peak = low_peak.min(high_peak);
        (peak >= HELD.peak).then(|| Window {
            pair: Pair { low, high },
            low: self.bank.tone(low),
            high: self.bank.tone(high),
            peak,
            whole,
        })
    }

    /// Whether the last 35 ms hold enough of a tone of that power.
    fn is_long(&self, power: f32) -> bool {
        let blocks: f32 = self
            .powers
            .iter()
            .map(|block| (block / power).min(1.0))
            .sum();
        blocks >= SHORTEST_BLOCKS
    }
}

impl Window {
    /// Mean square of both tones.
    fn power(&self) -> f32 {
        self.low.power + self.high.power
    }

    fn fits(&self, limits: &Limits) -> bool {
        let (low, high) = (self.low, self.high);
        let [least, most] = limits.twist;
        self.peak >= limits.peak
            && self.power() >= limits.share * self.whole
            && low.drift >= limits.drift[self.pair.low]
            && high.drift >= limits.drift[self.pair.high]
            && low.power.min(high.power) >= limits.softest
            && high.power >= least * low.power
            && high.power <= most * low.power
    }
}

impl Default for ToneDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl Run {
    const NONE: Run = Run {
        pair: Pair { low: 0, high: 0 },
        passes: 0,
    };
}

/// What is heard may be a PIN: `Debug` says that there is a detector, and no more.
impl fmt::Debug for ToneDetector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToneDetector").finish_non_exhaustive()
    }
}
