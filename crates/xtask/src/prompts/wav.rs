//! WAV files: one channel, 16 bit.

use super::RATE;
use crate::run::{Failure, Result};
use std::path::Path;

/// The samples of a file of exactly our format.
pub(super) fn read(path: &Path) -> Result<Vec<i16>> {
    let bad = |why: String| Failure(format!("{}: {why}", path.display()));
    let mut reader = hound::WavReader::open(path).map_err(|e| bad(e.to_string()))?;
    let spec = reader.spec();
    if spec != format() {
        return Err(bad(format!("expected {:?}, found {spec:?}", format())));
    }
    reader
        .samples()
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| bad(e.to_string()))
}

/// Writes the file and says how many bytes it has.
pub(super) fn write(path: &Path, samples: &[i16]) -> Result<u64> {
    let save = || {
        let mut writer = hound::WavWriter::create(path, format())?;
        samples
            .iter()
            .try_for_each(|&sample| writer.write_sample(sample))?;
        writer.finalize()?;
        Ok(std::fs::metadata(path)?.len())
    };
    save().map_err(|e: hound::Error| Failure(format!("cannot write {}: {e}", path.display())))
}

fn format() -> hound::WavSpec {
    hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    }
}
