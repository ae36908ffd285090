use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{AccountId, AccountState, ConferenceKey, InviteeId, Role, Terms};

/// Where a call came from. It names a caller; it authenticates nobody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// The trunk, by its configured name.
    pub trunk: String,
    /// The caller's number in E.164. `None` is withheld: all withheld callers of a trunk are one
    /// source.
    pub number: Option<String>,
}

impl Source {
    /// A caller with a number.
    pub fn new(trunk: &str, number: &str) -> Self {
        Self {
            trunk: trunk.to_owned(),
            number: Some(number.to_owned()),
        }
    }

    /// The callers of a trunk who withhold their number.
    pub fn withheld(trunk: &str) -> Self {
        Self {
            trunk: trunk.to_owned(),
            number: None,
        }
    }
}

/// When a booking's PINs work: from `opens` until just before `ends`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// From when the PINs work: the start, or earlier by the booking's early-entry grace.
    pub opens: DateTime<Utc>,
    /// The booked start.
    pub starts: DateTime<Utc>,
    /// The booked end, at which every call is disconnected.
    pub ends: DateTime<Utc>,
}

/// Why there is no such window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// It ends before it starts, or at once.
    #[error("a booking ends after its start")]
    EndsBeforeStart,
    /// An early entry of more than a day.
    #[error("early entry is at most a day")]
    EarlyEntry,
}

impl Window {
    /// A window from `starts` to `ends` that opens `early` (0 to 24 h) before its start.
    pub fn new(
        starts: DateTime<Utc>,
        ends: DateTime<Utc>,
        early: Duration,
    ) -> Result<Self, WindowError> {
        if ends <= starts {
            return Err(WindowError::EndsBeforeStart);
        }
        let opens = TimeDelta::from_std(early)
            .ok()
            .filter(|early| *early <= TimeDelta::days(1))
            .and_then(|early| starts.checked_sub_signed(early))
            .ok_or(WindowError::EarlyEntry)?;
        Ok(Self {
            opens,
            starts,
            ends,
        })
    }

    /// Whether PINs work at `now`.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.opens <= now && now < self.ends
    }

    /// Whether two booked times clash: they share a moment between start and end.
    pub fn clashes(&self, other: &Self) -> bool {
        self.starts < other.ends && other.starts < self.ends
    }
}

/// What a store found behind a [`PinLookup`](crate::PinLookup): where the PIN would lead, if it
/// opens anything now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// Whose account it belongs to.
    pub account: AccountId,
    /// Which conference it leads to.
    pub conference: ConferenceKey,
    /// As what.
    pub role: Role,
    /// The account's state.
    pub state: AccountState,
    /// The account's terms.
    pub terms: Terms,
    /// When it works, if it is a booking's.
    pub window: Option<Window>,
    /// Whether this caller's number opened a door of this account in the last 90 days.
    pub known: bool,
    /// The invitee whose personal PIN it is.
    pub holder: Option<String>,
    /// That invitee, whose PIN works for one call at a time.
    pub invitee: Option<InviteeId>,
}

impl Door {
    /// Whether it opens at `now`: the account is active, and the booking has begun and isn't over.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.state == AccountState::Active && self.window.is_none_or(|window| window.is_open(now))
    }
}
