//! What goes into the store about accounts and comes out again.

use conclave_accounts::{
    Account, AccountId, AccountState, Owner, Pin, PinKey, PinLookup, Role, Terms,
};

/// A PIN as the store keeps it: its keyed hash, and how hard it is to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredPin {
    /// The hash.
    pub lookup: PinLookup,
    /// How many digits the PIN has.
    pub digits: u8,
    /// Whether the last is a check digit.
    pub check_digit: bool,
    /// Whether an operator took it in although it is easier to guess than the policy bears.
    pub forced: bool,
}

impl StoredPin {
    /// What is kept of a PIN.
    pub fn of(pin: &Pin, key: &PinKey) -> Self {
        Self {
            lookup: key.lookup(pin),
            digits: pin.len(),
            check_digit: pin.has_check_digit(),
            forced: false,
        }
    }
}

/// An account to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Whose it is.
    pub owner: Owner,
    /// What its conferences may and must do.
    pub terms: Terms,
    /// Whether it may make bookings.
    pub bookings: bool,
    /// Its Host PIN.
    pub host: StoredPin,
    /// Its Guest PIN.
    pub guest: StoredPin,
}

impl NewAccount {
    /// The account as it is once made, active.
    pub fn into_account(self, id: AccountId) -> Account {
        Account {
            id,
            owner: self.owner,
            state: AccountState::Active,
            department: None,
            cost_code: None,
            bookings: self.bookings,
            terms: self.terms,
        }
    }
}

/// Which accounts to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Find {
    /// All of them.
    All,
    /// That one.
    Id(AccountId),
    /// Those of an e-mail address, upper or lower case.
    Email(String),
    /// Those whose name or e-mail address holds these letters, upper or lower case.
    Text(String),
}

impl Find {
    /// What somebody means who types this: a number is an id, an `@` makes an address, else it is looked for
    /// in names and addresses.
    pub fn parse(typed: &str) -> Self {
        let typed = typed.trim();
        match typed.parse() {
            Ok(id) => Self::Id(AccountId(id)),
            Err(_) if typed.is_empty() => Self::All,
            Err(_) if typed.contains('@') => Self::Email(typed.to_owned()),
            Err(_) => Self::Text(typed.to_owned()),
        }
    }
}

/// How many PINs of one kind open a door: what the odds of guessing are computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PinCount {
    /// How many digits they have.
    pub digits: u8,
    /// Whether the last is a check digit.
    pub check_digit: bool,
    /// As whom they let in.
    pub role: Role,
    /// Whether they were taken in although the policy doesn't bear them.
    pub forced: bool,
    /// How many there are, of accounts that are active.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_understood() {
        let check =
            |typed: &str, expected: Find| assert_eq!(Find::parse(typed), expected, "{typed:?}");
        check("", Find::All);
        check(" 12 ", Find::Id(AccountId(12)));
        check("ada@example.org", Find::Email("ada@example.org".into()));
        check("Ada", Find::Text("Ada".into()));
    }
}
