//! Telephone digits in, conference commands out: RFC 4733 events, SIP INFO, tones in the audio and key maps,
//! without allocation.
//!
//! What it is *not*: it reads no socket and no clock, it parses no RTP or SIP headers, and it does
//! not decide whether a caller may do what the keys say: it says which command was pressed, and the
//! conference decides.
//!
//! Times are [`core::time::Duration`]s since any epoch that stays fixed for the leg.
//!
//! ```
//! use conclave_dtmf::{Digit, KeyCommand, KeyMap, KeyPress, KeyReader};
//! use core::time::Duration;
//!
//! let map = KeyMap::default();
//! let mut keys = KeyReader::new();
//! let star = keys.press(&map, Digit::STAR, Duration::from_secs(1), false);
//! assert_eq!(star, None); // the second key has three seconds
//! let six = keys.press(&map, Digit::new('6').unwrap(), Duration::from_secs(2), false);
//! assert_eq!(six, Some(KeyPress::Command(KeyCommand::Mute)));
//! ```
#![no_std]

#[cfg(test)]
extern crate std;

mod bank;
mod digit;
mod event;
mod gate;
mod info;
mod keymap;
mod reader;
mod tone;

pub use digit::{Digit, NotADigit};
pub use event::EventReceiver;
pub use gate::{DigitGate, Way};
pub use info::{InfoDigit, InfoError, MAX_INFO_BODY, parse_info};
pub use keymap::{
    Binding, ConflictKind, KeyCommand, KeyConflict, KeyMap, KeyMapError, Keys, UnknownName, Who,
};
pub use reader::{HASH_GUARD, HASH_WAIT, KEY_WAIT, KeyPress, KeyReader};
pub use tone::ToneDetector;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
