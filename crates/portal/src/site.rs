//! Where browsers reach the portal, and what stands in between.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};

/// What a browser has in its address bar, and which proxies speak for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// `https://conference.example.org`; none on loopback.
    origin: Option<String>,
    proxies: Vec<IpAddr>,
}

/// Why an address can't be the portal's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no address for the portal: it should look like https://conference.example.org, without a path"
)]
pub struct SiteError(String);

impl Site {
    /// Reached by plain HTTP, from this machine alone.
    pub fn loopback() -> Self {
        Self {
            origin: None,
            proxies: Vec::new(),
        }
    }

    /// Reached by HTTPS at `url`, through a proxy that has the certificate. What one of `proxies` says in
    /// `X-Forwarded-For` is believed.
    pub fn https(url: &str, proxies: Vec<IpAddr>) -> Result<Self, SiteError> {
        let refused = || SiteError(url.to_owned());
        let origin = url.trim_end_matches('/').to_ascii_lowercase();
        let host = origin.strip_prefix("https://").ok_or_else(refused)?;
        let good = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if host.is_empty() || !host.chars().all(good) {
            return Err(refused());
        }
        Ok(Self {
            origin: Some(origin),
            proxies,
        })
    }

    /// Whether browsers come by TLS.
    pub fn is_secure(&self) -> bool {
        self.origin.is_some()
    }

    /// Where a browser finds a page; `listen` is where the portal listens.
    pub fn url(&self, listen: SocketAddr, path: &str) -> String {
        match &self.origin {
            Some(origin) => format!("{origin}{path}"),
            None => format!("http://{listen}{path}"),
        }
    }

    /// What a browser that [names](Self::is_named) this site has before the path.
    pub(crate) fn origin(&self, headers: &HeaderMap) -> String {
        match &self.origin {
            Some(origin) => origin.clone(),
            None => {
                let host = headers
                    .get(header::HOST)
                    .and_then(|host| host.to_str().ok());
                format!("http://{}", host.unwrap_or("localhost"))
            }
        }
    }

    /// Whether a form was sent from one of our own pages: browsers say so in `Sec-Fetch-Site`, and in `Origin`.
    pub(crate) fn is_own(&self, headers: &HeaderMap) -> bool {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or(""));
        if text("sec-fetch-site").is_some_and(|site| site != "same-origin") {
            return false;
        }
        let Some(origin) = text(header::ORIGIN.as_str()) else {
            return true;
        };
        match &self.origin {
            Some(own) => origin.eq_ignore_ascii_case(own),
            None => text(header::HOST.as_str())
                .is_some_and(|host| origin.eq_ignore_ascii_case(&format!("http://{host}"))),
        }
    }

    /// Whether the request names this site. Without it, a page of another name that was made to point here (DNS
    /// rebinding) could read what a browser on this machine may.
    pub(crate) fn is_named(&self, headers: &HeaderMap) -> bool {
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let Some(host) = host else { return false };
        match &self.origin {
            Some(own) => own
                .strip_prefix("https://")
                .is_some_and(|own| host.eq_ignore_ascii_case(own)),
            None => is_loopback(host),
        }
    }

    /// Whether a program on this machine asks, for this machine: not through a proxy, nor by a page of another name that
    /// was made to point here.
    pub(crate) fn is_at_home(peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let through = ["x-forwarded-for", "forwarded", "via"];
        peer.is_some_and(|peer| peer.to_canonical().is_loopback())
            && host.is_some_and(is_loopback)
            && !through.iter().any(|name| headers.contains_key(*name))
    }

    /// Who is at the other end: the peer, or whom a proxy of ours names last that is no proxy of ours itself.
    pub(crate) fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer?.to_canonical();
        if !self.proxies.contains(&peer) {
            return Some(peer);
        }
        let named: Vec<_> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        for name in named.into_iter().rev() {
            // What a proxy of ours can't read, no honest one before it wrote.
            let Ok(address) = name.trim().parse::<IpAddr>() else {
                break;
            };
            if !self.proxies.contains(&address.to_canonical()) {
                return Some(address);
            }
        }
        Some(peer)
    }
}

/// Whether a `Host` is this machine's own.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            let value = HeaderValue::from_str(value).unwrap();
            (HeaderName::from_static(name), value)
        };
        pairs.iter().map(pair).collect()
    }

    fn site() -> Site {
        let proxies = ["127.0.0.1", "192.0.2.9"].map(|ip| ip.parse().unwrap());
        Site::https("https://Conf.example.org/", proxies.to_vec()).unwrap()
    }

    #[test]
    fn only_an_https_origin_is_a_site() {
        for bad in [
            "http://conf.example.org",
            "conf.example.org",
            "https://",
            "https://a.example/portal",
            "https://a.example?x",
            "https://user@a.example",
        ] {
            assert!(Site::https(bad, Vec::new()).is_err(), "{bad}");
        }
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        assert_eq!(site().url(listen, "/x"), "https://conf.example.org/x");
        let loopback = Site::loopback().url(listen, "/x");
        assert_eq!(loopback, "http://127.0.0.1:8080/x");
    }

    #[test]
    fn a_form_of_another_site_is_not_ours() {
        let check = |pairs: &[(&'static str, &str)], expected| {
            assert_eq!(site().is_own(&headers(pairs)), expected, "{pairs:?}");
        };
        check(&[("origin", "https://conf.example.org")], true);
        check(&[("sec-fetch-site", "same-origin")], true);
        check(&[], true);
        check(&[("origin", "https://evil.example")], false);
        check(&[("origin", "http://conf.example.org")], false);
        check(&[("origin", "null")], false);
        check(&[("sec-fetch-site", "same-site")], false);
        check(&[("sec-fetch-site", "cross-site")], false);
        let own = [
            ("host", "localhost:8080"),
            ("origin", "http://localhost:8080"),
        ];
        assert!(Site::loopback().is_own(&headers(&own)));
        let other = [
            ("host", "localhost:8080"),
            ("origin", "http://localhost:9090"),
        ];
        assert!(!Site::loopback().is_own(&headers(&other)));
    }

    #[test]
    fn a_request_names_the_site() {
        let check = |site: &Site, host: &str, expected| {
            assert_eq!(
                site.is_named(&headers(&[("host", host)])),
                expected,
                "{host}"
            );
        };
        check(&site(), "conf.example.org", true);
        check(&site(), "127.0.0.1:8080", false);
        for host in [
            "127.0.0.1:8080",
            "localhost:8080",
            "localhost",
            "[::1]:80",
            "127.1.2.3",
        ] {
            check(&Site::loopback(), host, true);
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "192.0.2.1",
            "",
        ] {
            check(&Site::loopback(), host, false);
        }
        assert!(!Site::loopback().is_named(&HeaderMap::new()));
    }

    #[test]
    fn only_our_proxies_speak_for_others() {
        let check = |peer: &str, forwarded: &str, expected: &str| {
            let headers = headers(&[("x-forwarded-for", forwarded)]);
            let found = site().client(Some(peer.parse().unwrap()), &headers);
            assert_eq!(found, Some(expected.parse().unwrap()), "{peer} {forwarded}");
        };
        check("198.51.100.7", "203.0.113.5", "198.51.100.7");
        check("127.0.0.1", "203.0.113.5", "203.0.113.5");
        check("127.0.0.1", "10.9.9.9, 203.0.113.5", "203.0.113.5");
        check("127.0.0.1", "203.0.113.5, 192.0.2.9", "203.0.113.5");
        check("::ffff:127.0.0.1", "203.0.113.5", "203.0.113.5");
        check("127.0.0.1", "203.0.113.5, rubbish", "127.0.0.1");
        check("127.0.0.1", "", "127.0.0.1");
        assert_eq!(site().client(None, &HeaderMap::new()), None);
    }
}
