use super::*;

fn request(lines: &str, body: &str) -> Vec<u8> {
    format!(
        "INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:1@h>\r\n\
         Call-ID: c\r\nCSeq: 1 INVITE\r\n{lines}\r\n{body}"
    )
    .into_bytes()
}

/// The body that the stack will see, or the status of the refusal; 0 is silence.
fn outcome(bytes: &[u8], stream: bool) -> Result<String, u16> {
    match check(bytes, stream) {
        Verdict::Pass(message) => match parse(&message).unwrap() {
            SipMessage::Request(request) => Ok(String::from_utf8_lossy(&request.body).into_owned()),
            SipMessage::Response(response) => Ok(response.status_code.code().to_string()),
        },
        Verdict::Refuse(refusal) => Err(refusal.status),
        Verdict::Nothing | Verdict::Drop => Err(0),
    }
}

#[test]
fn lengths() {
    let check =
        |lines: &str, body: &str, datagram: Result<&str, u16>, stream: Result<&str, u16>| {
            let bytes = request(lines, body);
            assert_eq!(
                outcome(&bytes, false),
                datagram.map(str::to_owned),
                "{lines}"
            );
            assert_eq!(outcome(&bytes, true), stream.map(str::to_owned), "{lines}");
        };
    check("", "body", Ok("body"), Err(400));
    check("Content-Length: 4\r\n", "body", Ok("body"), Ok("body"));
    check("l:2\r\n", "body", Ok("bo"), Ok("bo"));
    check("Content-Length: 5\r\n", "body", Err(400), Err(400));
    check("Content-Length: -4\r\n", "body", Err(400), Err(400));
    check("Content-Length: +4\r\n", "body", Err(400), Err(400));
    check("Content-Length: 4\r\nl: 4\r\n", "body", Err(400), Err(400));
    check(
        "Content-Length: 99999999999999999999\r\n",
        "body",
        Err(400),
        Err(400),
    );
    check("Content-Length:\r\n", "body", Err(400), Err(400));
}

#[test]
fn bytes_that_are_no_utf8() {
    let with = |name: &str| {
        let mut bytes = request(&format!("{name}: x?y\r\nX-Later: kept\r\n"), "");
        let at = bytes.iter().position(|b| *b == b'?').unwrap();
        bytes[at] = 0xe9;
        bytes
    };
    let Verdict::Pass(mended) = check(&with("Subject"), false) else {
        panic!("refused")
    };
    let SipMessage::Request(parsed) = parse(&mended).unwrap() else {
        panic!("no request")
    };
    assert_eq!(
        crate::message::header(&parsed.headers, "X-Later"),
        Some("kept")
    );
    assert_eq!(
        outcome(&with("Call-ID"), false),
        Err(400),
        "doubled, and not to be compared"
    );
}

#[test]
fn bounds() {
    assert!(outcome(&request(&"X: 1\r\n".repeat(251), ""), false).is_ok());
    assert_eq!(
        outcome(&request(&"X: 1\r\n".repeat(252), ""), false),
        Err(0)
    );
    assert_eq!(
        outcome(
            &request(&format!("X: {}\r\n", "y".repeat(40_000)), ""),
            false
        ),
        Err(0)
    );
    assert_eq!(outcome(b"\r\n\r\n", false), Err(0));
    assert_eq!(outcome(&[0; 100], false), Err(0));
    assert_eq!(
        outcome(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", false),
        Err(400)
    );
    let stray = request("X: a\rContent-Length: 9\r\n", "");
    assert_eq!(
        outcome(&stray, false),
        Err(0),
        "a lone CR is a header end to others"
    );
}

#[test]
fn responses_that_are_taken() {
    let response = |start: &str| {
        let request = String::from_utf8(request("", "")).unwrap();
        request
            .replace("INVITE sip:1@h SIP/2.0", start)
            .into_bytes()
    };
    assert_eq!(outcome(&response("SIP/2.0 100 "), false), Ok("100".into()));
    assert_eq!(
        outcome(&response("SIP/2.0 200 = 2**3 но сто"), false),
        Ok("200".into())
    );
    for start in [
        "SIP/2.0 4294967301 x",
        "SIP/2.0 099 x",
        "SIP/2.0 2x0 x",
        "SIP/3.0 200 x",
        "SIP/2.0",
    ] {
        assert_eq!(outcome(&response(start), false), Err(0), "{start}");
    }
}

#[test]
fn a_refusal_goes_where_the_request_says_and_never_answers_an_ack() {
    let Verdict::Refuse(refusal) = check(&request("Content-Length: x\r\n", ""), false) else {
        panic!("taken")
    };
    let response = refusal.response("conclave").unwrap();
    assert!(response.to_string().contains("Call-ID: c\r\n"));
    let ack = String::from_utf8(request("Content-Length: x\r\n", ""))
        .unwrap()
        .replace("INVITE", "ACK");
    let Verdict::Refuse(refusal) = check(ack.as_bytes(), false) else {
        panic!("taken")
    };
    assert!(refusal.response("conclave").is_none());
}

#[test]
fn frames_of_a_stream() {
    let whole = request("Content-Length: 4\r\n", "body");
    let mut two = whole.clone();
    two.extend(b"\r\n\r\n");
    for cut in 1..whole.len() {
        assert_eq!(frame(&whole[..cut]), Frame::Partial);
    }
    assert_eq!(frame(&two), Frame::Message(whole.len()));
    assert_eq!(frame(&two[whole.len()..]), Frame::KeepAlive(4));
    assert_eq!(frame(&request("", "")), Frame::Broken);
    assert_eq!(
        frame(&request("Content-Length: 4\r\nl: 5\r\n", "body!")),
        Frame::Broken
    );
    assert_eq!(
        frame(&request("Content-Length: 70000\r\n", "")),
        Frame::Broken
    );
    assert_eq!(frame(&vec![b'x'; 40_000]), Frame::Broken);
}

#[test]
fn white_space_that_means_nothing_is_gone() {
    assert_eq!(
        tighten("SIP / 2.0 / UDP  h ; branch = z"),
        "SIP/2.0/UDP  h;branch=z"
    );
    assert_eq!(
        tighten("\"a ; b = \\\" c\" <sip:h> ; tag = x"),
        "\"a ; b = \\\" c\" <sip:h>;tag=x"
    );
}
