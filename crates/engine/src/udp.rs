//! Many datagrams with one system call, `recvmmsg` and `sendmmsg`, and one call to learn which of many sockets have
//! any, `epoll_wait`. Elsewhere than on Linux: one by one, and each socket is asked.
//!
//! The only unsafe code of the crate. What the kernel is given are pointers into buffers that the
//! batch owns; they are made anew for each call, so that nothing has to stay where it is between calls.
#![allow(unsafe_code)] // a system call for each packet costs three times as much as a batch

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

/// Datagrams that one call takes in.
pub(crate) const BATCH: usize = 64;
/// The longest datagram that is looked at; longer ones are nobody's RTP.
pub(crate) const LONGEST: usize = 2_048;

/// From one buffer to the next: not a power of two, so that their beginnings don't all want the same places of the cache.
const STRIDE: usize = LONGEST + 64;

/// Buffers for datagrams that come in.
pub(crate) struct Inbound {
    bytes: Box<[u8]>,
    got: Vec<Got>,
    #[cfg(target_os = "linux")]
    names: Box<[linux::Name]>,
    #[cfg(target_os = "linux")]
    controls: Box<[linux::Control]>,
}

struct Got {
    length: usize,
    from: Option<SocketAddr>,
    stamp: Option<Duration>,
}

/// A datagram that came in. One that was cut or has no IP source is an empty one from nowhere.
pub(crate) struct Received<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) from: Option<SocketAddr>,
    /// When the system took it in, by its clock: since 1970. `None` where it doesn't say.
    pub(crate) stamp: Option<Duration>,
}

/// Datagrams that go out through one socket.
pub(crate) struct Outbound {
    bytes: Vec<u8>,
    /// Where each datagram ends in `bytes`, and where it goes.
    to: Vec<(usize, SocketAddr)>,
    #[cfg(target_os = "linux")]
    scratch: linux::Scratch,
}

impl Inbound {
    pub(crate) fn new() -> Self {
        Inbound {
            bytes: vec![0; BATCH * STRIDE].into(),
            got: Vec::with_capacity(BATCH),
            #[cfg(target_os = "linux")]
            names: linux::names(),
            #[cfg(target_os = "linux")]
            controls: vec![linux::Control::default(); BATCH].into(),
        }
    }

    /// Takes in what waits on a non-blocking socket, at most [`BATCH`] datagrams: how many it were.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> usize {
        self.got.clear();
        #[cfg(target_os = "linux")]
        linux::receive(self, socket);
        #[cfg(not(target_os = "linux"))]
        while self.got.len() < BATCH {
            let at = self.got.len() * STRIDE;
            match socket.recv_from(&mut self.bytes[at..at + LONGEST]) {
                Ok((length, from)) => self.got.push(Got {
                    length,
                    from: Some(from),
                    stamp: None,
                }),
                Err(_) => break,
            }
        }
        self.got.len()
    }

    /// The datagrams of the last call.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = Received<'_>> {
        self.got.iter().enumerate().map(|(n, got)| Received {
            bytes: &self.bytes[n * STRIDE..][..got.length],
            from: got.from,
            stamp: got.stamp,
        })
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
        self.to.push((self.bytes.len(), to));
    }

    /// Sends all of them; how many went.
    pub(crate) fn flush(&mut self, socket: &UdpSocket) -> usize {
        #[cfg(target_os = "linux")]
        let sent = linux::send(self, socket);
        #[cfg(not(target_os = "linux"))]
        let sent = self
            .datagrams()
            .filter(|(to, bytes)| socket.send_to(bytes, to).is_ok())
            .count();
        self.bytes.clear();
        self.to.clear();
        sent
    }

    fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let mut begin = 0;
        self.to.iter().map(move |&(end, to)| {
            let bytes = &self.bytes[begin..end];
            begin = end;
            (to, bytes)
        })
    }
}

/// Many sockets, of which few have anything at a time.
pub(crate) struct Watch {
    #[cfg(target_os = "linux")]
    poll: std::os::fd::OwnedFd,
    tokens: Vec<u64>,
    ready: Vec<u64>,
}

impl Watch {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Watch {
            #[cfg(target_os = "linux")]
            poll: linux::poll()?,
            tokens: Vec::new(),
            ready: Vec::new(),
        })
    }

    /// Watches a socket, which is spoken of as `token`.
    pub(crate) fn add(&mut self, socket: &UdpSocket, token: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        linux::watch(&self.poll, socket, token)?;
        self.tokens.push(token);
        self.ready.reserve(self.tokens.len());
        Ok(())
    }

    /// No longer watches it.
    pub(crate) fn remove(&mut self, socket: &UdpSocket, token: u64) {
        #[cfg(target_os = "linux")]
        linux::unwatch(&self.poll, socket);
        self.tokens.retain(|&other| other != token);
    }

    /// The sockets that have something to be received, at this moment.
    pub(crate) fn ready(&mut self) -> &[u64] {
        self.ready.clear();
        #[cfg(target_os = "linux")]
        linux::ready(&self.poll, &mut self.ready, self.tokens.len());
        #[cfg(not(target_os = "linux"))]
        self.ready.extend_from_slice(&self.tokens);
        &self.ready
    }
}

/// Lets this process have as many sockets as the system allows it: two for each leg with ports of its own are
/// soon more than the usual 1,024.
pub(crate) fn allow_many_sockets() {
    #[cfg(target_os = "linux")]
    linux::raise_descriptor_limit();
}

/// A non-blocking socket with room for a burst: a shared one takes hundreds of packets in one tick. Where the system can, it says
/// of each datagram when it came.
pub(crate) fn bind(address: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
    // The system may grant less; that is no reason not to run.
    let _ = socket.set_recv_buffer_size(buffer);
    let _ = socket.set_send_buffer_size(buffer);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    #[cfg(target_os = "linux")]
    {
        linux::stamp(&socket);
        linux::never_fragment(&socket);
    }
    Ok(socket.into())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        io, mem,
        net::{Ipv4Addr, SocketAddr, SocketAddrV6, UdpSocket},
        os::fd::{AsRawFd, FromRawFd, OwnedFd},
        ptr,
        time::Duration,
    };

    use super::{BATCH, Got, Inbound, LONGEST, Outbound, STRIDE};

    /// What the kernel says of a datagram beside its source: room for a time, aligned as its header wants it.
    #[derive(Clone, Copy, Default)]
    #[repr(align(8))]
    pub(super) struct Control {
        _bytes: [u64; 8],
    }

    /// An address as the kernel wants it, in no more bytes than that takes.
    #[derive(Clone, Copy)]
    #[repr(C)]
    pub(super) union Name {
        v4: libc::sockaddr_in,
        v6: libc::sockaddr_in6,
    }

    impl Name {
        const fn none() -> Self {
            // SAFETY: both are plain data for which all zeroes is a value.
            unsafe { mem::zeroed() }
        }

        /// What the kernel wrote here, in so many bytes.
        fn address(&self, length: libc::socklen_t) -> Option<SocketAddr> {
            let holds = |size: usize| length as usize >= size;
            // SAFETY: all bytes were zeroes at first, and any bytes are values of the fields read here; both begin with the family.
            unsafe {
                match libc::c_int::from(self.v4.sin_family) {
                    libc::AF_INET if holds(mem::size_of::<libc::sockaddr_in>()) => {
                        let ip = Ipv4Addr::from(self.v4.sin_addr.s_addr.to_ne_bytes());
                        Some((ip, u16::from_be(self.v4.sin_port)).into())
                    }
                    libc::AF_INET6 if holds(mem::size_of::<libc::sockaddr_in6>()) => {
                        let v6 = self.v6;
                        let (ip, port) = (v6.sin6_addr.s6_addr.into(), u16::from_be(v6.sin6_port));
                        let (flow, scope) = (v6.sin6_flowinfo, v6.sin6_scope_id);
                        Some(SocketAddrV6::new(ip, port, flow, scope).into())
                    }
                    _ => None,
                }
            }
        }

        fn of(address: SocketAddr) -> (Self, libc::socklen_t) {
            let mut name = Self::none();
            let length = match address {
                SocketAddr::V4(address) => {
                    name.v4 = libc::sockaddr_in {
                        sin_family: libc::AF_INET as libc::sa_family_t,
                        sin_port: address.port().to_be(),
                        sin_addr: libc::in_addr {
                            s_addr: u32::from_ne_bytes(address.ip().octets()),
                        },
                        sin_zero: [0; 8],
                    };
                    mem::size_of::<libc::sockaddr_in>()
                }
                SocketAddr::V6(address) => {
                    name.v6 = libc::sockaddr_in6 {
                        sin6_family: libc::AF_INET6 as libc::sa_family_t,
                        sin6_port: address.port().to_be(),
                        sin6_flowinfo: address.flowinfo(),
                        sin6_addr: libc::in6_addr {
                            s6_addr: address.ip().octets(),
                        },
                        sin6_scope_id: address.scope_id(),
                    };
                    mem::size_of::<libc::sockaddr_in6>()
                }
            };
            (name, length as libc::socklen_t)
        }
    }

    /// Headers for one `sendmmsg`; kept for their memory alone, their pointers are dead between calls.
    pub(super) struct Scratch {
        names: Vec<Name>,
        pieces: Vec<libc::iovec>,
        headers: Vec<libc::mmsghdr>,
    }

    // SAFETY: the raw pointers inside are written and read within one `send` call, which has the
    // batch by `&mut`; between calls the vectors are empty.
    unsafe impl Send for Scratch {}

    impl Scratch {
        pub(super) fn new() -> Self {
            Scratch {
                names: Vec::with_capacity(BATCH),
                pieces: Vec::with_capacity(BATCH),
                headers: Vec::with_capacity(BATCH),
            }
        }
    }

    pub(super) fn raise_descriptor_limit() {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: `limit` lives for both calls, which write it and read it. If either fails, the limit stays as it is.
        unsafe {
            if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
                limit.rlim_cur = limit.rlim_max;
                libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
            }
        }
    }

    /// Sockets that one `epoll_wait` tells of.
    const EVENTS: usize = 256;

    pub(super) fn poll() -> io::Result<OwnedFd> {
        // SAFETY: takes no pointer; a descriptor that is returned is new and nobody else's.
        unsafe {
            match libc::epoll_create1(libc::EPOLL_CLOEXEC) {
                -1 => Err(io::Error::last_os_error()),
                descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
            }
        }
    }

    pub(super) fn watch(poll: &OwnedFd, socket: &UdpSocket, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: token,
        };
        // SAFETY: `event` lives for the call, which copies it; both descriptors are open.
        let done = unsafe {
            libc::epoll_ctl(
                poll.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                socket.as_raw_fd(),
                &mut event,
            )
        };
        if done == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    pub(super) fn unwatch(poll: &OwnedFd, socket: &UdpSocket) {
        // SAFETY: removing takes no event; both descriptors are open. One that isn't watched is no harm.
        unsafe {
            libc::epoll_ctl(
                poll.as_raw_fd(),
                libc::EPOLL_CTL_DEL,
                socket.as_raw_fd(),
                ptr::null_mut(),
            );
        }
    }

    /// Adds the tokens of sockets with something to be received. What one call doesn't tell of, the next one does:
    /// the kernel goes round.
    pub(super) fn ready(poll: &OwnedFd, tokens: &mut Vec<u64>, watched: usize) {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        for _ in 0..watched.div_ceil(EVENTS) {
            // SAFETY: the kernel writes at most EVENTS events to `events`, and says how many.
            let count = unsafe {
                libc::epoll_wait(
                    poll.as_raw_fd(),
                    events.as_mut_ptr(),
                    EVENTS as libc::c_int,
                    0,
                )
            };
            let count = usize::try_from(count).unwrap_or(0).min(EVENTS);
            // Without a copy this would refer to a field of a packed struct.
            tokens.extend(events[..count].iter().map(|event| event.u64));
            if count < EVENTS {
                break;
            }
        }
    }

    pub(super) fn names() -> Box<[Name]> {
        vec![Name::none(); BATCH].into()
    }

    /// Lets the kernel say when each datagram came. If it refuses, none has a stamp.
    pub(super) fn stamp(socket: &socket2::Socket) {
        set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1);
    }

    /// A packet of 20 ms is none that a network must take apart. Said so, the kernel gives it no number by which its parts would
    /// be found, and nobody's word makes it smaller.
    pub(super) fn never_fragment(socket: &socket2::Socket) {
        let probe = libc::IP_PMTUDISC_PROBE;
        set(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, probe);
    }

    /// Sets an option without which the socket does, too.
    fn set(socket: &socket2::Socket, level: libc::c_int, option: libc::c_int, to: libc::c_int) {
        // SAFETY: the kernel reads `to`, which is as long as is said and lives for the call.
        unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                level,
                option,
                ptr::from_ref(&to).cast(),
                mem::size_of_val(&to) as libc::socklen_t,
            );
        }
    }

    /// # Safety
    /// The header's control data is what `recvmmsg` wrote there, or nothing.
    unsafe fn stamp_of(header: &libc::msghdr) -> Option<Duration> {
        // SAFETY: by the caller's word these stay within the control data, whose length the kernel has set.
        unsafe {
            let mut control = libc::CMSG_FIRSTHDR(header);
            while !control.is_null() {
                let kind = ((*control).cmsg_level, (*control).cmsg_type);
                if kind == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
                    let time: libc::timespec = ptr::read_unaligned(libc::CMSG_DATA(control).cast());
                    let (s, ns) = (time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?);
                    return Some(Duration::new(s, ns));
                }
                control = libc::CMSG_NXTHDR(header, control);
            }
            None
        }
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
        let name_length = mem::size_of::<Name>() as libc::socklen_t;
        let bytes = batch.bytes.as_mut_ptr();
        let names = batch.names.as_mut_ptr();
        let controls = batch.controls.as_mut_ptr();
        let mut pieces: [libc::iovec; BATCH] = std::array::from_fn(|n| libc::iovec {
            // SAFETY: `bytes` has BATCH * STRIDE bytes and n < BATCH.
            iov_base: unsafe { bytes.add(n * STRIDE) }.cast(),
            iov_len: LONGEST,
        });
        let pieces = pieces.as_mut_ptr();
        let mut headers: [libc::mmsghdr; BATCH] = std::array::from_fn(|n| {
            // SAFETY: `names`, `pieces` and `controls` have BATCH elements and n < BATCH.
            unsafe {
                let mut header = header(names.add(n).cast(), name_length, pieces.add(n));
                header.msg_hdr.msg_control = controls.add(n).cast();
                header.msg_hdr.msg_controllen = mem::size_of::<Control>() as _;
                header
            }
        });
        // SAFETY: each of the BATCH headers points to a name, a piece and control data of its own, as long as it says,
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
            let from = batch.names[n].address(header.msg_hdr.msg_namelen);
            let length = if cut { 0 } else { header.msg_len as usize };
            batch.got.push(Got {
                length: length.min(LONGEST),
                from: from.filter(|_| !cut),
                // SAFETY: the kernel wrote the control data of the headers that it counts.
                stamp: unsafe { stamp_of(&header.msg_hdr) },
            });
        }
    }

    pub(super) fn send(batch: &mut Outbound, socket: &UdpSocket) -> usize {
        let mut scratch = mem::replace(
            &mut batch.scratch,
            Scratch {
                names: Vec::new(),
                pieces: Vec::new(),
                headers: Vec::new(),
            },
        );
        let count = batch.to.len();
        scratch.names.reserve(count);
        scratch.pieces.reserve(count);
        // No vector grows from here on: the headers point into the others.
        let (names, pieces) = (scratch.names.as_mut_ptr(), scratch.pieces.as_mut_ptr());
        for (n, (to, bytes)) in batch.datagrams().enumerate() {
            let (name, length) = Name::of(to);
            scratch.names.push(name);
            scratch.pieces.push(libc::iovec {
                // The kernel only reads what is sent.
                iov_base: bytes.as_ptr().cast_mut().cast(),
                iov_len: bytes.len(),
            });
            // SAFETY: both vectors have room for an element for each datagram.
            let (name, piece) = unsafe { (names.add(n).cast(), pieces.add(n)) };
            scratch.headers.push(header(name, length, piece));
        }
        let sent = send_all(&mut scratch.headers, socket);
        scratch.names.clear();
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
                let datagrams = inbound.datagrams();
                all.extend(datagrams.map(|got| (got.bytes.to_vec(), got.from)));
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

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_says_when_each_came() {
        let now = || {
            let now = std::time::SystemTime::now();
            now.duration_since(std::time::UNIX_EPOCH).unwrap()
        };
        let ((a, b), mut inbound) = (pair(), Inbound::new());
        let mut between = vec![now()];
        for _ in 0..3 {
            a.send_to(b"tick", b.local_addr().unwrap()).unwrap();
            thread::sleep(Duration::from_millis(5));
            between.push(now());
        }
        assert_eq!(inbound.receive(&b), 3);
        for (n, got) in inbound.datagrams().enumerate() {
            let stamp = got.stamp.unwrap();
            assert!((between[n]..=between[n + 1]).contains(&stamp), "{n}");
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
    fn only_sockets_with_something_are_ready() {
        allow_many_sockets();
        let mut watch = Watch::new().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let sockets: Vec<_> = (0..1_500).map(|_| bind(any, 1 << 12).unwrap()).collect();
        for (token, socket) in sockets.iter().enumerate() {
            watch.add(socket, token as u64).unwrap();
        }
        assert!(watch.add(&sockets[0], 7).is_err());
        let told = |watch: &mut Watch| {
            let mut told = watch.ready().to_vec();
            told.sort_unstable();
            told.dedup();
            told
        };
        assert!(told(&mut watch).is_empty() || cfg!(not(target_os = "linux")));
        for token in [3, 500] {
            let to = sockets[token].local_addr().unwrap();
            sockets[0].send_to(b"here", to).unwrap();
        }
        assert_eq!(told(&mut watch), [3, 500]);
        watch.remove(&sockets[500], 500);
        assert_eq!(told(&mut watch), [3]);
        assert_eq!(Inbound::new().receive(&sockets[3]), 1);
        assert_eq!(told(&mut watch), []);
        // Further ones than one call can tell of.
        for socket in &sockets[..500] {
            let to = socket.local_addr().unwrap();
            sockets[0].send_to(b"here", to).unwrap();
        }
        let mut all = told(&mut watch);
        while all.len() < 500 {
            all.extend(told(&mut watch));
            all.sort_unstable();
            all.dedup();
        }
        assert_eq!(all, (0..500).collect::<Vec<_>>());
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
