//! Runs the built program on tones, and measures who hears whom.

use conclave_mixer::tone::strength_dbfs;
use std::path::Path;
use std::process::{Command, Output};

/// Each line's file, its rate and its tone.
const LINES: [(&str, u32, f64); 4] = [
    ("ann.wav", 8_000, 440.0),
    ("bob.wav", 8_000, 730.0),
    ("cyd.wav", 16_000, 1_070.0),
    ("dan.wav", 44_100, 1_610.0),
];

fn write_tone(path: &Path, hz: u32, frequency: f64, channels: u16) {
    let spec = hound::WavSpec {
        channels,
        sample_rate: hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    for i in 0..hz * u32::from(channels) {
        let turns = f64::from(i) * frequency / f64::from(hz);
        wav.write_sample(((turns * std::f64::consts::TAU).sin() * 4_000.0) as i16)
            .unwrap();
    }
    wav.finalize().unwrap();
}

fn mix_wavs(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mix_wavs"))
        .current_dir(dir)
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn each_line_hears_the_others_but_the_muted_one() {
    let dir = tempfile::tempdir().unwrap();
    for (file, hz, frequency) in LINES {
        write_tone(&dir.path().join(file), hz, frequency, 1);
    }
    let files = LINES.map(|(file, ..)| file);
    let output = mix_wavs(dir.path(), &[&["out", "2"], &files[..]].concat());
    assert!(output.status.success(), "{output:?}");

    for (listener, (file, ..)) in LINES.iter().enumerate() {
        let mut wav =
            hound::WavReader::open(dir.path().join(format!("out/heard-by-{file}"))).unwrap();
        let hz = wav.spec().sample_rate;
        assert_eq!(hz, [8_000, 8_000, 16_000, 48_000][listener]);
        let heard: Vec<i16> = wav.samples().map(Result::unwrap).collect();
        assert_eq!(heard.len(), hz as usize);
        // From the second tenth to the last but one: between the fades at both ends.
        let heard = &heard[heard.len() / 10..heard.len() * 9 / 10];
        for (talker, &(_, _, frequency)) in LINES.iter().enumerate() {
            let level = strength_dbfs(heard, frequency, hz);
            let audible = talker != listener && talker != 1;
            // A sine with a peak of 4,000 measures −21.3 dBFS.
            let right = if audible {
                (level + 21.3).abs() < 0.5
            } else {
                level < -75.0
            };
            assert!(right, "{file} hears {} at {level:.1} dBFS", LINES[talker].0);
        }
    }
}

#[test]
fn what_it_cannot_mix_it_names() {
    let dir = tempfile::tempdir().unwrap();
    write_tone(&dir.path().join("stereo.wav"), 8_000, 440.0, 2);
    std::fs::write(dir.path().join("noise.wav"), b"RIFFnothing").unwrap();
    for (args, says) in [
        (&["out", "0", "stereo.wav"][..], "stereo.wav: not mono"),
        (&["out", "0", "noise.wav"], "noise.wav: "),
        (&["out", "0", "absent.wav"], "absent.wav: "),
        (&["out", "x", "a.wav"], "usage"),
        (&["out", "1"], "usage"),
        (&[], "usage"),
    ] {
        let output = mix_wavs(dir.path(), args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains(says),
            "{args:?}: {error}"
        );
        assert!(!error.contains("panicked"), "{error}");
    }
}
