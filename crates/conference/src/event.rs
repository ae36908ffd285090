//! What a conference is told and asked.

use chrono::{DateTime, Utc};
use conclave_accounts::Ticket;

use crate::{CallId, LeaveReason, NameId, PlayId, Prompt, RecordingId};

/// A fact that a conference is told. Facts that come late or name nobody are no-ops.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A call with a ticket to this conference is ready to join: its name, if one is asked for, is spoken.
    Arrived {
        /// The call, new to the conference.
        call: CallId,
        /// What the PIN check gave it.
        ticket: Ticket,
        /// How to speak and write of the caller.
        caller: Caller,
    },
    /// The call hung up, was lost, or enters another PIN.
    Left {
        /// Which call.
        call: CallId,
        /// Why.
        reason: LeaveReason,
    },
    /// A play is over or was stopped.
    PlayEnded {
        /// Which.
        play: PlayId,
    },
    /// The peer put its line on hold, or took it back.
    PeerHold {
        /// Which call.
        call: CallId,
        /// True while it is on hold.
        held: bool,
    },
    /// How loud a talking call was of late.
    Level {
        /// Which call.
        call: CallId,
        /// In dB below full scale, at most 0.
        dbfs: i8,
    },
    /// A line plays music or steady noise, or has ceased to.
    Noisy {
        /// Which call.
        call: CallId,
        /// True while it does.
        noisy: bool,
    },
    /// The answer to [`Action::StartRecording`](crate::Action::StartRecording): from now on it is recorded.
    RecordingBegan {
        /// Which.
        recording: RecordingId,
    },
    /// The other answer to it, or a word that nothing is recorded any more: no disk, no room on it, no right.
    RecordingFailed {
        /// Which.
        recording: RecordingId,
    },
    /// The booking was changed while the conference runs. What it was told already changes nothing, and so
    /// does this of a conference that is no booking's.
    Rescheduled {
        /// Its new end; one that has passed ends the conference now. `None`: it has no end any more.
        ends_at: Option<DateTime<Utc>>,
    },
    /// The bridge is being shut down: everyone is released with a goodbye, now.
    ShutDown,
}

/// How the roster speaks of a caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Caller {
    /// Number in E.164 where the caller's trunk gave one.
    pub number: Option<String>,
    /// The name that the caller spoke, if names are asked for and the caller said one.
    pub name: Option<NameId>,
}

/// Who gives a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A caller, by keys.
    Caller(CallId),
    /// The portal, for a Host or for the operator.
    Operator,
}

/// What a caller's keys or the portal ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// `*6`: mute or unmute oneself.
    Mute,
    /// `*7`: lock or unlock.
    Lock,
    /// `*8`: the roll call.
    RollCall,
    /// `##`: end for all.
    EndForAll,
    /// `*5`: open, lecture, strict lecture, open.
    Lecture,
    /// `*4`: who waits for consent; again within 8 s: let them in.
    Consent,
    /// `*3`: quiet the noisy line, or restore it.
    Quiet,
    /// `*2`: start or stop the recording.
    Recording,
    /// `*9`: raise or lower the hand; a Host lets the next hand speak.
    Hand,
    /// `**`: the keys that one may use.
    Help,
    /// `*` alone: a word to a prompt that waits for one
    /// ([`Conference::awaits_star`](crate::Conference::awaits_star) says who), or the refusal of a caller who waits for consent.
    Star,
    /// Mute one participant for the others (as a Host's word: `*6` doesn't undo it), or undo that.
    MuteCall {
        /// Whom.
        call: CallId,
        /// Mute, or unmute.
        muted: bool,
    },
    /// Disconnect one.
    Remove {
        /// Whom.
        call: CallId,
    },
    /// Let in one who waits for consent, or send them away.
    Admit {
        /// Whom.
        call: CallId,
        /// In, or away.
        welcome: bool,
    },
}

impl Command {
    /// The word that reports use, such as `roll-call`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Lock => "lock",
            Self::RollCall => "roll-call",
            Self::EndForAll => "end-for-all",
            Self::Lecture => "lecture",
            Self::Consent => "consent",
            Self::Quiet => "quiet",
            Self::Recording => "recording",
            Self::Hand => "hand",
            Self::Help => "help",
            Self::Star => "star",
            Self::MuteCall { muted: true, .. } => "mute-call",
            Self::MuteCall { muted: false, .. } => "unmute-call",
            Self::Remove { .. } => "remove",
            Self::Admit { welcome: true, .. } => "let-in",
            Self::Admit { welcome: false, .. } => "send-away",
        }
    }
}

/// Why a command or an arrival is not carried out: a word of the domain, not a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The call or the one it names is not in the conference.
    #[error("no such participant")]
    Unknown,
    /// A Guest gave a Host's command.
    #[error("only a host may do that")]
    NotAHost,
    /// The account doesn't have the feature.
    #[error("the account does not have this feature")]
    NotAllowed,
    /// The conference is locked.
    #[error("the conference is locked")]
    Locked,
    /// As many are in as the account allows.
    #[error("the conference is full")]
    Full,
    /// It is being ended.
    #[error("the conference is ending")]
    Ending,
    /// There is nothing that the command could act on now.
    #[error("there is nothing to do")]
    NothingToDo,
}

impl Refusal {
    /// What a caller hears who is refused at the door for this.
    pub const fn farewell(self) -> Prompt {
        match self {
            Self::Locked => Prompt::ConferenceIsLocked,
            Self::Full => Prompt::ConferenceIsFull,
            Self::Unknown
            | Self::NotAHost
            | Self::NotAllowed
            | Self::Ending
            | Self::NothingToDo => Prompt::Goodbye,
        }
    }

    /// The reason in the record of a caller who is refused at the door for this.
    pub const fn reason(self) -> LeaveReason {
        match self {
            Self::Locked => LeaveReason::Locked,
            Self::Full => LeaveReason::Full,
            Self::Unknown
            | Self::NotAHost
            | Self::NotAllowed
            | Self::Ending
            | Self::NothingToDo => LeaveReason::Ending,
        }
    }
}
