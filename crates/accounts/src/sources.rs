use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::SourceKey;
use crate::daycount::is_today;

/// The wrong PINs of the last day, source by source, in bounded memory.
///
/// When the table is full, the source whose last wrong PIN is the longest ago goes. From then on,
/// until what was forgotten is a day old, a number that isn't in the table starts with its tries
/// used up at its first wrong PIN. So a guesser who wants a number's wrong PINs forgotten first has
/// to fill the whole table with others, and then has *one* more try, not five: `F` guesses from
/// rotating numbers buy at most `F / capacity` further ones on a number. They buy none at the
/// ceiling, which does not depend on this table. Numbers that make no wrong PIN are not touched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub(crate) struct Sources {
    records: BTreeMap<SourceKey, Times>,
    /// The same, in the order of leaving.
    leaving: BTreeSet<(DateTime<Utc>, SourceKey)>,
    /// When the latest wrong PIN that was forgotten came.
    forgotten: Option<DateTime<Utc>>,
    capacity: usize,
    remembered: usize,
}

/// When the last wrong PINs came, latest first.
type Times = Vec<DateTime<Utc>>;

impl Sources {
    /// The latest time in it.
    pub(crate) fn latest(&self) -> Option<DateTime<Utc>> {
        let times = self.records.values().flatten().copied();
        times.max().max(self.forgotten)
    }

    /// Takes on a policy; what an import brought is made to fit it. Nothing in it is later than
    /// `latest`.
    pub(crate) fn bound(
        &mut self,
        capacity: usize,
        remembered: usize,
        latest: Option<DateTime<Utc>>,
    ) {
        self.capacity = capacity.max(1);
        self.remembered = remembered.max(1);
        let Some(latest) = latest else { return };
        for times in self.records.values_mut() {
            times
                .iter_mut()
                .for_each(|time| *time = (*time).min(latest));
            times.sort_unstable_by(|a, b| b.cmp(a));
            times.truncate(self.remembered);
        }
        self.forgotten = self.forgotten.map(|time| time.min(latest));
        self.records.retain(|_, times| !times.is_empty());
        let leaving = |(key, times): (&SourceKey, &Times)| (times[0], *key);
        self.leaving = self.records.iter().map(leaving).collect();
        // Who is quiet leaves when the next wrong PIN is counted, and not earlier: where this
        // state is imported must make no difference.
        while self.records.len() > self.capacity && self.forget_one(latest) {}
    }

    /// How many wrong PINs the source had in the day up to `now`; not counted beyond those that
    /// make a difference.
    pub(crate) fn wrong_today(&self, source: SourceKey, now: DateTime<Utc>) -> u32 {
        let times = self.records.get(&source);
        times.map_or(0, |times| {
            times.iter().filter(|time| is_today(**time, now)).count() as u32
        })
    }

    /// Counts a wrong PIN.
    pub(crate) fn count(&mut self, key: SourceKey, now: DateTime<Utc>) {
        let used_up = self.forgotten.filter(|last| is_today(*last, now));
        let times = self
            .records
            .entry(key)
            .or_insert_with(|| used_up.map_or_else(Times::new, |last| vec![last; self.remembered]));
        if let Some(last) = times.first() {
            self.leaving.remove(&(*last, key));
        }
        times.insert(0, now);
        times.truncate(self.remembered);
        self.leaving.insert((now, key));
        self.make_room(now);
    }

    /// Drops whoever has been quiet for a day, and more if there are too many.
    fn make_room(&mut self, now: DateTime<Utc>) {
        while let Some((last, _)) = self.leaving.first() {
            if is_today(*last, now) && self.records.len() <= self.capacity {
                break;
            }
            self.forget_one(now);
        }
    }

    /// Drops whoever has been quiet the longest; false if there is nobody.
    fn forget_one(&mut self, now: DateTime<Utc>) -> bool {
        let Some((last, key)) = self.leaving.pop_first() else {
            return false;
        };
        self.records.remove(&key);
        if is_today(last, now) {
            self.forgotten = Some(last);
        }
        true
    }
}

/// As it is serialised: no format has maps with such keys.
#[derive(Serialize, Deserialize)]
struct Kept {
    sources: Vec<(SourceKey, Times)>,
    forgotten: Option<DateTime<Utc>>,
}

impl From<Kept> for Sources {
    /// Still to be [bound](Sources::bound).
    fn from(kept: Kept) -> Self {
        let records = kept.sources.into_iter().collect();
        Self {
            records,
            forgotten: kept.forgotten,
            ..Self::default()
        }
    }
}

impl From<Sources> for Kept {
    fn from(sources: Sources) -> Self {
        let records = sources.records.into_iter().collect();
        Self {
            sources: records,
            forgotten: sources.forgotten,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::Source;

    fn number(n: u32) -> SourceKey {
        SourceKey::from(&Source::new("trunk", &format!("+49{n}")))
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn table(capacity: usize) -> Sources {
        let mut sources = Sources::default();
        sources.bound(capacity, 10, None);
        sources
    }

    #[test]
    fn a_flood_of_numbers_takes_bounded_memory() {
        let mut sources = table(100);
        for n in 0..10_000 {
            sources.count(number(n), at(n.into()));
            assert!(sources.records.len() <= 100);
            assert_eq!(sources.leaving.len(), sources.records.len());
        }
        assert_eq!(
            sources.wrong_today(number(9_999), at(10_000)),
            10,
            "none free while numbers are forgotten"
        );
        assert_eq!(sources.wrong_today(number(0), at(10_000)), 0);
    }

    #[test]
    fn being_forgotten_gives_one_try_and_not_five() {
        let mut sources = table(100);
        let forged = number(0);
        for n in 1..=5 {
            sources.count(forged, at(n));
        }
        for n in 1..=99 {
            sources.count(number(n), at(10));
        }
        assert_eq!(
            sources.wrong_today(forged, at(11)),
            5,
            "a full table forgets nobody"
        );
        sources.count(number(100), at(11));
        assert_eq!(sources.wrong_today(forged, at(12)), 0);
        sources.count(forged, at(12));
        assert_eq!(sources.wrong_today(forged, at(13)), 10);
    }

    #[test]
    fn a_day_later_nothing_is_left() {
        let mut sources = table(10);
        for n in 0..30 {
            sources.count(number(n), at(0));
        }
        sources.count(number(99), at(86_400));
        assert_eq!(sources.records.len(), 1);
        assert_eq!(sources.wrong_today(number(99), at(86_400)), 1);
    }

    #[test]
    fn trunk_number_and_withheld_are_told_apart() {
        let mut sources = table(10);
        sources.count((&Source::new("ab", "c")).into(), at(0));
        for other in [
            Source::new("a", "bc"),
            Source::new("abc", ""),
            Source::withheld("ab"),
            Source::withheld("abc"),
        ] {
            assert_eq!(sources.wrong_today((&other).into(), at(0)), 0, "{other:?}");
        }
        let withheld = SourceKey::from(&Source::withheld("ab"));
        sources.count(withheld, at(0));
        assert_eq!(sources.wrong_today(withheld, at(0)), 1);
    }
}
