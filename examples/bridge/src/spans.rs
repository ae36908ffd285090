//! What is traced, and what is told of it: all spans of the bridge are made here, so that one sees at a glance that no PIN, no
//! caller's number, no name and no address is in them. (The store's own tell of transactions and of how many entries they hold.)
//!
//! While nothing is traced these are empty, and cost a comparison each.

use axum::{
    extract::{MatchedPath, Request},
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
};
use conclave_accounts::{CallId, Outcome, Role, Verdict};
use conclave_attendant::Report;
use conclave_conference::{ConferenceId, Fact};
use conclave_media::Codec;
use conclave_store::{Delivery, Letter};
use tracing::{Instrument as _, Span, field::Empty, info_span};

use crate::telemetry;

/// A call, from its INVITE to its end. `trunk` is the name of one, and never an endpoint's, which may be a person's.
pub(crate) fn call(call: CallId, trunk: Option<&str>) -> Span {
    info_span!(
        parent: None,
        "call",
        otel.kind = "server",
        otel.status_code = Empty,
        conclave.call = call.0.cast_signed(),
        conclave.trunk = trunk,
        conclave.codec = Empty,
        conclave.conference = Empty,
        conclave.role = Empty,
        conclave.ended = Empty,
    )
}

/// The call can't be taken.
pub(crate) fn refused(call: &Span, why: &'static str) {
    call.record("conclave.ended", why);
    call.record("otel.status_code", "ERROR");
}

/// Of the latest offer and answer.
pub(crate) fn agreed(call: &Span, codec: Codec) {
    call.record("conclave.codec", codec.rtpmap_name());
}

/// The call whose span a report adds to, and what it adds.
pub(crate) fn of_report(report: &Report) -> Option<(CallId, Told)> {
    match report {
        Report::Conference(record) => match &record.fact {
            Fact::Arrived { call, role, .. } => {
                Some((*call, Told::Arrived(record.conference, *role)))
            }
            _ => None,
        },
        Report::CallEnded { call, reason, .. } => Some((*call, Told::Ended(reason.as_str()))),
        _ => None,
    }
}

/// What a report says of a call.
pub(crate) enum Told {
    Arrived(ConferenceId, Role),
    Ended(&'static str),
}

impl Told {
    pub(crate) fn to(self, call: &Span) {
        match self {
            Self::Arrived(conference, role) => {
                call.record("conclave.conference", i64::from(conference.0));
                call.record("conclave.role", word(role));
            }
            Self::Ended(why) => {
                call.record("conclave.ended", why);
            }
        }
    }
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Host => "host",
        Role::Guest => "guest",
    }
}

/// A PIN is looked up and judged, for a call.
pub(crate) fn look_up(call: &Span) -> Span {
    info_span!(
        parent: call,
        "PIN look-up",
        otel.status_code = Empty,
        conclave.outcome = Empty,
    )
}

/// How it went; of a PIN that opens no door not why, as the caller isn't told either.
pub(crate) fn judged<E>(look_up: &Span, verdict: &Result<Verdict, E>) {
    let outcome = match verdict.as_ref().map(|verdict| &verdict.outcome) {
        Ok(Outcome::Admit(_)) => "admitted",
        Ok(Outcome::Mistyped) => "mistyped",
        Ok(Outcome::NotValid) => "not-valid",
        Err(_) => {
            look_up.record("otel.status_code", "ERROR");
            "failed"
        }
    };
    look_up.record("conclave.outcome", outcome);
}

/// An event that is told to a webhook. Its address stays out: it may hold a secret of its own.
pub(crate) fn delivery(delivery: &Delivery) -> Span {
    info_span!(
        parent: None,
        "webhook delivery",
        otel.kind = "client",
        otel.status_code = Empty,
        conclave.webhook = delivery.webhook.0.cast_signed(),
        conclave.delivery = delivery.id,
        conclave.tries = i64::from(delivery.tries),
        conclave.outcome = Empty,
        http.response.status_code = Empty,
    )
}

/// A letter that is rendered and handed to the mail server.
pub(crate) fn letter(letter: &Letter) -> Span {
    info_span!(
        parent: None,
        "letter",
        otel.kind = "client",
        otel.status_code = Empty,
        conclave.letter = letter.id,
        conclave.booking = letter.booking.0.cast_signed(),
        conclave.tries = i64::from(letter.tries),
        conclave.outcome = Empty,
    )
}

/// What became of a delivery or a letter.
pub(crate) fn outcome(of: &Span, word: &'static str, is_well: bool) {
    of.record("conclave.outcome", word);
    if !is_well {
        of.record("otel.status_code", "ERROR");
    }
}

/// With what a request was answered, here or elsewhere.
pub(crate) fn answered(request: &Span, status: StatusCode) {
    request.record("http.response.status_code", i64::from(status.as_u16()));
}

/// A request to the portal or its API, in the trace that it names: the template of its path, never the path itself or its query.
pub(crate) async fn request(request: Request, next: Next) -> Response {
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map(|route| route.as_str().to_owned());
    let name = match &route {
        Some(route) => format!("{method} {route}"),
        None => method.to_owned(),
    };
    let span = info_span!(
        parent: None,
        "request",
        otel.name = name,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
    );
    telemetry::join(&span, request.headers());
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    answered(&span, status);
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    response
}

/// Any word may stand for a method: of those that are none the convention knows one name.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}
