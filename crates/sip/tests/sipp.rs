//! The server against SIPp, a client that we did not write.

#![allow(clippy::unwrap_used)]

mod common;

use common::{answer_all, assert_empty, assert_succeeded, config, sipp, start, tcp, udp};
use conclave_sip::{Codec, EndReason, SipEvent};

#[tokio::test]
async fn sipps_own_caller_is_answered() {
    let (server, mut events) = start(config()).await;
    let target = udp(&server).to_string();
    let mut codecs = Vec::new();
    let arguments = [
        "-sn",
        "uac",
        "-m",
        "20",
        "-r",
        "20",
        "-d",
        "200",
        "-timeout",
        "30s",
        "-timeout_error",
        &target,
    ];
    let (output, ended) = tokio::join!(
        sipp(&arguments),
        answer_all(&server, &mut events, 20, |event| {
            if let SipEvent::Incoming(call) = event {
                codecs.push(call.media.unwrap().codec);
                assert_eq!(
                    (call.trunk.as_str(), call.called.as_str()),
                    ("loopback", "service")
                );
            }
        })
    );
    assert_succeeded(&output);
    assert_eq!(ended, vec![EndReason::PeerHungUp; 20]);
    assert_eq!(codecs, vec![Codec::Pcmu; 20]);
    assert_empty(&server).await;
    server.shutdown().await;
}

#[tokio::test]
async fn the_same_over_tcp() {
    let (server, mut events) = start(config()).await;
    let target = tcp(&server).to_string();
    let arguments = [
        "-sn",
        "uac",
        "-t",
        "t1",
        "-m",
        "5",
        "-r",
        "20",
        "-d",
        "100",
        "-timeout",
        "30s",
        "-timeout_error",
        &target,
    ];
    let (output, ended) = tokio::join!(
        sipp(&arguments),
        answer_all(&server, &mut events, 5, |_| {})
    );
    assert_succeeded(&output);
    assert_eq!(ended, vec![EndReason::PeerHungUp; 5]);
    assert_empty(&server).await;
}
