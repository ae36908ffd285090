//! What goes into the store about accounts and comes out again.

use conclave_accounts::{
    Account, AccountId, AccountState, Owner, Pin, PinKey, PinLookup, Role, Terms,
};

use crate::{Keys, Lookups, SealedPin};

/// A PIN as the store keeps it: its keyed hash, and how hard it is to guess.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPin {
    /// The hash.
    pub lookup: PinLookup,
    /// The id of the PIN key that it was made under: the current one.
    pub key: u32,
    /// The hashes of the same PIN under the older keys: it is taken, too, if one of them is.
    pub others: Vec<PinLookup>,
    /// How many digits the PIN has.
    pub digits: u8,
    /// Whether the last is a check digit.
    pub check_digit: bool,
    /// Whether an operator took it in although it is easier to guess than the policy bears.
    pub forced: bool,
    /// The PIN itself, encrypted, if it will be shown again.
    pub sealed: Option<SealedPin>,
}

impl StoredPin {
    /// What is kept of a Host PIN: nothing that it could be shown from again.
    pub fn host(pin: &Pin, keys: &Keys) -> Self {
        let Lookups { current, older } = keys.lookups(pin);
        Self {
            key: current.key,
            others: older.iter().map(|older| older.lookup).collect(),
            ..Self::under(pin, current.lookup)
        }
    }

    /// What is kept of a Guest PIN: invitations will show it. The nonce is 24 bytes of randomness, drawn for
    /// this one call.
    pub fn guest(pin: &Pin, keys: &Keys, nonce: [u8; 24]) -> Self {
        let stored = Self::host(pin, keys);
        Self {
            sealed: Some(keys.seal(pin, &stored.lookup, nonce)),
            ..stored
        }
    }

    /// What is kept of a PIN by one who has a single PIN key and no key file; its id is 1.
    pub fn of(pin: &Pin, key: &PinKey) -> Self {
        Self::under(pin, key.lookup(pin))
    }

    fn under(pin: &Pin, lookup: PinLookup) -> Self {
        Self {
            lookup,
            key: 1,
            others: Vec::new(),
            digits: pin.len(),
            check_digit: pin.has_check_digit(),
            forced: false,
            sealed: None,
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
    /// Where the owner works.
    pub department: Option<String>,
    /// Whom its costs are charged to.
    pub cost_code: Option<String>,
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
            department: self.department,
            cost_code: self.cost_code,
            bookings: self.bookings,
            terms: self.terms,
        }
    }
}

/// What is to become of an account; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountChange {
    /// Another name or address of the owner.
    pub owner: Option<Owner>,
    /// Another department, or none.
    pub department: Option<Option<String>>,
    /// Another cost code, or none.
    pub cost_code: Option<Option<String>>,
    /// Whether it may make bookings.
    pub bookings: Option<bool>,
    /// What its conferences may and must do; for those that start from now on.
    pub terms: Option<Terms>,
}

impl AccountChange {
    /// Changes the account; says what is different now, by name.
    pub fn apply(&self, account: &mut Account) -> Vec<&'static str> {
        fn put<T: Clone + PartialEq>(wish: &Option<T>, place: &mut T) -> bool {
            let Some(wish) = wish.as_ref().filter(|wish| *wish != place) else {
                return false;
            };
            *place = wish.clone();
            true
        }
        let changed = [
            ("owner", put(&self.owner, &mut account.owner)),
            ("department", put(&self.department, &mut account.department)),
            ("cost-code", put(&self.cost_code, &mut account.cost_code)),
            ("bookings", put(&self.bookings, &mut account.bookings)),
            ("terms", put(&self.terms, &mut account.terms)),
        ];
        changed
            .into_iter()
            .filter_map(|(name, changed)| changed.then_some(name))
            .collect()
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
    /// How many there are, those of suspended accounts and of bookings not begun included.
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
