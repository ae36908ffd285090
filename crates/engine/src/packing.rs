//! Packets of another length than a tick's.

use conclave_media::Codec;

use crate::LegMedia;

/// The longest packet: 60 ms.
const MOST_FRAMES: usize = 3;
/// 20 ms of any codec whose payloads may be cut and put together: all of them have 64 kbit/s.
const FRAME: usize = 160;

/// Cuts the frames of 20 ms in halves, or puts two or three together.
pub(crate) struct Packing {
    /// Of a packet.
    ms: u8,
    frames: usize,
    length: usize,
    bytes: [u8; MOST_FRAMES * FRAME],
}

impl Packing {
    /// What this leg needs; nothing where a packet is a frame.
    pub(crate) fn of(media: &LegMedia) -> Option<Box<Self>> {
        let ms = match media.ptime.as_millis() {
            0..20 => 10,
            20..40 => 20,
            40..60 => 40,
            60.. => 60,
        };
        let whole = match media.codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => ms == 20,
            // A packet of several Opus frames is more than their bytes side by side.
            _ => true,
        };
        (!whole).then(|| {
            Box::new(Packing {
                ms,
                frames: 0,
                length: 0,
                bytes: [0; MOST_FRAMES * FRAME],
            })
        })
    }

    /// Takes a frame's payload; gives the packets that are whole now.
    pub(crate) fn add(&mut self, payload: &[u8]) -> impl Iterator<Item = &[u8]> {
        let payload = &payload[..payload.len().min(FRAME)];
        self.bytes[self.length..][..payload.len()].copy_from_slice(payload);
        self.length += payload.len();
        self.frames += 1;
        let whole = self.frames * 20 >= usize::from(self.ms);
        let (length, part) = match (whole, self.ms) {
            (false, _) => (0, 1),
            (true, 10) => (self.length, self.length.div_ceil(2).max(1)),
            (true, _) => (self.length, self.length.max(1)),
        };
        if whole {
            (self.frames, self.length) = (0, 0);
        }
        self.bytes[..length].chunks(part)
    }

    /// Units of the timestamp in a packet, of so many in a frame.
    pub(crate) const fn units(&self, of_frame: u32) -> u32 {
        of_frame * self.ms as u32 / 20
    }

    /// Forgets what waits; units of the timestamp that it had.
    pub(crate) const fn drop_waiting(&mut self, of_frame: u32) -> u32 {
        let frames = self.frames as u32;
        (self.frames, self.length) = (0, 0);
        frames * of_frame
    }
}
