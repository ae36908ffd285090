//! The tone detector on one leg's frame of 20 ms, against decoding that frame from µ-law.
//!
//! `cargo bench -p conclave-benches --bench tone_detector`; under `cargo test --benches` the same.
#![allow(clippy::print_stdout)]

use conclave_benches::compare;
use conclave_dtmf::ToneDetector;
use conclave_media::Codec;
use std::hint::black_box;

fn main() {
    let mut state = 1_u32;
    let noise: Vec<i16> = (0..8_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16 / 8
        })
        .collect();
    let two = |n: f64| (n * 0.604_7).sin() + (n * 1.049_3).sin();
    let digit: Vec<i16> = (0..8_000)
        .map(|n| (two(f64::from(n)) * 8_000.0) as i16)
        .collect();
    let silence = vec![0; 8_000];

    let mut detectors = [
        ToneDetector::new(),
        ToneDetector::new(),
        ToneDetector::new(),
    ];
    let [one, two, three] = &mut detectors;
    let mut decoder = Codec::Pcmu.decoder();
    let (mut out, payload) = ([0; 160], [0x55; 160]);
    let times = compare(&mut [
        &mut || second(one, &noise),
        &mut || second(two, &digit),
        &mut || second(three, &silence),
        &mut || {
            for _ in 0..50 {
                black_box(decoder.decode(black_box(&payload), &mut out));
            }
        },
    ]);
    for (what, time) in ["noise", "a digit", "silence", "(decoding)"]
        .iter()
        .zip(times)
    {
        println!("{what:<12} {:>6} ns a frame", time.as_nanos() / 50);
    }
}

/// 50 frames.
fn second(tones: &mut ToneDetector, samples: &[i16]) {
    for frame in samples.chunks_exact(160) {
        tones.push(black_box(frame), |digit| {
            black_box(digit);
        });
    }
}
