//! What a conference is told and asked.

use chrono::{DateTime, Utc};
use conclave_accounts::Ticket;

use crate::{CallId, Floor, LeaveReason, NameId, PlayId, Prompt, RecordingId};

/// A fact that a conference is told. Facts that come late or name nobody are no-ops.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[allow(
    clippy::large_enum_variant,
    reason = "an event is told and gone: none are kept"
)]
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
    /// Whoever works on the bridge: a user of the portal, or who runs the machine.
    Operator(OperatorId),
}

/// Who works on the bridge, by a number that the books know: of a user of the portal, that user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorId(pub u64);

impl OperatorId {
    /// No user: the bridge by itself, for whoever runs the machine.
    pub const BRIDGE: Self = Self(0);
}

/// What a caller's keys or the portal ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// `*6`: mute or unmute oneself.
    Mute,
    /// `*7`: lock or unlock.
    Lock,
    /// `*8`: the roll call, for the Host who asks; an operator's is for all Hosts who are in.
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
    /// Lock or unlock, whatever it was: for an operator, who may see it late.
    SetLock {
        /// Locked from now on, or open.
        locked: bool,
    },
    /// Let everyone speak, or those alone whom a lecture lets, whatever it was.
    SetFloor {
        /// Who may be heard from now on.
        floor: Floor,
    },
    /// Quiet one line for its music or noise, or restore it.
    QuietCall {
        /// Whose.
        call: CallId,
        /// Quiet, or restore.
        quieted: bool,
    },
    /// Let one speak whose hand is up, or whom a lecture mutes.
    LetSpeak {
        /// Whom.
        call: CallId,
    },
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
            Self::SetLock { locked: true } => "set-locked",
            Self::SetLock { locked: false } => "set-unlocked",
            Self::SetFloor { floor } => match floor {
                Floor::Open => "set-open",
                Floor::Lecture => "set-lecture",
                Floor::StrictLecture => "set-strict-lecture",
            },
            Self::QuietCall { quieted: true, .. } => "quiet-call",
            Self::QuietCall { quieted: false, .. } => "restore-call",
            Self::LetSpeak { .. } => "let-speak",
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
    /// What was typed is no name that a roster could show.
    #[error("a name has 1 to 100 printable characters, at least one of them a letter")]
    NotAName,
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
            | Self::NothingToDo
            | Self::NotAName => Prompt::Goodbye,
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
            | Self::NothingToDo
            | Self::NotAName => LeaveReason::Ending,
        }
    }
}
