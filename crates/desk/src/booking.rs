//! Bookings: made, and told to more people.

use conclave_accounts::{AccountId, Booking, BookingId, InviteeId, Pin, Role, Title};
use conclave_calendar::Planned;
use conclave_store::{Act, NewBooking, NewInvitee, Store, StoreError};

use crate::pins::TRIES;
use crate::{Desk, DeskError};

/// A booking that somebody wants.
#[derive(Debug, Clone)]
pub struct BookingWish {
    /// Whose it is to be.
    pub account: AccountId,
    /// What it is about.
    pub title: Title,
    /// When.
    pub planned: Planned,
    /// Who is invited by name, each with a PIN of their own; with none, one PIN serves all.
    pub guests: Vec<Guest>,
    /// Whether the owner and the guests get mail.
    pub mail: bool,
}

/// Somebody to be invited by name; see [`Invitee::check`](conclave_accounts::Invitee::check).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// What the roster shows.
    pub name: String,
    /// Where the invitation goes.
    pub email: String,
}

/// The PINs of a booking that may be shown.
#[derive(Debug, Clone, Default)]
pub struct BookingPins {
    /// Where it was just drawn: it is never seen again.
    pub host: Option<Pin>,
    /// The one that serves all.
    pub guest: Option<Pin>,
    /// Those of the invitees.
    pub invitees: Vec<(InviteeId, Pin)>,
}

impl BookingPins {
    /// That of one invitee.
    pub fn of(&self, invitee: InviteeId) -> Option<&Pin> {
        let mut pins = self.invitees.iter();
        pins.find(|(id, _)| *id == invitee).map(|(_, pin)| pin)
    }
}

impl Desk {
    /// Books.
    pub async fn book(
        &self,
        wish: &BookingWish,
        act: &Act,
    ) -> Result<(Booking, BookingPins), DeskError> {
        twice(&wish.guests)?;
        let uid = self.uid();
        let mut draw = self.draw().await?;
        for _ in 0..TRIES {
            let host = draw.pin(Role::Host)?;
            let guest = match wish.guests.as_slice() {
                [] => Some(draw.pin(Role::Guest)?),
                _ => None,
            };
            let mut pins = Vec::with_capacity(wish.guests.len());
            for _ in &wish.guests {
                pins.push(draw.pin(Role::Guest)?);
            }
            let invitees = wish
                .guests
                .iter()
                .zip(&pins)
                .map(|(guest, pin)| NewInvitee {
                    name: guest.name.clone(),
                    email: guest.email.clone(),
                    pin: self.stored(pin, Role::Guest),
                    mail: wish.mail,
                });
            let new = NewBooking {
                account: wish.account,
                title: wish.title.clone(),
                plan: wish.planned.plan.clone(),
                windows: wish.planned.occurrences.windows().to_vec(),
                uid: uid.clone(),
                host: self.stored(&host, Role::Host),
                guest: guest.as_ref().map(|pin| self.stored(pin, Role::Guest)),
                invitees: invitees.collect(),
                mail: wish.mail,
            };
            let booking = match self.store.book(new, act).await {
                Ok(booking) => booking,
                Err(StoreError::PinTaken) => continue,
                Err(error) => return Err(error.into()),
            };
            // In the order in which they were invited.
            let invitees = booking.invitees.iter().map(|one| one.id).zip(pins);
            let pins = BookingPins {
                host: Some(host),
                guest,
                invitees: invitees.collect(),
            };
            return Ok((booking, pins));
        }
        Err(StoreError::PinTaken.into())
    }

    /// Invites one more person by name.
    pub async fn invite(
        &self,
        booking: BookingId,
        guest: &Guest,
        mail: bool,
        act: &Act,
    ) -> Result<(Booking, Option<(InviteeId, Pin)>), DeskError> {
        let mut draw = self.draw().await?;
        for _ in 0..TRIES {
            let pin = draw.pin(Role::Guest)?;
            let new = NewInvitee {
                name: guest.name.clone(),
                email: guest.email.clone(),
                pin: self.stored(&pin, Role::Guest),
                mail,
            };
            match self.store.invite(booking, new, act).await {
                Ok(booking) => {
                    let newest = booking.invitees.iter().map(|invitee| invitee.id).max();
                    return Ok((booking, newest.map(|id| (id, pin))));
                }
                Err(StoreError::PinTaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::PinTaken.into())
    }

    /// The PINs of a booking that are kept so that they can be shown: Guest PINs.
    pub async fn kept_pins(&self, booking: BookingId) -> Result<BookingPins, DeskError> {
        let mut pins = BookingPins::default();
        for sealed in self.store.booking_pins(booking).await? {
            let pin = sealed.open(&self.keys())?;
            match sealed.invitee {
                Some(invitee) => pins.invitees.push((invitee, pin)),
                None => pins.guest = Some(pin),
            }
        }
        Ok(pins)
    }
}

fn twice(guests: &[Guest]) -> Result<(), DeskError> {
    for (n, one) in guests.iter().enumerate() {
        let same = |other: &Guest| other.email.eq_ignore_ascii_case(&one.email);
        if guests[..n].iter().any(same) {
            return Err(DeskError::InvitedTwice(one.email.clone()));
        }
    }
    Ok(())
}
