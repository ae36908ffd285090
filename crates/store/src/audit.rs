//! The audit log's chain, as plain values: each entry carries a MAC over itself and the MAC of the one before.

pub(crate) mod names;
#[cfg(test)]
mod tests;
mod verify;

use std::fmt;

use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq;

pub use verify::{Broken, Fault, Verified, Verifier};

use crate::secret::Secret;

const START: &str = "conclave audit start";
const ENTRY: &str = "conclave audit entry";
const ANCHOR: &str = "conclave audit anchor";
const HEAD: &str = "conclave audit head";

/// The key under which the audit log is chained: without it no entry can be made, changed or taken out unseen.
#[derive(Clone, Debug)]
pub struct AuditKey(Secret);

impl AuditKey {
    /// A key of 32 bytes from a CSPRNG.
    pub fn new(key: [u8; 32]) -> Self {
        Self(Secret::new(key))
    }

    /// What stands before the first entry in place of a MAC.
    pub fn start(&self) -> Mac {
        Mac(self.0.hmac(START, &[]))
    }

    /// The entry that follows on the one of MAC `prev`; the first one, number 1, on [`start`](Self::start). Its
    /// time is cut to whole milliseconds.
    pub fn link(&self, prev: &Mac, draft: &Draft, seq: u64) -> Sealed {
        let at_ms = draft.at.timestamp_millis();
        Sealed {
            seq,
            at: DateTime::from_timestamp_millis(at_ms).unwrap_or(draft.at),
            kind: draft.kind.clone(),
            body: draft.body.clone(),
            mac: self.entry(prev, seq, at_ms, &draft.kind, &draft.body),
        }
    }

    /// Vouches for `last`, the last entry to be deleted from the front. Verify all that are deleted before: what
    /// was changed among them shows never after.
    pub fn anchor(&self, last: &Sealed) -> Anchor {
        Anchor {
            seq: last.seq,
            mac: last.mac,
            proof: self.anchor_proof(last.seq, &last.mac),
        }
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }

    pub(crate) fn hmac(&self, purpose: &str) -> [u8; 32] {
        self.0.hmac(purpose, &[])
    }

    /// What makes the head file genuine.
    pub(crate) fn head_proof(&self, noted: &Noted) -> Mac {
        let Head { seq, mac, anchor } = noted.head;
        let cut = noted.cut.map(u64::to_be_bytes);
        let cut = cut.as_ref().map_or(&[][..], |bytes| bytes);
        let parts: [&[u8]; 4] = [&seq.to_be_bytes(), &mac.0, &anchor.to_be_bytes(), cut];
        Mac(self.0.hmac(HEAD, &parts))
    }

    fn follows(&self, prev: &Mac, entry: &Sealed) -> bool {
        let at_ms = entry.at.timestamp_millis();
        self.entry(prev, entry.seq, at_ms, &entry.kind, &entry.body) == entry.mac
    }

    fn entry(&self, prev: &Mac, seq: u64, at_ms: i64, kind: &str, body: &str) -> Mac {
        // With their lengths, so that nothing can be moved from one to the other.
        let lengths = [kind.len() as u64, body.len() as u64].map(u64::to_be_bytes);
        let parts: [&[u8]; 7] = [
            &prev.0,
            &seq.to_be_bytes(),
            &at_ms.to_be_bytes(),
            &lengths[0],
            kind.as_bytes(),
            &lengths[1],
            body.as_bytes(),
        ];
        Mac(self.0.hmac(ENTRY, &parts))
    }

    /// Whether a holder of the key made it.
    pub(crate) fn vouches_for(&self, anchor: &Anchor) -> bool {
        self.anchor_proof(anchor.seq, &anchor.mac) == anchor.proof
    }

    fn anchor_proof(&self, seq: u64, mac: &Mac) -> Mac {
        Mac(self.0.hmac(ANCHOR, &[&seq.to_be_bytes(), &mac.0]))
    }
}

impl From<Secret> for AuditKey {
    fn from(key: Secret) -> Self {
        Self(key)
    }
}

/// A link of the chain: HMAC-SHA-256. Comparison takes the same time whatever differs.
#[derive(Clone, Copy)]
pub struct Mac([u8; 32]);

impl Mac {
    /// From the bytes that a store kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes that a store keeps.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Mac {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Mac {}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac(")?;
        self.0[..4].iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        f.write_str("..)")
    }
}

/// An entry before it has its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened, in a word.
    pub kind: String,
    /// The rest, as JSON, with a [`Commitment`](crate::Commitment) in place of each name. Kept letter by letter:
    /// another spelling of the same JSON does not verify.
    pub body: String,
}

/// An entry in its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Its number, from 1 on, without gaps.
    pub seq: u64,
    /// When it happened, in whole milliseconds.
    pub at: DateTime<Utc>,
    /// What happened, in a word.
    pub kind: String,
    /// The rest, as JSON.
    pub body: String,
    /// Over all of it and the MAC of the entry before.
    pub mac: Mac,
}

/// The last entry that retention deleted, and the proof that it was done by a holder of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Its number.
    pub seq: u64,
    /// Its MAC, on which the first entry that is left follows.
    pub mac: Mac,
    /// HMAC over both.
    pub proof: Mac,
}

/// Where the chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of the newest entry; 0 where there is none yet.
    pub seq: u64,
    /// Its MAC; [`AuditKey::start`] where there is none yet.
    pub mac: Mac,
    /// The number of the last entry that was deleted from the front; 0 for none.
    pub anchor: u64,
}

impl Head {
    /// The head once `entry` was added.
    pub fn after(&self, entry: &Sealed) -> Self {
        Self {
            seq: entry.seq,
            mac: entry.mac,
            anchor: self.anchor,
        }
    }
}

/// What is noted outside the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// The newest head that the log was seen to have.
    pub head: Head,
    /// The number of the first entry that was found missing at the log's end, if ever any was.
    pub cut: Option<u64>,
}

impl From<Head> for Noted {
    fn from(head: Head) -> Self {
        Self { head, cut: None }
    }
}
