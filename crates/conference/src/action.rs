//! What a conference wants done.

use crate::{CallId, LeaveReason, Prompt, Record, RecordingId};

/// One order to the shell. Orders come out in one queue and are carried out in that order: prompts,
/// routes and hang-ups must not overtake each other.
///
/// The enum is exhaustive on purpose: a shell that ignores a new order does not compile.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// From the next frame on the call hears, and is heard, as the route says.
    Route {
        /// Whose media.
        call: CallId,
        /// Where to.
        route: Route,
    },
    /// Play the clips one after the other. Plays to one audience queue up behind each other. Answered by
    /// one [`Event::PlayEnded`](crate::Event::PlayEnded), when it is over or was stopped.
    Play {
        /// The name by which it is stopped and answered.
        play: PlayId,
        /// Who hears it.
        to: Audience,
        /// What they hear, never empty.
        clips: Vec<Clip>,
    },
    /// Stop that play, or take it out of the queue, if it isn't over.
    Stop {
        /// Which.
        play: PlayId,
    },
    /// The call is no longer the conference's: it hears the farewell, if there is one, and is hung up.
    /// The conference has forgotten it by now.
    Release {
        /// Whom.
        call: CallId,
        /// What it hears before the BYE.
        farewell: Option<Prompt>,
        /// The one reason that its record gets.
        reason: LeaveReason,
    },
    /// The recorded name is no longer needed: wipe it.
    ForgetName {
        /// Which.
        name: NameId,
    },
    /// Record what is said in the room from now on: what its participants say while they are heard, and what is played to all,
    /// but for spoken names. Answered by one [`Event::RecordingBegan`](crate::Event::RecordingBegan) or
    /// [`Event::RecordingFailed`](crate::Event::RecordingFailed).
    StartRecording {
        /// Its name.
        recording: RecordingId,
    },
    /// Record no more, if that recording goes on or is about to begin.
    StopRecording {
        /// Which.
        recording: RecordingId,
    },
    /// For the books.
    Record(Record),
}

/// What a call hears, and whether it is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Nothing but its own prompts.
    Silence,
    /// The bridge's one hold music, alone.
    HoldMusic,
    /// Everyone in the room but itself.
    Room {
        /// Whether the others hear it.
        heard: bool,
    },
}

/// Who hears a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// One call alone.
    Call(CallId),
    /// Everyone who is in the room at each moment of it.
    Room {
        /// But this one.
        except: Option<CallId>,
    },
}

/// A piece of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clip {
    /// One of the bridge's prompts.
    Prompt(Prompt),
    /// A name that a caller spoke.
    Name(NameId),
}

impl From<Prompt> for Clip {
    fn from(prompt: Prompt) -> Self {
        Self::Prompt(prompt)
    }
}

/// A play, unique in a run of the bridge: `owner` is 0 for the attendant, else the conference's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlayId {
    /// Who ordered it.
    pub owner: u32,
    /// Its number with that owner.
    pub number: u32,
}

impl PlayId {
    /// Both numbers in one.
    pub const fn to_u64(self) -> u64 {
        (self.owner as u64) << 32 | self.number as u64
    }

    /// Undoes [`to_u64`](Self::to_u64).
    pub const fn from_u64(packed: u64) -> Self {
        Self {
            owner: (packed >> 32) as u32,
            number: packed as u32,
        }
    }
}

/// A name that a caller spoke, kept in memory by the media plane until
/// [`Action::ForgetName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameId(pub u64);
