//! Keys, the alarm, backups.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::json;

use crate::{
    serving::Serving,
    support::{ADA, json, mode, refused, run, text, words},
};

#[test]
fn keys_are_rotated_and_retired() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    run(here, &ADA, 0);
    let status = || json(here, &words("keys status --json"));
    assert_eq!(
        status(),
        json!({ "current": 1, "keys": [{ "id": 1, "pins": 2, "current": true }] })
    );
    refused(here, &words("keys retire 1"), &["current", "keys rotate"]);
    let (said, _) = run(here, &words("keys rotate"), 0);
    assert!(said.contains("key 2") && said.contains("Back up"), "{said}");
    run(here, &words("account reset-pin 1 --which guest"), 0);
    assert_eq!(
        status()["keys"],
        json!([{ "id": 1, "pins": 1, "current": false }, { "id": 2, "pins": 1, "current": true }])
    );
    refused(here, &words("keys retire 9"), &["no key 9", "1, 2"]);
    refused(
        here,
        &words("keys retire 1"),
        &["1 PINs", "account reset-pin", "--yes"],
    );
    run(here, &words("account reset-pin 1 --which host"), 0);
    run(here, &words("keys retire 1"), 0);
    assert_eq!(
        status()["keys"],
        json!([{ "id": 2, "pins": 2, "current": true }])
    );
    let audit = json(here, &words("report audit --format json --kind keys."));
    let kinds: Vec<_> = audit
        .as_array()
        .unwrap()
        .iter()
        .map(|row| text(row, "kind"))
        .collect();
    assert_eq!(kinds, ["keys.rotated", "keys.retired"]);
    run(here, &words("report audit --verify"), 0);
}

#[test]
fn the_alarm_is_shown_and_ended() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    run(here, &ADA, 0);
    let shown = json(here, &words("alarm show --json"));
    assert_eq!(
        shown,
        json!({
            "wrong_pins_today": 0, "typing_errors_today": 0, "ceiling_per_day": 100, "consent_since": null,
            "typing_consent_since": null, "suspects": [],
        })
    );
    let (said, _) = run(here, &words("alarm show"), 0);
    assert!(said.contains("Consent is off"), "{said}");
    run(here, &words("alarm end"), 0);
    let audit = json(here, &words("report audit --format json --kind consent."));
    assert_eq!(audit.as_array().unwrap().len(), 1);
}

/// A data directory of its own with the keys of another.
fn with_keys(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::copy(from.join("keys"), to.join("keys")).unwrap();
}

#[test]
fn a_backup_is_made_while_writing_goes_on_and_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let data = here.join("conclave-data");
    let ada = json(here, &[&ADA[..], &["--json"]].concat());
    let serving = Serving::start(here, "info");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                run(
                    here,
                    &words("account add --name Bob --email bob@example.org"),
                    0,
                );
            }
        });
        for file in ["one.db", "two.db", "three.db"] {
            let (said, _) = run(here, &["backup", file], 0);
            assert!(said.contains("keys"), "{said}");
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(mode(&here.join("three.db")), 0o600);
    refused(here, &words("backup three.db"), &["there already"]);
    run(
        here,
        &words("account add --name Eve --email eve@example.org"),
        0,
    );

    // Elsewhere, with the keys: PINs work, the audit log verifies, nothing is lost there.
    with_keys(&data, &here.join("other"));
    for line in [
        "restore one.db --data other",
        "restore three.db --data other --replace",
    ] {
        run(here, &words(line), 0);
        let shown = json(
            here,
            &words("account show 1 --show-guest-pin --json --data other"),
        );
        assert_eq!(shown["guest_pin"], ada["guest_pin"]);
        run(here, &words("report audit --verify --data other"), 0);
    }
    assert_eq!(mode(&here.join("other/conclave.db")), 0o600);
    refused(
        here,
        &words("account show eve@example.org --data other"),
        &["no account"],
    );
    refused(
        here,
        &words("restore one.db --data other"),
        &["there already"],
    );

    // In place: not while a bridge serves it, and what is lost is told.
    let (_, error) = run(here, &words("restore three.db --replace"), 2);
    assert!(error.contains("already served"), "{error}");
    drop(serving);
    let (said, warned) = run(here, &words("restore three.db --replace"), 0);
    assert!(
        warned.contains("entries of the audit log") && warned.contains("lost"),
        "{warned}"
    );
    let kept = said
        .lines()
        .find_map(|line| line.split_once("is kept: "))
        .unwrap()
        .1;
    assert!(here.join(kept).exists(), "{said}");
    refused(
        here,
        &words("account show eve@example.org"),
        &["no account"],
    );
    run(here, &words("report audit --verify"), 0);
    let audit = json(here, &words("report audit --format json --kind backup."));
    let last = audit.as_array().unwrap().last().unwrap();
    assert_eq!(text(last, "kind"), "backup.restored");
    assert!(last["body"]["lost"].as_u64().unwrap() > 0, "{last}");
}

#[test]
fn what_is_no_backup_is_not_put_in_place() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let data = here.join("conclave-data");
    run(here, &ADA, 0);
    run(here, &words("backup good.db"), 0);
    refused(
        here,
        &words("restore good.db --data new"),
        &["new/keys is missing"],
    );
    assert!(!here.join("new").exists());

    with_keys(&data, &here.join("new"));
    let good = fs::read(here.join("good.db")).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2..].fill(0x5a);
    fs::write(here.join("bad.db"), bad).unwrap();
    fs::write(here.join("cut.db"), &good[..good.len() / 2]).unwrap();
    fs::write(
        here.join("text.db"),
        "no database at all, only words, and many more of them",
    )
    .unwrap();
    fs::write(here.join("empty.db"), "").unwrap();
    let check = |file: &str, said: &str| {
        let (_, error) = run(here, &["restore", file, "--data", "new"], 1);
        assert!(
            error.contains(said) && error.contains(file),
            "{file}: {error}"
        );
        let left: Vec<_> = fs::read_dir(here.join("new"))
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        assert!(
            left.iter()
                .all(|name| name == "keys" || name == "serve.lock"),
            "{left:?}"
        );
    };
    check("bad.db", "damaged");
    check("cut.db", "damaged");
    check("text.db", "not a Conclave database");
    check("empty.db", "not a Conclave database");
    check("nowhere.db", "nowhere.db");

    // Of another bridge's keys.
    run(here, &[&ADA[..], &["--data", "stranger"]].concat(), 0);
    let (_, error) = run(here, &words("restore good.db --data stranger --replace"), 1);
    assert!(
        error.contains("not the one that the database was made with"),
        "{error}"
    );
    run(here, &words("report audit --verify --data stranger"), 0);
}
