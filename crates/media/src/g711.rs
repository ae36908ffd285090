//! ITU-T G.711, by arithmetic that the compiler does for several samples at once, where a table would take them one by one, and for
//! encoding half of the processor's nearest cache. The rules are those of the ITU's reference
//! software (G.191): a decoded sample encodes to the code that it came from, except that µ-law's
//! negative zero (0x7F) decodes to 0, which encodes to positive zero (0xFF).

use std::any::Any;

use multiversion::multiversion;

use crate::codec::{Decoder, Encoder};

/// The µ-law codec; it has no state.
pub(crate) struct ULaw;
/// The A-law codec; it has no state.
pub(crate) struct ALaw;

impl Decoder for ULaw {
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        map(payload, out, ulaw_decode)
    }
}

impl Encoder for ULaw {
    fn encode(&mut self, frame: &[i16], out: &mut [u8]) -> usize {
        map(frame, out, ulaw_encode)
    }

    fn go_on_as(&mut self, _: &dyn Encoder) {}

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Decoder for ALaw {
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        map(payload, out, alaw_decode)
    }
}

impl Encoder for ALaw {
    fn encode(&mut self, frame: &[i16], out: &mut [u8]) -> usize {
        map(frame, out, alaw_encode)
    }

    fn go_on_as(&mut self, _: &dyn Encoder) {}

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn map<A: Copy, B>(input: &[A], out: &mut [B], convert: impl Fn(A) -> B) -> usize {
    for (to, &from) in out.iter_mut().zip(input) {
        *to = convert(from);
    }
    input.len().min(out.len())
}

/// The middle of what encodes to so many segments and steps, in the range of 16 bit: [`segment_and_step`] backwards.
fn middle_of(segments_and_steps: u8) -> i16 {
    let exponent = 127 + 7;
    let half_a_step = 1 << 18;
    let bits = (u32::from(segments_and_steps) << 19) + (exponent << 23) + half_a_step;
    // With so much added its lowest bits are the integer.
    (f32::from_bits(bits) + 12_582_912.0).to_bits() as i16
}

fn ulaw_decode(code: u8) -> i16 {
    let magnitude = middle_of(!code & 0x7F) - 4 * 33;
    if code < 0x80 { -magnitude } else { magnitude }
}

fn alaw_decode(code: u8) -> i16 {
    let bits = (code ^ 0x55) & 0x7F;
    // The least 16 steps are as wide as those of the next segment.
    let magnitude = if bits < 16 {
        (i16::from(bits) << 4) + 8
    } else {
        middle_of(bits)
    };
    if code < 0x80 { -magnitude } else { magnitude }
}

/// The exponent and four more bits of a number, which is what both laws keep of it: 16 for each doubling, from 2 ^ `from` on.
fn segment_and_step(magnitude: i16, from: u32) -> i32 {
    ((f32::from(magnitude).to_bits() >> 19) as i32) - ((127 + from as i32) << 4)
}

/// What is left of a sample, negative ones by their one's complement, as G.191 does.
fn magnitude(sample: i16, bits: u32) -> i16 {
    let sample = sample >> (16 - bits);
    sample ^ (sample >> 15)
}

/// µ-law sees 14 bits.
fn ulaw_encode(sample: i16) -> u8 {
    let biased = (magnitude(sample, 14) + 33).min(0x1FFF);
    let code = 0x7F - segment_and_step(biased, 5);
    code as u8 | positive(sample)
}

/// A-law sees 12 bits, and takes the least 16 steps as they are.
fn alaw_encode(sample: i16) -> u8 {
    let magnitude = magnitude(sample, 12);
    let code = if magnitude < 16 {
        i32::from(magnitude)
    } else {
        segment_and_step(magnitude, 3)
    };
    (code as u8 | positive(sample)) ^ 0x55
}

/// The sign's bit.
const fn positive(sample: i16) -> u8 {
    !(sample >> 15) as u8 & 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_encoded_as_the_reference_does() {
        let (ulaw, alaw) = (linear_to_ulaw_table(), linear_to_alaw_table());
        // All at once, as it is only then that the processor takes several together.
        let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let [mut by_ulaw, mut by_alaw] = [(); 2].map(|()| vec![0; samples.len()]);
        ULaw.encode(&samples, &mut by_ulaw);
        ALaw.encode(&samples, &mut by_alaw);
        for (n, &sample) in samples.iter().enumerate() {
            assert_eq!(
                by_ulaw[n],
                ulaw[usize::from(sample as u16 >> 2)],
                "{sample}"
            );
            assert_eq!(
                by_alaw[n],
                alaw[usize::from(sample as u16 >> 4)],
                "{sample}"
            );
            let mut alone = [0; 2];
            ULaw.encode(&[sample], &mut alone[..1]);
            ALaw.encode(&[sample], &mut alone[1..]);
            assert_eq!(alone, [by_ulaw[n], by_alaw[n]], "{sample}");
        }
    }

    #[test]
    fn every_code_is_decoded_as_the_reference_does() {
        let codes: Vec<u8> = (0..=u8::MAX).collect();
        let [mut by_ulaw, mut by_alaw] = [(); 2].map(|()| vec![0; codes.len()]);
        ULaw.decode(&codes, &mut by_ulaw);
        ALaw.decode(&codes, &mut by_alaw);
        for (n, &code) in codes.iter().enumerate() {
            assert_eq!(by_ulaw[n], ulaw_to_linear(code), "{code}");
            assert_eq!(by_alaw[n], alaw_to_linear(code), "{code}");
            let mut alone = [0; 2];
            ULaw.decode(&[code], &mut alone[..1]);
            ALaw.decode(&[code], &mut alone[1..]);
            assert_eq!(alone, [by_ulaw[n], by_alaw[n]], "{code}");
        }
    }

    fn ulaw_to_linear(code: u8) -> i16 {
        let inverted = !i32::from(code);
        let exponent = (inverted >> 4) & 7;
        let step = 8 << exponent;
        let magnitude = (0x80 << exponent) + step * (inverted & 0xF) + step / 2 - 4 * 33;
        (if code < 0x80 { -magnitude } else { magnitude }) as i16
    }

    fn alaw_to_linear(code: u8) -> i16 {
        let bits = i32::from(code ^ 0x55);
        let (exponent, mantissa) = ((bits >> 4) & 7, bits & 0xF);
        let magnitude = match exponent {
            0 => (mantissa << 4) + 8,
            _ => (((mantissa + 16) << 4) + 8) << (exponent - 1),
        };
        (if code < 0x80 { -magnitude } else { magnitude }) as i16
    }

    fn linear_to_ulaw_table() -> [u8; 1 << 14] {
        let mut table = [0; 1 << 14];
        let mut index = 0;
        while index < table.len() {
            // The 14-bit sample; negative ones by their one's complement, as G.191 does.
            let negative = index >= 1 << 13;
            let magnitude = if negative {
                (1 << 14) - 1 - index
            } else {
                index
            };
            let biased = if magnitude + 33 > 0x1FFF {
                0x1FFF
            } else {
                magnitude + 33
            };
            let mut segment = 1;
            while biased >> (segment + 5) != 0 {
                segment += 1;
            }
            let code = ((8 - segment) << 4) | (0xF - ((biased >> segment) & 0xF));
            table[index] = if negative {
                code as u8
            } else {
                code as u8 | 0x80
            };
            index += 1;
        }
        table
    }

    fn linear_to_alaw_table() -> [u8; 1 << 12] {
        let mut table = [0; 1 << 12];
        let mut index = 0;
        while index < table.len() {
            let negative = index >= 1 << 11;
            let mut code = if negative {
                (1 << 12) - 1 - index
            } else {
                index
            };
            if code > 15 {
                let mut exponent = 1;
                while code > 31 {
                    code >>= 1;
                    exponent += 1;
                }
                code = code - 16 + (exponent << 4);
            }
            table[index] = (if negative {
                code as u8
            } else {
                code as u8 | 0x80
            }) ^ 0x55;
            index += 1;
        }
        table
    }

    fn check_round_trip(mut codec: impl Encoder + Decoder, differs: &[u8]) {
        for code in 0..=255u8 {
            let (mut sample, mut again) = ([0i16], [0u8]);
            codec.decode(&[code], &mut sample);
            codec.encode(&sample, &mut again);
            assert_eq!(
                again[0] == code,
                !differs.contains(&code),
                "{code:#x} -> {sample:?} -> {again:?}"
            );
        }
    }

    #[test]
    fn decoded_samples_encode_to_their_code() {
        check_round_trip(ULaw, &[0x7F]);
        check_round_trip(ALaw, &[]);
    }

    #[test]
    fn values_of_the_recommendation() {
        // G.711 tables 1a to 2b, in 16 bits: full scale, smallest steps.
        let decode = |codec: &mut dyn Decoder, code| {
            let mut out = [0];
            codec.decode(&[code], &mut out);
            out[0]
        };
        for (code, sample) in [
            (0x80, 32124),
            (0x00, -32124),
            (0xFF, 0),
            (0xFE, 8),
            (0x7E, -8),
            (0xEF, 132),
        ] {
            assert_eq!(decode(&mut ULaw, code), sample, "µ-law {code:#x}");
        }
        for (code, sample) in [
            (0xAA, 32256),
            (0x2A, -32256),
            (0xD5, 8),
            (0x55, -8),
            (0xD4, 24),
            (0xC5, 264),
        ] {
            assert_eq!(decode(&mut ALaw, code), sample, "A-law {code:#x}");
        }
    }

    #[test]
    fn no_sample_is_further_from_its_code_than_half_a_step() {
        for sample in i16::MIN..=i16::MAX {
            let (mut code, mut near) = ([0], [0]);
            ULaw.encode(&[sample], &mut code);
            ULaw.decode(&code, &mut near);
            let magnitude = i32::from(sample).abs();
            let allowed = if magnitude > 32124 {
                1024
            } else {
                4 + (magnitude + 132) / 32
            };
            assert!(
                (i32::from(near[0]) - i32::from(sample)).abs() <= allowed,
                "µ-law {sample} {near:?}"
            );
            ALaw.encode(&[sample], &mut code);
            ALaw.decode(&code, &mut near);
            let allowed = if magnitude > 32256 {
                1024
            } else {
                8 + magnitude / 32
            };
            assert!(
                (i32::from(near[0]) - i32::from(sample)).abs() <= allowed,
                "A-law {sample} {near:?}"
            );
        }
    }
}
