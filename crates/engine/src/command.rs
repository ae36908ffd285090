//! What the engine is told while it runs.

use std::{net::SocketAddr, time::Duration};

use conclave_media::{Codec, OpusSettings};

use crate::{ClipId, LegId, PlayId, RoomId};

/// Where a leg receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// One of a few sockets that many legs share and that are told apart by the peer's address:
    /// for peers whose address is known and trusted (trunks, loopback). Cheapest.
    Shared,
    /// A pair of ports for this leg alone, whose peer is found by symmetric RTP
    /// ([`conclave_media::Latch`]): for phones behind address translation.
    Own,
}

/// How the peer's RTCP goes (RFC 3550 section 11, RFC 5761).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rtcp {
    /// On the port above the RTP port.
    #[default]
    NextPort,
    /// Where the peer's `a=rtcp` says.
    At(SocketAddr),
    /// On the RTP port itself (`a=rtcp-mux`).
    Muxed,
}

/// What offer and answer agreed on for one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegMedia {
    /// The peer's negotiated RTP address. An unspecified address (`0.0.0.0`)
    /// or port 0 gets no packet until the leg latches on a source.
    pub remote: SocketAddr,
    /// The codec, both ways.
    pub codec: Codec,
    /// Its RTP payload type.
    pub payload_type: u8,
    /// Payload type of `telephone-event` (RFC 4733), if agreed.
    pub event_payload_type: Option<u8>,
    /// Payload type of comfort noise (RFC 3389), if agreed.
    pub comfort_payload_type: Option<u8>,
    /// How long a packet the peer wishes: 10, 20, 40 or 60 ms are sent, of other wishes the next shorter one, of Opus
    /// always 20 ms.
    pub ptime: Duration,
    /// How RTCP goes.
    pub rtcp: Rtcp,
    /// How its encoder works where the codec is Opus.
    pub opus: OpusSettings,
}

impl LegMedia {
    /// `codec` at its static payload type (96 if it has none), without events or comfort noise, 20 ms a packet, RTCP on the next port.
    pub fn new(remote: SocketAddr, codec: Codec) -> Self {
        LegMedia {
            remote,
            codec,
            payload_type: codec.static_payload_type().unwrap_or(96),
            event_payload_type: None,
            comfort_payload_type: None,
            ptime: Duration::from_millis(20),
            rtcp: Rtcp::NextPort,
            opus: OpusSettings::default(),
        }
    }
}

/// Which way media goes, as the bridge sees it (RFC 3264).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// We send, the peer listens: its packets are not heard by anybody.
    SendOnly,
    /// The peer holds us (`sendonly` from its side): nothing is sent, and the music that it
    /// may send reaches nobody.
    RecvOnly,
    /// The peer holds us silently (`inactive`, or `c=0.0.0.0`).
    Inactive,
}

impl Direction {
    pub(crate) fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// The peer's audio may be heard: not while it holds, even if it sends.
    pub(crate) fn hears(self) -> bool {
        self == Direction::SendRecv
    }
}

/// What a leg hears, apart from plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Route {
    /// Nothing (packets go out all the same).
    #[default]
    Silence,
    /// The hold music: one stream for the whole engine, which goes on where it is.
    Music,
    /// Everybody else in the room.
    Room {
        /// Which; it comes to be with the first leg and goes with the last.
        room: RoomId,
        /// Whether the others hear this leg (false: muted).
        heard: bool,
    },
}

/// How a room sounds. By default voices are as they come, and all are heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sound {
    /// The steady noise of each leg is turned down ([`conclave_mixer::RoomMixer::set_noise_suppression`]).
    pub noise_suppression: bool,
    /// Every voice is brought to the same loudness ([`conclave_mixer::RoomMixer::set_levelling`]).
    pub levelling: bool,
    /// No more than so many are heard at once of those in one thread ([`conclave_mixer::RoomMixer::set_most_talkers`]).
    pub most_talkers: Option<u32>,
}

/// Who hears a play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// One leg: over its room, which is ducked, or instead of music and silence.
    Leg(LegId),
    /// A room, mixed into what everybody hears.
    Room {
        /// Which.
        room: RoomId,
        /// One leg that does not hear it.
        except: Option<LegId>,
    },
}

/// When the recording of a name ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameRules {
    /// This much below −50 dBFS, after something was said or from the beginning. Default 2 s.
    pub silence: Duration,
    /// The longest name. Default 5 s; at most 30 s are kept.
    pub longest: Duration,
}

impl Default for NameRules {
    fn default() -> Self {
        NameRules {
            silence: Duration::from_secs(2),
            longest: Duration::from_secs(5),
        }
    }
}

/// So long a [`Command::Watch`] lasts.
pub const WATCH_LASTS: Duration = Duration::from_secs(5);

/// What the engine is told while it runs. Each acts on the next frame boundary, in the order sent;
/// one that speaks of something that isn't there does nothing
/// (a [`Play`](Command::Play) is answered all the same).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The leg, which has a port by [`reserve`](crate::Engine::reserve), has been answered: from now to
    /// its `Stop` 20 ms go out every 20 ms (in packets of the length that the peer wishes), in one unbroken sequence and SSRC.
    Start {
        /// Which leg.
        leg: LegId,
        /// What was agreed.
        media: LegMedia,
    },
    /// A re-INVITE or UPDATE: new media, new direction. Lets the leg latch once more.
    Update {
        /// Which leg.
        leg: LegId,
        /// What was agreed now.
        media: LegMedia,
        /// Which way.
        direction: Direction,
    },
    /// The call is over. Answered by [`Event::Stopped`](crate::Event::Stopped).
    Stop {
        /// Which leg.
        leg: LegId,
    },
    /// What a leg hears from now on, and whether it is heard.
    Route {
        /// Which leg.
        leg: LegId,
        /// What it hears.
        route: Route,
    },
    /// How a room sounds from now on; a room that is not there doesn't remember it.
    Tune {
        /// Which.
        room: RoomId,
        /// How.
        sound: Sound,
    },
    /// Plays clips one after the other, behind what that audience is being played already.
    Play {
        /// Its name for `StopPlay` and for the answer.
        play: PlayId,
        /// Who hears it.
        to: Audience,
        /// What; one that is unknown is left out.
        clips: Vec<ClipId>,
    },
    /// Ends a play, whether it plays or waits.
    StopPlay {
        /// Which.
        play: PlayId,
    },
    /// Records what the leg says, as `clip`. Answered by
    /// [`Event::NameRecorded`](crate::Event::NameRecorded).
    RecordName {
        /// Which leg.
        leg: LegId,
        /// What the recording is to be called.
        clip: ClipId,
        /// When it ends by itself.
        rules: NameRules,
    },
    /// Ends the leg's recording now.
    FinishName {
        /// Which leg.
        leg: LegId,
    },
    /// Somebody looks at a room: for the next [`WATCH_LASTS`](crate::WATCH_LASTS) its talkers' levels are told four times
    /// a second instead of once. Said again, it lasts on.
    Watch {
        /// Which room.
        room: RoomId,
    },
    /// Asks how a leg's packets fare. Answered by [`Event::Reception`](crate::Event::Reception), if there is such a leg.
    Ask {
        /// Which leg.
        leg: LegId,
    },
    /// Forgets a clip. Where it is being played it is played to its end.
    DropClip {
        /// Which.
        clip: ClipId,
    },
}
