//! Accounts, conference records and calls in a database: SQLite or PostgreSQL, by the same statements.
//!
//! It is *not* a judge: whether a door opens now is for `conclave-accounts` to say, and it keeps no PIN in
//! the clear: keyed hashes, and Guest PINs encrypted ([`StoredPin`]).
//!
//! ```
//! # use chrono::DateTime;
//! use conclave_accounts::{Owner, Pin, Source, Terms};
//! use conclave_store::{Keys, NewAccount, SqlStore, Store, StoredPin};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let scratch = tempfile::tempdir()?;
//! # let (dir, now, random) = (scratch.path(), DateTime::UNIX_EPOCH, [7; 32]);
//! let keys = Keys::load_or_create(dir, random)?;
//! let store = SqlStore::open(dir).await?;
//! let [host, guest] = [Pin::parse("482913507264")?, Pin::parse("7305918246")?];
//! let account = NewAccount {
//!     owner: Owner::new("Ada Lovelace", "ada@example.org")?,
//!     terms: Terms::default(),
//!     bookings: true,
//!     host: StoredPin::host(&host, &keys),
//!     guest: StoredPin::guest(&guest, &keys, nonce),
//! };
//! let account = store.add_account(account, now).await?;
//!
//! let caller = Source::new("berlin", "+4930123456");
//! let found = keys.lookups(&guest).current.lookup;
//! let door = store.door(&found, &caller, now).await?.expect("it was just made");
//! assert_eq!(door.account, account.id);
//! # Ok(())
//! # }
//! ```

mod account;
mod audit;
mod disk;
mod error;
mod head;
mod keys;
mod lock;
mod record;
mod recorder;
mod sql;
mod store;
mod subject;

pub use account::{Find, NewAccount, PinCount, StoredPin};
pub use audit::{Anchor, AuditKey, Broken, Draft, Fault, Head, Mac, Sealed, Verified, Verifier};
pub use error::StoreError;
pub use head::{HeadError, HeadFile};
pub use keys::{
    Fingerprint, FreshKeys, KeyName, KeyedLookup, Keys, KeysError, KeysFile, Lookups, OtherKeys,
};
pub use record::{CallMedia, CallRow, ConferenceRow, Entry, EventRow, Period, RunId, Visit};
pub use recorder::{Recorder, RecorderError};
pub use sql::{Postgres, SqlStore};
pub use store::{Books, KNOWN_FOR, PIN_REST, Store};
pub use subject::{Commitment, Subject, SubjectKind};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
