//! How soon the noise detector flags music and noise, and how often it flags speech.
//!
//! `cargo run --release -p conclave-mixer --example noise -- FILES`: 8 kHz µ-law; a file whose name begins with
//! `speech` must never be flagged, any other always. `cargo xtask long noise` makes them and runs this.
#![allow(clippy::print_stdout, clippy::print_stderr)]
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

    println!("\n| speech | hours | false alarms |\n| --- | --- | --- |");
    let variants: [(&str, Variant); 4] = [
        ("as it is", <[i16]>::to_vec),
        ("15 dB softer", |samples| {
            samples
                .iter()
                .map(|s| (f64::from(*s) * 0.178) as i16)
                .collect()
        }),
        (
            "with pauses of 3 to 15 s in which one breathes",
            |samples| with_pauses(samples, 0.0),
        ),
        ("the same, 30 dB above the noise of the line", |samples| {
            with_pauses(samples, 0.0316)
        }),
    ];
    let mut total = (0, 0);
    for (name_of, variant) in variants {
        let (mut frames, mut alarms) = (0, 0);
        for file in &speech {
            let samples = variant(&read(file, 0.0));
            let mut line = NoiseDetector::default();
            let flags = samples
                .chunks_exact(FRAME)
                .filter(|f| line.push(f) == Some(true))
                .count();
            if flags > 0 {
                eprintln!("{flags} false in {}, {name_of}", name(file));
            }
            frames += samples.len() / FRAME;
            alarms += flags;
        }
        println!(
            "| {name_of} | {:.2} | {alarms} |",
            frames as f64 / 180_000.0
        );
        total = (total.0 + frames, total.1 + alarms);
    }
    println!("| all | {:.2} | {} |", total.0 as f64 / 180_000.0, total.1);
}

/// What is made of the samples of a file.
type Variant = fn(&[i16]) -> Vec<i16>;

/// Below this a frame is a pause between words.
const QUIET: f64 = 100.0;

/// The speech with longer pauses where it has short ones: each sixth one lasts 3 to 15 s, in which a breath of a second is
/// taken every four. The whole in noise of so much of the speech's own power.
fn with_pauses(samples: &[i16], noise: f64) -> Vec<i16> {
    let rms = |samples: &[i16]| {
        let power: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
        (power / samples.len().max(1) as f64).sqrt()
    };
    let loud = rms(samples);
    let (mut dice, mut dull) = (Dice(samples.len() as u32), 0.0);
    let mut hiss = move |dice: &mut Dice| {
        dull += (dice.unit() * 2.0 - 1.0 - dull) * 0.5;
        dull * 2.4
    };
    let (mut out, mut quiet) = (Vec::new(), 0);
    for frame in samples.chunks_exact(FRAME) {
        quiet = if rms(frame) < QUIET { quiet + 1 } else { 0 };
        out.extend(frame);
        if quiet == 8 && dice.unit() < 1.0 / 6.0 {
            let length = 8_000.0 * (3.0 + 12.0 * dice.unit());
            for n in 0..length as usize {
                let at = n as f64 / 8_000.0 % 4.0 - 1.0;
                let breath = if (0.0..1.0).contains(&at) {
                    (at * std::f64::consts::PI).sin().powi(2)
                } else {
                    0.0
                };
                // 30 dB below the speech, over a line that is never quite silent.
                let sample = hiss(&mut dice) * (loud * 0.0316 * breath + 8.0);
                out.push(sample as i16);
            }
        }
    }
    if noise > 0.0 {
        for sample in &mut out {
            let louder = f64::from(*sample) + hiss(&mut dice) * loud * noise;
            *sample = louder.clamp(-32_768.0, 32_767.0) as i16;
        }
    }
    out
}

/// Numbers that look drawn, the same on every run.
struct Dice(u32);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.0 >> 8) / f64::from(1 << 24)
    }
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
