//! One Ogg Opus stream (RFC 7845): 48 kHz, one channel, 20 ms at a time.

use std::io::{self, Write};

use ogg::{PacketWriteEndInfo, PacketWriter};
use opus::{Application, Bitrate, Channels, Encoder};

use crate::FRAME;

/// Frames on a page: what a crash can lose waits no longer than half a second.
const PAGE: u64 = 25;
/// Frames of silence that the encoder is given before it is spared the rest: its decoder has faded out by then.
const FADED: u32 = 10;
/// The most frames that one packet may hold: 120 ms (RFC 6716, section 3.2.5).
const PACKED: u64 = 6;
/// More than any packet of 20 ms is.
const LONGEST_PACKET: usize = 1_276;

/// How a stream is encoded and what is written at its head.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// Bits a second, 6,000 to 510,000; about nothing in silence.
    pub bitrate: u32,
    /// What the processor may spend on the sound, 0 to 10.
    pub complexity: u8,
    /// Tells the stream from others; any number does.
    pub serial: u32,
    /// `NAME=value` lines (RFC 7845, section 5.2.3). Players show them: no secret belongs there.
    pub comments: Vec<(String, String)>,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            bitrate: 32_000,
            complexity: 6,
            serial: 1,
            comments: Vec::new(),
        }
    }
}

/// Writes a stream, page by page. Each page is flushed, and a stream that is cut after any byte behind its head plays to there.
///
/// ```
/// use conclave_record::{FRAME, OggOpus, StreamSettings};
///
/// let mut file = Vec::new();
/// let mut stream = OggOpus::new(&mut file, &StreamSettings::default())?;
/// for n in 0..50 {
///     let tone = |i: usize| (3_000.0 * ((n * FRAME + i) as f64 / 20.0).sin()) as i16;
///     stream.write(&std::array::from_fn(tone))?;
/// }
/// stream.silence(50 * 60)?; // a minute of it takes 5 KB
/// stream.finish()?;
/// assert!(file.starts_with(b"OggS") && file.len() < 12_000);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct OggOpus<W: Write> {
    pages: PacketWriter<'static, W>,
    coder: Coder,
    serial: u32,
    pre_skip: u64,
    /// Frames that were taken, and of them those that stand in packets already.
    taken: u64,
    packed: u64,
    /// Frames on pages that are full.
    paged: u64,
    /// Frames of silence in a row.
    silent: u32,
}

struct Coder {
    encoder: Encoder,
    /// The first byte of the last packet: how its frames are coded (RFC 6716, section 3.1).
    toc: u8,
}

impl<W: Write> std::fmt::Debug for OggOpus<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OggOpus")
            .field("frames", &self.taken)
            .finish_non_exhaustive()
    }
}

impl<W: Write> OggOpus<W> {
    /// Writes the head of a stream, and flushes it.
    ///
    /// # Errors
    /// What `out` says.
    pub fn new(out: W, settings: &StreamSettings) -> io::Result<Self> {
        let mut encoder = encoder(settings).map_err(io::Error::other)?;
        let pre_skip = encoder.get_lookahead().map_err(io::Error::other)?;
        let pre_skip = u16::try_from(pre_skip).map_err(io::Error::other)?;
        let mut stream = Self {
            pages: PacketWriter::new(out),
            coder: Coder { encoder, toc: 0 },
            serial: settings.serial,
            pre_skip: pre_skip.into(),
            taken: 0,
            packed: 0,
            paged: 0,
            silent: 0,
        };
        let end = PacketWriteEndInfo::EndPage;
        stream.packet(head(pre_skip), end, 0)?;
        stream.packet(tags(&settings.comments), end, 0)?;
        stream.pages.inner_mut().flush()?;
        Ok(stream)
    }

    /// Frames taken so far.
    pub fn frames(&self) -> u64 {
        self.taken
    }

    /// Where the pages go.
    pub fn get_ref(&self) -> &W {
        self.pages.inner()
    }

    /// The next 20 ms.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&mut self, frame: &[i16; FRAME]) -> io::Result<()> {
        if frame.iter().all(|sample| *sample == 0) {
            return self.silence(1);
        }
        self.pack_silence()?;
        self.silent = 0;
        self.encode(frame)
    }

    /// So many frames in which nothing is to be heard: a few bytes a second.
    ///
    /// # Errors
    /// What the writer says.
    pub fn silence(&mut self, mut frames: u64) -> io::Result<()> {
        while frames > 0 && self.silent < FADED {
            self.silent += 1;
            frames -= 1;
            self.encode(&[0; FRAME])?;
        }
        while frames > 0 {
            let now = frames.min(PACKED - (self.taken - self.packed));
            self.taken += now;
            frames -= now;
            if self.taken - self.packed == PACKED || self.taken - self.paged >= PAGE {
                self.pack_silence()?;
            }
        }
        Ok(())
    }

    /// Ends the stream: to the sample where what it was given ends.
    ///
    /// # Errors
    /// What the writer says.
    pub fn finish(mut self) -> io::Result<W> {
        self.pack_silence()?;
        let end = self.pre_skip + self.taken * FRAME as u64;
        // The encoder is behind by what is skipped at the beginning: that comes out with one frame more.
        let packet = self.coder.code(&[0; FRAME])?;
        self.packet(packet, PacketWriteEndInfo::EndStream, end)?;
        self.pages.inner_mut().flush()?;
        Ok(self.pages.into_inner())
    }

    fn encode(&mut self, frame: &[i16; FRAME]) -> io::Result<()> {
        let packet = self.coder.code(frame)?;
        self.taken += 1;
        self.put(packet, 1)
    }

    /// Writes the silence that was taken last, as frames without a byte: to a decoder they are a pause in the transmission.
    fn pack_silence(&mut self) -> io::Result<()> {
        let config = self.coder.toc & !3;
        match self.taken - self.packed {
            0 => Ok(()),
            1 => self.put(vec![config], 1),
            frames => self.put(vec![config | 3, frames as u8], frames),
        }
    }

    fn put(&mut self, packet: Vec<u8>, frames: u64) -> io::Result<()> {
        self.packed += frames;
        let full = self.packed - self.paged >= PAGE;
        let info = if full {
            PacketWriteEndInfo::EndPage
        } else {
            PacketWriteEndInfo::NormalPacket
        };
        self.packet(packet, info, self.packed * FRAME as u64)?;
        if full {
            self.paged = self.packed;
            self.pages.inner_mut().flush()?;
        }
        Ok(())
    }

    fn packet(&mut self, packet: Vec<u8>, info: PacketWriteEndInfo, at: u64) -> io::Result<()> {
        self.pages.write_packet(packet, self.serial, info, at)
    }
}

impl Coder {
    fn code(&mut self, frame: &[i16; FRAME]) -> io::Result<Vec<u8>> {
        let packet = self.encoder.encode_vec(frame, LONGEST_PACKET);
        let packet = packet.map_err(io::Error::other)?;
        self.toc = packet.first().copied().unwrap_or(self.toc);
        Ok(packet)
    }
}

fn encoder(settings: &StreamSettings) -> opus::Result<Encoder> {
    let mut encoder = Encoder::new(48_000, Channels::Mono, Application::Audio)?;
    let bitrate = settings.bitrate.clamp(6_000, 510_000);
    encoder.set_bitrate(Bitrate::Bits(bitrate as i32))?;
    encoder.set_complexity(i32::from(settings.complexity.min(10)))?;
    encoder.set_vbr(true)?;
    Ok(encoder)
}

/// RFC 7845, section 5.1.
fn head(pre_skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend(pre_skip.to_le_bytes());
    head.extend(48_000_u32.to_le_bytes());
    head.extend([0, 0, 0]); // no gain; one stream, mono
    head
}

/// RFC 7845, section 5.2.
fn tags(comments: &[(String, String)]) -> Vec<u8> {
    let mut tags = b"OpusTags".to_vec();
    let text = |text: &str, tags: &mut Vec<u8>| {
        tags.extend((text.len() as u32).to_le_bytes());
        tags.extend(text.as_bytes());
    };
    text(opus::version(), &mut tags);
    tags.extend((comments.len() as u32).to_le_bytes());
    for (name, value) in comments {
        text(&format!("{name}={value}"), &mut tags);
    }
    tags
}
