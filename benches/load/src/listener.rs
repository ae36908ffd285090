//! The thread that receives: all calls' sockets behind one `epoll`.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::Receiver,
    },
    time::{Duration, Instant},
};

use conclave_media::{Codec, Decoder, RtpPacket};
use mio::{Events, Interest, Poll, Token};

use crate::{histogram::Histogram, speaker::Marks, stream::Stream, voice::mark_in};

/// A delay longer than this would be taken for that of the next mark.
const LONGEST_DELAY: Duration = Duration::from_millis(900);
/// Two marks are at least so far apart: what is louder sooner is the first one's end.
const APART: Duration = Duration::from_millis(500);

/// One call's receiver.
pub(crate) struct Ear {
    pub(crate) socket: std::net::UdpSocket,
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
    socket: mio::net::UdpSocket,
    payload_type: u8,
    stream: Stream,
    decoder: Option<Box<dyn Decoder>>,
    last_mark: Option<Instant>,
}

/// Receives until told to end. A mark is heard so much later, `lag`, for its codec alone. Before `measure` is set everything is thrown away.
pub(crate) fn listen(
    codec: Codec,
    lag: Duration,
    new: &Receiver<Ear>,
    marks: &Marks,
    measure: &AtomicBool,
    end: &Arc<AtomicBool>,
) -> io::Result<Heard> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1_024);
    let mut calls: Vec<Call> = Vec::new();
    let mut heard = Heard::default();
    let mut frame = vec![0; codec.frame_samples() * 3];
    let mut datagram = [0; 2_048];
    while !end.load(Relaxed) {
        for ear in new.try_iter() {
            let mut socket = mio::net::UdpSocket::from_std(ear.socket);
            poll.registry()
                .register(&mut socket, Token(calls.len()), Interest::READABLE)?;
            calls.push(Call {
                socket,
                payload_type: ear.payload_type,
                stream: Stream::default(),
                decoder: ear.attends.then(|| codec.decoder()),
                last_mark: None,
            });
        }
        match poll.poll(&mut events, Some(Duration::from_millis(10))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let measuring = measure.load(Relaxed);
        for event in &events {
            let call = &mut calls[event.token().0];
            while let Ok(length) = call.socket.recv(&mut datagram) {
                let Ok(packet) = RtpPacket::parse(&datagram[..length]) else {
                    continue;
                };
                if !measuring || packet.payload_type() != call.payload_type {
                    continue;
                }
                let now = Instant::now();
                call.stream.take(&packet, now, &mut heard.gaps);
                let Some(decoder) = &mut call.decoder else {
                    continue;
                };
                let count = decoder.decode(packet.payload(), &mut frame);
                let Some(at) = mark_in(&frame[..count]) else {
                    continue;
                };
                if call.last_mark.is_none_or(|last| now - last > APART)
                    && let Some(since) = marks.since(now)
                    && since < LONGEST_DELAY
                {
                    let within = Duration::from_secs(1) * at as u32 / codec.sample_rate();
                    heard.delays.add((since + within).saturating_sub(lag));
                }
                call.last_mark = Some(now);
            }
        }
        // What comes in one burst is looked at together: a thread that wakes for each packet would be the load.
        std::thread::sleep(Duration::from_micros(300));
    }
    heard.streams = calls.into_iter().map(|call| call.stream).collect();
    Ok(heard)
}
