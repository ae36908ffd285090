//! A room whose legs are in several mixers, as in several threads, sounds like a room in one.

use conclave_mixer::{Rate, RoomMixer, SlotId, Sum};
use proptest::prelude::*;

const MIXERS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Join(Rate, usize),
    Leave(usize),
    Hear(usize, bool),
    /// For so many ticks a prompt to the room, kept from one leg.
    Announce(u8, usize),
    /// A tick: for each leg how loud it speaks, if it does, and whether a prompt of its own is played to it.
    Tick(Vec<(Option<i16>, bool)>),
}

fn step() -> impl Strategy<Value = Step> {
    let rate = prop_oneof![
        3 => Just(Rate::Hz8000),
        1 => Just(Rate::Hz16000),
        1 => Just(Rate::Hz48000),
    ];
    let said = (
        // All at once stay below the limiter, whose gain each mixer has for itself.
        proptest::option::weighted(0.5, 1..2_500_i16),
        prop::bool::weighted(0.1),
    );
    prop_oneof![
        3 => (rate, 0..MIXERS).prop_map(|(rate, mixer)| Step::Join(rate, mixer)),
        1 => any::<usize>().prop_map(Step::Leave),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(leg, heard)| Step::Hear(leg, heard)),
        1 => (1..5_u8, any::<usize>()).prop_map(|(ticks, leg)| Step::Announce(ticks, leg)),
        9 => proptest::collection::vec(said, 8).prop_map(Step::Tick),
    ]
}

struct Leg {
    rate: Rate,
    /// In the one mixer; which of the several, and where in it.
    whole: SlotId,
    mixer: usize,
    part: SlotId,
    new: bool,
}

/// What an owned [`Sum`] is: sums travel between threads.
struct Sent {
    rate: Rate,
    voices: usize,
    samples: Vec<i32>,
}

fn wave(rate: Rate, leg: usize, tick: usize, peak: i16, frame: &mut [i16]) {
    let length = rate.frame_len();
    for (n, sample) in frame[..length].iter_mut().enumerate() {
        let phase = (tick * length + n) as f64 / length as f64 * (3.0 + 2.7 * leg as f64);
        *sample = (phase.sin() * f64::from(peak)) as i16;
    }
}

fn exchange(parts: &mut [RoomMixer]) {
    let sent: Vec<Vec<Sent>> = parts
        .iter_mut()
        .map(|mixer| {
            let own = |sum: Sum<'_>| Sent {
                rate: sum.rate,
                voices: sum.voices,
                samples: sum.samples.to_vec(),
            };
            mixer.sums().map(own).collect()
        })
        .collect();
    for (to, mixer) in parts.iter_mut().enumerate() {
        for (from, sums) in sent.iter().enumerate() {
            for sum in sums.iter().filter(|_| from != to) {
                mixer.add(Sum {
                    rate: sum.rate,
                    voices: sum.voices,
                    samples: &sum.samples,
                });
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn nobody_can_tell_how_many_mixers_there_are(steps in proptest::collection::vec(step(), 1..80)) {
        let mut whole = RoomMixer::new(8);
        let mut parts: Vec<_> = (0..MIXERS).map(|_| RoomMixer::new(8)).collect();
        let mut legs: Vec<Leg> = Vec::new();
        let mut announced: Option<(u8, usize)> = None;
        let (mut frame, mut other) = ([0; 960], [0; 960]);
        for (tick, step) in steps.into_iter().enumerate() {
            match step {
                Step::Join(rate, mixer) if legs.len() < 8 => legs.push(Leg {
                    rate,
                    whole: whole.join(rate),
                    mixer,
                    part: parts[mixer].join(rate),
                    new: true,
                }),
                Step::Leave(leg) if !legs.is_empty() => {
                    let leg = legs.remove(leg % legs.len());
                    whole.leave(leg.whole);
                    parts[leg.mixer].leave(leg.part);
                }
                Step::Hear(leg, heard) if !legs.is_empty() => {
                    let leg = &legs[leg % legs.len()];
                    whole.set_heard(leg.whole, heard);
                    parts[leg.mixer].set_heard(leg.part, heard);
                }
                Step::Announce(ticks, leg) => announced = Some((ticks, leg)),
                Step::Join(..) | Step::Leave(_) | Step::Hear(..) => {}
                Step::Tick(said) => {
                    for (n, (leg, (said, _))) in legs.iter().zip(&said).enumerate() {
                        if let Some(peak) = said {
                            wave(leg.rate, n, tick, *peak, &mut frame);
                            let frame = &frame[..leg.rate.frame_len()];
                            whole.write(leg.whole, frame);
                            parts[leg.mixer].write(leg.part, frame);
                        }
                    }
                    exchange(&mut parts);
                    if let Some((left, leg)) = announced {
                        let rate = whole.rate();
                        wave(rate, 9, tick, 9_000, &mut frame);
                        let frame = &frame[..rate.frame_len()];
                        let except = (!legs.is_empty()).then(|| &legs[leg % legs.len()]);
                        whole.announce(frame, except.map(|leg| leg.whole));
                        for (n, mixer) in parts.iter_mut().enumerate() {
                            let here = except.filter(|leg| leg.mixer == n);
                            mixer.announce_at(rate, frame, here.map(|leg| leg.part));
                        }
announced = (left > 1).then_some((left - 1, leg));
                    }
                    whole.mix();
                    parts.iter_mut().for_each(RoomMixer::mix);
                    for (n, (leg, (_, prompted))) in legs.iter_mut().zip(&said).enumerate() {
                        let length = leg.rate.frame_len();
                        let (one, several) = (&mut frame[..length], &mut other[..length]);
                        if *prompted {
                            let prompt = vec![700; length];
                            whole.read_under(leg.whole, &prompt, one);
                            parts[leg.mixer].read_under(leg.part, &prompt, several);
                        } else {
                            whole.read(leg.whole, one);
                            parts[leg.mixer].read(leg.part, several);
                        }
                        // For the first leg of a rate in a mixer the filters have no past. It doesn't hear more of that than the
                        // beginning of its fade.
                        if std::mem::take(&mut leg.new) {
                            continue;
                        }
                        // Several who break off in one tick fade as one or each by itself, and each fade is rounded.
                        let apart = one.iter().zip(&*several).map(|(a, b)| a.abs_diff(*b)).max();
                        prop_assert!(apart <= Some(8), "tick {}, leg {}: {:?} apart", tick, n, apart);
                    }
                }
            }
        }
    }

    #[test]
    fn a_lone_talker_is_heard_bit_for_bit(peak in 1..i16::MAX, ticks in 6..20_usize) {
        let mut parts: Vec<_> = (0..2).map(|_| RoomMixer::new(2)).collect();
        let talker = parts[0].join(Rate::Hz8000);
        let listener = parts[1].join(Rate::Hz8000);
        let (mut said, mut heard) = ([0; 960], [0; 160]);
        for tick in 0..ticks {
            wave(Rate::Hz8000, 1, tick, peak, &mut said);
            parts[0].write(talker, &said[..160]);
            exchange(&mut parts);
            parts.iter_mut().for_each(RoomMixer::mix);
            parts[0].read(talker, &mut heard);
            prop_assert_eq!(heard, [0; 160], "its own voice came back");
            parts[1].read(listener, &mut heard);
        }
        prop_assert_eq!(&heard[..], &said[..160]);
    }
}
