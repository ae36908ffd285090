use std::collections::BTreeMap;
use std::fmt;

use crate::{LONGEST_PIN, Pin, PinPolicy, Role, SHORTEST_PIN};

/// Every PIN that would be recognised, by length and by whether it has its check digit: host and
/// guest of every account and booking, and every invitee.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doors(BTreeMap<(u8, bool), u64>);

impl Doors {
    /// Counts `count` PINs of `digits` digits, check digit included. `check_digit` is whether
    /// their last digit is a right one, be it by chance.
    pub fn add(&mut self, digits: u8, check_digit: bool, count: u64) {
        let digits = digits.clamp(SHORTEST_PIN, LONGEST_PIN);
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

    /// The same, had every PIN shorter than `digits` been drawn that long.
    fn lengthened(&self, digits: u8) -> Self {
        let mut doors = Self::default();
        for (&(len, check_digit), &count) in &self.0 {
            if len < digits {
                doors.add(digits, true, count);
            } else {
                doors.add(len, check_digit, count);
            }
        }
        doors
    }

    /// The chance that one random string of the kind hits a door, for the length that a guesser
    /// would choose.
    fn hit(&self, check_digit: bool) -> f64 {
        self.0
            .iter()
            .filter(|((_, kind), _)| *kind == check_digit)
            .map(|((digits, kind), count)| *count as f64 / strings(*digits, *kind))
            .fold(0.0, f64::max)
            .min(1.0)
    }
}

/// How many strings of `digits` digits have a right check digit, or a wrong one.
fn strings(digits: u8, check_digit: bool) -> f64 {
    10f64.powi(i32::from(digits) - 1) * if check_digit { 1.0 } else { 9.0 }
}

/// How likely a day (any 24 hours) of guessing opens a door without a human's consent.
///
/// What the guesser is taken to do and to know:
///
/// - They know all of this code, every length in use and how the check digit is made, so no guess
///   is wasted on a mistyped string: one guess hits one of `doors / 10^(digits - 1)`.
/// - They choose the length at which that is best. One guess is one whole PIN: nothing matches by
///   its beginning.
/// - They have any number of lines, and a fresh caller number for every guess. Neither buys more
///   than [`ceiling`](PinPolicy::ceiling) guesses in any 24 hours: the ceiling is the bridge's,
///   and the last guess before it is as good as the first.
/// - PINs without a check digit (migrated ones) are guessed by strings that count as typing
///   errors, of which [`typing_ceiling`](PinPolicy::typing_ceiling) a day are answered without
///   consent. People chose them: the odds take them for random, [`Pin::is_guessable`] refuses the
///   plainest patterns.
/// - Every PIN is a door, though a closed one opens later at most: odds are never too low for it.
/// - Right PINs recognised *during* consent are of no use after it (see
///   [`Doorkeeper`](crate::Doorkeeper)), unless the guesser also knows and forges a number that
///   opened that very account in the last 90 days. Caller numbers authenticate nobody; that case
///   is [`if_number_known`](Self::if_number_known), apart from the odds because it begins with
///   knowledge of who calls whom.
/// - An operator who ends consent by hand gives the guesser another ceiling's worth that day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Odds {
    chance: f64,
    doors_a_day: f64,
    bearable: f64,
}

impl Odds {
    /// The odds under a policy with these doors.
    pub fn of(policy: &PinPolicy, doors: &Doors) -> Self {
        let guesses = [
            (doors.hit(true), f64::from(policy.ceiling)),
            (doors.hit(false), f64::from(policy.typing_ceiling)),
        ];
        // Logarithms, because 1 - (1 - 1e-11)^100 is nothing but rounding.
        let none: f64 = guesses
            .iter()
            .filter(|(_, tries)| *tries > 0.0)
            .map(|(hit, tries)| tries * (-hit).ln_1p())
            .sum();
        Self {
            chance: -none.exp_m1(),
            // Right guesses are not counted as wrong ones.
            doors_a_day: guesses
                .iter()
                .map(|(hit, tries)| tries * hit / (1.0 - hit))
                .sum(),
            bearable: policy.odds,
        }
    }

    /// The chance that a day of guessing opens at least one door, 0 to 1.
    pub fn chance(&self) -> f64 {
        self.chance
    }

    /// How many doors a guesser opens a day on average, who guesses every day as often as the
    /// ceilings let them.
    pub fn doors_a_day(&self) -> f64 {
        self.doors_a_day
    }

    /// Whether the policy bears them.
    pub fn is_bearable(&self) -> bool {
        self.chance <= self.bearable
    }

    /// The chance that a day of `guesses` guesses finds the PIN of `digits` digits (with a check
    /// digit) of one account, for a guesser who can forge a number that is known to that account:
    /// to them consent is no obstacle, and the ceiling is an alarm that they hear of too late.
    ///
    /// 30 lines at 2 s a guess make 1.3 million guesses a day.
    pub fn if_number_known(digits: u8, guesses: u64) -> f64 {
        let hit = 1.0 / strings(digits.clamp(SHORTEST_PIN, LONGEST_PIN), true);
        -(guesses as f64 * (-hit).ln_1p()).exp_m1()
    }
}

impl fmt::Display for Odds {
    /// `1 in 10000 a day`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.chance > 0.0 {
            write!(f, "1 in {:.0} a day", (1.0 / self.chance).floor())
        } else {
            f.write_str("none")
        }
    }
}

/// Why a policy can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// A length outside 4 to 16.
    #[error("{0} PINs have {SHORTEST_PIN} to {LONGEST_PIN} digits, not {1}")]
    Digits(Role, u8),
    /// Bearable odds that are no chance between 0 and 1.
    #[error("the bearable odds are a chance above 0 and at most 1")]
    Odds,
    /// No room to remember a source.
    #[error("at least one source has to be remembered")]
    Sources,
    /// New PINs of a role would be too short even if there were only one of them.
    #[error("{role} PINs of {digits} digits open too easily, {}", would_do(*.needed))]
    TooShort {
        /// Whose PINs.
        role: Role,
        /// The policy's length.
        digits: u8,
        /// The length that would do, if one does.
        needed: Option<u8>,
    },
    /// A day of guessing is too likely to open one of the doors that there are.
    #[error(
        "the odds that a day of guessing opens a door are {odds}, {}",
        would_do(*.needed)
    )]
    TooLikely {
        /// What they are.
        odds: Odds,
        /// The length that would do, if one does, were all shorter PINs drawn anew.
        needed: Option<u8>,
    },
}

/// Why a PIN that somebody brought can't be taken. Never says which PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPin {
    /// A run or a repetition, which people try first.
    #[error("this PIN is a pattern that people try first")]
    Guessable,
    /// With it a day of guessing would be too likely to open a door.
    #[error("this PIN opens too easily; of drawn ones, {}", would_do(*.needed))]
    TooShort {
        /// The length, as long at least, that would do for a drawn one, if one does.
        needed: Option<u8>,
    },
}

fn would_do(needed: Option<u8>) -> String {
    match needed {
        Some(digits) => format!("{digits} digits would do"),
        None => "no length would do under these ceilings".to_owned(),
    }
}

impl PinPolicy {
    /// Whether the policy makes sense and keeps the odds with the doors that there are. To be
    /// asked at start.
    pub fn check(&self, doors: &Doors) -> Result<Odds, PolicyError> {
        if !(self.odds > 0.0 && self.odds <= 1.0) {
            return Err(PolicyError::Odds);
        }
        if self.sources == 0 {
            return Err(PolicyError::Sources);
        }
        for role in [Role::Guest, Role::Host] {
            let digits = self.digits(role);
            if !(SHORTEST_PIN..=LONGEST_PIN).contains(&digits) {
                return Err(PolicyError::Digits(role, digits));
            }
            let needed = self.room_for(&Doors::default(), SHORTEST_PIN);
            if needed.is_none_or(|needed| digits < needed) {
                return Err(PolicyError::TooShort {
                    role,
                    digits,
                    needed,
                });
            }
        }
        let odds = Odds::of(self, doors);
        if odds.is_bearable() {
            return Ok(odds);
        }
        let needed = (SHORTEST_PIN..=LONGEST_PIN)
            .find(|digits| Odds::of(self, &doors.lengthened(*digits)).is_bearable());
        Err(PolicyError::TooLikely { odds, needed })
    }

    /// How long the next PIN of a role is to be drawn: the policy's length, or longer where there
    /// are so many doors of that length that one more would spoil the odds. `None` if even 16
    /// digits would.
    pub fn digits_for(&self, role: Role, doors: &Doors) -> Option<u8> {
        self.room_for(doors, self.digits(role).max(SHORTEST_PIN))
    }

    /// Whether a PIN that somebody brought (a migrated one) may be taken into use beside `doors`.
    pub fn accept(&self, pin: &Pin, doors: &Doors) -> Result<(), WeakPin> {
        if pin.is_guessable() {
            return Err(WeakPin::Guessable);
        }
        let mut with_it = doors.clone();
        with_it.add_pin(pin);
        if Odds::of(self, &with_it).is_bearable() {
            return Ok(());
        }
        let needed = self.room_for(doors, pin.len());
        Err(WeakPin::TooShort { needed })
    }

    fn digits(&self, role: Role) -> u8 {
        match role {
            Role::Host => self.host_digits,
            Role::Guest => self.guest_digits,
        }
    }

    /// The shortest length from `least` at which one more drawn PIN keeps the odds.
    fn room_for(&self, doors: &Doors, least: u8) -> Option<u8> {
        (least..=LONGEST_PIN).find(|digits| {
            let mut with_it = doors.clone();
            with_it.add(*digits, true, 1);
            Odds::of(self, &with_it).is_bearable()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors(of: &[(u8, bool, u64)]) -> Doors {
        let mut doors = Doors::default();
        for &(digits, check_digit, count) in of {
            doors.add(digits, check_digit, count);
        }
        doors
    }

    fn chance(of: &[(u8, bool, u64)], policy: &PinPolicy) -> f64 {
        Odds::of(policy, &doors(of)).chance()
    }

    #[track_caller]
    fn about(got: f64, expected: f64) {
        assert!(
            (got / expected - 1.0).abs() < 1e-3,
            "{got} is not {expected}"
        );
    }

    #[test]
    fn computed_by_hand() {
        let policy = PinPolicy::default();
        // 100 guesses at 1000 of 10^9 strings; the hosts' 12 digits are no better to guess.
        about(chance(&[(10, true, 1000), (12, true, 1000)], &policy), 1e-4);
        assert!(Odds::of(&policy, &doors(&[(10, true, 1000)])).is_bearable());
        assert!(!Odds::of(&policy, &doors(&[(10, true, 1001)])).is_bearable());
        // Typing errors are a thousand guesses at 9 * 10^9 strings.
        about(chance(&[(10, false, 90)], &policy), 1e-5);
        // A guesser has both in a day.
        about(chance(&[(10, true, 500), (10, false, 90)], &policy), 6e-5);
        // The best length counts, not the sum over lengths.
        about(chance(&[(8, true, 10), (10, true, 10)], &policy), 1e-4);
        assert_eq!(chance(&[], &policy), 0.0);
        let always = PinPolicy {
            ceiling: 0,
            ..policy.clone()
        };
        assert_eq!(chance(&[(4, true, 1000)], &always), 0.0);
        // More doors than strings: a door at once, not a number above one.
        assert_eq!(chance(&[(4, true, 5000)], &policy), 1.0);
    }

    #[test]
    fn a_forged_known_number_is_another_matter() {
        about(Odds::if_number_known(10, 1_300_000), 1.3e-3);
        about(Odds::if_number_known(13, 1_300_000), 1.3e-6);
    }

    #[test]
    fn a_bad_policy_is_refused_with_the_length_that_would_do() {
        let none = Doors::default();
        let policy = PinPolicy::default();
        assert!(
            policy
                .check(&doors(&[(10, true, 1000), (12, true, 1000)]))
                .is_ok()
        );

        let short = PinPolicy {
            guest_digits: 6,
            ..policy.clone()
        };
        let refused = short.check(&none).unwrap_err();
        assert_eq!(
            refused,
            PolicyError::TooShort {
                role: Role::Guest,
                digits: 6,
                needed: Some(7)
            }
        );
        assert_eq!(
            refused.to_string(),
            "guest PINs of 6 digits open too easily, 7 digits would do"
        );

        let lenient = PinPolicy {
            ceiling: 1000,
            ..policy.clone()
        };
        let many = doors(&[(10, true, 1000), (12, true, 1000)]);
        let refused = lenient.check(&many).unwrap_err().to_string();
        let expected =
            "the odds that a day of guessing opens a door are 1 in 1000 a day, 11 digits would do";
        assert_eq!(refused, expected);
        assert!(lenient.check(&many.lengthened(11)).is_ok());
        // What would not do is not named.
        assert!(lenient.check(&many.lengthened(10)).is_err());

        let hopeless = PinPolicy {
            odds: 1e-16,
            ..policy.clone()
        };
        let refused = hopeless.check(&none).unwrap_err().to_string();
        assert!(
            refused.ends_with("no length would do under these ceilings"),
            "{refused}"
        );

        for (bad, expected) in [
            (
                PinPolicy {
                    host_digits: 3,
                    ..policy.clone()
                },
                PolicyError::Digits(Role::Host, 3),
            ),
            (
                PinPolicy {
                    guest_digits: 17,
                    ..policy.clone()
                },
                PolicyError::Digits(Role::Guest, 17),
            ),
            (
                PinPolicy {
                    odds: 0.0,
                    ..policy.clone()
                },
                PolicyError::Odds,
            ),
            (
                PinPolicy {
                    odds: f64::NAN,
                    ..policy.clone()
                },
                PolicyError::Odds,
            ),
            (
                PinPolicy {
                    sources: 0,
                    ..policy.clone()
                },
                PolicyError::Sources,
            ),
        ] {
            assert_eq!(bad.check(&none), Err(expected));
        }
    }

    #[test]
    fn pins_grow_with_the_accounts() {
        let policy = PinPolicy::default();
        let next = |of: &[_]| policy.digits_for(Role::Guest, &doors(of));
        assert_eq!(next(&[]), Some(10));
        assert_eq!(next(&[(10, true, 999)]), Some(10));
        assert_eq!(next(&[(10, true, 1000)]), Some(11));
        assert_eq!(next(&[(10, true, 1000), (11, true, 10_000)]), Some(12));
        assert_eq!(policy.digits_for(Role::Host, &Doors::default()), Some(12));
        // Doors that are too many already can't be mended by a longer PIN.
        assert_eq!(next(&[(6, true, 1000)]), None);
    }

    #[test]
    fn brought_pins_must_meet_the_odds() {
        let policy = PinPolicy::default();
        let accept = |pin: &str, of: &[_]| policy.accept(&Pin::parse(pin).unwrap(), &doors(of));
        assert_eq!(accept("8302916475", &[]), Ok(()));
        assert_eq!(accept("830291", &[]), too_short(7));
        assert_eq!(accept("83029164", &[(10, true, 1000)]), too_short(8));
        // Nearly all of the odds are spent on 900 such PINs.
        assert_eq!(accept("8302916475", &[(10, false, 900)]), too_short(12));
        assert_eq!(accept("1234567890", &[]), Err(WeakPin::Guessable));
    }

    fn too_short(needed: u8) -> Result<(), WeakPin> {
        Err(WeakPin::TooShort {
            needed: Some(needed),
        })
    }
}
