use core::{net::SocketAddr, time::Duration};

use crate::RtpPacket;

/// Decides which source address a leg listens to and sends to (symmetric RTP, RFC 7362), without
/// leaving a door open for strangers.
///
/// The address that the peer signalled is what the leg sends to until it latches. It latches once, on
/// an address from which [`Latch::STREAK`] packets in sequence have come with one SSRC and
/// payload types that were negotiated; from then on nothing else is taken, until
/// [`rearm`](Self::rearm) after a re-INVITE. Four addresses are watched at a time, so that noise
/// from many cannot keep the true one from being found. Where packets come from the address that the
/// leg sends to, no other one can take over until none have come for [`Latch::PATIENCE`]: a stranger who sprays
/// packets at all ports, waiting for somebody's re-INVITE, does not get a call that is being talked on.
///
/// ```
/// # use conclave_media::{Latch, Latched, RtpPacket, RtpWriter};
/// # use std::time::Duration;
/// let mut latch = Latch::new("192.0.2.1:4000".parse().unwrap());
/// let (behind_nat, stranger) = ("203.0.113.5:9000".parse().unwrap(), "198.51.100.9:1".parse().unwrap());
/// let (mut writer, mut datagram) = (RtpWriter::new(7, 0, 0), [0; 172]);
/// for expected in [Latched::NotYet, Latched::NotYet, Latched::Now, Latched::Yes] {
///     writer.write(0, false, 160, &[0xFF; 160], &mut datagram);
///     let packet = RtpPacket::parse(&datagram).unwrap();
///     assert_eq!(latch.check(behind_nat, &packet, &[0, 101], Duration::ZERO), expected);
/// }
/// assert_eq!(latch.remote(), behind_nat);
/// let packet = RtpPacket::parse(&datagram).unwrap();
/// assert_eq!(latch.check(stranger, &packet, &[0, 101], Duration::ZERO), Latched::No);
/// ```
#[derive(Clone, Debug)]
pub struct Latch {
    remote: SocketAddr,
    open: bool,
    /// Whether `remote` was latched on before it was armed again: its audio goes on meanwhile.
    trusted: bool,
    /// When the last packet came from `remote`, or when it was armed again with nobody else to expect.
    heard: Option<Duration>,
    /// Apart from what each packet is asked against: they are looked at while the latch is open.
    candidates: Box<[Option<Candidate>; 4]>,
    refused: u64,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    address: SocketAddr,
    ssrc: u32,
    sequence: u16,
    streak: u8,
}

/// What a packet's source is to the leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latched {
    /// The leg's own: take the packet.
    Yes,
    /// It has just become the leg's own: take the packet, and send to [`Latch::remote`] from now on.
    Now,
    /// It may become so: drop the packet.
    NotYet,
    /// A stranger's, or a payload type that was not negotiated: drop the packet.
    No,
}

impl Latch {
    /// Packets in sequence that make an address the leg's own.
    pub const STREAK: u8 = 3;
    /// How long the address that the leg sends to must have been silent before another one can take over.
    pub const PATIENCE: Duration = Duration::from_millis(200);

    /// A latch that has seen nothing, for a peer that signalled `remote`.
    pub fn new(remote: SocketAddr) -> Self {
        Latch {
            remote,
            open: true,
            trusted: false,
            heard: None,
            candidates: Box::new([None; 4]),
            refused: 0,
        }
    }

    /// Judges the source of a packet that came at `now`; `payload_types` are those that were negotiated.
    pub fn check(
        &mut self,
        source: SocketAddr,
        packet: &RtpPacket<'_>,
        payload_types: &[u8],
        now: Duration,
    ) -> Latched {
        if !payload_types.contains(&packet.payload_type()) {
            self.refused += 1;
            return Latched::No;
        }
        if !self.open {
            if source == self.remote {
                return Latched::Yes;
            }
            self.refused += 1;
            return Latched::No;
        }
        let streak = self.streak(source, packet);
        if source == self.remote {
            self.heard = Some(now);
        }
        let talks = |heard: Duration| now.saturating_sub(heard) < Self::PATIENCE;
        if streak >= Self::STREAK && (source == self.remote || !self.heard.is_some_and(talks)) {
            self.remote = source;
            self.open = false;
            self.trusted = true;
            *self.candidates = [None; 4];
            return Latched::Now;
        }
        if self.trusted && source == self.remote {
            Latched::Yes
        } else {
            Latched::NotYet
        }
    }

    /// The peer has signalled anew (re-INVITE, UPDATE): the leg may latch once more. With `Some`, the
    /// address now signalled is sent to until then; with `None` (it signalled the same as before) the
    /// leg goes on with the address that it has.
    pub fn rearm(&mut self, remote: Option<SocketAddr>, now: Duration) {
        self.open = true;
        *self.candidates = [None; 4];
        if let Some(remote) = remote {
            self.trusted &= remote == self.remote;
            self.remote = remote;
        }
        self.heard = self.trusted.then_some(now);
    }

    /// Where to send.
    pub const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Whether the leg has latched and was not armed since.
    pub const fn is_latched(&self) -> bool {
        !self.open
    }

    /// Packets from strangers, or of payload types that were not negotiated.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Counts this packet; how many have come in sequence from its source.
    fn streak(&mut self, source: SocketAddr, packet: &RtpPacket<'_>) -> u8 {
        let fresh = Candidate {
            address: source,
            ssrc: packet.ssrc(),
            sequence: packet.sequence(),
            streak: 1,
        };
        // Kept in order of their last packet: the stalest gives way to a newcomer.
        let known = |slot: &Option<Candidate>| slot.is_some_and(|other| other.address == source);
        let place = self
            .candidates
            .iter()
            .position(known)
            .unwrap_or(self.candidates.len() - 1);
        let entry = match self.candidates[place] {
            Some(seen) if seen.address == source => seen.next(&fresh),
            _ => fresh,
        };
        self.candidates[..=place].rotate_right(1);
        self.candidates[0] = Some(entry);
        entry.streak
    }
}

impl Candidate {
    fn next(mut self, packet: &Candidate) -> Candidate {
        let ahead = packet.sequence.wrapping_sub(self.sequence);
        if packet.ssrc != self.ssrc || ahead > 3 {
            return *packet;
        }
        // A doubled packet says nothing new.
        if ahead > 0 {
            self.streak = self.streak.saturating_add(1);
            self.sequence = packet.sequence;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RtpWriter;
    use Latched::{No, NotYet, Now, Yes};

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    /// Packets as (port, ssrc, sequence, payload type), all of one moment.
    fn check(latch: &mut Latch, packets: &[(u16, u32, u16, u8)], expected: &[Latched]) {
        check_at(latch, Duration::ZERO, packets, expected);
    }

    fn check_at(
        latch: &mut Latch,
        now: Duration,
        packets: &[(u16, u32, u16, u8)],
        expected: &[Latched],
    ) {
        let got: Vec<_> = packets
            .iter()
            .map(|&(port, ssrc, sequence, payload_type)| {
                let mut out = [0; 13];
                RtpWriter::new(ssrc, sequence, 0).write(payload_type, false, 0, &[1], &mut out);
                let packet = RtpPacket::parse(&out).unwrap();
                latch.check(address(port), &packet, &[0, 101], now)
            })
            .collect();
        assert_eq!(got, expected, "{packets:?}");
    }

    #[test]
    fn latches_once_and_again_only_when_armed() {
        let mut latch = Latch::new(address(1));
        check(
            &mut latch,
            &[(2, 7, 65535, 0), (2, 7, 0, 0), (2, 7, 1, 101)],
            &[NotYet, NotYet, Now],
        );
        check(
            &mut latch,
            &[(1, 8, 0, 0), (1, 8, 1, 0), (1, 8, 2, 0), (2, 9, 40, 0)],
            &[No, No, No, Yes],
        );
        assert_eq!((latch.remote(), latch.refused()), (address(2), 3));
        latch.rearm(None, Duration::ZERO);
        let later = Latch::PATIENCE;
        check_at(
            &mut latch,
            later,
            &[(3, 5, 0, 0), (3, 5, 1, 0), (3, 5, 2, 0), (2, 9, 41, 0)],
            &[NotYet, NotYet, Now, No],
        );
        latch.rearm(Some(address(4)), later);
        assert_eq!(latch.remote(), address(4));
        check(&mut latch, &[(3, 5, 3, 0), (4, 6, 0, 0)], &[NotYet, NotYet]);
    }

    #[test]
    fn a_stranger_does_not_take_over_a_peer_that_talks() {
        let mut latch = Latch::new(address(1));
        // A packet from the signalled address, then a stranger's burst.
        check(&mut latch, &[(1, 7, 0, 0)], &[NotYet]);
        let burst = [(9, 5, 0, 0), (9, 5, 1, 0), (9, 5, 2, 0), (9, 5, 3, 0)];
        check(&mut latch, &burst, &[NotYet; 4]);
        check(&mut latch, &[(1, 7, 1, 0), (1, 7, 2, 0)], &[NotYet, Now]);
        // At each re-INVITE, however the bursts fall between the peer's packets.
        for round in 1..50u16 {
            let now = Duration::from_millis(60 * u64::from(round));
            latch.rearm(None, now);
            for packet in 0..3 {
                check_at(
                    &mut latch,
                    now,
                    &burst,
                    &[if packet < 3 { NotYet } else { No }; 4],
                );
                let verdict = if packet < 2 { Yes } else { Now };
                let sequence = round * 3 + packet;
                check_at(&mut latch, now, &[(1, 7, sequence, 0)], &[verdict]);
            }
            assert_eq!((latch.remote(), latch.is_latched()), (address(1), true));
        }
        // A peer that has moved is found once its old address has fallen silent.
        let now = Duration::from_secs(10);
        latch.rearm(None, now);
        check_at(&mut latch, now + Latch::PATIENCE / 2, &burst, &[NotYet; 4]);
        check_at(&mut latch, now + Latch::PATIENCE, &[(9, 5, 4, 0)], &[Now]);
    }

    #[test]
    fn only_a_consistent_stream_latches() {
        let mut latch = Latch::new(address(1));
        let jumping = [(2, 1, 0, 0), (2, 1, 100, 0), (2, 1, 200, 0), (2, 1, 300, 0)];
        check(&mut latch, &jumping, &[NotYet; 4]);
        check(
            &mut latch,
            &[(2, 1, 1, 0), (2, 2, 2, 0), (2, 3, 3, 0)],
            &[NotYet; 3],
        );
        check(
            &mut latch,
            &[(2, 1, 1, 0), (2, 1, 1, 0), (2, 1, 1, 0)],
            &[NotYet; 3],
        );
        check(
            &mut latch,
            &[(2, 1, 1, 13), (2, 1, 2, 13), (2, 1, 3, 13)],
            &[No; 3],
        );
        assert_eq!(latch.remote(), address(1));
    }

    #[test]
    fn noise_from_elsewhere_does_not_keep_the_peer_out() {
        let mut latch = Latch::new(address(1));
        let mut verdicts = Vec::new();
        for round in 0..3u16 {
            let noise = (0..3).map(|other| (100 + round * 3 + other, 5, other, 0));
            for packet in noise.chain([(2, 7, round, 0)]) {
                let mut out = [0; 13];
                RtpWriter::new(packet.1, packet.2, 0).write(0, false, 0, &[1], &mut out);
                verdicts.push(latch.check(
                    address(packet.0),
                    &RtpPacket::parse(&out).unwrap(),
                    &[0],
                    Duration::ZERO,
                ));
            }
        }
        assert_eq!(verdicts.last(), Some(&Now));
        assert_eq!(latch.remote(), address(2));
    }
}
