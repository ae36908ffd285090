//! The HTTP API over real calls: what a program hears of a conference that goes on, and does in it.

use std::{
    sync::mpsc::Receiver,
    thread,
    time::{Duration, Instant},
};

use conclave_conference::Prompt;
use serde_json::{Value, json};

use crate::{
    bridge::{Account, Bridge, free_port},
    browser::{Browser, Event},
    client,
    ear::{Ear, check_hears},
    journey::{enter, joining_guest, two},
    tones,
};

/// What happens is told so soon, on a machine that is busy with other tests.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

fn with_http() -> (Bridge, Account, String) {
    let directory = tempfile::tempdir().unwrap();
    tones::write_prompts(&directory.path().join("prompts"));
    let at = format!("127.0.0.1:{}", free_port());
    let bridge = Bridge::start_in(directory, &["--prompts", "prompts", "--http", &at]);
    let account = bridge.account(&[]);
    bridge.json(&["user", "add", "ada@example.org", "--role", "host"]);
    (bridge, account, at)
}

fn token(bridge: &Bridge, email: &str, scopes: &[&str]) -> String {
    let mut arguments = vec!["token", "add", email, "--name", "a program"];
    arguments.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
    let made = bridge.json(&arguments);
    made["token"].as_str().unwrap().to_owned()
}

/// Waits for that event, and gives its data.
#[track_caller]
fn told(events: &Receiver<Event>, what: &str, within: Duration) -> Value {
    let until = Instant::now() + within;
    let mut others = Vec::new();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(event) = events.recv_timeout(left) else {
            panic!("not told of in time: {what}; but {others:?}");
        };
        let data: Value = serde_json::from_str(&event.data).unwrap();
        assert_eq!(data["what"], event.name, "{data}");
        if event.name == what {
            return data;
        }
        others.push(event.name);
    }
}

#[test]
fn a_program_hears_what_happens_and_acts() {
    let (bridge, account, at) = with_http();
    let secret = token(&bridge, "ada@example.org", &["live:read", "live:act"]);
    let mut program = Browser::with_token(at.clone(), secret.clone());
    let all = program.events("/api/v1/events");
    assert_eq!(program.get("/api/v1/live").body, "{\"items\":[]}");
    let (host, mut guest) = two(&bridge, &account);
    let started = told(&all, "started", TOLD_WITHIN);
    let (id, began) = (
        &started["conference"]["id"],
        &started["conference"]["started"],
    );
    let joined = told(&all, "joined", TOLD_WITHIN);
    assert_eq!(joined["caller"]["role"], "guest");
    let call = &joined["caller"]["call"];
    let path = format!("/api/v1/live/{id}");
    let one = program.events(&format!("{path}/events"));
    let snapshot = told(&one, "snapshot", TOLD_WITHIN);
    assert_eq!(snapshot["callers"].as_array().unwrap().len(), 2);

    guest.babble(true);
    for events in [&all, &one] {
        let speaks = told(events, "speaking", TOLD_WITHIN);
        assert_eq!(speaks["caller"]["call"], *call);
    }
    guest.babble(false);

    guest.speak(true);
    check_hears(&host, &[&guest]);
    let order = |what: &str, began: &Value| {
        let mut order = json!({ "started": began, "what": what });
        if what.ends_with("mute") {
            order["call"] = call.clone();
        }
        let mut program = Browser::with_token(at.clone(), secret.clone());
        program.ask(&format!("POST {path}/orders"), &order.to_string())
    };
    let done = order("mute", began);
    assert_eq!(done.status, 204, "{}", done.body);
    let muted = told(&one, "muted", TOLD_WITHIN);
    assert_eq!(muted["caller"]["muted"], "by-host");
    guest.hears(Prompt::MutedByHost);
    check_hears(&host, &[]);
    let stale = order("unmute", &json!("2026-01-01T00:00:00Z"));
    assert_eq!(stale.status, 409, "{}", stale.body);
    assert!(stale.body.contains("Nothing was done"), "{}", stale.body);
    let shown: Value = serde_json::from_str(&program.get(&path).body).unwrap();
    assert_eq!(shown["callers"][1]["muted"], "by-host");
    assert_eq!(order("lock", began).status, 204);
    told(&one, "locked", TOLD_WITHIN);
    assert_eq!(order("end", began).status, 204);
    for events in [&all, &one] {
        let ended = told(events, "ended", Duration::from_secs(10));
        assert_eq!(ended["conference"]["id"], *id);
    }
    let audit = bridge.report("audit");
    let by = |kind: &str| {
        let entry = audit.iter().find(|entry| entry["kind"] == kind);
        entry.unwrap_or_else(|| panic!("{kind}: {audit:#?}"))["body"]["by"].clone()
    };
    assert_eq!(by("command.mute-call"), "ada@example.org");
    assert_eq!(by("command.set-locked"), "ada@example.org");

    // The stream goes on, and ends with the token.
    let again = enter(&bridge, 3, &account.guest_pin, &[]);
    told(&all, "started", TOLD_WITHIN);
    drop(again);
    bridge.json(&["token", "revoke", "1"]);
    let until = Instant::now() + Duration::from_secs(20);
    while all
        .recv_timeout(until.saturating_duration_since(Instant::now()))
        .is_ok()
    {}
    assert!(Instant::now() < until, "the stream outlives its token");
}

#[test]
fn the_example_client_quiets_the_line_that_plays_music() {
    let (bridge, account, at) = with_http();
    let secret = token(&bridge, "ada@example.org", &["live:read", "live:act"]);
    thread::spawn(move || while client::listen(&format!("http://{at}"), &secret).is_ok() {});
    let mut host = enter(&bridge, 0, &account.host_pin, &[]);
    host.hears(Prompt::YouAreTheFirst);
    let mut plays = joining_guest(&bridge, &account, 1, &[]);
    let speaks = joining_guest(&bridge, &account, 2, &[]);
    plays.say(Some(1_500.0));
    plays.hears(Prompt::LineQuieted);
    speaks.speak(true);
    check_hears(&host, &[&speaks]);
    speaks.speak(false);
    // Somebody is back at the telephone.
    plays.say(None);
    plays.babble(true);
    plays.hears(Prompt::LineRestored);
}
