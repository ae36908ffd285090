use std::fmt;

use chrono::{NaiveDateTime, TimeDelta};
use conclave_accounts::LONGEST_BOOKING;

/// Why a booking can't take place as it was said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A time zone that IANA's database doesn't know.
    #[error("there is no time zone `{zone}`{}", is_it(.nearest))]
    UnknownZone {
        /// What was given.
        zone: String,
        /// The zone that was probably meant.
        nearest: Option<&'static str>,
    },
    /// Neither RFC 3339 nor a local time.
    #[error(
        "`{0}` is no time: write 2026-12-01T09:00 with a time zone, or 2026-12-01T09:00:00+01:00"
    )]
    NotATime(String),
    /// A local time without the zone whose clock shows it.
    #[error("`{0}` needs a time zone (--tz Europe/Berlin), or an offset such as +01:00 at its end")]
    NeedsZone(String),
    /// A rule without a zone.
    #[error("a series needs a time zone (--tz), so that it knows its daylight saving time")]
    SeriesNeedsZone,
    /// The clock jumps over that time.
    #[error(
        "{} doesn't exist in {zone}: the clock is put forward there; the nearest times are {} and {}",
        minute(.local), minute(.before), minute(.after)
    )]
    Nonexistent {
        /// What was given.
        local: NaiveDateTime,
        /// Where.
        zone: String,
        /// The last minute before the gap.
        before: NaiveDateTime,
        /// The first time after it.
        after: NaiveDateTime,
    },
    /// A series that would start in the second of two equal hours.
    #[error(
        "{} comes twice in {zone}, and a series can start at the first of the two only",
        minute(.local)
    )]
    SeriesAtSecond {
        /// The time on the clock.
        local: NaiveDateTime,
        /// Where.
        zone: String,
    },
    /// The end isn't after the start.
    #[error("it ends at {end}, which is not after its start at {start}")]
    EndsBeforeStart {
        /// As given.
        start: String,
        /// As given.
        end: String,
    },
    /// A year whose daylight saving time nobody knows.
    #[error("a booking takes place between 1970 and 2099, not in {0}")]
    Year(i32),
    /// Parts of a second.
    #[error("a booking begins and ends on whole seconds")]
    Fraction,
    /// Zero, or too long.
    #[error("an occurrence takes more than nothing and at most {} days", LONGEST_BOOKING.num_days())]
    Length,
    /// Too early an entry.
    #[error("early entry is at most a day")]
    Early,
    /// A rule that nobody would type.
    #[error("a rule has at most 500 bytes, this one has {0}")]
    RuleTooLong(usize),
    /// A part of a rule that can't be.
    #[error("the rule is wrong at `{part}` (byte {at}): {why}")]
    RulePart {
        /// The part between semicolons.
        part: String,
        /// Where it begins, counted from 0.
        at: usize,
        /// What is wrong.
        why: String,
    },
    /// A rule whose parts can't be together.
    #[error("that rule can't be: {0}")]
    Rule(String),
    /// A conference every hour, minute or second.
    #[error("FREQ={0} is too often for a booking: YEARLY, MONTHLY, WEEKLY and DAILY are possible")]
    TooFine(String),
    /// More starts a day than a day has hours.
    #[error("BYHOUR, BYMINUTE and BYSECOND make {0} starts a day: at most 24 are possible")]
    TooOften(usize),
    /// Nothing comes of the rule within its horizon.
    #[error("the rule gives no occurrence within two years after the start, or all are left out")]
    NoOccurrence,
    /// The start isn't one that the rule gives (RFC 5545 leaves open what that would mean).
    #[error(
        "{} doesn't follow from the rule, whose first occurrence would be at {}: let it start there",
        minute(.start), minute(.first)
    )]
    StartNotInRule {
        /// The plan's start.
        start: NaiveDateTime,
        /// The first at or after it that the rule gives.
        first: NaiveDateTime,
    },
    /// An exception from nothing.
    #[error("no occurrence starts at {}, so none can be left out there", minute(.0))]
    NothingToExcept(NaiveDateTime),
    /// Two occurrences at the same time.
    #[error(
        "the occurrence that starts at {} isn't over when the doors of the next one open, at {} (both in {zone})",
        minute(.one), minute(.opens)
    )]
    Overlap {
        /// The start of the earlier one.
        one: NaiveDateTime,
        /// When the next one opens.
        opens: NaiveDateTime,
        /// On whose clock.
        zone: String,
    },
}

fn is_it(zone: &Option<&str>) -> String {
    zone.map(|zone| format!("; is it `{zone}`?"))
        .unwrap_or_default()
}

/// To the minute, unless that isn't all.
pub(crate) fn minute(time: &NaiveDateTime) -> impl fmt::Display + use<> {
    let whole = time.and_utc().timestamp() % 60 == 0;
    time.format(if whole {
        "%Y-%m-%dT%H:%M"
    } else {
        "%Y-%m-%dT%H:%M:%S"
    })
}

/// What whoever books should be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The time comes twice; the first is meant (RFC 5545, 3.3.5).
    FirstOfTwo {
        /// The time on the clock.
        local: NaiveDateTime,
        /// Where.
        zone: String,
        /// So much later it comes again.
        again_after: TimeDelta,
    },
    /// The time is the second of two equal ones, which a local time can't say: the plan is in UTC.
    KeptInUtc {
        /// The time on the clock.
        local: NaiveDateTime,
        /// Where.
        zone: String,
    },
    /// The series is longer than can be booked.
    Cut {
        /// The end of the last occurrence that is booked, on the plan's clock.
        until: NaiveDateTime,
        /// How many are booked.
        count: usize,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstOfTwo {
                local,
                zone,
                again_after,
            } => write!(
                f,
                "{} comes twice in {zone}, {} minutes apart: the first is taken",
                minute(local),
                again_after.num_minutes()
            ),
            Self::KeptInUtc { local, zone } => write!(
                f,
                "{} comes twice in {zone} and the second is meant: the booking is kept in UTC",
                minute(local)
            ),
            Self::Cut { until, count } => write!(
                f,
                "the series goes on, but is booked until {} only: {count} occurrences",
                minute(until)
            ),
        }
    }
}
