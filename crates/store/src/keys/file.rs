//! The key file: made once, brought up to date, replaced whole, watched.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use zeroize::Zeroizing;

use super::text::{self, LONGEST, MOST_PIN_KEYS, Text};
use super::{FreshKeys, Keys, KeysError, NumberedKey};
use crate::disk;
use crate::secret::Secret;
use crate::sql::DATABASE;

const FILE: &str = "keys";
/// Held while the file is replaced. It is not needed to make the first one.
const LOCK: &str = "keys.lock";

impl Keys {
    /// The keys of a data directory. Where neither keys nor a database are there yet, the directory and its
    /// keys are made from `fresh`; of several processes that do so at once, one wins and all use its keys. A
    /// file of an earlier version keeps its keys and is given those that it lacks. Otherwise `fresh` is not used.
    pub fn load_or_create(dir: &Path, fresh: FreshKeys) -> Result<Self, KeysError> {
        load_or_create(dir, &fresh).map(|(keys, _)| keys)
    }

    /// Adds a PIN key of 32 random bytes, which new PINs are hashed under from now on. The others stay, for the
    /// PINs that were hashed under them.
    pub fn rotate_pin_key(dir: &Path, fresh: [u8; 32]) -> Result<Self, KeysError> {
        let fresh = Secret::new(fresh);
        change(dir, |keys, path| {
            let held = keys.older.len() + 1;
            let id = keys.current.id.checked_add(1);
            let id = id
                .filter(|_| held < MOST_PIN_KEYS)
                .ok_or(KeysError::TooMany { path, held })?;
            let key = fresh;
            let last = std::mem::replace(&mut keys.current, NumberedKey { id, key });
            keys.older.push(last);
            Ok(())
        })
    }

    /// Forgets the PIN keys before `keep_from`: a PIN that is still hashed under one of them is recognised no
    /// more. The current key always stays.
    pub fn drop_pin_keys(dir: &Path, keep_from: u32) -> Result<Self, KeysError> {
        change(dir, |keys, path| {
            if !keys.pin_key_ids().any(|id| id == keep_from) {
                return Err(KeysError::NoSuchPinKey {
                    path,
                    id: keep_from,
                });
            }
            keys.older.retain(|key| key.id >= keep_from);
            Ok(())
        })
    }
}

/// The keys of a data directory as a running bridge holds them: it sees when the file was replaced.
#[derive(Debug)]
pub struct KeysFile {
    dir: PathBuf,
    keys: Keys,
    stamp: Stamp,
}

impl KeysFile {
    /// As [`Keys::load_or_create`].
    pub fn load_or_create(dir: &Path, fresh: FreshKeys) -> Result<Self, KeysError> {
        let (keys, stamp) = load_or_create(dir, &fresh)?;
        Ok(Self {
            dir: dir.to_owned(),
            keys,
            stamp,
        })
    }

    /// The keys as they were read last.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Whether the file is another than the one that was read, or gone: one system call.
    pub fn changed(&self) -> bool {
        let now = fs::metadata(self.dir.join(FILE));
        !now.is_ok_and(|file| Stamp::of(&file) == self.stamp)
    }

    /// Reads the file again. Where that fails the keys stay as they were.
    pub fn reload(&mut self) -> Result<&Keys, KeysError> {
        let path = self.dir.join(FILE);
        match read(&path)? {
            Some((Text::Two(keys), stamp)) => {
                self.keys = keys;
                self.stamp = stamp;
                Ok(&self.keys)
            }
            Some((Text::One(_), _)) => Err(KeysError::Earlier(path)),
            Some((Text::Newer, _)) => Err(KeysError::Newer(path)),
            None => Err(KeysError::Missing(path)),
        }
    }
}

/// What changes when a file is replaced or written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

fn load_or_create(dir: &Path, fresh: &FreshKeys) -> Result<(Keys, Stamp), KeysError> {
    let path = dir.join(FILE);
    check_dir(dir)?;
    if let Some(loaded) = load(dir, fresh)? {
        return Ok(loaded);
    }
    // Keys come before the database. Whoever made both since we looked has left keys to be found.
    if dir.join(DATABASE).exists() {
        return load(dir, fresh)?.ok_or(KeysError::Missing(path));
    }
    crate::lock::make_dir(dir).map_err(at(dir))?;
    create(dir, &path, &text::render(&Keys::new(fresh))).map_err(at(&path))?;
    load(dir, fresh)?.ok_or(KeysError::Missing(path))
}

fn check_dir(dir: &Path) -> Result<(), KeysError> {
    match fs::metadata(dir) {
        Ok(there) if there.is_dir() && there.mode() & 0o002 != 0 => Err(KeysError::OpenDirectory {
            path: dir.to_owned(),
            mode: there.mode() & 0o777,
        }),
        _ => Ok(()),
    }
}

fn load(dir: &Path, fresh: &FreshKeys) -> Result<Option<(Keys, Stamp)>, KeysError> {
    let path = dir.join(FILE);
    match read(&path)? {
        None => Ok(None),
        Some((Text::Two(keys), stamp)) => Ok(Some((keys, stamp))),
        Some((Text::One(_), _)) => upgrade(dir, path, fresh).map(Some),
        Some((Text::Newer, _)) => Err(KeysError::Newer(path)),
    }
}

/// Gives a file of version 1 the keys that it lacks, unless another process just did.
fn upgrade(dir: &Path, path: PathBuf, fresh: &FreshKeys) -> Result<(Keys, Stamp), KeysError> {
    let _lock = disk::lock(dir, LOCK).map_err(at(&dir.join(LOCK)))?;
    if let Some((Text::One(pin), _)) = read(&path)? {
        let mut keys = Keys::new(fresh);
        keys.current.key = pin;
        disk::replace(dir, FILE, &text::render(&keys), true).map_err(at(&path))?;
    }
    match read(&path)? {
        Some((Text::Two(keys), stamp)) => Ok((keys, stamp)),
        Some((Text::One(_), _)) => Err(KeysError::Earlier(path)),
        Some((Text::Newer, _)) => Err(KeysError::Newer(path)),
        None => Err(KeysError::Missing(path)),
    }
}

/// Replaces the keys by changed ones, under the lock.
fn change(
    dir: &Path,
    change: impl FnOnce(&mut Keys, PathBuf) -> Result<(), KeysError>,
) -> Result<Keys, KeysError> {
    let path = dir.join(FILE);
    check_dir(dir)?;
    if !path.exists() && !dir.join(DATABASE).exists() {
        return Err(at(&path)(io::ErrorKind::NotFound.into()));
    }
    let _lock = disk::lock(dir, LOCK).map_err(at(&dir.join(LOCK)))?;
    let mut keys = match read(&path)? {
        Some((Text::Two(keys), _)) => keys,
        Some((Text::One(_), _)) => return Err(KeysError::Earlier(path)),
        Some((Text::Newer, _)) => return Err(KeysError::Newer(path)),
        None => return Err(KeysError::Missing(path)),
    };
    change(&mut keys, path.clone())?;
    disk::replace(dir, FILE, &text::render(&keys), true).map_err(at(&path))?;
    Ok(keys)
}

fn read(path: &Path) -> Result<Option<(Text, Stamp)>, KeysError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(at(path)(e)),
    };
    let metadata = file.metadata().map_err(at(path))?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeysError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    // One byte more than there may be, so that too long a file shows.
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    file.take(LONGEST as u64 + 1)
        .read_to_end(&mut text)
        .map_err(at(path))?;
    let parsed = if text.len() > LONGEST {
        Err("it is too long")
    } else {
        text::parse(&text)
    };
    match parsed {
        Ok(parsed) => Ok(Some((parsed, Stamp::of(&metadata)))),
        Err(why) => Err(KeysError::Damaged {
            path: path.to_owned(),
            why,
        }),
    }
}

/// Complete or not at all: written aside, then linked to its name, which fails if the name is taken.
fn create(dir: &Path, path: &Path, text: &[u8]) -> io::Result<()> {
    static TURN: AtomicU32 = AtomicU32::new(0);
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    // Nobody else's name: a process of the same number may have died, but none is alive.
    let aside = dir.join(format!(".{FILE}.{}.{turn}", std::process::id()));
    let written = disk::create_aside(&aside, text, true);
    let linked = written.and_then(|()| match fs::hard_link(&aside, path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    fs::remove_file(&aside)?;
    linked?;
    File::open(dir)?.sync_all()
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeysError {
    let path = path.to_owned();
    |source| KeysError::File { path, source }
}
