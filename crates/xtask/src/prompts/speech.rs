//! Texts to speech.

use super::{SPEECH_DBFS, dsp, wav};
use crate::run::{Failure, Result, on_path, output};
use std::process::Command;

/// CMU's `slt`, a woman's voice that flite speaks at 16 kHz: no resampling.
const VOICE: &str = "slt";

pub(super) fn check_voice() -> Result {
    if !on_path("flite") {
        return Err(Failure(
            "the prompts are spoken by flite, which is missing; as root: apt-get install flite"
                .into(),
        ));
    }
    let voices = output(Command::new("flite").arg("-lv"))?;
    if String::from_utf8_lossy(&voices)
        .split_whitespace()
        .any(|voice| voice == VOICE)
    {
        Ok(())
    } else {
        Err(Failure(format!(
            "this flite has no voice `{VOICE}`; Debian's package has it"
        )))
    }
}

/// The text as a prompt: trimmed, without rumble, levelled, faded.
pub(super) fn speak(text: &str) -> Result<Vec<f64>> {
    let path = std::env::temp_dir().join(format!("conclave-prompt-{}.wav", std::process::id()));
    output(
        Command::new("flite")
            .args(["-voice", VOICE, "-t", text, "-o"])
            .arg(&path),
    )?;
    let spoken = wav::read(&path);
    // Nobody needs it any more; that it can't be removed is no reason to fail.
    let _ = std::fs::remove_file(&path);
    finished(&spoken?).ok_or_else(|| Failure(format!("flite spoke nothing for {text:?}")))
}

fn finished(spoken: &[i16]) -> Option<Vec<f64>> {
    // The voice's fundamental lies below what a telephone carries: what stays of it would only take
    // loudness from the part that is heard.
    let mut rumble = [dsp::Biquad::high_pass(100.0), dsp::Biquad::high_pass(260.0)];
    let clean: Vec<f64> = spoken
        .iter()
        .map(|&s| {
            rumble
                .iter_mut()
                .fold(f64::from(s) / 32_768.0, |s, f| f.step(s))
        })
        .collect();
    let words = dsp::trimmed(&clean, -50.0);
    if words.is_empty() {
        return None;
    }
    // A breath around the words: prompts are played one after the other.
    let margin = |ms: f64| std::iter::repeat_n(0.0, dsp::samples(ms));
    let mut words = words.to_vec();
    dsp::fade(&mut words, dsp::samples(4.0), dsp::samples(12.0));
    let louder = 10f64.powf((SPEECH_DBFS - dsp::active_level(&words)) / 20.0);
    // Peaks stay 3 dB below clipping, should a voice be that uneven.
    let loudest = 10f64.powf(-3.0 / 20.0) / dsp::peak(&words);
    dsp::scale(&mut words, louder.min(loudest));
    let mut prompt: Vec<f64> = margin(20.0).chain(words).chain(margin(50.0)).collect();
    let whole_frames = prompt.len().next_multiple_of(dsp::FRAME);
    prompt.resize(whole_frames, 0.0);
    Some(prompt)
}
