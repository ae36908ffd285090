use std::time::Duration;

use chrono::{NaiveDateTime, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::account::{is_email, is_name};
use crate::{AccountId, BookingId, InviteeId, seconds};

/// When a booking takes place, as a person says it: by the clock on the wall of a place.
///
/// Which moments that are, over the edges of daylight saving time and for every recurrence, is for
/// a calendar to say (`conclave-calendar`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The start of the first (or only) occurrence, on the clock of [`zone`](Self::zone).
    pub starts: NaiveDateTime,
    /// How long each occurrence takes, exactly: above zero, at most [`LONGEST_BOOKING`]. In seconds
    /// where serialised.
    #[serde(with = "seconds")]
    pub length: Duration,
    /// The IANA name of the time zone, such as `Europe/Berlin`.
    pub zone: String,
    /// So long before each start the PINs work already: at most a day. In seconds where serialised.
    #[serde(with = "seconds", default)]
    pub early: Duration,
    /// How it recurs: the value of an RFC 5545 `RRULE`, such as `FREQ=WEEKLY;COUNT=10`.
    #[serde(default)]
    pub rule: Option<String>,
    /// Starts of occurrences that are left out, on the same clock (RFC 5545 `EXDATE`).
    #[serde(default)]
    pub except: Vec<NaiveDateTime>,
}

/// How long an occurrence may be.
pub const LONGEST_BOOKING: TimeDelta = TimeDelta::days(7);

/// A booking: a single-use conference with PINs of its own that work inside its booked times only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    /// Its number.
    pub id: BookingId,
    /// Whose it is, and whose terms hold in it.
    pub account: AccountId,
    /// What it is about.
    pub title: Title,
    /// When.
    pub plan: Plan,
    /// Whether its PINs work at all.
    pub state: BookingState,
    /// Globally unique and the same for its whole life (RFC 5545 `UID`).
    pub uid: String,
    /// Counts its changes (RFC 5545 `SEQUENCE`).
    pub sequence: u32,
    /// Who was invited by name, each with a Guest PIN of their own. Empty: one Guest PIN serves all.
    pub invitees: Vec<Invitee>,
}

/// Whether a booking stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BookingState {
    /// It does.
    #[default]
    Booked,
    /// It was called off: its PINs open nothing any more.
    Cancelled,
}

/// Somebody who was invited by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitee {
    /// Their number: it is that of their PIN, too.
    pub id: InviteeId,
    /// What the roster shows.
    pub name: String,
    /// Where the invitation goes.
    pub email: String,
    /// The invitation was taken back: the PIN opens nothing any more.
    pub withdrawn: bool,
}

/// Why somebody can't be invited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InviteeError {
    /// A name that a roster could not show.
    #[error("an invitee's name has 1 to 100 printable characters, at least one of them a letter")]
    Name,
    /// Not of the shape `local@domain.tld`.
    #[error("an e-mail address has the shape name@example.org")]
    Email,
}

impl Invitee {
    /// Checks a name and an address as [`Owner::new`](crate::Owner::new) does, and trims them.
    pub fn check(name: &str, email: &str) -> Result<(String, String), InviteeError> {
        let (name, email) = (name.trim(), email.trim());
        if !is_name(name) {
            return Err(InviteeError::Name);
        }
        if !is_email(email) {
            return Err(InviteeError::Email);
        }
        Ok((name.to_owned(), email.to_owned()))
    }
}

/// What a booking is about: 1 to 200 printable characters, on one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Title(String);

/// Why something can't be a title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a title has 1 to 200 printable characters on one line")]
pub struct TitleError;

impl Title {
    /// A title, trimmed.
    pub fn new(title: &str) -> Result<Self, TitleError> {
        let title = title.trim();
        let fits = (1..=200).contains(&title.chars().count());
        if !fits || title.chars().any(char::is_control) {
            return Err(TitleError);
        }
        Ok(Self(title.to_owned()))
    }

    /// The title.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Title {
    type Error = TitleError;

    fn try_from(title: String) -> Result<Self, TitleError> {
        Self::new(&title)
    }
}

impl From<Title> for String {
    fn from(title: Title) -> Self {
        title.0
    }
}

impl std::fmt::Display for Title {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
