//! One way of a browser to the provider and back. Nothing is kept of it here: all about it follows from the token in the
//! browser's cookie and the second in which it began, so that any bridge of a database may see it home.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use conclave_store::{Token, TokenHash};

/// So long somebody may take to sign in at the provider.
pub(crate) const LASTS: TimeDelta = TimeDelta::minutes(10);

/// A way to the provider that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Errand {
    token: Token,
    began: DateTime<Utc>,
}

impl Errand {
    /// Of a browser that is given this token in a cookie.
    pub(crate) fn begin(token: Token, now: DateTime<Utc>) -> Self {
        Self {
            token,
            began: DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now),
        }
    }

    /// Of a browser that comes back with this cookie and this `state`: none if they don't belong together, or began too
    /// long ago.
    pub(crate) fn back(token: Token, state: &str, now: DateTime<Utc>) -> Option<Self> {
        let (began, _) = state.split_once('.')?;
        let began = DateTime::from_timestamp(began.parse().ok()?, 0)?;
        let errand = Self { token, began };
        // Compared by hashes: how long it takes tells nothing.
        let own = TokenHash::of(errand.state().as_bytes()) == TokenHash::of(state.as_bytes());
        let old = now - began;
        (own && old >= TimeDelta::zero() && old < LASTS).then_some(errand)
    }

    pub(crate) fn token(&self) -> &Token {
        &self.token
    }

    pub(crate) fn began(&self) -> DateTime<Utc> {
        self.began
    }

    /// By which the provider's answer is known to be for this browser.
    pub(crate) fn state(&self) -> String {
        format!(
            "{}.{}",
            self.began.timestamp(),
            *self.derive("state").expose()
        )
    }

    /// By which an ID token is known to be for this errand.
    pub(crate) fn nonce(&self) -> String {
        self.derive("nonce").expose().to_string()
    }

    /// By which the provider knows that who asks for the tokens is who began (RFC 7636): 64 characters.
    pub(crate) fn verifier(&self) -> String {
        self.derive("verifier").expose().to_string()
    }

    fn derive(&self, what: &str) -> Token {
        let began = self.began.timestamp();
        self.token
            .derive(&format!("conclave portal oidc {what} {began}"))
    }
}

/// Those that were seen home, for as long as somebody might try again with them.
#[derive(Debug, Default)]
pub(crate) struct UsedUp(BTreeMap<String, DateTime<Utc>>);

/// A few megabytes. Who wants to have one forgotten must see home so many others, each after a try that is counted.
const REMEMBERED: usize = 20_000;

impl UsedUp {
    /// Whether this is the first time.
    pub(crate) fn first_time(&mut self, errand: &Errand, now: DateTime<Utc>) -> bool {
        self.0.retain(|_, began| now - *began < LASTS);
        if self.0.len() >= REMEMBERED {
            let first = self.0.iter().min_by_key(|(_, began)| **began);
            if let Some(first) = first.map(|(state, _)| state.clone()) {
                self.0.remove(&first);
            }
        }
        self.0.insert(errand.state(), errand.began).is_none()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn token(seed: u64) -> Token {
        Token::draw(&mut StdRng::seed_from_u64(seed))
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn only_who_began_comes_back_and_in_time() {
        let errand = Errand::begin(token(1), at(0) + TimeDelta::milliseconds(700));
        let state = errand.state();
        let check = |seed, state: &str, now, expected: bool| {
            let back = Errand::back(token(seed), state, now);
            assert_eq!(back.is_some(), expected, "{seed} {state} {now}");
            assert!(back.is_none_or(|back| back == errand));
        };
        check(1, &state, at(0), true);
        check(1, &state, at(599), true);
        check(1, &state, at(600), false);
        check(1, &state, at(-1), false);
        check(2, &state, at(0), false);
        let later = state.replace("1800000000", "1800000300");
        check(1, &later, at(300), false);
        check(1, &format!("+{state}"), at(0), false);
        check(1, &state.to_uppercase(), at(0), false);
        check(1, &errand.nonce(), at(0), false);
        check(1, "", at(0), false);
    }

    #[test]
    fn what_the_provider_sees_gives_nothing_away() {
        let errand = Errand::begin(token(1), at(0));
        let all = [
            errand.state(),
            errand.nonce(),
            errand.verifier(),
            errand.token.expose().to_string(),
        ];
        for (index, one) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                assert!(!one.contains(other.as_str()) && !other.contains(one.as_str()));
            }
        }
        assert!((43..=128).contains(&errand.verifier().len()), "RFC 7636");
        assert!(!format!("{errand:?}").contains(all[3].as_str()));
    }

    #[test]
    fn each_is_seen_home_once() {
        let mut used = UsedUp::default();
        let errand = Errand::begin(token(1), at(0));
        assert!(used.first_time(&errand, at(1)));
        assert!(!used.first_time(&errand, at(599)));
        let other = Errand::begin(token(2), at(599));
        assert!(used.first_time(&other, at(600)));
        assert_eq!(used.0.len(), 1, "what is too old anyway is forgotten");
    }

    proptest! {
        /// Whatever comes back, only the state that was sent is taken.
        #[test]
        fn no_state_is_good_but_the_one_that_was_sent(text in "\\PC{0,90}|[0-9]{1,20}\\.[0-9a-f]{60,68}") {
            let errand = Errand::begin(token(1), at(0));
            let back = Errand::back(token(1), &text, at(10));
            prop_assert_eq!(back.is_some(), text == errand.state());
        }
    }
}
