//! How often somebody may try: a number of tries at once, then one for each interval that passes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use conclave_store::UserEmail;

/// Who or what tries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// From an address: one of IPv4, or a network of 64 bits of IPv6, which one customer has whole.
    Address(IpAddr),
    /// From who knows where: the server in front didn't say.
    Unknown,
    /// At one user's password, whether or not there is such a user.
    User(UserEmail),
}

impl Key {
    pub(crate) fn address(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Unknown,
            Some(IpAddr::V6(address)) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Self::Address(IpAddr::V6(network.into()))
            }
            Some(address) => Self::Address(address),
        }
    }
}

/// The pace of all keys of a kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// So many tries at once.
    pub(crate) at_once: i32,
    /// One more for each.
    pub(crate) every: TimeDelta,
}

/// Of each key one moment is kept, at which it may have its tries at once again (the generic cell rate algorithm of
/// ITU-T I.371); of one that may already, nothing.
#[derive(Debug)]
pub(crate) struct Throttle {
    pace: Pace,
    most: usize,
    whole_again: BTreeMap<Key, DateTime<Utc>>,
}

impl Throttle {
    /// Keeps in mind `most` keys.
    pub(crate) fn new(pace: Pace, most: usize) -> Self {
        Self {
            pace,
            most,
            whole_again: BTreeMap::new(),
        }
    }

    /// How long the key has to wait before it may try; `None` if it may now.
    pub(crate) fn wait(&self, key: &Key, now: DateTime<Utc>) -> Option<TimeDelta> {
        let whole_again = *self.whole_again.get(key)?;
        let allowed = whole_again - self.pace.every * (self.pace.at_once - 1);
        (allowed > now).then(|| allowed - now)
    }

    /// Counts a try.
    pub(crate) fn count(&mut self, key: Key, now: DateTime<Utc>) {
        if !self.whole_again.contains_key(&key) && self.whole_again.len() >= self.most {
            self.make_room(now);
        }
        let whole_again = self.whole_again.entry(key).or_insert(now);
        *whole_again = (*whole_again).max(now) + self.pace.every;
    }

    /// Takes a try back that was none: the password was right.
    pub(crate) fn forgive(&mut self, key: &Key) {
        if let Some(whole_again) = self.whole_again.get_mut(key) {
            *whole_again -= self.pace.every;
        }
    }

    /// Forgets who is whole again, and if there is nobody, whoever is so first: the least guilty.
    fn make_room(&mut self, now: DateTime<Utc>) {
        self.whole_again.retain(|_, whole_again| *whole_again > now);
        if self.whole_again.len() >= self.most {
            let first = self.whole_again.iter().min_by_key(|(_, at)| **at);
            if let Some(first) = first.map(|(key, _)| key.clone()) {
                self.whole_again.remove(&first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PACE: Pace = Pace {
        at_once: 5,
        every: TimeDelta::seconds(30),
    };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn key(text: &str) -> Key {
        Key::address(Some(text.parse().unwrap()))
    }

    #[test]
    fn five_at_once_then_one_every_half_minute() {
        let mut throttle = Throttle::new(PACE, 10);
        let ada = key("192.0.2.1");
        for _ in 0..5 {
            assert_eq!(throttle.wait(&ada, at(0)), None);
            throttle.count(ada.clone(), at(0));
        }
        assert_eq!(throttle.wait(&ada, at(0)), Some(TimeDelta::seconds(30)));
        assert_eq!(throttle.wait(&ada, at(29)), Some(TimeDelta::seconds(1)));
        assert_eq!(throttle.wait(&ada, at(30)), None);
        assert_eq!(throttle.wait(&key("192.0.2.2"), at(0)), None);
        throttle.forgive(&ada);
        assert_eq!(throttle.wait(&ada, at(0)), None);
    }

    #[test]
    fn addresses_of_one_customer_are_one() {
        let check = |one: &str, other: &str, same: bool| {
            assert_eq!(key(one) == key(other), same, "{one} {other}");
        };
        check("2001:db8::1", "2001:db8::ffff:1", true);
        check("2001:db8::1", "2001:db8:0:1::1", false);
        check("::ffff:192.0.2.1", "192.0.2.1", true);
        check("192.0.2.1", "192.0.2.2", false);
    }

    #[test]
    fn there_is_a_bound_and_the_guiltiest_is_remembered() {
        let mut throttle = Throttle::new(PACE, 3);
        let guilty = key("192.0.2.1");
        for _ in 0..5 {
            throttle.count(guilty.clone(), at(0));
        }
        for n in 2..200 {
            throttle.count(key(&format!("192.0.2.{n}")), at(0));
            assert!(throttle.whole_again.len() <= 3);
        }
        assert!(throttle.wait(&guilty, at(0)).is_some());
    }

    proptest! {
        /// However tries are spread over time, in no window come more than at once and one for each interval.
        #[test]
        fn the_pace_holds_in_every_window(pauses in proptest::collection::vec(0..40_i64, 1..200)) {
            let mut throttle = Throttle::new(PACE, 10);
            let (mut now, mut taken) = (0, Vec::new());
            for pause in pauses {
                now += pause;
                if throttle.wait(&Key::Unknown, at(now)).is_none() {
                    throttle.count(Key::Unknown, at(now));
                    taken.push(now);
                }
            }
            for (first, from) in taken.iter().enumerate() {
                for (last, to) in taken.iter().enumerate().skip(first) {
                    let tries = i64::try_from(last - first + 1).unwrap();
                    prop_assert!(tries <= 5 + (to - from) / 30, "{tries} from {from} to {to}");
                }
            }
        }

        /// Who waits for as long as was said may try.
        #[test]
        fn the_wait_that_is_told_is_enough(tries in 0..50, later in 0..500_i64) {
            let mut throttle = Throttle::new(PACE, 10);
            for _ in 0..tries {
                throttle.count(Key::Unknown, at(0));
            }
            if let Some(wait) = throttle.wait(&Key::Unknown, at(later)) {
                prop_assert_eq!(throttle.wait(&Key::Unknown, at(later) + wait), None);
            }
        }
    }
}
