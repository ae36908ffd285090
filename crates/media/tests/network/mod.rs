//! A network between a sender and a receiver, in virtual time: the same for the same seed.
#![allow(dead_code, unreachable_pub)] // tests and a bench use different parts of it

use std::time::Duration;

use conclave_media::{Codec, Pulled, Receiver, RtpPacket, RtpWriter};

/// How packets fare.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    pub loss: Loss,
    /// The delay is spread evenly over 0 to so many milliseconds; where that is more than a packet's length, packets
    /// overtake each other.
    pub jitter_ms: f64,
    /// Of a hundred packets so many come 30 ms later than they would, behind the ones after them.
    pub swapped: f64,
    /// Of a hundred packets so many come twice, up to 40 ms apart.
    pub doubled: f64,
    /// How much slower the sender's clock is than ours, in millionths.
    pub drift_ppm: i64,
    pub seed: u64,
}

#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// Each packet by itself: of a hundred so many.
    Random(f64),
    /// After Gilbert and Elliott: none is lost in the good state, half of them in the bad one, whose mean length is so many
    /// packets; so many of a hundred in all.
    Bursts { percent: f64, packets: f64 },
}

impl Network {
    pub const CLEAN: Network = Network {
        loss: Loss::Random(0.0),
        jitter_ms: 0.0,
        swapped: 0.0,
        doubled: 0.0,
        drift_ppm: 0,
        seed: 1,
    };
}

/// A draw from a seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn chance(&mut self, percent: f64) -> bool {
        self.unit() * 100.0 < percent
    }
}

/// A G.711 sender of packets of 20 ms behind the network, and what has arrived of it and hasn't been taken yet.
pub struct Path {
    network: Network,
    dice: Dice,
    bad: bool,
    writer: RtpWriter,
    sent: u64,
    /// Sorted by when they come, in microseconds.
    underway: Vec<(u64, Vec<u8>)>,
    pub lost: u64,
}

const FIRST_US: i64 = 5_000;

impl Path {
    pub fn new(network: Network) -> Path {
        Path {
            network,
            dice: Dice(network.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            bad: false,
            writer: RtpWriter::new(7, 65_000, u32::MAX - 100_000),
            sent: 0,
            underway: Vec::new(),
            lost: 0,
        }
    }

    /// The datagrams that arrive up to `now`, of a sender that says what `payload` tells of the number of a packet.
    pub fn arrived(
        &mut self,
        now: Duration,
        payload: &mut impl FnMut(u64) -> [u8; 160],
    ) -> Vec<(Duration, Vec<u8>)> {
        let now = now.as_micros() as u64;
        loop {
            let at = self.sent as i64 * 20_000;
            let at = (FIRST_US + at + at * self.network.drift_ppm / 1_000_000) as u64;
            if at > now {
                break;
            }
            self.send(at, payload(self.sent));
            self.sent += 1;
        }
        let here = self.underway.partition_point(|(at, _)| *at <= now);
        let here = self.underway.drain(..here);
        here.map(|(at, datagram)| (Duration::from_micros(at), datagram))
            .collect()
    }

    fn send(&mut self, at: u64, payload: [u8; 160]) {
        let mut datagram = vec![0; 172];
        self.writer.write(0, false, 160, &payload, &mut datagram);
        let Network {
            jitter_ms,
            swapped,
            doubled,
            ..
        } = self.network;
        let jitter = self.dice.unit() * jitter_ms * 1_000.0;
        let behind = if self.dice.chance(swapped) { 30_000 } else { 0 };
        let again = self
            .dice
            .chance(doubled)
            .then(|| self.dice.unit() * 40_000.0);
        if self.is_lost() {
            self.lost += 1;
            return;
        }
        let at = at + jitter as u64 + behind;
        if let Some(later) = again {
            self.fly(at + later as u64, datagram.clone());
        }
        self.fly(at, datagram);
    }

    fn fly(&mut self, at: u64, datagram: Vec<u8>) {
        let place = self.underway.partition_point(|(other, _)| *other <= at);
        self.underway.insert(place, (at, datagram));
    }

    fn is_lost(&mut self) -> bool {
        match self.network.loss {
            Loss::Random(percent) => self.dice.chance(percent),
            Loss::Bursts { percent, packets } => {
                let share = 2.0 * percent / 100.0;
                let leaves = 1.0 / packets;
                let enters = leaves * share / (1.0 - share);
                let turns = if self.bad { leaves } else { enters };
                self.bad ^= self.dice.unit() < turns;
                self.bad && self.dice.chance(50.0)
            }
        }
    }
}

/// What a receiver made of it.
pub struct Outcome {
    pub leg: Receiver,
    pub lost: u64,
    pub frames: [u64; 5],
    /// Of each frame with audio, in milliseconds, sorted.
    pub delays: Vec<f64>,
    /// All that was heard, if it was to be kept.
    pub samples: Vec<i16>,
}

impl Outcome {
    pub fn count(&self, what: Pulled) -> u64 {
        self.frames[what as usize]
    }

    pub fn delay(&self, percent: usize) -> f64 {
        let last = self.delays.len().saturating_sub(1);
        self.delays
            .get(last * percent / 100)
            .copied()
            .unwrap_or(0.0)
    }
}

/// Runs the receiver behind the network for so long. What was heard is kept where `keep` says so.
pub fn listen(
    network: Network,
    seconds: u64,
    keep: bool,
    mut payload: impl FnMut(u64) -> [u8; 160],
) -> Outcome {
    let mut path = Path::new(network);
    let mut leg = Receiver::new(Codec::Pcmu, 0);
    let (mut frames, mut delays, mut samples) = ([0; 5], Vec::new(), Vec::new());
    for tick in 1..=seconds * 50 {
        let now = Duration::from_millis(tick * 20);
        for (at, datagram) in path.arrived(now, &mut payload) {
            if let Ok(packet) = RtpPacket::parse(&datagram) {
                leg.push(&packet, at);
            }
        }
        let mut frame = [0; 160];
        let pulled = leg.pull(now, &mut frame);
        frames[pulled as usize] += 1;
        if matches!(pulled, Pulled::Audio | Pulled::Zeros) {
            delays.push(leg.delay().as_secs_f64() * 1_000.0);
        }
        if keep {
            samples.extend(frame);
        }
    }
    delays.sort_by(f64::total_cmp);
    Outcome {
        leg,
        lost: path.lost,
        frames,
        delays,
        samples,
    }
}

/// A voice: syllables of a buzz that glides, with pauses in which next to nothing is heard, as µ-law packets.
pub fn voice() -> impl FnMut(u64) -> [u8; 160] {
    let mut encoder = Codec::Pcmu.encoder();
    let mut phase = 0.0f64;
    move |packet| {
        let frame: [i16; 160] = std::array::from_fn(|n| {
            let time = (packet * 160 + n as u64) as f64 / 8_000.0;
            let pitch = 120.0 * (1.0 + 0.2 * (time * 4.0).sin());
            phase = (phase + pitch / 8_000.0).fract();
            let syllable = (time * 4.0 * std::f64::consts::PI).sin().abs();
            let speaks = time.rem_euclid(3.0) < 2.2;
            let loud = if speaks { 4_000.0 * syllable } else { 8.0 };
            let buzz: f64 = (1..12)
                .map(|k| (phase * f64::from(k) * std::f64::consts::TAU).sin() / f64::from(k))
                .sum();
            (loud * buzz) as i16
        });
        let mut payload = [0; 160];
        encoder.encode(&frame, &mut payload);
        payload
    }
}
