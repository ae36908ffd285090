//! Sockets: datagrams and streams in, through the guard, to the front; responses and requests out.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdUdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::{SipMessage, Transport as SipTransport};
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tracing::{error, warn};

use crate::admission::Source;
use crate::config::{Listener, Strangers, Transport};
use crate::dialog::Path;
use crate::guard::{self, Frame, Verdict};
use crate::server::{Core, Place};
use crate::stats::Refused;

/// The largest message, in bytes, headers and body.
pub(crate) const MAX_MESSAGE: usize = 65_535;
/// How long a stream may be quiet between messages, and how long one message may take to arrive.
const STREAM_IDLE: Duration = Duration::from_secs(900);
const STREAM_MESSAGE: Duration = Duration::from_secs(20);
/// How long a peer may take to read what was written, and how many messages may wait for that.
const STREAM_WRITE: Duration = Duration::from_secs(10);
const STREAM_QUEUE: usize = 64;

/// Opens a listener and serves it until the server stops.
pub(crate) async fn open(core: &Arc<Core>, listener: &Listener) -> io::Result<SocketAddr> {
    let site = Arc::new(Site {
        core: core.clone(),
        anyone: listener.anyone.clone(),
        advertise: listener.advertise,
        bound: listener.bind,
    });
    match listener.transport {
        Transport::Udp => {
            let (socket, connection, bound) = bind_udp(listener.bind).await?;
            let site = Arc::new(Site {
                bound,
                ..Site::clone(&site)
            });
            serve(core, move || {
                datagrams(site.clone(), socket.clone(), connection.clone())
            });
            Ok(bound)
        }
        Transport::Tcp => {
            let socket = Arc::new(TcpListener::bind(listener.bind).await?);
            let bound = socket.local_addr()?;
            let site = Arc::new(Site {
                bound,
                ..Site::clone(&site)
            });
            let room = Arc::new(Semaphore::new(core.config.limits.connections));
            serve(core, move || {
                accept(site.clone(), socket.clone(), room.clone())
            });
            Ok(bound)
        }
    }
}

/// A UDP socket with room for a burst, and the stack's view of it.
pub(crate) async fn bind_udp(
    bind: SocketAddr,
) -> io::Result<(Arc<UdpSocket>, SipConnection, SocketAddr)> {
    let socket = UdpSocket::bind(bind).await?;
    // A burst of INVITEs waits here while it is judged; the system may grant less.
    let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(2 << 20);
    let bound = socket.local_addr()?;
    let socket = Arc::new(socket);
    let connection = UdpConnection::from_socket(socket.clone(), None, None).await;
    let connection = connection.map_err(|e| io::Error::other(e.to_string()))?;
    Ok((socket, SipConnection::Udp(connection), bound))
}

/// Runs a listener; should it ever panic, it is started again, for a server without ears is worse.
fn serve<F>(core: &Arc<Core>, run: impl Fn() -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let stop = core.stop.clone();
    core.tasks.spawn(async move {
        loop {
            let (run, stop) = (run(), stop.clone());
            let task = tokio::spawn(async move {
                tokio::select! {
                    () = run => {}
                    () = stop.cancelled() => {}
                }
            });
            if task.await.is_ok() {
                return;
            }
            error!("a SIP listener failed and is started again");
        }
    });
}

/// A listener's surroundings.
#[derive(Clone)]
struct Site {
    core: Arc<Core>,
    anyone: Option<String>,
    advertise: Option<IpAddr>,
    bound: SocketAddr,
}

impl Site {
    /// Whether an address gets no answer at all.
    fn is_ignored(&self, address: IpAddr) -> bool {
        let config = &self.core.config;
        config.strangers == Strangers::Silence
            && self.anyone.is_none()
            && config.endpoints.users.is_empty()
            && Source::trunk(&config.trunks, address).is_none()
    }

    fn place(&self, peer: SocketAddr) -> Place {
        let bound = self.bound.ip();
        let local_ip = if bound.is_unspecified() {
            towards(peer).unwrap_or(bound)
        } else {
            bound
        };
        Place {
            anyone: self.anyone.clone(),
            advertise: self.advertise,
            local_ip,
        }
    }

    fn path(
        &self,
        place: &Place,
        peer: SocketAddr,
        connection: SipConnection,
        transport: &'static str,
    ) -> Path {
        let ip = place.advertise.unwrap_or(place.local_ip);
        Path {
            connection,
            peer,
            local: SocketAddr::new(ip, self.bound.port()),
            transport,
        }
    }

    /// Judges one message and passes on what stands; `false` if it was broken.
    async fn take(
        &self,
        bytes: &[u8],
        peer: SocketAddr,
        connection: &SipConnection,
        stream: bool,
    ) -> bool {
        let counters = &self.core.counters;
        let (kind, word) = if stream {
            (SipTransport::Tcp, "TCP")
        } else {
            (SipTransport::Udp, "UDP")
        };
        let place = self.place(peer);
        let path = self.path(&place, peer, connection.clone(), word);
        let verdict = guard::check(bytes, stream);
        let message = match &verdict {
            Verdict::Pass(bytes) => guard::parse(bytes),
            Verdict::Nothing => return true,
            Verdict::Drop => None,
            Verdict::Refuse(refusal) => {
                counters.refuse(refusal.counts_as());
                if self.may_answer(peer.ip())
                    && let Some(response) = refusal.response(&self.core.config.product)
                {
                    path.send(response.into()).await;
                }
                return !refusal.is_misframed();
            }
        };
        let message = message.and_then(|m| SipConnection::update_msg_received(m, peer, kind).ok());
        let Some(message) = message else {
            counters.refuse(Refused::Malformed);
            return false;
        };
        self.core.receive(message, path, &place).await;
        true
    }

    /// Whether a broken message of this address is worth a response: a stranger's is only at a modest rate.
    fn may_answer(&self, address: IpAddr) -> bool {
        Source::trunk(&self.core.config.trunks, address).is_some()
            || crate::front::answers_strangers(&self.core)
    }
}

/// The local address that a packet to this peer leaves from; nothing is sent to find out.
pub(crate) fn towards(peer: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if peer.is_ipv4() {
        [0, 0, 0, 0].into()
    } else {
        [0u16; 8].into()
    };
    let socket = StdUdpSocket::bind((any, 0)).ok()?;
    socket.connect(peer).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

async fn datagrams(site: Arc<Site>, socket: Arc<UdpSocket>, connection: SipConnection) {
    let mut buffer = vec![0; MAX_MESSAGE];
    loop {
        // An error here is the echo of something sent before (ICMP), not the end of the socket.
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        if site.is_ignored(peer.ip()) {
            site.core.counters.refuse(Refused::Stranger);
            continue;
        }
        site.take(&buffer[..length], peer, &connection, false).await;
    }
}

async fn accept(site: Arc<Site>, socket: Arc<TcpListener>, room: Arc<Semaphore>) {
    loop {
        let Ok((stream, peer)) = socket.accept().await else {
            // Out of file descriptors, most likely: don't spin.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if site.is_ignored(peer.ip()) {
            site.core.counters.refuse(Refused::Stranger);
            continue;
        }
        let Ok(seat) = room.clone().try_acquire_owned() else {
            warn!(%peer, "too many SIP connections: one is closed");
            site.core.counters.refuse(Refused::Full);
            continue;
        };
        let site = site.clone();
        let core = site.core.clone();
        core.spawn(async move {
            stream_messages(site, stream, peer).await;
            drop(seat);
        });
    }
}

async fn stream_messages(site: Arc<Site>, stream: TcpStream, peer: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (outgoing, queue) = mpsc::channel(STREAM_QUEUE);
    let (_unused, incoming) = mpsc::unbounded_channel();
    let address = SipAddr {
        r#type: Some(SipTransport::Tcp),
        addr: peer.into(),
    };
    let connection =
        ChannelConnection::create_connection_bounded(incoming, outgoing, address, None).await;
    let Ok(connection) = connection else {
        return;
    };
    let connection = SipConnection::Channel(connection);
    tokio::select! {
        () = read_stream(&site, reader, peer, &connection) => {}
        () = write_stream(writer, queue) => {}
    }
}

async fn read_stream(
    site: &Site,
    mut reader: OwnedReadHalf,
    peer: SocketAddr,
    connection: &SipConnection,
) {
    let mut buffer: Vec<u8> = Vec::with_capacity(4_096);
    loop {
        let patience = if buffer.is_empty() {
            STREAM_IDLE
        } else {
            STREAM_MESSAGE
        };
        let chunk = tokio::time::timeout(patience, reader.read_buf(&mut buffer)).await;
        if !matches!(chunk, Ok(Ok(length)) if length > 0) {
            return;
        }
        loop {
            match guard::frame(&buffer) {
                Frame::Partial if buffer.len() > MAX_MESSAGE => return,
                Frame::Partial => break,
                Frame::KeepAlive(length) => {
                    // Those of RFC 5626 want an answer from registrars alone, which this isn't.
                    buffer.drain(..length);
                }
                Frame::Message(length) => {
                    let whole = site.take(&buffer[..length], peer, connection, true).await;
                    buffer.drain(..length);
                    if !whole {
                        return;
                    }
                }
                Frame::Broken => {
                    // Where the next message would begin nobody can tell any more.
                    site.take(&buffer, peer, connection, true).await;
                    return;
                }
            }
        }
    }
}

async fn write_stream(mut writer: OwnedWriteHalf, mut queue: mpsc::Receiver<TransportEvent>) {
    while let Some(event) = queue.recv().await {
        let TransportEvent::Incoming(message, ..) = event else {
            continue;
        };
        let bytes = match message {
            SipMessage::Request(request) => request.to_bytes(),
            SipMessage::Response(response) => response.to_bytes(),
        };
        let written = tokio::time::timeout(STREAM_WRITE, writer.write_all(&bytes)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}
