//! `report`: its keys are those of docs/reports.md, its filters and parts work, and no PIN is in it.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    serving::Serving,
    support::{ADA, json, keys, mode, refused, run, text, words},
};

const DOC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reports.md");

/// The keys that the page lists for a report.
fn documented(report: &str) -> BTreeSet<String> {
    let page = fs::read_to_string(DOC).unwrap();
    let heading = format!("\n## report {report}\n");
    let (_, section) = page
        .split_once(&heading)
        .unwrap_or_else(|| panic!("no {report}"));
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned())
        .collect()
}

/// Two accounts, a conference of one, with a call that typed a wrong PIN before.
fn lived(here: &Path) -> Value {
    let ada = json(
        here,
        &[
            &ADA[..],
            &words("--department Research --cost-code C7 --json"),
        ]
        .concat(),
    );
    run(
        here,
        &words("account add --name Bob --email bob@example.org"),
        0,
    );
    let mut serving = Serving::start(here, "info");
    let to = serving.call();
    std::thread::sleep(Duration::from_millis(300));
    let pin = format!("{}#", text(&ada, "host_pin"));
    for (n, digit) in pin.chars().enumerate() {
        let body = format!("Signal={digit}\r\nDuration=100\r\n");
        serving.request("INFO", 2 + n as u32, &to, ("application/dtmf-relay", &body));
        std::thread::sleep(Duration::from_millis(60));
    }
    let began = Instant::now();
    while json(here, &words("report conferences --format json")) == Value::Array(Vec::new()) {
        assert!(began.elapsed() < Duration::from_secs(20), "no conference");
        std::thread::sleep(Duration::from_millis(100));
    }
    serving.request("BYE", 40, &to, ("text/plain", ""));
    std::thread::sleep(Duration::from_millis(500));
    serving.signal("-TERM");
    assert!(serving.wait().success());
    ada
}

#[test]
fn the_keys_are_those_of_the_page() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let ada = lived(here);
    let check = |report: &str, options: &str| {
        let line = format!("report {report} {options} --format json");
        let rows = json(here, &words(&line));
        let row = rows
            .as_array()
            .unwrap()
            .last()
            .unwrap_or_else(|| panic!("{report} is empty"));
        let printed: BTreeSet<_> = keys(row).into_iter().map(str::to_owned).collect();
        assert_eq!(printed, documented(report), "{report}");
        let line = format!("report {report} {options} --format csv");
        let (csv, _) = run(here, &words(&line), 0);
        let columns: BTreeSet<_> = csv
            .lines()
            .next()
            .unwrap()
            .split(',')
            .map(str::to_owned)
            .collect();
        assert_eq!(columns, printed, "{report}");
        let (table, _) = run(here, &words(&format!("report {report} {options}")), 0);
        for shown in [rows.to_string(), csv, table] {
            for pin in ["host_pin", "guest_pin"] {
                assert!(!shown.contains(text(&ada, pin)), "{report}: {shown}");
            }
        }
    };
    check("conferences", "");
    check("calls", "");
    check("audit", "");
    for by in ["person", "department", "cost-code", "month"] {
        check(&format!("usage --by {by}"), "");
    }
    let log = fs::read_to_string(here.join("log")).unwrap();
    assert!(!log.contains(text(&ada, "host_pin")), "{log}");

    let count = |line: &str| json(here, &words(line)).as_array().unwrap().len();
    for (filter, conferences, calls) in [
        ("--account 1", 1, 1),
        ("--account bob@example.org", 0, 0),
        ("--department RESEARCH", 1, 1),
        ("--department Sales", 0, 0),
        ("--booking 3", 0, 0),
        ("--account 1 --booking 3", 0, 0),
        ("--limit 1", 1, 1),
        ("--after 1", 0, 0),
        ("--to 2020-01-01", 0, 0),
        ("--from 2020-01-01 --tz America/New_York", 1, 1),
    ] {
        let conference = count(&format!("report conferences --format json {filter}"));
        let call = count(&format!("report calls --format json {filter}"));
        assert_eq!((conference, call), (conferences, calls), "{filter}");
    }
    for (filter, calls) in [
        ("--number +4930123456", 1),
        ("--number +4930", 0),
        ("--number +4930123456 --account 2", 0),
        ("--conference 1", 1),
        ("--conference 2", 0),
    ] {
        assert_eq!(
            count(&format!("report calls --format json {filter}")),
            calls,
            "{filter}"
        );
    }
    let calls = json(here, &words("report calls --format json --tz Asia/Tokyo"));
    assert!(text(&calls[0], "answered").ends_with("+09:00"), "{calls}");
    assert_eq!(
        (text(&calls[0], "owner"), text(&calls[0], "role")),
        ("Ada", "host")
    );
    let usage = json(here, &words("report usage --format json --account 2"));
    assert_eq!(usage.as_array().unwrap().len(), 0);
    for (part, rows) in [("--limit 1", 1), ("--after 1", 0)] {
        let usage = format!("report usage --format json {part}");
        let usage = json(here, &words(&usage));
        assert_eq!(usage.as_array().unwrap().len(), rows, "{part}");
    }
    assert_eq!(count("report audit --format json --kind account."), 2);
    assert_eq!(
        count("report audit --format json --kind account. --limit 1 --after 1"),
        1
    );
    assert_eq!(count("report hints --format json"), 0);
    person(here);
}

/// What is kept of Ada is printed, then erased; the audit log verifies still.
fn person(here: &Path) {
    run(here, &words("user add ada@example.org --role host"), 0);
    let token = "token add ada@example.org --name sync --scope accounts:read --json";
    let hook = "webhook add ada@example.org --url https://crm.example.org/hook --event booking.made --json";
    let token = json(here, &words(token))["token"].clone();
    let secret = json(here, &words(hook))["secret"].clone();
    let [token, secret] = [token, secret].map(|said| said.as_str().unwrap().to_owned());
    let (said, _) = run(
        here,
        &words("person export ada@example.org --out ada.json"),
        0,
    );
    assert!(said.contains("ada.json"), "{said}");
    assert_eq!(mode(&here.join("ada.json")), 0o600);
    refused(
        here,
        &words("person export ada@example.org --out ada.json"),
        &["there already"],
    );
    let person: Value =
        serde_json::from_str(&fs::read_to_string(here.join("ada.json")).unwrap()).unwrap();
    let parts = [
        "accounts",
        "api_tokens",
        "audit",
        "bookings",
        "calls",
        "email",
        "known_numbers",
        "recordings",
        "user",
        "webhooks",
    ];
    assert_eq!(keys(&person), parts);
    let (program, hook) = (&person["api_tokens"][0], &person["webhooks"][0]);
    assert_eq!(program["name"], "sync");
    assert_eq!(program["scopes"][0], "accounts:read");
    assert_eq!(hook["url"], "https://crm.example.org/hook");
    assert_eq!(hook["events"][0], "booking.made");
    let text = person.to_string();
    for secret in [&token, &secret] {
        assert!(!text.contains(secret.as_str()), "{text}");
    }
    refused(
        here,
        &words("person export eve@example.org"),
        &["nothing is kept"],
    );
    refused(
        here,
        &words("person erase ada@example.org"),
        &["1 accounts", "--yes"],
    );
    run(here, &words("person erase ada@example.org --yes"), 0);
    refused(
        here,
        &words("person export ada@example.org"),
        &["nothing is kept"],
    );
    for line in [
        "report conferences",
        "report calls",
        "report audit",
        "account list --json",
    ] {
        let (shown, _) = run(here, &words(line), 0);
        assert!(
            !shown.contains("Ada") && !shown.contains("ada@example.org"),
            "{line}: {shown}"
        );
    }
    run(here, &words("report audit --verify"), 0);
}

#[test]
fn the_hints_have_the_keys_of_the_page() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    run(here, &ADA, 0);
    let (csv, _) = run(here, &words("report hints --format csv"), 0);
    let columns: BTreeSet<_> = csv.trim().split(',').map(str::to_owned).collect();
    assert_eq!(columns, documented("hints"));
}

#[test]
fn an_empty_report_is_one_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    run(here, &ADA, 0);
    for report in ["conferences", "calls", "usage", "usage --by month", "hints"] {
        let line = format!("report {report} --format json");
        assert_eq!(
            json(here, &words(&line)),
            Value::Array(Vec::new()),
            "{report}"
        );
        let (table, _) = run(here, &words(&format!("report {report}")), 0);
        assert_eq!(table.lines().count(), 1, "{report}: {table}");
    }
}

#[test]
fn what_is_no_report_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    run(here, &ADA, 0);
    let check = |line: &str, said: &[&str]| {
        refused(here, &words(line), said);
    };
    check("report calls --from soon", &["--from", "'soon' is no time"]);
    check(
        "report calls --tz Berlin",
        &["no time zone 'Berlin'", "Europe/London"],
    );
    check("report calls --limit 0", &["--limit"]);
    check("report usage --by year", &["month"]);
    check("report usage --after 9", &["no row is of account 9"]);
    check("report usage --by month --after 1", &["--by person"]);
    check("report hints --after 9", &["no row is of account 9"]);
    check("report usage --account 9", &["account list"]);
    check("report hints --numbers 1", &["--numbers"]);
}

#[test]
fn a_broken_chain_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    run(here, &ADA, 0);
    run(here, &words("account suspend 1"), 0);
    let (said, _) = run(here, &words("report audit --verify"), 0);
    assert!(
        said.contains("2 entries") && said.contains("number 2"),
        "{said}"
    );
    let verified = json(here, &words("report audit --verify --json"));
    assert_eq!(
        (&verified["verified"], &verified["entries"]),
        (&true.into(), &2.into())
    );
    let database = here.join("conclave-data/conclave.db");
    let damage = "UPDATE audit SET body = replace(body, '{', '{ ') WHERE seq = 2";
    let script =
        "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as db: db.execute(sys.argv[2])";
    let python = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(database)
        .arg(damage)
        .status();
    assert!(python.unwrap().success());
    let (_, error) = run(here, &words("report audit --verify"), 1);
    assert!(error.contains("audit entry 2: it was changed"), "{error}");
    let (out, _) = run(here, &words("report audit --verify --json"), 1);
    let broken: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&broken["verified"], &broken["first_bad"]),
        (&false.into(), &2.into())
    );
}
