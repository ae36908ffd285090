//! When a booking takes place: as it was typed, and as the calendar makes it out.

use std::time::Duration;

use chrono::{NaiveDateTime, TimeDelta};
use chrono_tz::Tz;
use conclave_accounts::{Plan, Window};
use conclave_calendar::{Horizon, Planned, Request, occurrences};

use crate::{
    cli::BookingChange,
    output::{Failure, warn},
};

/// What `--rule` says to make a series take place once.
const NO_RULE: &str = "none";

/// What a [`Request`] is told, and what is to be said of the answer.
pub(super) fn plan(request: &Request<'_>) -> Result<Planned, Failure> {
    let planned = request.plan(&Horizon::default()).map_err(Failure::usage)?;
    planned.notes.iter().for_each(warn);
    Ok(planned)
}

pub(super) fn early(minutes: Option<u64>) -> Duration {
    Duration::from_secs(minutes.unwrap_or(0).saturating_mul(60))
}

/// The plan with what was typed changed in it; `None` where nothing of it was.
pub(super) fn changed(
    before: &Plan,
    change: &BookingChange,
) -> Result<Option<(Plan, Vec<Window>)>, Failure> {
    let when = &change.when;
    let moved = change.start.is_some() || change.end.is_some() || when.tz.is_some();
    if !moved && when.rule.is_none() && when.early.is_none() && when.except.is_empty() {
        return Ok(None);
    }
    let rule = match when.rule.as_deref() {
        Some(NO_RULE) => None,
        Some(rule) => Some(rule),
        None => before.rule.as_deref(),
    };
    let start = change.start.clone().unwrap_or_else(|| local(before.starts));
    let end = match &change.end {
        Some(end) => end.clone(),
        None => local(ends(before)?),
    };
    // Exceptions are starts of one series: another one begins without.
    let mut except: Vec<String> = if change.start.is_none() && when.rule.is_none() {
        before.except.iter().map(|start| local(*start)).collect()
    } else {
        Vec::new()
    };
    for more in &when.except {
        if !except.contains(more) {
            except.push(more.clone());
        }
    }
    let except: Vec<&str> = except.iter().map(String::as_str).collect();
    let request = Request {
        start: &start,
        end: &end,
        zone: Some(when.tz.as_deref().unwrap_or(&before.zone)),
        rule,
        except: &except,
        early: when
            .early
            .map_or(before.early, |minutes| early(Some(minutes))),
    };
    let planned = plan(&request)?;
    if moved {
        let windows = planned.occurrences.windows().to_vec();
        return Ok(Some((planned.plan, windows)));
    }
    // As long as it was, whatever the clock does meanwhile.
    let plan = Plan {
        starts: before.starts,
        length: before.length,
        zone: before.zone.clone(),
        ..planned.plan
    };
    let moments = occurrences(&plan, &Horizon::default()).map_err(Failure::usage)?;
    Ok(Some((plan, moments.windows().to_vec())))
}

/// The end of the first occurrence on the clock of its zone.
fn ends(plan: &Plan) -> Result<NaiveDateTime, Failure> {
    let zone: Tz = plan.zone.parse().map_err(Failure::machine)?;
    let starts = plan.starts.and_local_timezone(zone).earliest();
    let length = TimeDelta::from_std(plan.length).map_err(Failure::machine)?;
    let ends = starts.map_or(plan.starts + length, |starts| {
        (starts + length).naive_local()
    });
    Ok(ends)
}

fn local(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn change(more: &[&str]) -> BookingChange {
        let words = ["conclave-bridge", "booking", "change", "1"];
        let cli = Cli::try_parse_from(words.iter().chain(more)).unwrap();
        match cli.command {
            Command::Booking(crate::cli::Booking::Change(change)) => *change,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn check(more: &[&str], expected: Option<(&str, u64, &str, usize, usize)>) {
        let before = plan(&Request {
            zone: Some("Europe/Berlin"),
            rule: Some("FREQ=WEEKLY;COUNT=5"),
            except: &["2026-10-20T09:00"],
            ..Request::new("2026-10-06T09:00", "2026-10-06T10:00")
        })
        .unwrap()
        .plan;
        let after = changed(&before, &change(more)).unwrap();
        let said = after.as_ref().map(|(plan, windows)| {
            let minutes = plan.length.as_secs() / 60;
            let starts = local(plan.starts);
            (
                starts,
                minutes,
                plan.zone.as_str(),
                windows.len(),
                plan.except.len(),
            )
        });
        let expected = expected.map(|(starts, minutes, zone, windows, except)| {
            (starts.to_owned(), minutes, zone, windows, except)
        });
        assert_eq!(said, expected, "{more:?}");
    }

    #[test]
    fn only_what_is_given_changes() {
        let start = "2026-10-06T09:00:00";
        check(&["--title", "x"], None);
        check(&["--early", "5"], Some((start, 60, "Europe/Berlin", 4, 1)));
        check(
            &["--except", "2026-10-13T09:00"],
            Some((start, 60, "Europe/Berlin", 3, 2)),
        );
        check(
            &["--rule", "none"],
            Some((start, 60, "Europe/Berlin", 1, 0)),
        );
        check(
            &["--end", "2026-10-06T10:30"],
            Some((start, 90, "Europe/Berlin", 4, 1)),
        );
        check(
            &["--tz", "Europe/London"],
            Some((start, 60, "Europe/London", 4, 1)),
        );
        check(
            &["--start", "2026-10-13T09:00", "--end", "2026-10-13T09:15"],
            Some(("2026-10-13T09:00:00", 15, "Europe/Berlin", 5, 0)),
        );
    }
}
