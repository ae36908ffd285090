use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use rrule::{RRule, RRuleSet, Unvalidated};

use crate::PlanError;

/// The value of an RFC 5545 `RRULE`, checked.
pub(crate) struct Rule {
    /// In upper case, `UNTIL` left out.
    parts: Vec<(String, String)>,
    pub(crate) until: Option<Until>,
}

/// The last possible start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Moment(DateTime<Utc>),
    /// On the clock of the plan's zone.
    Local(NaiveDateTime),
}

const LONGEST_RULE: usize = 500;
const MOST_STARTS_A_DAY: usize = 24;
const NAMES: &[&str] = &[
    "FREQ",
    "UNTIL",
    "COUNT",
    "INTERVAL",
    "BYSECOND",
    "BYMINUTE",
    "BYHOUR",
    "BYDAY",
    "BYMONTHDAY",
    "BYYEARDAY",
    "BYWEEKNO",
    "BYMONTH",
    "BYSETPOS",
    "WKST",
];

impl Rule {
    pub(crate) fn parse(text: &str) -> Result<Self, PlanError> {
        if text.len() > LONGEST_RULE {
            return Err(PlanError::RuleTooLong(text.len()));
        }
        let mut rule = Self {
            parts: Vec::new(),
            until: None,
        };
        let mut at = 0;
        for part in text.split(';') {
            rule.take(part).map_err(|why| PlanError::RulePart {
                part: part.to_owned(),
                at,
                why,
            })?;
            at += part.len() + 1;
        }
        rule.check()?;
        Ok(rule)
    }

    fn take(&mut self, part: &str) -> Result<(), String> {
        let (name, value) = part
            .split_once('=')
            .ok_or("each part has the shape NAME=VALUE, with `;` between parts")?;
        let (name, value) = (name.to_ascii_uppercase(), value.to_ascii_uppercase());
        if !NAMES.contains(&name.as_str()) {
            return Err(format!(
                "RFC 5545 knows no {name}; there are {}",
                NAMES.join(", ")
            ));
        }
        if self.value(&name).is_some() || (name == "UNTIL" && self.until.is_some()) {
            return Err(format!("{name} is there twice"));
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || "+-,".contains(c);
        if value.is_empty() || !value.chars().all(fits) {
            return Err("a value has letters, digits, signs and commas".to_owned());
        }
        match name.as_str() {
            "UNTIL" => {
                let until = read_until(&value);
                self.until =
                    Some(until.ok_or("write 20271231T225959Z, 20271231T235959 or 20271231")?);
                return Ok(());
            }
            "COUNT" | "INTERVAL" if value.parse::<u16>().is_ok_and(|number| number > 0) => {}
            "COUNT" | "INTERVAL" => return Err("a number from 1 to 65535 belongs there".to_owned()),
            _ => {}
        }
        self.parts.push((name, value));
        Ok(())
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let part = self.parts.iter().find(|part| part.0 == name);
        part.map(|part| part.1.as_str())
    }

    /// What RFC 5545 forbids and `rrule` lets pass, and what would make it work without end.
    fn check(&self) -> Result<(), PlanError> {
        let wrong = |why: &str| Err(PlanError::Rule(why.to_owned()));
        let freq = match self.value("FREQ") {
            Some(freq @ ("SECONDLY" | "MINUTELY" | "HOURLY")) => {
                return Err(PlanError::TooFine(freq.to_owned()));
            }
            Some(freq) => freq,
            None => return wrong("FREQ is missing, as in FREQ=WEEKLY"),
        };
        if self.until.is_some() && self.value("COUNT").is_some() {
            return wrong("it ends by COUNT or by UNTIL, not by both");
        }
        let numbered = |day: &&str| day.contains(|c: char| c.is_ascii_digit());
        let days: Vec<&str> = self
            .value("BYDAY")
            .into_iter()
            .flat_map(|days| days.split(','))
            .collect();
        let with_number = days.iter().filter(|day| numbered(day)).count();
        if with_number > 0 {
            if !matches!(freq, "MONTHLY" | "YEARLY") || self.value("BYWEEKNO").is_some() {
                return wrong("a numbered weekday such as 2MO belongs to a month or a year");
            }
            // `rrule` takes the days that are both, where RFC 5545 means those that are either.
            if with_number < days.len() {
                return wrong("weekdays are all numbered or none is: 1MO,3MO or MO,TU");
            }
        }
        let list = |name| self.value(name).map_or(1, |list| list.split(',').count());
        let starts = list("BYHOUR") * list("BYMINUTE") * list("BYSECOND");
        if starts > MOST_STARTS_A_DAY {
            return Err(PlanError::TooOften(starts));
        }
        Ok(())
    }

    /// The starts that it gives, by the clock on the wall: from `start` on, in order, whether or
    /// not the clock shows such a time. [`until`](Self::until) is for the caller to mind.
    ///
    /// Between two of them `rrule` tries at most 100,000 periods, and none after the year 10,000.
    pub(crate) fn local_starts(
        &self,
        start: NaiveDateTime,
    ) -> Result<impl Iterator<Item = NaiveDateTime>, PlanError> {
        let no = |error: &dyn std::fmt::Display| PlanError::Rule(error.to_string());
        // `rrule` would read an UNTIL without `Z` on the clock of this machine: it gets none.
        let rule: RRule<Unvalidated> = self.joined().parse().map_err(|error| no(&error))?;
        let start = start.and_utc().with_timezone(&rrule::Tz::UTC);
        let rule = rule.validate(start).map_err(|error| no(&error))?;
        let set = RRuleSet::new(start).rrule(rule).limit();
        Ok(set.into_iter().map(|start| start.naive_utc()))
    }

    fn joined(&self) -> String {
        let parts = self
            .parts
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        parts.collect::<Vec<_>>().join(";")
    }

    /// As an invitation has it. RFC 5545 wants UNTIL in UTC; `last`, the last occurrence's start,
    /// stands for it, and for where a longer series was cut.
    pub(crate) fn for_invitation(&self, last: DateTime<Utc>, cut: bool) -> String {
        if !cut && self.until.is_none() {
            return self.joined();
        }
        let mut parts = self.parts.clone();
        parts.retain(|(name, _)| name != "COUNT");
        Self { parts, until: None }.joined() + &format!(";UNTIL={}", last.format("%Y%m%dT%H%M%SZ"))
    }
}

impl Until {
    /// Whether a start comes after it.
    pub(crate) fn is_before(self, local: NaiveDateTime, moment: DateTime<Utc>) -> bool {
        match self {
            Self::Moment(until) => until < moment,
            Self::Local(until) => until < local,
        }
    }

    /// A local time after which nothing can be at or before it, in whichever zone.
    pub(crate) fn latest_local(self) -> NaiveDateTime {
        match self {
            Self::Moment(until) => until.naive_utc() + TimeDelta::days(2),
            Self::Local(until) => until,
        }
    }
}

/// A date is that whole day.
fn read_until(value: &str) -> Option<Until> {
    let local = |value: &str| NaiveDateTime::parse_from_str(value, "%Y%m%dT%H%M%S").ok();
    match (value.len(), value.strip_suffix('Z')) {
        (16, Some(utc)) => local(utc).map(|utc| Until::Moment(utc.and_utc())),
        (15, None) => local(value).map(Until::Local),
        (8, None) => NaiveDate::parse_from_str(value, "%Y%m%d")
            .ok()
            .and_then(|day| day.and_hms_opt(23, 59, 59))
            .map(Until::Local),
        _ => None,
    }
}
