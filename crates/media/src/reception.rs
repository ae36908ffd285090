/// What has been received of one source, counted as RFC 3550 appendix A.1, A.3 and A.8 have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reception {
    /// Which source; `None` until the first packet.
    pub ssrc: Option<u32>,
    /// The highest sequence number received, extended by how often it went around.
    pub highest_sequence: u32,
    /// Packets expected by the sequence numbers.
    pub expected: u64,
    /// Packets received, each counted once, latecomers included.
    pub received: u64,
    /// The interarrival jitter of section 6.4.1, in units of the clock rate.
    pub jitter: u32,
}

impl Reception {
    /// Packets that were expected and did not come.
    pub const fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }

    /// The part of the expected packets that did not come, 0 to 1.
    pub fn loss(&self) -> f64 {
        if self.expected == 0 {
            0.0
        } else {
            self.lost() as f64 / self.expected as f64
        }
    }
}

/// Follows the sequence numbers of one source.
pub(crate) struct Sequence {
    ssrc: Option<u32>,
    first: i64,
    highest: i64,
    /// The last 128 up to `highest`: bit 0 is `highest` itself.
    seen: u128,
    received: u64,
    /// Sixteen times the jitter, so that it needs no fractions.
    jitter16: u64,
    transit: Option<i64>,
}

/// What a packet's sequence number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Not seen before; the number unwrapped.
    New(i64),
    /// Seen already.
    Duplicate,
    /// So far off that the sender must have begun anew; counting starts with this packet.
    Restarted(i64),
}

/// Further ahead than this, or behind, is a restart (`MAX_DROPOUT` and `MAX_MISORDER` of RFC 3550 appendix A.1).
const MAX_DROPOUT: i64 = 3000;
const MAX_MISORDER: i64 = 100;

impl Sequence {
    pub(crate) const fn new() -> Self {
        Sequence {
            ssrc: None,
            first: 0,
            highest: 0,
            seen: 0,
            received: 0,
            jitter16: 0,
            transit: None,
        }
    }

    /// Another source: everything counted from here.
    pub(crate) fn restart(&mut self, ssrc: u32, sequence: u16) {
        let sequence = i64::from(sequence);
        *self = Sequence {
            ssrc: Some(ssrc),
            first: sequence,
            highest: sequence,
            ..Self::new()
        };
        self.received = 1;
        self.seen = 1;
    }

    pub(crate) fn note(&mut self, ssrc: u32, sequence: u16) -> Seen {
        let ahead = i64::from(sequence.wrapping_sub(self.highest as u16) as i16);
        if self.ssrc != Some(ssrc) || !(-MAX_MISORDER..=MAX_DROPOUT).contains(&ahead) {
            self.restart(ssrc, sequence);
            return Seen::Restarted(self.highest);
        }
        let number = self.highest + ahead;
        if ahead > 0 {
            self.seen = self.seen.checked_shl(ahead as u32).unwrap_or(0) | 1;
            self.highest = number;
        } else {
            let bit = 1u128 << -ahead;
            if self.seen & bit != 0 {
                return Seen::Duplicate;
            }
            self.seen |= bit;
            self.first = self.first.min(number);
        }
        self.received += 1;
        Seen::New(number)
    }

    /// Takes a media packet into the jitter; both in units of the clock rate.
    pub(crate) fn note_timing(&mut self, arrival: i64, timestamp: i64) {
        let transit = arrival - timestamp;
        if let Some(before) = self.transit.replace(transit) {
            let difference = transit.abs_diff(before);
            self.jitter16 = self.jitter16 + difference - ((self.jitter16 + 8) >> 4);
        }
    }

    /// The timestamps jumped: the next packet has nothing to be compared with.
    pub(crate) const fn forget_timing(&mut self) {
        self.transit = None;
    }

    /// Whether every packet from after `from` to before `to` has come.
    pub(crate) fn all_between(&self, from: i64, to: i64) -> bool {
        (from + 1..to).all(|number| {
            let back = self.highest - number;
            (0..128).contains(&back) && self.seen & (1 << back) != 0
        })
    }

    pub(crate) fn reception(&self) -> Reception {
        Reception {
            ssrc: self.ssrc,
            highest_sequence: self.highest as u32,
            expected: self
                .ssrc
                .map_or(0, |_| (self.highest - self.first + 1) as u64),
            received: self.received,
            jitter: u32::try_from(self.jitter16 >> 4).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sequence: &[u16], lost: u64, received: u64, duplicates: usize) {
        let mut counted = Sequence::new();
        counted.restart(1, sequence[0]);
        let seen: Vec<_> = sequence[1..]
            .iter()
            .map(|&number| counted.note(1, number))
            .collect();
        let reception = counted.reception();
        assert_eq!(
            (reception.lost(), reception.received),
            (lost, received),
            "{sequence:?}"
        );
        let doubled = seen.iter().filter(|&&seen| seen == Seen::Duplicate).count();
        assert_eq!(doubled, duplicates, "{sequence:?}");
    }

    #[test]
    fn counts_as_rfc_3550_does() {
        check(&[1, 2, 3], 0, 3, 0);
        check(&[65534, 65535, 0, 2], 1, 4, 0);
        check(&[65534, 1, 0, 65535], 0, 4, 0);
        check(&[5, 6, 6, 5, 7], 0, 3, 2);
        check(&[5, 4, 6], 0, 3, 0);
        check(&[0, 200], 199, 2, 0);
    }

    #[test]
    fn a_far_jump_is_a_restart() {
        let mut counted = Sequence::new();
        counted.restart(1, 10);
        assert_eq!(counted.note(1, 20_000), Seen::Restarted(20_000));
        assert_eq!(counted.reception().expected, 1);
        assert_eq!(counted.note(2, 20_001), Seen::Restarted(20_001));
        assert_eq!(counted.reception().ssrc, Some(2));
    }

    #[test]
    fn jitter_settles_at_the_mean_difference() {
        let mut counted = Sequence::new();
        for packet in 0..2000i64 {
            counted.note_timing(packet * 160 + packet % 2 * 40, packet * 160);
        }
        assert!(
            (38..=40).contains(&counted.reception().jitter),
            "{}",
            counted.reception().jitter
        );
    }
}
