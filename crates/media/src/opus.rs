//! Opus (RFC 6716) as RTP carries it (RFC 7587), by libopus: 48 kHz, one channel.

use std::any::Any;

use ::opus::{Application, Bandwidth, Bitrate, Channels, packet};

use crate::codec::{Codec, Decoder, Encoder};

const RATE: u32 = Codec::Opus.sample_rate();
/// 20 ms.
const FRAME: usize = Codec::Opus.frame_samples();
/// Losses are filled in steps of 2.5 ms.
const STEP: usize = FRAME / 8;
/// Frames that an encoder hears before it goes on in another one's place.
const REPEATED: usize = 2;
/// More than any packet of one frame is (RFC 6716, section 3.2.1, and the byte before it).
const LONGEST_PACKET: usize = 1_276;

/// How an Opus encoder works. Who hears the same under the same settings can share a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpusSettings {
    /// Bits a second, 6,000 to 510,000: the mean, without the headers of the network.
    pub bitrate: u32,
    /// What the processor may spend on the sound, 0 to 10.
    pub complexity: u8,
    /// Packets in a hundred that are expected to be lost. The more they are, the better a packet tells again what the one
    /// before it said (in-band FEC); at 0 it doesn't.
    pub expected_loss: u8,
    /// Sends next to nothing in silence (DTX).
    pub dtx: bool,
    /// All packets of one length.
    pub cbr: bool,
    /// The highest rate at which the peer can play, in Hz: what is above its half isn't sent.
    pub playback_rate: u32,
}

impl Default for OpusSettings {
    fn default() -> Self {
        Self {
            bitrate: 32_000,
            complexity: 5,
            expected_loss: 5,
            dtx: false,
            cbr: false,
            playback_rate: RATE,
        }
    }
}

impl OpusSettings {
    /// The same, as far as the peer wishes.
    #[must_use]
    pub fn within(self, wishes: OpusWishes) -> Self {
        Self {
            bitrate: self.bitrate.min(wishes.max_average_bitrate),
            complexity: self.complexity,
            expected_loss: if wishes.fec { self.expected_loss } else { 0 },
            dtx: self.dtx && wishes.dtx,
            cbr: self.cbr || wishes.cbr,
            playback_rate: self.playback_rate.min(wishes.max_playback_rate),
        }
    }
}

/// What one end of a call wants to be sent, as `fmtp` says it (RFC 7587, section 6.1).
///
/// ```
/// use conclave_media::OpusWishes;
///
/// let wishes = OpusWishes::parse("maxplaybackrate=16000; useinbandfec=1; stereo=0");
/// assert_eq!((wishes.max_playback_rate, wishes.fec), (16_000, true));
/// assert_eq!(wishes.to_string(), "maxplaybackrate=16000;useinbandfec=1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpusWishes {
    /// The rate in Hz above which it can play nothing.
    pub max_playback_rate: u32,
    /// Bits a second, as a mean.
    pub max_average_bitrate: u32,
    /// It makes use of in-band FEC.
    pub fec: bool,
    /// It prefers that nothing is sent in silence.
    pub dtx: bool,
    /// It prefers packets of one length.
    pub cbr: bool,
}

impl Default for OpusWishes {
    /// Of a peer that says nothing.
    fn default() -> Self {
        Self {
            max_playback_rate: RATE,
            max_average_bitrate: 510_000,
            fec: false,
            dtx: false,
            cbr: false,
        }
    }
}

impl OpusWishes {
    /// Reads the parameters of an `fmtp`; what is unknown or out of range says nothing.
    pub fn parse(parameters: &str) -> Self {
        let mut wishes = Self::default();
        let pairs = parameters.split(';').filter_map(|p| p.split_once('='));
        for (name, value) in pairs {
            let Ok(value) = value.trim().parse::<u32>() else {
                continue;
            };
            match name.trim().to_ascii_lowercase().as_str() {
                "maxplaybackrate" if value >= 8_000 => wishes.max_playback_rate = value.min(RATE),
                "maxaveragebitrate" if value >= 6_000 => {
                    wishes.max_average_bitrate = value.min(510_000);
                }
                "useinbandfec" => wishes.fec = value == 1,
                "usedtx" => wishes.dtx = value == 1,
                "cbr" => wishes.cbr = value == 1,
                _ => {}
            }
        }
        wishes
    }
}

impl std::fmt::Display for OpusWishes {
    /// The parameters that differ from what silence says.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unsaid = Self::default();
        let mut between = "";
        let mut say = |name: &str, value: u32, said: bool| {
            if !said {
                return Ok(());
            }
            write!(f, "{}{name}={value}", std::mem::replace(&mut between, ";"))
        };
        let (rate, bits) = (self.max_playback_rate, self.max_average_bitrate);
        say("maxplaybackrate", rate, rate != unsaid.max_playback_rate)?;
        say(
            "maxaveragebitrate",
            bits,
            bits != unsaid.max_average_bitrate,
        )?;
        say("useinbandfec", 1, self.fec)?;
        say("usedtx", 1, self.dtx)?;
        say("cbr", 1, self.cbr)
    }
}

/// How many samples a packet decodes to; `None` where its first bytes are none of a packet.
pub(crate) fn samples_in(packet: &[u8]) -> Option<usize> {
    packet::get_nb_samples(packet, RATE).ok()
}

/// An encoder for one stream, 20 ms at a time.
///
/// libopus doesn't tell its state: to go on in another encoder's place, this one begins anew with what that one heard last.
pub(crate) struct OpusEncoder {
    coder: ::opus::Encoder,
    recent: [[i16; FRAME]; REPEATED],
    /// The next frame comes after `recent` ones that another encoder made packets of.
    goes_on: bool,
    /// The next frame leans on none before it.
    alone: bool,
}

impl OpusEncoder {
    pub(crate) fn new(settings: OpusSettings) -> Self {
        Self {
            coder: coder(settings).expect("libopus knows these settings"),
            recent: [[0; FRAME]; REPEATED],
            goes_on: false,
            alone: false,
        }
    }

    fn code(&mut self, frame: &[i16], out: &mut [u8]) -> ::opus::Result<usize> {
        if std::mem::take(&mut self.goes_on) {
            self.coder.reset_state()?;
            let mut unheard = [0; LONGEST_PACKET];
            for frame in &self.recent {
                self.coder.encode(frame, &mut unheard)?;
            }
        }
        let alone = std::mem::take(&mut self.alone);
        self.coder.set_prediction_disabled(alone)?;
        self.coder.encode(frame, out)
    }
}

fn coder(settings: OpusSettings) -> ::opus::Result<::opus::Encoder> {
    let mut coder = ::opus::Encoder::new(RATE, Channels::Mono, Application::Voip)?;
    let bitrate = settings.bitrate.clamp(6_000, 510_000);
    let loss = i32::from(settings.expected_loss.min(100));
    coder.set_bitrate(Bitrate::Bits(bitrate as i32))?;
    coder.set_complexity(i32::from(settings.complexity.min(10)))?;
    coder.set_packet_loss_perc(loss)?;
    coder.set_inband_fec(loss > 0)?;
    coder.set_dtx(settings.dtx)?;
    coder.set_vbr(!settings.cbr)?;
    coder.set_max_bandwidth(match settings.playback_rate {
        0..12_000 => Bandwidth::Narrowband,
        12_000..16_000 => Bandwidth::Mediumband,
        16_000..24_000 => Bandwidth::Wideband,
        24_000..48_000 => Bandwidth::Superwideband,
        _ => Bandwidth::Fullband,
    })?;
    Ok(coder)
}

impl Encoder for OpusEncoder {
    fn encode(&mut self, frame: &[i16], out: &mut [u8]) -> usize {
        let Some(frame) = frame.first_chunk::<FRAME>() else {
            return 0;
        };
        let length = self.code(frame, out).unwrap_or(0);
        self.recent.rotate_left(1);
        self.recent[REPEATED - 1] = *frame;
        length
    }

    fn go_on_as(&mut self, other: &dyn Encoder) {
        if let Some(other) = other.as_any().downcast_ref::<Self>() {
            self.recent = other.recent;
            self.goes_on = true;
        }
    }

    fn welcome(&mut self) {
        self.alone = true;
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A decoder for one leg.
pub(crate) struct OpusDecoder(::opus::Decoder);

impl OpusDecoder {
    pub(crate) fn new() -> Self {
        Self(::opus::Decoder::new(RATE, Channels::Mono).expect("libopus knows this rate"))
    }
}

impl Decoder for OpusDecoder {
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        let Some(samples) = samples_in(payload).filter(|samples| *samples <= out.len()) else {
            return 0;
        };
        // What turns out to be broken is as good as lost.
        let heard = self.0.decode(payload, out, false);
        heard.unwrap_or_else(|_| {
            if self.conceal(&mut out[..samples]) {
                samples
            } else {
                0
            }
        })
    }

    fn conceal(&mut self, out: &mut [i16]) -> bool {
        // At most a packet's length at once.
        !out.is_empty()
            && out.len().is_multiple_of(STEP)
            && out
                .chunks_mut(3 * FRAME)
                .all(|part| self.0.decode(&[], part, false).is_ok())
    }

    fn recover(&mut self, next: &[u8], out: &mut [i16]) -> bool {
        samples_in(next) == Some(out.len()) && self.0.decode(next, out, true).is_ok()
    }
}
