//! RTP, RTCP, jitter buffer and codecs: packets in, frames out and back, without sockets.
//!
//! What it is *not*: it opens no socket, reads no clock and draws no random number (arrival times and
//! random values are handed in), it negotiates nothing, and it mixes nothing. Digits sent as RTP
//! events are `conclave-dtmf`'s.
//!
//! Times are [`core::time::Duration`]s since any epoch that stays fixed for the leg.

mod codec;
mod g711;
mod latch;
mod rtp;

pub use codec::{Codec, Decoder, Encoder};
pub use latch::{Latch, Latched};
pub use rtp::{HEADER_LEN, RtpError, RtpPacket, RtpWriter};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
