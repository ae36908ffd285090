//! Datagrams that wait until their leg's turn in the tick, so that a leg is taken into the cache once for what came and what is
//! heard of it, not for each by itself.

use std::ops::Range;

use crate::{LegId, local::Arrival};

const NONE: u32 = u32::MAX;

#[derive(Default)]
pub(crate) struct Mail {
    letters: Vec<Letter>,
    bytes: Vec<u8>,
    /// By the legs' places: the first letter of each and the last.
    ends: Vec<(u32, u32)>,
}

struct Letter {
    /// Of its leg.
    place: usize,
    arrival: Arrival,
    bytes: Range<usize>,
    /// The leg's next one.
    next: u32,
    read: bool,
}

impl Mail {
    /// Keeps what has come for the leg at this place.
    pub(crate) fn push(&mut self, place: usize, arrival: Arrival, datagram: &[u8]) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        self.letters.push(Letter {
            place,
            arrival,
            bytes: begin..self.bytes.len(),
            next: NONE,
            read: false,
        });
    }

    /// The legs have other places now.
    pub(crate) fn renew(&mut self, place_of: impl Fn(LegId) -> Option<usize>) {
        for letter in self.letters.iter_mut().filter(|letter| !letter.read) {
            match place_of(letter.arrival.leg) {
                Some(place) => letter.place = place,
                None => letter.read = true,
            }
        }
    }

    /// Puts what is there into the order of its legs, of which there are so many.
    pub(crate) fn sort(&mut self, legs: usize) {
        self.ends.clear();
        self.ends.resize(legs, (NONE, NONE));
        for n in 0..self.letters.len() {
            let letter = &self.letters[n];
            let ends = self.ends.get_mut(letter.place).filter(|_| !letter.read);
            let Some((first, last)) = ends else {
                continue;
            };
            let before = std::mem::replace(last, n as u32);
            match self.letters.get_mut(before as usize) {
                Some(before) => before.next = n as u32,
                None => *first = n as u32,
            }
        }
    }

    /// What has come for the leg at this place, since it was [sorted](Self::sort), in the order of its coming.
    pub(crate) fn of(&self, place: usize) -> impl Iterator<Item = (&Arrival, &[u8])> {
        let mut next = self.ends.get(place).map_or(NONE, |&(first, _)| first);
        std::iter::from_fn(move || {
            let letter = self.letters.get(next as usize)?;
            next = letter.next;
            Some((&letter.arrival, &self.bytes[letter.bytes.clone()]))
        })
    }

    /// The next one that has come for a leg, out of its turn.
    pub(crate) fn take(&mut self, leg: LegId) -> Option<(&Arrival, &[u8])> {
        let mut letters = self.letters.iter_mut();
        let letter = letters.find(|letter| letter.arrival.leg == leg && !letter.read)?;
        letter.read = true;
        Some((&letter.arrival, &self.bytes[letter.bytes.clone()]))
    }

    pub(crate) fn clear(&mut self) {
        self.letters.clear();
        self.bytes.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::port::Channel;

    fn arrival(leg: u64, ms: u64) -> Arrival {
        Arrival {
            leg: LegId(leg),
            channel: Channel::Rtp,
            from: ([192, 0, 2, 1], 4_000).into(),
            came: Duration::from_millis(ms),
        }
    }

    #[test]
    fn each_leg_gets_its_own_in_the_order_of_its_coming() {
        let mut mail = Mail::default();
        let place_of = |leg: LegId| [7, 8, 9].iter().position(|&id| id == leg.0);
        for round in 0..3 {
            for (ms, leg) in [9, 7, 9, 1, 9, 7].into_iter().enumerate() {
                // Every other time the legs find their places only afterwards, and one of them has none any more.
                let place = place_of(LegId(leg)).filter(|_| round != 1).unwrap_or(3);
                mail.push(
                    place,
                    arrival(leg, ms as u64),
                    &[leg as u8, ms as u8, round],
                );
            }
            let (first, bytes) = mail.take(LegId(7)).unwrap();
            assert_eq!((first.came.as_millis(), bytes), (1, &[7, 1, round][..]));
            if round == 1 {
                mail.renew(place_of);
            }
            mail.sort(3);
            let got = |place| -> Vec<u8> {
                let of = mail.of(place);
                of.inspect(|(arrival, bytes)| assert_eq!(arrival.leg.0, u64::from(bytes[0])))
                    .map(|(_, bytes)| bytes[1])
                    .collect()
            };
            assert_eq!((got(0), got(1), got(2)), (vec![5], vec![], vec![0, 2, 4]));
            assert!(mail.take(LegId(8)).is_none());
            mail.clear();
            assert!(mail.take(LegId(7)).is_none());
            assert_eq!(mail.of(2).count(), 0);
        }
    }
}
