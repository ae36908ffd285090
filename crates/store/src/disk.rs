//! Files of the data directory that are replaced whole, by one process at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Waits for the lock file of that name; the lock goes with what is returned, or with the process.
pub(crate) fn lock(dir: &Path, name: &str) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join(name))?;
    file.lock()?;
    Ok(file)
}

/// A new file for its owner alone. What a process that died here has left is removed, never truncated: another
/// name may be linked to it.
pub(crate) fn create_aside(aside: &Path, text: &[u8], sync: bool) -> io::Result<()> {
    match fs::remove_file(aside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = create_new(aside)?;
    file.write_all(text)?;
    if sync {
        file.sync_all()?;
    }
    Ok(())
}

/// A new, empty file for its owner alone.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Readers see the old file or the new one, never a part. Only for the holder of its lock. With `sync` the new
/// one is on the disk when this returns.
pub(crate) fn replace(dir: &Path, name: &str, text: &[u8], sync: bool) -> io::Result<()> {
    let aside = dir.join(format!(".{name}.new"));
    create_aside(&aside, text, sync)?;
    fs::rename(&aside, dir.join(name))?;
    if sync {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}
