//! How soon the noise detector flags music and noise, and how often it flags speech.
//!
//! `cargo run --release -p conclave-mixer --example noise -- FILES`: 8 kHz µ-law; a file whose name begins with
//! `speech` must never be flagged, any other always. How to make them stands in `docs/audio.md`.
#![allow(clippy::print_stdout)]
#![allow(clippy::unwrap_used, reason = "a campaign may fail")]

use std::path::Path;

use conclave_mixer::NoiseDetector;

const FRAME: usize = 160;
/// A line begins to play at each of these steps through a piece.
const STEP: usize = 50;
/// The wanted limit, in frames.
const LIMIT: usize = 500;
/// What each piece is played at, against its own level.
const GAINS_DB: [f64; 3] = [-15.0, 0.0, 6.0];

fn main() {
    let (speech, played): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|file| name(file).starts_with("speech"));
    println!(
        "| plays | starts | flagged in 10 s | p50 s | p99 s |\n| --- | --- | --- | --- | --- |"
    );
    let mut total = (0, 0);
    for file in &played {
        let (starts, mut times) = (GAINS_DB.iter().flat_map(|gain| starts(&read(file, *gain))))
            .fold((0, Vec::new()), |(n, mut times), time| {
                times.extend(time);
                (n + 1, times)
            });
        times.sort_unstable();
        let at = |percent: usize| {
            let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(place).map_or(f64::NAN, |t| *t as f64 / 50.0)
        };
        let (flagged, p50, p99) = (times.len(), at(50), at(99));
        println!(
            "| {} | {starts} | {flagged} | {p50:.1} | {p99:.1} |",
            name(file)
        );
        total = (total.0 + starts, total.1 + flagged);
    }
    let missed = 100.0 * (total.0 - total.1) as f64 / f64::from(total.0.max(1) as u32);
    println!("\n{missed:.2} % of {} starts missed", total.0);

    let (mut frames, mut alarms) = (0, 0);
    for file in &speech {
        let samples = read(file, 0.0);
        let mut line = NoiseDetector::default();
        let flags = samples
            .chunks_exact(FRAME)
            .filter(|f| line.push(f) == Some(true))
            .count();
        if flags > 0 {
            println!("{flags} false in {}", name(file));
        }
        frames += samples.len() / FRAME;
        alarms += flags;
    }
    println!(
        "{alarms} false in {:.2} h of speech",
        frames as f64 / 180_000.0
    );
}

/// For each start, the frames until the flag, if it came in time.
fn starts(samples: &[i16]) -> Vec<Option<usize>> {
    let frames: Vec<&[i16]> = samples.chunks_exact(FRAME).collect();
    let spans = frames.windows(LIMIT).step_by(STEP);
    spans
        .map(|span| {
            let mut line = NoiseDetector::default();
            span.iter()
                .position(|f| line.push(f) == Some(true))
                .map(|at| at + 1)
        })
        .collect()
}

fn name(file: &str) -> &str {
    Path::new(file)
        .file_stem()
        .and_then(|n| n.to_str())
        .unwrap()
}

fn read(file: &str, gain_db: f64) -> Vec<i16> {
    let gain = 10_f64.powf(gain_db / 20.0);
    let linear = |byte: u8| {
        let byte = !byte;
        let size = ((i32::from(byte & 15) << 3) + 0x84) << ((byte & 0x70) >> 4);
        let size = size - 0x84;
        if byte & 0x80 == 0 { size } else { -size }
    };
    let bytes = std::fs::read(file).unwrap();
    bytes
        .into_iter()
        .map(|b| (f64::from(linear(b)) * gain).clamp(-32_768.0, 32_767.0) as i16)
        .collect()
}
