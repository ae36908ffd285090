//! The room against a naive model: for each listener a sum over all others, in floating point, O(N²).

use conclave_mixer::{Rate, RoomMixer, SlotId};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Join,
    Leave(usize),
    Hear(usize, bool),
    /// A tick: for each leg what it says, if it says anything.
    Tick(Vec<Option<Voice>>),
}

#[derive(Clone, Copy, Debug)]
struct Voice {
    frequency: f64,
    peak: f64,
}

fn step(peak: f64) -> impl Strategy<Value = Step> {
    let voice = (50.0..3_500.0, 0.0..peak).prop_map(|(frequency, peak)| Voice { frequency, peak });
    prop_oneof![
        1 => Just(Step::Join),
        1 => any::<usize>().prop_map(Step::Leave),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(leg, heard)| Step::Hear(leg, heard)),
        8 => proptest::collection::vec(proptest::option::weighted(0.7, voice), 8).prop_map(Step::Tick),
    ]
}

struct Model {
    rate: Rate,
    legs: Vec<ModelLeg>,
    /// Last samples of those who left.
    left: f64,
}

struct ModelLeg {
    slot: SlotId,
    wrote: bool,
    gain: f64,
    target: f64,
    last: f64,
    part: Vec<f64>,
    room_gain: f64,
}

impl Model {
    fn join(&mut self, slot: SlotId) {
        self.legs.push(ModelLeg {
            slot,
            wrote: false,
            gain: 1.0,
            target: 1.0,
            last: 0.0,
            part: vec![0.0; self.rate.frame_len()],
            room_gain: 0.0,
        });
    }

    fn write(&mut self, leg: usize, frame: Option<&[i16]>) {
        let len = self.rate.frame_len();
        let fade = len / 4;
        // On wideband legs a mean square of 4 is no sound: a codec's silence.
        let wideband = self.rate != Rate::Hz8000;
        let square = |frame: &[i16]| frame.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        let is_nothing = |frame: &[i16]| wideband && square(frame) <= 4.0 * len as f64;
        let leg = &mut self.legs[leg];
        leg.part = match frame {
            Some(frame) if is_nothing(frame) => {
                leg.gain = leg.target;
                vec![0.0; len]
            }
            Some(frame) => {
                let from = if leg.wrote { leg.gain } else { leg.target };
                let edge = |i: usize| {
                    if leg.wrote {
                        1.0
                    } else {
                        ((i + 1) as f64 / fade as f64).min(1.0)
                    }
                };
                let gain = |i: usize| from + (leg.target - from) * (i + 1) as f64 / len as f64;
                let part = (0..len)
                    .map(|i| f64::from(frame[i]) * gain(i) * edge(i))
                    .collect();
                leg.gain = leg.target;
                part
            }
            None => (0..len)
                .map(|i| leg.last * (1.0 - (i + 1) as f64 / fade as f64).max(0.0))
                .collect(),
        };
        leg.wrote = frame.is_some();
        leg.last = leg.part[len - 1];
    }

    /// What a leg hears if no limiter has anything to do.
    fn heard(&mut self, leg: usize) -> Vec<f64> {
        let len = self.rate.frame_len();
        let others = self.legs.iter().enumerate().filter(|(i, _)| *i != leg);
        let mut mix = vec![0.0; len];
        for (_, other) in others {
            mix.iter_mut()
                .zip(&other.part)
                .for_each(|(mix, x)| *mix += x);
        }
        let fade = len / 4;
        for (i, mix) in mix.iter_mut().enumerate().take(fade) {
            *mix += self.left * (1.0 - (i + 1) as f64 / fade as f64);
        }
        // The room fades in for a newcomer, unless there is nothing to fade.
        let from = self.legs[leg].room_gain;
        let silent = mix.iter().all(|&x| x == 0.0);
        let to = if silent { 1.0 } else { (from + 0.2).min(1.0) };
        self.legs[leg].room_gain = to;
        mix.iter()
            .enumerate()
            .map(|(i, x)| x * (from + (to - from) * (i + 1) as f64 / len as f64))
            .collect()
    }
}

/// Runs the steps through the room and the model; `compare` sees what each leg heard and should have.
fn run(rate: Rate, steps: &[Step], mut compare: impl FnMut(&[i16], &[f64], usize)) {
    let mut room = RoomMixer::new(1);
    let mut model = Model {
        rate,
        legs: Vec::new(),
        left: 0.0,
    };
    let len = rate.frame_len();
    let mut tick = 0;
    for step in steps {
        match step {
            Step::Join if model.legs.len() < 8 => model.join(room.join(rate)),
            Step::Join => {}
            &Step::Leave(leg) if !model.legs.is_empty() => {
                let leg = model.legs.remove(leg % model.legs.len());
                model.left += leg.last;
                room.leave(leg.slot);
            }
            &Step::Hear(leg, heard) if !model.legs.is_empty() => {
                let leg = leg % model.legs.len();
                model.legs[leg].target = f64::from(u8::from(heard));
                room.set_heard(model.legs[leg].slot, heard);
            }
            Step::Leave(_) | Step::Hear(..) => {}
            Step::Tick(voices) => {
                for (leg, voice) in voices.iter().enumerate().take(model.legs.len()) {
                    let frame: Option<Vec<i16>> = voice.map(|voice| {
                        let turn = std::f64::consts::TAU * voice.frequency / f64::from(rate.hz());
                        (0..len)
                            .map(|i| ((turn * (tick * len + i) as f64).sin() * voice.peak) as i16)
                            .collect()
                    });
                    if let Some(frame) = &frame {
                        room.write(model.legs[leg].slot, frame);
                    }
                    model.write(leg, frame.as_deref());
                }
                room.mix();
                for leg in 0..model.legs.len() {
                    let mut out = vec![0; len];
                    room.read(model.legs[leg].slot, &mut out);
                    let wanted = model.heard(leg);
                    compare(&out, &wanted, leg);
                }
                model.left = 0.0;
                tick += 1;
            }
        }
    }
}

fn rate() -> impl Strategy<Value = Rate> {
    prop_oneof![6 => Just(Rate::Hz8000), 2 => Just(Rate::Hz16000), 1 => Just(Rate::Hz48000)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Where nothing overloads, a leg hears exactly the others, but for a rounding in each fade.
    #[test]
    fn a_leg_hears_the_sum_of_the_others(rate in rate(), steps in proptest::collection::vec(step(3_900.0), 1..80)) {
        run(rate, &steps, |out, wanted, leg| {
            for (i, (&out, wanted)) in out.iter().zip(wanted).enumerate() {
                assert!((f64::from(out) - wanted).abs() <= 9.0, "leg {leg}, sample {i}: {out} for {wanted}");
            }
        });
    }

    /// Where it does, the limiter changes the level alone: within any 2.5 ms the output is the sum times a gain that
    /// hardly moves, never more than one, and never clipped for longer than an attack.
    #[test]
    fn the_limiter_keeps_the_sum_and_loses_only_level(
        rate in rate(),
        steps in proptest::collection::vec(step(32_767.0), 1..80),
    ) {
        run(rate, &steps, |out, wanted, leg| {
            for (i, (&out, &wanted)) in out.iter().zip(wanted).enumerate() {
                let out = f64::from(out);
                let louder = out.abs() > wanted.abs() + 9.0;
                let turned = out * wanted < 0.0 && out.abs() > 9.0;
                assert!(!louder && !turned, "leg {leg}, sample {i}: {out} for {wanted}");
            }
            // Like the sum in shape.
            let dot = |a: &dyn Fn(usize) -> f64, b: &dyn Fn(usize) -> f64| (0..out.len()).map(|i| a(i) * b(i)).sum::<f64>();
            let (heard, sum) = (|i: usize| f64::from(out[i]), |i: usize| wanted[i]);
            let power = dot(&sum, &sum);
            if power > 1e6 * out.len() as f64 {
                let likeness = dot(&heard, &sum) / (dot(&heard, &heard) * power).sqrt();
                assert!(likeness > 0.8, "leg {leg}: {likeness}");
            }
        });
    }
}
