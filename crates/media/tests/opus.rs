//! Opus: against a decoder that is not libopus, behind networks that lose packets, and with bytes that nobody chose.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod opus_bytes;

use std::{path::Path, time::Duration};

use conclave_media::{Codec, OpusSettings, Pulled, Receiver, RtpPacket, RtpWriter};
use proptest::prelude::*;

const FRAME: usize = Codec::Opus.frame_samples();

/// Twenty packets each of SILK at 10 kbit/s, of both coders at 22 kbit/s and of CELT at 64 kbit/s, each with its length
/// before it, by libopus under FFmpeg 5.1; behind each twenty, every 24th sample of what FFmpeg's own decoder (`-c:a opus`)
/// makes of them. Numbers have two bytes, the lower one first; before each part stands how many packets it has, and how
/// many samples of the first one that decoder leaves out.
const VECTOR: &[u8] = include_bytes!("vectors/ffmpeg.opus");

#[test]
fn what_is_decoded_is_what_ffmpegs_own_decoder_makes_of_it() {
    let mut vector = VECTOR;
    let mut take = |length: usize| {
        let (taken, rest) = vector.split_at(length);
        vector = rest;
        taken
    };
    // SILK's samples are brought to 48 kHz by other filters there.
    for (part, at_least) in [("SILK", 15.0), ("both", 15.0), ("CELT", 60.0)] {
        let mut number = || u16::from_le_bytes(take(2).try_into().unwrap()).into();
        let (packets, left_out): (usize, usize) = (number(), number());
        let mut decoder = Codec::Opus.decoder();
        let mut heard = vec![0; packets * FRAME];
        for frame in heard.chunks_mut(FRAME) {
            let length = u16::from_le_bytes(take(2).try_into().unwrap());
            let packet = take(length.into());
            assert_eq!(Codec::Opus.samples_in(packet), Some(FRAME));
            assert_eq!(decoder.decode(packet, frame), FRAME);
        }
        let (mut signal, mut noise) = (0.0, 0.0);
        for sample in heard[left_out..].iter().step_by(24) {
            let theirs = i16::from_le_bytes(take(2).try_into().unwrap());
            signal += f64::from(theirs).powi(2);
            noise += (f64::from(theirs) - f64::from(*sample)).powi(2);
        }
        let alike = 10.0 * (signal / noise).log10();
        assert!(signal > 0.0 && alike > at_least, "{part}: {alike:.1} dB");
    }
    assert!(vector.is_empty());
}

/// A tone in packets of 20 ms.
fn tone(settings: OpusSettings, frames: usize, loud: impl Fn(usize) -> f64) -> Vec<Vec<u8>> {
    let mut encoder = Codec::Opus.encoder_with(settings);
    let mut packet = |frame: usize| {
        let sample = |n: usize| {
            let time = (frame * FRAME + n) as f64 / 48_000.0;
            let wave: f64 = (1..6)
                .map(|k| (std::f64::consts::TAU * 150.0 * f64::from(k) * time).sin())
                .sum();
            (loud(frame) * wave) as i16
        };
        let samples: Vec<i16> = (0..FRAME).map(sample).collect();
        let mut payload = vec![0; 1_275];
        let length = encoder.encode(&samples, &mut payload);
        payload.truncate(length);
        payload
    };
    (0..frames).map(&mut packet).collect()
}

/// As syllables do: what is steady is no speech to the encoder.
fn swells(frame: usize) -> f64 {
    1_000.0 + 1_500.0 * (frame as f64 / 3.0).sin().abs()
}

/// Packets reach a leg at these ticks, or never; what is heard in each tick.
fn listen(
    packets: &[Vec<u8>],
    ticks: usize,
    arrives: impl Fn(usize) -> Option<usize>,
) -> (Receiver, Vec<(Pulled, Vec<i16>)>) {
    let mut leg = Receiver::new(Codec::Opus, 96);
    let mut writer = RtpWriter::new(7, 65_530, u32::MAX - 1_000);
    let mut flights: Vec<(usize, Vec<u8>)> = Vec::new();
    for (number, payload) in packets.iter().enumerate() {
        let mut datagram = vec![0; 12 + payload.len()];
        writer.write(96, number == 0, FRAME as u32, payload, &mut datagram);
        flights.extend(arrives(number).map(|tick| (tick, datagram)));
    }
    let heard = (0..ticks).map(|tick| {
        let now = Duration::from_millis(20 * tick as u64 + 100);
        for (_, datagram) in flights.iter().filter(|(at, _)| *at == tick) {
            let packet = RtpPacket::parse(datagram).unwrap();
            leg.push(&packet, now - Duration::from_millis(3));
        }
        let mut frame = vec![0; FRAME];
        (leg.pull(now, &mut frame), frame)
    });
    let heard = heard.collect();
    (leg, heard)
}

fn rms(samples: &[i16]) -> f64 {
    let power: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    (power / samples.len() as f64).sqrt()
}

#[test]
fn a_lost_packet_is_told_of_by_the_next_where_it_is_there() {
    let packets = tone(OpusSettings::default(), 200, swells);
    let (_, whole) = listen(&packets, 200, |n| Some(n | 1));
    let check = |heard: &[(Pulled, Vec<i16>)], whole: &[(Pulled, Vec<i16>)], at_most: f64| {
        for (n, (heard, whole)) in heard.iter().zip(whole).enumerate().skip(10) {
            let (heard, whole) = (rms(&heard.1), rms(&whole.1));
            let differs = 20.0 * (heard / whole).log10();
            assert!(
                differs.abs() < at_most,
                "tick {n}: {heard:.0} for {whole:.0}"
            );
        }
    };
    // They come in pairs; each tenth one is lost, the first of its pair.
    let (leg, heard) = listen(&packets, 200, |n| (n % 10 != 6).then_some(n | 1));
    let stats = leg.stats();
    assert_eq!((stats.lost, stats.recovered, stats.late), (20, 20, 0));
    check(&heard, &whole, 8.0);
    // Where they come one by one, the next one is not there yet, and the codec itself goes on; the second time it pays to
    // wait for a frame from then on.
    let (leg, heard) = listen(&packets, 200, |n| (n % 10 != 6).then_some(n));
    let stats = leg.stats();
    assert_eq!((stats.lost, stats.recovered, stats.late), (20, 19, 0));
    let gap = |n: &usize| heard[*n].0 != Pulled::Audio;
    let made_up: Vec<usize> = (10..30).filter(gap).collect();
    assert_eq!(made_up, [16, 17, 27]);
}

/// The frame that is kept for losses is given back when there are no more.
#[test]
fn the_delay_for_losses_ends_with_them() {
    let packets = tone(OpusSettings::default(), 900, swells);
    let (leg, _) = listen(&packets[..40], 40, |n| (n != 10 && n != 20).then_some(n));
    assert!(leg.delay() > Duration::from_millis(20), "{:?}", leg.delay());
    let (leg, _) = listen(&packets, 900, |n| (n != 10 && n != 20).then_some(n));
    assert!(leg.delay() < Duration::from_millis(20), "{:?}", leg.delay());
    assert!(leg.stats().shortened > 0);
    let (leg, _) = listen(&packets, 900, |n| (n != 10).then_some(n));
    assert_eq!((leg.stats().recovered, leg.stats().shortened), (0, 0));
}

#[test]
fn a_stream_that_breaks_off_fades_without_a_click() {
    let packets = tone(OpusSettings::default(), 50, |_| 2_000.0);
    let (_, heard) = listen(&packets, 70, Some);
    let levels: Vec<f64> = heard[49..60].iter().map(|(_, frame)| rms(frame)).collect();
    assert!(levels[0] > 2_500.0 && levels[1] > 1_500.0, "{levels:.0?}");
    assert!(
        levels[3..].windows(2).all(|pair| pair[1] <= pair[0] * 1.25),
        "{levels:.0?}"
    );
    assert_eq!(heard[57].0, Pulled::Silence);
    let all: Vec<i16> = heard.iter().flat_map(|(_, frame)| frame.clone()).collect();
    let steepest = |samples: &[i16]| {
        let steps = samples.windows(2).map(|w| w[0].abs_diff(w[1]));
        steps.max().unwrap()
    };
    let (sound, end) = (steepest(&all[..49 * FRAME]), steepest(&all[49 * FRAME..]));
    assert!(end <= sound + sound / 4, "{end} against {sound}");
}

#[test]
fn what_is_not_sent_in_silence_is_not_lost() {
    let settings = OpusSettings {
        dtx: true,
        ..OpusSettings::default()
    };
    let speaks = |frame: usize| frame % 150 < 50;
    let packets = tone(settings, 400, |frame| {
        if speaks(frame) { swells(frame) } else { 0.0 }
    });
    let quiet: Vec<bool> = packets.iter().map(|packet| packet.len() <= 2).collect();
    assert!(quiet.iter().filter(|quiet| **quiet).count() > 150);
    // Of a row of empty packets the first one alone is sent; sequence numbers count what is sent.
    let kept: Vec<usize> = (0..400)
        .filter(|&n| n == 0 || !quiet[n] || !quiet[n - 1])
        .collect();
    let mut leg = Receiver::new(Codec::Opus, 96);
    let mut writer = RtpWriter::new(7, 0, 0);
    let (mut last, mut levels) = (0, Vec::new());
    for (tick, payload) in packets.iter().enumerate() {
        let now = Duration::from_millis(20 * tick as u64 + 100);
        if kept.contains(&tick) {
            writer.skip(((tick - last) * FRAME) as u32);
            last = tick;
            let mut datagram = vec![0; 12 + payload.len()];
            writer.write(96, false, 0, payload, &mut datagram);
            leg.push(
                &RtpPacket::parse(&datagram).unwrap(),
                now - Duration::from_millis(3),
            );
        }
        let mut frame = vec![0; FRAME];
        leg.pull(now, &mut frame);
        levels.push(rms(&frame));
    }
    let stats = leg.stats();
    assert_eq!(
        (stats.lost, stats.late, stats.concealed_frames),
        (0, 0, 0),
        "{stats:?}"
    );
    for (tick, level) in levels.iter().enumerate().skip(10) {
        let (speech, pause) = (
            speaks(tick) && speaks(tick - 3),
            !speaks(tick) && !speaks(tick - 5),
        );
        assert!(!speech || *level > 800.0, "tick {tick}: {level:.0}");
        assert!(!pause || *level < 20.0, "tick {tick}: {level:.0}");
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/opus");
    let entries = std::fs::read_dir(corpus).expect("the corpus is in the repository");
    entries
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn the_corpus_replays() {
    let seeds = seeds();
    assert!(seeds.len() >= 5, "{} seeds", seeds.len());
    seeds.iter().for_each(|seed| opus_bytes::check(seed));
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..800)) {
        opus_bytes::check(&bytes);
    }

    #[test]
    fn packets_that_are_almost_right(
        seed in proptest::sample::select(seeds()),
        broken in proptest::collection::vec((any::<prop::sample::Index>(), 1..=u8::MAX), 1..20),
    ) {
        let mut bytes = seed;
        for (place, bits) in broken {
            let place = place.index(bytes.len());
            bytes[place] ^= bits;
        }
        opus_bytes::check(&bytes);
    }
}
