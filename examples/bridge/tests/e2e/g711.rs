//! G.711 by the formulas of the ITU-T, apart from the bridge's own tables: the measure must not share a fault
//! with what it measures.

#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) enum Law {
    #[default]
    Mu,
    A,
}

impl Law {
    pub(crate) fn payload_type(self) -> u8 {
        match self {
            Law::Mu => 0,
            Law::A => 8,
        }
    }

    pub(crate) fn decode(self, byte: u8) -> i16 {
        let (positive, magnitude) = match self {
            Law::Mu => {
                let byte = !byte;
                let magnitude = (((i16::from(byte & 0x0f) << 3) + 0x84) << (byte >> 4 & 7)) - 0x84;
                (byte & 0x80 == 0, magnitude)
            }
            Law::A => {
                let byte = byte ^ 0x55;
                let (exponent, mantissa) = (byte >> 4 & 7, i16::from(byte & 0x0f) << 4);
                let magnitude = match exponent {
                    0 => mantissa + 8,
                    _ => (mantissa + 0x108) << (exponent - 1),
                };
                (byte & 0x80 != 0, magnitude)
            }
        };
        if positive { magnitude } else { -magnitude }
    }

    pub(crate) fn encode(self, sample: i16) -> u8 {
        match self {
            Law::Mu => {
                let magnitude = (i32::from(sample).abs() + 0x84).min(0x7fff);
                let exponent = 31 - (magnitude as u32).leading_zeros() - 7;
                let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
                !(u8::from(sample < 0) << 7 | (exponent as u8) << 4 | mantissa as u8)
            }
            Law::A => {
                let magnitude = i32::from(sample).abs().min(0x7fff);
                let exponent = (31 - (magnitude as u32 | 1).leading_zeros()).saturating_sub(7);
                let mantissa = (magnitude >> (exponent.max(1) + 3)) & 0x0f;
                (u8::from(sample >= 0) << 7 | (exponent as u8) << 4 | mantissa as u8) ^ 0x55
            }
        }
    }
}

#[test]
fn what_is_encoded_comes_back() {
    for law in [Law::Mu, Law::A] {
        for byte in 0..=255u8 {
            let sample = law.decode(byte);
            assert_eq!(law.decode(law.encode(sample)), sample, "{law:?} {byte:#x}");
        }
    }
}
