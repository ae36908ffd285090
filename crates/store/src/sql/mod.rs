//! The store in SQL: in one SQLite file or in a PostgreSQL database, by the same statements.

mod accounts;
mod audit;
mod backup;
mod bookings;
mod books;
mod db;
mod factors;
mod implement;
mod outbox;
mod person;
mod postgres;
mod recordings;
mod reports;
mod row;
mod sqlite;
mod sweep;
#[cfg(test)]
mod tests;
mod tokens;
mod users;
mod watch;
mod webhooks;

use std::path::Path;
use std::sync::Arc;

pub use audit::Auditor;
pub use backup::Restored;
pub(crate) use db::{Arg, Db, Sql, Turn, args};
pub use postgres::Postgres;
pub(crate) use row::Row;
pub(crate) use sqlite::DATABASE;

use crate::error::Result;
use crate::lock::ServeLock;
use postgres::NameLock;

/// What the bridge of a data directory is called: there is only one.
const ONLY_BRIDGE: &str = "main";

/// The database of a bridge. Clones share it.
///
/// One process serves a data directory ([`serve`](Self::serve)), or a PostgreSQL database under one name
/// ([`serve_postgres`](Self::serve_postgres)); any number of others ([`open`](Self::open),
/// [`connect`](Self::connect)) work on it meanwhile.
#[derive(Debug, Clone)]
pub struct SqlStore {
    pub(crate) db: Db,
    /// Whose runs are ours.
    bridge: Arc<str>,
    auditor: Auditor,
    serving: Option<Arc<Serving>>,
}

/// Held for as long as the bridge runs.
#[derive(Debug)]
enum Serving {
    Directory(#[expect(dead_code, reason = "it is held, not read")] ServeLock),
    Name(NameLock),
}

impl SqlStore {
    /// Whether the directory holds a database. Looks, and makes nothing.
    pub fn is_in(dir: &Path) -> bool {
        dir.join(DATABASE).exists()
    }

    /// Opens the SQLite database of a data directory, for commands that work beside the serving process. Directory
    /// and database are made if they aren't there; an older schema is brought up to date.
    pub async fn open(dir: &Path, auditor: Auditor) -> Result<Self> {
        sqlite::make_dir(dir)?;
        Self::in_directory(dir, auditor, None).await
    }

    /// Opens the SQLite database as the one process that serves it, and may so begin a
    /// [run](crate::Books::begin_run). A second one gets [`StoreError::Served`](crate::StoreError::Served) for as
    /// long as this process, or a clone of the store, lives.
    pub async fn serve(dir: &Path, auditor: Auditor) -> Result<Self> {
        sqlite::make_dir(dir)?;
        let lock = ServeLock::take(dir)?;
        Self::in_directory(dir, auditor, Some(Serving::Directory(lock))).await
    }

    /// Opens a PostgreSQL database, for commands that work beside the serving processes. The database must be
    /// there; its tables are made if they aren't, and an older schema is brought up to date.
    pub async fn connect(at: &Postgres, auditor: Auditor) -> Result<Self> {
        let store = Self {
            db: postgres::open(at).await?,
            bridge: at.bridge.as_str().into(),
            auditor,
            serving: None,
        };
        store.check_keys().await?;
        Ok(store)
    }

    /// Opens a PostgreSQL database as the one process that serves it under [`Postgres::bridge`]. A second one of
    /// that name gets [`StoreError::NameServed`](crate::StoreError::NameServed); bridges of other names serve the
    /// same database at the same time.
    pub async fn serve_postgres(at: &Postgres, auditor: Auditor) -> Result<Self> {
        let lock = NameLock::take(at).await?;
        Ok(Self {
            serving: Some(Arc::new(Serving::Name(lock))),
            ..Self::connect(at, auditor).await?
        })
    }

    /// Waits for what is under way and closes files and connections. Clones of the store can do nothing after that.
    pub async fn close(&self) {
        self.db.close().await;
        if let Some(Serving::Name(lock)) = self.serving.as_deref() {
            lock.give_back().await;
        }
    }

    async fn in_directory(dir: &Path, auditor: Auditor, serving: Option<Serving>) -> Result<Self> {
        let store = Self {
            db: sqlite::open(dir).await?,
            bridge: ONLY_BRIDGE.into(),
            auditor,
            serving: serving.map(Arc::new),
        };
        store.check_keys().await?;
        Ok(store)
    }
}
