use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Barrier;

use conclave_accounts::{Pin, PinKey};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::sql::DATABASE;

const FILE: &str = "keys";

fn fresh(seed: u64) -> FreshKeys {
    FreshKeys::draw(&mut StdRng::seed_from_u64(seed))
}

fn load(dir: &Path, seed: u64) -> Result<Keys, KeysError> {
    Keys::load_or_create(dir, fresh(seed))
}

fn pin() -> Pin {
    Pin::parse("123456").unwrap()
}

/// All that tells one set of keys from another.
fn prints(keys: &Keys) -> Vec<(KeyName, Fingerprint)> {
    keys.fingerprints().collect()
}

fn ids(keys: &Keys) -> Vec<u32> {
    keys.pin_key_ids().collect()
}

fn write(dir: &Path, text: &[u8]) {
    fs::write(dir.join(FILE), text).unwrap();
    fs::set_permissions(dir.join(FILE), Permissions::from_mode(0o600)).unwrap();
}

fn version_1(key: u8) -> String {
    format!("conclave keys 1\npin {}\n", format!("{key:02x}").repeat(32))
}

/// What eight who come at once get.
fn all_at_once(work: impl Fn(u64) -> Keys + Sync) -> Vec<Keys> {
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        let (start, work) = (&start, &work);
        let spawn = |n| {
            scope.spawn(move || {
                start.wait();
                work(n)
            })
        };
        let threads: Vec<_> = (0..8).map(spawn).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

#[test]
fn the_first_keys_stay() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("new/data");
    let first = load(&data, 7).unwrap();
    let again = load(&data, 8).unwrap();
    assert_eq!(prints(&first), prints(&Keys::new(&fresh(7))));
    assert_eq!(prints(&first), prints(&again));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(&data.join(FILE))), (0o700, 0o600));
    let left = fs::read_dir(&data).unwrap().count();
    assert_eq!(left, 1, "something was left beside the keys");
}

#[test]
fn whoever_comes_at_once_gets_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let all = all_at_once(|n| load(dir.path(), n).unwrap());
    assert!(all.iter().all(|keys| prints(keys) == prints(&all[0])));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn version_1_keeps_its_key_and_is_brought_up_to_date_once() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), version_1(0xab).as_bytes());
    let all = all_at_once(|n| load(dir.path(), n).unwrap());
    assert!(all.iter().all(|keys| prints(keys) == prints(&all[0])));
    let found = all[0].lookups(&pin());
    assert_eq!((found.current.key, found.older), (1, vec![]));
    assert_eq!(found.current.lookup, PinKey::new([0xab; 32]).lookup(&pin()));
    let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
    assert!(text.starts_with("conclave keys 2\npin 1 abab"));
    assert_eq!(prints(&load(dir.path(), 9).unwrap()), prints(&all[0]));
}

#[test]
fn what_others_may_touch_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let with_mode = |mode| {
        fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
        load(dir.path(), 7)
    };
    let error = with_mode(0o777).unwrap_err();
    assert!(
        matches!(error, KeysError::OpenDirectory { mode: 0o777, .. }),
        "{error}"
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    with_mode(0o770).unwrap();
    fs::set_permissions(dir.path().join(FILE), Permissions::from_mode(0o640)).unwrap();
    let check = |tried: Result<Keys, KeysError>| {
        let error = tried.unwrap_err();
        assert!(
            matches!(error, KeysError::Open { mode: 0o640, .. }),
            "{error}"
        );
    };
    check(load(dir.path(), 7));
    check(Keys::rotate_pin_key(dir.path(), [1; 32]));
}

#[test]
fn damage_is_named_and_nothing_of_the_keys() {
    let key = "ab".repeat(32);
    let pins = |range: std::ops::RangeInclusive<u32>| -> String {
        range.map(|id| format!("pin {id} {key}\n")).collect()
    };
    let rest = format!("seal {key}\naudit {key}\n");
    let two = |pins: String| format!("conclave keys 2\n{pins}{rest}");
    let check = |text: &str, expected: Option<&str>| {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), text.as_bytes());
        let tried = load(dir.path(), 7);
        let Some(expected) = expected else {
            tried.expect(text);
            return;
        };
        let error = tried.expect_err(text);
        assert!(error.to_string().ends_with(expected), "{error}\n{text}");
        assert!(!format!("{error} {error:?}").contains("abab"), "{error}");
        let left = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(left, text, "the file was touched");
    };
    let whole = two(pins(1..=2));
    check(&whole, None);
    check(&two(pins(7..=7)), None);
    check(&two(pins(4_294_967_280..=4_294_967_295)), None);
    check("", Some("its end is missing"));
    check(&whole[..whole.len() - 1], Some("its end is missing"));
    check(&format!("{whole}\n"), Some("goes on where it should end"));
    check(&"a\n".repeat(99), Some("doesn't begin as a key file does"));
    check(&"a".repeat(3000), Some("it is too long"));
    check(&two(String::new()), Some("it holds no PIN key"));
    check(&two(pins(1..=17)), Some("too many PIN keys"));
    check(&two(pins(2..=2) + &pins(1..=1)), Some("out of order"));
    check(&two(pins(1..=1) + &pins(1..=1)), Some("out of order"));
    for bad in ["pin 0 ", "pin 01 ", "pin +1 ", "pin 4294967296 ", "pin  "] {
        check(
            &whole.replace("pin 1 ", bad),
            Some("a PIN key has a bad number"),
        );
    }
    let not_hex = whole.replacen("ab\n", "ax\n", 1);
    check(&not_hex, Some("is not 64 hexadecimal digits"));
    let long = whole.replacen("ab\n", "abab\n", 1);
    check(&long, Some("is not 64 hexadecimal digits"));
    let no_seal = whole.replace("seal", "pin 3");
    check(&no_seal, Some("no key for Guest PINs"));
    let no_audit = whole.replace("audit", "seal");
    check(&no_audit, Some("no key for the audit log"));
    check("conclave keys 2\n", Some("no key for Guest PINs"));
    check("conclave keys 1\n", Some("it holds no PIN key"));
    let one = version_1(0xab);
    check(&one, None);
    check(&format!("{one}{one}"), Some("goes on where it should end"));
    let newer = whole.replace("keys 2", "keys 3");
    check(&newer, Some("newer version of Conclave than this one"));
}

#[test]
fn lost_keys_are_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let check = |tried: Result<Keys, KeysError>, missing: bool| {
        let error = tried.unwrap_err();
        assert_eq!(matches!(error, KeysError::Missing(_)), missing, "{error}");
    };
    check(Keys::rotate_pin_key(dir.path(), [1; 32]), false);
    fs::write(dir.path().join(DATABASE), b"").unwrap();
    check(load(dir.path(), 7), true);
    check(Keys::rotate_pin_key(dir.path(), [1; 32]), true);
    assert!(!dir.path().join(FILE).exists());
}

#[test]
fn a_pin_is_found_through_rotations_until_its_key_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let first = load(dir.path(), 7).unwrap();
    let second = Keys::rotate_pin_key(dir.path(), [2; 32]).unwrap();
    let third = Keys::rotate_pin_key(dir.path(), [3; 32]).unwrap();
    assert_eq!(
        (ids(&third), third.current_pin_key_id()),
        (vec![1, 2, 3], 3)
    );
    let found = third.lookups(&pin());
    let under = |keys: &Keys| keys.lookups(&pin()).current;
    let expected = [under(&third), under(&second), under(&first)];
    assert!(found.iter().eq(&expected));
    assert_ne!(expected[0].lookup, expected[1].lookup);
    let again = load(dir.path(), 8).unwrap();
    assert_eq!(prints(&again), prints(&third));
    assert_eq!(prints(&third)[3..], prints(&first)[1..], "seal and audit");

    let error = Keys::drop_pin_keys(dir.path(), 4).unwrap_err();
    assert!(matches!(error, KeysError::NoSuchPinKey { id: 4, .. }));
    let kept = Keys::drop_pin_keys(dir.path(), 2).unwrap();
    assert_eq!(ids(&kept), [2, 3]);
    assert!(kept.lookups(&pin()).iter().eq(&expected[..2]));
    assert_eq!(ids(&Keys::drop_pin_keys(dir.path(), 3).unwrap()), [3]);
    let next = Keys::rotate_pin_key(dir.path(), [4; 32]).unwrap();
    assert_eq!(ids(&next), [3, 4], "an id never comes again");
    for n in 2..text::MOST_PIN_KEYS {
        Keys::rotate_pin_key(dir.path(), [n as u8; 32]).unwrap();
    }
    let error = Keys::rotate_pin_key(dir.path(), [5; 32]).unwrap_err();
    assert!(matches!(error, KeysError::TooMany { held: 16, .. }));
    assert_eq!(ids(&load(dir.path(), 8).unwrap()).len(), 16);
}

#[test]
fn rotations_at_once_all_count() {
    let dir = tempfile::tempdir().unwrap();
    load(dir.path(), 7).unwrap();
    all_at_once(|n| Keys::rotate_pin_key(dir.path(), [n as u8; 32]).unwrap());
    let keys = load(dir.path(), 7).unwrap();
    assert_eq!(ids(&keys), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let mut names: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["keys", "keys.lock"]);
}

#[test]
fn version_1_is_not_rotated_before_it_was_loaded() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), version_1(1).as_bytes());
    let error = Keys::rotate_pin_key(dir.path(), [2; 32]).unwrap_err();
    assert!(matches!(error, KeysError::Earlier(_)), "{error}");
}

#[test]
fn a_running_bridge_sees_that_the_file_was_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = KeysFile::load_or_create(dir.path(), fresh(7)).unwrap();
    assert!(!file.changed());
    Keys::rotate_pin_key(dir.path(), [2; 32]).unwrap();
    assert!(file.changed());
    assert_eq!(ids(file.keys()), [1]);
    assert_eq!(ids(file.reload().unwrap()), [1, 2]);
    assert!(!file.changed());
    fs::remove_file(dir.path().join(FILE)).unwrap();
    assert!(file.changed());
    assert!(matches!(file.reload(), Err(KeysError::Missing(_))));
    assert_eq!(ids(file.keys()), [1, 2], "it goes on with what it has");
}

#[test]
fn keys_of_another_database_are_known_by_their_fingerprints() {
    let dir = tempfile::tempdir().unwrap();
    let old = load(dir.path(), 7).unwrap();
    let new = Keys::rotate_pin_key(dir.path(), [2; 32]).unwrap();
    assert_eq!(new.check(prints(&old)), Ok(()));
    let missing = Err(OtherKeys::Missing(KeyName::Pin(2)));
    assert_eq!(
        old.check(prints(&new)),
        missing,
        "an old backup of the keys"
    );
    let kept = Keys::drop_pin_keys(dir.path(), 2).unwrap();
    assert_eq!(kept.check(prints(&new)), Ok(()), "one was retired");
    let others = Keys::new(&fresh(8));
    let differs = |key| Err(OtherKeys::Differs(key));
    assert_eq!(others.check(prints(&old)), differs(KeyName::Pin(1)));
    for key in [KeyName::Seal, KeyName::Audit] {
        let noted = prints(&old).into_iter().filter(|(name, _)| *name == key);
        assert_eq!(others.check(noted), differs(key));
    }
}

#[test]
fn names_are_read_as_they_were_written() {
    for name in [
        KeyName::Pin(1),
        KeyName::Pin(u32::MAX),
        KeyName::Seal,
        KeyName::Audit,
    ] {
        assert_eq!(KeyName::parse(&name.to_string()), Some(name));
    }
    for text in ["", "pin", "pin ", "pin 0", "pin 1 ", "pin -1", "Seal"] {
        assert_eq!(KeyName::parse(text), None, "{text:?}");
    }
}

#[test]
fn nothing_secret_is_shown() {
    let keys = Keys::new(&fresh(7));
    assert_eq!(format!("{keys:?}"), "Keys { pins: [1], .. }");
    let shown = format!("{:?} {:?}", fresh(7), keys.audit());
    assert_eq!(shown.matches("Secret(**********)").count(), 4);
}

#[test]
fn a_guest_pin_can_be_shown_again_and_a_host_pin_not() {
    let keys = Keys::new(&fresh(7));
    let host = crate::StoredPin::host(&pin(), &keys);
    assert_eq!(host.sealed, None);
    let guest = crate::StoredPin::guest(&pin(), &keys, [1; 24]);
    let sealed = guest.sealed.unwrap();
    assert_eq!(keys.open(&sealed, &guest.lookup), Ok(pin()));
    let others = Keys::new(&fresh(8));
    assert_eq!(others.open(&sealed, &guest.lookup), Err(SealError::Forged));
}
