//! The accounts of the virtual world, and the storage that finds their PINs.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use conclave_accounts::{
    Account, AccountId, BookingId, CallId, Directory, Doorkeeper, Outcome, Owner, Pin, PinKey,
    PinPolicy, Source, Terms, Ticket, Verdict, Window,
};

/// Storage in memory and the doorkeeper before it.
#[derive(Debug)]
pub(crate) struct Town {
    directory: Directory,
    doorkeeper: Doorkeeper,
    /// Whose PIN opened a door that the caller hasn't gone through yet.
    at_the_door: BTreeMap<CallId, (Source, Ticket)>,
}

/// The PINs of an account of the virtual world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pins {
    /// Twelve digits.
    pub host: String,
    /// Ten digits.
    pub guest: String,
}

/// The PINs of the world's account of that number, by a rule that is easy to read: a check digit behind `112345678`
/// for the Guests of account 1, and behind `91234567890` for its Host.
pub fn pins(account: u64) -> Pins {
    Pins {
        host: with_check_digit(&format!("9{account}234567890")),
        guest: with_check_digit(&format!("{account}12345678")),
    }
}

/// The PINs of that account's booking, by a rule as easy: a check digit behind `661345678` for the Guests of the
/// booking of account 1, and behind `81234567890` for its Host.
pub fn booking_pins(account: u64) -> Pins {
    Pins {
        host: with_check_digit(&format!("8{account}234567890")),
        guest: with_check_digit(&format!("66{account}345678")),
    }
}

/// The personal PIN of the booking's invitee of that number, from 1 to [`INVITEES`]: a check digit behind
/// `771145678` for the first of account 1.
pub fn invitee_pin(account: u64, invitee: u64) -> String {
    with_check_digit(&format!("77{account}{invitee}45678"))
}

/// So many are invited to each booking by name.
pub const INVITEES: u64 = 3;

/// The digits with the check digit that makes them a well-formed PIN.
pub fn with_check_digit(digits: &str) -> String {
    (0..10)
        .map(|check| format!("{digits}{check}"))
        .find(|pin| Pin::parse(pin).is_ok_and(|pin| pin.has_check_digit()))
        .unwrap_or_default()
}

impl Town {
    /// Accounts 1, 2, ... with these terms.
    pub(crate) fn new(terms: &[Terms], policy: PinPolicy, now: DateTime<Utc>) -> Self {
        let mut directory = Directory::new(PinKey::new([7; 32]));
        for (terms, id) in terms.iter().zip(1..) {
            let owner = Owner::new("Ada Byron", "ada@example.org").expect("a person");
            let mut account = Account::new(AccountId(id), owner);
            account.terms = terms.clone();
            let Pins { host, guest } = pins(id);
            let parse = |pin: &str| Pin::parse(pin).expect("a PIN");
            directory
                .add(account, &parse(&host), &parse(&guest))
                .expect("accounts and PINs are all different");
        }
        Self {
            directory,
            doorkeeper: Doorkeeper::new(policy, now),
            at_the_door: BTreeMap::new(),
        }
    }

    /// A booking of that account, with the account's number, from `starts` to `ends`.
    pub(crate) fn book(&mut self, account: u64, starts: DateTime<Utc>, ends: DateTime<Utc>) {
        let parse = |pin: &str| Pin::parse(pin).expect("a PIN");
        let Pins { host, guest } = booking_pins(account);
        let window = Window::new(starts, ends, Duration::ZERO).expect("it ends after its start");
        let (id, owner) = (BookingId(account), AccountId(account));
        self.directory
            .book(id, owner, window, &parse(&host), &parse(&guest))
            .expect("the first booking of an account");
        for invitee in 1..=INVITEES {
            let name = format!("Guest {invitee} of {account}");
            self.directory
                .invite(id, &name, &parse(&invitee_pin(account, invitee)))
                .expect("all PINs differ");
        }
    }

    /// Its end is another one from now on; it has none before its start.
    pub(crate) fn move_booking(
        &mut self,
        account: u64,
        starts: DateTime<Utc>,
        ends: DateTime<Utc>,
    ) {
        if let Ok(window) = Window::new(starts, ends, Duration::ZERO) {
            // Where there is no such booking there is nothing to move.
            let _ = self.directory.reschedule(BookingId(account), window);
        }
    }

    pub(crate) fn judge(
        &mut self,
        call: CallId,
        source: &Source,
        pin: &Pin,
        bound: Option<AccountId>,
        now: DateTime<Utc>,
    ) -> Verdict {
        let found = self.directory.find_for(source, pin, now);
        let verdict = self.doorkeeper.judge(source, pin, found, bound, now);
        if let Outcome::Admit(ticket) = &verdict.outcome {
            let arrived = (source.clone(), ticket.clone());
            self.at_the_door.insert(call, arrived);
        }
        verdict
    }

    /// The call is in: only now its number is known, and a PIN that a human let in wasn't guessed.
    pub(crate) fn let_in(&mut self, call: CallId, now: DateTime<Utc>) {
        if let Some((source, ticket)) = self.at_the_door.remove(&call) {
            self.directory.opened(&source, &ticket, now);
            if ticket.by_consent() {
                self.doorkeeper.vouch(&ticket);
            }
        }
    }

    pub(crate) fn gone(&mut self, call: CallId) {
        self.at_the_door.remove(&call);
    }
}
