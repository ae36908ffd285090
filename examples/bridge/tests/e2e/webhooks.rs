//! Webhooks: what happens in real calls, told to a real server that isn't always there, over the death of the bridge.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use conclave_conference::Prompt;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::{bridge::Bridge, ear::Ear, journey::enter, tones};

/// What a server of ours was sent.
struct Sent {
    head: BTreeMap<String, String>,
    body: String,
}

impl Sent {
    fn header(&self, name: &str) -> &str {
        self.head.get(name).map_or("", String::as_str)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether it is signed as Standard Webhooks says.
    fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD
            .decode(secret.strip_prefix("whsec_").unwrap())
            .unwrap();
        let [id, timestamp] = ["webhook-id", "webhook-timestamp"].map(|name| self.header(name));
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{id}.{timestamp}.{}", self.body).as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        self.header("webhook-signature") == format!("v1,{signature}")
    }
}

/// A server that answers as it is told to, and passes on what it was sent.
struct Server {
    port: u16,
    answer: Arc<Mutex<&'static str>>,
    sent: mpsc::Receiver<Sent>,
}

impl Server {
    fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, sent) = mpsc::channel();
        let answer = Arc::new(Mutex::new(answer));
        let answers = Arc::clone(&answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                let mut head = BTreeMap::new();
                loop {
                    let mut line = String::new();
                    lines.read_line(&mut line).unwrap();
                    let line = line.trim_end();
                    if line.is_empty() {
                        break;
                    }
                    match line.split_once(": ") {
                        Some((name, value)) => head.insert(name.to_lowercase(), value.to_owned()),
                        None => head.insert("request".to_owned(), line.to_owned()),
                    };
                }
                let length = head["content-length"].parse().unwrap();
                let mut body = vec![0; length];
                lines.read_exact(&mut body).unwrap();
                let answer = *answers.lock().unwrap();
                write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").unwrap();
                let body = String::from_utf8(body).unwrap();
                if tell.send(Sent { head, body }).is_err() {
                    return;
                }
            }
        });
        Self { port, answer, sent }
    }

    fn answers(&self, answer: &'static str) {
        *self.answer.lock().unwrap() = answer;
    }

    #[track_caller]
    fn is_sent(&self) -> Sent {
        let sent = self.sent.recv_timeout(Duration::from_secs(30));
        sent.expect("nothing was sent")
    }
}

fn start(email: &str, role: &str) -> Bridge {
    let directory = tempfile::tempdir().unwrap();
    tones::write_prompts(&directory.path().join("prompts"));
    let bridge = Bridge::start_in(directory, &["--prompts", "prompts"]);
    bridge.json(&["user", "add", email, "--role", role]);
    bridge
}

/// Has that address told of all that there is; gives the secret.
fn hook(bridge: &Bridge, email: &str, url: &str) -> String {
    let mut add = vec!["webhook", "add", email, "--url", url];
    for event in [
        "conference.started",
        "conference.ended",
        "call.joined",
        "call.left",
        "booking.made",
        "booking.cancelled",
    ] {
        add.extend(["--event", event]);
    }
    let added = bridge.json(&add);
    added["secret"].as_str().unwrap().to_owned()
}

#[test]
fn what_happened_is_told_over_failures_and_a_kill() {
    let server = Server::start("500 Internal Server Error");
    let bridge = start("root@example.org", "administrator");
    let url = format!("http://127.0.0.1:{}/hook?x=1", server.port);
    let secret = hook(&bridge, "root@example.org", &url);
    let account = bridge.account(&[]);
    let mut host = enter(&bridge, 0, &account.host_pin, &[]);
    host.hears(Prompt::YouAreTheFirst);

    let first = server.is_sent();
    assert_eq!(first.header("request"), "POST /hook?x=1 HTTP/1.1");
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(first.json()["type"], "conference.started");
    assert!(first.is_signed_with(&secret), "{:?}", first.head);
    let timestamp: i64 = first.header("webhook-timestamp").parse().unwrap();
    assert!((bridge.now().timestamp() - timestamp).abs() < 10);
    let second = server.is_sent();
    assert_eq!(second.json()["type"], "call.joined");
    let rows = bridge.json(&["webhook", "deliveries", "1"]);
    assert!(
        rows["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["problem"] == "HTTP 500" && row["again"].is_string()),
        "{rows}"
    );

    // The bridge dies, with a call in it and two events untold.
    let directory = bridge.kill();
    server.answers("204 No Content");
    while server.sent.try_recv().is_ok() {}
    let bridge = Bridge::start_in(directory, &["--prompts", "prompts"]);
    let mut told = BTreeMap::new();
    while told.len() < 4 {
        let sent = server.is_sent();
        assert!(sent.is_signed_with(&secret), "{:?}", sent.head);
        assert!(
            !sent.body.contains("Ada") && !sent.body.contains("+44"),
            "{}",
            sent.body
        );
        told.insert(sent.header("webhook-id").to_owned(), sent.json());
    }
    let kinds: Vec<_> = told.values().map(|body| body["type"].clone()).collect();
    let all = [
        "conference.started",
        "call.joined",
        "call.left",
        "conference.ended",
    ];
    assert_eq!(kinds, all);
    let of = |kind: usize| &told.values().nth(kind).unwrap()["data"];
    assert_eq!(of(1)["role"], "host");
    assert_eq!(of(1)["call"], of(2)["call"]);
    assert_eq!(
        (&of(2)["reason"], &of(3)["reason"]),
        (&"interrupted".into(), &"interrupted".into())
    );
    assert!(
        told.contains_key(first.header("webhook-id")),
        "a try has the id of the one before"
    );
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let rows = bridge.json(&["webhook", "deliveries", "1"]);
        let taken = rows["deliveries"].as_array().unwrap().iter();
        if taken.filter(|row| row["delivered"].is_string()).count() == 4 {
            break;
        }
        assert!(Instant::now() < until, "{rows}");
        thread::sleep(Duration::from_millis(50));
    }
    let log = bridge.log();
    assert!(!log.contains(&secret[6..]), "the secret is in no log");
    drop(host);
}

#[test]
fn no_webhook_leads_where_its_owner_may_not_go() {
    let redirected = Server::start("204 No Content");
    let redirects = format!(
        "302 Found\r\nlocation: http://127.0.0.1:{}/",
        redirected.port
    );
    let server = Server::start(redirects.leak());
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let bridge = start("ada@example.org", "host");
    bridge.json(&["user", "add", "root@example.org", "--role", "administrator"]);
    let account = bridge.account(&[]);
    let here = format!("http://127.0.0.1:{}/", server.port);
    for refused in [
        here.as_str(),
        "https://localhost/",
        "http://example.org/",
        "ftp://example.org/",
    ] {
        let add = [
            "webhook",
            "add",
            "ada@example.org",
            "--event",
            "booking.made",
        ];
        let output = bridge.run(&[&add[..], &["--url", refused]].concat());
        assert_eq!(output.status.code(), Some(2), "{refused}: {output:?}");
    }
    // A network of one's own, where something listens: nobody connects.
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let inside = format!(
        "https://{}:{}/",
        name.trim(),
        elsewhere.local_addr().unwrap().port()
    );
    hook(&bridge, "ada@example.org", &inside);
    hook(&bridge, "ada@example.org", "https://10.0.0.1/");
    hook(&bridge, "root@example.org", &here);
    let day = bridge.now() + TimeDelta::days(1);
    let at = |hours: i64| (day + TimeDelta::hours(hours)).format("%Y-%m-%dT%H:%M:%SZ");
    let (start, end) = (at(0).to_string(), at(1).to_string());
    let id = account.id.to_string();
    let book = ["booking", "add", "--account", &id, "--title", "Budget"];
    bridge.json(&[&book[..], &["--start", &start, "--end", &end]].concat());

    server.is_sent();
    let problem = |webhook: &str| {
        let until = Instant::now() + Duration::from_secs(15);
        loop {
            let rows = bridge.json(&["webhook", "deliveries", webhook]);
            if let Some(problem) = rows["deliveries"][0]["problem"].as_str() {
                return problem.to_owned();
            }
            assert!(Instant::now() < until, "{rows}");
            thread::sleep(Duration::from_millis(50));
        }
    };
    assert_eq!(problem("3"), "HTTP 302");
    for inside in ["1", "2"] {
        let why = problem(inside);
        let judged = why.contains("none of the Internet's") || why.contains("cannot look up");
        assert!(judged, "{why}");
    }
    assert!(problem("2").contains("none of the Internet's"));
    elsewhere.set_nonblocking(true).unwrap();
    assert!(elsewhere.accept().is_err(), "somebody connected");
    assert!(
        redirected.sent.try_recv().is_err(),
        "the redirection was followed"
    );
}

#[test]
fn a_webhook_that_takes_nothing_for_days_is_switched_off() {
    let server = Server::start("503 Service Unavailable");
    let bridge = start("root@example.org", "administrator");
    hook(
        &bridge,
        "root@example.org",
        &format!("http://127.0.0.1:{}/", server.port),
    );
    let account = bridge.account(&[]);
    let book = |days: i64| {
        let day = bridge.now() + TimeDelta::days(days);
        let at = |hours: i64| (day + TimeDelta::hours(hours)).format("%Y-%m-%dT%H:%M:%SZ");
        let (start, end) = (at(0).to_string(), at(1).to_string());
        let id = account.id.to_string();
        let book = ["booking", "add", "--account", &id, "--title", "Budget"];
        bridge.json(&[&book[..], &["--start", &start, "--end", &end]].concat());
    };
    let row = |until: &str, wanted: &dyn Fn(&Value) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let rows = bridge.json(&["webhook", "deliveries", "1"]);
            if wanted(&rows["deliveries"]) {
                return rows;
            }
            assert!(Instant::now() < deadline, "{until}: {rows}");
            thread::sleep(Duration::from_millis(50));
        }
    };
    book(20);
    server.is_sent();
    row("tried", &|rows| rows[0]["problem"] == "HTTP 503");
    // For three days an event is told again and again; then it is given up.
    bridge.go_to(bridge.now() + TimeDelta::days(2));
    row("tried again", &|rows| rows[0]["tries"] == 2);
    bridge.go_to(bridge.now() + TimeDelta::hours(25));
    row("given up", &|rows| {
        rows[0]["tries"] == 3 && rows[0]["again"].is_null()
    });
    bridge.go_to(bridge.now() + TimeDelta::days(2));
    book(20);
    row("switched off", &|rows| {
        rows[0]["tries"] == 1 && rows[0]["problem"] == "the webhook is off"
    });
    let list = bridge.json(&["webhook", "list"]);
    assert!(list["webhooks"][0]["disabled"].is_string(), "{list}");
    let audit = bridge.report("audit");
    assert!(
        audit
            .iter()
            .any(|entry| entry["kind"] == "webhook.disabled")
    );
    while server.sent.try_recv().is_ok() {}
    book(21);
    server.answers("200 OK");
    bridge.json(&["webhook", "enable", "1"]);
    book(22);
    let sent = server.is_sent();
    assert_eq!(sent.json()["data"]["booking"], 4, "{}", sent.body);
}
