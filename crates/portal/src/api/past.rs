//! What was: conferences, usage, the audit log.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use conclave_store::{
    AuditPage, CallRow, ConferenceRow, Page, Period, ReportFilter, Store, UserRole,
};

use super::problem::ApiProblem;
use super::shapes::{AuditEntry, Conference, ConferenceDetails, Event, Hint, Participant, Usage};
use super::{Call, List, Numbered};
use crate::look::masked;
use crate::pages::reports::NUMBERS as SHARED_FROM;
use crate::portal::Portal;

/// `from` and `to`, open where absent.
fn period(call: &Call) -> Result<Period, ApiProblem> {
    let moment = |name: &str| match call.query.all(name).next() {
        None => Ok(None),
        Some(text) => match DateTime::parse_from_rfc3339(text) {
            Ok(moment) => Ok(Some(moment.with_timezone(&Utc))),
            Err(_) => Err(ApiProblem::field(name, "Write it as 2026-12-01T00:00:00Z.")),
        },
    };
    Ok(Period {
        from: moment("from")?,
        to: moment("to")?,
    })
}

pub(crate) async fn list_conferences(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let page = call.page()?;
    let account = call.account(&portal).await?;
    let filter = ReportFilter {
        account,
        page,
        ..ReportFilter::all(period(&call)?)
    };
    let rows = portal.store().conferences(&filter).await?;
    let list = List::new(rows, page, |row| row.id, |row| conference(&row));
    Ok(Json(list).into_response())
}

fn conference(row: &ConferenceRow) -> Conference {
    Conference {
        id: row.id,
        account: row.account.0,
        owner: row.owner.clone(),
        booking: row.booking.map(|booking| booking.0),
        title: row.title.clone(),
        started: row.started,
        ended: row.ended,
        reason: row.reason.clone(),
        calls: row.admitted,
    }
}

pub(crate) async fn one_conference(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let id = which.get()?;
    let row = portal.store().conference(id).await?;
    let row = row.ok_or_else(ApiProblem::not_found)?;
    portal.account(&call.user, row.account).await?;
    let filter = ReportFilter {
        conference: Some(id),
        page: Page::all(),
        ..ReportFilter::all(Period::default())
    };
    let full = match call.user.role {
        UserRole::Administrator | UserRole::Auditor => true,
        UserRole::Host | UserRole::Service => false,
    };
    let calls = portal.store().calls(&filter).await?;
    let events = portal.store().events(id).await?;
    Ok(Json(ConferenceDetails {
        conference: conference(&row),
        participants: calls
            .iter()
            .filter_map(|call| participant(call, full))
            .collect(),
        events: events
            .into_iter()
            .map(|event| Event {
                at: event.at,
                what: event.what,
                call: event.call,
                command: event.command,
            })
            .collect(),
    })
    .into_response())
}

fn participant(call: &CallRow, full: bool) -> Option<Participant> {
    let visit = call.visit.as_ref()?;
    let number = call.number.as_deref();
    Some(Participant {
        call: call.id,
        number: number.map(|number| {
            if full {
                number.to_owned()
            } else {
                masked(number)
            }
        }),
        role: visit.role.into(),
        name: visit.holder.clone(),
        arrived: visit.arrived,
        admitted: visit.admitted,
        departed: visit.departed,
        reason: visit.reason.clone(),
        codec: call.media.codec.clone(),
        packets_lost: call.media.packets_lost,
        jitter_ms: call.media.jitter_ms,
        mos: call.media.mos,
    })
}

pub(crate) async fn usage(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let rows = portal.store().usage(period(&call)?).await?;
    let usage: Vec<_> = rows
        .into_iter()
        .map(|row| Usage {
            account: row.account.0,
            owner: row.owner,
            email: row.email,
            department: row.department,
            cost_code: row.cost_code,
            conferences: row.conferences,
            calls: row.calls,
            seconds: row.seconds,
        })
        .collect();
    Ok(Json(List {
        items: usage,
        next: None,
    })
    .into_response())
}

pub(crate) async fn hints(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let period = period(&call)?;
    let rows = portal.store().hints(period, SHARED_FROM).await?;
    let hints = rows.into_iter().map(|row| Hint {
        account: row.account.0,
        owner: row.owner,
        numbers: row.numbers,
        another_host: row.another_host,
    });
    Ok(Json(List {
        items: hints.collect::<Vec<_>>(),
        next: None,
    })
    .into_response())
}

pub(crate) async fn audit(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let (page, period) = (call.page()?, period(&call)?);
    let rows = match portal.store().audit_span(period).await? {
        None => Vec::new(),
        Some(span) => {
            let filter = AuditPage {
                limit: page.limit,
                ..AuditPage::of(period, span, page.after)
            };
            portal.store().audit(&filter).await?
        }
    };
    let list = List::new(
        rows,
        page,
        |row| row.seq,
        |row| AuditEntry {
            seq: row.seq,
            at: row.at,
            kind: row.kind,
            body: row.body,
        },
    );
    Ok(Json(list).into_response())
}
