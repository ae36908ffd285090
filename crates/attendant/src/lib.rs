//! Each caller's journey from the answer to the goodbye, and the whole bridge as one machine without I/O.
//!
//! It is *not* a SIP stack, a media plane or a database: a shell tells it what happened by [`Event`]s and
//! carries out its [`Action`]s.

mod action;
mod event;
mod report;

pub use action::{Action, Audience, Route};
pub use event::{Access, Event};
pub use report::Report;
