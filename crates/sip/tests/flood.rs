//! A flood of strangers at the door.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::{config, start, udp};
use conclave_sip::{Refused, SipConfig};
use tokio::net::UdpSocket;

/// 1,000 INVITEs a second for three seconds: all refused or ignored, nothing kept, and a question is still answered.
#[tokio::test]
async fn strangers_by_the_thousand_cost_nothing_that_stays() {
    let (server, _events) = start(SipConfig {
        trunks: Vec::new(),
        ..config()
    })
    .await;
    let target = udp(&server);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let began = Instant::now();
    for number in 0..3_000_u32 {
        let invite = format!(
            "INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{number}\r\nFrom: <sip:a@h>;tag={number}\r\n\
             To: <sip:1@h>\r\nCall-ID: {number}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@h>\r\n\r\n"
        );
        socket.send_to(invite.as_bytes(), target).await.unwrap();
        let due = Duration::from_millis(u64::from(number));
        tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let gauges = server.gauges();
    assert!(gauges.refused(Refused::Stranger) >= 2_900, "{gauges:?}");
    assert_eq!(
        (gauges.calls, gauges.pending, gauges.transactions),
        (0, 0, 0)
    );
    let mut answers = 0;
    let mut buffer = [0; 2_000];
    while let Ok(length) = socket.try_recv(&mut buffer) {
        assert!(buffer[..length].starts_with(b"SIP/2.0 403 "));
        answers += 1;
    }
    assert!(
        (100..=1_500).contains(&answers),
        "some hundreds a second are told, not all: {answers}"
    );
}
