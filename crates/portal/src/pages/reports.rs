//! What a month came to.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::TimeDelta;
use conclave_store::{Hint, Store, UsageRow};

use super::Turning;
use crate::guard::Visitor;
use crate::look::{self, Frame, Month, span};
use crate::portal::Portal;
use crate::problem::Problem;

const PATH: &str = "/reports";

/// A Host PIN that is used from so many numbers looks shared.
pub(crate) const NUMBERS: u32 = 4;

#[derive(Template)]
#[template(path = "reports.html")]
struct Reports {
    frame: Frame,
    usage: Vec<UsageRow>,
    hints: Vec<Hint>,
    turning: Turning,
}

impl Reports {
    fn time(&self, row: &UsageRow) -> String {
        time(row.seconds)
    }
}

fn time(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX / 1000);
    span(TimeDelta::seconds(seconds))
}

/// A year, month by month.
#[derive(Template)]
#[template(path = "year.html")]
struct Year {
    frame: Frame,
    until: Month,
    months: Vec<OfMonth>,
}

struct OfMonth {
    month: Month,
    conferences: u64,
    time: String,
    /// Of the bar: that of the busiest month is 1000 wide.
    width: u64,
}

impl Year {
    fn is_empty(&self) -> bool {
        self.months.iter().all(|month| month.conferences == 0)
    }
}

pub(crate) async fn year(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let until = Month::parse(visitor.fields.get("month"), portal.now());
    let mut sums = Vec::new();
    let mut month = until;
    for _ in 0..12 {
        let usage = portal.store().usage(month.period()).await?;
        let conferences: u64 = usage.iter().map(|row| row.conferences).sum();
        let seconds: u64 = usage.iter().map(|row| row.seconds).sum();
        sums.push((month, conferences, seconds));
        month = month.before();
    }
    let most = sums.iter().map(|(.., seconds)| *seconds).max();
    let most = most.unwrap_or(0).max(1);
    let months = sums
        .into_iter()
        .rev()
        .map(|(month, conferences, seconds)| OfMonth {
            month,
            conferences,
            time: time(seconds),
            width: seconds * 1000 / most,
        });
    let shown = Year {
        frame: Frame::new(&visitor, PATH),
        until,
        months: months.collect(),
    };
    Ok(look::page(StatusCode::OK, &shown))
}

pub(crate) async fn page(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let month = Month::parse(visitor.fields.get("month"), portal.now());
    let usage = portal.store().usage(month.period()).await?;
    let hints = portal.store().hints(month.period(), NUMBERS).await?;
    let turning = Turning {
        month,
        path: PATH.to_owned(),
        more: None,
    };
    let shown = Reports {
        frame: Frame::new(&visitor, PATH),
        usage,
        hints,
        turning,
    };
    Ok(look::page(StatusCode::OK, &shown))
}
