//! The log of the watch on guessing, which all bridges of a database share.

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{DoorkeeperState, Notice};

use super::audit::Note;
use super::{SqlStore, Turn, args};
use crate::Act;
use crate::error::{Result, bad};

pub(super) const APPEND: &str = "INSERT INTO notices (at, notice) VALUES ($1, $2) RETURNING place";
pub(super) const AFTER: &str =
    "SELECT place, notice FROM notices WHERE place > $1 ORDER BY place LIMIT $2";
pub(super) const SNAPSHOT: &str = "SELECT place, state FROM watch WHERE one = 1";
pub(super) const KEEP: &str = "INSERT INTO watch (one, place, state) VALUES (1, $1, $2)
    ON CONFLICT (one) DO UPDATE SET place = excluded.place, state = excluded.state
    WHERE watch.place < excluded.place";
pub(super) const LAST_OLD: &str =
    "SELECT place FROM notices WHERE place <= $1 AND at < $2 ORDER BY place DESC LIMIT 1";
pub(super) const FORGET: &str = "DELETE FROM notices WHERE place <= $1";

/// A bridge that lags behind finds what is younger than this still.
const LAG: TimeDelta = TimeDelta::minutes(10);

/// Adds to the log within a transaction.
pub(super) async fn append(turn: &mut Turn, notice: &Notice) -> Result<u64> {
    let text = serde_json::to_string(notice).map_err(|e| bad("notice", e))?;
    let row = turn.one(APPEND, args![notice.at(), &text]).await?;
    let row = row.ok_or_else(|| bad("notices", "nothing was inserted"))?;
    row.id("place")
}

impl SqlStore {
    pub(super) async fn consent_ended(&self, act: &Act) -> Result<()> {
        let mut deed = self.deed().await?;
        append(&mut deed.turn, &Notice::ConsentEnded { at: act.at }).await?;
        deed.note(Note::of(act, "consent.ended")).await?;
        deed.commit().await
    }

    pub(super) async fn append(&self, notice: &Notice) -> Result<u64> {
        let mut turn = self.db.begin().await?;
        let place = append(&mut turn, notice).await?;
        turn.commit().await?;
        Ok(place)
    }

    pub(super) async fn after(&self, place: u64, limit: u32) -> Result<Vec<(u64, Notice)>> {
        let rows = self.db.all(AFTER, args![place, limit]).await?;
        let notices = rows.iter().map(|row| {
            let notice =
                serde_json::from_str(&row.text("notice")?).map_err(|e| bad("notice", e))?;
            Ok((row.id("place")?, notice))
        });
        notices.collect()
    }

    pub(super) async fn snapshot(&self) -> Result<(u64, DoorkeeperState)> {
        let Some(row) = self.db.one(SNAPSHOT, &[]).await? else {
            return Ok((0, DoorkeeperState::default()));
        };
        let state = serde_json::from_str(&row.text("state")?).map_err(|e| bad("watch", e))?;
        Ok((row.id("place")?, state))
    }

    pub(super) async fn keep_snapshot(
        &self,
        place: u64,
        state: &DoorkeeperState,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let text = serde_json::to_string(state).map_err(|e| bad("watch", e))?;
        let mut turn = self.db.begin().await?;
        turn.run(KEEP, args![place, &text]).await?;
        if let Some(row) = turn.one(LAST_OLD, args![place, now - LAG]).await? {
            turn.run(FORGET, args![row.id("place")?]).await?;
        }
        turn.commit().await
    }
}
