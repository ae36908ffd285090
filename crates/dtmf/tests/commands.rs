//! Keys to commands: the timing, the maps, and what lost digits may not do.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::time::Duration;

use conclave_dtmf::{
    ConflictKind, Digit, HASH_GUARD, KeyCommand, KeyMap, KeyMapError, KeyPress, KeyReader, Keys,
    Who,
};
use proptest::prelude::*;

/// Presses the keys of `input`, the number after each being milliseconds to the next, and writes
/// down what they amount to; `!` before a `*` is one that a prompt waits for.
#[track_caller]
fn check(input: &[(&str, u64)], expected: &[KeyPress]) {
    let (map, mut reader, mut now) = (KeyMap::default(), KeyReader::new(), Duration::ZERO);
    let mut got = Vec::new();
    for &(key, pause_ms) in input {
        let digit = Digit::new(key.chars().last().unwrap()).unwrap();
        got.extend(reader.press(&map, digit, now, key.starts_with('!')));
        now += Duration::from_millis(pause_ms);
        got.extend(reader.handle_timeout(now));
    }
    assert_eq!(got, expected, "{input:?}");
}

use KeyCommand::{EndForAll, Help, Mute, RollCall};
use KeyPress::{Command, Star, StarAlone};

#[test]
fn two_keys_in_time_are_a_command() {
    check(&[("*", 2999), ("6", 0)], &[Command(Mute)]);
    check(&[("#", 1999), ("#", 0)], &[Command(EndForAll)]);
    check(&[("*", 100), ("*", 0)], &[Command(Help)]);
    check(
        &[("*", 9), ("8", 9), ("*", 9), ("6", 9)],
        &[Command(RollCall), Command(Mute)],
    );
}

#[test]
fn too_late_is_nothing() {
    check(&[("*", 3000), ("6", 0)], &[StarAlone]);
    check(&[("#", 2000), ("#", 5000)], &[]);
    check(&[("#", 2000), ("#", 500), ("#", 0)], &[Command(EndForAll)]);
}

#[test]
fn digits_that_do_nothing_are_dropped() {
    check(&[("6", 9), ("1", 9), ("0", 9)], &[]);
    check(&[("*", 9), ("1", 9), ("6", 9)], &[]);
    check(&[("#", 9), ("6", 9), ("#", 9), ("5", 9)], &[]);
    check(&[("#", 9), ("*", 9), ("6", 9)], &[Command(Mute)]);
}

#[test]
fn a_star_that_is_waited_for_acts_at_once_and_is_used_up() {
    check(&[("!*", 9), ("6", 9)], &[Star]);
    check(&[("*", 9), ("!*", 9), ("6", 9)], &[Star]);
    check(&[("#", 9), ("!*", 9), ("#", 9)], &[Star]);
}

#[test]
fn the_hash_after_a_pin_is_ignored() {
    let (map, mut reader) = (KeyMap::default(), KeyReader::new());
    let press = |reader: &mut KeyReader, key, ms| {
        reader.press(
            &map,
            Digit::new(key).unwrap(),
            Duration::from_millis(ms),
            false,
        )
    };
    reader.ignore_hash_until(Duration::from_secs(10) + HASH_GUARD);
    assert_eq!(press(&mut reader, '#', 10_500), None);
    assert_eq!(press(&mut reader, '#', 11_999), None);
    assert_eq!(press(&mut reader, '#', 12_000), None); // the first of a pair
    assert_eq!(press(&mut reader, '#', 12_100), Some(Command(EndForAll)));
    reader.ignore_hash_until(Duration::from_secs(20));
    assert_eq!(press(&mut reader, '*', 19_000), None);
    assert_eq!(press(&mut reader, '#', 19_100), None);
    assert_eq!(press(&mut reader, '6', 19_200), Some(Command(Mute)));
    // What was pressed before is dropped: it is no half of a pair.
    assert_eq!(press(&mut reader, '#', 30_000), None);
    reader.ignore_hash_until(Duration::from_millis(30_100));
    assert_eq!(press(&mut reader, '#', 30_200), None);
    assert_eq!(press(&mut reader, '#', 30_300), Some(Command(EndForAll)));
}

#[test]
fn the_default_map_is_the_published_table() {
    let map = KeyMap::default();
    let written: Vec<_> = map.bindings().map(|binding| binding.to_string()).collect();
    let table = [
        "*6 (everyone) mute",
        "*7 (host) lock",
        "*8 (host) roll-call",
        "## (host) end-for-all",
        "*5 (host) lecture",
        "*4 (host) consent",
        "*3 (host) quiet",
        "*2 (host) record",
        "*9 (everyone) hand",
        "** (everyone) help",
    ];
    assert_eq!(written, table);
    assert_eq!(map.who_may(Mute), Some(Who::Everyone));
    assert_eq!(map.who_may(EndForAll), Some(Who::Host));
}

#[test]
fn conflicts_are_refused_and_both_entries_named() {
    let check = |first: &str, second: &str, kind: ConflictKind| {
        let entries = [
            ("*6", Who::Everyone, "mute"),
            (first, Who::Host, "lock"),
            (second, Who::Everyone, "hand"),
        ];
        let Err(KeyMapError::Conflict(conflict)) = KeyMap::parse(entries) else {
            panic!("{first} beside {second} was taken");
        };
        assert_eq!(conflict.kind, kind);
        let text = conflict.to_string();
        assert!(text.contains(&format!("`{first} (host) lock`")), "{text}");
        assert!(
            text.contains(&format!("`{second} (everyone) hand`")),
            "{text}"
        );
    };
    check("*7", "*7", ConflictKind::Duplicate);
    check("7", "78", ConflictKind::Prefix);
    check("*78", "*7", ConflictKind::Prefix);
    check("123", "13", ConflictKind::OneLostDigit);
    check("7", "97", ConflictKind::OneLostDigit);
    check("5*78", "*7", ConflictKind::OneLostDigit);
}

#[test]
fn entries_that_make_no_sense_are_named() {
    let parse = |keys, command| {
        KeyMap::parse([("*6", Who::Everyone, "mute"), (keys, Who::Host, command)]).unwrap_err()
    };
    assert_eq!(parse("", "lock"), KeyMapError::Keys { entry: 2 });
    assert_eq!(parse("12345", "lock"), KeyMapError::Keys { entry: 2 });
    assert_eq!(parse("*x", "lock"), KeyMapError::Keys { entry: 2 });
    assert_eq!(parse("*7", "lokc"), KeyMapError::Command { entry: 2 });
    let many = (0..40)
        .map(|n| format!("{}{}", n / 10 + 1, n % 10))
        .collect::<Vec<_>>();
    let many = KeyMap::parse(many.iter().map(|keys| (keys.as_str(), Who::Host, "lock")));
    assert_eq!(many.unwrap_err(), KeyMapError::TooMany);
}

#[test]
fn what_was_typed_is_not_in_debug_output() {
    let mut reader = KeyReader::new();
    let map = KeyMap::parse([("777", Who::Host, "lock")]).unwrap();
    reader.press(
        &map,
        Digit::new('7').unwrap(),
        Duration::from_secs(1),
        false,
    );
    assert!(!format!("{reader:?}").contains('7'), "{reader:?}");
}

/// Presses these keys alone, 200 ms apart, and waits; the commands that come of it.
fn press_alone(map: &KeyMap, keys: &[Digit]) -> Vec<KeyPress> {
    let (mut reader, mut now) = (KeyReader::new(), Duration::ZERO);
    let mut got = Vec::new();
    for &key in keys {
        got.extend(reader.press(map, key, now, false));
        now += Duration::from_millis(200);
    }
    got.extend(reader.handle_timeout(now + Duration::from_secs(10)));
    got.retain(|press| matches!(press, Command(_)));
    got
}

fn assert_no_lost_digit_makes_a_command(map: &KeyMap) {
    for binding in map.bindings() {
        let keys = binding.keys.as_slice();
        assert_eq!(
            press_alone(map, keys),
            [Command(binding.command)],
            "{binding}"
        );
        for lost in 0..keys.len() {
            let rest = [&keys[..lost], &keys[lost + 1..]].concat();
            assert_eq!(press_alone(map, &rest), [], "{binding} without key {lost}");
        }
    }
}

#[test]
fn no_lost_digit_turns_a_command_into_another() {
    assert_no_lost_digit_makes_a_command(&KeyMap::default());
}

proptest! {
    #[test]
    fn nor_does_one_in_any_map_that_is_taken(
        entries in proptest::collection::vec(("[0-9*#A-D]{1,4}", 0usize..10), 1..12),
    ) {
        // Entries that conflict are left out, as an operator would.
        let mut taken = Vec::new();
        for (keys, command) in &entries {
            let entry = (keys.as_str(), Who::Everyone, KeyCommand::ALL[*command].name());
            taken.push(entry);
            if KeyMap::parse(taken.iter().copied()).is_err() {
                taken.pop();
            }
        }
        assert_no_lost_digit_makes_a_command(&KeyMap::parse(taken).unwrap());
    }

    #[test]
    fn no_presses_panic(
        presses in proptest::collection::vec((0u8..16, 0u64..10_000, any::<bool>(), any::<bool>()), 0..80),
    ) {
        let (map, mut reader) = (KeyMap::default(), KeyReader::new());
        for (code, ms, star_alone, guard) in presses {
            let at = Duration::from_millis(ms);
            if guard {
                reader.ignore_hash_until(at + HASH_GUARD);
            }
            reader.press(&map, Digit::try_from(code).unwrap(), at, star_alone);
            if let Some(deadline) = reader.deadline() {
                prop_assert!(deadline > at);
                reader.handle_timeout(deadline);
                prop_assert_eq!(reader.deadline(), None);
            }
        }
    }

    #[test]
    fn any_text_is_keys_or_refused(text in ".{0,6}") {
        if let Some(keys) = Keys::new(&text) {
            prop_assert_eq!(keys.to_string(), text.to_uppercase());
        }
    }
}
