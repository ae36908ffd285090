//! Mixes WAV files as a conference would, one line muted (0: none), and writes what each line hears:
//! `mix_wavs out 2 ann.wav bob.wav` mutes Bob and makes `out/heard-by-ann.wav` and so on.

use conclave_mixer::{Rate, RoomMixer, SlotId, convert::resample};
use std::{env, error::Error, fs, path::Path};

struct Line(String, SlotId, Rate, Vec<i16>);

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let usage = "usage: mix_wavs DIR MUTED WAV...";
    let (out, muted) = args.next().zip(args.next()).ok_or(usage)?;
    let muted: usize = muted.parse().map_err(|_| usage)?;
    let mut room = RoomMixer::new(8);
    let mut lines = Vec::new();
    for file in args {
        let (said, rate) = load(&file).map_err(|error| format!("{file}: {error}"))?;
        let slot = room.join(rate);
        lines.push(Line(file, slot, rate, said));
        room.set_heard(slot, lines.len() != muted);
    }
    let frames = |Line(_, _, rate, said): &Line| said.len().div_ceil(rate.frame_len());
    let ticks = lines.iter().map(frames).max().ok_or(usage)?;
    let mut heard = vec![Vec::new(); lines.len()];
    for tick in 0..ticks {
        for Line(_, slot, rate, said) in &lines {
            if let Some(frame) = said.chunks(rate.frame_len()).nth(tick) {
                room.write(*slot, frame);
            }
        }
        room.mix();
        for (Line(_, slot, rate, _), heard) in lines.iter().zip(&mut heard) {
            heard.resize((tick + 1) * rate.frame_len(), 0);
            room.read(*slot, &mut heard[tick * rate.frame_len()..]);
        }
    }
    fs::create_dir_all(&out)?;
    for (Line(file, _, rate, _), heard) in lines.iter().zip(heard) {
        let name = Path::new(file).file_name().ok_or(usage)?.to_string_lossy();
        let mut header = hound::WavReader::open(file)?.spec();
        header.sample_rate = rate.hz();
        let mut wav = hound::WavWriter::create(format!("{out}/heard-by-{name}"), header)?;
        heard.iter().try_for_each(|&x| wav.write_sample(x))?;
    }
    Ok(())
}

fn load(file: &str) -> Result<(Vec<i16>, Rate), Box<dyn Error>> {
    let mut wav = hound::WavReader::open(file)?;
    let (header, hz) = (wav.spec(), wav.spec().sample_rate);
    if (header.channels, header.bits_per_sample) != (1, 16) {
        return Err("not mono of 16 bit".into());
    }
    let said: Vec<i16> = wav.samples().collect::<Result<_, _>>()?;
    let rate = Rate::ALL[usize::from(hz > 8_000) + usize::from(hz > 16_000)];
    Ok((resample(&said, hz, rate.hz())?, rate))
}
