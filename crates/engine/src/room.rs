//! One room: its mix, what is played to it, and each frame encoded once for all who hear the same.

use conclave_mixer::{Heard, Level, Rate, RoomMixer, SlotId, Sum};

use crate::{
    LegId, PlayId, RoomId, Sound, Tap,
    encoding::SharedEncoding,
    leg::Says,
    play::{Play, PlayQueue, Played},
    sums::{Outgoing, Threads, Told},
};

/// Legs that a new room has slots for; more may join.
const EXPECTED_LEGS: usize = 8;
/// The longest frame: 20 ms at 48 kHz.
pub(crate) const LONGEST_FRAME: usize = Rate::Hz48000.frame_len();

pub(crate) struct Room {
    pub(crate) id: RoomId,
    mixer: RoomMixer,
    sound: Sound,
    plays: PlayQueue,
    common: SharedEncoding,
    /// Levels are told often before this tick: somebody looks.
    watched_until: u64,
    /// The other threads that have legs of it, and the highest rate that one of those legs has.
    elsewhere: Threads,
    rate_elsewhere: Rate,
    ear: Option<Ear>,
}

/// What is played to a room in a tick: a frame of that rate, which one leg must not hear.
pub(crate) struct Prompt {
    pub(crate) rate: Rate,
    pub(crate) except: Option<LegId>,
}

/// Where the tap of a room is.
pub(crate) enum Ear {
    Here(Box<dyn Tap>),
    /// In the thread of that number.
    There(usize),
}

impl Room {
    pub(crate) fn new(id: RoomId) -> Self {
        Room {
            id,
            mixer: RoomMixer::new(EXPECTED_LEGS),
            sound: Sound::default(),
            plays: PlayQueue::default(),
            common: SharedEncoding::default(),
            watched_until: 0,
            elsewhere: Threads::default(),
            rate_elsewhere: Rate::Hz8000,
            ear: None,
        }
    }

    /// Other threads have legs of it too.
    pub(crate) fn spread(&mut self, elsewhere: Threads) {
        self.elsewhere = elsewhere;
    }

    pub(crate) fn join(&mut self, rate: Rate, heard: bool) -> SlotId {
        let slot = self.mixer.join(rate);
        self.mixer.set_heard(slot, heard);
        slot
    }

    pub(crate) fn leave(&mut self, slot: SlotId) {
        self.mixer.leave(slot);
    }

    pub(crate) fn set_heard(&mut self, slot: SlotId, heard: bool) {
        self.mixer.set_heard(slot, heard);
    }

    pub(crate) fn tune(&mut self, sound: Sound) {
        if std::mem::replace(&mut self.sound, sound) != sound {
            self.mixer.set_noise_suppression(sound.noise_suppression);
            self.mixer.set_levelling(sound.levelling);
            let most = sound.most_talkers.map(|most| most as usize);
            self.mixer.set_most_talkers(most);
        }
    }

    /// This tick's frame of what a leg says, or of comfort noise in its place.
    pub(crate) fn write(&mut self, slot: SlotId, says: Says, frame: &[i16]) {
        match says {
            Says::Nothing => {}
            Says::Zeros => self.mixer.write_zeros(slot),
            Says::Noise => self.mixer.write_background(slot, frame),
            Says::Sound => self.mixer.write(slot, frame),
        }
    }

    /// What it knows of a leg.
    pub(crate) fn ahead(&self, slot: SlotId) -> Option<&impl Sized> {
        self.mixer.ahead(slot)
    }

    /// Somebody hears it all from now on, or nobody any more.
    pub(crate) fn set_tap(&mut self, ear: Option<Ear>) {
        self.ear = ear;
    }

    /// Lets the tap hear what a leg says.
    pub(crate) fn tap(&mut self, leg: LegId, rate: Rate, frame: &[i16], outgoing: &mut Outgoing) {
        match &mut self.ear {
            Some(Ear::Here(tap)) => tap.hear(Some(leg), frame),
            Some(Ear::There(thread)) => {
                for bundle in outgoing.to(Threads::one(*thread)) {
                    let samples = frame.iter().map(|&x| i32::from(x));
                    bundle.push(self.id, Told::Voice { leg }, rate, samples);
                }
            }
            None => {}
        }
    }

    /// Queues a play to all, or gives it back where too many wait.
    pub(crate) fn play(&mut self, play: Play) -> Result<(), PlayId> {
        self.plays.push(play)
    }

    /// See [`PlayQueue::stop`].
    pub(crate) fn stop(&mut self, play: PlayId) -> bool {
        self.plays.stop(play)
    }

    /// The next frame of what is played to the room.
    pub(crate) fn prompt(
        &mut self,
        frame: &mut [i16; LONGEST_FRAME],
        ended: impl FnMut(PlayId),
    ) -> Option<Prompt> {
        if self.plays.is_empty() {
            return None;
        }
        let rate = self.mixer.rate().max(self.rate_elsewhere);
        match self.plays.fill(rate, &mut frame[..rate.frame_len()], ended) {
            Played::Something { except, named } => {
                if let Some(Ear::Here(tap)) = self.ear.as_mut().filter(|_| !named) {
                    tap.hear(None, &frame[..rate.frame_len()]);
                }
                Some(Prompt { rate, except })
            }
            Played::Nothing => None,
        }
    }

    /// Lets all here but `except` hear a frame of a play.
    pub(crate) fn announce(&mut self, rate: Rate, frame: &[i16], except: Option<SlotId>) {
        self.mixer.announce_at(rate, frame, except);
    }

    /// Tells the other threads that have legs of this room what is said, and played, here.
    pub(crate) fn tell(&mut self, prompt: Option<(Prompt, &[i16])>, outgoing: &mut Outgoing) {
        if self.elsewhere == Threads::default() {
            return;
        }
        let (id, rate) = (self.id, self.mixer.rate());
        self.rate_elsewhere = Rate::Hz8000;
        for bundle in outgoing.to(self.elsewhere) {
            bundle.push(id, Told::Rate, rate, []);
            if let Some((Prompt { rate, except }, frame)) = &prompt {
                let told = Told::Prompt { except: *except };
                bundle.push(id, told, *rate, frame.iter().map(|&x| i32::from(x)));
            }
            for sum in self.mixer.sums() {
                let told = Told::Speech { voices: sum.voices };
                bundle.push(id, told, sum.rate, sum.samples.iter().copied());
            }
        }
    }

    /// What another thread says of this room; `except` is the place of the leg here that must not hear it.
    pub(crate) fn hear(&mut self, told: Told, rate: Rate, samples: &[i32], except: Option<SlotId>) {
        match told {
            Told::Speech { voices } => self.mixer.add(Sum {
                rate,
                voices,
                samples,
            }),
            Told::Prompt { .. } | Told::Voice { .. } => {
                let mut frame = [0; LONGEST_FRAME];
                let frame = &mut frame[..rate.frame_len()];
                for (to, &from) in frame.iter_mut().zip(samples) {
                    *to = from as i16;
                }
                match (told, &mut self.ear) {
                    (Told::Voice { leg }, Some(Ear::Here(tap))) => tap.hear(Some(leg), frame),
                    // It was taken away meanwhile.
                    (Told::Voice { .. }, _) => {}
                    _ => self.announce(rate, frame, except),
                }
            }
            Told::Rate => self.rate_elsewhere = self.rate_elsewhere.max(rate),
        }
    }

    /// What was said and played becomes the mix.
    pub(crate) fn mix(&mut self, tick: u64) {
        if let Some(Ear::Here(tap)) = &mut self.ear {
            tap.end_tick(tick);
        }
        self.mixer.mix();
    }

    /// What a leg hears.
    pub(crate) fn read(&mut self, slot: SlotId, frame: &mut [i16]) -> Heard {
        self.mixer.read(slot, frame)
    }

    /// What a leg hears under a play of its own.
    pub(crate) fn read_under(&mut self, slot: SlotId, prompt: &[i16], frame: &mut [i16]) -> Heard {
        self.mixer.read_under(slot, prompt, frame)
    }

    /// The stream of those who only listen.
    pub(crate) fn encoding(&mut self) -> &mut SharedEncoding {
        &mut self.common
    }

    /// Somebody looks at it for so many ticks from this one on.
    pub(crate) fn watch(&mut self, tick: u64, lasts: u64) {
        self.watched_until = tick + lasts;
    }

    pub(crate) fn is_watched(&self, tick: u64) -> bool {
        tick < self.watched_until
    }

    pub(crate) fn level(&self, slot: SlotId) -> Level {
        self.mixer.level(slot)
    }

    /// The plays that end because the room does.
    pub(crate) fn close(mut self) -> Vec<PlayId> {
        self.plays.clear().collect()
    }
}
