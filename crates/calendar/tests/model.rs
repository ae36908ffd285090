//! Occurrences against a model that walks every local day, and finds moments by looking at the clock
//! of the zone every minute.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

mod common;

use std::{collections::BTreeSet, time::Duration};

use chrono::{
    DateTime, Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc, Weekday,
};
use chrono_tz::Tz;
use common::local;
use conclave_accounts::Plan;
use conclave_calendar::{Horizon, PlanError, occurrences};
use proptest::prelude::*;

/// Days on or about which the clocks change, and leap days.
const EDGES: &[(&str, &str)] = &[
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/Sao_Paulo", "2018-02-18"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Africa/Casablanca", "2026-03-22"),
    ("Pacific/Apia", "2011-12-30"),
    ("Asia/Kathmandu", "2028-02-29"),
    ("Europe/Berlin", "2028-02-29"),
    ("UTC", "2027-12-31"),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Freq {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// A rule in parts that the model understands.
#[derive(Clone, Debug)]
struct Parts {
    freq: Freq,
    interval: u32,
    /// Days of the week, where not empty.
    week_days: BTreeSet<u8>,
    /// The nth such day of a month (of months alone).
    nth: Option<(i32, u8)>,
    month_days: BTreeSet<i32>,
    months: BTreeSet<u32>,
    second_hour: Option<u32>,
    end: End,
}

#[derive(Clone, Debug)]
enum End {
    Never,
    Count(usize),
    /// So many days after the start, in one of the three forms.
    Until(u64, u8),
}

impl Parts {
    fn days_match(&self, start: NaiveDate, day: NaiveDate) -> bool {
        let week_day = u8::try_from(day.weekday().num_days_from_monday()).unwrap();
        if !self.week_days.is_empty() && !self.week_days.contains(&week_day) {
            return false;
        }
        if !self.months.is_empty() && !self.months.contains(&day.month()) {
            return false;
        }
        let length = i32::try_from(days_in_month(day)).unwrap();
        let month_day = i32::try_from(day.day()).unwrap();
        let from_end = month_day - length - 1;
        if !self.month_days.is_empty()
            && !self.month_days.contains(&month_day)
            && !self.month_days.contains(&from_end)
        {
            return false;
        }
        if let Some((n, wanted)) = self.nth {
            let nth = if n > 0 {
                (month_day - 1) / 7 + 1
            } else {
                -((-from_end - 1) / 7 + 1)
            };
            if wanted != week_day || n != nth {
                return false;
            }
        }
        let implied = self.week_days.is_empty() && self.month_days.is_empty() && self.nth.is_none();
        let monday = |day: NaiveDate| day.week(Weekday::Mon).first_day();
        let months = |day: NaiveDate| i64::from(day.year()) * 12 + i64::from(day.month());
        let (periods, same) = match self.freq {
            Freq::Daily => ((day - start).num_days(), true),
            Freq::Weekly => (
                (monday(day) - monday(start)).num_days() / 7,
                day.weekday() == start.weekday(),
            ),
            Freq::Monthly => (months(day) - months(start), day.day() == start.day()),
            Freq::Yearly => (
                i64::from(day.year() - start.year()),
                day.day() == start.day()
                    && (!self.months.is_empty() || day.month() == start.month()),
            ),
        };
        periods % i64::from(self.interval) == 0 && (!implied || same)
    }

    fn text(&self, starts: NaiveDateTime, zone: Tz) -> String {
        const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
        let list = |name: &str, items: Vec<String>| match items.is_empty() {
            true => String::new(),
            false => format!(";{name}={}", items.join(",")),
        };
        let days = match self.nth {
            Some((n, day)) => vec![format!("{n}{}", DAYS[usize::from(day)])],
            None => self
                .week_days
                .iter()
                .map(|day| DAYS[usize::from(*day)].to_owned())
                .collect(),
        };
        let hours = self
            .second_hour
            .map(|hour| vec![starts.format("%-H").to_string(), hour.to_string()]);
        let mut text = format!("FREQ={:?};INTERVAL={}", self.freq, self.interval).to_uppercase();
        text += &list("BYDAY", days);
        text += &list(
            "BYMONTHDAY",
            self.month_days.iter().map(i32::to_string).collect(),
        );
        text += &list("BYMONTH", self.months.iter().map(u32::to_string).collect());
        text += &list("BYHOUR", hours.unwrap_or_default());
        text + &match self.end {
            End::Never => String::new(),
            End::Count(count) => format!(";COUNT={count}"),
            End::Until(days, 0) => format!(
                ";UNTIL={}",
                (starts.date() + Days::new(days)).format("%Y%m%d")
            ),
            End::Until(days, 1) => format!(
                ";UNTIL={}",
                (starts + Days::new(days)).format("%Y%m%dT%H%M%S")
            ),
            End::Until(days, _) => format!(
                ";UNTIL={}",
                moment(starts + Days::new(days), zone).format("%Y%m%dT%H%M%SZ")
            ),
        }
    }

    /// Every local start up to the horizon, and whether there would be more.
    fn local_starts(&self, starts: NaiveDateTime, zone: Tz) -> (Vec<NaiveDateTime>, bool) {
        let mut times = BTreeSet::from([starts.time()]);
        times.extend(
            self.second_hour
                .and_then(|hour| starts.time().with_hour(hour)),
        );
        let mut found = Vec::new();
        // Far enough to see whether anything comes after the horizon: the calendar repeats itself after 400 years.
        for days in 0..731 * 200 {
            let day = starts.date() + Days::new(days);
            if !self.days_match(starts.date(), day) {
                continue;
            }
            for time in &times {
                let start = day.and_time(*time);
                let over = match self.end {
                    End::Never => false,
                    End::Count(count) => found.len() >= count,
                    End::Until(days, 0) => day > starts.date() + Days::new(days),
                    End::Until(days, 1) => start > starts + Days::new(days),
                    End::Until(days, _) => {
                        moment(start, zone) > moment(starts + Days::new(days), zone)
                    }
                };
                if start < starts {
                    continue;
                }
                if over {
                    return (found, false);
                }
                if start > starts + Days::new(731) || found.len() == 1000 {
                    return (found, true);
                }
                found.push(start);
            }
        }
        (found, false)
    }
}

fn days_in_month(day: NaiveDate) -> u32 {
    let last = (28..=31).rev().find(|last| day.with_day(*last).is_some());
    last.unwrap()
}

/// Looks at the zone's clock every minute, from a day and a bit before to after.
fn moment(wanted: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let mut before = wanted.and_utc() - TimeDelta::hours(39);
    let clock = |moment: DateTime<Utc>| moment.with_timezone(&zone).naive_local();
    // No zone is 15 hours off: nothing is missed by beginning with larger steps.
    while clock(before + TimeDelta::hours(27)) < wanted {
        before += TimeDelta::hours(1);
    }
    loop {
        let now = before + TimeDelta::minutes(1);
        if clock(now) == wanted {
            return now;
        }
        if clock(before) < wanted && clock(now) > wanted {
            // Jumped over: the clock before the jump goes on.
            return before + (wanted - clock(before));
        }
        before = now;
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    let freq = prop_oneof![
        Just(Freq::Daily),
        Just(Freq::Weekly),
        Just(Freq::Monthly),
        Just(Freq::Yearly)
    ];
    let some = |chance: f64| proptest::bool::weighted(chance);
    let end = prop_oneof![
        Just(End::Never),
        (1usize..20).prop_map(End::Count),
        (0u64..60, 0u8..3).prop_map(|(days, form)| End::Until(days, form)),
    ];
    (
        freq,
        1u32..4,
        (some(0.4), proptest::collection::btree_set(0u8..7, 1..4)),
        (
            some(0.4),
            prop_oneof![1i32..6, -4i32..0], /* `rrule` refuses the fifth last */
            0u8..7,
        ),
        (
            some(0.4),
            proptest::collection::btree_set(prop_oneof![1i32..32, -31i32..0], 1..4),
        ),
        (some(0.2), proptest::collection::btree_set(1u32..13, 1..5)),
        (some(0.2), 0u32..24),
        end,
    )
        .prop_map(
            |(freq, interval, week_days, nth, month_days, months, hour, end)| {
                let months = if months.0 { months.1 } else { BTreeSet::new() };
                // In a year without months the nth weekday would be that of the year.
                let may_nth = freq == Freq::Monthly || (freq == Freq::Yearly && !months.is_empty());
                let nth = (nth.0 && may_nth).then_some((nth.1, nth.2));
                Parts {
                    freq,
                    interval,
                    week_days: if week_days.0 && nth.is_none() {
                        week_days.1
                    } else {
                        BTreeSet::new()
                    },
                    nth,
                    month_days: if month_days.0 && freq != Freq::Weekly {
                        month_days.1
                    } else {
                        BTreeSet::new()
                    },
                    months,
                    second_hour: hour.0.then_some(hour.1),
                    end,
                }
            },
        )
}

fn check(
    parts: &Parts,
    zone: &str,
    from: NaiveDate,
    time: chrono::NaiveTime,
    length: u64,
    early: u64,
) {
    let tz: Tz = zone.parse().unwrap();
    let Some(first) = (0..1500)
        .map(|day| from + Days::new(day))
        .find(|day| parts.days_match(*day, *day))
    else {
        return;
    };
    let mut plan = Plan {
        starts: first.and_time(time),
        length: Duration::from_secs(length * 60),
        zone: zone.to_owned(),
        early: Duration::from_secs(early * 60),
        rule: None,
        except: vec![],
    };
    let text = parts.text(plan.starts, tz);
    plan.rule = Some(text.clone());
    let (mut starts, cut) = parts.local_starts(plan.starts, tz);
    // Every fourth is left out, the first and the last, too.
    plan.except = starts.iter().step_by(4).copied().collect();
    if starts.len() > 40 {
        plan.except.truncate(3);
    }
    starts.retain(|start| !plan.except.contains(start));
    let got = occurrences(&plan, &Horizon::default());
    if starts.is_empty() {
        assert_eq!(got, Err(PlanError::NoOccurrence), "{text}");
        return;
    }
    let moments: BTreeSet<_> = starts.iter().map(|start| moment(*start, tz)).collect();
    let moments: Vec<_> = moments.into_iter().collect();
    let taken = TimeDelta::minutes(i64::try_from(length + early).unwrap());
    let overlap = moments.windows(2).any(|two| two[1] - two[0] < taken);
    let got = match got {
        Err(PlanError::Overlap { .. }) if overlap => return,
        got => got.unwrap_or_else(|error| panic!("{plan:?}: {error}")),
    };
    assert!(!overlap, "{plan:?}");
    let windows = got.windows();
    let took: Vec<_> = windows.iter().map(|window| window.starts).collect();
    if starts.len() + plan.except.len() < 1000 {
        assert_eq!(took, moments, "{plan:?}");
        assert_eq!(got.is_cut(), cut, "{plan:?}");
    }
    // The doors, minute by minute around each edge of the first few.
    for start in moments.iter().take(4) {
        let end = *start + plan.length;
        for edge in [*start - plan.early, *start, end] {
            for minute in -70..=70 {
                let now = edge + TimeDelta::minutes(minute);
                let open = moments
                    .iter()
                    .any(|start| *start - plan.early <= now && now < *start + plan.length);
                assert_eq!(
                    windows.iter().any(|window| window.is_open(now)),
                    open,
                    "{plan:?} at {now}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn occurrences_are_those_of_the_model(
        parts in parts(),
        edge in 0..EDGES.len(),
        days_before in 0u64..12,
        minute in prop_oneof![3 => 0u32..300, 1 => 0u32..1440],
        length in 1u64..240,
        early in prop_oneof![Just(0u64), 0u64..60],
    ) {
        let (zone, day) = EDGES[edge];
        let from = day.parse::<NaiveDate>().unwrap() - Days::new(days_before);
        let time = chrono::NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).unwrap();
        check(&parts, zone, from, time, length, early);
    }
}

#[test]
fn every_edge_by_the_day() {
    for (zone, day) in EDGES {
        for hour in 0..24 {
            for minute in [0, 15, 30, 45] {
                let from = day.parse::<NaiveDate>().unwrap() - Days::new(3);
                let parts = Parts {
                    freq: Freq::Daily,
                    interval: 1,
                    week_days: BTreeSet::new(),
                    nth: None,
                    month_days: BTreeSet::new(),
                    months: BTreeSet::new(),
                    second_hour: None,
                    end: End::Count(6),
                };
                let time = chrono::NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
                check(&parts, zone, from, time, 30, 15);
            }
        }
    }
}

#[test]
fn the_model_reads_the_clock_as_rfc_5545_says() {
    let check = |zone: &str, wanted: &str, expected: &str| {
        assert_eq!(
            moment(local(wanted), zone.parse().unwrap()).naive_utc(),
            local(expected)
        );
    };
    check(
        "Europe/Berlin",
        "2026-03-29T02:30:00",
        "2026-03-29T01:30:00",
    );
    check(
        "Europe/Berlin",
        "2026-10-25T02:30:00",
        "2026-10-25T00:30:00",
    );
    check(
        "America/Sao_Paulo",
        "2018-11-04T00:30:00",
        "2018-11-04T03:30:00",
    );
    check(
        "Australia/Lord_Howe",
        "2026-10-04T02:15:00",
        "2026-10-03T15:45:00",
    );
    check("Pacific/Apia", "2011-12-30T09:00:00", "2011-12-30T19:00:00");
}
