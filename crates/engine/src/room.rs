//! One room: its mix, what is played to it, and each frame encoded once for all who hear the same.

use conclave_mixer::{Heard, Level, Rate, RoomMixer, SlotId};

use crate::{
    LegId, PlayId, RoomId, Tap,
    encoding::SharedEncoding,
    play::{Play, PlayQueue, Played},
};

/// Legs that a new room has slots for; more may join.
const EXPECTED_LEGS: usize = 8;
/// The longest frame: 20 ms at 48 kHz.
pub(crate) const LONGEST_FRAME: usize = Rate::Hz48000.frame_len();

pub(crate) struct Room {
    pub(crate) id: RoomId,
    mixer: RoomMixer,
    plays: PlayQueue,
    common: SharedEncoding,
    tap: Option<Box<dyn Tap>>,
}

impl Room {
    pub(crate) fn new(id: RoomId) -> Self {
        Room {
            id,
            mixer: RoomMixer::new(EXPECTED_LEGS),
            plays: PlayQueue::default(),
            common: SharedEncoding::default(),
            tap: None,
        }
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

    /// This tick's frame of what a leg says.
    pub(crate) fn write(&mut self, slot: SlotId, frame: &[i16]) {
        self.mixer.write(slot, frame);
    }

    /// Somebody who hears it all from now on, or nobody any more.
    pub(crate) fn set_tap(&mut self, tap: Option<Box<dyn Tap>>) {
        self.tap = tap;
    }

    /// Lets the tap hear what was written.
    pub(crate) fn tap(&mut self, leg: LegId, frame: &[i16]) {
        if let Some(tap) = &mut self.tap {
            tap.hear(Some(leg), frame);
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

    /// The next frame: what is played and what was written become the mix.
    pub(crate) fn mix(
        &mut self,
        tick: u64,
        slot_of: impl Fn(LegId) -> Option<SlotId>,
        ended: impl FnMut(PlayId),
    ) {
        if !self.plays.is_empty() {
            let mut frame = [0; LONGEST_FRAME];
            let rate = self.mixer.rate();
            let frame = &mut frame[..rate.frame_len()];
            if let Played::Something { except, named } = self.plays.fill(rate, frame, ended) {
                self.mixer.announce(frame, except.and_then(slot_of));
                if let Some(tap) = self.tap.as_mut().filter(|_| !named) {
                    tap.hear(None, frame);
                }
            }
        }
        if let Some(tap) = &mut self.tap {
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

    pub(crate) fn level(&self, slot: SlotId) -> Level {
        self.mixer.level(slot)
    }

    /// The plays that end because the room does.
    pub(crate) fn close(mut self) -> Vec<PlayId> {
        self.plays.clear().collect()
    }
}
