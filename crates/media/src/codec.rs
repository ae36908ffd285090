use crate::g711;

/// The audio codecs of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// ITU-T G.711 µ-law, 8 kHz.
    Pcmu,
    /// ITU-T G.711 A-law, 8 kHz.
    Pcma,
}

/// The longest packet that is taken, in milliseconds.
const LONGEST_PACKET_MS: usize = 60;

impl Codec {
    /// The encoding name in SDP's `rtpmap` (RFC 3551 section 6), in capitals; compare without case.
    pub const fn rtpmap_name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }

    /// The payload type that RFC 3551 gives it, where it gives one.
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Pcmu => Some(0),
            Codec::Pcma => Some(8),
        }
    }

    /// The codec that RFC 3551 gives this payload type.
    pub const fn from_static_payload_type(payload_type: u8) -> Option<Codec> {
        match payload_type {
            0 => Some(Codec::Pcmu),
            8 => Some(Codec::Pcma),
            _ => None,
        }
    }

    /// Units of the RTP timestamp in a second.
    pub const fn clock_rate(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma => 8000,
        }
    }

    /// Samples in a second.
    pub const fn sample_rate(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma => 8000,
        }
    }

    /// Samples in a frame of 20 ms.
    pub const fn frame_samples(self) -> usize {
        self.sample_rate() as usize / 50
    }

    /// The most bytes that a packet of up to 60 ms may carry.
    pub const fn max_payload(self) -> usize {
        match self {
            Codec::Pcmu | Codec::Pcma => self.sample_rate() as usize * LONGEST_PACKET_MS / 1000,
        }
    }

    /// How many samples `payload` decodes to; `None` if it is empty, longer than 60 ms or malformed.
    pub fn samples_in(self, payload: &[u8]) -> Option<usize> {
        match self {
            Codec::Pcmu | Codec::Pcma => (1..=self.max_payload())
                .contains(&payload.len())
                .then_some(payload.len()),
        }
    }

    /// Equipment impairment (Ie) and robustness against packet loss (Bpl), from ITU-T G.113 appendix I:
    /// G.711 with concealment.
    pub(crate) const fn impairment(self) -> (f64, f64) {
        match self {
            Codec::Pcmu | Codec::Pcma => (0.0, 25.1),
        }
    }

    /// A decoder for one leg.
    pub fn decoder(self) -> Box<dyn Decoder> {
        match self {
            Codec::Pcmu => Box::new(g711::ULaw),
            Codec::Pcma => Box::new(g711::ALaw),
        }
    }

    /// An encoder for one stream.
    pub fn encoder(self) -> Box<dyn Encoder> {
        match self {
            Codec::Pcmu => Box::new(g711::ULaw),
            Codec::Pcma => Box::new(g711::ALaw),
        }
    }
}

/// Makes samples of payloads, in playout order. Neither panics nor allocates, whatever the bytes are.
pub trait Decoder: Send {
    /// Decodes as much of `payload` as `out` has room for; returns the samples written.
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize;
}

/// Makes payloads of samples. Does not allocate.
pub trait Encoder: Send {
    /// Encodes as much of `frame` as `out` has room for; returns the bytes written.
    fn encode(&mut self, frame: &[i16], out: &mut [u8]) -> usize;
}
