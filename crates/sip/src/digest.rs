//! Digest credentials of endpoints (RFC 3261 section 22, RFC 7616, RFC 8760).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::config::{EndpointSecret, Endpoints};

/// How long a nonce may be used.
const LIFETIME: Duration = Duration::from_secs(300);
/// How many used nonces are remembered; beyond, the oldest are forgotten and with them refused.
const REMEMBERED: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

/// What an Authorization header proves.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// This endpoint.
    User(String),
    /// An endpoint, but with a nonce that is over: ask again, the phone knows the password.
    Stale,
    /// Nothing.
    None,
}

/// Makes challenges and checks the answers; time is counted from any fixed point.
///
/// Nonces are stateless: the time and an HMAC of it and of the address. Only nonces that a right answer used are
/// remembered, with the highest counter seen, so that no answer counts twice.
pub(crate) struct Authenticator {
    realm: String,
    endpoints: Endpoints,
    key: [u8; 32],
    used: BTreeMap<String, u64>,
    /// Nonces up to this one, in their order of time, are forgotten.
    forgotten: String,
}

impl Authenticator {
    pub(crate) fn new(endpoints: Endpoints, key: [u8; 32]) -> Self {
        Self {
            realm: endpoints.realm.clone().unwrap_or_else(|| "conclave".into()),
            endpoints,
            key,
            used: BTreeMap::new(),
            forgotten: String::new(),
        }
    }

    /// The values of `WWW-Authenticate`, strongest first.
    pub(crate) fn challenge(&self, from: IpAddr, stale: bool, now: Duration) -> Vec<String> {
        let nonce = self.nonce(from, now.as_secs());
        let stale = if stale { ", stale=true" } else { "" };
        let one = |algorithm: Algorithm| {
            format!(
                "Digest realm=\"{}\", nonce=\"{nonce}\", qop=\"auth\", algorithm={}{stale}",
                self.realm.replace(['"', '\\'], ""),
                algorithm.name(),
            )
        };
        vec![one(Algorithm::Sha256), one(Algorithm::Md5)]
    }

    /// Checks the value of an Authorization header. `same_target` says whether a digest URI is that of the request.
    pub(crate) fn check(
        &mut self,
        value: &str,
        method: &str,
        same_target: impl Fn(&str) -> bool,
        from: IpAddr,
        now: Duration,
    ) -> Proof {
        self.proof(value, method, same_target, from, now)
            .unwrap_or(Proof::None)
    }

    fn proof(
        &mut self,
        value: &str,
        method: &str,
        same_target: impl Fn(&str) -> bool,
        from: IpAddr,
        now: Duration,
    ) -> Option<Proof> {
        let fields = parse(value)?;
        let field = |name: &str| {
            fields
                .iter()
                .find(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|(_, v)| v.as_str())
        };
        let (user, nonce, uri) = (field("username")?, field("nonce")?, field("uri")?);
        let algorithm = match field("algorithm").unwrap_or("MD5") {
            name if name.eq_ignore_ascii_case("MD5") => Algorithm::Md5,
            name if name.eq_ignore_ascii_case("SHA-256") => Algorithm::Sha256,
            _ => return None,
        };
        let (nc, cnonce) = (field("nc")?, field("cnonce")?);
        let count = u64::from_str_radix(nc, 16).ok().filter(|_| nc.len() == 8)?;
        let sound = field("realm")? == self.realm && field("qop")? == "auth" && same_target(uri);
        if !sound {
            return None;
        }
        let ha1 = self.ha1(user, algorithm)?;
        let ha2 = algorithm.hash(&format!("{method}:{uri}"));
        let expected = algorithm.hash(&format!("{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}"));
        let response = field("response")?.to_ascii_lowercase();
        if !bool::from(expected.as_bytes().ct_eq(response.as_bytes())) {
            return None;
        }
        if !self.is_fresh(nonce, count, from, now) {
            return Some(Proof::Stale);
        }
        Some(Proof::User(user.to_owned()))
    }

    fn ha1(&self, user: &str, algorithm: Algorithm) -> Option<String> {
        match &self.endpoints.users.get(user)?.secret {
            EndpointSecret::Password(password) => {
                Some(algorithm.hash(&format!("{user}:{}:{password}", self.realm)))
            }
            EndpointSecret::Ha1(ha1) => {
                let length = if algorithm == Algorithm::Md5 { 32 } else { 64 };
                (ha1.len() == length).then(|| ha1.to_ascii_lowercase())
            }
        }
    }

    fn nonce(&self, from: IpAddr, at: u64) -> String {
        format!("{at:016x}{}", self.seal(from, at))
    }

    fn seal(&self, from: IpAddr, at: u64) -> String {
        // A key of any length is taken by HMAC.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            return String::new();
        };
        mac.update(&at.to_be_bytes());
        mac.update(from.to_canonical().to_string().as_bytes());
        hex(&mac.finalize().into_bytes()[..16])
    }

    /// Whether the nonce is ours, young, and not yet used with this counter; notes the use.
    fn is_fresh(&mut self, nonce: &str, count: u64, from: IpAddr, now: Duration) -> bool {
        let Some(at) = nonce
            .get(..16)
            .and_then(|hex| u64::from_str_radix(hex, 16).ok())
        else {
            return false;
        };
        let age = now.as_secs().checked_sub(at);
        if nonce != self.nonce(from, at) || age.is_none_or(|age| age > LIFETIME.as_secs()) {
            return false;
        }
        if nonce <= self.forgotten.as_str()
            || self.used.get(nonce).is_some_and(|last| count <= *last)
        {
            return false;
        }
        self.used.insert(nonce.to_owned(), count);
        if self.used.len() > REMEMBERED
            && let Some((oldest, _)) = self.used.pop_first()
        {
            self.forgotten = oldest;
        }
        true
    }
}

/// The fields of a Digest header; `None` for another scheme or more than 20 fields.
fn parse(value: &str) -> Option<Vec<(String, String)>> {
    let (scheme, mut rest) = value.trim().split_once(char::is_whitespace)?;
    if !scheme.eq_ignore_ascii_case("digest") {
        return None;
    }
    let mut fields = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return Some(fields);
        }
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, remaining) = match after.strip_prefix('"') {
            Some(quoted) => quoted_string(quoted)?,
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        fields.push((name.trim().to_owned(), value));
        rest = remaining;
        if fields.len() > 20 {
            return None;
        }
    }
}

fn quoted_string(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The answer to a challenge, for our own user agent.
pub(crate) fn answer(
    challenge: &str,
    user: &str,
    password: &str,
    method: &str,
    uri: &str,
    cnonce: &str,
) -> Option<String> {
    let fields = parse(challenge)?;
    let field = |name: &str| {
        fields
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    };
    let algorithm = match field("algorithm").unwrap_or("MD5") {
        name if name.eq_ignore_ascii_case("SHA-256") => Algorithm::Sha256,
        name if name.eq_ignore_ascii_case("MD5") => Algorithm::Md5,
        _ => return None,
    };
    let (realm, nonce) = (field("realm")?, field("nonce")?);
    let ha1 = algorithm.hash(&format!("{user}:{realm}:{password}"));
    let ha2 = algorithm.hash(&format!("{method}:{uri}"));
    let response = algorithm.hash(&format!("{ha1}:{nonce}:00000001:{cnonce}:auth:{ha2}"));
    Some(format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
         algorithm={}, qop=auth, nc=00000001, cnonce=\"{cnonce}\"",
        algorithm.name()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EndpointUser;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn authenticator(secret: EndpointSecret) -> Authenticator {
        let user = EndpointUser {
            secret,
            dialling: None,
        };
        let users = [("anna".to_owned(), user)].into();
        Authenticator::new(
            Endpoints {
                realm: Some("conclave".into()),
                users,
            },
            [7; 32],
        )
    }

    fn password(text: &str) -> Authenticator {
        authenticator(EndpointSecret::Password(text.into()))
    }

    fn try_once(auth: &mut Authenticator, header: &str, from: IpAddr, at: u64) -> Proof {
        auth.check(
            header,
            "INVITE",
            |uri| uri == "sip:1@h",
            from,
            Duration::from_secs(at),
        )
    }

    fn header(auth: &Authenticator, which: usize, password: &str, at: u64) -> String {
        let challenge = &auth.challenge(HERE, false, Duration::from_secs(at))[which];
        answer(challenge, "anna", password, "INVITE", "sip:1@h", "abc").unwrap()
    }

    #[test]
    fn a_right_answer_counts_once_and_not_for_long() {
        let mut auth = password("secret");
        for which in [0, 1] {
            let right = header(&auth, which, "secret", 100 + which as u64);
            assert_eq!(
                try_once(&mut auth, &right, HERE, 110),
                Proof::User("anna".into())
            );
            assert_eq!(
                try_once(&mut auth, &right, HERE, 111),
                Proof::Stale,
                "the same answer again"
            );
        }
        let late = header(&auth, 0, "secret", 200);
        assert_eq!(try_once(&mut auth, &late, HERE, 501), Proof::Stale);
        let elsewhere = header(&auth, 0, "secret", 300);
        assert_eq!(
            try_once(&mut auth, &elsewhere, IpAddr::from([192, 0, 2, 2]), 301),
            Proof::Stale
        );
    }

    #[test]
    fn what_proves_nothing() {
        let mut auth = password("secret");
        let wrong = header(&auth, 0, "guess", 1);
        let right = header(&auth, 0, "secret", 1);
        for value in [
            wrong.as_str(),
            "",
            "Digest",
            "Basic abc",
            "Digest username=\"anna\"",
            &right.replace("anna", "otto"),
            &right.replace("sip:1@h", "sip:2@h"),
            &right.replace("qop=auth", "qop=auth-int"),
            &right.replace("nc=00000001", "nc=1"),
            &right.replace("realm=\"conclave\"", "realm=\"x\""),
            "Digest a=\"\\",
        ] {
            assert_eq!(try_once(&mut auth, value, HERE, 2), Proof::None, "{value}");
        }
    }

    #[test]
    fn stored_hashes_do_as_well_as_the_password() {
        let ha1 = Algorithm::Sha256.hash("anna:conclave:secret");
        let mut auth = authenticator(EndpointSecret::Ha1(ha1));
        let right = header(&auth, 0, "secret", 1);
        assert_eq!(
            try_once(&mut auth, &right, HERE, 1),
            Proof::User("anna".into())
        );
        let other = header(&auth, 1, "secret", 1);
        assert_eq!(
            try_once(&mut auth, &other, HERE, 1),
            Proof::None,
            "no MD5 from a SHA-256 hash"
        );
    }

    #[test]
    fn known_hashes() {
        // RFC 7616 section 3.9.1.
        let ha1 = Algorithm::Md5.hash("Mufasa:http-auth@example.org:Circle of Life");
        let ha2 = Algorithm::Md5.hash("GET:/dir/index.html");
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let response = Algorithm::Md5.hash(&format!("{ha1}:{nonce}:00000001:{cnonce}:auth:{ha2}"));
        assert_eq!(response, "8ca523f5e9506fed4657c9700eebdbec");
    }

    #[test]
    fn memory_of_used_nonces_is_bounded() {
        let mut auth = password("secret");
        for at in 0..REMEMBERED as u64 + 5 {
            let nonce = auth.nonce(HERE, at);
            assert!(auth.is_fresh(&nonce, 1, HERE, Duration::from_secs(at)));
        }
        assert_eq!(auth.used.len(), REMEMBERED);
        let nonce = auth.nonce(HERE, 3);
        assert!(
            !auth.is_fresh(&nonce, 9, HERE, Duration::from_secs(10)),
            "forgotten, so refused"
        );
    }
}
