//! A telephone's sound on its line, 20 ms at a time. The telephone itself speaks and hears at 8 kHz.

use conclave_media::{Codec, Decoder, Encoder};

use crate::{g711::Law, sipp::Offer};

pub(crate) enum Sound {
    G711(Law),
    Wide {
        codec: Codec,
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
            Offer::G722 => Self::wide(Codec::G722),
            Offer::Opus => Self::wide(Codec::Opus),
        }
    }

    fn wide(codec: Codec) -> Self {
        Self::Wide {
            codec,
            encoder: codec.encoder(),
            decoder: codec.decoder(),
            last: 0.0,
        }
    }

    pub(crate) fn payload_type(&self) -> u8 {
        match self {
            Self::G711(law) => law.payload_type(),
            Self::Wide { codec, .. } => codec.static_payload_type().unwrap_or(111),
        }
    }

    /// Units of the RTP clock in a sample at 8 kHz.
    pub(crate) fn units(&self) -> u32 {
        match self {
            Self::G711(_) => 1,
            Self::Wide { codec, .. } => codec.clock_rate() / 8_000,
        }
    }

    pub(crate) fn encode(&mut self, frame: [i16; 160]) -> Vec<u8> {
        match self {
            Self::G711(law) => frame.map(|sample| law.encode(sample)).to_vec(),
            Self::Wide {
                codec,
                encoder,
                last,
                ..
            } => {
                // Samples that stand for one at 8 kHz.
                let times = codec.frame_samples() / 160;
                let mut samples = Vec::with_capacity(160 * times);
                for sample in frame.map(f32::from) {
                    let step = (sample - *last) / times as f32;
                    samples.extend((1..=times).map(|n| (*last + step * n as f32) as i16));
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
            Self::Wide { codec, decoder, .. } => {
                let mut samples = vec![0; codec.frame_samples()];
                assert_eq!(decoder.decode(payload, &mut samples), samples.len());
                let times = samples.len() / 160;
                let mean = |part: &[i16]| {
                    let sum: i32 = part.iter().map(|s| i32::from(*s)).sum();
                    (sum / times as i32) as i16
                };
                samples.chunks(times).map(mean).collect()
            }
        }
    }
}
