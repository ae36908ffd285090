//! Ticks driven by hand: no socket, no clock, the same on every run.

use std::sync::OnceLock;

use conclave_media::{Codec, Decoder, Encoder, RtpPacket, RtpWriter};
use conclave_mixer::{Rate, tone::Tone};

use super::*;
use crate::{
    EventReceiver, OpusSettings, Pcm,
    encoding::Alike,
    fade::add,
    leg::StreamStart,
    port::Channel,
    sums::{Exchange, MOST_UNDERWAY},
};

impl Plane {
    /// A tick of a thread that is alone.
    fn tick(&mut self, wire: &mut impl Wire) {
        self.listen(&mut Outgoing::default());
        self.speak(wire);
    }
}

/// What went out, in order: RTP alone.
#[derive(Default)]
struct Sent(Vec<(PortKey, Vec<u8>)>);

impl Wire for Sent {
    fn send(&mut self, port: PortKey, channel: Channel, _to: SocketAddr, datagram: &[u8]) {
        if channel == Channel::Rtp {
            self.0.push((port, datagram.to_vec()));
        }
    }
}

/// Some planes, as threads have them, and the phones of the legs.
struct Rig {
    planes: Vec<Plane>,
    events: EventReceiver,
    sent: Sent,
    phones: Vec<Phone>,
}

struct Phone {
    codec: Codec,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    writer: RtpWriter,
    says: Vec<Tone>,
    heard: Vec<i16>,
    sequence: Option<u16>,
    packets: usize,
}

impl Phone {
    /// The datagram of 20 ms that the phone says.
    fn packet(&mut self, frame: &[i16]) -> Vec<u8> {
        let mut payload = vec![0; 1_275];
        let length = self.encoder.encode(frame, &mut payload);
        let mut packet = vec![0; conclave_media::HEADER_LEN + length];
        let payload_type = self.codec.static_payload_type().unwrap_or(96);
        let units = self.codec.clock_rate() / 50;
        let payload = &payload[..length];
        self.writer
            .write(payload_type, false, units, payload, &mut packet);
        packet
    }
}

const PEER: ([u8; 4], u16) = ([192, 0, 2, 1], 4_000);

fn arrival(leg: LegId, from: SocketAddr, came: Duration) -> Arrival {
    Arrival {
        leg,
        channel: Channel::Rtp,
        from,
        came,
    }
}

impl Rig {
    /// One hums at 700 Hz, and two are silent, all of one codec in room 1.
    fn talk_to_two(codec: Codec) -> (Self, LegId, [LegId; 2]) {
        let mut rig = Rig::new(1);
        let talks = rig.leg_of(codec, 700.0, -20.0);
        let silent = [(); 2].map(|()| rig.leg_of(codec, 0.0, 0.0));
        rig.planes[0].open_room(RoomId(1));
        for leg in [talks, silent[0], silent[1]] {
            rig.room(leg, 1, true);
        }
        (rig, talks, silent)
    }

    fn new(planes: usize) -> Rig {
        let (events, receiver) = Events::channel();
        Rig {
            planes: (0..planes).map(|_| Plane::new(events.clone(), 1)).collect(),
            events: receiver,
            sent: Sent::default(),
            phones: Vec::new(),
        }
    }

    /// A leg in the first plane whose phone says a tone; it has the number of its place.
    fn leg(&mut self, hz: f64, dbfs: f32) -> LegId {
        self.leg_of(Codec::Pcmu, hz, dbfs)
    }

    fn leg_of(&mut self, codec: Codec, hz: f64, dbfs: f32) -> LegId {
        let id = LegId(self.phones.len() as u64);
        let start = StreamStart {
            ssrc: id.0 as u32,
            sequence: 65_530,
            timestamp: u32::MAX - 1_000,
            seed: id.0 + 1,
            ntp_at_zero: 0,
        };
        let media = LegMedia {
            event_payload_type: Some(101),
            ..LegMedia::new(PEER.into(), codec)
        };
        let (port, now) = (PortKey(id.0), time_of(self.planes[0].next_tick()));
        let quiet_after = Duration::from_secs(60);
        let mut leg = Leg::new(id, port, 0, media, start, quiet_after, now);
        leg.next_tick = self.planes[0].next_tick();
        self.planes[0].admit(Box::new(leg), &mut self.sent);
        let rate = Rate::from_hz(codec.sample_rate()).unwrap();
        self.phones.push(Phone {
            codec,
            encoder: codec.encoder(),
            decoder: codec.decoder(),
            writer: RtpWriter::new(1_000 + id.0 as u32, 7, 7),
            says: Vec::from_iter((hz > 0.0).then(|| Tone::new(hz, dbfs, rate))),
            heard: Vec::new(),
            sequence: None,
            packets: 0,
        });
        id
    }

    fn order(&mut self, leg: LegId, order: LegOrder) {
        let now = time_of(self.planes[0].next_tick());
        let place = self.planes.iter().position(|plane| plane.has(leg));
        self.planes[place.unwrap_or(0)].order(leg, order, now, &mut self.sent);
    }

    fn route(&mut self, leg: LegId, route: Route) {
        self.order(leg, LegOrder::Route(route));
    }

    fn room(&mut self, leg: LegId, room: u64, heard: bool) {
        let room = RoomId(room);
        self.route(leg, Route::Room { room, heard });
    }

    fn play(&mut self, id: u64, leg: LegId, clip: ClipCell) {
        let play = Play {
            id: PlayId(id),
            clips: vec![clip],
            except: None,
            named: false,
        };
        self.order(leg, LegOrder::Play(play));
    }

    /// Each phone says 20 ms, and each plane ticks, in this order.
    fn ticks(&mut self, count: usize) {
        for _ in 0..count {
            self.talk();
            for plane in &mut self.planes {
                plane.tick(&mut self.sent);
            }
            self.deliver();
        }
    }

    fn talk(&mut self) {
        for n in 0..self.phones.len() {
            let phone = &mut self.phones[n];
            let mut frame = vec![0; phone.codec.frame_samples()];
            for tone in &mut phone.says {
                let mut more = vec![0; frame.len()];
                tone.fill(&mut more);
                add(&mut frame, &more);
            }
            let packet = phone.packet(&frame);
            self.datagram(n, &packet);
        }
    }

    fn datagram(&mut self, leg: usize, datagram: &[u8]) {
        let id = LegId(leg as u64);
        for plane in &mut self.planes {
            let now = time_of(plane.next_tick()) - Duration::from_millis(3);
            if plane.has(id) {
                plane.keep(arrival(id, PEER.into(), now), datagram);
            }
        }
    }

    /// Hands the phones their packets, whose sequence must be unbroken.
    fn deliver(&mut self) {
        for (port, datagram) in self.sent.0.drain(..) {
            let phone = &mut self.phones[port.0 as usize];
            let packet = RtpPacket::parse(&datagram).unwrap();
            let expected = phone.sequence.map(|s| s.wrapping_add(1));
            assert!(expected.is_none_or(|e| e == packet.sequence()), "{port:?}");
            phone.sequence = Some(packet.sequence());
            phone.packets += 1;
            let mut samples = vec![0; phone.codec.frame_samples()];
            phone.decoder.decode(packet.payload(), &mut samples);
            phone.heard.extend(samples);
        }
    }

    fn heard(&mut self, leg: LegId) -> Vec<i16> {
        std::mem::take(&mut self.phones[leg.0 as usize].heard)
    }

    fn ended(&self) -> Vec<u64> {
        let plays = self.events.try_iter().filter_map(|event| match event {
            Event::PlayEnded { play } => Some(play.0),
            _ => None,
        });
        plays.collect()
    }
}

fn clip(hz: f64, ms: usize) -> ClipCell {
    let mut samples = vec![0; 8 * ms];
    Tone::new(hz, -20.0, Rate::Hz8000).fill(&mut samples);
    let cell = OnceLock::new();
    let rate = 8_000;
    let samples = samples.into();
    cell.set(Clip::new(Pcm { rate, samples })).unwrap();
    Arc::new(cell)
}

fn level(samples: &[i16], hz: f64) -> f32 {
    conclave_mixer::tone::strength_dbfs(samples, hz, 8_000)
}

/// The greatest step from one sample to the next: a click is one that the sounds themselves don't have.
fn step(samples: &[i16]) -> i32 {
    let steps = samples
        .windows(2)
        .map(|w| (i32::from(w[1]) - i32::from(w[0])).abs());
    steps.max().unwrap_or(0)
}

#[test]
fn one_talker_comes_through_bit_for_bit() {
    let mut rig = Rig::new(1);
    let (a, b) = (rig.leg(440.0, -20.0), rig.leg(0.0, 0.0));
    rig.planes[0].open_room(RoomId(1));
    rig.room(a, 1, true);
    rig.room(b, 1, true);
    rig.ticks(50);
    let heard = rig.heard(b);
    let mut said = vec![0; 160 * 50];
    Tone::new(440.0, -20.0, Rate::Hz8000).fill(&mut said);
    let mut payload = vec![0; said.len()];
    Codec::Pcmu.encoder().encode(&said, &mut payload);
    Codec::Pcmu.decoder().decode(&payload, &mut said);
    // Whole frames later: the last 20 frames heard are some 20 frames in a row that were said.
    let last = &heard[160 * 30..];
    let delay = (0..10).find(|d| said[160 * (30 - d)..160 * (50 - d)] == *last);
    assert!(delay.is_some_and(|d| d <= 1), "delayed by {delay:?}");
    assert_eq!(rig.phones[0].packets, 50);
}

#[test]
fn a_muted_leg_hears_and_is_not_heard() {
    let mut rig = Rig::new(1);
    let (a, b) = (rig.leg(500.0, -20.0), rig.leg(900.0, -20.0));
    rig.planes[0].open_room(RoomId(1));
    rig.room(a, 1, false);
    rig.room(b, 1, true);
    rig.ticks(30);
    let (to_a, to_b) = (rig.heard(a), rig.heard(b));
    assert!(level(&to_a[3_200..], 900.0) > -21.0);
    assert!(to_b[3_200..].iter().all(|s| s.abs() < 9));
    rig.room(a, 1, true);
    rig.ticks(20);
    let to_b = rig.heard(b);
    assert!(level(&to_b[1_600..], 500.0) > -21.0);
    assert!(step(&to_b) < 2_600, "unmuting clicks: {}", step(&to_b));
}

#[test]
fn a_prompt_ducks_the_room_for_its_listener_alone() {
    let mut rig = Rig::new(1);
    let (a, b) = (rig.leg(500.0, -20.0), rig.leg(0.0, 0.0));
    let c = rig.leg(0.0, 0.0);
    rig.planes[0].open_room(RoomId(1));
    for leg in [a, b, c] {
        rig.room(leg, 1, true);
    }
    rig.ticks(20);
    rig.play(1, b, clip(1_000.0, 600));
    rig.play(2, b, clip(1_000.0, 200));
    rig.ticks(10);
    rig.heard(b);
    rig.heard(c);
    rig.ticks(20);
    let (to_b, to_c) = (rig.heard(b), rig.heard(c));
    assert!((level(&to_b, 1_000.0) + 20.0).abs() < 1.0);
    assert!(
        (level(&to_b, 500.0) + 35.0).abs() < 2.0,
        "{}",
        level(&to_b, 500.0)
    );
    assert!((level(&to_c, 500.0) + 20.0).abs() < 1.0);
    assert!(level(&to_c, 1_000.0) < -60.0);
    assert_eq!(rig.ended(), [1]);
    rig.ticks(30);
    assert_eq!(rig.ended(), [2]);
    let to_b = rig.heard(b);
    assert!((level(&to_b[3_200..], 500.0) + 20.0).abs() < 1.0);
}

#[test]
fn a_play_to_a_room_is_heard_by_all_but_one_and_ends_with_the_room() {
    let mut rig = Rig::new(1);
    let (a, b) = (rig.leg(0.0, 0.0), rig.leg(0.0, 0.0));
    rig.planes[0].open_room(RoomId(1));
    rig.room(a, 1, true);
    rig.room(b, 1, true);
    for id in 1..=2 {
        let play = Play {
            id: PlayId(id),
            clips: vec![clip(700.0, 300)],
            except: Some(a),
            named: false,
        };
        rig.planes[0].play_to_room(RoomId(1), play);
    }
    rig.ticks(15);
    assert!(rig.heard(a).iter().all(|s| s.abs() < 9));
    assert!((level(&rig.heard(b), 700.0) + 20.0).abs() < 1.0);
    assert_eq!(rig.ended(), [1]);
    rig.planes[0].close_room(RoomId(1));
    assert_eq!(rig.ended(), [2]);
    let late = Play {
        id: PlayId(3),
        clips: vec![],
        except: None,
        named: false,
    };
    rig.planes[0].play_to_room(RoomId(1), late);
    assert_eq!(rig.ended(), [3]);
    // Whoever was left in it hears nothing, and its packets go on.
    rig.ticks(5);
    assert_eq!(rig.phones[0].packets, 20);
}

#[test]
fn the_music_is_where_it_is_for_whoever_comes_and_from_whatever_thread() {
    let mut rig = Rig::new(2);
    // A rising ramp each second, so that a sample says where the music is.
    let samples: Vec<i16> = (0..8_000).map(|n| n * 2).collect();
    let clip = Arc::new(Clip::new(Pcm {
        rate: 8_000,
        samples: samples.into(),
    }));
    for plane in &mut rig.planes {
        plane.set_music(Arc::clone(&clip));
    }
    let (a, b) = (rig.leg(0.0, 0.0), rig.leg(0.0, 0.0));
    rig.route(a, Route::Music);
    rig.ticks(70);
    let moved = rig.planes[0].depart(b).unwrap();
    rig.planes[1].admit(moved, &mut rig.sent);
    rig.route(b, Route::Music);
    rig.heard(a);
    rig.heard(b);
    rig.ticks(20);
    let (to_a, to_b) = (rig.heard(a), rig.heard(b));
    assert!(to_b[..160].iter().all(|s| s.abs() < 1_000), "not faded in");
    assert!(step(&to_b[..2_400]) < 600);
    assert_eq!(to_a[2_560..], to_b[2_560..]);
}

#[test]
fn moving_between_threads_breaks_no_sequence_and_does_not_click() {
    // At several points of the tone, whose periods don't fit into frames.
    for (late, first) in [
        (false, 20),
        (true, 20),
        (false, 21),
        (true, 22),
        (false, 23),
    ] {
        let mut rig = Rig::new(2);
        let (a, b) = (rig.leg(215.0, -14.0), rig.leg(0.0, 0.0));
        rig.planes[0].open_room(RoomId(1));
        rig.planes[1].open_room(RoomId(2));
        rig.room(a, 1, true);
        rig.room(b, 1, true);
        rig.ticks(first);
        rig.talk();
        // Either the new thread has ticked already when the leg arrives, or the old one had.
        if late {
            rig.planes[1].tick(&mut rig.sent);
        } else {
            rig.planes[0].tick(&mut rig.sent);
        }
        for leg in [a, b] {
            let moved = rig.planes[0].depart(leg).unwrap();
            rig.planes[1].admit(moved, &mut rig.sent);
            rig.room(leg, 2, true);
        }
        if late {
            rig.planes[0].tick(&mut rig.sent);
        } else {
            rig.planes[1].tick(&mut rig.sent);
        }
        rig.deliver();
        rig.ticks(20);
        for phone in &rig.phones {
            assert_eq!(phone.packets, first + 21);
        }
        let heard = rig.heard(b);
        assert!(level(&heard[160 * 30..], 215.0) > -16.0);
        // The tone itself has steps of some 1,600.
        assert!(step(&heard) < 2_000, "a step of {}", step(&heard));
        assert!(rig.planes[0].legs.is_empty());
    }
}

#[test]
fn a_room_in_two_threads_is_one_room() {
    let mut rig = Rig::new(2);
    let (a, b) = (rig.leg(500.0, -20.0), rig.leg_of(Codec::G722, 700.0, -20.0));
    let (c, d) = (rig.leg(0.0, 0.0), rig.leg(0.0, 0.0));
    for (place, plane) in rig.planes.iter_mut().enumerate() {
        plane.open_room(RoomId(1));
        plane.spread_room(RoomId(1), Threads::one(1 - place));
    }
    for leg in [b, d] {
        let moved = rig.planes[0].depart(leg).unwrap();
        rig.planes[1].admit(moved, &mut rig.sent);
    }
    for leg in [a, b, c, d] {
        rig.room(leg, 1, true);
    }
    let (peers, inboxes): (Vec<_>, Vec<_>) = (0..2)
        .map(|_| crossbeam_channel::bounded(MOST_UNDERWAY))
        .unzip();
    let mut exchanges: Vec<_> = (0..2)
        .zip(inboxes)
        .map(|(me, inbox)| Exchange::new(me, peers.clone(), inbox, Arc::default()))
        .collect();
    let mut ticks = |rig: &mut Rig, count| {
        for _ in 0..count {
            rig.talk();
            let tick = rig.planes[0].next_tick();
            for (plane, exchange) in rig.planes.iter_mut().zip(&mut exchanges) {
                plane.listen(exchange.outgoing());
                exchange.send(tick);
            }
            for (plane, exchange) in rig.planes.iter_mut().zip(&mut exchanges) {
                exchange.gather(tick, || Duration::ZERO, |bundle| plane.hear(bundle));
                plane.speak(&mut rig.sent);
            }
            rig.deliver();
        }
    };
    // Who is heard: a, b, and what is played to all but d, in the other thread.
    let mut check = |rig: &mut Rig, expected: [[bool; 3]; 4]| {
        ticks(rig, 20);
        let legs = [a, b, c, d];
        legs.iter().for_each(|&leg| drop(rig.heard(leg)));
        ticks(rig, 20);
        for (leg, expected) in legs.into_iter().zip(expected) {
            let heard = rig.heard(leg);
            let rate = Rate::from_hz(rig.phones[leg.0 as usize].codec.sample_rate()).unwrap();
            let level = |hz| conclave_mixer::tone::strength_dbfs(&heard, hz, rate.hz());
            let levels = [500.0, 700.0, 1_100.0].map(level);
            let found = levels.map(|level| level > -25.0);
            assert_eq!(found, expected, "{leg}: {levels:?}");
            let quiet = levels
                .iter()
                .zip(expected)
                .all(|(&l, heard)| heard || l < -55.0);
            assert!(quiet, "{leg}: {levels:?}");
        }
    };
    let all_but_oneself = [
        [false, true, false],
        [true, false, false],
        [true, true, false],
        [true, true, false],
    ];
    check(&mut rig, all_but_oneself);
    let play = Play {
        id: PlayId(1),
        clips: vec![clip(1_100.0, 810)],
        except: Some(d),
        named: false,
    };
    rig.planes[0].play_to_room(RoomId(1), play);
    check(
        &mut rig,
        [
            [false, true, true],
            [true, false, true],
            [true, true, true],
            [true, true, false],
        ],
    );
    assert_eq!(rig.ended(), []);
    check(&mut rig, all_but_oneself);
    assert_eq!(rig.ended(), [1], "it ends once");
    rig.room(a, 1, false);
    check(
        &mut rig,
        [
            [false, true, false],
            [false; 3],
            [false, true, false],
            [false, true, false],
        ],
    );
}

#[test]
fn ticks_that_were_left_out_show_in_the_timestamp_alone() {
    let mut rig = Rig::new(1);
    rig.leg(0.0, 0.0);
    rig.planes[0].tick(&mut rig.sent);
    rig.planes[0].skip_to(100);
    rig.planes[0].tick(&mut rig.sent);
    let packets: Vec<_> = rig
        .sent
        .0
        .iter()
        .map(|(_, d)| RtpPacket::parse(d).unwrap())
        .collect();
    let [first, second] = &packets[..] else {
        panic!("{} packets", packets.len())
    };
    assert_eq!(first.sequence().wrapping_add(1), second.sequence());
    let step = second.timestamp().wrapping_sub(first.timestamp());
    assert_eq!(step, 99 * 160);
    assert!(first.marker() && second.marker());
}

#[test]
fn stopping_answers_everything_that_waited() {
    let mut rig = Rig::new(1);
    let a = rig.leg(0.0, 0.0);
    rig.play(1, a, clip(500.0, 1_000));
    rig.play(2, a, clip(500.0, 1_000));
    let clip_id = ClipId(4);
    let record = || LegOrder::RecordName {
        clip: clip_id,
        cell: ClipCell::default(),
        rules: NameRules::default(),
    };
    rig.order(a, record());
    rig.ticks(3);
    rig.order(a, LegOrder::Stop);
    rig.play(3, a, clip(500.0, 10));
    rig.order(a, record());
    rig.order(a, LegOrder::Stop);
    let events: Vec<_> = rig.events.try_iter().collect();
    let played = |play| Event::PlayEnded { play: PlayId(play) };
    assert_eq!(events[..2], [played(1), played(2)]);
    let (clip, usable) = (clip_id, false);
    assert_eq!(
        events[2],
        Event::NameRecorded {
            leg: a,
            clip,
            usable
        }
    );
    assert!(
        matches!(events[3], Event::Stopped { leg, stats } if leg == a && stats.packets_out == 3)
    );
    assert_eq!(events[4..], [played(3), events[2].clone()]);
    rig.ticks(1);
    assert_eq!(rig.phones[0].packets, 3);
}

/// Gateways send the tone beside the events; what waits in a long jitter buffer when the key goes up is tone still.
#[test]
fn a_digit_is_not_heard_through_a_network_that_jitters() {
    let mut rig = Rig::new(1);
    let (a, b) = (rig.leg(0.0, 0.0), rig.leg(0.0, 0.0));
    rig.planes[0].open_room(RoomId(1));
    rig.room(a, 1, true);
    rig.room(b, 1, true);
    let mut writer = RtpWriter::new(77, 0, 0);
    let mut tone = Tone::new(697.0, -10.0, Rate::Hz8000);
    let mut underway: Vec<(u64, Vec<u8>)> = Vec::new();
    let pressed = 200..220;
    for tick in 1..=300u64 {
        // The network stands still for a while in each second; the digit and what is after it come in time.
        let stands = tick < pressed.start && (40..48).contains(&(tick % 50));
        let arrives = if stands { tick / 50 * 50 + 48 } else { tick };
        let (mut frame, mut payload, mut packet) = ([0; 160], [0; 160], vec![0; 172]);
        let down = pressed.contains(&tick);
        if down || tick == pressed.end {
            let start = pressed.start as u32 * 160;
            let duration = (tick - pressed.start) as u16 * 160;
            let [high, low] = duration.to_be_bytes();
            let event = [1, if down { 0x0A } else { 0x8A }, high, low];
            let mut packet = vec![0; 16];
            writer.write(101, tick == pressed.start, 0, &event, &mut packet);
            packet[4..8].copy_from_slice(&start.to_be_bytes());
            underway.push((tick, packet));
        }
        if down {
            tone.fill(&mut frame);
        }
        Codec::Pcmu.encoder().encode(&frame, &mut payload);
        writer.write(0, false, 160, &payload, &mut packet);
        underway.push((arrives, packet));
        let now = time_of(tick) - Duration::from_millis(3);
        underway.retain(|(at, packet)| {
            if *at <= tick {
                rig.planes[0].keep(arrival(a, PEER.into(), now), packet);
            }
            *at > tick
        });
        rig.planes[0].tick(&mut rig.sent);
        rig.deliver();
        let place = rig.planes[0].places[&a];
        let waits = rig.planes[0].legs[place].delay();
        let long = waits > Duration::from_millis(120);
        assert!(tick != pressed.end || long, "only {waits:?}");
    }
    let loud = rig.heard(b).iter().filter(|s| s.abs() > 300).count();
    assert!(loud <= 8 * 40, "{} ms of the tone", loud / 8);
}

/// Two tones of a key from the phone's next frame on.
fn key(low: f64, high: f64, rate: Rate) -> Vec<Tone> {
    [low, high].map(|hz| Tone::new(hz, -13.0, rate)).into()
}

/// Digits told of since the last look.
fn pressed(rig: &Rig) -> Vec<(Way, char)> {
    let pressed = rig.events.try_iter().filter_map(|event| match event {
        Event::Digit { way, digit, .. } => Some((way, digit.as_char())),
        Event::PlayEnded { .. }
        | Event::NameRecorded { .. }
        | Event::Level { .. }
        | Event::Reception { .. }
        | Event::Noisy { .. }
        | Event::Quiet { .. }
        | Event::Stopped { .. } => None,
    });
    pressed.collect()
}

#[test]
fn a_tone_is_a_digit_and_others_hear_no_more_than_40_ms_of_it() {
    check_tones(Codec::Pcmu);
    check_tones(Codec::G722);
    check_tones(Codec::Opus);
}

fn check_tones(codec: Codec) {
    let mut rig = Rig::new(1);
    let (a, b) = (rig.leg_of(codec, 0.0, 0.0), rig.leg(0.0, 0.0));
    rig.planes[0].open_room(RoomId(1));
    rig.room(a, 1, true);
    rig.room(b, 1, true);
    rig.ticks(20);
    let (rate, samples) = (codec.sample_rate(), codec.frame_samples());
    let rate = Rate::from_hz(rate).unwrap();
    let mut longest = 0;
    // Wherever in a frame it begins.
    for early in (0..samples).step_by(samples / 16) {
        rig.heard(b);
        let mut tones = key(852.0, 1_477.0, rate);
        let mut loudest = 0;
        for tick in 0..15 {
            let mut frame = vec![0; samples];
            let from = if tick == 0 { samples - early } else { 0 };
            for tone in tones.iter_mut().filter(|_| tick < 8) {
                let mut more = vec![0; samples];
                tone.fill(&mut more[from..]);
                add(&mut frame, &more);
            }
            loudest = frame
                .iter()
                .fold(loudest, |loudest, s| s.abs().max(loudest));
            let packet = rig.phones[0].packet(&frame);
            rig.datagram(0, &packet);
            rig.planes[0].tick(&mut rig.sent);
            rig.deliver();
        }
        assert_eq!(
            pressed(&rig),
            [(Way::Tone, '9')],
            "{codec:?}, {early} samples early"
        );
        // Within 40 dB of the tone's level; µ-law's smallest steps are far below that.
        let heard = rig.heard(b);
        let audible = heard.iter().filter(|s| s.abs() > loudest / 100);
        longest = longest.max(audible.count());
    }
    let ms = longest as f32 / 8.0;
    assert!(ms <= 40.0, "{codec:?}: {ms} ms of the tone");
    // Afterwards the leg is heard as before.
    rig.phones[0].says = vec![Tone::new(440.0, -20.0, rate)];
    rig.ticks(10);
    assert!(level(&rig.heard(b)[800..], 440.0) > -21.0);
}

#[test]
fn after_the_first_event_tones_are_no_digits() {
    let mut rig = Rig::new(1);
    let a = rig.leg(0.0, 0.0);
    rig.phones[0].says = key(697.0, 1_209.0, Rate::Hz8000);
    rig.ticks(10);
    assert_eq!(pressed(&rig), [(Way::Tone, '1')]);
    rig.phones[0].says.clear();
    rig.ticks(5);
    // The event codes above 15 are no digits, and settle nothing.
    for (code, expected) in [(16, None), (5, Some((Way::Event, '5')))] {
        let mut packet = [0; 16];
        let phone = &mut rig.phones[0];
        let event = [code, 0x8A, 0, 160];
        phone.writer.write(101, true, 0, &event, &mut packet);
        rig.datagram(a.0 as usize, &packet);
        rig.ticks(20);
        assert_eq!(pressed(&rig), Vec::from_iter(expected));
        rig.phones[0].says = key(697.0, 1_336.0, Rate::Hz8000);
        rig.ticks(10);
        rig.phones[0].says.clear();
        rig.ticks(5);
        let tone = (expected.is_none()).then_some((Way::Tone, '2'));
        assert_eq!(pressed(&rig), Vec::from_iter(tone));
    }
}

#[test]
fn nobody_takes_the_place_of_a_peer_that_holds() {
    let mut rig = Rig::new(1);
    let a = rig.leg(500.0, -20.0);
    rig.ticks(10);
    // Those before it had latched.
    rig.planes[0].ignored();
    let media = LegMedia {
        event_payload_type: Some(101),
        ..LegMedia::new(PEER.into(), Codec::Pcmu)
    };
    let mut stranger = RtpWriter::new(9, 9, 9);
    let mut burst = |rig: &mut Rig| {
        let now = time_of(rig.planes[0].next_tick());
        for _ in 0..10 {
            let mut packet = [0; 172];
            stranger.write(0, false, 160, &[0x10; 160], &mut packet);
            let from = ([198, 51, 100, 1], 9).into();
            rig.planes[0].keep(arrival(a, from, now), &packet);
        }
        rig.planes[0].tick(&mut rig.sent);
        assert_eq!(rig.planes[0].ignored(), 10);
    };
    for direction in [
        Direction::RecvOnly,
        Direction::Inactive,
        Direction::SendRecv,
    ] {
        let media = media.clone();
        rig.order(a, LegOrder::Update { media, direction });
        let silent = if direction == Direction::SendRecv {
            5
        } else {
            50
        };
        for _ in 0..silent {
            burst(&mut rig);
        }
    }
    let packet = [0x80, 0, 0, 17, 0, 0, 0, 0, 0, 0, 3, 232, 0x10, 0x10];
    let now = time_of(rig.planes[0].next_tick());
    rig.planes[0].keep(arrival(a, PEER.into(), now), &packet);
    rig.planes[0].tick(&mut rig.sent);
    assert_eq!(rig.planes[0].ignored(), 0);
}

#[test]
fn bytes_of_any_kind_are_ignored() {
    use std::hash::{BuildHasher, RandomState};
    let mut rig = Rig::new(1);
    rig.leg(500.0, -20.0);
    rig.ticks(5);
    let random = RandomState::new();
    for n in 0..20_000u32 {
        let mut bytes: Vec<u8> = (0..n % 24)
            .flat_map(|k| random.hash_one((n, k)).to_le_bytes())
            .collect();
        if let [first, second, ..] = &mut bytes[..] {
            // Half of them with a header that could be.
            if n % 2 == 0 {
                (*first, *second) = (
                    0x80 | *first & 0x3F,
                    [0, 101, 200, 201, 203, 13][n as usize / 2 % 6],
                );
            }
        }
        for channel in [Channel::Rtp, Channel::Rtcp] {
            let now = time_of(rig.planes[0].next_tick());
            let arrival = Arrival {
                channel,
                ..arrival(LegId(0), PEER.into(), now)
            };
            rig.planes[0].keep(arrival, &bytes);
        }
        if n % 200 == 0 {
            rig.ticks(1);
        }
    }
    assert_eq!(rig.phones[0].packets, 105);
}

/// In dB, of a tone against all else in samples at 16 kHz.
fn above_the_rest(samples: &[i16], hz: f64, rate: Rate) -> f64 {
    let tone = f64::from(conclave_mixer::tone::strength_dbfs(samples, hz, rate.hz()));
    let all: f64 = samples
        .iter()
        .map(|s| (f64::from(*s) / 32_768.0).powi(2))
        .sum();
    let tone = 10_f64.powf(tone / 10.0);
    10.0 * (tone / (all / samples.len() as f64 - tone).max(1e-12)).log10()
}

#[test]
fn wideband_is_heard_by_wideband_and_everybody_by_all() {
    check_rates(Codec::G722, 5_000.0);
    check_rates(Codec::Opus, 5_000.0);
}

/// A wideband telephone says `hz`, one of G.711 says 440 Hz.
fn check_rates(codec: Codec, hz: f64) {
    let rate = codec.sample_rate();
    let settled = codec.frame_samples() * 20;
    let mut rig = Rig::new(1);
    let (wide, narrow) = (rig.leg_of(codec, hz, -20.0), rig.leg(440.0, -20.0));
    let (listens_wide, listens_narrow) = (rig.leg_of(codec, 0.0, 0.0), rig.leg(0.0, 0.0));
    rig.planes[0].open_room(RoomId(1));
    for leg in [wide, narrow, listens_wide, listens_narrow] {
        rig.room(leg, 1, true);
    }
    rig.ticks(60);
    let at = |samples: &[i16], hz| conclave_mixer::tone::strength_dbfs(samples, hz, rate);
    let heard = rig.heard(listens_wide);
    let heard = &heard[heard.len() - settled..];
    assert!(
        (at(heard, hz) + 20.0).abs() < 2.0,
        "{codec:?}: {}",
        at(heard, hz)
    );
    assert!(
        (at(heard, 440.0) + 20.0).abs() < 1.0,
        "{codec:?}: {}",
        at(heard, 440.0)
    );
    let heard = rig.heard(narrow);
    assert!(
        level(&heard[3_200..], 8_000.0 - hz) < -50.0,
        "nothing is folded down"
    );
    let heard = rig.heard(wide);
    let heard = &heard[heard.len() - settled..];
    assert!((at(heard, 440.0) + 20.0).abs() < 1.0 && at(heard, hz) < -55.0);
    let heard = rig.heard(listens_narrow);
    assert!((level(&heard[3_200..], 440.0) + 20.0).abs() < 1.0);
}

/// A telephone of each rate; each says a tone, and hears those of the others alone.
#[test]
fn three_rates_meet_in_one_room() {
    let mut rig = Rig::new(1);
    let voices = [
        (Codec::Opus, 500.0),
        (Codec::G722, 800.0),
        (Codec::Pcma, 1_100.0),
        (Codec::Opus, 1_400.0),
    ];
    let legs = voices.map(|(codec, hz)| rig.leg_of(codec, hz, -20.0));
    rig.planes[0].open_room(RoomId(1));
    for leg in legs {
        rig.room(leg, 1, true);
    }
    rig.ticks(60);
    for (leg, (codec, own)) in legs.into_iter().zip(voices) {
        let heard = rig.heard(leg);
        let heard = &heard[heard.len() - codec.frame_samples() * 20..];
        for (_, hz) in voices {
            let at = conclave_mixer::tone::strength_dbfs(heard, hz, codec.sample_rate());
            let expected = if hz == own {
                -120.0..-45.0
            } else {
                -22.0..-18.0
            };
            assert!(
                expected.contains(&at),
                "{codec:?} of {own} Hz: {at} at {hz}"
            );
        }
    }
}

/// A re-INVITE takes a call from Opus to G.711 and back, in the middle of what is said.
#[test]
fn a_codec_is_changed_without_a_click() {
    let mut rig = Rig::new(1);
    let (changes, stays) = (rig.leg_of(Codec::Opus, 500.0, -20.0), rig.leg(800.0, -20.0));
    rig.planes[0].open_room(RoomId(1));
    for leg in [changes, stays] {
        rig.room(leg, 1, true);
    }
    rig.ticks(40);
    for codec in [Codec::Pcmu, Codec::Opus, Codec::G722, Codec::Opus] {
        let rate = Rate::from_hz(codec.sample_rate()).unwrap();
        rig.heard(stays);
        let media = LegMedia {
            event_payload_type: Some(101),
            ..LegMedia::new(PEER.into(), codec)
        };
        let direction = Direction::SendRecv;
        rig.order(changes, LegOrder::Update { media, direction });
        let phone = &mut rig.phones[0];
        (phone.codec, phone.encoder, phone.decoder) = (codec, codec.encoder(), codec.decoder());
        phone.says = vec![Tone::new(500.0, -20.0, rate)];
        phone.heard.clear();
        rig.ticks(40);
        let heard = rig.heard(changes);
        let heard = &heard[heard.len() - 10 * rate.frame_len()..];
        let at = conclave_mixer::tone::strength_dbfs(heard, 800.0, rate.hz());
        assert!((at + 20.0).abs() < 1.0, "{codec:?}: {at}");
        let heard = rig.heard(stays);
        // The tone itself moves by 1,820 from one sample to the next.
        let steepest = step(&heard);
        assert!(steepest < 2_100, "{codec:?}: a step of {steepest}");
        assert!(
            (level(&heard[4_800..], 500.0) + 20.0).abs() < 1.0,
            "{codec:?}"
        );
    }
}

/// At 48 kHz an event's duration is full after 1.4 s, and the next segment begins (RFC 4733, section 2.5.1.3).
#[test]
fn a_long_press_beside_opus_is_one_digit_and_not_heard() {
    let mut rig = Rig::new(1);
    let (a, b) = (rig.leg_of(Codec::Opus, 0.0, 0.0), rig.leg(0.0, 0.0));
    rig.planes[0].open_room(RoomId(1));
    rig.room(a, 1, true);
    rig.room(b, 1, true);
    rig.ticks(20);
    // The tone goes out beside the events, as gateways have it.
    rig.phones[0].says = key(770.0, 1_336.0, Rate::Hz48000);
    let (mut start, mut since) = (900_000_u32, 0);
    for frame in 1..=100_u16 {
        let mut duration = (u32::from(frame) - since) * 960;
        let full = duration > u32::from(u16::MAX);
        if full {
            start += (u32::from(frame) - 1 - since) * 960;
            since = u32::from(frame) - 1;
            duration = 960;
        }
        let [high, low] = (duration as u16).to_be_bytes();
        let event = [5, 0x0A, high, low];
        let mut packet = [0; 16];
        rig.phones[0]
            .writer
            .write(101, frame == 1, 0, &event, &mut packet);
        packet[4..8].copy_from_slice(&start.to_be_bytes());
        rig.datagram(0, &packet);
        rig.ticks(1);
    }
    assert_eq!(pressed(&rig), [(Way::Event, '5')]);
    let loud = rig.heard(b).iter().filter(|s| s.abs() > 300).count();
    assert!(loud <= 8 * 40, "{} ms of the tone", loud / 8);
}

/// Who listens shares the room's stream in the pauses of those who talk, too: each would have to encode by itself after every pause.
#[test]
fn a_pause_parts_nobody_from_the_stream() {
    for codec in [Codec::G722, Codec::Opus] {
        let (mut rig, _, listens) = Rig::talk_to_two(codec);
        rig.ticks(60);
        let voice = rig.phones[0].says.clone();
        for round in 0..6 {
            rig.phones[0].says = if round % 2 == 0 {
                Vec::new()
            } else {
                voice.clone()
            };
            for tick in 0..20 {
                rig.ticks(1);
                for leg in listens {
                    let place = rig.planes[0].places[&leg];
                    let shares = rig.planes[0].legs[place].shares();
                    assert!(
                        matches!(shares, Alike::Room(_)),
                        "{codec:?} {round} {tick}: {shares:?}"
                    );
                }
            }
        }
    }
}

/// Silent listeners cost one encoding, whatever their codec makes of silence.
#[test]
fn silent_telephones_share_one_stream() {
    for codec in [Codec::G722, Codec::Opus] {
        let (mut rig, talks, silent) = Rig::talk_to_two(codec);
        rig.ticks(60);
        let shares = |leg: LegId| {
            let place = rig.planes[0].places[&leg];
            rig.planes[0].legs[place].shares()
        };
        assert_eq!(shares(talks), Alike::Silence, "{codec:?}");
        for leg in silent {
            assert!(matches!(shares(leg), Alike::Room(_)), "{codec:?}");
        }
    }
}

/// Opus of another kind than the others wish is no company for theirs.
#[test]
fn who_wishes_less_shares_with_their_like() {
    let (mut rig, _, [usual, modest]) = Rig::talk_to_two(Codec::Opus);
    let opus = OpusSettings {
        bitrate: 12_000,
        ..OpusSettings::default()
    };
    let media = LegMedia {
        opus,
        ..LegMedia::new(PEER.into(), Codec::Opus)
    };
    let direction = Direction::SendRecv;
    rig.order(modest, LegOrder::Update { media, direction });
    rig.ticks(60);
    rig.sent.0.clear();
    let mut bytes = [0; 3];
    for _ in 0..50 {
        rig.talk();
        rig.planes[0].tick(&mut rig.sent);
        for (port, datagram) in &rig.sent.0 {
            bytes[port.0 as usize] += datagram.len() - conclave_media::HEADER_LEN;
        }
        rig.deliver();
    }
    assert!(
        bytes[modest.0 as usize] * 2 < bytes[usual.0 as usize],
        "{bytes:?}"
    );
    for leg in [usual, modest] {
        let heard = rig.heard(leg);
        let at = conclave_mixer::tone::strength_dbfs(&heard[heard.len() - 9_600..], 700.0, 48_000);
        assert!((at + 20.0).abs() < 2.0, "{at}");
    }
}

/// Codecs with a memory: whoever leaves the stream of the listeners and comes back to it hears nothing of that.
#[test]
fn a_wideband_listener_begins_to_speak_and_ends_without_a_click() {
    check_seams(Codec::G722, 17.0);
    // Between 10.4 and 15.6 dB, by where in the tone it happens.
    check_seams(Codec::Opus, 10.0);
}

/// What is heard besides the tone is never nearer to it than so many decibels.
fn check_seams(codec: Codec, at_least: f64) {
    let rate = Rate::from_hz(codec.sample_rate()).unwrap();
    let (mut rig, talks, [first, second]) = Rig::talk_to_two(codec);
    rig.ticks(60);
    let check = |rig: &mut Rig, leg: LegId, when: &str| {
        let heard = rig.heard(leg);
        for (n, frame) in heard.chunks_exact(rate.frame_len()).enumerate() {
            let clean = above_the_rest(frame, 700.0, rate);
            assert!(
                clean > at_least,
                "{codec:?}, frame {n} {when}: {clean:.1} dB"
            );
        }
    };
    // Both share one stream by now, which began long after them.
    rig.phones.iter_mut().for_each(|phone| phone.heard.clear());
    rig.ticks(10);
    let [a, b] = [first, second].map(|leg| rig.phones[leg.0 as usize].heard.clone());
    let settled = 9 * rate.frame_len();
    assert_eq!(a[settled..], b[settled..], "one encoding for both");
    // Nobody else keeps the shared stream going while the only listener speaks.
    rig.route(first, Route::Silence);
    for round in 0..3 {
        // Each time the encoder that was not in use remembers another loudness.
        for (dbfs, says, when) in [
            (-38.0, false, "after"),
            (-12.0, false, "before"),
            (-30.0, true, "while"),
        ] {
            rig.phones[talks.0 as usize].says = vec![Tone::new(700.0, dbfs, rate)];
            rig.ticks(60);
            rig.heard(second);
            let tone = says.then(|| Tone::new(300.0, -20.0, rate));
            rig.phones[second.0 as usize].says = Vec::from_iter(tone);
            rig.ticks(60);
            check(&mut rig, second, &format!("{when} it spoke, round {round}"));
        }
        rig.phones[talks.0 as usize].says = vec![Tone::new(700.0, -12.0, rate)];
        rig.ticks(10);
        rig.heard(second);
        rig.phones[second.0 as usize].says.clear();
        rig.ticks(80);
        check(
            &mut rig,
            second,
            &format!("after it spoke, louder, round {round}"),
        );
    }
    let thread = rig.planes[0].depart(second).unwrap();
    rig.planes[0].admit(thread, &mut rig.sent);
    rig.room(second, 1, true);
    // It comes in anew, over a ramp.
    rig.ticks(2);
    rig.heard(second);
    rig.ticks(80);
    check(&mut rig, second, "after it came from elsewhere");
}

#[test]
fn music_on_a_line_is_told_once_and_so_is_its_end() {
    let mut rig = Rig::new(1);
    let (hums, speaks) = (rig.leg(300.0, -25.0), rig.leg_of(Codec::G722, 0.0, 0.0));
    let told = |rig: &Rig| -> Vec<(LegId, bool)> {
        let told = rig.events.try_iter().filter_map(|event| match event {
            Event::Noisy { leg, noisy } => Some((leg, noisy)),
            _ => None,
        });
        told.collect()
    };
    // What speech is made of: voice, hiss and pauses, each of them short.
    for n in 0..200_u32 {
        let sound = [
            Some((210.0, -16.0)),
            Some((5_500.0, -30.0)),
            Some((260.0, -22.0)),
            None,
        ];
        let says = sound[(n % 4) as usize].map(|(hz, dbfs)| Tone::new(hz, dbfs, Rate::Hz16000));
        rig.phones[speaks.0 as usize].says = Vec::from_iter(says);
        rig.ticks(2 + (n % 3) as usize);
    }
    assert_eq!(told(&rig), [(hums, true)]);
    rig.phones[hums.0 as usize].says.clear();
    rig.ticks(500);
    assert_eq!(told(&rig), [(hums, false)]);
    // On hold its PBX may play what it likes.
    let direction = Direction::RecvOnly;
    let media = LegMedia::new(PEER.into(), Codec::Pcmu);
    let tone = Tone::new(300.0, -25.0, Rate::Hz8000);
    rig.phones[hums.0 as usize].says.push(tone);
    rig.order(hums, LegOrder::Update { media, direction });
    rig.ticks(500);
    assert_eq!(told(&rig), []);
}

/// Packets go nowhere.
struct Nowhere;

impl Wire for Nowhere {
    fn send(&mut self, _port: PortKey, _channel: Channel, _to: SocketAddr, _datagram: &[u8]) {}
}

/// So that a profiler can count what is in here alone.
#[inline(never)]
fn counted_tick(plane: &mut Plane, packets: &[Vec<u8>]) {
    let now = time_of(plane.next_tick()) - Duration::from_millis(3);
    for (leg, packet) in (0..).map(LegId).zip(packets) {
        plane.keep(arrival(leg, PEER.into(), now), packet);
    }
    plane.tick(&mut Nowhere);
}

/// Telephones that have typed their PIN: in one room, in which three talk, or in rooms in each of which one does.
#[test]
#[ignore = "for `cargo xtask long tick-cost`, which counts its instructions"]
fn a_tick_to_be_counted() {
    const TICKS: usize = 20;
    let number = |name, usual| std::env::var(name).map_or(usual, |n| n.parse().unwrap());
    let legs: usize = number("CONCLAVE_LEGS", 50);
    let rooms = number("CONCLAVE_ROOMS", 1);
    let all = number("CONCLAVE_ALL_TALK", 0) == 1;
    let mut rig = Rig::new(1);
    for room in 1..=rooms {
        rig.planes[0].open_room(RoomId(room as u64));
    }
    for n in 0..legs {
        let talks = if all {
            true
        } else if rooms == 1 {
            n * 3 % legs < 3
        } else {
            n < rooms
        };
        let leg = rig.leg(
            if talks { 300.0 } else { 0.0 },
            if all { -50.0 } else { -20.0 },
        );
        rig.room(leg, (n % rooms + 1) as u64, true);
    }
    rig.ticks(20);
    for n in 0..legs {
        let mut event = vec![0; conclave_media::HEADER_LEN + 4];
        let writer = &mut rig.phones[n].writer;
        writer.write(101, true, 0, &[5, 0x8a, 3, 0x20], &mut event);
        rig.datagram(n, &event);
    }
    // What is remembered of the last seconds is whole then.
    rig.ticks(300);
    for _ in 0..TICKS {
        let frame = |phone: &mut Phone| {
            let mut frame = vec![0; phone.codec.frame_samples()];
            phone.says.iter_mut().for_each(|tone| tone.fill(&mut frame));
            frame
        };
        let packets: Vec<_> = rig
            .phones
            .iter_mut()
            .map(|phone| {
                let frame = frame(phone);
                phone.packet(&frame)
            })
            .collect();
        counted_tick(&mut rig.planes[0], &packets);
    }
}

/// Of a frame that a tap heard: whose, and its peak. Leg 1,000 is the end of a tick, with its number.
type Tap = (Option<u64>, i16);

/// A tap that keeps what it hears.
#[derive(Clone, Default)]
struct Tapped(Arc<std::sync::Mutex<Vec<Tap>>>);

impl crate::Tap for Tapped {
    fn hear(&mut self, from: Option<LegId>, frame: &[i16]) {
        let peak = frame.iter().map(|x| x.saturating_abs()).max();
        let heard = (from.map(|leg| leg.0), peak.unwrap_or(0));
        self.0.lock().unwrap().push(heard);
    }

    fn end_tick(&mut self, tick: u64) {
        self.0.lock().unwrap().push((Some(1_000), tick as i16));
    }
}

#[test]
fn a_tap_hears_what_all_may_hear_and_nothing_else() {
    let mut rig = Rig::new(1);
    rig.planes[0].open_room(RoomId(1));
    let (ann, bob, eve) = (
        rig.leg(440.0, -20.0),
        rig.leg(700.0, -20.0),
        rig.leg(900.0, -20.0),
    );
    rig.room(ann, 1, true);
    rig.room(bob, 1, false);
    rig.ticks(10);
    let tapped = Tapped::default();
    rig.planes[0].tap(RoomId(1), Some(Ear::Here(Box::new(tapped.clone()))));
    let clip = |value| {
        let cell = OnceLock::new();
        let samples = vec![value; 800].into();
        let rate = 8_000;
        let _ = cell.set(Clip::new(Pcm { rate, samples }));
        Arc::new(cell)
    };
    rig.play(1, ann, clip(3_000));
    let mut to_all = |id, value, named| {
        let play = Play {
            id: PlayId(id),
            clips: vec![clip(value)],
            except: None,
            named,
        };
        rig.planes[0].play_to_room(RoomId(1), play);
    };
    to_all(2, 5_000, false);
    to_all(3, 7_000, true);
    rig.ticks(20);
    let heard = std::mem::take(&mut *tapped.0.lock().unwrap());
    let of = |who| heard.iter().filter(move |(from, _)| *from == who);
    assert_eq!(of(Some(1_000)).count(), 20, "every tick ends");
    let ticks: Vec<_> = of(Some(1_000)).map(|(_, tick)| *tick).collect();
    assert!(ticks.windows(2).all(|w| w[1] == w[0] + 1), "{ticks:?}");
    assert_eq!(of(Some(ann.0)).count(), 20);
    assert!(of(Some(ann.0)).all(|(_, peak)| (4_000..5_500).contains(peak)));
    // Who is muted or elsewhere, a private play, and a play with a name in it aren't there.
    assert_eq!(of(Some(bob.0)).count() + of(Some(eve.0)).count(), 0);
    assert_eq!(
        of(None).map(|(_, peak)| *peak).collect::<Vec<_>>(),
        [5_000; 5]
    );

    rig.planes[0].tap(RoomId(1), None);
    rig.ticks(5);
    assert_eq!(tapped.0.lock().unwrap().len(), 0);
    assert_eq!(Arc::strong_count(&tapped.0), 1, "the tap is dropped");
    rig.planes[0].tap(RoomId(1), Some(Ear::Here(Box::new(tapped.clone()))));
    rig.planes[0].close_room(RoomId(1));
    assert_eq!(Arc::strong_count(&tapped.0), 1, "and with its room");
}

#[test]
fn talkers_are_told_more_often_while_somebody_looks_and_how_a_leg_fares_when_asked() {
    let mut rig = Rig::new(1);
    let (a, b) = (rig.leg(500.0, -20.0), rig.leg(0.0, 0.0));
    rig.planes[0].open_room(RoomId(1));
    rig.room(a, 1, true);
    rig.room(b, 1, true);
    let told = |rig: &Rig| {
        let levels = rig.events.try_iter().filter_map(|event| match event {
            Event::Level { leg, .. } => Some(leg),
            _ => None,
        });
        levels.collect::<Vec<_>>()
    };
    // A steady tone is a talker for some seconds; then it is noise.
    rig.ticks(50);
    told(&rig);
    rig.ticks(100);
    assert_eq!(told(&rig), [a; 2], "once a second");
    rig.planes[0].watch(RoomId(1));
    rig.planes[0].watch(RoomId(2));
    rig.ticks(13);
    assert_eq!(told(&rig), [a], "a quarter of a second later at most");
    rig.ticks(8 * 12);
    assert_eq!(told(&rig), [a; 8]);
    let is_watched = |rig: &Rig| {
        let plane = &rig.planes[0];
        plane.rooms[0].as_ref().unwrap().is_watched(plane.tick)
    };
    rig.ticks(140);
    assert!(is_watched(&rig));
    rig.ticks(1);
    assert!(!is_watched(&rig), "nobody has said it again");
    told(&rig);

    rig.order(a, LegOrder::Ask);
    rig.order(LegId(99), LegOrder::Ask);
    let [Event::Reception { leg, stats }] = rig.events.try_iter().collect::<Vec<_>>()[..] else {
        panic!("not one answer");
    };
    assert_eq!((leg, stats.lost), (a, 0));
    // All 400 but the first few, by which it latched.
    assert!((390..=400).contains(&stats.packets_in), "{stats:?}");
}

/// A telephone that wishes other packets gets them: each of its length, in one sequence, and the sound is the same.
#[test]
fn packets_have_the_length_that_the_peer_wishes() {
    for (wished, bytes) in [(10, 80), (20, 160), (30, 160), (40, 320), (60, 480)] {
        let mut rig = Rig::new(1);
        let (a, b) = (rig.leg(440.0, -20.0), rig.leg(0.0, 0.0));
        rig.planes[0].open_room(RoomId(1));
        rig.room(a, 1, true);
        rig.room(b, 1, true);
        let media = LegMedia {
            ptime: Duration::from_millis(wished),
            ..LegMedia::new(PEER.into(), Codec::Pcmu)
        };
        let direction = Direction::SendRecv;
        rig.order(b, LegOrder::Update { media, direction });
        let (mut timestamps, mut heard) = (Vec::new(), Vec::new());
        for _ in 0..60 {
            rig.talk();
            rig.planes[0].tick(&mut rig.sent);
            for (port, datagram) in rig.sent.0.drain(..) {
                let packet = RtpPacket::parse(&datagram).unwrap();
                if port.0 == b.0 {
                    assert_eq!(packet.payload().len(), bytes, "{wished}");
                    timestamps.push((packet.sequence(), packet.timestamp()));
                    let mut samples = vec![0; bytes];
                    Codec::Pcmu.decoder().decode(packet.payload(), &mut samples);
                    heard.extend(samples);
                }
            }
        }
        assert_eq!(timestamps.len(), 60 * 160 / bytes, "{wished}");
        assert!(timestamps.windows(2).all(|pair| {
            pair[1].0 == pair[0].0.wrapping_add(1)
                && pair[1].1 == pair[0].1.wrapping_add(bytes as u32)
        }));
        let strength = level(&heard[heard.len() - 3_200..], 440.0);
        assert!((strength + 20.0).abs() < 0.5, "{wished}: {strength}");
        assert!(step(&heard) < 1_700, "{wished}: {}", step(&heard));
    }
}

/// What waits for its packet when the line is put on hold is not sent, and its time has passed all the same.
#[test]
fn a_half_packet_is_forgotten_on_hold() {
    let mut rig = Rig::new(1);
    let a = rig.leg(0.0, 0.0);
    let mut media = LegMedia {
        ptime: Duration::from_millis(60),
        ..LegMedia::new(PEER.into(), Codec::Pcmu)
    };
    let update = |media: &LegMedia, direction| LegOrder::Update {
        media: media.clone(),
        direction,
    };
    rig.order(a, update(&media, Direction::SendRecv));
    let mut stamps = Vec::new();
    let mut tick = |rig: &mut Rig, count: usize| {
        for _ in 0..count {
            rig.planes[0].tick(&mut rig.sent);
            for (_, datagram) in rig.sent.0.drain(..) {
                stamps.push(RtpPacket::parse(&datagram).unwrap().timestamp());
            }
        }
    };
    tick(&mut rig, 4);
    rig.order(a, update(&media, Direction::Inactive));
    tick(&mut rig, 10);
    rig.order(a, update(&media, Direction::SendRecv));
    tick(&mut rig, 4);
    media.ptime = Duration::from_millis(20);
    rig.order(a, update(&media, Direction::SendRecv));
    tick(&mut rig, 1);
    let since: Vec<u32> = stamps
        .iter()
        .map(|s| s.wrapping_sub(stamps[0]) / 160)
        .collect();
    assert_eq!(since, [0, 14, 18]);
}

#[test]
fn comfort_noise_is_heard_in_the_room_and_is_nobodys_voice() {
    let mut rig = Rig::new(1);
    let (a, b) = (rig.leg(0.0, 0.0), rig.leg(0.0, 0.0));
    rig.planes[0].open_room(RoomId(1));
    rig.room(a, 1, true);
    rig.room(b, 1, true);
    let media = LegMedia {
        comfort_payload_type: Some(13),
        ..LegMedia::new(PEER.into(), Codec::Pcmu)
    };
    let direction = Direction::SendRecv;
    rig.order(a, LegOrder::Update { media, direction });
    let mut writer = RtpWriter::new(77, 1, 1);
    for tick in 0..600 {
        let mut datagram = [0; 13];
        if tick % 20 == 0 {
            writer.write(13, false, 160, &[40], &mut datagram);
            rig.datagram(0, &datagram);
        } else {
            writer.skip(160);
        }
        rig.planes[0].tick(&mut rig.sent);
        rig.deliver();
    }
    let heard = rig.heard(b);
    let power = heard[48_000..]
        .iter()
        .map(|&s| f64::from(s).powi(2))
        .sum::<f64>();
    let dbfs = 10.0 * (power / (heard.len() - 48_000) as f64 / 32_768f64.powi(2)).log10();
    assert!((dbfs + 40.0).abs() < 1.5, "{dbfs}");
    // Twelve seconds of it are neither somebody who talks nor a noisy line.
    let said: Vec<Event> = rig.events.try_iter().collect();
    assert!(said.is_empty(), "{said:?}");
}
