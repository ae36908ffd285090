//! Whether what the commitments of an audit log stand for is still what was committed to.
//!
//! A subject may be gone: the log says so itself, by an entry of the erasure that lists its commitment, or of the
//! retention that forgot the numbers before a moment. Whatever else is gone was taken.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{Broken, Fault, Sealed};
use crate::{Commitment, Subject, SubjectKind};

/// The entry of an erasure, and where it lists the commitments that it took the subjects of.
pub(crate) const ERASED: &str = "person.erased";
const FORGOTTEN: &str = "forgotten";

/// The entry of retention: numbers that were spoken of before a moment are forgotten.
pub(crate) const NUMBERS_FORGOTTEN: &str = "numbers.forgotten";
const BEFORE: &str = "before";

/// A number that was spoken of once more within this time is forgotten with the first time.
pub(crate) const SEEN_EVERY: TimeDelta = TimeDelta::days(1);

/// What a log's commitments stand for, followed entry by entry.
#[derive(Debug, Default)]
pub(crate) struct Names {
    open: HashMap<[u8; 32], Spoken>,
    /// The first one that is not what was committed to.
    changed: Option<Broken>,
    numbers_forgotten: Option<DateTime<Utc>>,
    /// The newest erasure that doesn't say what it took: those of the first versions.
    unlisted: Option<u64>,
}

/// A commitment whose subject has not been seen yet.
#[derive(Debug)]
struct Spoken {
    kind: SubjectKind,
    first: u64,
    last_at: DateTime<Utc>,
}

impl Names {
    /// The next entry, already verified.
    pub(crate) fn push(&mut self, entry: &Sealed) {
        let Some(body) = object(entry) else {
            return;
        };
        self.heed(entry, &body);
        for (kind, commitment) in body.values().filter_map(committed) {
            let spoken = Spoken {
                kind,
                first: entry.seq,
                last_at: entry.at,
            };
            let known = self.open.entry(*commitment.as_bytes()).or_insert(spoken);
            known.last_at = entry.at;
        }
    }

    /// An entry, verified, that came after the subjects were read: what it says is gone may be gone.
    pub(crate) fn forgive(&mut self, entry: &Sealed) {
        if let Some(body) = object(entry) {
            self.heed(entry, &body);
        }
    }

    /// What an entry says of subjects that are gone.
    fn heed(&mut self, entry: &Sealed, body: &Map<String, Value>) {
        match entry.kind.as_str() {
            ERASED if !body.contains_key(FORGOTTEN) => self.unlisted = Some(entry.seq),
            ERASED => {
                for commitment in forgotten(body) {
                    self.open.remove(commitment.as_bytes());
                }
            }
            NUMBERS_FORGOTTEN => {
                let before = body.get(BEFORE).and_then(Value::as_i64);
                let before = before.and_then(DateTime::from_timestamp_millis);
                self.numbers_forgotten = self.numbers_forgotten.max(before);
            }
            _ => {}
        }
    }

    /// A subject as it is kept now, after all entries.
    pub(crate) fn subject(&mut self, commitment: &Commitment, subject: &Subject) {
        let Some(spoken) = self.open.remove(commitment.as_bytes()) else {
            return;
        };
        if !subject.matches(commitment) || subject.kind != spoken.kind {
            let fault = Fault::NameChanged(spoken.kind);
            self.changed = first(self.changed, spoken.first, fault);
        }
    }

    /// All subjects have been seen: names the first entry of one that was changed or taken.
    pub(crate) fn finish(self) -> Result<(), Broken> {
        let forgotten = |spoken: &Spoken| {
            let before = self
                .numbers_forgotten
                .filter(|_| spoken.kind == SubjectKind::Number);
            before.is_some_and(|before| spoken.last_at < before + SEEN_EVERY)
                || self.unlisted.is_some_and(|erasure| spoken.first < erasure)
        };
        let gone = self.open.values().filter(|spoken| !forgotten(spoken));
        gone.fold(self.changed, |broken, spoken| {
            first(broken, spoken.first, Fault::NameGone(spoken.kind))
        })
        .map_or(Ok(()), Err)
    }
}

fn object(entry: &Sealed) -> Option<Map<String, Value>> {
    serde_json::from_str(&entry.body).ok()
}

fn first(known: Option<Broken>, seq: u64, fault: Fault) -> Option<Broken> {
    let new = Broken { seq, fault };
    Some(known.filter(|known| known.seq <= seq).unwrap_or(new))
}

/// An object of one commitment stands in a body for a name.
pub(crate) fn commitment_as_json(kind: SubjectKind, commitment: &Commitment) -> Value {
    json!({ kind.word(): commitment })
}

/// The commitment that stands in a body, if it is one.
pub(crate) fn committed(value: &Value) -> Option<(SubjectKind, Commitment)> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let (kind, digits) = object.iter().next()?;
    Some((
        SubjectKind::from_word(kind)?,
        Commitment::parse(digits.as_str()?)?,
    ))
}

/// What an erasure says of itself.
pub(crate) fn erasure(body: &mut Map<String, Value>, commitments: &[Commitment]) {
    body.insert(FORGOTTEN.to_owned(), json!(commitments));
}

/// What retention says of itself.
pub(crate) fn retention(body: &mut Map<String, Value>, before: DateTime<Utc>) {
    body.insert(BEFORE.to_owned(), json!(before.timestamp_millis()));
}

/// Readers want to know how many, not which.
pub(crate) fn count_forgotten(body: &mut Map<String, Value>) {
    if let Some(list) = body.get_mut(FORGOTTEN)
        && let Some(count) = list.as_array().map(Vec::len)
    {
        *list = json!(count);
    }
}

fn forgotten(body: &Map<String, Value>) -> impl Iterator<Item = Commitment> {
    let list = body.get(FORGOTTEN).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|digits| Commitment::parse(digits.as_str()?))
}
