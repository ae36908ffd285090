use std::path::PathBuf;

use conclave_accounts::{AccountId, BookingId, InviteeId};
use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;

use crate::{ApiTokenId, Broken, HeadError, OtherKeys, UserId, WebhookId};

/// Why the store can't do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The PIN is another's, or was within the last 400 days: draw another.
    #[error("that PIN can't be given: it is in use, or was not long ago")]
    PinTaken,
    /// There is no such account.
    #[error("there is no {0}")]
    NoSuchAccount(AccountId),
    /// The account may not make bookings.
    #[error("{0} may not make bookings")]
    NoBookings(AccountId),
    /// There is no such booking.
    #[error("there is no {0}")]
    NoSuchBooking(BookingId),
    /// There is no such invitee.
    #[error("there is no {0}")]
    NoSuchInvitee(InviteeId),
    /// The booking was called off.
    #[error("{0} was cancelled already")]
    Cancelled(BookingId),
    /// The booking's time has passed.
    #[error("{0} is over")]
    Over(BookingId),
    /// The invitation was taken back.
    #[error("{0} was withdrawn already")]
    Withdrawn(InviteeId),
    /// A PIN of one's own can't be withdrawn where another serves all.
    #[error("{0} has one Guest PIN for all: nobody is invited to it by name")]
    OnePinForAll(BookingId),
    /// Nothing is kept of that person.
    #[error("nothing is kept of a person with that e-mail address")]
    NoSuchPerson,
    /// An e-mail address is one user's.
    #[error("there is a user with that e-mail address already")]
    UserExists,
    /// There is no such user.
    #[error("there is no {0}")]
    NoSuchUser(UserId),
    /// Who is suspended gets no link and no session.
    #[error("{0} is suspended")]
    UserSuspended(UserId),
    /// The set-up link is unknown, was used or replaced, or is too old.
    #[error(
        "that set-up link is good for nothing: it was used, replaced by a newer one, or is too old"
    )]
    NoSuchLink,
    /// There is no such token of a program.
    #[error("there is no {0}")]
    NoSuchApiToken(ApiTokenId),
    /// There is no such webhook.
    #[error("there is no {0}")]
    NoSuchWebhook(WebhookId),
    /// That was done already, under the same key; what was made by it is kept.
    #[error("that was done already")]
    Repeated,
    /// The database was made with other keys.
    #[error(transparent)]
    OtherKeys(#[from] OtherKeys),
    /// The audit log is not as it was written.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The head of the audit log outside the database.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// A closed account stays closed.
    #[error("{0} is closed for good")]
    Closed(AccountId),
    /// A file that is to be made is there.
    #[error("{} is there already: nothing is overwritten", .0.display())]
    Exists(PathBuf),
    /// What PostgreSQL has tools of its own for.
    #[error(
        "that database is PostgreSQL: pg_dump copies it while the bridge runs, pg_restore brings it back"
    )]
    OnlySqlite,
    /// Another bridge serves this data directory.
    #[error("{} is already served by another conclave-bridge (process {pid}); two can't share it", dir.display())]
    Served {
        /// The data directory.
        dir: PathBuf,
        /// What the other wrote into its lock file.
        pid: String,
    },
    /// Another bridge serves the database under this name.
    #[error(
        "the database is already served by another conclave-bridge named {bridge:?} ({by}); two can't share a name"
    )]
    NameServed {
        /// The name.
        bridge: String,
        /// From where the other is connected, and since when.
        by: String,
    },
    /// What should say where a PostgreSQL database is doesn't.
    #[error(
        "the database's URL: {0}; it should look like postgres://user:password@host:5432/database"
    )]
    Url(String),
    /// No connection could be made to a PostgreSQL server.
    #[error("{at} can't be reached: {why}")]
    Unreachable {
        /// Which database, where.
        at: String,
        /// What the server or the network says.
        why: String,
    },
    /// The database was written by a later version.
    #[error("{0} was written by a newer version of Conclave than this one")]
    Newer(String),
    /// The schema of the database is not the one that its version says.
    #[error("{0} is not a Conclave database of any released version")]
    Foreign(String),
    /// The file was cut or overwritten.
    #[error("{} is damaged: restore it from a backup", .0.display())]
    Damaged(PathBuf),
    /// A value in the database means nothing.
    #[error("the database holds a bad {what}: {why}")]
    Bad {
        /// Which column.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The file system refuses.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file or directory.
        path: PathBuf,
        /// What it says.
        source: std::io::Error,
    },
    /// There is no such file of a recording.
    #[error("there is no recording {0}")]
    NoSuchRecording(u64),
    /// The database refuses.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

impl StoreError {
    /// Whether to try the same again is pointless: the data is at fault, not the moment.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(e)) => is_lasting(e.as_ref()),
            Self::Database(sqlx::Error::Encode(_)) => true,
            Self::Database(_) | Self::File { .. } | Self::Unreachable { .. } => false,
            Self::PinTaken | Self::NoSuchAccount(_) | Self::Closed(_) | Self::NoBookings(_) => true,
            Self::NoSuchBooking(_) | Self::Cancelled(_) | Self::Over(_) => true,
            Self::NoSuchInvitee(_) | Self::Withdrawn(_) | Self::OnePinForAll(_) => true,
            Self::UserExists | Self::NoSuchUser(_) | Self::UserSuspended(_) => true,
            Self::NoSuchLink
            | Self::NoSuchApiToken(_)
            | Self::NoSuchRecording(_)
            | Self::Repeated => true,
            Self::NoSuchWebhook(_) => true,
            Self::NoSuchPerson | Self::OtherKeys(_) | Self::Broken(_) => true,
            Self::Head(_) => false,
            Self::Served { .. } | Self::NameServed { .. } | Self::Url(_) => true,
            Self::Exists(_) | Self::OnlySqlite => true,
            Self::Newer(_) | Self::Foreign(_) | Self::Damaged(_) | Self::Bad { .. } => true,
        }
    }

    /// Whether the database refused a second row of what there may be only one of.
    pub(crate) fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(e)) if e.is_unique_violation())
    }

    /// What became of a migration of the database at `place`.
    pub(crate) fn unmigrated(place: String, error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => Self::Newer(place),
            MigrateError::VersionMismatch(_)
            | MigrateError::Dirty(_)
            | MigrateError::ExecuteMigration(..) => Self::Foreign(place),
            MigrateError::Execute(e) => e.into(),
            other => Self::Database(sqlx::Error::Migrate(Box::new(other))),
        }
    }
}

/// Of PostgreSQL's classes of SQLSTATE, 22 is a value that it can't take and 23 a rule of the tables that was
/// violated. All others are of the moment: a connection lost (08), no room (53), a server that stops or starts (57P),
/// an operator's mistake that can be mended. Of SQLite's result codes, 18 is a value too big, 19 a rule violated,
/// 20 a value of the wrong type.
fn is_lasting(error: &dyn DatabaseError) -> bool {
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        return code.starts_with("22") || code.starts_with("23");
    }
    code.parse::<u32>()
        .is_ok_and(|code| matches!(code & 0xff, 18..=20))
}

pub(crate) fn bad(what: &'static str, why: impl ToString) -> StoreError {
    StoreError::Bad {
        what,
        why: why.to_string(),
    }
}

pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;
