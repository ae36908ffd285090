//! Bookings on the calendar: which moments a [`Plan`](conclave_accounts::Plan) means, and the
//! invitation that says so.
//!
//! It stores and sends nothing, reads no clock and draws no random number: the time, the UID and
//! the PIN are arguments. Its words are iCalendar's (RFC 5545, RFC 5546).
//!
//! ```
//! use conclave_calendar::{Horizon, Request};
//!
//! let planned = Request {
//!     zone: Some("Europe/Berlin"),
//!     rule: Some("FREQ=WEEKLY;COUNT=20"),
//!     ..Request::new("2026-12-01T09:00", "2026-12-01T10:00")
//! }
//! .plan(&Horizon::default())?;
//! let starts: Vec<_> = planned.occurrences.windows().iter().map(|w| w.starts.to_string()).collect();
//! assert_eq!(starts[16], "2027-03-23 08:00:00 UTC");
//! assert_eq!(starts[17], "2027-03-30 07:00:00 UTC"); // nine o'clock in summer
//! # Ok::<(), conclave_calendar::PlanError>(())
//! ```

mod error;
mod ics;
mod invitation;
mod number;
mod occurrences;
mod request;
mod rule;
mod words;
mod zone;

pub use error::{Note, PlanError};
pub use invitation::{Cancellation, Invitation};
pub use number::{AccessNumber, AccessNumberError};
pub use occurrences::{Horizon, Occurrences, clashes, occurrences};
pub use request::{Planned, Request};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
