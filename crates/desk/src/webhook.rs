//! Webhooks: where they may go, and how what goes there is signed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{DateTime, Utc};
use conclave_store::{
    Act, Delivery, HookEvent, NewWebhook, SealError, Store, User, UserRole, Webhook, WebhookSecret,
};
use url::{Host, Url};

use crate::{Desk, DeskError};

/// Longer than any address that is meant.
const LONGEST: usize = 2_000;

/// An address that may be told of what happens: by HTTPS, or by HTTP on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookUrl(Url);

/// Why an address may not be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HookUrlError {
    /// It can't be read, or is too long.
    #[error("that is no address such as https://example.org/hook, of at most 2000 characters")]
    NoUrl,
    /// What is told would go in the clear.
    #[error("it must begin with https://; http:// is for this machine alone")]
    NotSecure,
    /// Others would read them in lists and logs.
    #[error("a user name, a password or a fragment has no place in it: what is told is signed")]
    Credentials,
    /// It is this machine's, and not for everybody to ask.
    #[error("only an administrator has this machine told")]
    Loopback,
    /// A webhook that is told of nothing.
    #[error("name one event at least")]
    NoEvents,
}

impl HookUrl {
    /// Reads an address. One of this machine is taken from administrators alone.
    pub fn parse(text: &str, by: UserRole) -> Result<Self, HookUrlError> {
        let url = Self::read(text)?;
        if url.is_loopback() && by != UserRole::Administrator {
            return Err(HookUrlError::Loopback);
        }
        Ok(url)
    }

    /// As it was kept.
    pub fn read(text: &str) -> Result<Self, HookUrlError> {
        if text.len() > LONGEST || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(HookUrlError::NoUrl);
        }
        let url = Self(Url::parse(text).map_err(|_| HookUrlError::NoUrl)?);
        if !url.0.username().is_empty() || url.0.password().is_some() || url.0.fragment().is_some()
        {
            return Err(HookUrlError::Credentials);
        }
        match url.0.scheme() {
            "https" => {}
            "http" if url.is_loopback() => {}
            "http" => return Err(HookUrlError::NotSecure),
            _ => return Err(HookUrlError::NoUrl),
        }
        if url.0.port_or_known_default() == Some(0) {
            return Err(HookUrlError::NoUrl);
        }
        Ok(url)
    }

    /// Whether it names this machine.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// Whether it is told by TLS.
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whom to ask for, without brackets around an address.
    pub fn host(&self) -> &str {
        let host = self.0.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// The header `Host`.
    pub fn authority(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// What is asked for there.
    pub fn path(&self) -> String {
        match self.0.query() {
            Some(query) => format!("{}?{query}", self.0.path()),
            None => self.0.path().to_owned(),
        }
    }

    /// As it is kept.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Whether an address is one of the Internet at large. Those of networks of one's own, of this machine, of links, and those
/// that stand for another address are not: whoever may have things told must not thereby reach what only the bridge can.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// The special-purpose registry of IANA (RFC 6890 and its followers).
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_unspecified()
        || a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || a >= 224;
    !special
}

/// Global unicast alone, and of that nothing that carries an IPv4 address or is set aside.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global = a & 0xe000 == 0x2000;
    let protocols = a == 0x2001 && b < 0x0200;
    let documentation = (a == 0x2001 && b == 0x0db8) || a & 0xfff0 == 0x3ff0;
    let six_to_four = a == 0x2002;
    global && !protocols && !documentation && !six_to_four
}

/// What is sent to tell something (Standard Webhooks 1.0.0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The header `webhook-id`: the same however often it is sent.
    pub id: String,
    /// The header `webhook-timestamp`: seconds since 1970.
    pub timestamp: i64,
    /// The header `webhook-signature`.
    pub signature: String,
}

impl Desk {
    /// Has a user told of events there. What signs them comes back this once.
    pub async fn add_webhook(
        &self,
        user: &User,
        url: &str,
        events: &[HookEvent],
        act: &Act,
    ) -> Result<(Webhook, WebhookSecret), DeskError> {
        let url = HookUrl::parse(url.trim(), user.role)?;
        if events.is_empty() {
            return Err(HookUrlError::NoEvents.into());
        }
        let mut events = events.to_vec();
        events.sort();
        events.dedup();
        let secret = WebhookSecret::draw(&mut **self.random());
        let beside = beside(user.id.0, url.as_str());
        let new = NewWebhook {
            user: user.id,
            url: url.as_str().to_owned(),
            events,
            secret: self.keys().seal_secret(&secret, &beside, self.draw_bytes()),
        };
        Ok((self.store.add_webhook(&new, act).await?, secret))
    }

    /// Signs what is sent now.
    pub fn signed(&self, delivery: &Delivery, now: DateTime<Utc>) -> Result<Signed, SealError> {
        let beside = beside(delivery.user.0, &delivery.url);
        let secret = self.keys().open_secret(&delivery.secret, &beside)?;
        let (id, timestamp) = (format!("msg_{}", delivery.id), now.timestamp());
        Ok(Signed {
            signature: secret.sign(&id, timestamp, &delivery.body),
            id,
            timestamp,
        })
    }
}

/// What a secret is bound to: in the row of another it signs nothing.
fn beside(user: u64, url: &str) -> String {
    format!("{user} {url}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_goes_by_https_or_stays_here() {
        let check = |text: &str, expected: Result<(), HookUrlError>| {
            let read = HookUrl::parse(text, UserRole::Administrator).map(drop);
            assert_eq!(read, expected, "{text}");
        };
        for good in [
            "https://example.org",
            "https://example.org:8443/a/b?c=d",
            "https://192.0.2.1/",
            "http://127.0.0.1:9000/hook",
            "http://localhost/",
            "http://[::1]:80/",
            // As browsers read them.
            "http://0x7f.1/",
            "http://2130706433/",
        ] {
            check(good, Ok(()));
        }
        for (bad, why) in [
            ("", HookUrlError::NoUrl),
            ("example.org", HookUrlError::NoUrl),
            ("ftp://example.org/", HookUrlError::NoUrl),
            ("file:///etc/passwd", HookUrlError::NoUrl),
            ("https://", HookUrlError::NoUrl),
            ("https://example.org/ x", HookUrlError::NoUrl),
            ("https://example.org:0/", HookUrlError::NoUrl),
            ("http://example.org/", HookUrlError::NotSecure),
            ("http://10.0.0.1/", HookUrlError::NotSecure),
            ("http://127.0.0.1.example.org/", HookUrlError::NotSecure),
            ("https://ada:secret@example.org/", HookUrlError::Credentials),
            ("https://example.org/#x", HookUrlError::Credentials),
        ] {
            check(bad, Err(why));
        }
        check(
            &format!("https://example.org/{}", "x".repeat(2_000)),
            Err(HookUrlError::NoUrl),
        );
        for loopback in ["http://127.0.0.1/", "https://localhost/", "https://[::1]/"] {
            let by_host = HookUrl::parse(loopback, UserRole::Host);
            assert_eq!(by_host, Err(HookUrlError::Loopback), "{loopback}");
        }
    }

    #[test]
    fn an_address_is_taken_apart_as_it_is_asked_for() {
        let check = |text: &str, host: &str, port: u16, authority: &str, path: &str| {
            let url = HookUrl::read(text).unwrap();
            assert_eq!(
                (url.host(), url.port(), &*url.authority(), &*url.path()),
                (host, port, authority, path)
            );
        };
        check(
            "https://Example.org",
            "example.org",
            443,
            "example.org",
            "/",
        );
        check(
            "https://example.org:8443/a?b=c",
            "example.org",
            8443,
            "example.org:8443",
            "/a?b=c",
        );
        check("http://[::1]:9000/", "::1", 9000, "[::1]:9000", "/");
    }

    #[test]
    fn what_only_the_bridge_can_reach_is_not_public() {
        let check = |text: &str, expected: bool| {
            assert_eq!(is_public(text.parse().unwrap()), expected, "{text}");
        };
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:1.1.1.1",
        ] {
            check(public, true);
        }
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            check(private, false);
        }
    }
}
