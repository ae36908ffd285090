//! Mixes WAV files as a conference would, one line muted if asked, and writes what each line hears.
//!
//! `cargo run -p conclave-embed --bin mix_wavs -- out --mute 2 ann.wav bob.wav cyd.wav` writes `out/ann.wav` and so on.

use conclave_mixer::{Rate, RoomMixer, convert::resample};
use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1).peekable();
    let out = args.next().ok_or("usage: mix_wavs OUT_DIR [--mute LINE] FILE.wav...")?;
    let mut muted = None;
    if args.next_if(|arg| arg == "--mute").is_some() {
        muted = Some(args.next().ok_or("--mute wants the number of a line, from 1")?.parse::<usize>()?);
    }

    let mut room = RoomMixer::new(8);
    let mut lines = Vec::new();
    for file in args {
        let (samples, rate) = load(&file).map_err(|error| format!("{file}: {error}"))?;
        let slot = room.join(rate);
        room.set_heard(slot, muted != Some(lines.len() + 1));
        lines.push((file, slot, rate, samples, Vec::new()));
    }

    let ticks = lines.iter().map(|(_, _, rate, said, _)| said.len().div_ceil(rate.frame_len())).max();
    for tick in 0..ticks.ok_or("no files to mix")? {
        for (_, slot, rate, said, _) in &lines {
            // A line that has come to its end says nothing.
            if let Some(frame) = said.chunks(rate.frame_len()).nth(tick) {
                room.write(*slot, frame);
            }
        }
        room.mix();
        for (_, slot, rate, _, heard) in &mut lines {
            let start = heard.len();
            heard.resize(start + rate.frame_len(), 0);
            room.read(*slot, &mut heard[start..]);
        }
    }

    fs::create_dir_all(&out)?;
    for (file, _, rate, _, heard) in &lines {
        let path = Path::new(&out).join(Path::new(file).file_name().ok_or("a file has no name")?);
        let (channels, bits_per_sample, sample_format) = (1, 16, hound::SampleFormat::Int);
        let spec = hound::WavSpec { channels, sample_rate: rate.hz(), bits_per_sample, sample_format };
        let mut writer = hound::WavWriter::create(path, spec)?;
        heard.iter().try_for_each(|&sample| writer.write_sample(sample))?;
        writer.finalize()?;
    }
    Ok(())
}

/// Samples of a mono file at the nearest rate of a telephone line that loses nothing of it.
fn load(file: &str) -> Result<(Vec<i16>, Rate), Box<dyn Error>> {
    let mut wav = hound::WavReader::open(file)?;
    if wav.spec().channels != 1 || wav.spec().bits_per_sample != 16 {
        return Err("not mono of 16 bit".into());
    }
    let samples = wav.samples::<i16>().collect::<Result<Vec<_>, _>>()?;
    let hz = wav.spec().sample_rate;
    let rate = Rate::ALL.into_iter().find(|rate| rate.hz() >= hz).unwrap_or(Rate::Hz48000);
    Ok((resample(&samples, hz, rate.hz())?, rate))
}
