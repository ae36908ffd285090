//! One conference as a machine without I/O: who waits, who hears whom, the lock, the roll call, the end.
//!
//! It is *not* a media plane and not a telephone: it knows a leg only as a [`CallId`], says what the
//! leg shall hear by [`Action`]s, and is told by [`Event`]s what became of them.

mod action;
mod conference;
mod event;
#[cfg(feature = "invariants")]
pub mod invariants;
mod plays;
mod prompt;
mod record;
mod roster;
mod timer;

pub use action::{Action, Audience, Clip, NameId, PlayId, Route};
pub use conclave_accounts::CallId;
pub use conference::{Conference, Phase};
pub use event::{Actor, Caller, Command, Event, Refusal};
pub use prompt::Prompt;
pub use record::{ConferenceId, EndReason, Fact, LeaveReason, Record, WaitFor};
pub use roster::{Floor, Muted, Participant, Place};
pub use timer::Timer;
