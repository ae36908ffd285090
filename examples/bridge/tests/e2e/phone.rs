//! A telephone: SIPp signals for it; its media is a socket of ours that sends a tone and keeps all that it hears.

use std::{
    collections::VecDeque,
    f64::consts::TAU,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{
    ear::{Ear, PATIENCE},
    sipp::{self, Offer, Sipp, Step},
    sound::Sound,
    tones,
};

/// A packet as it came in.
pub(crate) struct Packet {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    /// When it came.
    at: Instant,
    /// Whether there is anything to hear in it.
    loud: bool,
}

/// Packets that are sent as they are, each at its time.
pub(crate) struct Script {
    /// After the beginning; the number of the packet; its payload. In order of time.
    pub(crate) packets: VecDeque<(Duration, u16, Vec<u8>)>,
    /// How many frames of 20 ms it takes the place of.
    pub(crate) frames: u16,
}

#[derive(Default)]
struct Line {
    /// What the telephone says: a tone and how loud, or nothing.
    tone: Option<(f64, f32)>,
    /// Says something with the ways of speech: its tone and hiss, loud and soft, and pauses.
    babbles: bool,
    /// Digits yet to be pressed.
    digits: VecDeque<u8>,
    /// Digits yet to be sent as tones, 80 ms each with 80 ms after it.
    tone_digits: VecDeque<u8>,
    sound: Sound,
    script: Option<Script>,
    /// When the last script began.
    began: Option<Instant>,
    /// Whether payloads are kept as they come in, and those that were.
    keeps: bool,
    kept: Vec<(Instant, Vec<u8>)>,
    /// No RTP at all is sent while true.
    mute: bool,
    heard: Vec<i16>,
    packets: Vec<Packet>,
    /// When the last key went up.
    pressed: Option<Instant>,
}

pub(crate) struct Phone {
    pub(crate) name: String,
    pub(crate) sipp: Sipp,
    /// The telephone's own frequency.
    pub(crate) voice: f64,
    line: Arc<Mutex<Line>>,
    stop: Arc<AtomicBool>,
    media: Option<JoinHandle<()>>,
    /// All before this sample has been looked at.
    cursor: usize,
}

impl Phone {
    /// Calls the bridge and waits until it answers. `voice` picks the telephone's own frequency.
    pub(crate) fn call(sip: u16, voice: usize, steps: &[Step]) -> Self {
        Self::call_with(sip, voice, Offer::Early, steps)
    }

    pub(crate) fn call_with(sip: u16, voice: usize, offer: Offer, steps: &[Step]) -> Self {
        let mut phone = Self::dial(sip, "conference", voice, offer, steps);
        phone.sipp.answered();
        phone
    }

    /// Sends the INVITE and returns.
    pub(crate) fn dial(sip: u16, to: &str, voice: usize, offer: Offer, steps: &[Step]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let line = Arc::new(Mutex::new(Line {
            sound: Sound::of(offer),
            ..Line::default()
        }));
        let stop = Arc::new(AtomicBool::new(false));
        let media = std::thread::spawn({
            let (line, stop) = (Arc::clone(&line), Arc::clone(&stop));
            move || talk(&socket, &line, &stop, 0x1000_0000 + u32::from(port))
        });
        let from = format!("+4420794600{:02}", 10 + voice);
        Self {
            name: format!("phone {voice}"),
            sipp: sipp::call(sip, to, &from, port, offer, steps),
            voice: tones::CALLERS[voice],
            line,
            stop,
            media: Some(media),
            cursor: 0,
        }
    }

    /// Presses keys by RFC 4733; returns when all are sent.
    pub(crate) fn press(&self, keys: &str) {
        self.begin_press(keys);
        while !self.line.lock().unwrap().digits.is_empty() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends keys as tones in the audio; returns when all are sent.
    pub(crate) fn press_tones(&self, keys: &str) {
        self.line.lock().unwrap().tone_digits.extend(keys.bytes());
        while !self.line.lock().unwrap().tone_digits.is_empty() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Begins to press keys, and returns.
    pub(crate) fn begin_press(&self, keys: &str) {
        self.line.lock().unwrap().digits.extend(keys.bytes());
    }

    /// Sends these packets in place of its own.
    pub(crate) fn play(&self, script: Script) {
        let mut line = self.line.lock().unwrap();
        line.began = None;
        line.script = Some(script);
    }

    /// Keeps the payloads that come in from now on.
    pub(crate) fn keep(&self) {
        self.line.lock().unwrap().keeps = true;
    }

    /// What was kept, each with when it came.
    pub(crate) fn kept(&self) -> Vec<(Instant, Vec<u8>)> {
        std::mem::take(&mut self.line.lock().unwrap().kept)
    }

    /// When the script began.
    pub(crate) fn began(&self) -> Option<Instant> {
        self.line.lock().unwrap().began
    }

    /// Says its tone from now on, or nothing.
    pub(crate) fn speak(&self, on: bool) {
        self.say(on.then_some(6_000.0));
    }

    /// Says something from now on that no detector takes for music, or nothing.
    pub(crate) fn babble(&self, on: bool) {
        self.line.lock().unwrap().babbles = on;
    }

    /// Says its tone with this amplitude from now on, or nothing.
    pub(crate) fn say(&self, amplitude: Option<f32>) {
        self.line.lock().unwrap().tone = amplitude.map(|amplitude| (self.voice, amplitude));
    }

    /// Stops sending RTP, or goes on.
    pub(crate) fn cut_media(&self, cut: bool) {
        self.line.lock().unwrap().mute = cut;
    }

    /// What came in since that packet, by a look at each.
    pub(crate) fn packets<T>(&self, from: usize, look: impl Fn(&[Packet]) -> T) -> T {
        look(&self.line.lock().unwrap().packets[from..])
    }

    /// From the moment the last key went up to the first packet after it in which there is anything to hear.
    pub(crate) fn answered_after(&self, patience: Duration) -> Option<Duration> {
        let began = Instant::now();
        while began.elapsed() < patience {
            let line = self.line.lock().unwrap();
            let pressed = line.pressed?;
            let sound = line
                .packets
                .iter()
                .find(|packet| packet.loud && packet.at > pressed);
            if let Some(sound) = sound {
                return Some(sound.at - pressed);
            }
            drop(line);
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// Hangs up after the scenario's steps.
    pub(crate) fn hang_up(mut self) {
        self.sipp.hang_up();
    }

    /// Waits for the bridge's BYE.
    #[track_caller]
    pub(crate) fn is_hung_up(&mut self) {
        self.sipp.wait_ended(PATIENCE);
        assert!(
            self.sipp.got_bye(),
            "{}: no BYE came:\n{}",
            self.name,
            self.sipp.trace()
        );
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(media) = self.media.take() {
            let _ = media.join();
        }
    }
}

impl Ear for Phone {
    fn name(&self) -> &str {
        &self.name
    }

    fn voice(&self) -> f64 {
        self.voice
    }

    fn heard_from(&self, sample: usize) -> Vec<i16> {
        self.line.lock().unwrap().heard[sample..].to_vec()
    }

    fn samples(&self) -> usize {
        self.line.lock().unwrap().heard.len()
    }

    fn cursor(&mut self) -> &mut usize {
        &mut self.cursor
    }

    fn explain(&self) -> String {
        self.sipp.trace()
    }
}

/// Sends a packet each 20 ms on an absolute clock and keeps what comes in.
fn talk(socket: &UdpSocket, line: &Mutex<Line>, stop: &AtomicBool, ssrc: u32) {
    socket.set_nonblocking(true).unwrap();
    let mut bridge: Option<SocketAddr> = None;
    let (mut sequence, mut timestamp) = (7u16, 1000u32);
    let mut event: Option<(u8, u32)> = None;
    let mut pause = 0;
    let mut next = Instant::now();
    let mut phase = 0.0;
    let mut key_frames = 0;
    let mut script: Option<(Instant, Script)> = None;
    while !stop.load(Ordering::Relaxed) {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            bridge.get_or_insert(from);
            keep(&buffer[..length], &mut line.lock().unwrap());
        }
        let now = Instant::now();
        if let Some((began, running)) = &mut script {
            let state = line.lock().unwrap();
            let units = state.sound.units();
            let due = |packet: &(Duration, u16, Vec<u8>)| *began + packet.0 <= now;
            while let Some((_, number, payload)) =
                running.packets.pop_front_if(|packet| due(packet))
            {
                let at = timestamp.wrapping_add(u32::from(number) * 160);
                let mut packet = vec![0x80, state.sound.payload_type()];
                packet.extend(sequence.wrapping_add(number).to_be_bytes());
                packet.extend(at.wrapping_mul(units).to_be_bytes());
                packet.extend(ssrc.to_be_bytes());
                packet.extend(payload);
                let _ = socket.send_to(&packet, bridge.unwrap());
            }
            drop(state);
            let ends = *began + Duration::from_millis(20) * u32::from(running.frames);
            if now < ends || !running.packets.is_empty() {
                std::thread::sleep(Duration::from_micros(500));
                continue;
            }
            sequence = sequence.wrapping_add(running.frames);
            timestamp = timestamp.wrapping_add(u32::from(running.frames) * 160);
            next = ends;
            script = None;
        }
        if now < next {
            std::thread::sleep((next - now).min(Duration::from_millis(4)));
            continue;
        }
        let mut state = line.lock().unwrap();
        if bridge.is_some()
            && let Some(begins) = state.script.take()
        {
            state.began = Some(next);
            script = Some((next, begins));
            continue;
        }
        next += Duration::from_millis(20);
        let Some(bridge) = bridge else { continue };
        if state.mute {
            continue;
        }
        if event.is_none()
            && pause == 0
            && let Some(key) = state.digits.front()
        {
            let code = match key {
                b'*' => 10,
                b'#' => 11,
                digit => digit - b'0',
            };
            event = Some((code, timestamp));
        }
        pause = u32::saturating_sub(pause, 1);
        let units = state.sound.units();
        let mut send = |payload_type: u8, marker: bool, at: u32, payload: &[u8]| {
            let at = at.wrapping_mul(units);
            let mut packet = vec![0x80, payload_type | u8::from(marker) << 7];
            packet.extend(sequence.to_be_bytes());
            packet.extend(at.to_be_bytes());
            packet.extend(ssrc.to_be_bytes());
            packet.extend(payload);
            let _ = socket.send_to(&packet, bridge);
            sequence = sequence.wrapping_add(1);
        };
        match event {
            Some((code, began)) => {
                let lasts = timestamp - began + 160;
                let (duration, ends) = ((lasts * units) as u16, lasts >= 800);
                for _ in 0..if ends { 3 } else { 1 } {
                    let [high, low] = duration.to_be_bytes();
                    send(
                        101,
                        began == timestamp,
                        began,
                        &[code, u8::from(ends) << 7 | 10, high, low],
                    );
                }
                if ends {
                    event = None;
                    pause = 4;
                    state.digits.pop_front();
                    state.pressed = Some(Instant::now());
                }
            }
            None => {
                let mut frame = [0.0; 160];
                if let Some(key) = state.tone_digits.front() {
                    let (low, high) = tones::key(*key);
                    for (n, sample) in frame.iter_mut().enumerate().filter(|_| key_frames < 4) {
                        let at = TAU * f64::from(key_frames * 160 + n as u32) / 8000.0;
                        *sample = ((low * at).sin() + (high * at).sin()) * 4000.0;
                    }
                    key_frames = (key_frames + 1) % 8;
                    if key_frames == 0 {
                        state.tone_digits.pop_front();
                    }
                } else if state.babbles {
                    let hiss = |n: usize| {
                        f64::from((n as u32).wrapping_mul(2_654_435_761) >> 20) - 2_048.0
                    };
                    for (n, sample) in frame.iter_mut().enumerate() {
                        phase += TAU * 250.0 / 8000.0;
                        *sample = match timestamp / 480 % 4 {
                            0 => phase.sin() * 8_000.0,
                            1 => hiss(n + timestamp as usize),
                            2 => phase.sin() * 3_000.0,
                            _ => 0.0,
                        };
                    }
                } else if let Some((tone, amplitude)) = state.tone {
                    for sample in &mut frame {
                        phase += TAU * tone / 8000.0;
                        *sample = phase.sin() * f64::from(amplitude);
                    }
                }
                let payload = state.sound.encode(frame.map(|sample| sample as i16));
                send(state.sound.payload_type(), false, timestamp, &payload);
            }
        }
        timestamp = timestamp.wrapping_add(160);
    }
}

fn keep(packet: &[u8], line: &mut Line) {
    // The bridge sends plain headers; anything else (RTCP comes to another port) would be a fault of it.
    assert!(
        packet.len() >= 12 && packet[0] == 0x80,
        "not a plain RTP packet: {:02x?}",
        &packet[..packet.len().min(16)]
    );
    let word = |at: usize| {
        u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
    };
    let payload_type = line.sound.payload_type();
    assert_eq!(packet[1] & 0x7f, payload_type, "another codec");
    if line.keeps {
        line.kept.push((Instant::now(), packet[12..].to_vec()));
    }
    let samples = line.sound.decode(&packet[12..]);
    let loud = samples.iter().any(|sample| sample.unsigned_abs() > 500);
    line.packets.push(Packet {
        at: Instant::now(),
        loud,
        sequence: u16::from_be_bytes([packet[2], packet[3]]),
        timestamp: word(4),
        ssrc: word(8),
    });
    line.heard.extend(samples);
}
