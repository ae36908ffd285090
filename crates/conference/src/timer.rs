//! What a conference waits for, by name.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{CallId, PlayId};

/// A time that a conference waits for. Each belongs to a state and dies with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The booking is over.
    BookingEnds,
    /// Five minutes before that.
    FiveMinutesLeft,
    /// One minute before that.
    OneMinuteLeft,
    /// The grace in which a Host may return before all are disconnected.
    Grace,
    /// A caller has waited, or was held, as long as the account lets them without a Host.
    LongestWait(CallId),
    /// A participant has been alone for so long that they are warned.
    AloneWarning(CallId),
    /// A minute has passed since that warning.
    AloneEnds(CallId),
    /// The names of those who came within 3 s are announced as one list.
    EntryList,
    /// The names of those who left within 3 s are announced as one list.
    ExitList,
    /// A Host has not said what becomes of the caller who waits for consent.
    ConsentAnswer(CallId),
    /// The recorder hasn't said whether it records: it is told to stop, and the Hosts that it failed.
    RecordingAnswer,
    /// The tone that reminds of the recording is due.
    RecordingTone,
    /// The end of a play was never told: it is taken for over, so that nothing waits for it for ever.
    PlayEnd(PlayId),
}

/// That much later, or as late as can be said: terms are data from outside.
pub(crate) fn later(at: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(span)
        .ok()
        .and_then(|span| at.checked_add_signed(span))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
