//! What a leg allocates: a little when it begins, nothing for a packet.

// A counting allocator cannot be written without it; it hands everything on to the system's.
#![allow(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use conclave_media::{Codec, Receiver, RtpPacket, RtpWriter};

struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is the system allocator's, with the arguments unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending has no counters any more, and nothing to count.
        let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get() + layout.size()));
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_leg_is_small_and_a_packet_allocates_nothing() {
    check(Codec::Pcmu, 10 * 1024);
    check(Codec::G722, 16 * 1024);
    // What libopus keeps lies beside that: some 20 KiB.
    check(Codec::Opus, 40 * 1024);
}

fn check(codec: Codec, at_most: usize) {
    let payload_type = codec.static_payload_type().unwrap_or(96);
    let before = BYTES.get();
    let mut leg = Receiver::new(codec, payload_type);
    let size = BYTES.get() - before + size_of::<Receiver>();
    assert!(size < at_most, "{codec:?}: {size} bytes");

    let mut encoder = codec.encoder();
    let mut writer = RtpWriter::new(1, 0, 0);
    let (mut datagram, mut frame) = ([0; 1_300], [0; 960]);
    let frame = &mut frame[..codec.frame_samples()];
    let calls = CALLS.get();
    for tick in 0..2000u64 {
        // On time, lost, doubled, in bursts, from another source, and of every size.
        if tick % 500 == 499 {
            writer = RtpWriter::new(tick as u32, 9, 77);
        }
        let packets = [1, 1, 2, 0, 1, 0, 0, 5][tick as usize % 8];
        for _ in 0..packets {
            let size = [80, 160, 480][tick as usize % 3];
            let length = writer.write(
                payload_type,
                false,
                size as u32,
                &[0x90; 480][..size],
                &mut datagram,
            );
            let packet = RtpPacket::parse(&datagram[..length.unwrap()]).unwrap();
            leg.push(&packet, Duration::from_millis(tick * 20));
            leg.push(&packet, Duration::from_millis(tick * 20));
        }
        leg.pull(Duration::from_millis(tick * 20 + 3), frame);
        leg.stats();
        encoder.encode(frame, &mut datagram);
    }
    assert_eq!(CALLS.get(), calls);
}
