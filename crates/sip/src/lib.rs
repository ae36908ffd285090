//! SIP glue: dialogs and offer/answer to call events and back.

mod codec;
mod config;
mod event;
mod network;
mod number;
mod sdp;
mod stats;

pub use codec::Codec;
pub use config::{
    EndpointSecret, EndpointUser, Endpoints, Limits, Listener, SessionTimers, SipConfig, Strangers,
    Transport, Trunk,
};
pub use event::{CallMedia, CallRef, EndReason, IncomingCall, InfoBody, SipEvent};
pub use network::{IpNetwork, NetworkError};
pub use number::Dialling;
pub use sdp::{
    Direction, LocalSession, MAX_SDP, NegotiateError, Negotiated, negotiate, read_answer,
};
pub use stats::{Gauges, Refused};
