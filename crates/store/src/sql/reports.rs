//! What happened, read again.

use conclave_accounts::{AccountId, BookingId};

use super::accounts::role_from;
use super::{Db, Row, args};
use crate::error::Result;
use crate::{CallMedia, CallRow, ConferenceRow, EventRow, Period, Visit};

pub(super) const CONFERENCES: &str = "
    SELECT c.id, c.account, a.name AS owner, c.booking, c.started_at, c.ended_at, c.reason,
        (SELECT COUNT(DISTINCT t.call) FROM attendances t WHERE t.conference = c.id) AS calls,
        (SELECT COUNT(DISTINCT t.call) FROM attendances t WHERE t.conference = c.id AND t.admitted_at IS NOT NULL)
            AS admitted
    FROM conferences c JOIN accounts a ON a.id = c.account
    WHERE c.started_at >= $1 AND c.started_at < $2 ORDER BY c.started_at, c.id";
pub(super) const CALLS: &str = "
    SELECT k.id, k.trunk, k.number, k.answered_at, k.ended_at, k.reason, k.codec, k.encryption, k.packets_lost,
        k.jitter_ms, k.mos, (SELECT COUNT(*) FROM wrong_pins w WHERE w.call = k.id) AS wrong_pins,
        t.conference, t.role, t.holder, t.arrived_at, t.admitted_at, t.departed_at, t.reason AS visit_reason
    FROM calls k LEFT JOIN attendances t ON t.call = k.id
    WHERE k.answered_at >= $1 AND k.answered_at < $2 ORDER BY k.answered_at, k.id, t.id";
pub(super) const EVENTS: &str = "SELECT conference, at, what, call, command, about, refusal
    FROM events WHERE conference = $1 ORDER BY at, id";

pub(super) async fn conferences(db: &Db, period: Period) -> Result<Vec<ConferenceRow>> {
    let (from, to) = bounds(period);
    let rows = db.all(CONFERENCES, args![from, to]).await?;
    rows.iter().map(conference).collect()
}

pub(super) async fn calls(db: &Db, period: Period) -> Result<Vec<CallRow>> {
    let (from, to) = bounds(period);
    let rows = db.all(CALLS, args![from, to]).await?;
    rows.iter().map(call).collect()
}

pub(super) async fn events(db: &Db, conference: u64) -> Result<Vec<EventRow>> {
    let rows = db.all(EVENTS, args![conference]).await?;
    rows.iter().map(event).collect()
}

fn bounds(period: Period) -> (i64, i64) {
    (
        period.from.map_or(i64::MIN, |at| at.timestamp_millis()),
        period.to.map_or(i64::MAX, |at| at.timestamp_millis()),
    )
}

fn conference(row: &Row) -> Result<ConferenceRow> {
    Ok(ConferenceRow {
        id: row.id("id")?,
        account: AccountId(row.id("account")?),
        owner: row.text("owner")?,
        booking: row.id_opt("booking")?.map(BookingId),
        started: row.moment("started_at")?,
        ended: row.moment_opt("ended_at")?,
        reason: row.text_opt("reason")?,
        calls: row.id("calls")?,
        admitted: row.id("admitted")?,
    })
}

fn call(row: &Row) -> Result<CallRow> {
    let visit = match row.id_opt("conference")? {
        Some(conference) => Some(Visit {
            conference,
            role: role_from(&row.text("role")?)?,
            holder: row.text_opt("holder")?,
            arrived: row.moment("arrived_at")?,
            admitted: row.moment_opt("admitted_at")?,
            departed: row.moment_opt("departed_at")?,
            reason: row.text_opt("visit_reason")?,
        }),
        None => None,
    };
    Ok(CallRow {
        id: row.id("id")?,
        trunk: row.text("trunk")?,
        number: row.text_opt("number")?,
        answered: row.moment("answered_at")?,
        ended: row.moment_opt("ended_at")?,
        reason: row.text_opt("reason")?,
        wrong_pins: row.id("wrong_pins")?,
        visit,
        media: CallMedia {
            codec: row.text_opt("codec")?,
            encryption: row.text_opt("encryption")?,
            packets_lost: row.id_opt("packets_lost")?,
            jitter_ms: row.real_opt("jitter_ms")?,
            mos: row.real_opt("mos")?,
        },
    })
}

fn event(row: &Row) -> Result<EventRow> {
    Ok(EventRow {
        conference: row.id("conference")?,
        at: row.moment("at")?,
        what: row.text("what")?,
        call: row.id_opt("call")?,
        command: row.text_opt("command")?,
        about: row.id_opt("about")?,
        refusal: row.text_opt("refusal")?,
    })
}
