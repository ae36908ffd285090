use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, Alert, Attempt, Ceiling, ConferenceKey, Door, InviteeId, Pin, PinPolicy, Role,
    Source, Terms, Throttle, ThrottleState,
};

/// The right to join one conference in one role. Only [`Doorkeeper::judge`] makes one, so nobody
/// can be admitted whose PIN was not checked.
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

/// Judges PINs: the only maker of [`Ticket`]s.
///
/// The shell looks a PIN up under its [`PinKey`](crate::PinKey) and hands over what it found. All
/// PINs that open nothing now get one answer after one delay, whatever the reason.
///
/// While consent is on, an answer other than "not valid" tells a guesser that a PIN is right, even
/// though nobody is let in. So a door that was recognised in that time from a number that isn't
/// known stays by consent for such numbers when the alarm is over, until a human lets that caller
/// in ([`vouch`](Self::vouch)) or the PIN is changed ([`release`](Self::release)).
#[derive(Debug)]
pub struct Doorkeeper {
    throttle: Throttle,
    suspects: BTreeMap<(ConferenceKey, Role), Suspect>,
}

/// A door whose PIN may have been guessed while nobody was let in by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Suspect {
    account: AccountId,
    /// Recognised that often without a human vouching for the caller.
    touches: u32,
    /// A booking's end, after which it is no door any more.
    ends: Option<DateTime<Utc>>,
}

/// What a doorkeeper has seen, to be kept over a restart.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DoorkeeperState {
    throttle: ThrottleState,
    suspects: Vec<((ConferenceKey, Role), Suspect)>,
}

impl Doorkeeper {
    /// A doorkeeper who has seen nothing. Whether the policy keeps the odds is
    /// [`PinPolicy::check`]'s to say.
    pub fn new(policy: PinPolicy, now: DateTime<Utc>) -> Self {
        Self::import(policy, DoorkeeperState::default(), now)
    }

    /// A doorkeeper who goes on where another left off, under the same or another policy.
    pub fn import(policy: PinPolicy, state: DoorkeeperState, now: DateTime<Utc>) -> Self {
        Self {
            throttle: Throttle::import(policy, state.throttle, now),
            suspects: state.suspects.into_iter().collect(),
        }
    }

    /// What to keep over a restart.
    pub fn export(&self) -> DoorkeeperState {
        DoorkeeperState {
            throttle: self.throttle.export(),
            suspects: self
                .suspects
                .iter()
                .map(|(key, suspect)| (*key, *suspect))
                .collect(),
        }
    }

    /// Judges what a caller typed. `found` is the door that the store has behind this very PIN,
    /// `bound` the account that the dialled number belongs to, if it is bound to one.
    pub fn judge(
        &mut self,
        source: &Source,
        pin: &Pin,
        found: Option<Door>,
        bound: Option<AccountId>,
        now: DateTime<Utc>,
    ) -> Verdict {
        let check_digit = pin.has_check_digit();
        let attempt = match &found {
            Some(door) if door.is_open(now) && bound.is_none_or(|bound| bound == door.account) => {
                Attempt::Opens {
                    known: door.known,
                    check_digit,
                }
            }
            Some(_) => Attempt::Closed,
            None if check_digit => Attempt::Wrong,
            None => Attempt::Mistyped,
        };
        let ruling = self.throttle.attempt(source, attempt, now);
        let outcome = match (attempt, found) {
            (Attempt::Opens { known, .. }, Some(door)) => {
                let known = known && source.number.is_some();
                Outcome::Admit(self.ticket(door, known, ruling.by_consent, now))
            }
            (Attempt::Mistyped, _) => Outcome::Mistyped,
            (Attempt::Opens { .. } | Attempt::Closed | Attempt::Wrong, _) => Outcome::NotValid,
        };
        Verdict {
            outcome,
            ready_at: after(now, ruling.delay),
        }
    }

    fn ticket(&mut self, door: Door, known: bool, alarm: bool, now: DateTime<Utc>) -> Ticket {
        let key = (door.conference, door.role);
        let ends_at = door.window.map(|window| window.ends);
        let suspect = !known && self.suspects.contains_key(&key);
        if alarm {
            self.suspects
                .retain(|_, suspect| suspect.ends.is_none_or(|ends| ends > now));
            let fresh = Suspect {
                account: door.account,
                touches: 0,
                ends: ends_at,
            };
            let suspect = self.suspects.entry(key).or_insert(fresh);
            suspect.touches = suspect.touches.saturating_add(1);
        }
        Ticket {
            account: door.account,
            conference: door.conference,
            role: door.role,
            by_consent: alarm || suspect || (door.terms.consent && door.role == Role::Guest),
            touched: alarm,
            terms: door.terms,
            ends_at,
            holder: door.holder,
            invitee: door.invitee,
        }
    }

    /// A human let the holder of this ticket in, once: that PIN was not guessed. To be called when
    /// consent is given; not calling it errs on the side of asking again.
    pub fn vouch(&mut self, ticket: &Ticket) {
        let key = (ticket.conference, ticket.role);
        if let Some(suspect) = self.suspects.get_mut(&key).filter(|_| ticket.touched) {
            suspect.touches = suspect.touches.saturating_sub(1);
            if suspect.touches == 0 {
                self.suspects.remove(&key);
            }
        }
    }

    /// The PIN behind this door was changed, or an operator knows better: it is no longer
    /// suspected of having been guessed.
    pub fn release(&mut self, conference: ConferenceKey, role: Role) {
        self.suspects.remove(&(conference, role));
    }

    /// The doors whose PIN may have been guessed while consent was on, and should be changed.
    pub fn suspects(&self) -> impl Iterator<Item = (AccountId, ConferenceKey, Role)> + '_ {
        self.suspects
            .iter()
            .map(|((conference, role), suspect)| (suspect.account, *conference, *role))
    }

    /// Since when every door asks callers who aren't known for consent, if it does.
    pub fn consent_since(&self) -> Option<DateTime<Utc>> {
        self.throttle.consent(Ceiling::WrongPins)
    }

    /// An operator ends consent. Doors under suspicion stay so.
    pub fn end_consent(&mut self, now: DateTime<Utc>) {
        self.throttle.end_consent(Ceiling::WrongPins, now);
        self.throttle.end_consent(Ceiling::TypingErrors, now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub fn poll_timeout(&self) -> Option<DateTime<Utc>> {
        self.throttle.poll_timeout()
    }

    /// Ends consent if a day has passed quietly. Judging does so too; this is for telling the
    /// operator in time.
    pub fn handle_timeout(&mut self, now: DateTime<Utc>) {
        self.throttle.handle_timeout(now);
    }

    /// The next thing for the operator, oldest first.
    pub fn poll_alert(&mut self) -> Option<Alert> {
        self.throttle.poll_alert()
    }

    /// The throttle inside, for its counts.
    pub fn throttle(&self) -> &Throttle {
        &self.throttle
    }
}

fn after(now: DateTime<Utc>, delay: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(delay)
        .ok()
        .and_then(|delay| now.checked_add_signed(delay))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
