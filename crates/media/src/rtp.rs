/// Bytes of the RTP header that [`RtpWriter`] writes.
pub const HEADER_LEN: usize = 12;

/// A checked view of a received RTP packet (RFC 3550 section 5.1): version, padding, header
/// extension and contributing sources are accounted for, and the payload is what is left.
///
/// ```
/// use conclave_media::RtpPacket;
/// let datagram = [0x80, 0x80, 0, 7, 0, 0, 0, 160, 0, 0, 0, 9, 0xFF, 0xFF];
/// let packet = RtpPacket::parse(&datagram).unwrap();
/// assert_eq!((packet.payload_type(), packet.marker(), packet.sequence()), (0, true, 7));
/// assert_eq!(packet.payload(), [0xFF, 0xFF]);
/// assert!(RtpPacket::parse(b"noise").is_err());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RtpPacket<'a> {
    payload_type: u8,
    marker: bool,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: &'a [u8],
}

/// The datagram is no RTP packet.
#[derive(Debug, thiserror::Error)]
#[error("not an RTP packet: {0}")]
pub struct RtpError(rtp_types::RtpParseError);

impl<'a> RtpPacket<'a> {
    /// Reads the header of `datagram`.
    ///
    /// # Errors
    /// [`RtpError`] if the version is not 2 or what the header announces does not fit the length.
    pub fn parse(datagram: &'a [u8]) -> Result<RtpPacket<'a>, RtpError> {
        let packet = rtp_types::RtpPacket::parse(datagram).map_err(RtpError)?;
        let start = packet.payload_offset();
        Ok(RtpPacket {
            payload_type: packet.payload_type(),
            marker: packet.marker_bit(),
            sequence: packet.sequence_number(),
            timestamp: packet.timestamp(),
            ssrc: packet.ssrc(),
            payload: datagram
                .get(start..start + packet.payload_len())
                .unwrap_or_default(),
        })
    }

    /// 0 to 127.
    pub const fn payload_type(&self) -> u8 {
        self.payload_type
    }

    /// The marker bit: for audio the first packet of a talkspurt.
    pub const fn marker(&self) -> bool {
        self.marker
    }

    /// One more for each packet, around 16 bits.
    pub const fn sequence(&self) -> u16 {
        self.sequence
    }

    /// When the payload's first sample was taken, in units of the codec's clock rate, around 32 bits.
    pub const fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// The synchronisation source: which stream this is.
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The payload without padding; may be empty.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// Writes the packets of one outgoing stream: one SSRC, one unbroken sequence.
#[derive(Clone, Debug)]
pub struct RtpWriter {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    packets: u32,
    octets: u32,
}

impl RtpWriter {
    /// A stream that begins at these values, which RFC 3550 section 5.1 wants to be random.
    pub const fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        RtpWriter {
            ssrc,
            sequence,
            timestamp,
            packets: 0,
            octets: 0,
        }
    }

    /// Writes the next packet to `out` and returns its length, or `None` (and nothing is used up) if
    /// `out` is shorter than [`HEADER_LEN`] plus the payload.
    ///
    /// The packet carries the timestamp of now; `timestamp_step`, the time that this payload
    /// covers in units of the clock rate, is added after it, for the next one.
    pub fn write(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp_step: u32,
        payload: &[u8],
        out: &mut [u8],
    ) -> Option<usize> {
        let length = HEADER_LEN + payload.len();
        let (header, body) = out.get_mut(..length)?.split_at_mut(HEADER_LEN);
        header[0] = 2 << 6;
        header[1] = u8::from(marker) << 7 | payload_type & 0x7F;
        header[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        header[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        header[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        body.copy_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload.len() as u32);
        self.skip(timestamp_step);
        Some(length)
    }

    /// Time passes without a packet (while the peer holds the line): the next packet's timestamp is
    /// later by `timestamp_step`, its sequence number follows on.
    pub const fn skip(&mut self, timestamp_step: u32) {
        self.timestamp = self.timestamp.wrapping_add(timestamp_step);
    }

    /// The stream's synchronisation source.
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The timestamp that the next packet will carry.
    pub const fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Packets written, around 32 bits, as sender reports have it.
    pub const fn packets(&self) -> u32 {
        self.packets
    }

    /// Payload bytes written, around 32 bits, as sender reports have it.
    pub const fn octets(&self) -> u32 {
        self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = RtpWriter::new(0xDEAD_BEEF, 0xFFFF, u32::MAX - 79);
        let mut out = [0; 64];
        assert_eq!(
            writer.write(0x65, true, 160, &[1, 2, 3], &mut out),
            Some(15)
        );
        let packet = RtpPacket::parse(&out[..15]).unwrap();
        assert_eq!(packet.payload_type(), 0x65);
        assert!(packet.marker());
        assert_eq!(
            (packet.sequence(), packet.timestamp()),
            (0xFFFF, u32::MAX - 79)
        );
        assert_eq!(
            (packet.ssrc(), packet.payload()),
            (0xDEAD_BEEF, &[1, 2, 3][..])
        );
        assert_eq!(writer.write(0, false, 160, &[], &mut out), Some(12));
        let packet = RtpPacket::parse(&out[..12]).unwrap();
        assert_eq!((packet.sequence(), packet.timestamp()), (0, 80));
        assert_eq!((writer.packets(), writer.octets()), (2, 3));
        assert_eq!(writer.write(0, false, 160, &[0; 60], &mut out), None);
        assert_eq!(writer.packets(), 2);
    }

    #[test]
    fn padding_extension_and_sources_are_no_payload() {
        let datagram = [
            &[0xB1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3][..], // padding, extension, one CSRC
            &[9, 9, 9, 9],                                // the CSRC
            &[0xBE, 0xDE, 0, 1, 1, 2, 3, 4],              // an extension of one word
            &[42, 0, 0, 3],                               // payload, then three of padding
        ]
        .concat();
        assert_eq!(RtpPacket::parse(&datagram).unwrap().payload(), [42]);
        for length in 0..datagram.len() {
            if let Ok(packet) = RtpPacket::parse(&datagram[..length]) {
                assert!(packet.payload().len() <= length);
            }
        }
        let mut old = datagram.clone();
        old[0] = 0x71;
        assert!(RtpPacket::parse(&old).is_err());
    }
}
