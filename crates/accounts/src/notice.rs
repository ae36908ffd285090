use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use crate::{AccountId, ConferenceKey, Role, Source};

/// Something that changes what a [`Doorkeeper`](crate::Doorkeeper) knows, in a form that a store
/// can keep and tell other bridges. Holds no PIN and no caller's number.
///
/// Its JSON is stored: a field may be added, none may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Somebody typed a PIN that opens no door now.
    Guess {
        /// From where.
        source: SourceKey,
        /// What it was.
        kind: Guess,
        /// When, by the clock of the bridge that was called.
        at: DateTime<Utc>,
    },
    /// A right PIN was recognised while consent was on.
    Touched {
        /// Which conference its door leads to.
        conference: ConferenceKey,
        /// As what.
        role: Role,
        /// Whose account.
        account: AccountId,
        /// A booking's end, after which it is no door any more.
        ends: Option<DateTime<Utc>>,
        /// When.
        at: DateTime<Utc>,
    },
    /// A human let that caller in, once: the PIN was not guessed.
    Vouched {
        /// Which conference.
        conference: ConferenceKey,
        /// As what.
        role: Role,
        /// When.
        at: DateTime<Utc>,
    },
    /// The PIN of that door was changed, or an operator knows better.
    Released {
        /// Which conference.
        conference: ConferenceKey,
        /// As what.
        role: Role,
        /// When.
        at: DateTime<Utc>,
    },
    /// An operator ended consent.
    ConsentEnded {
        /// When.
        at: DateTime<Utc>,
    },
}

impl Notice {
    /// When it happened, by the clock of the bridge that wrote it.
    pub fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Guess { at, .. }
            | Self::Touched { at, .. }
            | Self::Vouched { at, .. }
            | Self::Released { at, .. }
            | Self::ConsentEnded { at } => *at,
        }
    }

    /// The same, no earlier than `latest`.
    pub(crate) fn no_earlier_than(mut self, latest: DateTime<Utc>) -> Self {
        match &mut self {
            Self::Guess { at, .. }
            | Self::Touched { at, .. }
            | Self::Vouched { at, .. }
            | Self::Released { at, .. }
            | Self::ConsentEnded { at } => *at = latest.max(*at),
        }
        self
    }
}

/// What a PIN that opened no door turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guess {
    /// It is nobody's, though well-formed.
    Wrong,
    /// It is nobody's and its check digit is wrong.
    Mistyped,
    /// It is some door's that doesn't open now.
    Closed,
}

/// A source as the watch on guessing knows it: a hash of trunk and number, short whatever a
/// hostile From header held.
///
/// It keeps numbers out of sight and is no secret: there are few enough numbers to try them all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey([u8; 16]);

impl From<&Source> for SourceKey {
    fn from(source: &Source) -> Self {
        let mut hash = Sha256::new();
        hash.update((source.trunk.len() as u64).to_be_bytes());
        hash.update(&source.trunk);
        if let Some(number) = &source.number {
            hash.update([1]);
            hash.update(number);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Self(key)
    }
}

impl fmt::Debug for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceKey({:032x})", u128::from_be_bytes(self.0))
    }
}

impl Serialize for SourceKey {
    /// 32 hexadecimal digits.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", u128::from_be_bytes(self.0)))
    }
}

impl<'de> Deserialize<'de> for SourceKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let key = u128::from_str_radix(&text, 16)
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| de::Error::custom("a source's key has 32 hexadecimal digits"))?;
        Ok(Self(key.to_be_bytes()))
    }
}
