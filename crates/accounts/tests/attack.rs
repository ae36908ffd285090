//! A small siege of the bridge; the long one is the example `attack`.

#[path = "../examples/attack/bridges.rs"]
mod bridges;
#[path = "../examples/attack/siege.rs"]
mod siege;

use chrono::TimeDelta;
use conclave_accounts::{Odds, PinPolicy};
use siege::{Plan, Report, Siege};

/// 30 lines for 30 days, with fewer accounts, shorter PINs and slower fingers than in the long
/// campaign.
fn siege(plan: Plan, guest_digits: u8, honest: bool) -> Siege {
    Siege {
        plan,
        policy: PinPolicy {
            guest_digits,
            ..PinPolicy::default()
        },
        accounts: 100,
        bridges: 1,
        lines: 30,
        days: 30,
        try_takes: TimeDelta::seconds(300),
        honest,
        seed: 7,
    }
}

fn besiege(plan: Plan, guest_digits: u8, honest: bool) -> Report {
    let report = siege(plan, guest_digits, honest).run();
    assert!(
        report.guesses > 900,
        "the siege didn't take place: {} guesses",
        report.guesses
    );
    report
}

/// Five standard deviations of a Poisson count: a run in a million is outside.
#[track_caller]
fn agrees(counted: u64, expected: f64) {
    let off = (counted as f64 - expected).abs();
    assert!(
        off <= 5.0 * expected.sqrt() + 1.0,
        "{counted} against {expected:.2} computed"
    );
}

#[test]
fn doors_open_as_often_as_computed() {
    for plan in [Plan::Ration, Plan::Burst] {
        for guest_digits in [4, 5, 6] {
            let report = besiege(plan, guest_digits, false);
            let odds: Odds = report.odds.expect("computed");
            // What is under way when the ceiling is reached is lost, and rationing never reaches it.
            assert!(plan != Plan::Ration || report.held == 0, "{}", report.held);
            agrees(report.opened, 30.0 * odds.doors_a_day());
            agrees(report.days_opened.into(), 30.0 * odds.chance());
        }
    }
    // And they do open where they can be expected to.
    assert!(besiege(Plan::Ration, 4, false).opened > 100);
}

/// Bridges that share a log are one bridge to a guesser whose lines are spread over them.
#[test]
fn more_bridges_open_no_more_doors() {
    for bridges in [2, 3] {
        let report = Siege {
            bridges,
            ..siege(Plan::Burst, 5, false)
        }
        .run();
        let odds = report.odds.expect("computed");
        assert!(report.opened > 10);
        agrees(report.opened, 30.0 * odds.doors_a_day());
        // Of wrong ones a ceiling's worth each time, to the last one.
        let wrong = report.guesses - report.opened - report.held;
        assert_eq!(wrong, 30 * 100, "{bridges} bridges");
    }
}

/// A ceiling's worth of guesses opens what it can; then, however many follow, nothing opens.
#[test]
fn a_flood_opens_no_more_than_one_ceilings_worth() {
    let report = besiege(Plan::Flood, 6, true);
    assert!(report.guesses > 250_000);
    assert!(
        report.held > 100,
        "PINs were guessed, {} of them, and held",
        report.held
    );
    agrees(report.opened, report.odds.expect("computed").doors_a_day());
}

#[test]
fn one_account_besieged_by_its_own_number_keeps() {
    let report = besiege(Plan::Target, 6, true);
    agrees(report.opened, 100.0 * 1e-5);
}

/// What the bridge tells by holding a caller is of no use when the alarm is over.
#[test]
fn pins_noted_during_the_alarm_open_nothing_after_it() {
    let report = besiege(Plan::Harvest, 6, true);
    assert!(report.held > 100, "nothing noted");
    assert_eq!(report.harvested, 0);
    agrees(
        report.opened,
        30.0 * report.odds.expect("computed").doors_a_day(),
    );
}

/// The one way round, which the odds leave out and say so: to forge a number the account knows.
#[test]
fn forging_a_known_number_is_what_the_odds_leave_out() {
    let report = besiege(Plan::Forge, 5, false);
    assert!(report.harvested > 0);
    let found = report.guesses as f64 * 1e-4;
    assert!(report.opened as f64 <= found + 5.0 * found.sqrt());
}

#[test]
fn honest_callers_get_in_during_the_attack() {
    for plan in [Plan::Flood, Plan::Target, Plan::Harvest] {
        let report = besiege(plan, 8, true);
        assert!(
            report.known.len() > 4000,
            "{plan:?}: {}",
            report.known.len()
        );
        assert_eq!(report.known_held, 0, "{plan:?}");
        let longest = report.known.iter().copied().fold(0.0, f64::max);
        assert!(
            longest <= 10.0,
            "{plan:?}: a known caller waited {longest} s"
        );
        assert!(
            report.first_held.len() > 300,
            "{plan:?}: first-time callers were to wait for consent"
        );
        let longest = report.first_held.iter().copied().fold(0.0, f64::max);
        assert!(
            longest <= 60.0,
            "{plan:?}: {longest} s, the human's own delay and no more"
        );
    }
}

/// A bridge that nobody attacks, with the odd wrong PIN, asks nobody for consent.
#[test]
fn peace_asks_for_no_consent() {
    let report = Siege {
        lines: 0,
        ..siege(Plan::Flood, 10, true)
    }
    .run();
    assert!(report.first_passed > 300);
    assert_eq!((report.first_held.len(), report.known_held), (0, 0));
}
