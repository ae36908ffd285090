use core::time::Duration;

use crate::Digit;

/// Digits from the RTP events of one leg (RFC 4733, `telephone-event`).
///
/// A digit is reported exactly once, at the first packet of its event that is seen, whichever that
/// is: the start may be lost, the end may be lost, packets may come doubled or out of order. All
/// packets of an event carry the timestamp of its start (section 2.2.1), and that timestamp is what
/// tells one press from the next. Around that rule:
///
/// - An event longer than its 16-bit duration can say goes on in segments, each beginning where the
///   one before ended (section 2.5.1.3): still one digit.
/// - The same key "pressed" before the time that its last packet reported has run out is the same
///   press: gateways exist that move the timestamp with each packet.
/// - A sender whose timestamp stands still begins a new press by a marker and a shorter duration
///   after an end.
/// - A packet older (by sequence number) than one already seen never begins a press: it is a
///   latecomer of a press reported before, or too late to be put in order.
///
/// Only the first event of a payload is read; sixteen keys count, other events are ignored.
///
/// ```
/// use conclave_dtmf::{Digit, EventReceiver};
/// use core::time::Duration;
///
/// let mut events = EventReceiver::new();
/// let at = Duration::from_millis(20);
/// let five = [5, 10, 0, 160]; // event 5, volume -10 dBm0, 160 timestamp units so far
/// assert_eq!(events.push(100, 8000, true, &five, at), Digit::new('5'));
/// assert_eq!(events.push(101, 8000, false, &[5, 10, 1, 64], at), None); // the same press
/// assert!(events.muted(at));
/// ```
#[derive(Clone, Debug, Default)]
pub struct EventReceiver {
    newest_sequence: u16,
    last_packet: Option<Duration>,
    presses: [Option<Press>; REMEMBERED],
    current: usize,
    muted_until: Duration,
}

/// One press, as its packets tell of it. `Debug` hides the digit.
#[derive(Clone, Copy, Debug)]
struct Press {
    digit: Digit,
    timestamp: u32,
    duration: u16,
    ended: bool,
    last_seen: Duration,
}

/// Presses whose latecomers are recognised.
const REMEMBERED: usize = 8;
/// After this long nothing of a press is on its way any more.
const FORGET_AFTER: Duration = Duration::from_secs(10);
/// A packet that comes later than this after the newest one says nothing by its sequence number:
/// audio in between may have carried it around the 16 bits.
const ORDER_HOLDS: Duration = Duration::from_secs(3);
/// RFC 3550 appendix A.1: a sequence number further back than this is a restarted stream.
const MAX_MISORDER: u16 = 100;
/// Updates come every 20 to 50 ms: with two of them lost the press still goes on.
const SILENT_AFTER_UPDATE: Duration = Duration::from_millis(160);
/// What was in the jitter buffer when the end came is still the tone.
const SILENT_AFTER_END: Duration = Duration::from_millis(60);

impl EventReceiver {
    /// A receiver that has seen nothing yet.
    pub const fn new() -> Self {
        EventReceiver {
            newest_sequence: 0,
            last_packet: None,
            presses: [None; REMEMBERED],
            current: 0,
            muted_until: Duration::ZERO,
        }
    }

    /// Takes one packet with the leg's telephone-event payload type; returns the digit if this is the
    /// first that is seen of its press.
    ///
    /// `sequence`, `timestamp` and `marker` are those of the RTP header, `at` is when it arrived.
    /// Payloads of fewer than four bytes are ignored, what follows the first four as well.
    pub fn push(
        &mut self,
        sequence: u16,
        timestamp: u32,
        marker: bool,
        payload: &[u8],
        at: Duration,
    ) -> Option<Digit> {
        let &[code, flags, high, low, ..] = payload else {
            return None;
        };
        let digit = Digit::try_from(code).ok()?;
        let packet = Press {
            digit,
            timestamp,
            duration: u16::from_be_bytes([high, low]),
            ended: flags & 0x80 != 0,
            last_seen: at,
        };
        let late = self.is_late(sequence, at);
        if !late {
            self.newest_sequence = sequence;
            self.last_packet = Some(at);
        }
        match self.find(&packet, marker, late) {
            Some(slot) => {
                self.update(slot, &packet, late);
                None
            }
            None if late => None,
            None => {
                self.begin(packet);
                Some(digit)
            }
        }
    }

    /// Whether a press is going on, so that the leg's audio must not be heard by others: from its
    /// first packet until shortly after its end, or until its packets have stopped coming.
    pub fn muted(&self, now: Duration) -> bool {
        now < self.muted_until
    }

    /// The stream restarts (new SSRC, re-INVITE): sequence numbers of before mean nothing any more. A
    /// press that goes on meanwhile with its old timestamp is still the same one.
    pub const fn reset(&mut self) {
        self.last_packet = None;
    }

    fn is_late(&self, sequence: u16, at: Duration) -> bool {
        self.last_packet
            .is_some_and(|last| at.saturating_sub(last) < ORDER_HOLDS)
            && self.newest_sequence.wrapping_sub(sequence) <= MAX_MISORDER
    }

    /// The press that this packet belongs to.
    fn find(&self, packet: &Press, marker: bool, late: bool) -> Option<usize> {
        let same = self.presses.iter().position(|press| {
            press.is_some_and(|press| {
                press.digit == packet.digit
                    && press.timestamp == packet.timestamp
                    && packet.last_seen.saturating_sub(press.last_seen) < FORGET_AFTER
            })
        });
        if let Some(slot) = same {
            let restarts = |press: Press| {
                !late && marker && press.ended && !packet.ended && packet.duration < press.duration
            };
            return (!self.presses[slot].is_some_and(restarts)).then_some(slot);
        }
        let press = self.presses[self.current]?;
        (!late && !marker && press.continued_by(packet)).then_some(self.current)
    }

    fn update(&mut self, slot: usize, packet: &Press, late: bool) {
        let Some(press) = &mut self.presses[slot] else {
            return;
        };
        press.last_seen = press.last_seen.max(packet.last_seen);
        if late {
            press.ended |= packet.ended && press.timestamp == packet.timestamp;
            return;
        }
        let ends = packet.ended && !press.ended;
        if press.timestamp == packet.timestamp {
            press.duration = press.duration.max(packet.duration);
        } else {
            press.timestamp = packet.timestamp;
            press.duration = packet.duration;
        }
        press.ended |= packet.ended;
        if ends {
            self.muted_until = packet.last_seen + SILENT_AFTER_END;
        } else if !press.ended {
            self.muted_until = packet.last_seen + SILENT_AFTER_UPDATE;
        }
    }

    fn begin(&mut self, packet: Press) {
        self.current = (self.current + 1) % REMEMBERED;
        let silent = if packet.ended {
            SILENT_AFTER_END
        } else {
            SILENT_AFTER_UPDATE
        };
        self.muted_until = packet.last_seen + silent;
        self.presses[self.current] = Some(packet);
    }
}

impl Press {
    /// Whether a packet with another timestamp still tells of this press.
    fn continued_by(&self, packet: &Press) -> bool {
        let ahead = packet.timestamp.wrapping_sub(self.timestamp);
        let overlaps = ahead < u32::from(self.duration);
        // The packet that reported the full segment may be the one that was lost.
        let next_segment = !self.ended && (ahead == u32::from(self.duration) || ahead == 0xFFFF);
        packet.digit == self.digit
            && packet.last_seen.saturating_sub(self.last_seen) < FORGET_AFTER
            && (overlaps || next_segment)
    }
}
