//! G.722 against another implementation: FFmpeg 5.1's, of the same samples and of the same bytes.
//!
//! `vectors/ffmpeg.g722` was made of `sweep()` by `ffmpeg -f s16le -ar 16000 -ac 1 -i sweep.raw -c:a g722 ffmpeg.g722`, and
//! [`DECODED`] is of what `ffmpeg -f g722 -i ffmpeg.g722 -f s16le` gave.

use conclave_media::Codec;

const CODED: &[u8] = include_bytes!("vectors/ffmpeg.g722");
const DECODED: u64 = 0x99d9_0073_059a_d0ad;

/// A second at 16 kHz: triangles that rise through the whole band, loud and soft, with noise.
fn sweep() -> Vec<i16> {
    let (mut phase, mut noise) = (0_u32, 1_u32);
    (0..16_000_u32)
        .map(|n| {
            phase = phase.wrapping_add((n % 8_000 * 4 + 20) << 16);
            let triangle = ((phase >> 15) as i32 - 65_536).abs() - 32_768;
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = (noise >> 16) as i32 - 32_768;
            let sum = if n < 8_000 {
                triangle * 3 / 4 + hiss / 64
            } else {
                triangle / 32 + hiss / 512
            };
            sum as i16
        })
        .collect()
}

/// FNV-1a.
fn hash(samples: &[i16]) -> u64 {
    let bytes = samples.iter().flat_map(|sample| sample.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[test]
fn what_is_coded_is_ffmpegs_to_the_bit() {
    let mut coded = vec![0; 8_000];
    let mut encoder = Codec::G722.encoder();
    for (frame, payload) in sweep().chunks(320).zip(coded.chunks_mut(160)) {
        assert_eq!(encoder.encode(frame, payload), 160);
    }
    assert_eq!(coded, CODED);
}

#[test]
fn what_is_decoded_is_ffmpegs_to_the_bit() {
    let mut decoder = Codec::G722.decoder();
    let mut decoded = vec![0; 16_000];
    for (payload, frame) in CODED.chunks(160).zip(decoded.chunks_mut(320)) {
        assert_eq!(decoder.decode(payload, frame), 320);
    }
    assert_eq!(hash(&decoded), DECODED);
}
