//! Telephones that others wrote, from end to end, and what a protocol analyser says of the packets.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use conclave_conference::Prompt;

use crate::{
    baresip::Baresip,
    bridge::{Bridge, free_port},
    ear::{Ear, check_hears},
};

#[test]
fn three_baresips_meet() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let enter = |voice, pin: &str| {
        let mut phone = Baresip::call(bridge.sip, voice);
        phone.hears(Prompt::EnterPin);
        phone.press(pin);
        phone.press("#");
        phone
    };
    let mut guest = enter(1, &account.guest_pin);
    guest.hears_all(&[Prompt::WaitingForHost, Prompt::HoldMusic]);
    let mut host = enter(0, &account.host_pin);
    guest.hears(Prompt::ConferenceStarting);
    check_hears(&host, &[&guest]);
    check_hears(&guest, &[&host]);
    let mut third = enter(2, &account.guest_pin);
    host.hears(Prompt::EntryTone);
    check_hears(&third, &[&host, &guest]);
    check_hears(&host, &[&guest, &third]);

    guest.press("*6");
    guest.hears(Prompt::Muted);
    check_hears(&host, &[&third]);
    guest.press("*6");
    guest.hears(Prompt::Unmuted);

    third.hold(true);
    check_hears(&host, &[&guest]);
    third.hold(false);
    check_hears(&host, &[&guest, &third]);

    // What baresip 1.0 is sent after a hold it doesn't pass on; that the others hear it again is what counts here.
    host.press("*7");
    guest.hears(Prompt::Locked);
    third.hang_up();
    host.hears(Prompt::ExitTone);
    let mut refused = enter(3, &account.guest_pin);
    refused.hears(Prompt::ConferenceIsLocked);
    refused.is_hung_up();

    host.press("##");
    guest.hears(Prompt::HostEnded);
    guest.is_hung_up();
    host.is_hung_up();
}

/// Opus, G.722 and both laws of G.711, of two stacks, in one room.
#[test]
fn wideband_and_narrowband_telephones_meet() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let enter = |codec, voice, pin: &str| {
        let mut phone = Baresip::call_in(codec, bridge.sip, voice);
        phone.hears(Prompt::EnterPin);
        phone.press(pin);
        phone.press("#");
        phone
    };
    let mut full = enter("opus", 0, &account.host_pin);
    full.hears(Prompt::YouAreTheFirst);
    let wide = enter("G722", 1, &account.guest_pin);
    full.hears(Prompt::EntryTone);
    let narrow = enter("PCMA", 2, &account.guest_pin);
    full.hears(Prompt::EntryTone);
    let sipp = crate::journey::joining_guest(&bridge, &account, 3, &[]);
    sipp.speak(true);
    check_hears(&full, &[&wide, &narrow, &sipp]);
    check_hears(&wide, &[&full, &narrow, &sipp]);
    check_hears(&narrow, &[&full, &wide, &sipp]);
    check_hears(&sipp, &[&full, &wide, &narrow]);
    // A listener who says nothing hears what all such hear, and goes on hearing it when it speaks.
    full.press("*6");
    full.hears(Prompt::Muted);
    check_hears(&wide, &[&narrow, &sipp]);
    check_hears(&full, &[&wide, &narrow, &sipp]);
    full.press("##");
    full.hears(Prompt::HostEnded);
    full.is_hung_up();
    // The records follow within a second.
    let began = Instant::now();
    loop {
        let rows = bridge.report("calls");
        let mut codecs: Vec<&str> = rows
            .iter()
            .filter_map(|row| row["codec"].as_str())
            .collect();
        codecs.sort_unstable();
        if codecs == ["G722", "PCMA", "PCMU", "opus"] {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{codecs:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn sipps_own_caller_is_served() {
    let bridge = Bridge::start();
    let output = Command::new("sipp")
        .arg(format!("127.0.0.1:{}", bridge.sip))
        .args([
            "-sn",
            "uac",
            "-m",
            "20",
            "-r",
            "20",
            "-d",
            "1000",
            "-i",
            "127.0.0.1",
            "-nostdin",
            "-timeout",
            "30",
            "-p",
        ])
        .arg(free_port().to_string())
        .arg("-mp")
        .arg(free_port().to_string())
        .current_dir(bridge.directory.path())
        .output()
        .expect("sipp runs (`cargo xtask setup` installs it)");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(bridge.report("calls").len(), 20);
}

#[test]
fn an_analyser_finds_nothing_malformed() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let file = bridge.directory.path().join("packets.pcap");
    let mut capture = Command::new("tshark")
        .args(["-i", "lo", "-f", "udp", "-a", "duration:60", "-w"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tshark runs (`cargo xtask setup` installs it)");
    // It says so when it has begun.
    let mut line = String::new();
    let mut said = std::io::BufReader::new(capture.stderr.take().unwrap());
    while !line.contains("Capturing on") {
        line.clear();
        assert_ne!(
            std::io::BufRead::read_line(&mut said, &mut line).unwrap(),
            0,
            "tshark ended"
        );
    }
    std::thread::sleep(Duration::from_millis(500));

    let (mut host, guest) = crate::journey::two(&bridge, &account);
    host.speak(true);
    check_hears(&guest, &[&host]);
    host.press("##");
    host.hears(Prompt::HostEnded);
    host.is_hung_up();

    let status = Command::new("kill")
        .args(["-INT", &capture.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    capture.wait().unwrap();
    let read = |filter: &str| {
        let output = Command::new("tshark")
            .arg("-r")
            .arg(&file)
            .args([
                "-o",
                "rtp.heuristic_rtp:TRUE",
                "-o",
                "rtcp.heuristic_rtcp:TRUE",
                "-d",
                &format!("udp.port=={},sip", bridge.sip),
                "-Y",
                filter,
            ])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(
        read("sip.Method == \"INVITE\"").lines().count() >= 2,
        "SIP was captured"
    );
    assert!(read("rtp").lines().count() > 200, "RTP was captured");
    let ours = format!(
        "udp.srcport == {sip} || udp.dstport == {sip} || rtp || rtcp",
        sip = bridge.sip
    );
    let malformed = read(&format!(
        "({ours}) && (_ws.malformed || _ws.expert.severity == error)"
    ));
    assert_eq!(malformed, "", "malformed packets");
}
