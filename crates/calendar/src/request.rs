use std::time::Duration;

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use conclave_accounts::Plan;

use crate::{
    Horizon, Note, Occurrences, PlanError, occurrences,
    zone::{Reading, check_local, zone},
};

/// A booking's time as somebody typed it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// RFC 3339 (`2026-12-01T09:00:00+01:00`), or local (`2026-12-01T09:00`) with a zone.
    pub start: &'a str,
    /// Likewise.
    pub end: &'a str,
    /// The IANA name of the time zone. Without one a booking is kept in UTC, and is no series.
    pub zone: Option<&'a str>,
    /// The value of an RFC 5545 `RRULE`.
    pub rule: Option<&'a str>,
    /// Local starts of occurrences that are left out.
    pub except: &'a [&'a str],
    /// See [`Plan::early`].
    pub early: Duration,
}

/// What was made of a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Its moments.
    pub occurrences: Occurrences,
    /// What to tell whoever books.
    pub notes: Vec<Note>,
}

impl<'a> Request<'a> {
    /// Once, from `start` to `end`.
    pub fn new(start: &'a str, end: &'a str) -> Self {
        Self {
            start,
            end,
            zone: None,
            rule: None,
            except: &[],
            early: Duration::ZERO,
        }
    }

    /// Reads it. A time that the clock of the zone jumps over is refused with its neighbours named;
    /// of one that it shows twice the first is taken, with a [`Note`].
    pub fn plan(&self, horizon: &Horizon) -> Result<Planned, PlanError> {
        if self.rule.is_some() && self.zone.is_none() {
            return Err(PlanError::SeriesNeedsZone);
        }
        let named = self.zone.map(zone).transpose()?;
        let mut notes = Vec::new();
        let start = read(self.start, named, &mut notes)?;
        let end = read(self.end, named, &mut notes)?;
        let length = (end - start)
            .to_std()
            .ok()
            .filter(|length| !length.is_zero());
        let length = length.ok_or_else(|| PlanError::EndsBeforeStart {
            start: self.start.to_owned(),
            end: self.end.to_owned(),
        })?;
        let kept = self.keep(start, named.unwrap_or(Tz::UTC), &mut notes)?;
        let except = self
            .except
            .iter()
            .map(|local| read_local(local).ok_or_else(|| PlanError::NotATime((*local).to_owned())));
        let plan = Plan {
            starts: start.with_timezone(&kept).naive_local(),
            length,
            zone: kept.name().to_owned(),
            early: self.early,
            rule: self.rule.map(str::to_owned),
            except: except.collect::<Result<_, _>>()?,
        };
        let occurrences = occurrences(&plan, horizon)?;
        if occurrences.is_cut() {
            notes.push(Note::Cut {
                until: occurrences.until().with_timezone(&kept).naive_local(),
                count: occurrences.windows().len(),
            });
        }
        Ok(Planned {
            plan,
            occurrences,
            notes,
        })
    }

    /// The zone on whose clock the plan says `start` and means it.
    fn keep(
        &self,
        start: DateTime<Utc>,
        named: Tz,
        notes: &mut Vec<Note>,
    ) -> Result<Tz, PlanError> {
        let local = start.with_timezone(&named).naive_local();
        let (local, zone) = match Reading::of(local, named) {
            Reading::Twice(_, second) if second == start => (local, named.name().to_owned()),
            _ => return Ok(named),
        };
        if self.rule.is_some() {
            return Err(PlanError::SeriesAtSecond { local, zone });
        }
        notes.push(Note::KeptInUtc { local, zone });
        Ok(Tz::UTC)
    }
}

fn read(text: &str, named: Option<Tz>, notes: &mut Vec<Note>) -> Result<DateTime<Utc>, PlanError> {
    let text = text.trim();
    if let Ok(moment) = DateTime::<FixedOffset>::parse_from_rfc3339(text) {
        check_local(moment.naive_utc())?;
        return Ok(moment.to_utc());
    }
    let local = read_local(text).ok_or_else(|| PlanError::NotATime(text.to_owned()))?;
    let zone = named.ok_or_else(|| PlanError::NeedsZone(text.to_owned()))?;
    check_local(local)?;
    match Reading::of(local, zone) {
        Reading::Once(moment) => Ok(moment),
        Reading::Twice(first, second) => {
            notes.push(Note::FirstOfTwo {
                local,
                zone: zone.name().to_owned(),
                again_after: second - first,
            });
            Ok(first)
        }
        Reading::Never { from, to, .. } => Err(PlanError::Nonexistent {
            local,
            zone: zone.name().to_owned(),
            before: from - TimeDelta::minutes(1),
            after: to,
        }),
    }
}

fn read_local(text: &str) -> Option<NaiveDateTime> {
    [
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%d %H:%M:%S",
    ]
    .iter()
    .find_map(|format| NaiveDateTime::parse_from_str(text.trim(), format).ok())
}
