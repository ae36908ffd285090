//! What the bridge wants done.

use conclave_accounts::{AccountId, CallId, Pin, Source, Terms};
use conclave_conference::{Clip, ConferenceId, LeaveReason, NameId, PlayId, RecordingId};

use crate::Report;

/// One order to the shell, to be carried out in the order in which they come.
///
/// The enum is exhaustive on purpose: a shell that ignores a new order does not compile.
#[derive(Debug, Clone)]
pub enum Action {
    /// Look the PIN up and judge it. Answered by [`Event::PinJudged`](crate::Event::PinJudged).
    CheckPin {
        /// Who typed it.
        call: CallId,
        /// Which of the call's inquiries this is; the answer names it.
        inquiry: u32,
        /// What was typed.
        pin: Pin,
        /// Where the call comes from.
        source: Source,
        /// The account to which the access number is bound.
        bound: Option<AccountId>,
    },
    /// From the next frame on the call hears, and is heard, as the route says.
    Route {
        /// Whose media.
        call: CallId,
        /// Where to.
        route: Route,
    },
    /// From the next frame on that conference's room sounds as the account wishes. Comes with the first route into the room,
    /// and again with others; where the account wishes nothing, never.
    Tune {
        /// Whose room.
        conference: ConferenceId,
        /// How.
        sound: Sound,
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
    /// Record the caller's name. Answered by one [`Event::NameRecorded`](crate::Event::NameRecorded): after
    /// 2 s of silence, after 5 s, or at [`FinishName`](Self::FinishName).
    RecordName {
        /// Whose.
        call: CallId,
        /// The name under which it is kept.
        name: NameId,
    },
    /// The caller has ended the recording.
    FinishName {
        /// Whose.
        call: CallId,
    },
    /// The recorded name is no longer needed: wipe it.
    ForgetName {
        /// Which.
        name: NameId,
    },
    /// Record what is said in that conference's room from now on: what its participants say while they are heard, and what is
    /// played to all, but for spoken names. Answered by one [`Event::RecordingBegan`](crate::Event::RecordingBegan) or
    /// [`Event::RecordingFailed`](crate::Event::RecordingFailed).
    StartRecording {
        /// Whose room.
        conference: ConferenceId,
        /// Which of its recordings.
        recording: RecordingId,
    },
    /// Record no more, if that recording goes on or is about to begin.
    StopRecording {
        /// Whose room.
        conference: ConferenceId,
        /// Which of its recordings.
        recording: RecordingId,
    },
    /// The line is silent: ask the peer whether it is still there. Answered by [`Event::Probed`](crate::Event::Probed).
    Probe {
        /// Which call.
        call: CallId,
    },
    /// End the call. The machine has forgotten it by now.
    HangUp {
        /// Which call.
        call: CallId,
        /// Why, for the record.
        reason: LeaveReason,
    },
    /// For the books.
    Report(Report),
}

/// What a call hears, and whether it is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Nothing but its own prompts.
    Silence,
    /// The bridge's one hold music, alone.
    HoldMusic,
    /// Everyone in that conference's room but itself.
    Room {
        /// Whose room.
        conference: ConferenceId,
        /// Whether the others hear it.
        heard: bool,
    },
}

/// How a room sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sound {
    /// The steady noise of each line is turned down.
    pub noise_suppression: bool,
    /// Every voice is brought to the same loudness.
    pub levelling: bool,
    /// No more than so many are heard at once.
    pub most_talkers: Option<u32>,
}

impl Sound {
    pub(crate) fn of(terms: &Terms) -> Self {
        Self {
            noise_suppression: terms.noise_suppression,
            levelling: terms.levelling,
            most_talkers: terms.most_talkers,
        }
    }
}

/// Who hears a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// One call alone.
    Call(CallId),
    /// Everyone who is in that conference's room at each moment of it.
    Room {
        /// Whose room.
        conference: ConferenceId,
        /// But this one.
        except: Option<CallId>,
    },
}
