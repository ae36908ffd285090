//! The command line as an operator meets it: mistakes, restarts, logs.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::UdpSocket,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

fn binary(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conclave-bridge"));
    command.current_dir(directory).env_remove("RUST_LOG");
    command
}

#[track_caller]
fn run(directory: &Path, arguments: &[&str], status: i32) -> (String, String) {
    let Output {
        status: ended,
        stdout,
        stderr,
    } = binary(directory).args(arguments).output().unwrap();
    let said = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(ended.code(), Some(status), "{arguments:?}: {said:?}");
    let [out, error] = said;
    (out, error)
}

const ADA: [&str; 6] = [
    "account",
    "add",
    "--name",
    "Ada",
    "--email",
    "ada@example.org",
];

/// A serving bridge on a port of its own.
struct Serving {
    child: Child,
    sip: UdpSocket,
}

impl Serving {
    fn start(directory: &Path, log: &str) -> Self {
        let free = || UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = free().local_addr().unwrap().to_string();
        let mut child = binary(directory)
            .args(["serve", "--sip", &address, "--rtp-ports", "18000-18099"])
            .env("RUST_LOG", log)
            .stdout(Stdio::piped())
            .stderr(fs::File::create(directory.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.any(|line| line.unwrap().contains("ready"));
        assert!(
            ready,
            "{}",
            fs::read_to_string(directory.join("log")).unwrap()
        );
        std::thread::spawn(move || lines.for_each(drop));
        let sip = free();
        sip.connect(address).unwrap();
        sip.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self { child, sip }
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "it does not stop"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a request of one call and waits for its final answer, of which the To header is returned.
    fn request(&self, method: &str, number: u32, to: &str, content: (&str, &str)) -> String {
        let (here, there) = (
            self.sip.local_addr().unwrap(),
            self.sip.peer_addr().unwrap(),
        );
        let (kind, body) = content;
        let length = body.len();
        let message = format!(
            "{method} sip:conference@{there} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{method}{number}\r\nMax-Forwards: 70\r\n\
             From: <sip:+4930123456@{here}>;tag=a\r\nTo: {to}\r\nCall-ID: one@{here}\r\nCSeq: {number} {method}\r\n\
             Contact: <sip:{here}>\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.sip.send(message.as_bytes()).unwrap();
        if method == "ACK" {
            return to.to_owned();
        }
        loop {
            let mut buffer = [0; 4096];
            let length = self.sip.recv(&mut buffer).unwrap();
            let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if answer.starts_with("SIP/2.0 2") && answer.contains(&format!("{number} {method}")) {
                let to = answer.lines().find_map(|line| line.strip_prefix("To: "));
                return to.unwrap().to_owned();
            }
            assert!(
                answer.starts_with("SIP/2.0 1") || !answer.starts_with("SIP/2.0"),
                "{answer}"
            );
        }
    }

    /// A call that is answered; what its To header is from then on.
    fn call(&self) -> String {
        let media = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let offer = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n",
            media.port()
        );
        let to = self.request(
            "INVITE",
            1,
            "<sip:conference@127.0.0.1>",
            ("application/sdp", &offer),
        );
        self.request("ACK", 1, &to, ("text/plain", ""))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
fn a_forced_weak_pin_is_told_of_but_stops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let add = |more: &[&str], status| run(directory.path(), &[&ADA, more].concat(), status);
    let (_, error) = add(&["--host-pin", "48219"], 2);
    assert!(
        error.contains("--force-weak-pin") && !error.contains("48219"),
        "{error}"
    );
    add(
        &[
            "--host-pin",
            "48219",
            "--guest-pin",
            "48219",
            "--force-weak-pin",
        ],
        2,
    );
    add(&["--host-pin", "48219", "--force-weak-pin"], 0);
    // A drawn one is as long as ever.
    let (json, _) = add(&["--json"], 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["host_pin"].as_str().map(str::len), Some(12));
    let (odds, _) = run(directory.path(), &["odds", "--json"], 0);
    let odds: serde_json::Value = serde_json::from_str(&odds).unwrap();
    assert_eq!(odds["forced"], 1);
    assert!(odds["odds_per_day"].as_f64().unwrap() > 1e-4, "{odds}");
    let (_, error) = run(directory.path(), &["odds"], 2);
    assert!(error.contains("too easy"), "{error}");

    let mut serving = Serving::start(directory.path(), "info");
    let log = fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(
        log.contains("WARN") && log.contains("--force-weak-pin"),
        "{log}"
    );
    serving.signal("-TERM");
    assert!(serving.wait().success());
}

#[test]
fn no_log_level_shows_digits_and_a_second_signal_hurries() {
    let directory = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(
        directory.path(),
        "trace,rsipstack=trace,rsipstack::transaction=trace,rsipstack::transport=trace",
    );
    let to = serving.call();
    let (kind, body) = ("application/dtmf-relay", "Signal=7\r\nDuration=160\r\n");
    serving.request("INFO", 2, &to, (kind, body));
    serving.signal("-INT");
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        serving.child.try_wait().unwrap().is_none(),
        "the call was to end by itself"
    );
    serving.signal("-INT");
    assert!(serving.wait().success());
    let log = fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(log.contains("DEBUG"), "{log}");
    for secret in ["Signal=", "Digit('7')", "Digit(7)"] {
        assert!(!log.contains(secret), "{secret} in\n{log}");
    }
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
