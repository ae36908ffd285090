use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use rand_core::{CryptoRng, Rng};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::damm;

/// The shortest PIN that is one at all. What a policy allows is longer.
pub const SHORTEST_PIN: u8 = 4;
/// The longest PIN.
pub const LONGEST_PIN: u8 = 16;

/// A PIN: 4 to 16 decimal digits, whether or not any door knows them.
///
/// It is a secret: `Debug` masks it, comparison takes the same time whatever differs, memory is
/// wiped on drop, and there is no serde for it. What is kept is its [`PinLookup`].
#[derive(Clone)]
pub struct Pin {
    /// ASCII digits, zero bytes behind them.
    digits: [u8; LONGEST_PIN as usize],
    len: u8,
}

/// Why something is no PIN. Never says which digits were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Fewer than 4 or more than 16 digits.
    #[error("a PIN has {SHORTEST_PIN} to {LONGEST_PIN} digits, this one has {0}")]
    Length(usize),
    /// Something else than the digits 0 to 9.
    #[error("a PIN has digits only")]
    NotADigit,
}

impl Pin {
    /// Reads a PIN as a caller typed it: ASCII digits and nothing else. The check digit is not
    /// looked at, see [`has_check_digit`](Self::has_check_digit).
    pub fn parse(digits: &str) -> Result<Self, PinError> {
        let bytes = digits.as_bytes();
        let len = check_length(bytes.len())?;
        if !bytes.iter().all(u8::is_ascii_digit) {
            return Err(PinError::NotADigit);
        }
        let mut pin = Self {
            digits: [0; LONGEST_PIN as usize],
            len,
        };
        pin.digits[..bytes.len()].copy_from_slice(bytes);
        Ok(pin)
    }

    /// Draws a PIN of `len` digits, the last of them its check digit, all such PINs being equally
    /// likely.
    pub fn draw<R: CryptoRng + ?Sized>(len: u8, rng: &mut R) -> Result<Self, PinError> {
        check_length(usize::from(len))?;
        let mut pin = Self {
            digits: [0; LONGEST_PIN as usize],
            len,
        };
        let free = usize::from(len) - 1;
        for digit in &mut pin.digits[..free] {
            *digit = b'0' + draw_digit(rng);
        }
        pin.digits[free] = b'0' + damm::check_digit(&pin.digits[..free]);
        Ok(pin)
    }

    /// Whether the last digit is the Damm check digit of those before it. True for every PIN that
    /// was [drawn](Self::draw), and for one in ten of all strings.
    pub fn has_check_digit(&self) -> bool {
        damm::check_digit(self.expose().as_bytes()) == 0
    }

    /// How many digits, 4 to 16.
    #[expect(clippy::len_without_is_empty, reason = "a PIN is never empty")]
    pub fn len(&self) -> u8 {
        self.len
    }

    /// The digits, for the one place that has to show or send them.
    pub fn expose(&self) -> &str {
        // ASCII digits by construction.
        std::str::from_utf8(&self.digits[..usize::from(self.len)]).unwrap_or_default()
    }

    /// Whether people would try it first: one digit or a short group over and over
    /// (`777777`, `121212`), or a run up or down (`123456`, `987654`). A check digit at the end is
    /// looked past.
    ///
    /// For PINs that people chose (migrated ones): drawn ones need no such test, the odds have it
    /// in them.
    pub fn is_guessable(&self) -> bool {
        let all = self.expose().as_bytes();
        is_pattern(all) || is_pattern(&all[..all.len() - 1])
    }
}

fn check_length(len: usize) -> Result<u8, PinError> {
    u8::try_from(len)
        .ok()
        .filter(|len| (SHORTEST_PIN..=LONGEST_PIN).contains(len))
        .ok_or(PinError::Length(len))
}

/// By rejection: 250 is the largest multiple of ten in a byte, so every digit is equally likely.
fn draw_digit<R: Rng + ?Sized>(rng: &mut R) -> u8 {
    let mut byte = Zeroizing::new([0]);
    loop {
        rng.fill_bytes(&mut *byte);
        if byte[0] < 250 {
            return byte[0] % 10;
        }
    }
}

fn is_pattern(digits: &[u8]) -> bool {
    let repeats = (1..=3).any(|period| digits.iter().zip(&digits[period..]).all(|(a, b)| a == b));
    let step = |by: u8| {
        digits
            .windows(2)
            .all(|two| (two[0] - b'0' + by) % 10 == two[1] - b'0')
    };
    repeats || step(1) || step(9)
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.digits.zeroize();
    }
}

impl ZeroizeOnDrop for Pin {}

impl PartialEq for Pin {
    fn eq(&self, other: &Self) -> bool {
        (self.digits.ct_eq(&other.digits) & self.len.ct_eq(&other.len)).into()
    }
}

impl Eq for Pin {}

impl fmt::Debug for Pin {
    /// As many stars for every PIN: its length is nobody's business either.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(**********)")
    }
}

/// The key under which PINs are looked up, kept outside the database: who has the database alone
/// can't try PINs against it.
#[derive(Clone)]
pub struct PinKey([u8; 32]);

impl PinKey {
    /// A key of 32 bytes from a CSPRNG.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// HMAC-SHA-256 (RFC 2104) of the PIN's ASCII digits under this key.
    pub fn lookup(&self, pin: &Pin) -> PinLookup {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(pin.expose().as_bytes());
        PinLookup(mac.finalize().into_bytes().into())
    }
}

impl Drop for PinKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for PinKey {}

impl fmt::Debug for PinKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinKey(**********)")
    }
}

/// What a store keeps in place of a PIN and finds it by: its HMAC under the [`PinKey`].
///
/// Equality takes the same time whatever differs. The order, for maps, does not: without the key
/// nobody can choose PINs by their HMAC, so a map's comparisons tell a guesser nothing.
#[derive(Clone, Copy, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PinLookup([u8; 32]);

impl PinLookup {
    /// From the bytes that a store kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes that a store keeps.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for PinLookup {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for PinLookup {}

impl std::hash::Hash for PinLookup {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for PinLookup {
    /// Masked: together with the key it tells the PIN.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinLookup(**********)")
    }
}
