//! Locks on the data directory. The operating system drops them with the process, however it died:
//! none is ever left over.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::StoreError;
use crate::error::Result;

/// Makes the data directory, for its owner alone, if it isn't there.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Opens or makes a file for its owner alone.
pub(crate) fn open_private(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|source| StoreError::File {
            path: path.to_owned(),
            source,
        })
}

/// The right to serve a data directory, held until dropped.
#[derive(Debug)]
pub(crate) struct ServeLock {
    _file: File,
}

impl ServeLock {
    pub(crate) fn take(dir: &Path) -> Result<Self> {
        let path = dir.join("serve.lock");
        let mut file = open_private(&path)?;
        let file_error = |source| StoreError::File {
            path: path.clone(),
            source,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Only for the message; an empty one does as well.
                let _ = file.take(20).read_to_string(&mut pid);
                return Err(StoreError::Served {
                    dir: dir.to_owned(),
                    pid: pid.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(e)) => return Err(file_error(e)),
        }
        let note = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        note.map_err(file_error)?;
        Ok(Self { _file: file })
    }
}

/// Keeps other processes from migrating at the same time: SQLite's own locks don't span several statements
/// and sqlx takes none for it.
#[derive(Debug)]
pub(crate) struct MigrationLock {
    _file: File,
}

impl MigrationLock {
    /// Waits for its turn.
    pub(crate) async fn take(dir: &Path) -> Result<Self> {
        let path = dir.join("migrate.lock");
        let waiting = tokio::task::spawn_blocking(move || {
            let file = open_private(&path)?;
            file.lock()
                .map_err(|source| StoreError::File { path, source })?;
            Ok(Self { _file: file })
        });
        waiting
            .await
            .map_err(|e| StoreError::Database(sqlx::Error::Io(io::Error::other(e))))?
    }
}
