//! What comes in on one call: packets, what is missing, gaps and jitter.

use std::time::{Duration, Instant};

use conclave_media::RtpPacket;

use crate::{TICK, histogram::Histogram};

/// A stream while it is measured.
#[derive(Default)]
pub(crate) struct Stream {
    first: Option<u16>,
    /// Sequence numbers since the first, around 16 bits.
    span: u64,
    last: u16,
    arrived: Option<Instant>,
    pub(crate) packets: u64,
    pub(crate) longest_gap: Duration,
    /// Of arrivals against the ticks of 20 ms, smoothed as RFC 3550 section 6.4.1 does.
    pub(crate) jitter: Duration,
}

impl Stream {
    pub(crate) fn take(&mut self, packet: &RtpPacket<'_>, now: Instant, gaps: &mut Histogram) {
        let sequence = packet.sequence();
        self.packets += 1;
        if self.first.is_none() {
            self.first = Some(sequence);
            self.last = sequence;
            self.span = 1;
        } else {
            let ahead = sequence.wrapping_sub(self.last);
            if ahead < 0x8000 {
                self.span += u64::from(ahead);
                self.last = sequence;
            }
        }
        if let Some(before) = self.arrived.replace(now) {
            let gap = now - before;
            gaps.add(gap);
            self.longest_gap = self.longest_gap.max(gap);
            let off = gap.abs_diff(TICK);
            self.jitter = self.jitter + off / 16 - self.jitter / 16;
        }
    }

    /// Packets that the sequence numbers speak of and that didn't come.
    pub(crate) fn lost(&self) -> u64 {
        self.span.saturating_sub(self.packets)
    }
}

#[cfg(test)]
mod tests {
    use conclave_media::RtpWriter;

    use super::*;

    #[test]
    fn what_is_lost_and_late_is_seen() {
        let mut writer = RtpWriter::new(1, u16::MAX - 1, 0);
        let (mut stream, mut gaps) = (Stream::default(), Histogram::default());
        let began = Instant::now();
        for n in 0..6_u32 {
            let mut packet = [0; 32];
            let length = writer.write(0, false, 160, &[0xFF], &mut packet).unwrap();
            if n == 2 {
                continue;
            }
            let late = Duration::from_millis(if n == 5 { 45 } else { 0 });
            let packet = RtpPacket::parse(&packet[..length]).unwrap();
            stream.take(&packet, began + TICK * n + late, &mut gaps);
        }
        assert_eq!((stream.packets, stream.lost()), (5, 1));
        assert_eq!(stream.longest_gap, Duration::from_millis(65));
        assert_eq!(gaps.count(), 4);
        assert!(stream.jitter > Duration::from_millis(2));
    }
}
