//! The mix-minus core of a telephone conference: each leg hears everybody but itself.
//!
//! It is *not* a conference: it knows no callers, no rules, no codecs and no packets, opens no socket and reads
//! no clock. Whoever owns the 20 ms tick writes one frame for each leg that has something to say, calls
//! [`RoomMixer::mix`] once, and reads one frame for each leg that listens. Nothing in that tick allocates.
//!
//! ```
//! use conclave_mixer::{Heard, Rate, RoomMixer};
//!
//! let mut room = RoomMixer::new(2);
//! let (ann, bob) = (room.join(Rate::Hz8000), room.join(Rate::Hz8000));
//! let mut out = [0; Rate::Hz8000.frame_len()];
//! for _ in 0..10 {
//!     room.write(ann, &[1000; 160]);
//!     room.mix();
//!     assert_eq!(room.read(ann, &mut out), Heard::Alone); // nobody hears themselves
//!     room.read(bob, &mut out);
//! }
//! assert_eq!(out, [1000; 160]); // a lone talker passes unchanged
//! ```

pub mod convert;
pub mod levels;
pub mod tone;

mod band;
mod fade;
mod fir;
mod leveller;
mod limiter;
mod noise;
mod rate;
mod room;
mod slots;
mod suppressor;
mod talker;

pub use noise::NoiseDetector;
pub use rate::Rate;
pub use room::{Heard, RoomMixer, Sum};
pub use slots::SlotId;
pub use talker::Level;

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
