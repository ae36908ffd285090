//! What the engine has to say.

use std::time::Duration;

use conclave_dtmf::{Digit, Way};

use crate::{ClipId, LegId, PlayId};

/// What the engine has to say. What answers a command is never lost; digits and levels are, should
/// more than 16,384 events wait to be received.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A digit by RFC 4733 or as a tone, once for each key press and way. Of tones nothing more is said once a digit has
    /// come by RFC 4733 on that leg.
    Digit {
        /// Which leg.
        leg: LegId,
        /// How it came: never by INFO, which the engine doesn't see.
        way: Way,
        /// Which digit.
        digit: Digit,
    },
    /// The play is over: at its end, by `StopPlay`, or because its leg or room is gone.
    PlayEnded {
        /// Which.
        play: PlayId,
    },
    /// A recording has ended.
    NameRecorded {
        /// Whose.
        leg: LegId,
        /// What it was to be called.
        clip: ClipId,
        /// Something was said: at least 200 ms above −50 dBFS. Otherwise nothing is kept.
        usable: bool,
    },
    /// Somebody in a room talks; at most once a second for each, in a room that is [watched](crate::Command::Watch) four
    /// times.
    Level {
        /// Who.
        leg: LegId,
        /// How loud, RMS relative to full scale.
        dbfs: f32,
    },
    /// A leg plays music or steady noise, with nobody speaking on it, or has ceased to: told once for each change, some 6 to
    /// 10 s after it.
    Noisy {
        /// Which leg.
        leg: LegId,
        /// True while it does.
        noisy: bool,
    },
    /// No RTP for [`quiet_after`](crate::EngineConfig::quiet_after) (60 s), while the peer
    /// doesn't hold; said again after each such span.
    Quiet {
        /// Which leg.
        leg: LegId,
    },
    /// The answer to [`Command::Ask`](crate::Command::Ask).
    Reception {
        /// Which leg.
        leg: LegId,
        /// How it is until now.
        stats: LegStats,
    },
    /// The leg is gone; nothing more is said of it.
    Stopped {
        /// Which leg.
        leg: LegId,
        /// How it was.
        stats: LegStats,
    },
}

/// What became of a leg's packets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LegStats {
    /// RTP packets taken in.
    pub packets_in: u64,
    /// RTP packets sent.
    pub packets_out: u64,
    /// Packets on this leg's address that were not its peer's RTP or RTCP: ignored.
    pub ignored: u64,
    /// Incoming packets that never came, by their sequence numbers.
    pub lost: u64,
    /// Incoming packets that came too late to be heard.
    pub late: u64,
    /// Interarrival jitter of what came in (RFC 3550, section 6.4.1).
    pub jitter: Duration,
    /// Estimated quality of what came in, 1.0 to 4.5 (E-model, ITU-T G.107); 0 where nothing came.
    pub mos: f32,
}

/// How the engine is at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EngineStats {
    /// Legs that have a port.
    pub legs: usize,
    /// Rooms with legs in them.
    pub rooms: usize,
    /// RTP and RTCP packets received, since the start.
    pub packets_in: u64,
    /// RTP and RTCP packets sent, since the start.
    pub packets_out: u64,
    /// Of the received ones, those that were nobody's: noise, strangers, malformed.
    pub ignored: u64,
    /// Packets that the system didn't take for sending, or that a thread had no room for.
    pub dropped: u64,
    /// Ticks that were left out because the machine stood still for more than a second.
    pub ticks_left_out: u64,
    /// What one thread's legs said in a tick and another one, with legs of the same room, did not get in time.
    pub sums_missed: u64,
    /// How late ticks began in the last ten seconds, over all threads: the median.
    pub lateness_p50: Duration,
    /// Of those, the 99th percentile. Above 20 ms the machine is overloaded.
    pub lateness_p99: Duration,
    /// Of those, the worst.
    pub lateness_max: Duration,
    /// How late all ticks since the start began.
    pub lateness: Lateness,
    /// For how much of a second the busiest thread worked, in the worse of the last two.
    pub busy_percent: u8,
    /// How many of a thread's ticks in a second began 10 ms late or later, likewise.
    pub behind_percent: u8,
}

/// How late ticks began, since the start: a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    /// How many were at most as late as each of [`BOUNDS`](Self::BOUNDS); those that were later follow.
    pub counts: [u64; Lateness::BOUNDS.len() + 1],
    /// All of it, added up.
    pub sum: Duration,
}

impl Lateness {
    /// The bounds of the histogram, each included: 1 ms is early, 20 ms a whole tick.
    pub const BOUNDS: [Duration; 8] = [
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_millis(2),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(20),
        Duration::from_millis(50),
        Duration::from_millis(200),
    ];
}
