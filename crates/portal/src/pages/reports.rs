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
        span(TimeDelta::seconds(
            i64::try_from(row.seconds).unwrap_or(i64::MAX / 1000),
        ))
    }
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
