//! What the bridge leaves in the books, beside the conferences' own records.

use chrono::{DateTime, Utc};
use conclave_accounts::{CallId, Source};
use conclave_conference::{LeaveReason, Record};

/// A fact for the books.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Report {
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
