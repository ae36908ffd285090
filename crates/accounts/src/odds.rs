use std::collections::BTreeMap;

use crate::{LONGEST_PIN, Pin, SHORTEST_PIN};

/// Every PIN that would be recognised, by length and by whether it has its check digit: host and
/// guest of every account and booking, and every invitee.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doors(BTreeMap<(u8, bool), u64>);

impl Doors {
    /// Counts `count` PINs of `digits` digits, check digit included.
    pub fn add(&mut self, digits: u8, check_digit: bool, count: u64) {
        let doors = self.0.entry((digits, check_digit)).or_default();
        *doors = doors.saturating_add(count);
    }

    /// Counts one PIN.
    pub fn add_pin(&mut self, pin: &Pin) {
        self.add(pin.len(), pin.has_check_digit(), 1);
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.0
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The chance that one random string of the kind hits a door, and of which length, for the
    /// length that a guesser would choose.
    fn best(&self, check_digit: bool) -> Option<(f64, u8)> {
        let kind = self
            .0
            .iter()
            .filter(|((_, checked), _)| *checked == check_digit);
        kind.map(|((digits, _), count)| (*count as f64 / strings(*digits, check_digit), *digits))
            .max_by(|a, b| a.0.total_cmp(&b.0))
    }
}

/// How many strings of that length have a right check digit, or a wrong one.
fn strings(digits: u8, check_digit: bool) -> f64 {
    let free = f64::from(digits.clamp(SHORTEST_PIN, LONGEST_PIN)) - 1.0;
    10f64.powf(free) * if check_digit { 1.0 } else { 9.0 }
}
