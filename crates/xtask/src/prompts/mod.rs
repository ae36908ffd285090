//! The English prompt set: speech by Debian's flite, tones and hold music by our own code.
//!
//! The same sources make the same bytes, so that the files in the repository can be checked by
//! making them again.

mod dsp;
mod music;
mod speech;
mod texts;
mod tones;
mod wav;

use crate::run::{Failure, Result, root};
use std::path::PathBuf;

/// Samples a second of every prompt.
const RATE: u32 = 16_000;

/// Active level of speech, in dB below a full-scale square wave.
const SPEECH_DBFS: f64 = -19.0;

fn directory() -> PathBuf {
    root().join("examples/bridge/prompts/en")
}

pub(crate) fn make() -> Result {
    speech::check_voice()?;
    let directory = directory();
    std::fs::create_dir_all(&directory)
        .map_err(|e| Failure(format!("cannot make {}: {e}", directory.display())))?;
    let mut bytes = 0;
    let mut write = |name: &str, samples: &[f64]| -> Result {
        let path = directory.join(name).with_extension("wav");
        bytes += wav::write(&path, &dsp::quantised(samples))?;
        Ok(())
    };
    for (name, text) in texts::SPOKEN {
        write(name, &speech::speak(text)?)?;
    }
    for (name, tone) in tones::TONES {
        write(name, &tone())?;
    }
    write("hold-music", &music::compose())?;
    let count = texts::SPOKEN.len() + tones::TONES.len() + 1;
    println!(
        "{count} prompts, {:.1} MB, in {}",
        bytes as f64 / 1e6,
        directory.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests;
