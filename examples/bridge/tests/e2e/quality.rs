//! What the bridge does to speech: recordings of what a listener hears of a talker behind networks of many kinds, beside
//! what is heard of the same packets without a bridge. `cargo xtask long audio` scores them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use conclave_conference::Prompt;
use conclave_media::{Codec, Receiver, RtpPacket, RtpWriter};

use crate::{
    bridge::Bridge,
    ear::Ear,
    phone::{Phone, Script},
    sipp::Offer,
};

/// Where the speech lies and the recordings go.
const DIRECTORY: &str = "CONCLAVE_QUALITY";
/// The one codec that is wanted, as SDP names it, if not all are.
const ONLY: &str = "CONCLAVE_QUALITY_CODEC";
const CODECS: [(Codec, Offer); 3] = [
    (Codec::Pcmu, Offer::Early),
    (Codec::G722, Offer::G722),
    (Codec::Opus, Offer::Opus),
];

/// How the talker's packets fare on their way.
#[derive(Clone, Copy)]
struct Way {
    loss: f64,
    bursty: bool,
    jitter_ms: f64,
    talkers: usize,
    noise: Noise,
}

/// What is on the line beside the speech, and whether the account has noise turned down.
#[derive(Clone, Copy, PartialEq)]
enum Noise {
    None,
    Hiss,
    HissTurnedDown,
    NoneTurnedDown,
}

const WAYS: [Way; 17] = [
    way(0.0, false, 0.0),
    way(1.0, false, 0.0),
    way(3.0, false, 0.0),
    way(5.0, false, 0.0),
    way(10.0, false, 0.0),
    way(1.0, true, 0.0),
    way(3.0, true, 0.0),
    way(5.0, true, 0.0),
    way(10.0, true, 0.0),
    way(0.0, false, 20.0),
    way(0.0, false, 60.0),
    way(5.0, false, 20.0),
    way(5.0, false, 60.0),
    Way {
        talkers: 3,
        ..way(0.0, false, 0.0)
    },
    hiss(Noise::Hiss),
    hiss(Noise::HissTurnedDown),
    hiss(Noise::NoneTurnedDown),
];
/// Calls at once: more would measure this machine.
const AT_ONCE: usize = 3;

const fn way(loss: f64, bursty: bool, jitter_ms: f64) -> Way {
    Way {
        loss,
        bursty,
        jitter_ms,
        talkers: 1,
        noise: Noise::None,
    }
}

const fn hiss(noise: Noise) -> Way {
    Way {
        noise,
        ..way(0.0, false, 0.0)
    }
}

#[test]
#[ignore = "minutes; run by `cargo xtask long audio`"]
fn what_a_listener_hears() {
    let directory = PathBuf::from(std::env::var(DIRECTORY).expect("a directory with speech.wav"));
    let speech = read(&directory.join("speech.wav"));
    let mut rows = String::new();
    let only = std::env::var(ONLY).ok();
    for (codec, offer) in CODECS {
        if only
            .as_ref()
            .is_some_and(|only| only != codec.rtpmap_name())
        {
            continue;
        }
        let bridge = Bridge::start();
        for ways in WAYS.chunks(AT_ONCE) {
            std::thread::scope(|scope| {
                let runs: Vec<_> = ways
                    .iter()
                    .map(|way| {
                        let (bridge, speech, directory) = (&bridge, &speech, &directory);
                        scope.spawn(move || run(bridge, codec, offer, *way, speech, directory))
                    })
                    .collect();
                for run in runs {
                    rows += &run.join().unwrap();
                }
            });
        }
    }
    fs::write(directory.join("rows.txt"), rows).unwrap();
}

/// One conference of a listener and talkers; the row that tells of its recordings.
fn run(
    bridge: &Bridge,
    codec: Codec,
    offer: Offer,
    way: Way,
    speech: &[i16],
    directory: &Path,
) -> String {
    let turned_down = match way.noise {
        Noise::None | Noise::Hiss => "off",
        Noise::HissTurnedDown | Noise::NoneTurnedDown => "on",
    };
    let quiet = ["--entry", "none", "--exit", "none"];
    let account = bridge.account(&[&quiet[..], &["--noise-suppression", turned_down]].concat());
    let join = |voice: usize, pin: &str| {
        let mut phone = Phone::call_with(bridge.sip, voice, offer, &[]);
        phone.hears(Prompt::EnterPin);
        phone.press(&format!("{pin}#"));
        phone.hears(if voice == 0 {
            Prompt::YouAreTheFirst
        } else {
            Prompt::PeopleInConference
        });
        phone
    };
    let listener = join(0, &account.host_pin);
    let talkers: Vec<Phone> = (1..=way.talkers)
        .map(|voice| join(voice, &account.guest_pin))
        .collect();
    std::thread::sleep(Duration::from_secs(1));

    let rate = codec.sample_rate() as usize;
    let mut said = speech.to_vec();
    if matches!(way.noise, Noise::Hiss | Noise::HissTurnedDown) {
        add_hiss(&mut said);
    }
    let at_rate = every(&said, 48_000 / rate);
    let turned = |by: usize| {
        let mut turned = at_rate.clone();
        turned.rotate_left(by * rate * 2);
        turned
    };
    let voices: Vec<Vec<i16>> = (0..way.talkers).map(turned).collect();
    let scripts: Vec<Script> = voices
        .iter()
        .map(|voice| {
            let frames = encoded(codec, voice);
            Script {
                packets: underway(&frames, way).into(),
                frames: frames.len() as u16,
            }
        })
        .collect();
    listener.keep();
    for (talker, script) in talkers.iter().zip(scripts) {
        talker.play(script);
    }
    std::thread::sleep(Duration::from_millis(speech.len() as u64 / 48 + 1_500));
    let kept = listener.kept();
    let mut decoder = codec.decoder();
    let mut heard = Vec::new();
    for (_, payload) in &kept {
        let mut frame = vec![0; codec.frame_samples()];
        decoder.decode(payload, &mut frame);
        heard.extend(frame);
    }
    // Telephones don't begin in the same instant: by so many samples each voice comes later than the first of them.
    let later: Vec<usize> = match way.talkers {
        1 => vec![0],
        _ => {
            let step = codec.frame_samples() / 160;
            let began = voices.iter().map(|voice| found(voice, &heard, step));
            let began: Vec<usize> = began.collect();
            let first = began.iter().min().copied().unwrap_or(0);
            began.iter().map(|at| (at - first) * step).collect()
        }
    };
    let sum = together(&voices, &later);
    // The same packets without a bridge and without jitter: the codec and what it makes of losses.
    let frames = encoded(codec, &sum);
    let direct = alone(
        codec,
        &underway(
            &frames,
            Way {
                jitter_ms: 0.0,
                ..way
            },
        ),
    );
    // Whose delay it is that is found where several talk can't be told.
    let delays = match way.talkers {
        1 => delays(codec, talkers[0].began().unwrap(), &kept, &heard, &direct),
        _ => Vec::new(),
    };

    let name = format!(
        "{}-{}{}-{}-{}-{}",
        codec.rtpmap_name(),
        way.loss,
        if way.bursty { "b" } else { "" },
        way.jitter_ms,
        way.talkers,
        way.noise as u8
    );
    let write = |what: &str, samples: &[i16], rate| {
        write(&directory.join(format!("{name}-{what}.wav")), samples, rate);
    };
    write("bridge", &heard, rate as u32);
    write("direct", &direct, rate as u32);
    let clean: Vec<Vec<i16>> = (0..way.talkers)
        .map(|by| {
            let mut turned = speech.to_vec();
            turned.rotate_left(by * 48_000 * 2);
            turned
        })
        .collect();
    let later: Vec<usize> = later.iter().map(|by| by * 48_000 / rate).collect();
    write("speech", &together(&clean, &later), 48_000);
    let at = |percent: usize| delays.get((delays.len().max(1) - 1) * percent / 100);
    let ms = |delay: Option<&f64>| delay.map_or("–".to_owned(), |ms| format!("{ms:.0}"));
    format!(
        "{name}|{}|{}{}|{}|{}|{}|{}|{}\n",
        codec.rtpmap_name(),
        way.loss,
        if way.bursty { ", in bursts" } else { "" },
        way.jitter_ms,
        way.talkers,
        match way.noise {
            Noise::None => "",
            Noise::Hiss => "hiss",
            Noise::HissTurnedDown => "hiss, turned down",
            Noise::NoneTurnedDown => "none, turned down",
        },
        ms(at(50)),
        ms(at(99)),
    )
}

/// The sum of voices of which each begins so many samples later.
fn together(voices: &[Vec<i16>], later: &[usize]) -> Vec<i16> {
    let mut sum = vec![0_i32; voices[0].len()];
    for (voice, by) in voices.iter().zip(later) {
        for (sum, sample) in sum[*by..].iter_mut().zip(voice) {
            *sum += i32::from(*sample);
        }
    }
    let clipped = sum.iter().map(|sum| (*sum).clamp(-32_768, 32_767) as i16);
    clipped.collect()
}

/// Where in what is heard, up to a second after its beginning, a voice is most like it: in samples at 8 kHz, of which `step` are
/// one.
fn found(voice: &[i16], heard: &[i16], step: usize) -> usize {
    let thin = |samples: &[i16]| -> Vec<f32> {
        let thin = samples.iter().step_by(step).map(|s| f32::from(*s));
        thin.collect()
    };
    let (voice, heard) = (thin(voice), thin(heard));
    let likeness = |at: usize| -> f32 {
        let pairs = voice.iter().zip(&heard[at..]);
        pairs.map(|(a, b)| a * b).sum()
    };
    let last = heard.len().min(8_000);
    let all = (0..last).map(|at| (likeness(at), at));
    let best = all.max_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or(0, |(_, at)| at)
}

/// White noise 20 dB below the speech, pauses counted.
fn add_hiss(speech: &mut [i16]) {
    let power: f64 = speech.iter().map(|s| f64::from(*s).powi(2)).sum();
    // Of even noise up to a peak the power is a third of the peak's.
    let peak = (power / speech.len() as f64 / 100.0 * 3.0).sqrt();
    let mut seed = 1_u32;
    for sample in speech {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let unit = f64::from(seed) / f64::from(1_u32 << 31) - 1.0;
        *sample = sample.saturating_add((unit * peak) as i16);
    }
}

/// Each n-th sample, after a mean over as many: the speech has nothing above 3.4 kHz where that matters.
fn every(speech: &[i16], n: usize) -> Vec<i16> {
    let mean = |part: &[i16]| {
        let sum: i32 = part.iter().map(|s| i32::from(*s)).sum();
        (sum / part.len() as i32) as i16
    };
    speech.chunks(n).map(mean).collect()
}

pub(crate) fn encoded(codec: Codec, samples: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = codec.encoder();
    let frames = samples.chunks_exact(codec.frame_samples());
    frames
        .map(|frame| {
            let mut payload = vec![0; codec.max_payload()];
            let length = encoder.encode(frame, &mut payload);
            payload.truncate(length);
            payload
        })
        .collect()
}

/// The packets that come through, in the order and at the times of their arrival: the same ones for every codec.
fn underway(frames: &[Vec<u8>], way: Way) -> Vec<(Duration, u16, Vec<u8>)> {
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut unit = || {
        seed ^= seed >> 12;
        seed ^= seed << 25;
        seed ^= seed >> 27;
        (seed >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut bad = false;
    let mut packets = Vec::new();
    for (number, payload) in frames.iter().enumerate() {
        let (turns, lost, late) = (unit(), unit(), unit());
        let lost = if way.bursty {
            // After Gilbert and Elliott: bad states of six packets, of which half are lost.
            let share = way.loss / 50.0;
            let enters = share / (1.0 - share) / 6.0;
            bad ^= turns < if bad { 1.0 / 6.0 } else { enters };
            bad && lost < 0.5
        } else {
            lost * 100.0 < way.loss
        };
        if !lost {
            let at = number as f64 * 20.0 + late * way.jitter_ms;
            packets.push((
                Duration::from_secs_f64(at / 1_000.0),
                number as u16,
                payload.clone(),
            ));
        }
    }
    packets.sort_by_key(|packet| packet.0);
    packets
}

/// What a receiver makes of packets that come on time.
fn alone(codec: Codec, packets: &[(Duration, u16, Vec<u8>)]) -> Vec<i16> {
    let payload_type = codec.static_payload_type().unwrap_or(111);
    let mut leg = Receiver::new(codec, payload_type);
    let mut heard = Vec::new();
    let last = packets.last().map_or(0, |packet| packet.1);
    let mut packets = packets.iter().peekable();
    for tick in 0..u64::from(last) + 2 {
        let now = Duration::from_millis(tick * 20 + 10);
        while let Some((at, number, payload)) = packets.next_if(|packet| packet.0 <= now) {
            let mut datagram = vec![0; payload.len() + 12];
            let units = codec.clock_rate() / 50 * u32::from(*number);
            let mut writer = RtpWriter::new(1, *number, units);
            writer.write(payload_type, false, 0, payload, &mut datagram);
            leg.push(&RtpPacket::parse(&datagram).unwrap(), *at);
        }
        let mut frame = vec![0; codec.frame_samples()];
        leg.pull(now, &mut frame);
        heard.extend(frame);
    }
    heard
}

/// How long after a packet was due to be sent what it says came out of the bridge, in milliseconds, sorted: found half a
/// second at a time by the likeness of the two sounds, in what was heard up to half a second after.
fn delays(
    codec: Codec,
    began: Instant,
    kept: &[(Instant, Vec<u8>)],
    heard: &[i16],
    direct: &[i16],
) -> Vec<f64> {
    let step = codec.frame_samples() / 160;
    let thin = |samples: &[i16]| -> Vec<f64> {
        samples
            .iter()
            .step_by(step)
            .map(|s| f64::from(*s))
            .collect()
    };
    let (heard, direct) = (thin(heard), thin(direct));
    let power = |samples: &[f64]| samples.iter().map(|s| s * s).sum::<f64>();
    let mut delays = Vec::new();
    for start in (0..direct.len().saturating_sub(4_000)).step_by(4_000) {
        let part = &direct[start..start + 4_000];
        if power(part) < 4_000.0 * 250_000.0 {
            continue;
        }
        // From the beginning of a packet in to the beginning of the packet out that has the same.
        let sent = (start / 160) as f64 * 20.0;
        let place = |ms: f64| {
            let at = began + Duration::from_secs_f64(ms / 1_000.0);
            kept.partition_point(|packet| packet.0 < at) * 160
        };
        let last = heard.len().saturating_sub(4_000);
        let best = (place(sent).min(last)..place(sent + 500.0).min(last))
            .map(|at| {
                let other = &heard[at..at + 4_000];
                let product: f64 = part.iter().zip(other).map(|(a, b)| a * b).sum();
                (product / (power(part) * power(other)).sqrt().max(1.0), at)
            })
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let Some((likeness, at)) = best else { continue };
        let packet = &kept[at / 160];
        if likeness > 0.6 {
            let came = packet.0.saturating_duration_since(began).as_secs_f64() * 1_000.0;
            let within = (at % 160) as f64 / 8.0;
            delays.push(came + within - sent);
        }
    }
    delays.sort_by(f64::total_cmp);
    delays
}

fn read(file: &Path) -> Vec<i16> {
    let mut reader = hound::WavReader::open(file).unwrap();
    assert_eq!(
        (reader.spec().sample_rate, reader.spec().channels),
        (48_000, 1)
    );
    reader.samples::<i16>().map(Result::unwrap).collect()
}

fn write(file: &Path, samples: &[i16], sample_rate: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(file, spec).unwrap();
    samples
        .iter()
        .for_each(|sample| writer.write_sample(*sample).unwrap());
    writer.finalize().unwrap();
}
