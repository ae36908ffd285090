//! The command line as an operator meets it: what it does, and what it says to a mistake.
#![allow(clippy::unwrap_used, missing_docs)]

mod accounts;
mod bookings;
#[path = "../common/browser.rs"]
mod browser;
mod import;
mod portal;
mod reports;
mod serving;
mod support;
mod upkeep;

use std::fs;

use support::{ADA, binary, run};

#[test]
fn the_printed_defaults_pass_the_check() {
    let directory = tempfile::tempdir().unwrap();
    let (printed, _) = run(directory.path(), &["config", "print-default"], 0);
    fs::write(directory.path().join("bridge.toml"), printed).unwrap();
    let (said, _) = run(directory.path(), &["config", "check", "bridge.toml"], 0);
    assert_eq!(said, "bridge.toml is right\n");
}

#[test]
fn a_wrongly_typed_directory_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    for command in [
        "account list",
        "account show 1",
        "account suspend 1",
        "account reset-pin 1",
        "report calls",
        "report conferences",
        "report audit",
        "report usage",
        "report hints",
        "booking list",
        "booking show 1",
        "person export a@b.org",
        "keys status",
        "keys rotate",
        "user list",
        "user link a@b.org",
        "user suspend a@b.org",
        "alarm show",
        "alarm end",
        "backup copy",
        "odds",
    ] {
        let words: Vec<_> = command.split(' ').chain(["--data", "typo"]).collect();
        let (_, error) = run(directory.path(), &words, 2);
        assert!(error.contains("typo"), "{error}");
        assert!(!directory.path().join("typo").exists(), "{command}");
    }
}

#[test]
fn what_is_meant_must_be_plain() {
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), &ADA, 0);
    run(directory.path(), &["account", "suspend", "ad"], 2);
    run(directory.path(), &["account", "show", "7"], 2);
    run(
        directory.path(),
        &["account", "suspend", "ada@example.org"],
        0,
    );
    let backwards = ["--from", "2026-12-01", "--to", "2026-11-01"];
    run(
        directory.path(),
        &[&["report", "calls"][..], &backwards].concat(),
        2,
    );
    let (json, _) = run(directory.path(), &["account", "list", "--json"], 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["accounts"][0]["state"], "suspended");
    assert_eq!(json["accounts"][0].get("host_pin"), None);
}

#[test]
fn a_log_level_that_is_none_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let said = binary(directory.path())
        .args(["config", "print-default"])
        .env("RUST_LOG", "conclave=loud")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&said.stderr).contains("RUST_LOG"));
}
