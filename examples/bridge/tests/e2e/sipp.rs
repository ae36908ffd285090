//! SIPp as the signalling half of a telephone: each step of its scenario waits for a word over SIPp's twin socket.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use crate::bridge::free_port;

/// One thing that SIPp does in an answered call when it is told to.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// INFO with `application/dtmf-relay`.
    InfoRelay(char),
    /// INFO with `application/dtmf`.
    Info(char),
    /// re-INVITE with this direction.
    Reinvite(&'static str),
    /// UPDATE with this direction.
    Update(&'static str),
    /// REFER, which is to be refused with 603.
    Refer,
    /// OPTIONS in the dialog.
    Options,
}

/// How the call is offered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// In the INVITE.
    Early,
    /// In the ACK, as the answer to the bridge's offer.
    Delayed,
    /// In the INVITE, A-law alone.
    ALaw,
    /// In the INVITE, G.722 alone.
    G722,
    /// In the INVITE, Opus alone, and events in its clock.
    Opus,
}

pub(crate) struct Sipp {
    child: Child,
    twin: Option<TcpStream>,
    call_id: String,
    messages: PathBuf,
    _directory: tempfile::TempDir,
}

static NUMBER: AtomicU32 = AtomicU32::new(1);

/// Starts a call; the media goes to `rtp_port`. Returns before the call is answered.
pub(crate) fn call(
    bridge: u16,
    to: &str,
    from: &str,
    rtp_port: u16,
    offer: Offer,
    steps: &[Step],
) -> Sipp {
    let directory = tempfile::tempdir().unwrap();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    // Tests run beside each other, and a bridge asks for a telephone that has vanished: neither its port nor its Call-ID
    // may be another's by then, as SIPp's default port and a mere count would be.
    let process = std::process::id();
    let scenario = directory.path().join("phone.xml");
    fs::write(&scenario, self::scenario(to, from, rtp_port, offer, steps)).unwrap();
    let messages = directory.path().join("messages.log");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let log = fs::File::create(directory.path().join("screen.log")).unwrap();
    let child = Command::new("sipp")
        .arg(format!("127.0.0.1:{bridge}"))
        .arg("-sf")
        .arg(&scenario)
        .args(["-m", "1", "-i", "127.0.0.1", "-nostdin", "-timeout", "120"])
        .args(["-p", &free_port().to_string()])
        .args(["-3pcc", &listener.local_addr().unwrap().to_string()])
        .args(["-cid_str", &format!("phone{number}-%u@{process}")])
        .arg("-trace_msg")
        .arg("-message_file")
        .arg(&messages)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .expect("sipp runs (`cargo xtask setup` installs it)");
    listener.set_nonblocking(true).unwrap();
    let started = Instant::now();
    let twin = loop {
        match listener.accept() {
            Ok((twin, _)) => break twin,
            Err(_) if started.elapsed() < Duration::from_secs(10) => {
                std::thread::sleep(Duration::from_millis(5))
            }
            Err(error) => panic!(
                "SIPp did not start: {error}: {}",
                fs::read_to_string(directory.path().join("screen.log")).unwrap_or_default()
            ),
        }
    };
    twin.set_nonblocking(false).unwrap();
    twin.set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    Sipp {
        child,
        twin: Some(twin),
        call_id: format!("phone{number}-1@{process}"),
        messages,
        _directory: directory,
    }
}

impl Sipp {
    /// Waits until the bridge has answered the call.
    pub(crate) fn answered(&mut self) {
        self.hear("answered");
    }

    /// Carries out the next step of the scenario and waits until it is done.
    pub(crate) fn step(&mut self) {
        self.say();
        self.hear("done");
    }

    /// Hangs up: the scenario's last step.
    pub(crate) fn hang_up(&mut self) {
        self.say();
        self.wait_ended(Duration::from_secs(10));
    }

    fn say(&mut self) {
        let word = format!(
            "Call-ID: {}\r\nFrom: test\r\ngo\r\n\r\n\u{1b}",
            self.call_id
        );
        self.twin
            .as_mut()
            .unwrap()
            .write_all(word.as_bytes())
            .unwrap();
    }

    fn hear(&mut self, word: &str) {
        let mut heard = Vec::new();
        let mut buffer = [0; 512];
        loop {
            let count = self
                .twin
                .as_mut()
                .unwrap()
                .read(&mut buffer)
                .unwrap_or_else(|error| {
                    panic!(
                        "SIPp did not say '{word}' ({error}); its messages:\n{}",
                        self.trace()
                    )
                });
            assert_ne!(
                count,
                0,
                "SIPp ended before it said '{word}'; its messages:\n{}",
                self.trace()
            );
            heard.extend_from_slice(&buffer[..count]);
            if heard
                .windows(word.len())
                .any(|part| part == word.as_bytes())
            {
                return;
            }
        }
    }

    /// Everything sent and received.
    pub(crate) fn trace(&self) -> String {
        fs::read_to_string(&self.messages).unwrap_or_default()
    }

    /// Whether the bridge sent a BYE.
    pub(crate) fn got_bye(&self) -> bool {
        let trace = self.trace();
        trace
            .split("-----------------------------------------------")
            .any(|part| part.contains("message received") && part.contains("\nBYE sip:"))
    }

    /// Whether the process has ended, which it does with its call.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn wait_ended(&mut self, patience: Duration) {
        let started = Instant::now();
        while !self.ended() {
            assert!(
                started.elapsed() < patience,
                "the call did not end; its messages:\n{}",
                self.trace()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        self.twin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The session description; `direction` is an attribute line's name.
fn sdp(offer: Offer, version: u32, rtp_port: u16, direction: &str) -> String {
    let (codecs, events) = match offer {
        Offer::Early | Offer::Delayed => ("0 8", 8_000),
        Offer::ALaw => ("8", 8_000),
        Offer::G722 => ("9", 8_000),
        Offer::Opus => ("111", 48_000),
    };
    format!(
        "v=0\no=phone 1 {version} IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\n\
         m=audio {rtp_port} RTP/AVP {codecs} 101\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:9 G722/8000\n\
         a=rtpmap:111 opus/48000/2\na=fmtp:111 useinbandfec=1\na=rtpmap:101 telephone-event/{events}\na=fmtp:101 0-15\na=ptime:20\na={direction}\n"
    )
}

fn scenario(to: &str, from: &str, rtp_port: u16, offer: Offer, steps: &[Step]) -> String {
    let request = |method: &str,
                   uri: &str,
                   sequence: &str,
                   to_tag: &str,
                   more: &str,
                   body: &str| {
        format!(
            "<send{retrans}><![CDATA[\n{method} {uri} SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
             [routes]\nFrom: <sip:{from}@[local_ip]:[local_port]>;tag=t[call_number]\nTo: <sip:{to}@[remote_ip]:[remote_port]>{to_tag}\n\
             Call-ID: [call_id]\nCSeq: {sequence} {method}\nContact: <sip:{from}@[local_ip]:[local_port]>\nMax-Forwards: 70\n\
             {more}Content-Length: [len]\n\n{body}]]></send>\n",
            retrans = if method == "ACK" {
                ""
            } else {
                " retrans=\"500\""
            },
        )
    };
    let first = format!("sip:{to}@[remote_ip]:[remote_port]");
    let say = |word: &str| {
        format!("<sendCmd><![CDATA[\nCall-ID: [call_id]\nFrom: phone\n{word}\n]]></sendCmd>\n")
    };
    let within = |method: &str, more: &str, body: &str| {
        request(
            method,
            "[next_url]",
            "[cseq]",
            "[peer_tag_param]",
            more,
            body,
        )
    };
    let type_sdp = "Content-Type: application/sdp\n";
    let ok = "<recv response=\"100\" optional=\"true\"/><recv response=\"200\"/>\n";

    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"phone\">\n",
    );
    xml += &say("ready");
    match offer {
        Offer::Early | Offer::ALaw | Offer::G722 | Offer::Opus => {
            xml += &request(
                "INVITE",
                &first,
                "1",
                "",
                type_sdp,
                &sdp(offer, 1, rtp_port, "sendrecv"),
            )
        }
        Offer::Delayed => xml += &request("INVITE", &first, "1", "", "", ""),
    }
    xml += "<recv response=\"100\" optional=\"true\"/><recv response=\"180\" optional=\"true\"/><recv response=\"200\" rrs=\"true\"/>\n";
    match offer {
        Offer::Early | Offer::ALaw | Offer::G722 | Offer::Opus => {
            xml += &request("ACK", "[next_url]", "1", "[peer_tag_param]", "", "")
        }
        Offer::Delayed => {
            xml += &request(
                "ACK",
                "[next_url]",
                "1",
                "[peer_tag_param]",
                type_sdp,
                &sdp(offer, 1, rtp_port, "sendrecv"),
            )
        }
    }
    xml += &say("answered");
    for (index, step) in steps.iter().enumerate() {
        xml += "<recvCmd/>\n";
        let version = 2 + index as u32;
        match step {
            Step::InfoRelay(digit) => {
                xml += &within(
                    "INFO",
                    "Content-Type: application/dtmf-relay\n",
                    &format!("Signal={digit}\nDuration=160\n"),
                );
                xml += ok;
            }
            Step::Info(digit) => {
                xml += &within(
                    "INFO",
                    "Content-Type: application/dtmf\n",
                    &format!("{digit}\n"),
                );
                xml += ok;
            }
            Step::Reinvite(direction) => {
                xml += &within(
                    "INVITE",
                    type_sdp,
                    &sdp(offer, version, rtp_port, direction),
                );
                xml += ok;
                xml += &within("ACK", "", "").replace("[cseq]", "[last_cseq_number]");
            }
            Step::Update(direction) => {
                xml += &within(
                    "UPDATE",
                    type_sdp,
                    &sdp(offer, version, rtp_port, direction),
                );
                xml += ok;
            }
            Step::Refer => {
                xml += &within("REFER", "Refer-To: <sip:elsewhere@127.0.0.1>\n", "");
                xml += "<recv response=\"603\"/>\n";
            }
            Step::Options => {
                xml += &within("OPTIONS", "", "");
                xml += ok;
            }
        }
        xml += &say("done");
    }
    xml += "<recvCmd/>\n";
    xml += &within("BYE", "", "");
    xml += "<recv response=\"200\"/>\n</scenario>\n";
    xml
}
