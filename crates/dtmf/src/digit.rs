use core::fmt;

/// One of the sixteen telephone keys: `0`–`9`, `*`, `#`, `A`–`D`.
///
/// A digit may be part of a PIN, so `Debug` does not show which one it is; ask [`Digit::as_char`]
/// where it is meant to be seen.
///
/// ```
/// use conclave_dtmf::Digit;
/// assert_eq!(Digit::new('#'), Some(Digit::HASH));
/// assert_eq!(Digit::try_from(10), Ok(Digit::STAR)); // the event code of RFC 4733
/// assert_eq!(format!("{:?}", Digit::STAR), "Digit(_)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digit(u8);

const CHARS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D',
];

impl Digit {
    /// The `*` key.
    pub const STAR: Digit = Digit(10);
    /// The `#` key.
    pub const HASH: Digit = Digit(11);

    /// The digit written as `key`: `0`–`9`, `*`, `#`, `A`–`D` in either case; `None` for anything else.
    pub const fn new(key: char) -> Option<Digit> {
        Some(Digit(match key {
            '0'..='9' => key as u8 - b'0',
            '*' => 10,
            '#' => 11,
            'A'..='D' => key as u8 - b'A' + 12,
            'a'..='d' => key as u8 - b'a' + 12,
            _ => return None,
        }))
    }

    /// The key as printed on a telephone: `0`–`9`, `*`, `#`, `A`–`D`.
    pub const fn as_char(self) -> char {
        CHARS[self.0 as usize]
    }

    /// The event code of RFC 4733 section 3.2, 0 to 15.
    pub const fn event_code(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Digit {
    type Error = NotADigit;

    /// From the event code of RFC 4733 section 3.2 (0 to 15).
    fn try_from(event_code: u8) -> Result<Self, NotADigit> {
        if event_code < 16 {
            Ok(Digit(event_code))
        } else {
            Err(NotADigit(()))
        }
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digit(_)")
    }
}

/// The event is not one of the sixteen keys (flash, fax tones, ...).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of the keys 0-9, *, #, A-D")]
pub struct NotADigit(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_round_trips() {
        for code in 0..=255u8 {
            match Digit::try_from(code) {
                Ok(digit) => {
                    assert_eq!(digit.event_code(), code);
                    assert_eq!(Digit::new(digit.as_char()), Some(digit));
                }
                Err(_) => assert!(code > 15),
            }
        }
        assert_eq!(Digit::new('d'), Digit::new('D'));
        assert_eq!(Digit::new('E'), None);
        assert_eq!(Digit::new('٣'), None);
    }
}
