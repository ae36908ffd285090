//! The guard: every message is checked as raw bytes and written anew before the stack parses it.
//!
//! The stack is lenient where it costs: over UDP a message without Content-Length loses its body, one byte that isn't
//! UTF-8 hides every later header, and lengths and versions that contradict themselves are taken. What passes here has
//! one meaning only: unfolded headers, one Content-Length that is true, the five headers without which nothing can be
//! answered. What can't be mended is refused, with a response where one can be addressed (RFC 3261 section 8.2,
//! RFC 4475).

use rsipstack::sip::headers::make_header;
use rsipstack::sip::{Headers, Method, Request, Response, SipMessage, Uri, Version};

use crate::listener::MAX_MESSAGE;
use crate::message::response;
use crate::stats::Refused;

/// The longest header section, in bytes, and the most headers.
const MAX_HEAD: usize = 32 * 1024;
const MAX_HEADERS: usize = 256;

/// What is to become of some bytes.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The message, written anew.
    Pass(Vec<u8>),
    /// Line ends that keep a path open; nothing to do.
    Nothing,
    /// Not worth a word.
    Drop,
    /// A request that gets a response and no more.
    Refuse(Box<Refusal>),
}

/// A refused request.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    misframed: bool,
}

impl Refusal {
    /// Whether nobody can say where the next message of the stream begins.
    pub(crate) fn is_misframed(&self) -> bool {
        self.misframed
    }

    pub(crate) fn counts_as(&self) -> Refused {
        match self.status {
            416 | 501 => Refused::Unsupported,
            _ => Refused::Malformed,
        }
    }

    /// The response, if the request said where responses go. An ACK gets none.
    pub(crate) fn response(&self, product: &str) -> Option<Response> {
        let value = |name: &str| {
            self.headers
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.as_str())
        };
        let acknowledges = value("cseq").is_some_and(|cseq| cseq.trim_end().ends_with("ACK"));
        if value("via").is_none() || acknowledges {
            return None;
        }
        let echoed = ["via", "from", "to", "call-id", "cseq"];
        let mut headers = Headers::default();
        for (name, value) in self
            .headers
            .iter()
            .filter(|(n, _)| echoed.contains(&n.as_str()))
        {
            headers.push(make_header(name, value.clone()));
        }
        let method = Method::Options;
        let request = Request {
            method,
            uri: Uri::default(),
            version: Version::V2,
            headers,
            body: Vec::new(),
        };
        Some(response(&request, self.status, "refused", product))
    }
}

/// A piece of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// More is needed.
    Partial,
    /// So many bytes of line ends between messages.
    KeepAlive(usize),
    /// A message of so many bytes.
    Message(usize),
    /// The length of the message isn't said, or contradicts itself.
    Broken,
}

/// Finds the first message of a stream (RFC 3261 section 18.3).
pub(crate) fn frame(bytes: &[u8]) -> Frame {
    let ends = bytes
        .iter()
        .take_while(|b| matches!(b, b'\r' | b'\n'))
        .count();
    if ends > 0 {
        return Frame::KeepAlive(ends);
    }
    let Some(head) = head_length(bytes) else {
        return if bytes.len() > MAX_HEAD {
            Frame::Broken
        } else {
            Frame::Partial
        };
    };
    let headers = read_headers(&bytes[..head]);
    let mut lengths = headers
        .iter()
        .flatten()
        .filter(|(name, _)| name == "content-length");
    let (Some((_, value)), None) = (lengths.next(), lengths.next()) else {
        return Frame::Broken;
    };
    match value.parse::<usize>() {
        Ok(length) if head + length <= MAX_MESSAGE => {
            let whole = head + length;
            if bytes.len() < whole {
                Frame::Partial
            } else {
                Frame::Message(whole)
            }
        }
        _ => Frame::Broken,
    }
}

/// Parses what passed; the stack may still find fault with it.
pub(crate) fn parse(bytes: &[u8]) -> Option<SipMessage> {
    SipMessage::try_from(bytes).ok()
}

/// Checks one datagram, or one framed message of a stream.
pub(crate) fn check(bytes: &[u8], stream: bool) -> Verdict {
    let begin = bytes
        .iter()
        .take_while(|b| matches!(b, b'\r' | b'\n'))
        .count();
    let bytes = &bytes[begin..];
    if bytes.iter().all(u8::is_ascii_whitespace) || bytes.iter().all(|b| *b == 0) {
        return Verdict::Nothing;
    }
    let Some(head) = head_length(bytes).filter(|head| *head <= MAX_HEAD) else {
        return Verdict::Drop;
    };
    let line_end = bytes.iter().position(|b| *b == b'\n').unwrap_or(head);
    let Ok(start) = std::str::from_utf8(&bytes[..line_end]) else {
        return Verdict::Drop;
    };
    let start = start.strip_suffix('\r').unwrap_or(start);
    let headers = read_headers(&bytes[line_end..head]);
    let body = &bytes[head..];
    if start.starts_with("SIP/") {
        return check_response(start, headers, body, stream).map_or(Verdict::Drop, Verdict::Pass);
    }
    let Some(headers) = headers else {
        return Verdict::Drop;
    };
    match check_request(start, &headers, body, stream) {
        Ok(message) => Verdict::Pass(message),
        Err(fault) => {
            let misframed = fault == Fault::Length && stream;
            Verdict::Refuse(Box::new(Refusal {
                status: fault.status(),
                headers,
                misframed,
            }))
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Syntax,
    Length,
    Version,
    Scheme,
    Method,
}

impl Fault {
    fn status(self) -> u16 {
        match self {
            Self::Syntax | Self::Length => 400,
            Self::Version => 505,
            Self::Scheme => 416,
            Self::Method => 501,
        }
    }
}

type Pairs = Vec<(String, String)>;

/// How long the start line and headers are, with the empty line that ends them.
fn head_length(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    Some(at + 4)
}

/// The headers in their order, names in lower case and long, values unfolded. `None` if a line is no header or there
/// are too many.
fn read_headers(section: &[u8]) -> Option<Pairs> {
    let mut headers: Pairs = Vec::with_capacity(16);
    for line in section.split(|b| *b == b'\n').skip(1) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        // A lone CR would be a line end to others.
        if line.contains(&b'\r') {
            return None;
        }
        let text = String::from_utf8_lossy(line);
        if text.starts_with([' ', '\t']) {
            let (_, value) = headers.last_mut()?;
            value.push(' ');
            value.push_str(text.trim_matches([' ', '\t']));
            continue;
        }
        let (name, value) = text.split_once(':')?;
        let name = name.trim_end_matches([' ', '\t']);
        if !is_token(name) || headers.len() >= MAX_HEADERS {
            return None;
        }
        headers.push((long_name(name), value.trim_matches([' ', '\t']).to_owned()));
    }
    for (_, value) in &mut headers {
        // What was folded begins or ends with the fold's space.
        *value = value.trim_matches([' ', '\t']).to_owned();
    }
    Some(headers)
}

fn long_name(name: &str) -> String {
    let long = match name.to_ascii_lowercase().as_str() {
        "v" => "via",
        "f" => "from",
        "t" => "to",
        "i" => "call-id",
        "m" => "contact",
        "l" => "content-length",
        "c" => "content-type",
        "e" => "content-encoding",
        "k" => "supported",
        "s" => "subject",
        "x" => "session-expires",
        "r" => "refer-to",
        "b" => "referred-by",
        "o" => "event",
        "u" => "allow-events",
        other => return other.to_owned(),
    };
    long.to_owned()
}

/// RFC 3261 section 25.1.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b))
}

fn check_response(
    start: &str,
    headers: Option<Pairs>,
    body: &[u8],
    stream: bool,
) -> Option<Vec<u8>> {
    let mut parts = start.splitn(3, ' ');
    let version = parts.next()?;
    let status = parts.next()?;
    let reason = parts.next().unwrap_or("");
    let sound =
        version == "SIP/2.0" && status.len() == 3 && ('1'..='6').contains(&status.chars().next()?);
    if !sound || !status.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let headers = headers?;
    check_headers(&headers, None).ok()?;
    let body = cut_body(&headers, body, stream).ok()?;
    let reason: String = reason.chars().filter(|c| !c.is_control()).collect();
    Some(write(&format!("SIP/2.0 {status} {reason}"), &headers, body))
}

fn check_request(
    start: &str,
    headers: &Pairs,
    body: &[u8],
    stream: bool,
) -> Result<Vec<u8>, Fault> {
    let parts: Vec<&str> = start.split(' ').collect();
    let [method, uri, version] = parts[..] else {
        return Err(Fault::Syntax);
    };
    check_version(version)?;
    if !is_token(method) {
        return Err(Fault::Syntax);
    }
    let body = cut_body(headers, body, stream)?;
    check_headers(headers, Some(method))?;
    let uri = check_uri(uri)?;
    let known = Method::all().iter().any(|m| m.to_string() == method);
    if !known {
        return Err(Fault::Method);
    }
    Uri::try_from(uri.as_str()).map_err(|_| Fault::Syntax)?;
    Ok(write(&format!("{method} {uri} SIP/2.0"), headers, body))
}

fn check_version(version: &str) -> Result<(), Fault> {
    if version.eq_ignore_ascii_case("SIP/2.0") {
        return Ok(());
    }
    let number = version
        .get(..4)
        .filter(|p| p.eq_ignore_ascii_case("SIP/"))
        .and_then(|_| version[4..].split_once('.'));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    match number {
        Some((major, minor)) if digits(major) && digits(minor) => Err(Fault::Version),
        _ => Err(Fault::Syntax),
    }
}

/// Checks the Request-URI and hides from the stack what it would mistake in the user part.
fn check_uri(uri: &str) -> Result<String, Fault> {
    let (scheme, rest) = uri.split_once(':').ok_or(Fault::Syntax)?;
    let odd = |c: char| c.is_control() || matches!(c, '<' | '>' | '"' | ' ');
    let letters = scheme
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if !letters || scheme.is_empty() || uri.contains(odd) {
        return Err(Fault::Syntax);
    }
    if scheme.eq_ignore_ascii_case("tel") {
        return Ok(uri.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
        return Err(Fault::Scheme);
    }
    let (user, host) = match rest.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, rest),
    };
    // A Request-URI has no headers (RFC 3261 section 19.1.1).
    if host.is_empty() || host.contains('?') || user == Some("") {
        return Err(Fault::Syntax);
    }
    let user = user.map(|user| user.replace(';', "%3B").replace('?', "%3F") + "@");
    Ok(format!("{scheme}:{}{host}", user.unwrap_or_default()))
}

/// The headers that may come once alone.
const SINGLE: [&str; 8] = [
    "from",
    "to",
    "call-id",
    "cseq",
    "max-forwards",
    "content-length",
    "content-type",
    "date",
];

fn check_headers(headers: &Pairs, method: Option<&str>) -> Result<(), Fault> {
    let all = |name: &'static str| {
        headers
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    if SINGLE.iter().any(|name| all(name).count() > 1) {
        return Err(Fault::Syntax);
    }
    let one = |name: &'static str| {
        all(name)
            .next()
            .filter(|v| !v.is_empty())
            .ok_or(Fault::Syntax)
    };
    let (via, from, to, call_id, cseq) = (
        one("via")?,
        one("from")?,
        one("to")?,
        one("call-id")?,
        one("cseq")?,
    );
    // These are compared byte by byte: no byte of them may have been replaced.
    let replaced = [via, call_id, cseq].iter().any(|v| v.contains('\u{fffd}'));
    if replaced || call_id.contains([' ', '\t']) {
        return Err(Fault::Syntax);
    }
    check_cseq(cseq, method)?;
    all("via").try_for_each(check_via)?;
    check_address(from)?;
    check_address(to)?;
    all("contact")
        .filter(|contact| *contact != "*")
        .try_for_each(check_contact)?;
    if all("max-forwards")
        .any(|hops| hops.parse::<u16>().is_ok_and(|n| n > 255) || hops.parse::<u16>().is_err())
    {
        return Err(Fault::Syntax);
    }
    // RFC 3261 section 20.17: GMT and no other zone.
    if all("date").any(|date| !date.ends_with("GMT")) {
        return Err(Fault::Syntax);
    }
    Ok(())
}

fn check_cseq(cseq: &str, method: Option<&str>) -> Result<(), Fault> {
    let mut words = cseq.split_ascii_whitespace();
    let (number, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    // RFC 3261 section 8.1.1.5: less than 2^31.
    let small = number.parse::<u64>().is_ok_and(|n| n < 1 << 31);
    let fits = method.is_none_or(|method| method == name) && is_token(name);
    if digits && small && fits && words.next().is_none() {
        Ok(())
    } else {
        Err(Fault::Syntax)
    }
}

fn check_via(value: &str) -> Result<(), Fault> {
    let sound = split_list(value).is_some_and(|hops| {
        hops.iter().all(|hop| {
            let mut params = hop.split(';');
            let sent = params.next().unwrap_or("");
            let mut parts = sent.splitn(3, '/').map(str::trim);
            let protocol = parts.next().is_some_and(|p| p.eq_ignore_ascii_case("SIP"));
            let version = parts.next() == Some("2.0");
            let place = parts.next().and_then(|rest| rest.split_once([' ', '\t']));
            let placed = place
                .is_some_and(|(transport, host)| is_token(transport) && !host.trim().is_empty());
            protocol && version && placed && params.all(|param| !param.trim().is_empty())
        })
    });
    if sound { Ok(()) } else { Err(Fault::Syntax) }
}

fn check_address(value: &str) -> Result<(), Fault> {
    let (bare, params) = check_name_addr(value)?;
    if bare.is_empty()
        || params
            .split(';')
            .skip(1)
            .any(|param| param.trim().is_empty())
    {
        return Err(Fault::Syntax);
    }
    Ok(())
}

fn check_contact(value: &str) -> Result<(), Fault> {
    let contacts = split_list(value).ok_or(Fault::Syntax)?;
    contacts.into_iter().try_for_each(check_address)
}

/// Splits an address into its URI and parameters, checking what surrounds them.
fn check_name_addr(value: &str) -> Result<(&str, &str), Fault> {
    let open = outside_quotes(value, '<').ok_or(Fault::Syntax)?;
    let Some(open) = open else {
        let end = value.find(';').unwrap_or(value.len());
        let (uri, params) = value.split_at(end);
        // RFC 3261 section 20: a URI with a comma, a question mark or a space must stand in brackets.
        let uri = uri.trim();
        if uri.contains(['?', ',', ' ', '"', '>']) || !uri.contains(':') {
            return Err(Fault::Syntax);
        }
        return Ok((uri, params));
    };
    let display = value[..open].trim();
    let quoted = display.starts_with('"') && display.len() > 1 && display.ends_with('"');
    if !quoted
        && display.contains([
            ',', ';', ':', '@', '[', ']', '?', '=', '{', '}', '"', '\\', '>',
        ])
    {
        return Err(Fault::Syntax);
    }
    let rest = &value[open + 1..];
    let close = rest.find('>').ok_or(Fault::Syntax)?;
    let uri = &rest[..close];
    if !uri.contains(':') || uri.contains([' ', '\t', '<']) {
        return Err(Fault::Syntax);
    }
    let params = &rest[close + 1..];
    if !params.trim().is_empty() && !params.trim_start().starts_with(';') {
        return Err(Fault::Syntax);
    }
    Ok((uri, params))
}

/// Where the character first stands outside of quotes; `None` if the quotes don't close.
fn outside_quotes(text: &str, wanted: char) -> Option<Option<usize>> {
    let (mut quoted, mut escaped, mut found) = (false, false, None);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == wanted && !quoted && found.is_none() => found = Some(at),
            _ => {}
        }
    }
    (!quoted).then_some(found)
}

/// The elements of a comma-separated list; `None` if quotes don't close or an element is empty.
fn split_list(value: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped, mut inside) = (0, false, false, false);
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => inside = true,
            '>' if !quoted => inside = false,
            ',' if !quoted && !inside => {
                parts.push(value[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(value[start..].trim());
    (!quoted && parts.iter().all(|part| !part.is_empty())).then_some(parts)
}

/// The body that Content-Length says. A datagram ends where it ends: there the header may be absent, and what follows
/// the body is none of it.
fn cut_body<'a>(headers: &Pairs, body: &'a [u8], stream: bool) -> Result<&'a [u8], Fault> {
    let mut lengths = headers
        .iter()
        .filter(|(n, _)| n == "content-length")
        .map(|(_, v)| v.as_str());
    let Some(length) = lengths.next() else {
        return if stream { Err(Fault::Length) } else { Ok(body) };
    };
    let digits =
        !length.is_empty() && length.len() <= 9 && length.bytes().all(|b| b.is_ascii_digit());
    if !digits || lengths.next().is_some() {
        return Err(Fault::Length);
    }
    let length: usize = length.parse().map_err(|_| Fault::Length)?;
    body.get(..length).ok_or(Fault::Length)
}

fn write(start: &str, headers: &Pairs, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(start.len() + headers.len() * 48 + body.len() + 64);
    message.extend_from_slice(start.as_bytes());
    message.extend_from_slice(b"\r\n");
    for (name, value) in headers {
        let tight;
        let value = match name.as_str() {
            "content-length" => continue,
            "via" | "from" | "to" => {
                tight = tighten(value);
                &tight
            }
            _ => value,
        };
        message.extend_from_slice(name.as_bytes());
        message.extend_from_slice(b": ");
        message.extend_from_slice(value.as_bytes());
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    message.extend_from_slice(body);
    message
}

/// Removes the white space around `;`, `=` and `/`, which means nothing and which the stack trips over.
fn tighten(value: &str) -> String {
    let mut tight = String::with_capacity(value.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in value.chars() {
        let mark = |c: char| matches!(c, ';' | '=' | '/');
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted && tight.ends_with(mark) => continue,
            c if mark(c) && !quoted => {
                let end = tight.trim_end_matches([' ', '\t']).len();
                tight.truncate(end);
            }
            _ => {}
        }
        tight.push(c);
    }
    tight
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
