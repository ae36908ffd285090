//! What is written down as it happens, and how it is read again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use conclave_accounts::{AccountId, Alert, BookingId, CallId, Role, Source};
use conclave_conference::{ConferenceId, LeaveReason, Record, RecordingId};
use serde::Serialize;

/// One run of the bridge, from start to stop: calls and conferences are numbered anew in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// A fact to be written down. Of a call, [`CallAnswered`](Self::CallAnswered) comes first.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A call was answered.
    CallAnswered {
        /// Which.
        call: CallId,
        /// When.
        at: DateTime<Utc>,
        /// From where.
        source: Source,
    },
    /// A caller typed a PIN that opened no door.
    WrongPin {
        /// Which call.
        call: CallId,
        /// When.
        at: DateTime<Utc>,
        /// Caught by the check digit: a typing error, not a guess.
        mistyped: bool,
    },
    /// Something happened in a conference.
    Conference(Record),
    /// What the call's media was like; the last one counts.
    Media {
        /// Which call.
        call: CallId,
        /// How it was.
        media: CallMedia,
    },
    /// A recording has a file: of all, or of one call alone.
    RecordingFile {
        /// Of which conference.
        conference: ConferenceId,
        /// Its number there.
        recording: RecordingId,
        /// Whose voice alone, if it is one's.
        call: Option<CallId>,
        /// The file's name.
        file: String,
        /// When it began.
        at: DateTime<Utc>,
    },
    /// The files of a recording are whole.
    RecordingOver {
        /// Of which conference.
        conference: ConferenceId,
        /// Its number there.
        recording: RecordingId,
        /// How long it is.
        length: Duration,
    },
    /// The watch on guessing has something for the operator.
    Alert {
        /// What it is.
        alert: Alert,
        /// When it was noticed.
        at: DateTime<Utc>,
    },
    /// A call ended.
    CallEnded {
        /// Which.
        call: CallId,
        /// When.
        at: DateTime<Utc>,
        /// Why.
        reason: LeaveReason,
    },
}

/// How a call's media was.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct CallMedia {
    /// As SDP names it, such as `PCMU`.
    pub codec: Option<String>,
    /// The suite, or `none`.
    pub encryption: Option<String>,
    /// Packets from the caller that never came.
    pub packets_lost: Option<u64>,
    /// Of the packets from the caller, in milliseconds (RFC 3550, section 6.4.1).
    pub jitter_ms: Option<f64>,
    /// Estimated mean opinion score, 1 to 4.5 (ITU-T G.107).
    pub mos: Option<f64>,
}

/// From when to when; open ends where absent. `to` itself is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    /// The first moment.
    pub from: Option<DateTime<Utc>>,
    /// The first moment after.
    pub to: Option<DateTime<Utc>>,
}

/// A conference, as reports show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConferenceRow {
    /// Its number in the books.
    pub id: u64,
    /// Whose account it was held on.
    pub account: AccountId,
    /// That person's name.
    pub owner: String,
    /// Where that person works.
    pub department: Option<String>,
    /// Whom its costs are charged to.
    pub cost_code: Option<String>,
    /// The booking, if it was one.
    pub booking: Option<BookingId>,
    /// That booking's title.
    pub title: Option<String>,
    /// When its first call arrived.
    pub started: DateTime<Utc>,
    /// When its last call left; `None` while it runs.
    pub ended: Option<DateTime<Utc>>,
    /// Why it ended: a word of [`EndReason`](conclave_conference::EndReason), or `interrupted`.
    pub reason: Option<String>,
    /// How many calls arrived.
    pub calls: u64,
    /// How many of them were admitted.
    pub admitted: u64,
}

/// A call, or one of its visits to conferences, as reports show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallRow {
    /// Its number in the books.
    pub id: u64,
    /// The trunk it came from.
    pub trunk: String,
    /// The caller's number, if it wasn't withheld.
    pub number: Option<String>,
    /// When it was answered.
    pub answered: DateTime<Utc>,
    /// When it ended; `None` while it lasts.
    pub ended: Option<DateTime<Utc>>,
    /// Why it ended: a word of [`LeaveReason`], or `interrupted`.
    pub reason: Option<String>,
    /// How many wrong PINs were typed, typing errors included.
    pub wrong_pins: u64,
    /// The conference it was in, if it got that far.
    pub visit: Option<Visit>,
    /// How its media was.
    pub media: CallMedia,
}

/// A call's time in one conference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Visit {
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
    /// As what it came.
    pub role: Role,
    /// The invitee's name of a personal PIN.
    pub holder: Option<String>,
    /// When it had passed the PIN check, and the name.
    pub arrived: DateTime<Utc>,
    /// When it could hear and be heard, if it ever could.
    pub admitted: Option<DateTime<Utc>>,
    /// When it left; `None` while it is in.
    pub departed: Option<DateTime<Utc>>,
    /// Why it left.
    pub reason: Option<String>,
}

/// A command or another thing that happened in a conference, as reports show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventRow {
    /// The conference's number in the books.
    pub conference: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// `command`, `refused`, `held`, `another-host`, `recording-started` or `recording-stopped`.
    pub what: String,
    /// The call that did it or to which it happened, by its number in the books; a command without one was
    /// an operator's.
    pub call: Option<u64>,
    /// That operator, where it was a user of the portal: the e-mail address.
    pub operator: Option<String>,
    /// Which command, such as `lock`.
    pub command: Option<String>,
    /// The call that the command names.
    pub about: Option<u64>,
    /// Why it was refused, if it was.
    pub refusal: Option<String>,
}
