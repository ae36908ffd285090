//! Each caller's journey from the answer to the goodbye, and the whole bridge as one machine without I/O.
//!
//! It is *not* a SIP stack, a media plane or a database: a shell tells it what happened by [`Event`]s and
//! carries out its [`Action`]s. What happens inside a conference is `conclave-conference`'s; what a PIN
//! opens is `conclave-accounts`'s.
//!
//! ```
//! use chrono::DateTime;
//! use conclave_accounts::{CallId, Source};
//! use conclave_attendant::{Access, Action, Attendant, Event, Rules};
//!
//! let now = DateTime::UNIX_EPOCH;
//! let mut attendant = Attendant::new(Rules::default(), now);
//! let (call, source) = (CallId(1), Source::new("trunk", "+4930123456"));
//! attendant.handle_event(Event::Answered { call, source, access: Access::default() }, now);
//! assert!(matches!(attendant.poll_action(), Some(Action::Report(_))));
//! assert!(matches!(attendant.poll_action(), Some(Action::Play { .. }))); // welcome, enter-pin
//! ```

mod action;
mod attendant;
mod deadlines;
mod desk;
mod event;
mod journey;
mod naming;
mod pin;
mod report;
mod rules;

pub use action::{Action, Audience, Route, Sound};
pub use attendant::{Attendant, Step};
pub use deadlines::Timer;
pub use event::{Access, Event};
pub use report::Report;
pub use rules::Rules;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
