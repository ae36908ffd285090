//! `*2`: what a recording holds, what it doesn't, and what is left of it after `kill -9`.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use conclave_conference::Prompt;

use crate::{
    bridge::Bridge,
    ear::{Ear, PATIENCE, prompts_in},
    journey::{enter, first_host, two},
    phone::Phone,
    tones,
};

const RECORDING: &[&str] = &["--recording", "on"];

/// The recordings of a data directory, the mix of each before its participants.
fn files(directory: &Path) -> Vec<PathBuf> {
    let folder = directory.join("data/recordings");
    let mut files: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort_by_key(|file| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        name.len()
    });
    files
}

/// What a player makes of a file, at the rate of the test's tones.
fn play(file: &Path) -> Vec<i16> {
    let decoded = Command::new("ffmpeg")
        .args(["-v", "fatal", "-i"])
        .arg(file)
        .args(["-f", "s16le", "-ac", "1", "-ar", "8000", "-"])
        .output()
        .unwrap();
    assert!(decoded.status.success(), "{decoded:?}");
    let samples = decoded.stdout.chunks_exact(2);
    samples.map(|s| i16::from_le_bytes([s[0], s[1]])).collect()
}

/// The loudest 100 ms of a tone, in dB below full scale.
fn loudest(heard: &[i16], frequency: f64) -> f64 {
    heard
        .chunks_exact(800)
        .map(|part| tones::level(part, frequency))
        .fold(-100.0, f64::max)
}

fn prompts(heard: &[i16]) -> Vec<Prompt> {
    prompts_in(heard).into_iter().map(|(_, _, p)| p).collect()
}

#[test]
fn a_recording_holds_what_all_could_hear_and_nothing_else() {
    let bridge = Bridge::start_configured("[recordings]\ntracks = true\n");
    let account = bridge.account(RECORDING);
    let (mut host, mut guest) = two(&bridge, &account);
    host.press("*2");
    host.hears(Prompt::RecordingStarted);
    guest.hears(Prompt::RecordingStarted);
    host.speak(true);
    guest.speak(true);
    guest.listen(Duration::from_secs(2));
    // What one alone hears, and keys.
    host.press("*8");
    host.hears_all(&[Prompt::RollCall, Prompt::Two, Prompt::PeopleInConference]);
    guest.press("*6");
    guest.hears(Prompt::Muted);
    // Who comes later is told before they are let in, and then heard.
    let mut late = enter(&bridge, 2, &account.guest_pin, &[]);
    late.hears_all(&[Prompt::ConferenceIsRecorded, Prompt::PeopleInConference]);
    late.speak(true);
    late.listen(Duration::from_secs(2));
    host.press("*2");
    host.hears(Prompt::RecordingStopped);
    late.hears(Prompt::RecordingStopped);
    guest.press("*6");
    guest.hears(Prompt::Unmuted);
    let began = Instant::now();
    while !bridge.log().contains("recorded conference=1") {
        assert!(began.elapsed() < PATIENCE, "{}", bridge.log());
        sleep(Duration::from_millis(20));
    }
    let audit = format!("{:?}", bridge.report("audit"));
    for word in ["recording.started", "recording.stopped", "by-command"] {
        assert!(audit.contains(word), "{word}: {audit}");
    }

    let files = files(bridge.directory.path());
    assert_eq!(files.len(), 4, "{files:?}");
    for file in &files {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file:?}");
    }
    let heard: Vec<_> = files.iter().map(|file| play(file)).collect();
    let mix = &heard[0];
    let voices = [host.voice(), guest.voice(), late.voice()];
    for voice in voices {
        assert!(loudest(mix, voice) > -30.0, "{voice} is in the mix");
        let alone = heard[1..]
            .iter()
            .filter(|track| loudest(track, voice) > -30.0);
        assert_eq!(alone.count(), 1, "{voice} has a file of its own");
        // What the jitter buffer does to a late packet is heard at other frequencies, too, and far softer than a voice.
        let others = heard[1..]
            .iter()
            .filter(|track| loudest(track, voice) < -40.0);
        assert_eq!(others.count(), 2, "{voice} is in no other's file");
    }
    // All files are of one length: to the end of the recording.
    assert!(heard.iter().all(|track| track.len() == mix.len()));
    let said = prompts(mix);
    assert!(said.contains(&Prompt::RecordingStarted), "{said:?}");
    let private = [
        Prompt::RollCall,
        Prompt::Two,
        Prompt::Muted,
        Prompt::Unmuted,
        Prompt::EnterPin,
        Prompt::ConferenceIsRecorded,
        Prompt::PeopleInConference,
        Prompt::RecordingStopped,
    ];
    assert!(
        !said.iter().any(|prompt| private.contains(prompt)),
        "{said:?}"
    );
    // While the guest was muted nothing of them was recorded: in the last second others alone are heard.
    let end = &mix[mix.len() - 8_000..];
    assert!(loudest(end, voices[1]) < -50.0);
    assert!(loudest(end, voices[2]) > -30.0);
}

/// What `recording list` shows, once that is so many files, all of them whole.
fn listed(bridge: &Bridge, count: usize) -> Vec<serde_json::Value> {
    let began = Instant::now();
    loop {
        let list = bridge.run(&["recording", "list", "--format", "json"]);
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&list.stdout).unwrap();
        let whole = rows.iter().filter(|row| row["seconds"].is_number());
        if (rows.len(), whole.count()) == (count, count) {
            return rows;
        }
        assert!(began.elapsed() < PATIENCE, "{rows:?}");
        sleep(Duration::from_millis(50));
    }
}

/// Records two seconds of a host who speaks.
fn record(bridge: &Bridge, host: &mut Phone) {
    host.press("*2");
    host.hears(Prompt::RecordingStarted);
    host.speak(true);
    host.listen(Duration::from_secs(2));
    host.press("*2");
    host.hears(Prompt::RecordingStopped);
    host.speak(false);
    assert!(bridge.log().contains("recording"), "{}", bridge.log());
}

#[test]
fn recordings_are_listed_copied_out_and_deleted() {
    let bridge = Bridge::start_configured("[recordings]\ntracks = true\n");
    let account = bridge.account(RECORDING);
    let mut host = first_host(&bridge, &account, 0);
    record(&bridge, &mut host);
    let rows = listed(&bridge, 2);
    assert!(rows[0]["call"].is_null() && rows[1]["call"].is_u64());
    let seconds = rows[0]["seconds"].as_f64().unwrap();
    assert!((2.0..8.0).contains(&seconds), "{rows:?}");

    let out = bridge.directory.path().join("board.opus");
    let ids = [0, 1].map(|n: usize| rows[n]["id"].to_string());
    let export = [
        "recording",
        "export",
        &*ids[0],
        "--out",
        out.to_str().unwrap(),
    ];
    let copied = bridge.json(&export);
    assert_eq!(copied["bytes"], rows[0]["bytes"]);
    assert!(loudest(&play(&out), host.voice()) > -30.0);
    let again = bridge.run(&export);
    assert_eq!(again.status.code(), Some(2), "it is there already");

    let deleted = bridge.json(&["recording", "delete", &ids[1]]);
    assert_eq!(deleted["deleted"].as_array().unwrap().len(), 1);
    assert_eq!(listed(&bridge, 1)[0]["id"], rows[0]["id"]);
    assert_eq!(files(bridge.directory.path()).len(), 1);
    let unknown = bridge.run(&["recording", "export", &ids[1], "--out", "x.opus"]);
    assert_eq!(unknown.status.code(), Some(2));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.contains("recording list"), "{said}");
    let audit = format!("{:?}", bridge.report("audit"));
    for word in ["recording.exported", "recording.deleted"] {
        assert!(audit.contains(word), "{word}: {audit}");
    }

    // The other one goes with its owner.
    let erased = bridge.run(&["person", "erase", "ada@example.org", "--yes"]);
    assert!(erased.status.success(), "{erased:?}");
    assert_eq!(files(bridge.directory.path()), Vec::<PathBuf>::new());
    assert!(listed(&bridge, 0).is_empty());
}

#[test]
fn who_may_not_record_hears_so_and_no_file_is_made() {
    let bridge = Bridge::start();
    let account = bridge.account(&[]);
    let mut host = first_host(&bridge, &account, 0);
    host.press("*2");
    host.hears(Prompt::RecordingNotAllowed);
    assert_eq!(files(bridge.directory.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_directory_that_cannot_be_written_is_told_to_the_host_and_the_operator() {
    let bridge = Bridge::start_configured("[recordings]\ndirectory = \"/dev/null/recordings\"\n");
    let account = bridge.account(RECORDING);
    let mut host = first_host(&bridge, &account, 0);
    host.press("*2");
    host.hears(Prompt::RecordingFailed);
    let log = bridge.log();
    assert!(log.contains("/dev/null/recordings"), "{log}");
    // The conference goes on.
    host.press("*6");
    host.hears(Prompt::Muted);
}

#[test]
fn a_kill_loses_less_than_a_second() {
    let bridge = Bridge::start();
    let account = bridge.account(RECORDING);
    let (mut host, guest) = two(&bridge, &account);
    guest.speak(true);
    host.press("*2");
    host.hears(Prompt::RecordingStarted);
    // The first pages are written.
    guest.listen(Duration::from_secs(2));
    let began = Instant::now();
    while files(bridge.directory.path()).is_empty() {
        assert!(began.elapsed() < PATIENCE);
        sleep(Duration::from_millis(20));
    }
    let before = play(&files(bridge.directory.path())[0]).len();
    let measured = Instant::now();
    sleep(Duration::from_secs(4));
    let passed = measured.elapsed();
    let directory = bridge.kill();
    let heard = play(&files(directory.path())[0]);
    // The next start ends the file and says how long it is.
    let bridge = Bridge::start_in(directory, &[]);
    let rows = listed(&bridge, 1);
    let seconds = rows[0]["seconds"].as_f64().unwrap();
    assert!(
        (seconds - heard.len() as f64 / 8_000.0).abs() < 0.1,
        "{seconds}"
    );
    assert!(bridge.log().contains("cut off"), "{}", bridge.log());
    let grew = (heard.len() - before) as f64 / 8_000.0;
    assert!(grew > passed.as_secs_f64() - 1.0, "{grew} s of {passed:?}");
    assert!(loudest(&heard[heard.len() - 4_000..], guest.voice()) > -30.0);
}
