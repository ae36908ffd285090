//! What a conference leaves in the books.

use chrono::{DateTime, Utc};
use conclave_accounts::{AccountId, ConferenceKey, InviteeId, Role};

use crate::{Actor, CallId, Command, Refusal};

/// One run of a conference, from the first admitted call to the last: unique in a run of the bridge, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConferenceId(pub u32);

/// One recording of a conference, numbered from 1 in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordingId(pub u32);

/// Why a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingEnd {
    /// A Host or the portal stopped it.
    ByCommand,
    /// The last Host left.
    HostLeft,
    /// The conference ended.
    ConferenceEnded,
    /// The recorder gave up.
    Failed,
}

impl RecordingEnd {
    /// The word that reports use, such as `by-command`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ByCommand => "by-command",
            Self::HostLeft => "host-left",
            Self::ConferenceEnded => "conference-ended",
            Self::Failed => "failed",
        }
    }
}

/// A fact for the books.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// In which conference.
    pub conference: ConferenceId,
    /// What happened.
    pub fact: Fact,
}

/// What happened in a conference.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fact {
    /// The first call arrived.
    Started {
        /// Whose doors led here.
        key: ConferenceKey,
        /// The account that owns it.
        account: AccountId,
    },
    /// A call passed the PIN check and, where names are asked for, the name.
    Arrived {
        /// Which call.
        call: CallId,
        /// As what.
        role: Role,
        /// The invitee's name of a personal PIN.
        holder: Option<String>,
        /// That invitee.
        invitee: Option<InviteeId>,
        /// What it must wait for, if it isn't let in at once.
        waits_for: Option<WaitFor>,
    },
    /// The call is in: it can hear and be heard.
    Admitted {
        /// Which call.
        call: CallId,
    },
    /// A participant was sent back to hold music, because no Host is in.
    Held {
        /// Which call.
        call: CallId,
    },
    /// A second Host joined a conference that had one.
    AnotherHost {
        /// Which call.
        call: CallId,
    },
    /// A call was refused at the door.
    Refused {
        /// Which call.
        call: CallId,
        /// Why.
        why: Refusal,
    },
    /// A command was given.
    Command {
        /// By whom.
        by: Actor,
        /// Which.
        command: Command,
        /// Why it was refused, if it was.
        refused: Option<Refusal>,
    },
    /// From now on it is recorded.
    RecordingStarted {
        /// Its number in the conference.
        recording: RecordingId,
    },
    /// It is recorded no more.
    RecordingStopped {
        /// Its number in the conference.
        recording: RecordingId,
        /// Why.
        why: RecordingEnd,
    },
    /// The roster shows a call by another name from now on.
    Named {
        /// By whom.
        by: Actor,
        /// Which call.
        call: CallId,
        /// The name.
        name: String,
    },
    /// A call left.
    Departed {
        /// Which call.
        call: CallId,
        /// Why.
        reason: LeaveReason,
    },
    /// The last one left.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

/// What an arrived call waits for, alone with the music.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFor {
    /// A Host.
    Host,
    /// A Host's consent.
    Consent,
    /// The end of the notice that the conference is recorded.
    Notice,
}

/// The one reason for which a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LeaveReason {
    /// The caller hung up.
    HungUp,
    /// The line went dead.
    Lost,
    /// Three PINs, none good.
    NoValidPin,
    /// The caller left to enter another PIN.
    AnotherPin,
    /// The conference was locked.
    Locked,
    /// The conference was full.
    Full,
    /// The conference was being ended.
    Ending,
    /// No Host came.
    HostDidNotCome,
    /// Consent was refused.
    ConsentRefused,
    /// A Host or an operator removed the caller.
    Removed,
    /// A Host ended the conference for all.
    HostEnded,
    /// The last Host left, and the account hangs up then.
    HostLeft,
    /// The booking's time was over.
    BookingEnded,
    /// Nobody else was in for too long.
    Alone,
    /// An operator ended the conference.
    OperatorEnded,
    /// The bridge is being shut down.
    Shutdown,
}

impl LeaveReason {
    /// Why the conference ended, if the call that left for this was the last.
    pub(crate) const fn ends_with(self) -> EndReason {
        match self {
            Self::HostDidNotCome => EndReason::HostDidNotCome,
            Self::HostEnded => EndReason::HostEnded,
            Self::HostLeft => EndReason::HostLeft,
            Self::BookingEnded => EndReason::BookingEnded,
            Self::Alone => EndReason::Alone,
            Self::OperatorEnded => EndReason::Operator,
            Self::Shutdown => EndReason::Shutdown,
            Self::HungUp
            | Self::Lost
            | Self::NoValidPin
            | Self::AnotherPin
            | Self::Locked
            | Self::Full
            | Self::Ending
            | Self::ConsentRefused
            | Self::Removed => EndReason::LastLeft,
        }
    }

    /// The word that reports use, such as `hung-up`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HungUp => "hung-up",
            Self::Lost => "lost",
            Self::NoValidPin => "no-valid-pin",
            Self::AnotherPin => "another-pin",
            Self::Locked => "locked",
            Self::Full => "full",
            Self::Ending => "ending",
            Self::HostDidNotCome => "host-did-not-come",
            Self::ConsentRefused => "consent-refused",
            Self::Removed => "removed",
            Self::HostEnded => "host-ended",
            Self::HostLeft => "host-left",
            Self::BookingEnded => "booking-ended",
            Self::Alone => "alone",
            Self::OperatorEnded => "operator-ended",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Why a conference ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// The last one left.
    LastLeft,
    /// A Host ended it for all.
    HostEnded,
    /// The last Host left, and the account hangs up then.
    HostLeft,
    /// The booking's time was over.
    BookingEnded,
    /// The one who was left was alone for too long.
    Alone,
    /// No Host came.
    HostDidNotCome,
    /// An operator ended it.
    Operator,
    /// The bridge was shut down.
    Shutdown,
}

impl EndReason {
    /// The word that reports use, such as `host-ended`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LastLeft => "last-left",
            Self::HostEnded => "host-ended",
            Self::HostLeft => "host-left",
            Self::BookingEnded => "booking-ended",
            Self::Alone => "alone",
            Self::HostDidNotCome => "host-did-not-come",
            Self::Operator => "operator",
            Self::Shutdown => "shutdown",
        }
    }
}
