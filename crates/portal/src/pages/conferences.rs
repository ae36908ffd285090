//! Conferences: a month of them, and who was in one.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use conclave_accounts::Role;
use conclave_store::{
    CallRow, ConferenceRow, EventRow, Page, Period, ReportFilter, Store, UserRole, Visit,
};

use super::{Turning, and_one, number};
use crate::guard::Visitor;
use crate::look::{self, Frame, Month, When, masked, span};
use crate::portal::Portal;
use crate::problem::Problem;
use crate::timeline::Timeline;

const PATH: &str = "/conferences";

/// A conference, as lists show it.
pub(super) struct Held {
    pub(super) id: u64,
    pub(super) title: String,
    pub(super) owner: String,
    pub(super) started: When,
    pub(super) lasted: String,
    pub(super) calls: u64,
}

impl From<ConferenceRow> for Held {
    fn from(row: ConferenceRow) -> Self {
        Self {
            id: row.id,
            title: row
                .title
                .unwrap_or_else(|| "On the account's own PINs".to_owned()),
            owner: row.owner,
            started: When(row.started),
            lasted: match row.ended {
                Some(ended) => span(ended - row.started),
                None => "running".to_owned(),
            },
            calls: row.admitted,
        }
    }
}

#[derive(Template)]
#[template(path = "conferences.html")]
struct List {
    frame: Frame,
    conferences: Vec<Held>,
    turning: Turning,
}

#[derive(Template)]
#[template(path = "conference.html")]
struct One {
    frame: Frame,
    account: u64,
    held: Held,
    why: String,
    timeline: Option<Timeline>,
    callers: Vec<Caller>,
    events: Vec<Event>,
}

struct Caller {
    name: String,
    role: &'static str,
    number: String,
    arrived: When,
    lasted: String,
    reason: String,
    sound: String,
}

struct Event {
    at: When,
    what: String,
}

pub(crate) async fn list(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let month = Month::parse(visitor.fields.get("month"), portal.now());
    let filter = ReportFilter {
        page: and_one(visitor.fields.number("after")),
        ..ReportFilter::all(month.period())
    };
    let mut rows = portal.store().conferences(&filter).await?;
    let turning = Turning::new(PATH.to_owned(), month, &mut rows, |row| row.id);
    let shown = List {
        frame: Frame::new(&visitor, PATH),
        conferences: rows.into_iter().map(Held::from).collect(),
        turning,
    };
    Ok(look::page(StatusCode::OK, &shown))
}

pub(crate) async fn one(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (user, id) = (visitor.user()?, number(&id).ok_or(Problem::NotFound)?);
    let conference = portal.store().conference(id).await?;
    let conference = conference.ok_or(Problem::NotFound)?;
    portal.account(user, conference.account).await?;
    let filter = ReportFilter {
        conference: Some(id),
        page: Page::all(),
        ..ReportFilter::all(Period::default())
    };
    let calls = portal.store().calls(&filter).await?;
    let full = match user.role {
        UserRole::Administrator | UserRole::Auditor => true,
        UserRole::Host | UserRole::Service => false,
    };
    let callers: Vec<_> = calls
        .iter()
        .filter_map(|call| Some(caller(call, call.visit.as_ref()?, full)))
        .collect();
    let events = portal.store().events(id).await?;
    let label = |call: &CallRow, visit: &Visit| {
        let caller = caller(call, visit, full);
        let who = if caller.name.is_empty() {
            caller.number
        } else {
            caller.name
        };
        format!("{who}, {}", caller.role)
    };
    let timeline = Timeline::new(&conference, &calls, &events, portal.now(), label);
    let shown = One {
        frame: Frame::new(&visitor, PATH),
        account: conference.account.0,
        why: conference.reason.as_deref().map(words).unwrap_or_default(),
        events: events.iter().map(|event| happened(event, &calls)).collect(),
        held: conference.into(),
        timeline,
        callers,
    };
    Ok(look::page(StatusCode::OK, &shown))
}

fn caller(call: &CallRow, visit: &Visit, full: bool) -> Caller {
    let number = match (&call.number, full) {
        (None, _) => "withheld".to_owned(),
        (Some(number), true) => number.clone(),
        (Some(number), false) => masked(number),
    };
    Caller {
        name: visit.holder.clone().unwrap_or_default(),
        role: role(visit.role),
        number,
        arrived: When(visit.arrived),
        lasted: match (visit.admitted, visit.departed) {
            (Some(admitted), Some(departed)) => span(departed - admitted),
            (Some(_), None) => "is in".to_owned(),
            (None, None) => "waits".to_owned(),
            (None, Some(_)) => "was not let in".to_owned(),
        },
        reason: visit.reason.as_deref().map(words).unwrap_or_default(),
        sound: match call.media.mos {
            Some(mos) => format!("{mos:.1} of 4.5"),
            None => String::new(),
        },
    }
}

/// Who a call was, as far as a reader of the events can tell it from others.
fn who(event: &EventRow, calls: &[CallRow]) -> String {
    let Some(id) = event.call else {
        let operator = event.operator.as_deref();
        return operator.unwrap_or("The operator").to_owned();
    };
    let call = calls.iter().find(|call| call.id == id);
    let visit = call.and_then(|call| call.visit.as_ref());
    match visit {
        Some(visit) => match &visit.holder {
            Some(name) => format!("{name} ({})", role(visit.role)),
            None => format!("A {}", role(visit.role)),
        },
        None => "A caller".to_owned(),
    }
}

fn happened(event: &EventRow, calls: &[CallRow]) -> Event {
    let who = who(event, calls);
    let mut what = match (event.what.as_str(), &event.command) {
        ("command", Some(command)) => format!("{who}: {}", words(command)),
        ("refused", _) => format!("{who} was refused"),
        (other, _) => format!("{who}: {}", words(other)),
    };
    if let Some(why) = &event.refusal {
        what.push_str(&format!(" ({})", words(why)));
    }
    Event {
        at: When(event.at),
        what,
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Host => "Host",
        Role::Guest => "Guest",
    }
}

/// `last-left` is kept; "last left" is read.
fn words(word: &str) -> String {
    word.replace('-', " ")
}
