//! "No allocation in the tick" as a checked fact: an allocator that counts.

#![allow(unsafe_code)] // A global allocator can't be written without.

use conclave_mixer::{NoiseDetector, Rate, RoomMixer};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system's allocator unchanged; the counter is a thread-local without a destructor
// that is initialised at compile time, so counting allocates nothing itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's contract is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's contract is that of `System`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn ticks_neither_allocate_nor_free() {
    check(|_| {});
    check(|room| {
        room.set_noise_suppression(true);
        room.set_levelling(true);
        room.set_most_talkers(Some(8));
    });
}

fn check(tune: impl Fn(&mut RoomMixer)) {
    let mut room = RoomMixer::new(4);
    tune(&mut room);
    // More than the hint, of all rates, and with some that came and went.
    let slots: Vec<_> = (0..60)
        .map(|i| (room.join(Rate::ALL[i % 3]), Rate::ALL[i % 3]))
        .collect();
    for (slot, _) in &slots[..9] {
        room.leave(*slot);
    }
    let loud = [30_000; 960];
    let mut out = [0; 960];

    let before = ALLOCATIONS.get();
    for tick in 0..2_000_usize {
        for (i, (slot, rate)) in slots.iter().enumerate() {
            // Now all talk, now some, now none; loud enough for every limiter.
            if (tick / 7 + i) % (1 + tick / 100 % 5) == 0 {
                room.write(*slot, &loud[..rate.frame_len()]);
            }
            if (tick + i) % 31 == 0 {
                room.set_heard(*slot, tick % 2 == 0);
            }
        }
        if tick % 50 < 20 {
            room.announce(&loud[..room.rate().frame_len()], Some(slots[tick % 60].0));
        }
        room.mix();
        for (i, (slot, rate)) in slots.iter().enumerate() {
            if tick % 40 < 10 && i % 5 == 0 {
                room.read_under(
                    *slot,
                    &loud[..rate.frame_len()],
                    &mut out[..rate.frame_len()],
                );
            } else {
                room.read(*slot, &mut out[..rate.frame_len()]);
            }
            std::hint::black_box(room.level(*slot));
        }
        // People hang up while the tick goes on.
        if tick % 100 == 99 {
            room.leave(slots[tick / 50].0);
        }
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(room.len(), 60 - 9 - 16);
    drop(vec![0_u8; 10]);
    assert_eq!(ALLOCATIONS.get() - before, 2, "the counter counts");
}

#[test]
fn the_noise_detector_neither_allocates_nor_frees() {
    let mut line = NoiseDetector::default();
    let before = ALLOCATIONS.get();
    let flags = (0..1_000).filter_map(|_| line.push(&[5_000; 160])).count();
    assert_eq!((flags, ALLOCATIONS.get() - before), (1, 0));
}
