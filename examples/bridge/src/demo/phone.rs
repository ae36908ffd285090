//! A telephone of the demo: our SIP client for the signalling, a thread for the sound.

use std::{
    collections::VecDeque,
    f32::consts::TAU,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

use conclave_media::{Codec, RtpPacket, RtpWriter};

use super::recognise::FRAME;
use crate::output::Failure;

const TICK: Duration = Duration::from_millis(20);
/// The payload type that our offer gives to telephone events.
pub(crate) const EVENTS: u8 = 101;
/// Samples of one key press and of the pause after it.
const PRESS: u32 = 800;
const PAUSE: u32 = 480;

/// The sound of one telephone, both ways.
pub(crate) struct Sound {
    line: Arc<Mutex<Line>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    pub(crate) local: SocketAddr,
}

#[derive(Default)]
struct Line {
    remote: Option<SocketAddr>,
    talking: bool,
    keys: VecDeque<u8>,
    /// When the first packet came.
    began: Option<Instant>,
    heard: Vec<i16>,
}

impl Sound {
    /// Opens a socket on loopback. `voice` is the pitch, in Hz, at which the telephone talks.
    pub(crate) fn open(voice: f32) -> Result<Self, Failure> {
        let failed = |error| {
            Failure::machine(format!(
                "a telephone of the demo can't open its socket: {error}"
            ))
        };
        let socket = UdpSocket::bind("127.0.0.1:0").map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let local = socket.local_addr().map_err(failed)?;
        let line = Arc::new(Mutex::new(Line::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (line, stop) = (Arc::clone(&line), Arc::clone(&stop));
            move || run(&socket, &line, &stop, voice)
        });
        Ok(Self {
            line,
            stop,
            thread: Some(thread),
            local,
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut Line) -> T) -> T {
        look(&mut self.line.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the bridge receives; the telephone sends from now on.
    pub(crate) fn connect(&self, remote: SocketAddr) {
        self.with(|line| line.remote = Some(remote));
    }

    pub(crate) fn talk(&self, on: bool) {
        self.with(|line| line.talking = on);
    }

    pub(crate) fn press(&self, keys: &str) {
        self.with(|line| line.keys.extend(keys.bytes()));
    }

    pub(crate) fn has_pressed_all(&self) -> bool {
        self.with(|line| line.keys.is_empty())
    }

    /// When the first packet came, and all that was heard since, at 8 kHz.
    pub(crate) fn heard(&self) -> (Option<Instant>, Vec<i16>) {
        self.with(|line| (line.began, line.heard.clone()))
    }
}

impl Drop for Sound {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

/// Sends a packet each 20 ms on an absolute clock and keeps what comes in.
fn run(socket: &UdpSocket, line: &Mutex<Line>, stop: &AtomicBool, voice: f32) {
    let mut decoder = Codec::Pcmu.decoder();
    let mut talker = Talker::new(
        voice,
        socket
            .local_addr()
            .map_or(0, |address| u32::from(address.port())),
    );
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let mut datagram = [0; 2048];
        while let Ok((length, _)) = socket.recv_from(&mut datagram) {
            let Ok(packet) = RtpPacket::parse(&datagram[..length]) else {
                continue;
            };
            let mut samples = [0; FRAME * 3];
            let count = decoder.decode(packet.payload(), &mut samples);
            let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
            line.began.get_or_insert_with(Instant::now);
            line.heard.extend_from_slice(&samples[..count]);
        }
        let now = Instant::now();
        if now < next {
            sleep((next - now).min(Duration::from_millis(5)));
            continue;
        }
        next += TICK;
        let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = line.remote {
            talker.tick(&mut line, |packet| {
                // A lost packet is lost, as on any network.
                let _ = socket.send_to(packet, remote);
            });
        }
    }
}

/// What a telephone sends.
struct Talker {
    writer: RtpWriter,
    voice: f32,
    phase: f32,
    ticks: u32,
    /// The key being pressed and for how many samples, or the pause that is left after one.
    key: Option<(u8, u32)>,
    pause: u32,
}

impl Talker {
    fn new(voice: f32, seed: u32) -> Self {
        Self {
            writer: RtpWriter::new(0xC0DE_0000 | seed, 0, 0),
            voice,
            phase: 0.0,
            ticks: 0,
            key: None,
            pause: 0,
        }
    }

    fn tick(&mut self, line: &mut Line, mut send: impl FnMut(&[u8])) {
        self.ticks += 1;
        let mut packet = [0; 256];
        if self.key.is_none() && self.pause == 0 {
            self.key = line.keys.front().map(|key| (*key, 0));
        }
        self.pause = self.pause.saturating_sub(FRAME as u32);
        let Some((key, before)) = self.key else {
            let mut payload = [0; FRAME];
            Codec::Pcmu
                .encoder()
                .encode(&self.speech(line.talking), &mut payload);
            if let Some(length) = self
                .writer
                .write(0, false, FRAME as u32, &payload, &mut packet)
            {
                send(&packet[..length]);
            }
            return;
        };
        // RFC 4733: all packets of an event carry the timestamp of its beginning; the last is sent three times.
        let code = match key {
            b'*' => 10,
            b'#' => 11,
            digit => digit.wrapping_sub(b'0'),
        };
        let duration = before + FRAME as u32;
        let ends = duration >= PRESS;
        let [high, low] = (duration as u16).to_be_bytes();
        let payload = [code, u8::from(ends) << 7 | 10, high, low];
        for _ in 0..if ends { 3 } else { 1 } {
            if let Some(length) = self
                .writer
                .write(EVENTS, before == 0, 0, &payload, &mut packet)
            {
                send(&packet[..length]);
            }
        }
        self.key = Some((key, duration));
        if ends {
            self.writer.skip(duration);
            self.key = None;
            self.pause = PAUSE;
            line.keys.pop_front();
        }
    }

    /// Syllables: a tone with a slow vibrato, 240 ms on and 100 ms off.
    fn speech(&mut self, talking: bool) -> [i16; FRAME] {
        let syllable = self.ticks % 17;
        let loudness = match syllable {
            _ if !talking => 0.0,
            0 | 11 => 3500.0,
            1..=10 => 7000.0,
            _ => 0.0,
        };
        let vibrato = 1.0 + 0.004 * (self.ticks as f32 * 0.7).sin();
        let mut frame = [0; FRAME];
        for sample in &mut frame {
            self.phase = (self.phase + TAU * self.voice * vibrato / 8000.0) % TAU;
            *sample = (self.phase.sin() * loudness) as i16;
        }
        frame
    }
}
