//! PINs and the door under bytes that nobody chose, and the corpus of the fuzz target `pin`.

mod pin_bytes;

use std::path::Path;

use conclave_accounts::{Pin, PinError, PinKey, PinLookup};
use proptest::collection::vec;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn drawn_pins_tell_every_slip(len in 4u8..=16, seed: u64) {
        let pin = Pin::draw(len, &mut StdRng::seed_from_u64(seed)).unwrap();
        prop_assert_eq!(pin.len(), len);
        prop_assert!(pin.has_check_digit());
        pin_bytes::check(pin.expose().as_bytes());
    }

    #[test]
    fn the_doorkeeper_keeps_to_the_rules(steps in vec(any::<[u8; 3]>(), 0..200)) {
        pin_bytes::check(&steps.concat());
    }

    /// The same with calls alone, in quick succession: the ceilings are reached.
    #[test]
    fn the_doorkeeper_keeps_to_the_rules_in_a_flood(steps in vec((40u8..=255, any::<u8>(), 0u8..40), 0..200)) {
        let bytes: Vec<u8> = steps.into_iter().flat_map(|(who, pin, later)| [who, pin, later]).collect();
        pin_bytes::check(&bytes);
    }

    #[test]
    fn no_text_is_taken_for_a_pin(text in "\\PC{0,40}") {
        pin_bytes::check(text.as_bytes());
    }
}

#[test]
fn the_fuzz_corpus_replays() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/pin");
    let mut replayed = 0;
    for entry in std::fs::read_dir(corpus).expect("the corpus is in the repository") {
        pin_bytes::check(&std::fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 5, "{replayed} seeds");
}

#[test]
fn what_is_no_pin_is_refused_without_saying_it() {
    for (text, expected) in [
        ("", PinError::Length(0)),
        ("123", PinError::Length(3)),
        ("12345678901234567", PinError::Length(17)),
        ("123a5", PinError::NotADigit),
        (" 12345", PinError::NotADigit),
        ("12345#", PinError::NotADigit),
        // Digits elsewhere, none of a telephone.
        ("١٢٣٤", PinError::NotADigit),
    ] {
        let error = Pin::parse(text).unwrap_err();
        assert_eq!(error, expected);
        assert!(text.is_empty() || !format!("{error} {error:?}").contains(text));
    }
    let long = "9".repeat(10_000);
    assert_eq!(Pin::parse(&long), Err(PinError::Length(10_000)));
    let mut rng = StdRng::seed_from_u64(1);
    assert_eq!(Pin::draw(3, &mut rng), Err(PinError::Length(3)));
    assert_eq!(Pin::draw(17, &mut rng), Err(PinError::Length(17)));
}

/// Pearson's chi-squared on each free place: 27.9 is passed once in a thousand at 9 degrees.
#[test]
fn every_digit_is_drawn_as_often() {
    let mut rng = StdRng::seed_from_u64(2026);
    let mut seen = [[0u32; 10]; 10];
    for _ in 0..20_000 {
        let pin = Pin::draw(10, &mut rng).unwrap();
        for (place, digit) in pin.expose().bytes().enumerate() {
            seen[place][usize::from(digit - b'0')] += 1;
        }
    }
    for (place, counts) in seen.iter().enumerate() {
        let off = counts
            .iter()
            .map(|count| (f64::from(*count) - 2000.0).powi(2) / 2000.0)
            .sum::<f64>();
        assert!(off < 27.9, "place {place}: {counts:?}");
    }
}

#[test]
fn patterns_are_known_from_drawn_pins() {
    for guessable in [
        "0000",
        "777777",
        "12345678",
        "98765432",
        "7890123",
        "121212",
        "123123123",
        "1111119",
    ] {
        assert!(Pin::parse(guessable).unwrap().is_guessable(), "{guessable}");
    }
    for fine in ["8302916475", "135791", "112233"] {
        assert!(!Pin::parse(fine).unwrap().is_guessable(), "{fine}");
    }
}

#[test]
fn secrets_are_masked_and_compared() {
    let pin = Pin::parse("8302916475").unwrap();
    let key = PinKey::new([0x5a; 32]);
    for shown in [
        format!("{pin:?}"),
        format!("{key:?}"),
        format!("{:?}", key.lookup(&pin)),
    ] {
        assert!(shown.ends_with("(**********)"), "{shown}");
    }
    assert_eq!(pin, Pin::parse("8302916475").unwrap());
    assert_ne!(pin, Pin::parse("8302916474").unwrap());
    // A PIN is not the longer one that begins with it.
    assert_ne!(Pin::parse("12340").unwrap(), Pin::parse("123400").unwrap());
}

/// RFC 4231's construction, computed by OpenSSL:
/// `printf 8302916475 | openssl mac -digest SHA256 -macopt hexkey:5a..5a HMAC`.
#[test]
fn the_lookup_is_hmac_sha_256() {
    let pin = Pin::parse("8302916475").unwrap();
    let lookup = PinKey::new([0x5a; 32]).lookup(&pin);
    let hex: String = lookup
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        hex,
        "87363e42d8f77402100abe332a8f3a99d0471259c5833ccf952bd1322676ffd6"
    );
    assert_ne!(PinKey::new([0x5b; 32]).lookup(&pin), lookup);
    assert_eq!(PinLookup::from_bytes(*lookup.as_bytes()), lookup);
}
