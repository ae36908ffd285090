//! What the server tells the application.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use conclave_media::{Codec, OpusWishes};

use crate::sdp::Direction;

/// One SIP dialog of this server, for as long as the server runs; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallRef(pub u64);

impl fmt::Display for CallRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}", self.0)
    }
}

/// What happened. Each call begins with one [`SipEvent::Incoming`] and ends with one [`SipEvent::Ended`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SipEvent {
    /// A call that passed admission waits for [`answer`](crate::SipServer::answer) or
    /// [`reject`](crate::SipServer::reject).
    Incoming(Box<IncomingCall>),
    /// The caller acknowledged the answer.
    Confirmed {
        /// Which call.
        call: CallRef,
    },
    /// The media were agreed on or changed: by the answer in the ACK of a call that came without an offer, or by a
    /// re-INVITE or UPDATE, a hold among them.
    Media {
        /// Which call.
        call: CallRef,
        /// What holds from now on.
        media: CallMedia,
    },
    /// An INFO request, already answered with 200.
    Info {
        /// Which call.
        call: CallRef,
        /// Its Content-Type, parameters and all.
        content_type: String,
        /// Its body, at most 1,024 bytes. It may be a digit of a PIN: keep it out of logs.
        body: InfoBody,
    },
    /// The call is over and nothing of it is left.
    Ended {
        /// Which call.
        call: CallRef,
        /// Why.
        reason: EndReason,
    },
    /// An allowed source called an emergency number and got `404`: somebody's routing needs a look at once.
    EmergencyCall {
        /// The source.
        trunk: String,
        /// The caller's number, where it is known.
        number: Option<String>,
        /// What was called: 112, 911, 999 or 000.
        called: String,
    },
}

/// The body of an INFO; its `Debug` hides the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct InfoBody(pub Vec<u8>);

impl fmt::Debug for InfoBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InfoBody({} bytes)", self.0.len())
    }
}

/// A call that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingCall {
    /// Names the call from now on.
    pub call: CallRef,
    /// The source: a trunk's name, an endpoint's user name, or the name of an open listener.
    pub trunk: String,
    /// The caller's number in E.164, from P-Asserted-Identity where the trunk is trusted, else from From; `None` if
    /// withheld or no telephone number. It names a caller, it never authenticates one.
    pub number: Option<String>,
    /// The display name beside it, at most 64 characters, without control characters.
    pub display_name: Option<String>,
    /// The user part of the Request-URI: the number that was dialled.
    pub called: String,
    /// What the caller offers, as it would be answered; `None` for an INVITE without an offer: the media then come
    /// with [`SipEvent::Media`] after the answer.
    pub media: Option<CallMedia>,
    /// Where the INVITE came from.
    pub remote: SocketAddr,
    /// The local address that this peer reaches the server at; RTP belongs on the same one.
    pub local_ip: IpAddr,
    /// The Call-ID, for logs and reports.
    pub call_id: String,
}

/// All that the media plane needs to know of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallMedia {
    /// Where the peer wants RTP. The port is never 0.
    pub remote: SocketAddr,
    /// Where the peer wants RTCP.
    pub remote_rtcp: SocketAddr,
    /// The codec, both ways.
    pub codec: Codec,
    /// Its RTP payload type as the peer numbered it.
    pub payload_type: u8,
    /// The payload type of telephone-event (RFC 4733), at the codec's clock rate where the peer has it so, if agreed on.
    pub event_payload_type: Option<u8>,
    /// The payload type of comfort noise (RFC 3389), if agreed on.
    pub comfort_payload_type: Option<u8>,
    /// What the peer wants in one packet, 10 to 60 ms.
    pub ptime: Duration,
    /// Who sends, as seen by this server. `RecvOnly` and `Inactive` mean that the peer holds the line.
    pub direction: Direction,
    /// What the peer wants to be sent where the codec is Opus.
    pub opus: OpusWishes,
}

/// Why a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The peer sent BYE.
    PeerHungUp,
    /// The peer took its INVITE back.
    Cancelled,
    /// The application hung up.
    HungUp,
    /// The application refused the call with this status.
    Rejected(u16),
    /// The application did not answer in time; the caller got `480`.
    NotAnswered,
    /// The answer was never acknowledged.
    NotAcknowledged,
    /// The ACK of a call without an offer held no usable answer.
    NoMedia,
    /// The session timer (RFC 4028) ran out, or a refresh of ours found nobody.
    SessionExpired,
    /// The server is shut down.
    Shutdown,
}
