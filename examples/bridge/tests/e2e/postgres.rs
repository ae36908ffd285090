//! The bridge on PostgreSQL: stopped and started under calls, and shared by two bridges.

use std::time::{Duration, Instant};

use conclave_conference::Prompt;
use conclave_testbed::Postgres;

use crate::{
    bridge::Bridge,
    ear::{Ear, check_hears},
    journey::{enter, first_host, joining_guest, two},
};

fn config(url: &str, bridge: &str) -> String {
    format!("[database]\nurl = '{url}'\nbridge = '{bridge}'\n[pins]\nwrong-a-day = 3\n")
}

fn account(bridge: &Bridge) -> crate::bridge::Account {
    bridge.account(&["--config", "bridge.toml"])
}

fn report(bridge: &Bridge, what: &str) -> Vec<serde_json::Value> {
    let arguments = [
        "report",
        what,
        "--format",
        "json",
        "--config",
        "bridge.toml",
    ];
    let output = bridge.run(&arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How often the database goes away: a campaign asks for more.
fn outages() -> u32 {
    std::env::var("CONCLAVE_OUTAGES").map_or(1, |outages| outages.parse().unwrap())
}

#[test]
fn calls_go_on_while_the_database_is_down_and_their_records_catch_up() {
    let mut server = Postgres::start();
    let bridge = Bridge::start_configured(&config(&server.new_database(), "main"));
    let account = account(&bridge);
    let (host, guest) = two(&bridge, &account);
    std::thread::sleep(Duration::from_secs(1));
    guest.speak(true);
    host.speak(true);
    for outage in 1..=outages() {
        if outage > 1 {
            server.start_again();
        }
        server.stop();
        check_hears(&host, &[&guest]);
        check_hears(&guest, &[&host]);
    }
    // A PIN can't be judged: the caller is asked again, not sent away.
    let mut late = enter(&bridge, 2, &account.guest_pin, &[]);
    late.skip();
    guest.hang_up();
    let asked = late.hears_within(Prompt::EnterPin, Duration::from_secs(20));
    assert!(
        asked.is_some(),
        "heard {:?}\n{}",
        late.heard_prompts(),
        late.explain()
    );
    server.start_again();
    let began = Instant::now();
    late.press(&format!("{}#", account.guest_pin));
    late.hears(Prompt::PeopleInConference);
    late.hang_up();
    host.hang_up();
    loop {
        let rows = report(&bridge, "calls");
        let reasons: Vec<_> = rows.iter().map(|row| row["reason"].clone()).collect();
        if rows.len() == 3 && reasons.iter().all(|reason| reason == "hung-up") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{rows:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
    let verified = bridge.run(&["report", "audit", "--verify", "--config", "bridge.toml"]);
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );
}

#[test]
fn two_bridges_of_one_database_share_accounts_and_the_alarm() {
    let server = Postgres::shared();
    let url = server.new_database();
    let first = Bridge::start_configured(&config(&url, "first"));
    let directory = tempfile::tempdir().unwrap();
    crate::tones::write_prompts(&directory.path().join("prompts"));
    std::fs::write(directory.path().join("bridge.toml"), config(&url, "second")).unwrap();
    // One file of keys for all: without it the second would recognise no PIN, and refuses to start.
    std::fs::create_dir(directory.path().join("data")).unwrap();
    let keys = directory.path().join("data/keys");
    std::fs::copy(first.directory.path().join("data/keys"), &keys).unwrap();
    let second = Bridge::start_in(
        directory,
        &["--prompts", "prompts", "--config", "bridge.toml"],
    );

    let account = account(&first);
    let host = first_host(&second, &account, 0);
    let guest = joining_guest(&second, &account, 1, &[]);
    guest.hang_up();
    // Three guesses at the first bridge: callers of the second who aren't known need consent.
    crate::guessing::guess_three_times(&first, 5);
    std::thread::sleep(Duration::from_millis(2500));
    let mut stranger = enter(&second, 2, &account.guest_pin, &[]);
    stranger.hears(Prompt::WaitingForConsent);
    drop((host, stranger));
}
