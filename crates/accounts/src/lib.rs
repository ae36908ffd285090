//! Accounts, PINs and the guess throttle: who may open which door of a conference bridge, and
//! when.
//!
//! It is no database (it judges what a store found), no clock (it is told the time) and no
//! source of random numbers (it is handed one). It knows nothing of calls, audio or networks.
//!
//! ```
//! use conclave_accounts::{Doorkeeper, Outcome, Pin, PinPolicy, Source};
//!
//! # let now = chrono::DateTime::UNIX_EPOCH;
//! let mut doorkeeper = Doorkeeper::new(PinPolicy::default(), now);
//! let pin = Pin::parse("5724")?; // 4 is the check digit of 572
//! let nobodys = None; // what a store has behind this PIN
//! let verdict = doorkeeper.judge(&Source::new("trunk", "+4930123456"), &pin, nobodys, None, now);
//! assert_eq!(verdict.outcome, Outcome::NotValid);
//! # Ok::<(), conclave_accounts::PinError>(())
//! ```

mod account;
mod booking;
mod damm;
mod daycount;
mod directory;
mod door;
mod doorkeeper;
mod ids;
mod inquiry;
mod notice;
mod odds;
mod pin;
mod policy;
mod seconds;
mod sources;
mod throttle;
mod ticket;

pub use account::{
    Account, AccountState, Announce, HostLeaves, LONGEST_GRACE, Owner, OwnerDoubt, OwnerError,
    TALKERS, Terms, TermsError,
};
pub use booking::{
    Booking, BookingState, Invitee, InviteeError, LONGEST_BOOKING, Plan, Title, TitleError,
};
pub use directory::{Directory, DirectoryError, KNOWN_FOR_DAYS};
pub use door::{Door, Source, Window, WindowError};
pub use doorkeeper::{Doorkeeper, DoorkeeperState};
pub use ids::{AccountId, BookingId, CallId, ConferenceKey, InviteeId, Role};
pub use inquiry::Inquiry;
pub use notice::{Guess, Notice, SourceKey};
pub use odds::{Doors, Odds, PolicyError, WeakPin};
pub use pin::{LONGEST_PIN, Pin, PinError, PinKey, PinLookup, SHORTEST_PIN};
pub use policy::PinPolicy;
pub use throttle::{Alert, Attempt, Ceiling, Ruling, Throttle, ThrottleState};
pub use ticket::{Outcome, Ticket, Verdict};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
