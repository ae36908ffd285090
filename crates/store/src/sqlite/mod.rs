//! The store in one SQLite file, in write-ahead mode: readers never wait, writers take turns, across processes too.

mod accounts;
mod books;
mod reports;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

use crate::StoreError;
use crate::error::Result;
use crate::lock::{self, MigrationLock, ServeLock};

/// The database's file in the data directory.
pub(crate) const DATABASE: &str = "conclave.db";

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How long a writer waits for its turn before it gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// A data directory's database. Clones share it.
///
/// One process serves a directory ([`serve`](Self::serve)); any number of others
/// ([`open`](Self::open)) work on it meanwhile.
#[derive(Debug, Clone)]
pub struct SqliteStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    readers: SqlitePool,
    /// One connection: within a process writers queue here, fairly, and not at the file.
    writer: SqlitePool,
    /// Held for as long as the bridge runs.
    _serving: Option<ServeLock>,
}

impl SqliteStore {
    /// Whether the directory holds a database. Looks, and makes nothing.
    pub fn is_in(dir: &Path) -> bool {
        dir.join(DATABASE).exists()
    }

    /// Opens the database of a data directory, for commands that work beside the serving process. Directory and
    /// database are made if they aren't there; an older schema is brought up to date.
    pub async fn open(dir: &Path) -> Result<Self> {
        make_dir(dir)?;
        Self::connect(dir, None).await
    }

    /// Opens the database as the one process that serves it, and may so begin a
    /// [run](crate::Books::begin_run). A second one gets [`StoreError::Served`] for as long as this process, or
    /// a clone of the store, lives.
    pub async fn serve(dir: &Path) -> Result<Self> {
        make_dir(dir)?;
        Self::connect(dir, Some(ServeLock::take(dir)?)).await
    }

    /// Waits for what is under way and closes the files. Clones of the store can do nothing after that.
    pub async fn close(&self) {
        self.0.readers.close().await;
        self.0.writer.close().await;
    }

    async fn connect(dir: &Path, serving: Option<ServeLock>) -> Result<Self> {
        let path = dir.join(DATABASE);
        // Held until the first connection has made the file, its mode and its schema.
        let _turn = MigrationLock::take(dir).await?;
        // SQLite would make it readable by all; its other files take their mode from this one.
        drop(lock::open_private(&path)?);
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            // What was acknowledged outlives a power cut too.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(PATIENCE * 2)
        };
        let writer = pool(1)
            .connect_with(options.clone())
            .await
            .map_err(|e| foreign(&path, e))?;
        MIGRATIONS
            .run(&writer)
            .await
            .map_err(|e| unmigrated(path.clone(), e))?;
        let readers = pool(4).connect_lazy_with(options);
        Ok(Self(Arc::new(Inner {
            readers,
            writer,
            _serving: serving,
        })))
    }

    /// A transaction that has the turn to write from its beginning, so that it never fails halfway for want of it.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.0.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

fn make_dir(dir: &Path) -> Result<()> {
    lock::make_dir(dir).map_err(|source| StoreError::File {
        path: dir.to_owned(),
        source,
    })
}

/// The low byte of SQLite's extended result codes says what it is: 11 is SQLITE_CORRUPT, 26 SQLITE_NOTADB.
fn foreign(path: &Path, error: sqlx::Error) -> StoreError {
    let code = match &error {
        sqlx::Error::Database(e) => e.code().and_then(|code| code.parse::<u32>().ok()),
        _ => None,
    };
    match code.map(|code| code & 0xff) {
        Some(11) => StoreError::Damaged(path.to_owned()),
        Some(26) => StoreError::Foreign(path.to_owned()),
        _ => error.into(),
    }
}

fn unmigrated(path: PathBuf, error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => {
            StoreError::Newer(path)
        }
        MigrateError::VersionMismatch(_)
        | MigrateError::Dirty(_)
        | MigrateError::ExecuteMigration(..) => StoreError::Foreign(path),
        MigrateError::Execute(e) => foreign(&path, e),
        other => StoreError::Database(sqlx::Error::Migrate(Box::new(other))),
    }
}

fn millis(moment: DateTime<Utc>) -> i64 {
    moment.timestamp_millis()
}

fn moment(what: &'static str, millis: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| bad(what, "no moment in time"))
}

fn bad(what: &'static str, why: impl ToString) -> StoreError {
    StoreError::Bad {
        what,
        why: why.to_string(),
    }
}
