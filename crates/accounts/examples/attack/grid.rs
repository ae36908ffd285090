//! Lines, days and policies: the odds of each, computed and measured, and how long callers wait.

use chrono::TimeDelta;
use conclave_accounts::{Doors, Odds, PinPolicy};

use crate::siege::{Plan, Report, Siege};

const ACCOUNTS: u64 = 1000;
const LINES: [u32; 3] = [1, 30, 300];
const DAYS: [u32; 3] = [1, 7, 30];
/// So many days are played for each row at least.
const PLAYED: u32 = 1000;

/// A policy with the number of bridges that keep to it.
struct Case {
    name: &'static str,
    guest_digits: u8,
    ceiling: u32,
    bridges: usize,
    /// Digits so few that about one door a day opens.
    played_with: u8,
}

const CASES: [Case; 5] = [
    Case {
        name: "default (10 digits, ceiling 100)",
        guest_digits: 10,
        ceiling: 100,
        bridges: 1,
        played_with: 6,
    },
    Case {
        name: "8 digits, ceiling 10",
        guest_digits: 8,
        ceiling: 10,
        bridges: 1,
        played_with: 5,
    },
    Case {
        name: "11 digits, ceiling 1000",
        guest_digits: 11,
        ceiling: 1000,
        bridges: 1,
        played_with: 7,
    },
    Case {
        name: "default, two bridges",
        guest_digits: 10,
        ceiling: 100,
        bridges: 2,
        played_with: 6,
    },
    Case {
        name: "default, three bridges",
        guest_digits: 10,
        ceiling: 100,
        bridges: 3,
        played_with: 6,
    },
];

impl Case {
    fn policy(&self, guest_digits: u8) -> PinPolicy {
        PinPolicy {
            guest_digits,
            ceiling: self.ceiling,
            ..PinPolicy::default()
        }
    }

    /// The odds with Guest PINs of so many digits.
    fn odds(&self, guest_digits: u8) -> Odds {
        let policy = self.policy(guest_digits);
        let mut doors = Doors::default();
        doors.add(policy.guest_digits, true, ACCOUNTS);
        doors.add(policy.host_digits, true, ACCOUNTS);
        Odds::of(&policy, &doors)
    }

    fn siege(&self, guest_digits: u8, lines: u32, days: u32, seed: u64) -> Siege {
        Siege {
            plan: Plan::Burst,
            policy: self.policy(guest_digits),
            accounts: ACCOUNTS,
            bridges: self.bridges,
            lines,
            days,
            try_takes: TimeDelta::seconds(5),
            honest: false,
            seed,
        }
    }
}

/// Doors opened a day without anybody's consent.
pub(crate) fn odds(seed: u64) {
    println!(
        "| policy | lines | days | doors a day, computed | measured | 95 % of chance | doors opened, in days played |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (case, number) in CASES.iter().zip(0..) {
        for lines in LINES {
            for days in DAYS {
                let runs = u64::from(PLAYED.div_ceil(days));
                let seeds =
                    (seed * 100 + number) * 1_000_000 + u64::from(lines * 1000 + days) * 1000;
                let opened: u64 = (0..runs)
                    .map(|run| case.siege(case.played_with, lines, days, seeds + run).run())
                    .map(|report| report.opened)
                    .sum();
                let computed = case.odds(case.guest_digits).doors_a_day();
                let scale = computed / case.odds(case.played_with).doors_a_day();
                let played = runs * u64::from(days);
                let a_day = |opened: f64| opened / played as f64 * scale;
                let (low, high) = bounds(opened);
                println!(
                    "| {} | {lines} | {days} | {computed:.2e} | {:.2e} | {:.2e} to {:.2e} | {opened}, in {played} |",
                    case.name,
                    a_day(opened as f64),
                    a_day(low),
                    a_day(high),
                );
            }
        }
    }
    println!();
}

/// What honest callers wait for while guessers flood the bridge day and night.
pub(crate) fn waits(seed: u64) {
    println!(
        "| policy | lines | days | guesses | opened | known callers in, median and longest | held \
         | first-time callers by consent, median and longest | without |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for case in &CASES {
        for (lines, days) in LINES.into_iter().zip([30, 7, 1]) {
            let mut report = Siege {
                plan: Plan::Flood,
                honest: true,
                ..case.siege(case.guest_digits, lines, days, seed)
            }
            .run();
            let Report {
                known, first_held, ..
            } = &mut report;
            known.sort_by(f64::total_cmp);
            first_held.sort_by(f64::total_cmp);
            println!(
                "| {} | {lines} | {days} | {} | {} | {}, {:.1} s and {:.1} s | {} | {}, {:.0} s and {:.0} s | {} |",
                case.name,
                report.guesses,
                report.opened,
                report.known.len(),
                median(&report.known),
                longest(&report.known),
                report.known_held,
                report.first_held.len(),
                median(&report.first_held),
                longest(&report.first_held),
                report.first_passed,
            );
        }
    }
    println!();
}

pub(crate) fn median(sorted: &[f64]) -> f64 {
    longest(&sorted[..sorted.len().div_ceil(2)])
}

pub(crate) fn longest(sorted: &[f64]) -> f64 {
    sorted.last().copied().unwrap_or_default()
}

/// Between which means such a count is to be expected in 95 of 100 cases (Byar's approximation to
/// the exact bounds of a Poisson count).
fn bounds(count: u64) -> (f64, f64) {
    let bound = |n: f64, z: f64| n * (1.0 - 1.0 / (9.0 * n) + z / (3.0 * n.sqrt())).powi(3);
    let n = count as f64;
    let low = if count == 0 { 0.0 } else { bound(n, -1.96) };
    (low, bound(n + 1.0, 1.96))
}
