//! Cookies that hold a token: read from a request, written into a response.

use axum::http::{HeaderMap, HeaderValue, header};
use chrono::TimeDelta;
use conclave_store::Token;

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// Of a browser that is signed in.
    Session,
    /// Of one that isn't yet: what the tokens in its forms are made from.
    Visit,
    /// Of one that is on its way to the OpenID provider and back.
    Errand,
}

impl Name {
    /// A browser takes a cookie of the prefix `__Host-` only over TLS, for the whole host and from that host alone: no
    /// neighbouring host can plant one. On loopback, without TLS, there is no such prefix to be had.
    fn text(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-conclave-session",
            (Self::Session, false) => "conclave-session",
            (Self::Visit, true) => "__Host-conclave-visit",
            (Self::Visit, false) => "conclave-visit",
            (Self::Errand, true) => "__Host-conclave-errand",
            (Self::Errand, false) => "conclave-errand",
        }
    }
}

/// The token in that cookie. Where a name comes twice, somebody plays tricks: then there is none.
pub(crate) fn read(headers: &HeaderMap, name: Name, secure: bool) -> Option<Token> {
    let name = name.text(secure);
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(only), None) => Token::parse(only),
        _ => None,
    }
}

/// `Set-Cookie` for a token. Never readable by a script, never sent along with another site's request.
pub(crate) fn set(name: Name, secure: bool, token: &Token, lasts: TimeDelta) -> HeaderValue {
    line(name, secure, &token.expose(), lasts.num_seconds())
}

/// `Set-Cookie` that makes a browser forget the token.
pub(crate) fn forget(name: Name, secure: bool) -> HeaderValue {
    line(name, secure, "", 0)
}

fn line(name: Name, secure: bool, value: &str, seconds: i64) -> HeaderValue {
    let tls = if secure { "; Secure" } else { "" };
    let text = format!(
        "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{tls}",
        name.text(secure)
    );
    let mut line = HeaderValue::try_from(text).expect("a name and hexadecimal digits are visible");
    line.set_sensitive(true);
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn token() -> Token {
        Token::draw(&mut StdRng::seed_from_u64(3))
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn a_cookie_is_read_as_it_was_set() {
        for secure in [false, true] {
            let set = set(Name::Session, secure, &token(), TimeDelta::hours(1));
            assert!(set.is_sensitive() && !format!("{set:?}").contains("conclave"));
            let set = set.to_str().unwrap();
            assert_eq!(set.contains("; Secure"), secure);
            assert_eq!(set.starts_with("__Host-"), secure);
            assert!(set.contains("; HttpOnly; SameSite=Lax") && set.contains("Path=/;"));
            let sent = set.split(';').next().unwrap();
            let found = read(&headers(&[sent]), Name::Session, secure);
            assert_eq!(found, Some(token()));
            assert_eq!(read(&headers(&[sent]), Name::Session, !secure), None);
            assert_eq!(read(&headers(&[sent]), Name::Visit, secure), None);
        }
    }

    #[test]
    fn a_cookie_that_comes_twice_is_none() {
        let digits = token().expose();
        let one = format!("a=b; conclave-session={}; c", &*digits);
        assert!(read(&headers(&[&one]), Name::Session, false).is_some());
        let twice = headers(&[&one, "conclave-session=x"]);
        assert_eq!(read(&twice, Name::Session, false), None);
    }

    proptest! {
        /// Whatever a browser sends, there is a token only where its digits are.
        #[test]
        fn no_cookie_is_a_token_but_a_token(text in "[ -~]{0,80}|(conclave-session=[0-9a-g;= ]{0,70})") {
            let found = read(&headers(&[&text]), Name::Session, false);
            if let Some(token) = found {
                prop_assert!(text.to_lowercase().contains(token.expose().as_str()), "{text}");
            }
        }
    }
}
