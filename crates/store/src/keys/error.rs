use std::io;
use std::path::PathBuf;

use super::KeyName;

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
    /// It is what a later version writes.
    #[error("{} was written by a newer version of Conclave than this one", .0.display())]
    Newer(PathBuf),
    /// It is of an earlier version and was not loaded since.
    #[error("{} is of an earlier version of Conclave: start the bridge on it once, which brings it up to date", .0.display())]
    Earlier(PathBuf),
    /// More PIN keys than every PIN should be hashed under.
    #[error("{} already holds {} PIN keys: retire old ones first", path.display(), held)]
    TooMany {
        /// The file.
        path: PathBuf,
        /// How many there are.
        held: usize,
    },
    /// The PIN key that should be the oldest to be kept isn't there.
    #[error("{} holds no PIN key {id}; nothing was dropped", path.display())]
    NoSuchPinKey {
        /// The file.
        path: PathBuf,
        /// The id that was asked for.
        id: u32,
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

/// Why keys are not those of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OtherKeys {
    /// The key of that name is another.
    #[error(
        "the key \"{0}\" is not the one that the database was made with: restore `keys` from the backup that belongs to it"
    )]
    Differs(KeyName),
    /// There is none of that name.
    #[error(
        "the key \"{0}\" that the database was made with is not in `keys`: restore the newest backup of that file"
    )]
    Missing(KeyName),
}
