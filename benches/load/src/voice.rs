//! What the calls say, encoded once for all of them, and the mark by which a sound is found again.

use std::f32::consts::TAU;

use conclave_media::Codec;

/// How long the loop of speech is, in frames: ten seconds.
const FRAMES: usize = 500;
/// The loudest sample of a mark. Those of speech stay far below, so that no sum of it is taken for one.
const MARK: i16 = 30_000;
/// From here on a sample is a mark's.
const HEARD: i16 = 18_000;
/// How loud one talker may be at most.
const LOUDEST: f32 = 3_000.0;
/// How loud all talkers of a room may be in their root of squares.
const ROOM: f32 = 12_000.0;

/// Payloads of one frame each.
pub(crate) struct Voice {
    pub(crate) silence: Vec<u8>,
    /// A loop.
    pub(crate) speech: Vec<Vec<u8>>,
    /// A frame that begins with a click, and is silent otherwise.
    pub(crate) mark: Vec<u8>,
}

impl Voice {
    /// For rooms in which so many talk at a time.
    pub(crate) fn new(codec: Codec, talkers: usize) -> Self {
        let samples = codec.frame_samples();
        let silence = vec![0; samples];
        let mut mark = silence.clone();
        let click = codec.sample_rate() as usize / 2_000;
        mark[..click].fill(MARK);
        mark[click..2 * click].fill(-MARK);
        let loudness = LOUDEST.min(ROOM / (talkers.max(1) as f32).sqrt());
        let speech = speech(codec.sample_rate() as f32, samples * FRAMES, loudness);
        let mut encoder = codec.encoder();
        let mut encode = |frame: &[i16]| {
            let mut payload = vec![0; codec.max_payload()];
            let length = encoder.encode(frame, &mut payload);
            payload.truncate(length);
            payload
        };
        Self {
            silence: encode(&silence),
            speech: speech.chunks(samples).map(&mut encode).collect(),
            mark: encode(&mark),
        }
    }
}

/// Something with the ways of speech: a pitch that moves, formants, syllables and pauses, and noise between.
fn speech(rate: f32, samples: usize, loudness: f32) -> Vec<i16> {
    let mut phase = 0.0_f32;
    let mut noise = 1_u32;
    (0..samples)
        .map(|n| {
            let t = n as f32 / rate;
            phase = (phase + (130.0 + 25.0 * (TAU * 0.7 * t).sin()) / rate).fract();
            let voiced: f32 = (1..=12)
                .map(|harmonic| (TAU * phase * harmonic as f32).sin() / harmonic as f32)
                .sum();
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = (noise >> 16) as f32 / 32_768.0 - 1.0;
            let syllable = (TAU * 2.1 * t).sin().max(0.0);
            // Two seconds of talk and one of pause.
            let talks = if t % 3.0 < 2.0 { 1.0 } else { 0.0 };
            (loudness * talks * syllable * (0.45 * voiced + 0.05 * hiss)) as i16
        })
        .collect()
}

/// Where in these samples a mark begins.
pub(crate) fn mark_in(samples: &[i16]) -> Option<usize> {
    samples
        .iter()
        .position(|sample| sample.unsigned_abs() > HEARD.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_where_it_is_and_nowhere_in_speech() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let voice = Voice::new(codec, 3);
            let mut decoder = codec.decoder();
            let mut frame = vec![0; codec.frame_samples()];
            let mut found = |payload: &[u8]| {
                assert_eq!(decoder.decode(payload, &mut frame), frame.len());
                mark_in(&frame)
            };
            assert_eq!(found(&voice.mark), Some(0));
            assert_eq!(found(&voice.silence), None);
            assert!(voice.speech.iter().all(|payload| found(payload).is_none()));
            let loud = voice
                .speech
                .iter()
                .filter(|payload| **payload != voice.silence);
            assert!(loud.count() > FRAMES / 4, "it says something");
        }
    }
}
