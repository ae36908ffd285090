//! What several listeners hear alike is encoded once.

use conclave_media::{Codec, Encoder, OpusSettings};

use crate::LegMedia;

/// More than any codec makes of 20 ms (Opus: 1,275 bytes).
pub(crate) const LONGEST_PAYLOAD: usize = 1_300;

/// What a listener is sent: one stream serves all who are sent the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Coding {
    pub(crate) codec: Codec,
    opus: Option<OpusSettings>,
}

impl Coding {
    pub(crate) fn of(media: &LegMedia) -> Self {
        Self {
            codec: media.codec,
            opus: (media.codec == Codec::Opus).then_some(media.opus),
        }
    }

    pub(crate) fn encoder(self) -> Box<dyn Encoder> {
        self.codec.encoder_with(self.opus.unwrap_or_default())
    }
}

/// One stream of audio in each coding that somebody listens in; each frame is encoded when the first
/// listener of its tick asks.
#[derive(Default)]
pub(crate) struct SharedEncoding {
    codings: Vec<Encoded>,
}

struct Encoded {
    coding: Coding,
    encoder: Box<dyn Encoder>,
    /// As it was before the frame of `tick`.
    before: Box<dyn Encoder>,
    tick: Option<u64>,
    length: usize,
    bytes: Box<[u8]>,
}

impl SharedEncoding {
    /// The payload of the frame of `tick`, which must be the same for all who ask.
    pub(crate) fn payload(&mut self, coding: Coding, tick: u64, frame: &[i16]) -> &[u8] {
        let place = match self.codings.iter().position(|e| e.coding == coding) {
            Some(place) => place,
            None => {
                self.codings.push(Encoded {
                    coding,
                    encoder: coding.encoder(),
                    before: coding.encoder(),
                    tick: None,
                    length: 0,
                    bytes: vec![0; LONGEST_PAYLOAD].into(),
                });
                self.codings.len() - 1
            }
        };
        let encoded = &mut self.codings[place];
        if encoded.tick != Some(tick) {
            encoded.before.go_on_as(&*encoded.encoder);
            encoded.length = encoded.encoder.encode(frame, &mut encoded.bytes);
            encoded.tick = Some(tick);
        }
        &encoded.bytes[..encoded.length]
    }

    /// Somebody will hear this stream from the next frame on who heard the same from another encoder.
    pub(crate) fn welcome(&mut self, coding: Coding) {
        if let Some(encoded) = self.codings.iter_mut().find(|e| e.coding == coding) {
            encoded.encoder.welcome();
        }
    }

    /// Lets an encoder go on where the listeners of this stream stand before the frame of `tick`.
    pub(crate) fn hand_over(&self, coding: Coding, tick: u64, own: &mut dyn Encoder) {
        if let Some(encoded) = self.codings.iter().find(|e| e.coding == coding) {
            let now = encoded.tick == Some(tick);
            own.go_on_as(if now {
                &*encoded.before
            } else {
                &*encoded.encoder
            });
        }
    }
}

/// Who else hears a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Alike {
    #[default]
    Nobody,
    Silence,
    Music,
    /// All who only listen in the room at this place of the thread's list.
    Room(usize),
}

/// A leg with a codec that has a memory hears a shared stream only after it has encoded the same frames by itself for
/// so many ticks: half a second, in which the two encoders grow alike.
const GROW_ALIKE: u32 = 25;

/// Which stream a leg shares, and since when it could share another.
///
/// A decoder has the memory of the encoder that it heard. Where a leg leaves a shared stream, because it begins to speak or is
/// played something, its own encoder therefore goes on from that stream's state, and nothing is to be heard of it. Where
/// it could share a stream, its own encoder and the stream's first hear the same for a while.
#[derive(Debug, Default)]
pub(crate) struct Company {
    shares: Alike,
    could_share: Alike,
    ticks: u32,
}

impl Company {
    /// Whether this tick's frame is that of the shared stream; otherwise the leg encodes it by itself.
    pub(crate) fn shares(&mut self, alike: Alike, codec: Codec) -> bool {
        if alike == Alike::Nobody || !codec.has_memory() {
            self.could_share = Alike::Nobody;
            return alike != Alike::Nobody;
        }
        if self.shares == alike {
            return true;
        }
        if self.could_share != alike {
            self.could_share = alike;
            self.ticks = 0;
        }
        self.ticks += 1;
        let grown = self.ticks > GROW_ALIKE;
        if grown {
            self.shares = alike;
        }
        grown
    }

    /// Which stream a pause is of, in which all of the room's hear nothing, as those do who hear silence: the one that the leg has, or
    /// is about to have. Who went over to another one and back would have to encode by itself for a while, each time.
    pub(crate) fn in_pause(&self, room: Alike) -> Alike {
        match self.could_share {
            Alike::Silence => Alike::Silence,
            Alike::Nobody | Alike::Music | Alike::Room(_) => room,
        }
    }

    /// Whether the leg hears the shared stream from the next tick on, if it can.
    pub(crate) const fn arrives(&self) -> bool {
        self.ticks == GROW_ALIKE
    }

    #[cfg(test)]
    pub(crate) const fn now(&self) -> Alike {
        self.shares
    }

    /// The stream that is left, if one was shared.
    pub(crate) fn part(&mut self) -> Alike {
        std::mem::take(&mut self.shares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const G722: Coding = Coding {
        codec: Codec::G722,
        opus: None,
    };

    #[test]
    fn who_hears_the_same_for_long_enough_shares_it() {
        let mut company = Company::default();
        let mut shares = |alike, ticks: u32| -> u32 {
            let shared = |_: &u32| company.shares(alike, Codec::G722);
            (0..ticks).filter(shared).count() as u32
        };
        let room = Alike::Room(1);
        assert_eq!(shares(room, GROW_ALIKE), 0);
        assert_eq!(shares(Alike::Nobody, 1), 0);
        assert_eq!(shares(room, GROW_ALIKE + 3), 3);
        assert_eq!(shares(Alike::Silence, GROW_ALIKE), 0);
        assert_eq!(company.part(), room);
        assert_eq!(company.part(), Alike::Nobody);
        assert!(company.shares(Alike::Silence, Codec::G722));
        assert!(Company::default().shares(room, Codec::Pcmu), "no memory");
        assert!(!Company::default().shares(Alike::Nobody, Codec::Pcmu));
    }

    #[test]
    fn a_pause_is_of_the_stream_that_the_leg_has() {
        let (mut company, room) = (Company::default(), Alike::Room(1));
        assert_eq!(company.in_pause(room), room);
        for alike in [Alike::Silence, room] {
            for tick in 0..=GROW_ALIKE {
                // It speaks alone, or hears somebody, and every third frame is a pause.
                let heard = if tick % 3 == 2 {
                    company.in_pause(room)
                } else {
                    alike
                };
                assert_eq!(company.shares(heard, Codec::Opus), tick == GROW_ALIKE);
            }
            assert_eq!(company.in_pause(room), alike);
        }
    }

    #[test]
    fn who_leaves_a_stream_goes_on_where_its_listeners_stand() {
        let frames: Vec<Vec<i16>> = (0..4_i16)
            .map(|n| {
                (0..320)
                    .map(|at| (at % 40 * 300 - 6_000) * (n % 2 + 1))
                    .collect()
            })
            .collect();
        let check = |asked_before: bool| {
            let mut shared = SharedEncoding::default();
            let mut alone = Codec::G722.encoder();
            let mut bytes = [[0; 160]; 2];
            for (tick, frame) in (0..).zip(&frames[..3]) {
                shared.payload(G722, tick, frame);
                alone.encode(frame, &mut bytes[0]);
            }
            if asked_before {
                shared.payload(G722, 3, &[999; 320]);
            }
            let mut own = Codec::G722.encoder();
            shared.hand_over(G722, 3, &mut *own);
            own.encode(&frames[3], &mut bytes[1]);
            alone.encode(&frames[3], &mut bytes[0]);
            assert_eq!(bytes[0], bytes[1], "{asked_before}");
        };
        check(false);
        check(true);
    }
}
