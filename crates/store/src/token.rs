//! What programs prove themselves by, what they may do, and what is done once however often it is asked for.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Serialize, Serializer};

use crate::{TokenHash, User, UserId};

/// What was made under a [`Once`] is told again for so long.
pub const ONCE_LASTS: TimeDelta = TimeDelta::days(1);

/// Which token of a program. A number is never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ApiTokenId(pub u64);

impl fmt::Display for ApiTokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {}", self.0)
    }
}

/// A thing that a program may do, if its user may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// See accounts.
    AccountsRead,
    /// Make and change accounts, and reset their PINs.
    AccountsWrite,
    /// See bookings, and their Guest PINs.
    BookingsRead,
    /// Book, change, call off and invite.
    BookingsWrite,
    /// See who was in a conference and what happened.
    ConferencesRead,
    /// See who is in a conference now, and what happens.
    LiveRead,
    /// Mute, let in, lock, disconnect, end.
    LiveAct,
    /// See usage, and the audit log.
    ReportsRead,
    /// See the users of the portal.
    UsersRead,
    /// Make users, give them roles, shut them out.
    UsersWrite,
    /// See tokens of programs.
    TokensRead,
    /// Make tokens that may do no more, and revoke them.
    TokensWrite,
    /// See what guards the PINs, and the odds of guessing one.
    PoliciesRead,
    /// End consent after an alarm.
    PoliciesWrite,
    /// See webhooks, and what they were told.
    WebhooksRead,
    /// Have addresses told of what happens.
    WebhooksWrite,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::AccountsRead,
        Self::AccountsWrite,
        Self::BookingsRead,
        Self::BookingsWrite,
        Self::ConferencesRead,
        Self::LiveRead,
        Self::LiveAct,
        Self::ReportsRead,
        Self::UsersRead,
        Self::UsersWrite,
        Self::TokensRead,
        Self::TokensWrite,
        Self::PoliciesRead,
        Self::PoliciesWrite,
        Self::WebhooksRead,
        Self::WebhooksWrite,
    ];

    /// As it is written: `accounts:read`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::AccountsRead => "accounts:read",
            Self::AccountsWrite => "accounts:write",
            Self::BookingsRead => "bookings:read",
            Self::BookingsWrite => "bookings:write",
            Self::ConferencesRead => "conferences:read",
            Self::LiveRead => "live:read",
            Self::LiveAct => "live:act",
            Self::ReportsRead => "reports:read",
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
            Self::TokensRead => "tokens:read",
            Self::TokensWrite => "tokens:write",
            Self::PoliciesRead => "policies:read",
            Self::PoliciesWrite => "policies:write",
            Self::WebhooksRead => "webhooks:read",
            Self::WebhooksWrite => "webhooks:write",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// Why that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no scope: there are {all}", all = Scope::ALL.map(Scope::word).join(", "))]
pub struct NoScope(String);

impl FromStr for Scope {
    type Err = NoScope;

    fn from_str(word: &str) -> Result<Self, NoScope> {
        let found = Self::ALL.into_iter().find(|scope| scope.word() == word);
        found.ok_or_else(|| NoScope(word.to_owned()))
    }
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiToken {
    /// In whose name the program acts.
    pub user: UserId,
    /// What the user calls it: 1 to 100 printable characters on one line.
    pub name: String,
    /// What it is found by.
    pub token: TokenHash,
    /// What the program may do.
    pub scopes: Vec<Scope>,
    /// When it is good for nothing any more.
    pub ends: Option<DateTime<Utc>>,
}

/// A token of a program, as it is listed: what proves it is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiToken {
    /// Its number.
    pub id: ApiTokenId,
    /// In whose name the program acts. Not serialized: it is part of what is kept of that user.
    #[serde(skip)]
    pub user: User,
    /// What the user calls it.
    pub name: String,
    /// What the program may do, as far as its user may.
    pub scopes: Vec<Scope>,
    /// Since when it is there.
    pub made: DateTime<Utc>,
    /// When it was last noted to be used.
    pub used: Option<DateTime<Utc>>,
    /// When it is good for nothing any more.
    pub ends: Option<DateTime<Utc>>,
}

/// Makes what is asked for at most once: who asks again with the same key is told what was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Once {
    /// Who asks; each has keys of their own.
    pub user: UserId,
    /// The key, hashed.
    pub key: TokenHash,
    /// What is asked for, hashed: another request under the same key is a mistake.
    pub request: TokenHash,
}

/// What was made under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// What had been asked for.
    pub request: TokenHash,
    /// The number of what was made.
    pub made: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_was_written() {
        for scope in Scope::ALL {
            assert_eq!(scope.word().parse(), Ok(scope));
        }
        let error = "accounts".parse::<Scope>().unwrap_err().to_string();
        assert!(error.contains("'accounts'") && error.contains("accounts:read, accounts:write"));
    }
}
