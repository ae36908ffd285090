use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    Account, AccountId, AccountState, BookingId, ConferenceKey, Door, Doors, InviteeId, Pin,
    PinKey, PinLookup, Role, Source, Ticket, Window, account::is_name,
};

/// How long a number that opened an account stays known to it.
pub const KNOWN_FOR_DAYS: u32 = 90;

/// Accounts, bookings and their PINs in memory: for tests, simulations and products that have a
/// few accounts of their own. PINs are kept as [`PinLookup`]s only.
#[derive(Debug)]
pub struct Directory {
    key: PinKey,
    accounts: BTreeMap<AccountId, Account>,
    bookings: BTreeMap<BookingId, (AccountId, Window)>,
    /// How many invitees there were: the last one's number.
    invited: u64,
    pins: BTreeMap<PinLookup, Entry>,
    /// When a number last opened an account.
    known: BTreeMap<(AccountId, String, String), DateTime<Utc>>,
}

#[derive(Debug)]
struct Entry {
    conference: ConferenceKey,
    role: Role,
    invitee: Option<(InviteeId, String)>,
    digits: u8,
    check_digit: bool,
}

/// Why something can't be added to a [`Directory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// There is an account with this number.
    #[error("{0} exists")]
    AccountExists(AccountId),
    /// There is a booking with this number.
    #[error("{0} exists")]
    BookingExists(BookingId),
    /// There is no account with this number.
    #[error("there is no {0}")]
    NoAccount(AccountId),
    /// There is no booking with this number.
    #[error("there is no {0}")]
    NoBooking(BookingId),
    /// The account may not make bookings.
    #[error("{0} may not make bookings")]
    NoBookings(AccountId),
    /// A PIN that opens another door, or both PINs alike.
    #[error("this PIN is in use")]
    PinInUse,
    /// An invitee's name that is empty, too long or has control characters.
    #[error("an invitee's name has 1 to 100 printable characters, at least one of them a letter")]
    Holder,
}

impl Directory {
    /// An empty directory whose PINs are looked up under `key`.
    pub fn new(key: PinKey) -> Self {
        Self {
            key,
            accounts: BTreeMap::new(),
            bookings: BTreeMap::new(),
            invited: 0,
            pins: BTreeMap::new(),
            known: BTreeMap::new(),
        }
    }

    /// Adds an account with its two PINs.
    pub fn add(&mut self, account: Account, host: &Pin, guest: &Pin) -> Result<(), DirectoryError> {
        let id = account.id;
        if self.accounts.contains_key(&id) {
            return Err(DirectoryError::AccountExists(id));
        }
        self.add_pair(ConferenceKey::Account(id), host, guest)?;
        self.accounts.insert(id, account);
        Ok(())
    }

    /// Adds a booking of `account` with its two PINs.
    pub fn book(
        &mut self,
        id: BookingId,
        account: AccountId,
        window: Window,
        host: &Pin,
        guest: &Pin,
    ) -> Result<(), DirectoryError> {
        let owner = self
            .accounts
            .get(&account)
            .ok_or(DirectoryError::NoAccount(account))?;
        if !owner.bookings {
            return Err(DirectoryError::NoBookings(account));
        }
        if self.bookings.contains_key(&id) {
            return Err(DirectoryError::BookingExists(id));
        }
        self.add_pair(ConferenceKey::Booking(id), host, guest)?;
        self.bookings.insert(id, (account, window));
        Ok(())
    }

    /// Moves a booking to another window.
    pub fn reschedule(&mut self, id: BookingId, window: Window) -> Result<(), DirectoryError> {
        let booking = self.bookings.get_mut(&id);
        booking.ok_or(DirectoryError::NoBooking(id))?.1 = window;
        Ok(())
    }

    /// Gives an invitee of a booking a Guest PIN of their own.
    pub fn invite(&mut self, id: BookingId, holder: &str, pin: &Pin) -> Result<(), DirectoryError> {
        if !self.bookings.contains_key(&id) {
            return Err(DirectoryError::NoBooking(id));
        }
        let holder = holder.trim();
        if !is_name(holder) {
            return Err(DirectoryError::Holder);
        }
        self.check_free(pin)?;
        self.invited += 1;
        self.add_pin(
            ConferenceKey::Booking(id),
            Role::Guest,
            pin,
            Some((InviteeId(self.invited), holder.to_owned())),
        );
        Ok(())
    }

    /// Takes back one PIN; true if it opened something.
    pub fn withdraw(&mut self, pin: &Pin) -> bool {
        self.pins.remove(&self.key.lookup(pin)).is_some()
    }

    /// Suspends, closes or reactivates an account.
    pub fn set_state(&mut self, id: AccountId, state: AccountState) -> Result<(), DirectoryError> {
        self.accounts
            .get_mut(&id)
            .ok_or(DirectoryError::NoAccount(id))?
            .state = state;
        Ok(())
    }

    /// An account by its number.
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// The door behind a PIN, for a caller who isn't known.
    pub fn find(&self, pin: &Pin) -> Option<Door> {
        let entry = self.pins.get(&self.key.lookup(pin))?;
        let (id, window) = match entry.conference {
            ConferenceKey::Account(id) => (id, None),
            ConferenceKey::Booking(id) => {
                let (account, window) = self.bookings.get(&id)?;
                (*account, Some(*window))
            }
        };
        let door = self.accounts.get(&id)?.door(entry.role);
        Some(Door {
            conference: entry.conference,
            window,
            holder: entry.invitee.as_ref().map(|(_, name)| name.clone()),
            invitee: entry.invitee.as_ref().map(|(id, _)| *id),
            ..door
        })
    }

    /// The door behind a PIN for this caller, who may be known.
    pub fn find_for(&self, source: &Source, pin: &Pin, now: DateTime<Utc>) -> Option<Door> {
        let door = self.find(pin)?;
        let known = known_key(door.account, source)
            .and_then(|key| self.known.get(&key))
            .is_some_and(|last| now - *last < TimeDelta::days(KNOWN_FOR_DAYS.into()));
        Some(Door { known, ..door })
    }

    /// This caller was let in by this ticket: the number is known to the account from now on.
    pub fn opened(&mut self, source: &Source, ticket: &Ticket, now: DateTime<Utc>) {
        if let Some(key) = known_key(ticket.account(), source) {
            self.known
                .retain(|_, last| now - *last < TimeDelta::days(KNOWN_FOR_DAYS.into()));
            self.known.insert(key, now);
        }
    }

    /// Every PIN that would be recognised, counted for the odds.
    pub fn doors(&self) -> Doors {
        let mut doors = Doors::default();
        for entry in self.pins.values() {
            doors.add(entry.digits, entry.check_digit, 1);
        }
        doors
    }

    fn add_pair(
        &mut self,
        to: ConferenceKey,
        host: &Pin,
        guest: &Pin,
    ) -> Result<(), DirectoryError> {
        self.check_free(host)?;
        self.check_free(guest)?;
        if host == guest {
            return Err(DirectoryError::PinInUse);
        }
        self.add_pin(to, Role::Host, host, None);
        self.add_pin(to, Role::Guest, guest, None);
        Ok(())
    }

    fn check_free(&self, pin: &Pin) -> Result<(), DirectoryError> {
        match self.pins.contains_key(&self.key.lookup(pin)) {
            true => Err(DirectoryError::PinInUse),
            false => Ok(()),
        }
    }

    fn add_pin(
        &mut self,
        conference: ConferenceKey,
        role: Role,
        pin: &Pin,
        invitee: Option<(InviteeId, String)>,
    ) {
        let (digits, check_digit) = (pin.len(), pin.has_check_digit());
        let entry = Entry {
            conference,
            role,
            invitee,
            digits,
            check_digit,
        };
        self.pins.insert(self.key.lookup(pin), entry);
    }
}

fn known_key(account: AccountId, source: &Source) -> Option<(AccountId, String, String)> {
    source
        .number
        .as_ref()
        .map(|number| (account, source.trunk.clone(), number.clone()))
}
