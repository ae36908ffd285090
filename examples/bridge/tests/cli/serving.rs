//! Beside a bridge that serves: restarts, logs, signals.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::UdpSocket,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use crate::support::{ADA, binary, keys, run};

/// A serving bridge on a port of its own.
pub(crate) struct Serving {
    child: Child,
    sip: UdpSocket,
}

impl Serving {
    pub(crate) fn start(directory: &Path, log: &str) -> Self {
        Self::start_with(directory, log, &[])
    }

    pub(crate) fn start_with(directory: &Path, log: &str, more: &[&str]) -> Self {
        let free = || UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = free().local_addr().unwrap().to_string();
        let mut child = binary(directory)
            .args(["serve", "--sip", &address, "--rtp-ports", "18000-18099"])
            .args(more)
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

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
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
    pub(crate) fn request(
        &self,
        method: &str,
        number: u32,
        to: &str,
        content: (&str, &str),
    ) -> String {
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
    pub(crate) fn call(&self) -> String {
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
    let (odds, _) = run(directory.path(), &["odds", "--json"], 2);
    let odds: serde_json::Value = serde_json::from_str(&odds).unwrap();
    assert_eq!(
        keys(&odds),
        [
            "accounts",
            "active_targets",
            "bookings",
            "ceiling_per_day",
            "guest_digits",
            "host_digits",
            "odds_per_day"
        ]
    );
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
