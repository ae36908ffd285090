//! A telephone's sound on its line, 20 ms at a time. The telephone itself speaks and hears at 8 kHz.

use conclave_media::{Codec, Decoder, Encoder};

use crate::{g711::Law, sipp::Offer};

/// Samples of a frame that stand for one at 8 kHz in Opus.
const SIX: usize = 6;

pub(crate) enum Sound {
    G711(Law),
    Opus {
        encoder: Box<dyn Encoder>,
        decoder: Box<dyn Decoder>,
        last: f32,
    },
}

impl Default for Sound {
    fn default() -> Self {
        Self::G711(Law::default())
    }
}

impl Sound {
    pub(crate) fn of(offer: Offer) -> Self {
        match offer {
            Offer::Early | Offer::Delayed => Self::G711(Law::Mu),
            Offer::ALaw => Self::G711(Law::A),
            Offer::Opus => Self::Opus {
                encoder: Codec::Opus.encoder(),
                decoder: Codec::Opus.decoder(),
                last: 0.0,
            },
        }
    }

    pub(crate) fn payload_type(&self) -> u8 {
        match self {
            Self::G711(law) => law.payload_type(),
            Self::Opus { .. } => 111,
        }
    }

    /// Units of the RTP clock in a sample at 8 kHz.
    pub(crate) fn units(&self) -> u32 {
        match self {
            Self::G711(_) => 1,
            Self::Opus { .. } => SIX as u32,
        }
    }

    pub(crate) fn encode(&mut self, frame: [i16; 160]) -> Vec<u8> {
        match self {
            Self::G711(law) => frame.map(|sample| law.encode(sample)).to_vec(),
            Self::Opus { encoder, last, .. } => {
                let mut samples = Vec::with_capacity(160 * SIX);
                for sample in frame.map(f32::from) {
                    let step = (sample - *last) / SIX as f32;
                    samples.extend((1..=SIX).map(|n| (*last + step * n as f32) as i16));
                    *last = sample;
                }
                let mut payload = vec![0; 1_275];
                let length = encoder.encode(&samples, &mut payload);
                payload.truncate(length);
                payload
            }
        }
    }

    pub(crate) fn decode(&mut self, payload: &[u8]) -> Vec<i16> {
        match self {
            Self::G711(law) => payload.iter().map(|byte| law.decode(*byte)).collect(),
            Self::Opus { decoder, .. } => {
                let mut samples = [0; 160 * SIX];
                assert_eq!(decoder.decode(payload, &mut samples), samples.len());
                let mean = |six: &[i16]| six.iter().map(|s| i32::from(*s)).sum::<i32>() / 6;
                samples.chunks(SIX).map(|six| mean(six) as i16).collect()
            }
        }
    }
}
