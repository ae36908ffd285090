//! The tone detector against ITU-T Q.24, by a synthesiser that shares nothing with it.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod synthesis;

use conclave_dtmf::ToneDetector;
use proptest::prelude::*;
use synthesis::{KEYS, Line, Press, digits, limits::LIMITS};

#[test]
fn every_limit_holds_on_both_sides() {
    for limit in LIMITS {
        for seed in 0..200 {
            let (samples, expected) = limit.attempt(seed);
            let heard = digits(&samples);
            assert_eq!(
                heard, expected,
                "{}, {}, seed {seed}",
                limit.what, limit.side
            );
        }
    }
}

#[test]
fn ten_thousand_digits_at_15_db_of_noise_are_heard() {
    let mut line = Line::new(15);
    for _ in 0..10_000 {
        let key = line.chance.key();
        line.press(Press::of(key));
        line.pause(50.0);
    }
    line.noise((-10.0, -10.0), 15.0);
    assert!(digits(&line.sampled()) == line.keys);
}

#[test]
fn every_key_is_heard_once_however_long() {
    for key in KEYS.chars() {
        for ms in [40.0, 80.0, 400.0, 5_000.0] {
            let mut line = Line::new(ms as u64);
            line.press(Press {
                ms,
                ..Press::of(key)
            });
            line.pause(60.0);
            assert_eq!(digits(&line.sampled()), line.keys, "{ms} ms");
        }
    }
}

#[test]
fn what_is_suspected_is_a_tone_that_goes_on() {
    let mut line = Line::new(3);
    let from = line.samples.len() as f64 / synthesis::MS;
    line.press(Press {
        ms: 200.0,
        ..Press::of('7')
    });
    line.pause(200.0);
    let mut tones = ToneDetector::new();
    for (n, block) in line.sampled().chunks(40).enumerate() {
        tones.push(block, |_| {});
        let heard = (n + 1) as f64 * 5.0 - from;
        match heard {
            ..20.0 | 235.0.. => assert!(!tones.suspects(), "{heard} ms after its beginning"),
            30.0..200.0 => assert!(tones.suspects(), "{heard} ms after its beginning"),
            _ => {}
        }
    }
}

/// What nobody pressed is no digit: one tone, a dial tone, three tones, noise, steps, full scale.
#[test]
fn other_sounds_are_no_digits() {
    let sine = |hertz: f64, n: usize| (hertz * std::f64::consts::TAU * n as f64 / 8_000.0).sin();
    let sum = |hertz: &[f64], n: usize| hertz.iter().map(|hz| 5_000.0 * sine(*hz, n)).sum::<f64>();
    let sounds: &[(&str, &dyn Fn(usize) -> f64)] = &[
        ("a low tone", &|n| sum(&[697.0], n)),
        ("a high tone", &|n| sum(&[1_477.0], n)),
        ("two low tones", &|n| sum(&[697.0, 852.0], n)),
        ("two high tones", &|n| sum(&[1_209.0, 1_477.0], n)),
        ("three tones", &|n| sum(&[697.0, 852.0, 1_336.0], n)),
        ("a digit with a second harmonic", &|n| {
            sum(&[697.0, 1_394.0, 1_336.0], n)
        }),
        ("a dial tone", &|n| sum(&[350.0, 440.0], n)),
        ("a busy tone", &|n| sum(&[480.0, 620.0], n)),
        ("a ringback tone", &|n| sum(&[440.0, 480.0], n)),
        ("a modem's answer", &|n| sum(&[2_100.0], n)),
        ("steps", &|n| if n % 11 < 5 { 20_000.0 } else { -20_000.0 }),
        ("full scale", &|_| -32_768.0),
    ];
    for (what, sound) in sounds {
        let samples: Vec<i16> = (0..8_000).map(|n| sound(n) as i16).collect();
        assert_eq!(digits(&samples), "", "{what}");
    }
    let mut line = Line::new(4);
    line.pause(60_000.0);
    line.noise((-10.0, -10.0), 0.0);
    assert_eq!(digits(&line.sampled()), "", "noise");
}

proptest! {
    #[test]
    fn the_lengths_of_frames_change_nothing(seed: u64, lengths in proptest::collection::vec(0usize..400, 1..40)) {
        let mut line = Line::new(seed);
        for _ in 0..4 {
            let key = line.chance.key();
            line.press(Press::of(key));
            line.pause(50.0);
        }
        line.noise((-10.0, -10.0), 20.0);
        let samples = line.sampled();
        let (mut tones, mut heard) = (ToneDetector::new(), String::new());
        let (mut rest, mut lengths) = (&samples[..], lengths.iter().cycle());
        let mut empty = 0;
        while !rest.is_empty() && empty < 100 {
            let (frame, more) = rest.split_at(rest.len().min(*lengths.next().unwrap()));
            empty = if frame.is_empty() { empty + 1 } else { 0 };
            tones.push(frame, |digit| heard.push(digit.as_char()));
            rest = more;
        }
        tones.push(rest, |digit| heard.push(digit.as_char()));
        prop_assert_eq!(&heard, &line.keys);
        prop_assert_eq!(digits(&samples), heard);
    }
}
