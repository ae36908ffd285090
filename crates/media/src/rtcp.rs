use core::time::Duration;

use rtcp_types::{
    Bye, Compound, CompoundBuilder, Packet, ReceiverReport, ReportBlock, ReportBlockBuilder,
    RtcpPacketWriterExt, Sdes, SdesChunk, SdesItem, SenderReport,
};

use crate::{Reception, RtpWriter};

/// Room for any report that an [`RtcpSession`] writes, in bytes.
pub const MAX_REPORT: usize = 512;
/// A longer datagram is not looked at.
const MAX_DATAGRAM: usize = 1500;
/// RFC 3550 section 6.2: the least interval; half of it before the first report.
const INTERVAL: Duration = Duration::from_secs(5);
/// e − 1.5: what timer reconsideration would shorten the interval by (section 6.3.1).
const COMPENSATION: f64 = 1.218_28;
/// A round trip beyond this is a mistake or a lie.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(10);

/// The control side of one leg (RFC 3550 section 6): says what is sent and received, hears what the peer
/// says of it.
///
/// Two members share the session, so the interval is the least one: 5 s, half of that before the
/// first report, times a random factor between 0.5 and 1.5 as section 6.3.1 has it. The random values are
/// handed in: any `u32`, evenly drawn.
///
/// ```
/// use conclave_media::{MAX_REPORT, Reception, RtcpSession, RtpWriter};
/// use std::time::Duration;
///
/// let writer = RtpWriter::new(7, 0, 0);
/// let mut rtcp = RtcpSession::new(7, "bridge@192.0.2.1", 8000, 0xEB00_0000_0000_0000, Duration::ZERO, 0);
/// let due = rtcp.next_report();
/// let mut out = [0; MAX_REPORT];
/// let length = rtcp.report(due, 1 << 31, &writer, &Reception::default(), &mut out);
/// assert!(length > 8 && rtcp.next_report() > due);
/// ```
#[derive(Debug)]
pub struct RtcpSession {
    ssrc: u32,
    cname: String,
    clock_rate: u32,
    ntp_at_zero: u64,
    next_report: Duration,
    /// Packets sent up to the report before: an SR is for those who sent since.
    sent_before: u32,
    expected_before: u64,
    received_before: u64,
    /// The middle 32 bits of the last sender report's NTP time, and when it came.
    last_sr: Option<(u32, Duration)>,
    peer: Option<PeerReport>,
    round_trip: Option<Duration>,
}

/// What the peer says of the packets that were sent to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeerReport {
    /// The part of the packets that was lost since the report before, 0 to 1.
    pub loss: f64,
    /// Packets lost since the beginning; less than nothing where packets came doubled.
    pub lost: i32,
    /// Interarrival jitter at the peer.
    pub jitter: Duration,
}

/// What a received packet was about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RtcpNews {
    /// It held a report of this leg's stream: see [`RtcpSession::peer`].
    pub reported: bool,
    /// The peer's stream ends.
    pub bye: bool,
}

/// The datagram is no compound RTCP packet that begins with a report.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtcpError {
    /// Longer than an Ethernet frame holds.
    #[error("the RTCP packet is longer than {MAX_DATAGRAM} bytes")]
    TooLong,
    /// Not as RFC 3550 section 6 has it.
    #[error("not an RTCP packet: {0}")]
    Malformed(#[from] rtcp_types::RtcpParseError),
    /// The first part is neither SR nor RR (appendix A.2).
    #[error("the RTCP packet does not begin with a report")]
    NoReport,
}

impl RtcpSession {
    /// A session for the stream `ssrc` that begins at `now`. `cname` names this end (section 6.5.1; at most 255
    /// bytes count), `ntp_at_zero` is the NTP time (32.32 fixed point seconds since 1900) when the
    /// leg's clock stood at zero.
    pub fn new(
        ssrc: u32,
        cname: &str,
        clock_rate: u32,
        ntp_at_zero: u64,
        now: Duration,
        random: u32,
    ) -> Self {
        let end = (0..=cname.len().min(255))
            .rev()
            .find(|&end| cname.is_char_boundary(end));
        RtcpSession {
            ssrc,
            cname: cname[..end.unwrap_or(0)].to_owned(),
            clock_rate: clock_rate.max(1),
            ntp_at_zero,
            next_report: now + randomised(INTERVAL / 2, random),
            sent_before: 0,
            expected_before: 0,
            received_before: 0,
            last_sr: None,
            peer: None,
            round_trip: None,
        }
    }

    /// The peer counts its jitter in this clock from now on.
    pub const fn set_clock_rate(&mut self, clock_rate: u32) {
        self.clock_rate = if clock_rate == 0 { 1 } else { clock_rate };
    }

    /// When the next [`report`](Self::report) is due.
    pub const fn next_report(&self) -> Duration {
        self.next_report
    }

    /// Writes a report with the name of this end to `out`, which has [`MAX_REPORT`] bytes, and returns its length:
    /// a sender report if something was sent since the last one, else a receiver report. The next one is
    /// due an interval later.
    pub fn report(
        &mut self,
        now: Duration,
        random: u32,
        sent: &RtpWriter,
        reception: &Reception,
        out: &mut [u8],
    ) -> usize {
        self.next_report = now + randomised(INTERVAL, random);
        let compound = self.compound(now, sent, reception);
        compound.write_into(out).unwrap_or(0)
    }

    /// Writes the last report, with the end of the stream (BYE), to `out`; returns its length.
    pub fn bye(
        &mut self,
        now: Duration,
        sent: &RtpWriter,
        reception: &Reception,
        out: &mut [u8],
    ) -> usize {
        let bye = Bye::builder().add_source(self.ssrc);
        let compound = self.compound(now, sent, reception).add_packet(bye);
        compound.write_into(out).unwrap_or(0)
    }

    /// Takes a packet from the peer.
    ///
    /// # Errors
    /// [`RtcpError`] if it is none; whatever it held is then not counted.
    pub fn handle(&mut self, datagram: &[u8], now: Duration) -> Result<RtcpNews, RtcpError> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(RtcpError::TooLong);
        }
        let parts = || Compound::parse(datagram);
        for (index, part) in parts()?.enumerate() {
            let is_report = matches!(part?, Packet::Sr(_) | Packet::Rr(_));
            if index == 0 && !is_report {
                return Err(RtcpError::NoReport);
            }
        }
        let mut news = RtcpNews::default();
        for part in parts()? {
            match part? {
                Packet::Sr(report) => {
                    self.last_sr = Some(((report.ntp_timestamp() >> 16) as u32, now));
                    news.reported |= self.take_blocks(report.report_blocks(), now);
                }
                Packet::Rr(report) => {
                    news.reported |= self.take_blocks(report.report_blocks(), now)
                }
                Packet::Bye(_) => news.bye = true,
                _ => {}
            }
        }
        Ok(news)
    }

    /// What the peer said last of this leg's stream.
    pub const fn peer(&self) -> Option<PeerReport> {
        self.peer
    }

    /// The time to the peer and back, by its last report (section 6.4.1).
    pub const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    fn compound<'a>(
        &'a mut self,
        now: Duration,
        sent: &RtpWriter,
        reception: &Reception,
    ) -> CompoundBuilder<'a> {
        let block = self.block(now, reception);
        let sends = sent.packets() != self.sent_before;
        self.sent_before = sent.packets();
        let name = SdesItem::builder(SdesItem::CNAME, &self.cname);
        let names = Sdes::builder().add_chunk(SdesChunk::builder(self.ssrc).add_item(name));
        if sends {
            // The next packet's timestamp is that of now, to within a tick.
            let mut report = SenderReport::builder(self.ssrc)
                .ntp_timestamp(self.ntp(now))
                .rtp_timestamp(sent.timestamp())
                .packet_count(sent.packets())
                .octet_count(sent.octets());
            if let Some(block) = block {
                report = report.add_report_block(block);
            }
            Compound::builder().add_packet(report).add_packet(names)
        } else {
            let mut report = ReceiverReport::builder(self.ssrc);
            if let Some(block) = block {
                report = report.add_report_block(block);
            }
            Compound::builder().add_packet(report).add_packet(names)
        }
    }

    /// The report on what is received (section 6.4.1, appendix A.3).
    fn block(&mut self, now: Duration, reception: &Reception) -> Option<ReportBlockBuilder> {
        let ssrc = reception.ssrc?;
        // Counting begins anew with another source.
        let expected = reception.expected.checked_sub(self.expected_before);
        let received = reception.received.checked_sub(self.received_before);
        let (expected, received) = expected
            .zip(received)
            .unwrap_or((reception.expected, reception.received));
        self.expected_before = reception.expected;
        self.received_before = reception.received;
        let fraction = (expected.saturating_sub(received) * 256)
            .checked_div(expected)
            .map_or(0, |fraction| fraction.min(255) as u8);
        let (last_sr, since_sr) = self.last_sr.map_or((0, 0), |(stamp, at)| {
            let since = now.saturating_sub(at).as_secs_f64() * 65536.0;
            (stamp, since as u32)
        });
        Some(
            ReportBlock::builder(ssrc)
                .fraction_lost(fraction)
                .cumulative_lost(reception.lost().min(0x7F_FFFF) as u32)
                .extended_sequence_number(reception.highest_sequence)
                .interarrival_jitter(reception.jitter)
                .last_sender_report_timestamp(last_sr)
                .delay_since_last_sender_report_timestamp(since_sr),
        )
    }

    fn take_blocks<'a>(
        &mut self,
        blocks: impl Iterator<Item = ReportBlock<'a>>,
        now: Duration,
    ) -> bool {
        let mut found = false;
        for block in blocks.filter(|block| block.ssrc() == self.ssrc) {
            found = true;
            let jitter = f64::from(block.interarrival_jitter()) / f64::from(self.clock_rate);
            self.peer = Some(PeerReport {
                loss: f64::from(block.fraction_lost()) / 256.0,
                // Twenty-four bits with a sign.
                lost: ((block.cumulative_lost() << 8) as i32) >> 8,
                jitter: Duration::from_secs_f64(jitter),
            });
            if block.last_sender_report_timestamp() != 0 {
                let round_trip = ((self.ntp(now) >> 16) as u32)
                    .wrapping_sub(block.last_sender_report_timestamp())
                    .wrapping_sub(block.delay_since_last_sender_report_timestamp());
                let round_trip = Duration::from_secs_f64(f64::from(round_trip) / 65536.0);
                if round_trip <= LONGEST_ROUND_TRIP {
                    self.round_trip = Some(round_trip);
                }
            }
        }
        found
    }

    fn ntp(&self, now: Duration) -> u64 {
        let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
        self.ntp_at_zero
            .wrapping_add(now.as_secs() << 32)
            .wrapping_add(fraction)
    }
}

fn randomised(interval: Duration, random: u32) -> Duration {
    let factor = 0.5 + f64::from(random) / (f64::from(u32::MAX) + 1.0);
    interval.mul_f64(factor / COMPENSATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NTP: u64 = 0xEB12_3456_0000_0000;

    fn session(ssrc: u32) -> RtcpSession {
        RtcpSession::new(
            ssrc,
            "bridge@127.0.0.1",
            8000,
            NTP,
            Duration::ZERO,
            u32::MAX / 2,
        )
    }

    fn sending(ssrc: u32) -> RtpWriter {
        let mut writer = RtpWriter::new(ssrc, 0, 0);
        writer.write(0, true, 160, &[0; 160], &mut [0; 172]);
        writer
    }

    #[test]
    fn two_ends_learn_loss_jitter_and_round_trip() {
        let (mut here, mut there) = (session(1), session(2));
        let mut out = [0; MAX_REPORT];
        let ms = Duration::from_millis;
        let length = here.report(ms(1000), 0, &sending(1), &Reception::default(), &mut out);
        assert_eq!(
            there.handle(&out[..length], ms(1030)),
            Ok(RtcpNews::default())
        );
        let heard = Reception {
            ssrc: Some(1),
            highest_sequence: 100,
            expected: 100,
            received: 75,
            jitter: 80,
        };
        let length = there.report(ms(3030), 0, &sending(2), &heard, &mut out);
        let news = here.handle(&out[..length], ms(3060)).unwrap();
        assert!(news.reported && !news.bye);
        let peer = here.peer().unwrap();
        assert_eq!((peer.loss, peer.lost, peer.jitter), (0.25, 25, ms(10)));
        assert!(
            here.round_trip().unwrap().abs_diff(ms(60)) < ms(1),
            "{:?}",
            here.round_trip()
        );

        // The next one is about what came since.
        let heard = Reception {
            expected: 200,
            received: 175,
            ..heard
        };
        let length = there.bye(ms(5000), &sending(2), &heard, &mut out);
        assert!(here.handle(&out[..length], ms(5030)).unwrap().bye);
        assert_eq!(
            (here.peer().unwrap().loss, here.peer().unwrap().lost),
            (0.0, 25)
        );
    }

    #[test]
    fn who_sends_nothing_writes_a_receiver_report() {
        let (mut here, writer, mut out) = (session(1), sending(1), [0; MAX_REPORT]);
        let mut kind = |now| {
            here.report(
                Duration::from_secs(now),
                0,
                &writer,
                &Reception::default(),
                &mut out,
            );
            out[1]
        };
        assert_eq!((kind(1), kind(6)), (200, 201));
    }

    #[test]
    fn intervals_are_those_of_the_rfc() {
        let mut out = [0; MAX_REPORT];
        for (random, least, most) in [(0, 2.0, 2.1), (u32::MAX, 6.1, 6.2)] {
            let mut rtcp = session(1);
            let first = RtcpSession::new(1, "", 8000, 0, Duration::ZERO, random).next_report();
            assert!(
                (least / 2.0..most / 2.0).contains(&first.as_secs_f64()),
                "{first:?}"
            );
            rtcp.report(
                Duration::ZERO,
                random,
                &sending(1),
                &Reception::default(),
                &mut out,
            );
            assert!((least..most).contains(&rtcp.next_report().as_secs_f64()));
        }
    }

    #[test]
    fn what_is_no_report_is_refused_whole() {
        let mut rtcp = session(1);
        let now = Duration::ZERO;
        assert_eq!(rtcp.handle(&[0x80; 1501], now), Err(RtcpError::TooLong));
        assert!(matches!(
            rtcp.handle(b"", now),
            Err(RtcpError::Malformed(_))
        ));
        assert!(matches!(
            rtcp.handle(b"noise!", now),
            Err(RtcpError::Malformed(_))
        ));
        let bye = [0x81, 203, 0, 1, 0, 0, 0, 2];
        assert_eq!(rtcp.handle(&bye, now), Err(RtcpError::NoReport));
        let mut out = [0; MAX_REPORT];
        let length = session(2).report(now, 0, &sending(2), &Reception::default(), &mut out);
        for cut in 0..length {
            let _ = rtcp.handle(&out[..cut], now);
        }
        let long_name = RtcpSession::new(1, &"ü".repeat(300), 8000, 0, now, 0).bye(
            now,
            &sending(1),
            &Reception {
                ssrc: Some(9),
                ..Reception::default()
            },
            &mut out,
        );
        assert!(long_name > 255 && long_name <= MAX_REPORT);
    }
}
