//! What keys are made of, and how the file and the audit log spell bytes.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// 32 bytes that nobody may see: masked, and wiped on drop.
#[derive(Clone)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// HMAC-SHA-256 (RFC 2104) of the parts, one behind the other. No purpose is the beginning of another's.
    pub(crate) fn hmac(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        hmac(&self.0, purpose.as_bytes(), parts)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(**********)")
    }
}

pub(crate) fn hmac(key: &[u8; 32], first: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(first);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

pub(crate) fn push_hex(text: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        text.extend([byte >> 4, byte & 15].map(|nibble| b"0123456789abcdef"[usize::from(nibble)]));
    }
}

/// 64 hexadecimal digits.
pub(crate) fn parse_hex(digits: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        for digit in pair {
            let nibble = char::from(*digit).to_digit(16)?;
            *byte = *byte << 4 | nibble as u8;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_it_was_written() {
        let bytes: [u8; 32] = std::array::from_fn(|n| n as u8 * 8);
        let mut text = Vec::new();
        push_hex(&mut text, &bytes);
        assert_eq!(*parse_hex(&text).unwrap(), bytes);
        assert!(parse_hex(&text[1..]).is_none());
        text[3] = b'g';
        assert!(parse_hex(&text).is_none());
    }
}
