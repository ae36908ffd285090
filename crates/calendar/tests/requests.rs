//! What somebody types, and what they are told.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

mod common;

use common::local;
use conclave_calendar::{Horizon, PlanError, Planned, Request};

fn plan(
    start: &str,
    end: &str,
    zone: Option<&str>,
    rule: Option<&str>,
) -> Result<Planned, PlanError> {
    Request {
        zone,
        rule,
        ..Request::new(start, end)
    }
    .plan(&Horizon::default())
}

#[test]
fn times_become_plans() {
    let check =
        |start: &str, end: &str, zone: Option<&str>, expected: (&str, &str, u64), note: &str| {
            let planned = plan(start, end, zone, None).unwrap();
            let (starts, kept, minutes) = expected;
            assert_eq!(planned.plan.starts, local(starts), "{start}");
            assert_eq!(planned.plan.zone, kept, "{start}");
            assert_eq!(planned.plan.length.as_secs(), minutes * 60, "{start}");
            let notes: Vec<_> = planned.notes.iter().map(ToString::to_string).collect();
            assert_eq!(notes.join("; "), note, "{start}");
        };
    let berlin = Some("Europe/Berlin");
    let nine = ("2026-12-01T09:00:00", "Europe/Berlin", 60);
    check("2026-12-01T09:00", "2026-12-01T10:00", berlin, nine, "");
    check("2026-12-01 09:00:00", "2026-12-01 10:00", berlin, nine, "");
    check(
        "2026-12-01T09:00:00+01:00",
        "2026-12-01T10:00",
        berlin,
        nine,
        "",
    );
    check(
        "2026-12-01T08:00:00Z",
        "2026-12-01T04:00:00-05:00",
        berlin,
        nine,
        "",
    );
    let eight = ("2026-12-01T08:00:00", "UTC", 60);
    check(
        "2026-12-01T08:00:00Z",
        "2026-12-01T09:00:00Z",
        None,
        eight,
        "",
    );
    check(
        "2026-12-01T09:00:00+01:00",
        "2026-12-01T10:00:00+01:00",
        None,
        eight,
        "",
    );
    // An hour of the clock that took two.
    check(
        "2026-10-25T01:30",
        "2026-10-25T03:30",
        berlin,
        ("2026-10-25T01:30:00", "Europe/Berlin", 180),
        "",
    );
    check(
        "2026-10-25T02:30",
        "2026-10-25T04:00",
        berlin,
        ("2026-10-25T02:30:00", "Europe/Berlin", 150),
        "2026-10-25T02:30 comes twice in Europe/Berlin, 60 minutes apart: the first is taken",
    );
    check(
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T04:00",
        berlin,
        ("2026-10-25T01:30:00", "UTC", 90),
        "2026-10-25T02:30 comes twice in Europe/Berlin and the second is meant: the booking is kept in UTC",
    );
}

#[test]
fn what_can_not_be_is_told_in_clear_words() {
    let check = |start: &str, end: &str, zone: Option<&str>, rule: Option<&str>, expected: &str| {
        assert_eq!(
            plan(start, end, zone, rule).unwrap_err().to_string(),
            expected
        );
    };
    let berlin = Some("Europe/Berlin");
    let daily = Some("FREQ=DAILY");
    check(
        "2026-03-29T02:30",
        "2026-03-29T04:00",
        berlin,
        None,
        "2026-03-29T02:30 doesn't exist in Europe/Berlin: the clock is put forward there; the nearest times are 2026-03-29T01:59 and 2026-03-29T03:00",
    );
    check(
        "2011-12-30T09:00",
        "2011-12-31T09:00",
        Some("Pacific/Apia"),
        None,
        "2011-12-30T09:00 doesn't exist in Pacific/Apia: the clock is put forward there; the nearest times are 2011-12-29T23:59 and 2011-12-31T00:00",
    );
    check(
        "2026-12-01T10:00",
        "2026-12-01T09:00",
        berlin,
        None,
        "it ends at 2026-12-01T09:00, which is not after its start at 2026-12-01T10:00",
    );
    check(
        "2026-12-01T10:00",
        "2026-12-01T10:00",
        berlin,
        None,
        "it ends at 2026-12-01T10:00, which is not after its start at 2026-12-01T10:00",
    );
    check(
        "2026-12-01T10:00",
        "2026-12-01T11:00",
        None,
        None,
        "`2026-12-01T10:00` needs a time zone (--tz Europe/Berlin), or an offset such as +01:00 at its end",
    );
    check(
        "2026-12-01T10:00:00Z",
        "2026-12-01T11:00:00Z",
        None,
        daily,
        "a series needs a time zone (--tz), so that it knows its daylight saving time",
    );
    check(
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T04:00",
        berlin,
        daily,
        "2026-10-25T02:30 comes twice in Europe/Berlin, and a series can start at the first of the two only",
    );
    check(
        "tomorrow",
        "2026-10-25T04:00",
        berlin,
        None,
        "`tomorrow` is no time: write 2026-12-01T09:00 with a time zone, or 2026-12-01T09:00:00+01:00",
    );
}

#[test]
fn a_series_that_is_cut_says_until_when() {
    let request = Request {
        zone: Some("Europe/Berlin"),
        rule: Some("FREQ=WEEKLY"),
        except: &["2026-12-08T09:00"],
        ..Request::new("2026-12-01T09:00", "2026-12-01T10:00")
    };
    let planned = request.plan(&Horizon::default()).unwrap();
    assert_eq!(
        planned.notes[0].to_string(),
        "the series goes on, but is booked until 2028-11-28T10:00 only: 104 occurrences"
    );
    assert_eq!(planned.occurrences.windows().len(), 104);
}
