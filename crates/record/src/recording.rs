//! One recording: its files, aligned in time.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fs::{DirBuilder, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    FRAME, OggOpus, Origin, Plan, RecordError, StreamSettings, Summary, feed::Chunk, mix::Mix,
    upsample::Upsampler,
};

/// Files of one recording beside the mix; who comes on top is in the mix alone.
const MOST_TRACKS: usize = 256;
/// Ticks that are made up for with silence where some were left out: half an hour.
const LONGEST_GAP: u64 = 50 * 60 * 30;
/// Ticks between two looks at the files of those who say nothing.
const BRING_ALONG: u64 = 25;
/// Of a frame: 5 ms, in which a voice that begins comes in, and one that breaks off goes.
const FADE: usize = 4;

type Stream = OggOpus<BufWriter<Counted>>;

/// A file, and how much went into it.
#[derive(Debug)]
struct Counted {
    file: File,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

pub(crate) struct Recording {
    plan: Plan,
    output: Output,
    mix: Mix,
    tracks: BTreeMap<u64, Track>,
    /// Who was heard in the last tick: the length of that frame, and its last sample.
    voices: BTreeMap<Origin, (usize, i16)>,
    /// What is known of the next tick.
    gathered: Vec<(Origin, Vec<i16>)>,
    last_tick: Option<u64>,
    ticks: u64,
    /// Participants beyond [`MOST_TRACKS`].
    left_out: BTreeSet<u64>,
}

struct Output {
    path: PathBuf,
    stream: Stream,
}

struct Track {
    output: Output,
    upsampler: Upsampler,
}

impl Recording {
    pub(crate) fn begin(plan: Plan) -> Result<Self, RecordError> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&plan.folder);
        made.map_err(|error| RecordError::new(&plan.folder, error))?;
        Ok(Self {
            output: Output::create(&plan, 0)?,
            plan,
            mix: Mix::new(),
            tracks: BTreeMap::new(),
            voices: BTreeMap::new(),
            gathered: Vec::new(),
            last_tick: None,
            ticks: 0,
            left_out: BTreeSet::new(),
        })
    }

    /// The file of the mix.
    pub(crate) fn path(&self) -> &Path {
        &self.output.path
    }

    pub(crate) fn time(&self) -> Duration {
        Duration::from_millis(20) * u32::try_from(self.ticks).unwrap_or(u32::MAX)
    }

    pub(crate) fn bytes(&self) -> u64 {
        let tracks = self.tracks.values().map(|track| &track.output);
        let all = tracks.chain([&self.output]);
        all.map(|output| output.stream.get_ref().get_ref().bytes)
            .sum()
    }

    /// Takes a chunk in; tells of each participant's file that is begun.
    pub(crate) fn take(
        &mut self,
        chunk: &Chunk,
        mut begun: impl FnMut(u64, &Path),
    ) -> Result<(), RecordError> {
        let frames = chunk.frames().map(|(from, frame)| (from, frame.to_vec()));
        self.gathered.extend(frames);
        let Some(tick) = chunk.tick() else {
            return Ok(());
        };
        let missed = self
            .last_tick
            .replace(tick)
            .map_or(0, |last| tick.saturating_sub(last + 1));
        let heard = std::mem::take(&mut self.gathered);
        for _ in 0..missed.min(LONGEST_GAP) {
            self.tick(Vec::new(), &mut begun)?;
        }
        self.tick(heard, &mut begun)
    }

    fn tick(
        &mut self,
        mut heard: Vec<(Origin, Vec<i16>)>,
        begun: &mut impl FnMut(u64, &Path),
    ) -> Result<(), RecordError> {
        let before = std::mem::take(&mut self.voices);
        for (from, frame) in &mut heard {
            let last = frame.last().copied().unwrap_or(0);
            if !before.contains_key(from) {
                fade_in(frame);
            }
            self.voices.insert(*from, (frame.len(), last));
        }
        for (from, (length, last)) in before {
            if last != 0 && !self.voices.contains_key(&from) {
                heard.push((from, fade_out(length, last)));
            }
        }
        for (from, frame) in &heard {
            self.mix.add(frame);
            if let Origin::Voice(voice) = from
                && self.plan.tracks
            {
                self.hear(*voice, frame, begun)?;
            }
        }
        let mixed = self.mix.close();
        // The first one is from before the beginning: the mix is a frame behind.
        if self.ticks > 0 {
            self.output.write(&mixed)?;
        }
        self.ticks += 1;
        if self.ticks.is_multiple_of(BRING_ALONG) {
            for track in self.tracks.values_mut() {
                track.bring_to(self.ticks)?;
            }
        }
        Ok(())
    }

    fn hear(
        &mut self,
        voice: u64,
        frame: &[i16],
        begun: &mut impl FnMut(u64, &Path),
    ) -> Result<(), RecordError> {
        let number = self.tracks.len() + 1;
        let track = match self.tracks.entry(voice) {
            Entry::Occupied(track) => track.into_mut(),
            Entry::Vacant(_) if number > MOST_TRACKS => {
                self.left_out.insert(voice);
                return Ok(());
            }
            Entry::Vacant(place) => {
                let output = Output::create(&self.plan, number)?;
                begun(voice, &output.path);
                let upsampler = Upsampler::default();
                place.insert(Track { output, upsampler })
            }
        };
        track.bring_to(self.ticks)?;
        track.hear(frame)
    }

    /// Ends all files, and has the system write them out.
    pub(crate) fn finish(mut self, lost: u64) -> Result<Summary, RecordError> {
        if self.ticks > 0 {
            let last = self.mix.close();
            self.output.write(&last)?;
        }
        let (time, mut bytes) = (self.time(), self.output.finish()?);
        let files = 1 + self.tracks.len();
        for mut track in self.tracks.into_values() {
            track.bring_to(self.ticks)?;
            bytes += track.output.finish()?;
        }
        Ok(Summary {
            time,
            bytes,
            files,
            lost: Duration::from_millis(20) * u32::try_from(lost).unwrap_or(u32::MAX),
            left_out: self.left_out.len(),
        })
    }
}

impl Track {
    /// Silence from where the file is to before that tick.
    fn bring_to(&mut self, tick: u64) -> Result<(), RecordError> {
        if self.output.stream.frames() < tick && !self.upsampler.is_at_rest() {
            self.hear(&[0; FRAME / 6])?;
            self.upsampler = Upsampler::default();
        }
        let missing = tick.saturating_sub(self.output.stream.frames());
        let written = self.output.stream.silence(missing);
        self.output.check(written)
    }

    fn hear(&mut self, frame: &[i16]) -> Result<(), RecordError> {
        let mut samples = [0.0; FRAME];
        let samples = &mut samples[..frame.len()];
        for (sample, heard) in samples.iter_mut().zip(frame) {
            *sample = f32::from(*heard);
        }
        let mut full = [0.0; FRAME];
        self.upsampler.add(samples, &mut full);
        self.output.write(&full.map(|x| x.round() as i16))
    }
}

impl Output {
    /// A new file that nobody else may read. Number 0 is the mix.
    fn create(plan: &Plan, number: usize) -> Result<Self, RecordError> {
        let (name, title) = match number {
            0 => (format!("{}.opus", plan.name), "all".to_owned()),
            _ => (
                format!("{}-{number}.opus", plan.name),
                format!("participant {number}"),
            ),
        };
        let path = plan.folder.join(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(|error| RecordError::new(&path, error))?;
        Self::onto(file, path, title, plan, number)
    }

    fn onto(
        file: File,
        path: PathBuf,
        title: String,
        plan: &Plan,
        number: usize,
    ) -> Result<Self, RecordError> {
        let mut comments = plan.comments.clone();
        comments.push(("TITLE".into(), title));
        let settings = StreamSettings {
            bitrate: plan.bitrate,
            serial: plan.serial.wrapping_add(number as u32),
            comments,
            ..StreamSettings::default()
        };
        let counted = BufWriter::new(Counted { file, bytes: 0 });
        match OggOpus::new(counted, &settings) {
            Ok(stream) => Ok(Self { path, stream }),
            Err(error) => Err(RecordError::new(&path, error)),
        }
    }

    fn write(&mut self, frame: &[i16; FRAME]) -> Result<(), RecordError> {
        let written = self.stream.write(frame);
        self.check(written)
    }

    fn check(&self, written: io::Result<()>) -> Result<(), RecordError> {
        written.map_err(|error| RecordError::new(&self.path, error))
    }

    /// How long the file has become.
    fn finish(self) -> Result<u64, RecordError> {
        let finish = || {
            let counted = self.stream.finish()?.into_inner()?;
            counted.file.sync_all()?;
            Ok(counted.bytes)
        };
        finish().map_err(|error| RecordError::new(&self.path, error))
    }
}

fn fade_in(frame: &mut [i16]) {
    let fade = frame.len() / FADE;
    for (n, sample) in frame.iter_mut().take(fade).enumerate() {
        *sample = (i32::from(*sample) * n as i32 / fade as i32) as i16;
    }
}

/// A frame that comes to rest from a last sample.
fn fade_out(length: usize, last: i16) -> Vec<i16> {
    let fade = length / FADE;
    (0..length)
        .map(|n| {
            let left = fade.saturating_sub(n + 1);
            (i32::from(last) * left as i32 / fade as i32) as i16
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_trouble() {
        let plan = Plan {
            folder: "/dev".into(),
            name: "full".into(),
            tracks: false,
            bitrate: 32_000,
            serial: 1,
            comments: Vec::new(),
        };
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = Output::onto(full, "/dev/full".into(), String::new(), &plan, 0);
        let error = output.err().unwrap();
        assert!(error.is_full(), "{error}");
        assert!(error.to_string().starts_with("/dev/full: "), "{error}");
    }

    #[test]
    fn what_breaks_off_comes_to_rest() {
        let mut frame = vec![8_000; 160];
        fade_in(&mut frame);
        assert_eq!((frame[0], frame[20], frame[40]), (0, 4_000, 8_000));
        let rest = fade_out(160, 8_000);
        assert!(rest.windows(2).all(|w| (0..=200).contains(&(w[0] - w[1]))));
        assert_eq!((rest[0], rest[39], rest.len()), (7_800, 0, 160));
    }
}
