//! Whose datagram it is that came to a socket of many legs.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use crate::{LegId, port::Channel};

/// The legs of one shared pair of sockets, told apart by the peer's address.
///
/// A leg is found by the address that was negotiated, until it has latched by the one that it latched on.
/// A peer may send from another port than it negotiated: a source that nobody has is offered to the leg that waits for
/// its first packets from that host, if there is exactly one.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    rtp: HashMap<SocketAddr, LegId>,
    rtcp: HashMap<SocketAddr, LegId>,
    waiting: Vec<(IpAddr, LegId)>,
}

impl Demux {
    /// Lets a leg in, or gives it another address after a re-INVITE. An address that another leg has stays
    /// that leg's: two calls are never mixed up.
    pub(crate) fn expect(&mut self, leg: LegId, rtp: SocketAddr, rtcp: SocketAddr) {
        self.remove(leg);
        self.rtp.entry(rtp).or_insert(leg);
        self.rtcp.entry(rtcp).or_insert(leg);
        self.waiting.push((rtp.ip(), leg));
    }

    /// Lets a leg latch once more; until then it has the address that it had.
    pub(crate) fn wait(&mut self, leg: LegId, rtp: SocketAddr) {
        self.waiting.retain(|&(_, other)| other != leg);
        self.waiting.push((rtp.ip(), leg));
    }

    /// The leg has found its peer: nothing else is its own any more.
    pub(crate) fn latched(&mut self, leg: LegId, rtp: SocketAddr, rtcp: SocketAddr) {
        if self.waiting.iter().any(|&(_, other)| other == leg) {
            self.remove(leg);
            self.rtp.entry(rtp).or_insert(leg);
            self.rtcp.entry(rtcp).or_insert(leg);
        }
    }

    pub(crate) fn remove(&mut self, leg: LegId) {
        self.rtp.retain(|_, other| *other != leg);
        self.rtcp.retain(|_, other| *other != leg);
        self.waiting.retain(|&(_, other)| other != leg);
    }

    pub(crate) fn owner(&self, channel: Channel, from: SocketAddr) -> Option<LegId> {
        let known = match channel {
            Channel::Rtp => self.rtp.get(&from),
            Channel::Rtcp => self.rtcp.get(&from),
        };
        known.copied().or_else(|| {
            let mut of_host = self.waiting.iter().filter(|(ip, _)| *ip == from.ip());
            let (only, further) = (of_host.next(), of_host.next());
            only.filter(|_| further.is_none()).map(|&(_, leg)| leg)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    const A: LegId = LegId(1);
    const B: LegId = LegId(2);

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
        demux.remove(A);
        assert_eq!(demux.owner(Channel::Rtp, at(4000)), Some(B));
        demux.remove(B);
        assert_eq!(demux.owner(Channel::Rtp, at(5000)), None);
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
        demux.remove(B);
        assert_eq!(demux.owner(Channel::Rtp, at(4000)), Some(A));
    }
}
