//! Invitations and cancellations as they are sent or written to a file: the one place where a booking's Guest PIN is
//! put into words.

use chrono::{DateTime, Utc};
use conclave_accounts::{Booking, BookingState, Invitee, InviteeId};
use conclave_calendar::{Cancellation, Horizon, Invitation, occurrences};
use conclave_store::{Letter, LetterKind, Store, StoreError};

use crate::Desk;

/// What goes to one person.
pub struct Rendered {
    /// Whether it invites or takes an invitation back.
    pub kind: LetterKind,
    /// The person's name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// What a mail is about.
    pub subject: String,
    /// The mail's text. It may hold a PIN.
    pub text: String,
    /// The calendar's file, likewise.
    pub ics: String,
}

impl std::fmt::Debug for Rendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rendered")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Why there is nothing to be sent.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// It need not, or can't, be said.
    #[error("{0}")]
    Moot(String),
    /// The database refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotSent {
    fn moot(why: impl ToString) -> Self {
        Self::Moot(why.to_string())
    }
}

impl Desk {
    /// Renders a letter of the outbox, as things stand now.
    pub async fn render_letter(
        &self,
        letter: &Letter,
        now: DateTime<Utc>,
    ) -> Result<Rendered, NotSent> {
        let booking = self.store.booking(letter.booking).await?;
        let booking = booking
            .ok_or_else(|| NotSent::moot(format!("there is no {} any more", letter.booking)))?;
        self.render(&booking, letter.invitee, letter.kind, now)
            .await
    }

    /// What goes to an invitee, or to the owner to pass on.
    pub async fn render(
        &self,
        booking: &Booking,
        invitee: Option<InviteeId>,
        kind: LetterKind,
        now: DateTime<Utc>,
    ) -> Result<Rendered, NotSent> {
        let account = self
            .store
            .account(booking.account)
            .await?
            .ok_or_else(|| NotSent::moot("its account is gone"))?;
        let to = match invitee {
            Some(id) => Some(invited(booking, id)?),
            None => None,
        };
        let times = occurrences(&booking.plan, &Horizon::default()).map_err(NotSent::moot)?;
        let (name, email) = match to {
            Some(invitee) => (invitee.name.clone(), invitee.email.clone()),
            None => (
                account.owner.name().to_owned(),
                account.owner.email().to_owned(),
            ),
        };
        let (subject, text, ics) = match kind {
            LetterKind::Invitation => {
                if booking.state == BookingState::Cancelled || to.is_some_and(|to| to.withdrawn) {
                    return Err(NotSent::moot("it was called off meanwhile"));
                }
                let pins = self.store.booking_pins(booking.id).await?;
                let sealed = pins.iter().find(|pin| pin.invitee == invitee);
                let sealed = sealed.ok_or_else(|| {
                    NotSent::moot(
                        "there is no Guest PIN to invite with: those invited by name have one each",
                    )
                })?;
                let invitation = Invitation {
                    booking,
                    occurrences: &times,
                    organizer: &account.owner,
                    to,
                    pin: &sealed.open(&self.keys()).map_err(NotSent::moot)?,
                    numbers: &self.rules().numbers,
                    now,
                };
                let subject = if booking.sequence == 0 {
                    format!("Invitation: {}", booking.title)
                } else {
                    format!("Changed: {}", booking.title)
                };
                (subject, invitation.text(), invitation.ics())
            }
            LetterKind::Cancellation => {
                let cancellation = Cancellation {
                    booking,
                    occurrences: &times,
                    organizer: &account.owner,
                    to,
                    now,
                };
                let subject = format!("Cancelled: {}", booking.title);
                (subject, cancellation.text(), cancellation.ics())
            }
        };
        Ok(Rendered {
            kind,
            name,
            email,
            subject,
            text,
            ics,
        })
    }
}

fn invited(booking: &Booking, id: InviteeId) -> Result<&Invitee, NotSent> {
    let invitee = booking.invitees.iter().find(|invitee| invitee.id == id);
    invitee.ok_or_else(|| NotSent::moot(format!("{id} is not invited to {}", booking.id)))
}
