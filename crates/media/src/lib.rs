//! RTP, RTCP, jitter buffer and codecs: packets in, frames out and back, without sockets.
//!
//! What it is *not*: it opens no socket, reads no clock and draws no random number (arrival times and
//! random values are handed in), it negotiates nothing, and it mixes nothing. Digits sent as RTP
//! events are `conclave-dtmf`'s.
//!
//! Times are [`core::time::Duration`]s since any epoch that stays fixed for the leg.
//!
//! ```
//! use conclave_media::{Codec, Pulled, Receiver, RtpPacket, RtpWriter};
//! use std::time::Duration;
//!
//! let speech = [1000i16; 160]; // 20 ms at 8 kHz
//! let (mut payload, mut datagram) = ([0; 160], [0; 256]);
//! Codec::Pcmu.encoder().encode(&speech, &mut payload);
//! let mut writer = RtpWriter::new(0x1234_5678, 1, 0);
//! let length = writer.write(0, true, 160, &payload, &mut datagram).unwrap();
//!
//! let mut leg = Receiver::new(Codec::Pcmu, 0);
//! let packet = RtpPacket::parse(&datagram[..length]).unwrap();
//! leg.push(&packet, Duration::from_millis(3));
//! let mut frame = [0; 160];
//! assert_eq!(leg.pull(Duration::from_millis(20), &mut frame), Pulled::Audio);
//! assert!(frame.iter().all(|sample| (sample - 1000).abs() < 32)); // as G.711 has it
//! ```

mod codec;
mod comfort;
mod conceal;
mod delay;
mod g711;
mod g722;
mod latch;
mod opus;
mod quality;
mod receiver;
mod reception;
mod rtcp;
mod rtp;
mod store;
mod timescale;

pub use codec::{Codec, Decoder, Encoder};
pub use latch::{Latch, Latched};
pub use opus::{OpusSettings, OpusWishes};
pub use quality::estimate_mos;
pub use receiver::{Pulled, Pushed, Receiver, ReceiverStats};
pub use reception::Reception;
pub use rtcp::{MAX_REPORT, PeerReport, RtcpError, RtcpNews, RtcpSession};
pub use rtp::{HEADER_LEN, RtpError, RtpPacket, RtpWriter};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
