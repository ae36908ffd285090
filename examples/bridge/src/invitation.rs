//! Invitations and cancellations as they are sent or written to a file: the one place where a Guest PIN is decrypted.

use chrono::{DateTime, Utc};
use conclave_accounts::{Booking, BookingId, BookingState, Invitee, InviteeId};
use conclave_calendar::{AccessNumber as Dial, Cancellation, Horizon, Invitation, occurrences};
use conclave_store::{Keys, Letter, LetterKind, SqlStore, Store, StoreError};

use crate::config::AccessNumber;

/// What goes to one person.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) kind: LetterKind,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) ics: String,
}

/// Why there is nothing to be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSent {
    /// It need not, or can't, be said.
    #[error("{0}")]
    Moot(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotSent {
    fn moot(why: impl ToString) -> Self {
        Self::Moot(why.to_string())
    }
}

/// Renders a letter of the outbox, as things stand now.
pub(crate) async fn render_letter(
    store: &SqlStore,
    keys: &Keys,
    numbers: &[AccessNumber],
    letter: &Letter,
    now: DateTime<Utc>,
) -> Result<Rendered, NotSent> {
    let booking = find(store, letter.booking).await?;
    render(
        store,
        keys,
        numbers,
        &booking,
        letter.invitee,
        letter.kind,
        now,
    )
    .await
}

/// What goes to an invitee, or to the owner to pass on.
pub(crate) async fn render(
    store: &SqlStore,
    keys: &Keys,
    numbers: &[AccessNumber],
    booking: &Booking,
    invitee: Option<InviteeId>,
    kind: LetterKind,
    now: DateTime<Utc>,
) -> Result<Rendered, NotSent> {
    let account = store
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
            let pins = store.booking_pins(booking.id).await?;
            let sealed = pins.iter().find(|pin| pin.invitee == invitee);
            let sealed = sealed.ok_or_else(|| {
                NotSent::moot(
                    "there is no Guest PIN to invite with: those invited by name have one each",
                )
            })?;
            let numbers = dial_in(numbers);
            let invitation = Invitation {
                booking,
                occurrences: &times,
                organizer: &account.owner,
                to,
                pin: &sealed.open(keys).map_err(NotSent::moot)?,
                numbers: &numbers,
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

async fn find(store: &SqlStore, id: BookingId) -> Result<Booking, NotSent> {
    let booking = store.booking(id).await?;
    booking.ok_or_else(|| NotSent::moot(format!("there is no {id} any more")))
}

fn invited(booking: &Booking, id: InviteeId) -> Result<&Invitee, NotSent> {
    let invitee = booking.invitees.iter().find(|invitee| invitee.id == id);
    invitee.ok_or_else(|| NotSent::moot(format!("{id} is not invited to {}", booking.id)))
}

/// What can be dialled from outside: an extension, or a number bound to one account, is of no use to guests.
fn dial_in(numbers: &[AccessNumber]) -> Vec<Dial> {
    numbers
        .iter()
        .filter_map(|number| {
            let AccessNumber {
                number,
                label,
                country,
                language,
                ..
            } = number;
            Dial::new(number, label, country, language).ok()
        })
        .collect()
}
