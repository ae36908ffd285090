//! `booking`: made, changed, cancelled, and its invitations as files.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{ADA, json, keys, mode, refused, run, text, words};

const ONCE: &str = "booking add --account 1 --title Board --start 2099-06-01T09:00 --end 2099-06-01T10:30 --tz Europe/Berlin";

fn bridge() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), &ADA, 0);
    directory
}

fn book(here: &Path, more: &str) -> Value {
    json(here, &words(&format!("{ONCE} --json {more}")))
}

#[test]
fn a_booking_is_made_with_one_guest_pin_for_all() {
    let directory = bridge();
    let here = directory.path();
    let booking = book(here, "--early 10");
    assert_eq!(
        keys(&booking),
        [
            "account",
            "clashes",
            "early_minutes",
            "end",
            "guest_pin",
            "host_pin",
            "id",
            "invitees",
            "not_mailed",
            "occurrences",
            "owner",
            "rule",
            "sequence",
            "start",
            "state",
            "title",
            "tz",
            "uid",
            "until"
        ]
    );
    assert_eq!(text(&booking, "start"), "2099-06-01T09:00:00+02:00");
    assert_eq!(text(&booking, "end"), "2099-06-01T10:30:00+02:00");
    assert_eq!(booking["until"], booking["end"]);
    assert_eq!(
        (&booking["occurrences"], &booking["clashes"]),
        (&json!(1), &json!([]))
    );
    let (random, host) = text(&booking, "uid").split_once('@').unwrap();
    assert!(random.len() == 32 && !host.is_empty(), "{booking}");
    let (shown, _) = run(here, &words("booking show 1"), 0);
    for pin in ["host_pin", "guest_pin"] {
        assert!(!shown.contains(text(&booking, pin)), "{shown}");
    }
    let shown = json(here, &words("booking show 1 --show-pins --json"));
    assert_eq!(
        (shown.get("host_pin"), &shown["guest_pin"]),
        (None, &booking["guest_pin"])
    );
    let odds = json(here, &words("odds --json"));
    assert_eq!(
        (&odds["bookings"], &odds["active_targets"]),
        (&json!(1), &json!(4))
    );
}

#[test]
fn each_invitee_has_a_pin_of_their_own() {
    let directory = bridge();
    let here = directory.path();
    let more = "--invite Grace=grace@example.org --invite Alan=alan@example.org --ics files";
    let booking = book(here, more);
    assert_eq!(booking.get("guest_pin"), None);
    assert_eq!(
        keys(&booking["invitees"][0]),
        ["email", "id", "name", "pin", "withdrawn"]
    );
    let files: Vec<_> = booking["invitees"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let file = here.join(format!("files/booking-1-invitee-{}.ics", one["id"]));
            assert_eq!(mode(&file), 0o600);
            let ics = fs::read_to_string(file).unwrap().replace("\r\n ", "");
            assert!(
                ics.contains("METHOD:REQUEST") && ics.contains(text(one, "email")),
                "{ics}"
            );
            assert!(ics.contains(text(&booking, "uid")), "{ics}");
            let pin = text(one, "pin");
            assert!(
                ics.replace([' ', '\\'], "").contains(pin),
                "no {pin} in {ics}"
            );
            ics
        })
        .collect();
    assert_eq!((files.len(), mode(&here.join("files"))), (2, 0o700));

    let grace = booking["invitees"][0]["pin"].as_str().unwrap();
    let withdraw = "booking withdraw 1 GRACE@example.org --json --ics gone";
    let changed = json(here, &words(withdraw));
    assert_eq!(changed["invitees"][0]["withdrawn"], true);
    let gone: Vec<_> = fs::read_dir(here.join("gone"))
        .unwrap()
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let [gone] = gone.as_slice() else {
        panic!("{gone:?}")
    };
    let gone = gone.replace("\r\n ", "");
    assert!(
        gone.contains("METHOD:CANCEL") && gone.contains("grace@example.org"),
        "{gone}"
    );
    assert!(gone.contains(text(&booking, "uid")) && !gone.contains("alan"));
    assert!(!gone.replace([' ', '\\'], "").contains(grace), "{gone}");
    refused(
        here,
        &words("booking withdraw 1 Grace"),
        &["withdrawn already", "booking show"],
    );
    // Its file can be had once more: the first may not have been written.
    run(here, &words("booking withdraw 1 Grace --ics again"), 0);
    assert_eq!(fs::read_dir(here.join("again")).unwrap().count(), 1);
    refused(
        here,
        &words("booking withdraw 1 Eve"),
        &["nobody invited to booking 1 is 'Eve'"],
    );
    let invited = json(
        here,
        &words("booking invite 1 Eve=eve@example.org --json --ics files"),
    );
    let pins: Vec<_> = invited["invitees"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.get("pin"))
        .collect();
    assert!(
        pins[0].is_none() && pins[1].is_none() && pins[2].is_some(),
        "{invited}"
    );
    let shown = json(here, &words("booking show 1 --show-pins --json"));
    assert!(
        !shown.to_string().contains(grace),
        "a withdrawn PIN is shown: {shown}"
    );
    refused(here, &words("booking invite 1 Eve"), &["NAME=EMAIL"]);
}

#[test]
fn a_series_is_counted_and_cut() {
    let directory = bridge();
    let here = directory.path();
    let once = words(ONCE);
    let add = |more: &[&str], status| run(here, &[&once, more].concat(), status);
    let (out, _) = add(
        &[
            "--rule",
            "FREQ=WEEKLY;COUNT=5",
            "--except",
            "2099-06-08T09:00",
            "--json",
        ],
        0,
    );
    let booking: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(booking["occurrences"], 4);
    assert_eq!(text(&booking, "until"), "2099-06-29T10:30:00+02:00");
    let without_zone = [
        "booking",
        "add",
        "--account",
        "1",
        "--title",
        "x",
        "--rule",
        "FREQ=DAILY",
    ];
    let times = [
        "--start",
        "2098-06-01T09:00:00Z",
        "--end",
        "2098-06-01T10:00:00Z",
    ];
    refused(here, &[&without_zone[..], &times].concat(), &["--tz"]);
    let start = [
        "--start",
        "2090-06-01T09:00",
        "--end",
        "2090-06-01T10:00",
        "--tz",
        "Europe/Berlin",
    ];
    let (_, said) = run(here, &[&without_zone[..], &start].concat(), 0);
    assert!(
        said.contains("the series goes on, but is booked until"),
        "{said}"
    );
}

#[test]
fn a_clash_is_told_and_stops_nothing() {
    let directory = bridge();
    let here = directory.path();
    book(here, "");
    let (_, said) = run(here, &words(ONCE), 0);
    assert!(
        said.lines()
            .any(|line| line.ends_with("clashes with booking 1")),
        "{said}"
    );
    assert_eq!(book(here, "")["clashes"], json!([1, 2]));
    let later = "booking change 3 --start 2099-06-02T09:00 --end 2099-06-02T10:00 --json";
    assert_eq!(json(here, &words(later))["clashes"], json!([]));
}

#[test]
fn a_booking_is_changed_and_cancelled() {
    let directory = bridge();
    let here = directory.path();
    let before = book(here, "--ics files");
    let old = fs::read_to_string(here.join("files/booking-1.ics")).unwrap();
    let changed = json(
        here,
        &words("booking change 1 --end 2099-06-01T11:00 --title Audit --ics files --json"),
    );
    assert_eq!(text(&changed, "start"), text(&before, "start"));
    assert_eq!(text(&changed, "end"), "2099-06-01T11:00:00+02:00");
    assert_eq!(
        (text(&changed, "title"), &changed["sequence"]),
        ("Audit", &json!(1))
    );
    let new = fs::read_to_string(here.join("files/booking-1.ics")).unwrap();
    assert!(old != new && new.contains("SEQUENCE:1"), "{new}");
    refused(here, &words("booking change 1"), &["nothing to change"]);
    refused(
        here,
        &words("booking change 1 --start 2099-06-01T08:00"),
        &["--end"],
    );
    refused(
        here,
        &words("booking change 1 --end 2099-06-01T08:00"),
        &["not after its start"],
    );
    refused(
        here,
        &words("booking change 1 --tz Europe/Berlim"),
        &["no time zone"],
    );
    let cancelled = json(here, &words("booking cancel 1 --ics files --json"));
    assert_eq!(text(&cancelled, "state"), "cancelled");
    let ics = fs::read_to_string(here.join("files/booking-1.ics")).unwrap();
    assert!(ics.contains("METHOD:CANCEL"), "{ics}");
    assert!(!ics.contains(text(&before, "guest_pin")), "{ics}");
    refused(here, &words("booking cancel 1"), &["cancelled already"]);
    refused(
        here,
        &words("booking change 1 --title x"),
        &["cancelled already"],
    );
}

#[test]
fn bookings_are_listed_in_parts() {
    let directory = bridge();
    let here = directory.path();
    for _ in 0..3 {
        book(here, "");
    }
    run(here, &words("booking cancel 2"), 0);
    let ids = |more: &str| {
        let list = json(here, &words(&format!("booking list --json {more}")));
        let bookings = list["bookings"].as_array().unwrap().clone();
        bookings
            .iter()
            .map(|one| one["id"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(""), [1, 3]);
    assert_eq!(ids("--all"), [1, 2, 3]);
    assert_eq!(ids("--all --limit 1 --after 1"), [2]);
    assert_eq!(ids("--account ada@example.org"), [1, 3]);
    let (shown, _) = run(here, &words("booking list"), 0);
    assert!(
        shown.contains("2099-06-01T09:00:00+02:00") && shown.contains("Board"),
        "{shown}"
    );
}

#[test]
fn what_cannot_be_booked_is_refused() {
    let directory = bridge();
    let here = directory.path();
    let check = |change: (&str, &str), said: &[&str]| {
        let line = ONCE.replace(change.0, change.1);
        refused(here, &words(&line), said);
    };
    check(("--tz Europe/Berlin", ""), &["needs a time zone", "--tz"]);
    check(("Europe/Berlin", "Berlin"), &["is it `Europe/Berlin`"]);
    check(
        ("2099-06-01T10:30", "2099-06-01T09:00"),
        &["not after its start"],
    );
    check(("2099-06-01T09:00", "noon"), &["`noon` is no time"]);
    check(("--account 1", "--account 7"), &["account list"]);
    check(
        ("--title Board", "--title Board --invite Eve"),
        &["NAME=EMAIL"],
    );
    check(
        (
            "--title Board",
            "--title Board --invite E=e@b.org --invite F=E@b.org",
        ),
        &["twice"],
    );
    refused(
        here,
        &words("booking show 9"),
        &["there is no booking 9", "booking list"],
    );
    run(here, &words("account change 1 --bookings off"), 0);
    check(("", ""), &["may not make bookings", "--bookings on"]);
}

#[test]
fn without_a_mail_server_mail_waits_and_says_so() {
    let directory = bridge();
    let (_, said) = run(directory.path(), &words(&format!("{ONCE} --mail on")), 0);
    assert!(said.contains("no [mail]"), "{said}");
}

/// Allowed, and said: a booking that nobody can use.
#[test]
fn a_booking_that_lets_nobody_in_is_made_with_a_word() {
    let directory = bridge();
    let here = directory.path();
    let warned = |arguments: &str| run(here, &words(arguments), 0).1;
    assert!(!warned(ONCE).contains("suspended"));
    let past = ONCE.replace("2099", "2020");
    assert!(
        warned(&past).contains("all of its time has passed"),
        "{past}"
    );
    run(here, &words("account suspend 1"), 0);
    let told = warned(&ONCE.replace("09:00", "08:00"));
    assert!(told.contains("account 1 is suspended"), "{told}");
    assert!(told.contains("clashes with booking 1"), "{told}");
}
