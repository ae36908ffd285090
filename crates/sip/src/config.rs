//! What an operator sets: listeners, who may call, limits, timers.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use conclave_media::{Codec, OpusWishes};

use crate::network::IpNetwork;
use crate::number::Dialling;

/// Everything that [`SipServer::start`](crate::SipServer::start) needs to know.
///
/// [`SipConfig::default`] listens on `127.0.0.1:5060` (UDP and TCP) and takes calls from loopback addresses alone.
#[derive(Debug, Clone)]
pub struct SipConfig {
    /// Where to listen; at least one.
    pub listeners: Vec<Listener>,
    /// Who may call by address. The first whose networks hold the address counts.
    pub trunks: Vec<Trunk>,
    /// Who may call by credentials (RFC 3261 section 22, RFC 8760).
    pub endpoints: Endpoints,
    /// What a stranger hears.
    pub strangers: Strangers,
    /// The codecs that an answer may pick and an offer of ours names, most wanted first.
    pub codecs: Vec<Codec>,
    /// What callers who speak Opus are asked to send.
    pub opus: OpusWishes,
    /// Bounds on what callers may make the server hold.
    pub limits: Limits,
    /// Session timers (RFC 4028).
    pub timers: SessionTimers,
    /// The words of `Server` and `User-Agent`.
    pub product: String,
}

impl Default for SipConfig {
    fn default() -> Self {
        let local = SocketAddr::from(([127, 0, 0, 1], 5060));
        Self {
            listeners: vec![Listener::udp(local), Listener::tcp(local)],
            trunks: vec![Trunk::loopback()],
            endpoints: Endpoints::default(),
            strangers: Strangers::Forbidden,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            opus: OpusWishes::of_receiver(),
            limits: Limits::default(),
            timers: SessionTimers::default(),
            product: concat!("conclave/", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}

/// Which transport a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// SIP over UDP.
    Udp,
    /// SIP over TCP.
    Tcp,
}

/// One address that the server listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// UDP or TCP.
    pub transport: Transport,
    /// The local address; port 0 picks a free one.
    pub bind: SocketAddr,
    /// The address that peers reach this listener at where that is another one (behind address translation). It goes
    /// into Contact and SDP.
    pub advertise: Option<IpAddr>,
    /// Takes calls from any address, under this source name, without credentials. Every caller then shares one
    /// [`Limits`] allowance and its identity headers are not trusted.
    pub anyone: Option<String>,
}

impl Listener {
    /// A UDP listener for the configured sources.
    pub fn udp(bind: SocketAddr) -> Self {
        Self {
            transport: Transport::Udp,
            bind,
            advertise: None,
            anyone: None,
        }
    }

    /// A TCP listener for the configured sources.
    pub fn tcp(bind: SocketAddr) -> Self {
        Self {
            transport: Transport::Tcp,
            ..Self::udp(bind)
        }
    }
}

/// A peer that is known by its address: its calls are taken without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// The name of the source, as in reports and in the guess throttle.
    pub name: String,
    /// The addresses that it calls from.
    pub networks: Vec<IpNetwork>,
    /// How numbers without a country code are to be read; without it only `+` numbers become E.164.
    pub dialling: Option<Dialling>,
    /// Whether its P-Asserted-Identity (RFC 3325) is believed.
    pub trust_identity: bool,
}

impl Trunk {
    /// Loopback addresses, under the name `loopback`.
    pub fn loopback() -> Self {
        Self {
            name: "loopback".into(),
            networks: vec![IpNetwork::loopback_v4(), IpNetwork::loopback_v6()],
            dialling: None,
            trust_identity: true,
        }
    }
}

/// Phones and PBXs that call with a user name and a password from any address.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// The realm of the challenge; without a name it is `conclave`.
    pub realm: Option<String>,
    /// User name to credentials and dialling rules. Empty: nobody is challenged.
    pub users: BTreeMap<String, EndpointUser>,
}

/// One endpoint's credentials. Its user name is the name of the source.
#[derive(Debug, Clone)]
pub struct EndpointUser {
    /// What it proves.
    pub secret: EndpointSecret,
    /// How numbers without a country code are to be read.
    pub dialling: Option<Dialling>,
}

/// A shared secret; its `Debug` shows nothing of it.
#[derive(Clone)]
pub enum EndpointSecret {
    /// The password itself: SHA-256 and MD5 can be offered.
    Password(String),
    /// HA1 of RFC 7616 (`user:realm:password`) in lower-case hex, for MD5 (32 digits) or SHA-256 (64 digits).
    Ha1(String),
}

impl fmt::Debug for EndpointSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndpointSecret(**********)")
    }
}

/// What a source that isn't allowed hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strangers {
    /// `403 Forbidden`, some hundreds a second at most, silence beyond.
    #[default]
    Forbidden,
    /// Nothing.
    Silence,
}

/// Bounds; what is over them is refused with `503` and `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls set up by one source in a second.
    pub setups_per_second: u32,
    /// Calls of one source that are not yet confirmed by an ACK.
    pub pending_per_source: usize,
    /// The same, of all sources together.
    pub pending: usize,
    /// Calls at a time.
    pub calls: usize,
    /// TCP connections at a time; more are closed as they come.
    pub connections: usize,
    /// How long an allowed call may wait for the application's answer.
    pub answer_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            setups_per_second: 100,
            pending_per_source: 500,
            pending: 2_000,
            calls: 10_000,
            connections: 1_000,
            answer_within: Duration::from_secs(60),
        }
    }
}

/// Session timers (RFC 4028).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimers {
    /// The interval that is asked for where the peer names none; zero: no timer unless the peer asks.
    pub expires: Duration,
    /// The shortest interval that is accepted; RFC 4028 section 4 forbids less than 90 s.
    pub min: Duration,
}

impl Default for SessionTimers {
    fn default() -> Self {
        Self {
            expires: Duration::from_secs(1_800),
            min: Duration::from_secs(90),
        }
    }
}
