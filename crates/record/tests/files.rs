//! The files as a player sees them: what they hold, where it is, and what becomes of them when they are cut or the disk is full.

#![allow(clippy::unwrap_used)]

use std::{
    f64::consts::TAU,
    fs::{self, OpenOptions},
    io::Cursor,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    time::Duration,
};

use conclave_record::{
    FRAME, Feed, OggOpus, Origin, Plan, Recorder, StreamSettings, Summary, Told, mend,
};
use ogg::PacketReader;
use opus::{Channels, Decoder};

fn plan(folder: &Path) -> Plan {
    Plan {
        folder: folder.to_owned(),
        name: "talk".into(),
        tracks: true,
        bitrate: 32_000,
        serial: 7,
        comments: vec![("DATE".into(), "2026-11-28".into())],
    }
}

/// Feeds a recording as fast as it takes it, and says how it ended.
fn record(plan: Plan, feeding: impl FnOnce(&mut Feed)) -> (Told, Vec<PathBuf>) {
    let (tell, told) = mpsc::channel();
    let (recorder, mut feed) = Recorder::start(plan, move |word| drop(tell.send(word))).unwrap();
    feeding(&mut feed);
    drop(feed);
    recorder.wait();
    let mut files = Vec::new();
    for word in told {
        match word {
            Told::Begun { file } | Told::Track { file, .. } => files.push(file),
            Told::Progress { .. } => {}
            end @ (Told::Over(_) | Told::Failed { .. }) => return (end, files),
        }
    }
    panic!("a recording says how it ended");
}

fn over(told: Told) -> Summary {
    match told {
        Told::Over(summary) => summary,
        other => panic!("{other:?}"),
    }
}

/// 20 ms of a tone at a rate.
fn tone(hz: f64, rate: usize, tick: u64) -> Vec<i16> {
    let length = rate / 50;
    (0..length)
        .map(|n| {
            let time = (tick as usize * length + n) as f64 / rate as f64;
            (6_000.0 * (TAU * hz * time).sin()) as i16
        })
        .collect()
}

/// What a player hears: without what the head says to skip, and to the sample where the last page says that it ends.
fn play(bytes: &[u8]) -> Vec<i16> {
    let mut packets = PacketReader::new(Cursor::new(bytes));
    let head = packets.read_packet_expected().unwrap();
    assert!(head.first_in_stream() && head.data.starts_with(b"OpusHead\x01\x01"));
    let pre_skip = usize::from(u16::from_le_bytes([head.data[10], head.data[11]]));
    let tags = packets.read_packet_expected().unwrap();
    assert!(tags.data.starts_with(b"OpusTags"));
    let mut decoder = Decoder::new(48_000, Channels::Mono).unwrap();
    let (mut samples, mut end) = (Vec::new(), 0);
    // A cut page is an error of the reader's, and the end for a player.
    while let Ok(Some(packet)) = packets.read_packet() {
        let mut out = [0; 6 * FRAME];
        let count = decoder.decode(&packet.data, &mut out, false).unwrap();
        samples.extend_from_slice(&out[..count]);
        if packet.last_in_page() {
            end = packet.absgp_page() as usize;
            assert!(samples.len() >= end, "{} < {end}", samples.len());
            assert!(packet.last_in_stream() || samples.len() == end);
        }
    }
    samples.truncate(end);
    samples.drain(..pre_skip.min(end));
    samples
}

/// The level of a tone in dBFS, in a part of the sound that is given in milliseconds.
fn level(heard: &[i16], hz: f64, from_ms: usize, to_ms: usize) -> f64 {
    let part = &heard[from_ms * 48..to_ms * 48];
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in part.iter().enumerate() {
        let turn = TAU * hz * n as f64 / 48_000.0;
        re += f64::from(*sample) * turn.cos();
        im += f64::from(*sample) * turn.sin();
    }
    let amplitude = 2.0 * f64::hypot(re, im) / part.len() as f64;
    20.0 * (amplitude.max(1e-3) / 32_768.0).log10()
}

/// All of what is heard there, in dBFS.
fn loudness(heard: &[i16], from_ms: usize, to_ms: usize) -> f64 {
    let part = &heard[from_ms * 48..to_ms * 48];
    let power: f64 = part.iter().map(|x| f64::from(*x).powi(2)).sum();
    10.0 * ((power / part.len() as f64).max(1e-6) / 32_768_f64.powi(2)).log10()
}

/// A telephone's tone from the 2nd to the 4th second, a wideband one's from the 3rd to the 5th; eight seconds in all.
fn two_talk(feed: &mut Feed) {
    for tick in 0..400 {
        if (100..200).contains(&tick) {
            feed.hear(Origin::Voice(11), &tone(500.0, 8_000, tick));
        }
        if (150..250).contains(&tick) {
            feed.hear(Origin::Voice(22), &tone(1_300.0, 48_000, tick));
        }
        if tick < 50 {
            feed.hear(Origin::Room, &tone(900.0, 16_000, tick));
        }
        feed.end_tick(1_000 + tick);
        if tick % 200 == 0 {
            std::thread::sleep(Duration::from_millis(150)); // the queue takes five seconds
        }
    }
}

#[test]
fn all_and_each_stand_where_they_spoke() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("deep/recordings");
    let (told, files) = record(plan(&folder), two_talk);
    let summary = over(told);
    assert_eq!((summary.files, summary.time), (3, Duration::from_secs(8)));
    assert_eq!((summary.lost, summary.left_out), (Duration::ZERO, 0));
    let bytes: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert_eq!(summary.bytes, bytes.iter().map(|b| b.len() as u64).sum());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert!(files.iter().all(|file| mode(file) == 0o600));
    assert_eq!(mode(&folder), 0o700);

    let [mix, one, other] = &bytes[..] else {
        panic!("{files:?}")
    };
    let (mix, one, other) = (play(mix), play(one), play(other));
    for heard in [&mix, &one, &other] {
        assert_eq!(heard.len(), 8 * 48_000);
        assert!(loudness(heard, 5_200, 8_000) < -80.0, "silence is silent");
    }
    let loud = |heard: &[i16], hz, from, to| {
        let level = level(heard, hz, from, to);
        assert!((level + 14.7).abs() < 1.5, "{hz}: {level:.1}");
    };
    let quiet = |heard: &[i16], hz, from, to| {
        let level = level(heard, hz, from, to);
        assert!(level < -65.0, "{hz}: {level:.1}");
    };
    loud(&mix, 900.0, 100, 900);
    loud(&mix, 500.0, 2_100, 3_900);
    loud(&mix, 1_300.0, 3_100, 4_900);
    quiet(&mix, 500.0, 4_200, 4_900);
    quiet(&mix, 1_300.0, 2_100, 2_900);
    loud(&one, 500.0, 2_100, 3_900);
    loud(&other, 1_300.0, 3_100, 4_900);
    for part in [(0, 1_900), (4_200, 8_000)] {
        assert!(loudness(&one, part.0, part.1) < -65.0);
    }
    assert!(loudness(&other, 0, 2_900) < -65.0);
    // To the millisecond: where the tone rises above half its level.
    let begins = |heard: &[i16]| heard.iter().position(|x| x.abs() > 3_000).unwrap() / 48;
    assert!((1_997..2_006).contains(&begins(&one)), "{}", begins(&one));
    let late = begins(&other);
    assert!((2_997..3_006).contains(&late), "{late}");
}

#[test]
fn silence_costs_next_to_nothing() {
    const SOME: usize = 50 * 600;
    let mut stream = OggOpus::new(Vec::new(), &StreamSettings::default()).unwrap();
    let frame: [i16; FRAME] = tone(700.0, 48_000, 0).try_into().unwrap();
    stream.write(&frame).unwrap();
    let before = stream.get_ref().len();
    stream.silence(SOME as u64).unwrap();
    let bytes = stream.get_ref().len() - before;
    assert!(bytes < 600 * 90, "{bytes}");
    stream.write(&frame).unwrap();
    let heard = play(&stream.finish().unwrap());
    assert_eq!(heard.len(), (SOME + 2) * FRAME);
    assert!(loudness(&heard, 200, 599_000) < -90.0);
    assert!(loudness(&heard, 600_020, 600_040) > -30.0);
}

#[test]
fn a_file_cut_anywhere_plays_to_there() {
    let mut stream = OggOpus::new(Vec::new(), &StreamSettings::default()).unwrap();
    let headed = stream.get_ref().len();
    for tick in 0..200 {
        let frame = tone(440.0, 48_000, tick);
        stream.write(&frame.try_into().unwrap()).unwrap();
        // What was taken more than half a second ago is out.
        let out = play(stream.get_ref()).len() / FRAME;
        assert!(out + 26 >= tick as usize, "{out}, {tick}");
    }
    let whole = stream.finish().unwrap();
    let all = play(&whole);
    assert_eq!(all.len(), 200 * FRAME);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cut.opus");
    for cut in (headed..whole.len()).step_by(97) {
        let heard = play(&whole[..cut]);
        assert_eq!(heard[..], all[..heard.len()], "cut at {cut}");
        fs::write(&file, &whole[..cut]).unwrap();
        let mended = mend(&file).unwrap();
        let bytes = fs::read(&file).unwrap();
        assert_eq!(mended.bytes, bytes.len() as u64);
        assert_eq!(play(&bytes), heard, "mended after a cut at {cut}");
        let samples = (mended.time.as_secs_f64() * 48_000.0).round() as usize;
        assert_eq!(samples, heard.len());
        if !heard.is_empty() {
            let mut packets = PacketReader::new(Cursor::new(&bytes));
            let packets = std::iter::from_fn(|| packets.read_packet().unwrap());
            assert!(packets.last().unwrap().last_in_stream());
        }
        // Once more changes nothing.
        assert_eq!(mend(&file).unwrap(), mended);
        assert_eq!(fs::read(&file).unwrap(), bytes);
    }
    for (what, bytes) in [
        ("head alone", &whole[..40]),
        ("something else", b"RIFF, and so on" as &[u8]),
        ("nothing", b""),
    ] {
        fs::write(&file, bytes).unwrap();
        mend(&file).expect_err(what);
        assert_eq!(fs::read(&file).unwrap(), bytes, "{what}");
    }
}

/// Another player than libopus: it takes a whole file, one that was cut, and one that was mended.
#[test]
fn ffmpeg_plays_it_whole_or_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (told, files) = record(plan(folder.path()), two_talk);
    over(told);
    let check = |file: &Path, seconds: f64| {
        let decoded = Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(file)
            .args(["-f", "s16le", "-ac", "1", "-ar", "48000", "-"])
            .output()
            .unwrap();
        let complaints = String::from_utf8_lossy(&decoded.stderr);
        assert!(decoded.status.success(), "{complaints}");
        let heard: Vec<i16> = decoded
            .stdout
            .chunks_exact(2)
            .map(|s| i16::from_le_bytes([s[0], s[1]]))
            .collect();
        let length = heard.len() as f64 / 48_000.0;
        assert!((length - seconds).abs() < 0.6, "{length}, {seconds}");
        assert!(loudness(&heard, 100, 900) > -90.0 || !file.ends_with("talk.opus"));
        (heard, complaints.into_owned())
    };
    for file in &files {
        let (heard, complaints) = check(file, 8.0);
        assert_eq!(complaints, "", "{file:?}");
        assert_eq!(heard.len(), 8 * 48_000);
        assert!(loudness(&heard, 5_300, 8_000) < -80.0);
    }
    let (heard, _) = check(&files[2], 8.0);
    assert!((level(&heard, 1_300.0, 3_100, 4_900) + 14.7).abs() < 1.5);
    let length = fs::metadata(&files[0]).unwrap().len();
    let half = OpenOptions::new().write(true).open(&files[0]).unwrap();
    for cut in [length / 2, length / 2 - 17, length / 3] {
        half.set_len(cut).unwrap();
        let seconds = play(&fs::read(&files[0]).unwrap()).len() as f64 / 48_000.0;
        assert!((1.0..6.0).contains(&seconds));
        check(&files[0], seconds);
    }
    let mended = mend(&files[0]).unwrap().time.as_secs_f64();
    let (_, complaints) = check(&files[0], mended);
    assert_eq!(complaints, "", "mended");
}

#[test]
fn ticks_that_were_left_out_are_silence() {
    let folder = tempfile::tempdir().unwrap();
    let (told, files) = record(plan(folder.path()), |feed| {
        for tick in (0..50).chain(100..150) {
            feed.hear(Origin::Voice(1), &tone(600.0, 16_000, tick));
            feed.end_tick(tick);
        }
    });
    assert_eq!(over(told).time, Duration::from_secs(3));
    for file in files {
        let heard = play(&fs::read(file).unwrap());
        assert_eq!(heard.len(), 3 * 48_000);
        assert!(level(&heard, 600.0, 100, 900) > -17.0);
        assert!(loudness(&heard, 1_200, 1_900) < -70.0);
        assert!(level(&heard, 600.0, 2_100, 2_900) > -17.0);
    }
}

#[test]
fn what_the_disk_refuses_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |plan: Plan, at: &Path| {
        let (told, _) = record(plan, two_talk);
        let Told::Failed { error, .. } = told else {
            panic!("{told:?}")
        };
        assert_eq!((error.path(), error.is_full()), (at, false), "{error}");
    };
    // A name that is taken.
    let taken = folder.path().join("talk.opus");
    fs::write(&taken, "somebody else's").unwrap();
    refused(plan(folder.path()), &taken);
    assert_eq!(fs::read_to_string(&taken).unwrap(), "somebody else's");
    // A directory that can't be.
    let below = taken.join("below");
    refused(plan(&below), &below);
}
