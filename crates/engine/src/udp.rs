//! Many datagrams with one system call: `recvmmsg` and `sendmmsg` on Linux, one by one elsewhere.
//!
//! The only unsafe code of the crate. What the kernel is given are pointers into buffers that the
//! batch owns; they are made anew for each call, so that nothing has to stay where it is between calls.
#![allow(unsafe_code)] // a system call for each packet costs three times as much as a batch

use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

/// Datagrams that one call takes in.
pub(crate) const BATCH: usize = 64;
/// The longest datagram that is looked at; longer ones are nobody's RTP.
pub(crate) const LONGEST: usize = 2_048;

/// Buffers for datagrams that come in.
pub(crate) struct Inbound {
    bytes: Box<[u8]>,
    got: Vec<(usize, Option<SocketAddr>)>,
    #[cfg(target_os = "linux")]
    names: Box<[libc::sockaddr_storage]>,
}

/// Datagrams that go out through one socket.
pub(crate) struct Outbound {
    bytes: Vec<u8>,
    /// Where each datagram ends in `bytes`, and where it goes.
    to: Vec<(usize, socket2::SockAddr)>,
    #[cfg(target_os = "linux")]
    scratch: linux::Scratch,
}

impl Inbound {
    pub(crate) fn new() -> Self {
        Inbound {
            bytes: vec![0; BATCH * LONGEST].into(),
            got: Vec::with_capacity(BATCH),
            #[cfg(target_os = "linux")]
            names: linux::names(),
        }
    }

    /// Takes in what waits on a non-blocking socket, at most [`BATCH`] datagrams: how many it were.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> usize {
        self.got.clear();
        #[cfg(target_os = "linux")]
        linux::receive(self, socket);
        #[cfg(not(target_os = "linux"))]
        while self.got.len() < BATCH {
            let at = self.got.len() * LONGEST;
            match socket.recv_from(&mut self.bytes[at..at + LONGEST]) {
                Ok((length, from)) => self.got.push((length, Some(from))),
                Err(_) => break,
            }
        }
        self.got.len()
    }

    /// The datagrams of the last call with their sources; those that were cut or
    /// have no IP source come as empty ones from nowhere.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = (&[u8], Option<SocketAddr>)> {
        self.got
            .iter()
            .enumerate()
            .map(|(n, &(length, from))| (&self.bytes[n * LONGEST..n * LONGEST + length], from))
    }
}

impl Outbound {
    pub(crate) fn new() -> Self {
        Outbound {
            bytes: Vec::with_capacity(BATCH * 256),
            to: Vec::with_capacity(BATCH),
            #[cfg(target_os = "linux")]
            scratch: linux::Scratch::new(),
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.to.len() >= BATCH
    }

    /// Adds a datagram.
    pub(crate) fn push(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.to.push((self.bytes.len(), to.into()));
    }

    /// Sends all of them; how many went.
    pub(crate) fn flush(&mut self, socket: &UdpSocket) -> usize {
        #[cfg(target_os = "linux")]
        let sent = linux::send(self, socket);
        #[cfg(not(target_os = "linux"))]
        let sent = self
            .datagrams()
            .filter(|(to, bytes)| {
                to.as_socket()
                    .is_some_and(|to| socket.send_to(bytes, to).is_ok())
            })
            .count();
        self.bytes.clear();
        self.to.clear();
        sent
    }

    fn datagrams(&self) -> impl Iterator<Item = (&socket2::SockAddr, &[u8])> {
        let mut begin = 0;
        self.to.iter().map(move |(end, to)| {
            let bytes = &self.bytes[begin..*end];
            begin = *end;
            (to, bytes)
        })
    }
}

/// A non-blocking socket with room for a burst: a shared one takes hundreds of packets in one tick.
pub(crate) fn bind(address: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
    // The system may grant less; that is no reason not to run.
    let _ = socket.set_recv_buffer_size(buffer);
    let _ = socket.set_send_buffer_size(buffer);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{io, mem, net::UdpSocket, os::fd::AsRawFd, ptr};

    use super::{BATCH, Inbound, LONGEST, Outbound};

    /// Headers for one `sendmmsg`; kept for their memory alone, their pointers are dead between calls.
    pub(super) struct Scratch {
        pieces: Vec<libc::iovec>,
        headers: Vec<libc::mmsghdr>,
    }

    // SAFETY: the raw pointers inside are written and read within one `send` call, which has the
    // batch by `&mut`; between calls both vectors are empty.
    unsafe impl Send for Scratch {}

    impl Scratch {
        pub(super) fn new() -> Self {
            Scratch {
                pieces: Vec::with_capacity(BATCH),
                headers: Vec::with_capacity(BATCH),
            }
        }
    }

    pub(super) fn names() -> Box<[libc::sockaddr_storage]> {
        // SAFETY: `sockaddr_storage` is plain data for which all zeroes is a value.
        vec![unsafe { mem::zeroed() }; BATCH].into()
    }

    fn header(
        name: *mut libc::c_void,
        name_length: libc::socklen_t,
        piece: *mut libc::iovec,
    ) -> libc::mmsghdr {
        // SAFETY: `mmsghdr` is plain data for which all zeroes (no name, no pieces, no control data) is a value.
        let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
        header.msg_hdr.msg_name = name;
        header.msg_hdr.msg_namelen = name_length;
        header.msg_hdr.msg_iov = piece;
        header.msg_hdr.msg_iovlen = 1;
        header
    }

    pub(super) fn receive(batch: &mut Inbound, socket: &UdpSocket) {
        let name_length = mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        let bytes = batch.bytes.as_mut_ptr();
        let names = batch.names.as_mut_ptr();
        let mut pieces: [libc::iovec; BATCH] = std::array::from_fn(|n| libc::iovec {
            // SAFETY: `bytes` has BATCH * LONGEST bytes and n < BATCH.
            iov_base: unsafe { bytes.add(n * LONGEST) }.cast(),
            iov_len: LONGEST,
        });
        let pieces = pieces.as_mut_ptr();
        let mut headers: [libc::mmsghdr; BATCH] = std::array::from_fn(|n| {
            // SAFETY: `names` and `pieces` have BATCH elements and n < BATCH.
            unsafe { header(names.add(n).cast(), name_length, pieces.add(n)) }
        });
        // SAFETY: each of the BATCH headers points to a name and a piece of its own, as long as it says,
        // which live until the end of this function and are not touched otherwise meanwhile.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        for (n, header) in headers.iter().enumerate().take(count.max(0) as usize) {
            let cut = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            // SAFETY: the kernel wrote `msg_namelen` bytes of an address into this storage, at most its size.
            let from = unsafe {
                socket2::SockAddr::new(
                    ptr::read(names.add(n).cast()),
                    header.msg_hdr.msg_namelen.min(name_length),
                )
            };
            let length = if cut { 0 } else { header.msg_len as usize };
            let from = if cut { None } else { from.as_socket() };
            batch.got.push((length.min(LONGEST), from));
        }
    }

    pub(super) fn send(batch: &mut Outbound, socket: &UdpSocket) -> usize {
        let mut scratch = mem::replace(
            &mut batch.scratch,
            Scratch {
                pieces: Vec::new(),
                headers: Vec::new(),
            },
        );
        scratch.pieces.clear();
        scratch.headers.clear();
        scratch
            .pieces
            .extend(batch.datagrams().map(|(_, bytes)| libc::iovec {
                // The kernel only reads what is sent.
                iov_base: bytes.as_ptr().cast_mut().cast(),
                iov_len: bytes.len(),
            }));
        // No `push` to `pieces` from here on: the headers point into it.
        let pieces = scratch.pieces.as_mut_ptr();
        for (n, (_, to)) in batch.to.iter().enumerate() {
            // SAFETY: `pieces` has one element for each datagram.
            let piece = unsafe { pieces.add(n) };
            let name = to.as_ptr().cast_mut().cast();
            scratch.headers.push(header(name, to.len(), piece));
        }
        let sent = send_all(&mut scratch.headers, socket);
        scratch.pieces.clear();
        scratch.headers.clear();
        batch.scratch = scratch;
        sent
    }

    /// Sends datagram after datagram; one that the system refuses (no route, say) is left out.
    fn send_all(headers: &mut [libc::mmsghdr], socket: &UdpSocket) -> usize {
        let (mut next, mut sent) = (0, 0);
        while next < headers.len() {
            let rest = &mut headers[next..];
            // SAFETY: each header points to an address and a piece that live in the caller's batch, which
            // is borrowed for the whole call; the kernel reads them and writes `msg_len` alone.
            let count = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    rest.as_mut_ptr(),
                    rest.len() as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            match usize::try_from(count) {
                Ok(count) => {
                    next += count.max(1);
                    sent += count;
                }
                Err(_) => match io::Error::last_os_error().kind() {
                    io::ErrorKind::Interrupted => {}
                    // The send buffer is full: what is left would be late anyway.
                    io::ErrorKind::WouldBlock => break,
                    _ => next += 1,
                },
            }
        }
        sent
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    fn pair() -> (UdpSocket, UdpSocket) {
        let any = "127.0.0.1:0".parse().unwrap();
        (bind(any, 1 << 20).unwrap(), bind(any, 1 << 20).unwrap())
    }

    fn receive_all(
        inbound: &mut Inbound,
        socket: &UdpSocket,
        want: usize,
    ) -> Vec<(Vec<u8>, Option<SocketAddr>)> {
        let mut all = Vec::new();
        for _ in 0..200 {
            while inbound.receive(socket) > 0 {
                all.extend(inbound.datagrams().map(|(b, from)| (b.to_vec(), from)));
            }
            if all.len() >= want {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        all
    }

    #[test]
    fn batches_arrive_whole_in_order_and_with_their_source() {
        let (a, b) = pair();
        let (mut out, mut inbound) = (Outbound::new(), Inbound::new());
        assert_eq!(inbound.receive(&b), 0);
        // More than one batch each way, of every length that matters.
        let lengths: Vec<usize> = (0..150).map(|n| n * 13 % 1_400).collect();
        for (n, &length) in lengths.iter().enumerate() {
            out.push(b.local_addr().unwrap(), &vec![n as u8; length]);
        }
        assert!(out.is_full());
        assert_eq!(out.flush(&a), 150);
        assert_eq!(out.flush(&a), 0);
        let all = receive_all(&mut inbound, &b, 150);
        assert_eq!(all.len(), 150);
        for (n, (bytes, from)) in all.iter().enumerate() {
            assert_eq!(*bytes, vec![n as u8; lengths[n]]);
            assert_eq!(*from, Some(a.local_addr().unwrap()));
        }
    }

    #[test]
    fn a_datagram_too_long_comes_as_nothing() {
        let (a, b) = pair();
        let (mut out, mut inbound) = (Outbound::new(), Inbound::new());
        out.push(b.local_addr().unwrap(), &[1; LONGEST + 1]);
        out.push(b.local_addr().unwrap(), &[2; LONGEST]);
        assert_eq!(out.flush(&a), 2);
        let all = receive_all(&mut inbound, &b, 2);
        assert_eq!((all[0].0.len(), all[0].1), (0, None));
        assert_eq!((all[1].0.len(), all[1].1), (LONGEST, a.local_addr().ok()));
    }

    #[test]
    fn one_that_cannot_be_sent_does_not_stop_the_others() {
        let (a, b) = pair();
        let (mut out, mut inbound) = (Outbound::new(), Inbound::new());
        // An IPv6 destination on an IPv4 socket is refused by the system.
        out.push("[::1]:9".parse().unwrap(), b"lost");
        out.push(b.local_addr().unwrap(), b"kept");
        assert_eq!(out.flush(&a), 1);
        assert_eq!(receive_all(&mut inbound, &b, 1)[0].0, b"kept");
    }

    #[test]
    fn ipv6_as_well() {
        let any = "[::1]:0".parse().unwrap();
        // A machine without IPv6 has nothing to show here.
        let (Ok(a), Ok(b)) = (bind(any, 1 << 16), bind(any, 1 << 16)) else {
            return;
        };
        let (mut out, mut inbound) = (Outbound::new(), Inbound::new());
        out.push(b.local_addr().unwrap(), b"six");
        assert_eq!(out.flush(&a), 1);
        let all = receive_all(&mut inbound, &b, 1);
        assert_eq!(all[0], (b"six".to_vec(), a.local_addr().ok()));
    }
}
