//! Two hundred calls in fifty rooms: every stream out is whole and steady.
#![allow(clippy::unwrap_used)] // a test that can't go on panics

use std::{
    net::{IpAddr, Ipv4Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use conclave_engine::{
    Codec, Command, Engine, EngineConfig, Event, LegId, LegMedia, Port, RoomId, Route,
};
use conclave_media::{RtpPacket, RtpWriter};

const CALLS: usize = 200;
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const RUN: Duration = Duration::from_secs(3);

#[derive(Clone, Default)]
struct Stream {
    sequences: Vec<u16>,
    last: Option<Instant>,
    longest_gap: Duration,
}

#[test]
fn two_hundred_calls_get_fifty_packets_a_second() {
    let (engine, events) = Engine::start(EngineConfig {
        shards: 2,
        rtp_ports: 18_000..=19_999,
        ..EngineConfig::default()
    })
    .unwrap();
    let phones: Vec<_> = (0..CALLS)
        .map(|_| {
            let phone = UdpSocket::bind((LOCAL, 0)).unwrap();
            phone.set_nonblocking(true).unwrap();
            phone
        })
        .collect();
    let mut to = Vec::new();
    for (n, phone) in phones.iter().enumerate() {
        let (leg, remote) = (LegId(n as u64), phone.local_addr().unwrap());
        let port = if n % 2 == 0 { Port::Shared } else { Port::Own };
        to.push(engine.reserve_for(leg, port, LOCAL, Some(remote)).unwrap());
        let media = LegMedia::new(remote, Codec::Pcma);
        engine.send(Command::Start { leg, media });
        let (room, heard) = (RoomId(n as u64 / 4), true);
        let route = Route::Room { room, heard };
        engine.send(Command::Route { leg, route });
    }

    let over = Arc::new(AtomicBool::new(false));
    let listening = {
        let phones: Vec<_> = phones.iter().map(|p| p.try_clone().unwrap()).collect();
        let over = Arc::clone(&over);
        thread::spawn(move || {
            let mut streams = vec![Stream::default(); CALLS];
            let mut datagram = [0; 512];
            while !over.load(SeqCst) {
                for (phone, stream) in phones.iter().zip(&mut streams) {
                    while let Ok(length) = phone.recv(&mut datagram) {
                        // Reports for the phone on the port below.
                        if (192..=223).contains(&datagram[1]) {
                            continue;
                        }
                        let packet = RtpPacket::parse(&datagram[..length]).unwrap();
                        let now = Instant::now();
                        let gap = stream.last.replace(now).map_or(Duration::ZERO, |l| now - l);
                        stream.longest_gap = stream.longest_gap.max(gap);
                        stream.sequences.push(packet.sequence());
                    }
                }
                thread::sleep(Duration::from_millis(2));
            }
            streams
        })
    };
    let mut writers: Vec<_> = (0..CALLS as u32).map(|n| RtpWriter::new(n, 0, 0)).collect();
    let begin = Instant::now();
    for round in 1..=(RUN.as_millis() / 20) as u32 {
        for ((phone, to), writer) in phones.iter().zip(&to).zip(&mut writers) {
            let mut packet = [0; 172];
            writer
                .write(8, false, 160, &[0x35; 160], &mut packet)
                .unwrap();
            phone.send_to(&packet, to).unwrap();
        }
        let next = begin + Duration::from_millis(20) * round;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let stats = engine.stats();
    over.store(true, SeqCst);
    let streams = listening.join().unwrap();

    // A machine that lets its threads wait can't be asked for steady gaps; nothing may be missing all the same.
    let steady = stats.lateness_max < Duration::from_millis(20);
    for (n, stream) in streams.iter().enumerate() {
        let count = stream.sequences.len();
        assert!((140..=160).contains(&count), "call {n}: {count} packets");
        for (place, pair) in stream.sequences.windows(2).enumerate() {
            let step = pair[1].wrapping_sub(pair[0]);
            assert_eq!(step, 1, "call {n} after packet {place}: {stats:?}");
        }
        let gap = stream.longest_gap;
        assert!(
            !steady || gap < Duration::from_millis(60),
            "call {n}: {gap:?}"
        );
    }
    assert_eq!((stats.dropped, stats.ticks_left_out), (0, 0));

    for n in 0..CALLS as u64 {
        engine.send(Command::Stop { leg: LegId(n) });
    }
    let mut stopped = 0;
    while stopped < CALLS {
        let event = events.recv_timeout(Duration::from_secs(5)).unwrap();
        stopped += usize::from(matches!(event, Event::Stopped { .. }));
    }
    let stats = engine.stats();
    assert_eq!((stats.legs, stats.rooms), (0, 0));
    // The ports of the legs that had their own are free again.
    for port in to.iter().skip(1).step_by(2) {
        let until = Instant::now() + Duration::from_secs(2);
        while UdpSocket::bind(port).is_err() {
            assert!(Instant::now() < until, "{port} is still open");
            thread::sleep(Duration::from_millis(5));
        }
    }
}
