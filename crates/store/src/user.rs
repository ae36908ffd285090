//! Who signs in to the portal, with what, and for how long.

use std::fmt;

use chrono::{DateTime, Utc};
use conclave_accounts::{Owner, OwnerError};
use rand_core::CryptoRng;
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::seal::SealedFactor;
use crate::secret::{parse_hex, push_hex};

/// Which user. A number is never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct UserId(pub u64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}", self.0)
    }
}

/// The e-mail address by which a user signs in, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct UserEmail(String);

impl UserEmail {
    /// Takes whatever an account's owner may have for an address.
    pub fn parse(text: &str) -> Result<Self, OwnerError> {
        let owner = Owner::new("Whoever has this address", text)?;
        Ok(Self(owner.email().to_lowercase()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a user may do in the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UserRole {
    /// Holds conferences: sees the accounts of the same e-mail address, and nothing of others'.
    Host,
    /// Customer service: finds everybody's accounts and conferences.
    Service,
    /// Sees to the bridge.
    Administrator,
    /// Reads reports and the audit log, and changes nothing.
    Auditor,
}

impl UserRole {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Host,
        Self::Service,
        Self::Administrator,
        Self::Auditor,
    ];

    /// The word that a store keeps.
    pub fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Service => "service",
            Self::Administrator => "administrator",
            Self::Auditor => "auditor",
        }
    }

    /// From the word that a store kept.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

impl fmt::Display for UserRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A user of the portal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// Which.
    pub id: UserId,
    /// By what they sign in.
    pub email: UserEmail,
    /// What they may do.
    pub role: UserRole,
    /// Whether they were shut out; they may be let in again.
    pub suspended: bool,
    /// Whether they have set a password.
    pub has_password: bool,
    /// Whether they show a second factor when they sign in: a code of an authenticator app.
    pub has_second_factor: bool,
}

/// A second factor that is to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFactor {
    /// What the app shares with us.
    pub secret: SealedFactor,
    /// The time step of the code that showed that it does; that code is used up.
    pub step: u64,
    /// What the recovery codes are known by.
    pub recovery: Vec<TokenHash>,
}

/// A password as it is kept: what Argon2id made of it, in the PHC string format.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Keeps what a hash function made, as it is.
    pub fn new(phc: impl Into<String>) -> Self {
        Self(phc.into())
    }

    /// The string, to verify a password with.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(**********)")
    }
}

/// What a browser or a set-up link proves itself by: 32 random bytes that the store never sees, only their
/// [hash](Self::hash). Spelled as 64 hexadecimal digits.
#[derive(Clone)]
pub struct Token(Zeroizing<[u8; 32]>);

impl Token {
    /// A token that nobody has.
    pub fn draw(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *bytes);
        Self(bytes)
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(digits: &str) -> Option<Self> {
        parse_hex(digits.as_bytes()).map(Self)
    }

    /// The digits, for the cookie or the link.
    pub fn expose(&self) -> Zeroizing<String> {
        let mut digits = Vec::with_capacity(64);
        push_hex(&mut digits, &self.0[..]);
        Zeroizing::new(digits.into_iter().map(char::from).collect())
    }

    /// What the store finds it by. Of 32 random bytes a plain SHA-256 gives nothing away.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(&self.0[..]).into())
    }

    /// A token of its own for one purpose, which only a holder of this one can name.
    pub fn derive(&self, purpose: &str) -> Self {
        Self(Zeroizing::new(crate::secret::hmac(
            &self.0,
            purpose.as_bytes(),
            &[],
        )))
    }
}

impl PartialEq for Token {
    /// In constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0[..].ct_eq(&other.0[..]).into()
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(**********)")
    }
}

/// What is kept of a [`Token`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub(crate) [u8; 32]);

impl TokenHash {
    /// Of whatever is to be known again without being kept.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// A browser that is to be signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewSession {
    /// Whose it is.
    pub user: UserId,
    /// What it is found by.
    pub token: TokenHash,
    /// When it ends, however busy it is.
    pub ends: DateTime<Utc>,
    /// The session that this browser had until now: it ends, so that no token outlives a sign-in.
    pub replaces: Option<TokenHash>,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub user: User,
    /// When it was last noted to be in use.
    pub seen: DateTime<Utc>,
    /// When it ends, however busy it is.
    pub ends: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_shows_nowhere_else() {
        let token = Token::draw(&mut StdRng::seed_from_u64(7));
        let digits = token.expose();
        assert_eq!(digits.len(), 64);
        assert_eq!(Token::parse(&digits), Some(token.clone()));
        assert_eq!(Token::parse(&digits[1..]), None);
        assert_ne!(token.derive("one purpose"), token.derive("another"));
        assert!(token.derive("one purpose").hash() != token.hash());
        let debug = format!("{token:?} {:?}", token.hash());
        assert_eq!(debug, "Token(**********) TokenHash(..)");
    }

    #[test]
    fn words_and_addresses() {
        for role in UserRole::ALL {
            assert_eq!(UserRole::from_word(role.word()), Some(role));
        }
        assert_eq!(UserRole::from_word("root"), None);
        let email = UserEmail::parse(" Ada@Example.ORG ").unwrap();
        assert_eq!(email.as_str(), "ada@example.org");
        assert!(UserEmail::parse("ada").is_err());
        assert!(!format!("{:?}", PasswordHash::new("$argon2id$x")).contains("argon"));
    }
}
