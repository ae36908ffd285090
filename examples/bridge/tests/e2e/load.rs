//! Many calls at once, and what is left of them.

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, UdpSocket},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::bridge::{Bridge, free_port};

/// Packets that came to one call.
#[derive(Default)]
struct Stream {
    first: Option<Instant>,
    last: Option<Instant>,
    count: u32,
    longest_gap: Duration,
    unbroken: bool,
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
        let pin = if call < CONFERENCES { &account.host_pin } else { &account.guest_pin };
        callers += &format!("{pin};\n");
    }
    let directory = bridge.directory.path();
    fs::write(directory.join("callers.csv"), callers).unwrap();
    fs::write(directory.join("caller.xml"), SCENARIO).unwrap();
    let sockets_before = open_files(bridge.process());

    // All calls name one RTP port: the sender's port tells the streams apart no better than the SSRC does.
    let ears = UdpSocket::bind("127.0.0.1:0").unwrap();
    let rtp = ears.local_addr().unwrap().port();
    let stop = AtomicBool::new(false);
    let (streams, output) = std::thread::scope(|scope| {
        let listener = scope.spawn(|| listen(&ears, &stop));
        let output = Command::new("sipp")
            .arg(format!("127.0.0.1:{}", bridge.sip))
            .args(["-sf", "caller.xml", "-inf", "callers.csv", "-i", "127.0.0.1", "-nostdin", "-timeout", "90"])
            .args(["-m", &CALLS.to_string(), "-l", &CALLS.to_string(), "-r", "20", "-trace_err"])
            .args(["-p", &free_port().to_string(), "-key", "rtp", &rtp.to_string()])
            .current_dir(directory)
            .stdin(Stdio::null())
            .output()
            .expect("sipp runs (`cargo xtask setup` installs it)");
        stop.store(true, Ordering::Relaxed);
        (listener.join().unwrap(), output)
    });
    assert!(output.status.success(), "a call failed:\n{}", String::from_utf8_lossy(&output.stdout));

    assert_eq!(streams.len(), CALLS, "each call has a stream of its own");
    let mut gaps: Vec<_> = streams.values().map(|stream| stream.longest_gap).collect();
    gaps.sort();
    for ((from, ssrc), stream) in &streams {
        let time = (stream.last.unwrap() - stream.first.unwrap()).as_secs_f64();
        let rate = f64::from(stream.count - 1) / time;
        assert!(stream.unbroken, "{from} {ssrc:x} has a break in its sequence");
        assert!((49.0..51.0).contains(&rate), "{from} {ssrc:x}: {rate:.1} packets a second over {time:.1} s");
    }
    // The machine that runs the tests is shared, so a pause of all streams at once is its doing, not the bridge's.
    let calls: Vec<_> = bridge.report("calls");
    assert_eq!(calls.len(), CALLS);
    assert!(calls.iter().all(|call| call["reason"] == "hung-up"), "{calls:?}");
    assert_eq!(bridge.report("conferences").len(), CONFERENCES);
    let median = gaps[CALLS / 2];
    assert!(median < Duration::from_millis(60), "half of the streams had a gap of {median:?} or more");

    // Nothing is left: sockets go with their calls.
    let began = Instant::now();
    while open_files(bridge.process()) > sockets_before {
        assert!(began.elapsed() < Duration::from_secs(40), "{} files were open, now {}", sockets_before, open_files(bridge.process()));
        sleep(Duration::from_millis(200));
    }
}

fn listen(socket: &UdpSocket, stop: &AtomicBool) -> BTreeMap<(SocketAddr, u32), Stream> {
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut streams: BTreeMap<(SocketAddr, u32), Stream> = BTreeMap::new();
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        if length != 172 {
            continue;
        }
        let now = Instant::now();
        let ssrc = u32::from_be_bytes([buffer[8], buffer[9], buffer[10], buffer[11]]);
        let sequence = u16::from_be_bytes([buffer[2], buffer[3]]);
        let stream = streams.entry((from, ssrc)).or_insert_with(|| Stream { unbroken: true, ..Stream::default() });
        if let Some(last) = stream.last {
            stream.longest_gap = stream.longest_gap.max(now - last);
            stream.unbroken &= sequence == stream.sequence.wrapping_add(1);
        }
        stream.first.get_or_insert(now);
        stream.last = Some(now);
        stream.sequence = sequence;
        stream.count += 1;
    }
    streams
}

/// How many files and sockets a process has open.
fn open_files(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

/// A caller who types a PIN by RFC 4733 events, stays for 15 s and hangs up.
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
m=audio [rtp] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
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
