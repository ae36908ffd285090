//! What somebody beside the legs hears of a room: a recorder.

use crate::LegId;

/// Hears all that is said in one room, 20 ms at a time. It is called on the media thread, between packets that are due: it must neither
/// wait, lock nor allocate.
///
/// Of a muted leg, one on hold, and one that presses a digit there is nothing to be heard, nor is there of what is played to one leg
/// alone, nor of recorded names.
pub trait Tap: Send {
    /// A frame of this tick, at the leg's own rate (160, 320 or 960 samples), or what is played to all.
    fn hear(&mut self, from: Option<LegId>, frame: &[i16]);

    /// The tick is over. A tick that is never told was left out.
    fn end_tick(&mut self, tick: u64);
}
