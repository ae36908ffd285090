//! Guessers besiege a bridge for virtual days: how many doors they open, against the computed
//! odds, by lines, days and policy, and what honest callers notice meanwhile. Prints Markdown.
//!
//! `attack [SEED [TABLE]]`, where a table is one of `odds`, `waits`, `rates` and `stories`; without,
//! all of them.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

mod bridges;
mod grid;
mod siege;

use chrono::TimeDelta;
use conclave_accounts::{Odds, PinPolicy};
use grid::{longest, median};
use siege::{Plan, Report, Siege};

fn main() {
    let seed = std::env::args()
        .nth(1)
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    let wanted = std::env::args().nth(2);
    let tables: [Table; 4] = [
        ("odds", grid::odds),
        ("waits", grid::waits),
        ("rates", rates),
        ("stories", stories),
    ];
    for (name, print) in tables {
        if wanted.as_deref().is_none_or(|wanted| wanted == name) {
            print(seed);
        }
    }
}

/// A table's name, and what prints it.
type Table = (&'static str, fn(u64));

fn siege(plan: Plan, guest_digits: u8, seed: u64) -> Siege {
    Siege {
        plan,
        policy: PinPolicy {
            guest_digits,
            ..PinPolicy::default()
        },
        accounts: 1000,
        bridges: 1,
        lines: 30,
        days: 30,
        try_takes: TimeDelta::seconds(5),
        honest: false,
        seed,
    }
}

/// Doors opened against the odds, on PINs short enough to be opened, and on real ones.
fn rates(seed: u64) {
    println!(
        "| plan | Guest PIN | days | doors a day, computed | measured | days with one, computed | measured |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let row = |plan, digits, runs: u64, days| {
        let reports: Vec<_> = (0..runs)
            .map(|run| {
                Siege {
                    days,
                    ..siege(plan, digits, seed * 1000 + plan as u64 * 100 + run)
                }
                .run()
            })
            .collect();
        let all_days = f64::from(days) * runs as f64;
        let odds = reports
            .first()
            .and_then(|report| report.odds)
            .expect("at least one run");
        let sum = |of: fn(&Report) -> f64| reports.iter().map(of).sum::<f64>() / all_days;
        println!(
            "| {plan:?} | {digits} | {all_days} | {:.6} | {:.6} | {:.6} | {:.6} |",
            odds.doors_a_day(),
            sum(|report| report.opened as f64),
            odds.chance(),
            sum(|report| f64::from(report.days_opened)),
        );
    };
    for digits in [5, 6, 7] {
        row(Plan::Ration, digits, 40, 30);
        row(Plan::Burst, digits, 40, 30);
    }
    row(Plan::Ration, 8, 40, 300);
    row(Plan::Ration, 10, 1, 100_000);
    println!();
}

/// What becomes of guessers and callers while an attack goes on.
fn stories(seed: u64) {
    println!(
        "| plan | Guest PIN | guesses | recognised, by consent | opened | of these by noted PINs \
         | known callers in, longest | held | first-time callers by consent, median and longest | without |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for (plan, digits) in [
        (Plan::Flood, 10),
        (Plan::Target, 10),
        (Plan::Harvest, 10),
        (Plan::Harvest, 8),
        (Plan::Forge, 7),
    ] {
        let mut report = Siege {
            honest: true,
            days: 10,
            ..siege(plan, digits, seed)
        }
        .run();
        report.known.sort_by(f64::total_cmp);
        report.first_held.sort_by(f64::total_cmp);
        println!(
            "| {plan:?} | {digits} | {} | {} | {} | {} | {}, {:.1} s | {} | {}, {:.0} s and {:.0} s | {} |",
            report.guesses,
            report.held,
            report.opened,
            report.harvested,
            report.known.len(),
            longest(&report.known),
            report.known_held,
            report.first_held.len(),
            median(&report.first_held),
            longest(&report.first_held),
            report.first_passed,
        );
    }
    println!();
    let guesses = 30 * 86_400 / 5;
    for digits in [7, 10, 11, 12] {
        println!(
            "With a number forged that the account knows, {guesses} guesses a day at {digits} digits: \
             {:.1e} a day",
            Odds::if_number_known(digits, guesses)
        );
    }
}
