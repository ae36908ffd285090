//! The hold music: twenty bars in D major, composed for this bridge and made for the telephone:
//! what matters lies between 300 and 3,400 Hz, and nothing is so quick that G.711 roughens it.
//!
//! The music is written on a ring: a note that rings past the last bar goes on in the first, and the
//! room and the filters have heard the whole piece once before what is kept. So the loop has no seam.

use super::{RATE, dsp};
use std::f64::consts::TAU;

/// 80 beats a minute, a whole number of 20 ms frames a beat.
const BEAT: usize = RATE as usize * 60 / 80;
const BEATS_A_BAR: usize = 4;
const LOUDNESS_DBFS: f64 = -23.0;

/// One bar: bass note, chord from the bottom up, melody as `note:beats` (`-` rests).
type Bar = (&'static str, &'static str, &'static str);

#[rustfmt::skip]
const SCORE: &[Bar] = &[
    // A quiet question ...
    ("D3",  "F#3 A3 C#4 E4",  "F#5:3 E5:1"),
    ("C#3", "A3 C#4 E4 F#4",  "C#5:3 -:1"),
    ("B2",  "G3 B3 D4 F#4",   "B4:1 D5:1 F#5:2"),
    ("A2",  "A3 B3 E4 F#4",   "E5:3 -:1"),
    ("D3",  "A3 C#4 E4 F#4",  "A5:3 F#5:1"),
    ("B2",  "A3 D4 F#4 A4",   "D5:2 E5:1 F#5:1"),
    ("E3",  "G3 B3 D4 F#4",   "G5:2 F#5:1 E5:1"),
    ("A2",  "G3 B3 D4 E4",    "D5:2 E5:2"),
    // ... a little more light ...
    ("G2",  "B3 D4 F#4 A4",   "D5:1 G5:1 B5:2"),
    ("G2",  "A3 C#4 E4 A4",   "C#6:2 B5:1 A5:1"),
    ("F#2", "A3 C#4 E4 F#4",  "A5:2 E5:2"),
    ("B2",  "A3 D4 E4 F#4",   "F#5:3 -:1"),
    // ... and home, by way of a darker bar.
    ("E3",  "G3 B3 D4 F#4",   "G5:1 F#5:1 E5:1 D5:1"),
    ("A2",  "G3 C#4 E4 F#4",  "C#5:1 E5:1 F#5:2"),
    ("D3",  "A3 C#4 E4 F#4",  "F#5:1 A5:3"),
    ("B2",  "A3 D4 F#4 C#5",  "D5:2 C#5:2"),
    ("G2",  "B3 D4 F#4 A4",   "B4:2 D5:1 A5:1"),
    ("G2",  "Bb3 D4 E4 G4",   "G5:2 E5:1 D5:1"),
    ("F#2", "A3 D4 E4 F#4",   "F#5:2 A4:2"),
    ("A2",  "G3 B3 D4 E4",    "B4:1 D5:1 E5:2"),
];

/// Which note of the chord each eighth of a bar strikes, and how hard.
const ARPEGGIO: [(usize, f64); 8] = [
    (0, 1.0),
    (2, 0.6),
    (1, 0.7),
    (3, 0.75),
    (2, 0.6),
    (1, 0.65),
    (3, 0.75),
    (2, 0.5),
];

/// One turn of the loop.
pub(super) fn compose() -> Vec<f64> {
    let mut ring = Ring(vec![0.0; SCORE.len() * BEATS_A_BAR * BEAT]);
    for (number, (bass, chord, melody)) in SCORE.iter().enumerate() {
        let start = number * BEATS_A_BAR * BEAT;
        let bar = BEATS_A_BAR * BEAT;
        ring.add(start, bar, 0.16, &Bass, pitch(bass));
        let chord: Vec<f64> = chord.split(' ').map(pitch).collect();
        for &note in &chord {
            ring.add(start, bar, 0.085, &Pad, note);
        }
        for (eighth, &(voice, force)) in ARPEGGIO.iter().enumerate() {
            if let Some(&note) = chord.get(voice) {
                ring.add(
                    start + eighth * BEAT / 2,
                    BEAT / 2,
                    0.075 * force,
                    &Keys,
                    note,
                );
            }
        }
        let mut at = start;
        for word in melody.split(' ') {
            let (note, beats) = word.split_once(':').unwrap_or((word, "1"));
            let length = beats.parse::<usize>().unwrap_or(1) * BEAT;
            if note != "-" {
                ring.add(at, length, 0.14, &Flute, pitch(note));
            }
            at += length;
        }
    }
    mastered(ring.0)
}

/// A little room around it, the telephone's band, the level. All of it recursive, so it hears the
/// ring twice and the second turn is kept.
fn mastered(ring: Vec<f64>) -> Vec<f64> {
    let mut room = Room::new();
    let mut band = [
        dsp::Biquad::high_pass(140.0),
        dsp::Biquad::low_pass(3_200.0),
        dsp::Biquad::low_pass(3_200.0),
    ];
    let mut heard = |dry: &f64| {
        let wet = room.step(*dry);
        band.iter_mut()
            .fold(dry + 0.2 * wet, |sample, filter| filter.step(sample))
    };
    ring.iter().for_each(|dry| {
        heard(dry);
    });
    let mut turn: Vec<f64> = ring.iter().map(heard).collect();
    let gain = 10f64.powf((LOUDNESS_DBFS - dsp::db(dsp::power(&turn))) / 20.0);
    dsp::scale(&mut turn, gain);
    turn
}

struct Ring(Vec<f64>);

impl Ring {
    fn add(&mut self, start: usize, length: usize, gain: f64, voice: &dyn Voice, pitch: f64) {
        let length = length as f64 / f64::from(RATE);
        let total = ((length + voice.release()) * f64::from(RATE)) as usize;
        for i in 0..total {
            let t = i as f64 / f64::from(RATE);
            let place = (start + i) % self.0.len();
            self.0[place] += gain * voice.envelope(t, length) * voice.wave(pitch, t);
        }
    }
}

/// A way to play a note: `t` in seconds since it was struck.
trait Voice {
    /// How long it sounds after it was let go.
    fn release(&self) -> f64;
    fn envelope(&self, t: f64, length: f64) -> f64;
    fn wave(&self, pitch: f64, t: f64) -> f64;
}

/// Strings far away: two players a few cents apart, and each chord grows out of the last.
struct Pad;

impl Voice for Pad {
    fn release(&self) -> f64 {
        1.4
    }

    fn envelope(&self, t: f64, length: f64) -> f64 {
        smooth(t / 0.9) * (1.0 - smooth((t - length) / self.release()))
    }

    fn wave(&self, pitch: f64, t: f64) -> f64 {
        let player = |pitch: f64| -> f64 {
            (1..=6)
                .map(f64::from)
                .map(|n| (TAU * pitch * n * t).sin() * n.powf(-1.7))
                .sum()
        };
        0.5 * (player(pitch * 0.9985) + player(pitch * 1.0015))
    }
}

/// A plucked bass. A telephone drops its fundamental; the octaves above let the ear add it.
struct Bass;

impl Voice for Bass {
    fn release(&self) -> f64 {
        0.3
    }

    fn envelope(&self, t: f64, length: f64) -> f64 {
        smooth(t / 0.02) * (-t / 1.6).exp() * (1.0 - smooth((t - length) / self.release()))
    }

    fn wave(&self, pitch: f64, t: f64) -> f64 {
        (1..=5)
            .map(f64::from)
            .map(|n| (TAU * pitch * n * t).sin() / n * (-t * n * 0.3).exp())
            .sum()
    }
}

/// An electric piano: one sine bends the phase of another, less as the note dies.
struct Keys;

impl Voice for Keys {
    fn release(&self) -> f64 {
        1.2
    }

    fn envelope(&self, t: f64, length: f64) -> f64 {
        smooth(t / 0.008) * (-t / 0.8).exp() * (1.0 - smooth((t - length) / self.release()))
    }

    fn wave(&self, pitch: f64, t: f64) -> f64 {
        let bend = 0.9 * (-t / 0.35).exp() * (TAU * pitch * t).sin();
        (TAU * pitch * 2.0 * t + bend).sin() * 0.35 + (TAU * pitch * t + bend).sin()
    }
}

/// A soft flute, whose vibrato comes late.
struct Flute;

impl Voice for Flute {
    fn release(&self) -> f64 {
        0.35
    }

    fn envelope(&self, t: f64, length: f64) -> f64 {
        smooth(t / 0.09)
            * (0.75 + 0.25 * (-t / 0.8).exp())
            * (1.0 - smooth((t - length + 0.05) / self.release()))
    }

    fn wave(&self, pitch: f64, t: f64) -> f64 {
        let vibrato = 0.12 * smooth((t - 0.35) / 0.6) * (TAU * 4.8 * t).sin();
        let partial = |n: f64| (TAU * pitch * n * t + n * vibrato).sin();
        partial(1.0) + 0.18 * partial(2.0) + 0.05 * partial(3.0)
    }
}

/// 0 before 0, 1 after 1, a raised cosine between.
fn smooth(x: f64) -> f64 {
    0.5 - 0.5 * (TAU / 2.0 * x.clamp(0.0, 1.0)).cos()
}

/// Hertz of a name such as `F#4`, in equal temperament from A4 = 440. The score is ours and tested:
/// a name that says nothing is heard as A4.
fn pitch(name: &str) -> f64 {
    440.0 * 2f64.powf(semitones_from_a4(name).unwrap_or_default() / 12.0)
}

fn semitones_from_a4(name: &str) -> Option<f64> {
    let mut characters = name.chars();
    let step = [
        ("C", -9),
        ("D", -7),
        ("E", -5),
        ("F", -4),
        ("G", -2),
        ("A", 0),
        ("B", 2),
    ];
    let letter = characters.next()?.to_string();
    let step = step.iter().find(|(l, _)| *l == letter)?.1;
    let rest = characters.as_str();
    let (accidental, octave) = match rest.strip_prefix('#') {
        Some(octave) => (1, octave),
        None => rest
            .strip_prefix('b')
            .map_or((0, rest), |octave| (-1, octave)),
    };
    Some(f64::from(
        step + accidental + 12 * (octave.parse::<i32>().ok()? - 4),
    ))
}

/// A small room: four echoes that feed themselves, dulled each time, and two all-passes that blur
/// them (M. R. Schroeder, "Natural sounding artificial reverberation", 1962).
struct Room {
    combs: [Comb; 4],
    passes: [AllPass; 2],
}

impl Room {
    fn new() -> Self {
        Self {
            combs: [475, 593, 657, 701].map(Comb::new),
            passes: [81, 27].map(AllPass::new),
        }
    }

    fn step(&mut self, x: f64) -> f64 {
        let echoes: f64 = self.combs.iter_mut().map(|comb| comb.step(x)).sum();
        self.passes
            .iter_mut()
            .fold(echoes, |sample, pass| pass.step(sample))
    }
}

struct Comb {
    line: Vec<f64>,
    at: usize,
    dulled: f64,
}

impl Comb {
    fn new(delay: usize) -> Self {
        Self {
            line: vec![0.0; delay],
            at: 0,
            dulled: 0.0,
        }
    }

    fn step(&mut self, x: f64) -> f64 {
        let y = self.line[self.at];
        self.dulled = 0.7 * y + 0.3 * self.dulled;
        self.line[self.at] = x + 0.8 * self.dulled;
        self.at = (self.at + 1) % self.line.len();
        y
    }
}

struct AllPass {
    line: Vec<f64>,
    at: usize,
}

impl AllPass {
    fn new(delay: usize) -> Self {
        Self {
            line: vec![0.0; delay],
            at: 0,
        }
    }

    fn step(&mut self, x: f64) -> f64 {
        let delayed = self.line[self.at];
        let kept = x + 0.5 * delayed;
        self.line[self.at] = kept;
        self.at = (self.at + 1) % self.line.len();
        delayed - 0.5 * kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_can_be_read() {
        for (bass, chord, melody) in SCORE {
            let notes = melody.split(' ').filter_map(|word| word.split_once(':'));
            let beats: usize = notes
                .clone()
                .map(|(_, beats)| beats.parse::<usize>().unwrap())
                .sum();
            assert_eq!(beats, BEATS_A_BAR, "{melody}");
            assert_eq!(chord.split(' ').count(), 4, "{chord}");
            for name in notes
                .map(|(note, _)| note)
                .filter(|n| *n != "-")
                .chain(chord.split(' '))
                .chain([*bass])
            {
                assert!(semitones_from_a4(name).is_some(), "{name}");
            }
        }
        assert!((pitch("A4") - 440.0).abs() < 1e-9 && (pitch("C#5") - 554.365).abs() < 1e-3);
        assert!((pitch("Bb3") - 233.082).abs() < 1e-3);
    }
}
