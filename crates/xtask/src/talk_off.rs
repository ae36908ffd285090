//! Hours of speech by the synthesisers that Debian has, as a telephone carries it, and the tone detector on it.
//!
//! Recorded speech would be better, but no set of it comes with Debian; several synthesisers with several
//! voices each, at many speeds and pitches, are the next best thing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crate::run::{Failure, Result, cargo, on_path, output, root, run};

/// Program and Debian's packages for it and its voices.
const NEEDED: &[(&str, &str)] = &[
    ("espeak-ng", "espeak-ng"),
    ("flite", "flite"),
    (
        "text2wave",
        "festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts festvox-italp16k festvox-itapc16k festvox-suopuhe-lj festvox-suopuhe-mv",
    ),
    ("sox", "sox"),
];
const WORDS: &str = "/usr/share/dict/american-english";

#[derive(Clone, Copy)]
enum Program {
    Espeak,
    Flite,
    Festival,
}

/// A program, a voice of it, and how many readings of about four minutes it gives.
const VOICES: &[(Program, &str, usize)] = &[
    (Program::Espeak, "en-gb", 4),
    (Program::Espeak, "en-us", 4),
    (Program::Espeak, "en-gb-scotland+m2", 3),
    (Program::Espeak, "en-gb-x-rp+f1", 3),
    (Program::Espeak, "en-us+f2", 3),
    (Program::Espeak, "en-us+f4", 3),
    (Program::Espeak, "en-gb+m5", 3),
    (Program::Espeak, "en-us+m7", 3),
    (Program::Espeak, "en-gb+croak", 2),
    (Program::Espeak, "en-gb+whisper", 2),
    (Program::Espeak, "de+m3", 3),
    (Program::Espeak, "fr-fr+f3", 3),
    (Program::Espeak, "es+m1", 3),
    (Program::Espeak, "pl+f5", 3),
    (Program::Flite, "slt", 8),
    (Program::Flite, "rms", 8),
    (Program::Flite, "awb", 8),
    (Program::Flite, "kal16", 6),
    (Program::Festival, "cmu_us_slt_arctic_hts", 5),
    (Program::Festival, "kal_diphone", 4),
    (Program::Festival, "ked_diphone", 3),
    (Program::Festival, "lp_diphone", 1),
    (Program::Festival, "pc_diphone", 1),
    (Program::Festival, "suo_fi_lj_diphone", 1),
    (Program::Festival, "hy_fi_mv_diphone", 1),
];

/// Makes the speech that isn't there yet, then runs the tables.
pub(crate) fn dtmf(arguments: &[String]) -> Result {
    if let Some(more) = arguments.first() {
        return Err(Failure(format!("dtmf takes nothing, not `{more}`")));
    }
    let all: Vec<&str> = NEEDED.iter().map(|(program, _)| *program).collect();
    check_needed(&all)?;
    let readings = speak_all(&made_directory()?, VOICES)?;
    let example = [
        "run",
        "--release",
        "-p",
        "conclave-dtmf",
        "--example",
        "q24",
        "--",
    ];
    run(cargo(&example).args(readings))
}

/// Some readings by the synthesisers that need no further voices: two or three hours, made if they aren't there yet.
pub(crate) fn quick_readings() -> Result<Vec<PathBuf>> {
    check_needed(&["espeak-ng", "flite", "sox"])?;
    let directory = made_directory()?;
    let quick = |(program, ..): &&(Program, &str, usize)| !matches!(program, Program::Festival);
    let voices: Vec<_> = VOICES.iter().filter(quick).copied().collect();
    let two_of_each: Vec<_> = voices
        .into_iter()
        .map(|(p, voice, _)| (p, voice, 2))
        .collect();
    speak_all(&directory, &two_of_each)
}

fn made_directory() -> Result<PathBuf> {
    let directory = root().join("target/talk-off");
    fs::create_dir_all(&directory)
        .map_err(|e| Failure(format!("cannot make {}: {e}", directory.display())))?;
    Ok(directory)
}

fn check_needed(programs: &[&str]) -> Result {
    let mut missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(program, _)| programs.contains(program))
        .filter(|(program, _)| !on_path(program))
        .map(|(_, packages)| *packages)
        .collect();
    if !Path::new(WORDS).exists() {
        missing.push("wamerican");
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure(format!(
        "the speech needs more; as root: apt-get install {}",
        missing.join(" ")
    )))
}

/// One file for each reading; two at a time.
fn speak_all(directory: &Path, voices: &[(Program, &'static str, usize)]) -> Result<Vec<PathBuf>> {
    let sources = Sources::read()?;
    let readings: Vec<(Program, &str, usize)> = voices
        .iter()
        .flat_map(|(program, voice, count)| (0..*count).map(move |n| (*program, *voice, n)))
        .collect();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(reading) = readings.get(next.fetch_add(1, Relaxed)) {
                    if let Err(failure) = speak(directory, &sources, *reading) {
                        next.store(readings.len(), Relaxed);
                        if let Ok(mut failed) = failed.lock() {
                            *failed = Some(failure);
                        }
                    }
                }
            });
        }
    });
    if let Ok(Some(failure)) = failed.into_inner() {
        return Err(failure);
    }
    Ok(readings
        .iter()
        .map(|reading| file(directory, *reading))
        .collect())
}

fn file(directory: &Path, (program, voice, n): (Program, &str, usize)) -> PathBuf {
    let program = match program {
        Program::Espeak => "espeak-ng",
        Program::Flite => "flite",
        Program::Festival => "festival",
    };
    directory.join(format!("{program} {voice}~{n}.ul"))
}

fn speak(directory: &Path, sources: &Sources, reading: (Program, &str, usize)) -> Result {
    let done = file(directory, reading);
    if done.exists() {
        return Ok(());
    }
    let (program, voice, n) = reading;
    let of_voice = |seed: u64, byte: u8| seed.wrapping_mul(31).wrapping_add(u64::from(byte));
    let seed = voice.bytes().fold(n as u64 + 1, of_voice);
    let mut dice = Dice(seed);
    let (text, wave) = (done.with_extension("txt"), done.with_extension("wav"));
    let unwritable = |e| Failure(format!("cannot write {}: {e}", text.display()));
    fs::write(&text, sources.text(&mut dice)).map_err(unwritable)?;
    let mut command = match program {
        Program::Espeak => {
            let mut command = Command::new("espeak-ng");
            let (speed, pitch) = (130 + dice.below(90), 15 + dice.below(75));
            command.args([
                "-v",
                voice,
                "-s",
                &speed.to_string(),
                "-p",
                &pitch.to_string(),
            ]);
            command.arg("-w").arg(&wave).arg("-f").arg(&text);
            command
        }
        Program::Flite => {
            let mut command = Command::new("flite");
            let stretch = format!(
                "duration_stretch={:.2}",
                0.8 + dice.below(50) as f64 / 100.0
            );
            let pitch = format!("int_f0_target_mean={}", 85 + dice.below(120));
            command.args(["-voice", voice, "--setf", &stretch, "--setf", &pitch]);
            command.arg("-f").arg(&text).arg("-o").arg(&wave);
            command
        }
        Program::Festival => {
            let mut command = Command::new("text2wave");
            let stretch = 0.8 + dice.below(50) as f64 / 100.0;
            let set =
                format!("(begin (voice_{voice}) (Parameter.set 'Duration_Stretch {stretch:.2}))");
            command
                .arg("-eval")
                .arg(set)
                .arg("-o")
                .arg(&wave)
                .arg(&text);
            command
        }
    };
    output(command.stderr(Stdio::null()))?;
    // As loud as a line gets: the louder, the more of the speech is above the softest digit.
    let part = done.with_extension("part");
    let mut sox = Command::new("sox");
    sox.arg(&wave)
        .args(["-t", "ul", "-r", "8000", "-c", "1"])
        .arg(&part);
    output(sox.args([
        "gain", "-6", "rate", "8000", "sinc", "300-3400", "gain", "-n", "-3",
    ]))?;
    fs::rename(&part, &done).map_err(unwritable)?;
    let _ = (fs::remove_file(&text), fs::remove_file(&wave));
    Ok(())
}

/// What is read aloud.
struct Sources {
    words: Vec<String>,
    sentences: Vec<String>,
}

impl Sources {
    fn read() -> Result<Self> {
        let read = |path: &Path| {
            fs::read_to_string(path)
                .map_err(|e| Failure(format!("cannot read {}: {e}", path.display())))
        };
        let plain = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
        let words = read(Path::new(WORDS))?
            .lines()
            .filter(plain)
            .map(str::to_owned)
            .collect();
        let mut sentences = Vec::new();
        for page in [
            "README.md",
            "docs/architecture.md",
            "docs/hosts.md",
            "docs/security.md",
        ] {
            let text = read(&root().join(page))?;
            let prose = text
                .lines()
                .filter(|line| line.starts_with(|c: char| c.is_alphabetic()));
            let prose = prose.collect::<Vec<_>>().join(" ");
            sentences.extend(prose.split(". ").map(|sentence| {
                sentence
                    .chars()
                    .filter(|c| c.is_ascii_alphanumeric() || " ,.'".contains(*c))
                    .collect()
            }));
        }
        Ok(Sources { words, sentences })
    }

    /// About four minutes: sentences of the project's pages, words in no order, numbers as people read them out.
    fn text(&self, dice: &mut Dice) -> String {
        let mut text = String::new();
        for _ in 0..55 {
            match dice.below(4) {
                0 => text += dice.pick(&self.sentences),
                1 => {
                    text += "The number is";
                    for _ in 0..3 + dice.below(8) {
                        text += &format!(" {}", dice.below(10));
                    }
                    text += &format!(", and the other one {}", dice.below(1_000_000));
                }
                _ => {
                    for _ in 0..7 + dice.below(8) {
                        text += dice.pick(&self.words);
                        text.push(' ');
                    }
                }
            }
            text += ".\n";
        }
        text
    }
}

/// Numbers that look drawn, the same on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound.max(1) as u64) as usize
    }

    fn pick<'a>(&mut self, from: &'a [String]) -> &'a str {
        from.get(self.below(from.len())).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_the_same_each_time_and_no_two_are_alike() {
        let sources = Sources {
            words: ["tone", "line", "room"].map(String::from).to_vec(),
            sentences: vec!["Nobody is called before noon".into()],
        };
        let text = |seed| sources.text(&mut Dice(seed));
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
        assert!(
            text(1).contains("Nobody is called before noon.") && text(1).contains("The number is")
        );
    }

    #[test]
    fn each_reading_has_a_file_of_its_own() {
        let mut files: Vec<_> = VOICES
            .iter()
            .map(|(p, v, _)| file(Path::new("x"), (*p, v, 0)))
            .collect();
        files.sort();
        files.dedup();
        assert_eq!(files.len(), VOICES.len());
    }
}
