use core::ops::Range;
use core::time::Duration;

use crate::codec::{Codec, Decoder};
use crate::comfort::{self, ComfortNoise};
use crate::conceal::Concealer;
use crate::delay::DelayWindow;
use crate::reception::{Reception, Seen, Sequence};
use crate::rtp::RtpPacket;
use crate::store::{PacketStore, Slot};
use crate::timescale::Splice;

/// The incoming stream of one leg: packets in as they arrive, one frame out for each tick.
///
/// [`push`](Self::push) takes every packet that the leg's [`Latch`](crate::Latch) lets through,
/// [`pull`](Self::pull) gives exactly one frame each 20 ms, whatever has come. A stream without loss
/// whose packets come in time is given out sample for sample. Nothing is allocated after
/// [`new`](Self::new); a G.711 leg takes less than 10 KiB.
///
/// # The delay
///
/// The delay follows what is measured. For each of the last 200 packets the receiver knows how late
/// it was (arrival minus media time); the *edge* is the third latest of them, so that stragglers
/// don't count. The *target* is the edge, and a twelfth of what the delays differ by beyond 4 ms.
///
/// - A stream, and each talkspurt after a pause, begins at the first tick that is past the edge: on a
///   clean network at the tick after its first packet.
/// - *It grows* where the target, or the edge as a slow clock will have moved it in three seconds, is later than the tick:
///   what is said is stretched until a whole frame is gained, since a tick more is what a later packet needs. It grows
///   by the frame that was made up when a packet comes after the tick that wanted it and the edge says that
///   more such will come (or when nothing else is there to be played). A straggler is dropped instead. It is 200 ms at most.
/// - *It shrinks* where for some time every packet was there a whole frame, the target's margin and 2 ms before
///   its tick, and by what stands before it in its frame: after ten such packets where the frame is silent, after fifteen
///   where the sound repeats itself, else after forty (sooner where several frames are to spare).
///
///   It is stretched and shortened by overlap-add at the place where the sound is most like itself, by 2.5 to 15 ms at
///   once.
///
/// - Where packets tell again what the one before them said (in-band FEC), it grows by the frame that was made up for the
///   second loss in ten seconds, and keeps it until there have been ten without: so the next packet is there when one is lost.
///
/// # What is heard where nothing came
///
/// What the next packet says of a lost one, where it is there and the codec has in-band FEC; else what the codec itself
/// makes of a loss, fading out within 120 ms, and of a silence that it was told of (DTX), for half a second; where it has no
/// way to do so the last pitch periods, fading out within 60 ms. A pause of the sender (timestamps go on, no packet
/// is missing by sequence number) is silence and not loss; so is the time filled by packets of
/// other payload types, such as telephone events, which are to be pushed as well. Where the sender tells of the noise in its
/// pauses ([`with_comfort_noise`](Self::with_comfort_noise)), that is heard until it speaks again.
pub struct Receiver {
    codec: Codec,
    payload_type: u8,
    decoder: Box<dyn Decoder>,
    sequence: Sequence,
    /// Another source that may take over: its SSRC and its last sequence number.
    contender: Option<(u32, u16)>,
    last_arrival: Duration,
    /// The last timestamp, unwrapped.
    timestamp: i64,
    delays: DelayWindow,
    last_lateness: i64,
    store: PacketStore,
    playout: Playout,
    /// Sequence number of the packet played last.
    played: i64,
    /// What was decoded and did not fit into the frame; what of it was not heard yet.
    decoded: Box<[i16]>,
    ready: Range<usize>,
    /// What was decoded last is nothing but zeros.
    decoded_zeros: bool,
    /// For a payload that lies in parts.
    payload: Box<[u8]>,
    concealer: Concealer,
    /// Samples in a row that the codec made up.
    made_up: usize,
    /// The sender has said that it goes on with silence (DTX): what is missing is its noise, and no loss.
    quiet: bool,
    comfort: Option<Box<ComfortNoise>>,
    /// The sender has told of its noise and not spoken since.
    pausing: bool,
    /// How much of the present frame the concealer knows.
    remembered: usize,
    /// Packets for which a loss is expected yet.
    lossy: u32,
    /// Packets in a row that had something to spare, and the least that one of them had, in samples.
    roomy: u32,
    spare: usize,
    /// Samples that are to be gained by stretching, and for how many frames there was no good place for it.
    wanted: usize,
    unstretched: u32,
    counts: Counts,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits for its tick.
    Queued,
    /// It came before.
    Duplicate,
    /// Its time was over.
    Late,
    /// Not of this receiver's payload type; counted in the sequence if its source is the one that is heard, and
    /// otherwise left to others.
    OtherPayload,
    /// Of another source, which takes over when a second packet in sequence comes from it.
    OtherSource,
    /// The payload is empty, longer than 60 ms or no payload of this codec.
    Refused,
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// Only what the peer sent.
    Audio,
    /// The same, or what it says (DTX) that nothing is sent for, and it is all zeros: a muted telephone. In A-law, which has no
    /// zero, its least value (0xD5) in a whole packet is one.
    Zeros,
    /// In part or wholly made up for what was lost, late, or by DTX not sent.
    Concealed,
    /// Only the noise that the sender told of for its pauses (RFC 3389): neither speech nor loss.
    Comfort,
    /// Nothing: zeros. No stream, or a pause in it.
    Silence,
}

impl Pulled {
    /// With samples of the peer's beside.
    const fn and_audio(self) -> Self {
        match self {
            Self::Silence | Self::Comfort | Self::Zeros => Self::Audio,
            Self::Audio | Self::Concealed => self,
        }
    }

    /// With zeros of the peer's beside.
    const fn and_zeros(self) -> Self {
        match self {
            Self::Silence | Self::Zeros => Self::Zeros,
            Self::Audio | Self::Concealed | Self::Comfort => self,
        }
    }

    /// With noise of a pause beside.
    const fn and_comfort(self) -> Self {
        match self {
            Self::Silence | Self::Zeros => Self::Comfort,
            Self::Audio | Self::Concealed | Self::Comfort => self,
        }
    }
}

/// Counters and gauges of one [`Receiver`], over all sources that it has heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverStats {
    /// Packets received, each counted once.
    pub received: u64,
    /// Packets that the sequence numbers say are missing.
    pub lost: u64,
    /// Packets that came after their time.
    pub late: u64,
    /// Packets that came again.
    pub duplicate: u64,
    /// Packets whose payload was not of the codec.
    pub refused: u64,
    /// Packets thrown away because too much was waiting.
    pub overflow: u64,
    /// Frames that were in part or wholly made up.
    pub concealed_frames: u64,
    /// Lost packets of which the next one told.
    pub recovered: u64,
    /// How often what was said was shortened by some milliseconds, so that the delay is shorter.
    pub shortened: u64,
    /// How often it was stretched by some, so that the delay is longer.
    pub stretched: u64,
    /// How often another source took over or the timestamps jumped.
    pub restarts: u64,
    /// Interarrival jitter (RFC 3550 section 6.4.1).
    pub jitter: Duration,
    /// How long the last packet waited for its tick.
    pub delay: Duration,
}

#[derive(Default)]
struct Counts {
    late: u64,
    duplicate: u64,
    refused: u64,
    overflow: u64,
    concealed_frames: u64,
    recovered: u64,
    shortened: u64,
    stretched: u64,
    restarts: u64,
    /// Of sources before the present one.
    received: u64,
    lost: u64,
    delay_us: i64,
}

#[derive(Clone, Copy)]
enum Playout {
    /// For the first packet of a stream or a talkspurt.
    Waiting,
    /// `next` is the media time after what was decoded; `owed` of it was made up while waiting to
    /// learn whether a packet is late or lost.
    Playing { next: i64, owed: i64 },
}

/// What comes next within a frame.
enum Step {
    Decode(Slot),
    Pause(i64),
    Comfort(i64),
    Conceal(i64),
}

const FRAME_US: i64 = 20_000;
/// The delay doesn't grow beyond this.
const MAX_DELAY_US: i64 = 200_000;
/// More than this never waits: the longest delay and one of the longest packets.
const LONGEST_WAIT_US: i64 = 260_000;
/// A packet this much earlier or later than the one before is on another time line.
const EARLY_JUMP_US: i64 = 400_000;
const LATE_JUMP_US: i64 = 2_000_000;
/// A source that was silent for so long is not waited for when another one comes.
const ABANDONED: Duration = Duration::from_millis(200);
/// A packet must be this much earlier than a frame before its tick to count as having one to spare.
const SLACK_US: i64 = 2_000;
const ROOMY_IN_SILENCE: u32 = 10;
const ROOMY_IN_VOICE: u32 = 15;
const ROOMY_IN_SPEECH: u32 = 40;
/// A splice whose ends are as alike is not heard.
const ALIKE: f32 = 0.8;
/// For so many frames a good place to stretch is waited for.
const PATIENCE: u32 = 10;
/// A packet that is less than this before its tick may soon be after it.
const CLOSE_US: i64 = 1_000;
/// After a loss another one is expected for so many packets.
const LOSSY: u32 = 500;
/// Mean amplitude below which a frame may go unnoticed: about −50 dBFS.
const SILENT: u32 = 100;
/// From where to where what the codec makes up for a loss fades, in milliseconds.
const FADE: Range<usize> = 40..120;
/// The same of the noise that it makes of a sender's silence, which is sent anew after 400 ms.
const FADE_OF_SILENCE: Range<usize> = 440..520;

impl Receiver {
    /// A receiver for a stream of `codec` under the negotiated `payload_type`.
    pub fn new(codec: Codec, payload_type: u8) -> Self {
        let longest = codec.sample_rate() as usize * 60 / 1000;
        Receiver {
            codec,
            payload_type,
            decoder: codec.decoder(),
            sequence: Sequence::new(),
            contender: None,
            last_arrival: Duration::ZERO,
            timestamp: 0,
            delays: DelayWindow::new(),
            last_lateness: 0,
            store: PacketStore::new(codec.max_waiting()),
            playout: Playout::Waiting,
            played: 0,
            decoded: vec![0; longest + codec.frame_samples()].into(),
            ready: 0..0,
            decoded_zeros: false,
            payload: vec![0; codec.max_payload()].into(),
            concealer: Concealer::new(codec.sample_rate()),
            made_up: 0,
            quiet: false,
            comfort: None,
            pausing: false,
            remembered: 0,
            lossy: 0,
            roomy: 0,
            spare: 0,
            wanted: 0,
            unstretched: 0,
            counts: Counts::default(),
        }
    }

    /// The same, that also takes comfort noise (RFC 3389) under this payload type, if one was negotiated.
    #[must_use]
    pub fn with_comfort_noise(mut self, payload_type: Option<u8>) -> Self {
        self.comfort = payload_type.map(|number| Box::new(ComfortNoise::new(number)));
        self
    }

    /// Which codec the frames come from.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The memory beside the receiver itself that the next packet is going to touch if it is in time: a caller with more streams
    /// than its processor's cache holds may have it fetched before.
    pub fn ahead(&self) -> &impl Sized {
        self.delays.place()
    }

    /// What its frame is going to touch, unless that is zeros as the last one was.
    pub fn ahead_of_sound(&self) -> Option<&[i16]> {
        self.concealer.place(self.codec.frame_samples())
    }

    /// Takes a packet that arrived at `arrival`.
    pub fn push(&mut self, packet: &RtpPacket<'_>, arrival: Duration) -> Pushed {
        match self.note(packet, arrival) {
            Ok(slot) => self.keep(slot, packet.payload()),
            Err(pushed) => pushed,
        }
    }

    /// [`push`](Self::push) of the last packet that came before a tick, if one did, and the tick's [`pull`](Self::pull). The frame is
    /// the same as theirs; a packet that is wanted at once, as each one of a stream in time is, is decoded where it lies.
    pub fn push_and_pull(
        &mut self,
        last: Option<(RtpPacket<'_>, Duration)>,
        now: Duration,
        out: &mut [i16],
    ) -> Pulled {
        if let Some((packet, arrival)) = last
            && let Ok(slot) = self.note(&packet, arrival)
        {
            if self.is_wanted(&slot, out.len()) {
                return self.play(slot, packet.payload(), micros(now), out);
            }
            self.keep(slot, packet.payload());
        }
        self.pull(now, out)
    }

    /// Whether a packet is what comes next, and fills a frame.
    fn is_wanted(&self, slot: &Slot, frame: usize) -> bool {
        matches!(self.playout, Playout::Playing { next, owed: 0 } if next == slot.timestamp)
            && self.samples_of(slot.ticks) == frame
            && !slot.is_noise
            && !self.pausing
            && self.ready.is_empty()
            && self.store.len() == 0
    }

    /// The frame that one packet fills.
    fn play(&mut self, slot: Slot, payload: &[u8], now: i64, out: &mut [i16]) -> Pulled {
        let length = self.decode(slot, Some(payload), now, out);
        let mut pulled = Pulled::Silence;
        if length > 0 {
            pulled = self.hear_packet(&mut out[..length], pulled);
        }
        let pulled = self.assemble(now, out, length, pulled);
        self.adapt(now, out, pulled)
    }

    /// Counts a packet, and places it in time; what came of it unless it is to be heard.
    fn note(&mut self, packet: &RtpPacket<'_>, arrival: Duration) -> Result<Slot, Pushed> {
        let noise = self
            .comfort
            .as_ref()
            .is_some_and(|noise| noise.is_told_by(packet.payload_type()));
        let ours = noise || packet.payload_type() == self.payload_type;
        if !ours && self.sequence.reception().ssrc != Some(packet.ssrc()) {
            // Telephone events with an SSRC of their own, beside the audio: another sequence, and no change of source.
            return Err(Pushed::OtherPayload);
        }
        if !self.accepts_source(packet, arrival) {
            return Err(Pushed::OtherSource);
        }
        let before = self.sequence.reception();
        let number = match self.sequence.note(packet.ssrc(), packet.sequence()) {
            Seen::New(number) => number,
            Seen::Duplicate => {
                self.counts.duplicate += 1;
                return Err(Pushed::Duplicate);
            }
            Seen::Restarted(number) => {
                self.begin_anew(before);
                number
            }
        };
        self.last_arrival = arrival;
        if !ours {
            return Err(Pushed::OtherPayload);
        }
        let samples = if noise {
            let told = 1..=self.codec.max_payload();
            let frame = self.codec.sample_rate() as usize / 1_000 * comfort::MS as usize;
            told.contains(&packet.payload().len()).then_some(frame)
        } else {
            self.codec.samples_in(packet.payload())
        };
        let Some(samples) = samples else {
            self.counts.refused += 1;
            return Err(Pushed::Refused);
        };
        let timestamp = self.place_in_time(packet, micros(arrival));
        let length = samples as i64 / self.samples_per_tick();
        if let Playout::Playing { next, .. } = self.playout
            && timestamp + length <= next
        {
            self.counts.late += 1;
            return Err(Pushed::Late);
        }
        let mut slot = Slot::new(timestamp, number, length, micros(arrival));
        slot.is_noise = noise;
        slot.is_zeros = !noise && self.codec.is_zeros(packet.payload());
        Ok(slot)
    }

    /// Lets a packet wait for its tick.
    fn keep(&mut self, slot: Slot, payload: &[u8]) -> Pushed {
        while self.store.len() > 0 && !self.store.has_room(payload.len()) {
            self.skip_oldest();
        }
        self.store.insert(slot, payload);
        self.limit_waiting();
        Pushed::Queued
    }

    /// Fills `out` with the next frame: 20 ms at the codec's sample rate
    /// ([`Codec::frame_samples`]), whatever has come. `now` is the time of the tick.
    pub fn pull(&mut self, now: Duration, out: &mut [i16]) -> Pulled {
        let now = micros(now);
        if let Playout::Waiting = self.playout
            && !self.begin_playing(now)
        {
            if self.pausing && self.make_comfort(out) {
                return Pulled::Comfort;
            }
            out.fill(0);
            return Pulled::Silence;
        }
        let pulled = self.assemble(now, out, 0, Pulled::Silence);
        self.adapt(now, out, pulled)
    }

    /// Shortens or lengthens a frame if the delay is to change, and remembers it.
    fn adapt(&mut self, now: i64, out: &mut [i16], mut pulled: Pulled) -> Pulled {
        if matches!(pulled, Pulled::Audio | Pulled::Zeros) && self.made_up == 0 {
            let changed = if self.wanted > 0 {
                self.stretch(out)
            } else {
                self.shrink(now, out)
            };
            if changed {
                // Of zeros, too, into something else perhaps.
                pulled = Pulled::Audio;
            }
        }
        if pulled == Pulled::Zeros {
            self.concealer.heard_zeros(out.len() - self.remembered);
        } else {
            self.remember(out);
        }
        pulled
    }

    /// Counters and gauges up to now.
    pub fn stats(&self) -> ReceiverStats {
        let (now, counts) = (self.sequence.reception(), &self.counts);
        ReceiverStats {
            received: counts.received + now.received,
            lost: counts.lost + now.lost(),
            late: counts.late,
            duplicate: counts.duplicate,
            refused: counts.refused,
            overflow: counts.overflow,
            concealed_frames: counts.concealed_frames,
            recovered: counts.recovered,
            shortened: counts.shortened,
            stretched: counts.stretched,
            restarts: counts.restarts,
            jitter: Duration::from_secs_f64(
                f64::from(now.jitter) / f64::from(self.codec.clock_rate()),
            ),
            delay: self.delay(),
        }
    }

    /// How long what is heard now has waited for its tick.
    pub fn delay(&self) -> Duration {
        Duration::from_micros(self.counts.delay_us.max(0) as u64)
    }

    /// What has been received of the present source, for the receiver reports of
    /// [`RtcpSession`](crate::RtcpSession).
    pub fn reception(&self) -> Reception {
        self.sequence.reception()
    }

    fn accepts_source(&mut self, packet: &RtpPacket<'_>, arrival: Duration) -> bool {
        let present = self.sequence.reception().ssrc;
        let sequence = packet.sequence();
        let takes_over = match (present, self.contender) {
            (None, _) => true,
            (Some(ssrc), _) if ssrc == packet.ssrc() => true,
            _ if arrival.saturating_sub(self.last_arrival) > ABANDONED => true,
            (_, Some((ssrc, before))) => {
                ssrc == packet.ssrc() && (1..=3).contains(&sequence.wrapping_sub(before))
            }
            (_, None) => false,
        };
        self.contender = (!takes_over).then_some((packet.ssrc(), sequence));
        takes_over
    }

    /// Another source, or a sequence that cannot follow from what was before.
    fn begin_anew(&mut self, before: Reception) {
        if before.ssrc.is_some() {
            self.counts.restarts += 1;
            self.counts.received += before.received;
            self.counts.lost += before.lost();
        }
        self.abandon();
    }

    /// Nothing of what waits can be put on the time line of what comes.
    fn abandon(&mut self) {
        self.store.clear();
        self.delays.clear();
        self.sequence.forget_timing();
        self.playout = Playout::Waiting;
        self.pausing = false;
        self.roomy = 0;
        self.wanted = 0;
    }

    /// Unwraps the timestamp and measures how late the packet is.
    fn place_in_time(&mut self, packet: &RtpPacket<'_>, arrival: i64) -> i64 {
        let follows = self.timestamp
            + i64::from(packet.timestamp().wrapping_sub(self.timestamp as u32) as i32);
        let lateness = arrival - self.micros_of(follows);
        let step = lateness - self.last_lateness;
        if !self.delays.is_empty() && !(-EARLY_JUMP_US..=LATE_JUMP_US).contains(&step) {
            self.counts.restarts += 1;
            self.abandon();
        }
        self.timestamp = follows;
        self.last_lateness = lateness;
        self.delays.push(lateness);
        let arrival = arrival * i64::from(self.codec.clock_rate()) / 1_000_000;
        self.sequence.note_timing(arrival, follows);
        follows
    }

    /// More than the longest delay is not kept: after the network stood still, what came at once
    /// would otherwise be heard late for long. A gap is given up before a packet is.
    fn limit_waiting(&mut self) {
        while let (Some(front), Some(back)) = (self.store.front(), self.store.back()) {
            let (start, end) = (front.timestamp, back.end());
            let due = match self.playout {
                Playout::Playing { next, .. } => next.min(start),
                Playout::Waiting => start,
            };
            if self.micros_of(end - due) <= LONGEST_WAIT_US {
                break;
            } else if due < start {
                self.skip_to_front();
            } else {
                self.skip_oldest();
            }
        }
    }

    fn skip_oldest(&mut self) {
        self.counts.overflow += 1;
        self.store.drop_front();
        self.skip_to_front();
    }

    fn skip_to_front(&mut self) {
        if let (Playout::Playing { next, owed }, Some(front)) =
            (&mut self.playout, self.store.front())
        {
            *next = front.timestamp.max(*next);
            *owed = 0;
            self.played = front.sequence - 1;
        }
    }

    /// Begins a stream or a talkspurt if its time has come.
    fn begin_playing(&mut self, now: i64) -> bool {
        let (Some(front), Some(back)) = (self.store.front(), self.store.back()) else {
            return false;
        };
        // Where packets are no whole frames, some are wanted earlier in relation to their media time
        // than the first one, by what the two lengths don't have in common.
        let frame = self.codec.frame_samples() as i64 / self.samples_per_tick();
        let uneven = self.micros_of(frame - common_divisor(front.ticks, frame));
        let waits = self.micros_of(back.end() - front.timestamp) < MAX_DELAY_US
            && now - front.arrival < MAX_DELAY_US
            && now - self.micros_of(front.timestamp) < self.delays.edge_us() + uneven;
        if !waits {
            self.played = front.sequence - 1;
            self.playout = Playout::Playing {
                next: front.timestamp,
                owed: 0,
            };
            self.ready = 0..0;
        }
        !waits
    }

    /// Fills a frame from `filled` on; what is before that is `pulled`.
    fn assemble(
        &mut self,
        now: i64,
        out: &mut [i16],
        mut filled: usize,
        mut pulled: Pulled,
    ) -> Pulled {
        self.remembered = 0;
        while filled < out.len() {
            let room = out.len() - filled;
            if !self.ready.is_empty() {
                let length = self.ready.len().min(room);
                let part = &mut out[filled..filled + length];
                part.copy_from_slice(&self.decoded[self.ready.start..][..length]);
                self.ready.start += length;
                pulled = self.hear_packet(part, pulled);
                filled += length;
                continue;
            }
            match self.next_step(now) {
                Step::Decode(front) => {
                    let length = self.decode(front, None, now, &mut out[filled..]);
                    if length > 0 {
                        pulled = self.hear_packet(&mut out[filled..filled + length], pulled);
                        filled += length;
                    }
                }
                Step::Pause(ticks) => {
                    let length = self.samples_of(ticks).min(room);
                    let part = &mut out[filled..filled + length];
                    part.fill(0);
                    if self.concealer.is_filling() {
                        self.concealer.end(part);
                        pulled = Pulled::Concealed;
                    } else if self.made_up > 0 && self.decoder.conceal(part) {
                        fade_out(part);
                        self.made_up = 0;
                        pulled = Pulled::Concealed;
                    }
                    self.pass(length, false);
                    filled += length;
                }
                Step::Comfort(ticks) => {
                    let length = self.samples_of(ticks).min(room);
                    let part = &mut out[filled..filled + length];
                    self.make_comfort(part);
                    self.concealer.end(part);
                    self.pass(length, false);
                    filled += length;
                    pulled = pulled.and_comfort();
                }
                Step::Conceal(ticks) => {
                    if self.recover(ticks) {
                        pulled = Pulled::Concealed;
                        continue;
                    }
                    // The last packet of a gap may be told of by the one after it.
                    let known = self.store.front().map_or(0, |front| front.ticks);
                    let untold = if ticks > known { ticks - known } else { ticks };
                    let length = self.samples_of(untold).min(room);
                    self.remember(&out[..filled]);
                    let zeros = self.make_up(&mut out[filled..filled + length]) && self.quiet;
                    self.pass(length, true);
                    filled += length;
                    pulled = if zeros {
                        pulled.and_zeros()
                    } else {
                        Pulled::Concealed
                    };
                }
            }
        }
        if matches!(pulled, Pulled::Concealed | Pulled::Zeros) {
            self.counts.concealed_frames += u64::from(pulled == Pulled::Concealed && !self.quiet);
            let faded = self.concealer.is_faded() || self.made_up >= self.fade().end;
            if self.store.len() == 0 && faded {
                self.playout = Playout::Waiting;
            }
        }
        if self.pausing && self.store.len() == 0 {
            self.playout = Playout::Waiting;
        }
        pulled
    }

    /// Joins what comes from a packet to what was made up before it, if something was; what the frame holds with it.
    fn hear_packet(&mut self, part: &mut [i16], pulled: Pulled) -> Pulled {
        let zeros = self.decoded_zeros && !self.concealer.is_filling();
        self.concealer.end(part);
        if self.pausing {
            pulled.and_comfort()
        } else if zeros {
            pulled.and_zeros()
        } else {
            pulled.and_audio()
        }
    }

    /// Fills with the noise that the sender told of; false if it is to tell of none.
    fn make_comfort(&mut self, part: &mut [i16]) -> bool {
        let Some(noise) = &mut self.comfort else {
            return false;
        };
        noise.fill(part);
        true
    }

    /// Puts in a lost packet of which the waiting one tells, if that is all that is missing before it.
    fn recover(&mut self, gap: i64) -> bool {
        let (Playout::Playing { next, owed: 0 }, Some(front)) = (self.playout, self.store.front())
        else {
            return false;
        };
        if gap != front.ticks || self.concealer.is_filling() {
            return false;
        }
        let samples = self.samples_of(gap).min(self.decoded.len());
        let payload = self.store.front_payload(&mut self.payload);
        let told = self.decoder.recover(payload, &mut self.decoded[..samples]);
        if told {
            self.ready = 0..samples;
            self.decoded_zeros = false;
            self.lossy = LOSSY;
            self.counts.recovered += 1;
            self.made_up = 0;
            self.playout = Playout::Playing {
                next: next + gap,
                owed: 0,
            };
        }
        told
    }

    /// Fills a gap: as the codec does it, if it does and nothing else has begun to. Whether that is known to be zeros.
    fn make_up(&mut self, part: &mut [i16]) -> bool {
        if self.concealer.is_filling() || !self.decoder.conceal(part) {
            self.concealer.fill(part);
            return false;
        }
        if self.decoder.gave_zeros() {
            self.made_up += part.len();
            return true;
        }
        let Range {
            start: steady,
            end: faded,
        } = self.fade();
        for (sample, made) in part.iter_mut().zip(self.made_up..) {
            let left = faded.saturating_sub(made).min(faded - steady);
            *sample = (i64::from(*sample) * left as i64 / (faded - steady) as i64) as i16;
        }
        self.made_up += part.len();
        false
    }

    /// From which sample to which what the codec makes up fades.
    fn fade(&self) -> Range<usize> {
        let fade = if self.quiet { FADE_OF_SILENCE } else { FADE };
        let samples = self.codec.sample_rate() as usize / 1_000;
        fade.start * samples..fade.end * samples
    }

    fn next_step(&mut self, now: i64) -> Step {
        loop {
            let Playout::Playing { next, owed } = self.playout else {
                return Step::Conceal(i64::MAX);
            };
            let Some(front) = self.store.front().copied() else {
                return if self.pausing {
                    Step::Comfort(i64::MAX)
                } else {
                    Step::Conceal(i64::MAX)
                };
            };
            let gap = front.timestamp - next;
            if front.end() <= next {
                self.drop_late();
            } else if owed > 0 && gap >= owed {
                // What was made up stands for what is lost, or is the delay with which the next loss will be told of.
                let owed = if self.waits_to_be_told(gap) { 0 } else { owed };
                self.playout = Playout::Playing {
                    next: next + owed,
                    owed: 0,
                };
            } else if owed > 0 && self.grows(now, next + owed) {
                self.playout = Playout::Playing {
                    next: front.timestamp,
                    owed: 0,
                };
            } else if owed > 0 {
                self.drop_late();
            } else if gap <= 0 {
                return Step::Decode(front);
            } else if self.pausing {
                return Step::Comfort(gap);
            } else if self.sequence.all_between(self.played, front.sequence) {
                return Step::Pause(gap);
            } else {
                return Step::Conceal(gap);
            }
        }
    }

    /// Whether the packet that waits is to tell of the lost one, although that one's time is over.
    fn waits_to_be_told(&mut self, gap: i64) -> bool {
        let lost = self.store.front().is_some_and(|front| {
            gap == front.ticks && !self.sequence.all_between(self.played, front.sequence)
        });
        if !lost || !self.codec.tells_again() {
            return false;
        }
        let waits =
            self.lossy > 0 && self.counts.delay_us < MAX_DELAY_US && !self.concealer.is_filling();
        // Where nothing is told after all, it is not waited for again.
        self.lossy = if waits { 0 } else { LOSSY };
        waits
    }

    /// Whether a late packet is to be played, so that the delay grows; `due` is what would be
    /// played now had everything come in time.
    fn grows(&self, now: i64, due: i64) -> bool {
        let delay = now - self.micros_of(due);
        self.store.len() == 1
            || (self.delays.edge_us() > delay && self.counts.delay_us < MAX_DELAY_US)
    }

    fn drop_late(&mut self) {
        self.counts.late += 1;
        self.store.drop_front();
    }

    /// Decodes a packet, `came` just now or the first one that waits: into `out` if that has room for all of it, and says so by how
    /// many samples that are; otherwise into the store of decoded ones.
    fn decode(&mut self, slot: Slot, came: Option<&[u8]>, now: i64, out: &mut [i16]) -> usize {
        // Of a packet that begins before the last one ends, what is new is heard.
        let known = match self.playout {
            Playout::Playing { next, .. } => self.samples_of(next - slot.timestamp),
            Playout::Waiting => 0,
        };
        let room = out.len();
        let length = self.samples_of(slot.ticks);
        let fits = known == 0 && length <= room;
        let payload = match came {
            Some(payload) => payload,
            None => self.store.front_payload(&mut self.payload),
        };
        let was_pausing = std::mem::replace(&mut self.pausing, slot.is_noise);
        self.quiet = !slot.is_noise && self.codec.is_silence(payload);
        let mut decode = |into: &mut [i16]| match &mut self.comfort {
            Some(noise) if slot.is_noise => {
                let length = self.codec.sample_rate() as usize / 1_000 * comfort::MS as usize;
                let length = length.min(into.len());
                noise.set(payload, was_pausing);
                noise.fill(&mut into[..length]);
                length
            }
            _ if slot.is_zeros => {
                let length = length.min(into.len());
                into[..length].fill(0);
                length
            }
            _ => self.decoder.decode(payload, into),
        };
        let samples = if fits {
            decode(out)
        } else {
            let samples = decode(&mut self.decoded);
            self.ready = known.min(samples)..samples;
            0
        };
        self.decoded_zeros = slot.is_zeros || self.decoder.gave_zeros();
        if came.is_none() {
            self.store.drop_front();
        }
        self.made_up = 0;
        self.played = slot.sequence;
        self.playout = Playout::Playing {
            next: slot.end(),
            owed: 0,
        };
        self.counts.delay_us = now - slot.arrival;
        self.lossy = self.lossy.saturating_sub(1);
        let frame = self.codec.frame_samples();
        // Packets of another length than a frame begin anywhere in it, by what the two don't have in common.
        let part = common_divisor(length as i64, frame as i64) as usize;
        let offset = (frame - room) % part.max(1);
        self.plan(now - self.micros_of(slot.timestamp), offset, part);
        samples
    }

    /// Whether the delay is to change, by how much later than its media time a packet is played; `offset` is how far from
    /// the beginning of a `part` of its frame, samples in which packets of its length begin.
    fn plan(&mut self, delay: i64, offset: usize, part: usize) {
        let frame = self.codec.frame_samples();
        let early = delay - self.delays.edge_us();
        let ahead = early - self.delays.margin_us();
        let late = ahead < 0 || (ahead < CLOSE_US && ahead < self.delays.rise_us());
        if late {
            self.roomy = 0;
            if self.wanted == 0 && self.counts.delay_us < MAX_DELAY_US {
                self.wanted = part - offset;
                self.unstretched = 0;
            }
            return;
        }
        // Before a packet's tick only whole frames count; within its frame it may come forward by what is before it.
        let kept = i64::from(self.lossy > 0 && self.codec.tells_again());
        let frames = ((ahead - SLACK_US) / FRAME_US).max(0) - kept;
        let spare = frames.clamp(-1, 8) * frame as i64 + offset as i64;
        let spare = spare.max(0) as usize;
        self.spare = if self.roomy == 0 {
            spare
        } else {
            self.spare.min(spare)
        };
        self.roomy = if spare > 0 { self.roomy + 1 } else { 0 };
    }

    /// Time passes without a packet; `made_up` if one may be missing.
    fn pass(&mut self, samples: usize, made_up: bool) {
        let ticks = samples as i64 / self.samples_per_tick();
        if let Playout::Playing { next, owed } = &mut self.playout {
            *(if made_up { owed } else { next }) += ticks;
        }
    }

    /// Takes some milliseconds out of the delay, if there are some to spare and this frame has a place for it: whether it had.
    fn shrink(&mut self, now: i64, out: &mut [i16]) -> bool {
        let Playout::Playing { next, owed: 0 } = self.playout else {
            return false;
        };
        let frames = self.spare.div_ceil(self.codec.frame_samples()).max(1) as u32;
        if self.roomy < ROOMY_IN_SILENCE.min(ROOMY_IN_SPEECH / frames) {
            return false;
        }
        let splice = if is_silent(out) {
            Splice::anywhere(out, self.spare)
        } else if self.roomy >= ROOMY_IN_VOICE.min(ROOMY_IN_SPEECH / frames) {
            let patient = self.roomy * frames < ROOMY_IN_SPEECH;
            Splice::find(out, self.spare).filter(|s| !patient || s.likeness >= ALIKE)
        } else {
            None
        };
        let ready = self.ready.len() + self.samples_of(self.store.ready_from(next));
        let Some(splice) = splice.filter(|splice| splice.jump <= ready) else {
            if self.roomy >= ROOMY_IN_SPEECH {
                // What one packet had to spare is too little; the next ones may have more.
                self.roomy = 0;
            }
            return false;
        };
        let (said, rest) = {
            let left = splice.shorten(out);
            out.split_at_mut(left)
        };
        self.remember(said);
        self.roomy = 0;
        self.assemble(now, rest, 0, Pulled::Silence);
        self.remember(rest);
        self.remembered = out.len();
        self.counts.shortened += 1;
        true
    }

    /// Says some milliseconds of this frame twice, if it has a place for it: the rest of it waits. Whether it had one.
    fn stretch(&mut self, out: &mut [i16]) -> bool {
        let room = self.decoded.len() - self.ready.len();
        let splice = if is_silent(out) {
            Splice::anywhere(out, self.wanted)
        } else {
            let patient = self.unstretched < PATIENCE;
            Splice::find(out, out.len()).filter(|s| !patient || s.likeness >= ALIKE)
        };
        let Some(splice) = splice.filter(|splice| splice.jump <= room) else {
            self.unstretched += 1;
            return false;
        };
        self.decoded_zeros = false;
        let (ready, jump) = (self.ready.clone(), splice.jump);
        if ready.start < jump {
            self.decoded.copy_within(ready.clone(), jump);
            self.ready = 0..jump + ready.len();
        } else {
            self.ready.start -= jump;
        }
        let rest = &mut self.decoded[self.ready.start..][..jump];
        splice.lengthen(out, rest);
        self.wanted = self.wanted.saturating_sub(jump);
        self.unstretched = 0;
        self.counts.stretched += 1;
        true
    }

    /// What was heard up to here goes into the concealer's memory, unless it made it up itself.
    fn remember(&mut self, out: &[i16]) {
        if !self.concealer.is_filling() && self.remembered < out.len() {
            self.concealer.heard(&out[self.remembered..]);
            self.remembered = out.len();
        }
    }

    /// Of a span in units of the clock rate.
    fn micros_of(&self, ticks: i64) -> i64 {
        ticks * 1_000_000 / i64::from(self.codec.clock_rate())
    }

    fn samples_per_tick(&self) -> i64 {
        i64::from(self.codec.sample_rate() / self.codec.clock_rate())
    }

    fn samples_of(&self, ticks: i64) -> usize {
        ticks.saturating_mul(self.samples_per_tick()).max(0) as usize
    }
}

fn is_silent(frame: &[i16]) -> bool {
    let sum: u32 = frame.iter().map(|s| u32::from(s.unsigned_abs())).sum();
    sum < SILENT * frame.len() as u32
}

fn fade_out(samples: &mut [i16]) {
    let length = samples.len() as i64;
    for (sample, left) in samples.iter_mut().zip((0..length).rev()) {
        *sample = (i64::from(*sample) * left / length) as i16;
    }
}

fn common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 1_000_000_000)
}
