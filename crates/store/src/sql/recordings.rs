//! The files of recordings: which there are, and which are due to be deleted.

use std::time::Duration;

use chrono::{DateTime, Utc};
use conclave_accounts::{AccountId, BookingId};

use super::audit::{Deed, Note};
use super::reports::bounds;
use super::{Row, SqlStore, args};
use crate::error::Result;
use crate::{Act, RecordingRow, ReportFilter, StoreError};

/// A row of the list of files `r`.
macro_rules! recording {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.conference, c.account, a.name AS owner, c.booking, b.title, r.call, r.file, r.bridge,
                r.started_at, r.length, r.deleted_at
            FROM recordings r JOIN conferences c ON c.id = r.conference JOIN accounts a ON a.id = c.account
                LEFT JOIN bookings b ON b.id = c.booking WHERE ",
            $rest
        )
    };
}
pub(super) const BY_ID: &str = recording!("r.id = $1");
/// `$1` from, `$2` to, `$3` the last row of the page before (0: none), `$4` the limit; the account, the booking and the
/// conference (0 for all).
pub(super) const ALL: &str = recording!(
    "r.id > $3 AND r.started_at >= $1 AND r.started_at < $2 AND ($5 = 0 OR c.account = $5)
        AND ($6 = 0 OR c.booking = $6) AND ($7 = 0 OR r.conference = $7) ORDER BY r.id LIMIT $4"
);
/// Of a bridge: what it was writing when it was killed.
pub(super) const OPEN: &str = recording!("r.bridge = $1 AND r.length IS NULL ORDER BY r.id");
/// The same: what is to be deleted by somebody's word, and what is so old.
pub(super) const ORDERED: &str = recording!(
    "r.bridge = $1 AND r.deleted_at IS NOT NULL AND r.length IS NOT NULL ORDER BY r.deleted_at LIMIT $2"
);
pub(super) const OLD: &str = recording!(
    "r.bridge = $1 AND r.started_at < $2 AND r.length IS NOT NULL ORDER BY r.started_at LIMIT $3"
);
/// What holds the voice of a caller alone, and all that an account recorded.
pub(super) const OF_CALL: &str = recording!("r.call = $1 ORDER BY r.id");
pub(super) const OF_ACCOUNT: &str = recording!("c.account = $1 ORDER BY r.id");

pub(super) const FILE: &str =
    "INSERT INTO recordings (conference, number, call, file, started_at, bridge)
    SELECT c.id, $3, (SELECT id FROM calls WHERE run = $1 AND call = $4), $5, $6, n.bridge
    FROM conferences c JOIN runs n ON n.id = c.run WHERE c.run = $1 AND c.conference = $2";
pub(super) const OVER: &str =
    "UPDATE recordings SET length = $4 WHERE number = $3 AND length IS NULL
    AND conference = (SELECT id FROM conferences WHERE run = $1 AND conference = $2)";
pub(super) const CLOSE: &str = "UPDATE recordings SET length = $2 WHERE id = $1 AND length IS NULL";
pub(super) const ORDER: &str =
    "UPDATE recordings SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL";
pub(super) const DROP: &str = "DELETE FROM recordings WHERE id = $1";

impl SqlStore {
    pub(super) async fn recordings_of(&self, filter: &ReportFilter) -> Result<Vec<RecordingRow>> {
        let (from, to) = bounds(filter.period);
        let args = args![
            from,
            to,
            filter.page.after,
            filter.page.limit(),
            filter.account.map_or(0, |account| account.0),
            filter.booking.map_or(0, |booking| booking.0),
            filter.conference.unwrap_or(0)
        ];
        let rows = self.db.all(ALL, args).await?;
        rows.iter().map(recording_from).collect()
    }

    pub(super) async fn recording_of(&self, id: u64) -> Result<RecordingRow> {
        let row = self.db.one(BY_ID, args![id]).await?;
        recording_from(&row.ok_or(StoreError::NoSuchRecording(id))?)
    }

    pub(super) async fn open_recordings_of(&self) -> Result<Vec<RecordingRow>> {
        let rows = self.db.all(OPEN, args![&*self.bridge]).await?;
        rows.iter().map(recording_from).collect()
    }

    pub(super) async fn due_recordings_of(
        &self,
        before: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<RecordingRow>> {
        let mut rows = self.db.all(ORDERED, args![&*self.bridge, limit]).await?;
        rows.extend(
            self.db
                .all(OLD, args![&*self.bridge, before, limit])
                .await?,
        );
        let mut due = rows
            .iter()
            .map(recording_from)
            .collect::<Result<Vec<_>>>()?;
        due.sort_by_key(|row| row.id);
        due.dedup_by_key(|row| row.id);
        Ok(due)
    }

    pub(super) async fn close_one(&self, id: u64, length: Duration) -> Result<()> {
        let length = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        let mut turn = self.db.begin().await?;
        turn.run(CLOSE, args![id, length]).await?;
        turn.commit().await
    }

    pub(super) async fn order_deletion(&self, id: u64, act: &Act) -> Result<RecordingRow> {
        let row = self.recording_of(id).await?;
        let mut deed = self.deed().await?;
        order(&mut deed, id, act).await?;
        deed.commit().await?;
        Ok(row)
    }

    pub(super) async fn drop_recording(&self, id: u64, now: DateTime<Utc>) -> Result<()> {
        let row = self.recording_of(id).await?;
        let mut deed = self.deed().await?;
        let gone = deed.turn.run(DROP, args![id]).await? > 0;
        if gone && row.deleted.is_none() {
            deed.note(Note::at("recording.expired", now).number("file", id))
                .await?;
        }
        deed.commit().await
    }
}

/// Has a file deleted; the log says so once.
pub(super) async fn order(deed: &mut Deed, id: u64, act: &Act) -> Result<()> {
    if deed.turn.run(ORDER, args![id, act.at]).await? > 0 {
        deed.note(Note::of(act, "recording.deleted").number("file", id))
            .await?;
    }
    Ok(())
}

pub(super) fn recording_from(row: &Row) -> Result<RecordingRow> {
    Ok(RecordingRow {
        id: row.id("id")?,
        conference: row.id("conference")?,
        account: AccountId(row.id("account")?),
        owner: row.text("owner")?,
        booking: row.id_opt("booking")?.map(BookingId),
        title: row.text_opt("title")?,
        call: row.id_opt("call")?,
        file: row.text("file")?,
        bridge: row.text("bridge")?,
        started: row.moment("started_at")?,
        seconds: row.int_opt("length")?.map(|ms| ms as f64 / 1000.0),
        deleted: row.moment_opt("deleted_at")?,
    })
}
