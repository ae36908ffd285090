//! What happens in calls, and to those that don't become any, with our own client.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{answer_all, assert_empty, config, next, rtp, start, udp};
use conclave_sip::{
    CallRef, ClientCall, ClientConfig, ClientError, Direction, EndReason, EndpointSecret,
    EndpointUser, Endpoints, IncomingCall, Invite, Limits, Listener, Refused, SessionTimers,
    SipClient, SipConfig, SipEvent, SipServer, Strangers, Trunk,
};
use tokio::sync::mpsc;

fn sdp(version: u32, lines: &str) -> String {
    format!(
        "v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio 30000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n{lines}"
    )
}

/// A server and one client.
struct Pair {
    server: SipServer,
    events: mpsc::Receiver<SipEvent>,
    client: SipClient,
    uri: String,
}

impl Pair {
    async fn new(config: SipConfig) -> Self {
        Self::with_client(config, ClientConfig::default()).await
    }

    async fn with_client(config: SipConfig, client: ClientConfig) -> Self {
        let (server, events) = start(config).await;
        let client = SipClient::start(client).await.unwrap();
        let uri = format!("sip:1234@{}", udp(&server));
        Self {
            server,
            events,
            client,
            uri,
        }
    }

    async fn incoming(&mut self) -> IncomingCall {
        match next(&mut self.events).await {
            SipEvent::Incoming(incoming) => *incoming,
            other => panic!("no incoming call but {other:?}"),
        }
    }

    /// A call in the middle: answered and acknowledged.
    async fn talking(&mut self) -> (ClientCall, CallRef) {
        self.talking_with(&[]).await
    }

    async fn talking_with(&mut self, headers: &[(&str, &str)]) -> (ClientCall, CallRef) {
        let pending = self
            .client
            .invite(&self.uri, invite(headers))
            .await
            .unwrap();
        let call = self.incoming().await.call;
        self.server.answer(call, rtp());
        let client = pending.answered().await.unwrap();
        assert!(
            matches!(next(&mut self.events).await, SipEvent::Confirmed { call: c } if c == call)
        );
        (client, call)
    }

    async fn ended(&mut self) -> EndReason {
        match next(&mut self.events).await {
            SipEvent::Ended { reason, .. } => reason,
            other => panic!("no end but {other:?}"),
        }
    }

    /// The status that an INVITE is refused with before the application hears of it.
    async fn refused(&mut self, invite: Invite) -> (u16, Option<Duration>) {
        let pending = self.client.invite(&self.uri, invite).await.unwrap();
        match pending.answered().await {
            Err(ClientError::Refused {
                status,
                retry_after,
            }) => (status, retry_after),
            other => panic!("not refused: {other:?}"),
        }
    }
}

fn invite(headers: &[(&str, &str)]) -> Invite {
    let headers = headers
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    Invite {
        name: "anna".into(),
        offer: Some(sdp(1, "")),
        headers,
    }
}

#[tokio::test]
async fn a_call_from_its_offer_to_the_callers_bye() {
    let mut pair = Pair::new(config()).await;
    let (client, _) = pair.talking().await;
    assert_eq!(client.remote_rtp(), rtp());
    assert_eq!(
        client.answer().header("Session-Expires"),
        None,
        "the client knows no timers"
    );
    assert_eq!(pair.server.gauges().calls, 1);
    assert_eq!(client.bye().await.unwrap().status, 200);
    assert_eq!(pair.ended().await, EndReason::PeerHungUp);
    assert_empty(&pair.server).await;
}

#[tokio::test]
async fn a_call_that_the_application_ends() {
    let mut pair = Pair::new(config()).await;
    let (client, call) = pair.talking().await;
    pair.server.hang_up(call);
    assert_eq!(pair.ended().await, EndReason::HungUp);
    tokio::time::timeout(Duration::from_secs(5), client.ended())
        .await
        .unwrap();
    pair.server.hang_up(call);
    pair.server.answer(call, rtp());
    assert_empty(&pair.server).await;
    assert_eq!(
        client.options().await.unwrap().status,
        481,
        "nothing of the call is left"
    );
}

#[tokio::test]
async fn a_call_without_an_offer() {
    let mut pair = Pair::new(config()).await;
    let pending = pair
        .client
        .invite(
            &pair.uri,
            Invite {
                offer: None,
                ..invite(&[])
            },
        )
        .await
        .unwrap();
    let incoming = pair.incoming().await;
    assert_eq!(incoming.media, None);
    pair.server.answer(incoming.call, rtp());
    let client = pending.answered().await.unwrap();
    assert!(
        client
            .answer()
            .body
            .contains("m=audio 40000 RTP/AVP 0 8 13 101"),
        "{}",
        client.answer().body
    );
    client.acknowledge(&sdp(1, "")).await;
    assert!(matches!(
        next(&mut pair.events).await,
        SipEvent::Confirmed { .. }
    ));
    let SipEvent::Media { media, .. } = next(&mut pair.events).await else {
        panic!("no media")
    };
    assert_eq!(media.remote, "127.0.0.1:30000".parse().unwrap());
    client.bye().await.unwrap();
    assert_eq!(pair.ended().await, EndReason::PeerHungUp);

    let pending = pair
        .client
        .invite(
            &pair.uri,
            Invite {
                offer: None,
                ..invite(&[])
            },
        )
        .await
        .unwrap();
    let call = pair.incoming().await.call;
    pair.server.answer(call, rtp());
    let client = pending.answered().await.unwrap();
    client.acknowledge("v=0\r\n").await;
    assert!(matches!(
        next(&mut pair.events).await,
        SipEvent::Confirmed { .. }
    ));
    assert_eq!(pair.ended().await, EndReason::NoMedia);
}

#[tokio::test]
async fn holds_and_changes() {
    let mut pair = Pair::new(config()).await;
    let (client, call) = pair.talking().await;
    let mut direction_after = async |reply: conclave_sip::Reply, word: &str| {
        assert_eq!(reply.status, 200);
        assert!(
            reply.body.contains(&format!("a={word}\r\n")),
            "{}",
            reply.body
        );
        match next(&mut pair.events).await {
            SipEvent::Media { media, call: c } if c == call => media.direction,
            other => panic!("{other:?}"),
        }
    };
    let reply = client.reinvite(&sdp(2, "a=sendonly\r\n")).await.unwrap();
    assert_eq!(
        direction_after(reply, "recvonly").await,
        Direction::RecvOnly
    );
    let reply = client.reinvite(&sdp(3, "")).await.unwrap();
    assert_eq!(
        direction_after(reply, "sendrecv").await,
        Direction::SendRecv
    );
    let reply = client
        .update(Some(&sdp(4, "a=inactive\r\n")), &[])
        .await
        .unwrap();
    assert_eq!(
        direction_after(reply, "inactive").await,
        Direction::Inactive
    );
    let reply = client
        .update(Some(&sdp(5, "c=IN IP4 0.0.0.0\r\n")), &[])
        .await
        .unwrap();
    assert_eq!(
        direction_after(reply, "recvonly").await,
        Direction::RecvOnly
    );
    let reply = client.update(Some(&sdp(6, "")), &[]).await.unwrap();
    assert_eq!(
        direction_after(reply, "sendrecv").await,
        Direction::SendRecv
    );

    // The same description again is a refresh: nothing is new. What can't be answered changes nothing.
    assert_eq!(
        client.update(Some(&sdp(6, "")), &[]).await.unwrap().status,
        200
    );
    let secure = sdp(7, "").replace("RTP/AVP", "RTP/SAVP");
    assert_eq!(client.reinvite(&secure).await.unwrap().status, 488);
    assert_eq!(client.update(Some(&secure), &[]).await.unwrap().status, 488);
    client.bye().await.unwrap();
    assert_eq!(pair.ended().await, EndReason::PeerHungUp);
}

#[tokio::test]
async fn requests_within_a_call() {
    let mut pair = Pair::new(config()).await;
    let (client, call) = pair.talking().await;
    assert_eq!(
        client
            .info("application/dtmf-relay", "Signal=5\r\nDuration=100\r\n")
            .await
            .unwrap()
            .status,
        200
    );
    match next(&mut pair.events).await {
        SipEvent::Info {
            call: c,
            content_type,
            body,
        } => {
            assert_eq!((c, content_type.as_str()), (call, "application/dtmf-relay"));
            assert_eq!(body.0, b"Signal=5\r\nDuration=100\r\n");
            assert!(!format!("{body:?}").contains('5') || format!("{body:?}").contains("25 bytes"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        client
            .info("application/dtmf", &"1".repeat(2_000))
            .await
            .unwrap()
            .status,
        413
    );
    assert_eq!(client.options().await.unwrap().status, 200);
    assert_eq!(
        client.refer("<sip:else@127.0.0.1>").await.unwrap().status,
        603
    );
    let reply = client
        .update(None, &[("Require", "timer, teleport")])
        .await
        .unwrap();
    assert_eq!(
        (reply.status, reply.header("Unsupported")),
        (420, Some("teleport"))
    );
    assert!(pair.server.probe(call).await, "the client answers OPTIONS");
    client.bye().await.unwrap();
    assert_eq!(pair.ended().await, EndReason::PeerHungUp);
    assert!(!pair.server.probe(call).await);
}

#[tokio::test]
async fn a_peer_that_is_gone_does_not_answer() {
    let mut pair = Pair::new(config()).await;
    let (_client, call) = pair.talking().await;
    pair.client.shutdown().await;
    assert!(!pair.server.probe(call).await);
}

#[tokio::test]
async fn a_call_taken_back() {
    let mut pair = Pair::new(config()).await;
    let pending = pair.client.invite(&pair.uri, invite(&[])).await.unwrap();
    pair.incoming().await;
    assert_eq!(pending.cancel().await.unwrap(), 487);
    assert_eq!(pair.ended().await, EndReason::Cancelled);
    assert_empty(&pair.server).await;
}

#[tokio::test]
async fn a_call_that_the_application_refuses_or_forgets() {
    let limits = Limits {
        answer_within: Duration::from_millis(200),
        ..Limits::default()
    };
    let mut pair = Pair::new(SipConfig { limits, ..config() }).await;
    let pending = pair.client.invite(&pair.uri, invite(&[])).await.unwrap();
    let call = pair.incoming().await.call;
    pair.server.reject(call, 503, Some(Duration::from_secs(7)));
    let refused = pending.answered().await;
    assert!(
        matches!(refused, Err(ClientError::Refused { status: 503, retry_after: Some(after) }) if after.as_secs() == 7),
        "{refused:?}"
    );
    assert_eq!(pair.ended().await, EndReason::Rejected(503));
    assert_eq!(pair.refused(invite(&[])).await.0, 480);
    pair.incoming().await;
    assert_eq!(pair.ended().await, EndReason::NotAnswered);
    assert_empty(&pair.server).await;
}

#[tokio::test]
async fn invites_that_never_become_calls() {
    let mut pair = Pair::new(config()).await;
    let offer = |sdp: String| Invite {
        offer: Some(sdp),
        ..invite(&[])
    };
    assert_eq!(
        pair.refused(offer(sdp(1, "").replace("RTP/AVP", "RTP/SAVP")))
            .await
            .0,
        488
    );
    assert_eq!(
        pair.refused(offer(sdp(1, "").replace("0 8 101", "18")))
            .await
            .0,
        488
    );
    assert_eq!(
        pair.refused(offer(
            sdp(1, "").replace("IP4", "IP6").replace("127.0.0.1", "::1")
        ))
        .await
        .0,
        488
    );
    assert_eq!(pair.refused(offer("nonsense".into())).await.0, 400);
    assert_eq!(pair.refused(invite(&[("Require", "100rel")])).await.0, 420);
    assert_eq!(
        pair.refused(invite(&[("Content-Encoding", "gzip")]))
            .await
            .0,
        415
    );
    assert_eq!(
        pair.refused(invite(&[("Supported", "timer"), ("Session-Expires", "30")]))
            .await
            .0,
        422
    );
    assert_eq!(
        pair.refused(invite(&[("Accept", "text/plain")])).await.0,
        406
    );
    for number in ["112", "911", "999", "000"] {
        pair.uri = format!("sip:{number}@{}", udp(&pair.server));
        assert_eq!(pair.refused(invite(&[])).await.0, 404);
        assert!(
            matches!(next(&mut pair.events).await, SipEvent::EmergencyCall { called, .. } if called == number)
        );
    }
    pair.uri = format!("sip:1@{}", udp(&pair.server));
    pair.server.drain();
    assert_eq!(
        pair.refused(invite(&[])).await,
        (503, Some(Duration::from_secs(30)))
    );
    let gauges = pair.server.gauges();
    assert_eq!(gauges.refused(Refused::NoCodec), 3);
    assert_eq!(gauges.refused(Refused::Emergency), 4);
    assert_eq!(gauges.refused(Refused::Draining), 1);
    assert_eq!((gauges.calls, gauges.pending), (0, 0));
}

#[tokio::test]
async fn callers_and_their_numbers() {
    let dialling = Some(conclave_sip::Dialling::new("41").unwrap());
    let trunk = Trunk {
        dialling,
        ..Trunk::loopback()
    };
    let mut pair = Pair::new(SipConfig {
        trunks: vec![trunk],
        ..config()
    })
    .await;
    let mut check = async |name: &str,
                           headers: &[(&str, &str)],
                           number: Option<&str>,
                           display: Option<&str>| {
        let call = Invite {
            name: name.into(),
            ..invite(headers)
        };
        let pending = pair.client.invite(&pair.uri, call).await.unwrap();
        let incoming = pair.incoming().await;
        assert_eq!(
            (incoming.number.as_deref(), incoming.display_name.as_deref()),
            (number, display)
        );
        assert_eq!(incoming.called, "1234");
        pair.server.reject(incoming.call, 486, None);
        assert!(pending.answered().await.is_err());
        pair.ended().await;
    };
    let swiss = (
        "P-Asserted-Identity",
        "\"Anna B\" <sip:0446681800@x.example>",
    );
    check(
        "+49301234567",
        &[],
        Some("+49301234567"),
        Some("+49301234567"),
    )
    .await;
    check("0446681800", &[], Some("+41446681800"), Some("0446681800")).await;
    check("anonymous", &[], None, None).await;
    check("anna", &[swiss], Some("+41446681800"), Some("Anna B")).await;
    check(
        "+49301234567",
        &[("P-Asserted-Identity", "<tel:+41-44-668-1800>")],
        Some("+41446681800"),
        None,
    )
    .await;
    check("+49301234567", &[swiss, ("Privacy", "id")], None, None).await;
}

#[tokio::test]
async fn strangers() {
    let nobody = SipConfig {
        trunks: Vec::new(),
        ..config()
    };
    let mut pair = Pair::new(nobody.clone()).await;
    assert_eq!(pair.refused(invite(&[])).await.0, 403);
    assert_eq!(pair.server.gauges().refused(Refused::Stranger), 1);

    let silent = SipConfig {
        strangers: Strangers::Silence,
        ..nobody.clone()
    };
    let pair = Pair::new(silent).await;
    let pending = pair.client.invite(&pair.uri, invite(&[])).await.unwrap();
    assert!(
        tokio::time::timeout(Duration::from_millis(700), pending.answered())
            .await
            .is_err()
    );
    assert!(pair.server.gauges().refused(Refused::Stranger) >= 1);

    let open = Listener {
        anyone: Some("everybody".into()),
        ..Listener::udp("127.0.0.1:0".parse().unwrap())
    };
    let mut pair = Pair::new(SipConfig {
        listeners: vec![open],
        ..nobody
    })
    .await;
    let identity = [("P-Asserted-Identity", "<sip:+41446681800@x>")];
    let _pending = pair
        .client
        .invite(&pair.uri, invite(&identity))
        .await
        .unwrap();
    let incoming = pair.incoming().await;
    assert_eq!(
        (incoming.trunk.as_str(), incoming.number),
        ("everybody", None),
        "an open listener trusts nobody"
    );
}

#[tokio::test]
async fn endpoints_prove_who_they_are() {
    let user = EndpointUser {
        secret: EndpointSecret::Password("horse battery".into()),
        dialling: None,
    };
    let endpoints = Endpoints {
        realm: Some("conclave".into()),
        users: [("anna".to_owned(), user)].into(),
    };
    let server = SipConfig {
        trunks: Vec::new(),
        endpoints,
        ..config()
    };
    let with = |password: &str| ClientConfig {
        credentials: Some(("anna".into(), EndpointSecret::Password(password.into()))),
        ..ClientConfig::default()
    };
    let mut pair = Pair::with_client(server.clone(), with("horse battery")).await;
    let uri = pair.uri.clone();
    let client = pair.client.clone();
    let call = tokio::spawn(async move { client.call(&uri, "anna", Some(&sdp(1, ""))).await });
    let incoming = pair.incoming().await;
    assert_eq!(incoming.trunk, "anna");
    pair.server.answer(incoming.call, rtp());
    let call = call.await.unwrap().unwrap();
    assert_eq!(call.bye().await.unwrap().status, 200);

    let mut pair = Pair::with_client(server, with("guess")).await;
    assert_eq!(pair.refused(invite(&[])).await.0, 401);
    assert_eq!(pair.server.gauges().refused(Refused::Unauthorised), 2);
}

#[tokio::test]
async fn a_source_has_its_share_and_no_more() {
    let limits = Limits {
        setups_per_second: 3,
        pending_per_source: 2,
        ..Limits::default()
    };
    let mut pair = Pair::new(SipConfig { limits, ..config() }).await;
    let first = pair.client.invite(&pair.uri, invite(&[])).await.unwrap();
    let call = pair.incoming().await.call;
    let _second = pair.client.invite(&pair.uri, invite(&[])).await.unwrap();
    pair.incoming().await;
    assert_eq!(
        pair.refused(invite(&[])).await,
        (503, Some(Duration::from_secs(10))),
        "two are pending"
    );
    assert_eq!(
        pair.refused(invite(&[])).await,
        (503, Some(Duration::from_secs(1))),
        "three a second"
    );
    pair.server.answer(call, rtp());
    first.answered().await.unwrap();
    assert!(matches!(
        next(&mut pair.events).await,
        SipEvent::Confirmed { .. }
    ));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let _third = pair.client.invite(&pair.uri, invite(&[])).await.unwrap();
    pair.incoming().await;
    assert_eq!(pair.server.gauges().refused(Refused::TooFast), 1);
}

#[tokio::test]
async fn session_timers() {
    let timers = SessionTimers {
        expires: Duration::from_secs(4),
        min: Duration::from_secs(2),
    };
    let mut pair = Pair::new(SipConfig { timers, ..config() }).await;
    // The caller promises to refresh and doesn't: after two thirds of the interval it is over.
    let (client, _) = pair
        .talking_with(&[
            ("Supported", "timer"),
            ("Session-Expires", "3;refresher=uac"),
        ])
        .await;
    assert_eq!(
        client.answer().header("Session-Expires"),
        Some("3;refresher=uac")
    );
    assert_eq!(client.answer().header("Require"), Some("timer"));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let reply = client
        .update(
            None,
            &[
                ("Supported", "timer"),
                ("Session-Expires", "3;refresher=uac"),
            ],
        )
        .await
        .unwrap();
    assert_eq!(
        (reply.status, reply.header("Session-Expires")),
        (200, Some("3;refresher=uac"))
    );
    let quiet = tokio::time::timeout(Duration::from_millis(1_500), pair.events.recv()).await;
    assert!(quiet.is_err(), "refreshed, so it goes on: {quiet:?}");
    assert_eq!(pair.ended().await, EndReason::SessionExpired);
    tokio::time::timeout(Duration::from_secs(5), client.ended())
        .await
        .unwrap();

    // Left to the server, it refreshes.
    let (client, _) = pair.talking_with(&[("Supported", "timer")]).await;
    assert_eq!(
        client.answer().header("Session-Expires"),
        Some("4;refresher=uas")
    );
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    assert!(!client.is_ended());
    client.bye().await.unwrap();
    assert_eq!(pair.ended().await, EndReason::PeerHungUp);
}

#[tokio::test]
async fn the_address_behind_translation() {
    let listener = Listener {
        advertise: Some("203.0.113.9".parse().unwrap()),
        ..Listener::udp("127.0.0.1:0".parse().unwrap())
    };
    let mut pair = Pair::new(SipConfig {
        listeners: vec![listener],
        ..config()
    })
    .await;
    let (client, _) = pair.talking().await;
    assert_eq!(client.remote_rtp(), "203.0.113.9:40000".parse().unwrap());
    let contact = client.answer().header("Contact").unwrap();
    assert!(contact.contains("@203.0.113.9:"), "{contact}");
}

#[tokio::test]
async fn shutting_down_hangs_up_and_leaves_nothing() {
    let mut pair = Pair::new(config()).await;
    let (client, _) = pair.talking().await;
    let _pending = pair.client.invite(&pair.uri, invite(&[])).await.unwrap();
    pair.incoming().await;
    let server = pair.server.clone();
    let (port, began) = (udp(&server), std::time::Instant::now());
    server.shutdown().await;
    assert!(began.elapsed() < Duration::from_secs(3));
    assert!(client.is_ended());
    assert_eq!(pair.ended().await, EndReason::Shutdown);
    assert_eq!(pair.ended().await, EndReason::Shutdown);
    assert!(
        std::net::UdpSocket::bind(port).is_ok(),
        "the socket is closed"
    );
}

#[tokio::test]
async fn a_hundred_calls_a_second() {
    let mut pair = Pair::new(config()).await;
    let (client, uri) = (pair.client.clone(), pair.uri.clone());
    let callers = tokio::spawn(async move {
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (client, uri) = (client.clone(), uri.clone());
            calls.spawn(async move {
                let call = client.call(&uri, "anna", Some(&sdp(1, ""))).await?;
                call.bye().await.map(|reply| reply.status)
            });
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        calls.join_all().await
    });
    let ended = answer_all(&pair.server, &mut pair.events, 100, |_| {}).await;
    assert_eq!(ended, vec![EndReason::PeerHungUp; 100]);
    assert!(
        callers
            .await
            .unwrap()
            .into_iter()
            .all(|status| status.unwrap() == 200)
    );
    assert_empty(&pair.server).await;
}
