//! Bytes as what the network does to a leg: RTP, RTCP, latch and tick, with what must hold whatever
//! they are. Shared by the fuzz target `rtp` and by the replay of its corpus.

#![allow(clippy::unwrap_used, reason = "a check may fail")]

use std::net::SocketAddr;
use std::time::Duration;

use conclave_media::{
    Codec, Latch, Latched, MAX_REPORT, Pulled, Receiver, RtcpSession, RtpPacket, RtpWriter,
    estimate_mos,
};

/// The first byte chooses the codec; then deeds, each a byte that says which (modulo 8) and its operands:
///
/// - 0: a datagram of so many bytes as the next one says, as RTP;
/// - 1: the same as RTCP;
/// - 2 to 4: a packet: bytes for source and payload type, for steps of sequence number and timestamp, and for the payload's length;
/// - 5, 6: a tick, after as many milliseconds as the next byte says, or 20 ms;
/// - 7: a report, a BYE or a new armed latch, as the next byte says.
pub(crate) fn check(bytes: &[u8]) {
    let mut bytes = bytes;
    let Some(choice) = take(&mut bytes) else {
        return;
    };
    let codecs = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];
    let mut leg = Leg::new(codecs[usize::from(choice) % codecs.len()]);
    while let Some(deed) = take(&mut bytes) {
        let operand = take(&mut bytes).unwrap_or(0);
        match deed % 8 {
            0 => leg.rtp(operand, take_many(&mut bytes, operand.into())),
            1 => leg.rtcp(take_many(&mut bytes, operand.into())),
            2..=4 => {
                let steps = take_many(&mut bytes, 3);
                if let &[sequence, timestamp, length] = steps {
                    leg.packet(operand, sequence as i8, timestamp as i8, length);
                }
            }
            5 => leg.tick(operand.into()),
            6 => leg.tick(20),
            _ => leg.control(operand),
        }
    }
    leg.at_the_end();
}

fn take(bytes: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(first)
}

fn take_many<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(length.min(bytes.len()));
    *bytes = rest;
    taken
}

struct Leg {
    codec: Codec,
    payload_type: u8,
    receiver: Receiver,
    latch: Latch,
    rtcp: RtcpSession,
    out: RtpWriter,
    now: Duration,
    sequence: u16,
    timestamp: u32,
    pushed: u64,
}

impl Leg {
    fn new(codec: Codec) -> Self {
        let payload_type = codec.static_payload_type().unwrap_or(96);
        Leg {
            codec,
            payload_type,
            receiver: Receiver::new(codec, payload_type),
            latch: Latch::new(address(0)),
            rtcp: RtcpSession::new(1, "leg@test", 8000, u64::MAX - 9, Duration::ZERO, 0),
            out: RtpWriter::new(1, u16::MAX, u32::MAX),
            now: Duration::ZERO,
            sequence: 65_530,
            timestamp: u32::MAX - 500,
            pushed: 0,
        }
    }

    fn rtp(&mut self, from: u8, datagram: &[u8]) {
        let Ok(packet) = RtpPacket::parse(datagram) else {
            return;
        };
        assert!(packet.payload().len() + 12 <= datagram.len());
        let (source, before) = (address(from % 4), self.latch.clone());
        let verdict = self
            .latch
            .check(source, &packet, &[self.payload_type, 101], self.now);
        match verdict {
            Latched::Yes => assert_eq!(source, before.remote()),
            Latched::Now => {
                assert!(!before.is_latched() && self.latch.is_latched());
                assert_eq!(self.latch.remote(), source);
            }
            Latched::NotYet => assert!(!before.is_latched()),
            Latched::No => assert_eq!(self.latch.refused(), before.refused() + 1),
        }
        if before.is_latched() {
            assert_eq!(self.latch.remote(), before.remote(), "a stranger got in");
        }
        // Whatever the latch says: the receiver has to live with it.
        self.receiver.push(&packet, self.now);
        self.pushed += 1;
    }

    fn packet(&mut self, kind: u8, sequence: i8, timestamp: i8, length: u8) {
        self.sequence = self.sequence.wrapping_add_signed(sequence.into());
        self.timestamp = self
            .timestamp
            .wrapping_add_signed(i32::from(timestamp) * 40);
        let mut datagram = [0; 12 + 510];
        let payload = [kind; 510];
        let payload_type = if kind & 0x30 == 0x30 {
            101
        } else {
            self.payload_type
        };
        let mut writer = RtpWriter::new((kind & 1).into(), self.sequence, self.timestamp);
        let payload = &payload[..usize::from(length) * 2];
        let length = writer
            .write(payload_type, kind & 8 != 0, 0, payload, &mut datagram)
            .unwrap();
        self.rtp(kind >> 6, &datagram[..length]);
    }

    fn tick(&mut self, after_ms: u64) {
        self.now += Duration::from_millis(after_ms);
        let mut frame = [12_345; 960];
        let frame = &mut frame[..self.codec.frame_samples()];
        let pulled = self.receiver.pull(self.now, frame);
        assert!(
            !matches!(pulled, Pulled::Silence | Pulled::Zeros)
                || frame.iter().all(|sample| *sample == 0),
            "silence that is heard"
        );
    }

    fn rtcp(&mut self, datagram: &[u8]) {
        // What is refused changes nothing.
        let before = (self.rtcp.peer(), self.rtcp.round_trip());
        if self.rtcp.handle(datagram, self.now).is_err() {
            assert_eq!((self.rtcp.peer(), self.rtcp.round_trip()), before);
        }
    }

    fn control(&mut self, operand: u8) {
        let mut report = [0; MAX_REPORT];
        let reception = self.receiver.reception();
        let length = match operand % 3 {
            0 => self
                .rtcp
                .report(self.now, operand.into(), &self.out, &reception, &mut report),
            1 => self.rtcp.bye(self.now, &self.out, &reception, &mut report),
            _ => {
                return self
                    .latch
                    .rearm((operand & 4 != 0).then(|| address(operand % 4)), self.now);
            }
        };
        assert!(length > 8);
        let mut peer = RtcpSession::new(2, "peer", 8000, 0, self.now, 0);
        let news = peer
            .handle(&report[..length], self.now)
            .expect("what we write can be read");
        assert_eq!(news.bye, operand % 3 == 1);
        self.out.write(0, false, 160, &[0; 160], &mut [0; 172]);
    }

    fn at_the_end(&mut self) {
        let stats = self.receiver.stats();
        assert!(stats.received + stats.duplicate <= self.pushed);
        let loss = self.receiver.reception().loss();
        assert!((0.0..=1.0).contains(&loss), "{loss}");
        assert!((1.0..=4.5).contains(&estimate_mos(self.codec, loss, stats.delay)));
        // Nothing comes any more: silence after the longest wait, what waited, and the fading.
        for _ in 0..50 {
            self.tick(20);
        }
        let mut frame = [0; 960];
        let frame = &mut frame[..self.codec.frame_samples()];
        assert_eq!(self.receiver.pull(self.now, frame), Pulled::Silence);
    }
}

fn address(port: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], u16::from(port)))
}
