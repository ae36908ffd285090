//! What a tick costs, counted rather than timed: instructions and cache misses of the engine's plane, by callgrind.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::run::{Failure, Result, cargo, numbers, output};

/// The ticks that the counted test makes.
const TICKS: u64 = 20;
const TEST: &str = "plane::tests::a_tick_to_be_counted";
/// A second-level cache as servers have it for each core; callgrind knows two levels.
const CACHES: [&str; 2] = ["--D1=32768,8,64", "--LL=524288,8,64"];

/// `tick-cost [LEGS ...]`: one room of so many legs, three of which talk.
pub(crate) fn tick_cost(arguments: &[String]) -> Result {
    let usual = [50, 100, 200, 500, 1_000, 2_000];
    let numbers = numbers(arguments, "tick-cost: LEGS", usual)?;
    let program = test_program()?;
    let counts = std::env::temp_dir().join(format!("conclave-tick-{}", std::process::id()));
    println!("| legs in the room | instructions a leg and tick | misses of 32 KiB | of 512 KiB |");
    println!("| --- | --- | --- | --- |");
    for legs in numbers.into_iter().map(u64::from) {
        output(
            Command::new("valgrind")
                .args(["--tool=callgrind", "--cache-sim=yes"])
                .args(CACHES)
                .arg("--toggle-collect=*counted_tick*")
                .arg(format!("--callgrind-out-file={}", counts.display()))
                .arg(&program)
                .args(["--exact", TEST, "--ignored", "--test-threads=1"])
                .env("CONCLAVE_LEGS", legs.to_string()),
        )?;
        let text = fs::read_to_string(&counts)
            .map_err(|e| Failure(format!("{}: {e}", counts.display())))?;
        let [instructions, near, far] = totals(&text)?;
        let each = |count: u64| count as f64 / (legs * TICKS) as f64;
        println!(
            "| {legs} | {:.0} | {:.1} | {:.1} |",
            each(instructions),
            each(near),
            each(far)
        );
    }
    let _ = fs::remove_file(counts);
    Ok(())
}

/// The engine's tests, optimised.
fn test_program() -> Result<PathBuf> {
    let built = output(&mut cargo(&[
        "test",
        "--release",
        "-p",
        "conclave-engine",
        "--lib",
        "--no-run",
        "--message-format=json",
    ]))?;
    let built = String::from_utf8_lossy(&built);
    let messages = built
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let program = messages
        .filter(|message: &Value| message["target"]["name"] == "conclave_engine")
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    program.ok_or_else(|| Failure("cargo names no program for the engine's tests".into()))
}

/// Instructions, data misses of the first cache, data misses of the last.
fn totals(callgrind: &str) -> Result<[u64; 3]> {
    let line = |name: &str| {
        let mut lines = callgrind.lines();
        lines.find_map(|line| line.strip_prefix(name))
    };
    let (events, totals) = line("events: ")
        .zip(line("totals: ").or(line("summary: ")))
        .ok_or_else(|| Failure("callgrind counted nothing".into()))?;
    let count = |event: &str| -> u64 {
        let mut pairs = events.split(' ').zip(totals.split(' '));
        let found = pairs.find(|(name, _)| *name == event);
        found.and_then(|(_, count)| count.parse().ok()).unwrap_or(0)
    };
    Ok([
        count("Ir"),
        count("D1mr") + count("D1mw"),
        count("DLmr") + count("DLmw"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_by_their_names() {
        let text = "version: 1\nevents: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw\nfn=x\n1 2\ntotals: 100 1 1 9 20 3 9 4 1\n";
        assert_eq!(totals(text).unwrap(), [100, 23, 5]);
        assert!(totals("events: Ir\n").is_err());
    }
}
