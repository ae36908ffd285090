//! SIP glue: dialogs and offer/answer to call events and back.

mod admission;
mod call;
mod client;
mod config;
mod dialog;
mod digest;
mod event;
mod front;
mod guard;
mod listener;
mod message;
mod network;
mod number;
mod sdp;
mod server;
mod stats;
mod timer;

pub use client::{ClientCall, ClientConfig, ClientError, Invite, PendingCall, Reply, SipClient};
pub use conclave_media::Codec;
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
