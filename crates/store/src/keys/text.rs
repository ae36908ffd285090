//! How the key file is written and read.

use zeroize::Zeroizing;

use super::{Keys, NumberedKey};
use crate::audit::AuditKey;
use crate::secret::{Secret, parse_hex, push_hex};

const ANY_VERSION: &[u8] = b"conclave keys ";
const VERSION_1: &[u8] = b"conclave keys 1";
const VERSION_2: &[u8] = b"conclave keys 2";
/// Every PIN is hashed under each of them.
pub(super) const MOST_PIN_KEYS: usize = 16;
/// Above the length of any file with so many keys: 16 lines of at most 81 bytes and the three others.
pub(super) const LONGEST: usize = 2048;

/// What a file may hold.
pub(super) enum Text {
    /// Version 1: a PIN key alone.
    One(Secret),
    Two(Keys),
    /// A version that is not known yet.
    Newer,
}

pub(super) fn render(keys: &Keys) -> Zeroizing<Vec<u8>> {
    // Never to grow: what a vector leaves behind when it moves is not wiped.
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST));
    text.extend_from_slice(VERSION_2);
    text.push(b'\n');
    let mut line = |name: &str, key: &[u8; 32]| {
        text.extend_from_slice(name.as_bytes());
        text.push(b' ');
        push_hex(&mut text, key);
        text.push(b'\n');
    };
    for NumberedKey { id, key } in keys.pins() {
        line(&format!("pin {id}"), key.expose());
    }
    line("seal", keys.seal.expose());
    line("audit", keys.audit.secret().expose());
    text
}

pub(super) fn parse(text: &[u8]) -> Result<Text, &'static str> {
    let text = text.strip_suffix(b"\n").ok_or("its end is missing")?;
    let mut lines = text.split(|byte| *byte == b'\n');
    match lines.next() {
        Some(VERSION_1) => {
            let line = lines.next().and_then(|line| line.strip_prefix(b"pin "));
            let pin = key(line.ok_or("it holds no PIN key")?)?;
            end(lines).map(|()| Text::One(pin))
        }
        Some(VERSION_2) => parse_2(lines).map(Text::Two),
        Some(line) if line.starts_with(ANY_VERSION) => Ok(Text::Newer),
        _ => Err("it doesn't begin as a key file does"),
    }
}

fn parse_2<'a>(mut lines: impl Iterator<Item = &'a [u8]>) -> Result<Keys, &'static str> {
    let mut pins: Vec<NumberedKey> = Vec::new();
    let seal = loop {
        let line = lines.next().ok_or("it holds no key for Guest PINs")?;
        let Some(pin) = line.strip_prefix(b"pin ") else {
            break line;
        };
        let space = pin.iter().position(|byte| *byte == b' ');
        let (id, digits) = pin.split_at(space.ok_or("a PIN key has no number")?);
        let id = pin_id(id).ok_or("a PIN key has a bad number")?;
        if pins.last().is_some_and(|last| last.id >= id) {
            return Err("its PIN keys are out of order");
        }
        let key = key(&digits[1..])?;
        pins.push(NumberedKey { id, key });
    };
    let current = pins.pop().ok_or("it holds no PIN key")?;
    if pins.len() >= MOST_PIN_KEYS {
        return Err("it holds too many PIN keys");
    }
    let seal = seal.strip_prefix(b"seal ");
    let seal = key(seal.ok_or("it holds no key for Guest PINs")?)?;
    let audit = lines.next().and_then(|line| line.strip_prefix(b"audit "));
    let audit = key(audit.ok_or("it holds no key for the audit log")?)?;
    end(lines)?;
    Ok(Keys {
        older: pins,
        current,
        seal,
        audit: AuditKey::from(audit),
    })
}

/// As it is written and in no other way: a number without sign or leading zero, not 0.
pub(super) fn pin_id(digits: &[u8]) -> Option<u32> {
    let canonical = digits.iter().all(u8::is_ascii_digit) && digits.first() != Some(&b'0');
    let id = std::str::from_utf8(digits).ok()?.parse().ok()?;
    canonical.then_some(id)
}

fn key(digits: &[u8]) -> Result<Secret, &'static str> {
    let key = parse_hex(digits).ok_or("a key in it is not 64 hexadecimal digits")?;
    Ok(Secret::new(*key))
}

fn end<'a>(mut lines: impl Iterator<Item = &'a [u8]>) -> Result<(), &'static str> {
    match lines.next() {
        None => Ok(()),
        Some(_) => Err("it goes on where it should end"),
    }
}
