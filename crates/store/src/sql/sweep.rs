//! What is to be done now and then: dropping what was kept for long enough, masking numbers, taking the PINs of
//! bookings that are over out of use. Each step touches a bounded number of rows, so that nobody waits for it.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::audit::{Deed, Note};
use super::{SqlStore, args, audit};
use crate::audit::names::SEEN_EVERY;
use crate::error::Result;
use crate::store::{KNOWN_FOR, PIN_REST};
use crate::{Keep, StoreError, SubjectKind, Swept};

// One with a recording is kept with it.
pub(super) const OLD_CONFERENCES: &str = "SELECT c.id FROM conferences c
    WHERE c.started_at < $1 AND c.ended_at IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM recordings r WHERE r.conference = c.id)
    ORDER BY c.started_at LIMIT $2";
pub(super) const DROP_EVENTS: &str = "DELETE FROM events WHERE conference = $1";
pub(super) const DROP_ATTENDANCES: &str = "DELETE FROM attendances WHERE conference = $1";
pub(super) const DROP_CONFERENCE: &str = "DELETE FROM conferences WHERE id = $1";
// A call that was in a conference that is kept is kept with it.
pub(super) const OLD_CALLS: &str = "SELECT k.id FROM calls k
    WHERE k.answered_at < $1 AND k.ended_at IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM attendances t WHERE t.call = k.id)
        AND NOT EXISTS (SELECT 1 FROM events e WHERE e.call = k.id)
        AND NOT EXISTS (SELECT 1 FROM events e WHERE e.about = k.id)
    ORDER BY k.answered_at LIMIT $2";
pub(super) const DROP_WRONG_PINS: &str = "DELETE FROM wrong_pins WHERE call = $1";
pub(super) const DROP_CALL: &str = "DELETE FROM calls WHERE id = $1";
// Country and area stay, and two digits to tell callers apart by; of a short number nothing.
pub(super) const MASK: &str = "
    UPDATE calls SET masked = 1, number = CASE WHEN length(number) < 10 THEN '***'
        ELSE substr(number, 1, 5) || '***' || substr(number, length(number) - 1) END
    WHERE id IN (SELECT id FROM calls WHERE masked = 0 AND number IS NOT NULL AND answered_at < $1
        ORDER BY answered_at LIMIT $2)";
pub(super) const FORGET_NUMBERS: &str = "DELETE FROM known_numbers WHERE (account, number) IN
    (SELECT account, number FROM known_numbers WHERE last_at < $1 ORDER BY last_at LIMIT $2)";
pub(super) const OLD_BOOKINGS: &str = "SELECT b.id FROM bookings b
    WHERE b.last_at < $1 AND b.over = 1
        AND NOT EXISTS (SELECT 1 FROM conferences c WHERE c.booking = b.id)
        AND NOT EXISTS (SELECT 1 FROM pins p WHERE p.booking = b.id AND (p.retired_at IS NULL OR p.retired_at > $2))
    ORDER BY b.last_at LIMIT $3";
pub(super) const DROP_PINS: &str = "DELETE FROM pins WHERE booking = $1";
pub(super) const DROP_LETTERS: &str = "DELETE FROM outbox WHERE booking = $1";
pub(super) const DROP_INVITEES: &str = "DELETE FROM invitees WHERE booking = $1";
pub(super) const DROP_OCCURRENCES: &str = "DELETE FROM occurrences WHERE booking = $1";
pub(super) const DROP_BOOKING: &str = "DELETE FROM bookings WHERE id = $1";
pub(super) const RESTED_PINS: &str = "DELETE FROM pins WHERE lookup IN
    (SELECT lookup FROM pins WHERE retired_at IS NOT NULL AND retired_at <= $1 AND booking IS NULL LIMIT $2)";

/// Rows of one kind in one step.
const STEP: u32 = 500;

impl SqlStore {
    pub(super) async fn sweep_once(&self, keep: &Keep, now: DateTime<Utc>) -> Result<Swept> {
        let (pins, more_bookings) = self.retire_ended(STEP, now).await?;
        let (calls, more_calls) = self.drop_calls(keep, now).await?;
        let (masked, more_masks) = self.mask(keep, now).await?;
        let more_old = self.drop_bookings(keep, now).await?;
        let more_sessions = self.drop_old_sessions(STEP, now).await?
            | self.drop_old_tokens(STEP, now).await?
            | self.drop_old_deliveries(STEP, now).await?;
        let (audit, more_audit, broken) = match self.shorten_audit(keep, now).await {
            Ok((cut, more)) => (cut, more, None),
            // Vouching for the entries that are left would cover up what was done to those that go.
            Err(StoreError::Broken(broken)) => {
                tracing::error!("THE AUDIT LOG WAS TAMPERED WITH, and is kept as it is: {broken}");
                (0, false, Some(broken))
            }
            Err(error) => return Err(error),
        };
        Ok(Swept {
            calls,
            masked,
            audit,
            pins,
            broken,
            more: more_bookings
                || more_calls
                || more_masks
                || more_old
                || more_sessions
                || more_audit,
        })
    }

    async fn drop_calls(&self, keep: &Keep, now: DateTime<Utc>) -> Result<(u64, bool)> {
        let before = now - keep.calls;
        let mut turn = self.db.begin().await?;
        let conferences = turn.all(OLD_CONFERENCES, args![before, STEP]).await?;
        for row in &conferences {
            let id = row.id("id")?;
            for drop in [DROP_EVENTS, DROP_ATTENDANCES, DROP_CONFERENCE] {
                turn.run(drop, args![id]).await?;
            }
        }
        let calls = turn.all(OLD_CALLS, args![before, STEP]).await?;
        for row in &calls {
            let id = row.id("id")?;
            for drop in [DROP_WRONG_PINS, DROP_CALL] {
                turn.run(drop, args![id]).await?;
            }
        }
        turn.commit().await?;
        let full = conferences.len().max(calls.len()) as u64 == u64::from(STEP);
        Ok((calls.len() as u64, full))
    }

    /// Says how many were masked, and whether there is more to forget.
    async fn mask(&self, keep: &Keep, now: DateTime<Utc>) -> Result<(u64, bool)> {
        let before = now - keep.numbers;
        let mut deed = self.deed().await?;
        let turn = &mut deed.turn;
        let masked = turn.run(MASK, args![before, STEP]).await?;
        // By whole days, so that one entry of the log a day says so; of a number that is nearly old enough sooner.
        let day = (before + TimeDelta::days(1)).date_naive();
        let day = day.and_time(NaiveTime::MIN).and_utc();
        let logged = args![SubjectKind::Number.word(), day, STEP];
        let logged = turn.run(audit::FORGET_SUBJECTS, logged).await?;
        let known = args![now - KNOWN_FOR, STEP];
        let known = turn.run(FORGET_NUMBERS, known).await?;
        let rested = args![now - PIN_REST, STEP];
        let rested = turn.run(RESTED_PINS, rested).await?;
        if logged > 0 {
            deed.note(Note::numbers_forgotten(now, day)).await?;
        }
        deed.commit().await?;
        let most = masked.max(logged).max(known).max(rested);
        Ok((masked, most == u64::from(STEP)))
    }

    /// With the names of those who were invited.
    async fn drop_bookings(&self, keep: &Keep, now: DateTime<Utc>) -> Result<bool> {
        let mut turn = self.db.begin().await?;
        let old = args![now - keep.calls, now - PIN_REST, STEP];
        let bookings = turn.all(OLD_BOOKINGS, old).await?;
        for row in &bookings {
            let id = row.id("id")?;
            for drop in [
                DROP_PINS,
                DROP_LETTERS,
                DROP_INVITEES,
                DROP_OCCURRENCES,
                DROP_BOOKING,
            ] {
                turn.run(drop, args![id]).await?;
            }
        }
        turn.commit().await?;
        Ok(bookings.len() as u64 == u64::from(STEP))
    }

    /// Cuts the front of the audit log; what nothing in it speaks of any more is forgotten with it.
    async fn shorten_audit(&self, keep: &Keep, now: DateTime<Utc>) -> Result<(u64, bool)> {
        let before = now - keep.audit;
        let (cut, more) = self.cut_audit(before).await?;
        // Behind an entry whose clock was ahead others wait with what they speak of.
        if more
            || self
                .db
                .one(audit::ANY_BEFORE, args![before])
                .await?
                .is_some()
        {
            return Ok((cut, more));
        }
        let mut turn = self.db.begin().await?;
        let mut most = 0;
        for kind in SubjectKind::ALL {
            // An entry may be so much younger than its subject was last noted to be.
            let unspoken = args![kind.word(), before - SEEN_EVERY, STEP];
            most = most.max(turn.run(audit::FORGET_SUBJECTS, unspoken).await?);
        }
        turn.commit().await?;
        Ok((cut, most == u64::from(STEP)))
    }

    /// Cuts the front of the audit log behind an anchor, which vouches for what is gone: as many entries as are old one after
    /// the other. One that a wrong clock made old takes nothing with it.
    async fn cut_audit(&self, before: DateTime<Utc>) -> Result<(u64, bool)> {
        const ENTRIES: u32 = 20_000;
        let mut deed: Deed = self.deed().await?;
        // Most sweeps find nothing to cut: one row says so.
        let first = deed.turn.one(audit::FIRST, args![1_u32]).await?;
        let first = first.map(|row| row.moment("at")).transpose()?;
        if first.is_none_or(|at| at >= before) {
            return Ok((0, false));
        }
        let rows = deed.turn.all(audit::FIRST, args![ENTRIES]).await?;
        let mut front = rows
            .iter()
            .map(audit::sealed_from)
            .collect::<Result<Vec<_>>>()?;
        let young = front.iter().position(|entry| entry.at >= before);
        front.truncate(young.unwrap_or(front.len()));
        deed.cut(&front).await?;
        deed.commit().await?;
        Ok((front.len() as u64, front.len() == ENTRIES as usize))
    }
}
