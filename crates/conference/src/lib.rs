//! One conference as a machine without I/O: who waits, who hears whom, the lock, the roll call, the end.
//!
//! It is *not* a media plane and not a telephone: it knows a leg only as a [`CallId`], says what the
//! leg shall hear by [`Action`]s, and is told by [`Event`]s what became of them. A [`Conference`] is entered by a
//! [`Ticket`](conclave_accounts::Ticket), which only the PIN check of `conclave-accounts` can make.
//!
//! ```
//! # use conclave_accounts::*;
//! # use conclave_conference::*;
//! # let now = chrono::DateTime::UNIX_EPOCH;
//! # let account = Account::new(AccountId(1), Owner::new("Ada", "ada@example.org").unwrap());
//! # let (pin, source) = (Pin::parse("4711").unwrap(), Source::withheld("trunk"));
//! # let mut doorkeeper = Doorkeeper::new(PinPolicy::default(), now);
//! # let door = Some(account.door(Role::Guest));
//! # let Outcome::Admit(ticket) = doorkeeper.judge(&source, &pin, door, None, now).outcome else { panic!() };
//! let mut conference = Conference::new(ConferenceId(1), &ticket, now);
//! let (call, caller) = (CallId(7), Caller::default());
//! conference.handle_event(Event::Arrived { call, ticket, caller }, now);
//!
//! // A Guest who is the first waits for a Host, alone.
//! let music = Action::Route { call, route: Route::HoldMusic };
//! assert!(std::iter::from_fn(|| conference.poll_action()).any(|action| action == music));
//! ```

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
pub use event::{Actor, Caller, Command, Event, OperatorId, Refusal};
pub use prompt::Prompt;
pub use record::{
    ConferenceId, EndReason, Fact, LeaveReason, Record, RecordingEnd, RecordingId, WaitFor,
};
pub use roster::{Floor, Muted, Participant, Place};
pub use timer::Timer;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
