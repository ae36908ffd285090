//! Transcripts: what callers do and what the bridge makes of it, for somebody who doesn't program.
//!
//! `tests/transcripts/*.txt` are read, played in the virtual world (whose watch checks after every step that nobody
//! hears whom they must not) and compared; with `REWRITE=1` in the environment they are written anew, to be
//! reviewed. `tests/transcripts/README.md` tells the words.

mod transcript;

use std::{fs, path::PathBuf};

use transcript::play;

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
        } else if let Some(difference) = first_difference(&reviewed, &played) {
            differ.push(format!("{}: {difference}", file.display()));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
}

fn first_difference(reviewed: &str, played: &str) -> Option<String> {
    let mut played = played.lines();
    let mut reviewed = reviewed.lines();
    for number in 1.. {
        let (was, is) = (reviewed.next(), played.next());
        if was != is {
            let or_end = |line: Option<&str>| line.unwrap_or("(end)").to_owned();
            let (was, is) = (or_end(was), or_end(is));
            return Some(format!(
                "line {number}\n  reviewed: {was}\n  now:      {is}"
            ));
        }
        was?;
    }
    None
}
