//! The desk of a conference bridge: what is done to accounts and bookings, by whichever way somebody asks.
//!
//! It is *not* who may ask, and it prints nothing: the command line and the portal stand before it. PINs that were just
//! drawn come back in the clear, for the one answer that shows them.
//!
//! ```
//! # use std::sync::Arc;
//! use conclave_accounts::{Owner, Terms};
//! # use conclave_accounts::Role;
//! use conclave_desk::{Desk, Rules, Wanted};
//! use conclave_store::{Act, Auditor, FreshKeys, Keys, SqlStore};
//! # use rand::{SeedableRng, rngs::StdRng};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let scratch = tempfile::tempdir()?;
//! # let (dir, mut random) = (scratch.path(), StdRng::seed_from_u64(1));
//! # let act = Act::new("root@bridge1", chrono::DateTime::UNIX_EPOCH);
//! let keys = Keys::load_or_create(dir, FreshKeys::draw(&mut random))?;
//! # let more = StdRng::seed_from_u64(2);
//! let store = SqlStore::open(dir, Auditor::new(dir, &keys, Box::new(random))).await?;
//! let keys = Arc::new(keys);
//! let desk = Desk::new(store, Box::new(move || keys.clone()), Rules::default(), Box::new(more));
//! let ada = Wanted::new(Owner::new("Ada Byron", "ada@example.org")?, Terms::default());
//! let (account, pins) = desk.open_account(ada, &act).await?;
//! assert_eq!((pins.host.len(), pins.guest.len()), (12, 10));
//! let another = desk.reset_pin(account.id, Role::Host, &act).await?;
//! assert_ne!(another.expose(), pins.host.expose());
//! # Ok(())
//! # }
//! ```

mod account;
mod booking;
mod details;
mod error;
mod invitation;
mod office;
mod pins;
mod table;
mod webhook;
mod when;

pub use account::{
    AccountPins, Brought, BroughtError, Leaving, Talkers, Wanted, WishError, Wishes, checked_word,
};
pub use booking::{BookingPins, BookingWish, Guest};
pub use details::{Details, Doubt};
pub use error::DeskError;
pub use invitation::{NotSent, Rendered};
pub use office::{Desk, KeySource, Rules, dial_in_numbers};
pub use pins::Draw;
pub use table::{MOST_BYTES, Table};
pub use webhook::{HookUrl, HookUrlError, Signed, is_public};
pub use when::{PlanChange, Replanned};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
