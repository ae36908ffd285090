//! The thread that receives: all sockets behind one `epoll`.

use std::{
    io,
    net::UdpSocket,
    os::fd::{AsRawFd, RawFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::Receiver,
    },
    time::{Duration, Instant},
};

use conclave_media::{Codec, Decoder, RtpPacket};
use mio::{Events, Interest, Poll, Token, unix::SourceFd};

use crate::{histogram::Histogram, speaker::Marks, stream::Stream, trunk::Inbound, voice::mark_in};

/// A delay longer than this would be taken for that of the next mark.
const LONGEST_DELAY: Duration = Duration::from_millis(900);
/// Two marks are at least so far apart: what is louder sooner is the first one's end.
const APART: Duration = Duration::from_millis(500);

/// What the listener is told.
pub(crate) enum News {
    /// A call, by its number, before anything comes for it.
    Call { number: usize, ear: Ear },
    /// A socket of one call.
    Own { number: usize, socket: UdpSocket },
    /// A socket of many.
    Shared(Arc<UdpSocket>),
}

/// How a call is heard.
pub(crate) struct Ear {
    pub(crate) payload_type: u8,
    /// Whether it listens for marks.
    pub(crate) attends: bool,
}

/// What came in while it was measured.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) streams: Vec<Stream>,
    pub(crate) gaps: Histogram,
    pub(crate) delays: Histogram,
}

struct Call {
    payload_type: u8,
    stream: Stream,
    decoder: Option<Box<dyn Decoder>>,
    last_mark: Option<Instant>,
}

enum Source {
    Own(usize, UdpSocket),
    Shared(Arc<UdpSocket>),
}

/// What hears the calls of one codec.
struct Listener<'a> {
    codec: Codec,
    /// So much later a mark is heard for the codec alone.
    lag: Duration,
    marks: &'a Marks,
    calls: Vec<Option<Call>>,
    heard: Heard,
    frame: Vec<i16>,
}

/// Receives until told to end. A mark is heard so much later, `lag`, for its codec alone. Before `measure` is set everything is thrown away.
pub(crate) fn listen(
    codec: Codec,
    lag: Duration,
    news: &Receiver<News>,
    marks: &Marks,
    measure: &AtomicBool,
    end: &Arc<AtomicBool>,
) -> io::Result<Heard> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1_024);
    let mut sources: Vec<Source> = Vec::new();
    let mut listener = Listener {
        codec,
        lag,
        marks,
        calls: Vec::new(),
        heard: Heard::default(),
        frame: vec![0; codec.frame_samples() * 3],
    };
    let mut datagram = [0; 2_048];
    let mut inbound = Inbound::new();
    while !end.load(Relaxed) {
        for news in news.try_iter() {
            let source = match news {
                News::Call { number, ear } => {
                    listener.add(number, ear);
                    continue;
                }
                News::Own { number, socket } => Source::Own(number, socket),
                News::Shared(socket) => Source::Shared(socket),
            };
            poll.registry().register(
                &mut SourceFd(&source.descriptor()),
                Token(sources.len()),
                Interest::READABLE,
            )?;
            sources.push(source);
        }
        match poll.poll(&mut events, Some(Duration::from_millis(10))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let measuring = measure.load(Relaxed);
        for event in &events {
            match &sources[event.token().0] {
                Source::Own(number, socket) => {
                    while let Ok(length) = socket.recv(&mut datagram) {
                        if measuring {
                            listener.hear(*number, &datagram[..length], Instant::now());
                        }
                    }
                }
                Source::Shared(socket) => {
                    inbound.receive(socket, |number, came, datagram| {
                        if measuring {
                            listener.hear(number, datagram, came);
                        }
                    });
                }
            }
        }
        // What comes in one burst is looked at together: a thread that wakes for each packet would be the load.
        std::thread::sleep(Duration::from_micros(300));
    }
    let calls = listener.calls.into_iter().flatten();
    Ok(Heard {
        streams: calls.map(|call| call.stream).collect(),
        ..listener.heard
    })
}

impl Source {
    fn descriptor(&self) -> RawFd {
        match self {
            Source::Own(_, socket) => socket.as_raw_fd(),
            Source::Shared(socket) => socket.as_raw_fd(),
        }
    }
}

impl Listener<'_> {
    fn add(&mut self, number: usize, ear: Ear) {
        if self.calls.len() <= number {
            self.calls.resize_with(number + 1, || None);
        }
        self.calls[number] = Some(Call {
            payload_type: ear.payload_type,
            stream: Stream::default(),
            decoder: ear.attends.then(|| self.codec.decoder()),
            last_mark: None,
        });
    }

    /// Takes a datagram that came for the call of this number.
    fn hear(&mut self, number: usize, datagram: &[u8], now: Instant) {
        let (Some(Some(call)), Ok(packet)) =
            (self.calls.get_mut(number), RtpPacket::parse(datagram))
        else {
            return;
        };
        if packet.payload_type() != call.payload_type {
            return;
        }
        call.stream.take(&packet, now, &mut self.heard.gaps);
        let Some(decoder) = &mut call.decoder else {
            return;
        };
        let count = decoder.decode(packet.payload(), &mut self.frame);
        let Some(at) = mark_in(&self.frame[..count]) else {
            return;
        };
        if call.last_mark.is_none_or(|last| now - last > APART)
            && let Some(since) = self.marks.since(now)
            && since < LONGEST_DELAY
        {
            let within = Duration::from_secs(1) * at as u32 / self.codec.sample_rate();
            let delay = (since + within).saturating_sub(self.lag);
            self.heard.delays.add(delay);
        }
        call.last_mark = Some(now);
    }
}
