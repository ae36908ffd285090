use std::path::PathBuf;

use conclave_accounts::AccountId;

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
    /// A closed account stays closed.
    #[error("{0} is closed for good")]
    Closed(AccountId),
    /// Another bridge serves this data directory.
    #[error("{} is already served by another conclave-bridge (process {pid}); two can't share it", dir.display())]
    Served {
        /// The data directory.
        dir: PathBuf,
        /// What the other wrote into its lock file.
        pid: String,
    },
    /// The database was written by a later version.
    #[error("{} was written by a newer version of Conclave than this one", .0.display())]
    Newer(PathBuf),
    /// The schema of the database is not the one that its version says.
    #[error("{} is not a Conclave database of any released version", .0.display())]
    Foreign(PathBuf),
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
    /// The database refuses.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

impl StoreError {
    /// Whether to try the same again is pointless: the data is at fault, not the moment.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(e)) => {
                e.is_unique_violation() || e.is_foreign_key_violation() || e.is_check_violation()
            }
            Self::Database(_) | Self::File { .. } => false,
            Self::PinTaken | Self::NoSuchAccount(_) | Self::Closed(_) | Self::Served { .. } => true,
            Self::Newer(_) | Self::Foreign(_) | Self::Damaged(_) | Self::Bad { .. } => true,
        }
    }
}

pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;
