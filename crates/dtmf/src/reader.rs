use core::time::Duration;

use crate::keymap::Keys;
use crate::{Digit, KeyCommand, KeyMap};

/// How long after `*` (or any other first key) the next one may come.
pub const KEY_WAIT: Duration = Duration::from_secs(3);
/// How long after `#` the second `#` may come.
pub const HASH_WAIT: Duration = Duration::from_secs(2);
/// How long `#` is ignored after a PIN or a name has ended: people press it after the last digit.
pub const HASH_GUARD: Duration = Duration::from_secs(2);

/// What the keys of a caller amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPress {
    /// A command of the map. Whether this caller may give it is the conference's to say.
    Command(KeyCommand),
    /// `*` that acts alone, at once: the answer that a prompt was waiting for.
    Star,
    /// `*` after which no second key came in time.
    StarAlone,
}

/// Makes commands of the digits of one leg.
///
/// Call [`press`](Self::press) for each digit and [`handle_timeout`](Self::handle_timeout) when
/// [`deadline`](Self::deadline) has come. Digits that make no command are dropped; one that could begin a
/// command after others that came to nothing does begin it.
///
/// `Debug` shows no digit: what was typed may be part of a PIN.
#[derive(Clone, Debug)]
pub struct KeyReader {
    pending: Pending,
    since: Duration,
    no_hash_until: Duration,
}

#[derive(Clone)]
struct Pending(Keys);

impl core::fmt::Debug for Pending {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Pending({} keys)", self.0.as_slice().len())
    }
}

impl KeyReader {
    /// A reader to which nothing was pressed yet.
    pub const fn new() -> Self {
        KeyReader {
            pending: Pending(Keys::EMPTY),
            since: Duration::ZERO,
            no_hash_until: Duration::ZERO,
        }
    }

    /// Takes the digit pressed at `at`. With `star_acts_alone` (a prompt waits for a word from this
    /// caller) `*` is a press of its own, at once, and used up; what was pressed before it is dropped.
    pub fn press(
        &mut self,
        map: &KeyMap,
        digit: Digit,
        at: Duration,
        star_acts_alone: bool,
    ) -> Option<KeyPress> {
        if digit == Digit::HASH && at < self.no_hash_until {
            return None;
        }
        if digit == Digit::STAR && star_acts_alone {
            self.clear();
            return Some(KeyPress::Star);
        }
        if self.deadline().is_some_and(|deadline| at >= deadline) {
            self.clear();
        }
        let joined = self
            .pending
            .0
            .with(digit)
            .and_then(|keys| self.enter(map, keys, at));
        match joined {
            Some(outcome) => outcome,
            None => {
                self.clear();
                let alone = Keys::EMPTY.with(digit)?;
                self.enter(map, alone, at).flatten()
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, if keys are waiting for more.
    pub fn deadline(&self) -> Option<Duration> {
        let wait = match self.pending.0.as_slice() {
            [] => return None,
            [.., last] if *last == Digit::HASH => HASH_WAIT,
            _ => KEY_WAIT,
        };
        Some(self.since.saturating_add(wait))
    }

    /// Time has come to `at`. Keys that waited too long for more are dropped; `*` alone is reported.
    pub fn handle_timeout(&mut self, at: Duration) -> Option<KeyPress> {
        if self.deadline().is_none_or(|deadline| at < deadline) {
            return None;
        }
        let star = self.pending.0.as_slice() == [Digit::STAR];
        self.clear();
        star.then_some(KeyPress::StarAlone)
    }

    /// `#` is ignored until `until`, and what was pressed before is dropped. For when a PIN or a name
    /// has ended, however it ended: `until` is then that time plus [`HASH_GUARD`].
    pub fn ignore_hash_until(&mut self, until: Duration) {
        self.clear();
        self.no_hash_until = self.no_hash_until.max(until);
    }

    /// Drops what is waiting for more keys.
    pub fn clear(&mut self) {
        self.pending = Pending(Keys::EMPTY);
    }

    /// `Some` if `keys` mean something: a command, or the beginning of one (`Some(None)`).
    fn enter(&mut self, map: &KeyMap, keys: Keys, at: Duration) -> Option<Option<KeyPress>> {
        if let Some(binding) = map.lookup(keys.as_slice()) {
            self.clear();
            return Some(Some(KeyPress::Command(binding.command)));
        }
        // `*` waits even where the map has no use for it, so that it can be reported alone.
        if map.is_begun_by(&keys) || keys.as_slice() == [Digit::STAR] {
            self.pending = Pending(keys);
            self.since = at;
            return Some(None);
        }
        None
    }
}

impl Default for KeyReader {
    fn default() -> Self {
        Self::new()
    }
}
