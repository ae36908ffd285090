//! Copies of the SQLite database: made while the bridge runs, put in place while none does.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sqlx::ConnectOptions;
use sqlx::migrate::Migrate;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

use serde_json::json;

use super::db::{Db, Pools};
use super::sqlite::{self, DATABASE, MIGRATIONS};
use super::{Auditor, ONLY_BRIDGE, SqlStore};
use crate::error::Result;
use crate::lock::{MigrationLock, ServeLock};
use crate::{Act, StoreError, Verified, disk};

/// Where a backup waits in the data directory until it is found to be right.
const ASIDE: &str = ".conclave.db.restored";

/// What a restored database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// How many entries its audit log had.
    pub entries: u64,
    /// How many entries had been written after it, as far as the head outside the database tells: they are lost.
    /// `None` where there is no head, or none that can be read.
    pub lost: Option<u64>,
    /// The database that was there before.
    pub kept: Option<PathBuf>,
}

impl SqlStore {
    /// Copies the database to a new file, readable by its owner alone, while others go on working on it. What was
    /// committed when it began is in it. PostgreSQL has tools of its own:
    /// [`OnlySqlite`](StoreError::OnlySqlite).
    pub async fn backup(&self, file: &Path) -> Result<()> {
        let Db::Sqlite(pools) = &self.db else {
            return Err(StoreError::OnlySqlite);
        };
        let at = |source| file_error(file, source);
        let name = file.to_str().ok_or_else(|| {
            at(io::Error::new(
                io::ErrorKind::InvalidInput,
                "its name is not UTF-8",
            ))
        })?;
        // SQLite would make it readable by all; it takes an empty file that is there.
        match disk::create_new(file) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(StoreError::Exists(file.to_owned()));
            }
            made => drop(made.map_err(at)?),
        }
        let copied = sqlx::query("VACUUM INTO $1")
            .bind(name)
            .execute(&pools.readers)
            .await;
        if let Err(error) = copied {
            let _ = fs::remove_file(file);
            return Err(error.into());
        }
        File::open(file)
            .and_then(|copy| copy.sync_all())
            .and_then(|()| sync_directory_of(file))
            .map_err(at)
    }

    /// Puts a backup in place as the database of `dir`, which must hold its keys and is served by nobody. A
    /// database that is there is refused, or kept aside with `replace`.
    ///
    /// Before anything is touched the backup is checked: it is whole, of a known version, made with these keys, and
    /// its audit log verifies to its own end. Then the head outside the database is set back to that end.
    pub async fn restore(
        file: &Path,
        dir: &Path,
        auditor: Auditor,
        replace: bool,
        act: &Act,
    ) -> Result<Restored> {
        let _serving = ServeLock::take(dir)?;
        let path = dir.join(DATABASE);
        if path.exists() && !replace {
            return Err(StoreError::Exists(path));
        }
        let aside = dir.join(ASIDE);
        let checked = copy_aside(file, &aside);
        let checked = match checked {
            Ok(()) => check(file, &aside, &auditor).await,
            Err(error) => Err(error),
        };
        let verified = match checked {
            Ok(verified) => verified,
            Err(error) => {
                remove(&aside)?;
                return Err(error);
            }
        };
        let noted = auditor.noted().ok().flatten();
        let kept = put_in_place(dir, &path, &aside, act).await?;
        auditor.reset(&verified.last)?;
        let lost = noted.map(|noted| noted.head.seq.saturating_sub(verified.last.seq));
        let store = Self::open(dir, auditor).await?;
        let body = json!({ "entries": verified.entries, "lost": lost });
        store.note_down("backup.restored", &body, act).await?;
        store.close().await;
        Ok(Restored {
            entries: verified.entries,
            lost,
            kept,
        })
    }
}

fn copy_aside(file: &Path, aside: &Path) -> Result<()> {
    remove(aside)?;
    let mut from = File::open(file).map_err(|source| file_error(file, source))?;
    let mut to = disk::create_new(aside).map_err(|source| file_error(aside, source))?;
    io::copy(&mut from, &mut to)
        .and_then(|_| to.sync_all())
        .map_err(|source| file_error(aside, source))
}

/// Whether the copy is a database of ours; brings its schema up to date. Errors name the file that it is a copy of.
async fn check(file: &Path, aside: &Path, auditor: &Auditor) -> Result<Verified> {
    let damaged = || StoreError::Damaged(file.to_owned());
    // Without a write-ahead log: all of it is in this one file afterwards.
    let options = SqliteConnectOptions::new()
        .filename(aside)
        .journal_mode(SqliteJournalMode::Delete)
        .pragma("secure_delete", "on")
        .foreign_keys(true);
    let mut connection = options
        .connect()
        .await
        .map_err(|error| sqlite::foreign(file, error))?;
    let integrity: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_all(&mut connection)
        .await
        .map_err(|error| sqlite::foreign(file, error))?;
    if integrity != ["ok"] {
        return Err(damaged());
    }
    // Any other database would be made ours by the migrations.
    let applied = connection.list_applied_migrations("_sqlx_migrations").await;
    if !applied.is_ok_and(|applied| !applied.is_empty()) {
        return Err(StoreError::Foreign(file.display().to_string()));
    }
    sqlite::overwrite_what_was_erased(&mut connection).await?;
    let migrated = MIGRATIONS.run(&mut connection).await;
    migrated.map_err(|error| sqlite::unmigrated(file.to_owned(), error))?;
    drop(connection);
    let pool = || SqlitePoolOptions::new().max_connections(1);
    let store = SqlStore {
        db: Db::Sqlite(Pools {
            readers: pool().connect_lazy_with(options.clone()),
            writer: pool().connect_lazy_with(options),
        }),
        bridge: ONLY_BRIDGE.into(),
        auditor: auditor.clone(),
        serving: None,
    };
    let verified = match store.check_keys().await {
        Ok(()) => store.verify_against(None).await,
        Err(error) => Err(error),
    };
    store.close().await;
    verified
}

/// Nobody opens the database meanwhile. What is left of the one before belongs to it alone: SQLite would take its
/// write-ahead log for that of the new one.
async fn put_in_place(dir: &Path, path: &Path, aside: &Path, act: &Act) -> Result<Option<PathBuf>> {
    let _turn = MigrationLock::take(dir).await?;
    let at = |source| file_error(path, source);
    let beside = |path: &Path, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let stamp = act.at.format("%Y%m%dT%H%M%S%3fZ");
    let kept = dir.join(format!("{DATABASE}.until-{stamp}"));
    let there = path.exists();
    for suffix in ["-wal", ""] {
        let old = beside(path, suffix);
        if there && old.exists() {
            fs::rename(&old, beside(&kept, suffix)).map_err(at)?;
        }
    }
    for suffix in ["-wal", "-shm"] {
        remove(&beside(path, suffix))?;
    }
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(at)?;
    fs::rename(aside, path)
        .and_then(|()| File::open(dir)?.sync_all())
        .map_err(at)?;
    Ok(there.then_some(kept))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(file_error(path, e)),
        _ => Ok(()),
    }
}

fn sync_directory_of(file: &Path) -> io::Result<()> {
    let parent = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn file_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::File {
        path: path.to_owned(),
        source,
    }
}
