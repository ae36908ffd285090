//! Once calls are established, ticks allocate nothing; and a call takes little memory.
#![allow(unsafe_code)] // a global allocator that counts

use std::{
    alloc::{GlobalAlloc, Layout, System},
    net::{IpAddr, Ipv4Addr, UdpSocket},
    sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use conclave_engine::{
    Codec, Command, Engine, EngineConfig, LegId, LegMedia, Pcm, Port, RoomId, Route,
};
use conclave_media::RtpWriter;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);

// SAFETY: everything is left to the system's allocator; two counters are no harm.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, SeqCst);
        BYTES.fetch_add(layout.size() as i64, SeqCst);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as i64, SeqCst);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const LEGS: usize = 40;
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn established_calls_allocate_nothing_and_are_small() {
    let config = EngineConfig {
        shards: 1,
        rtp_ports: 29_000..=29_999,
        ..EngineConfig::default()
    };
    let (engine, events) = Engine::start(config).unwrap();
    let samples = (0..8_000).map(|n| (n % 100) * 20).collect();
    let rate = 8_000;
    engine.set_music(Pcm { rate, samples });
    let phones: Vec<_> = (0..LEGS)
        .map(|_| UdpSocket::bind((LOCAL, 0)).unwrap())
        .collect();
    // The engine's own memory is there before the first call.
    engine.reserve(LegId(999), Port::Shared, LOCAL).unwrap();
    thread::sleep(Duration::from_millis(100));
    let before = BYTES.load(SeqCst);
    let mut to = Vec::new();
    for (n, phone) in phones.iter().enumerate() {
        let (leg, remote) = (LegId(n as u64), phone.local_addr().unwrap());
        let port = if n % 4 == 0 { Port::Own } else { Port::Shared };
        to.push(engine.reserve_for(leg, port, LOCAL, Some(remote)).unwrap());
        let media = LegMedia::new(remote, Codec::Pcmu);
        engine.send(Command::Start { leg, media });
        // Rooms of ten, and a few on hold.
        let route = if n % 10 == 9 {
            Route::Music
        } else {
            let room = RoomId(n as u64 / 10);
            let heard = n % 3 != 0;
            Route::Room { room, heard }
        };
        engine.send(Command::Route { leg, route });
    }
    let mut streams: Vec<_> = (0..LEGS as u32).map(|n| RtpWriter::new(n, 0, 0)).collect();
    let mut talk = |rounds: u32, payload: &[u8]| {
        let begin = Instant::now();
        for round in 1..=rounds {
            for ((phone, to), stream) in phones.iter().zip(&to).zip(&mut streams) {
                let mut packet = [0; 172];
                stream.write(0, false, 160, payload, &mut packet).unwrap();
                phone.send_to(&packet, to).unwrap();
            }
            let next = begin + Duration::from_millis(20) * round;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    };
    // Too quiet for levels, which are events and allocate.
    let quiet: [u8; 160] = std::array::from_fn(|n| if n / 8 % 2 == 0 { 0xFE } else { 0x7E });
    talk(100, &quiet);
    let each = (BYTES.load(SeqCst) - before) / LEGS as i64;
    let count = ALLOCATIONS.load(SeqCst);
    // Every round of 40 legs, mixed and sent; the fewest allocations that one saw.
    let mut quiet_rounds = None;
    for _ in 0..100 {
        let before = ALLOCATIONS.load(SeqCst);
        talk(1, &quiet);
        let round = ALLOCATIONS.load(SeqCst) - before;
        quiet_rounds = Some(quiet_rounds.map_or(round, |least: u64| least.min(round)));
    }
    let more = ALLOCATIONS.load(SeqCst) - count;
    let stats = engine.stats();
    assert!(stats.packets_in >= 199 * LEGS as u64, "{stats:?}");
    assert!(stats.ignored <= 2 * LEGS as u64, "{stats:?}");
    // An RTCP report, of which a leg sends one in this time, or two, takes a few; a tick takes none.
    assert!(more <= 8 * LEGS as u64, "{more} allocations in two seconds");
    assert_eq!(quiet_rounds, Some(0), "allocations in a tick");
    assert!(each < 64 * 1024, "{each} bytes for each call");
    assert!(events.is_empty());
}
