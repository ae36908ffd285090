use multiversion::multiversion;

use crate::band::Band;
use crate::fade::{cross, line, round, scale, scale_sum, tail};
use crate::fir::{self, Scratch};
use crate::leveller::Leveller;
use crate::levels::power;
use crate::limiter::Limiter;
use crate::slots::Slots;
use crate::suppressor::Suppressor;
use crate::talker::Talker;
use crate::{Level, Rate, SlotId};

/// What [`RoomMixer::read`] gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Heard {
    /// Zeros: nobody makes a sound, and all who contribute nothing hear the same.
    Silence,
    /// Zeros: nobody but this leg makes a sound, or what does isn't for it.
    Alone,
    /// Exactly [`RoomMixer::common`]: encode it once for all legs of this rate and codec.
    Common,
    /// A mix that this leg alone hears.
    Own,
}

/// What the legs of one rate say together in a tick: [`RoomMixer::sums`].
#[derive(Clone, Copy, Debug)]
pub struct Sum<'a> {
    /// Of the samples.
    pub rate: Rate,
    /// How many contributions are in it.
    pub voices: usize,
    /// A frame; beyond 16 bits where many talk.
    pub samples: &'a [i32],
}

/// The mixer of one room, or of those of its legs that one thread has.
///
/// # The tick
///
/// Every 20 ms, in this order: [`write`](Self::write) for each leg that has a frame and
/// [`announce`](Self::announce) for a prompt to the room, in any order; [`mix`](Self::mix) once; then
/// [`read`](Self::read) or [`read_under`](Self::read_under) for each leg that listens. Nothing of it allocates.
/// What joins, leaves and is muted does so between two ticks (between two of these calls does no harm).
///
/// A leg that writes nothing costs nothing, and all legs that write nothing (or zeros) share one mix. The work
/// grows with the number of legs, not with its square: what a talker hears is the sum of all less its own part of
/// it, exactly as it went in, and the limiter comes after that. So no overload brings a voice back to its owner.
///
/// # One room in several threads
///
/// Each thread has a mixer for its legs. Between writing and `mix` it passes on its own [`sums`](Self::sums) and
/// [`add`](Self::add)s those of the others; what is heard is then the same as from one mixer.
///
/// # Rates
///
/// Each rate in use has its own sum. A leg hears the others of its rate sample for sample, and those of other
/// rates through one conversion that all listeners of a rate share; a room of one rate converts nothing. So a
/// pair of legs hears each other at the highest rate that both can use, and a leg of another rate that comes or
/// goes changes nothing in what was heard before.
///
/// # Levels
///
/// Each is off at first. [`set_noise_suppression`](Self::set_noise_suppression) turns down what is steady noise on a leg;
/// [`set_levelling`](Self::set_levelling) brings every leg's speech to the loudness of telephone
/// speech; [`set_most_talkers`](Self::set_most_talkers) bounds how many are heard at once. The limiter is always there.
///
/// # Edges
///
/// A leg that starts to write, after joining or after a pause, fades in over 5 ms; one that stops or leaves
/// fades out from its last sample over 5 ms; muting and unmuting fade over a frame; the room fades in for a
/// newcomer, and is ducked by 15 dB under a private prompt and comes back, over 100 ms. In between, samples pass
/// unchanged.
///
/// Frames of a wrong length are cut or filled with zeros, and a slot that has left is ignored. At most 8,192
/// legs of one rate can be heard at once; what further ones write is left out.
#[derive(Debug)]
pub struct RoomMixer {
    legs: Slots<Leg>,
    bands: [Band; 3],
    /// The number of the tick that is written or, after `mix`, read.
    tick: u64,
    writing: bool,
    settled: bool,
    announcer: Announcer,
    suppression: bool,
    levelling: bool,
    /// Of legs that have left, for those that come: leaving frees nothing.
    #[allow(clippy::vec_box)] // they go from leg to leg as pointers
    suppressors: Vec<Box<Suppressor>>,
    #[allow(clippy::vec_box)]
    levellers: Vec<Box<Leveller>>,
    most_talkers: Option<usize>,
    /// Who would be heard: how loud, of which rate, its number there.
    talkers: Vec<(f32, usize, usize)>,
    mix: Vec<i32>,
    frame: Vec<i16>,
    scratch: Scratch,
}

#[derive(Debug)]
struct Leg {
    rate: Rate,
    // As a source.
    written: Option<u64>,
    part: Option<Part>,
    /// The last sample that went into the sum.
    last: i16,
    gain: f32,
    heard: f32,
    talker: Talker,
    suppressor: Option<Box<Suppressor>>,
    leveller: Option<Box<Leveller>>,
    /// How loud lately, as far as that counts for being among the loudest, and whether it was.
    loudness: f32,
    among_loudest: bool,
    // As a listener.
    room_gain: f32,
    limiter: Limiter,
    prompted: bool,
    /// The last sample of the private prompt.
    prompt_last: i16,
    excepted: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    tick: u64,
    number: usize,
}

/// The state of the announcements to the room.
#[derive(Debug, Default)]
struct Announcer {
    rate: Rate,
    now: bool,
    before: bool,
    last: i32,
}

/// With so many, at full scale and converted from both other rates, the 32 bits of a sum still don't overflow.
const MOST_TALKERS: usize = 8_192;
/// What is no speech counts so much less among the loudest: 20 dB.
const NO_SPEECH: f32 = 0.01;
/// Who is among the loudest stays so until others are 6 dB louder.
const STAYS: f32 = 4.0;
/// A loudness dies away by 20 dB in a second, so that a pause in a sentence keeps its place.
const FADES: f32 = 0.912;
/// The room under a private prompt: −15 dB.
const DUCKED: f32 = 0.178;
/// How much of the room comes back in a frame.
const RISE: f32 = 0.2;

impl RoomMixer {
    /// An empty room in which `capacity` legs find their slots without a further allocation of the list of legs.
    /// More may join.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let longest = Rate::Hz48000.frame_len();
        fir::prepare();
        Self {
            legs: Slots::with_capacity(capacity),
            bands: Rate::ALL.map(Band::new),
            tick: 1,
            writing: false,
            settled: false,
            announcer: Announcer::default(),
            suppression: false,
            levelling: false,
            suppressors: Vec::new(),
            levellers: Vec::new(),
            most_talkers: None,
            talkers: Vec::new(),
            mix: vec![0; longest],
            frame: vec![0; longest],
            scratch: Scratch::new(),
        }
    }

    /// Lets a leg in whose frames are of `rate`. Allocates, so that the ticks don't have to.
    pub fn join(&mut self, rate: Rate) -> SlotId {
        self.bands[rate as usize].open();
        if self.most_talkers.is_some() {
            self.make_room_to_choose(1);
        }
        let suppressor = self.suppression.then(|| self.new_suppressor(rate));
        let leveller = self.levelling.then(|| self.new_leveller());
        self.legs.insert(Leg {
            rate,
            written: None,
            part: None,
            last: 0,
            gain: 1.0,
            heard: 1.0,
            talker: Talker::default(),
            suppressor,
            leveller,
            loudness: 0.0,
            among_loudest: true,
            room_gain: 0.0,
            limiter: Limiter::default(),
            prompted: false,
            prompt_last: 0,
            excepted: None,
        })
    }

    /// Takes a leg out; what it said fades.
    pub fn leave(&mut self, slot: SlotId) {
        let Some(mut leg) = self.legs.remove(slot) else {
            return;
        };
        self.suppressors.extend(leg.suppressor.take());
        self.levellers.extend(leg.leveller.take());
        let band = &mut self.bands[leg.rate as usize];
        band.close();
        if let Some(part) = leg
            .part
            .filter(|part| self.writing && part.tick == self.tick)
        {
            if self.most_talkers.is_some() {
                band.leave_out(part.number);
            } else {
                band.withdraw(part.number);
            }
        }
        band.speech.break_off(leg.last.into());
    }

    /// Mutes or unmutes a leg for all others, with a fade over its next frame. Legs join unmuted.
    pub fn set_heard(&mut self, slot: SlotId, heard: bool) {
        if let Some(leg) = self.legs.get_mut(slot) {
            leg.heard = if heard { 1.0 } else { 0.0 };
        }
    }

    /// Turns down the steady noise of each leg by up to 12 dB before it is mixed, or no longer. It needs half a second to know a
    /// leg's noise; what is said comes 6 to 9 ms later. To be called between two ticks. Allocates.
    pub fn set_noise_suppression(&mut self, on: bool) {
        if self.suppression != on {
            self.suppression = on;
            self.suppressors = Vec::with_capacity(self.legs.len());
            for leg in self.legs.iter_mut() {
                leg.suppressor = on.then(|| Box::new(Suppressor::new(leg.rate)));
            }
        }
    }

    /// Brings the speech of each leg to −19 dBm0 before it is mixed, or no longer: by at most 8 dB/s in its first 1.5 s of
    /// speech and 2 dB/s after, up to 18 dB louder or 15 dB softer; in silence and noise the gain rests. To be called
    /// between two ticks. Allocates.
    pub fn set_levelling(&mut self, on: bool) {
        if self.levelling != on {
            self.levelling = on;
            self.levellers = Vec::with_capacity(self.legs.len());
            for leg in self.legs.iter_mut() {
                leg.leveller = on.then(Box::default);
            }
        }
    }

    /// Lets no more than so many be heard at once, the loudest who speak, or all of them (`None`). Who is heard gives way
    /// only to somebody 6 dB louder. To be called between two ticks. Allocates.
    pub fn set_most_talkers(&mut self, most: Option<usize>) {
        self.most_talkers = most;
        self.make_room_to_choose(0);
    }

    /// This tick's frame of a leg, at the leg's rate. A second one in the same tick is ignored.
    pub fn write(&mut self, slot: SlotId, frame: &[i16]) {
        self.take(slot, frame, true);
    }

    /// As [`write`](Self::write), of a frame of zeros, with less to do.
    pub fn write_zeros(&mut self, slot: SlotId) {
        self.take(slot, &[], true);
    }

    /// As [`write`](Self::write), of what is known to be nobody's voice, such as comfort noise: it is heard, and has no
    /// [`level`](Self::level).
    pub fn write_background(&mut self, slot: SlotId, frame: &[i16]) {
        self.take(slot, frame, false);
    }

    fn take(&mut self, slot: SlotId, frame: &[i16], may_be_voice: bool) {
        let tick = self.start_tick();
        let Some(leg) = self
            .legs
            .get_mut(slot)
            .filter(|leg| leg.written != Some(tick))
        else {
            return;
        };
        let frame = &frame[..frame.len().min(leg.rate.frame_len())];
        let frame = match &mut leg.suppressor {
            None => frame,
            Some(suppressor) => {
                let clean = &mut self.frame[..leg.rate.frame_len()];
                let (said, rest) = clean.split_at_mut(frame.len());
                said.copy_from_slice(frame);
                rest.fill(0);
                suppressor.apply(clean, &mut self.scratch);
                clean
            }
        };
        let power = power(frame);
        if may_be_voice {
            let speaks = leg.talker.hear(power, tick);
            if let Some(leveller) = &mut leg.leveller {
                leveller.hear(power, speaks, tick);
            }
        }
        let goes_on = leg.written == Some(tick - 1);
        let from = if goes_on { leg.gain } else { leg.heard };
        let to = leg.heard;
        leg.written = Some(tick);
        leg.gain = to;
        leg.last = 0;
        let band = &mut self.bands[leg.rate as usize];
        if power <= nothing(leg.rate)
            || (from == 0.0 && to == 0.0)
            || band.contributors().len() >= MOST_TALKERS
        {
            return;
        }
        let (number, part) = band.contribute(slot);
        let (said, rest) = part.split_at_mut(frame.len());
        said.copy_from_slice(frame);
        rest.fill(0);
        if let Some(leveller) = &mut leg.leveller {
            leveller.apply(part);
        }
        if from != 1.0 || to != 1.0 {
            scale(part, from, to);
        }
        if !goes_on {
            scale(&mut part[..leg.rate.fade_len()], 0.0, 1.0);
        }
        if self.most_talkers.is_none() {
            band.sum(number);
        }
        leg.part = Some(Part { tick, number });
    }

    /// This tick's frame, at the room's [rate](Self::rate), of a prompt that all hear but `except`.
    ///
    /// More than one may be announced in a tick. A leg that one of them excepts hears none of them.
    pub fn announce(&mut self, frame: &[i16], except: Option<SlotId>) {
        self.announce_at(self.rate(), frame, except);
    }

    /// The same for a frame of any rate, such as the room has where another thread has its other legs. The first one of a rate that
    /// no leg has had allocates.
    pub fn announce_at(&mut self, rate: Rate, frame: &[i16], except: Option<SlotId>) {
        let tick = self.start_tick();
        if let Some(leg) = except.and_then(|slot| self.legs.get_mut(slot)) {
            leg.excepted = Some(tick);
        }
        self.bands[rate as usize].open_sums();
        let announcer = &mut self.announcer;
        if announcer.rate != rate {
            // The room's rate has changed under a prompt: it fades out there and in here.
            let bus = &mut self.bands[announcer.rate as usize].prompts;
            bus.break_off(std::mem::take(&mut announcer.last));
            announcer.rate = rate;
            announcer.before = false;
        }
        let bus = &mut self.bands[rate as usize].prompts;
        let samples = frame.iter().map(|&x| i32::from(x));
        if announcer.before {
            bus.add(samples);
        } else {
            let gains = line(0.0, 1.0, rate.fade_len()).chain(std::iter::repeat(1.0));
            bus.add(samples.zip(gains).map(|(x, gain)| round(x as f32 * gain)));
        }
        announcer.now = true;
    }

    /// What was written in this tick, for another mixer of the same room: one sum for each rate at which anything was said.
    /// What is written after it is heard here alone.
    pub fn sums(&mut self) -> impl Iterator<Item = Sum<'_>> {
        self.settle();
        self.bands.iter().filter_map(|band| {
            Some(Sum {
                rate: band.rate,
                voices: band.voices(),
                samples: band.speech.sum()?,
            })
        })
    }

    /// Adds what the legs of another mixer of this room say in this tick, after [`sums`](Self::sums). The first one of a rate that
    /// no leg has had allocates.
    pub fn add(&mut self, sum: Sum<'_>) {
        self.settle();
        self.bands[sum.rate as usize].add(sum.voices, sum.samples);
    }

    /// Mixes what was written, added and announced since the last `mix`: a tick has passed.
    pub fn mix(&mut self) {
        self.settle();
        (self.writing, self.settled) = (false, false);
        let announcer = &mut self.announcer;
        if announcer.before && !announcer.now {
            self.bands[announcer.rate as usize]
                .prompts
                .break_off(announcer.last);
            announcer.last = 0;
        }
        let listening = self.bands.each_ref().map(|band| band.legs > 0);
        for (i, band) in self.bands.iter_mut().enumerate() {
            let others_listen = (0..listening.len()).any(|other| other != i && listening[other]);
            band.prompts.settle(band.rate.fade_len());
            band.speech.close(others_listen);
            band.prompts.close(others_listen);
        }
        for i in 0..self.bands.len() {
            let (below, rest) = self.bands.split_at_mut(i);
            if let Some((band, above)) = rest.split_first_mut().filter(|(band, _)| band.legs > 0) {
                band.mix(below.iter().chain(&*above), &mut self.scratch);
            }
        }
        if self.announcer.now {
            self.announcer.last = self.bands[self.announcer.rate as usize].prompts.last();
        }
        for band in &mut self.bands {
            for (number, &slot) in band.contributors().iter().enumerate() {
                if let Some(leg) = self.legs.get_mut(slot) {
                    leg.last = band.part(number).last().copied().unwrap_or(0);
                }
            }
            band.speech.next();
            band.prompts.next();
        }
    }

    /// What a leg hears in this tick: everybody but itself, at the leg's rate.
    ///
    /// Once for each leg and tick, after [`mix`](Self::mix); before it there is nothing but silence.
    pub fn read(&mut self, slot: SlotId, out: &mut [i16]) -> Heard {
        self.hear(slot, None, out)
    }

    /// As [`read`](Self::read), with this tick's frame of a prompt for this leg alone, at its rate, over the
    /// room, which is ducked under it.
    pub fn read_under(&mut self, slot: SlotId, prompt: &[i16], out: &mut [i16]) -> Heard {
        self.hear(slot, Some(prompt), out)
    }

    /// What those legs of `rate` hear in this tick that contribute nothing. Empty if no leg has had that rate.
    #[must_use]
    pub fn common(&self, rate: Rate) -> &[i16] {
        &self.bands[rate as usize].mixed.common
    }

    /// The highest rate of all legs in the room (8 kHz for an empty one), which is that of announcements.
    #[must_use]
    pub fn rate(&self) -> Rate {
        let used = self.bands.iter().rev().find(|band| band.legs > 0);
        used.map_or(Rate::Hz8000, |band| band.rate)
    }

    /// The memory that [`write`](Self::write) and [`read`](Self::read) are going to touch for a leg, but for its frames: a caller
    /// with more legs than its processor's cache holds may have it fetched in time.
    #[must_use]
    pub fn ahead(&self, slot: SlotId) -> Option<&impl Sized> {
        self.legs.get(slot)
    }

    /// How loud a leg was in this tick, and whether somebody talks there. Silent once it has left.
    #[must_use]
    pub fn level(&self, slot: SlotId) -> Level {
        self.legs
            .get(slot)
            .map_or(Level::SILENT, |leg| leg.talker.level(self.tick))
    }

    /// Legs in the room.
    #[must_use]
    pub fn len(&self) -> usize {
        self.legs.len()
    }

    /// Nobody is in the room.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first call after a `mix` begins the next tick.
    fn start_tick(&mut self) -> u64 {
        if !self.writing {
            self.writing = true;
            self.tick += 1;
            for band in &mut self.bands {
                band.start_tick();
            }
            self.announcer.before = self.announcer.now;
            self.announcer.now = false;
        }
        self.tick
    }

    /// All that the legs here say is in the sums.
    fn settle(&mut self) {
        let tick = self.start_tick();
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        if let Some(most) = self.most_talkers {
            self.choose(most, tick);
        }
        self.fade_out_what_stopped(tick);
        for band in &mut self.bands {
            band.speech.settle(band.rate.fade_len());
        }
    }

    fn new_suppressor(&mut self, rate: Rate) -> Box<Suppressor> {
        // As below.
        self.suppressors.reserve(self.legs.len() + 1);
        let new = Suppressor::new(rate);
        let Some(mut suppressor) = self.suppressors.pop() else {
            return Box::new(new);
        };
        *suppressor = new;
        suppressor
    }

    fn new_leveller(&mut self) -> Box<Leveller> {
        // Room for those of all legs, once they have left.
        self.levellers.reserve(self.legs.len() + 1);
        let mut leveller = self.levellers.pop().unwrap_or_default();
        *leveller = Leveller::default();
        leveller
    }

    fn make_room_to_choose(&mut self, more: usize) {
        // Legs that left in a tick under way have their contributions in it still.
        let most = 2 * (self.legs.len() + more);
        self.talkers
            .reserve(most.saturating_sub(self.talkers.len()));
    }

    /// Sums the loudest of what was written, and fades who comes and goes.
    fn choose(&mut self, most: usize, tick: u64) {
        self.talkers.clear();
        for (band, at) in self.bands.iter().zip(0..) {
            for (number, &slot) in band.contributors().iter().enumerate() {
                let Some(leg) = self.legs.get_mut(slot) else {
                    continue;
                };
                let counts = if leg.talker.talks(tick) {
                    1.0
                } else {
                    NO_SPEECH
                };
                let loud = power(band.part(number)) * counts;
                leg.loudness = loud.max(leg.loudness * FADES);
                let stays = if leg.among_loudest { STAYS } else { 1.0 };
                self.talkers.push((leg.loudness * stays, at, number));
            }
        }
        let loudest = most.min(self.talkers.len());
        if loudest < self.talkers.len() {
            self.talkers
                .select_nth_unstable_by(loudest, |a, b| b.0.total_cmp(&a.0));
        }
        for (place, &(_, at, number)) in self.talkers.iter().enumerate() {
            let band = &mut self.bands[at];
            let Some(leg) = self.legs.get_mut(band.contributors()[number]) else {
                continue;
            };
            let was = std::mem::replace(&mut leg.among_loudest, place < loudest);
            match (was, leg.among_loudest) {
                (false, false) => {
                    leg.part = None;
                    band.leave_out(number);
                    continue;
                }
                (true, true) => {}
                (false, true) => {
                    let fade = leg.rate.fade_len();
                    scale(&mut band.part_mut(number)[..fade], 0.0, 1.0);
                }
                (true, false) => scale(band.part_mut(number), 1.0, 0.0),
            }
            band.sum(number);
        }
    }

    /// A leg that has nothing to say any more contributes the fade from its last sample, so that it is taken out of
    /// what this leg itself hears like all else that it says.
    fn fade_out_what_stopped(&mut self, tick: u64) {
        for band in &mut self.bands {
            for i in 0..band.previous().len() {
                let slot = band.previous()[i];
                let Some(leg) = self.legs.get_mut(slot) else {
                    continue;
                };
                if leg.written == Some(tick) || leg.last == 0 {
                    continue;
                }
                let (number, part) = band.contribute(slot);
                part.fill(0);
                for (part, x) in part
                    .iter_mut()
                    .zip(tail(leg.last.into(), leg.rate.fade_len()))
                {
                    *part = x as i16;
                }
                band.sum(number);
                leg.part = Some(Part { tick, number });
            }
        }
    }

    fn hear(&mut self, slot: SlotId, prompt: Option<&[i16]>, out: &mut [i16]) -> Heard {
        let Some(leg) = self.legs.get_mut(slot).filter(|_| !self.writing) else {
            out.fill(0);
            return Heard::Silence;
        };
        let len = out.len().min(leg.rate.frame_len());
        let (out, rest) = out.split_at_mut(len);
        rest.fill(0);
        let band = &self.bands[leg.rate as usize];
        let mixed = &band.mixed;
        let own = leg
            .part
            .filter(|part| part.tick == self.tick)
            .map(|part| band.part(part.number));
        // What is left of an announcement in the filters and fades is not for an excepted leg either.
        let excepted = mixed.announcements > 0
            && (leg.excepted == Some(self.tick)
                || (leg.excepted == Some(self.tick - 1) && !self.announcer.now));
        let announcements = if excepted { 0 } else { mixed.announcements };
        let silent = mixed.voices + announcements == usize::from(own.is_some());

        let from = leg.room_gain;
        let to = if prompt.is_some() {
            DUCKED
        } else {
            (from + RISE).min(1.0)
        };
        leg.room_gain = to;
        let unchanged = !excepted && from == 1.0 && to == 1.0;
        let plain = own.is_none() && unchanged;
        let prompt_ends = leg.prompt_last != 0;
        if prompt.is_none() && !prompt_ends {
            if silent {
                out.fill(0);
                leg.room_gain = 1.0;
                leg.prompted = false;
                leg.limiter = Limiter::default();
                return if own.is_none() && !excepted {
                    Heard::Silence
                } else {
                    Heard::Alone
                };
            }
            if plain && leg.limiter == mixed.limiter_before {
                out.copy_from_slice(&mixed.common[..len]);
                leg.prompted = false;
                leg.limiter = mixed.limiter;
                return Heard::Common;
            }
        }

        let total = &mixed.total[..len];
        if let Some(own) = own
            && unchanged
            && prompt.is_none()
            && !prompt_ends
            && leg.limiter.pass_less(total, own, out)
        {
            leg.prompted = false;
            return Heard::Own;
        }
        let mix = &mut self.mix[..len];
        match own {
            Some(own) => less(total, own, mix),
            None => mix.copy_from_slice(total),
        }
        if excepted {
            for (mix, &prompt) in mix.iter_mut().zip(&mixed.prompts) {
                *mix = mix.wrapping_sub(prompt);
            }
        }
        if from != 1.0 || to != 1.0 {
            scale_sum(mix, from, to);
        }
        if prompt.is_some() || prompt_ends {
            leg.add_prompt(prompt, mix, &mut self.frame);
        } else {
            leg.prompted = false;
        }
        leg.limiter.apply(mix, out);
        if plain && prompt.is_none() && !prompt_ends {
            // From a limiter of its own over to everybody's: the next tick is common.
            let frame = &mut self.frame[..len];
            frame.copy_from_slice(out);
            out.copy_from_slice(&mixed.common[..len]);
            cross(frame, out);
            leg.limiter = mixed.limiter;
        }
        Heard::Own
    }
}

impl Leg {
    /// Adds the private prompt, with a fade where it begins or has broken off.
    fn add_prompt(&mut self, prompt: Option<&[i16]>, mix: &mut [i32], frame: &mut [i16]) {
        let fade = self.rate.fade_len();
        let Some(prompt) = prompt else {
            for (mix, x) in mix.iter_mut().zip(tail(self.prompt_last.into(), fade)) {
                *mix += x;
            }
            self.prompted = false;
            self.prompt_last = 0;
            return;
        };
        let frame = &mut frame[..mix.len()];
        let len = prompt.len().min(frame.len());
        frame.fill(0);
        frame[..len].copy_from_slice(&prompt[..len]);
        if !self.prompted {
            scale(&mut frame[..fade.min(len)], 0.0, 1.0);
        }
        for (mix, &x) in mix.iter_mut().zip(&*frame) {
            *mix += i32::from(x);
        }
        self.prompted = true;
        self.prompt_last = frame.last().copied().unwrap_or(0);
    }
}

/// All less one's own.
#[multiversion(targets("x86_64+avx2"))]
fn less(total: &[i32], own: &[i16], mix: &mut [i32]) {
    for ((mix, total), &own) in mix.iter_mut().zip(total).zip(own) {
        *mix = total.wrapping_sub(i32::from(own));
    }
}

/// The power up to which a frame is no sound. What a wideband codec makes of silence is never quite zero (G.722: a mean
/// square of 1 to 3); left in, each silent leg would make a mix of its own for each listener. G.711 has a zero.
fn nothing(rate: Rate) -> f32 {
    match rate {
        Rate::Hz8000 => 0.0,
        Rate::Hz16000 | Rate::Hz48000 => 4.0 / (32_768.0 * 32_768.0),
    }
}
