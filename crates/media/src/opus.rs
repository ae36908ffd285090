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
    /// before it said (in-band FEC). At 0 it doesn't, nor where the bitrate leaves no room: at 32 kbit/s libopus wants more
    /// than 5.
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
            bitrate: 48_000,
            // With AVX2 6 takes less time than 5, for which libopus has no vector code.
            complexity: 6,
            expected_loss: 10,
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
    /// What a [`Receiver`](crate::Receiver) wishes: it makes use of FEC, and its memory is made for 128 kbit/s.
    pub fn of_receiver() -> Self {
        Self {
            max_average_bitrate: 128_000,
            fec: true,
            ..Self::default()
        }
    }

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
    packet::get_nb_samples(packet, RATE)
        .ok()
        .filter(|samples| *samples > 0)
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
///
/// A muted telephone sends the same packet over and over, or with DTX hardly any, and all that is heard of it are zeros. The
/// decoder, too, stays as it is then, and isn't asked until another packet comes.
pub(crate) struct OpusDecoder {
    coder: ::opus::Decoder,
    last: Vec<u8>,
    /// Packets and losses in a row of which nothing was heard.
    nothing: u32,
}

/// The longest packet that is compared with the one after it: 20 ms at 51 kbit/s. Where the bitrate is constant silence is as long
/// as speech.
const LONGEST_STILL: usize = 128;
/// Of so many packets nothing was heard before the next one isn't decoded.
const STILL: u32 = 5;
/// A sample no louder is nothing: what a codec leaves of zeros.
const NOTHING: u16 = 1;

impl OpusDecoder {
    pub(crate) fn new() -> Self {
        Self {
            coder: ::opus::Decoder::new(RATE, Channels::Mono).expect("libopus knows this rate"),
            last: Vec::with_capacity(LONGEST_STILL),
            nothing: 0,
        }
    }

    /// Counts what comes to nothing, and lets it be zeros once it goes on.
    fn note(&mut self, heard: &mut [i16]) {
        let nothing = heard.iter().all(|sample| sample.unsigned_abs() <= NOTHING);
        self.nothing = if nothing { self.nothing + 1 } else { 0 };
        if self.gave_zeros() {
            heard.fill(0);
        }
    }
}

impl Decoder for OpusDecoder {
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        let Some(samples) = samples_in(payload).filter(|samples| *samples <= out.len()) else {
            return 0;
        };
        if self.gave_zeros() && (self.last == payload || Codec::Opus.is_silence(payload)) {
            out[..samples].fill(0);
            return samples;
        }
        self.last.clear();
        if payload.len() <= LONGEST_STILL {
            self.last.extend_from_slice(payload);
        }
        match self.coder.decode(payload, out, false) {
            Ok(samples) => {
                self.note(&mut out[..samples]);
                samples
            }
            Err(_) => {
                // What turns out to be broken is as good as lost.
                self.nothing = 0;
                if self.conceal(&mut out[..samples]) {
                    samples
                } else {
                    0
                }
            }
        }
    }

    fn conceal(&mut self, out: &mut [i16]) -> bool {
        if out.is_empty() || !out.len().is_multiple_of(STEP) {
            return false;
        }
        if self.gave_zeros() {
            out.fill(0);
            return true;
        }
        // At most a packet's length at once.
        let made = out
            .chunks_mut(3 * FRAME)
            .all(|part| self.coder.decode(&[], part, false).is_ok());
        self.note(out);
        made
    }

    fn gave_zeros(&self) -> bool {
        self.nothing >= STILL
    }

    fn recover(&mut self, next: &[u8], out: &mut [i16]) -> bool {
        self.nothing = 0;
        samples_in(next) == Some(out.len()) && self.coder.decode(next, out, true).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    /// So many frames of a voice: a buzz that glides, with pauses, in a little noise.
    fn voice(pitch: f64, frames: usize) -> Vec<[i16; FRAME]> {
        let (mut phase, mut seed) = (0.0, 1_u32);
        let mut sample = |n: usize| {
            let time = n as f64 / 48_000.0;
            phase += pitch * (1.0 + 0.2 * (TAU * 1.3 * time).sin()) / 48_000.0;
            let buzz: f64 = (1..12)
                .map(|k| (TAU * phase * f64::from(k)).sin() / f64::from(k))
                .sum();
            let loud = (TAU * 2.1 * time).sin().max(0.0).sqrt();
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(seed >> 16) / 65_536.0 - 0.5;
            (5_000.0 * loud * buzz + 60.0 * noise) as i16
        };
        (0..frames)
            .map(|frame| std::array::from_fn(|n| sample(frame * FRAME + n)))
            .collect()
    }

    fn encoder() -> OpusEncoder {
        OpusEncoder::new(OpusSettings::default())
    }

    fn coded(encoder: &mut OpusEncoder, frame: &[i16; FRAME]) -> Vec<u8> {
        let mut packet = vec![0; 1_275];
        let length = encoder.encode(frame, &mut packet);
        packet.truncate(length);
        packet
    }

    fn decibels(signal: &[i16], other: &[i16]) -> f64 {
        let power = |samples: &mut dyn Iterator<Item = f64>| samples.map(|s| s * s).sum::<f64>();
        let differs = power(
            &mut signal
                .iter()
                .zip(other)
                .map(|(a, b)| f64::from(*a) - f64::from(*b)),
        );
        10.0 * (power(&mut signal.iter().map(|s| f64::from(*s))) / differs.max(1.0)).log10()
    }

    /// Half of what follows is loud, the other half is a pause; sound that is no waveform is not to be compared.
    fn is_loud(samples: &[i16]) -> bool {
        samples.iter().map(|s| i64::from(*s).pow(2)).sum::<i64>() > 1_000_000 * FRAME as i64
    }

    fn decoded(decoder: &mut OpusDecoder, packet: &[u8]) -> [i16; FRAME] {
        let mut frame = [0; FRAME];
        assert_eq!(decoder.decode(packet, &mut frame), FRAME);
        frame
    }

    #[test]
    fn what_is_coded_is_heard_again() {
        let amplitude = |samples: &[i16], hz: f64| {
            let wave = samples.iter().enumerate().map(|(n, s)| {
                let turn = TAU * hz * n as f64 / f64::from(RATE);
                (f64::from(*s) * turn.cos(), f64::from(*s) * turn.sin())
            });
            let (re, im) = wave.fold((0.0, 0.0), |(re, im), (x, y)| (re + x, im + y));
            2.0 * f64::hypot(re, im) / samples.len() as f64
        };
        let check = |hz: f64, settings: OpusSettings| {
            let (mut encoder, mut decoder) = (OpusEncoder::new(settings), OpusDecoder::new());
            let mut heard = Vec::new();
            for frame in 0..50 {
                let said: [i16; FRAME] = std::array::from_fn(|n| {
                    let turn = TAU * hz * (frame * FRAME + n) as f64 / f64::from(RATE);
                    (3_000.0 * turn.sin()) as i16
                });
                heard.extend(decoded(&mut decoder, &coded(&mut encoder, &said)));
            }
            let heard = &heard[20 * FRAME..];
            let level = amplitude(heard, hz);
            let all = heard.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
            let tone = level * level / 2.0 * heard.len() as f64;
            assert!(
                (2_600.0..3_400.0).contains(&level),
                "{hz} Hz: {level}, {settings:?}"
            );
            assert!(
                tone / all > 0.95,
                "{hz} Hz: {:.3} of it all, {settings:?}",
                tone / all
            );
        };
        let usual = OpusSettings::default();
        for hz in [300.0, 1_000.0, 3_000.0, 6_000.0] {
            check(hz, usual);
        }
        let bitrate = 64_000;
        check(15_000.0, OpusSettings { bitrate, ..usual });
        let complexity = 0;
        check(
            1_000.0,
            OpusSettings {
                complexity,
                ..usual
            },
        );
    }

    #[test]
    fn an_encoder_heeds_its_settings() {
        let sizes = |settings: OpusSettings, frames: &[[i16; FRAME]]| -> Vec<usize> {
            let mut encoder = OpusEncoder::new(settings);
            frames
                .iter()
                .map(|f| coded(&mut encoder, f).len())
                .collect()
        };
        let usual = OpusSettings::default();
        let said = voice(150.0, 50);
        let mean = |sizes: Vec<usize>| sizes.iter().sum::<usize>() / sizes.len();
        let (at_48, at_16) = (mean(sizes(usual, &said)), {
            let bitrate = 16_000;
            mean(sizes(OpusSettings { bitrate, ..usual }, &said))
        });
        assert!(
            (90..=140).contains(&at_48) && (30..=50).contains(&at_16),
            "{at_48}, {at_16}"
        );
        let cbr = true;
        let same = sizes(OpusSettings { cbr, ..usual }, &said);
        assert!(same.iter().all(|size| *size == same[0]), "{same:?}");
        let silence = [[0; FRAME]; 50];
        let dtx = true;
        let sent = sizes(OpusSettings { dtx, ..usual }, &silence);
        assert!(
            sent[30..].iter().filter(|size| **size <= 2).count() > 15,
            "{sent:?}"
        );
        assert!(sizes(usual, &silence)[30..].iter().all(|size| *size > 2));
        let narrow = OpusSettings {
            playback_rate: 8_000,
            ..usual
        };
        let packet = coded(&mut OpusEncoder::new(narrow), &said[10]);
        assert!(packet[0] >> 3 <= 3, "narrowband SILK: {:#x}", packet[0]);
    }

    #[test]
    fn a_lost_packet_is_in_the_next_one() {
        let (mut told, mut untold) = (Vec::new(), Vec::new());
        for pitch in [100.0, 130.0, 170.0] {
            let mut encoder = encoder();
            let packets: Vec<_> = voice(pitch, 60)
                .iter()
                .map(|f| coded(&mut encoder, f))
                .collect();
            for lost in 10..59 {
                let decoder = || {
                    let mut decoder = OpusDecoder::new();
                    for packet in &packets[..lost] {
                        decoded(&mut decoder, packet);
                    }
                    decoder
                };
                let whole = decoded(&mut decoder(), &packets[lost]);
                if !is_loud(&whole) {
                    continue;
                }
                let mut frame = [0; FRAME];
                assert!(decoder().recover(&packets[lost + 1], &mut frame));
                told.push(decibels(&whole, &frame));
                assert!(decoder().conceal(&mut frame));
                untold.push(decibels(&whole, &frame));
            }
        }
        let median = |all: &mut Vec<f64>| {
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        let (told, untold) = (median(&mut told), median(&mut untold));
        assert!(told > untold + 3.0, "{told:.1} dB, {untold:.1} dB without");
    }

    #[test]
    fn a_muted_telephone_is_not_decoded_and_heard_again_at_once() {
        for (dtx, cbr) in [(false, false), (true, false), (false, true)] {
            let usual = OpusSettings::default();
            let mut encoder = OpusEncoder::new(OpusSettings { dtx, cbr, ..usual });
            let (mut decoder, mut every) = (OpusDecoder::new(), OpusDecoder::new());
            let said = voice(150.0, 50);
            let muted = std::iter::repeat_n(&[0; FRAME], 100);
            let (mut left_out, mut worst) = (0, f64::MAX);
            for (n, frame) in said.iter().chain(muted).chain(&said).enumerate() {
                let packet = coded(&mut encoder, frame);
                let mut expected = [0; FRAME];
                every.coder.decode(&packet, &mut expected, false).unwrap();
                let heard = decoded(&mut decoder, &packet);
                left_out += usize::from(decoder.gave_zeros());
                if decoder.gave_zeros() {
                    assert!(heard == [0; FRAME] && (50..150).contains(&n), "{n}");
                    assert!(expected.iter().all(|x| x.abs() <= 3), "{n}");
                }
                if is_loud(&expected) {
                    worst = worst.min(decibels(&expected, &heard));
                }
            }
            // With DTX the other decoder has concealed, and comes back from that softly.
            let alike = if dtx { 12.0 } else { 60.0 };
            assert!(left_out > 60 && worst > alike, "{left_out}, {worst:.1} dB");
        }
    }

    #[test]
    fn losses_are_filled_in_steps_of_two_and_a_half_milliseconds() {
        let (mut encoder, mut decoder) = (encoder(), OpusDecoder::new());
        for frame in &voice(120.0, 10) {
            decoded(&mut decoder, &coded(&mut encoder, frame));
        }
        let packet = coded(&mut encoder, &[0; FRAME]);
        let mut out = [0; 7 * FRAME];
        for (length, filled) in [
            (0, false),
            (1, false),
            (120, true),
            (121, false),
            (7 * FRAME, true),
        ] {
            assert_eq!(decoder.conceal(&mut out[..length]), filled, "{length}");
        }
        for (length, filled) in [(0, false), (120, false), (FRAME, true), (2 * FRAME, false)] {
            assert_eq!(
                decoder.recover(&packet, &mut out[..length]),
                filled,
                "{length}"
            );
        }
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        let check = |packet: &[u8], samples: Option<usize>| {
            assert_eq!(Codec::Opus.samples_in(packet), samples, "{packet:x?}");
            let mut out = [1; 3 * FRAME];
            let heard = OpusDecoder::new().decode(packet, &mut out);
            assert_eq!(heard, samples.unwrap_or(0), "{packet:x?}");
        };
        check(&[], None);
        check(&[0x78], Some(960)); // DTX of one frame of 20 ms
        check(&[0x7B], None); // the number of frames is missing
        check(&[0x7B, 0], None); // no frame
        check(&[0x7B, 4], None); // 80 ms
        check(&[0x7B, 3], Some(2_880));
        check(&[0x79, 1, 2], Some(1_920));
        check(&[0x79, 1], Some(1_920)); // two frames of half a byte: as lost
        check(&[0x7A, 200, 1], Some(1_920)); // longer than itself: as lost
        check(&[0x1B, 2], None); // 120 ms
        assert_eq!(Codec::Opus.samples_in(&[0x18; 1_501]), None);
    }

    #[test]
    fn another_encoder_goes_on_where_one_stands() {
        let said = voice(140.0, 60);
        let switched = |goes_on: bool| {
            let (mut one, mut other, mut decoder) = (encoder(), encoder(), OpusDecoder::new());
            voice(90.0, 20)
                .iter()
                .for_each(|f| drop(coded(&mut other, f)));
            let mut worst = f64::MAX;
            let mut whole = OpusDecoder::new();
            for (n, frame) in said.iter().enumerate() {
                let straight = coded(&mut one, frame);
                if n == 30 && goes_on {
                    let mut before = encoder();
                    said[20..30]
                        .iter()
                        .for_each(|f| drop(coded(&mut before, f)));
                    other.go_on_as(&before);
                    other.go_on_as(&*Codec::Pcmu.encoder());
                }
                let sent = if n < 30 {
                    straight.clone()
                } else {
                    coded(&mut other, frame)
                };
                let (expected, heard) =
                    (decoded(&mut whole, &straight), decoded(&mut decoder, &sent));
                if n >= 30 && is_loud(&expected) {
                    worst = worst.min(decibels(&expected, &heard));
                }
            }
            worst
        };
        let (care, carelessness) = (switched(true), switched(false));
        assert!(
            care > 10.0 && carelessness < 6.0,
            "{care:.1} dB, {carelessness:.1} dB"
        );
    }

    /// Who has listened to one encoder can go over to another that has heard the same for half a second, and is welcome.
    #[test]
    fn from_one_encoder_to_another_that_hears_the_same() {
        let mut worst = f64::MAX;
        for n in 0..24_u8 {
            let same = voice(110.0 + 9.0 * f64::from(n), 40 + usize::from(n));
            let (before, after) = same.split_at(same.len() - 6);
            let (mut one, mut other) = (encoder(), encoder());
            let elsewhere = voice(300.0 - 7.0 * f64::from(n), 50);
            elsewhere.iter().for_each(|f| drop(coded(&mut other, f)));
            let (mut stays, mut comes) = (OpusDecoder::new(), OpusDecoder::new());
            for frame in before {
                decoded(&mut comes, &coded(&mut one, frame));
                decoded(&mut stays, &coded(&mut other, frame));
            }
            other.welcome();
            for frame in after {
                let packet = coded(&mut other, frame);
                let (stays, comes) = (decoded(&mut stays, &packet), decoded(&mut comes, &packet));
                if is_loud(&stays) {
                    worst = worst.min(decibels(&stays, &comes));
                }
            }
        }
        // Unwelcome: 22 dB.
        assert!(worst > 26.0, "{worst:.1} dB");
    }

    #[test]
    fn wishes_are_read_and_heeded() {
        let check = |parameters: &str, expected: OpusWishes| {
            assert_eq!(OpusWishes::parse(parameters), expected, "{parameters}");
            assert_eq!(
                OpusWishes::parse(&expected.to_string()),
                expected,
                "{parameters}"
            );
        };
        let unsaid = OpusWishes::default();
        check("", unsaid);
        check("stereo=1; sprop-stereo=1;x;=;a=b=c", unsaid);
        check(
            "useinbandfec=1",
            OpusWishes {
                fec: true,
                ..unsaid
            },
        );
        check("useinbandfec=2;usedtx=-1;cbr=x", unsaid);
        check("maxplaybackrate=7999; maxaveragebitrate=5999", unsaid);
        check("maxplaybackrate=96000; maxaveragebitrate=999999", unsaid);
        let all = OpusWishes {
            max_playback_rate: 16_000,
            max_average_bitrate: 20_000,
            fec: true,
            dtx: true,
            cbr: true,
        };
        check(
            " MaxPlaybackRate = 16000 ; maxaveragebitrate=20000; UseInbandFEC=1;usedtx=1;cbr=1",
            all,
        );
        let settings = OpusSettings {
            dtx: true,
            ..OpusSettings::default()
        };
        let within = settings.within(all);
        assert_eq!((within.bitrate, within.playback_rate), (20_000, 16_000));
        assert!(within.dtx && within.cbr && within.expected_loss == settings.expected_loss);
        let within = settings.within(unsaid);
        assert_eq!(
            (within.bitrate, within.playback_rate),
            (settings.bitrate, RATE)
        );
        assert!(!within.dtx && !within.cbr && within.expected_loss == 0);
    }
}
