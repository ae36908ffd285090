use core::net::SocketAddr;

use crate::RtpPacket;

/// Decides which source address a leg listens to and sends to (symmetric RTP, RFC 7362), without
/// leaving a door open for strangers.
///
/// The address that the peer signalled is what the leg sends to until it latches. It latches once, on
/// an address from which [`Latch::STREAK`] packets in sequence have come with one SSRC and
/// payload types that were negotiated; from then on nothing else is taken, until
/// [`rearm`](Self::rearm) after a re-INVITE. Four addresses are watched at a time, so that noise
/// from many cannot keep the true one from being found.
///
/// ```
/// # use conclave_media::{Latch, Latched, RtpPacket, RtpWriter};
/// let mut latch = Latch::new("192.0.2.1:4000".parse().unwrap());
/// let (behind_nat, stranger) = ("203.0.113.5:9000".parse().unwrap(), "198.51.100.9:1".parse().unwrap());
/// let (mut writer, mut datagram) = (RtpWriter::new(7, 0, 0), [0; 172]);
/// for expected in [Latched::NotYet, Latched::NotYet, Latched::Now, Latched::Yes] {
///     writer.write(0, false, 160, &[0xFF; 160], &mut datagram);
///     let packet = RtpPacket::parse(&datagram).unwrap();
///     assert_eq!(latch.check(behind_nat, &packet, &[0, 101]), expected);
/// }
/// assert_eq!(latch.remote(), behind_nat);
/// assert_eq!(latch.check(stranger, &RtpPacket::parse(&datagram).unwrap(), &[0, 101]), Latched::No);
/// ```
#[derive(Clone, Debug)]
pub struct Latch {
    remote: SocketAddr,
    open: bool,
    /// Whether `remote` was latched on before it was armed again: its audio goes on meanwhile.
    trusted: bool,
    candidates: [Option<Candidate>; 4],
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

    /// A latch that has seen nothing, for a peer that signalled `remote`.
    pub const fn new(remote: SocketAddr) -> Self {
        Latch {
            remote,
            open: true,
            trusted: false,
            candidates: [None; 4],
            refused: 0,
        }
    }

    /// Judges the source of a packet; `payload_types` are those that were negotiated.
    pub fn check(
        &mut self,
        source: SocketAddr,
        packet: &RtpPacket<'_>,
        payload_types: &[u8],
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
        if self.streak(source, packet) >= Self::STREAK {
            self.remote = source;
            self.open = false;
            self.trusted = true;
            self.candidates = [None; 4];
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
    pub fn rearm(&mut self, remote: Option<SocketAddr>) {
        self.open = true;
        self.candidates = [None; 4];
        if let Some(remote) = remote {
            self.trusted &= remote == self.remote;
            self.remote = remote;
        }
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
            self.streak += 1;
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

    /// Packets as (port, ssrc, sequence, payload type).
    fn check(latch: &mut Latch, packets: &[(u16, u32, u16, u8)], expected: &[Latched]) {
        let got: Vec<_> = packets
            .iter()
            .map(|&(port, ssrc, sequence, payload_type)| {
                let mut out = [0; 13];
                RtpWriter::new(ssrc, sequence, 0).write(payload_type, false, 0, &[1], &mut out);
                latch.check(address(port), &RtpPacket::parse(&out).unwrap(), &[0, 101])
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
        latch.rearm(None);
        check(
            &mut latch,
            &[(2, 9, 41, 0), (3, 5, 0, 0), (3, 5, 1, 0), (3, 5, 2, 0)],
            &[Yes, NotYet, NotYet, Now],
        );
        latch.rearm(Some(address(4)));
        assert_eq!(latch.remote(), address(4));
        check(&mut latch, &[(3, 5, 3, 0), (4, 6, 0, 0)], &[NotYet, NotYet]);
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
                ));
            }
        }
        assert_eq!(verdicts.last(), Some(&Now));
        assert_eq!(latch.remote(), address(2));
    }
}
