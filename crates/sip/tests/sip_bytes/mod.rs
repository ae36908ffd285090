//! What hostile bytes must not do: the bodies of the fuzz targets `sip_datagram` and `sdp`.
#![allow(dead_code, unreachable_pub)]

use std::cell::RefCell;

use conclave_sip::hostile::Hostile;
use conclave_sip::{Codec, Direction, LocalSession, negotiate, read_answer};

thread_local! {
    static SERVER: RefCell<Option<Hostile>> = RefCell::new(Hostile::new());
}

/// Bytes as datagrams and as a stream: the guard, the front door and the calls behind it take them without a panic.
pub fn datagram(bytes: &[u8]) {
    SERVER.with_borrow_mut(|server| server.as_mut().expect("a loopback socket").feed(bytes));
}

/// Bytes as an offer: what is agreed on can be answered, and the answer says what was agreed on.
pub fn sdp(bytes: &[u8]) {
    let codecs = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];
    let _ = read_answer(bytes, &codecs);
    let Ok(agreed) = negotiate(bytes, &codecs) else {
        return;
    };
    let media = *agreed.media();
    assert!(media.remote.port() != 0 && !media.remote.ip().is_multicast());
    assert!((10..=60).contains(&media.ptime.as_millis()));
    assert!(media.payload_type < 128 && media.event_payload_type.is_none_or(|event| event < 128));
    if media.remote.ip().is_unspecified() {
        assert!(!media.direction.sends());
    }
    let local = std::net::SocketAddr::from(([198, 51, 100, 1], 20_000));
    let answer = LocalSession::new(1).answer(&agreed, local);
    let lines = |text: &str| text.lines().filter(|line| line.starts_with("m=")).count();
    assert_eq!(
        lines(&answer),
        lines(&String::from_utf8_lossy(bytes)),
        "a line for each: {answer}"
    );
    // The one line that was taken, alone, is an offer of the same.
    let refused = |part: &&str| part.split(' ').nth(1) == Some("0");
    let mut parts = answer.split("\r\nm=");
    let session = parts.next().unwrap_or("");
    let taken = parts
        .find(|part| !refused(part))
        .expect("a line that was taken");
    let alone = format!("{session}\r\nm={taken}\r\n");
    let again = negotiate(alone.as_bytes(), &codecs).expect("our own words");
    assert_eq!(again.media().codec, media.codec);
    assert_eq!(
        again.media().direction == Direction::SendRecv,
        media.direction == Direction::SendRecv
    );
}
