//! Calls on real sockets: who hears whom, and in what packets.

mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::SeqCst},
    thread,
    time::Instant,
};

use common::*;
use conclave_engine::{
    Audience, ClipId, Codec, Command, Direction, EngineConfig, Event, LegId, LegMedia, NameRules,
    Pcm, PlayId, Port, RoomId, Route, Rtcp, Tap,
};
use conclave_media::{MAX_REPORT, Reception, RtcpSession, RtpWriter};
use conclave_mixer::{Rate, tone::Tone};

fn tone(hz: f64, ms: usize) -> Pcm {
    let mut samples = vec![0; 8 * ms];
    Tone::new(hz, -20.0, Rate::Hz8000).fill(&mut samples);
    Pcm {
        rate: 8_000,
        samples: samples.into(),
    }
}

#[test]
fn everybody_hears_everybody_else_and_nobody_themselves() {
    let (engine, _events) = start(2);
    // All kinds of legs meet: shared and own ports, both laws, both threads.
    let phones = [
        Phone::call(&engine, 1, Port::Shared, Codec::Pcmu, 500),
        Phone::call(&engine, 2, Port::Own, Codec::Pcma, 900),
        Phone::call(&engine, 3, Port::Shared, Codec::Pcma, 1_300),
    ];
    let outside = Phone::call(&engine, 4, Port::Shared, Codec::Pcmu, 1_700);
    for phone in &phones {
        room(&engine, phone.leg, 1);
    }
    room(&engine, outside.leg, 2);
    thread::sleep(millis(400));
    let begin: Vec<_> = phones.iter().map(Phone::take).collect();
    drop(begin);
    thread::sleep(millis(1_500));
    for (n, phone) in phones.iter().enumerate() {
        let got = phone.take();
        assert_unbroken(&got);
        assert!((65..=85).contains(&got.len()), "{} packets", got.len());
        let sound = Sound(samples(&got));
        for (m, hz) in [500, 900, 1_300].into_iter().enumerate() {
            if n == m {
                sound.lacks(hz);
            } else {
                sound.has(hz);
            }
        }
        sound.lacks(1_700);
    }
    let alone = outside.take();
    assert!(samples(&alone).iter().all(|s| s.abs() <= 8));
    let stats = engine.stats();
    assert_eq!((stats.legs, stats.rooms), (4, 2));
    assert!(
        stats.packets_in > 300 && stats.packets_out > 300,
        "{stats:?}"
    );
    engine.shutdown();
}

#[test]
fn packets_go_out_from_start_to_stop_and_nothing_is_left() {
    let (engine, events) = start(1);
    let phone = Phone::ring(&engine, 1, Port::Own, Codec::Pcmu, 0);
    thread::sleep(millis(100));
    assert!(phone.take().is_empty());
    let (leg, media) = (phone.leg, phone.media.clone());
    engine.send(Command::Start { leg, media });
    thread::sleep(millis(300));
    engine.send(Command::Route {
        leg,
        route: Route::Music,
    });
    thread::sleep(millis(200));
    room(&engine, leg, 1);
    thread::sleep(millis(300));
    engine.send(Command::Stop { leg });
    let stats = wait_for(&events, |event| match event {
        Event::Stopped { stats, .. } => Some(*stats),
        _ => None,
    });
    thread::sleep(millis(60));
    let got = phone.take();
    assert!(got[0].marker && got[1..].iter().all(|packet| !packet.marker));
    assert_unbroken(&got);
    assert_eq!(stats.packets_out, got.len() as u64);
    assert!(stats.packets_in > 20, "{stats:?}");
    assert_eq!(stats.lost, 0);
    assert!((4.0..4.5).contains(&stats.mos), "{stats:?}");
    thread::sleep(millis(60));
    assert!(phone.take().is_empty());
    // The port is free again.
    std::net::UdpSocket::bind(phone.engine_at).unwrap();
    let stats = engine.stats();
    assert_eq!((stats.legs, stats.rooms), (0, 0));
}

#[test]
fn a_prompt_is_heard_instead_of_the_music_which_goes_on() {
    let (engine, events) = start(1);
    engine.set_music(tone(600.0, 1_000));
    engine.add_clip(ClipId(1), tone(1_000.0, 500));
    let phone = Phone::call(&engine, 1, Port::Shared, Codec::Pcmu, 0);
    let (leg, route) = (phone.leg, Route::Music);
    engine.send(Command::Route { leg, route });
    thread::sleep(millis(400));
    phone.hear(300).has(600);
    let (play, to) = (PlayId(7), Audience::Leg(leg));
    let clips = vec![ClipId(1), ClipId(99), ClipId(1)];
    engine.send(Command::Play { play, to, clips });
    thread::sleep(millis(100));
    let prompt = phone.hear(700);
    prompt.has(1_000);
    prompt.lacks(600);
    wait_for(&events, |event| {
        (*event == Event::PlayEnded { play: PlayId(7) }).then_some(())
    });
    thread::sleep(millis(400));
    let after = phone.hear(300);
    after.has(600);
    after.lacks(1_000);
    // Nobody there to hear it: answered at once, each once.
    let play = |play, to| {
        engine.send(Command::Play {
            play,
            to,
            clips: vec![ClipId(1)],
        })
    };
    play(PlayId(8), Audience::Leg(LegId(77)));
    let (room, except) = (RoomId(5), None);
    play(PlayId(9), Audience::Room { room, except });
    play(PlayId(10), Audience::Leg(leg));
    play(PlayId(11), Audience::Leg(leg));
    engine.send(Command::StopPlay { play: PlayId(11) });
    engine.send(Command::StopPlay { play: PlayId(10) });
    thread::sleep(millis(200));
    let mut ended: Vec<_> = events
        .try_iter()
        .filter_map(|event| match event {
            Event::PlayEnded { play } => Some(play.0),
            _ => None,
        })
        .collect();
    ended.sort_unstable();
    assert_eq!(ended, [8, 9, 10, 11]);
}

#[test]
fn a_stranger_is_not_heard_and_gets_nothing() {
    let (engine, _events) = start(1);
    let a = Phone::call(&engine, 1, Port::Own, Codec::Pcmu, 500);
    let b = Phone::call(&engine, 2, Port::Own, Codec::Pcmu, 900);
    room(&engine, a.leg, 1);
    room(&engine, b.leg, 1);
    thread::sleep(millis(300));
    // Good RTP of the right payload type, to the port of `a`, from elsewhere.
    let stranger = Phone::ring(&engine, 3, Port::Own, Codec::Pcmu, 1_300);
    let at = a.engine_at;
    let flood = stranger.socket.try_clone().unwrap();
    let mut writer = conclave_media::RtpWriter::new(99, 0, 0);
    let mut packet = [0; 172];
    b.take();
    for _ in 0..40 {
        writer.write(0, false, 160, &[0x10; 160], &mut packet);
        flood.send_to(&packet, at).unwrap();
        thread::sleep(millis(10));
    }
    let heard = Sound(samples(&b.take()));
    heard.has(500);
    let loud = heard.0.iter().map(|s| s.unsigned_abs()).max();
    assert!(loud < Some(8_000), "{loud:?}");
    assert!(stranger.take().is_empty());
    assert!(engine.stats().ignored >= 40);
}

#[test]
fn noise_on_every_port_harms_nobody() {
    let (engine, _events) = start(2);
    let a = Phone::call(&engine, 1, Port::Shared, Codec::Pcmu, 500);
    let b = Phone::call(&engine, 2, Port::Own, Codec::Pcmu, 900);
    room(&engine, a.leg, 1);
    room(&engine, b.leg, 1);
    thread::sleep(millis(300));
    a.take();
    let mut seed = 1u64;
    let stranger = std::net::UdpSocket::bind((LOCAL, 0)).unwrap();
    for n in 0..600 {
        let mut noise = [0u8; 1_500];
        for byte in &mut noise {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (seed >> 33) as u8;
        }
        if n % 2 == 0 {
            // As near to RTP, RTCP and events as noise can be.
            noise[0] = 0x80 | (noise[0] & 0x3F);
            noise[1] = [0, 101, 200, 201, 202, 203][n / 2 % 6];
        }
        let length = noise[7] as usize * 5 % 1_500;
        for phone in [&a, &b] {
            for port in [0, 1] {
                let mut to = phone.engine_at;
                to.set_port(to.port() + port);
                let from = if n % 3 == 0 { &phone.socket } else { &stranger };
                from.send_to(&noise[..length], to).unwrap();
            }
        }
        if n % 100 == 0 {
            thread::sleep(millis(20));
        }
    }
    thread::sleep(millis(200));
    assert_unbroken(&a.take());
    thread::sleep(millis(500));
    let heard = a.hear(600);
    heard.lacks(500);
    heard.has(900);
    assert!(engine.stats().ignored > 500);
}

#[test]
fn a_leg_that_moves_between_threads_loses_no_packet() {
    let (engine, events) = start_with(EngineConfig {
        shards: 2,
        shared_sockets: 2,
        ..EngineConfig::default()
    });
    engine.set_music(tone(600.0, 1_000));
    let phones: Vec<_> = (0..4)
        .map(|n| Phone::call(&engine, n, Port::Shared, Codec::Pcmu, 500 + 200 * n as u32))
        .collect();
    // Two rooms come to lie in two threads, and everybody changes between them, again and again.
    for turn in 0..12u64 {
        for phone in &phones {
            if phone.leg.0 != turn % 4 {
                room(&engine, phone.leg, 1 + (phone.leg.0 + turn) % 2);
            }
        }
        thread::sleep(millis(70));
    }
    for phone in &phones {
        room(&engine, phone.leg, 3);
    }
    thread::sleep(millis(400));
    let heard = phones[0].hear(500);
    heard.lacks(500);
    for hz in [700, 900, 1_100] {
        heard.has(hz);
    }
    for phone in &phones[1..] {
        let got = phone.take();
        assert!(got.len() > 60, "{} packets", got.len());
        assert_unbroken(&got);
    }
    for phone in &phones {
        engine.send(Command::Stop { leg: phone.leg });
    }
    for _ in &phones {
        let stats = wait_for(&events, |event| match event {
            Event::Stopped { stats, .. } => Some(*stats),
            _ => None,
        });
        assert_eq!((stats.lost, stats.packets_in > 70), (0, true), "{stats:?}");
    }
    let stats = engine.stats();
    assert_eq!((stats.legs, stats.rooms, stats.dropped), (0, 0, 0));
}

/// What a tap heard of each leg, and of plays: frames, and the highest peak.
type Heard = BTreeMap<Option<LegId>, (usize, i16)>;

/// That, and the ticks.
#[derive(Clone, Default)]
struct Tapped(Arc<Mutex<(Heard, Vec<u64>)>>);

impl Tapped {
    fn all(&self) -> MutexGuard<'_, (Heard, Vec<u64>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap for Tapped {
    fn hear(&mut self, from: Option<LegId>, frame: &[i16]) {
        let peak = frame.iter().map(|x| x.saturating_abs()).max().unwrap_or(0);
        let mut all = self.all();
        let (frames, highest) = all.0.entry(from).or_default();
        (*frames, *highest) = (*frames + 1, peak.max(*highest));
    }

    fn end_tick(&mut self, tick: u64) {
        self.all().1.push(tick);
    }
}

#[test]
fn a_large_room_is_one_room_though_two_threads_have_it() {
    let (engine, events) = start_with(EngineConfig {
        shards: 2,
        ..EngineConfig::default()
    });
    engine.add_clip(ClipId(1), tone(1_300.0, 5_000));
    // The first ones are together, the last ones where their sockets are: in both threads.
    let tone_of = |n| match n {
        0 => 500,
        59 => 700,
        58 => 900,
        _ => 0,
    };
    let phones: Vec<_> = (0..60)
        .map(|n| Phone::call(&engine, n, Port::Shared, Codec::Pcmu, tone_of(n)))
        .collect();
    let (first, last) = phones.split_at(50);
    for phone in first {
        room(&engine, phone.leg, 1);
    }
    let tapped = Tapped::default();
    engine.tap(RoomId(1), Box::new(tapped.clone()));
    for phone in last {
        room(&engine, phone.leg, 1);
    }
    thread::sleep(millis(400));
    engine.send(Command::Play {
        play: PlayId(1),
        to: Audience::Room {
            room: RoomId(1),
            except: Some(LegId(59)),
        },
        clips: vec![ClipId(1)],
    });
    thread::sleep(millis(200));
    phones.iter().for_each(|phone| drop(phone.take()));
    *tapped.all() = Default::default();
    thread::sleep(millis(1_000));
    engine.untap(RoomId(1));
    let (heard, ticks) = std::mem::take(&mut *tapped.all());
    assert!(ticks.len() > 40, "{ticks:?}");
    assert!(ticks.windows(2).all(|w| w[1] == w[0] + 1), "{ticks:?}");
    for n in 0..60 {
        let (frames, peak) = heard[&Some(LegId(n))];
        assert!(frames.abs_diff(ticks.len()) <= 1, "leg {n}: {frames}");
        assert_eq!(peak > 2_000, tone_of(n) != 0, "leg {n}: {peak}");
    }
    let (frames, peak) = heard[&None];
    assert!(frames.abs_diff(ticks.len()) <= 1 && peak > 2_000);
    for (n, phone) in (0..).zip(&phones) {
        let got = phone.take();
        assert_unbroken(&got);
        assert!(got.len() > 40, "{} packets", got.len());
        let sound = Sound(samples(&got));
        for (who, hz) in [(0, 500), (59, 700), (58, 900)] {
            if who == n {
                sound.lacks(hz);
            } else {
                sound.has(hz);
            }
        }
        if n == 59 {
            sound.lacks(1_300);
        } else {
            sound.has(1_300);
        }
    }
    let stats = engine.stats();
    assert_eq!((stats.rooms, stats.dropped), (1, 0));
    engine.send(Command::StopPlay { play: PlayId(1) });
    let ended = |event: &Event| matches!(event, Event::PlayEnded { .. });
    wait_for(&events, |event| ended(event).then_some(()));
    for phone in &phones {
        engine.send(Command::Stop { leg: phone.leg });
    }
    for _ in &phones {
        wait_for(&events, |event| {
            assert!(!ended(event), "it ended twice");
            matches!(event, Event::Stopped { .. }).then_some(())
        });
    }
    assert_eq!(engine.stats().rooms, 0);
}

#[test]
fn a_name_is_recorded_and_played_to_the_others() {
    let (engine, events) = start(2);
    let a = Phone::call(&engine, 1, Port::Own, Codec::Pcmu, 0);
    let b = Phone::call(&engine, 2, Port::Shared, Codec::Pcma, 0);
    thread::sleep(millis(150));
    let (leg, clip) = (a.leg, ClipId(50));
    let rules = NameRules {
        silence: millis(300),
        ..NameRules::default()
    };
    let recorded = |want: LegId| {
        wait_for(&events, |event| match *event {
            Event::NameRecorded { leg, clip, usable } if leg == want => Some((clip, usable)),
            _ => None,
        })
    };
    engine.send(Command::RecordName { leg, clip, rules });
    thread::sleep(millis(100));
    a.set_tone(800);
    thread::sleep(millis(600));
    a.set_tone(0);
    assert_eq!(recorded(a.leg), (ClipId(50), true));
    // Nothing said: nothing kept.
    let clip = ClipId(51);
    engine.send(Command::RecordName { leg, clip, rules });
    assert_eq!(recorded(a.leg), (ClipId(51), false));
    engine.send(Command::RecordName { leg, clip, rules });
    engine.send(Command::FinishName { leg });
    assert_eq!(recorded(a.leg), (ClipId(51), false));

    room(&engine, a.leg, 1);
    room(&engine, b.leg, 1);
    thread::sleep(millis(100));
    let play = |play, clip| {
        let (room, except) = (RoomId(1), Some(LegId(1)));
        let to = Audience::Room { room, except };
        a.take();
        b.take();
        engine.send(Command::Play {
            play: PlayId(play),
            to,
            clips: vec![ClipId(clip)],
        });
        wait_for(&events, |event| {
            (*event == Event::PlayEnded { play: PlayId(play) }).then_some(())
        });
        (Sound(samples(&a.take())), Sound(samples(&b.take())))
    };
    let (to_a, to_b) = play(1, 50);
    to_a.lacks(800);
    assert!(to_b.dbfs(800) > -26.0);
    engine.send(Command::DropClip { clip: ClipId(50) });
    engine.send(Command::Play {
        play: PlayId(2),
        to: Audience::Leg(a.leg),
        clips: vec![ClipId(50)],
    });
    let before = Instant::now();
    wait_for(&events, |event| {
        (*event == Event::PlayEnded { play: PlayId(2) }).then_some(())
    });
    assert!(before.elapsed() < millis(200), "a dropped clip still plays");
}

#[test]
fn a_digit_is_told_once_and_heard_by_nobody() {
    let (engine, events) = start(1);
    let a = Phone::call(&engine, 1, Port::Shared, Codec::Pcmu, 0);
    let b = Phone::call(&engine, 2, Port::Shared, Codec::Pcmu, 0);
    room(&engine, a.leg, 1);
    room(&engine, b.leg, 1);
    thread::sleep(millis(300));
    b.take();
    // The tone is in the audio as well, as long as the key is down.
    a.key.store(11, SeqCst);
    a.set_tone(1_477);
    thread::sleep(millis(200));
    a.set_tone(0);
    a.key.store(255, SeqCst);
    thread::sleep(millis(400));
    let heard = samples(&b.take());
    let audible = heard.iter().filter(|s| s.abs() > 100).count();
    assert!(audible < 8 * 40, "{audible} samples of the tone");
    let digits: Vec<_> = events
        .try_iter()
        .filter_map(|event| match event {
            Event::Digit { leg, digit, .. } => Some((leg.0, digit.as_char())),
            _ => None,
        })
        .collect();
    assert_eq!(digits, [(1, '#')]);
    // And afterwards a is heard again.
    a.set_tone(500);
    thread::sleep(millis(200));
    b.hear(300).has(500);
}

#[test]
fn a_leg_on_hold_gets_nothing_and_its_music_reaches_nobody() {
    let (engine, _events) = start(1);
    let a = Phone::call(&engine, 1, Port::Own, Codec::Pcmu, 500);
    let b = Phone::call(&engine, 2, Port::Own, Codec::Pcmu, 900);
    room(&engine, a.leg, 1);
    room(&engine, b.leg, 1);
    thread::sleep(millis(400));
    b.hear(200).has(500);
    let update = |direction| {
        let (leg, media) = (a.leg, a.media.clone());
        engine.send(Command::Update {
            leg,
            media,
            direction,
        });
        thread::sleep(millis(100));
    };
    let before = a.take();
    update(Direction::RecvOnly);
    a.take();
    b.hear(300).lacks(500);
    assert!(a.take().is_empty());
    update(Direction::SendRecv);
    b.hear(300).has(500);
    let after = a.take();
    assert!(after[0].marker);
    assert_eq!(after[0].ssrc, before[0].ssrc);
    let gap = after[0]
        .sequence
        .wrapping_sub(before.last().unwrap().sequence);
    assert!(gap <= 6, "the sequence has a gap of {gap}");
}

#[test]
fn a_silent_line_and_a_talker_are_told() {
    let (engine, events) = start_with(EngineConfig {
        shards: 1,
        quiet_after: millis(1_000),
        ..EngineConfig::default()
    });
    let a = Phone::call(&engine, 1, Port::Own, Codec::Pcmu, 500);
    let b = Phone::call(&engine, 2, Port::Own, Codec::Pcmu, 0);
    b.muted.store(true, SeqCst);
    room(&engine, a.leg, 1);
    room(&engine, b.leg, 1);
    thread::sleep(millis(2_300));
    let events: Vec<_> = events.try_iter().collect();
    let quiet: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Quiet { leg } => Some(leg.0),
            _ => None,
        })
        .collect();
    assert_eq!(quiet, [2, 2]);
    let levels: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Level { leg, dbfs } => Some((leg.0, *dbfs)),
            _ => None,
        })
        .collect();
    assert!((1..=3).contains(&levels.len()), "{levels:?}");
    assert!(
        levels
            .iter()
            .all(|(leg, dbfs)| *leg == 1 && (dbfs + 20.0).abs() < 2.0)
    );
}

#[test]
fn two_legs_with_one_peer_address_share_no_socket() {
    let (engine, _events) = start_with(EngineConfig {
        shards: 1,
        shared_sockets: 2,
        ..EngineConfig::default()
    });
    let remote = "127.0.0.1:9".parse().unwrap();
    let mut seen = std::collections::HashSet::new();
    for leg in 0..4 {
        let reserved = engine.reserve_for(LegId(leg), Port::Shared, LOCAL, Some(remote));
        assert!(seen.insert(reserved.unwrap()), "leg {leg} shares a socket");
    }
    assert!(engine.reserve(LegId(0), Port::Own, LOCAL).is_err());
    // Whose peers differ may share.
    for leg in 10..14 {
        let remote = std::net::SocketAddr::new(LOCAL, leg as u16);
        let reserved = engine.reserve_for(LegId(leg), Port::Shared, LOCAL, Some(remote));
        assert!(!seen.insert(reserved.unwrap()));
    }
}

#[test]
fn an_address_that_is_negotiated_in_mid_call_is_kept_for_its_leg() {
    let (engine, _events) = start_with(EngineConfig {
        shards: 1,
        shared_sockets: 1,
        ..EngineConfig::default()
    });
    let at = |port: u16| std::net::SocketAddr::new(LOCAL, port);
    let reserve = |leg, port| {
        let remote = Some(at(port));
        let reserved = engine.reserve_for(LegId(leg), Port::Shared, LOCAL, remote);
        reserved.unwrap()
    };
    let shared = reserve(1, 9);
    let update = |remote| {
        let (leg, direction) = (LegId(1), Direction::SendRecv);
        let media = LegMedia::new(remote, Codec::Pcmu);
        engine.send(Command::Update {
            leg,
            media,
            direction,
        });
    };
    let media = LegMedia::new(at(9), Codec::Pcmu);
    engine.send(Command::Start {
        leg: LegId(1),
        media,
    });
    update(at(11));
    assert_ne!(reserve(2, 11), shared);
    assert_eq!(reserve(3, 9), shared);
    // Held by 0.0.0.0, it comes back to where it was.
    update("0.0.0.0:11".parse().unwrap());
    assert_ne!(reserve(4, 11), shared);
    engine.send(Command::Stop { leg: LegId(1) });
    assert_eq!(reserve(5, 11), shared);
}

#[test]
fn a_peer_without_an_address_is_sent_to_where_it_sends_from() {
    let (engine, _events) = start(1);
    let phone = Phone::ring(&engine, 1, Port::Own, Codec::Pcma, 600);
    phone.muted.store(true, SeqCst);
    let media = LegMedia {
        remote: "0.0.0.0:0".parse().unwrap(),
        ..phone.media.clone()
    };
    let leg = phone.leg;
    engine.send(Command::Start { leg, media });
    thread::sleep(millis(200));
    assert!(phone.take().is_empty());
    phone.muted.store(false, SeqCst);
    thread::sleep(millis(400));
    let got = phone.take();
    assert!(got.len() > 10, "{} packets", got.len());
    assert!(got[0].marker && !got[1].marker);
    assert_unbroken(&got);
}

#[test]
fn reports_go_out_and_come_in_and_end_with_a_bye() {
    let (engine, events) = start(1);
    let phone = Phone::ring(&engine, 1, Port::Own, Codec::Pcmu, 0);
    let control = std::net::UdpSocket::bind((LOCAL, 0)).unwrap();
    control.set_read_timeout(Some(millis(4_500))).unwrap();
    let media = LegMedia {
        rtcp: Rtcp::At(control.local_addr().unwrap()),
        ..phone.media.clone()
    };
    let leg = phone.leg;
    engine.send(Command::Start { leg, media });
    // The first one is due after half of five seconds, within a half of that.
    let mut peer = RtcpSession::new(1, "phone", 8_000, 1 << 40, millis(0), 0);
    let mut datagram = [0; 1_500];
    let (length, from) = control.recv_from(&mut datagram).unwrap();
    assert_eq!(from.port(), phone.engine_at.port() + 1);
    assert_eq!(datagram[1], 200, "a sender report");
    assert!(!peer.handle(&datagram[..length], millis(20)).unwrap().bye);
    // A report of ours is taken, noise is not.
    let before = engine.stats().ignored;
    let mut report = [0; MAX_REPORT];
    let writer = RtpWriter::new(1, 0, 0);
    let length = peer.report(millis(40), 0, &writer, &Reception::default(), &mut report);
    control.send_to(&report[..length], from).unwrap();
    thread::sleep(millis(60));
    assert_eq!(engine.stats().ignored, before);
    control.send_to(b"noise", from).unwrap();
    thread::sleep(millis(60));
    assert_eq!(engine.stats().ignored, before + 1);
    engine.send(Command::Stop { leg });
    wait_for(&events, |event| {
        matches!(event, Event::Stopped { .. }).then_some(())
    });
    loop {
        let (length, _) = control.recv_from(&mut datagram).unwrap();
        if peer.handle(&datagram[..length], millis(60)).unwrap().bye {
            break;
        }
    }
}
