use chrono::{DateTime, Utc};

use crate::{AccountId, Attempt, Door, Guess, Notice, Pin, Source, SourceKey};

/// A PIN that was looked up and is to be judged by a [`Doorkeeper`](crate::Doorkeeper). Holds
/// neither the PIN nor the caller's number.
#[derive(Clone, Debug)]
pub struct Inquiry {
    pub(crate) source: SourceKey,
    pub(crate) attempt: Attempt,
    pub(crate) door: Option<Door>,
    pub(crate) now: DateTime<Utc>,
}

impl Inquiry {
    /// What a caller typed, and what came of looking it up. `found` is the door that the store
    /// has behind this very PIN, `bound` the account that the dialled number belongs to, if it is
    /// bound to one.
    pub fn new(
        source: &Source,
        pin: &Pin,
        found: Option<Door>,
        bound: Option<AccountId>,
        now: DateTime<Utc>,
    ) -> Self {
        let check_digit = pin.has_check_digit();
        let attempt = match &found {
            Some(door) if door.is_open(now) && bound.is_none_or(|bound| bound == door.account) => {
                Attempt::Opens {
                    known: door.known && source.number.is_some(),
                    check_digit,
                }
            }
            Some(_) => Attempt::Closed,
            None if check_digit => Attempt::Wrong,
            None => Attempt::Mistyped,
        };
        Self {
            source: source.into(),
            attempt,
            door: found,
            now,
        }
    }

    /// What must be written to the log before the answer is given; `None` where the PIN opens a
    /// door.
    pub fn notice(&self) -> Option<Notice> {
        let kind = match self.attempt {
            Attempt::Opens { .. } => return None,
            Attempt::Closed => Guess::Closed,
            Attempt::Wrong => Guess::Wrong,
            Attempt::Mistyped => Guess::Mistyped,
        };
        Some(Notice::Guess {
            source: self.source,
            kind,
            at: self.now,
        })
    }
}
