use chrono::{DateTime, Utc};

use crate::{AccountId, ConferenceKey, Door, InviteeId, Role, Terms};

/// The right to join one conference in one role. Only a [`Doorkeeper`](crate::Doorkeeper) makes
/// one, so nobody can be admitted whose PIN was not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    account: AccountId,
    conference: ConferenceKey,
    role: Role,
    terms: Terms,
    by_consent: bool,
    touched: bool,
    ends_at: Option<DateTime<Utc>>,
    holder: Option<String>,
    invitee: Option<InviteeId>,
}

impl Ticket {
    /// What the PIN of this door gives. `touched` is whether guessing is the reason for consent
    /// now, `suspect` whether it was before.
    pub(crate) fn to(door: Door, touched: bool, suspect: bool) -> Self {
        Self {
            account: door.account,
            conference: door.conference,
            role: door.role,
            by_consent: touched || suspect || (door.terms.consent && door.role == Role::Guest),
            touched,
            terms: door.terms,
            ends_at: door.window.map(|window| window.ends),
            holder: door.holder,
            invitee: door.invitee,
        }
    }

    /// Whose account the PIN belongs to.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Which conference to join.
    pub fn conference(&self) -> ConferenceKey {
        self.conference
    }

    /// As what.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The terms of that conference.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Whether a Host or the portal has to let this caller in: the account's terms say so of
    /// Guests, or guessing is going on.
    pub fn by_consent(&self) -> bool {
        self.by_consent
    }

    /// Whether guessing was going on when this PIN was recognised.
    pub(crate) fn touched(&self) -> bool {
        self.touched
    }

    /// When the booking ends, if it is one.
    pub fn ends_at(&self) -> Option<DateTime<Utc>> {
        self.ends_at
    }

    /// The invitee whose personal PIN it was.
    pub fn holder(&self) -> Option<&str> {
        self.holder.as_deref()
    }

    /// That invitee: no second call of theirs may be admitted while one is there.
    pub fn invitee(&self) -> Option<InviteeId> {
        self.invitee
    }
}

/// What to tell a caller about a PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It opens this door.
    Admit(Ticket),
    /// It is nobody's, and its check digit says that it was mistyped.
    Mistyped,
    /// It opens no door now. Why is not to be told.
    NotValid,
}

/// An outcome, and when to act on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What to tell the caller.
    pub outcome: Outcome,
    /// Tell no earlier than this.
    pub ready_at: DateTime<Utc>,
}
