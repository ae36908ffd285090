//! The keys: in a file beside the database, never in it.

mod error;
mod file;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;

use conclave_accounts::{Pin, PinKey, PinLookup};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use error::{KeysError, OtherKeys};
pub use file::KeysFile;

use crate::WebhookSecret;
use crate::audit::AuditKey;
use crate::seal::{self, FactorSecret, SealError, SealedFactor, SealedPin, SealedSecret};
use crate::secret::Secret;
use crate::user::UserId;

/// Purpose of the HMAC by which a key is recognised. PINs are digits, so it is nobody's lookup.
const FINGERPRINT: &str = "conclave key fingerprint";

/// The secret keys of one data directory. A stolen copy of the database is of no use without them: the PINs in it
/// are hashes under the PIN keys, the Guest PINs encrypted under another, the audit log chained under a third.
///
/// The file is `keys` in the data directory, readable by its owner alone. Who loses it loses every PIN.
#[derive(Clone)]
pub struct Keys {
    /// Ascending by id, all before the current one.
    older: Vec<NumberedKey>,
    current: NumberedKey,
    seal: Secret,
    audit: AuditKey,
}

#[derive(Clone)]
struct NumberedKey {
    id: u32,
    key: Secret,
}

impl NumberedKey {
    fn lookup(&self, pin: &Pin) -> KeyedLookup {
        KeyedLookup {
            key: self.id,
            lookup: PinKey::new(*self.key.expose()).lookup(pin),
        }
    }
}

impl Keys {
    fn new(fresh: &FreshKeys) -> Self {
        let current = NumberedKey {
            id: 1,
            key: fresh.pin.clone(),
        };
        Self {
            older: Vec::new(),
            current,
            seal: fresh.seal.clone(),
            audit: AuditKey::from(fresh.audit.clone()),
        }
    }

    /// What the PIN is found by, under every PIN key: the same work for every PIN.
    pub fn lookups(&self, pin: &Pin) -> Lookups {
        Lookups {
            current: self.current.lookup(pin),
            older: self.older.iter().rev().map(|key| key.lookup(pin)).collect(),
        }
    }

    /// The PIN key that new PINs are hashed under.
    pub fn current_pin_key_id(&self) -> u32 {
        self.current.id
    }

    /// Every PIN key, ascending: the current one is the last.
    pub fn pin_key_ids(&self) -> impl Iterator<Item = u32> {
        self.pins().map(|key| key.id)
    }

    /// Encrypts a Guest PIN (XChaCha20-Poly1305). It opens only beside `lookup`, its own under the current key.
    /// The nonce is 24 bytes of randomness, drawn for this one call.
    pub fn seal(&self, pin: &Pin, lookup: &PinLookup, nonce: [u8; 24]) -> SealedPin {
        seal::seal(&self.seal, pin, lookup, nonce)
    }

    /// Decrypts a Guest PIN that was kept beside `lookup`.
    pub fn open(&self, sealed: &SealedPin, lookup: &PinLookup) -> Result<Pin, SealError> {
        seal::open(&self.seal, sealed, lookup)
    }

    /// Encrypts what signs a webhook. It opens only beside the same text: whose webhook it is, and its address.
    /// The nonce is 24 bytes of randomness, drawn for this one call.
    pub fn seal_secret(
        &self,
        secret: &WebhookSecret,
        beside: &str,
        nonce: [u8; 24],
    ) -> SealedSecret {
        seal::seal_secret(&self.seal, secret, beside, nonce)
    }

    /// Decrypts what signs a webhook, that was kept beside this text.
    pub fn open_secret(
        &self,
        sealed: &SealedSecret,
        beside: &str,
    ) -> Result<WebhookSecret, SealError> {
        seal::open_secret(&self.seal, sealed, beside)
    }

    /// Encrypts what a user's authenticator app shares with us, in the same way. It opens only for that user.
    pub fn seal_factor(
        &self,
        secret: &FactorSecret,
        user: UserId,
        nonce: [u8; 24],
    ) -> SealedFactor {
        seal::seal_factor(&self.seal, secret, user, nonce)
    }

    /// Decrypts what was kept for that user.
    pub fn open_factor(
        &self,
        sealed: &SealedFactor,
        user: UserId,
    ) -> Result<FactorSecret, SealError> {
        seal::open_factor(&self.seal, sealed, user)
    }

    /// The key that chains the audit log.
    pub fn audit(&self) -> &AuditKey {
        &self.audit
    }

    /// What each key is recognised by; it tells nothing of the key, so the database may hold it.
    pub fn fingerprints(&self) -> impl Iterator<Item = (KeyName, Fingerprint)> {
        let of = |key: &Secret| Fingerprint::from_hmac(key.hmac(FINGERPRINT, &[]));
        let pins = self
            .pins()
            .map(move |pin| (KeyName::Pin(pin.id), of(&pin.key)));
        pins.chain([
            (KeyName::Seal, of(&self.seal)),
            (
                KeyName::Audit,
                Fingerprint::from_hmac(self.audit.hmac(FINGERPRINT)),
            ),
        ])
    }

    /// Whether these are the keys that a database was made with, by the fingerprints noted in it. Keys that it
    /// doesn't know yet are welcome; PIN keys older than the oldest one here have been retired.
    pub fn check(
        &self,
        noted: impl IntoIterator<Item = (KeyName, Fingerprint)>,
    ) -> Result<(), OtherKeys> {
        let oldest = self.older.first().unwrap_or(&self.current).id;
        for (key, noted) in noted {
            match self.fingerprints().find(|(name, _)| *name == key) {
                Some((_, ours)) if ours == noted => {}
                Some(_) => return Err(OtherKeys::Differs(key)),
                None if matches!(key, KeyName::Pin(id) if id < oldest) => {}
                None => return Err(OtherKeys::Missing(key)),
            }
        }
        Ok(())
    }

    fn pins(&self) -> impl Iterator<Item = &NumberedKey> {
        self.older.iter().chain([&self.current])
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("pins", &self.pin_key_ids().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Randomness for the keys of a new data directory.
#[derive(Debug)]
pub struct FreshKeys {
    pin: Secret,
    seal: Secret,
    audit: Secret,
}

impl FreshKeys {
    /// Draws them, from the operating system's randomness.
    pub fn draw(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut secret = || {
            let mut bytes = Zeroizing::new([0; 32]);
            rng.fill_bytes(&mut *bytes);
            Secret::new(*bytes)
        };
        Self {
            pin: secret(),
            seal: secret(),
            audit: secret(),
        }
    }
}

/// A PIN's lookup and the PIN key it was made under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyedLookup {
    /// The id of the PIN key.
    pub key: u32,
    /// The PIN's HMAC under it.
    pub lookup: PinLookup,
}

/// What one PIN is found by, whenever it was hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookups {
    /// Under the current key.
    pub current: KeyedLookup,
    /// Under those before it, the newest first.
    pub older: Vec<KeyedLookup>,
}

impl Lookups {
    /// All of them, the current one first.
    pub fn iter(&self) -> impl Iterator<Item = &KeyedLookup> {
        [&self.current].into_iter().chain(&self.older)
    }
}

/// One of the keys in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyName {
    /// The PIN key of that id.
    Pin(u32),
    /// What encrypts Guest PINs.
    Seal,
    /// What chains the audit log.
    Audit,
}

impl KeyName {
    /// Reads what [`Display`](fmt::Display) wrote.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "seal" => Some(Self::Seal),
            "audit" => Some(Self::Audit),
            pin => text::pin_id(pin.strip_prefix("pin ")?.as_bytes()).map(Self::Pin),
        }
    }
}

impl fmt::Display for KeyName {
    /// As the line of the file begins.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pin(id) => write!(f, "pin {id}"),
            Self::Seal => f.write_str("seal"),
            Self::Audit => f.write_str("audit"),
        }
    }
}

/// What a key is recognised by: 8 bytes of an HMAC under it.
#[derive(Debug, Clone, Copy)]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// From the bytes that a database kept.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes that a database keeps.
    pub fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    fn from_hmac(hmac: [u8; 32]) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = hmac;
        Self([a, b, c, d, e, f, g, h])
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Fingerprint {}
