//! Transcripts: what goes in and what comes out, for somebody who doesn't program.
//!
//! `tests/transcripts/*.txt` are read, played and compared; with `REWRITE=1` in the environment they are
//! written anew, to be reviewed. `tests/transcripts/README.md` tells the words.

mod support;
mod transcript;

use std::{fs, path::PathBuf};

use transcript::{read, stage::Stage};

#[test]
fn transcripts_are_as_they_were_reviewed() {
    let rewrite = std::env::var_os("REWRITE").is_some();
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the directory of transcripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are transcripts");
    let mut differ = Vec::new();
    for file in files {
        let reviewed = fs::read_to_string(&file).expect("a transcript");
        let played = play(&reviewed).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if rewrite {
            fs::write(&file, played).expect("the transcript is written");
        } else if played != reviewed {
            differ.push(format!(
                "{}: {}",
                file.display(),
                first_difference(&reviewed, &played)
            ));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
}

/// The transcript with the answers that the machine gives now.
fn play(transcript: &str) -> Result<String, String> {
    let settings = read::settings(transcript)?;
    let mut stage = Stage::new(settings);
    let mut played = String::new();
    for (number, line) in transcript.lines().enumerate() {
        if line.starts_with('<') {
            continue;
        }
        played.push_str(line);
        played.push('\n');
        if let Some(input) = line.strip_prefix('>') {
            let answers = stage
                .input(input.trim())
                .map_err(|error| format!("line {}: {error}", number + 1))?;
            for answer in answers {
                played.push_str(&format!("< {answer}\n"));
            }
        }
    }
    Ok(played)
}

fn first_difference(reviewed: &str, played: &str) -> String {
    let mut reviewed = reviewed.lines();
    let mut played = played.lines();
    let mut number = 0;
    loop {
        number += 1;
        match (reviewed.next(), played.next()) {
            (None, None) => return "they differ in line ends".to_owned(),
            (was, is) if was != is => {
                return format!(
                    "line {number}\n  reviewed: {}\n  now:      {}",
                    was.unwrap_or("(end)"),
                    is.unwrap_or("(end)")
                );
            }
            _ => {}
        }
    }
}
