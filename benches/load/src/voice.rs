//! What the calls say, encoded once for all of them, and the mark by which a sound is found again.

use std::{f32::consts::TAU, time::Duration};

use conclave_media::{Codec, Encoder, OpusSettings};

/// How long the loop of speech is, in frames: ten seconds.
const FRAMES: usize = 500;
/// The loudest sample of a mark. Those of speech stay far below, so that no sum of it is taken for one.
const MARK: i16 = 30_000;
/// From here on a sample is a mark's.
const HEARD: i16 = 18_000;
/// Frames of silence after which a codec with a memory has nothing else in it.
const SETTLING: usize = 50;
/// How loud one talker may be at most.
const LOUDEST: f32 = 3_000.0;
/// How loud all talkers of a room may be in their root of squares.
const ROOM: f32 = 12_000.0;

/// Payloads of one frame each.
pub(crate) struct Voice {
    /// Loops: one frame, or with DTX what is sent of twenty, and nothing for the others.
    pub(crate) silence: Vec<Vec<u8>>,
    pub(crate) speech: Vec<Vec<u8>>,
    /// Frames of which the first begins with a mark.
    pub(crate) mark: Vec<Vec<u8>>,
    /// What the codec itself adds before a mark is heard.
    pub(crate) lag: Duration,
}

impl Voice {
    /// For rooms in which so many talk at a time. With `dtx`, a codec that can sends next to nothing in silence.
    pub(crate) fn new(codec: Codec, dtx: bool, talkers: usize) -> Self {
        let samples = codec.frame_samples();
        let quiet = vec![0; samples];
        let loudness = LOUDEST.min(ROOM / (talkers.max(1) as f32).sqrt());
        let speech = speech(codec.sample_rate() as f32, samples * FRAMES, loudness);
        let mut encoder = codec.encoder();
        let marks = [mark(codec), quiet.clone()];
        let settled = std::iter::repeat_n(&quiet, SETTLING);
        let marked: Vec<_> = settled
            .chain(&marks)
            .map(|frame| payload(&mut *encoder, codec, frame))
            .collect();
        let (silence, mark) = marked.split_at(SETTLING);
        Self {
            silence: if dtx && codec == Codec::Opus {
                paused(codec)
            } else {
                vec![silence[SETTLING - 1].clone()]
            },
            speech: speech
                .chunks(samples)
                .map(|frame| payload(&mut *encoder, codec, frame))
                .collect(),
            lag: lag(codec, &marked),
            // A codec without memory has said all in the first.
            mark: mark[..if codec.has_memory() { 2 } else { 1 }].to_vec(),
        }
    }
}

fn payload(encoder: &mut dyn Encoder, codec: Codec, frame: &[i16]) -> Vec<u8> {
    let mut payload = vec![0; codec.max_payload()];
    let length = encoder.encode(frame, &mut payload);
    payload.truncate(length);
    payload
}

/// A frame that is not to be missed: a click, or for a codec that makes little of clicks a loud tone.
fn mark(codec: Codec) -> Vec<i16> {
    let mut frame = vec![0; codec.frame_samples()];
    if codec == Codec::Opus {
        for (n, sample) in frame.iter_mut().enumerate() {
            let tone = (TAU * 1_000.0 * n as f32 / codec.sample_rate() as f32).sin();
            *sample = (f32::from(MARK) * tone) as i16;
        }
    } else {
        let click = codec.sample_rate() as usize / 2_000;
        frame[..click].fill(MARK);
        frame[click..2 * click].fill(-MARK);
    }
    frame
}

/// What is sent of a silence that goes on: a packet each 400 ms (RFC 7587, section 3.1.3).
fn paused(codec: Codec) -> Vec<Vec<u8>> {
    let dtx = OpusSettings {
        dtx: true,
        ..OpusSettings::default()
    };
    let mut encoder = codec.encoder_with(dtx);
    let quiet = vec![0; codec.frame_samples()];
    let sent = (0..SETTLING)
        .map(|_| payload(&mut *encoder, codec, &quiet))
        .rfind(|payload| payload.len() > 2);
    let mut loop_of = vec![sent.unwrap_or_default()];
    loop_of.resize(20, Vec::new());
    loop_of
}

/// How long after the first sample of the mark's frame the mark is heard, by a decoder that gets it directly.
fn lag(codec: Codec, marked: &[Vec<u8>]) -> Duration {
    let mut decoder = codec.decoder();
    let mut frame = vec![0; codec.frame_samples()];
    let heard = marked.iter().enumerate().find_map(|(n, payload)| {
        let count = decoder.decode(payload, &mut frame);
        Some(n * codec.frame_samples() + mark_in(&frame[..count])?)
    });
    let samples = heard
        .unwrap_or(0)
        .saturating_sub(SETTLING * codec.frame_samples());
    Duration::from_secs(1) * samples as u32 / codec.sample_rate()
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
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::Opus] {
            let voice = Voice::new(codec, false, 3);
            let mut decoder = codec.decoder();
            let mut frame = vec![0; codec.frame_samples()];
            let mut found = |payload: &[u8]| {
                assert_eq!(decoder.decode(payload, &mut frame), frame.len());
                mark_in(&frame)
            };
            assert_eq!(found(&voice.silence[0]), None);
            let at = found(&voice.mark[0]).unwrap() as u32;
            assert_eq!(Duration::from_secs(1) * at / codec.sample_rate(), voice.lag);
            for payload in &voice.mark[1..] {
                found(payload);
            }
            for _ in 0..5 {
                assert_eq!(found(&voice.silence[0]), None);
            }
            assert!(voice.speech.iter().all(|payload| found(payload).is_none()));
            let loud = voice
                .speech
                .iter()
                .filter(|payload| **payload != voice.silence[0]);
            assert!(loud.count() > FRAMES / 4, "it says something");
        }
    }

    #[test]
    fn with_dtx_a_silence_is_one_packet_in_twenty() {
        let silence = Voice::new(Codec::Opus, true, 3).silence;
        let sent: Vec<_> = silence.iter().map(|payload| !payload.is_empty()).collect();
        assert_eq!(sent, [[true].as_slice(), &[false; 19]].concat());
    }
}
