//! Tickets for tests, by the one way there is.

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{
    Account, AccountId, BookingId, ConferenceKey, Doorkeeper, Outcome, Owner, Pin, PinPolicy, Role,
    Source, Terms, Ticket, Window,
};

/// When every test begins.
pub(crate) const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// Makes the tickets to one conference.
pub(crate) struct Doors {
    pub(crate) terms: Terms,
    /// The end of the booking, if it is one.
    pub(crate) ends: Option<DateTime<Utc>>,
}

impl Doors {
    /// Whether no PIN opens them any more.
    #[allow(dead_code, reason = "not every test looks")]
    pub(crate) fn are_over(&self, now: DateTime<Utc>) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }

    pub(crate) fn ticket(&self, role: Role, by_consent: bool) -> Ticket {
        let owner = Owner::new("Ada Lovelace", "ada@example.org").expect("a person");
        let account = Account {
            terms: self.terms.clone(),
            ..Account::new(AccountId(1), owner)
        };
        let mut door = account.door(role);
        if let Some(ends) = self.ends {
            let starts = START - TimeDelta::hours(1);
            door.conference = ConferenceKey::Booking(BookingId(1));
            door.window = Some(Window {
                opens: starts,
                starts,
                ends,
            });
        }
        // With a ceiling of zero wrong PINs, unknown callers are always by consent.
        let ceiling = if by_consent { 0 } else { 100 };
        let policy = PinPolicy {
            ceiling,
            ..PinPolicy::default()
        };
        let pin = Pin::parse("4711").expect("four digits");
        let source = Source::new("trunk", "+4930123456");
        let verdict = Doorkeeper::new(policy, START).judge(&source, &pin, Some(door), None, START);
        let Outcome::Admit(ticket) = verdict.outcome else {
            panic!("the door is open")
        };
        assert_eq!(
            ticket.by_consent(),
            by_consent || (self.terms.consent && role == Role::Guest)
        );
        ticket
    }
}
