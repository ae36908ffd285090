//! When a booking takes place, where something of it is changed.

use std::time::Duration;

use chrono::{NaiveDateTime, TimeDelta};
use chrono_tz::Tz;
use conclave_accounts::{Plan, Window};
use conclave_calendar::{Horizon, Note, PlanError, Request, occurrences};

/// What rule makes a series take place once.
const NO_RULE: &str = "none";

/// What is said of a booking's time; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanChange {
    /// Another start; see [`Request::start`].
    pub start: Option<String>,
    /// Another end.
    pub end: Option<String>,
    /// Another time zone.
    pub zone: Option<String>,
    /// Another rule; `none` makes a series take place once.
    pub rule: Option<String>,
    /// Starts that are left out besides.
    pub except: Vec<String>,
    /// How many minutes before the start the PINs work already.
    pub early: Option<u64>,
}

/// A plan in which something was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replanned {
    /// The plan.
    pub plan: Plan,
    /// Its moments.
    pub windows: Vec<Window>,
    /// What to tell whoever changed it.
    pub notes: Vec<Note>,
}

impl PlanChange {
    /// The plan with what was said changed in it; `None` where nothing of it was.
    pub fn of(&self, before: &Plan) -> Result<Option<Replanned>, PlanError> {
        let moved = self.start.is_some() || self.end.is_some() || self.zone.is_some();
        if !moved && self.rule.is_none() && self.early.is_none() && self.except.is_empty() {
            return Ok(None);
        }
        let rule = match self.rule.as_deref() {
            Some(NO_RULE) => None,
            Some(rule) => Some(rule),
            None => before.rule.as_deref(),
        };
        let start = self.start.clone().unwrap_or_else(|| local(before.starts));
        let end = self.end.clone().unwrap_or_else(|| local(ends(before)));
        // Exceptions are starts of one series: another one begins without.
        let mut except: Vec<String> = if self.start.is_none() && self.rule.is_none() {
            before.except.iter().map(|start| local(*start)).collect()
        } else {
            Vec::new()
        };
        for more in &self.except {
            if !except.contains(more) {
                except.push(more.clone());
            }
        }
        let except: Vec<&str> = except.iter().map(String::as_str).collect();
        let request = Request {
            start: &start,
            end: &end,
            zone: Some(self.zone.as_deref().unwrap_or(&before.zone)),
            rule,
            except: &except,
            early: self.early.map_or(before.early, minutes),
        };
        let planned = request.plan(&Horizon::default())?;
        let notes = planned.notes;
        if moved {
            return Ok(Some(Replanned {
                windows: planned.occurrences.windows().to_vec(),
                plan: planned.plan,
                notes,
            }));
        }
        // As long as it was, whatever the clock does meanwhile.
        let plan = Plan {
            starts: before.starts,
            length: before.length,
            zone: before.zone.clone(),
            ..planned.plan
        };
        let moments = occurrences(&plan, &Horizon::default())?;
        Ok(Some(Replanned {
            windows: moments.windows().to_vec(),
            plan,
            notes,
        }))
    }
}

pub(crate) fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes.saturating_mul(60))
}

/// The end of the first occurrence on the clock of its zone.
fn ends(plan: &Plan) -> NaiveDateTime {
    let length = TimeDelta::from_std(plan.length).unwrap_or(TimeDelta::zero());
    let zone = plan.zone.parse::<Tz>().ok();
    let starts = zone.and_then(|zone| plan.starts.and_local_timezone(zone).earliest());
    starts.map_or(plan.starts + length, |starts| {
        (starts + length).naive_local()
    })
}

fn local(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: PlanChange, expected: Option<(&str, u64, &str, usize, usize)>) {
        let request = Request {
            zone: Some("Europe/Berlin"),
            rule: Some("FREQ=WEEKLY;COUNT=5"),
            except: &["2026-10-20T09:00"],
            ..Request::new("2026-10-06T09:00", "2026-10-06T10:00")
        };
        let before = request.plan(&Horizon::default()).unwrap().plan;
        let after = change.of(&before).unwrap();
        let said = after.as_ref().map(|after| {
            let plan = &after.plan;
            let minutes = plan.length.as_secs() / 60;
            (
                local(plan.starts),
                minutes,
                plan.zone.as_str(),
                after.windows.len(),
                plan.except.len(),
            )
        });
        let expected = expected.map(|(starts, minutes, zone, windows, except)| {
            (starts.to_owned(), minutes, zone, windows, except)
        });
        assert_eq!(said, expected, "{change:?}");
    }

    #[test]
    fn only_what_is_given_changes() {
        let start = "2026-10-06T09:00:00";
        let said = |text: &str| Some(text.to_owned());
        check(PlanChange::default(), None);
        let early = PlanChange {
            early: Some(5),
            ..PlanChange::default()
        };
        check(early, Some((start, 60, "Europe/Berlin", 4, 1)));
        let except = PlanChange {
            except: vec!["2026-10-13T09:00".into()],
            ..PlanChange::default()
        };
        check(except, Some((start, 60, "Europe/Berlin", 3, 2)));
        let once = PlanChange {
            rule: said("none"),
            ..PlanChange::default()
        };
        check(once, Some((start, 60, "Europe/Berlin", 1, 0)));
        let longer = PlanChange {
            end: said("2026-10-06T10:30"),
            ..PlanChange::default()
        };
        check(longer, Some((start, 90, "Europe/Berlin", 4, 1)));
        let elsewhere = PlanChange {
            zone: said("Europe/London"),
            ..PlanChange::default()
        };
        check(elsewhere, Some((start, 60, "Europe/London", 4, 1)));
        let later = PlanChange {
            start: said("2026-10-13T09:00"),
            end: said("2026-10-13T09:15"),
            ..PlanChange::default()
        };
        check(
            later,
            Some(("2026-10-13T09:00:00", 15, "Europe/Berlin", 5, 0)),
        );
    }
}
