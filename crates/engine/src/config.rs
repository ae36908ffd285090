//! What the engine is told once, at its start, and what may go wrong.

use std::{io, net::IpAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use crate::LegId;

/// What the engine is told once, at its start. `EngineConfig::default()` is what
/// a bridge on a machine of its own wants.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Threads; each owns legs, rooms and sockets of its own. 0 (the default): one for
    /// each core, at most 4. More than 64 are taken as 64.
    pub shards: usize,
    /// RTP sockets that legs of [`Port::Shared`](crate::Port::Shared) have in common, for
    /// each local address that is asked for. Default 4; 0 is taken as 1.
    pub shared_sockets: usize,
    /// Niceness of the threads, from -20 (they go before whatever else the machine does) to 19. Default -11: some milliseconds
    /// of waiting for a processor are nothing to others, and a gap in a call. Linux alone has it, and wants a privilege for less than 0
    /// (`RLIMIT_NICE` or `CAP_SYS_NICE`): without it the threads run as all others do, and a log line says so.
    pub niceness: i8,
    /// UDP ports for RTP (even ones) and RTCP (the odd one above). Default 20000 to 29999.
    /// A port that is in use is skipped.
    pub rtp_ports: RangeInclusive<u16>,
    /// How long the sockets are left alone at most. Default 20 ms, which is a look before each tick and one at it; kept within 1
    /// to 20 ms. They are looked at more often where more comes than their buffers should hold, and every 5 ms where the system
    /// doesn't tell when a packet came.
    pub poll: Duration,
    /// Legs at the same time; [`reserve`](crate::Engine::reserve) refuses more. Default 5000.
    pub max_legs: usize,
    /// How long a leg may be without RTP before [`Event::Quiet`](crate::Event::Quiet)
    /// says so (and again after each such span). Default 60 s.
    pub quiet_after: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            shards: 0,
            shared_sockets: 4,
            niceness: -11,
            rtp_ports: 20_000..=29_999,
            poll: Duration::from_millis(20),
            max_legs: 5_000,
            quiet_after: Duration::from_secs(60),
        }
    }
}

/// Why the engine can't do what its owner asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The range holds no even port with an odd one above it.
    #[error("RTP ports {}-{} hold no pair of an even and an odd port", .0.start(), .0.end())]
    NoPortPair(RangeInclusive<u16>),
    /// Each pair of the range is in use, or can't be bound on that address.
    #[error("no free RTP port on {address}: {source}")]
    NoFreePort {
        /// The local address that was asked for.
        address: IpAddr,
        /// What the last try came to.
        source: io::Error,
    },
    /// [`EngineConfig::max_legs`] are there already.
    #[error("the engine has its {0} legs")]
    Full(usize),
    /// A leg of this name is there already.
    #[error("{0} has a port already")]
    Reserved(LegId),
    /// A thread couldn't be started.
    #[error("can't start a media thread: {0}")]
    Thread(io::Error),
    /// A WAV file that can't be read, or isn't 16 bit mono at a rate from 8 to 48 kHz.
    #[error("{}: {why}", file.display())]
    Wav {
        /// The file that was asked for.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}
