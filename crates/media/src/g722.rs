//! ITU-T G.722 at 64 kbit/s: 16 kHz audio in two bands of 8 kHz each, split by a quadrature mirror filter and coded
//! by an adaptive predictor and quantiser each, 6 bits for the lower and 2 for the higher band.
//!
//! Names in the comments are those of the blocks in the recommendation (sections 3 to 6), whose arithmetic is
//! followed bit for bit. RTP counts its clock at 8,000 Hz all the same (RFC 3551, section 4.5.2).

use std::any::Any;

use crate::codec::{Decoder, Encoder};

/// Half of the mirror filter's 24 coefficients; the other half is the same backwards. Their sum is 4,096.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];

/// Decision levels of the lower band's quantiser (table 14).
const Q6: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940,
    1_023, 1_121, 1_219, 1_339, 1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];
/// Output levels of the lower band's quantiser with four bits, by which the predictor learns, and with all six.
const QM4: [i32; 16] = [
    0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288,
    4_240, 2_584, 1_200, 0,
];
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192,
    -10_232, -9_360, -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008,
    -3_576, -3_168, -2_776, -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008,
    16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000,
    5_456, 4_944, 4_464, 4_008, 3_576, 3_168, 2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432,
    136, -432, -136,
];
/// Output levels of the higher band.
const QM2: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];
/// How the logarithm of the scale moves with each code, in the lower and in the higher band.
const WL: [i32; 16] = [
    -60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60,
];
const WH: [i32; 4] = [798, -214, 798, -214];
/// Powers of two by steps of a 32nd, 2,048 being one.
const ILB: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656,
    2_714, 2_774, 2_834, 2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520,
    3_597, 3_676, 3_756, 3_838, 3_922, 4_008,
];

/// What tells the lower band from the higher one.
struct Limits {
    /// The scale at the beginning.
    scale: i32,
    /// The largest logarithm of the scale.
    most: i32,
    /// The logarithm at which [`ILB`] is the scale itself.
    shift: i32,
}

const LOW: Limits = Limits {
    scale: 32,
    most: 18_432,
    shift: 8,
};
const HIGH: Limits = Limits {
    scale: 8,
    most: 22_528,
    shift: 10,
};

/// One band's predictor and scale, which encoder and decoder keep alike.
#[derive(Clone)]
struct Band {
    /// The quantiser's scale (DETL, DETH) and its logarithm (NBL, NBH).
    scale: i32,
    log: i32,
    /// The prediction (SL, SH), and the part of it that its zeroes make (SZL, SZH).
    prediction: i32,
    zeroes: i32,
    /// The two pole and six zero coefficients.
    a: [i32; 2],
    b: [i32; 6],
    /// The latest differences, newest first, and what was reconstructed of them.
    d: [i32; 6],
    r: [i32; 2],
    /// Signs of the latest partial reconstructions.
    p: [bool; 2],
}

impl Band {
    const fn new(limits: &Limits) -> Self {
        Self {
            scale: limits.scale,
            log: 0,
            prediction: 0,
            zeroes: 0,
            a: [0; 2],
            b: [0; 6],
            d: [0; 6],
            r: [0; 2],
            p: [false; 2],
        }
    }

    /// Takes the next quantised difference, and moves the scale's logarithm by `step`.
    fn learn(&mut self, difference: i32, step: i32, limits: &Limits) {
        // LOGSCL, SCALEL and their like of the higher band.
        self.log = (((self.log * 127) >> 7) + step).clamp(0, limits.most);
        let power = ILB[(self.log >> 6 & 31) as usize];
        let down = limits.shift - (self.log >> 11);
        self.scale = if down < 0 {
            power << -down
        } else {
            power >> down
        } << 2;

        // RECONS, PARREC.
        let reconstructed = saturate(self.prediction + difference);
        let negative = saturate(self.zeroes + difference) < 0;
        // UPPOL2, UPPOL1.
        let first = saturate(self.a[0] << 2);
        let toward = if negative == self.p[0] { -first } else { first }.min(32_767);
        let second = if negative == self.p[1] { 128 } else { -128 };
        let second = (second + (toward >> 7) + ((self.a[1] * 32_512) >> 15)).clamp(-12_288, 12_288);
        let first = if negative == self.p[0] { 192 } else { -192 };
        let most = saturate(15_360 - second);
        let first = saturate(first + ((self.a[0] * 32_640) >> 15)).clamp(-most, most);
        self.a = [first, second];
        // UPZERO.
        let step = if difference == 0 { 0 } else { 128 };
        for (b, d) in self.b.iter_mut().zip(&self.d) {
            let toward = if (*d < 0) == (difference < 0) {
                step
            } else {
                -step
            };
            *b = saturate(toward + ((*b * 32_640) >> 15));
        }
        // DELAYA.
        self.d.copy_within(..5, 1);
        self.d[0] = difference;
        self.r = [reconstructed, self.r[0]];
        self.p = [negative, self.p[0]];
        // FILTEP, FILTEZ, PREDIC.
        let product = |coefficient: i32, value: i32| (coefficient * saturate(value + value)) >> 15;
        let poles = saturate(product(self.a[0], self.r[0]) + product(self.a[1], self.r[1]));
        let zeroes: i32 = self
            .b
            .iter()
            .zip(&self.d)
            .map(|(b, d)| product(*b, *d))
            .sum();
        self.zeroes = saturate(zeroes);
        self.prediction = saturate(poles + self.zeroes);
    }
}

/// Both bands and the memory of the mirror filter.
#[derive(Clone)]
struct State {
    low: Band,
    high: Band,
    filter: [i32; 24],
}

impl State {
    const fn new() -> Self {
        Self {
            low: Band::new(&LOW),
            high: Band::new(&HIGH),
            filter: [0; 24],
        }
    }

    /// Takes two values in and gives the filter's two sums.
    fn filter(&mut self, two: [i32; 2]) -> [i32; 2] {
        self.filter.copy_within(2.., 0);
        self.filter[22..].copy_from_slice(&two);
        let (mut even, mut odd) = (0, 0);
        for (n, pair) in self.filter.as_chunks::<2>().0.iter().enumerate() {
            even += pair[0] * QMF[n];
            odd += pair[1] * QMF[11 - n];
        }
        [even, odd]
    }

    /// What both bands learn of a code, however it came about.
    fn learn(&mut self, code: u8) {
        let low = usize::from(code >> 2 & 15);
        let difference = (self.low.scale * QM4[low]) >> 15;
        self.low.learn(difference, WL[low], &LOW);
        let high = usize::from(code >> 6);
        let difference = (self.high.scale * QM2[high]) >> 15;
        self.high.learn(difference, WH[high], &HIGH);
    }
}

const fn saturate(value: i32) -> i32 {
    if value > 32_767 {
        32_767
    } else if value < -32_768 {
        -32_768
    } else {
        value
    }
}

/// An encoder for one stream, 16 kHz in.
pub(crate) struct G722Encoder(State);

impl G722Encoder {
    pub(crate) const fn new() -> Self {
        Self(State::new())
    }

    fn code(&mut self, two: [i16; 2]) -> u8 {
        let state = &mut self.0;
        let [odd, even] = state.filter(two.map(i32::from));
        let (low, high) = ((even + odd) >> 14, (even - odd) >> 14);
        // SUBTRA, QUANTL: between the codes' ends lie 29 levels for each sign.
        let error = saturate(low - state.low.prediction);
        let size = if error < 0 { !error } else { error };
        let level = (1..30).find(|&n| size < (Q6[n] * state.low.scale) >> 12);
        let level = level.unwrap_or(30) as u8;
        let low = match (error < 0, level) {
            (false, level) => 62 - level,
            (true, 1) => 63,
            (true, 2) => 62,
            (true, level) => 34 - level,
        };
        // SUBTRA, QUANTH.
        let error = saturate(high - state.high.prediction);
        let size = if error < 0 { !error } else { error };
        let large = size >= (564 * state.high.scale) >> 12;
        let high = match (error < 0, large) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        let code = high << 6 | low;
        state.learn(code);
        code
    }
}

impl Encoder for G722Encoder {
    fn encode(&mut self, frame: &[i16], out: &mut [u8]) -> usize {
        let pairs = frame.as_chunks::<2>().0;
        let count = pairs.len().min(out.len());
        for (byte, two) in out.iter_mut().zip(pairs) {
            *byte = self.code(*two);
        }
        count
    }

    fn go_on_as(&mut self, other: &dyn Encoder) {
        if let Some(other) = other.as_any().downcast_ref::<Self>() {
            self.0.clone_from(&other.0);
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A decoder for one leg, 16 kHz out.
pub(crate) struct G722Decoder(State);

impl G722Decoder {
    pub(crate) const fn new() -> Self {
        Self(State::new())
    }

    fn samples(&mut self, code: u8) -> [i16; 2] {
        let state = &mut self.0;
        // INVQBL, RECONS, LIMIT, and the higher band's.
        let fine = (state.low.scale * QM6[usize::from(code & 63)]) >> 15;
        let low = (state.low.prediction + fine).clamp(-16_384, 16_383);
        let coarse = (state.high.scale * QM2[usize::from(code >> 6)]) >> 15;
        let high = (state.high.prediction + coarse).clamp(-16_384, 16_383);
        state.learn(code);
        let [second, first] = state.filter([low + high, low - high]);
        [first, second].map(|sum| saturate(sum >> 11) as i16)
    }
}

impl Decoder for G722Decoder {
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        let pairs = out.as_chunks_mut::<2>().0;
        let count = pairs.len().min(payload.len());
        for (two, code) in pairs.iter_mut().zip(payload) {
            *two = self.samples(*code);
        }
        2 * count
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use crate::Codec;

    /// Sines of these frequencies and levels (full scale is 0 dB), one after the other for 200 ms each.
    fn sines(of: &[(f64, f64)]) -> Vec<i16> {
        let sine = |&(hz, level): &(f64, f64)| {
            let loud = 32_767.0 * 10_f64.powf(level / 20.0);
            (0..3_200).map(move |n| (loud * (TAU * hz * f64::from(n) / 16_000.0).sin()) as i16)
        };
        of.iter().flat_map(sine).collect()
    }

    fn coded(samples: &[i16]) -> Vec<u8> {
        let mut bytes = vec![0; samples.len() / 2];
        assert_eq!(G722Encoder::new().encode(samples, &mut bytes), bytes.len());
        bytes
    }

    fn decoded(bytes: &[u8]) -> Vec<i16> {
        let mut samples = vec![0; bytes.len() * 2];
        assert_eq!(
            G722Decoder::new().decode(bytes, &mut samples),
            samples.len()
        );
        samples
    }

    /// In dB, of what comes out against what it differs by from what went in 22 samples before.
    fn signal_to_noise(sent: &[i16], got: &[i16]) -> f64 {
        let (mut signal, mut noise) = (0.0, 0.0);
        for (sent, got) in sent.iter().zip(&got[22..]) {
            signal += f64::from(*sent).powi(2);
            noise += (f64::from(*sent) - f64::from(*got)).powi(2);
        }
        10.0 * (signal / noise).log10()
    }

    #[test]
    fn what_is_coded_is_heard_again() {
        let check = |hz: f64, level: f64, at_least: f64| {
            let sent = sines(&[(hz, level)]);
            let ratio = signal_to_noise(&sent, &decoded(&coded(&sent)));
            assert!(ratio > at_least, "{hz} Hz at {level} dB: {ratio:.1} dB");
        };
        check(300.0, -10.0, 25.0);
        check(1_000.0, -10.0, 25.0);
        check(1_000.0, -40.0, 25.0);
        check(3_000.0, -20.0, 25.0);
        check(6_000.0, -20.0, 12.0);
        check(1_000.0, -1.0, 25.0);
    }

    #[test]
    fn silence_is_silent() {
        let loudest = decoded(&coded(&[0; 640])).iter().map(|s| s.abs()).max();
        assert!(loudest <= Some(8), "{loudest:?}");
    }

    /// Any bytes are a payload; the worst of them stay within 16 bits and let the decoder recover.
    #[test]
    fn noise_is_survived() {
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(200_000)
        .collect();
        let mut decoder = Codec::G722.decoder();
        let mut frame = [0; 320];
        for payload in noise.chunks(160) {
            decoder.decode(payload, &mut frame);
        }
        let loud = (0..20_000).map(|n| if n / 3 % 2 == 0 { i16::MAX } else { i16::MIN });
        coded(&loud.collect::<Vec<_>>());
        let sent = sines(&[(500.0, -12.0), (500.0, -12.0)]);
        let got: Vec<i16> = coded(&sent)
            .chunks(160)
            .flat_map(|payload| {
                decoder.decode(payload, &mut frame);
                frame
            })
            .collect();
        assert!(signal_to_noise(&sent[3_200..], &got[3_200..]) > 25.0);
    }

    #[test]
    fn another_encoder_goes_on_where_one_stands() {
        let sent = sines(&[(700.0, -9.0), (1_900.0, -15.0)]);
        let whole = coded(&sent);
        let (mut first, mut second) = (G722Encoder::new(), G722Encoder::new());
        let mut bytes = vec![0; whole.len()];
        let (before, after) = bytes.split_at_mut(whole.len() / 3);
        first.encode(&sent[..2 * before.len()], before);
        second.encode(&sent[3_000..], &mut vec![0; 900]);
        second.go_on_as(&first);
        second.go_on_as(&*Codec::Pcmu.encoder());
        second.encode(&sent[2 * before.len()..], after);
        assert_eq!(bytes, whole);
    }

    /// Who has listened to one encoder can go over to another that has heard the same for half a second.
    #[test]
    fn from_one_encoder_to_another_that_hears_the_same() {
        let same = sines(&[(350.0, -20.0), (800.0, -14.0), (500.0, -26.0)]);
        let next = sines(&[(620.0, -18.0)]);
        let after = |mut one: G722Encoder, mut other: G722Encoder| {
            let mut decoder = G722Decoder::new();
            let (mut bytes, mut frame) = ([0; 160], [0; 320]);
            for frame in same.chunks(320) {
                one.encode(frame, &mut [0; 160]);
                other.encode(frame, &mut [0; 160]);
            }
            decoder.0.clone_from(&one.0);
            // The mirror filter's memory is the listener's own.
            decoder.0.filter = [0; 24];
            let mut got = Vec::new();
            for sent in next.chunks(320) {
                other.encode(sent, &mut bytes);
                decoder.decode(&bytes, &mut frame);
                got.extend_from_slice(&frame);
            }
            signal_to_noise(&next[100..1_500], &got[100..1_600])
        };
        let fresh = G722Encoder::new;
        let elsewhere = |hz: f64, level: f64| {
            let mut encoder = fresh();
            encoder.encode(&sines(&[(hz, level)]), &mut [0; 1_600]);
            encoder
        };
        let direct = after(fresh(), fresh());
        let gone_over = after(elsewhere(440.0, -3.0), elsewhere(2_500.0, -30.0));
        assert!(
            direct > 40.0 && gone_over > 30.0,
            "{direct:.1} dB, {gone_over:.1} dB"
        );
    }
}
