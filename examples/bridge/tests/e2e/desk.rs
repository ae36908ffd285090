//! From the set-up link to the call: a Host books on the web, by form and by program, and the PINs open the conference.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use conclave_conference::Prompt;
use serde_json::{Value, json};

use crate::{
    bridge::{Bridge, free_port},
    ear::Ear,
    journey::enter,
    tones,
};

/// A browser that has one host and keeps cookies; or a program, if it has a token.
struct Client {
    at: String,
    cookies: Vec<String>,
    token: Option<String>,
}

impl Client {
    fn ask(&mut self, request: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.at).unwrap();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        let (host, length) = (&self.at, body.len());
        let who = match &self.token {
            Some(token) => format!("Authorization: Bearer {token}"),
            None => format!("Cookie: {}", self.cookies.join("; ")),
        };
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: {host}\r\n{who}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        for line in head.lines() {
            if let Some(cookie) = line.strip_prefix("set-cookie: ") {
                let pair = cookie.split(';').next().unwrap();
                let name = pair.split('=').next().unwrap();
                self.cookies.retain(|kept| !kept.starts_with(name));
                self.cookies.push(pair.to_owned());
            }
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    fn get(&mut self, path: &str) -> String {
        self.ask(&format!("GET {path}"), "").1
    }

    /// Fills in the form of that page and sends it, with what the page has hidden in it.
    fn send(&mut self, path: &str, fields: &str) -> (u16, String) {
        let page = self.get(path);
        let hidden: Vec<String> = ["form", "once", "account"]
            .iter()
            .filter_map(|name| {
                let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
                Some(format!("{name}={}", rest.split('"').next()?))
            })
            .collect();
        let body = format!("{}&{fields}", hidden.join("&"));
        self.ask(&format!("POST {path}"), &body)
    }

    fn post(&mut self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(&format!("POST {path}"), &body.to_string());
        assert_eq!(status, 201, "{answer}");
        serde_json::from_str(&answer).unwrap()
    }
}

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
    let (_, code) = link.split_once('#').unwrap();

    let mut browser = Client {
        at: at.clone(),
        cookies: Vec::new(),
        token: None,
    };
    let password = "four+odd+words+here";
    let fields = format!("code={code}&password={password}&again={password}");
    let (status, said) = browser.send("/set-up", &fields);
    assert_eq!(status, 303, "{said}");
    let now = bridge.now();
    let fields = format!(
        "title=Right+now&date={}&time={}&length=60&zone=UTC",
        now.format("%Y-%m-%d"),
        now.format("%H:%M")
    );
    let (status, page) = browser.send("/book", &fields);
    assert_eq!(status, 200, "{page}");
    let pins: Vec<String> = page
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
    let mut program = Client {
        token: Some(token),
        ..browser
    };
    let (start, end) = (now, now + chrono::TimeDelta::hours(1));
    let booked = program.post(
        "/api/v1/bookings",
        &json!({
            "account": account.id, "title": "By a program",
            "start": start.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            "end": end.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        }),
    );
    assert_eq!(booked["clashes"], json!([1]));
    let pin = booked["host_pin"].as_str().unwrap();
    let mut second = enter(&bridge, 2, pin, &[]);
    second.hears(Prompt::YouAreTheFirst);
    let (status, _) = program.ask("GET /api/v1/accounts", "");
    assert_eq!(status, 403, "it has no scope for that");
    bridge.run(&["token", "revoke", "1"]);
    let (status, _) = program.ask("GET /api/v1/bookings/1", "");
    assert_eq!(status, 401);
    let log = bridge.log();
    assert!(
        pins.iter().all(|pin| !log.contains(pin)),
        "a PIN is in no log"
    );
}
