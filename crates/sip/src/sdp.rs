//! Offer and answer (RFC 3264) over SDP (RFC 8866): pure, bounded and total.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use conclave_media::{Codec, OpusWishes};
use sdp_types::{Attribute, Connection, Media, Origin, Session, Time};

use crate::event::CallMedia;

/// The longest body that is read, in bytes.
pub const MAX_SDP: usize = 8 * 1024;
/// The most media lines and the most formats of one line that are read.
const MAX_MEDIA: usize = 16;
const MAX_FORMATS: usize = 64;
/// The first payload types that an offer of ours gives to codecs without a number of their own, and to telephone-event.
const FIRST_DYNAMIC: u8 = 96;
const FIRST_EVENT: u8 = 101;
/// Of comfort noise (RFC 3551 section 6), whose clock is that of telephone audio.
const COMFORT_NOISE: u8 = 13;
const COMFORT_CLOCK: u32 = 8_000;

/// Who sends, as seen by this side (RFC 8866 section 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both.
    #[default]
    SendRecv,
    /// This side alone.
    SendOnly,
    /// The peer alone: it holds the line and may play music into it.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
    /// Whether this side sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether this side receives.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same as seen from the other side.
    pub fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            both @ (Self::SendRecv | Self::Inactive) => both,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

/// Why an offer or an answer can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiateError {
    /// No SDP, or beyond the bounds of this module.
    #[error("the session description is malformed")]
    Malformed,
    /// No audio line, or its port is 0.
    #[error("no audio is offered")]
    NoAudio,
    /// Audio only over a profile that isn't RTP/AVP, such as RTP/SAVP.
    #[error("no plain RTP is offered")]
    NoPlainRtp,
    /// None of the codecs is known here.
    #[error("no common codec")]
    NoCommonCodec,
    /// The connection address is a name, a multicast group or of another network.
    #[error("the media address is unusable")]
    Address,
}

/// An offer that can be answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Negotiated {
    offer: Session,
    line: usize,
    agreed: Agreed,
}

/// What one line of an offer or answer comes to.
#[derive(Debug, Clone, PartialEq)]
struct Agreed {
    media: CallMedia,
    /// Units of a second in telephone-event.
    event_rate: u32,
    /// Whether the peer knows events up to 16 (flash) rather than 15.
    flash: bool,
    mux: bool,
}

/// Reads an offer and picks the first of `codecs` that it holds.
///
/// The first audio line over plain RTP counts; [`LocalSession::answer`] refuses the others by port 0.
///
/// ```
/// use conclave_sip::{Codec, Direction, negotiate};
///
/// let offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
///              m=audio 4000 RTP/AVP 8 0 96\r\na=rtpmap:96 telephone-event/8000\r\na=sendonly\r\n";
/// let agreed = negotiate(offer.as_bytes(), &[Codec::Pcmu, Codec::Pcma]).unwrap();
/// assert_eq!(agreed.media().codec, Codec::Pcmu);
/// assert_eq!(agreed.media().event_payload_type, Some(96));
/// assert_eq!(agreed.media().direction, Direction::RecvOnly);
/// ```
pub fn negotiate(offer: &[u8], codecs: &[Codec]) -> Result<Negotiated, NegotiateError> {
    let offer = parse(offer)?;
    let mut error = NegotiateError::NoAudio;
    for (line, media) in offer.medias.iter().enumerate() {
        match agree(&offer, media, codecs) {
            Ok(agreed) => {
                return Ok(Negotiated {
                    offer,
                    line,
                    agreed,
                });
            }
            // The most telling error is that of the line that came nearest.
            Err(NegotiateError::NoAudio) => {}
            Err(other) if error == NegotiateError::NoAudio => error = other,
            Err(_) => {}
        }
    }
    Err(error)
}

/// Reads the answer to an offer of ours.
pub fn read_answer(answer: &[u8], codecs: &[Codec]) -> Result<CallMedia, NegotiateError> {
    let answer = parse(answer)?;
    let media = answer.medias.first().ok_or(NegotiateError::NoAudio)?;
    // The answerer orders the formats of an answer as it likes: its first one counts.
    let mut first = NegotiateError::NoCommonCodec;
    for format in media.fmt.split_whitespace().take(MAX_FORMATS) {
        let Some(codec) = codecs.iter().find(|c| matches(media, format, **c)) else {
            continue;
        };
        match agree(&answer, media, &[*codec]) {
            Ok(agreed) => return Ok(agreed.media),
            Err(error) => first = error,
        }
    }
    if media.port == 0 {
        first = NegotiateError::NoAudio;
    }
    Err(first)
}

impl Negotiated {
    /// What was agreed on, as seen by this side.
    pub fn media(&self) -> &CallMedia {
        &self.agreed.media
    }

    /// The id of the peer's session and the version of its description.
    pub(crate) fn version(&self) -> (String, u64) {
        let origin = &self.offer.origin;
        (origin.sess_id.clone(), origin.sess_version)
    }
}

/// This side's half of a session: one id for its whole life, a version that grows by one with each change
/// (RFC 3264 section 8).
#[derive(Debug, Clone)]
pub struct LocalSession {
    id: u64,
    version: u64,
    last: Option<Session>,
    opus: OpusWishes,
    /// What the last answer of this side came to.
    agreed: Option<Agreed>,
}

impl LocalSession {
    /// A session with an id of its own.
    pub fn new(id: u64) -> Self {
        // Half of the range: some peers read these as signed numbers.
        Self {
            id: id >> 1,
            version: 1,
            last: None,
            opus: OpusWishes::of_receiver(),
            agreed: None,
        }
    }

    /// The same, with other wishes for Opus.
    #[must_use]
    pub fn wishing(self, opus: OpusWishes) -> Self {
        Self { opus, ..self }
    }

    /// The answer to an offer, naming `local` as the address for RTP.
    pub fn answer(&mut self, agreed: &Negotiated, local: SocketAddr) -> String {
        let mut session = self.session(local.ip());
        session.times = agreed.offer.times.clone();
        if session.times.is_empty() {
            session.times = vec![Time::new(0, 0)];
        }
        for (line, offered) in agreed.offer.medias.iter().enumerate() {
            if line == agreed.line {
                session.medias.push(agreed.line(offered, local, self.opus));
            } else {
                session.medias.push(refused(offered));
            }
        }
        self.agreed = Some(agreed.agreed.clone());
        self.stamp(session)
    }

    /// An offer of all `codecs`, naming `local` as the address for RTP.
    pub fn offer(&mut self, codecs: &[Codec], local: SocketAddr, direction: Direction) -> String {
        let mut session = self.session(local.ip());
        session.times = vec![Time::new(0, 0)];
        let media = self.offered(codecs, local, direction);
        session.medias.push(media);
        self.stamp(session)
    }

    fn offered(&self, codecs: &[Codec], local: SocketAddr, direction: Direction) -> Media {
        let mut formats = Vec::new();
        let mut attributes = Vec::new();
        let mut numbers = self.numbers();
        let mut rates = Vec::new();
        for codec in codecs {
            let Some(payload_type) = numbers.of(*codec) else {
                continue;
            };
            formats.push(payload_type.to_string());
            attributes.extend(described(payload_type, *codec, self.opus));
            if !rates.contains(&codec.clock_rate()) {
                rates.push(codec.clock_rate());
            }
        }
        if rates.contains(&COMFORT_CLOCK) {
            formats.push(COMFORT_NOISE.to_string());
            attributes.push(comfort(COMFORT_NOISE));
        }
        // Events have the clock of the audio that they stand in for (RFC 4733 section 2.1).
        for rate in rates {
            let Some(event) = numbers.of_events(rate) else {
                continue;
            };
            formats.push(event.to_string());
            attributes.extend(events(event, rate, "0-16"));
        }
        attributes.extend(transport(local, true, direction));
        Media {
            port: local.port(),
            attributes,
            ..line(formats.join(" "))
        }
    }

    /// The numbers for an offer: those of the session so far mean the same for all its life (RFC 3264 section 8.3.2).
    fn numbers(&self) -> Numbers {
        let agreed = self.agreed.as_ref();
        let codec = agreed.map(|a| (a.media.codec, a.media.payload_type));
        let event = agreed.and_then(|a| Some((a.event_rate, a.media.event_payload_type?)));
        let free = |number: &u8| {
            codec.is_none_or(|c| c.1 != *number) && event.is_none_or(|e| e.1 != *number)
        };
        Numbers {
            codec,
            event,
            codecs: (FIRST_DYNAMIC..FIRST_EVENT).filter(free).collect(),
            events: (FIRST_EVENT..=127).filter(free).collect(),
        }
    }

    fn session(&self, address: IpAddr) -> Session {
        let origin = Origin::with_ip_addr(self.id, self.version, address);
        let mut session = Session::new(origin, "-");
        session.set_connection(Connection::from_ip_addr(address));
        session
    }

    fn stamp(&mut self, mut session: Session) -> String {
        if let Some(last) = &self.last
            && *last != session
        {
            self.version += 1;
            session.origin.sess_version = self.version;
        }
        let mut text = Vec::with_capacity(512);
        // Writing to memory can't fail.
        let _ = session.write(&mut text);
        self.last = Some(session);
        String::from_utf8(text).unwrap_or_default()
    }
}

impl Negotiated {
    fn line(&self, offered: &Media, local: SocketAddr, opus: OpusWishes) -> Media {
        let Agreed {
            media,
            event_rate,
            flash,
            mux,
        } = &self.agreed;
        let mut formats = media.payload_type.to_string();
        let mut attributes = described(media.payload_type, media.codec, opus);
        if let Some(noise) = media.comfort_payload_type {
            formats.push_str(&format!(" {noise}"));
            attributes.push(comfort(noise));
        }
        if let Some(event) = media.event_payload_type {
            formats.push_str(&format!(" {event}"));
            let range = if *flash { "0-16" } else { "0-15" };
            attributes.extend(events(event, *event_rate, range));
        }
        attributes.extend(transport(local, *mux, media.direction));
        Media {
            media: offered.media.clone(),
            port: local.port(),
            proto: offered.proto.clone(),
            attributes,
            ..line(formats)
        }
    }
}

/// Payload types yet to be given, and those that the session has already.
struct Numbers {
    codec: Option<(Codec, u8)>,
    event: Option<(u32, u8)>,
    codecs: VecDeque<u8>,
    events: VecDeque<u8>,
}

impl Numbers {
    fn of(&mut self, codec: Codec) -> Option<u8> {
        let agreed = self.codec.filter(|agreed| agreed.0 == codec);
        agreed
            .map(|agreed| agreed.1)
            .or(codec.static_payload_type())
            .or_else(|| self.codecs.pop_front())
    }

    fn of_events(&mut self, rate: u32) -> Option<u8> {
        let agreed = self.event.filter(|agreed| agreed.0 == rate);
        agreed
            .map(|agreed| agreed.1)
            .or_else(|| self.events.pop_front())
    }
}

/// An offered line that isn't taken (RFC 3264 section 6).
fn refused(offered: &Media) -> Media {
    Media {
        media: offered.media.clone(),
        proto: offered.proto.clone(),
        ..line(offered.fmt.clone())
    }
}

fn line(formats: String) -> Media {
    Media {
        media: "audio".into(),
        port: 0,
        num_ports: None,
        proto: "RTP/AVP".into(),
        fmt: formats,
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

/// The lines that say what a payload type is.
fn described(payload_type: u8, codec: Codec, opus: OpusWishes) -> Vec<Attribute> {
    let (name, rate) = (codec.rtpmap_name(), codec.clock_rate());
    let map = match codec.rtpmap_channels() {
        1 => format!("{payload_type} {name}/{rate}"),
        channels => format!("{payload_type} {name}/{rate}/{channels}"),
    };
    let mut attributes = vec![Attribute::with_value("rtpmap", map)];
    if codec == Codec::Opus {
        let wishes = format!("{payload_type} {opus}");
        attributes.push(Attribute::with_value("fmtp", wishes));
        // Other codecs have nobody who sends more; Opus may come in packets of 120 ms.
        attributes.push(Attribute::with_value("maxptime", "60"));
    }
    attributes
}

fn comfort(payload_type: u8) -> Attribute {
    Attribute::with_value("rtpmap", format!("{payload_type} CN/{COMFORT_CLOCK}"))
}

fn events(payload_type: u8, rate: u32, range: &str) -> [Attribute; 2] {
    let map = format!("{payload_type} telephone-event/{rate}");
    [
        Attribute::with_value("rtpmap", map),
        Attribute::with_value("fmtp", format!("{payload_type} {range}")),
    ]
}

fn transport(local: SocketAddr, mux: bool, direction: Direction) -> Vec<Attribute> {
    let mut attributes = vec![
        Attribute::with_value("ptime", "20"),
        Attribute::new(direction.word()),
        // RTP and RTCP share a socket here, agreed on as rtcp-mux (RFC 5761) or not (RFC 3605).
        Attribute::with_value("rtcp", local.port().to_string()),
    ];
    if mux {
        attributes.push(Attribute::new("rtcp-mux"));
    }
    attributes
}

fn parse(text: &[u8]) -> Result<Session, NegotiateError> {
    if text.len() > MAX_SDP {
        return Err(NegotiateError::Malformed);
    }
    // A session name in another encoding is no reason to refuse a call.
    let text = String::from_utf8_lossy(text);
    let session = Session::parse(text.as_bytes()).map_err(|_| NegotiateError::Malformed)?;
    if session.medias.len() > MAX_MEDIA {
        return Err(NegotiateError::Malformed);
    }
    Ok(session)
}

/// What this line would agree on.
fn agree(session: &Session, media: &Media, codecs: &[Codec]) -> Result<Agreed, NegotiateError> {
    if !media.media.eq_ignore_ascii_case("audio") || media.port == 0 {
        return Err(NegotiateError::NoAudio);
    }
    if !["RTP/AVP", "RTP/AVPF"].contains(&media.proto.as_str()) {
        return Err(NegotiateError::NoPlainRtp);
    }
    let formats: Vec<&str> = media.fmt.split_whitespace().take(MAX_FORMATS).collect();
    let pick = |codec: &Codec| {
        let format = formats.iter().find(|f| matches(media, f, *codec))?;
        Some((*codec, payload_type(format)?))
    };
    let (codec, number) = codecs
        .iter()
        .find_map(pick)
        .ok_or(NegotiateError::NoCommonCodec)?;
    let event_at = |rate: u32| {
        let event = formats
            .iter()
            .filter(|f| is_map(media, f, "telephone-event", rate, 1))
            .find_map(|f| payload_type(f))?;
        (event != number).then_some((event, rate))
    };
    // Telephones exist that offer Opus and events in the clock of G.711 alone: better their digits than none.
    let event = event_at(codec.clock_rate()).or_else(|| event_at(8_000));
    let (event, event_rate) = event.unzip();
    let is_noise = |format: &&&str| match map_of(media, format) {
        Some(_) => is_map(media, format, "CN", COMFORT_CLOCK, 1),
        None => payload_type(format) == Some(COMFORT_NOISE),
    };
    let noise = formats
        .iter()
        .find(is_noise)
        .and_then(|format| payload_type(format))
        .filter(|noise| codec.clock_rate() == COMFORT_CLOCK && *noise != number);
    let address = address(session, media)?;
    let mux = media.has_attribute("rtcp-mux");
    let remote = SocketAddr::new(address, media.port);
    let mut direction = direction(session, media).reversed();
    if address.is_unspecified() {
        // RFC 3264 section 8.4: the old way to hold. Nothing may be sent; the peer may go on sending.
        direction = match direction {
            Direction::SendRecv => Direction::RecvOnly,
            Direction::SendOnly => Direction::Inactive,
            other => other,
        };
    }
    let agreed = CallMedia {
        remote,
        remote_rtcp: rtcp(media, remote, mux),
        codec,
        payload_type: number,
        event_payload_type: event,
        comfort_payload_type: noise,
        ptime: ptime(media),
        direction,
        opus: values(media, "fmtp", &number.to_string())
            .next()
            .filter(|_| codec == Codec::Opus)
            .map_or_else(OpusWishes::default, OpusWishes::parse),
    };
    Ok(Agreed {
        media: agreed,
        event_rate: event_rate.unwrap_or(codec.clock_rate()),
        flash: event.is_some_and(|e| knows_flash(media, e)),
        mux,
    })
}

fn payload_type(format: &str) -> Option<u8> {
    format.parse().ok().filter(|n| *n <= 127)
}

/// Whether the format of this line is the codec: by its rtpmap, else by its static number (RFC 3551 section 6).
fn matches(media: &Media, format: &str, codec: Codec) -> bool {
    if map_of(media, format).is_some() {
        let (name, rate) = (codec.rtpmap_name(), codec.clock_rate());
        return is_map(media, format, name, rate, codec.rtpmap_channels());
    }
    let number = codec.static_payload_type();
    number.is_some() && payload_type(format) == number
}

/// The value of the format's rtpmap, without the number.
fn map_of<'a>(media: &'a Media, format: &str) -> Option<&'a str> {
    values(media, "rtpmap", format).next()
}

fn is_map(media: &Media, format: &str, name: &str, rate: u32, channels: u8) -> bool {
    let Some(map) = map_of(media, format) else {
        return false;
    };
    let mut parts = map.trim().split('/');
    let named = parts.next().is_some_and(|n| n.eq_ignore_ascii_case(name));
    let rated = parts.next().and_then(|r| r.parse().ok()) == Some(rate);
    let counted = parts.next().unwrap_or("1").parse() == Ok(channels);
    named && rated && counted
}

/// The values of an attribute that begin with a format number.
fn values<'a>(media: &'a Media, name: &'a str, format: &str) -> impl Iterator<Item = &'a str> {
    media
        .get_attribute_values(name)
        .flatten()
        .filter_map(move |value| {
            let (number, rest) = value.trim().split_once(' ')?;
            (number == format).then_some(rest)
        })
}

fn knows_flash(media: &Media, event: u8) -> bool {
    let in_range = |range: &str| match range.trim().split_once('-') {
        Some((low, high)) => {
            low.parse().is_ok_and(|l: u32| l <= 16) && high.parse().is_ok_and(|h: u32| h >= 16)
        }
        None => range.trim() == "16",
    };
    let format = event.to_string();
    values(media, "fmtp", &format).any(|list| list.split(',').any(in_range))
}

fn direction(session: &Session, media: &Media) -> Direction {
    let all = [
        Direction::SendRecv,
        Direction::SendOnly,
        Direction::RecvOnly,
        Direction::Inactive,
    ];
    let named = |attributes: &[Attribute]| {
        let mut names = attributes.iter().map(|a| a.attribute.as_str());
        names.find_map(|name| {
            all.into_iter()
                .find(|d| d.word().eq_ignore_ascii_case(name))
        })
    };
    named(&media.attributes)
        .or_else(|| named(&session.attributes))
        .unwrap_or_default()
}

fn address(session: &Session, media: &Media) -> Result<IpAddr, NegotiateError> {
    let connection = media.connections.first().or(session.connection.as_ref());
    let connection = connection.ok_or(NegotiateError::Malformed)?;
    usable(&connection.connection_address).ok_or(NegotiateError::Address)
}

fn usable(address: &str) -> Option<IpAddr> {
    let ip: IpAddr = address.trim().parse().ok()?;
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    (!ip.is_multicast() && !broadcast).then_some(ip)
}

/// Where RTCP goes: RTP's port if shared, as `a=rtcp` says (RFC 3605), else the next port.
fn rtcp(media: &Media, remote: SocketAddr, mux: bool) -> SocketAddr {
    if mux {
        return remote;
    }
    let named = || {
        let value = media.get_first_attribute_value("rtcp")??;
        let mut words = value.split_whitespace();
        let port: u16 = words.next()?.parse().ok().filter(|p| *p != 0)?;
        let ip = words.nth(2).and_then(usable).unwrap_or(remote.ip());
        Some(SocketAddr::new(ip, port))
    };
    named().unwrap_or_else(|| SocketAddr::new(remote.ip(), remote.port().saturating_add(1)))
}

/// The packet length that the peer wants: `ptime`, no longer than `maxptime`, in steps of 10 ms, 20 ms by default.
fn ptime(media: &Media) -> Duration {
    let number = |name| -> Option<u64> {
        let value = media.get_first_attribute_value(name)??;
        let whole = value.trim().split('.').next()?;
        whole.parse().ok().filter(|ms| *ms > 0)
    };
    let wanted = number("ptime").unwrap_or(20);
    let longest = number("maxptime").unwrap_or(60);
    let ms = wanted.min(longest).clamp(10, 60);
    Duration::from_millis(ms - ms % 10)
}

#[cfg(test)]
#[path = "sdp_tests.rs"]
mod tests;
