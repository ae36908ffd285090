use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::seconds;

/// How long PINs are and how guessing is answered. [`Default`] has the product's values; every
/// one can be set, and [`check`](Self::check) says whether they keep the odds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PinPolicy {
    /// Digits of a Guest PIN that is drawn, its check digit included: 4 to 16, 10 by default.
    pub guest_digits: u8,
    /// Digits of a Host PIN that is drawn, its check digit included: 4 to 16, 12 by default.
    pub host_digits: u8,
    /// Wrong PINs that a source has in a day before its answers are delayed: 0 to 64, 5 by default.
    pub free_tries: u32,
    /// The first delay; each further wrong PIN doubles it. 1 s by default, seconds where
    /// serialised.
    #[serde(with = "seconds")]
    pub first_delay: Duration,
    /// What the delays grow to. 30 s by default; zero means no delays at all.
    #[serde(with = "seconds")]
    pub longest_delay: Duration,
    /// Well-formed wrong PINs in a day, from everywhere, that turn on consent. 100 by default;
    /// zero means consent always.
    pub ceiling: u32,
    /// Typing errors in a day, from everywhere, that turn on consent for PINs *without* a check
    /// digit (migrated ones), at which a typing error is as good a guess as any. 1000 by default.
    pub typing_ceiling: u32,
    /// Consent ends once no more than this many wrong PINs came in a day. 10 by default: a large
    /// bridge has a few honest ones every day.
    pub quiet: u32,
    /// Wrong PINs in a day after which a known number, too, is by consent while consent is on.
    /// 0 to 64, 5 by default.
    pub known_tries: u32,
    /// How many sources with wrong PINs are remembered at most. 131,072 by default (about 20 MB
    /// when full).
    pub sources: usize,
    /// The highest bearable chance that a day of guessing opens a door without a human's consent.
    /// 1e-4 by default.
    pub odds: f64,
}

impl Default for PinPolicy {
    fn default() -> Self {
        Self {
            guest_digits: 10,
            host_digits: 12,
            free_tries: 5,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(30),
            ceiling: 100,
            typing_ceiling: 1000,
            quiet: 10,
            known_tries: 5,
            sources: 131_072,
            odds: 1e-4,
        }
    }
}

/// A source's wrong PINs beyond these make no difference.
const MOST_REMEMBERED: u32 = 64;

impl PinPolicy {
    /// The delay of a source's next answer after `wrong` wrong PINs in a day.
    pub fn delay(&self, wrong: u32) -> Duration {
        let free = self.free_tries.min(MOST_REMEMBERED);
        let Some(doublings) = wrong.checked_sub(free) else {
            return Duration::ZERO;
        };
        let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first_delay
            .saturating_mul(factor)
            .min(self.longest_delay)
    }

    /// Whether a known number with so many wrong PINs in a day still passes while consent is on.
    pub(crate) fn known_passes(&self, wrong: u32) -> bool {
        wrong < self.known_tries.min(MOST_REMEMBERED)
    }

    /// How many of a source's wrong PINs make a difference: no more need be remembered. Bounded,
    /// whatever the policy says.
    pub(crate) fn remembered(&self) -> usize {
        let grown =
            |wrong: &u32| *wrong >= self.free_tries && self.delay(*wrong) >= self.longest_delay;
        let full = (0..MOST_REMEMBERED).find(grown).unwrap_or(MOST_REMEMBERED);
        full.max(self.known_tries.min(MOST_REMEMBERED)) as usize
    }
}
