//! Accounts, bookings, what happened in conferences and an audit log in a database: SQLite or PostgreSQL, behind one trait.
//!
//! It is *not* a judge: whether a door opens now is for `conclave-accounts` to say, and it keeps no PIN in
//! the clear: keyed hashes, and Guest PINs encrypted ([`StoredPin`]).
//!
//! ```
//! # use chrono::DateTime;
//! use conclave_accounts::{Owner, Pin, Source, Terms};
//! use conclave_store::{Act, Auditor, FreshKeys, Keys, NewAccount, SqlStore, Store, StoredPin};
//! # use rand::{SeedableRng, rngs::StdRng};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let scratch = tempfile::tempdir()?;
//! # let (dir, now, nonce) = (scratch.path(), DateTime::UNIX_EPOCH, [7; 24]);
//! # let mut random = StdRng::seed_from_u64(1);
//! let keys = Keys::load_or_create(dir, FreshKeys::draw(&mut random))?;
//! let store = SqlStore::open(dir, Auditor::new(dir, &keys, Box::new(random))).await?;
//! let [host, guest] = [Pin::parse("482913507264")?, Pin::parse("7305918246")?];
//! let account = NewAccount {
//!     owner: Owner::new("Ada Lovelace", "ada@example.org")?,
//!     terms: Terms::default(),
//!     department: None,
//!     cost_code: None,
//!     bookings: true,
//!     host: StoredPin::host(&host, &keys),
//!     guest: StoredPin::guest(&guest, &keys, nonce),
//! };
//! let by = Act::new("root@bridge1", now);
//! let account = store.add_accounts(vec![account], &by).await?.remove(0);
//!
//! let caller = Source::new("berlin", "+4930123456");
//! let lookups: Vec<_> = keys.lookups(&guest).iter().map(|under| under.lookup).collect();
//! let found = store.door(&lookups, &caller, now).await?.expect("it was just made");
//! assert_eq!(found.door.account, account.id);
//! # Ok(())
//! # }
//! ```

mod account;
mod act;
mod audit;
mod booking;
mod disk;
mod error;
mod head;
mod keys;
mod lock;
mod porter;
mod record;
mod recorder;
mod recording;
mod report;
mod seal;
mod secret;
mod sql;
mod store;
mod subject;
mod token;
mod user;
mod webhook;

pub use account::{AccountChange, Find, NewAccount, PinCount, StoredPin};
pub use act::{Act, Page};
pub use audit::{
    Anchor, AuditKey, Broken, Draft, Fault, Head, Mac, Noted, Sealed, Verified, Verifier,
};
pub use booking::{
    BookingChange, BookingFilter, Letter, LetterKind, LetterProblem, NewBooking, NewInvitee,
    SealedGuestPin,
};
pub use error::StoreError;
pub use head::{HeadError, HeadFile};
pub use keys::{
    Fingerprint, FreshKeys, KeyName, KeyedLookup, Keys, KeysError, KeysFile, Lookups, OtherKeys,
};
pub use porter::Porter;
pub use record::{CallMedia, CallRow, ConferenceRow, Entry, EventRow, Period, RunId, Visit};
pub use recorder::{Recorder, RecorderError};
pub use recording::RecordingRow;
pub use report::{
    AuditPage, AuditRow, Hint, Keep, KnownNumber, Person, ReportFilter, Swept, UsageRow,
};
pub use seal::{FactorSecret, SealError, SealedFactor, SealedPin, SealedSecret};
pub use sql::{Auditor, Postgres, Restored, SqlStore};
pub use store::{Books, Found, KNOWN_FOR, PIN_REST, Store, Totals};
pub use subject::{Commitment, Subject, SubjectKind};
pub use token::{ApiToken, ApiTokenId, Done, NewApiToken, NoScope, ONCE_LASTS, Once, Scope};
pub use user::{
    NewFactor, NewSession, PasswordHash, Session, Token, TokenHash, User, UserEmail, UserId,
    UserRole,
};
pub use webhook::{
    Delivery, DeliveryRow, FAILS_FOR, HookEvent, LISTED_FOR, NewWebhook, NoHookEvent, TOLD_FOR,
    Webhook, WebhookId, WebhookSecret,
};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
