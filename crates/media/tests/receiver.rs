//! The receiver behind networks of all kinds, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::time::Duration;

use conclave_media::{Codec, Pulled, Pushed, Receiver, RtpPacket, RtpWriter};
use proptest::prelude::*;

/// A datagram on its way, and when it arrives, in microseconds.
type Flight = (u64, Vec<u8>);

/// A sender's audio: payload bytes that are never the same for long, loud as speech.
fn voice(samples: usize) -> Vec<u8> {
    let mut seed = 1u32;
    let mut code = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8 | 0x10
    };
    (0..samples).map(|_| code()).collect()
}

fn decode(codec: Codec, payload: &[u8]) -> Vec<i16> {
    let mut out = vec![0; payload.len()];
    codec.decoder().decode(payload, &mut out);
    out
}

/// Packets of `packet_ms`, sent on time from `start_us` on, each delayed by what `delay_us` says of its
/// number; `None` loses it.
fn send(
    payload: &[u8],
    packet_ms: usize,
    start_us: u64,
    mut delay_us: impl FnMut(usize) -> Option<u64>,
) -> Vec<Flight> {
    let mut writer = RtpWriter::new(7, 65_530, u32::MAX - 1000);
    let size = packet_ms * 8;
    let mut flights = Vec::new();
    for (number, part) in payload.chunks(size).enumerate() {
        let mut datagram = vec![0; 12 + part.len()];
        writer.write(0, number == 0, part.len() as u32, part, &mut datagram);
        if let Some(delay) = delay_us(number) {
            flights.push((
                start_us + (number * packet_ms) as u64 * 1000 + delay,
                datagram,
            ));
        }
    }
    flights.sort_by_key(|flight| flight.0);
    flights
}

struct Heard {
    samples: Vec<i16>,
    frames: Vec<Pulled>,
    /// The delay after each tick, in milliseconds.
    delays: Vec<f64>,
    leg: Receiver,
}

impl Heard {
    fn count(&self, what: Pulled) -> usize {
        self.frames.iter().filter(|&&frame| frame == what).count()
    }

    /// What was heard from the first frame with audio to the last.
    fn audio(&self) -> &[i16] {
        let is_audio = |frame: &Pulled| *frame != Pulled::Silence;
        let first = self.frames.iter().position(is_audio).unwrap_or(0);
        let last = self
            .frames
            .iter()
            .rposition(is_audio)
            .map_or(0, |last| last + 1);
        &self.samples[first * 160..last * 160]
    }

    /// The delays of these ticks, each with how often it came in a row.
    fn course(&self, ticks: std::ops::Range<usize>) -> Vec<(f64, usize)> {
        let runs = self.delays[ticks].chunk_by(|a, b| a == b);
        runs.map(|run| (run[0], run.len())).collect()
    }

    /// The delay that half of the frames from tick `from` on did not exceed.
    fn median_delay(&self, from: usize) -> f64 {
        let mut delays = self.delays[from..].to_vec();
        delays.sort_by(f64::total_cmp);
        delays[delays.len() / 2]
    }
}

/// Runs the tick over these flights for `ticks` of 20 ms.
fn listen(flights: &[Flight], ticks: u64) -> Heard {
    listen_with(|| Receiver::new(Codec::Pcmu, 0), flights, ticks)
}

/// The same with another receiver. One of its kind is given each tick's last packet together with the tick, which must make no
/// difference.
fn listen_with(receiver: impl Fn() -> Receiver, flights: &[Flight], ticks: u64) -> Heard {
    let mut arriving = flights.iter().peekable();
    let (mut samples, mut frames, mut delays) = (Vec::new(), Vec::new(), Vec::new());
    let (mut leg, mut other) = (receiver(), receiver());
    for tick in 1..=ticks {
        let now = Duration::from_millis(tick * 20);
        let mut last = None;
        while let Some((at, datagram)) =
            arriving.next_if(|flight| Duration::from_micros(flight.0) <= now)
        {
            let came = (
                RtpPacket::parse(datagram).unwrap(),
                Duration::from_micros(*at),
            );
            leg.push(&came.0, came.1);
            if let Some((packet, arrival)) = last.replace(came) {
                other.push(&packet, arrival);
            }
        }
        let (mut frame, mut same) = ([1; 160], [1; 160]);
        frames.push(leg.pull(now, &mut frame));
        let pulled = other.push_and_pull(last, now, &mut same);
        assert_eq!((pulled, same), (frames[frames.len() - 1], frame), "{tick}");
        assert_eq!(other.stats(), leg.stats(), "{tick}");
        samples.extend(frame);
        delays.push(leg.stats().delay.as_secs_f64() * 1000.0);
    }
    Heard {
        samples,
        frames,
        delays,
        leg,
    }
}

/// A delay in 0..=`most_us`, evenly spread and the same in each run.
fn spread(most_us: u64) -> impl FnMut(usize) -> Option<u64> {
    let mut seed = 99u64;
    move |_| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Some((seed >> 33) % (most_us + 1))
    }
}

#[test]
fn a_clean_stream_comes_out_sample_for_sample() {
    let payload = voice(8000 * 6);
    let expected = decode(Codec::Pcmu, &payload);
    for packet_ms in [10, 20, 30, 40, 60] {
        for start_ms in [1, 7, 13, 18] {
            let flights = send(&payload, packet_ms, start_ms * 1000, spread(900));
            let heard = listen(&flights, 320);
            // The end is a loss to the receiver: what it makes up is beyond the audio.
            let audio = &heard.audio()[..expected.len()];
            assert!(audio == expected, "{packet_ms} ms from {start_ms} ms");
            assert_eq!(heard.leg.stats().lost + heard.leg.stats().late, 0);
            assert_eq!(
                heard.leg.stats().shortened,
                0,
                "{packet_ms} ms from {start_ms} ms"
            );
        }
    }
}

#[test]
fn a_packet_that_came_before_the_tick_is_played_at_it() {
    let mut delays = Vec::new();
    for start_ms in 0..20 {
        let heard = listen(
            &send(&voice(8000 * 10), 20, start_ms * 1000 + 50, spread(800)),
            500,
        );
        delays.extend_from_slice(&heard.delays[10..500]);
        assert!(
            heard.median_delay(10) <= 21.5,
            "from {start_ms}: {}",
            heard.median_delay(10)
        );
    }
    delays.sort_by(f64::total_cmp);
    let part = |percent: usize| delays[delays.len() * percent / 100];
    assert!(
        part(50) <= 12.0 && part(99) <= 22.0,
        "p50 {}, p99 {}",
        part(50),
        part(99)
    );
}

#[test]
fn one_lost_packet_is_one_concealed_frame_and_no_delay() {
    let payload = voice(8000 * 4);
    let expected = decode(Codec::Pcmu, &payload);
    let heard = listen(
        &send(&payload, 20, 5000, |number| (number != 50).then_some(0)),
        199,
    );
    assert_eq!(heard.count(Pulled::Concealed), 1);
    let audio = heard.audio();
    assert!(audio[..50 * 160] == expected[..50 * 160]);
    // What follows is blended in within 10 ms.
    assert!(audio[51 * 160 + 80..] == expected[51 * 160 + 80..audio.len()]);
    assert_eq!((heard.leg.stats().lost, heard.delays[150]), (1, 15.0));
}

#[test]
fn loss_at_random_leaves_the_delay_alone() {
    let mut seed = spread(99);
    let lossy = send(&voice(8000 * 20), 20, 5000, |number| {
        (seed(number).unwrap() >= 5).then_some(0)
    });
    let heard = listen(&lossy, 1000);
    let stats = heard.leg.stats();
    assert!((20..90).contains(&stats.lost), "{stats:?}");
    assert_eq!(heard.count(Pulled::Concealed) as u64, stats.lost);
    assert!(heard.delays.iter().skip(5).all(|&delay| delay == 15.0));
}

#[test]
fn the_delay_follows_the_jitter_up_and_down() {
    let mut jitter = spread(60_000);
    let flights = send(&voice(8000 * 40), 20, 5000, |number| {
        if (500..1200).contains(&number) {
            jitter(number)
        } else {
            Some(1000)
        }
    });
    let heard = listen(&flights, 2000);
    assert!(heard.median_delay(10).min(heard.delays[400]) <= 16.0);
    // While it jitters: the packets are where they are wanted, the delay not much beyond the jitter.
    let concealed = heard.frames[600..1200]
        .iter()
        .filter(|f| **f == Pulled::Concealed)
        .count();
    assert!(concealed <= 18, "{concealed} of 600 frames");
    let highest = heard.delays[600..1200]
        .iter()
        .fold(0.0, |a: f64, &b| a.max(b));
    assert!((40.0..=85.0).contains(&highest), "{highest}");
    // Afterwards, in the middle of speech: back within ten seconds.
    assert!(
        heard.delays[1750] <= 20.0,
        "{:?}",
        &heard.delays[1200..1750]
    );
    assert!(heard.leg.stats().shortened >= 2);
}

#[test]
fn a_straggler_does_not_raise_the_delay() {
    let flights = send(&voice(8000 * 10), 20, 15_000, |number| {
        Some(if number == 300 { 6000 } else { 0 })
    });
    let heard = listen(&flights, 499);
    assert_eq!(heard.count(Pulled::Concealed), 1);
    assert_eq!((heard.leg.stats().late, heard.leg.stats().lost), (1, 0));
    assert!(heard.delays[320..].iter().all(|&delay| delay == 5.0));
}

#[test]
fn doubled_and_swapped_packets_change_nothing() {
    let payload = voice(8000 * 4);
    let mut flights = send(&payload, 20, 5000, |number| Some([30_000, 0][number % 2]));
    let doubled: Vec<_> = flights.iter().step_by(3).cloned().collect();
    flights.extend(doubled);
    flights.sort_by_key(|flight| flight.0);
    let heard = listen(&flights, 230);
    let expected = decode(Codec::Pcmu, &payload);
    // The first few may be out of reach while the delay is being learnt.
    let settled = 40 * 160;
    let after = &expected[settled..settled + 1000];
    assert!(heard.samples.windows(1000).any(|part| part == after));
    assert!(heard.leg.stats().duplicate >= 60, "{:?}", heard.leg.stats());
    assert_eq!(heard.leg.stats().lost, 0);
}

#[test]
fn a_network_that_stood_still_is_caught_up_with() {
    let flights = send(&voice(8000 * 20), 20, 5000, |number| {
        let standing = (300..350).contains(&number);
        Some(if standing {
            (350 - number as u64) * 20_000
        } else {
            0
        })
    });
    let heard = listen(&flights, 1000);
    assert_eq!(heard.frames[340], Pulled::Silence);
    assert!(
        heard.delays.iter().all(|&delay| delay <= 285.0),
        "{:?}",
        heard.delays
    );
    assert!(heard.delays[900] <= 45.0, "{:?}", heard.course(340..1000));
    assert_eq!(heard.frames[995], Pulled::Audio);
}

#[test]
fn a_drifting_clock_is_followed_for_an_hour() {
    for drift_ppm in [-200i64, 200] {
        let packets = 180_000u64;
        let mut leg = Receiver::new(Codec::Pcmu, 0);
        let mut writer = RtpWriter::new(7, 0, 0);
        let (mut sent, mut concealed) = (0u64, 0);
        for tick in 1..packets {
            let now = Duration::from_millis(tick * 20);
            loop {
                let at = sent * 20_000 + 3000;
                let at =
                    Duration::from_micros((at as i64 + at as i64 * drift_ppm / 1_000_000) as u64);
                if at > now {
                    break;
                }
                let mut datagram = [0x80; 172];
                writer.write(0, false, 160, &[0x90; 160], &mut datagram);
                leg.push(&RtpPacket::parse(&datagram).unwrap(), at);
                sent += 1;
            }
            concealed += u64::from(leg.pull(now, &mut [0; 160]) == Pulled::Concealed);
            assert!(
                tick < 50 || leg.stats().delay < Duration::from_millis(50),
                "{drift_ppm} at {tick}"
            );
        }
        // 200 ppm of an hour are 36 frames.
        assert!(
            concealed <= 120,
            "{drift_ppm}: {concealed}, {:?}",
            leg.stats()
        );
        assert!(
            leg.stats().shortened + leg.stats().stretched <= 300,
            "{drift_ppm}: {:?}",
            leg.stats()
        );
    }
}

#[test]
fn a_pause_is_silence_and_no_loss() {
    // DTX: two seconds without packets, the sequence goes on, the timestamp as time does.
    let mut writer = RtpWriter::new(7, 0, 0);
    let mut flights = Vec::new();
    for number in 0..250u64 {
        let mut datagram = vec![0; 172];
        if (100..200).contains(&number) {
            writer.skip(160);
            continue;
        }
        writer.write(0, number == 200, 160, &[0x90; 160], &mut datagram);
        flights.push((number * 20_000 + 5000, datagram));
    }
    let heard = listen(&flights, 250);
    assert_eq!(heard.leg.stats().lost, 0);
    assert!(
        heard.frames[105..199]
            .iter()
            .all(|frame| *frame == Pulled::Silence)
    );
    assert!(
        heard.samples[105 * 160..199 * 160]
            .iter()
            .all(|&sample| sample == 0)
    );
    assert!(
        heard.frames[200..]
            .iter()
            .all(|frame| *frame == Pulled::Audio)
    );
    assert_eq!(heard.delays[249], 15.0);
}

/// Speech, a pause of which comfort noise tells (again after 400 ms, louder), and speech.
#[test]
fn comfort_noise_is_heard_until_the_sender_speaks_again() {
    let speech = [0x90; 160];
    let mut writer = RtpWriter::new(7, 0, 0);
    let mut flights = Vec::new();
    for number in 0..250u64 {
        let (kind, payload) = match number {
            0..100 | 200.. => (0, &speech[..]),
            100 => (13, &[60, 127, 127][..]),
            120 => (13, &[50][..]),
            _ => {
                writer.skip(160);
                continue;
            }
        };
        let mut datagram = vec![0; 12 + payload.len()];
        writer.write(kind, number == 200, 160, payload, &mut datagram);
        flights.push((number * 20_000 + 5000, datagram));
    }
    let leg = || Receiver::new(Codec::Pcmu, 0).with_comfort_noise(Some(13));
    let heard = listen_with(leg, &flights, 250);
    assert_eq!(heard.count(Pulled::Concealed), 0);
    assert_eq!(heard.count(Pulled::Silence), 0);
    assert_eq!(heard.count(Pulled::Comfort), 100);
    assert_eq!(heard.frames[100..200], [Pulled::Comfort; 100]);
    let level = |frames: std::ops::Range<usize>| {
        let samples = &heard.samples[frames.start * 160..frames.end * 160];
        let power: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
        10.0 * (power / samples.len() as f64 / 32_768_f64.powi(2)).log10()
    };
    assert!((level(100..120) + 60.0).abs() < 1.0, "{}", level(100..120));
    assert!((level(122..200) + 50.0).abs() < 1.0, "{}", level(122..200));
    let stats = heard.leg.stats();
    assert_eq!(
        (stats.lost, stats.received, stats.concealed_frames),
        (0, 152, 0)
    );
    assert_eq!(heard.delays[249], 15.0);

    // Where none was agreed on it is another payload type, and the pause is silent.
    let heard = listen(&flights, 250);
    assert_eq!(
        (heard.count(Pulled::Comfort), heard.leg.stats().refused),
        (0, 0)
    );
    assert_eq!(heard.frames[199], Pulled::Silence);
}

#[test]
fn a_telephone_event_in_between_is_no_loss() {
    let mut writer = RtpWriter::new(7, 0, 0);
    let mut flights = Vec::new();
    for number in 0..100u64 {
        let mut datagram = vec![0; 172];
        let event = (50..60).contains(&number);
        let (kind, payload) = if event {
            (101, &[5u8; 4][..])
        } else {
            (0, &[0x90; 160][..])
        };
        let length = writer
            .write(kind, false, 160, payload, &mut datagram)
            .unwrap();
        datagram.truncate(length);
        flights.push((number * 20_000 + 5000, datagram));
    }
    let heard = listen(&flights, 100);
    assert_eq!(heard.leg.stats().lost, 0);
    assert_eq!(heard.frames[99], Pulled::Audio);
    // The gap fades: nothing loud and steady stands in it.
    assert!(
        heard.samples[54 * 160..60 * 160]
            .iter()
            .all(|&sample| sample == 0)
    );
}

/// As test tools and some gateways send them: a stream of its own beside an audio stream that goes on.
#[test]
fn telephone_events_of_another_source_leave_the_audio_alone() {
    let payload = voice(160 * 200);
    let mut events = RtpWriter::new(0x0102_0304, 1_200, 77);
    for first in [0, 50] {
        let mut flights = send(&payload, 20, 5_000, |_| Some(0));
        for number in first..first + 20u64 {
            // The last three are the repeated end of the event, one right after the other.
            let at = (number.min(first + 17)) * 20_000 + 6_000;
            let mut datagram = vec![0; 16];
            events.write(96, false, 0, &[5, 0x8A, 1, 0], &mut datagram);
            flights.push((at, datagram));
        }
        flights.sort_by_key(|flight| flight.0);
        let heard = listen(&flights, 200);
        let stats = heard.leg.stats();
        assert_eq!((stats.restarts, stats.lost, stats.received), (0, 0, 200));
        assert_eq!(heard.count(Pulled::Audio), 200);
        assert_eq!(heard.audio(), decode(Codec::Pcmu, &payload));
        assert_eq!(heard.leg.reception().ssrc, Some(7));
    }
}

#[test]
fn another_source_takes_over_and_a_stray_packet_does_not() {
    let packet = |ssrc, sequence, timestamp: u32| {
        let mut datagram = [0; 172];
        RtpWriter::new(ssrc, sequence, timestamp).write(0, false, 160, &[0x90; 160], &mut datagram);
        datagram
    };
    let mut leg = Receiver::new(Codec::Pcmu, 0);
    let mut push = |datagram: [u8; 172], ms| {
        leg.push(
            &RtpPacket::parse(&datagram).unwrap(),
            Duration::from_millis(ms),
        )
    };
    assert_eq!(push(packet(1, 10, 0), 0), Pushed::Queued);
    assert_eq!(push(packet(2, 500, 9_000_000), 5), Pushed::OtherSource);
    assert_eq!(push(packet(1, 11, 160), 20), Pushed::Queued);
    assert_eq!(push(packet(2, 501, 9_000_160), 25), Pushed::OtherSource);
    assert_eq!(push(packet(2, 502, 9_000_320), 45), Pushed::Queued);
    assert_eq!(push(packet(1, 12, 320), 46), Pushed::OtherSource);
    assert_eq!(push(packet(2, 503, 9_000_480), 65), Pushed::Queued);
    // After a silence the other one is taken at once.
    assert_eq!(push(packet(1, 90, 77), 400), Pushed::Queued);
    assert_eq!(leg.stats().restarts, 2);
    assert_eq!(
        leg.pull(Duration::from_millis(410), &mut [0; 160]),
        Pulled::Audio
    );
}

#[test]
fn a_jump_of_the_timestamps_is_followed() {
    for jump in [80_000u32, 1 << 31, 0u32.wrapping_sub(80_000)] {
        let mut writer = RtpWriter::new(7, 0, 0);
        let mut flights = Vec::new();
        for number in 0..200u64 {
            let mut datagram = vec![0; 172];
            if number == 100 {
                writer.skip(jump);
            }
            writer.write(0, false, 160, &[0x90; 160], &mut datagram);
            flights.push((number * 20_000 + 5000, datagram));
        }
        let heard = listen(&flights, 200);
        assert!(
            heard.frames[102..]
                .iter()
                .all(|frame| *frame == Pulled::Audio),
            "{jump}"
        );
        assert_eq!(
            (heard.leg.stats().lost, heard.leg.stats().restarts),
            (0, 1),
            "{jump}"
        );
        assert_eq!(heard.delays[199], 15.0);
    }
}

#[test]
fn payloads_out_of_bounds_are_refused() {
    let mut leg = Receiver::new(Codec::Pcma, 8);
    let mut push = |sequence, size: usize| {
        let mut datagram = vec![0; 12 + size];
        RtpWriter::new(1, sequence, 0).write(8, false, 0, &vec![1; size], &mut datagram);
        leg.push(&RtpPacket::parse(&datagram).unwrap(), Duration::ZERO)
    };
    assert_eq!(
        (push(0, 0), push(1, 481), push(2, 1400)),
        (Pushed::Refused, Pushed::Refused, Pushed::Refused)
    );
    assert_eq!(push(3, 480), Pushed::Queued);
    assert_eq!(leg.stats().refused, 3);
}

proptest! {
    #[test]
    fn no_packets_panic_and_every_frame_is_filled(
        packets in proptest::collection::vec(
            (0u8..3, prop_oneof![0u16..40, any::<u16>()], prop_oneof![0u32..6400, any::<u32>()],
             0usize..500, 0u64..60, 0u8..4),
            1..80,
        ),
    ) {
        let receiver = || Receiver::new(Codec::Pcmu, 0).with_comfort_noise(Some(13));
        let (mut leg, mut other) = (receiver(), receiver());
        let mut now = 0;
        for (ssrc, sequence, timestamp, size, wait_ms, pulls) in packets {
            now += wait_ms;
            let mut datagram = vec![0; 12 + size];
            let mut writer = RtpWriter::new((ssrc / 2).into(), sequence, timestamp);
            let kind = if size % 7 == 3 { 13 } else { 0 };
            writer.write(kind, false, 160, &vec![ssrc; size], &mut datagram);
            let (packet, came) = (RtpPacket::parse(&datagram).unwrap(), Duration::from_millis(now));
            leg.push(&packet, came);
            if pulls == 0 {
                other.push(&packet, came);
            }
            for pull in 0..pulls {
                let (mut frame, mut same) = ([12_345; 160], [12_345; 160]);
                let tick = Duration::from_millis(now);
                let pulled = leg.pull(tick, &mut frame);
                let last = (pull == 0).then_some((packet, came));
                prop_assert_eq!(other.push_and_pull(last, tick, &mut same), pulled);
                prop_assert_eq!(same, frame);
                prop_assert_eq!(other.stats(), leg.stats());
                prop_assert!(pulled != Pulled::Silence || frame == [0; 160]);
                now += 20;
            }
        }
        leg.stats();
    }
}

/// What a muted telephone sends is told as such, wherever its packets begin in our frames, and what it says before and after is
/// heard sample for sample.
#[test]
fn a_muted_telephone_is_told_as_such() {
    for (codec, payload_type, zeros) in [
        (Codec::Pcmu, 0, [0xFF, 0x7F]),
        (Codec::Pcma, 8, [0xD5, 0xD5]),
    ] {
        for packet_ms in [10, 20, 30] {
            let mut leg = Receiver::new(codec, payload_type);
            let muted: Vec<u8> = zeros.into_iter().cycle().take(8 * 1_200).collect();
            let said = [&voice(8 * 600)[..], &muted, &voice(8 * 600)].concat();
            let mut writer = RtpWriter::new(7, 0, 0);
            let (mut heard, mut frames) = (Vec::new(), Vec::new());
            let mut parts = said.chunks(packet_ms * 8).zip((1..).map(|n| n * packet_ms));
            let mut next = parts.next();
            for tick in (20..2_500).step_by(20) {
                while let Some((part, ms)) = next.filter(|(_, ms)| *ms <= tick) {
                    let mut datagram = vec![0; 12 + part.len()];
                    writer.write(payload_type, false, part.len() as u32, part, &mut datagram);
                    let packet = RtpPacket::parse(&datagram).unwrap();
                    leg.push(&packet, Duration::from_millis(ms as u64));
                    next = parts.next();
                }
                let mut frame = [1; 160];
                frames.push(leg.pull(Duration::from_millis(tick as u64), &mut frame));
                heard.extend(frame);
            }
            let told = frames.iter().filter(|f| **f == Pulled::Zeros).count();
            assert!(
                (57..=60).contains(&told),
                "{codec:?}, {packet_ms} ms: {told}"
            );
            let mut expected = decode(codec, &said);
            // A-law has no zero; a packet of its least value is one.
            let muted = 8 * 600..8 * 1_800;
            expected[muted].fill(0);
            let began = heard
                .windows(80)
                .position(|w| w == &expected[..80])
                .unwrap();
            assert!(
                heard[began..][..expected.len()] == expected,
                "{codec:?}, {packet_ms} ms"
            );
            // After its end.
            assert!(leg.stats().concealed_frames <= 3);
        }
    }
}
