//! Tells stories of a bridge in the virtual world until one breaks a rule.
//!
//! `--seeds N` tells N of them, from `--from` on; `--seed S` tells one and prints how it ended.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

use std::process::ExitCode;

use conclave_sim::{Tale, run};

const USAGE: &str = "usage: conclave-sim [--seeds N] [--from S] | --seed S";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((from, count)) = seeds(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut sum = Tale::default();
    for seed in from..from.saturating_add(count) {
        match run(seed) {
            Ok(tale) => {
                sum.calls += tale.calls;
                sum.heard += tale.heard;
                sum.deeds += tale.deeds;
            }
            Err(failure) => {
                eprintln!("{failure}");
                return ExitCode::FAILURE;
            }
        }
        let told = seed - from + 1;
        if told.is_multiple_of(1_000) {
            println!("{told} stories told");
        }
    }
    println!(
        "{count} stories, {} calls, {} deeds: every rule held",
        sum.calls, sum.deeds
    );
    ExitCode::SUCCESS
}

/// The first seed, and how many.
fn seeds(arguments: &[String]) -> Option<(u64, u64)> {
    let (mut from, mut count) = (0, 1_000);
    for pair in arguments.chunks(2) {
        let [name, value] = pair else { return None };
        let value = value.parse().ok()?;
        match name.as_str() {
            "--seeds" => count = value,
            "--from" => from = value,
            "--seed" => (from, count) = (value, 1),
            _ => return None,
        }
    }
    Some((from, count))
}
