//! What pages have in common: the frame around them, and how moments, months and numbers are written.

use std::fmt;
use std::time::Duration;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use conclave_store::{Period, UserRole};

use crate::guard::Visitor;
use crate::routes::{ENTRANCES, Verdict};

/// What is around every page: who is signed in, the menu, the form to sign out.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) user: Option<Known>,
    pub(crate) menu: Vec<Item>,
    /// What every form holds.
    pub(crate) form: String,
}

#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) email: String,
    pub(crate) role: &'static str,
}

#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) path: &'static str,
    pub(crate) label: &'static str,
    pub(crate) here: bool,
}

impl Frame {
    /// For a visitor of the page at `path`.
    pub(crate) fn new(visitor: &Visitor, path: &str) -> Self {
        let form = visitor.form_token().expose().to_string();
        let Some(user) = &visitor.user else {
            return Self {
                form,
                ..Self::bare()
            };
        };
        let menu = ENTRANCES.iter().filter_map(|entrance| {
            let enters = entrance.access.admits(Some(user.role)) == Verdict::Enter;
            Some(Item {
                path: entrance.path,
                label: entrance.menu.filter(|_| enters)?,
                here: entrance.path == path,
            })
        });
        Self {
            user: Some(Known {
                email: user.email.to_string(),
                role: role(user.role),
            }),
            menu: menu.collect(),
            form,
        }
    }

    /// For whoever it may be.
    pub(crate) fn bare() -> Self {
        Self {
            user: None,
            menu: Vec::new(),
            form: String::new(),
        }
    }
}

pub(crate) fn role(role: UserRole) -> &'static str {
    match role {
        UserRole::Host => "Host",
        UserRole::Service => "Customer service",
        UserRole::Administrator => "Administrator",
        UserRole::Auditor => "Auditor",
    }
}

/// The page as an answer.
pub(crate) fn page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => {
            let kind = HeaderValue::from_static("text/html; charset=utf-8");
            (status, [(header::CONTENT_TYPE, kind)], html).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page of the portal can't be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A moment. The script shows it in the viewer's zone; without it, it is in UTC and says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When(pub(crate) DateTime<Utc>);

impl When {
    pub(crate) fn iso(&self) -> impl fmt::Display {
        self.0.format("%Y-%m-%dT%H:%M:%SZ")
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%-d %b %Y, %H:%M UTC"))
    }
}

/// How long something took, to the minute, or to the second where it was shorter.
pub(crate) fn span(lasted: TimeDelta) -> String {
    let seconds = lasted.num_seconds().max(0);
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// The same of an unsigned one.
pub(crate) fn length(lasts: Duration) -> String {
    span(TimeDelta::from_std(lasts).unwrap_or(TimeDelta::MAX))
}

/// A caller's number for those who need to tell callers apart, not to ring them up: country and area stay, and two
/// digits; of a short number nothing.
pub(crate) fn masked(number: &str) -> String {
    let digits: Vec<char> = number.chars().collect();
    if digits.len() < 10 {
        return "***".to_owned();
    }
    let (first, last) = (&digits[..5], &digits[digits.len() - 2..]);
    first.iter().chain(&['*', '*', '*']).chain(last).collect()
}

/// A month of the calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Month(NaiveDate);

impl Month {
    /// From `2026-11`; that of `now` where it says nothing.
    pub(crate) fn parse(text: &str, now: DateTime<Utc>) -> Self {
        let said = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok();
        // Outside of these there is nothing, and dates have an end.
        let said = said.filter(|date| (2000..2200).contains(&date.year()));
        Self::of(said.unwrap_or_else(|| now.date_naive()))
    }

    fn of(date: NaiveDate) -> Self {
        Self(date.with_day(1).unwrap_or(date))
    }

    pub(crate) fn before(self) -> Self {
        Self::of(self.0 - TimeDelta::days(1))
    }

    pub(crate) fn after(self) -> Self {
        Self::of(self.0 + TimeDelta::days(31))
    }

    pub(crate) fn period(self) -> Period {
        let start = |month: Self| month.0.and_time(Default::default()).and_utc();
        Period {
            from: Some(start(self)),
            to: Some(start(self.after())),
        }
    }

    /// As an address has it: `2026-11`.
    pub(crate) fn key(self) -> String {
        self.0.format("%Y-%m").to_string()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%B %Y"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn months_follow_each_other() {
        let now = at("2026-11-28T00:00:00Z");
        let check = |text: &str, key: &str, before: &str, after: &str| {
            let month = Month::parse(text, now);
            let found = [month, month.before(), month.after()].map(Month::key);
            assert_eq!(found, [key, before, after], "{text}");
        };
        check("2026-01", "2026-01", "2025-12", "2026-02");
        check("2024-02", "2024-02", "2024-01", "2024-03");
        for said_nothing in ["", "2026-13", "x", "9999-01", "2026-11-05", "-1-02"] {
            check(said_nothing, "2026-11", "2026-10", "2026-12");
        }
        let period = Month::parse("2026-12", now).period();
        assert_eq!(period.from, Some(at("2026-12-01T00:00:00Z")));
        assert_eq!(period.to, Some(at("2027-01-01T00:00:00Z")));
        assert_eq!(Month::parse("", now).to_string(), "November 2026");
    }

    #[test]
    fn spans_numbers_and_moments() {
        let check = |seconds, expected| assert_eq!(span(TimeDelta::seconds(seconds)), expected);
        check(-3, "0 s");
        check(59, "59 s");
        check(60, "1 min");
        check(3600, "1 h");
        check(5430, "1 h 30 min");
        assert_eq!(masked("+4930123456"), "+4930***56");
        assert_eq!(masked("12345"), "***");
        let when = When(at("2026-11-08T09:05:07Z"));
        assert_eq!(when.to_string(), "8 Nov 2026, 09:05 UTC");
        assert_eq!(when.iso().to_string(), "2026-11-08T09:05:07Z");
    }
}
