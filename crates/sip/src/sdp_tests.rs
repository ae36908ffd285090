use super::*;
use conclave_media::Codec::{G722, Opus, Pcma, Pcmu};

const LOCAL: &str = "198.51.100.1:20000";

fn offer(session: &str, media: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\n{session}t=0 0\r\n{media}")
}

fn basic(media: &str) -> String {
    offer("c=IN IP4 192.0.2.7\r\n", media)
}

fn answer(offer: &str) -> String {
    let agreed = negotiate(offer.as_bytes(), &[Pcmu, Pcma]).unwrap();
    LocalSession::new(14).answer(&agreed, LOCAL.parse().unwrap())
}

#[test]
fn offers_and_what_they_agree_on() {
    let check = |media: &str, expected: Result<(Codec, u8, Option<u8>), NegotiateError>| {
        let got = negotiate(basic(media).as_bytes(), &[Pcmu, Pcma]);
        let got = got.map(|n| {
            let m = *n.media();
            (m.codec, m.payload_type, m.event_payload_type)
        });
        assert_eq!(got, expected, "{media}");
    };
    use NegotiateError::*;
    check("m=audio 4000 RTP/AVP 0\r\n", Ok((Pcmu, 0, None)));
    check("m=audio 4000 RTP/AVP 8 0\r\n", Ok((Pcmu, 0, None)));
    check(
        "m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 pcma/8000/1\r\n",
        Ok((Pcma, 8, None)),
    );
    // The map counts, not the static number.
    check(
        "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 opus/48000/2\r\n",
        Err(NoCommonCodec),
    );
    check(
        "m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMU/8000\r\n",
        Ok((Pcmu, 97, None)),
    );
    check(
        "m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMU/16000\r\n",
        Err(NoCommonCodec),
    );
    check(
        "m=audio 4000 RTP/AVP 0 96 101\r\na=rtpmap:96 telephone-event/48000\r\na=rtpmap:101 telephone-event/8000\r\n",
        Ok((Pcmu, 0, Some(101))),
    );
    check(
        "m=audio 4000 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n",
        Err(NoCommonCodec),
    );
    check("m=audio 4000 RTP/SAVP 0\r\n", Err(NoPlainRtp));
    check("m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n", Err(NoPlainRtp));
    check(
        "m=audio 4000 RTP/SAVP 0\r\nm=audio 4002 RTP/AVP 0\r\n",
        Ok((Pcmu, 0, None)),
    );
    check("m=audio 0 RTP/AVP 0\r\n", Err(NoAudio));
    check("m=video 4000 RTP/AVP 31\r\n", Err(NoAudio));
    check("", Err(NoAudio));
    check("m=audio 70000 RTP/AVP 0\r\n", Err(Malformed));
    check(&"m=audio 4000 RTP/AVP 0\r\n".repeat(17), Err(Malformed));
    check(
        &format!("m=audio 4000 RTP/AVP 0\r\n{}", "a=x\r\n".repeat(2_000)),
        Err(Malformed),
    );
    check(
        &format!("m=audio 4000 RTP/AVP {} 0\r\n", "18 ".repeat(64)),
        Err(NoCommonCodec),
    );
}

#[test]
fn where_the_peer_wants_its_media() {
    let check = |session: &str, media: &str, expected: Result<(&str, &str), NegotiateError>| {
        let got = negotiate(offer(session, media).as_bytes(), &[Pcmu]);
        let got = got.map(|n| {
            (
                n.media().remote.to_string(),
                n.media().remote_rtcp.to_string(),
            )
        });
        let expected = expected.map(|(rtp, rtcp)| (rtp.to_owned(), rtcp.to_owned()));
        assert_eq!(got, expected, "{session}{media}");
    };
    let audio = "m=audio 4000 RTP/AVP 0\r\n";
    let with = |line: &str| format!("{audio}{line}\r\n");
    use NegotiateError::*;
    check(
        "c=IN IP4 192.0.2.7\r\n",
        audio,
        Ok(("192.0.2.7:4000", "192.0.2.7:4001")),
    );
    check(
        "",
        &with("c=IN IP4 192.0.2.8"),
        Ok(("192.0.2.8:4000", "192.0.2.8:4001")),
    );
    check(
        "c=IN IP4 192.0.2.7\r\n",
        &with("c=IN IP4 192.0.2.8"),
        Ok(("192.0.2.8:4000", "192.0.2.8:4001")),
    );
    check(
        "c=IN IP6 2001:db8::7\r\n",
        audio,
        Ok(("[2001:db8::7]:4000", "[2001:db8::7]:4001")),
    );
    check(
        "c=IN IP4 192.0.2.7\r\n",
        &with("a=rtcp-mux"),
        Ok(("192.0.2.7:4000", "192.0.2.7:4000")),
    );
    check(
        "c=IN IP4 192.0.2.7\r\n",
        &with("a=rtcp:5005"),
        Ok(("192.0.2.7:4000", "192.0.2.7:5005")),
    );
    check(
        "c=IN IP4 192.0.2.7\r\n",
        &with("a=rtcp:5005 IN IP4 192.0.2.9"),
        Ok(("192.0.2.7:4000", "192.0.2.9:5005")),
    );
    check("", audio, Err(Malformed));
    check("c=IN IP4 224.0.0.1/127\r\n", audio, Err(Address));
    check("c=IN IP4 phone.example.com\r\n", audio, Err(Address));
    check("c=IN IP4 255.255.255.255\r\n", audio, Err(Address));
    check(
        "c=IN IP4 192.0.2.7\r\n",
        "m=audio 65535 RTP/AVP 0\r\n",
        Ok(("192.0.2.7:65535", "192.0.2.7:65535")),
    );
}

#[test]
fn holds_as_peers_signal_them() {
    let check = |session: &str, media: &str, expected: Direction, word: &str| {
        let sdp = offer(session, &format!("m=audio 4000 RTP/AVP 0\r\n{media}"));
        let agreed = negotiate(sdp.as_bytes(), &[Pcmu]).unwrap();
        assert_eq!(agreed.media().direction, expected, "{sdp}");
        assert!(answer(&sdp).contains(&format!("a={word}\r\n")), "{sdp}");
    };
    let here = "c=IN IP4 192.0.2.7\r\n";
    let nowhere = "c=IN IP4 0.0.0.0\r\n";
    check(here, "", Direction::SendRecv, "sendrecv");
    check(here, "a=sendonly\r\n", Direction::RecvOnly, "recvonly");
    check(here, "a=recvonly\r\n", Direction::SendOnly, "sendonly");
    check(here, "a=inactive\r\n", Direction::Inactive, "inactive");
    check(
        &format!("{here}a=inactive\r\n"),
        "",
        Direction::Inactive,
        "inactive",
    );
    check(
        &format!("{here}a=inactive\r\n"),
        "a=sendrecv\r\n",
        Direction::SendRecv,
        "sendrecv",
    );
    check(nowhere, "", Direction::RecvOnly, "recvonly");
    check(nowhere, "a=recvonly\r\n", Direction::Inactive, "inactive");
    check("c=IN IP6 ::\r\n", "", Direction::RecvOnly, "recvonly");
}

#[test]
fn an_answer_has_a_line_for_each_offered_one() {
    let text = answer(&basic(
        "m=video 5000 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n\
         a=fmtp:96 0-16\r\na=rtcp-mux\r\nm=audio 4002 RTP/AVP 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
    ));
    let expected = "v=0\r\no=- 7 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
                    m=video 0 RTP/AVP 31\r\nm=audio 20000 RTP/AVP 0 96\r\na=rtpmap:0 PCMU/8000\r\n\
                    a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-16\r\na=ptime:20\r\na=sendrecv\r\n\
                    a=rtcp:20000\r\na=rtcp-mux\r\nm=audio 0 RTP/AVP 0\r\n\
                    m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n";
    assert_eq!(text, expected);
}

#[test]
fn the_version_grows_with_changes_alone() {
    let mut local = LocalSession::new(14);
    let address = LOCAL.parse().unwrap();
    let talk = negotiate(basic("m=audio 4000 RTP/AVP 0\r\n").as_bytes(), &[Pcmu]).unwrap();
    let hold = basic("m=audio 4000 RTP/AVP 0\r\na=sendonly\r\n");
    let hold = negotiate(hold.as_bytes(), &[Pcmu]).unwrap();
    let mut origin = |agreed: &Negotiated| {
        let text = local.answer(agreed, address);
        text.lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(origin(&talk), "o=- 7 1 IN IP4 198.51.100.1");
    assert_eq!(origin(&talk), "o=- 7 1 IN IP4 198.51.100.1");
    assert_eq!(origin(&hold), "o=- 7 2 IN IP4 198.51.100.1");
    assert_eq!(origin(&hold), "o=- 7 2 IN IP4 198.51.100.1");
    assert_eq!(origin(&talk), "o=- 7 3 IN IP4 198.51.100.1");
}

#[test]
fn our_own_offer_and_its_answer() {
    let mut local = LocalSession::new(14);
    let text = local.offer(&[Pcmu, Pcma], LOCAL.parse().unwrap(), Direction::SendRecv);
    let taken = negotiate(text.as_bytes(), &[Pcma]).unwrap();
    assert_eq!(taken.media().event_payload_type, Some(101));
    let reply = LocalSession::new(2).answer(&taken, "[2001:db8::1]:30000".parse().unwrap());
    let agreed = read_answer(reply.as_bytes(), &[Pcmu, Pcma]).unwrap();
    assert_eq!(agreed.codec, Pcma);
    assert_eq!(agreed.remote, "[2001:db8::1]:30000".parse().unwrap());
    assert_eq!(agreed.event_payload_type, Some(101));
    // The answerer's order counts.
    let both = basic("m=audio 4000 RTP/AVP 8 0\r\n");
    assert_eq!(
        read_answer(both.as_bytes(), &[Pcmu, Pcma]).unwrap().codec,
        Pcma
    );
    let none = basic("m=audio 0 RTP/AVP 8 0\r\n");
    assert_eq!(
        read_answer(none.as_bytes(), &[Pcmu, Pcma]),
        Err(NegotiateError::NoAudio)
    );
    assert_eq!(read_answer(b"", &[Pcmu]), Err(NegotiateError::Malformed));
}

#[test]
fn packet_lengths() {
    let check = |lines: &str, ms: u128| {
        let sdp = basic(&format!("m=audio 4000 RTP/AVP 0\r\n{lines}"));
        let agreed = negotiate(sdp.as_bytes(), &[Pcmu]).unwrap();
        assert_eq!(agreed.media().ptime.as_millis(), ms, "{lines}");
    };
    check("", 20);
    check("a=ptime:30\r\n", 30);
    check("a=ptime:30\r\na=maxptime:20\r\n", 20);
    check("a=ptime:1000\r\n", 60);
    check("a=ptime:0\r\n", 20);
    check("a=ptime:5\r\n", 10);
    check("a=ptime:20.0\r\n", 20);
    check("a=ptime:x\r\n", 20);
    check("a=ptime\r\n", 20);
}

#[test]
fn bytes_of_another_encoding_do_no_harm() {
    let mut sdp = basic("m=audio 4000 RTP/AVP 0\r\n").into_bytes();
    let at = sdp.windows(3).position(|w| w == b"s=-").unwrap();
    sdp[at + 2] = 0xe9;
    assert!(negotiate(&sdp, &[Pcmu]).is_ok());
    for cut in 0..sdp.len() {
        let _ = negotiate(&sdp[..cut], &[Pcmu]);
    }
}

#[test]
fn comfort_noise_is_agreed_on_where_it_is_offered() {
    let check = |media: &str, codecs: &[Codec], expected: Option<u8>| {
        let sdp = basic(&format!("m=audio 4000 RTP/AVP {media}\r\n"));
        let agreed = negotiate(sdp.as_bytes(), codecs).unwrap();
        assert_eq!(agreed.media().comfort_payload_type, expected, "{media}");
        let text = LocalSession::new(14).answer(&agreed, LOCAL.parse().unwrap());
        let told = text.lines().find(|line| line.ends_with("CN/8000"));
        let expected = expected.map(|number| format!("a=rtpmap:{number} CN/8000"));
        assert_eq!(told, expected.as_deref(), "{media}");
        text
    };
    let text = check(
        "0 13 101\r\na=rtpmap:101 telephone-event/8000",
        &[Pcmu],
        Some(13),
    );
    assert!(
        text.contains("m=audio 20000 RTP/AVP 0 13 101\r\n"),
        "{text}"
    );
    check("9 13\r\na=rtpmap:13 CN/8000", &[G722], Some(13));
    check("0 98\r\na=rtpmap:98 cn/8000", &[Pcmu], Some(98));
    check("0", &[Pcmu], None);
    check("0 13\r\na=rtpmap:13 CN/16000", &[Pcmu], None);
    check("0 13\r\na=rtpmap:13 X-NV/8000", &[Pcmu], None);
    check("111 13\r\na=rtpmap:111 opus/48000/2", &[Opus], None);
}

#[test]
fn opus_is_agreed_on_with_its_clock_and_wishes() {
    let check = |lines: &str, event: Option<u8>, in_answer: &[&str]| {
        let sdp = basic(&format!("m=audio 4000 RTP/AVP 111 0 100 101\r\n{lines}"));
        let agreed = negotiate(sdp.as_bytes(), &[Opus, G722, Pcmu]).unwrap();
        let media = agreed.media();
        assert_eq!((media.codec, media.payload_type), (Opus, 111), "{lines}");
        assert_eq!(media.event_payload_type, event, "{lines}");
        let text = LocalSession::new(14).answer(&agreed, LOCAL.parse().unwrap());
        let audio: Vec<&str> = text.lines().skip_while(|l| !l.starts_with("m=")).collect();
        assert_eq!(&audio[..in_answer.len()], in_answer, "{lines}");
        media.opus
    };
    let map = "a=rtpmap:111 OPUS/48000/2\r\n";
    let ours = "a=fmtp:111 maxaveragebitrate=128000;useinbandfec=1";
    let wishes = check(
        &format!(
            "{map}a=fmtp:111 useinbandfec=1;maxplaybackrate=24000\r\n\
             a=rtpmap:100 telephone-event/8000\r\na=rtpmap:101 telephone-event/48000\r\n"
        ),
        Some(101),
        &[
            "m=audio 20000 RTP/AVP 111 101",
            "a=rtpmap:111 opus/48000/2",
            ours,
            "a=maxptime:60",
            "a=rtpmap:101 telephone-event/48000",
        ],
    );
    assert_eq!((wishes.max_playback_rate, wishes.fec), (24_000, true));
    // Events in another clock are better than none.
    let wishes = check(
        &format!("{map}a=rtpmap:100 telephone-event/8000\r\n"),
        Some(100),
        &[
            "m=audio 20000 RTP/AVP 111 100",
            "a=rtpmap:111 opus/48000/2",
            ours,
            "a=maxptime:60",
            "a=rtpmap:100 telephone-event/8000",
        ],
    );
    assert_eq!(wishes, OpusWishes::default());
    // Mono is what no Opus is called (RFC 7587 section 7), and another clock is none of its.
    for other in ["opus/48000", "opus/48000/1", "opus/16000/2"] {
        let sdp = basic(&format!(
            "m=audio 4000 RTP/AVP 111 0\r\na=rtpmap:111 {other}\r\n"
        ));
        let agreed = negotiate(sdp.as_bytes(), &[Opus, Pcmu]).unwrap();
        assert_eq!(agreed.media().codec, Pcmu, "{other}");
    }
}

#[test]
fn our_offer_has_events_in_the_clock_of_each_codec() {
    let wishes = OpusWishes {
        dtx: true,
        ..OpusWishes::of_receiver()
    };
    let mut local = LocalSession::new(14).wishing(wishes);
    let codecs = [Opus, G722, Pcmu, Pcma];
    let text = local.offer(&codecs, LOCAL.parse().unwrap(), Direction::SendRecv);
    for line in [
        "m=audio 20000 RTP/AVP 96 9 0 8 13 101 102",
        "a=rtpmap:13 CN/8000",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 maxaveragebitrate=128000;useinbandfec=1;usedtx=1",
        "a=rtpmap:101 telephone-event/48000",
        "a=rtpmap:102 telephone-event/8000",
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line} in {text}");
    }
    for (theirs, event) in [(Opus, 101), (Pcma, 102)] {
        let taken = negotiate(text.as_bytes(), &[theirs]).unwrap();
        let reply = LocalSession::new(2).answer(&taken, "192.0.2.9:30000".parse().unwrap());
        let agreed = read_answer(reply.as_bytes(), &codecs).unwrap();
        assert_eq!(
            (agreed.codec, agreed.event_payload_type),
            (theirs, Some(event))
        );
        assert!(theirs != Opus || agreed.opus == OpusWishes::of_receiver());
    }
}

/// A peer may give our numbers to other things, and its own stay what they are.
#[test]
fn numbers_keep_their_meaning_in_later_offers() {
    let sdp = basic(
        "m=audio 4000 RTP/AVP 101 96\r\na=rtpmap:101 opus/48000/2\r\na=rtpmap:96 telephone-event/48000\r\n",
    );
    let codecs = [Opus, G722, Pcmu];
    let address = LOCAL.parse().unwrap();
    let mut local = LocalSession::new(14);
    local.answer(&negotiate(sdp.as_bytes(), &codecs).unwrap(), address);
    let text = local.offer(&codecs, address, Direction::SendRecv);
    for line in [
        "m=audio 20000 RTP/AVP 101 9 0 13 96 102",
        "a=rtpmap:101 opus/48000/2",
        "a=rtpmap:96 telephone-event/48000",
        "a=rtpmap:102 telephone-event/8000",
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line} in {text}");
    }
}
