//! Whose datagram it is that came to a socket of many legs.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use foldhash::fast::RandomState;

use crate::{LegId, port::Channel};

/// Whose a datagram is, and the thread where that leg lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) leg: LegId,
    pub(crate) lives_at: usize,
}

/// The legs of one shared pair of sockets, told apart by the peer's address.
///
/// A leg is found by the address that was negotiated, until it has latched by the one that it latched on.
/// A peer may send from another port than it negotiated: a source that nobody has is offered to the leg that waits for
/// its first packets from that host, if there is exactly one.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    rtp: HashMap<SocketAddr, Owner, RandomState>,
    rtcp: HashMap<SocketAddr, Owner, RandomState>,
    waiting: Vec<(IpAddr, Owner)>,
}

impl Demux {
    /// Lets a leg in, or gives it another address after a re-INVITE. An address that another leg has stays
    /// that leg's: two calls are never mixed up.
    pub(crate) fn expect(&mut self, owner: Owner, rtp: SocketAddr, rtcp: SocketAddr) {
        self.remove(owner.leg);
        self.rtp.entry(rtp).or_insert(owner);
        self.rtcp.entry(rtcp).or_insert(owner);
        self.waiting.push((rtp.ip(), owner));
    }

    /// Lets a leg latch once more; until then it has the address that it had.
    pub(crate) fn wait(&mut self, owner: Owner, rtp: SocketAddr) {
        self.waiting.retain(|(_, other)| other.leg != owner.leg);
        self.waiting.push((rtp.ip(), owner));
    }

    /// The leg has found its peer: nothing else is its own any more.
    pub(crate) fn latched(&mut self, owner: Owner, rtp: SocketAddr, rtcp: SocketAddr) {
        if self.waiting.iter().any(|(_, other)| other.leg == owner.leg) {
            self.remove(owner.leg);
            self.rtp.entry(rtp).or_insert(owner);
            self.rtcp.entry(rtcp).or_insert(owner);
        }
    }

    /// The leg lives elsewhere now.
    pub(crate) fn moved(&mut self, owner: Owner) {
        let known = self.rtp.values_mut().chain(self.rtcp.values_mut());
        let all = known.chain(self.waiting.iter_mut().map(|(_, other)| other));
        for other in all.filter(|other| other.leg == owner.leg) {
            *other = owner;
        }
    }

    pub(crate) fn remove(&mut self, leg: LegId) {
        self.rtp.retain(|_, other| other.leg != leg);
        self.rtcp.retain(|_, other| other.leg != leg);
        self.waiting.retain(|(_, other)| other.leg != leg);
    }

    pub(crate) fn owner(&self, channel: Channel, from: SocketAddr) -> Option<Owner> {
        let known = match channel {
            Channel::Rtp => self.rtp.get(&from),
            Channel::Rtcp => self.rtcp.get(&from),
        };
        known.copied().or_else(|| {
            let mut of_host = self.waiting.iter().filter(|(ip, _)| *ip == from.ip());
            let (only, further) = (of_host.next(), of_host.next());
            only.filter(|_| further.is_none()).map(|&(_, owner)| owner)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    const A: Owner = Owner {
        leg: LegId(1),
        lives_at: 0,
    };
    const B: Owner = Owner {
        leg: LegId(2),
        lives_at: 0,
    };

    #[test]
    fn legs_are_told_apart_by_their_peers() {
        let mut demux = Demux::default();
        demux.expect(A, at(4000), at(4001));
        demux.expect(B, at(5000), at(5001));
        assert_eq!(demux.owner(Channel::Rtp, at(4000)), Some(A));
        assert_eq!(demux.owner(Channel::Rtp, at(5000)), Some(B));
        assert_eq!(demux.owner(Channel::Rtcp, at(5001)), Some(B));
        // Both wait for that host: it could be either's.
        assert_eq!(demux.owner(Channel::Rtp, at(6000)), None);
        demux.remove(A.leg);
        assert_eq!(demux.owner(Channel::Rtp, at(4000)), Some(B));
        demux.remove(B.leg);
        assert_eq!(demux.owner(Channel::Rtp, at(5000)), None);
    }

    #[test]
    fn a_leg_that_moves_is_found_where_it_lives() {
        let mut demux = Demux::default();
        demux.expect(A, at(4000), at(4001));
        demux.expect(B, at(5000), at(5001));
        let there = Owner { lives_at: 3, ..A };
        demux.moved(there);
        assert_eq!(demux.owner(Channel::Rtp, at(4000)), Some(there));
        assert_eq!(demux.owner(Channel::Rtcp, at(4001)), Some(there));
        assert_eq!(demux.owner(Channel::Rtp, at(5000)), Some(B));
        demux.remove(B.leg);
        assert_eq!(demux.owner(Channel::Rtp, at(6000)), Some(there));
    }

    #[test]
    fn a_peer_that_sends_from_another_port_is_found_once() {
        let mut demux = Demux::default();
        demux.expect(A, at(4000), at(4001));
        assert_eq!(demux.owner(Channel::Rtp, at(6000)), Some(A));
        demux.latched(A, at(6000), at(6001));
        assert_eq!(demux.owner(Channel::Rtp, at(6000)), Some(A));
        assert_eq!(demux.owner(Channel::Rtcp, at(6001)), Some(A));
        assert_eq!(demux.owner(Channel::Rtp, at(4000)), None);
        assert_eq!(demux.owner(Channel::Rtp, at(7000)), None);
        demux.latched(A, at(7000), at(7001));
        assert_eq!(demux.owner(Channel::Rtp, at(7000)), None);
        // Negotiated anew, to the same address: it goes on, and may change once.
        demux.wait(A, at(4000));
        assert_eq!(demux.owner(Channel::Rtp, at(6000)), Some(A));
        assert_eq!(demux.owner(Channel::Rtp, at(8000)), Some(A));
        demux.latched(A, at(8000), at(8001));
        assert_eq!(demux.owner(Channel::Rtp, at(6000)), None);
    }

    #[test]
    fn an_address_stays_with_the_leg_that_had_it_first() {
        let mut demux = Demux::default();
        demux.expect(A, at(4000), at(4001));
        demux.expect(B, at(4000), at(4001));
        assert_eq!(demux.owner(Channel::Rtp, at(4000)), Some(A));
        demux.remove(B.leg);
        assert_eq!(demux.owner(Channel::Rtp, at(4000)), Some(A));
    }
}
