//! Reading and building the stack's messages.

use rsipstack::sip::{Header, Headers, HeadersExt, Request, Response, StatusCode, Version};

/// What this server serves (RFC 3261 section 20.5).
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE";

/// The value of the first header of this name, in the long form.
pub(crate) fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    all(headers, name).next()
}

/// The values of every header of this name.
pub(crate) fn all<'a>(headers: &'a Headers, name: &str) -> impl Iterator<Item = &'a str> {
    headers
        .iter()
        .filter(move |h| h.name().eq_ignore_ascii_case(name))
        .map(|h| h.value())
}

/// The words of the comma-separated headers of this name.
pub(crate) fn words<'a>(headers: &'a Headers, name: &str) -> Vec<&'a str> {
    let values: Vec<&str> = all(headers, name).collect();
    let words = values.into_iter().flat_map(|value| value.split(','));
    words.map(str::trim).filter(|w| !w.is_empty()).collect()
}

/// Whether a comma-separated header names this option or method.
pub(crate) fn names(headers: &Headers, name: &str, word: &str) -> bool {
    words(headers, name)
        .iter()
        .any(|w| w.eq_ignore_ascii_case(word))
}

/// A `name-addr` or `addr-spec` with its header parameters (RFC 3261 section 20.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameAddr<'a> {
    pub(crate) display: &'a str,
    pub(crate) uri: &'a str,
    pub(crate) params: &'a str,
}

impl<'a> NameAddr<'a> {
    /// Splits the first address of a header value.
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let value = value.trim();
        let open = find_outside_quotes(value, |b| b == b'<');
        let Some(open) = open else {
            let end = value.find(';').unwrap_or(value.len());
            let (uri, params) = value.split_at(end);
            return (!uri.is_empty()).then_some(Self {
                display: "",
                uri: uri.trim(),
                params,
            });
        };
        let rest = &value[open + 1..];
        let close = rest.find('>')?;
        let after = &rest[close + 1..];
        let end = find_outside_quotes(after, |b| b == b',').unwrap_or(after.len());
        Some(Self {
            display: value[..open].trim(),
            uri: rest[..close].trim(),
            params: &after[..end],
        })
    }

    /// A header parameter's value.
    pub(crate) fn param(&self, name: &str) -> Option<&'a str> {
        self.params.split(';').find_map(|param| {
            let (key, value) = param.split_once('=')?;
            key.trim()
                .eq_ignore_ascii_case(name)
                .then_some(value.trim())
        })
    }

    /// The user part of a SIP, SIPS or TEL URI.
    pub(crate) fn user(&self) -> Option<&'a str> {
        let (scheme, rest) = self.uri.split_once(':')?;
        let end = rest.find(['?', ';']).unwrap_or(rest.len());
        if scheme.eq_ignore_ascii_case("tel") {
            return Some(&rest[..end]);
        }
        let user = rest.split_once('@')?.0;
        let end = user.find([':', ';']).unwrap_or(user.len());
        Some(&user[..end])
    }

    /// The display name without quotes, escapes and control characters; at most 64 characters.
    pub(crate) fn display_name(&self) -> Option<String> {
        let quoted = self
            .display
            .strip_prefix('"')
            .and_then(|d| d.strip_suffix('"'));
        let mut escaped = false;
        let keep = |c: &char| {
            let skip = *c == '\\' && !escaped && quoted.is_some();
            escaped = skip;
            !skip && !c.is_control()
        };
        let name: String = quoted
            .unwrap_or(self.display)
            .chars()
            .filter(keep)
            .take(64)
            .collect();
        let name = name.trim();
        (!name.is_empty()).then(|| name.to_owned())
    }
}

fn find_outside_quotes(text: &str, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if !quoted && wanted(byte) => return Some(at),
            _ => {}
        }
    }
    None
}

/// The tag of a From or To value.
pub(crate) fn tag(value: &str) -> Option<&str> {
    NameAddr::parse(value)?
        .param("tag")
        .filter(|tag| !tag.is_empty())
}

/// From, To, Call-ID and the CSeq number of a message; absent ones are empty.
pub(crate) fn identity<M: HeadersExt>(message: &M) -> (&str, &str, &str, u32) {
    let from = message.from_header().map_or("", |h| h.value());
    let to = message.to_header().map_or("", |h| h.value());
    let call_id = message.call_id_header().map_or("", |h| h.value());
    let seq = message.cseq_header().ok().and_then(|h| h.seq().ok());
    (from, to, call_id, seq.unwrap_or(0))
}

/// A response (RFC 3261 section 8.2.6) whose To carries `to_tag` unless it had a tag.
pub(crate) fn response(request: &Request, status: u16, to_tag: &str, product: &str) -> Response {
    let mut headers: Headers = Vec::with_capacity(12).into();
    for header in request.headers.iter() {
        match header {
            Header::Via(_) | Header::From(_) | Header::CallId(_) | Header::CSeq(_) => {
                headers.push(header.clone());
            }
            Header::To(to) if tag(to.value()).is_none() && status > 100 => {
                headers.push(Header::To(
                    format!("{};tag={to_tag}", to.value().trim()).into(),
                ));
            }
            Header::To(_) | Header::Timestamp(_) => headers.push(header.clone()),
            Header::RecordRoute(_) if (101..300).contains(&status) => headers.push(header.clone()),
            _ => {}
        }
    }
    headers.push(Header::Server(product.into()));
    headers.push(Header::ContentLength("0".into()));
    Response {
        status_code: status_code(status),
        wire_reason: None,
        version: Version::V2,
        headers,
        body: Vec::new(),
    }
}

fn status_code(status: u16) -> StatusCode {
    match StatusCode::from(status) {
        StatusCode::Other(code, _) => StatusCode::Other(code, "Refused".into()),
        known => known,
    }
}

/// Chaining for responses and requests.
pub(crate) trait With: Sized {
    /// Adds a header.
    fn with(self, name: &str, value: impl Into<String>) -> Self;
    /// Sets the body and what describes it.
    fn with_body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self;
}

macro_rules! with {
    ($message:ty) => {
        impl With for $message {
            fn with(mut self, name: &str, value: impl Into<String>) -> Self {
                self.headers
                    .push(rsipstack::sip::headers::make_header(name, value.into()));
                self
            }

            fn with_body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
                self.body = body.into();
                self.headers
                    .unique_push(Header::ContentType(content_type.into()));
                self.headers
                    .unique_push(Header::ContentLength(self.body.len().to_string().into()));
                self
            }
        }
    };
}
with!(Response);
with!(Request);

/// Whether the body is SDP.
pub(crate) fn is_sdp(headers: &Headers) -> bool {
    content_type(headers).eq_ignore_ascii_case("application/sdp")
}

/// The media type of the body, without parameters; empty if there is none.
pub(crate) fn content_type(headers: &Headers) -> &str {
    let value = header(headers, "Content-Type").unwrap_or("");
    value.split(';').next().unwrap_or("").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_peers_write_them() {
        let check = |value: &str, user: Option<&str>, name: Option<&str>, t: Option<&str>| {
            let parsed = NameAddr::parse(value).unwrap();
            assert_eq!(parsed.user(), user, "{value}");
            assert_eq!(parsed.display_name().as_deref(), name, "{value}");
            assert_eq!(tag(value), t, "{value}");
        };
        check(
            "<sip:+41446681800@h>;tag=a",
            Some("+41446681800"),
            None,
            Some("a"),
        );
        check("sip:bob@h;tag=a", Some("bob"), None, Some("a"));
        check(
            "\"B, <o> \\\"b\" <sip:bob:pw@h;user=phone>;x=1;TAG = z",
            Some("bob"),
            Some("B, <o> \"b"),
            Some("z"),
        );
        check(
            "Anna <tel:+41-44;ext=5>",
            Some("+41-44"),
            Some("Anna"),
            None,
        );
        check("<sip:h>", None, None, None);
        check("<sip:+1;npdi@h>", Some("+1"), None, None);
        check("\"\u{7}x\r\n\" <sip:h>;tag=", None, Some("x"), None);
        assert_eq!(NameAddr::parse("<sip:a@b"), None);
        assert_eq!(NameAddr::parse(""), None);
    }
}
