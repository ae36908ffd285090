//! Everything in a room that runs at one sample rate.

use multiversion::multiversion;

use crate::fade::tail;
use crate::fir::{HISTORY, Scratch, convert_onto};
use crate::limiter::Limiter;
use crate::{Rate, SlotId};

/// The sums, contributions and mixes of one rate. Without memory of its own until [`Band::open`].
#[derive(Debug)]
pub(crate) struct Band {
    pub(crate) rate: Rate,
    pub(crate) legs: usize,
    pub(crate) speech: Bus,
    pub(crate) prompts: Bus,
    /// Who contributes in this tick, and one frame for each, as it went into the sum.
    contributors: Vec<SlotId>,
    parts: Vec<i16>,
    /// Who contributed in the last tick.
    previous: Vec<SlotId>,
    withdrawn: usize,
    /// Contributions of this tick that another mixer has summed.
    elsewhere: usize,
    pub(crate) mixed: Mixed,
}

/// What [`Band::mix`] makes for the legs of the rate.
#[derive(Debug, Default)]
pub(crate) struct Mixed {
    /// Speech and prompts of all rates.
    pub(crate) total: Vec<i32>,
    /// The prompts in it.
    pub(crate) prompts: Vec<i32>,
    /// How many contributions are in `total`, other rates counted as one each; those of prompts apart.
    pub(crate) voices: usize,
    pub(crate) announcements: usize,
    /// `total` in the range of 16 bit: what everybody hears who contributes nothing.
    pub(crate) common: Vec<i16>,
    /// What made `common`, before and after.
    pub(crate) limiter_before: Limiter,
    pub(crate) limiter: Limiter,
}

impl Band {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            legs: 0,
            speech: Bus::default(),
            prompts: Bus::default(),
            contributors: Vec::new(),
            parts: Vec::new(),
            previous: Vec::new(),
            withdrawn: 0,
            elsewhere: 0,
            mixed: Mixed::default(),
        }
    }

    /// Makes room for one more leg, so that no tick has to.
    pub(crate) fn open(&mut self) {
        self.legs += 1;
        let len = self.rate.frame_len();
        // In a tick under way, legs that left may have contributed already.
        let most = self.contributors.len() + self.legs;
        if self.parts.len() < most * len {
            self.parts.resize(most * len, 0);
        }
        self.contributors.reserve(self.legs);
        self.previous
            .reserve(most.saturating_sub(self.previous.len()));
        self.open_sums();
        if self.mixed.total.is_empty() {
            self.mixed.total.resize(len, 0);
            self.mixed.prompts.resize(len, 0);
            self.mixed.common.resize(len, 0);
        }
    }

    /// Makes room for what comes at this rate, be there legs of it or not.
    pub(crate) fn open_sums(&mut self) {
        let len = self.rate.frame_len();
        self.speech.open(len);
        self.prompts.open(len);
    }

    /// A leg of the rate has left. With the last one goes what was mixed: nobody who comes later hears it.
    pub(crate) fn close(&mut self) {
        self.legs -= 1;
        if self.legs == 0 {
            let mixed = &mut self.mixed;
            mixed.total.fill(0);
            mixed.prompts.fill(0);
            mixed.common.fill(0);
            (mixed.voices, mixed.announcements) = (0, 0);
        }
    }

    pub(crate) fn start_tick(&mut self) {
        std::mem::swap(&mut self.contributors, &mut self.previous);
        self.contributors.clear();
        self.withdrawn = 0;
        self.elsewhere = 0;
    }

    /// Takes a place in this tick: its number, and the frame to fill before [`Band::sum`].
    pub(crate) fn contribute(&mut self, slot: SlotId) -> (usize, &mut [i16]) {
        let number = self.contributors.len();
        self.contributors.push(slot);
        let len = self.rate.frame_len();
        (number, &mut self.parts[number * len..][..len])
    }

    pub(crate) fn sum(&mut self, number: usize) {
        let len = self.rate.frame_len();
        self.speech.add_frame(&self.parts[number * len..][..len]);
    }

    /// Takes a contribution out of this tick's sum again.
    pub(crate) fn withdraw(&mut self, number: usize) {
        let len = self.rate.frame_len();
        self.speech.add(
            self.parts[number * len..][..len]
                .iter()
                .map(|&x| -i32::from(x)),
        );
        self.withdrawn += 1;
    }

    /// The contributions in this tick's sum.
    pub(crate) fn voices(&self) -> usize {
        self.contributors.len() - self.withdrawn
            + usize::from(self.speech.broken != 0)
            + self.elsewhere
    }

    /// Adds what another mixer has summed.
    pub(crate) fn add(&mut self, voices: usize, samples: &[i32]) {
        self.open_sums();
        self.elsewhere += voices;
        self.speech.add_sum(samples);
    }

    /// A contribution that is not in the sum yet, and will only be if [`Band::sum`] is called.
    pub(crate) fn part_mut(&mut self, number: usize) -> &mut [i16] {
        let len = self.rate.frame_len();
        &mut self.parts[number * len..][..len]
    }

    /// Leaves a contribution that is not in the sum out of it.
    pub(crate) fn leave_out(&mut self, number: usize) {
        self.part_mut(number).fill(0);
        self.withdrawn += 1;
    }

    pub(crate) fn part(&self, number: usize) -> &[i16] {
        let len = self.rate.frame_len();
        &self.parts[number * len..][..len]
    }

    pub(crate) fn contributors(&self) -> &[SlotId] {
        &self.contributors
    }

    pub(crate) fn previous(&self) -> &[SlotId] {
        &self.previous
    }

    /// Mixes what the legs of this rate hear: their own bus as it is, the others' converted.
    pub(crate) fn mix<'a>(
        &mut self,
        others: impl Iterator<Item = &'a Band>,
        scratch: &mut Scratch,
    ) {
        let voices = self.voices();
        let mixed = &mut self.mixed;
        mixed.voices = voices;
        mixed.total.copy_from_slice(&self.speech.sum);
        mixed.prompts.copy_from_slice(&self.prompts.sum);
        mixed.announcements = usize::from(self.prompts.sounding);
        for other in others {
            if other.speech.loaded {
                convert_onto(
                    other.rate,
                    self.rate,
                    &other.speech.wave,
                    &mut mixed.total,
                    scratch,
                );
                mixed.voices += 1;
            }
            if other.prompts.loaded {
                convert_onto(
                    other.rate,
                    self.rate,
                    &other.prompts.wave,
                    &mut mixed.prompts,
                    scratch,
                );
                mixed.announcements += 1;
            }
        }
        if mixed.announcements > 0 {
            for (total, &prompt) in mixed.total.iter_mut().zip(&mixed.prompts) {
                *total = total.wrapping_add(prompt);
            }
        }
        mixed.limiter_before = mixed.limiter;
        mixed.limiter.apply(&mixed.total, &mut mixed.common);
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn add_onto(sum: &mut [i32], frame: &[i16]) {
    for (sum, &x) in sum.iter_mut().zip(frame) {
        *sum += i32::from(x);
    }
}

/// One sum in 32 bits, and its past as far as the filters look back.
#[derive(Debug, Default)]
pub(crate) struct Bus {
    sum: Vec<i32>,
    /// Something was added in this tick; in the last.
    sounding: bool,
    sounded: bool,
    /// Last samples of the signals that broke off since the last mix, summed.
    broken: i32,
    /// [`HISTORY`] and this tick's sum, for the conversion to other rates.
    wave: Vec<f32>,
    loaded: bool,
    has_past: bool,
}

/// More than the legs of one rate in one mixer come to; three of it don't overflow.
const LOUDEST_SUM: i32 = 1 << 28;

impl Bus {
    fn open(&mut self, len: usize) {
        self.sum.resize(len, 0);
        self.wave.resize(HISTORY + len, 0.0);
    }

    pub(crate) fn add(&mut self, samples: impl Iterator<Item = i32>) {
        self.sounding = true;
        for (sum, x) in self.sum.iter_mut().zip(samples) {
            *sum += x;
        }
    }

    fn add_frame(&mut self, frame: &[i16]) {
        self.sounding = true;
        add_onto(&mut self.sum, frame);
    }

    /// A signal that stood at `last` goes no further: it fades from there instead of stepping to zero.
    pub(crate) fn break_off(&mut self, last: i32) {
        self.broken += last;
    }

    /// All is added but what broke off.
    pub(crate) fn settle(&mut self, fade: usize) {
        if self.broken != 0 {
            self.add(tail(self.broken, fade));
        }
    }

    /// What has been added in this tick, if anything.
    pub(crate) fn sum(&self) -> Option<&[i32]> {
        self.sounding.then_some(&self.sum)
    }

    fn add_sum(&mut self, samples: &[i32]) {
        self.sounding = true;
        for (sum, &x) in self.sum.iter_mut().zip(samples) {
            *sum = sum.saturating_add(x).clamp(-LOUDEST_SUM, LOUDEST_SUM);
        }
    }

    /// The sum is complete.
    pub(crate) fn close(&mut self, others_listen: bool) {
        self.loaded = others_listen && (self.sounding || self.sounded);
        if self.loaded {
            for (wave, &x) in self.wave[HISTORY..].iter_mut().zip(&self.sum) {
                *wave = x as f32;
            }
        }
    }

    /// The last sample of the sum, once closed.
    pub(crate) fn last(&self) -> i32 {
        self.sum.last().copied().unwrap_or(0)
    }

    /// Clears the sum for the next tick and keeps its end as the past.
    pub(crate) fn next(&mut self) {
        if self.loaded {
            let len = self.sum.len();
            self.wave.copy_within(len.., 0);
            self.has_past = self.sounding;
        } else if self.has_past {
            self.wave.fill(0.0);
            self.has_past = false;
        }
        if self.sounding {
            self.sum.fill(0);
        }
        self.sounded = self.sounding;
        self.sounding = false;
        self.loaded = false;
        self.broken = 0;
    }
}
