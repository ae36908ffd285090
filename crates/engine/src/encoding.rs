//! What several listeners hear alike is encoded once.

use conclave_media::{Codec, Encoder};

/// More than any codec makes of 20 ms (Opus: 1,275 bytes).
pub(crate) const LONGEST_PAYLOAD: usize = 1_300;

/// One stream of audio in each codec that somebody listens in; each frame is encoded when the first
/// listener of its tick asks.
#[derive(Default)]
pub(crate) struct SharedEncoding {
    codecs: Vec<Encoded>,
}

struct Encoded {
    codec: Codec,
    encoder: Box<dyn Encoder>,
    tick: Option<u64>,
    length: usize,
    bytes: Box<[u8]>,
}

impl SharedEncoding {
    /// The payload of the frame of `tick`, which must be the same for all who ask.
    pub(crate) fn payload(&mut self, codec: Codec, tick: u64, frame: &[i16]) -> &[u8] {
        let place = match self.codecs.iter().position(|e| e.codec == codec) {
            Some(place) => place,
            None => {
                self.codecs.push(Encoded {
                    codec,
                    encoder: codec.encoder(),
                    tick: None,
                    length: 0,
                    bytes: vec![0; LONGEST_PAYLOAD].into(),
                });
                self.codecs.len() - 1
            }
        };
        let encoded = &mut self.codecs[place];
        if encoded.tick != Some(tick) {
            encoded.length = encoded.encoder.encode(frame, &mut encoded.bytes);
            encoded.tick = Some(tick);
        }
        &encoded.bytes[..encoded.length]
    }
}
