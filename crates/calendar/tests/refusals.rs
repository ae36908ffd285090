//! What can't be booked, and in which words; rules that mean harm.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{local, plan};
use conclave_accounts::Window;
use conclave_calendar::{Horizon, PlanError, clashes, occurrences};
use proptest::prelude::*;

fn refusal(starts: &str, zone: &str, rule: &str) -> String {
    let plan = plan(starts, zone, Some(rule));
    occurrences(&plan, &Horizon::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn a_rule_is_refused_in_words_that_say_where_and_what_to_do() {
    let check = |rule: &str, expected: &str| {
        let words = refusal("2026-12-01T09:00:00", "Europe/Berlin", rule);
        assert!(words.contains(expected), "{rule}: {words}");
    };
    check("FREQ=HOURLY", "FREQ=HOURLY is too often");
    check("FREQ=MINUTELY", "YEARLY, MONTHLY, WEEKLY and DAILY");
    check("FREQ=SECONDLY", "too often");
    check(
        "FREQ=WEEKLY;COUNT=ten",
        "wrong at `COUNT=ten` (byte 12): a number from 1",
    );
    check("FREQ=WEEKLY;COUNT=0", "wrong at `COUNT=0`");
    check("FREQ=WEEKLY;INTERVAL=0", "wrong at `INTERVAL=0`");
    check("FREQ=WEEKLY;", "wrong at `` (byte 12)");
    check("RRULE:FREQ=WEEKLY", "RFC 5545 knows no RRULE:FREQ");
    check("FREQ=WEEKLY;FREQ=DAILY", "FREQ is there twice");
    check("COUNT=3", "FREQ is missing");
    check("FREQ=WEEKLY;BYDAY=XX", "XX");
    check("FREQ=WEEKLY;BYDAY=\u{e9}", "letters, digits");
    check("FREQ=WEEKLY;COUNT=3;UNTIL=20270101", "not by both");
    check(
        "FREQ=WEEKLY;UNTIL=2027-01-01",
        "wrong at `UNTIL=2027-01-01` (byte 12): write",
    );
    check("FREQ=WEEKLY;BYDAY=2TU", "a numbered weekday");
    check("FREQ=MONTHLY;BYDAY=1TU,WE", "all numbered or none");
    check(
        "FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,1,2,3,4,5,6,7,8,9,10,11,12",
        "26 starts a day",
    );
    check("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "no occurrence");
    check("FREQ=WEEKLY;UNTIL=20261130", "no occurrence");
    check(
        "FREQ=WEEKLY;BYDAY=MO",
        "first occurrence would be at 2026-12-07T09:00",
    );
    check(
        &format!("FREQ=DAILY;BYDAY={}MO", "MO,".repeat(200)),
        "at most 500 bytes, this one has 619",
    );
}

#[test]
fn a_plan_is_refused_in_words_that_say_why() {
    let zone = |zone: &str, expected: &str| {
        assert_eq!(refusal("2026-12-01T09:00:00", zone, "FREQ=DAILY"), expected);
    };
    zone(
        "europe/berlin",
        "there is no time zone `europe/berlin`; is it `Europe/Berlin`?",
    );
    zone(
        "New York",
        "there is no time zone `New York`; is it `America/New_York`?",
    );
    zone("Mars/Olympus", "there is no time zone `Mars/Olympus`");

    let hour = Duration::from_secs(3600);
    let check = |length: Duration, early: Duration, expected: Result<usize, &str>| {
        let mut plan = plan(
            "2026-12-01T09:00:00",
            "Europe/Berlin",
            Some("FREQ=DAILY;COUNT=2"),
        );
        (plan.length, plan.early) = (length, early);
        let got = occurrences(&plan, &Horizon::default());
        let got = got
            .map(|got| got.windows().len())
            .map_err(|error| error.to_string());
        match (got, expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected),
            (Err(got), Err(expected)) => assert!(got.contains(expected), "{got}"),
            (got, expected) => panic!("{got:?}, not {expected:?}"),
        }
    };
    check(hour, Duration::ZERO, Ok(2));
    check(24 * hour, Duration::ZERO, Ok(2));
    check(23 * hour, hour, Ok(2));
    check(
        24 * hour,
        hour,
        Err(
            "starts at 2026-12-01T09:00 isn't over when the doors of the next one open, at 2026-12-02T08:00",
        ),
    );
    check(25 * hour, Duration::ZERO, Err("isn't over"));
    check(Duration::ZERO, Duration::ZERO, Err("at most 7 days"));
    check(169 * hour, Duration::ZERO, Err("at most 7 days"));
    check(
        Duration::from_secs(u64::MAX),
        Duration::ZERO,
        Err("at most 7 days"),
    );
    check(hour, 25 * hour, Err("at most a day"));
    check(
        Duration::from_millis(1500),
        Duration::ZERO,
        Err("whole seconds"),
    );

    let once = |starts: &str| occurrences(&plan(starts, "UTC", None), &Horizon::default());
    assert_eq!(once("2026-12-01T09:00:00.5"), Err(PlanError::Fraction));
    assert_eq!(once("2100-01-01T00:00:00"), Err(PlanError::Year(2100)));
    let mut plan = plan("2026-12-01T09:00:00", "UTC", Some("FREQ=DAILY"));
    plan.except = vec![local("2026-12-02T10:00:00")];
    let words = occurrences(&plan, &Horizon::default())
        .unwrap_err()
        .to_string();
    assert_eq!(
        words,
        "no occurrence starts at 2026-12-02T10:00, so none can be left out there"
    );
}

#[test]
fn an_endless_series_is_cut_and_says_so() {
    let check = |rule: &str, horizon: Horizon, count: usize, until: &str, cut: bool| {
        let plan = plan("2026-12-01T09:00:00", "Europe/Berlin", Some(rule));
        let got = occurrences(&plan, &horizon).unwrap();
        assert_eq!((got.windows().len(), got.is_cut()), (count, cut), "{rule}");
        assert_eq!(got.until().naive_utc(), local(until), "{rule}");
    };
    let full = Horizon::default();
    let five = Horizon {
        occurrences: 5,
        ..full
    };
    let week = Horizon { days: 7, ..full };
    let beyond = Horizon {
        occurrences: usize::MAX,
        days: u32::MAX,
    };
    check("FREQ=WEEKLY", full, 105, "2028-11-28T09:00:00", true);
    check("FREQ=WEEKLY", beyond, 105, "2028-11-28T09:00:00", true);
    check(
        "FREQ=DAILY;BYHOUR=9,15",
        full,
        1000,
        "2028-04-13T14:00:00",
        true,
    );
    check("FREQ=WEEKLY;COUNT=5", five, 5, "2026-12-29T09:00:00", false);
    check("FREQ=WEEKLY;COUNT=6", five, 5, "2026-12-29T09:00:00", true);
    check("FREQ=DAILY", week, 8, "2026-12-08T09:00:00", true);
    // UNTIL in UTC is a moment: nine o'clock in Berlin is eight.
    check(
        "FREQ=DAILY;UNTIL=20261203T080000Z",
        full,
        3,
        "2026-12-03T09:00:00",
        false,
    );
    check(
        "FREQ=DAILY;UNTIL=20261203T075959Z",
        full,
        2,
        "2026-12-02T09:00:00",
        false,
    );
    check(
        "FREQ=DAILY;UNTIL=20261203T090000",
        full,
        3,
        "2026-12-03T09:00:00",
        false,
    );
    check(
        "FREQ=DAILY;UNTIL=20261203T085959",
        full,
        2,
        "2026-12-02T09:00:00",
        false,
    );
    check(
        "FREQ=DAILY;UNTIL=20261203",
        full,
        3,
        "2026-12-03T09:00:00",
        false,
    );
    check("freq=daily;count=2", full, 2, "2026-12-02T09:00:00", false);
}

/// Each of these would try for long, or take much memory, if nothing bounded it.
#[test]
fn hostile_rules_come_to_an_end() {
    let seconds: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    let seconds = seconds.join(",");
    for rule in [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30".to_owned(),
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30".to_owned(),
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30".to_owned(),
        "FREQ=WEEKLY;BYMONTH=2;BYSETPOS=53".to_owned(),
        "FREQ=DAILY;BYHOUR=1;BYSETPOS=366".to_owned(),
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6".to_owned(),
        "FREQ=YEARLY;BYDAY=53SU;BYMONTH=1".to_owned(),
        "FREQ=YEARLY;INTERVAL=65535".to_owned(),
        "FREQ=MONTHLY;INTERVAL=65535;BYMONTHDAY=31".to_owned(),
        "FREQ=DAILY;INTERVAL=65535;BYDAY=MO;BYMONTHDAY=31;BYMONTH=2".to_owned(),
        format!("FREQ=YEARLY;BYSECOND={seconds};BYMINUTE={seconds}"),
    ] {
        let plan = plan("2026-12-01T09:00:00", "Europe/Berlin", Some(&rule));
        let got = occurrences(&plan, &Horizon::default());
        assert!(got.is_err() || got.unwrap().windows().len() <= 1, "{rule}");
    }
}

fn rule_text() -> impl Strategy<Value = String> {
    let number = prop_oneof![-60i32..60, -400i32..400, any::<i32>()];
    let numbers = proptest::collection::vec(number, 1..5).prop_map(|numbers| {
        let numbers: Vec<String> = numbers.iter().map(i32::to_string).collect();
        numbers.join(",")
    });
    let days = proptest::collection::vec("(-?[0-9]{1,3})?(MO|TU|WE|TH|FR|SA|SU)", 1..4);
    let part = prop_oneof![
        (
            "(BYSECOND|BYMINUTE|BYHOUR|BYMONTHDAY|BYYEARDAY|BYWEEKNO|BYMONTH|BYSETPOS)",
            numbers
        )
            .prop_map(|(name, numbers)| format!("{name}={numbers}")),
        days.prop_map(|days| format!("BYDAY={}", days.join(","))),
        "(COUNT|INTERVAL)=[0-9]{1,6}",
        "UNTIL=[0-9]{4}(0[1-9]|1[0-2])[0-3][0-9](T[0-2][0-9][0-5][0-9][0-6][0-9]Z?)?",
        "WKST=(MO|TU|WE|TH|FR|SA|SU)",
    ];
    let parts = proptest::collection::vec(part, 0..5);
    let freq = "FREQ=(YEARLY|MONTHLY|WEEKLY|DAILY)";
    prop_oneof![
        8 => (freq, parts).prop_map(|(freq, parts)| [vec![freq], parts].concat().join(";")),
        1 => "[A-Z=;,0-9+-]{0,60}",
        1 => "\\PC{0,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever is typed: no panic, and no more than the horizon allows.
    #[test]
    fn any_rule_is_bounded(
        rule in rule_text(),
        second in 0i64..4_102_444_800,
        zone in prop_oneof![Just("Europe/Berlin"), Just("Pacific/Apia"), Just("UTC")],
    ) {
        let mut plan = plan("2026-12-01T09:00:00", zone, Some(&rule));
        plan.length = Duration::from_secs(60);
        plan.starts = chrono::DateTime::from_timestamp(second, 0).unwrap().naive_utc();
        for _ in 0..2 {
            match occurrences(&plan, &Horizon::default()) {
                // Once more, from where the rule begins.
                Err(PlanError::StartNotInRule { first, .. }) => plan.starts = first,
                Err(error) => prop_assert!(!error.to_string().is_empty()),
                Ok(got) => {
                    let windows = got.windows();
                    prop_assert!((1..=1000).contains(&windows.len()));
                    prop_assert!(windows.windows(2).all(|two| two[0].ends <= two[1].opens));
                    prop_assert!(windows[windows.len() - 1].starts - windows[0].starts <= chrono::TimeDelta::days(732));
                }
            }
        }
    }

    #[test]
    fn clashes_are_found_as_by_comparing_each_with_each(
        a in proptest::collection::vec((0i64..30, 1i64..30), 0..12),
        b in proptest::collection::vec((0i64..30, 1i64..30), 0..12),
    ) {
        let list = |spans: &[(i64, i64)]| {
            let mut at = 0;
            spans.iter().map(|(gap, length)| {
                let moment = |second| chrono::DateTime::from_timestamp(second, 0).unwrap();
                let (start, end) = (at + gap, at + gap + length);
                at = end;
                Window::new(moment(start), moment(end), Duration::ZERO).unwrap()
            }).collect::<Vec<_>>()
        };
        let (a, b) = (list(&a), list(&b));
        let expected = a.iter().any(|one| b.iter().any(|other| one.clashes(other)));
        prop_assert_eq!(clashes(&a, &b), expected);
        prop_assert_eq!(clashes(&b, &a), expected);
    }
}
