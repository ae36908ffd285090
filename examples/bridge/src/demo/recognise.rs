//! Says what is heard in a telephone's sound: which prompts, and which callers.
//!
//! Nothing is taken from the bridge's own account of what it played: a prompt is found by the likeness of its
//! spectrum over time, a caller by the tones of which its voice is made.

use std::f32::consts::TAU;

use conclave_conference::Prompt;

/// Samples of one frame: 20 ms at 8 kHz.
pub(crate) const FRAME: usize = 160;
/// Centres of the bands that are compared, in Hz.
const BANDS: [f32; 14] = [
    250.0, 350.0, 450.0, 600.0, 750.0, 900.0, 1100.0, 1300.0, 1550.0, 1800.0, 2100.0, 2450.0,
    2850.0, 3250.0,
];
/// A prompt is heard where its spectrum is this much like the sound's (the cosine of the angle between them).
const LIKENESS: f32 = 0.92;
/// Frames below this power count as silence.
const SILENCE: f32 = 1e-7;

type Spectrum = [f32; BANDS.len()];

/// A prompt that is looked for.
pub(crate) struct Template {
    pub(crate) prompt: Prompt,
    frames: Vec<Spectrum>,
}

impl Template {
    /// From the prompt's samples at 8 kHz; at most its first 1.2 s are compared.
    pub(crate) fn new(prompt: Prompt, samples: &[i16]) -> Self {
        let mut frames = spectra(samples);
        let quiet = |frame: &Spectrum| frame.iter().sum::<f32>() < SILENCE;
        let start = frames.iter().position(|frame| !quiet(frame)).unwrap_or(0);
        frames.drain(..start);
        frames.truncate(60);
        while frames.last().is_some_and(quiet) {
            frames.pop();
        }
        Self { prompt, frames }
    }
}

/// A prompt found in the sound: at which frame it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) frame: usize,
    pub(crate) prompt: Prompt,
}

/// All prompts in the sound, in the order in which they were heard.
pub(crate) fn prompts(samples: &[i16], templates: &[Template]) -> Vec<Found> {
    let sound = spectra(samples);
    let mut hits: Vec<(f32, Found, usize)> = Vec::new();
    for template in templates {
        let length = template.frames.len();
        if length == 0 || length > sound.len() {
            continue;
        }
        for frame in 0..=sound.len() - length {
            let score = likeness(&sound[frame..frame + length], &template.frames);
            if score > LIKENESS {
                hits.push((
                    score,
                    Found {
                        frame,
                        prompt: template.prompt,
                    },
                    length,
                ));
            }
        }
    }
    // The best match takes its stretch of the sound; a longer template says more than a short one.
    hits.sort_by(|a, b| (b.0 + 0.0005 * b.2 as f32).total_cmp(&(a.0 + 0.0005 * a.2 as f32)));
    let mut taken: Vec<(Found, usize)> = Vec::new();
    for (_, found, length) in hits {
        let free = taken.iter().all(|(other, extent)| {
            found.frame + length * 2 / 3 <= other.frame
                || other.frame + extent * 2 / 3 <= found.frame
        });
        if free {
            taken.push((found, length));
        }
    }
    let mut found: Vec<_> = taken.into_iter().map(|(found, _)| found).collect();
    found.sort_by_key(|found| found.frame);
    found
}

/// For each frame whether a telephone's pitch stands out in it: 9 dB above its neighbourhood on both sides.
pub(crate) fn voice(samples: &[i16], pitch: f32) -> Vec<bool> {
    let stands_out = |frame: &[i16]| {
        let around = power(frame, pitch - 140.0).max(power(frame, pitch + 140.0));
        let here = power(frame, pitch);
        here > 1e-4 && here > 8.0 * around
    };
    samples.chunks_exact(FRAME).map(stands_out).collect()
}

fn spectra(samples: &[i16]) -> Vec<Spectrum> {
    samples
        .chunks_exact(FRAME)
        .map(|frame| BANDS.map(|band| power(frame, band)))
        .collect()
}

/// Cosine likeness of two stretches, of amplitudes rather than powers, so that the loudest frame does not decide alone.
fn likeness(a: &[Spectrum], b: &[Spectrum]) -> f32 {
    let (mut dot, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().flatten().zip(b.iter().flatten()) {
        let (a, b) = (a.sqrt(), b.sqrt());
        dot += a * b;
        aa += a * a;
        bb += b * b;
    }
    // A stretch 30 dB below the prompt is not the prompt.
    if aa < bb * 1e-3 {
        0.0
    } else {
        dot / (aa * bb).sqrt()
    }
}

/// Power of one frequency relative to a full-scale sine (Goertzel, Hann window).
fn power(frame: &[i16], frequency: f32) -> f32 {
    let coefficient = 2.0 * (TAU * frequency / 8000.0).cos();
    let (mut s1, mut s2) = (0.0f32, 0.0f32);
    let count = frame.len() as f32;
    for (n, sample) in frame.iter().enumerate() {
        let hann = 0.5 - 0.5 * (TAU * (n as f32 + 0.5) / count).cos();
        let s0 = hann * f32::from(*sample) / 32768.0 + coefficient * s1 - s2;
        (s2, s1) = (s1, s0);
    }
    (s1 * s1 + s2 * s2 - coefficient * s1 * s2).max(0.0) / (count * count / 16.0)
}
