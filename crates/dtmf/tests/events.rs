//! RFC 4733 events over a network that loses, doubles, delays and reorders.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::time::Duration;

use conclave_dtmf::{Digit, EventReceiver};
use proptest::prelude::*;

/// A packet as it leaves the sender.
#[derive(Clone, Debug)]
struct Packet {
    sequence: u16,
    timestamp: u32,
    marker: bool,
    payload: [u8; 4],
    at: Duration,
}

/// A press: the key, how long it is held and how long the pause after it is, in milliseconds.
type Press = (char, u32, u32);

/// Sends as RFC 4733 section 2.5.1 says: an update each 20 ms, segments of 0xFFFF, the end three
/// times; audio goes on in the pauses and uses up sequence numbers.
fn send(presses: &[Press], sequence: u16, timestamp: u32) -> Vec<Packet> {
    let (mut packets, mut sequence, mut now_ms) = (Vec::new(), sequence, 0);
    for &(key, held_ms, pause_ms) in presses {
        let code = Digit::new(key).unwrap().event_code();
        let mut segment_start = timestamp.wrapping_add(now_ms * 8);
        let mut emit = |start: u32, duration: u32, marker: bool, end: bool, ms: u32| {
            let [high, low] = u16::try_from(duration).unwrap().to_be_bytes();
            packets.push(Packet {
                sequence,
                timestamp: start,
                marker,
                payload: [code, if end { 0x8A } else { 0x0A }, high, low],
                at: Duration::from_millis(ms.into()),
            });
            sequence = sequence.wrapping_add(1);
        };
        let (mut before_segment, mut ms) = (0, 20);
        while ms < held_ms {
            let mut duration = ms * 8 - before_segment;
            if duration > 0xFFFF {
                emit(segment_start, 0xFFFF, false, false, now_ms + ms);
                segment_start = segment_start.wrapping_add(0xFFFF);
                before_segment += 0xFFFF;
                duration -= 0xFFFF;
            }
            emit(segment_start, duration, ms == 20, false, now_ms + ms);
            ms += 20;
        }
        for _ in 0..3 {
            emit(
                segment_start,
                held_ms * 8 - before_segment,
                false,
                true,
                now_ms + ms,
            );
            ms += 20;
        }
        now_ms += held_ms + pause_ms;
        sequence = sequence.wrapping_add((pause_ms / 20) as u16);
    }
    packets
}

fn receive(packets: &[Packet]) -> String {
    let mut events = EventReceiver::new();
    packets
        .iter()
        .filter_map(|p| events.push(p.sequence, p.timestamp, p.marker, &p.payload, p.at))
        .map(Digit::as_char)
        .collect()
}

/// A packet that took seconds comes when the order of sequence numbers says nothing any more; it is known as what it
/// is all the same.
#[test]
fn a_straggler_of_a_press_before_the_last_is_no_press() {
    let mut packets = send(&[('1', 100, 200), ('2', 100, 200), ('3', 100, 200)], 7, 0);
    let straggler = packets.remove(2);
    packets.push(Packet {
        at: packets[packets.len() - 1].at + Duration::from_secs(5),
        ..straggler
    });
    assert_eq!(receive(&packets), "123");
}

fn keys(presses: &[Press]) -> String {
    presses.iter().map(|press| press.0).collect()
}

#[track_caller]
fn check(packets: &[Packet], expected: &str) {
    assert_eq!(receive(packets), expected, "{packets:#?}");
}

const FIVE_FIVE: [Press; 2] = [('5', 100, 60), ('5', 100, 60)];

#[test]
fn a_press_is_one_digit_though_its_end_comes_three_times() {
    let packets = send(&[('5', 100, 60)], 7, 8000);
    assert_eq!(packets.len(), 4 + 3);
    check(&packets, "5");
    // Whichever packets are left, if one is.
    for first in 0..packets.len() {
        check(&packets[first..], "5");
        check(&packets[first..=first], "5");
    }
}

#[test]
fn the_same_key_twice_is_two_digits() {
    let packets = send(&FIVE_FIVE, 7, 8000);
    check(&packets, "55");
    // Without any end of the first, without the start of the second.
    let (first, second) = packets.split_at(7);
    check(&[&first[..4], second].concat(), "55");
    check(&[first, &second[3..]].concat(), "55");
    check(&[&first[..1], &second[6..]].concat(), "55");
}

#[test]
fn a_doubled_end_after_the_next_press_began_is_no_digit() {
    let packets = send(&FIVE_FIVE, 7, 8000);
    let mut late = packets.clone();
    late.insert(9, packets[6].clone());
    late.insert(11, packets[0].clone());
    check(&late, "55");
}

#[test]
fn sequence_and_timestamp_may_wrap() {
    for back in 0..14 {
        check(
            &send(
                &FIVE_FIVE,
                u16::MAX - back,
                u32::MAX - 200 * u32::from(back),
            ),
            "55",
        );
    }
}

#[test]
fn a_long_press_in_segments_is_one_digit() {
    let presses = [('7', 20_000, 60), ('7', 100, 60)];
    let packets = send(&presses, 7, u32::MAX - 70_000);
    check(&packets, "77");
    for lost in 0..packets.len() {
        let mut packets = packets.clone();
        packets.remove(lost);
        check(&packets, "77");
    }
}

#[test]
fn senders_that_bend_the_rules() {
    let packet = |sequence, timestamp, marker, payload: [u8; 4], ms| Packet {
        sequence,
        timestamp,
        marker,
        payload,
        at: Duration::from_millis(ms),
    };
    // The timestamp moves with each packet.
    let moving: Vec<_> = (0..8u8)
        .map(|n| {
            let end = if n > 4 { 0x80 } else { 0 };
            let duration = [0, 160, 320, 480, 640, 800, 800, 800][usize::from(n)] + 160u16;
            let [high, low] = duration.to_be_bytes();
            let ms = 20 * u64::from(n);
            packet(
                n.into(),
                u32::from(n) * 160,
                n == 0,
                [5, end, high, low],
                ms,
            )
        })
        .collect();
    check(&moving, "5");
    // The timestamp never moves: a marker and a shorter duration begin a press.
    let standing = [
        packet(0, 0, true, [5, 0, 0, 160], 0),
        packet(1, 0, false, [5, 0x80, 1, 64], 20),
        packet(2, 0, false, [5, 0x80, 1, 64], 40),
        packet(9, 0, true, [5, 0, 0, 160], 200),
        packet(10, 0, false, [5, 0x80, 1, 64], 220),
    ];
    check(&standing, "55");
    // One end only, no marker, no pause between different keys.
    let bare = [
        packet(0, 0, false, [1, 0, 0, 160], 0),
        packet(1, 0, false, [1, 0x80, 1, 64], 20),
        packet(2, 320, false, [2, 0, 0, 160], 40),
    ];
    check(&bare, "12");
}

#[test]
fn after_a_long_pause_the_sequence_says_nothing() {
    // 32,000 packets of audio in between: the number seems to be an old one.
    let first = send(&[('5', 100, 60)], 7, 8000);
    let mut second = send(&[('5', 100, 60)], 7u16.wrapping_sub(10), 8000 + 700 * 8000);
    second
        .iter_mut()
        .for_each(|packet| packet.at += Duration::from_secs(700));
    check(&[first, second].concat(), "55");
}

#[test]
fn a_restarted_stream_is_not_late() {
    let mut events = EventReceiver::new();
    let push = |events: &mut EventReceiver, sequence, timestamp| {
        events.push(
            sequence,
            timestamp,
            false,
            &[5, 0, 0, 160],
            Duration::from_secs(1),
        )
    };
    assert!(push(&mut events, 50, 8000).is_some());
    assert!(push(&mut events, 10, 90_000).is_none());
    events.reset();
    assert!(
        push(&mut events, 7, 8000).is_none(),
        "the same press goes on"
    );
    assert!(push(&mut events, 11, 90_000).is_some());
}

#[test]
fn audio_is_muted_while_a_key_is_held() {
    let ms = Duration::from_millis;
    let mut events = EventReceiver::new();
    assert!(!events.muted(ms(0)));
    for packet in send(&[('5', 200, 60)], 0, 0) {
        events.push(
            packet.sequence,
            packet.timestamp,
            packet.marker,
            &packet.payload,
            packet.at,
        );
        assert!(events.muted(packet.at));
    }
    assert!(!events.muted(ms(300)));
    // The end is lost: audio comes back all the same.
    events.push(40, 16_000, true, &[5, 0, 0, 160], ms(2000));
    assert!(events.muted(ms(2100)) && !events.muted(ms(2200)));
}

#[test]
fn what_is_no_key_is_ignored() {
    let mut events = EventReceiver::new();
    let at = Duration::ZERO;
    assert_eq!(events.push(0, 0, true, &[], at), None);
    assert_eq!(events.push(1, 0, true, &[5, 0, 1], at), None);
    assert_eq!(events.push(2, 0, true, &[16, 0, 0, 160], at), None);
    assert!(!events.muted(at));
    assert_eq!(
        events.push(3, 0, true, &[5, 0, 0, 160, 6, 0, 0, 160], at),
        Digit::new('5')
    );
}

fn press() -> impl Strategy<Value = Press> {
    let key = proptest::sample::select("0123456789*#ABCD".chars().collect::<Vec<_>>());
    (
        key,
        (2u32..20).prop_map(|n| n * 20),
        (2u32..20).prop_map(|n| n * 20),
    )
}

proptest! {
    #[test]
    fn one_lost_doubled_or_delayed_packet_changes_nothing(
        presses in proptest::collection::vec(press(), 1..8),
        sequence: u16, timestamp: u32, later in 1usize..12,
    ) {
        let packets = send(&presses, sequence, timestamp);
        let expected = keys(&presses);
        prop_assert_eq!(receive(&packets), &*expected);
        for one in 0..packets.len() {
            let mut lost = packets.clone();
            let packet = lost.remove(one);
            prop_assert_eq!(receive(&lost), &*expected, "lost {}", one);

            let mut doubled = packets.clone();
            let place = (one + later).min(packets.len());
            let arrival = packets[place - 1].at;
            doubled.insert(place, Packet { at: arrival, ..packet.clone() });
            prop_assert_eq!(receive(&doubled), &*expected, "doubled {}", one);

            // Overtaken by the next few: no event is shorter than the three ends.
            let mut delayed = lost;
            let place = (one + later.min(3)).min(delayed.len());
            let arrival = packets[place].at;
            delayed.insert(place, Packet { at: arrival, ..packet });
            prop_assert_eq!(receive(&delayed), &*expected, "delayed {}", one);
        }
    }

    #[test]
    fn no_packets_panic(
        packets in proptest::collection::vec(
            (any::<u16>(), any::<u32>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..6), 0u64..100_000),
            0..60,
        ),
    ) {
        let mut events = EventReceiver::new();
        for (sequence, timestamp, marker, payload, ms) in packets {
            let at = Duration::from_millis(ms);
            let digit = events.push(sequence, timestamp, marker, &payload, at);
            prop_assert!(digit.is_none() || payload.len() >= 4);
            events.muted(at);
        }
    }
}
