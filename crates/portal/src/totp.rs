//! One-time codes of an authenticator app (RFC 6238, on the HMAC of RFC 4226): six digits, a new one each 30 seconds.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use conclave_store::{FactorSecret, TokenHash, UserEmail};
use hmac::{Hmac, KeyInit, Mac};
use qrcode::{Color, EcLevel, QrCode};
use rand_core::CryptoRng;
use sha1::Sha1;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const EVERY: u64 = 30;
/// Who stands beside the code in the app.
const ISSUER: &str = "Conclave";
/// The alphabet of RFC 4648, which authenticator apps read.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// So many recovery codes are drawn.
const RECOVERY_CODES: usize = 10;

/// A secret that nobody has.
pub(crate) fn draw(random: &mut (impl CryptoRng + ?Sized)) -> FactorSecret {
    let mut secret = Zeroizing::new([0; 20]);
    random.fill_bytes(&mut *secret);
    secret
}

/// The step of time in which this is the app's code: the one of now, or a neighbour, as clocks differ.
pub(crate) fn step_of(secret: &FactorSecret, typed: &str, now: DateTime<Utc>) -> Option<u64> {
    let digits: Zeroizing<String> = Zeroizing::new(typed.split_whitespace().collect());
    let current = u64::try_from(now.timestamp()).unwrap_or(0) / EVERY;
    // All three are made whichever is right.
    let mut found = None;
    for step in current.saturating_sub(1)..=current + 1 {
        if bool::from(code(secret, step).as_bytes().ct_eq(digits.as_bytes())) {
            found = Some(step);
        }
    }
    found
}

fn code(secret: &FactorSecret, step: u64) -> Zeroizing<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(&**secret).expect("HMAC takes a key of any length");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    // Four bytes from where the last one says (RFC 4226, section 5.3), without the sign.
    let at = usize::from(digest[19] & 15);
    let number = digest[at..at + 4]
        .iter()
        .fold(0, |number, byte| number << 8 | u32::from(*byte));
    Zeroizing::new(format!("{:06}", (number & 0x7fff_ffff) % 1_000_000))
}

/// As people type it into an app that can't read pictures, in groups of four.
pub(crate) fn spelled(secret: &FactorSecret) -> Zeroizing<String> {
    grouped(&base32(&**secret), ' ')
}

/// Reads what [`spelled`] wrote.
pub(crate) fn parse(text: &str) -> Option<FactorSecret> {
    let mut secret = Zeroizing::new([0; 20]);
    let letters: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
    if letters.len() != 32 {
        return None;
    }
    for (bytes, letters) in secret.chunks_mut(5).zip(letters.as_bytes().chunks(8)) {
        let mut bits = 0_u64;
        for letter in letters {
            let value = BASE32.iter().position(|known| known == letter)?;
            bits = bits << 5 | value as u64;
        }
        bytes.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(secret)
}

/// A number of bytes that five divides.
fn base32(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() / 5 * 8));
    for five in bytes.chunks(5) {
        let bits = five
            .iter()
            .fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        for at in (0..8).rev() {
            text.push(char::from(BASE32[(bits >> (at * 5) & 31) as usize]));
        }
    }
    text
}

fn grouped(text: &str, between: char) -> Zeroizing<String> {
    let mut grouped = Zeroizing::new(String::with_capacity(text.len() * 5 / 4));
    for (n, letter) in text.chars().enumerate() {
        if n > 0 && n % 4 == 0 {
            grouped.push(between);
        }
        grouped.push(letter);
    }
    grouped
}

/// What an app reads from the picture.
fn address(secret: &FactorSecret, email: &UserEmail) -> Zeroizing<String> {
    let whose: String = form_urlencoded::byte_serialize(email.as_str().as_bytes()).collect();
    let letters = base32(&**secret);
    Zeroizing::new(format!(
        "otpauth://totp/{ISSUER}:{whose}?secret={}&issuer={ISSUER}",
        *letters
    ))
}

/// The picture that an app reads: the side in modules, the quiet zone included, and the path of all that is dark.
pub(crate) fn picture(secret: &FactorSecret, email: &UserEmail) -> Option<(usize, String)> {
    /// So much white the standard (ISO/IEC 18004) wants around it.
    const QUIET: usize = 4;
    let drawn = QrCode::with_error_correction_level(address(secret, email).as_bytes(), EcLevel::M);
    let drawn = drawn.ok()?;
    let width = drawn.width();
    let mut path = String::new();
    for (n, _) in drawn
        .to_colors()
        .iter()
        .enumerate()
        .filter(|(_, color)| **color == Color::Dark)
    {
        let (x, y) = (n % width + QUIET, n / width + QUIET);
        let _ = write!(path, "M{x} {y}h1v1h-1z");
    }
    Some((width + 2 * QUIET, path))
}

/// Codes for whoever loses the telephone, 80 random bits each, and what the store knows them by.
pub(crate) fn draw_recovery(
    random: &mut (impl CryptoRng + ?Sized),
) -> (Vec<Zeroizing<String>>, Vec<TokenHash>) {
    let codes: Vec<_> = (0..RECOVERY_CODES)
        .map(|_| {
            let mut bytes = Zeroizing::new([0; 10]);
            random.fill_bytes(&mut *bytes);
            grouped(&base32(&*bytes).to_lowercase(), '-')
        })
        .collect();
    let hashes = codes
        .iter()
        .filter_map(|code| recovery_hash(code))
        .collect();
    (codes, hashes)
}

/// What the store knows a recovery code by, if it is one: however it is grouped, in upper case or lower.
pub(crate) fn recovery_hash(typed: &str) -> Option<TokenHash> {
    let letters = typed.chars().filter(char::is_ascii_alphanumeric);
    let letters: Zeroizing<String> = Zeroizing::new(letters.collect::<String>().to_lowercase());
    (letters.len() == 16).then(|| TokenHash::of(letters.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn secret() -> FactorSecret {
        Zeroizing::new(*b"12345678901234567890")
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    /// The last six of the eight digits in RFC 6238, appendix B.
    #[test]
    fn the_codes_of_the_standard() {
        for (seconds, digits) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = u64::try_from(seconds).unwrap() / 30;
            assert_eq!(step_of(&secret(), digits, at(seconds)), Some(step));
        }
    }

    #[test]
    fn a_clock_may_be_half_a_minute_off() {
        let check = |seconds, typed: &str, expected| {
            assert_eq!(
                step_of(&secret(), typed, at(seconds)),
                expected,
                "{seconds}"
            );
        };
        check(59, "287 082", Some(1));
        check(89, "287082", Some(1));
        check(90, "287082", None);
        check(29, "287082", Some(1));
        check(-5, "287082", Some(1));
        check(59, "287083", None);
        check(59, "94287082", None);
        check(59, "", None);
    }

    #[test]
    fn a_secret_is_read_as_it_was_spelled() {
        let spelled = spelled(&secret());
        assert_eq!(*spelled, "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_eq!(parse(&spelled), Some(secret()));
        assert_eq!(parse(&spelled[1..]), None);
        assert_eq!(parse(&spelled.replace('Z', "1")), None);
        assert_eq!(parse("é".repeat(16).as_str()), None);
    }

    #[test]
    fn recovery_codes_are_known_again_however_they_are_typed() {
        let (codes, hashes) = draw_recovery(&mut StdRng::seed_from_u64(1));
        assert_eq!((codes.len(), hashes.len()), (10, 10));
        let typed = codes[3].to_uppercase().replace('-', " ");
        assert_eq!(recovery_hash(&typed), Some(hashes[3]));
        assert_eq!(recovery_hash(&typed[1..]), None);
        assert!(codes[0].len() == 19 && codes[0] != codes[1]);
    }

    #[test]
    fn the_picture_is_of_a_size_that_a_telephone_reads() {
        let email = UserEmail::parse("ada+test@example.org").unwrap();
        let address = address(&secret(), &email);
        let whole = "otpauth://totp/Conclave:ada%2Btest%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Conclave";
        assert_eq!(*address, whole);
        let (side, path) = picture(&secret(), &email).unwrap();
        assert!((37..70).contains(&side), "{side}");
        // The corner of the first finder pattern, behind the quiet zone.
        assert!(path.starts_with("M4 4h1v1h-1zM5 4"), "{path:.40}");
    }

    proptest! {
        #[test]
        fn every_secret_is_read_as_it_was_spelled(bytes in any::<[u8; 20]>()) {
            let secret = Zeroizing::new(bytes);
            prop_assert_eq!(parse(&spelled(&secret)), Some(secret));
        }

        /// What people paste does no harm.
        #[test]
        fn any_text_may_be_typed(text in any::<String>()) {
            let _ = (parse(&text), recovery_hash(&text));
            prop_assert!(step_of(&secret(), &text, at(0)).is_none_or(|step| step < 2));
        }
    }
}
