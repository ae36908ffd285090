//! Periods and times, on the clock of a time zone.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use conclave_store::Period;

use crate::{cli::Range, output::Failure};

pub(crate) fn period(range: &Range) -> Result<Period, Failure> {
    let parse = |flag: &str, text: &Option<String>| {
        let text = text.as_deref();
        text.map(|text| moment(flag, text, range.tz)).transpose()
    };
    let from = parse("--from", &range.from)?;
    let to = parse("--to", &range.to)?;
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Failure::usage(
            "--from is not before --to: nothing lies between",
        ));
    }
    Ok(Period { from, to })
}

/// A time as reports show it.
pub(crate) fn time(at: DateTime<Utc>, zone: Tz) -> String {
    let here = zone.from_utc_datetime(&at.naive_utc());
    here.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The first moment of a day.
pub(super) fn begin(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    on_clock(day.and_time(chrono::NaiveTime::MIN), zone)
}

/// Where the clock shows it twice, the first; where it jumps over it, the first moment after.
fn on_clock(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    (0..=96)
        .find_map(|quarter| {
            let later = local + TimeDelta::minutes(15 * quarter);
            zone.from_local_datetime(&later).earliest()
        })
        .map_or(local.and_utc(), |there| there.to_utc())
}

fn moment(flag: &str, text: &str, zone: Tz) -> Result<DateTime<Utc>, Failure> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(begin(day, zone));
    }
    ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|local| on_clock(local, zone))
        .ok_or_else(|| {
            Failure::usage(format!(
                "{flag}: '{text}' is no time such as 2026-11-30 or 2026-11-30T09:00:00Z"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_or_moments() {
        let check = |zone: Tz, text: &str, expected: &str| {
            let moment = moment("--from", text, zone).unwrap();
            assert_eq!(time(moment, Tz::UTC), expected, "{text} in {zone}");
        };
        check(Tz::UTC, "2026-11-30", "2026-11-30T00:00:00.000Z");
        check(
            Tz::UTC,
            "2026-11-30T01:00:00+01:00",
            "2026-11-30T00:00:00.000Z",
        );
        check(Tz::Europe__Berlin, "2026-11-30", "2026-11-29T23:00:00.000Z");
        check(
            Tz::Europe__Berlin,
            "2026-07-01T09:30",
            "2026-07-01T07:30:00.000Z",
        );
        // No midnight there on that day, nor half past two here.
        check(
            Tz::America__Santiago,
            "2026-09-06",
            "2026-09-06T04:00:00.000Z",
        );
        check(
            Tz::Europe__Berlin,
            "2026-03-29T02:30",
            "2026-03-29T01:00:00.000Z",
        );
        check(
            Tz::Europe__Berlin,
            "2026-10-25T02:30",
            "2026-10-25T00:30:00.000Z",
        );
        let error = moment("--to", "tomorrow", Tz::UTC).unwrap_err();
        assert!(error.message.contains("--to"), "{}", error.message);
    }

    #[test]
    fn times_are_shown_on_the_clock_of_the_zone() {
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        assert_eq!(time(at, Tz::UTC), "2026-09-21T14:13:20.000Z");
        assert_eq!(
            time(at, Tz::Europe__Berlin),
            "2026-09-21T16:13:20.000+02:00"
        );
    }
}
