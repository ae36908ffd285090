//! From the set-up link to the call: a Host books on the web, by form and by program, and the PINs open the conference.

use conclave_conference::Prompt;
use serde_json::{Value, json};

use crate::{
    bridge::{Bridge, free_port},
    browser::Browser,
    ear::Ear,
    journey::enter,
    tones,
};

#[test]
fn who_books_on_the_web_gets_in_with_those_pins() {
    let directory = tempfile::tempdir().unwrap();
    tones::write_prompts(&directory.path().join("prompts"));
    let at = format!("127.0.0.1:{}", free_port());
    let arguments = ["--prompts", "prompts", "--http", &at];
    let bridge = Bridge::start_in(directory, &arguments);
    let account = bridge.account(&[]);
    let shown = bridge.json(&["account", "show", &account.id.to_string()]);
    let email = shown["owner"]["email"].as_str().unwrap().to_owned();
    let user = bridge.json(&["user", "add", &email, "--role", "host", "--http", &at]);
    let link = user["link"].as_str().unwrap();

    let mut browser = Browser::at(at.clone());
    browser.set_up(link);
    let now = bridge.now();
    let fields = format!(
        "title=Right+now&date={}&time={}&length=60&zone=UTC",
        now.format("%Y-%m-%d"),
        now.format("%H:%M")
    );
    let booked = browser.send("/book", &fields);
    assert_eq!(booked.status, 200, "{}", booked.body);
    let pins: Vec<String> = booked
        .body
        .split("class=\"pin")
        .skip(1)
        .map(|rest| {
            let (_, rest) = rest.split_once('>').unwrap();
            rest.split('<').next().unwrap().replace(' ', "")
        })
        .collect();
    let mut host = enter(&bridge, 0, &pins[0], &[]);
    host.hears(Prompt::YouAreTheFirst);
    let mut guest = enter(&bridge, 1, &pins[1], &[]);
    guest.hears(Prompt::PeopleInConference);

    let token = [
        "token",
        "add",
        &email,
        "--name",
        "calendar",
        "--scope",
        "bookings:write",
    ];
    let token = bridge.json(&token)["token"].as_str().unwrap().to_owned();
    let mut program = Browser::with_token(at, token);
    let (start, end) = (now, now + chrono::TimeDelta::hours(1));
    let wish = json!({
        "account": account.id, "title": "By a program",
        "start": start.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "end": end.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    });
    let booked = program.ask("POST /api/v1/bookings", &wish.to_string());
    assert_eq!(booked.status, 201, "{}", booked.body);
    let booked: Value = serde_json::from_str(&booked.body).unwrap();
    assert_eq!(booked["clashes"], json!([1]));
    let pin = booked["host_pin"].as_str().unwrap();
    let mut second = enter(&bridge, 2, pin, &[]);
    second.hears(Prompt::YouAreTheFirst);
    let accounts = program.get("/api/v1/accounts");
    assert_eq!(accounts.status, 403, "it has no scope for that");
    bridge.run(&["token", "revoke", "1"]);
    assert_eq!(program.get("/api/v1/bookings/1").status, 401);
    let log = bridge.log();
    assert!(
        pins.iter().all(|pin| !log.contains(pin)),
        "a PIN is in no log"
    );
}
