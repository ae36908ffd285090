//! One call's media: what comes in from it, and the packet that goes out to it in each tick.

use std::{net::SocketAddr, time::Duration};

use conclave_dtmf::{Digit, EventReceiver, ToneDetector};
use conclave_media::{
    Encoder, Latch, Latched, MAX_REPORT, Pulled, Receiver, RtcpSession, RtpPacket, RtpWriter,
    estimate_mos,
};
use conclave_mixer::{Heard, NoiseDetector, Rate, SlotId};

use crate::{
    Direction, LegId, LegMedia, LegStats, PlayId, Rtcp,
    ahead::{fetch, fetch_from, fetch_one},
    encoding::{Alike, Coding, Company, LONGEST_PAYLOAD, SharedEncoding},
    fade::{Fade, Seam, add},
    halve::{Halver, Thirder},
    music::Music,
    name::NameRecorder,
    packing::Packing,
    play::{PlayQueue, Played},
    port::{Channel, PortKey},
    room::{LONGEST_FRAME, Room},
};

/// Where datagrams go out.
pub(crate) trait Wire {
    /// Sends one datagram in the batch of this tick.
    fn send(&mut self, port: PortKey, channel: Channel, to: SocketAddr, datagram: &[u8]);
}

/// What a leg hears, apart from plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    Silence,
    Music,
    /// In the room at this place of the thread's list.
    Room {
        room: usize,
        slot: SlotId,
        heard: bool,
    },
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ingested {
    Taken,
    /// Taken, and its source is the leg's peer from now on, as the owner of its sockets must know.
    Latched {
        home: usize,
    },
    Ignored,
}

/// A packet of the stream, and when it came.
pub(crate) type Came<'a> = (RtpPacket<'a>, Duration);

/// What a leg has to say in a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    Nothing,
    /// The noise that its telephone tells of while nobody speaks into it.
    Noise,
    /// Zeros that came from it.
    Zeros,
    /// What came from it.
    Sound,
}

/// What a tick needs in between: not cleared for each leg anew.
pub(crate) struct Scratch {
    frame: [i16; LONGEST_FRAME],
    prompt: [i16; LONGEST_FRAME],
    payload: [u8; LONGEST_PAYLOAD],
    packet: [u8; LONGEST_PAYLOAD + conclave_media::HEADER_LEN],
}

impl Scratch {
    pub(crate) fn new() -> Box<Self> {
        Box::new(Scratch {
            frame: [0; LONGEST_FRAME],
            prompt: [0; LONGEST_FRAME],
            payload: [0; LONGEST_PAYLOAD],
            packet: [0; LONGEST_PAYLOAD + conclave_media::HEADER_LEN],
        })
    }
}

/// What a leg can hear in one tick.
pub(crate) struct Sounds<'a> {
    pub(crate) tick: u64,
    pub(crate) rooms: &'a mut [Option<Room>],
    pub(crate) music: &'a mut Music,
    pub(crate) silence: &'a mut SharedEncoding,
}

impl Sounds<'_> {
    /// The stream of those who hear that.
    fn shared(&mut self, alike: Alike) -> Option<&mut SharedEncoding> {
        match alike {
            Alike::Nobody => None,
            Alike::Silence => Some(self.silence),
            Alike::Music => Some(self.music.encoding()),
            Alike::Room(room) => self.rooms.get_mut(room)?.as_mut().map(Room::encoding),
        }
    }
}

/// The numbers of a new stream, which nobody should foresee (RFC 3550, section 5.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamStart {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    /// For what is drawn later: when reports are due, and this end's name in them.
    pub(crate) seed: u64,
    /// NTP time of the engine's start (32.32 fixed point).
    pub(crate) ntp_at_zero: u64,
}

/// Music comes in over 300 ms and goes out over one frame, for the prompt that is heard instead.
const MUSIC_IN: f32 = 15.0;
const MUSIC_OUT: f32 = 1.0;
/// 5 ms: a digit must not be heard, and its silence must not click.
const MUTE: f32 = 0.25;
/// What a telephone and its packets add to the delay, for the estimate of quality.
const TERMINAL: Duration = Duration::from_millis(60);
/// Ticks between two levels of one talker.
const LEVEL_EVERY: u64 = 4 * WATCHED_LEVEL_EVERY;
/// The same in a room that somebody looks at: a quarter of a second. All levels are told in the same ticks, since whoever hears of
/// them has to wake up for it; nobody talks for so short a time that it falls between two.
const WATCHED_LEVEL_EVERY: u64 = 12;

/// In the order of its use: whatever it does, by the packet that comes, by what is heard in a tick, by what is said. Of thousands of legs none is
/// in the cache any more when its turn comes, so what is used together lies together.
#[repr(C)]
pub(crate) struct Leg {
    // Whatever it does.
    pub(crate) id: LegId,
    direction: Direction,
    rate: Rate,
    new_seat: bool,
    /// The next packet is the first one, or the first after a pause: it has the marker (RFC 3551, section 4.1).
    talkspurt: bool,
    /// The tick whose packet goes out next.
    pub(crate) next_tick: u64,
    pub(crate) seat: Seat,
    latch: Latch,
    stats: LegStats,
    media: LegMedia,

    // As a packet comes.
    quiet_since: Duration,
    events: EventReceiver,
    /// The source of the last event: it need not be that of the audio.
    events_from: Option<u32>,
    receiver: Receiver,

    // As it is heard.
    quiet_after: Duration,
    /// Gain of what comes in: 0 while a digit is pressed or its tone is heard.
    input: Fade,
    /// Listens for digits in the audio until the first one has come as an event.
    tones: Option<Box<ToneDetector>>,
    noise: NoiseDetector,
    pub(crate) name: Option<Box<NameRecorder>>,

    // As it hears.
    pub(crate) port: PortKey,
    pub(crate) plays: PlayQueue,
    company: Company,
    seam: Seam,
    music: Fade,
    writer: RtpWriter,
    packing: Option<Box<Packing>>,
    encoder: Box<dyn Encoder>,
    level_due: u64,
    rtcp: RtcpSession,
    random: u64,

    /// The thread that owns the sockets.
    pub(crate) home: usize,
    /// Before them, on a wideband leg, and before that one on a leg of 48 kHz.
    halver: Halver,
    thirder: Thirder,
}

impl Leg {
    pub(crate) fn new(
        id: LegId,
        port: PortKey,
        home: usize,
        media: LegMedia,
        start: StreamStart,
        quiet_after: Duration,
        now: Duration,
    ) -> Self {
        Leg {
            id,
            port,
            home,
            seat: Seat::Silence,
            plays: PlayQueue::default(),
            name: None,
            next_tick: 0,
            rate: rate_of(&media),
            direction: Direction::SendRecv,
            latch: Latch::new(media.remote),
            receiver: receiver_of(&media),
            packing: Packing::of(&media),
            events: EventReceiver::new(),
            events_from: None,
            tones: Some(Box::new(ToneDetector::new())),
            halver: Halver::new(),
            thirder: Thirder::new(),
            noise: NoiseDetector::default(),
            encoder: Coding::of(&media).encoder(),
            company: Company::default(),
            writer: RtpWriter::new(start.ssrc, start.sequence, start.timestamp),
            // A name for this call alone: RFC 7022, section 4.2.
            rtcp: RtcpSession::new(
                start.ssrc,
                &format!("{:016x}", start.seed),
                media.codec.clock_rate(),
                start.ntp_at_zero,
                now,
                start.seed as u32,
            ),
            random: start.seed | 1,
            stats: LegStats::default(),
            input: Fade::at(1.0),
            music: Fade::at(0.0),
            seam: Seam::default(),
            new_seat: false,
            talkspurt: true,
            quiet_since: now,
            quiet_after,
            level_due: 0,
            media,
        }
    }

    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// Has fetched what a tick touches when it listens to this leg.
    pub(crate) fn fetch_for_listening(&self) {
        fetch_from(&self.id, &self.port);
    }

    /// What of that lies elsewhere, which is known once the leg itself is there.
    pub(crate) fn fetch_beside(&self, rooms: &[Option<Room>]) {
        fetch_one(self.receiver.ahead());
        if let Some(heard) = self.receiver.ahead_of_sound() {
            fetch(heard);
        }
        for value in self.noise.ahead().into_iter().flatten() {
            fetch_one(value);
        }
        self.fetch_seat(rooms);
    }

    /// Has fetched what the leg's room knows of it.
    pub(crate) fn fetch_seat(&self, rooms: &[Option<Room>]) {
        if let Seat::Room { room, slot, .. } = self.seat
            && let Some(Some(room)) = rooms.get(room)
            && let Some(there) = room.ahead(slot)
        {
            fetch_one(there);
        }
    }

    /// Has fetched what a tick touches when this leg is spoken to.
    pub(crate) fn fetch_for_speaking(&self) {
        fetch_from(&self.id, &self.quiet_since);
        fetch_from(&self.port, &self.home);
    }

    #[cfg(test)]
    pub(crate) fn delay(&self) -> Duration {
        self.receiver.delay()
    }

    #[cfg(test)]
    pub(crate) fn shares(&self) -> Alike {
        self.company.now()
    }

    /// What was negotiated anew. The stream out goes on, whatever the codec.
    pub(crate) fn update(&mut self, media: LegMedia, direction: Direction, now: Duration) {
        let moved = media.remote != self.media.remote;
        self.latch.rearm(moved.then_some(media.remote), now);
        let numbers = |media: &LegMedia| {
            let LegMedia {
                codec,
                payload_type,
                comfort_payload_type,
                ..
            } = *media;
            (codec, payload_type, comfort_payload_type)
        };
        if numbers(&media) != numbers(&self.media) {
            self.receiver = receiver_of(&media);
            self.rate = rate_of(&media);
            self.rtcp.set_clock_rate(media.codec.clock_rate());
        }
        if (media.codec, media.ptime) != (self.media.codec, self.media.ptime) {
            self.drop_waiting();
            self.packing = Packing::of(&media);
        }
        if Coding::of(&media) != Coding::of(&self.media) {
            let mut encoder = Coding::of(&media).encoder();
            encoder.go_on_as(&*self.encoder);
            self.encoder = encoder;
            self.company = Company::default();
        }
        if media.remote != self.media.remote {
            // Another peer, with numbers of its own.
            self.events.reset();
        }
        if !direction.hears() {
            // What a held line plays is known to be no caller.
            self.noise = NoiseDetector::default();
        }
        self.media = media;
        self.direction = direction;
    }

    pub(crate) fn sit(&mut self, seat: Seat) {
        if seat == Seat::Music && self.seat != Seat::Music {
            self.music = Fade::at(0.0);
        }
        self.seat = seat;
        self.new_seat = true;
    }

    /// Takes a datagram that came to this leg's address; tells of a digit that began. A packet of the stream is to be given to
    /// [`keep`](Self::keep), or with the tick to [`hear`](Self::hear).
    pub(crate) fn ingest<'a>(
        &mut self,
        channel: Channel,
        from: SocketAddr,
        datagram: &'a [u8],
        now: Duration,
        digit: impl FnOnce(Digit),
    ) -> (Ingested, Option<Came<'a>>) {
        let (ingested, came) = if channel == Channel::Rtcp || is_rtcp(datagram) {
            (self.ingest_rtcp(from, datagram, now), None)
        } else {
            self.ingest_rtp(from, datagram, now, digit)
        };
        self.stats.ignored += u64::from(ingested == Ingested::Ignored);
        (ingested, came)
    }

    fn ingest_rtp<'a>(
        &mut self,
        from: SocketAddr,
        datagram: &'a [u8],
        now: Duration,
        digit: impl FnOnce(Digit),
    ) -> (Ingested, Option<Came<'a>>) {
        let Ok(packet) = RtpPacket::parse(datagram) else {
            return (Ingested::Ignored, None);
        };
        if !self.direction.sends() && from != self.latch.remote() {
            // While the peer holds it may be silent, and nobody else is to take its place meanwhile.
            return (Ingested::Ignored, None);
        }
        let audio = self.media.payload_type;
        let event = self.media.event_payload_type;
        let noise = self.media.comfort_payload_type;
        let latched = self.latch.check(
            from,
            &packet,
            &[audio, event.unwrap_or(audio), noise.unwrap_or(audio)],
            now,
        );
        if matches!(latched, Latched::NotYet | Latched::No) {
            return (Ingested::Ignored, None);
        }
        self.stats.packets_in += 1;
        self.quiet_since = now;
        if event == Some(packet.payload_type()) {
            if self.events_from.replace(packet.ssrc()) != Some(packet.ssrc()) {
                self.events.reset();
            }
            let pressed = self.events.push(
                packet.sequence(),
                packet.timestamp(),
                packet.marker(),
                packet.payload(),
                now,
            );
            if let Some(pressed) = pressed {
                self.tones = None;
                digit(pressed);
            }
        }
        let ingested = if latched == Latched::Now {
            Ingested::Latched { home: self.home }
        } else {
            Ingested::Taken
        };
        // Events too: their time is none that is lost.
        (ingested, Some((packet, now)))
    }

    /// Keeps a packet that came until its tick.
    pub(crate) fn keep(&mut self, (packet, arrival): Came<'_>) {
        self.receiver.push(&packet, arrival);
    }

    /// Reports are taken from the peer's host, whatever its port. They change nothing but figures.
    fn ingest_rtcp(&mut self, from: SocketAddr, datagram: &[u8], now: Duration) -> Ingested {
        if from.ip() == self.latch.remote().ip() && self.rtcp.handle(datagram, now).is_ok() {
            Ingested::Taken
        } else {
            Ingested::Ignored
        }
    }

    /// This tick's 20 ms of what the leg says, `last` being the last packet that came. Tells of a digit that its tone makes certain.
    pub(crate) fn hear(
        &mut self,
        last: Option<Came<'_>>,
        now: Duration,
        frame: &mut [i16],
        digit: impl FnMut(Digit),
    ) -> Says {
        let pulled = self.receiver.push_and_pull(last, now, frame);
        let tone = self.hear_tones(frame, digit);
        // What is heard now came with what was said of digits then.
        let came = now.saturating_sub(self.receiver.delay());
        let open = self.direction.hears() && !self.events.muted(came) && !tone;
        let target = if open { 1.0 } else { 0.0 };
        let silent = self.input.is_silent(target);
        self.input.apply(frame, target, MUTE);
        if silent {
            frame.fill(0);
        }
        match pulled {
            Pulled::Silence => Says::Nothing,
            _ if silent => Says::Nothing,
            Pulled::Comfort => Says::Noise,
            Pulled::Zeros => Says::Zeros,
            Pulled::Audio | Pulled::Concealed => Says::Sound,
        }
    }

    /// Whether this frame is the tone of a digit, or seems to be. The frame is silenced from its beginning on, so that of a tone
    /// nobody hears more than what came before the frame that made it suspicious.
    fn hear_tones(&mut self, frame: &[i16], digit: impl FnMut(Digit)) -> bool {
        let Some(tones) = &mut self.tones else {
            return false;
        };
        let mut third = [0; Rate::Hz16000.frame_len()];
        let mut half = [0; Rate::Hz8000.frame_len()];
        match self.rate {
            Rate::Hz8000 => tones.push(frame, digit),
            Rate::Hz16000 => {
                self.halver.push(frame, &mut half);
                tones.push(&half, digit);
            }
            Rate::Hz48000 => {
                self.thirder.push(frame, &mut third);
                self.halver.push(&third, &mut half);
                tones.push(&half, digit);
            }
        }
        tones.suspects()
    }

    /// Takes this tick's frame of what the leg says; tells when that has become, or is no longer, music or steady noise.
    pub(crate) fn watch_noise(&mut self, says: Says, frame: &[i16]) -> Option<bool> {
        match says {
            Says::Sound => self.noise.push(frame),
            // Noise that the telephone tells of, too, is nobody's voice, and none that comes over the line.
            Says::Nothing | Says::Zeros | Says::Noise => self.noise.push_zeros(),
        }
    }

    /// Whether there has been no RTP for too long; asked once each tick.
    pub(crate) fn is_quiet(&mut self, now: Duration) -> bool {
        if self.direction != Direction::SendRecv {
            self.quiet_since = now;
        }
        let quiet = now.saturating_sub(self.quiet_since) >= self.quiet_after;
        if quiet {
            self.quiet_since = now;
        }
        quiet
    }

    /// How loud this leg talks in its room, if that is due to be told.
    pub(crate) fn level(&mut self, tick: u64, rooms: &[Option<Room>]) -> Option<f32> {
        let Seat::Room {
            room,
            slot,
            heard: true,
        } = self.seat
        else {
            return None;
        };
        if !tick.is_multiple_of(WATCHED_LEVEL_EVERY) {
            return None;
        }
        // So much sooner it is due where somebody looks.
        let sooner = LEVEL_EVERY - WATCHED_LEVEL_EVERY;
        if tick + sooner < self.level_due {
            return None;
        }
        let room = rooms.get(room)?.as_ref()?;
        if tick < self.level_due && !room.is_watched(tick) {
            return None;
        }
        let level = room.level(slot);
        level.talking.then(|| {
            self.level_due = tick + LEVEL_EVERY;
            level.dbfs
        })
    }

    /// Sends the packet of this tick.
    pub(crate) fn speak(
        &mut self,
        sounds: &mut Sounds<'_>,
        scratch: &mut Scratch,
        ended: impl FnMut(PlayId),
        wire: &mut impl Wire,
    ) {
        let units = self.units();
        let left_out = sounds.tick.saturating_sub(self.next_tick);
        if left_out > 0 {
            self.talkspurt = true;
            self.drop_waiting();
        }
        self.writer.skip(units.wrapping_mul(left_out as u32));
        self.next_tick = sounds.tick + 1;

        let length = self.rate.frame_len();
        let Scratch {
            frame,
            prompt,
            payload: own,
            packet,
        } = scratch;
        let (frame, prompt) = (&mut frame[..length], &mut prompt[..length]);
        let mut playing = false;
        if !self.plays.is_empty() {
            prompt.fill(0);
            playing = self.plays.fill(self.rate, prompt, ended) != Played::Nothing;
        }
        let remote = self.latch.remote();
        if !self.direction.sends() || !is_reachable(remote) {
            self.part(sounds);
            self.company = Company::default();
            self.drop_waiting();
            self.writer.skip(units);
            self.talkspurt = true;
            self.seam = Seam::default();
            return;
        }
        let mut alike = self.listen(sounds, playing.then_some(&*prompt), frame);
        let new_seat = std::mem::take(&mut self.new_seat);
        let joined = new_seat && self.seam.join(frame);
        self.seam.after(frame);
        if joined || new_seat && self.media.codec.has_memory() {
            alike = Alike::Nobody;
        }

        let payload = self.encode(alike, frame, sounds, own);
        let Some(mut packing) = self.packing.take() else {
            self.send(payload, units, remote, packet, wire);
            return;
        };
        let units = packing.units(units);
        for payload in packing.add(payload) {
            self.send(payload, units, remote, packet, wire);
        }
        self.packing = Some(packing);
    }

    fn send(
        &mut self,
        payload: &[u8],
        units: u32,
        remote: SocketAddr,
        packet: &mut [u8],
        wire: &mut impl Wire,
    ) {
        let marker = std::mem::take(&mut self.talkspurt);
        let written = self
            .writer
            .write(self.media.payload_type, marker, units, payload, packet);
        if let Some(length) = written {
            self.stats.packets_out += 1;
            wire.send(self.port, Channel::Rtp, remote, &packet[..length]);
        }
    }

    /// Units of the timestamp in a tick.
    const fn units(&self) -> u32 {
        self.media.codec.clock_rate() / 50
    }

    /// What waits for its packet to be full is not sent any more.
    fn drop_waiting(&mut self) {
        let units = self.units();
        if let Some(packing) = &mut self.packing {
            self.writer.skip(packing.drop_waiting(units));
        }
    }

    /// The frame's payload: that of a stream that others hear as well, or one of the leg's own.
    fn encode<'a>(
        &mut self,
        alike: Alike,
        frame: &[i16],
        sounds: &'a mut Sounds<'_>,
        own: &'a mut [u8],
    ) -> &'a [u8] {
        let (coding, tick) = (Coding::of(&self.media), sounds.tick);
        if self.company.shares(alike, coding.codec) {
            let shared = sounds.shared(alike);
            return shared.map_or(&[], |shared| shared.payload(coding, tick, frame));
        }
        self.part(sounds);
        if let Some(shared) = sounds.shared(alike) {
            // So that it hears what this leg's own encoder hears.
            shared.payload(coding, tick, frame);
            if self.company.arrives() {
                shared.welcome(coding);
            }
        }
        let length = self.encoder.encode(frame, own);
        &own[..length]
    }

    /// Leaves the shared stream: the leg's own encoder goes on where that one stands.
    pub(crate) fn part(&mut self, sounds: &mut Sounds<'_>) {
        let tick = sounds.tick;
        if let Some(shared) = sounds.shared(self.company.part()) {
            shared.hand_over(Coding::of(&self.media), tick, &mut *self.encoder);
        }
    }

    /// Fills the frame with what the leg hears, and says who else hears the same.
    fn listen(
        &mut self,
        sounds: &mut Sounds<'_>,
        prompt: Option<&[i16]>,
        frame: &mut [i16],
    ) -> Alike {
        match self.seat {
            Seat::Silence => match prompt {
                Some(prompt) => {
                    frame.copy_from_slice(prompt);
                    Alike::Nobody
                }
                None => {
                    frame.fill(0);
                    Alike::Silence
                }
            },
            Seat::Music => {
                let (target, frames) = match prompt {
                    Some(_) => (0.0, MUSIC_OUT),
                    None => (1.0, MUSIC_IN),
                };
                sounds.music.frame(self.rate, sounds.tick, frame);
                if self.music.is_unity(target) {
                    return Alike::Music;
                }
                self.music.apply(frame, target, frames);
                add(frame, prompt.unwrap_or(&[]));
                Alike::Nobody
            }
            Seat::Room { room, slot, .. } => {
                let Some(Some(mix)) = sounds.rooms.get_mut(room) else {
                    frame.fill(0);
                    return Alike::Silence;
                };
                let heard = match prompt {
                    Some(prompt) => mix.read_under(slot, prompt, frame),
                    None => mix.read(slot, frame),
                };
                match heard {
                    Heard::Common => Alike::Room(room),
                    Heard::Own => Alike::Nobody,
                    Heard::Silence if self.media.codec.has_memory() => {
                        self.company.in_pause(Alike::Room(room))
                    }
                    Heard::Silence | Heard::Alone => Alike::Silence,
                }
            }
        }
    }

    /// Sends the report that is due, if one is: also while the peer holds (RFC 3264, section 8.4).
    pub(crate) fn report(&mut self, now: Duration, wire: &mut impl Wire) {
        if now < self.rtcp.next_report() {
            return;
        }
        // xorshift: reports of many calls must not come at once, more is not asked of it.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let mut report = [0; MAX_REPORT];
        let (random, reception) = (self.random as u32, self.receiver.reception());
        let length = self
            .rtcp
            .report(now, random, &self.writer, &reception, &mut report);
        self.send_rtcp(&report[..length], wire);
    }

    /// Says that the stream ends.
    pub(crate) fn bye(&mut self, now: Duration, wire: &mut impl Wire) {
        let mut report = [0; MAX_REPORT];
        let reception = self.receiver.reception();
        let length = self.rtcp.bye(now, &self.writer, &reception, &mut report);
        self.send_rtcp(&report[..length], wire);
    }

    fn send_rtcp(&mut self, report: &[u8], wire: &mut impl Wire) {
        let to = Leg::rtcp_remote(&self.media, self.latch.remote());
        let channel = match self.media.rtcp {
            Rtcp::Muxed => Channel::Rtp,
            Rtcp::NextPort | Rtcp::At(_) => Channel::Rtcp,
        };
        if is_reachable(to) && !report.is_empty() {
            wire.send(self.port, channel, to, report);
        }
    }

    /// The leg is over: how it was.
    pub(crate) fn stats(&self) -> LegStats {
        let received = self.receiver.stats();
        let missed = received.lost + received.late;
        let expected = received.received + received.lost;
        let mos = if expected == 0 {
            0.0
        } else {
            let loss = missed as f64 / expected as f64;
            let way = self.rtcp.round_trip().unwrap_or_default() / 2;
            let delay = way + received.delay + TERMINAL;
            estimate_mos(self.media.codec, loss, delay) as f32
        };
        LegStats {
            lost: received.lost,
            late: received.late,
            jitter: received.jitter,
            mos,
            ..self.stats
        }
    }

    /// Where its RTCP is expected from.
    pub(crate) fn rtcp_remote(media: &LegMedia, rtp: SocketAddr) -> SocketAddr {
        match media.rtcp {
            Rtcp::Muxed => rtp,
            Rtcp::At(at) => at,
            Rtcp::NextPort => SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1)),
        }
    }
}

fn receiver_of(media: &LegMedia) -> Receiver {
    Receiver::new(media.codec, media.payload_type).with_comfort_noise(media.comfort_payload_type)
}

fn rate_of(media: &LegMedia) -> Rate {
    // Each codec's rate is one of the mixer's; the narrowest serves should one ever not be.
    Rate::from_hz(media.codec.sample_rate()).unwrap_or(Rate::Hz8000)
}

fn is_reachable(remote: SocketAddr) -> bool {
    !remote.ip().is_unspecified() && remote.port() != 0
}

/// RTCP's packet types on an RTP port (RFC 5761, section 4).
fn is_rtcp(datagram: &[u8]) -> bool {
    datagram
        .get(1)
        .is_some_and(|kind| (192..=223).contains(kind))
}
