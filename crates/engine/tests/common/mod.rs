//! Phones on plain UDP sockets: each says a tone of its own, and a Goertzel filter says what it heard.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its part; a test that can't go on panics

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use conclave_engine::{
    Codec, Command, Engine, EngineConfig, Event, EventReceiver, LegId, LegMedia, Port, RoomId,
    Route,
};
use conclave_media::{RtpPacket, RtpWriter};
use conclave_mixer::{
    Rate,
    tone::{Tone, strength_dbfs},
};

pub(crate) const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const EVENT_TYPE: u8 = 101;

pub(crate) fn start(shards: usize) -> (Engine, EventReceiver) {
    start_with(EngineConfig {
        shards,
        ..EngineConfig::default()
    })
}

pub(crate) fn start_with(config: EngineConfig) -> (Engine, EventReceiver) {
    let config = EngineConfig {
        rtp_ports: 21_000..=28_999,
        ..config
    };
    Engine::start(config).unwrap()
}

pub(crate) fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Waits for the first event that `pick` takes; what comes before it is dropped.
pub(crate) fn wait_for<T>(events: &EventReceiver, pick: impl Fn(&Event) -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(8);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let event = events.recv_timeout(left).expect("the event never came");
        if let Some(found) = pick(&event) {
            return found;
        }
    }
}

pub(crate) fn room(engine: &Engine, leg: LegId, room: u64) {
    let (room, heard) = (RoomId(room), true);
    let route = Route::Room { room, heard };
    engine.send(Command::Route { leg, route });
}

/// One packet as a phone got it.
#[derive(Clone)]
pub(crate) struct Got {
    pub(crate) at: Instant,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) marker: bool,
    pub(crate) samples: Vec<i16>,
}

pub(crate) struct Phone {
    pub(crate) leg: LegId,
    pub(crate) socket: UdpSocket,
    pub(crate) engine_at: SocketAddr,
    pub(crate) media: LegMedia,
    got: Arc<Mutex<Vec<Got>>>,
    /// Hz; 0 is silence.
    pub(crate) tone: Arc<AtomicU32>,
    pub(crate) muted: Arc<AtomicBool>,
    /// A digit's event code while its key is down, else 255.
    pub(crate) key: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
}

impl Phone {
    /// Calls: the leg is started, and the phone says its tone.
    pub(crate) fn call(engine: &Engine, leg: u64, port: Port, codec: Codec, hz: u32) -> Phone {
        let phone = Phone::ring(engine, leg, port, codec, hz);
        let (leg, media) = (phone.leg, phone.media.clone());
        engine.send(Command::Start { leg, media });
        phone
    }

    /// The same without starting the leg.
    pub(crate) fn ring(engine: &Engine, leg: u64, port: Port, codec: Codec, hz: u32) -> Phone {
        let leg = LegId(leg);
        let socket = UdpSocket::bind((LOCAL, 0)).unwrap();
        let remote = socket.local_addr().unwrap();
        let engine_at = engine.reserve_for(leg, port, LOCAL, Some(remote)).unwrap();
        let media = LegMedia {
            event_payload_type: Some(EVENT_TYPE),
            ..LegMedia::new(remote, codec)
        };
        let phone = Phone {
            leg,
            socket,
            engine_at,
            media,
            got: Arc::default(),
            tone: Arc::new(AtomicU32::new(hz)),
            muted: Arc::default(),
            key: Arc::new(AtomicU32::new(255)),
            over: Arc::default(),
        };
        phone.speak();
        phone.listen();
        phone
    }

    /// A packet each 20 ms, against an absolute clock.
    fn speak(&self) {
        let socket = self.socket.try_clone().unwrap();
        let (to, codec, leg) = (self.engine_at, self.media.codec, self.leg);
        let (tone, muted) = (Arc::clone(&self.tone), Arc::clone(&self.muted));
        let (key, over) = (Arc::clone(&self.key), Arc::clone(&self.over));
        let payload_type = self.media.payload_type;
        thread::spawn(move || {
            let mut writer = RtpWriter::new(leg.0 as u32 * 7 + 1, 65_500, 1_000);
            let (mut encoder, begin) = (codec.encoder(), Instant::now());
            let mut sine = (0, Tone::new(0.0, -20.0, Rate::Hz8000));
            let (mut packet, mut payload, mut frame) = ([0; 200], [0; 160], [0; 160]);
            let mut pressed: Option<(u8, u32, u16)> = None;
            for n in 0.. {
                thread::sleep((begin + millis(20 * n)).saturating_duration_since(Instant::now()));
                if over.load(SeqCst) {
                    return;
                }
                let hz = tone.load(SeqCst);
                if hz != sine.0 {
                    sine = (hz, Tone::new(f64::from(hz), -20.0, Rate::Hz8000));
                }
                sine.1.fill(&mut frame);
                if hz == 0 {
                    frame.fill(0);
                }
                if muted.load(SeqCst) {
                    writer.skip(160);
                    continue;
                }
                // The tone goes on beside the event, as careless gateways have it.
                let down = key.load(SeqCst) as u8;
                if let Some((code, timestamp, duration)) = &mut pressed {
                    *duration += 160;
                    let end = *code != down;
                    let event = event(*code, *duration, end);
                    send_event(&socket, to, &mut writer, *timestamp, false, &event);
                    if end {
                        pressed = None;
                    }
                } else if down < 16 {
                    let timestamp = writer.timestamp();
                    pressed = Some((down, timestamp, 160));
                    send_event(
                        &socket,
                        to,
                        &mut writer,
                        timestamp,
                        true,
                        &event(down, 160, false),
                    );
                }
                let length = encoder.encode(&frame, &mut payload);
                let length = writer
                    .write(payload_type, false, 160, &payload[..length], &mut packet)
                    .unwrap();
                let _ = socket.send_to(&packet[..length], to);
            }
        });
    }

    fn listen(&self) {
        let socket = self.socket.try_clone().unwrap();
        socket.set_read_timeout(Some(millis(50))).unwrap();
        let (got, over) = (Arc::clone(&self.got), Arc::clone(&self.over));
        let mut decoder = self.media.codec.decoder();
        thread::spawn(move || {
            let mut datagram = [0; 2_048];
            while !over.load(SeqCst) {
                let Ok((length, _)) = socket.recv_from(&mut datagram) else {
                    continue;
                };
                // Reports for a phone that happens to have the port below.
                if (192..=223).contains(&datagram[1]) {
                    continue;
                }
                let packet = RtpPacket::parse(&datagram[..length]).expect("RTP alone");
                let mut samples = vec![0; packet.payload().len()];
                decoder.decode(packet.payload(), &mut samples);
                got.lock().unwrap().push(Got {
                    at: Instant::now(),
                    sequence: packet.sequence(),
                    timestamp: packet.timestamp(),
                    ssrc: packet.ssrc(),
                    marker: packet.marker(),
                    samples,
                });
            }
        });
    }

    /// What it got since it was asked the last time.
    pub(crate) fn take(&self) -> Vec<Got> {
        std::mem::take(&mut self.got.lock().unwrap())
    }

    /// What it hears during `ms` from now.
    pub(crate) fn hear(&self, ms: u64) -> Sound {
        self.take();
        thread::sleep(millis(ms));
        Sound(samples(&self.take()))
    }

    pub(crate) fn set_tone(&self, hz: u32) {
        self.tone.store(hz, SeqCst);
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
    }
}

pub(crate) fn samples(got: &[Got]) -> Vec<i16> {
    got.iter()
        .flat_map(|packet| packet.samples.clone())
        .collect()
}

pub(crate) struct Sound(pub(crate) Vec<i16>);

impl Sound {
    pub(crate) fn dbfs(&self, hz: u32) -> f32 {
        assert!(self.0.len() >= 1_600, "{} samples", self.0.len());
        strength_dbfs(&self.0, f64::from(hz), 8_000)
    }

    /// `hz` is there, as loud as it was said; less where the machine has let the phone's thread wait.
    #[track_caller]
    pub(crate) fn has(&self, hz: u32) {
        let level = self.dbfs(hz);
        assert!((-27.0..-17.0).contains(&level), "{hz} Hz at {level} dBFS");
    }

    /// `hz` is at least 30 dB below what is there.
    #[track_caller]
    pub(crate) fn lacks(&self, hz: u32) {
        let level = self.dbfs(hz);
        assert!(level < -50.0, "{hz} Hz at {level} dBFS");
    }
}

/// One SSRC, no sequence number left out or doubled, timestamps in step.
#[track_caller]
pub(crate) fn assert_unbroken(got: &[Got]) {
    for pair in got.windows(2) {
        assert_eq!(pair[0].ssrc, pair[1].ssrc);
        assert_eq!(pair[0].sequence.wrapping_add(1), pair[1].sequence);
        assert_eq!(pair[0].timestamp.wrapping_add(160), pair[1].timestamp);
    }
}

/// An RFC 4733 payload.
pub(crate) fn event(code: u8, duration: u16, end: bool) -> [u8; 4] {
    let [high, low] = duration.to_be_bytes();
    [code, if end { 0x8A } else { 0x0A }, high, low]
}

/// Sends an event packet in the sequence of `writer`, with the timestamp of the event's start.
fn send_event(
    socket: &UdpSocket,
    to: SocketAddr,
    writer: &mut RtpWriter,
    timestamp: u32,
    marker: bool,
    event: &[u8],
) {
    let mut packet = [0; 16];
    let length = writer
        .write(EVENT_TYPE, marker, 0, event, &mut packet)
        .unwrap();
    packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
    let _ = socket.send_to(&packet[..length], to);
}
