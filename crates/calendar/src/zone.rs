use chrono::{
    DateTime, Datelike, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc,
};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz, TzOffset};

use crate::PlanError;

/// The zone of that name.
pub(crate) fn zone(name: &str) -> Result<Tz, PlanError> {
    name.parse().map_err(|_| PlanError::UnknownZone {
        zone: name.to_owned(),
        nearest: nearest(name),
    })
}

/// `europe/berlin` and `Berlin` are `Europe/Berlin`.
fn nearest(name: &str) -> Option<&'static str> {
    let name = name.trim().replace(' ', "_");
    let names = || TZ_VARIANTS.iter().map(|tz| tz.name());
    let city = |zone: &str| zone.rsplit('/').next().unwrap_or_default().to_owned();
    names()
        .find(|zone| zone.eq_ignore_ascii_case(&name))
        .or_else(|| names().find(|zone| city(zone).eq_ignore_ascii_case(&city(&name))))
}

/// What a local time is on the clock of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Shown once.
    Once(DateTime<Utc>),
    /// Shown twice, at these moments.
    Twice(DateTime<Utc>, DateTime<Utc>),
    /// Never shown: the clock jumps.
    Never {
        /// What it means by RFC 5545, 3.3.5: the UTC offset before the gap goes on.
        meant: DateTime<Utc>,
        /// The first local time that is jumped over.
        from: NaiveDateTime,
        /// The first that exists again.
        to: NaiveDateTime,
    },
}

impl Reading {
    pub(crate) fn of(local: NaiveDateTime, zone: Tz) -> Self {
        let utc = |offset: &TzOffset| {
            let moment = local - offset.fix();
            moment.and_utc()
        };
        match zone.offset_from_local_datetime(&local) {
            MappedLocalTime::Single(offset) => Self::Once(utc(&offset)),
            MappedLocalTime::Ambiguous(first, second) => Self::Twice(utc(&first), utc(&second)),
            MappedLocalTime::None => {
                let gap = GapInfo::new(&local, &zone);
                let begin = gap.as_ref().and_then(|gap| gap.begin);
                // Every gap has two sides; were one missing, the offset of a day before would do.
                let (from, offset) = begin.unwrap_or_else(|| {
                    let before = zone.offset_from_utc_datetime(&(local - TimeDelta::days(1)));
                    (local, before)
                });
                let to = gap.and_then(|gap| gap.end);
                Self::Never {
                    meant: utc(&offset),
                    from,
                    to: to.map_or(local, |to| to.naive_local()),
                }
            }
        }
    }

    /// The moment that RFC 5545 (3.3.5) means by it.
    pub(crate) fn moment(self) -> DateTime<Utc> {
        match self {
            Self::Once(moment) | Self::Twice(moment, _) => moment,
            Self::Never { meant, .. } => meant,
        }
    }
}

/// Whole seconds of a year whose daylight saving time the database knows.
pub(crate) fn check_local(local: NaiveDateTime) -> Result<(), PlanError> {
    if local.nanosecond() != 0 {
        return Err(PlanError::Fraction);
    }
    if !(1970..=2099).contains(&local.year()) {
        return Err(PlanError::Year(local.year()));
    }
    Ok(())
}

/// A change of a zone's clock, or of the name it goes by.
pub(crate) struct Transition {
    pub(crate) at: DateTime<Utc>,
    pub(crate) before: TzOffset,
    pub(crate) after: TzOffset,
}

/// All transitions in `from..=to`. The database gives no list of them, so the span is walked in
/// steps in which no zone ever changed its clock forth and back, and each change is closed in on.
pub(crate) fn transitions(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Transition> {
    const STEP: i64 = 6 * 3600;
    let offset = |second: i64| {
        let utc = DateTime::from_timestamp(second, 0).unwrap_or(from);
        zone.offset_from_utc_datetime(&utc.naive_utc())
    };
    let mut found = Vec::new();
    let (mut second, last) = (from.timestamp(), to.timestamp());
    while second < last {
        let next = (second + STEP).min(last);
        let (before, after) = (offset(second), offset(next));
        if before != after {
            let (mut low, mut high) = (second, next);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if offset(middle) == before {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            found.push(Transition {
                at: DateTime::from_timestamp(high, 0).unwrap_or(to),
                before,
                after,
            });
        }
        second = next;
    }
    found
}
