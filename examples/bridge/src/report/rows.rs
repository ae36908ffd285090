//! The reports' rows, as objects whose keys are the columns.

use chrono_tz::Tz;
use conclave_accounts::Role;
use conclave_store::{AuditRow, CallRow, ConferenceRow, Hint};
use serde_json::{Value, json};

use super::range::time;

pub(super) const CONFERENCES: &[&str] = &[
    "id",
    "account",
    "owner",
    "department",
    "cost_code",
    "booking",
    "title",
    "started",
    "ended",
    "reason",
    "calls",
    "admitted",
];

pub(super) const CALLS: &[&str] = &[
    "id",
    "trunk",
    "number",
    "answered",
    "ended",
    "reason",
    "conference",
    "account",
    "owner",
    "booking",
    "title",
    "role",
    "holder",
    "arrived",
    "admitted",
    "departed",
    "left_reason",
    "wrong_pins",
    "codec",
    "encryption",
    "packets_lost",
    "jitter_ms",
    "mos",
];

pub(super) const AUDIT: &[&str] = &["seq", "at", "kind", "body"];

pub(super) const HINTS: &[&str] = &["account", "owner", "numbers", "another_host"];

pub(super) fn conference(row: &ConferenceRow, zone: Tz) -> Value {
    json!({
        "id": row.id, "account": row.account.0, "owner": row.owner, "department": row.department,
        "cost_code": row.cost_code, "booking": row.booking.map(|id| id.0), "title": row.title,
        "started": time(row.started, zone), "ended": row.ended.map(|at| time(at, zone)), "reason": row.reason,
        "calls": row.calls, "admitted": row.admitted,
    })
}

pub(super) fn call(row: &CallRow, zone: Tz) -> Value {
    let visit = row.visit.as_ref();
    json!({
        "id": row.id, "trunk": row.trunk, "number": row.number, "answered": time(row.answered, zone),
        "ended": row.ended.map(|at| time(at, zone)), "reason": row.reason, "wrong_pins": row.wrong_pins,
        "conference": visit.map(|visit| visit.conference),
        "account": visit.map(|visit| visit.account.0),
        "owner": visit.map(|visit| &visit.owner),
        "booking": visit.and_then(|visit| visit.booking).map(|id| id.0),
        "title": visit.and_then(|visit| visit.title.as_ref()),
        "role": visit.map(|visit| match visit.role { Role::Host => "host", Role::Guest => "guest" }),
        "holder": visit.and_then(|visit| visit.holder.as_ref()),
        "arrived": visit.map(|visit| time(visit.arrived, zone)),
        "admitted": visit.and_then(|visit| visit.admitted).map(|at| time(at, zone)),
        "departed": visit.and_then(|visit| visit.departed).map(|at| time(at, zone)),
        "left_reason": visit.and_then(|visit| visit.reason.as_ref()),
        "codec": row.media.codec, "encryption": row.media.encryption, "packets_lost": row.media.packets_lost,
        "jitter_ms": row.media.jitter_ms, "mos": row.media.mos,
    })
}

pub(super) fn audit(row: &AuditRow, zone: Tz) -> Value {
    json!({ "seq": row.seq, "at": time(row.at, zone), "kind": row.kind, "body": row.body })
}

pub(super) fn hint(row: &Hint) -> Value {
    json!({
        "account": row.account.0, "owner": row.owner, "numbers": row.numbers, "another_host": row.another_host,
    })
}
