//! What the database keeps encrypted: Guest PINs, for invitations, what authenticator apps share with us, and what signs webhooks.

use std::fmt;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};
use conclave_accounts::{LONGEST_PIN, Pin, PinLookup};
use zeroize::Zeroizing;

use crate::WebhookSecret;
use crate::secret::Secret;
use crate::user::UserId;

const PURPOSE: &[u8; 18] = b"conclave guest pin";
const FACTOR: &[u8; 22] = b"conclave second factor";
const NONCE: usize = 24;
/// Digits, zero bytes behind them: every PIN is as long.
const TEXT: usize = LONGEST_PIN as usize;
const TAG: usize = 16;

/// A PIN, encrypted and authenticated: nonce (24 bytes), text (16), tag (16).
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPin([u8; Self::LENGTH]);

const WEBHOOK: &[u8; 16] = b"conclave webhook";
const SECRET: usize = 32;

/// What signs a webhook, encrypted and authenticated: nonce (24 bytes), secret (32), tag (16).
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret([u8; Self::LENGTH]);

impl SealedSecret {
    /// How many bytes it has.
    pub const LENGTH: usize = NONCE + SECRET + TAG;

    /// From the bytes that a store kept.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        sized(bytes).map(Self)
    }

    /// The bytes that a store keeps.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedSecret(**********)")
    }
}

/// What an authenticator app and we both know: the key of RFC 6238, as long as RFC 4226 wants it.
pub type FactorSecret = Zeroizing<[u8; 20]>;

/// A [`FactorSecret`], encrypted and authenticated: nonce (24 bytes), text (20), tag (16).
#[derive(Clone, PartialEq, Eq)]
pub struct SealedFactor([u8; Self::LENGTH]);

/// Why something encrypted can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It can't be one.
    #[error("what is encrypted has {expected} bytes, this has {found}")]
    Length {
        /// How many it would have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// The authentication fails.
    #[error(
        "what is encrypted doesn't open: it was changed, belongs to another row, or was made with another key"
    )]
    Forged,
}

/// Exactly so many bytes.
fn sized<const N: usize>(bytes: &[u8]) -> Result<[u8; N], SealError> {
    bytes.try_into().map_err(|_| SealError::Length {
        expected: N,
        found: bytes.len(),
    })
}

impl SealedPin {
    /// How many bytes it has, whatever the PIN.
    pub const LENGTH: usize = NONCE + TEXT + TAG;

    /// From the bytes that a store kept.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        sized(bytes).map(Self)
    }

    /// The bytes that a store keeps.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedPin(**********)")
    }
}

impl SealedFactor {
    /// How many bytes it has.
    pub const LENGTH: usize = NONCE + 20 + TAG;

    /// From the bytes that a store kept.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        sized(bytes).map(Self)
    }

    /// The bytes that a store keeps.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedFactor(**********)")
    }
}

pub(crate) fn seal_factor(
    key: &Secret,
    secret: &FactorSecret,
    user: UserId,
    nonce: [u8; NONCE],
) -> SealedFactor {
    let mut text = secret.clone();
    SealedFactor(encrypt(key, nonce, &of_user(user), &mut *text))
}

pub(crate) fn open_factor(
    key: &Secret,
    sealed: &SealedFactor,
    user: UserId,
) -> Result<FactorSecret, SealError> {
    let mut text = Zeroizing::new([0; 20]);
    decrypt(key, &sealed.0, &of_user(user), &mut *text)?;
    Ok(text)
}

pub(crate) fn seal(key: &Secret, pin: &Pin, lookup: &PinLookup, nonce: [u8; NONCE]) -> SealedPin {
    let mut text = Zeroizing::new([0; TEXT]);
    text[..usize::from(pin.len())].copy_from_slice(pin.expose().as_bytes());
    SealedPin(encrypt(key, nonce, &beside(lookup), &mut *text))
}

pub(crate) fn open(key: &Secret, sealed: &SealedPin, lookup: &PinLookup) -> Result<Pin, SealError> {
    let mut plain = Zeroizing::new([0; TEXT]);
    decrypt(key, &sealed.0, &beside(lookup), &mut *plain)?;
    let digits = plain.iter().position(|byte| *byte == 0).unwrap_or(TEXT);
    let digits = std::str::from_utf8(&plain[..digits]).map_err(|_| SealError::Forged)?;
    Pin::parse(digits).map_err(|_| SealError::Forged)
}

/// `beside`: what the secret is bound to, and without which it doesn't open.
pub(crate) fn seal_secret(
    key: &Secret,
    secret: &WebhookSecret,
    beside: &str,
    nonce: [u8; NONCE],
) -> SealedSecret {
    let mut text = Zeroizing::new(*secret.bytes());
    let beside = [WEBHOOK, beside.as_bytes()].concat();
    SealedSecret(encrypt(key, nonce, &beside, text.as_mut_slice()))
}

pub(crate) fn open_secret(
    key: &Secret,
    sealed: &SealedSecret,
    beside: &str,
) -> Result<WebhookSecret, SealError> {
    let mut text = Zeroizing::new([0; SECRET]);
    let beside = [WEBHOOK, beside.as_bytes()].concat();
    decrypt(key, &sealed.0, &beside, text.as_mut_slice())?;
    Ok(WebhookSecret::from_bytes(*text))
}

/// Encrypts the text where it is: nonce, text and tag, `N` bytes in all.
fn encrypt<const N: usize>(
    key: &Secret,
    nonce: [u8; NONCE],
    beside: &[u8],
    text: &mut [u8],
) -> [u8; N] {
    let tag = cipher(key)
        .encrypt_inout_detached(&XNonce::from(nonce), beside, (&mut *text).into())
        .expect("a few bytes are not too many");
    let mut sealed = [0; N];
    sealed[..NONCE].copy_from_slice(&nonce);
    sealed[NONCE..N - TAG].copy_from_slice(text);
    sealed[N - TAG..].copy_from_slice(&tag);
    sealed
}

/// Decrypts nonce, text and tag; the text is as long as what takes it.
fn decrypt(key: &Secret, sealed: &[u8], beside: &[u8], text: &mut [u8]) -> Result<(), SealError> {
    let (nonce, rest) = sealed.split_at(NONCE);
    let (encrypted, tag) = rest.split_at(text.len());
    let nonce = XNonce::try_from(nonce).map_err(|_| SealError::Forged)?;
    let tag = Tag::try_from(tag).map_err(|_| SealError::Forged)?;
    text.copy_from_slice(encrypted);
    cipher(key)
        .decrypt_inout_detached(&nonce, beside, text.into(), &tag)
        .map_err(|_| SealError::Forged)
}

fn cipher(key: &Secret) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose().into())
}

/// What the text is bound to: in another row it doesn't open.
fn beside(lookup: &PinLookup) -> [u8; PURPOSE.len() + 32] {
    let mut data = [0; PURPOSE.len() + 32];
    data[..PURPOSE.len()].copy_from_slice(PURPOSE);
    data[PURPOSE.len()..].copy_from_slice(lookup.as_bytes());
    data
}

/// The same for what belongs to a user.
fn of_user(user: UserId) -> [u8; FACTOR.len() + 8] {
    let mut data = [0; FACTOR.len() + 8];
    data[..FACTOR.len()].copy_from_slice(FACTOR);
    data[FACTOR.len()..].copy_from_slice(&user.0.to_be_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(n: u8) -> PinLookup {
        PinLookup::from_bytes([n; 32])
    }

    #[test]
    fn every_length_opens_again_and_looks_the_same() {
        let key = Secret::new([7; 32]);
        for digits in ["0000", "123456", "7305918246", "1234567890123456"] {
            let pin = Pin::parse(digits).unwrap();
            let sealed = seal(&key, &pin, &lookup(1), [3; 24]);
            assert_eq!(sealed.as_bytes().len(), 56);
            let kept = SealedPin::from_bytes(sealed.as_bytes()).unwrap();
            assert_eq!(open(&key, &kept, &lookup(1)).unwrap(), pin);
            assert!(!format!("{sealed:?}").contains(digits));
        }
        let short = SealError::Length {
            expected: 56,
            found: 55,
        };
        assert_eq!(SealedPin::from_bytes(&[0; 55]), Err(short));
    }

    #[test]
    fn a_second_factor_opens_for_its_user_alone() {
        let (key, secret) = (
            Secret::new([7; 32]),
            Zeroizing::new(*b"12345678901234567890"),
        );
        let sealed = seal_factor(&key, &secret, UserId(4), [3; 24]);
        let kept = SealedFactor::from_bytes(sealed.as_bytes()).unwrap();
        assert_eq!(open_factor(&key, &kept, UserId(4)).unwrap(), secret);
        let check = |key: u8, sealed: &SealedFactor, user| {
            let opened = open_factor(&Secret::new([key; 32]), sealed, UserId(user));
            assert_eq!(opened, Err(SealError::Forged));
        };
        check(8, &sealed, 4);
        check(7, &sealed, 5);
        for bit in 0..SealedFactor::LENGTH * 8 {
            let mut changed = sealed.clone();
            changed.0[bit / 8] ^= 1 << (bit % 8);
            check(7, &changed, 4);
        }
        assert!(!format!("{sealed:?}").contains('3'));
        assert!(SealedFactor::from_bytes(&[0; 56]).is_err());
    }

    #[test]
    fn a_secret_opens_beside_its_address_alone() {
        let key = Secret::new([7; 32]);
        let secret = WebhookSecret::from_bytes([9; 32]);
        let sealed = seal_secret(&key, &secret, "https://example.org/", [3; 24]);
        let kept = SealedSecret::from_bytes(sealed.as_bytes()).unwrap();
        let opened = open_secret(&key, &kept, "https://example.org/").unwrap();
        assert_eq!(opened.bytes(), secret.bytes());
        let forged = |key: u8, sealed: &SealedSecret, beside: &str| {
            let opened = open_secret(&Secret::new([key; 32]), sealed, beside);
            assert_eq!(opened.err(), Some(SealError::Forged));
        };
        forged(8, &kept, "https://example.org/");
        forged(7, &kept, "https://example.com/");
        for bit in 0..SealedSecret::LENGTH * 8 {
            let mut changed = kept.clone();
            changed.0[bit / 8] ^= 1 << (bit % 8);
            forged(7, &changed, "https://example.org/");
        }
        assert!(SealedSecret::from_bytes(&[0; 56]).is_err());
    }

    #[test]
    fn nothing_else_opens() {
        let key = Secret::new([7; 32]);
        let pin = Pin::parse("7305918246").unwrap();
        let sealed = seal(&key, &pin, &lookup(1), [3; 24]);
        let check = |key: u8, sealed: &SealedPin, row: u8| {
            let opened = open(&Secret::new([key; 32]), sealed, &lookup(row));
            assert_eq!(opened, Err(SealError::Forged));
        };
        check(8, &sealed, 1);
        check(7, &sealed, 2);
        for bit in 0..SealedPin::LENGTH * 8 {
            let mut changed = sealed.clone();
            changed.0[bit / 8] ^= 1 << (bit % 8);
            check(7, &changed, 1);
        }
    }
}
