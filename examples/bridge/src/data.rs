//! The data directory: keys and database, opened the same way by `serve` and by every command.

use std::path::{Path, PathBuf};

use conclave_accounts::Doors;
use conclave_store::{Keys, KeysError, PinCount, SqlStore, Store, StoreError};

pub(crate) struct Data {
    pub(crate) keys: Keys,
    pub(crate) store: SqlStore,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error("the data directory: {0}")]
    Keys(#[from] KeysError),
    #[error("the data directory: {0}")]
    Store(#[from] StoreError),
    #[error("there is no data of a bridge in {}; `serve` and `account add` make it, --data names another directory", .0.display())]
    None(PathBuf),
}

impl Data {
    /// Opens the directory for a command; the first time, makes it with fresh keys.
    pub(crate) async fn open(directory: &Path) -> Result<Self, DataError> {
        let keys = Keys::load_or_create(directory, rand::random())?;
        let store = SqlStore::open(directory).await?;
        Ok(Self { keys, store })
    }

    /// Opens the directory for a command that is of no use in a new one: a wrongly typed name makes no directory.
    pub(crate) async fn existing(directory: &Path) -> Result<Self, DataError> {
        if SqlStore::is_in(directory) {
            Self::open(directory).await
        } else {
            Err(DataError::None(directory.to_owned()))
        }
    }

    /// Opens it as the one bridge that serves it.
    pub(crate) async fn serve(directory: &Path) -> Result<Self, DataError> {
        let keys = Keys::load_or_create(directory, rand::random())?;
        let store = SqlStore::serve(directory).await?;
        Ok(Self { keys, store })
    }

    /// Every PIN that would be recognised, for the odds of guessing one.
    pub(crate) async fn doors(&self) -> Result<Doors, StoreError> {
        self.count(|_| true).await
    }

    /// The same without the PINs that an operator forced upon the policy, which therefore isn't to be blamed for them.
    pub(crate) async fn doors_by_policy(&self) -> Result<Doors, StoreError> {
        self.count(|pins| !pins.forced).await
    }

    async fn count(&self, which: impl Fn(&PinCount) -> bool) -> Result<Doors, StoreError> {
        let mut doors = Doors::default();
        for pins in self.store.pins().await?.into_iter().filter(which) {
            doors.add(pins.digits, pins.check_digit, pins.count);
        }
        Ok(doors)
    }
}
