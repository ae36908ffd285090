//! SIP glue: dialogs and offer/answer to call events and back.
//!
//! [`SipServer`] answers calls over UDP and TCP. It decides by itself what is a matter of the protocol: who may call,
//! how fast, which codec, session timers, holds, broken messages. The application hears [`SipEvent`]s and says
//! [`answer`](SipServer::answer), [`reject`](SipServer::reject) or [`hang_up`](SipServer::hang_up).
//! [`SipClient`] is a small user agent for demonstrations and tests. [`negotiate`] is offer and answer alone, pure.
//!
//! It is **not** a registrar, a proxy or a B2BUA: it takes calls, it routes none. It touches no RTP: addresses of media
//! go in and out as values. TLS and SRTP aren't here yet; `sips:` gets `416`, an offer of SRTP alone `488`.
//!
//! ```no_run
//! use conclave_sip::{SipConfig, SipEvent, SipServer};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let (server, mut events) = SipServer::start(SipConfig::default()).await?;
//! while let Some(event) = events.recv().await {
//!     match event {
//!         SipEvent::Incoming(call) => server.answer(call.call, "127.0.0.1:20000".parse()?),
//!         SipEvent::Ended { call, reason } => println!("{call}: {reason:?}"),
//!         _ => {}
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! Under it works the transaction layer of `rsipstack`, which no type of this crate shows. A program that logs sets
//! [`QUIET_STACK`].

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod admission;
mod call;
mod client;
mod config;
mod dialog;
mod digest;
mod event;
mod front;
mod guard;
#[doc(hidden)]
pub mod hostile;
mod listener;
mod message;
mod network;
mod number;
mod sdp;
mod server;
mod stats;
mod task;
mod timer;

pub use client::{ClientCall, ClientConfig, ClientError, Invite, PendingCall, Reply, SipClient};
pub use conclave_media::{Codec, OpusWishes};
pub use config::{
    EndpointSecret, EndpointUser, Endpoints, Limits, Listener, SessionTimers, SipConfig, Strangers,
    Transport, Trunk,
};
pub use event::{CallMedia, CallRef, EndReason, IncomingCall, InfoBody, SipEvent};
pub use network::{IpNetwork, NetworkError};
pub use number::{Dialling, DiallingError};
pub use sdp::{
    Direction, LocalSession, MAX_SDP, NegotiateError, Negotiated, negotiate, read_answer,
};
pub use server::{SipError, SipServer};
pub use stats::{Gauges, Refused};

/// The `tracing` directive that a program must set where its level lets `info` through: the SIP stack logs whole
/// messages at that level, with credentials and the digits of PINs in them.
///
/// ```
/// let directive = conclave_sip::QUIET_STACK;
/// assert_eq!(directive, "rsipstack=warn");
/// ```
pub const QUIET_STACK: &str = "rsipstack=warn";
