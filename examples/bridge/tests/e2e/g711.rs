//! μ-law by the formula of ITU-T G.711, apart from the bridge's own tables: the measure must not share a fault
//! with what it measures.

pub(crate) fn decode(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = (((i16::from(byte & 0x0f) << 3) + 0x84) << (byte >> 4 & 7)) - 0x84;
    if byte & 0x80 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

pub(crate) fn encode(sample: i16) -> u8 {
    let magnitude = (i32::from(sample).abs() + 0x84).min(0x7fff);
    let exponent = 31 - (magnitude as u32).leading_zeros() - 7;
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !(u8::from(sample < 0) << 7 | (exponent as u8) << 4 | mantissa as u8)
}

#[test]
fn what_is_encoded_comes_back() {
    for byte in 0..=255u8 {
        assert_eq!(decode(encode(decode(byte))), decode(byte), "{byte:#x}");
    }
}
