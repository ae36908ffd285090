//! Music of many kinds, steady noises and hours of speech, as a telephone carries them, and the noise detector on them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    run::{Failure, Result, cargo, on_path, output, root, run},
    talk_off,
};

/// Debian's free pieces of hold music.
const PIECES: &str = "/usr/share/asterisk/moh";
const OUR_MUSIC: &str = "examples/bridge/prompts/en/hold-music.wav";

/// What sox makes: a name, the arguments that say what it is, and whether it goes through a telephone's band.
const MADE: &[(&str, &str, bool)] = &[
    ("white noise", "synth 60 whitenoise gain -20", true),
    ("pink noise", "synth 60 pinknoise gain -20", true),
    ("brown noise", "synth 60 brownnoise gain -20", true),
    (
        "fan, pink noise that swells",
        "synth 60 pinknoise tremolo 1.5 30 gain -20",
        true,
    ),
    (
        "hum, 100 Hz with its harmonics",
        "synth 60 sawtooth 100 gain -25",
        false,
    ),
    ("dial tone, 425 Hz", "synth 60 sine 425 gain -12", true),
    (
        "organ, one chord",
        "synth 60 sine 220 sine 277.2 sine 329.6 sine 440 remix - gain -n -9",
        true,
    ),
    (
        "plucked strings, four notes",
        "synth 0.5 pluck 196 : synth 0.5 pluck 247 : synth 0.5 pluck 294 : synth 0.5 pluck 392",
        true,
    ),
    (
        "plucked bass, slow",
        "synth 1 pluck 98 : synth 1 pluck 147 : synth 1 pluck 131 : synth 1 pluck 110",
        true,
    ),
    (
        "flute, a scale",
        "synth 0.4 triangle 523 : synth 0.4 triangle 587 : synth 0.4 triangle 659 : synth 0.4 triangle 784",
        true,
    ),
    (
        "strings, chords that change",
        "synth 2 sawtooth 196 sawtooth 247 sawtooth 294 remix - : synth 2 sawtooth 175 sawtooth 220 sawtooth 262 remix -",
        true,
    ),
    (
        "bells, dying away",
        "synth 1.5 sine 880 sine 1320 sine 2093 remix - fade l 0 1.5 1.4",
        true,
    ),
    (
        "telephone keyboard tune",
        "synth 0.25 square 659 : synth 0.25 square 622 : synth 0.25 square 659 : synth 0.5 square 494",
        true,
    ),
];

/// Makes what isn't there yet, then runs the tables.
pub(crate) fn noise(arguments: &[String]) -> Result {
    if let Some(more) = arguments.first() {
        return Err(Failure(format!("noise takes nothing, not `{more}`")));
    }
    if !on_path("sox") || !Path::new(PIECES).is_dir() {
        return Err(Failure(
            "the music needs more; as root: apt-get install sox asterisk-moh-opsound-wav".into(),
        ));
    }
    let directory = root().join("target/noise");
    fs::create_dir_all(&directory)
        .map_err(|e| Failure(format!("cannot make {}: {e}", directory.display())))?;
    let mut files = vec![piece(
        &directory,
        "our hold music",
        &root().join(OUR_MUSIC),
    )?];
    for (name, path) in pieces()? {
        files.push(piece(&directory, &name, &path)?);
    }
    for (name, how, band) in MADE {
        files.push(made(&directory, name, how, *band)?);
    }
    for reading in talk_off::quick_readings()? {
        files.push(as_speech(&directory, &reading)?);
    }
    let example = [
        "run",
        "--release",
        "-p",
        "conclave-mixer",
        "--example",
        "noise",
        "--",
    ];
    run(cargo(&example).args(files))
}

/// Debian's pieces and what they are called.
fn pieces() -> Result<Vec<(String, PathBuf)>> {
    let unreadable = |e| Failure(format!("cannot list {PIECES}: {e}"));
    let mut pieces = Vec::new();
    for entry in fs::read_dir(PIECES).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|kind| kind == "wav") {
            let name = path.file_stem().map(|name| name.to_string_lossy());
            let name = name.unwrap_or_default().replace(['-', '_'], " ");
            pieces.push((name, path));
        }
    }
    pieces.sort();
    Ok(pieces)
}

fn piece(directory: &Path, name: &str, from: &Path) -> Result<PathBuf> {
    let mut sox = Command::new("sox");
    sox.arg(from);
    through_a_telephone(sox, directory, name, "", true)
}

fn made(directory: &Path, name: &str, how: &str, band: bool) -> Result<PathBuf> {
    // What is made of parts is a minute long by being repeated.
    let mut sox = Command::new("sox");
    sox.args(["-R", "-r", "48000", "-n"]);
    if how.contains("synth 60") {
        return through_a_telephone(sox, directory, name, how, band);
    }
    let part = directory.join("part.wav");
    sox.args(["-c", "1"]).arg(&part);
    output(sox.args(how.split(' ')).stderr(Stdio::null()))?;
    let mut sox = Command::new("sox");
    sox.arg(&part);
    through_a_telephone(sox, directory, name, "repeat 39 trim 0 60", band)
}

/// As µ-law of 8 kHz; music as loud as speech is in `long dtmf`, noise as loud as it was made.
fn through_a_telephone(
    mut sox: Command,
    directory: &Path,
    name: &str,
    effects: &str,
    band: bool,
) -> Result<PathBuf> {
    let done = directory.join(format!("{name}.ul"));
    if done.exists() {
        return Ok(done);
    }
    let part = directory.join("part.ul");
    sox.args(["-t", "ul", "-r", "8000", "-c", "1"]).arg(&part);
    sox.args(effects.split(' ').filter(|word| !word.is_empty()));
    if !effects.contains("gain") {
        sox.args(["gain", "-n", "-6"]);
    }
    sox.args(["rate", "8000"]);
    if band {
        sox.args(["sinc", "300-3400"]);
    }
    if !effects.contains("gain") {
        sox.args(["gain", "-n", "-3"]);
    }
    output(sox.stderr(Stdio::null()))?;
    fs::rename(&part, &done)
        .map_err(|e| Failure(format!("cannot write {}: {e}", done.display())))?;
    Ok(done)
}

/// Where its name begins with what the detector's table takes for speech.
fn as_speech(directory: &Path, reading: &Path) -> Result<PathBuf> {
    let name = reading.file_name().unwrap_or_default().to_string_lossy();
    let copy = directory.join(format!("speech {name}"));
    if !copy.exists() {
        fs::copy(reading, &copy)
            .map_err(|e| Failure(format!("cannot write {}: {e}", copy.display())))?;
    }
    Ok(copy)
}
