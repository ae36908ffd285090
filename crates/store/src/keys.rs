//! The keys: in a file beside the database, never in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use conclave_accounts::PinKey;
use zeroize::Zeroizing;

use crate::sql::DATABASE;

const FILE: &str = "keys";
const FIRST_LINE: &str = "conclave keys 1";
const PIN_LINE: &str = "pin ";
/// First line, `pin `, 64 hexadecimal digits, two line ends.
const LENGTH: usize = FIRST_LINE.len() + 1 + PIN_LINE.len() + 64 + 1;

/// The secret keys of one data directory. A stolen copy of the database is of no use without them:
/// the PINs in it are hashes under [`pin`](Self::pin).
///
/// The file is `keys` in the data directory, readable by its owner alone. Who loses it loses every PIN.
#[derive(Debug)]
pub struct Keys {
    /// Makes a [`PinLookup`](conclave_accounts::PinLookup) of a PIN.
    pub pin: PinKey,
}

/// Why there are no keys to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The database is there, its keys are not: new ones would make every PIN in it invalid.
    #[error("{} is missing though there is a database: restore it from a backup, or no PIN can be recognised", .0.display())]
    Missing(PathBuf),
    /// Others may read or write the file.
    #[error("{} may be read by others (mode {mode:o}): chmod 600 it, and consider its PINs known if others had access", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Anybody on the machine may put other keys and another database there.
    #[error("{} may be written by everybody (mode {mode:o}): chmod o-w it", path.display())]
    OpenDirectory {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It isn't what this version writes.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong; never what is in it.
        why: &'static str,
    },
    /// The file system refuses.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

impl Keys {
    /// The keys of a data directory. Where neither keys nor a database are there yet, the directory and its
    /// keys are made, with `fresh` (32 bytes of the operating system's randomness) as the PIN key; of several
    /// processes that do so at once, one wins and all use its keys. Otherwise `fresh` is not used.
    pub fn load_or_create(dir: &Path, fresh: [u8; 32]) -> Result<Self, KeysError> {
        let fresh = Zeroizing::new(fresh);
        let path = dir.join(FILE);
        if let Ok(there) = fs::metadata(dir)
            && there.is_dir()
            && there.mode() & 0o002 != 0
        {
            return Err(KeysError::OpenDirectory {
                path: dir.to_owned(),
                mode: there.mode() & 0o777,
            });
        }
        if let Some(keys) = Self::load(&path)? {
            return Ok(keys);
        }
        // Keys come before the database. Whoever made both since we looked has left keys to be found.
        if dir.join(DATABASE).exists() {
            return Self::load(&path)?.ok_or(KeysError::Missing(path));
        }
        crate::lock::make_dir(dir).map_err(|source| KeysError::File {
            path: dir.to_owned(),
            source,
        })?;
        create(dir, &path, &fresh).map_err(|source| KeysError::File {
            path: path.clone(),
            source,
        })?;
        Self::load(&path)?.ok_or(KeysError::Missing(path))
    }

    fn load(path: &Path) -> Result<Option<Self>, KeysError> {
        let file_error = |source| KeysError::File {
            path: path.to_owned(),
            source,
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(file_error(e)),
        };
        let mode = file.metadata().map_err(file_error)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeysError::Open {
                path: path.to_owned(),
                mode,
            });
        }
        // One byte more than there should be, so that too long a file shows.
        let mut text = Zeroizing::new(Vec::with_capacity(LENGTH + 1));
        file.take(LENGTH as u64 + 1)
            .read_to_end(&mut text)
            .map_err(file_error)?;
        match parse(&text) {
            Ok(pin) => Ok(Some(Self { pin })),
            Err(why) => Err(KeysError::Damaged {
                path: path.to_owned(),
                why,
            }),
        }
    }
}

/// Complete or not at all: written aside, then linked to its name, which fails if the name is taken.
fn create(dir: &Path, path: &Path, fresh: &[u8; 32]) -> io::Result<()> {
    static TURN: AtomicU32 = AtomicU32::new(0);
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    let aside = dir.join(format!(".{FILE}.{}.{turn}", std::process::id()));
    // A process of the same number may have died here. Removed, never truncated: its file may be linked.
    match fs::remove_file(&aside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)?;
    let written = file
        .write_all(&render(fresh))
        .and_then(|()| file.sync_all());
    let linked = written.and_then(|()| match fs::hard_link(&aside, path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    fs::remove_file(&aside)?;
    linked?;
    File::open(dir)?.sync_all()
}

fn render(key: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(LENGTH));
    text.extend_from_slice(FIRST_LINE.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(PIN_LINE.as_bytes());
    for byte in key {
        text.extend([byte >> 4, byte & 15].map(|nibble| b"0123456789abcdef"[usize::from(nibble)]));
    }
    text.push(b'\n');
    text
}

fn parse(text: &[u8]) -> Result<PinKey, &'static str> {
    if text.len() != LENGTH {
        return Err("it has the wrong length");
    }
    let rest = text
        .strip_prefix(FIRST_LINE.as_bytes())
        .ok_or("it doesn't begin as a key file does")?;
    let digits = rest
        .strip_prefix(b"\n")
        .and_then(|rest| rest.strip_prefix(PIN_LINE.as_bytes()))
        .and_then(|rest| rest.strip_suffix(b"\n"))
        .ok_or("it holds no PIN key")?;
    let mut key = Zeroizing::new([0; 32]);
    for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
        for digit in pair {
            let nibble = char::from(*digit)
                .to_digit(16)
                .ok_or("its PIN key is not hexadecimal")?;
            *byte = *byte << 4 | nibble as u8;
        }
    }
    Ok(PinKey::new(*key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use conclave_accounts::Pin;
    use std::os::unix::fs::PermissionsExt;

    fn lookup(keys: &Keys) -> [u8; 32] {
        *keys.pin.lookup(&Pin::parse("123456").unwrap()).as_bytes()
    }

    #[test]
    fn the_first_keys_stay() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("new/data");
        let first = Keys::load_or_create(&data, [7; 32]).unwrap();
        let again = Keys::load_or_create(&data, [8; 32]).unwrap();
        assert_eq!(
            lookup(&first),
            *PinKey::new([7; 32])
                .lookup(&Pin::parse("123456").unwrap())
                .as_bytes()
        );
        assert_eq!(lookup(&first), lookup(&again));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data), mode(&data.join(FILE))), (0o700, 0o600));
        assert_eq!(
            fs::read_dir(&data).unwrap().count(),
            1,
            "something was left beside the keys"
        );
    }

    #[test]
    fn whoever_comes_at_once_gets_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let start = std::sync::Barrier::new(8);
        let load = &|n: u8| {
            start.wait();
            lookup(&Keys::load_or_create(dir.path(), [n; 32]).unwrap())
        };
        let all: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || load(n))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(all.iter().all(|lookup| *lookup == all[0]));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Keys::load_or_create(dir.path(), [7; 32]).unwrap();
        fs::set_permissions(dir.path().join(FILE), fs::Permissions::from_mode(0o640)).unwrap();
        let error = Keys::load_or_create(dir.path(), [7; 32]).unwrap_err();
        assert!(
            matches!(error, KeysError::Open { mode: 0o640, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_directory_that_everybody_can_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = |mode| {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            Keys::load_or_create(dir.path(), [7; 32])
        };
        let error = open(0o777).unwrap_err();
        assert!(
            matches!(error, KeysError::OpenDirectory { mode: 0o777, .. }),
            "{error}"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        open(0o770).unwrap();
    }

    #[test]
    fn damage_is_named_and_nothing_of_the_key() {
        let whole = render(&[0xab; 32]);
        assert!(parse(&whole).is_ok());
        let mut letter = whole.to_vec();
        letter[LENGTH - 3] = b'x';
        let damaged = [
            vec![],
            whole[..LENGTH - 1].to_vec(),
            [&whole[..], b"\n"].concat(),
            vec![b'a'; LENGTH],
            letter,
        ];
        for text in damaged {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(FILE);
            fs::write(&path, &text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = Keys::load_or_create(dir.path(), [7; 32]).unwrap_err();
            assert!(matches!(error, KeysError::Damaged { .. }), "{error}");
            assert!(!error.to_string().contains("abab"), "{error}");
        }
    }

    #[test]
    fn lost_keys_are_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(DATABASE), b"").unwrap();
        let error = Keys::load_or_create(dir.path(), [7; 32]).unwrap_err();
        assert!(matches!(error, KeysError::Missing(_)), "{error}");
    }
}
