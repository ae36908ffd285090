//! The floor: what receiving and sending the packets costs by itself.

use std::{
    collections::HashMap,
    io::{IoSlice, IoSliceMut, Read},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    os::fd::AsRawFd,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Instant,
};

use conclave_media::{Codec, RtpWriter};
use conclave_sip::{CallRef, Limits, Listener, SipConfig, SipEvent, SipServer};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

use crate::{Error, TICK};

/// Shared by all calls; the bridge has as many.
const SOCKETS: usize = 4;
/// Datagrams that one system call takes.
const BATCH: usize = 64;
const LONGEST: usize = 2_048;
/// Hundreds of packets come in one tick.
const BUFFER: usize = 4 * 1_024 * 1_024;
/// G.711 for 20 ms.
const PAYLOAD: usize = 160;
const PACKET: usize = 12 + PAYLOAD;

enum Order {
    Send(CallRef, SocketAddrV4),
    End(CallRef),
}

/// Answers until standard input ends.
pub(crate) async fn run(sip: SocketAddr) -> Result<(), Error> {
    let everything = 1_000_000;
    let config = SipConfig {
        listeners: vec![Listener::udp(sip)],
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        limits: Limits {
            setups_per_second: 1_000,
            pending_per_source: everything,
            pending: everything,
            calls: everything,
            ..Limits::default()
        },
        ..SipConfig::default()
    };
    let (server, mut events) = SipServer::start(config).await?;
    let sockets: Vec<(SocketAddr, Sender<Order>)> = (0..SOCKETS)
        .map(|_| start_thread())
        .collect::<Result<_, Error>>()?;
    let (ended, mut end) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        let _ = ended.send(());
    });
    let of = |call: CallRef| &sockets[call.0 as usize % SOCKETS];
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            _ = &mut end => None,
        };
        // A thread whose channel is gone has panicked, and said so.
        match event {
            None => break,
            Some(SipEvent::Incoming(call)) => {
                let (address, orders) = of(call.call);
                server.answer(call.call, *address);
                if let Some(SocketAddr::V4(remote)) = call.media.map(|media| media.remote) {
                    let _ = orders.send(Order::Send(call.call, remote));
                }
            }
            Some(SipEvent::Ended { call, .. }) => {
                let _ = of(call).1.send(Order::End(call));
            }
            Some(_) => {}
        }
    }
    server.shutdown().await;
    Ok(())
}

fn start_thread() -> Result<(SocketAddr, Sender<Order>), Error> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_send_buffer_size(BUFFER)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let socket: UdpSocket = socket.into();
    let address = socket.local_addr()?;
    let (orders, new_orders) = channel();
    thread::Builder::new()
        .name("floor".into())
        .spawn(move || tick(&socket, &new_orders))?;
    Ok((address, orders))
}

struct Peer {
    address: SockaddrIn,
    writer: RtpWriter,
}

/// Ticks until the other end of its orders is gone.
fn tick(socket: &UdpSocket, orders: &Receiver<Order>) {
    let mut peers: Vec<Peer> = Vec::new();
    let mut places: HashMap<CallRef, SockaddrIn> = HashMap::new();
    // Not the same for both: sending leaves the addresses of what was sent in them, and receiving would write there.
    let [mut received, mut sent] = [(); 2].map(|()| MultiHeaders::preallocate(BATCH, None));
    let mut inbound = vec![[0_u8; LONGEST]; BATCH];
    let mut outbound = vec![[0_u8; PACKET]; BATCH];
    let began = Instant::now();
    for number in 0_u32.. {
        thread::sleep((began + TICK * number).saturating_duration_since(Instant::now()));
        loop {
            match orders.try_recv() {
                Ok(Order::Send(call, remote)) => {
                    let address = SockaddrIn::from(remote);
                    places.insert(call, address);
                    let writer = RtpWriter::new(call.0 as u32, 0, 0);
                    peers.push(Peer { address, writer });
                }
                Ok(Order::End(call)) => {
                    let gone = places.remove(&call);
                    peers.retain(|peer| Some(peer.address) != gone);
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
            }
        }
        while receive(socket, &mut received, &mut inbound) == BATCH {}
        for some in peers.chunks_mut(BATCH) {
            send(socket, &mut sent, &mut outbound, some);
        }
    }
}

fn receive(
    socket: &UdpSocket,
    headers: &mut MultiHeaders<SockaddrIn>,
    inbound: &mut [[u8; LONGEST]],
) -> usize {
    let mut slices: Vec<[IoSliceMut<'_>; 1]> = inbound
        .iter_mut()
        .map(|datagram| [IoSliceMut::new(datagram)])
        .collect();
    let flags = MsgFlags::MSG_DONTWAIT;
    recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)
        .map_or(0, |received| received.count())
}

fn send(
    socket: &UdpSocket,
    headers: &mut MultiHeaders<SockaddrIn>,
    outbound: &mut [[u8; PACKET]],
    peers: &mut [Peer],
) {
    for (peer, packet) in peers.iter_mut().zip(outbound.iter_mut()) {
        // Its length is that of the buffer: it always fits.
        let _ = peer
            .writer
            .write(0, false, PAYLOAD as u32, &[0xFF; PAYLOAD], packet);
    }
    let addresses: Vec<_> = peers.iter().map(|peer| Some(peer.address)).collect();
    let slices: Vec<_> = outbound[..peers.len()]
        .iter()
        .map(|packet| [IoSlice::new(packet)])
        .collect();
    // What the kernel doesn't take is lost, as on any network.
    let _ = sendmmsg(
        socket.as_raw_fd(),
        headers,
        &slices,
        &addresses,
        [],
        MsgFlags::MSG_DONTWAIT,
    );
}
