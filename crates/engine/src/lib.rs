//! The real-time media plane: sockets, 20 ms ticks and threads around the mixer.
//!
//! What it is *not*: it speaks no SIP, knows no conference rules and no PINs; it does what
//! [`Command`]s say, and says what happened by [`Event`]s. Nor is there any async runtime inside.

mod codec;
mod command;
mod config;
mod event;
mod ids;

pub use codec::Codec;
pub use command::{Audience, Command, Direction, LegMedia, NameRules, Port, Route, Rtcp};
pub use config::{EngineConfig, EngineError};
pub use event::{EngineStats, Event, LegStats};
pub use ids::{ClipId, LegId, PlayId, RoomId};
