//! The threads that send: a packet for each call every 20 ms on an absolute clock, each call at a phase of its own.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::Receiver,
    },
    thread::sleep,
    time::{Duration, Instant},
};

use conclave_media::{Codec, RtpWriter};

use crate::{histogram::Histogram, trunk, voice::Voice};

/// The calls' phases lie so far apart.
const SLOT: Duration = Duration::from_millis(1);
pub(crate) const SLOTS: usize = 20;
/// Ticks from one mark to the next: one second.
const MARKED: usize = 50;
/// A key is pressed for five packets, and as many go by before the next.
const PRESS: u32 = 5;
const PAUSE: u32 = 5;
/// So long after its answer a call begins to press keys: half a second.
const FIRST_KEY: u64 = 25;

/// What a call says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    Nothing,
    /// The loop of speech, from this frame on.
    Speech(usize),
    /// A mark each second.
    Marks,
}

/// How a call's packets go out.
pub(crate) enum Way {
    /// Through a socket of its own, which is connected.
    Own(UdpSocket),
    /// Through one that others have, too.
    Shared {
        socket: Arc<UdpSocket>,
        from: Ipv4Addr,
        to: SocketAddrV4,
    },
}

/// One call's sender.
pub(crate) struct Line {
    pub(crate) way: Way,
    /// When in the 20 ms its packets are sent, as a number below [`SLOTS`].
    pub(crate) slot: usize,
    pub(crate) says: Says,
    pub(crate) payload_type: u8,
    pub(crate) events: u8,
    /// Digits that are still to be pressed, the first one in front.
    pub(crate) keys: VecDeque<u8>,
    /// Ticks of the key in hand and of the pause after it.
    pub(crate) pressed: u32,
    pub(crate) writer: RtpWriter,
    pub(crate) ticks: u64,
}

/// When the latest marks were sent, in microseconds since `began`; the listener looks here.
pub(crate) struct Marks {
    pub(crate) began: Instant,
    sent: [AtomicU64; 4],
}

impl Marks {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            sent: Default::default(),
        }
    }

    fn send(&self, now: Instant) {
        let micros = (now - self.began).as_micros() as u64;
        self.sent[(micros / 1_000_000 % 4) as usize].store(micros, Relaxed);
    }

    /// How long ago the last mark before `heard` was sent.
    pub(crate) fn since(&self, heard: Instant) -> Option<Duration> {
        let micros = (heard - self.began).as_micros() as u64;
        let sent = self.sent.iter().map(|sent| sent.load(Relaxed));
        let last = sent.filter(|sent| (1..=micros).contains(sent)).max()?;
        Some(Duration::from_micros(micros - last))
    }
}

/// Sends until told to end; returns how late the packets were sent.
pub(crate) fn speak(
    codec: Codec,
    voice: &Voice,
    new: &Receiver<Line>,
    marks: &Marks,
    end: &AtomicBool,
) -> Histogram {
    let step =
        codec.frame_samples() as u32 * (codec.clock_rate() / 1_000) / (codec.sample_rate() / 1_000);
    let mut slots: Vec<Vec<Line>> = (0..SLOTS).map(|_| Vec::new()).collect();
    let mut late = Histogram::default();
    let began = Instant::now();
    for slot in 0_u32.. {
        let due = began + SLOT * slot;
        sleep(due.saturating_duration_since(Instant::now()));
        if end.load(Relaxed) {
            break;
        }
        for line in new.try_iter() {
            slots[line.slot].push(line);
        }
        for line in &mut slots[slot as usize % SLOTS] {
            late.add(due.elapsed());
            line.tick(voice, step, marks);
        }
    }
    late
}

impl Line {
    fn tick(&mut self, voice: &Voice, step: u32, marks: &Marks) {
        self.ticks += 1;
        if self.ticks > FIRST_KEY && !self.keys.is_empty() {
            return self.press(step);
        }
        let at = self.ticks as usize;
        let silence = &voice.silence[at % voice.silence.len()];
        let payload = match self.says {
            Says::Nothing => silence,
            Says::Speech(from) => &voice.speech[(from + at) % voice.speech.len()],
            Says::Marks => match voice.mark.get(at % MARKED) {
                Some(mark) => {
                    if at.is_multiple_of(MARKED) {
                        marks.send(Instant::now());
                    }
                    mark
                }
                None => silence,
            },
        };
        if payload.is_empty() {
            // Not sent, and its time goes by.
            self.writer.skip(step);
        } else {
            self.send(self.payload_type, false, step, payload);
        }
    }

    /// RFC 4733: all packets of an event carry the timestamp of its beginning; the last is sent three times.
    fn press(&mut self, step: u32) {
        let at = self.pressed;
        self.pressed = (at + 1) % (PRESS + PAUSE);
        if at >= PRESS {
            self.writer.skip(step);
            if self.pressed == 0 {
                self.keys.pop_front();
            }
            return;
        }
        let code = match self.keys.front() {
            Some(b'*') => 10,
            Some(b'#') => 11,
            Some(digit) => digit.wrapping_sub(b'0'),
            None => return,
        };
        let duration = step * (at + 1);
        let ends = at + 1 == PRESS;
        let [high, low] = (duration as u16).to_be_bytes();
        let payload = [code, u8::from(ends) << 7 | 10, high, low];
        for _ in 0..if ends { 3 } else { 1 } {
            self.send(self.events, at == 0, 0, &payload);
        }
        if ends {
            self.writer.skip(duration);
        }
    }

    fn send(&mut self, payload_type: u8, marker: bool, step: u32, payload: &[u8]) {
        let mut packet = [0; 1_500];
        if let Some(length) = self
            .writer
            .write(payload_type, marker, step, payload, &mut packet)
        {
            // A lost packet is lost, as on any network.
            match &self.way {
                Way::Own(socket) => drop(socket.send(&packet[..length])),
                Way::Shared { socket, from, to } => {
                    trunk::send(socket, *from, *to, &packet[..length]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use conclave_media::RtpPacket;

    use super::*;

    #[test]
    fn keys_are_pressed_one_after_the_other_and_then_it_talks() {
        let [to, from] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        from.connect(to.local_addr().unwrap()).unwrap();
        let voice = Voice::new(Codec::Pcmu, false, 1);
        let mut line = Line {
            way: Way::Own(from),
            slot: 0,
            says: Says::Nothing,
            payload_type: 0,
            events: 101,
            keys: VecDeque::from(*b"4#"),
            pressed: 0,
            writer: RtpWriter::new(7, 0, 0),
            ticks: 0,
        };
        let ticks = FIRST_KEY + 2 * u64::from(PRESS + PAUSE) + 1;
        for _ in 0..ticks {
            line.tick(&voice, 160, &Marks::new());
        }
        let mut seen = Vec::new();
        let mut datagram = [0; 1_500];
        for _ in 0..FIRST_KEY + 2 * (u64::from(PRESS) + 2) + 1 {
            let length = to.recv(&mut datagram).unwrap();
            let packet = RtpPacket::parse(&datagram[..length]).unwrap();
            let begins = packet.payload_type() == 101 && packet.marker();
            seen.extend(begins.then(|| (packet.payload()[0], packet.timestamp())));
        }
        // One began half a second after the start, the other ten packets later.
        let first = FIRST_KEY as u32 * 160;
        assert_eq!(seen, [(4, first), (11, first + 10 * 160)]);
        assert_eq!(line.writer.timestamp(), ticks as u32 * 160);
    }

    #[test]
    fn a_mark_is_as_old_as_the_last_one() {
        let marks = Marks::new();
        let at = |millis| marks.began + Duration::from_millis(millis);
        assert_eq!(marks.since(at(5)), None);
        marks.send(at(10));
        marks.send(at(1_010));
        assert_eq!(marks.since(at(1_000)), Some(Duration::from_millis(990)));
        assert_eq!(marks.since(at(1_025)), Some(Duration::from_millis(15)));
    }
}
