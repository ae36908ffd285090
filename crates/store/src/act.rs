//! Who did something, and when.

use chrono::{DateTime, Utc};

use crate::Once;

/// What an operator does: who it is and when it happens, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Who: the name of a user of the portal, or of the machine for its command line (`root@bridge1`).
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What is made by it is made at most once: a second time is [`Repeated`](crate::StoreError::Repeated). For
    /// accounts, bookings, users, tokens and webhooks.
    pub once: Option<Once>,
}

impl Act {
    /// An act of `by`.
    pub fn new(by: impl Into<String>, at: DateTime<Utc>) -> Self {
        Self {
            by: by.into(),
            at,
            once: None,
        }
    }

    /// The same, to be done at most once.
    pub fn once(self, once: Option<Once>) -> Self {
        Self { once, ..self }
    }
}

/// A part of a long list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only what comes after the row of this number; 0 for the first page.
    pub after: u64,
    /// So many at most.
    pub limit: u32,
}

impl Page {
    /// The longest page.
    pub const MOST: u32 = 100_000;

    /// The first `limit` of a list.
    pub fn first(limit: u32) -> Self {
        Self { after: 0, limit }
    }

    /// As much as a page holds.
    pub fn all() -> Self {
        Self::first(Self::MOST)
    }

    pub(crate) fn limit(self) -> i64 {
        i64::from(self.limit.min(Self::MOST))
    }
}
