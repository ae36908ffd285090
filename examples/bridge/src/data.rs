//! The data directory: keys and database, opened the same way by `serve` and by every command.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use conclave_desk::{Desk, dial_in_numbers};
use conclave_store::{
    Act, Auditor, FreshKeys, Keys, KeysError, KeysFile, Postgres, SqlStore, StoreError,
};
use rand::{SeedableRng, rngs::StdRng};

use crate::{
    clock,
    config::{self, Config},
    keyring::Keyring,
};

pub(crate) struct Data {
    pub(crate) keys: Arc<Keys>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) store: SqlStore,
}

/// What this bridge is called where it shares a database and has no name of its own.
const BRIDGE: &str = "main";

#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error("the data directory: {0}")]
    Keys(#[from] KeysError),
    #[error("the data: {0}")]
    Store(#[from] StoreError),
    #[error("there is no data of a bridge in {}; `serve` and `account add` make it, --data names another directory", .0.display())]
    None(PathBuf),
}

impl Data {
    /// Opens the directory for a command; the first time, makes it with fresh keys.
    pub(crate) async fn open(directory: &Path, config: &Config) -> Result<Self, DataError> {
        let (keys, auditor) = keys(directory)?;
        let store = match postgres(&config.database) {
            Some(at) => SqlStore::connect(&at, auditor).await?,
            None => SqlStore::open(directory, auditor).await?,
        };
        Ok(Self::new(keys, store))
    }

    /// Opens the directory for a command that is of no use in a new one: a wrongly typed name makes no directory.
    pub(crate) async fn existing(directory: &Path, config: &Config) -> Result<Self, DataError> {
        if config.database.url.is_some() || SqlStore::is_in(directory) {
            Self::open(directory, config).await
        } else {
            Err(DataError::None(directory.to_owned()))
        }
    }

    /// Opens it as the one bridge that serves it.
    pub(crate) async fn serve(directory: &Path, config: &Config) -> Result<Self, DataError> {
        let (keys, auditor) = keys(directory)?;
        let store = match postgres(&config.database) {
            Some(at) => SqlStore::serve_postgres(&at, auditor).await?,
            None => SqlStore::serve(directory, auditor).await?,
        };
        Ok(Self::new(keys, store))
    }

    fn new(keys: KeysFile, store: SqlStore) -> Self {
        let keyring = Arc::new(Keyring::new(keys));
        Self {
            keys: keyring.current(),
            keyring,
            store,
        }
    }

    /// What whoever types the command does now, for the audit log.
    pub(crate) fn act(&self) -> Act {
        act()
    }

    /// Where accounts and bookings are made and changed, by what is configured.
    pub(crate) fn desk(&self, config: &Config) -> Desk {
        let keyring = Arc::clone(&self.keyring);
        let numbers = config.access_numbers.iter().map(|number| {
            [
                number.number.as_str(),
                &number.label,
                &number.country,
                &number.language,
            ]
        });
        let rules = conclave_desk::Rules {
            pins: config.pins.policy(),
            numbers: dial_in_numbers(numbers),
            mails: config.mail.is_some(),
            place: hostname(),
        };
        let random = StdRng::from_rng(&mut rand::rng());
        Desk::new(
            self.store.clone(),
            Box::new(move || keyring.current()),
            rules,
            Box::new(random),
        )
    }
}

/// What whoever types the command does now.
pub(crate) fn act() -> Act {
    Act::new(operator(), clock::wall())
}

fn keys(directory: &Path) -> Result<(KeysFile, Auditor), DataError> {
    let keys = KeysFile::load_or_create(directory, FreshKeys::draw(&mut rand::rng()))?;
    let random = StdRng::from_rng(&mut rand::rng());
    let auditor = Auditor::new(directory, keys.keys(), Box::new(random));
    Ok((keys, auditor))
}

fn postgres(database: &config::Database) -> Option<Postgres> {
    database.url.clone().map(|url| Postgres {
        url,
        bridge: database.bridge.clone().unwrap_or_else(|| BRIDGE.into()),
    })
}

/// Who types the command: `root@bridge1`.
fn operator() -> String {
    let of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = of("SUDO_USER")
        .or_else(|| of("USER"))
        .or_else(|| of("LOGNAME"));
    let user = user.unwrap_or_else(|| "operator".into());
    format!("{user}@{}", hostname())
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
