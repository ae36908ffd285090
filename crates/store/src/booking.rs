//! What goes into the store about bookings and comes out again.

use chrono::{DateTime, Utc};
use conclave_accounts::{
    AccountId, BookingId, InviteeId, Pin, PinLookup, Plan, Role, Title, Window,
};

use crate::{Keys, SealError, SealedPin, StoredPin};

/// A booking to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewBooking {
    /// Whose.
    pub account: AccountId,
    /// What it is about.
    pub title: Title,
    /// When, as it was said.
    pub plan: Plan,
    /// When, as the calendar made it out: in order, at least one.
    pub windows: Vec<Window>,
    /// Globally unique.
    pub uid: String,
    /// Its Host PIN.
    pub host: StoredPin,
    /// The Guest PIN that serves all; none where everybody is invited by name.
    pub guest: Option<StoredPin>,
    /// Who is invited by name.
    pub invitees: Vec<NewInvitee>,
    /// Whether the owner and the invitees get mail.
    pub mail: bool,
}

/// Somebody to be invited by name; name and address are [checked](conclave_accounts::Invitee::check).
#[derive(Debug, Clone, PartialEq)]
pub struct NewInvitee {
    /// What the roster shows.
    pub name: String,
    /// Where the invitation goes.
    pub email: String,
    /// Their PIN.
    pub pin: StoredPin,
    /// Whether they get mail.
    pub mail: bool,
}

/// What is to become of a booking; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BookingChange {
    /// Another title.
    pub title: Option<Title>,
    /// Another time, with what the calendar made of it.
    pub time: Option<(Plan, Vec<Window>)>,
    /// Whether those who had mail get word.
    pub mail: bool,
}

/// Which bookings to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BookingFilter {
    /// Of that account alone.
    pub account: Option<AccountId>,
    /// Those that aren't over or cancelled at that moment.
    pub from: Option<chrono::DateTime<chrono::Utc>>,
}

/// A Guest PIN as it is kept for invitations.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedGuestPin {
    /// The invitee whose alone it is.
    pub invitee: Option<InviteeId>,
    /// Whom it lets in.
    pub role: Role,
    /// The hash that it is found by, which the sealing is bound to.
    pub lookup: PinLookup,
    /// The PIN.
    pub sealed: SealedPin,
}

impl SealedGuestPin {
    /// The PIN in the clear, for the one invitation that needs it.
    pub fn open(&self, keys: &Keys) -> Result<Pin, SealError> {
        keys.open(&self.sealed, &self.lookup)
    }
}

/// What a letter of the outbox says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterKind {
    /// Come, with the PIN (iTIP `REQUEST`).
    Invitation,
    /// Don't come (iTIP `CANCEL`).
    Cancellation,
}

impl LetterKind {
    /// The word that a store keeps.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Cancellation => "cancellation",
        }
    }
}

/// A letter that is due. It holds no PIN: whoever sends it renders it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its number.
    pub id: u64,
    /// About which booking.
    pub booking: BookingId,
    /// To which invitee; else to the owner.
    pub invitee: Option<InviteeId>,
    /// What it says.
    pub kind: LetterKind,
    /// How often it was tried.
    pub tries: u32,
}

/// A letter that was not taken by the mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterProblem {
    /// To which invitee; else to the owner.
    pub invitee: Option<InviteeId>,
    /// What it says.
    pub kind: LetterKind,
    /// Why not, in the server's words.
    pub why: String,
    /// When it is tried again; never where it was given up.
    pub again: Option<DateTime<Utc>>,
}
