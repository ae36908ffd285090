//! The one index of everybody's next deadline, so that no event costs a walk over all calls.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use conclave_accounts::CallId;
use conclave_conference::ConferenceId;

/// What the machine waits for; each call and each conference has at most one of them in the index, its next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timer {
    /// The end of a prompt may have been lost.
    Prompt,
    /// The caller hasn't begun to type a PIN.
    FirstDigit,
    /// The caller has ceased to type a PIN.
    NextDigit,
    /// The verdict on a PIN may have been lost.
    Verdict,
    /// The verdict is there, its time has not come.
    Answer,
    /// The answer of a name's recording may have been lost.
    Recording,
    /// The second key after a `*` or a `#` hasn't come.
    Keys,
    /// A silent line hasn't answered the question whether it is still there.
    Probe,
    /// One of a conference's own.
    Conference(conclave_conference::Timer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Call(CallId),
    Conference(ConferenceId),
}

/// Each owner's next deadline, by time and by owner.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    by_time: BTreeMap<(DateTime<Utc>, Owner), Timer>,
    by_owner: BTreeMap<Owner, DateTime<Utc>>,
}

impl Deadlines {
    /// Puts `next` in the place of whatever the owner waited for.
    pub(crate) fn set(&mut self, owner: Owner, next: Option<(DateTime<Utc>, Timer)>) {
        let before = match next {
            Some((at, _)) => self.by_owner.insert(owner, at),
            None => self.by_owner.remove(&owner),
        };
        if let Some(at) = before {
            self.by_time.remove(&(at, owner));
        }
        if let Some((at, timer)) = next {
            self.by_time.insert((at, owner), timer);
        }
    }

    pub(crate) fn first(&self) -> Option<(DateTime<Utc>, Timer)> {
        let (&(at, _), &timer) = self.by_time.first_key_value()?;
        Some((at, timer))
    }

    /// Who is due, in the order of their deadlines.
    pub(crate) fn due(&self, now: DateTime<Utc>) -> Vec<Owner> {
        let due = self.by_time.keys().take_while(|(at, _)| *at <= now);
        due.map(|&(_, owner)| owner).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_has_one_deadline_and_the_first_comes_first() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let (one, two) = (Owner::Call(CallId(1)), Owner::Call(CallId(2)));
        let mut deadlines = Deadlines::default();
        deadlines.set(one, Some((at(10), Timer::FirstDigit)));
        deadlines.set(two, Some((at(5), Timer::Probe)));
        assert_eq!(deadlines.first(), Some((at(5), Timer::Probe)));
        deadlines.set(one, Some((at(3), Timer::NextDigit)));
        assert_eq!(deadlines.first(), Some((at(3), Timer::NextDigit)));
        assert_eq!(deadlines.due(at(4)), [one]);
        assert_eq!(deadlines.due(at(10)), [one, two]);
        deadlines.set(one, None);
        deadlines.set(two, None);
        assert_eq!(deadlines.first(), None);
        assert!(deadlines.by_owner.is_empty());
    }
}
