//! Names that the owner of the engine gives to things, so that no answer has to
//! come back before the next command can speak of them.

use std::fmt;

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
