//! Recordings: Ogg Opus files, written as they go.
//!
//! It is *not* a conference: it knows no callers, no rules and no notices, and hears nothing but what it is fed. A [`Recorder`] has
//! a thread that mixes, encodes and writes; its [`Feed`] is for a media thread, which never waits for it. [`OggOpus`] writes
//! one stream; [`mend`] ends a file whose recorder was killed.
//!
//! ```
//! use conclave_record::{Origin, Plan, Recorder};
//!
//! let folder = std::env::temp_dir().join(format!("conclave-record-{}", std::process::id()));
//! let plan = Plan {
//!     folder: folder.clone(),
//!     name: "20261128-6fd0a3f1c27b4e55".into(),
//!     tracks: false,
//!     bitrate: 32_000,
//!     serial: 1,
//!     comments: Vec::new(),
//! };
//! let (recorder, mut feed) = Recorder::start(plan, |told| println!("{told:?}"))?;
//! for tick in 0..50 {
//!     feed.hear(Origin::Voice(7), &[1_000; 160]);
//!     feed.end_tick(tick);
//! }
//! drop(feed);
//! recorder.wait();
//! assert!(folder.join("20261128-6fd0a3f1c27b4e55.opus").exists());
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), std::io::Error>(())
//! ```

mod feed;
mod mend;
mod mix;
mod ogg_opus;
mod recorder;
mod recording;
mod upsample;

pub use feed::{Feed, Origin};
pub use mend::{Mended, mend};
pub use ogg_opus::{OggOpus, StreamSettings};
pub use recorder::{Plan, RecordError, Recorder, Summary, Told};

/// Samples of 20 ms at 48 kHz.
pub const FRAME: usize = 960;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
