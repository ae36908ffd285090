//! Names that the owner of the engine gives to things, so that no answer has to
//! come back before the next command can speak of them.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasherDefault, Hasher},
};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($word, " {}"), self.0)
            }
        }
    };
}

/// A map by the ids that this crate's owner, or the crate itself, gives out: nobody else can choose them so that they meet in
/// one place, and it is asked several times for each packet.
pub(crate) type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        // Fibonacci hashing: the high bits, too, depend on all of the number.
        self.0 = (self.0.rotate_left(8) ^ id).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

id!(
    /// One call's media. Never used again for another call while the engine lives.
    LegId,
    "leg"
);
id!(
    /// One room: the legs that are routed to it hear each other.
    RoomId,
    "room"
);
id!(
    /// One [`Command::Play`](crate::Command::Play), answered by exactly one
    /// [`Event::PlayEnded`](crate::Event::PlayEnded).
    PlayId,
    "play"
);
id!(
    /// A piece of audio that can be played: a prompt, or a recorded name.
    ClipId,
    "clip"
);
