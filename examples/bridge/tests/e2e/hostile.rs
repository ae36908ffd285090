//! Noise, halves and nonsense: a clear error or silence, never a crash.

use std::{
    fs,
    io::Write,
    net::{TcpStream, UdpSocket},
    thread::sleep,
    time::Duration,
};

use conclave_conference::Prompt;

use crate::{
    bridge::{Bridge, binary},
    ear::{Ear, check_hears},
    journey::two,
    phone::Phone,
};

/// Bytes that look like nothing, the same at each run.
fn noise(seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut state = seed;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    std::iter::repeat_with(move || (0..next() % 1400).map(|_| next() as u8).collect())
}

#[test]
fn noise_on_any_port_disturbs_nobody() {
    let mut bridge = Bridge::start();
    let account = bridge.account(&[]);
    let (mut host, guest) = two(&bridge, &account);
    guest.speak(true);
    check_hears(&host, &[&guest]);
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let ports: Vec<u16> = udp_ports(bridge.process());
    assert!(ports.contains(&bridge.sip) && ports.len() > 2, "{ports:?}");
    for (index, packet) in noise(7).take(3000).enumerate() {
        let _ = stranger.send_to(&packet, ("127.0.0.1", ports[index % ports.len()]));
        if index % 100 == 0 {
            sleep(Duration::from_millis(5));
        }
    }
    let mut stream = TcpStream::connect(("127.0.0.1", bridge.sip)).unwrap();
    for packet in noise(8).take(50) {
        if stream.write_all(&packet).is_err() {
            break;
        }
    }
    // A well-formed stream of a stranger is noise as well.
    let mut rtp = vec![0x80, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4];
    rtp.extend([0x10; 160]);
    for port in &ports {
        (0..50).for_each(|_| drop(stranger.send_to(&rtp, ("127.0.0.1", *port))));
    }
    check_hears(&host, &[&guest]);
    host.press("**");
    host.hears(Prompt::HelpHost);
    assert!(bridge.runs());
}

/// The UDP ports that a process has open, from the system's own tables.
fn udp_ports(process: u32) -> Vec<u16> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| {
            link.to_string_lossy()
                .strip_prefix("socket:[")
                .map(|rest| rest.trim_end_matches(']').to_owned())
        })
        .collect();
    let table = fs::read_to_string("/proc/net/udp").unwrap();
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let port = u16::from_str_radix(fields[1].split(':').nth(1)?, 16).ok()?;
            sockets
                .iter()
                .any(|inode| inode == fields[9])
                .then_some(port)
        })
        .collect()
}

#[test]
fn a_message_cut_at_any_byte_is_survived() {
    let mut bridge = Bridge::start();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let own = peer.local_addr().unwrap();
    let message = format!(
        "INVITE sip:conference@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKcut;rport\r\nFrom: <sip:a@127.0.0.1>;tag=1\r\n\
         To: <sip:conference@127.0.0.1>\r\nCall-ID: cut@127.0.0.1\r\nCSeq: 1 INVITE\r\nContact: <sip:a@{own}>\r\nMax-Forwards: 70\r\n\
         Content-Type: application/sdp\r\nContent-Length: 100\r\n\r\nv=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio 9 RTP/AVP 0\r\n"
    );
    for length in 0..message.len() {
        let cut = message[..length]
            .replace("z9hG4bKcut", &format!("z9hG4bK{length}"))
            .replace("cut@", &format!("{length}@"));
        peer.send_to(cut.as_bytes(), ("127.0.0.1", bridge.sip))
            .unwrap();
        if length % 50 == 0 {
            let mut stream = TcpStream::connect(("127.0.0.1", bridge.sip)).unwrap();
            stream.write_all(cut.as_bytes()).unwrap();
        }
    }
    let mut phone = Phone::call(bridge.sip, 0, &[]);
    phone.hears(Prompt::EnterPin);
    assert!(bridge.runs());
}

#[test]
fn a_pin_of_ten_thousand_digits_ends_where_pins_end() {
    let bridge = Bridge::start();
    bridge.account(&[]);
    let mut phone = Phone::call(bridge.sip, 0, &[]);
    phone.hears(Prompt::EnterPin);
    // At ten a second ten thousand digits would take a quarter of an hour; the call ends at the third PIN long before.
    phone.begin_press(&"7".repeat(10_000));
    phone.hears(Prompt::Goodbye);
    phone.is_hung_up();
}

#[test]
fn what_is_wrong_with_a_start_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str], file: &str, content: &str, expected: &[&str]| {
        fs::write(directory.path().join(file), content).unwrap();
        let output = binary()
            .current_dir(directory.path())
            .args(arguments)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        for word in expected {
            assert!(
                error.contains(word),
                "{arguments:?} should say '{word}': {error}"
            );
        }
        assert!(!error.contains("panicked"), "{error}");
    };
    check(
        &["serve", "--config", "a.toml"],
        "a.toml",
        "[sip]\nlissten = []",
        &["a.toml", "lissten", "line 2"],
    );
    check(
        &["serve", "--config", "a.toml"],
        "a.toml",
        "[media]\nrtp-ports = [1, 2]",
        &["a.toml", "media.rtp-ports"],
    );
    check(
        &["serve", "--config", "nowhere.toml"],
        "a.toml",
        "",
        &["nowhere.toml"],
    );
    check(
        &["config", "check", "a.toml"],
        "a.toml",
        "[[trunk]]\nname = 'x'\nfrom = ['300.1.1.1']",
        &["300.1.1.1", "'x'"],
    );
    check(
        &["config", "check", "a.toml"],
        "a.toml",
        "[[access-number]]\nnumber = '1'\nkeys = [{ keys = '*6', who = 'everyone', command = 'mute' }, { keys = '*6', who = 'host', command = 'lock' }]",
        &["*6", "mute", "lock"],
    );
    fs::create_dir(directory.path().join("p")).unwrap();
    check(
        &["serve", "--prompts", "p"],
        "p/welcom.wav",
        "",
        &["welcom"],
    );
    fs::remove_file(directory.path().join("p/welcom.wav")).unwrap();
    check(
        &["serve", "--prompts", "p"],
        "p/welcome.wav",
        "not a WAV",
        &["welcome.wav"],
    );
    check(
        &["booking", "add", "--title", "x"],
        "a.toml",
        "",
        &["--account", "--start"],
    );
    check(
        &["report", "audit", "--verify"],
        "a.toml",
        "",
        &["no data of a bridge", "--data"],
    );
    check(
        &["account", "add", "--name", "Ada", "--email", "nobody"],
        "a.toml",
        "",
        &["name@example.org"],
    );
    check(
        &["account", "show", "77"],
        "a.toml",
        "",
        &["no data of a bridge", "--data"],
    );
    check(
        &[
            "account",
            "add",
            "--name",
            "Ada",
            "--email",
            "a@example.org",
            "--host-pin",
            "1234",
        ],
        "a.toml",
        "",
        &["--force-weak-pin"],
    );
}
