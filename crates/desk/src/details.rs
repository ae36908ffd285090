//! A booking with what is shown beside it.

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use conclave_accounts::{
    Account, AccountId, AccountState, Booking, BookingId, BookingState, Window,
};
use conclave_calendar::{Horizon, Occurrences, PlanError, occurrences};
use conclave_store::{LetterProblem, Store, StoreError};

use crate::{Desk, DeskError};

/// A booking with what is shown beside it.
#[derive(Debug, Clone)]
pub struct Details {
    /// The booking.
    pub booking: Booking,
    /// Whose it is.
    pub account: Account,
    /// Its moments.
    pub times: Occurrences,
    /// On whose clock it is.
    pub zone: Tz,
    /// The other bookings of its owner that share a moment with it.
    pub clashes: Vec<BookingId>,
    /// What the mail server didn't take.
    pub problems: Vec<LetterProblem>,
}

/// What is allowed, and probably not meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The owner would have to be in two conferences at once.
    Clashes(BookingId),
    /// The account opens no door.
    Suspended(AccountId),
    /// Its PINs open nothing.
    Over,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clashes(booking) => write!(f, "clashes with {booking}"),
            Self::Suspended(account) => {
                write!(
                    f,
                    "{account} is suspended: nobody gets in until it is resumed"
                )
            }
            Self::Over => f.write_str("all of its time has passed: its PINs open nothing"),
        }
    }
}

impl Desk {
    /// What is shown beside a booking.
    pub async fn details(&self, booking: Booking) -> Result<Details, DeskError> {
        let account = self.store.account(booking.account).await?;
        let account = account.ok_or(StoreError::NoSuchAccount(booking.account))?;
        let clashes = match booking.state {
            BookingState::Booked => self.store.clashes(booking.id).await?,
            BookingState::Cancelled => Vec::new(),
        };
        let zone = booking.plan.zone.parse();
        Ok(Details {
            times: occurrences(&booking.plan, &Horizon::default())?,
            zone: zone.map_err(|_| PlanError::UnknownZone {
                zone: booking.plan.zone.clone(),
                nearest: None,
            })?,
            problems: self.store.letter_problems(booking.id).await?,
            account,
            booking,
            clashes,
        })
    }
}

impl Details {
    /// What is allowed, and probably not meant.
    pub fn doubts(&self, now: DateTime<Utc>) -> Vec<Doubt> {
        let mut doubts: Vec<_> = self.clashes.iter().copied().map(Doubt::Clashes).collect();
        if self.account.state == AccountState::Suspended {
            doubts.push(Doubt::Suspended(self.account.id));
        }
        if self.times.until() <= now {
            doubts.push(Doubt::Over);
        }
        doubts
    }

    /// `booked`, `cancelled` or `over`.
    pub fn state(&self, now: DateTime<Utc>) -> &'static str {
        match self.booking.state {
            BookingState::Cancelled => "cancelled",
            BookingState::Booked if self.times.until() <= now => "over",
            BookingState::Booked => "booked",
        }
    }

    /// The occurrence that is on or comes next; the last one where all are over.
    pub fn next(&self, now: DateTime<Utc>) -> Window {
        let windows = self.times.windows();
        let coming = windows.iter().find(|window| window.ends > now);
        *coming.unwrap_or(&windows[windows.len() - 1])
    }

    /// To whom a letter was to go.
    pub fn addressee(&self, problem: &LetterProblem) -> &str {
        let mut invitees = self.booking.invitees.iter();
        invitees
            .find(|invitee| Some(invitee.id) == problem.invitee)
            .map_or(self.account.owner.email(), |invitee| &invitee.email)
    }
}
