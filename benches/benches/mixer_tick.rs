//! The mixer's tick (write all, mix, read all) against two baselines in the same run:
//!
//! - *floor*: each leg's frame is copied in and a frame is copied out, and nothing else;
//! - *naive*: for each listener the sum over all other talkers, clipped, O(N²).
//!
//! `cargo bench -p conclave-benches --bench mixer_tick`; under `cargo test --benches` a quick run of small rooms.
#![allow(clippy::print_stdout)]

use conclave_benches::compare;
use conclave_mixer::{Rate, RoomMixer};
use std::hint::black_box;

fn main() {
    let quick = !std::env::args().any(|arg| arg == "--bench");
    let sizes: &[usize] = if quick {
        &[3, 10]
    } else {
        &[3, 10, 50, 200, 500, 2_000]
    };
    println!("legs  talkers  rates     tick ns/leg  × floor  naive × tick");
    for &legs in sizes {
        for talkers in [3, legs] {
            report(legs, talkers, &[Rate::Hz8000], "8");
        }
        if legs >= 10 {
            report(legs, 3, &[Rate::Hz8000, Rate::Hz16000], "8, 16");
            report(legs, legs, &[Rate::Hz8000, Rate::Hz48000], "8, 48");
        }
    }
}

fn report(legs: usize, talkers: usize, rates: &[Rate], names: &str) {
    let rates: Vec<Rate> = (0..legs).map(|leg| rates[leg % rates.len()]).collect();
    let frames: Vec<Vec<i16>> = rates
        .iter()
        .enumerate()
        .map(|(leg, rate)| noise(leg, rate.frame_len()))
        .collect();
    let mut out = vec![0; 960];

    let mut room = RoomMixer::new(legs);
    let slots: Vec<_> = rates.iter().map(|&rate| room.join(rate)).collect();
    let mut tick = || {
        for (slot, frame) in slots.iter().zip(&frames).take(talkers) {
            room.write(*slot, frame);
        }
        room.mix();
        for (slot, rate) in slots.iter().zip(&rates) {
            let out = &mut out[..rate.frame_len()];
            black_box(room.read(*slot, out));
        }
    };

    let mut copies: Vec<Vec<i16>> = frames.clone();
    let mut floor_out = vec![0; 960];
    let mut floor = || {
        for (copy, frame) in copies.iter_mut().zip(&frames).take(talkers) {
            copy.copy_from_slice(frame);
        }
        for frame in &frames {
            floor_out[..frame.len()].copy_from_slice(frame);
            black_box(&mut floor_out);
        }
    };

    // The naive mix knows one rate only: it is compared where the room has one.
    let single = rates.iter().all(|&rate| rate == rates[0]);
    let len = rates[0].frame_len();
    let mut naive_out = vec![0_i16; len];
    let mut naive = || {
        for listener in 0..if single { legs } else { 0 } {
            let mut sum = [0_i32; 960];
            for (_, frame) in frames
                .iter()
                .enumerate()
                .take(talkers)
                .filter(|(talker, _)| *talker != listener)
            {
                for (sum, &x) in sum[..len].iter_mut().zip(frame) {
                    *sum += i32::from(x);
                }
            }
            for (out, sum) in naive_out.iter_mut().zip(sum) {
                *out = sum.clamp(-32_768, 32_767) as i16;
            }
            black_box(&mut naive_out);
        }
    };

    let times = compare(&mut [&mut tick, &mut floor, &mut naive]);
    let [tick, floor, naive] = [0, 1, 2].map(|i| times[i].as_nanos() as f64);
    let naive = if single {
        format!("{:.1}", naive / tick)
    } else {
        "-".to_owned()
    };
    println!(
        "{legs:>4}  {talkers:>7}  {names:<8}  {:>11.0}  {:>7.1}  {naive:>12}",
        tick / legs as f64,
        tick / floor
    );
}

/// Noise at some −25 dBFS.
fn noise(seed: usize, len: usize) -> Vec<i16> {
    let mut state = seed as u32 + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16 / 10
    };
    (0..len).map(|_| next()).collect()
}
