//! Telephones that share a socket, each with an address of its own on loopback: what comes for all of them is received in
//! batches, and thousands of telephones are a few sockets for the kernel to look after. When something came the kernel says, so that
//! nothing seems late that is merely read late.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    os::fd::AsRawFd,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use nix::{
    cmsg_space,
    libc::{in_addr, in_pktinfo, timespec},
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmsg,
        setsockopt,
        sockopt::{Ipv4PacketInfo, ReceiveTimestampns},
    },
};

/// The first telephone's address is the one after it.
const FIRST: u32 = u32::from_be_bytes([127, 64, 0, 0]);
/// Room for what a bridge sends in one burst to a listener that isn't running just then.
const BUFFER: usize = 4 * 1_024 * 1_024;
/// Datagrams that one system call takes.
const BATCH: usize = 64;
const LONGEST: usize = 2_048;

/// The address of the telephone of this number.
pub(crate) fn address_of(number: usize) -> Ipv4Addr {
    Ipv4Addr::from(FIRST + 1 + number as u32)
}

/// A socket at which telephones of any number are called.
pub(crate) fn bind() -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_nonblocking(true)?;
    // Its address is any one: nothing is to come from elsewhere than this machine.
    socket.bind_device(Some(b"lo"))?;
    setsockopt(&socket, Ipv4PacketInfo, &true)?;
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
    Ok(socket.into())
}

/// Sends a datagram from this telephone's address.
pub(crate) fn send(socket: &UdpSocket, from: Ipv4Addr, to: SocketAddrV4, datagram: &[u8]) {
    let address = in_addr {
        s_addr: u32::from(from).to_be(),
    };
    let info = in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: address,
        ipi_addr: address,
    };
    // A lost packet is lost, as on any network.
    let _ = sendmsg(
        socket.as_raw_fd(),
        &[IoSlice::new(datagram)],
        &[ControlMessage::Ipv4PacketInfo(&info)],
        MsgFlags::MSG_DONTWAIT,
        Some(&SockaddrIn::from(to)),
    );
}

/// Buffers for datagrams that come in.
pub(crate) struct Inbound {
    headers: MultiHeaders<SockaddrIn>,
    bytes: Vec<[u8; LONGEST]>,
}

impl Inbound {
    pub(crate) fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(BATCH, Some(cmsg_space!(timespec, in_pktinfo))),
            bytes: vec![[0; LONGEST]; BATCH],
        }
    }

    /// Gives `take` all that waits on a socket, with the number of the telephone that it came to, and when.
    pub(crate) fn receive(
        &mut self,
        socket: &UdpSocket,
        mut take: impl FnMut(usize, Instant, &[u8]),
    ) {
        loop {
            let mut slices: Vec<_> = self
                .bytes
                .iter_mut()
                .map(|datagram| [IoSliceMut::new(datagram)])
                .collect();
            let flags = MsgFlags::MSG_DONTWAIT;
            let Ok(received) = recvmmsg(
                socket.as_raw_fd(),
                &mut self.headers,
                slices.iter_mut(),
                flags,
                None,
            ) else {
                return;
            };
            let now = Instant::now();
            let wall = SystemTime::now().duration_since(UNIX_EPOCH);
            let wall = wall.unwrap_or_default();
            let mut count = 0;
            for message in received {
                count += 1;
                let (mut number, mut age) = (None, Duration::ZERO);
                for note in message.cmsgs().into_iter().flatten() {
                    match note {
                        ControlMessageOwned::Ipv4PacketInfo(info) => {
                            number = number_of(info.ipi_addr);
                        }
                        ControlMessageOwned::ScmTimestampns(stamp) => {
                            age = wall.saturating_sub(stamp.into());
                        }
                        _ => {}
                    }
                }
                if let Some((number, datagram)) = number.zip(message.iovs().next()) {
                    take(number, now.checked_sub(age).unwrap_or(now), datagram);
                }
            }
            if count < BATCH {
                return;
            }
        }
    }
}

fn number_of(address: in_addr) -> Option<usize> {
    let number = u32::from_be(address.s_addr).checked_sub(FIRST + 1)?;
    Some(number as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_telephone_speaks_and_hears_at_its_own_address() {
        let bridge = UdpSocket::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(to) = bridge.local_addr().unwrap() else {
            panic!("an address of version 4")
        };
        let shared = bind().unwrap();
        let port = shared.local_addr().unwrap().port();
        for number in [0, 255, 19_999] {
            send(&shared, address_of(number), to, &[number as u8]);
            let mut datagram = [0; 8];
            let (length, from) = bridge.recv_from(&mut datagram).unwrap();
            assert_eq!(from, (address_of(number), port).into());
            assert_eq!(datagram[..length], [number as u8]);
        }

        let (mut inbound, about) = (Inbound::new(), Duration::from_millis(10));
        // The kernel begins to stamp what comes some time after it was asked to; until then it is as old as its reading.
        let mut is_stamped = || {
            bridge.send_to(&[0], (address_of(0), port)).unwrap();
            let sent = Instant::now();
            std::thread::sleep(3 * about);
            let mut stamped = false;
            inbound.receive(&shared, |_, came, _| stamped = came < sent + about);
            stamped
        };
        assert!((0..100).any(|_| is_stamped()));

        // More than one batch, read late.
        let before = Instant::now();
        for number in 0..100 {
            let to = (address_of(number), port);
            bridge.send_to(&[number as u8; 3], to).unwrap();
        }
        let after = Instant::now();
        std::thread::sleep(Duration::from_millis(50));
        let mut heard = Vec::new();
        inbound.receive(&shared, |number, came, datagram| {
            assert_eq!(datagram, [number as u8; 3]);
            assert!(came + about > before && came < after + about);
            heard.push(number);
        });
        assert_eq!(heard, (0..100).collect::<Vec<_>>());
    }
}
