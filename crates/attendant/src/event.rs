//! What the bridge is told.

use chrono::{DateTime, Utc};
use conclave_accounts::{AccountId, BookingId, CallId, LONGEST_PIN, Source, Verdict};
use conclave_conference::{ConferenceId, NameId, PlayId, RecordingId};
use conclave_dtmf::{Digit, KeyMap, Way};

/// A fact that the machine is told. Facts that come late or name nobody are no-ops.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A call was answered; its media runs.
    Answered {
        /// The call, new to the machine.
        call: CallId,
        /// Trunk and number; the number names the caller, it never authenticates one.
        source: Source,
        /// What the dialled number says.
        access: Access,
    },
    /// A digit came.
    Digit {
        /// From which call.
        call: CallId,
        /// By which way.
        way: Way,
        /// Which.
        digit: Digit,
    },
    /// A PIN was judged.
    PinJudged {
        /// Whose.
        call: CallId,
        /// Which of the call's inquiries this answers.
        inquiry: u32,
        /// What the doorkeeper says.
        verdict: Verdict,
    },
    /// A play is over or was stopped.
    PlayEnded {
        /// Which.
        play: PlayId,
    },
    /// The recording of a name has ended.
    NameRecorded {
        /// Under which name it is kept.
        name: NameId,
        /// False where there was nothing but silence; then nothing is kept.
        usable: bool,
    },
    /// The peer put its line on hold, or took it back.
    PeerHold {
        /// Which call.
        call: CallId,
        /// True while it is on hold.
        held: bool,
    },
    /// How loud a talking call was of late, at most once a second.
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
    /// No RTP has come for 60 s.
    MediaQuiet {
        /// From which call.
        call: CallId,
    },
    /// The answer to a probe.
    Probed {
        /// Which call.
        call: CallId,
        /// Whether the peer still knows the dialog.
        alive: bool,
    },
    /// A booking ends at another time than its conference may know. To be told once more does no harm.
    BookingMoved {
        /// Which.
        booking: BookingId,
        /// Its end; one that has passed ends the conference now.
        ends_at: DateTime<Utc>,
    },
    /// It is recorded now.
    RecordingBegan {
        /// Which conference.
        conference: ConferenceId,
        /// Which of its recordings.
        recording: RecordingId,
    },
    /// It can't be recorded, or not any more.
    RecordingFailed {
        /// Which conference.
        conference: ConferenceId,
        /// Which of its recordings.
        recording: RecordingId,
    },
    /// The peer ended the call, or its dialog is lost.
    HungUp {
        /// Which call.
        call: CallId,
    },
}

/// What the dialled number says of a call.
#[derive(Debug, Clone)]
pub struct Access {
    /// The account to which the number is bound: the PIN then decides only the role.
    pub bound: Option<AccountId>,
    /// The keys that work on calls to it.
    pub keys: KeyMap,
    /// The longest PIN in use: a PIN ends there without a `#`.
    pub longest_pin: usize,
}

impl Default for Access {
    /// An unbound number with the product's keys, on a bridge with PINs of any length.
    fn default() -> Self {
        Self {
            bound: None,
            keys: KeyMap::default(),
            longest_pin: LONGEST_PIN.into(),
        }
    }
}
