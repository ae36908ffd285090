//! The house's walls: which crate may use which, and what the crates without I/O must not reach.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// The arrows between our crates, as `docs/architecture.md` draws them. Whatever isn't here may depend on all.
const ARROWS: &[(&str, &[&str])] = &[
    ("conclave-accounts", &[]),
    ("conclave-dtmf", &[]),
    ("conclave-calendar", &["conclave-accounts"]),
    ("conclave-conference", &["conclave-accounts"]),
    (
        "conclave-attendant",
        &["conclave-accounts", "conclave-conference", "conclave-dtmf"],
    ),
    ("conclave-mixer", &[]),
    ("conclave-media", &[]),
    ("conclave-record", &["conclave-media"]),
    (
        "conclave-engine",
        &["conclave-dtmf", "conclave-media", "conclave-mixer"],
    ),
    ("conclave-record", &["conclave-media"]),
    ("conclave-sip", &["conclave-media"]),
    (
        "conclave-store",
        &["conclave-accounts", "conclave-conference"],
    ),
    (
        "conclave-portal",
        &[
            "conclave-accounts",
            "conclave-calendar",
            "conclave-conference",
            "conclave-desk",
            "conclave-store",
        ],
    ),
    (
        "conclave-desk",
        &["conclave-accounts", "conclave-calendar", "conclave-store"],
    ),
    ("conclave-testbed", &[]),
];

/// Crates that are told the time and given their bytes.
const PURE: &[&str] = &[
    "conclave-accounts",
    "conclave-calendar",
    "conclave-dtmf",
    "conclave-conference",
    "conclave-attendant",
    "conclave-mixer",
    "conclave-media",
];

/// What a pure crate must not reach, by any way: runtimes, sockets, files, SQL, HTTP, the system's randomness.
///
/// Clocks can't be told by names of crates: `std` has one, and `chrono` has one in every crate, because `rrule` asks for its
/// feature `clock` and features are unified (so `iana-time-zone` doesn't stand here). Clippy's `disallowed-methods` guards
/// the pure crates from both.
const IMPURE: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "mio",
    "socket2",
    "libc",
    "rustix",
    "nix",
    "tempfile",
    "sqlx",
    "rusqlite",
    "hyper",
    "axum",
    "reqwest",
    "rsipstack",
    "getrandom",
    "rand",
    "hound",
    "memmap2",
];

struct Workspace {
    /// Normal dependencies by name, of every package in the lock file.
    uses: BTreeMap<String, BTreeSet<String>>,
}

impl Workspace {
    fn read() -> Self {
        let metadata = cargo(&[
            "metadata",
            "--format-version",
            "1",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ]);
        let metadata: Value = serde_json::from_str(&metadata).unwrap();
        let names: BTreeMap<_, _> = metadata["packages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|package| {
                (
                    package["id"].as_str().unwrap(),
                    package["name"].as_str().unwrap(),
                )
            })
            .collect();
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in metadata["resolve"]["nodes"].as_array().unwrap() {
            let used = uses
                .entry(names[node["id"].as_str().unwrap()].to_owned())
                .or_default();
            for dependency in node["deps"].as_array().unwrap() {
                let normal = dependency["dep_kinds"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|kind| kind["kind"].is_null());
                if normal {
                    used.insert(names[dependency["pkg"].as_str().unwrap()].to_owned());
                }
            }
        }
        Self { uses }
    }
}

/// What cargo writes.
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Everything that a crate reaches when it is built for itself, as whoever embeds it has it: with others of the workspace beside
/// it, what they ask of a crate that they share would count as well.
fn reach(name: &str) -> BTreeSet<String> {
    let tree = ["tree", "--locked", "--edges", "normal", "--prefix", "none"];
    let tree = cargo(&[&tree[..], &["--format", "{p}", "--package", name]].concat());
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn every_arrow_points_as_drawn() {
    let workspace = Workspace::read();
    for (name, allowed) in ARROWS {
        let ours = workspace.uses[*name]
            .iter()
            .filter(|used| used.starts_with("conclave-"));
        for used in ours {
            assert!(
                allowed.contains(&used.as_str()),
                "{name} must not depend on {used}"
            );
        }
    }
}

#[test]
fn pure_crates_reach_nothing_impure() {
    for name in PURE {
        let reached = reach(name);
        let impure: Vec<_> = IMPURE
            .iter()
            .filter(|impure| reached.contains(**impure))
            .collect();
        assert!(impure.is_empty(), "{name} reaches {impure:?}");
    }
    // The test can fail: a crate that is not pure does reach such things.
    assert!(reach("conclave-sip").contains("tokio"));
}

#[test]
fn no_pure_crate_may_read_a_clock() {
    for name in PURE {
        let folder = name.strip_prefix("conclave-").unwrap();
        let file = format!("{}/../{folder}/clippy.toml", env!("CARGO_MANIFEST_DIR"));
        let rules = std::fs::read_to_string(&file).unwrap();
        for clock in [
            "std::time::Instant::now",
            "std::time::SystemTime::now",
            "chrono::Utc::now",
            "chrono::Local::now",
        ] {
            assert!(
                rules.contains(&format!("path = \"{clock}\"")),
                "{file}: {clock}"
            );
        }
    }
}
