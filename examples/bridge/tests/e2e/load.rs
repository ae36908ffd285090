//! Many calls at once, and what is left of them.

use std::{
    collections::BTreeMap,
    fs,
    net::UdpSocket,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    bridge::{Bridge, free_port},
    phone::Phone,
};

/// Packets that came to one call.
#[derive(Default)]
struct Stream {
    first: Option<Instant>,
    last: Option<Instant>,
    count: u32,
    longest_gap: Duration,
    broken: bool,
    sequence: u16,
}

/// 200 calls in 50 conferences, set up at 20 a second: none fails, none is cut, each is sent 50 packets a second
/// without a gap, and nothing is left of them.
#[test]
fn two_hundred_calls_in_fifty_conferences() {
    const CONFERENCES: usize = 50;
    const CALLS: usize = 200;
    let bridge = Bridge::start();
    let mut callers = String::from("SEQUENTIAL\n");
    let accounts: Vec<_> = (0..CONFERENCES).map(|_| bridge.account(&[])).collect();
    for call in 0..CALLS {
        let account = &accounts[call % CONFERENCES];
        let pin = if call < CONFERENCES {
            &account.host_pin
        } else {
            &account.guest_pin
        };
        callers += &format!("{pin};\n");
    }
    let directory = bridge.directory.path();
    fs::write(directory.join("callers.csv"), callers).unwrap();
    fs::write(directory.join("caller.xml"), SCENARIO).unwrap();
    // The sockets that calls share are opened by the first.
    Phone::call(bridge.sip, 0, &[]).hang_up();
    let sockets_before = open_sockets(bridge.process());

    // SIPp numbers the calls' RTP ports by fours from a base, and sends events from them by a raw socket: so what
    // comes in can be taken here.
    let (base, ears) = rtp_sockets(CALLS);
    let stop = AtomicBool::new(false);
    let ((streams, stall), output) = std::thread::scope(|scope| {
        let listener = scope.spawn(|| listen(&ears, &stop));
        let output = Command::new("sipp")
            .arg(format!("127.0.0.1:{}", bridge.sip))
            .args([
                "-sf",
                "caller.xml",
                "-inf",
                "callers.csv",
                "-i",
                "127.0.0.1",
                "-nostdin",
                "-timeout",
                "90",
            ])
            .args([
                "-m",
                &CALLS.to_string(),
                "-l",
                &CALLS.to_string(),
                "-r",
                "20",
                "-trace_err",
            ])
            .args(["-p", &free_port().to_string(), "-mp", &base.to_string()])
            .current_dir(directory)
            .stdin(Stdio::null())
            .output()
            .expect("sipp runs (`cargo xtask setup` installs it)");
        stop.store(true, Ordering::Relaxed);
        (listener.join().unwrap(), output)
    });
    assert!(
        output.status.success(),
        "a call failed:\n{}",
        String::from_utf8_lossy(&output.stdout)
    );

    // SIPp keeps the first port for itself.
    assert_eq!(
        streams.len(),
        CALLS - 1,
        "each call has a stream of its own"
    );
    for ((port, ssrc), stream) in &streams {
        let time = (stream.last.unwrap() - stream.first.unwrap()).as_secs_f64();
        let rate = f64::from(stream.count - 1) / time;
        assert!(
            !stream.broken,
            "the stream {ssrc:x} to {port} has a break in its sequence"
        );
        assert!(
            (49.0..51.0).contains(&rate),
            "{ssrc:x} to {port}: {rate:.1} packets a second over {time:.1} s"
        );
    }
    // The machine is shared: when it stands still, the streams do. How long it did is what the listener's own pauses say.
    let mut gaps: Vec<_> = streams.values().map(|stream| stream.longest_gap).collect();
    gaps.sort();
    let (gap, bound) = (
        gaps[gaps.len() * 95 / 100],
        Duration::from_millis(60) + stall,
    );
    assert!(
        gap < bound,
        "one in twenty streams had a gap of {gap:?} or more; the machine stood still for {stall:?}"
    );

    // The books are a fraction of a second behind.
    sleep(Duration::from_secs(1));
    let calls = bridge.report("calls");
    assert_eq!(calls.len(), CALLS + 1);
    for call in &calls[1..] {
        assert!(
            call["reason"] == "hung-up" && call["admitted"].is_string(),
            "{call}"
        );
    }
    assert_eq!(bridge.report("conferences").len(), CONFERENCES);

    // Nothing is left: sockets go with their calls.
    let began = Instant::now();
    while open_sockets(bridge.process()) > sockets_before {
        assert!(
            began.elapsed() < Duration::from_secs(40),
            "{} sockets were open, now {}",
            sockets_before,
            open_sockets(bridge.process())
        );
        sleep(Duration::from_millis(200));
    }
}

/// Sockets for the RTP ports of SIPp's second to last call, and the port that it is to begin with.
fn rtp_sockets(calls: usize) -> (u16, Vec<UdpSocket>) {
    'base: for base in (40_000..60_000u16).step_by(1000) {
        let mut sockets = Vec::with_capacity(calls);
        for call in 1..calls as u16 {
            match UdpSocket::bind(("127.0.0.1", base + 4 * call)) {
                Ok(socket) => sockets.push(socket),
                Err(_) => continue 'base,
            }
        }
        sockets
            .iter()
            .for_each(|socket| socket.set_nonblocking(true).unwrap());
        return (base, sockets);
    }
    panic!("no free ports for {calls} calls");
}

/// The streams by the port that they came to and their SSRC; and the listener's own longest pause.
fn listen(sockets: &[UdpSocket], stop: &AtomicBool) -> (BTreeMap<(u16, u32), Stream>, Duration) {
    let mut stall = Duration::ZERO;
    let mut last = Instant::now();
    let mut streams: BTreeMap<(u16, u32), Stream> = BTreeMap::new();
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(2));
        stall = stall.max(last.elapsed());
        last = Instant::now();
        for socket in sockets {
            let port = socket.local_addr().unwrap().port();
            while let Ok((length, _)) = socket.recv_from(&mut buffer) {
                if length == 172 {
                    note(&buffer, streams.entry((port, ssrc(&buffer))).or_default());
                }
            }
        }
    }
    (streams, stall)
}

fn ssrc(packet: &[u8]) -> u32 {
    u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]])
}

fn note(packet: &[u8], stream: &mut Stream) {
    let now = Instant::now();
    let sequence = u16::from_be_bytes([packet[2], packet[3]]);
    if let Some(last) = stream.last {
        stream.longest_gap = stream.longest_gap.max(now - last);
        stream.broken |= sequence != stream.sequence.wrapping_add(1);
    }
    stream.first.get_or_insert(now);
    stream.last = Some(now);
    stream.sequence = sequence;
    stream.count += 1;
}

/// How many sockets a process has open.
fn open_sockets(process: u32) -> usize {
    let files = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    files
        .filter(|file| {
            fs::read_link(file.as_ref().unwrap().path())
                .is_ok_and(|link| link.to_string_lossy().starts_with("socket:"))
        })
        .count()
}

/// A caller who types a PIN by RFC 4733 events (which SIPp always sends as payload type 96), stays for 15 s and hangs up.
const SCENARIO: &str = r#"<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="caller">
  <send retrans="500"><![CDATA[
INVITE sip:conference@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+44207946[call_number]@[local_ip]:[local_port]>;tag=t[call_number]
To: <sip:conference@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=caller 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 0 96
a=rtpmap:0 PCMU/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-15
]]></send>
  <recv response="100" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:+44207946[call_number]@[local_ip]:[local_port]>;tag=t[call_number]
To: <sip:conference@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
  <pause milliseconds="1000"/>
  <nop><action><exec play_dtmf="[field0]#"/></action></nop>
  <pause milliseconds="15000"/>
  <send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:+44207946[call_number]@[local_ip]:[local_port]>;tag=t[call_number]
To: <sip:conference@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
"#;
