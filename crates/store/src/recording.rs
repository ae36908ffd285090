//! Which files hold recordings, whose they are, and until when.

use chrono::{DateTime, Utc};
use conclave_accounts::{AccountId, BookingId};
use serde::Serialize;

/// A file of a recording, as it is listed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordingRow {
    /// Its number.
    pub id: u64,
    /// The conference's number in the books.
    pub conference: u64,
    /// Whose account it was held on.
    pub account: AccountId,
    /// That person's name.
    pub owner: String,
    /// The booking, if it was one.
    pub booking: Option<BookingId>,
    /// That booking's title.
    pub title: Option<String>,
    /// The call that is heard in it alone, by its number in the books; `None`: all are.
    pub call: Option<u64>,
    /// The file's name in the directory of recordings.
    pub file: String,
    /// Of the bridge on whose machine the file is.
    pub bridge: String,
    /// When it began.
    pub started: DateTime<Utc>,
    /// How long it is, in seconds; `None` while it is being written.
    pub seconds: Option<f64>,
    /// When its deletion was ordered. The file goes within a minute, and then the row.
    pub deleted: Option<DateTime<Utc>>,
}
