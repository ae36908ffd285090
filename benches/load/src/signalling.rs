//! Who calls when: the calls are set up at their rate, settle, are measured, and are hung up.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use conclave_media::{Codec, RtpWriter};
use conclave_sip::{ClientCall, ClientConfig, ClientError, SipClient};
use tokio::{
    task::JoinSet,
    time::{sleep_until, timeout},
};

use crate::{
    Calls, Error,
    histogram::Histogram,
    listener::{Ear, News, listen},
    process::{used, watch},
    report::{self, Report},
    speaker::{Line, Marks, SLOTS, Says, Way, speak},
    trunk,
    voice::Voice,
};

/// The payload type of our offers' telephone events.
const EVENTS: u8 = 101;
/// Threads that send: a bridge that goes first on all processors, for a part of each 20 ms, leaves one thread too little of one.
const SPEAKERS: usize = 2;
/// So many calls of the first room listen for marks.
const ATTENTIVE: usize = 8;
/// Room for what a bridge sends in one burst to a listener that isn't running just then.
const BUFFER: usize = 64 * 1_024;

/// The PINs of a room: its first call's, and all others'.
type Room = (String, String);

pub(crate) async fn run(arguments: Calls) -> Result<(), Error> {
    let rooms = match &arguments.rooms {
        Some(path) => read_rooms(&std::fs::read_to_string(path)?)?,
        None => vec![(String::new(), String::new())],
    };
    let codec = arguments.codec.codec();
    let calls = arguments.calls as usize;
    let in_room = calls.div_ceil(rooms.len());
    let voice = Arc::new(Voice::new(
        codec,
        arguments.dtx,
        arguments.talkers.min(in_room),
    ));
    let marks = Arc::new(Marks::new());
    let [measure, end] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let (news, told) = channel();
    let (lines, speakers): (Vec<_>, Vec<_>) = (0..SPEAKERS)
        .map(|_| {
            let (lines, new_lines) = channel();
            let (voice, marks, end) = (Arc::clone(&voice), Arc::clone(&marks), Arc::clone(&end));
            let speaker = thread::spawn(move || speak(codec, &voice, &new_lines, &marks, &end));
            (lines, speaker)
        })
        .unzip();
    let listener = {
        let (measure, end, lag) = (Arc::clone(&measure), Arc::clone(&end), voice.lag);
        thread::spawn(move || listen(codec, lag, &told, &marks, &measure, &end))
    };

    let place = Place {
        client: SipClient::start(ClientConfig {
            codecs: vec![codec],
            product: concat!("conclave-load/", env!("CARGO_PKG_VERSION")).into(),
            ..ClientConfig::default()
        })
        .await?,
        target: format!("sip:{}@{}", arguments.user, arguments.target),
        codec,
        lines,
        news,
        sockets: (arguments.share > 1).then(|| Sockets::new(arguments.share)),
    };
    let mut setups = Setups::default();
    let mut pending = JoinSet::new();
    let began = tokio::time::Instant::now();
    for n in 0..arguments.calls {
        sleep_until(began + Duration::from_secs(1) * n / arguments.rate).await;
        let n = n as usize;
        let (room, member) = (n % rooms.len(), n / rooms.len());
        let (first, others) = &rooms[room];
        let pin = if member == 0 { first } else { others };
        let role = role(room, member, arguments.talkers);
        let (place, pin) = (place.clone(), pin.clone());
        pending.spawn(async move { place.call(n, role, &pin).await });
        while let Some(done) = pending.try_join_next() {
            setups.add(done?);
        }
    }
    while let Some(done) = pending.join_next().await {
        setups.add(done?);
    }

    tokio::time::sleep(Duration::from_secs(arguments.settle)).await;
    let (theirs, ours) = (used_by(&arguments)?, used(None)?);
    let since = Instant::now();
    measure.store(true, Relaxed);
    let windows = watch(arguments.process, Duration::from_secs(arguments.seconds)).await;
    measure.store(false, Relaxed);
    let span = since.elapsed();
    let (theirs_after, ours_after) = (used_by(&arguments)?, used(None)?);
    let ended = setups.calls.iter().filter(|call| call.is_ended()).count();
    hang_up(setups.calls).await;
    end.store(true, Relaxed);
    let mut late = Histogram::default();
    for speaker in speakers {
        late.merge(&speaker.join().map_err(|_| "a sending thread panicked")?);
    }
    let heard = listener
        .join()
        .map_err(|_| "the receiving thread panicked")??;
    place.client.shutdown().await;

    let report = Report {
        calls,
        rooms: rooms.len(),
        span,
        setups: setups.times,
        failed: setups.failed,
        ended,
        heard,
        late,
        bridge: theirs.zip(theirs_after),
        windows,
        own: (ours, ours_after),
    };
    report::print(&report, arguments.json);
    Ok(())
}

/// All at once; a bridge that is gone keeps nobody waiting for long.
async fn hang_up(calls: Vec<ClientCall>) {
    let mut pending = JoinSet::new();
    for call in calls {
        // One that has gone by itself was counted before.
        pending.spawn(async move { call.bye().await.is_ok() });
    }
    let _ = timeout(Duration::from_secs(5), pending.join_all()).await;
}

fn used_by(arguments: &Calls) -> Result<Option<crate::process::Used>, Error> {
    arguments
        .process
        .map(|process| used(Some(process)))
        .transpose()
}

fn read_rooms(text: &str) -> Result<Vec<Room>, Error> {
    let rooms: Option<Vec<Room>> = text
        .lines()
        .map(|line| {
            let (first, others) = line.split_once(' ')?;
            Some((first.trim().to_owned(), others.trim().to_owned()))
        })
        .collect();
    match rooms {
        Some(rooms) if !rooms.is_empty() => Ok(rooms),
        _ => Err("the file of rooms has two PINs and a space between on each line".into()),
    }
}

/// In the first room the call after the talkers marks, and the next ones listen for it.
fn role(room: usize, member: usize, talkers: usize) -> Role {
    let says = match member {
        _ if member < talkers => Says::Speech(member * 37),
        _ if room == 0 && member == talkers => Says::Marks,
        _ => Says::Nothing,
    };
    let attends = room == 0 && says == Says::Nothing && member <= talkers.saturating_add(ATTENTIVE);
    Role { says, attends }
}

#[derive(Clone, Copy)]
struct Role {
    says: Says,
    attends: bool,
}

#[derive(Default)]
struct Setups {
    calls: Vec<ClientCall>,
    times: Histogram,
    failed: BTreeMap<String, u32>,
}

impl Setups {
    fn add(&mut self, done: Result<(ClientCall, Duration), Error>) {
        match done {
            Ok((call, took)) => {
                self.calls.push(call);
                self.times.add(took);
            }
            Err(error) => *self.failed.entry(error.to_string()).or_default() += 1,
        }
    }
}

#[derive(Clone)]
struct Place {
    client: SipClient,
    target: String,
    codec: Codec,
    /// To each thread that sends.
    lines: Vec<Sender<Line>>,
    news: Sender<News>,
    /// Those that calls share, if they do.
    sockets: Option<Sockets>,
}

impl Place {
    /// One call; how long its answer took.
    async fn call(&self, n: usize, role: Role, pin: &str) -> Result<(ClientCall, Duration), Error> {
        let (socket, local) = match &self.sockets {
            None => {
                let socket = socket()?;
                let local = socket.local_addr()?;
                (Socket::Own(socket), local)
            }
            Some(sockets) => {
                let socket = sockets.of(n, &self.news)?;
                let port = socket.local_addr()?.port();
                (Socket::Shared(socket), (trunk::address_of(n), port).into())
            }
        };
        let payload_type = self.codec.static_payload_type().unwrap_or(96);
        let offer = format!(
            "v=0\r\no=- {n} 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {payload_type} {EVENTS}\r\n\
             a=rtpmap:{payload_type} {name}/{clock}{channels}\r\na=rtpmap:{EVENTS} telephone-event/8000\r\na=fmtp:{EVENTS} 0-15\r\na=ptime:20\r\n",
            ip = local.ip(),
            port = local.port(),
            name = self.codec.rtpmap_name(),
            clock = self.codec.clock_rate(),
            channels = match self.codec.rtpmap_channels() {
                1 => String::new(),
                channels => format!("/{channels}"),
            },
        );
        let began = Instant::now();
        let name = format!("load{n}");
        let call = self.client.call(&self.target, &name, Some(&offer)).await;
        let call = call.map_err(|error| match error {
            ClientError::Refused { status, .. } => format!("refused with {status}"),
            error => error.to_string(),
        })?;
        let took = began.elapsed();
        let ear = Ear {
            payload_type,
            attends: role.attends,
        };
        // The threads outlive the calls.
        let _ = self.news.send(News::Call { number: n, ear });
        let way = match socket {
            Socket::Own(socket) => {
                socket.connect(call.remote_rtp())?;
                let (number, receives) = (n, socket.try_clone()?);
                let socket_of = News::Own {
                    number,
                    socket: receives,
                };
                let _ = self.news.send(socket_of);
                Way::Own(socket)
            }
            Socket::Shared(socket) => {
                let SocketAddr::V4(to) = call.remote_rtp() else {
                    return Err("the bridge answered with an address of IPv6".into());
                };
                Way::Shared {
                    socket,
                    from: trunk::address_of(n),
                    to,
                }
            }
        };
        let mut keys: VecDeque<u8> = pin.bytes().collect();
        keys.extend((!pin.is_empty()).then_some(b'#'));
        let line = Line {
            way,
            slot: n % SLOTS,
            says: role.says,
            payload_type,
            events: EVENTS,
            keys,
            pressed: 0,
            writer: RtpWriter::new(0x10AD_0000 + n as u32, n as u16, 0),
            ticks: 0,
        };
        let _ = self.lines[line.slot % SPEAKERS].send(line);
        Ok((call, took))
    }
}

enum Socket {
    Own(UdpSocket),
    Shared(Arc<UdpSocket>),
}

type OpenSockets = HashMap<(usize, usize), Arc<UdpSocket>>;

/// Calls whose packets are sent at the same time share a socket: what the kernel knows of it is at hand then.
#[derive(Clone)]
struct Sockets {
    share: usize,
    /// By when their calls send, and how many such sockets there were before.
    open: Arc<Mutex<OpenSockets>>,
}

impl Sockets {
    fn new(share: u32) -> Self {
        Self {
            share: share as usize,
            open: Arc::default(),
        }
    }

    /// The socket of the call of this number; if it is a new one, the listener is told.
    fn of(&self, n: usize, news: &Sender<News>) -> io::Result<Arc<UdpSocket>> {
        let which = (n % SLOTS, n / SLOTS / self.share);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(socket) = open.get(&which) {
            return Ok(Arc::clone(socket));
        }
        let socket = Arc::new(trunk::bind()?);
        open.insert(which, Arc::clone(&socket));
        let _ = news.send(News::Shared(Arc::clone(&socket)));
        Ok(socket)
    }
}

fn socket() -> Result<UdpSocket, Error> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_room_has_its_talkers_and_the_first_has_the_marks() {
        let says = |room, member, talkers| role(room, member, talkers).says;
        assert!(matches!(says(0, 2, 3), Says::Speech(_)));
        assert!(says(0, 3, 3) == Says::Marks && says(1, 3, 3) == Says::Nothing);
        assert!(matches!(says(1, 900, usize::MAX), Says::Speech(_)));
        let attends = (0..20).filter(|member| role(0, *member, 3).attends).count();
        assert_eq!(attends, ATTENTIVE);
    }

    #[test]
    fn a_file_of_rooms() {
        assert_eq!(
            read_rooms("12 34\n56 78\n").unwrap()[1],
            ("56".into(), "78".into())
        );
        assert!(read_rooms("").is_err() && read_rooms("12\n").is_err());
    }
}
