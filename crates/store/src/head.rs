//! The audit log's newest head, noted outside the database: a cut tail shows against it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::audit::{AuditKey, Head, Mac, Noted};
use crate::disk;
use crate::secret::{parse_hex, push_hex};

const FILE: &str = "audit.head";
const LOCK: &str = "audit.lock";
const FIRST_LINE: &str = "conclave audit head 1";
/// How often the file is forced to the disk while entries come.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Above the length of any such file.
const LONGEST: u64 = 512;

/// The file `audit.head` of a data directory, which several processes may move forward at once. Its methods wait
/// for the disk and for each other.
///
/// It is replaced at every entry but forced to the disk only once a second: a power cut may set it back by the
/// entries of the last second, and on file systems that don't write a renamed file's content first it may leave it
/// damaged. A killed process costs nothing.
#[derive(Debug)]
pub struct HeadFile {
    dir: PathBuf,
    key: AuditKey,
    synced: Mutex<Option<Instant>>,
}

/// Why the head can't be read or noted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// It isn't what Conclave writes.
    #[error("{} is damaged: {why}. Look into it, then `report audit --accept` notes the head anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// It wasn't written with the audit key.
    #[error("{} was not written by this bridge, or was changed since: somebody may have cut the audit log. Look into it, then `report audit --accept` notes the head anew", .0.display())]
    Forged(PathBuf),
    /// The file system refuses.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

impl HeadFile {
    /// The file of a data directory, which must be there; the file need not.
    pub fn open(dir: &Path, key: &AuditKey) -> Self {
        Self {
            dir: dir.to_owned(),
            key: key.clone(),
            synced: Mutex::new(None),
        }
    }

    /// What was noted; none where nothing ever was, or somebody took the file away.
    pub fn read(&self) -> Result<Option<Noted>, HeadError> {
        let path = self.dir.join(FILE);
        let mut text = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(LONGEST).read_to_end(&mut text));
        match read {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|source| self.file_error(source))?,
        };
        let (noted, proof) = match parse(&text) {
            Ok(parsed) => parsed,
            Err(why) => return Err(HeadError::Damaged { path, why }),
        };
        if self.key.head_proof(&noted) != proof {
            return Err(HeadError::Forged(path));
        }
        Ok(Some(noted))
    }

    /// Notes the head of a log that just grew, or lost its front to retention, once that is committed. One that
    /// is behind the noted one changes nothing: another process was faster. A damaged or forged file is left as it is.
    pub fn advance(&self, head: &Head) -> Result<(), HeadError> {
        let _lock = self.lock()?;
        let forward = match self.read()? {
            None => Noted::from(*head),
            Some(noted) => {
                let newest = if head.seq > noted.head.seq {
                    *head
                } else {
                    noted.head
                };
                let anchor = head.anchor.max(noted.head.anchor);
                let head = Head { anchor, ..newest };
                if head == noted.head {
                    return Ok(());
                }
                Noted { head, ..noted }
            }
        };
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let due = synced.is_none_or(|at| at.elapsed() >= SYNC_EVERY);
        self.write(&forward, due)?;
        if due {
            *synced = Some(Instant::now());
        }
        Ok(())
    }

    /// Notes that the log was found without its entries from `first_lost` on, before others take their numbers. Of
    /// several such notes the lowest stays.
    pub fn note_cut(&self, first_lost: u64) -> Result<(), HeadError> {
        let _lock = self.lock()?;
        let Some(noted) = self.read()? else {
            return Ok(());
        };
        if noted.cut.is_some_and(|before| before <= first_lost) {
            return Ok(());
        }
        let cut = Some(first_lost);
        self.write(&Noted { cut, ..noted }, true)
    }

    /// Forces what was noted to the disk, at an orderly end.
    pub fn sync(&self) -> Result<(), HeadError> {
        let _lock = self.lock()?;
        match File::open(self.dir.join(FILE)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            file => file
                .and_then(|file| file.sync_all())
                .and_then(|()| File::open(&self.dir)?.sync_all())
                .map_err(|source| self.file_error(source)),
        }
    }

    /// Notes this head whatever was noted: for an operator who has restored a database, or looked into damage.
    pub fn reset(&self, head: &Head) -> Result<(), HeadError> {
        let _lock = self.lock()?;
        self.write(&Noted::from(*head), true)
    }

    fn lock(&self) -> Result<File, HeadError> {
        disk::lock(&self.dir, LOCK).map_err(|source| HeadError::File {
            path: self.dir.join(LOCK),
            source,
        })
    }

    fn write(&self, noted: &Noted, sync: bool) -> Result<(), HeadError> {
        let text = render(noted, &self.key.head_proof(noted));
        disk::replace(&self.dir, FILE, &text, sync).map_err(|source| self.file_error(source))
    }

    fn file_error(&self, source: io::Error) -> HeadError {
        HeadError::File {
            path: self.dir.join(FILE),
            source,
        }
    }
}

fn render(noted: &Noted, proof: &Mac) -> Vec<u8> {
    let Noted { head, cut } = noted;
    let mut text = format!("{FIRST_LINE}\nseq {}\nmac ", head.seq).into_bytes();
    push_hex(&mut text, head.mac.as_bytes());
    text.extend_from_slice(format!("\nanchor {}", head.anchor).as_bytes());
    if let Some(first_lost) = cut {
        text.extend_from_slice(format!("\ncut {first_lost}").as_bytes());
    }
    text.extend_from_slice(b"\nproof ");
    push_hex(&mut text, proof.as_bytes());
    text.push(b'\n');
    text
}

fn parse(text: &[u8]) -> Result<(Noted, Mac), &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not text")?;
    let lines: Vec<_> = text.split('\n').collect();
    let (seq, mac, anchor, cut, proof) = match lines[..] {
        [FIRST_LINE, seq, mac, anchor, proof, ""] => (seq, mac, anchor, None, proof),
        [FIRST_LINE, seq, mac, anchor, cut, proof, ""] => (seq, mac, anchor, Some(cut), proof),
        [FIRST_LINE, ..] => return Err("it goes on where it should end, or its end is missing"),
        _ => return Err("it doesn't begin as a head file of this version does"),
    };
    let head = Head {
        seq: number(seq, "seq ")?,
        mac: mac_of(mac, "mac ")?,
        anchor: number(anchor, "anchor ")?,
    };
    let cut = cut.map(|cut| number(cut, "cut ")).transpose()?;
    Ok((Noted { head, cut }, mac_of(proof, "proof ")?))
}

fn value<'a>(line: &'a str, name: &str) -> Result<&'a str, &'static str> {
    line.strip_prefix(name)
        .ok_or("a line is missing or spelt wrongly")
}

fn number(line: &str, name: &str) -> Result<u64, &'static str> {
    let digits = value(line, name)?;
    digits.parse().map_err(|_| "a number in it is none")
}

fn mac_of(line: &str, name: &str) -> Result<Mac, &'static str> {
    let bytes = parse_hex(value(line, name)?.as_bytes());
    let bytes = bytes.ok_or("a MAC in it is not 64 hexadecimal digits")?;
    Ok(Mac::from_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn head(seq: u64, anchor: u64) -> Head {
        Head {
            seq,
            mac: Mac::from_bytes([seq as u8; 32]),
            anchor,
        }
    }

    fn file(dir: &Path) -> HeadFile {
        HeadFile::open(dir, &AuditKey::new([7; 32]))
    }

    #[test]
    fn it_goes_forward_only() {
        let dir = tempfile::tempdir().unwrap();
        let heads = file(dir.path());
        assert_eq!(heads.read().unwrap(), None);
        let check = |to: Head, expected: Head| {
            heads.advance(&to).unwrap();
            assert_eq!(file(dir.path()).read().unwrap(), Some(expected.into()));
        };
        check(head(3, 0), head(3, 0));
        check(head(2, 0), head(3, 0));
        check(head(4, 2), head(4, 2));
        check(head(5, 0), head(5, 2));
        check(head(1, 3), head(5, 3));
        heads.sync().unwrap();
        heads.reset(&head(2, 1)).unwrap();
        assert_eq!(heads.read().unwrap(), Some(head(2, 1).into()));
        let mode = |name| {
            fs::metadata(dir.path().join(name))
                .unwrap()
                .permissions()
                .mode()
        };
        assert_eq!((mode(FILE) & 0o777, mode(LOCK) & 0o777), (0o600, 0o600));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn several_at_once_end_with_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..4 {
                let heads = file(dir.path());
                scope.spawn(move || {
                    for seq in (1..=100).filter(|seq| seq % 4 == n) {
                        heads.advance(&head(seq, 0)).unwrap();
                    }
                });
            }
        });
        assert_eq!(file(dir.path()).read().unwrap(), Some(head(100, 0).into()));
    }

    #[test]
    fn the_lowest_cut_stays_until_somebody_looked_into_it() {
        let dir = tempfile::tempdir().unwrap();
        let heads = file(dir.path());
        heads.note_cut(3).unwrap();
        assert_eq!(heads.read().unwrap(), None, "nothing was noted to be cut");
        heads.advance(&head(9, 0)).unwrap();
        for (found, lowest) in [(8, 8), (9, 8), (5, 5)] {
            heads.note_cut(found).unwrap();
            heads.advance(&head(9 + found, 1)).unwrap();
            let noted = file(dir.path()).read().unwrap().unwrap();
            assert_eq!(noted.cut, Some(lowest));
            assert!(noted.head.seq >= 9 + found);
        }
        heads.reset(&head(4, 1)).unwrap();
        assert_eq!(heads.read().unwrap(), Some(head(4, 1).into()));
    }

    #[test]
    fn damage_and_forgery_are_told_and_stay() {
        let dir = tempfile::tempdir().unwrap();
        let heads = file(dir.path());
        heads.advance(&head(17, 3)).unwrap();
        damaged_everywhere(dir.path(), &heads);
        heads.note_cut(9).unwrap();
        damaged_everywhere(dir.path(), &heads);
        let other = HeadFile::open(dir.path(), &AuditKey::new([8; 32]));
        assert!(matches!(other.read(), Err(HeadError::Forged(_))));
        heads.reset(&head(18, 3)).unwrap();
        assert_eq!(heads.read().unwrap(), Some(head(18, 3).into()));
    }

    fn damaged_everywhere(dir: &Path, heads: &HeadFile) {
        let path = dir.join(FILE);
        let whole = fs::read(&path).unwrap();
        for n in 0..whole.len() {
            for changed in [whole[n] ^ 1, b' '].into_iter().filter(|b| *b != whole[n]) {
                let mut text = whole.clone();
                text[n] = changed;
                fs::write(&path, &text).unwrap();
                let error = heads.read().expect_err(&String::from_utf8_lossy(&text));
                assert!(!matches!(error, HeadError::File { .. }), "{error}");
                assert!(heads.advance(&head(18, 3)).is_err());
                assert_eq!(fs::read(&path).unwrap(), text, "the evidence is gone");
            }
            fs::write(&path, &whole[..n]).unwrap();
            let error = heads.read().unwrap_err();
            assert!(matches!(error, HeadError::Damaged { .. }), "{error}");
        }
        fs::write(&path, &whole).unwrap();
    }
}
