//! Reads a chain from its front to its end and names the first entry that is not as it was written.

use super::{Anchor, AuditKey, Head, Mac, Noted, Sealed};
use crate::SubjectKind;

/// The first entry that is not as it was written, and what is wrong about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("audit entry {seq}: {fault}")]
pub struct Broken {
    /// Its number.
    pub seq: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong about an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Its MAC isn't the one that its content and its predecessor give.
    #[error("it was changed, or put there by somebody without the key")]
    Changed,
    /// The next one that is there has a higher number.
    #[error("it is missing or out of its place: number {next} comes next")]
    Missing {
        /// The number of the next one.
        next: u64,
    },
    /// The one before has the same number.
    #[error("it is there a second time: one of the two was inserted")]
    Repeated,
    /// One of a higher number came before.
    #[error("it was inserted or moved: it comes after number {after}")]
    OutOfOrder {
        /// The number of the one before it.
        after: u64,
    },
    /// It should have been deleted.
    #[error("it was put back: retention deleted all up to number {anchor}")]
    PutBack {
        /// The number of the last that was deleted.
        anchor: u64,
    },
    /// The log begins late and nothing says why.
    #[error(
        "it is missing: the log begins with number {first} and no anchor says that those before were deleted"
    )]
    FrontCut {
        /// The number of the first one that is there.
        first: u64,
    },
    /// The anchor was not made with the key.
    #[error("the anchor that says that all up to here were deleted is forged")]
    AnchorForged,
    /// The anchor is older than the one noted outside the database.
    #[error("the front of the log was put back: entries up to number {noted} had been deleted")]
    AnchorOld {
        /// The number of the anchor noted outside.
        noted: u64,
    },
    /// The log ends before the head noted outside the database.
    #[error("it is missing at the end: the head noted outside the database is number {head}")]
    TailCut {
        /// The number of the noted head.
        head: u64,
    },
    /// Its MAC verifies but is not the noted one: the log was written anew with the key.
    #[error("it is not the one that was noted outside the database: the log was written anew")]
    Replaced,
    /// Entries were missing here when others were added, which have taken their numbers.
    #[error(
        "it was missing at the end when others were added: those from here on are not the ones that were cut"
    )]
    Cut,
    /// What a commitment in it stands for is another text than what was committed to.
    #[error("the {} that it speaks of was changed in the database", .0.word())]
    NameChanged(SubjectKind),
    /// What a commitment in it stands for is gone, and neither erasure nor retention took it.
    #[error("the {} that it speaks of was taken out of the database, and nobody erased it", .0.word())]
    NameGone(SubjectKind),
}

/// What a whole chain was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// How many entries there are.
    pub entries: u64,
    /// Where the chain ends.
    pub last: Head,
    /// Whether it was compared with a head from outside the database. Without one, or with one that retention has
    /// deleted since, a cut tail doesn't show.
    pub against_head: bool,
}

/// Verifies a chain whose entries are pushed from the front to the end, as they lie in the store.
///
/// The head is read *before* the entries: what is added meanwhile lies behind it.
#[derive(Debug)]
pub struct Verifier<'a> {
    key: &'a AuditKey,
    noted: Option<Head>,
    cut: Option<u64>,
    last: Head,
    entries: u64,
    broken: Option<Broken>,
}

impl<'a> Verifier<'a> {
    /// Begins behind the anchor, or at the very first entry; `noted` is what was noted outside the database.
    pub fn new(
        key: &'a AuditKey,
        anchor: Option<&Anchor>,
        noted: Option<Noted>,
    ) -> Result<Self, Broken> {
        let cut = noted.and_then(|noted| noted.cut);
        let noted = noted.map(|noted| noted.head);
        let (seq, mac) = match anchor {
            None => (0, key.start()),
            Some(anchor) if key.vouches_for(anchor) => (anchor.seq, anchor.mac),
            Some(&Anchor { seq, .. }) => return broken(seq, Fault::AnchorForged),
        };
        let anchor = seq;
        if let Some(cut) = cut.filter(|cut| *cut <= anchor) {
            return broken(cut, Fault::Cut);
        }
        match noted {
            Some(Head { anchor: noted, .. }) if noted > anchor => {
                return broken(anchor + 1, Fault::AnchorOld { noted });
            }
            Some(noted) if noted.seq == seq && noted.mac != mac => {
                return broken(seq, Fault::Replaced);
            }
            _ => {}
        }
        Ok(Self {
            key,
            // Where retention has taken the noted head away, from a bridge that slept, nothing can be compared with it.
            noted: noted.filter(|noted| noted.seq >= anchor),
            cut,
            last: Head { seq, mac, anchor },
            entries: 0,
            broken: None,
        })
    }

    /// The next entry. After the first error the verifier says the same for ever.
    pub fn push(&mut self, entry: &Sealed) -> Result<(), Broken> {
        if self.broken.is_none() {
            self.broken = self.fault(entry).err();
        }
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        self.last = self.last.after(entry);
        self.entries += 1;
        Ok(())
    }

    /// The chain ends here.
    pub fn finish(self) -> Result<Verified, Broken> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        if let Some(Head { seq: head, .. }) = self.noted
            && head > self.last.seq
        {
            return broken(self.last.seq + 1, Fault::TailCut { head });
        }
        Ok(Verified {
            entries: self.entries,
            last: self.last,
            against_head: self.noted.is_some(),
        })
    }

    fn fault(&self, entry: &Sealed) -> Result<(), Broken> {
        let (seq, after, anchor) = (entry.seq, self.last.seq, self.last.anchor);
        if seq <= anchor {
            return broken(seq, Fault::PutBack { anchor });
        }
        if seq == after {
            return broken(seq, Fault::Repeated);
        }
        if seq < after {
            return broken(seq, Fault::OutOfOrder { after });
        }
        if seq > after + 1 {
            let front = after == 0;
            let fault = match seq {
                first if front => Fault::FrontCut { first },
                next => Fault::Missing { next },
            };
            return broken(after + 1, fault);
        }
        if !self.key.follows(&self.last.mac, entry) {
            return broken(seq, Fault::Changed);
        }
        if self.cut == Some(seq) {
            return broken(seq, Fault::Cut);
        }
        match self.noted {
            Some(noted) if noted.seq == seq && noted.mac != entry.mac => {
                broken(seq, Fault::Replaced)
            }
            _ => Ok(()),
        }
    }
}

impl Head {
    /// Whether the log still holds this head, noted outside the database: `there` is the MAC of the entry of its
    /// number, or the anchor's if that is the number. To be asked under the lock under which the next entry is
    /// added: entries added to a log that was cut or written anew would cover it up once the note follows them.
    pub fn confirm(&self, there: Option<&Mac>) -> Result<(), Broken> {
        match there {
            _ if self.seq == 0 => Ok(()),
            None => broken(self.seq, Fault::TailCut { head: self.seq }),
            Some(mac) if *mac != self.mac => broken(self.seq, Fault::Replaced),
            Some(_) => Ok(()),
        }
    }
}

fn broken<T>(seq: u64, fault: Fault) -> Result<T, Broken> {
    Err(Broken { seq, fault })
}
