//! A pair of sockets: RTP on an even port, RTCP on the odd one above (RFC 3550, section 11).

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
};

use crate::{EngineError, udp};

/// Names a pair of sockets for as long as the engine lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PortKey(pub(crate) u64);

/// Which socket of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Rtp,
    Rtcp,
}

#[derive(Debug)]
pub(crate) struct PortPair {
    pub(crate) key: PortKey,
    pub(crate) address: SocketAddr,
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl PortPair {
    pub(crate) fn socket(&self, channel: Channel) -> &UdpSocket {
        match channel {
            Channel::Rtp => &self.rtp,
            Channel::Rtcp => &self.rtcp,
        }
    }
}

/// Opens pairs out of a range, each time from where the last one was: a port that a leg has left rests
/// for as long as there are others, so that stray packets of the old call don't meet the new one.
#[derive(Debug)]
pub(crate) struct PortPool {
    range: RangeInclusive<u16>,
    first: u32,
    pairs: u32,
    next: u32,
    opened: u64,
}

impl PortPool {
    pub(crate) fn new(range: RangeInclusive<u16>) -> Result<Self, EngineError> {
        let first = u32::from(*range.start()).next_multiple_of(2).max(2);
        let pairs = (u32::from(*range.end()) + 1).saturating_sub(first) / 2;
        if pairs == 0 {
            return Err(EngineError::NoPortPair(range));
        }
        Ok(PortPool {
            range,
            first,
            pairs,
            next: 0,
            opened: 0,
        })
    }

    /// The next pair that is free on `address`, with socket buffers of `buffer` bytes.
    pub(crate) fn open(&mut self, address: IpAddr, buffer: usize) -> Result<PortPair, EngineError> {
        let mut source = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..self.pairs {
            let port = (self.first + 2 * self.next) as u16;
            self.next = (self.next + 1) % self.pairs;
            let rtp = SocketAddr::new(address, port);
            let rtcp = SocketAddr::new(address, port + 1);
            match udp::bind(rtp, buffer).and_then(|a| Ok((a, udp::bind(rtcp, 1 << 16)?))) {
                Ok((rtp_socket, rtcp_socket)) => {
                    self.opened += 1;
                    return Ok(PortPair {
                        key: PortKey(self.opened),
                        address: rtp,
                        rtp: rtp_socket,
                        rtcp: rtcp_socket,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => source = error,
                // Out of descriptors, or no such address: the next port would fail alike.
                Err(source) => return Err(EngineError::NoFreePort { address, source }),
            }
        }
        tracing::warn!(?self.range, %address, "all RTP ports are in use");
        Err(EngineError::NoFreePort { address, source })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_port_in_use_is_skipped_and_a_free_one_found_again() {
        let mut pool = PortPool::new(17_001..=17_007).unwrap();
        let taken = UdpSocket::bind((LOCAL, 17_003)).unwrap();
        let a = pool.open(LOCAL, 1 << 16).unwrap();
        assert_eq!(a.address.port(), 17_004);
        let b = pool.open(LOCAL, 1 << 16).unwrap();
        assert_eq!(b.address.port(), 17_006);
        assert_ne!(a.key, b.key);
        let error = pool.open(LOCAL, 1 << 16).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("no free RTP port on 127.0.0.1")
        );
        drop((a, taken));
        assert_eq!(pool.open(LOCAL, 1 << 16).unwrap().address.port(), 17_002);
    }

    #[test]
    fn a_range_without_a_pair_is_refused() {
        for range in [17_001..=17_002, 17_000..=17_000, 65_535..=65_535] {
            assert!(PortPool::new(range).is_err());
        }
        assert!(PortPool::new(65_534..=65_535).is_ok());
    }

    #[test]
    fn an_address_that_is_not_ours_is_an_error_at_once() {
        let mut pool = PortPool::new(17_010..=17_020).unwrap();
        let elsewhere = IpAddr::from([192, 0, 2, 1]);
        assert!(matches!(
            pool.open(elsewhere, 1 << 16),
            Err(EngineError::NoFreePort { .. })
        ));
    }
}
