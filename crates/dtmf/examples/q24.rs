//! How the tone detector keeps to ITU-T Q.24, as tables, and how often it takes speech for a digit.
//!
//! `cargo xtask long dtmf` makes the speech and runs it. By hand:
//! `cargo run --release -p conclave-dtmf --example q24 -- [FILES of 8 kHz µ-law speech]`
#![allow(clippy::print_stdout)]
#![allow(clippy::unwrap_used, reason = "a campaign may fail")]

#[path = "../tests/synthesis/mod.rs"]
mod synthesis;

use std::{collections::BTreeMap, path::Path};

use conclave_dtmf::ToneDetector;
use synthesis::{Line, Press, digits, limits::LIMITS};

const TRIES: u64 = 10_000;

fn main() {
    limits();
    ten_thousand();
    let files: Vec<String> = std::env::args().skip(1).collect();
    talk_off(&files);
}

fn limits() {
    println!("| limit | tried | wanted | as wanted, of {TRIES} |\n| --- | --- | --- | --- |");
    for limit in LIMITS {
        let right = (0..TRIES)
            .filter(|seed| {
                let (samples, expected) = limit.attempt(*seed);
                digits(&samples) == expected
            })
            .count();
        let wanted = if limit.accepted {
            "accepted"
        } else {
            "refused"
        };
        println!("| {} | {} | {wanted} | {right} |", limit.what, limit.side);
    }
}

/// One call with 10,000 digits on a noisy line.
fn ten_thousand() {
    let mut line = Line::new(1);
    for _ in 0..10_000 {
        let key = line.chance.key();
        line.press(Press::of(key));
        line.pause(50.0);
    }
    line.noise((-10.0, -10.0), 15.0);
    let (heard, pressed) = (digits(&line.sampled()), line.keys);
    let wrong = heard.chars().zip(pressed.chars()).filter(|(a, b)| a != b);
    println!(
        "\n10,000 digits of 50 ms, 50 ms apart, 15 dB above the noise: {} heard, {} of them wrong",
        heard.len(),
        wrong.count()
    );
}

/// What one kind of voice came to.
#[derive(Default)]
struct Heard {
    samples: usize,
    digits: String,
    frames: usize,
    suspected: usize,
}

fn talk_off(files: &[String]) {
    println!(
        "\n| voice | hours | false digits | frames kept from others |\n| --- | --- | --- | --- |"
    );
    let mut voices: BTreeMap<String, Heard> = BTreeMap::new();
    for file in files {
        let name = Path::new(file).file_stem().unwrap().to_string_lossy();
        let voice = name.split('~').next().unwrap_or(&name).to_owned();
        let codes = std::fs::read(file).unwrap();
        let samples: Vec<i16> = codes.iter().map(|code| ulaw(*code)).collect();
        let mut tones = ToneDetector::new();
        for heard in [voice, "all".to_owned()] {
            voices.entry(heard).or_default();
        }
        let mut heard = Heard {
            samples: samples.len(),
            ..Heard::default()
        };
        for frame in samples.chunks(160) {
            tones.push(frame, |digit| heard.digits.push(digit.as_char()));
            heard.frames += 1;
            heard.suspected += usize::from(tones.suspects());
        }
        for key in [name.split('~').next().unwrap(), "all"] {
            let sum = voices.get_mut(key).unwrap();
            sum.samples += heard.samples;
            sum.digits += &heard.digits;
            sum.frames += heard.frames;
            sum.suspected += heard.suspected;
        }
    }
    for (voice, heard) in &voices {
        let hours = heard.samples as f64 / 8_000.0 / 3_600.0;
        let part = 100.0 * heard.suspected as f64 / heard.frames.max(1) as f64;
        println!(
            "| {voice} | {hours:.2} | {} {} | {part:.4} % |",
            heard.digits.len(),
            heard.digits
        );
    }
}

/// By the formula of ITU-T G.711.
fn ulaw(code: u8) -> i16 {
    let code = !code;
    let magnitude = (((i16::from(code & 0x0f) << 3) + 0x84) << (code >> 4 & 7)) - 0x84;
    if code & 0x80 == 0 {
        magnitude
    } else {
        -magnitude
    }
}
