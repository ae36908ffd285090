//! The data directory: keys and database, opened the same way by `serve` and by every command.

use std::path::Path;

use conclave_accounts::Doors;
use conclave_store::{Keys, KeysError, SqliteStore, Store, StoreError};

pub(crate) struct Data {
    pub(crate) keys: Keys,
    pub(crate) store: SqliteStore,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error("the data directory: {0}")]
    Keys(#[from] KeysError),
    #[error("the data directory: {0}")]
    Store(#[from] StoreError),
}

impl Data {
    /// Opens the directory for a command; the first time, makes it with fresh keys.
    pub(crate) async fn open(directory: &Path) -> Result<Self, DataError> {
        let keys = Keys::load_or_create(directory, rand::random())?;
        let store = SqliteStore::open(directory).await?;
        Ok(Self { keys, store })
    }

    /// Opens it as the one bridge that serves it.
    pub(crate) async fn serve(directory: &Path) -> Result<Self, DataError> {
        let keys = Keys::load_or_create(directory, rand::random())?;
        let store = SqliteStore::serve(directory).await?;
        Ok(Self { keys, store })
    }

    /// Every PIN that would be recognised, for the odds of guessing one.
    pub(crate) async fn doors(&self) -> Result<Doors, StoreError> {
        let mut doors = Doors::default();
        for pins in self.store.pins().await? {
            doors.add(pins.digits, pins.check_digit, pins.count);
        }
        Ok(doors)
    }
}
