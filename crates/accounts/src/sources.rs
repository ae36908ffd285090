use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Source;
use crate::throttle::is_today;

/// The wrong PINs of the last day, source by source, in bounded memory.
///
/// When the table is full, the source with the fewest wrong PINs goes, of those the one that was
/// quiet longest. So a guesser who wants a number's five wrong PINs forgotten has to fill the
/// whole table with numbers that made as many, and gets back no more than was forgotten: `F`
/// guesses from rotating numbers buy at most `F / sources` further ones on a number, and none at
/// the ceiling, which does not depend on this table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(
    from = "Vec<(SourceKey, Vec<DateTime<Utc>>)>",
    into = "Vec<(SourceKey, Vec<DateTime<Utc>>)>"
)]
pub(crate) struct Sources {
    records: BTreeMap<SourceKey, Vec<DateTime<Utc>>>,
    /// The same, in the order of leaving: how many wrong PINs, when the last.
    leaving: BTreeSet<(usize, DateTime<Utc>, SourceKey)>,
    capacity: usize,
    remembered: usize,
    swept: DateTime<Utc>,
}

/// A hash in place of trunk and number: short whatever a hostile From header held, and no list of
/// callers.
type SourceKey = [u8; 16];

impl Sources {
    /// Takes on a policy; what an import brought is made to fit it.
    pub(crate) fn bound(&mut self, capacity: usize, remembered: usize) {
        self.capacity = capacity.max(1);
        self.remembered = remembered.max(1);
        let remembered = self.remembered;
        for times in self.records.values_mut() {
            times.sort_unstable();
            times.drain(..times.len().saturating_sub(remembered));
        }
        self.records.retain(|_, times| !times.is_empty());
        self.leaving = self
            .records
            .iter()
            .filter_map(|(key, times)| place(key, times))
            .collect();
        self.make_room();
    }

    /// How many wrong PINs the source had in the day up to `now`; not counted beyond those that
    /// make a difference.
    pub(crate) fn wrong_today(&self, source: &Source, now: DateTime<Utc>) -> u32 {
        let times = self.records.get(&key(source));
        times.map_or(0, |times| {
            times.iter().filter(|time| is_today(**time, now)).count() as u32
        })
    }

    /// Counts a wrong PIN.
    pub(crate) fn count(&mut self, source: &Source, now: DateTime<Utc>) {
        let key = key(source);
        let times = self.records.entry(key).or_default();
        if let Some(place) = place(&key, times) {
            self.leaving.remove(&place);
        }
        times.retain(|time| is_today(*time, now));
        if times.len() == self.remembered {
            times.remove(0);
        }
        times.push(now);
        self.leaving.extend(place(&key, times));
        if self.records.len() > self.capacity {
            self.sweep(now);
            self.make_room();
        }
    }

    /// Drops whoever has been quiet for a day; at most once an hour, because it looks at all.
    fn sweep(&mut self, now: DateTime<Utc>) {
        if now.signed_duration_since(self.swept).num_hours() < 1 {
            return;
        }
        self.swept = now;
        self.records
            .retain(|_, times| times.last().is_some_and(|last| is_today(*last, now)));
        self.leaving.retain(|(_, last, _)| is_today(*last, now));
    }

    fn make_room(&mut self) {
        while self.records.len() > self.capacity {
            let Some((_, _, key)) = self.leaving.pop_first() else {
                break;
            };
            self.records.remove(&key);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }
}

fn place(key: &SourceKey, times: &[DateTime<Utc>]) -> Option<(usize, DateTime<Utc>, SourceKey)> {
    times.last().map(|last| (times.len(), *last, *key))
}

fn key(source: &Source) -> SourceKey {
    let mut hash = Sha256::new();
    hash.update((source.trunk.len() as u64).to_be_bytes());
    hash.update(&source.trunk);
    if let Some(number) = &source.number {
        hash.update([1]);
        hash.update(number);
    }
    let mut key = SourceKey::default();
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

impl From<Vec<(SourceKey, Vec<DateTime<Utc>>)>> for Sources {
    fn from(records: Vec<(SourceKey, Vec<DateTime<Utc>>)>) -> Self {
        let mut sources = Self {
            records: records.into_iter().collect(),
            ..Self::default()
        };
        sources.bound(usize::MAX, usize::MAX);
        sources
    }
}

impl From<Sources> for Vec<(SourceKey, Vec<DateTime<Utc>>)> {
    fn from(sources: Sources) -> Self {
        sources.records.into_iter().collect()
    }
}
