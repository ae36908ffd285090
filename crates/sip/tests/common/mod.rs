//! A server on ports of its own, and an application that answers.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use conclave_sip::{EndReason, Listener, SipConfig, SipEvent, SipServer};
use tokio::sync::mpsc;

/// Where an answered call is told to send its RTP: nobody listens there.
pub(crate) fn rtp() -> SocketAddr {
    "127.0.0.1:40000".parse().unwrap()
}

/// The default configuration on free ports.
pub(crate) fn config() -> SipConfig {
    let free = "127.0.0.1:0".parse().unwrap();
    SipConfig {
        listeners: vec![Listener::udp(free), Listener::tcp(free)],
        ..SipConfig::default()
    }
}

pub(crate) async fn start(config: SipConfig) -> (SipServer, mpsc::Receiver<SipEvent>) {
    SipServer::start(config).await.unwrap()
}

pub(crate) fn udp(server: &SipServer) -> SocketAddr {
    server.addresses()[0].1
}

pub(crate) fn tcp(server: &SipServer) -> SocketAddr {
    server.addresses()[1].1
}

/// Answers every call; gives each event to `seen`, and what the calls ended with back when `calls` are over.
pub(crate) async fn answer_all(
    server: &SipServer,
    events: &mut mpsc::Receiver<SipEvent>,
    calls: usize,
    mut seen: impl FnMut(&SipEvent),
) -> Vec<EndReason> {
    let mut ended = Vec::new();
    while ended.len() < calls {
        let event = next(events).await;
        seen(&event);
        match event {
            SipEvent::Incoming(incoming) => server.answer(incoming.call, rtp()),
            SipEvent::Ended { reason, .. } => ended.push(reason),
            _ => {}
        }
    }
    ended
}

/// The next event; a test that waits longer than 10 s has failed.
pub(crate) async fn next(events: &mut mpsc::Receiver<SipEvent>) -> SipEvent {
    tokio::time::timeout(Duration::from_secs(10), events.recv())
        .await
        .expect("no event within 10 s")
        .expect("the server is gone")
}

/// Runs SIPp to its end.
pub(crate) async fn sipp(arguments: &[&str]) -> Output {
    let mut command = Command::new("sipp");
    command
        .args(arguments)
        .args(["-nostdin", "-i", "127.0.0.1"])
        .current_dir(std::env::temp_dir());
    command.env("TERM", "dumb").stdin(Stdio::null());
    let run = tokio::task::spawn_blocking(move || command.output());
    let output = run.await.unwrap();
    output.expect(
        "SIPp is missing: run `cargo xtask setup`, which installs the programs that the tests call",
    )
}

pub(crate) fn assert_succeeded(output: &Output) {
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.chars()
            .rev()
            .take(3_000)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<String>()
    };
    assert!(
        output.status.success(),
        "SIPp failed: {}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

/// Waits until nothing of any call is left.
pub(crate) async fn assert_empty(server: &SipServer) {
    for _ in 0..100 {
        let gauges = server.gauges();
        if gauges.calls == 0 && gauges.pending == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("calls are left: {:?}", server.gauges());
}
