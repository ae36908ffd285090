//! The store in one SQLite file, in write-ahead mode: readers never wait, writers take turns, across processes too.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{Migrate as _, MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};

use super::db::{Db, Pools};
use crate::StoreError;
use crate::error::Result;
use crate::lock::{self, MigrationLock};

/// The database's file in the data directory.
pub(crate) const DATABASE: &str = "conclave.db";

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");

/// How long a writer waits for its turn before it gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Before this version what was erased stayed in free pages of the file.
const OVERWRITING: i64 = 5;

/// What each connection that reads may keep of the file in memory: minus KiB. The usual 2 MB are soon less than the indexes that a
/// look-up goes through. Taken as it is used.
const READERS_CACHE: &str = "-16384";

/// The same of the one that writes. What it writes is new, mostly, and not read again by it: more would only fill up with every call
/// that comes and goes.
const WRITERS_CACHE: &str = "-1024";

/// Opens the database of a directory that is there; an older schema is brought up to date.
pub(super) async fn open(dir: &Path) -> Result<Db> {
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
        // What is erased is overwritten, not only forgotten.
        .pragma("secure_delete", "on")
        // Reports come in pages, so that sorting one is a matter of memory alone.
        .pragma("temp_store", "memory")
        // Rows come from a thread of their own: few at a time would be a wake-up for each.
        .row_buffer_size(1_000)
        .busy_timeout(PATIENCE);
    let pool = |connections| {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE * 2)
    };
    let writer = pool(1)
        .connect_with(options.clone().pragma("cache_size", WRITERS_CACHE))
        .await
        .map_err(|e| foreign(&path, e))?;
    overwrite_what_was_erased(&mut *writer.acquire().await?).await?;
    MIGRATIONS
        .run(&writer)
        .await
        .map_err(|e| unmigrated(path.clone(), e))?;
    let readers = pool(4).connect_lazy_with(options.pragma("cache_size", READERS_CACHE));
    Ok(Db::Sqlite(Pools { readers, writer }))
}

/// Writes a database of an earlier version anew, without what its free pages hold. Before the migrations: whatever breaks it
/// off, it is done the next time.
pub(super) async fn overwrite_what_was_erased(connection: &mut SqliteConnection) -> Result<()> {
    let applied = connection.list_applied_migrations("_sqlx_migrations").await;
    // A database without that table is new, or none of ours: the migrations will say.
    let applied = applied.unwrap_or_default();
    let version = applied.iter().map(|migration| migration.version).max();
    if version.is_some_and(|version| version < OVERWRITING) {
        sqlx::query("VACUUM").execute(connection).await?;
    }
    Ok(())
}

pub(super) fn make_dir(dir: &Path) -> Result<()> {
    lock::make_dir(dir).map_err(|source| StoreError::File {
        path: dir.to_owned(),
        source,
    })
}

/// The low byte of SQLite's extended result codes says what it is: 11 is SQLITE_CORRUPT, 26 SQLITE_NOTADB.
pub(super) fn foreign(path: &Path, error: sqlx::Error) -> StoreError {
    let code = match &error {
        sqlx::Error::Database(e) => e.code().and_then(|code| code.parse::<u32>().ok()),
        _ => None,
    };
    match code.map(|code| code & 0xff) {
        Some(11) => StoreError::Damaged(path.to_owned()),
        Some(26) => StoreError::Foreign(path.display().to_string()),
        _ => error.into(),
    }
}

pub(super) fn unmigrated(path: PathBuf, error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(e) => foreign(&path, e),
        other => StoreError::unmigrated(path.display().to_string(), other),
    }
}
