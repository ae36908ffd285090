//! The files of recordings on this machine: ended where a crash cut them, deleted when their time has come.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, NaiveDateTime, Utc};
use conclave_record::mend;
use conclave_store::{RecordingRow, SqlStore, Store, StoreError};
use tracing::{info, warn};

use crate::config::Config;

/// So many of each kind are deleted at once.
const STEP: u32 = 500;
/// How a file's name tells when it began.
const MOMENT: &str = "%Y%m%dT%H%M%SZ";
const MOMENT_LENGTH: usize = "20261130T080000Z".len();

/// The directory of recordings.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// Where the configuration has it, or in the data directory.
    pub(crate) fn of(config: &Config, data: &Path) -> Self {
        let folder = config.recordings.directory.clone();
        Self {
            folder: folder.unwrap_or_else(|| data.join("recordings")),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a row; `None` where its name is none of ours, which no name of a bridge's is.
    pub(crate) fn path(&self, row: &RecordingRow) -> Option<PathBuf> {
        began(&row.file)?;
        Some(self.folder.join(&row.file))
    }

    /// Ends the files that were being written when the bridge was killed.
    pub(crate) async fn mend(
        &self,
        store: &SqlStore,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        for row in store.open_recordings().await? {
            let path = self.path(&row).unwrap_or_default();
            match blocking(move || mend(&path)).await {
                Ok(mended) => {
                    warn!(
                        file = row.file,
                        seconds = mended.time.as_secs_f64(),
                        "a recording was cut off when the bridge was killed; what was written is kept"
                    );
                    store.close_recording(row.id, mended.time).await?;
                }
                Err(problem) if problem.is_missing() => {
                    warn!("a recording that was being written is gone: {problem}");
                    store.close_recording(row.id, Duration::ZERO).await?;
                    store.recording_gone(row.id, now).await?;
                }
                Err(problem) => {
                    warn!("a recording was cut off and can't be ended: {problem}");
                    store.close_recording(row.id, Duration::ZERO).await?;
                }
            }
        }
        Ok(())
    }

    /// Deletes what somebody ordered to be deleted, and what began before that moment: also a file of which the books know
    /// nothing, as after a restored backup.
    pub(crate) async fn tidy(
        &self,
        store: &SqlStore,
        before: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let due = store.due_recordings(before, STEP).await?;
        let mut gone = 0;
        for row in due {
            gone += usize::from(self.delete(store, &row, now).await?);
        }
        let folder = self.folder.clone();
        let strays = blocking(move || delete_older(&folder, before)).await;
        if gone + strays > 0 {
            info!(files = gone + strays, "recordings were deleted");
        }
        Ok(())
    }

    /// Deletes one file and forgets it; whether it could.
    async fn delete(
        &self,
        store: &SqlStore,
        row: &RecordingRow,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        if let Some(path) = self.path(row) {
            let removed = blocking(move || fs::remove_file(&path)).await;
            match removed {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    warn!(file = row.file, "a recording can't be deleted: {error}");
                    return Ok(false);
                }
            }
        }
        store.recording_gone(row.id, now).await?;
        Ok(true)
    }

    /// Does that where the file is here and whole. What isn't, the bridge deletes that has it, once it is.
    pub(crate) async fn delete_here(
        &self,
        store: &SqlStore,
        row: &RecordingRow,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let here = row.seconds.is_some() && self.path(row).is_some_and(|path| path.exists());
        Ok(here && self.delete(store, row, now).await?)
    }
}

/// When a file began, by its name, if it is one of ours.
fn began(name: &str) -> Option<DateTime<Utc>> {
    let stem = name.strip_suffix(".opus")?;
    let (moment, rest) = stem.split_at_checked(MOMENT_LENGTH)?;
    let ours = |c: char| c.is_ascii_hexdigit() || c == '-';
    let moment = NaiveDateTime::parse_from_str(moment, MOMENT).ok()?;
    (rest.starts_with('-') && rest.chars().all(ours)).then(|| moment.and_utc())
}

/// How a recording that begins now is called: nobody guesses 128 bits.
pub(crate) fn name(now: DateTime<Utc>, random: u128) -> String {
    format!("{}-{random:032x}", now.format(MOMENT))
}

/// How many files it deleted that began before. Those that the books know are gone by then.
fn delete_older(folder: &Path, before: DateTime<Utc>) -> usize {
    let old = fs::read_dir(folder).into_iter().flatten().flatten();
    let old = old.filter(|entry| {
        let name = entry.file_name();
        name.to_str().and_then(began).is_some_and(|at| at < before)
    });
    old.filter(|entry| fs::remove_file(entry.path()).is_ok())
        .count()
}

/// Work of the disk's, that no other work waits for.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn a_name_tells_when_it_began_and_nothing_else_is_a_name() {
        let at = Utc.with_ymd_and_hms(2026, 11, 30, 8, 0, 0).unwrap();
        for track in ["", "-1", "-256"] {
            let name = format!("{}{track}.opus", name(at, 7));
            assert_eq!(began(&name), Some(at), "{name}");
        }
        for other in [
            "",
            "notes.opus",
            "20261130T080000Z.opus",
            "20261130T080000Z-../../x.opus",
            "20261330T080000Z-00.opus",
            "20261130T080000Z-00.ogg",
            "20261130T080000é-00.opus",
        ] {
            assert_eq!(began(other), None, "{other}");
        }
    }

    #[test]
    fn old_files_go_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let at = |day| Utc.with_ymd_and_hms(2026, 11, day, 8, 0, 0).unwrap();
        let files = [
            format!("{}.opus", name(at(1), 7)),
            format!("{}-2.opus", name(at(1), 7)),
            format!("{}.opus", name(at(20), 8)),
            "what somebody else keeps here.opus".to_owned(),
        ];
        for file in &files {
            fs::write(folder.path().join(file), "x").unwrap();
        }
        assert_eq!(delete_older(folder.path(), at(10)), 2);
        let left = |file: &String| folder.path().join(file).exists();
        assert_eq!(files.each_ref().map(left), [false, false, true, true]);
    }
}
