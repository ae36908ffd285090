//! What the legs of a room hear, measured.

use conclave_mixer::levels::{active_dbfs, rms_dbfs};
use conclave_mixer::tone::{Tone, strength_dbfs};
use conclave_mixer::{Heard, Rate, RoomMixer, SlotId};
use std::collections::BTreeMap;

/// A room with what each leg says and has heard so far.
struct World {
    room: RoomMixer,
    legs: Vec<Leg>,
    /// A private prompt for one leg, an announcement that excepts one.
    prompt: Option<(usize, Tone)>,
    announcement: Option<(Tone, Option<usize>)>,
}

struct Leg {
    slot: SlotId,
    rate: Rate,
    voice: Option<Tone>,
    heard: Vec<i16>,
    last: Heard,
}

impl World {
    fn new(rates: &[Rate]) -> Self {
        let mut world = Self {
            room: RoomMixer::new(8),
            legs: Vec::new(),
            prompt: None,
            announcement: None,
        };
        for &rate in rates {
            world.join(rate);
        }
        world
    }

    fn join(&mut self, rate: Rate) -> usize {
        let slot = self.room.join(rate);
        self.legs.push(Leg {
            slot,
            rate,
            voice: None,
            heard: Vec::new(),
            last: Heard::Silence,
        });
        self.legs.len() - 1
    }

    fn speaks(&mut self, leg: usize, frequency: f64, dbfs: f32) {
        self.legs[leg].voice = Some(Tone::new(frequency, dbfs, self.legs[leg].rate));
    }

    fn run(&mut self, ticks: usize) {
        let mut frame = [0; 960];
        for _ in 0..ticks {
            for leg in &mut self.legs {
                if let Some(voice) = &mut leg.voice {
                    let frame = &mut frame[..leg.rate.frame_len()];
                    voice.fill(frame);
                    self.room.write(leg.slot, frame);
                }
            }
            if let Some((tone, except)) = &mut self.announcement {
                let frame = &mut frame[..self.room.rate().frame_len()];
                tone.fill(frame);
                self.room
                    .announce(frame, except.map(|leg| self.legs[leg].slot));
            }
            self.room.mix();
            for (i, leg) in self.legs.iter_mut().enumerate() {
                let mut out = [0; 960];
                let out = &mut out[..leg.rate.frame_len()];
                leg.last = match &mut self.prompt {
                    Some((to, tone)) if *to == i => {
                        tone.fill(&mut frame[..leg.rate.frame_len()]);
                        self.room
                            .read_under(leg.slot, &frame[..leg.rate.frame_len()], out)
                    }
                    _ => self.room.read(leg.slot, out),
                };
                leg.heard.extend_from_slice(out);
            }
        }
    }

    /// Forgets what was heard so far.
    fn listen_afresh(&mut self) {
        self.legs.iter_mut().for_each(|leg| leg.heard.clear());
    }

    /// How loud `leg` heard a tone, in dBFS.
    fn hears(&self, leg: usize, frequency: f64) -> f32 {
        let leg = &self.legs[leg];
        strength_dbfs(&leg.heard, frequency, leg.rate.hz())
    }

    /// The widest step from one sample to the next that a leg heard.
    fn widest_step(&self, leg: usize) -> i32 {
        let steps = self.legs[leg]
            .heard
            .windows(2)
            .map(|w| (i32::from(w[1]) - i32::from(w[0])).abs());
        steps.max().unwrap_or(0)
    }
}

/// The widest step that a tone makes by itself.
fn step_of(frequency: f64, dbfs: f32, rate: Rate) -> i32 {
    let peak = 32_767.0 * 10_f64.powf(f64::from(dbfs) / 20.0) * 2_f64.sqrt();
    (peak * std::f64::consts::TAU * frequency / f64::from(rate.hz())) as i32
}

const N: Rate = Rate::Hz8000;
const W: Rate = Rate::Hz16000;
const F: Rate = Rate::Hz48000;
/// Far enough apart for a Goertzel filter over half a second.
const VOICES: [f64; 10] = [
    310.0, 440.0, 570.0, 730.0, 890.0, 1_070.0, 1_310.0, 1_610.0, 2_030.0, 2_570.0,
];

#[test]
fn a_lone_talker_passes_bit_for_bit() {
    let mut world = World::new(&[N; 4]);
    let mut said = Vec::new();
    let mut state = 12_345_u32;
    let mut heard = vec![0; 160];
    let [talker, a, b, c] = [0, 1, 2, 3].map(|leg| world.legs[leg].slot);
    for tick in 0..60 {
        let frame: Vec<i16> = (0..160)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Noise over the whole range, and digital silence in between.
                if tick % 9 == 4 {
                    0
                } else {
                    (state >> 16) as i16
                }
            })
            .collect();
        said.push(frame.clone());
        world.room.write(talker, &frame);
        // One listens with zeros of its own, as a line does that sends G.711's silence.
        world.room.write(c, &[0; 160]);
        world.room.mix();
        assert_ne!(world.room.read(talker, &mut heard), Heard::Own);
        for listener in [a, b, c] {
            let how = world.room.read(listener, &mut heard);
            if tick >= 5 {
                assert_eq!(heard, said[tick], "tick {tick}");
                assert_eq!(
                    how,
                    if tick % 9 == 4 {
                        Heard::Silence
                    } else {
                        Heard::Common
                    }
                );
            }
        }
    }
}

#[test]
fn everybody_hears_everybody_else_and_never_themselves() {
    for rates in [vec![N; 10], vec![W; 10], vec![N, W, F, N, W, F, N, W, F, N]] {
        let mut world = World::new(&rates);
        for (leg, &frequency) in VOICES.iter().enumerate() {
            world.speaks(leg, frequency, -26.0);
        }
        world.run(10);
        world.listen_afresh();
        world.run(50);
        for listener in 0..10 {
            for (talker, &frequency) in VOICES.iter().enumerate() {
                let heard = world.hears(listener, frequency);
                let right = if talker == listener {
                    heard < -86.0
                } else {
                    (heard + 26.0).abs() < 0.3
                };
                assert!(
                    right,
                    "{listener} hears {talker} at {heard:.1} dBFS in {rates:?}"
                );
            }
        }
    }
}

#[test]
fn overload_does_not_bring_the_own_voice_back() {
    // 30 talkers near full scale, together 30 dB too loud; each of the ten measured has a tone of its own.
    let mut rates = vec![N; 30];
    for mixed in [false, true] {
        if mixed {
            rates
                .iter_mut()
                .enumerate()
                .for_each(|(i, rate)| *rate = Rate::ALL[i % 3]);
        }
        let mut world = World::new(&rates);
        for leg in 0..30 {
            let frequency = VOICES
                .get(leg)
                .copied()
                .unwrap_or(2_700.0 + 20.0 * leg as f64);
            world.speaks(leg, frequency, -4.0);
        }
        world.run(20);
        world.listen_afresh();
        world.run(100);
        for (leg, &frequency) in VOICES.iter().enumerate() {
            let own = world.hears(leg, frequency);
            let loudest = rms_dbfs(&world.legs[leg].heard);
            assert!(loudest > -16.0, "{loudest}");
            // What the limiter's own movement leaves at that place isn't the own voice, and yet below the bound.
            assert!(
                own < -4.0 - 60.0,
                "{leg} hears itself at {own:.1} dBFS, mixed rates: {mixed}"
            );
        }
    }
}

#[test]
fn the_own_voice_has_no_trace_at_all_in_what_one_hears() {
    // Twice the same room, once with the leg loud and once with it silent: what it hears is the same to the bit.
    let heard = |own: Option<f32>, rate: Rate| {
        let mut world = World::new(&[rate, N, W, F, N]);
        for (leg, &frequency) in VOICES.iter().enumerate().take(5).skip(1) {
            world.speaks(leg, frequency, -5.0);
        }
        if let Some(dbfs) = own {
            world.speaks(0, 333.0, dbfs);
        }
        world.run(40);
        std::mem::take(&mut world.legs[0].heard)
    };
    for rate in Rate::ALL {
        let (loud, faint) = (heard(Some(-3.5), rate), heard(Some(-40.0), rate));
        let differs = loud.iter().zip(&faint).map(|(a, b)| a.abs_diff(*b)).max();
        assert_eq!(differs, Some(0), "{rate:?}");
    }
}

#[test]
fn a_change_of_the_rooms_rate_is_not_heard() {
    let mut world = World::new(&[N, N, N]);
    world.speaks(0, 440.0, -12.0);
    world.speaks(1, 310.0, -20.0);
    world.run(10);
    world.listen_afresh();
    let quiet_steps = step_of(440.0, -12.0, N) + step_of(310.0, -20.0, N) + 4;
    world.run(20);
    for rate in [W, F, W] {
        let newcomer = world.join(rate);
        assert_eq!(world.room.rate(), if world.legs.len() > 4 { F } else { W });
        world.run(20);
        // The newcomer hears the room without a jump too: its steps are shorter, it has more of them.
        let steps = step_of(440.0, -12.0, rate) + step_of(310.0, -20.0, rate);
        assert!(
            world.widest_step(newcomer) <= steps + steps / 5,
            "{} > {steps}",
            world.widest_step(newcomer)
        );
        assert!((world.hears(newcomer, 440.0) + 12.0).abs() < 2.0);
    }
    for leg in 3..6 {
        world.room.leave(world.legs[leg].slot);
        world.run(7);
    }
    assert_eq!(world.room.rate(), N);
    assert!(
        world.widest_step(2) <= quiet_steps,
        "{} > {quiet_steps}",
        world.widest_step(2)
    );
    // No sample was dropped or doubled: over the whole second the tone is where it was.
    assert!((world.hears(2, 440.0) + 12.0).abs() < 0.1);
    assert!((world.hears(0, 310.0) + 20.0).abs() < 0.1);
}

#[test]
fn a_wideband_talker_who_comes_and_goes_does_not_click() {
    let mut world = World::new(&[N, F, W]);
    for ticks in [5, 1, 2, 9] {
        world.speaks(2, 440.0, -10.0);
        world.run(ticks);
        world.legs[2].voice = None;
        world.run(ticks);
    }
    world.speaks(2, 440.0, -10.0);
    world.run(3);
    world.room.leave(world.legs[2].slot);
    world.run(3);
    for (leg, rate) in [(0, N), (1, F)] {
        assert_no_click(&world, leg, 440.0, -10.0, rate);
    }
    assert_eq!(world.legs[0].last, Heard::Silence);
}

/// A tone that fades in or out over 5 ms steps by at most its own step and a 40th (at 8 kHz) of its peak; a click
/// would step by as much as the peak itself.
fn assert_no_click(world: &World, leg: usize, frequency: f64, dbfs: f32, rate: Rate) {
    let peak = 32_767.0 * 10_f64.powf(f64::from(dbfs) / 20.0) * 2_f64.sqrt();
    let allowed = step_of(frequency, dbfs, rate) + (peak / (f64::from(rate.hz()) * 0.005)) as i32;
    // The filters between the rates overshoot a corner by a little.
    let allowed = allowed + allowed / 10;
    let widest = world.widest_step(leg);
    assert!(
        widest <= allowed,
        "leg {leg} heard a step of {widest}, more than {allowed}"
    );
    assert!(
        widest > allowed / 8,
        "leg {leg} heard nothing that could have clicked"
    );
}

#[test]
fn nothing_clicks_when_legs_join_leave_pause_or_are_muted() {
    let mut world = World::new(&[N, N, N]);
    // An odd frequency, so that frames end anywhere in the wave.
    world.speaks(0, 437.3, -6.0);
    let talker = world.legs[0].slot;
    for ticks in 1..6 {
        world.room.set_heard(talker, false);
        world.run(ticks);
        world.room.set_heard(talker, true);
        world.run(ticks);
        let voice = world.legs[0].voice.take();
        world.run(ticks);
        world.legs[0].voice = voice;
        world.run(ticks);
        // Muted in a pause, unmuted in a pause.
        let voice = world.legs[0].voice.take();
        world.run(1);
        world.room.set_heard(talker, ticks % 2 == 0);
        world.legs[0].voice = voice;
        world.run(ticks);
    }
    world.room.set_heard(talker, true);
    world.run(3);
    let newcomer = world.join(N);
    world.run(10);
    world.room.leave(talker);
    world.run(3);
    for leg in [1, 2, newcomer] {
        assert_no_click(&world, leg, 437.3, -6.0, N);
        assert_eq!(world.legs[leg].last, Heard::Silence);
    }
}

#[test]
fn a_leg_that_leaves_in_the_middle_of_a_tick_takes_its_frame_along() {
    let mut room = RoomMixer::new(0);
    let [a, b, c] = [N; 3].map(|rate| room.join(rate));
    let mut out = [0; 160];
    for _ in 0..10 {
        room.write(a, &[8_000; 160]);
        room.write(b, &[100; 160]);
        room.mix();
        room.read(c, &mut out);
    }
    assert_eq!(out, [8_100; 160]);
    room.write(a, &[8_000; 160]);
    room.write(b, &[100; 160]);
    room.leave(a);
    let late = room.join(N);
    room.write(late, &[0; 160]);
    room.mix();
    assert_eq!(room.read(c, &mut out), Heard::Common);
    assert!(
        out.windows(2).all(|w| (w[1] - w[0]).abs() <= 201),
        "{out:?}"
    );
    assert_eq!(out[40..], [100; 120]);
    // Its slot is nobody's any more.
    room.write(a, &[5; 160]);
    room.set_heard(a, false);
    room.leave(a);
    assert_eq!(room.read(a, &mut out), Heard::Silence);
    assert_eq!((out, room.len()), ([0; 160], 3));
}

#[test]
fn a_newcomer_hears_nothing_of_what_was_said_before() {
    let mut room = RoomMixer::new(0);
    let (a, b) = (room.join(N), room.join(W));
    for _ in 0..10 {
        room.write(a, &[8_000; 160]);
        room.mix();
    }
    assert_eq!(room.common(W)[100], 8_000);
    room.leave(b);
    let late = room.join(W);
    let mut out = [7; 320];
    assert_eq!(room.read(late, &mut out), Heard::Silence);
    assert_eq!((out, room.common(W)), ([0; 320], &[0; 320][..]));
}

#[test]
fn listeners_share_one_mix_and_talkers_have_their_own() {
    let mut world = World::new(&[N, N, N, N, W, W]);
    world.speaks(0, 440.0, -20.0);
    world.speaks(1, 730.0, -20.0);
    world.room.set_heard(world.legs[1].slot, true);
    world.run(10);
    let how: Vec<_> = world.legs.iter().map(|leg| leg.last).collect();
    assert_eq!(
        how,
        [
            Heard::Own,
            Heard::Own,
            Heard::Common,
            Heard::Common,
            Heard::Common,
            Heard::Common
        ]
    );
    let heard: BTreeMap<_, _> = [2, 3, 4, 5].map(|leg| (leg, &world.legs[leg])).into();
    for (leg, leg_heard) in heard {
        let common = world.room.common(leg_heard.rate);
        assert_eq!(
            &leg_heard.heard[leg_heard.heard.len() - common.len()..],
            common,
            "leg {leg}"
        );
    }
    // A muted talker contributes nothing, and so hears what all hear.
    world.room.set_heard(world.legs[1].slot, false);
    world.run(2);
    assert_eq!(
        (world.legs[0].last, world.legs[1].last),
        (Heard::Alone, Heard::Common)
    );
}

#[test]
fn passing_between_the_common_mix_and_an_own_one_does_not_click_under_the_limiter() {
    // Six loud talkers keep the limiters busy; a seventh, faint, speaks now and then and changes over each time.
    let mut world = World::new(&[N; 8]);
    for (leg, frequency) in [210.0, 250.0, 300.0, 340.0, 390.0, 430.0]
        .into_iter()
        .enumerate()
    {
        world.speaks(leg, frequency, -6.0);
    }
    let mut seen = [0; 2];
    world.run(10);
    world.listen_afresh();
    for _ in 0..8 {
        world.speaks(6, 500.0, -30.0);
        world.run(4);
        seen[0] += usize::from(world.legs[6].last == Heard::Own);
        world.legs[6].voice = None;
        world.run(4);
        seen[1] += usize::from(world.legs[6].last == Heard::Common);
    }
    assert_eq!(seen, [8, 8]);
    // The eighth leg heard the common mix all the time.
    let (changing, steady) = (world.widest_step(6), world.widest_step(7));
    assert!(
        changing <= steady + steady / 10,
        "{changing} against {steady}"
    );
    assert!(world.legs[6].heard.iter().any(|x| x.abs() > 20_000));
}

#[test]
fn a_private_prompt_is_heard_by_one_over_a_room_15_db_down() {
    let mut world = World::new(&[N, N, N]);
    world.speaks(0, 440.0, -20.0);
    world.run(10);
    world.listen_afresh();
    world.prompt = Some((1, Tone::new(1_070.0, -20.0, N)));
    world.run(1);
    world.listen_afresh();
    world.run(50);
    assert!((world.hears(1, 1_070.0) + 20.0).abs() < 0.1);
    assert!(
        (world.hears(1, 440.0) + 35.0).abs() < 0.5,
        "{}",
        world.hears(1, 440.0)
    );
    assert!(world.hears(2, 1_070.0) < -90.0);
    assert!((world.hears(2, 440.0) + 20.0).abs() < 0.1);
    world.prompt = None;
    world.run(10);
    // The prompt, and the room coming back.
    assert_no_click(&world, 1, 1_070.0, -17.0, N);
    assert_eq!(world.legs[1].last, Heard::Common);
}

#[test]
fn an_announcement_is_heard_by_all_but_one() {
    for rates in [[N, N, N], [N, W, F], [F, N, N], [W, N, W]] {
        let mut world = World::new(&rates);
        world.speaks(0, 440.0, -20.0);
        world.run(10);
        world.listen_afresh();
        world.announcement = Some((Tone::new(1_310.7, -20.0, world.room.rate()), Some(1)));
        world.run(25);
        world.announcement = None;
        world.run(3);
        for leg in 0..3 {
            let heard = world.hears(leg, 1_310.7);
            let right = if leg == 1 {
                heard < -80.0
            } else {
                heard > -22.0
            };
            assert!(
                right,
                "{leg} hears the announcement at {heard:.1} dBFS in {rates:?}"
            );
            assert_no_click(
                &world,
                leg,
                1_310.7,
                -17.5,
                rates[leg].min(world.room.rate()),
            );
        }
        assert!((world.hears(1, 440.0) + 20.0).abs() < 0.1);
        // The one who was spared is spared no longer.
        world.announcement = Some((Tone::new(1_310.7, -20.0, world.room.rate()), None));
        world.listen_afresh();
        world.run(20);
        assert!(world.hears(1, 1_310.7) > -21.0);
    }
}

#[test]
fn an_announcement_goes_on_through_a_change_of_rate() {
    let mut world = World::new(&[N, N]);
    world.run(6);
    world.announcement = Some((Tone::new(437.3, -10.0, N), None));
    world.run(6);
    world.join(W);
    world.announcement = Some((Tone::new(437.3, -10.0, W), None));
    world.run(6);
    world.room.leave(world.legs[2].slot);
    world.announcement = Some((Tone::new(437.3, -10.0, N), None));
    world.run(6);
    // At the change both fades of 5 ms fall together, hence twice the slope.
    assert_no_click(&world, 0, 437.3, -5.0, N);
    assert!(world.hears(0, 437.3) > -12.0);
}

#[test]
fn talkers_are_found_and_the_muted_too() {
    let mut world = World::new(&[N; 10]);
    let talkers = [0, 1, 2, 3, 5, 6, 7, 9];
    for leg in talkers {
        world.speaks(leg, VOICES[leg], -25.0);
    }
    world.room.set_heard(world.legs[9].slot, false);
    world.run(10);
    for leg in 0..10 {
        let level = world.room.level(world.legs[leg].slot);
        assert_eq!(level.talking, talkers.contains(&leg), "leg {leg}");
        assert!(
            !level.talking || (level.dbfs + 25.0).abs() < 0.5,
            "{level:?}"
        );
    }
    world.legs[0].voice = None;
    world.run(20);
    let level = world.room.level(world.legs[0].slot);
    assert!(!level.talking && level.dbfs == conclave_mixer::levels::SILENCE_DBFS);
}

#[test]
fn calls_out_of_order_and_frames_of_wrong_lengths_are_borne() {
    let mut room = RoomMixer::new(0);
    let mut out = [7; 2_000];
    room.mix();
    room.announce(&[1; 960], None);
    room.mix();
    let (a, b) = (room.join(N), room.join(F));
    assert_eq!(room.read(a, &mut out), Heard::Silence);
    for len in [0, 1, 39, 159, 161, 2_000] {
        room.write(a, &vec![500; len]);
        room.write(a, &[500; 160]); // a second frame: ignored
        room.announce(&vec![500; len], Some(b));
        assert_eq!(room.read(b, &mut out), Heard::Silence); // not mixed yet
        room.mix();
        room.mix();
        room.write(b, &vec![500; len]);
        room.mix();
        room.read(a, &mut out[..len]);
        room.read_under(b, &vec![500; len], &mut out);
        assert_eq!(out[960..], [0; 1_040]);
    }
}

/// Words of a tone: 300 ms, then 100 ms of nothing.
fn word(tick: usize, hz: f64, dbfs: f32) -> [i16; 160] {
    if tick % 20 < 15 {
        steady(tick, hz, dbfs)
    } else {
        [0; 160]
    }
}

fn steady(tick: usize, hz: f64, dbfs: f32) -> [i16; 160] {
    let amplitude = 32_768.0 * 2f64.sqrt() * 10f64.powf(f64::from(dbfs) / 20.0);
    std::array::from_fn(|n| {
        let time = (tick * 160 + n) as f64 / 8_000.0;
        (amplitude * (time * hz * std::f64::consts::TAU).sin()) as i16
    })
}

fn hiss(seed: &mut u32, amplitude: i32) -> [i16; 160] {
    std::array::from_fn(|_| {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (((*seed >> 16) as i16 as i32 * amplitude) >> 15) as i16
    })
}

/// Forty open lines with a hiss each, and one who speaks: the noise that a listener hears in the pauses is that of as many
/// lines as are let through.
#[test]
fn many_open_lines_do_not_raise_the_noise_floor() {
    let noise_with = |most: Option<usize>| {
        let mut room = RoomMixer::new(50);
        room.set_most_talkers(most);
        let lines: Vec<SlotId> = (0..40).map(|_| room.join(Rate::Hz8000)).collect();
        let (talker, listener) = (room.join(Rate::Hz8000), room.join(Rate::Hz8000));
        let (mut seed, mut out) = (1, [0; 160]);
        let (mut pauses, mut words) = (Vec::new(), Vec::new());
        for tick in 0..300 {
            for &line in &lines {
                room.write(line, &hiss(&mut seed, 100));
            }
            room.write(talker, &word(tick, 440.0, -20.0));
            room.mix();
            room.read(listener, &mut out);
            if tick > 200 && tick % 20 == 17 {
                pauses.extend(out);
            } else if tick > 200 && (3..12).contains(&(tick % 20)) {
                words.extend(out);
            }
        }
        (rms_dbfs(&pauses), strength_dbfs(&words, 440.0, 8_000))
    };
    let (all, spoken) = noise_with(None);
    let (few, still_spoken) = noise_with(Some(8));
    // 40 lines against 8: 7 dB.
    assert!((all - few - 7.0).abs() < 1.0, "{all} and {few}");
    assert!(
        (spoken - still_spoken).abs() < 0.2,
        "{spoken} and {still_spoken}"
    );
}

#[test]
fn who_is_heard_gives_way_to_who_is_clearly_louder_and_without_a_click() {
    let mut room = RoomMixer::new(4);
    room.set_most_talkers(Some(1));
    let [a, b, listener] = [(); 3].map(|()| room.join(Rate::Hz8000));
    let mut heard = |ticks: std::ops::Range<usize>, loud_a: f32, loud_b: f32| {
        let mut all = Vec::new();
        for tick in ticks {
            room.write(a, &steady(tick, 440.0, loud_a));
            room.write(b, &steady(tick, 1_000.0, loud_b));
            room.mix();
            let mut out = [0; 160];
            room.read(listener, &mut out);
            all.extend(out);
            // Whoever is heard still doesn't hear himself.
            let mut own = [0; 160];
            room.read(a, &mut own);
            assert!(tick < 3 || strength_dbfs(&own, 440.0, 8_000) < -60.0);
        }
        let last = &all[all.len() - 1_600..];
        let strength = |hz| strength_dbfs(last, hz, 8_000) > -40.0;
        let steps = all
            .windows(2)
            .map(|w| (i32::from(w[1]) - i32::from(w[0])).abs());
        (strength(440.0), strength(1_000.0), steps.max().unwrap())
    };
    // Both begin at once; the louder one is heard.
    let (first, second, _) = heard(0..50, -20.0, -22.0);
    assert_eq!((first, second), (true, false));
    // A little louder is not enough.
    let (first, second, _) = heard(50..150, -22.0, -19.0);
    assert_eq!((first, second), (true, false));
    let (first, second, step) = heard(150..250, -30.0, -19.0);
    assert_eq!((first, second), (false, true));
    assert!(step < 5_000, "{step}");
}

#[test]
fn as_many_as_are_allowed_come_through_bit_for_bit() {
    let mut room = RoomMixer::new(4);
    room.set_most_talkers(Some(8));
    let legs: Vec<SlotId> = (0..8).map(|_| room.join(Rate::Hz8000)).collect();
    let mut out = [0; 160];
    for tick in 0..20 {
        room.write(legs[0], &steady(tick, 440.0, -20.0));
        for leg in &legs[1..7] {
            room.write(*leg, &[1; 160]);
        }
        room.mix();
        room.read(legs[7], &mut out);
        let said = steady(tick, 440.0, -20.0);
        // The room fades in for a newcomer.
        assert!(tick < 8 || (0..160).all(|n| out[n] == said[n] + 6));
    }
    // One who leaves within a tick is not heard in it.
    room.write(legs[0], &[9_000; 160]);
    room.leave(legs[0]);
    room.mix();
    room.read(legs[7], &mut out);
    assert!(out[100].abs() < 20, "{}", out[100]);
}

#[test]
fn levelling_brings_a_soft_and_a_loud_voice_together() {
    let level_of = |dbfs: f32, on: bool| {
        let mut room = RoomMixer::new(2);
        let (a, b) = (room.join(Rate::Hz8000), room.join(Rate::Hz8000));
        room.set_levelling(on);
        let mut all = Vec::new();
        for tick in 0..1_000 {
            room.write(a, &word(tick, 440.0, dbfs));
            room.mix();
            let mut out = [0; 160];
            room.read(b, &mut out);
            if tick >= 800 {
                all.extend(out);
            }
        }
        active_dbfs(&all)
    };
    for dbfs in [-40.0, -32.0, -12.0] {
        let level = level_of(dbfs, true);
        // -19 dBm0.
        assert!((level + 25.2).abs() < 3.0, "{dbfs}: {level}");
        assert!((level_of(dbfs, false) - dbfs).abs() < 0.5);
    }
}

#[test]
fn zeros_are_a_frame_like_others() {
    for levels in [false, true] {
        let mut rooms = [RoomMixer::new(3), RoomMixer::new(3)];
        let mut slots = Vec::new();
        for room in &mut rooms {
            room.set_noise_suppression(levels);
            room.set_levelling(levels);
            room.set_most_talkers(levels.then_some(2));
            slots = (0..3).map(|_| room.join(Rate::Hz8000)).collect();
        }
        let mut tone = Tone::new(440.0, -20.0, Rate::Hz8000);
        for tick in 0..300 {
            let mut frame = [0; 160];
            tone.fill(&mut frame);
            // One talks, one does by the second, one is muted.
            let says = [true, tick / 50 % 2 == 0, false];
            for (&slot, says) in slots.iter().zip(says) {
                for room in &mut rooms {
                    if says {
                        room.write(slot, &frame);
                    }
                }
                if !says {
                    rooms[0].write(slot, &[0; 160]);
                    rooms[1].write_zeros(slot);
                }
            }
            let heard = rooms.each_mut().map(|room| {
                room.mix();
                slots
                    .iter()
                    .map(|&slot| {
                        let mut out = [0; 160];
                        (room.read(slot, &mut out), out, room.level(slot))
                    })
                    .collect::<Vec<_>>()
            });
            assert_eq!(heard[0], heard[1], "{tick}");
        }
    }
}
