//! What a telephone heard, and the checks on it: prompts by their pairs of tones, callers by their own.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use conclave_conference::Prompt;

use crate::tones::{self, HOP, RATE, WINDOW};

/// How long a telephone waits for what it expects to hear.
pub(crate) const PATIENCE: Duration = Duration::from_secs(12);

/// Samples of a prompt that has been heard: 260 of its 300 ms.
const WHOLE: usize = 2080;
/// What is shorter is the rest of one that was heard before: 120 ms.
const SHORTEST: usize = 960;

/// A telephone that keeps what it hears.
pub(crate) trait Ear {
    fn name(&self) -> &str;

    /// The telephone's own frequency.
    fn voice(&self) -> f64;

    /// All samples heard from this one on, at 8 kHz.
    fn heard_from(&self, sample: usize) -> Vec<i16>;

    /// How many samples have been heard.
    fn samples(&self) -> usize;

    /// All before this sample has been looked at.
    fn cursor(&mut self) -> &mut usize;

    /// What a failed check shows beside the sound.
    fn explain(&self) -> String;

    /// Waits until this prompt is heard, and takes everything up to it as heard.
    #[track_caller]
    fn hears(&mut self, prompt: Prompt) {
        if self.hears_within(prompt, PATIENCE).is_none() {
            let since = self.heard_prompts();
            panic!(
                "{} did not hear '{prompt}'; it heard {since:?}\n{}",
                self.name(),
                self.explain()
            );
        }
    }

    /// Waits for the prompts one after the other; others may lie between.
    #[track_caller]
    fn hears_all(&mut self, prompts: &[Prompt]) {
        for prompt in prompts {
            self.hears(*prompt);
        }
    }

    /// The sample at which the prompt began, if it was heard in time.
    fn hears_within(&mut self, prompt: Prompt, patience: Duration) -> Option<usize> {
        let started = Instant::now();
        loop {
            let from = *self.cursor();
            let heard = self.heard_from(from);
            let found = prompts_in(&heard)
                .into_iter()
                .find(|(_, _, found)| *found == prompt);
            // Heard (nearly) to its end, so that the rest of it isn't found again; music has none.
            if let Some((start, end, _)) = found
                && (end - start >= WHOLE || prompt == Prompt::HoldMusic)
            {
                *self.cursor() = from + end;
                return Some(from + start);
            }
            if started.elapsed() > patience {
                return None;
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// All prompts heard since the last one that was waited for.
    fn heard_prompts(&mut self) -> Vec<Prompt> {
        let from = *self.cursor();
        prompts_in(&self.heard_from(from))
            .into_iter()
            .map(|(_, _, prompt)| prompt)
            .collect()
    }

    /// Takes everything heard until now as heard.
    fn skip(&mut self) {
        *self.cursor() = self.samples();
    }

    /// Waits until that much more is heard, and gives it.
    #[track_caller]
    fn listen(&self, time: Duration) -> Vec<i16> {
        let from = self.samples();
        let until = from + time.as_millis() as usize * RATE / 1000;
        let started = Instant::now();
        while self.samples() < until {
            assert!(
                started.elapsed() < time + PATIENCE,
                "{} hears no packets\n{}",
                self.name(),
                self.explain()
            );
            sleep(Duration::from_millis(5));
        }
        self.heard_from(from)
    }

    /// The loudest that a frequency was heard since that sample, in dB below full scale, over 100 ms each.
    fn loudest(&self, from: usize, frequency: f64) -> f64 {
        let heard = self.heard_from(from);
        heard
            .chunks_exact(800)
            .map(|part| tones::level(part, frequency))
            .fold(-100.0, f64::max)
    }
}

/// From which sample to which each prompt is heard; what is too short doesn't count.
pub(crate) fn prompts_in(samples: &[i16]) -> Vec<(usize, usize, Prompt)> {
    let mut runs: Vec<(usize, usize, Prompt)> = Vec::new();
    for at in (0..samples.len().saturating_sub(WINDOW - 1)).step_by(HOP) {
        if let Some(prompt) = tones::prompt_in(&samples[at..at + WINDOW]) {
            match runs.last_mut() {
                Some((_, end, last)) if *last == prompt && at <= *end => *end = at + WINDOW,
                _ => runs.push((at, at + WINDOW, prompt)),
            }
        }
    }
    runs.retain(|(start, end, _)| end - start >= SHORTEST);
    runs
}

/// Checks in the sound that `listener` hears exactly these voices, 30 dB above the others.
#[track_caller]
pub(crate) fn check_hears(listener: &dyn Ear, heard: &[&dyn Ear]) {
    // Rooms change on frame boundaries and through short ramps; what counts is how it sounds when that is over.
    let mut last = String::new();
    for _ in 0..12 {
        let window = listener.listen(Duration::from_millis(400));
        let voices = tones::CALLERS
            .map(|voice| (voice, tones::level(&window[window.len() - 1600..], voice)));
        let is_heard = |voice: f64| heard.iter().any(|ear| ear.voice() == voice);
        let (loud, quiet): (Vec<_>, Vec<_>) =
            voices.into_iter().partition(|(voice, _)| is_heard(*voice));
        let softest = loud.iter().map(|(_, level)| *level).fold(0.0, f64::min);
        let loudest = quiet.iter().map(|(_, level)| *level).fold(-100.0, f64::max);
        if softest > -35.0 && loudest < softest - 30.0 && (!heard.is_empty() || loudest < -60.0) {
            return;
        }
        last = format!("{voices:.0?}");
    }
    let names: Vec<_> = heard.iter().map(|ear| ear.name()).collect();
    panic!(
        "{} should hear {names:?} and nobody else, but in its sound there is {last}\n{}",
        listener.name(),
        listener.explain()
    );
}
