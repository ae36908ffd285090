//! The audit log.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use conclave_store::{AuditPage, AuditRow, Store};
use serde_json::Value;

use super::{Turning, and_one};
use crate::guard::Visitor;
use crate::look::{self, Frame, Month, When};
use crate::portal::Portal;
use crate::problem::Problem;

const PATH: &str = "/audit";

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit {
    frame: Frame,
    entries: Vec<Entry>,
    turning: Turning,
}

struct Entry {
    seq: u64,
    at: When,
    kind: String,
    by: String,
    particulars: String,
}

pub(crate) async fn page(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let month = Month::parse(visitor.fields.get("month"), portal.now());
    let part = and_one(visitor.fields.number("after"));
    let period = month.period();
    let mut rows = match portal.store().audit_span(period).await? {
        None => Vec::new(),
        Some(span) => {
            let filter = AuditPage {
                limit: part.limit,
                ..AuditPage::of(period, span, part.after)
            };
            portal.store().audit(&filter).await?
        }
    };
    let turning = Turning::new(PATH.to_owned(), month, &mut rows, |row| row.seq);
    let shown = Audit {
        frame: Frame::new(&visitor, PATH),
        entries: rows.into_iter().map(entry).collect(),
        turning,
    };
    Ok(look::page(StatusCode::OK, &shown))
}

fn entry(row: AuditRow) -> Entry {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let body = row.body.as_object();
    let particulars: Vec<_> = body
        .into_iter()
        .flatten()
        .filter(|(key, _)| *key != "by")
        .map(|(key, value)| format!("{key}: {}", text(value)))
        .collect();
    Entry {
        seq: row.seq,
        at: When(row.at),
        by: body
            .and_then(|body| body.get("by"))
            .map(text)
            .unwrap_or_default(),
        particulars: particulars.join(", "),
        kind: row.kind,
    }
}
