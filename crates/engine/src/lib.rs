//! The real-time media plane: sockets, 20 ms ticks and threads around the mixer.
//!
//! What it is *not*: it speaks no SIP, knows no conference rules and no PINs; it does what
//! [`Command`]s say, and says what happened by [`Event`]s. Nor is there any async runtime inside.
//!
//! ```
//! use conclave_engine::{Codec, Command, Engine, EngineConfig, LegId, LegMedia, Port, RoomId, Route};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (engine, _events) = Engine::start(EngineConfig::default())?;
//! for n in 1..=2 {
//!     let leg = LegId(n);
//!     let _in_the_answer = engine.reserve(leg, Port::Shared, "127.0.0.1".parse()?)?;
//!     let media = LegMedia::new(([127, 0, 0, 1], 4000 + 2 * n as u16).into(), Codec::Pcmu);
//!     engine.send(Command::Start { leg, media });
//!     engine.send(Command::Route { leg, route: Route::Room { room: RoomId(1), heard: true } });
//! }
//! assert_eq!((engine.stats().legs, engine.stats().rooms), (2, 1)); // and they hear each other
//! # Ok(())
//! # }
//! ```

mod ahead;
mod command;
mod config;
mod control;
mod demux;
mod encoding;
mod engine;
mod event;
mod events;
mod fade;
mod grid;
mod halve;
mod homes;
mod ids;
mod leg;
mod local;
mod mail;
mod meter;
mod music;
mod name;
mod overload;
mod packing;
mod pcm;
mod plane;
mod play;
mod port;
mod post;
mod priority;
mod room;
mod shard;
mod sums;
mod tap;
mod udp;

pub use command::{
    Audience, Command, Direction, LegMedia, NameRules, Port, Route, Rtcp, Sound, WATCH_LASTS,
};
pub use conclave_dtmf::{Digit, Way};
pub use conclave_media::{Codec, OpusSettings};
pub use config::{EngineConfig, EngineError};
pub use engine::Engine;
pub use event::{EngineStats, Event, Lateness, LegStats};
pub use events::EventReceiver;
pub use ids::{ClipId, LegId, PlayId, RoomId};
pub use overload::Overload;
pub use pcm::Pcm;
pub use tap::Tap;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
