use std::any::Any;

use crate::{
    g711, g722,
    opus::{self, OpusSettings},
};

/// The audio codecs of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// ITU-T G.711 µ-law, 8 kHz.
    Pcmu,
    /// ITU-T G.711 A-law, 8 kHz.
    Pcma,
    /// ITU-T G.722 at 64 kbit/s, 16 kHz.
    G722,
    /// Opus (RFC 6716), 48 kHz, in one channel whatever its name in SDP says.
    Opus,
}

/// The longest packet that is taken, in milliseconds.
const LONGEST_PACKET_MS: usize = 60;

impl Codec {
    /// The encoding name in SDP's `rtpmap` (RFC 3551 section 6, RFC 7587 section 7); compare without case.
    pub const fn rtpmap_name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Opus => "opus",
        }
    }

    /// The number of channels in SDP's `rtpmap`: Opus has two there, always (RFC 7587, section 7).
    pub const fn rtpmap_channels(self) -> u8 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 1,
            Codec::Opus => 2,
        }
    }

    /// The payload type that RFC 3551 gives it, where it gives one.
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Pcmu => Some(0),
            Codec::Pcma => Some(8),
            Codec::G722 => Some(9),
            Codec::Opus => None,
        }
    }

    /// The codec that RFC 3551 gives this payload type.
    pub const fn from_static_payload_type(payload_type: u8) -> Option<Codec> {
        match payload_type {
            0 => Some(Codec::Pcmu),
            8 => Some(Codec::Pcma),
            9 => Some(Codec::G722),
            _ => None,
        }
    }

    /// Units of the RTP timestamp in a second. G.722's are half of its samples, by an error of RFC 1890 that RFC 3551
    /// (section 4.5.2) keeps.
    pub const fn clock_rate(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8000,
            Codec::Opus => 48_000,
        }
    }

    /// Samples in a second.
    pub const fn sample_rate(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma => 8000,
            Codec::G722 => 16_000,
            Codec::Opus => 48_000,
        }
    }

    /// Samples in a frame of 20 ms.
    pub const fn frame_samples(self) -> usize {
        self.sample_rate() as usize / 50
    }

    /// The most bytes that a packet of up to 60 ms may carry.
    pub const fn max_payload(self) -> usize {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8 * LONGEST_PACKET_MS,
            // No more fits into a datagram that no network takes apart.
            Codec::Opus => 1_500,
        }
    }

    /// How many bytes may wait in a jitter buffer: 400 ms of G.711, and more than half a second of Opus at 128 kbit/s.
    pub(crate) const fn max_waiting(self) -> usize {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 3_200,
            Codec::Opus => 9_600,
        }
    }

    /// How many samples `payload` decodes to; `None` if it is empty, longer than 60 ms or malformed.
    pub fn samples_in(self, payload: &[u8]) -> Option<usize> {
        if !(1..=self.max_payload()).contains(&payload.len()) {
            return None;
        }
        match self {
            Codec::Pcmu | Codec::Pcma => Some(payload.len()),
            Codec::G722 => Some(2 * payload.len()),
            Codec::Opus => {
                let longest = self.sample_rate() as usize / 1_000 * LONGEST_PACKET_MS;
                opus::samples_in(payload).filter(|samples| *samples <= longest)
            }
        }
    }

    /// Whether a packet may tell what the one before it said.
    pub(crate) const fn tells_again(self) -> bool {
        matches!(self, Codec::Opus)
    }

    /// Whether a payload is nothing but the codec's zero, as a muted telephone sends it. A-law has no zero; its least value above
    /// stands for one, and is what zeros are encoded to.
    pub(crate) fn is_zeros(self, payload: &[u8]) -> bool {
        match self {
            // There is a zero of either sign.
            Codec::Pcmu => payload.iter().fold(0x7F, |all, code| all & code) == 0x7F,
            Codec::Pcma => payload.iter().fold(0, |any, code| any | code ^ 0xD5) == 0,
            Codec::G722 | Codec::Opus => false,
        }
    }

    /// Whether a payload says that its sender goes on with silence: no more than Opus's first byte, or one more of padding.
    pub(crate) const fn is_silence(self, payload: &[u8]) -> bool {
        matches!(self, Codec::Opus) && payload.len() <= 2
    }

    /// Whether what is encoded or decoded depends on what was before: a listener can't go from one encoder's stream to
    /// another's without [care](Encoder::go_on_as).
    pub const fn has_memory(self) -> bool {
        match self {
            Codec::Pcmu | Codec::Pcma => false,
            Codec::G722 | Codec::Opus => true,
        }
    }

    /// Equipment impairment (Ie) and robustness against packet loss (Bpl), from ITU-T G.113 appendix I:
    /// G.711 with concealment. On this narrowband scale a wideband codec has nothing to lose against it.
    pub(crate) const fn impairment(self) -> (f64, f64) {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 | Codec::Opus => (0.0, 25.1),
        }
    }

    /// A decoder for one leg.
    pub fn decoder(self) -> Box<dyn Decoder> {
        match self {
            Codec::Pcmu => Box::new(g711::ULaw),
            Codec::Pcma => Box::new(g711::ALaw),
            Codec::G722 => Box::new(g722::G722Decoder::new()),
            Codec::Opus => Box::new(opus::OpusDecoder::new()),
        }
    }

    /// An encoder for one stream.
    pub fn encoder(self) -> Box<dyn Encoder> {
        self.encoder_with(OpusSettings::default())
    }

    /// An encoder for one stream that heeds these settings where it is one of Opus.
    pub fn encoder_with(self, settings: OpusSettings) -> Box<dyn Encoder> {
        match self {
            Codec::Pcmu => Box::new(g711::ULaw),
            Codec::Pcma => Box::new(g711::ALaw),
            Codec::G722 => Box::new(g722::G722Encoder::new()),
            Codec::Opus => Box::new(opus::OpusEncoder::new(settings)),
        }
    }
}

/// Makes samples of payloads, in playout order. Neither panics nor allocates, whatever the bytes are.
pub trait Decoder: Send {
    /// Decodes as much of `payload` as `out` has room for; returns the samples written.
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize;

    /// Fills `out` with what goes on from the samples decoded last, in place of a loss; false if the codec has no way of
    /// its own to do so, or none for so many samples.
    fn conceal(&mut self, _out: &mut [i16]) -> bool {
        false
    }

    /// Whether what was decoded or concealed last is known to be nothing but zeros.
    fn gave_zeros(&self) -> bool {
        false
    }

    /// Fills `out`, the time of one lost packet, with what the `next` one tells of it (in-band FEC), or with something
    /// that leads over to it; false if the codec's packets don't speak of the ones before.
    fn recover(&mut self, _next: &[u8], _out: &mut [i16]) -> bool {
        false
    }
}

/// Makes payloads of samples. Does not allocate.
pub trait Encoder: Send {
    /// Encodes as much of `frame` as `out` has room for; returns the bytes written.
    fn encode(&mut self, frame: &[i16], out: &mut [u8]) -> usize;

    /// Goes on where another encoder of the same codec stands, so that a decoder that heard that one up to here can hear
    /// this one from here on. An encoder of another codec, or one without memory, changes nothing.
    fn go_on_as(&mut self, other: &dyn Encoder);

    /// Lets the next frame be one that a decoder which heard another encoder so far follows with the least harm, as far as the
    /// codec knows such frames.
    fn welcome(&mut self) {}

    /// For [`go_on_as`](Self::go_on_as) to find its like.
    fn as_any(&self) -> &dyn Any;
}
