//! The times and counts of a caller's journey.

use std::time::Duration;

/// How long and how often a caller is waited for. The defaults are the product's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// From the end of the prompt to the first digit of a PIN. Who types nothing has used up a try.
    pub first_digit: Duration,
    /// After a digit of a PIN: then it is taken as complete.
    pub next_digit: Duration,
    /// PINs that a caller may try before the goodbye; at least 1.
    pub tries: u8,
    /// From the end of a PIN to any answer that refuses it, however fast it was judged: how long storage
    /// took for it is not to be heard.
    pub refusal: Duration,
    /// After the end of a PIN or a name, in which `#` is ignored.
    pub hash_ignored: Duration,
    /// How often a caller is asked for the name before it is unnamed; at least 1.
    pub name_takes: u8,
    /// Guards the judging of a PIN: a lost verdict uses up a try and the PIN is asked for again.
    pub verdict: Duration,
    /// Guards the tone before a name and then its recording (5 s at most) against a lost answer: the caller
    /// is then unnamed.
    pub recording: Duration,
    /// Guards a prompt against a lost [`Event::PlayEnded`](crate::Event::PlayEnded); longer than any prompt.
    pub prompt: Duration,
    /// Guards the question to a silent line: without an answer it counts as dead.
    pub probe: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            first_digit: Duration::from_secs(10),
            next_digit: Duration::from_secs(5),
            tries: 3,
            refusal: Duration::from_millis(500),
            hash_ignored: Duration::from_secs(2),
            name_takes: 2,
            verdict: Duration::from_secs(10),
            recording: Duration::from_secs(8),
            prompt: Duration::from_secs(60),
            probe: Duration::from_secs(10),
        }
    }
}
