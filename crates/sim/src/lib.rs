//! The whole bridge in a virtual world: a virtual clock, seeded faults, no sockets.
//!
//! It is *not* a load test and hears no sound: it is about order and time, and what must hold in any.
//!
//! ```
//! use std::time::Duration;
//! use conclave_accounts::{CallId, Source, Terms};
//! use conclave_sim::{World, pins};
//!
//! # fn main() -> Result<(), conclave_sim::Violation> {
//! let mut world = World::new(&[Terms::default()], 1);
//! for (call, pin) in [(CallId(1), pins(1).guest), (CallId(2), pins(1).host)] {
//!     world.dial(call, Source::new("trunk", "+4930123456"), Default::default())?;
//!     world.press(call, &format!("{pin}#"), Duration::from_millis(200));
//!     world.run_for(Duration::from_secs(5))?;
//! }
//! assert!(world.watch().hears(CallId(1), CallId(2)));
//! # Ok(())
//! # }
//! ```

mod bytes;
mod campaign;
mod media;
mod rng;
mod town;
mod watch;
mod words;
mod world;

pub use bytes::check_bytes;
pub use campaign::{Failure, Tale, run};
pub use rng::Chance;
pub use town::{INVITEES, Pins, booking_pins, invitee_pin, pins, with_check_digit};
pub use watch::{Violation, Watch};
pub use world::{Faults, Note, START, Speech, World};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
