//! The built program: its calls at its own floor.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

use std::{
    net::UdpSocket,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_conclave-load"))
}

fn floor(port: u16) -> Child {
    let address = format!("127.0.0.1:{port}");
    let mut command = program();
    command.args(["floor", "--sip", &address]);
    command.stdin(Stdio::piped()).spawn().unwrap()
}

fn calls(port: u16, more: &[&str]) -> Value {
    let target = format!("127.0.0.1:{port}");
    let mut command = program();
    command.args(["calls", "--json", "--target", &target, "--settle", "1"]);
    let output = command
        .args(["--seconds", "2"])
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_call_is_sent_its_packets_and_the_floor_ends_with_its_input() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let mut floor = floor(port);
    // Until it listens, there is nobody to answer.
    let began = Instant::now();
    while calls(port, &["--calls", "1"])["failed"] != serde_json::json!({}) {
        assert!(began.elapsed() < Duration::from_secs(60), "nobody answers");
    }
    let process = floor.id().to_string();
    let measured = calls(port, &["--calls", "12", "--process", &process]);
    assert_eq!(measured["setup_ms"]["of"], 12, "{measured}");
    assert_eq!(measured["packets"]["lost_percent"], 0.0, "{measured}");
    let least = measured["packets"]["a_second_least"].as_f64().unwrap();
    assert!((40.0..60.0).contains(&least), "{measured}");
    assert!(
        measured["bridge"]["resident_kib"].as_u64() > Some(1_000),
        "{measured}"
    );
    assert_eq!(measured["ended_early"], 0);

    drop(floor.stdin.take());
    let began = Instant::now();
    while floor.try_wait().unwrap().is_none() {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "the floor goes on"
        );
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn nothing_but_loopback_is_called() {
    let output = program()
        .args(["calls", "--target", "192.0.2.1:5060"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("loopback addresses alone"), "{said}");
}
