//! What a tick costs, counted rather than timed: instructions and cache misses of the engine's plane, by callgrind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::load::Rooms;
use crate::run::{Failure, Result, cargo, numbers, output, root};

/// The ticks that the counted test makes.
const TICKS: u64 = 20;
const TEST: &str = "plane::tests::a_tick_to_be_counted";
/// A second-level cache as servers have it for each core; callgrind knows two levels.
const CACHES: [&str; 2] = ["--D1=32768,8,64", "--LL=524288,8,64"];

/// For each leg and tick.
struct Cost {
    legs: u32,
    instructions: f64,
    misses: [f64; 2],
}

/// `tick-cost [LEGS ...]`: so many legs in one room and in rooms of four. With the usual numbers the picture in `docs` is drawn anew.
pub(crate) fn tick_cost(arguments: &[String]) -> Result {
    let usual = [3, 10, 50, 100, 200, 500, 1_000, 2_000];
    let numbers = numbers(arguments, "tick-cost: LEGS", usual)?;
    let program = test_program()?;
    println!("| legs | rooms | instructions a leg and tick | misses of 32 KiB | of 512 KiB |");
    println!("| --- | --- | --- | --- | --- |");
    let mut lines = Vec::new();
    for (rooms, name) in [
        (Rooms::One, "one room, 3 talk"),
        (Rooms::OfFour, "rooms of 4, 1 talks"),
    ] {
        let mut costs = Vec::new();
        for &legs in &numbers {
            let rooms = rooms.of(legs);
            let cost = counted(&program, legs, rooms)?;
            let [near, far] = cost.misses;
            println!(
                "| {legs} | {rooms} | {:.0} | {near:.1} | {far:.1} |",
                cost.instructions
            );
            costs.push(cost);
        }
        lines.push((name, costs));
    }
    if arguments.is_empty() {
        let file = root().join("docs/tick-cost.svg");
        fs::write(&file, picture(&lines))
            .map_err(|e| Failure(format!("{}: {e}", file.display())))?;
    }
    Ok(())
}

fn counted(program: &Path, legs: u32, rooms: u32) -> Result<Cost> {
    let counts = std::env::temp_dir().join(format!("conclave-tick-{}", std::process::id()));
    output(
        Command::new("valgrind")
            .args(["--tool=callgrind", "--cache-sim=yes"])
            .args(CACHES)
            .arg("--toggle-collect=*counted_tick*")
            .arg(format!("--callgrind-out-file={}", counts.display()))
            .arg(program)
            .args(["--exact", TEST, "--ignored", "--test-threads=1"])
            .env("CONCLAVE_LEGS", legs.to_string())
            .env("CONCLAVE_ROOMS", rooms.to_string()),
    )?;
    let text =
        fs::read_to_string(&counts).map_err(|e| Failure(format!("{}: {e}", counts.display())))?;
    let _ = fs::remove_file(counts);
    let [instructions, near, far] = totals(&text)?;
    let each = |count: u64| count as f64 / (u64::from(legs) * TICKS) as f64;
    Ok(Cost {
        legs,
        instructions: each(instructions),
        misses: [each(near), each(far)],
    })
}

/// Instructions over legs, whose axis is a logarithm's.
fn picture(lines: &[(&str, Vec<Cost>)]) -> String {
    const LEFT: f64 = 70.0;
    const RIGHT: f64 = 640.0;
    const TOP: f64 = 30.0;
    const BOTTOM: f64 = 300.0;
    let costs = || lines.iter().flat_map(|(_, costs)| costs);
    let most = costs().fold(1_000.0_f64, |most, cost| most.max(cost.instructions));
    let most = (most / 1_000.0).ceil() * 1_000.0;
    let widest = costs().fold(10.0_f64, |most, cost| most.max(cost.legs.into()));
    let x = |legs: f64| LEFT + (RIGHT - LEFT) * legs.log10() / widest.log10();
    let y = |instructions: f64| BOTTOM - (BOTTOM - TOP) * instructions / most;
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 820 350\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>Instructions for each leg and tick, by how many legs there are</title>\n\
         <rect width=\"820\" height=\"350\" fill=\"white\"/>\n",
    );
    let mut text = |x: f64, y: f64, anchor: &str, words: &str| {
        svg +=
            &format!("<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{words}</text>\n");
    };
    text(
        LEFT,
        TOP - 12.0,
        "start",
        "instructions for each leg and tick",
    );
    text((LEFT + RIGHT) / 2.0, BOTTOM + 40.0, "middle", "legs");
    for legs in [1, 10, 100, 1_000] {
        text(x(legs.into()), BOTTOM + 20.0, "middle", &legs.to_string());
    }
    let marks = (0..=most as u32).step_by(1_000).map(f64::from);
    for mark in marks.clone() {
        text(LEFT - 8.0, y(mark) + 4.0, "end", &mark.to_string());
    }
    for ((name, costs), _) in lines.iter().zip(COLOURS) {
        if let Some(last) = costs.last() {
            text(RIGHT + 10.0, y(last.instructions) + 4.0, "start", name);
        }
    }
    for at in marks.map(y) {
        svg += &format!(
            "<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ccc\"/>\n"
        );
    }
    for ((_, costs), colour) in lines.iter().zip(COLOURS) {
        let points: Vec<_> = costs
            .iter()
            .map(|cost| format!("{:.1},{:.1}", x(cost.legs.into()), y(cost.instructions)))
            .collect();
        svg += &format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
            points.join(" ")
        );
    }
    svg + "</svg>\n"
}

const COLOURS: [&str; 2] = ["#1f5fa8", "#b3541e"];

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
    fn a_line_goes_from_few_legs_to_many() {
        let cost = |legs, instructions| Cost {
            legs,
            instructions,
            misses: [0.0; 2],
        };
        let drawn = picture(&[("one room", vec![cost(1, 4_000.0), cost(1_000, 2_000.0)])]);
        assert!(
            drawn.contains("points=\"70.0,30.0 640.0,165.0\""),
            "{drawn}"
        );
        assert!(drawn.contains(">one room</text>"));
    }

    #[test]
    fn counts_are_found_by_their_names() {
        let text = "version: 1\nevents: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw\nfn=x\n1 2\ntotals: 100 1 1 9 20 3 9 4 1\n";
        assert_eq!(totals(text).unwrap(), [100, 23, 5]);
        assert!(totals("events: Ir\n").is_err());
    }
}
