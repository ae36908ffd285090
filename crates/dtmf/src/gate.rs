use core::time::Duration;

use crate::Digit;

/// How a digit came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// As an RTP event (RFC 4733).
    Event,
    /// In a SIP INFO request.
    Info,
    /// As a tone in the audio.
    Tone,
}

/// Lets each pressed digit of a leg through once, whichever ways it came.
///
/// Gateways negotiate `telephone-event` and then send tones all the same, and some send tones and
/// INFO for one press. So each way counts until the first event has come; from then on events alone
/// do. Until then a digit that comes by a second way within [`DigitGate::SAME_PRESS`] of the first
/// is the same press; the same digit by the same way is a second press.
///
/// ```
/// use conclave_dtmf::{Digit, DigitGate, Way};
/// use core::time::Duration;
///
/// let (mut gate, five) = (DigitGate::new(), Digit::new('5').unwrap());
/// let ms = Duration::from_millis;
/// assert_eq!(gate.accept(Way::Tone, five, ms(40)), Some(five));
/// assert_eq!(gate.accept(Way::Info, five, ms(150)), None); // the same press again
/// assert_eq!(gate.accept(Way::Tone, five, ms(300)), Some(five)); // pressed twice
/// ```
#[derive(Clone, Debug, Default)]
pub struct DigitGate {
    events_only: bool,
    /// The presses let through last, oldest first from `next`.
    recent: [Option<Press>; RECENT],
    next: usize,
}

/// A press that was let through. `Debug` hides the digit.
#[derive(Clone, Copy, Debug)]
struct Press {
    digit: Digit,
    at: Duration,
    /// A bit for each way that it has come.
    ways: u8,
}

/// More presses than fingers make within [`DigitGate::SAME_PRESS`].
const RECENT: usize = 16;

impl DigitGate {
    /// How far apart one press may come by two ways: INFO waits for the key's release, and for a
    /// retransmission where its first datagram is lost.
    pub const SAME_PRESS: Duration = Duration::from_secs(1);

    /// A gate that has seen nothing yet.
    pub const fn new() -> Self {
        DigitGate {
            events_only: false,
            recent: [None; RECENT],
            next: 0,
        }
    }

    /// Takes a digit that came by `way` at `at`; returns it if it is a press of its own.
    pub fn accept(&mut self, way: Way, digit: Digit, at: Duration) -> Option<Digit> {
        if self.events_only && way != Way::Event {
            return None;
        }
        self.events_only = way == Way::Event;
        // Compared even where events alone count: the press of the first one may have come before
        // it as a tone.
        if self.seen_by_another(way, digit, at) {
            return None;
        }
        self.remember(way, digit, at);
        Some(digit)
    }

    /// Finds the oldest recent press of this digit that has not come by `way` yet, and marks that it has.
    fn seen_by_another(&mut self, way: Way, digit: Digit, at: Duration) -> bool {
        let oldest_first = (0..RECENT).map(|offset| (self.next + offset) % RECENT);
        for slot in oldest_first {
            if let Some(press) = &mut self.recent[slot]
                && press.digit == digit
                && press.ways & bit(way) == 0
                && at.abs_diff(press.at) < Self::SAME_PRESS
            {
                press.ways |= bit(way);
                return true;
            }
        }
        false
    }

    fn remember(&mut self, way: Way, digit: Digit, at: Duration) {
        self.recent[self.next] = Some(Press {
            digit,
            at,
            ways: bit(way),
        });
        self.next = (self.next + 1) % RECENT;
    }
}

const fn bit(way: Way) -> u8 {
    match way {
        Way::Event => 1,
        Way::Info => 2,
        Way::Tone => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Way::{Event, Info, Tone};
    use std::string::String;

    fn check(input: &[(Way, char, u64)], expected: &str) {
        let mut gate = DigitGate::new();
        let got: String = input
            .iter()
            .filter_map(|&(way, key, ms)| {
                gate.accept(way, Digit::new(key).unwrap(), Duration::from_millis(ms))
            })
            .map(Digit::as_char)
            .collect();
        assert_eq!(got, expected, "{input:?}");
    }

    #[test]
    fn each_way_counts_until_the_first_event() {
        check(&[(Tone, '1', 0), (Info, '2', 500), (Tone, '3', 900)], "123");
        check(
            &[
                (Tone, '1', 0),
                (Event, '2', 500),
                (Tone, '3', 900),
                (Info, '4', 990),
            ],
            "12",
        );
    }

    #[test]
    fn one_press_by_two_ways_counts_once() {
        check(&[(Tone, '1', 0), (Info, '1', 200)], "1");
        check(&[(Info, '1', 0), (Tone, '1', 30), (Event, '1', 60)], "1");
        check(
            &[
                (Tone, '1', 0),
                (Event, '1', 30),
                (Tone, '1', 200),
                (Event, '1', 210),
            ],
            "11",
        );
        check(&[(Event, '1', 0), (Tone, '1', 30), (Info, '1', 60)], "1");
    }

    #[test]
    fn a_repeated_digit_counts_twice() {
        check(&[(Tone, '#', 0), (Tone, '#', 150)], "##");
        check(
            &[
                (Tone, '#', 0),
                (Tone, '#', 150),
                (Info, '#', 200),
                (Info, '#', 350),
            ],
            "##",
        );
        check(
            &[
                (Tone, '#', 0),
                (Info, '#', 100),
                (Tone, '#', 200),
                (Info, '#', 300),
            ],
            "##",
        );
        check(
            &[(Event, '#', 0), (Event, '#', 150), (Event, '#', 300)],
            "###",
        );
        // Further apart than one press can come: two presses, each lost on the other's way.
        check(&[(Tone, '#', 0), (Info, '#', 1500)], "##");
    }
}
