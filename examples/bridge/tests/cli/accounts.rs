//! `account`: made, changed, closed, found.

use serde_json::{Value, json};

use crate::support::{ADA, json, keys, refused, run, text, words};

fn with<'a>(base: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [base, more].concat()
}

#[test]
fn an_account_is_made_with_all_that_is_said_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let more = words(
        "--department Research --cost-code C-7 --max-callers 20 --longest-wait 45 --entry name --host-leaves hangup --host-grace 30 --json",
    );
    let made = json(here, &with(&ADA, &more));
    assert_eq!(
        keys(&made),
        [
            "bookings",
            "cost_code",
            "department",
            "guest_pin",
            "host_pin",
            "id",
            "owner",
            "state",
            "terms"
        ]
    );
    assert_eq!(
        (text(&made, "department"), text(&made, "cost_code")),
        ("Research", "C-7")
    );
    let terms = &made["terms"];
    assert_eq!(
        (&terms["max_participants"], &terms["longest_wait"]),
        (&json!(20), &json!(45 * 60))
    );
    let (shown, _) = run(here, &words("account show 1"), 0);
    assert!(
        shown.contains("Research") && shown.contains("20 callers"),
        "{shown}"
    );
    for pin in ["host_pin", "guest_pin"] {
        assert!(!shown.contains(text(&made, pin)), "{shown}");
    }
    let shown = json(here, &words("account show 1 --show-guest-pin --json"));
    assert_eq!(shown["guest_pin"], made["guest_pin"]);
    assert_eq!(shown.get("host_pin"), None);
}

#[test]
fn what_cannot_be_is_refused_and_what_is_doubtful_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let check = |more: &str, said: &[&str]| {
        refused(here, &with(&ADA, &words(more)), said);
    };
    check("--max-callers 1", &["2 to 10000"]);
    check("--longest-wait 0", &["above zero"]);
    check("--host-grace 9", &["--host-leaves hangup"]);
    check("--host-grace 121 --host-leaves hangup", &["121"]);
    assert!(
        !here.join("conclave-data").exists(),
        "a mistake makes no data"
    );
    let (_, warned) = run(
        here,
        &words("account add --name Sales --email sales@example.org"),
        0,
    );
    assert!(
        warned.contains("function or a list") && warned.contains("sales"),
        "{warned}"
    );
}

#[test]
fn only_what_is_given_changes() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let mut account = json(
        here,
        &with(&ADA, &words("--department Research --entry name --json")),
    );
    let object = account.as_object_mut().unwrap();
    object.remove("host_pin");
    object.remove("guest_pin");
    let mut check = |more: &[&str], pointer: &str, value: Value| {
        let changed = json(here, &with(&words("account change 1 --json"), more));
        *account.pointer_mut(pointer).unwrap() = value;
        assert_eq!(changed, account, "{more:?}");
    };
    check(&["--lock", "off"], "/terms/lock", json!(false));
    check(&["--exit", "none"], "/terms/exit", json!("none"));
    check(&["--consent", "on"], "/terms/consent", json!(true));
    check(&["--bookings", "off"], "/bookings", json!(false));
    check(&["--max-callers", "9"], "/terms/max_participants", json!(9));
    check(&["--longest-wait", "1"], "/terms/longest_wait", json!(60));
    check(
        &["--host-leaves", "hold"],
        "/terms/host_leaves",
        json!("hold"),
    );
    check(&["--name", "Ada Byron"], "/owner/name", json!("Ada Byron"));
    check(
        &["--email", "byron@example.org"],
        "/owner/email",
        json!("byron@example.org"),
    );
    check(&["--cost-code", "K"], "/cost_code", json!("K"));
    check(&["--department", ""], "/department", Value::Null);
    refused(here, &words("account change 1"), &["nothing to change"]);
    refused(
        here,
        &words("account change 1 --email x"),
        &["name@example.org"],
    );
    refused(
        here,
        &words("account change 7 --lock on"),
        &["account list"],
    );
}

#[test]
fn an_account_is_closed_for_good() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    run(here, &ADA, 0);
    refused(
        here,
        &words("account close 1"),
        &["--yes", "account suspend"],
    );
    let closed = json(here, &words("account close 1 --yes --json"));
    assert_eq!(text(&closed, "state"), "closed");
    refused(here, &words("account resume 1"), &["closed for good"]);
    let odds = json(here, &words("odds --json"));
    assert_eq!(
        (&odds["accounts"], &odds["active_targets"]),
        (&json!(0), &json!(0))
    );
}

#[test]
fn a_pin_is_drawn_anew() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let made = json(here, &with(&ADA, &["--json"]));
    let reset = json(
        here,
        &words("account reset-pin ada@example.org --which guest --json"),
    );
    assert_ne!(reset["guest_pin"], made["guest_pin"]);
    assert_eq!(reset.get("host_pin"), None);
    let shown = json(here, &words("account show 1 --show-guest-pin --json"));
    assert_eq!(shown["guest_pin"], reset["guest_pin"]);
}

#[test]
fn accounts_are_found_and_listed_in_parts() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    for n in 1..=5 {
        let (name, email) = (format!("Person {n}"), format!("p{n}@example.org"));
        run(
            here,
            &["account", "add", "--name", &name, "--email", &email],
            0,
        );
    }
    let ids = |line: &str| {
        let list = json(here, &words(line));
        let accounts = list["accounts"].as_array().unwrap().clone();
        accounts
            .iter()
            .map(|one| one["id"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("account list --json"), [1, 2, 3, 4, 5]);
    assert_eq!(ids("account list --limit 2 --json"), [1, 2]);
    assert_eq!(ids("account list --limit 2 --after 2 --json"), [3, 4]);
    assert_eq!(ids("account list --after 5 --json"), [0_u64; 0]);
    assert_eq!(ids("account list --find P3@ --json"), [3]);
    let (said, _) = run(here, &words("account list --find nobody"), 0);
    assert!(said.contains("no such"), "{said}");
}
