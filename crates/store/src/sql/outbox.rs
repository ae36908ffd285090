//! Letters to be sent: put here in the transaction that gives the reason, taken out by whoever has mail configured.

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{BookingId, InviteeId};

use super::{Row, SqlStore, Turn, args};
use crate::error::{Result, bad};
use crate::{Letter, LetterKind, LetterProblem};

pub(super) const PUT: &str =
    "INSERT INTO outbox (booking, invitee, kind, due_at) VALUES ($1, $2, $3, $4)";
// Whoever had an invitation, or is about to have one, is told of the change.
pub(super) const PUT_FOR_ALL: &str = "
    INSERT INTO outbox (booking, invitee, kind, due_at)
    SELECT DISTINCT o.booking, o.invitee, $2, $3 FROM outbox o LEFT JOIN invitees i ON i.id = o.invitee
    WHERE o.booking = $1 AND i.withdrawn_at IS NULL ORDER BY 2";
// Who never had an invitation needs no cancellation. A letter that is leased and has no problem may be on its way.
pub(super) const PUT_FOR_TOLD: &str = "
    INSERT INTO outbox (booking, invitee, kind, due_at)
    SELECT DISTINCT o.booking, o.invitee, $2, $3 FROM outbox o LEFT JOIN invitees i ON i.id = o.invitee
    WHERE o.booking = $1 AND i.withdrawn_at IS NULL
        AND (o.sent_at IS NOT NULL OR (o.due_at > $3 AND o.problem IS NULL)) ORDER BY 2";
pub(super) const PUT_IF_TOLD: &str = "
    INSERT INTO outbox (booking, invitee, kind, due_at)
    SELECT DISTINCT o.booking, o.invitee, $3, $4 FROM outbox o
    WHERE o.booking = $1 AND o.invitee = $2
        AND (o.sent_at IS NOT NULL OR (o.due_at > $4 AND o.problem IS NULL))";
// What was to be said before is no longer true.
pub(super) const DROP_UNSENT: &str = "UPDATE outbox SET due_at = NULL, problem = 'superseded'
    WHERE booking = $1 AND due_at IS NOT NULL AND id <= $2";
pub(super) const DROP_UNSENT_TO: &str = "UPDATE outbox SET due_at = NULL, problem = 'superseded'
    WHERE booking = $1 AND invitee = $3 AND due_at IS NOT NULL AND id <= $2";
pub(super) const NEWEST: &str = "SELECT id FROM outbox WHERE booking = $1 ORDER BY id DESC LIMIT 1";
pub(super) const DUE: &str = "SELECT id, booking, invitee, kind, tries FROM outbox
    WHERE due_at IS NOT NULL AND due_at <= $1 ORDER BY due_at, id LIMIT $2";
pub(super) const LEASE: &str = "UPDATE outbox SET due_at = $2, problem = NULL WHERE id = $1";
pub(super) const SENT: &str = "UPDATE outbox SET due_at = NULL, sent_at = $2, problem = NULL, tries = tries + 1 WHERE id = $1";
pub(super) const FAILED: &str = "UPDATE outbox SET due_at = $3, problem = $2, tries = tries + 1
    WHERE id = $1 AND due_at IS NOT NULL";
// What was dropped on purpose is no problem, nor what a later letter made good.
pub(super) const PROBLEMS: &str = "SELECT o.invitee, o.kind, o.problem, o.due_at FROM outbox o
    WHERE o.booking = $1 AND o.sent_at IS NULL AND o.problem NOT IN ('superseded', 'erased')
        AND NOT EXISTS (SELECT 1 FROM outbox l WHERE l.booking = $1 AND l.id > o.id
            AND l.sent_at IS NOT NULL AND COALESCE(l.invitee, 0) = COALESCE(o.invitee, 0))
    ORDER BY o.id";

pub(super) async fn put(
    turn: &mut Turn,
    booking: BookingId,
    invitee: Option<InviteeId>,
    kind: LetterKind,
    now: DateTime<Utc>,
) -> Result<()> {
    let args = args![booking, invitee, kind.word(), now];
    turn.run(PUT, args).await.map(drop)
}

/// To everybody who has an invitation and, where it is another invitation, who is about to have one.
pub(super) async fn put_for_all(
    turn: &mut Turn,
    booking: BookingId,
    kind: LetterKind,
    now: DateTime<Utc>,
) -> Result<()> {
    let put = match kind {
        LetterKind::Invitation => PUT_FOR_ALL,
        LetterKind::Cancellation => PUT_FOR_TOLD,
    };
    let newest = newest(turn, booking).await?;
    turn.run(put, args![booking, kind.word(), now]).await?;
    turn.run(DROP_UNSENT, args![booking, newest])
        .await
        .map(drop)
}

/// To one invitee, if they had word before.
pub(super) async fn put_if_told(
    turn: &mut Turn,
    booking: BookingId,
    invitee: InviteeId,
    kind: LetterKind,
    now: DateTime<Utc>,
) -> Result<()> {
    let newest = newest(turn, booking).await?;
    let args = args![booking, invitee, kind.word(), now];
    turn.run(PUT_IF_TOLD, args).await?;
    let unsent = args![booking, newest, invitee];
    turn.run(DROP_UNSENT_TO, unsent).await.map(drop)
}

/// The last letter about a booking; 0 where there is none.
async fn newest(turn: &mut Turn, booking: BookingId) -> Result<u64> {
    let row = turn.one(NEWEST, args![booking]).await?;
    row.map_or(Ok(0), |row| row.id("id"))
}

impl SqlStore {
    pub(super) async fn due(
        &self,
        limit: u32,
        lease: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Vec<Letter>> {
        if self.db.one(DUE, args![now, 1]).await?.is_none() {
            return Ok(Vec::new());
        }
        let mut turn = self.db.begin().await?;
        let rows = turn.all(DUE, args![now, limit]).await?;
        let letters: Vec<Letter> = rows.iter().map(letter_from).collect::<Result<_>>()?;
        for letter in &letters {
            turn.run(LEASE, args![letter.id, now + lease]).await?;
        }
        turn.commit().await?;
        Ok(letters)
    }

    pub(super) async fn problems(&self, booking: BookingId) -> Result<Vec<LetterProblem>> {
        let rows = self.db.all(PROBLEMS, args![booking]).await?;
        let problem = |row: &Row| {
            Ok(LetterProblem {
                invitee: row.id_opt("invitee")?.map(InviteeId),
                kind: kind_from(row)?,
                why: row.text("problem")?,
                again: row.moment_opt("due_at")?,
            })
        };
        rows.iter().map(problem).collect()
    }

    pub(super) async fn sent(&self, id: u64, now: DateTime<Utc>) -> Result<()> {
        let mut turn = self.db.begin().await?;
        turn.run(SENT, args![id, now]).await?;
        turn.commit().await
    }

    pub(super) async fn failed(
        &self,
        id: u64,
        why: &str,
        again: Option<DateTime<Utc>>,
    ) -> Result<()> {
        let mut turn = self.db.begin().await?;
        turn.run(FAILED, args![id, why, again]).await?;
        turn.commit().await
    }
}

fn letter_from(row: &Row) -> Result<Letter> {
    Ok(Letter {
        id: row.id("id")?,
        booking: BookingId(row.id("booking")?),
        invitee: row.id_opt("invitee")?.map(InviteeId),
        kind: kind_from(row)?,
        tries: u32::try_from(row.int("tries")?).map_err(|e| bad("tries", e))?,
    })
}

fn kind_from(row: &Row) -> Result<LetterKind> {
    match row.text("kind")?.as_str() {
        "invitation" => Ok(LetterKind::Invitation),
        "cancellation" => Ok(LetterKind::Cancellation),
        other => Err(bad("kind", other)),
    }
}
