//! What happened, read again.

use conclave_accounts::{AccountId, BookingId};
use sqlx::sqlite::SqlitePool;

use super::accounts::role_from;
use super::{millis, moment};
use crate::error::Result;
use crate::{CallMedia, CallRow, ConferenceRow, EventRow, Period, Visit};

pub(super) const CONFERENCES: &str = "
    SELECT c.id, c.account, a.name AS owner, c.booking, c.started_at, c.ended_at, c.reason,
        (SELECT COUNT(DISTINCT t.call) FROM attendances t WHERE t.conference = c.id) AS calls,
        (SELECT COUNT(DISTINCT t.call) FROM attendances t WHERE t.conference = c.id AND t.admitted_at IS NOT NULL)
            AS admitted
    FROM conferences c JOIN accounts a ON a.id = c.account
    WHERE c.started_at >= ?1 AND c.started_at < ?2 ORDER BY c.started_at, c.id";
pub(super) const CALLS: &str = "
    SELECT k.id, k.trunk, k.number, k.answered_at, k.ended_at, k.reason, k.codec, k.encryption, k.packets_lost,
        k.jitter_ms, k.mos, (SELECT COUNT(*) FROM wrong_pins w WHERE w.call = k.id) AS wrong_pins,
        t.conference, t.role, t.holder, t.arrived_at, t.admitted_at, t.departed_at, t.reason AS visit_reason
    FROM calls k LEFT JOIN attendances t ON t.call = k.id
    WHERE k.answered_at >= ?1 AND k.answered_at < ?2 ORDER BY k.answered_at, k.id, t.id";
pub(super) const EVENTS: &str = "SELECT conference, at, what, call, command, about, refusal
    FROM events WHERE conference = ?1 ORDER BY at, id";

pub(super) async fn conferences(pool: &SqlitePool, period: Period) -> Result<Vec<ConferenceRow>> {
    let (from, to) = bounds(period);
    let rows: Vec<RawConference> = sqlx::query_as(CONFERENCES)
        .bind(from)
        .bind(to)
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(RawConference::read).collect()
}

pub(super) async fn calls(pool: &SqlitePool, period: Period) -> Result<Vec<CallRow>> {
    let (from, to) = bounds(period);
    let rows: Vec<RawCall> = sqlx::query_as(CALLS)
        .bind(from)
        .bind(to)
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(RawCall::read).collect()
}

pub(super) async fn events(pool: &SqlitePool, conference: u64) -> Result<Vec<EventRow>> {
    let rows: Vec<RawEvent> = sqlx::query_as(EVENTS)
        .bind(conference.cast_signed())
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(RawEvent::read).collect()
}

fn bounds(period: Period) -> (i64, i64) {
    (
        period.from.map_or(i64::MIN, millis),
        period.to.map_or(i64::MAX, millis),
    )
}

#[derive(sqlx::FromRow)]
struct RawConference {
    id: i64,
    account: i64,
    owner: String,
    booking: Option<i64>,
    started_at: i64,
    ended_at: Option<i64>,
    reason: Option<String>,
    calls: i64,
    admitted: i64,
}

impl RawConference {
    fn read(self) -> Result<ConferenceRow> {
        Ok(ConferenceRow {
            id: self.id.cast_unsigned(),
            account: AccountId(self.account.cast_unsigned()),
            owner: self.owner,
            booking: self.booking.map(|id| BookingId(id.cast_unsigned())),
            started: moment("started_at", self.started_at)?,
            ended: self.ended_at.map(|at| moment("ended_at", at)).transpose()?,
            reason: self.reason,
            calls: self.calls.cast_unsigned(),
            admitted: self.admitted.cast_unsigned(),
        })
    }
}

#[derive(sqlx::FromRow)]
struct RawCall {
    id: i64,
    trunk: String,
    number: Option<String>,
    answered_at: i64,
    ended_at: Option<i64>,
    reason: Option<String>,
    codec: Option<String>,
    encryption: Option<String>,
    packets_lost: Option<i64>,
    jitter_ms: Option<f64>,
    mos: Option<f64>,
    wrong_pins: i64,
    conference: Option<i64>,
    role: Option<String>,
    holder: Option<String>,
    arrived_at: Option<i64>,
    admitted_at: Option<i64>,
    departed_at: Option<i64>,
    visit_reason: Option<String>,
}

impl RawCall {
    fn read(self) -> Result<CallRow> {
        let visit = match (self.conference, self.role, self.arrived_at) {
            (Some(conference), Some(role), Some(arrived)) => Some(Visit {
                conference: conference.cast_unsigned(),
                role: role_from(&role)?,
                holder: self.holder,
                arrived: moment("arrived_at", arrived)?,
                admitted: self
                    .admitted_at
                    .map(|at| moment("admitted_at", at))
                    .transpose()?,
                departed: self
                    .departed_at
                    .map(|at| moment("departed_at", at))
                    .transpose()?,
                reason: self.visit_reason,
            }),
            _ => None,
        };
        Ok(CallRow {
            id: self.id.cast_unsigned(),
            trunk: self.trunk,
            number: self.number,
            answered: moment("answered_at", self.answered_at)?,
            ended: self.ended_at.map(|at| moment("ended_at", at)).transpose()?,
            reason: self.reason,
            wrong_pins: self.wrong_pins.cast_unsigned(),
            visit,
            media: CallMedia {
                codec: self.codec,
                encryption: self.encryption,
                packets_lost: self.packets_lost.map(i64::cast_unsigned),
                jitter_ms: self.jitter_ms,
                mos: self.mos,
            },
        })
    }
}

#[derive(sqlx::FromRow)]
struct RawEvent {
    conference: i64,
    at: i64,
    what: String,
    call: Option<i64>,
    command: Option<String>,
    about: Option<i64>,
    refusal: Option<String>,
}

impl RawEvent {
    fn read(self) -> Result<EventRow> {
        Ok(EventRow {
            conference: self.conference.cast_unsigned(),
            at: moment("at", self.at)?,
            what: self.what,
            call: self.call.map(i64::cast_unsigned),
            command: self.command,
            about: self.about.map(i64::cast_unsigned),
            refusal: self.refusal,
        })
    }
}
