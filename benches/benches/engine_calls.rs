//! The engine with calls on loopback, in rooms with one talker each: what it adds to the delay from an RTP
//! packet in to the RTP packet out that carries the same samples, and the CPU time and memory of its threads.
//!
//! `cargo bench -p conclave-benches --bench engine_calls`; under `cargo test --benches` a second of six calls.
//!
//! The phones are a thread that sends, each call at a phase of its own within the 20 ms, and one that asks all their
//! sockets every quarter of a millisecond, which the delay includes. Nothing of theirs is in the CPU time.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a measurement that can't go on panics

use std::{
    collections::HashMap,
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use conclave_engine::{Codec, Command, Engine, EngineConfig, LegId, LegMedia, Port, RoomId, Route};
use conclave_media::{RtpPacket, RtpWriter};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// As many packets are told apart.
const NUMBERS: usize = 4_096;
const PACKET: Duration = Duration::from_millis(20);
/// For latches and jitter buffers to settle; not measured.
const SETTLE: Duration = Duration::from_secs(2);

fn main() {
    let quick = !std::env::args().any(|arg| arg == "--bench");
    // Calls, how many of them in a room, rounds, seconds of each.
    let runs: &[(usize, usize, u32, u64)] = if quick {
        &[(6, 3, 1, 1)]
    } else {
        &[(6, 3, 10, 2), (200, 4, 4, 5), (200, 200, 10, 2)]
    };
    println!(
        "calls  a room  packets  delay ms: p50   p90   p99   CPU ms/call-s  KiB/call  tick late p99 ms  sent late p99 ms"
    );
    for &(calls, room, rounds, seconds) in runs {
        let mut all = Measured::default();
        for round in 0..rounds {
            // Each round at another phase between the phones and the ticks.
            let phase = PACKET * round / rounds;
            all.add(measure(calls, room, phase, Duration::from_secs(seconds)));
        }
        all.print(calls, room, rounds);
    }
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load of the machine at the end: {}", load.trim());
}

#[derive(Default)]
struct Measured {
    delays: Vec<Duration>,
    /// How much later than on time the phones sent: what the machine did to them.
    sent_late: Vec<Duration>,
    cpu: Duration,
    span: Duration,
    memory: u64,
    tick_late: Duration,
}

impl Measured {
    fn add(&mut self, other: Measured) {
        self.delays.extend(other.delays);
        self.sent_late.extend(other.sent_late);
        self.cpu += other.cpu;
        self.span += other.span;
        // What later rounds take was given back by the first one.
        self.memory = self.memory.max(other.memory);
        self.tick_late = self.tick_late.max(other.tick_late);
    }

    fn print(mut self, calls: usize, room: usize, rounds: u32) {
        let [p50, p90, p99] = [50, 90, 99].map(|percent| at(&mut self.delays, percent));
        println!(
            "{calls:>5}  {room:>6}  {:>7}  {p50:>13.1} {p90:>5.1} {p99:>5.1}   {:>13.3}  {:>8}  {:>16.1}  {:>16.1}   ({rounds} rounds)",
            self.delays.len(),
            self.cpu.as_secs_f64() * 1e3 / self.span.as_secs_f64() / calls as f64,
            self.memory / calls as u64,
            self.tick_late.as_secs_f64() * 1e3,
            at(&mut self.sent_late, 99),
        );
    }
}

/// A percentile in ms.
fn at(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times
        .get(place)
        .map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

fn measure(calls: usize, room: usize, phase: Duration, run: Duration) -> Measured {
    let (engine, _events) = Engine::start(EngineConfig {
        rtp_ports: 30_000..=32_999,
        ..EngineConfig::default()
    })
    .unwrap();
    thread::sleep(phase);
    let phones: Arc<[UdpSocket]> = (0..calls).map(|_| phone()).collect();
    // What the shared sockets take is the same for any number of calls.
    let spare = LegId(u64::MAX);
    engine.reserve(spare, Port::Shared, LOCAL).unwrap();
    let sent: Arc<[Vec<AtomicU64>]> = (0..calls)
        .map(|_| (0..NUMBERS).map(|_| AtomicU64::new(0)).collect())
        .collect();
    let memory = resident();
    let engine_at: Vec<_> = phones
        .iter()
        .enumerate()
        .map(|(n, phone)| join(&engine, n, n / room, phone))
        .collect();

    let begin = Instant::now();
    let over = Arc::new(AtomicBool::new(false));
    let listener = {
        let (phones, sent, over) = (Arc::clone(&phones), Arc::clone(&sent), Arc::clone(&over));
        thread::spawn(move || listen(&phones, room, &sent, begin, &over))
    };
    let speaker = {
        let (phones, over) = (Arc::clone(&phones), Arc::clone(&over));
        thread::spawn(move || speak(&phones, room, &engine_at, &sent, begin, &over))
    };
    thread::sleep(SETTLE);
    let (cpu, since) = (engine_cpu(), Instant::now());
    thread::sleep(run);
    let (cpu, span) = (engine_cpu() - cpu, since.elapsed());
    let memory = resident().saturating_sub(memory);
    let tick_late = engine.stats().lateness_p99;
    over.store(true, Relaxed);
    let sent_late = speaker.join().unwrap();
    let delays = listener.join().unwrap();
    engine.shutdown();
    Measured {
        delays,
        sent_late,
        cpu,
        span,
        memory,
        tick_late,
    }
}

fn phone() -> UdpSocket {
    let phone = UdpSocket::bind((LOCAL, 0)).unwrap();
    phone.set_nonblocking(true).unwrap();
    phone
}

fn join(engine: &Engine, n: usize, room: usize, phone: &UdpSocket) -> SocketAddr {
    let (leg, remote) = (LegId(n as u64), phone.local_addr().unwrap());
    let at = engine
        .reserve_for(leg, Port::Shared, LOCAL, Some(remote))
        .unwrap();
    let media = LegMedia::new(remote, Codec::Pcmu);
    engine.send(Command::Start { leg, media });
    let (room, heard) = (RoomId(room as u64), true);
    let route = Route::Room { room, heard };
    engine.send(Command::Route { leg, route });
    at
}

/// A packet from each phone every 20 ms. The first of each room says numbers, the others silence.
fn speak(
    phones: &[UdpSocket],
    room: usize,
    engine_at: &[SocketAddr],
    sent: &[Vec<AtomicU64>],
    begin: Instant,
    over: &AtomicBool,
) -> Vec<Duration> {
    let mut late = Vec::new();
    let mut writers: Vec<_> = (0..phones.len())
        .map(|n| RtpWriter::new(n as u32, 0, 0))
        .collect();
    let phase = PACKET / phones.len() as u32;
    for number in 0u64.. {
        for (n, (phone, writer)) in phones.iter().zip(&mut writers).enumerate() {
            let due = PACKET * number as u32 + phase * n as u32;
            thread::sleep(due.saturating_sub(begin.elapsed()));
            if over.load(Relaxed) {
                return late;
            }
            let mut payload = [0xFF; 160];
            if n % room == 0 {
                say(number, &mut payload);
            }
            let mut packet = [0; 172];
            writer
                .write(0, number == 0, 160, &payload, &mut packet)
                .unwrap();
            let now = begin.elapsed();
            late.push(now.saturating_sub(due));
            sent[n][number as usize % NUMBERS].store(now.as_micros() as u64, Relaxed);
            let _ = phone.send_to(&packet, engine_at[n]);
        }
    }
    late
}

/// When each number came that its room's talker had said, since it was said.
fn listen(
    phones: &[UdpSocket],
    room: usize,
    sent: &[Vec<AtomicU64>],
    begin: Instant,
    over: &AtomicBool,
) -> Vec<Duration> {
    let mut delays = Vec::new();
    let mut last: HashMap<usize, u64> = HashMap::new();
    let mut datagram = [0; 512];
    while !over.load(Relaxed) {
        for (n, phone) in phones.iter().enumerate() {
            while let Ok(length) = phone.recv(&mut datagram) {
                let now = begin.elapsed();
                let Ok(packet) = RtpPacket::parse(&datagram[..length]) else {
                    continue;
                };
                let Some(number) = said(packet.payload()) else {
                    continue;
                };
                // Once for each number: a blend of two frames, or what is made up of them, is none.
                let fresh = last.insert(n, number) != Some(number);
                let at = sent[n / room * room][number as usize].load(Relaxed);
                let at = Duration::from_micros(at);
                if fresh && at > SETTLE {
                    delays.push(now.saturating_sub(at));
                }
            }
        }
        thread::sleep(Duration::from_micros(250));
    }
    delays
}

/// A number up to 4,095 in two samples at the beginning and, for a check, at the end; a lone
/// talker's samples pass the bridge unchanged.
fn say(number: u64, payload: &mut [u8; 160]) {
    let digits = [0x80 | (number >> 6 & 63) as u8, 0x80 | (number & 63) as u8];
    payload[..2].copy_from_slice(&digits);
    payload[158..].copy_from_slice(&digits);
}

fn said(payload: &[u8]) -> Option<u64> {
    let whole = payload.len() == 160 && payload[..2] == payload[158..];
    let digits = payload
        .get(..2)
        .filter(|digits| whole && digits.iter().all(|digit| (0x80..0xC0).contains(digit)))?;
    Some(u64::from(digits[0] & 63) << 6 | u64::from(digits[1] & 63))
}

/// CPU time of the engine's threads.
fn engine_cpu() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
    let nanos = tasks.filter_map(|task| {
        let task = task.ok()?.path();
        let name = fs::read_to_string(task.join("comm")).ok()?;
        let stat = fs::read_to_string(task.join("schedstat")).ok()?;
        let nanos: u64 = stat.split(' ').next()?.parse().ok()?;
        name.starts_with("media-").then_some(nanos)
    });
    Duration::from_nanos(nanos.sum())
}

/// KiB of this process in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0)
}
