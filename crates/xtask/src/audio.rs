//! How good speech is after the bridge: recordings of real calls, scored by ViSQOL.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::run::{Failure, Result, on_path, output, root, run, test};

/// A score for each pair of files that standard input names: reference, then what is to be judged.
const SCORER: &str = "
import sys, warnings
warnings.simplefilter('ignore')
from visqol import VisqolApi
api = VisqolApi()
api.create(mode='speech', use_lattice_model=False)
for line in sys.stdin:
    reference, judged = line.rstrip('\\n').split('\\t')
    print(f'{api.measure(reference, judged).moslqo:.2f}', flush=True)
";
/// flite's voices of 16 kHz and what each reads.
const READ: &[(&str, &str)] = &[
    (
        "slt",
        "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background.",
    ),
    (
        "rms",
        "It is easy to tell the depth of a well. These days a chicken leg is a rare dish.",
    ),
    (
        "awb",
        "Rice is often served in round bowls. The juice of lemons makes fine punch.",
    ),
];

/// Makes the speech, the calls and the table.
pub(crate) fn audio(arguments: &[String]) -> Result {
    let python = arguments.first().map_or("python3", String::as_str);
    let missing: Vec<&str> = ["flite", "sox", "sipp", python]
        .into_iter()
        .filter(|program| !on_path(program) && !Path::new(program).exists())
        .collect();
    if !missing.is_empty() {
        return Err(Failure(format!("this needs {}", missing.join(", "))));
    }
    let directory = root().join("target/quality");
    fs::create_dir_all(&directory)
        .map_err(|e| Failure(format!("cannot make {}: {e}", directory.display())))?;
    speak(&directory)?;
    let mut calls = test("quality::what_a_listener_hears");
    if let Some(codec) = arguments.get(1) {
        calls.env("CONCLAVE_QUALITY_CODEC", codec);
    }
    run(calls.env("CONCLAVE_QUALITY", &directory))?;
    table(&directory, python)
}

/// Ten seconds or so by three voices, 48 kHz; of telephones' narrow band, so that all codecs are judged by the same.
fn speak(directory: &Path) -> Result {
    let mut parts = Vec::new();
    for (voice, text) in READ {
        let part = directory.join(format!("{voice}.wav"));
        let mut flite = Command::new("flite");
        flite.args(["-voice", voice, "-t", text, "-o"]).arg(&part);
        output(&mut flite)?;
        parts.push(part);
    }
    let mut sox = Command::new("sox");
    sox.args(&parts)
        .args(["-b", "16"])
        .arg(directory.join("speech.wav"));
    let effects = [
        "gain", "-6", "rate", "48000", "sinc", "300-3400", "gain", "-n", "-6",
    ];
    output(sox.args(effects).args(["pad", "0.5", "0.5"])).map(|_| ())
}

fn table(directory: &Path, python: &str) -> Result {
    let file = directory.join("rows.txt");
    let rows = fs::read_to_string(&file)
        .map_err(|e| Failure(format!("cannot read {}: {e}", file.display())))?;
    let rows: Vec<Vec<&str>> = rows.lines().map(|row| row.split('|').collect()).collect();
    let mut pairs = String::new();
    for row in &rows {
        let of = |what: &str| wide(directory, row[0], what);
        let reference = of("speech")?;
        for judged in ["direct", "bridge"] {
            pairs += &format!("{}\t{}\n", reference.display(), of(judged)?.display());
        }
    }
    let list = directory.join("pairs.txt");
    fs::write(&list, &pairs)
        .map_err(|e| Failure(format!("cannot write {}: {e}", list.display())))?;
    let input = fs::File::open(&list)
        .map_err(|e| Failure(format!("cannot read {}: {e}", list.display())))?;
    let mut scorer = Command::new(python);
    scorer.args(["-c", SCORER]).stdin(Stdio::from(input));
    let scores = output(&mut scorer).map_err(|Failure(why)| {
        Failure(format!("{why}\nthe scores need ViSQOL: pip install visqol-python numba, in a Python that `cargo xtask long audio PYTHON` names"))
    })?;
    let scores = String::from_utf8_lossy(&scores).into_owned();
    let scores: Vec<f64> = scores
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    if scores.len() != 2 * rows.len() {
        return Err(Failure(format!(
            "{} scores for {} recordings",
            scores.len(),
            2 * rows.len()
        )));
    }
    println!(
        "| codec | loss % | jitter ms | talkers | noise | direct | bridge | difference | delay p50 ms | p99 |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for (row, scores) in rows.iter().zip(scores.chunks(2)) {
        let [direct, bridge] = *scores else { continue };
        let (codec, loss, jitter, talkers, noise) = (row[1], row[2], row[3], row[4], row[5]);
        println!(
            "| {codec} | {loss} | {jitter} | {talkers} | {noise} | {direct:.2} | {bridge:.2} | {:.2} | {} | {} |",
            bridge - direct,
            row[6],
            row[7]
        );
    }
    Ok(())
}

/// The recording at the 16 kHz that the score is made for.
fn wide(directory: &Path, name: &str, what: &str) -> Result<PathBuf> {
    let wide = directory.join(format!("{name}-{what}-16.wav"));
    let mut sox = Command::new("sox");
    sox.arg(directory.join(format!("{name}-{what}.wav")));
    sox.args(["-r", "16000"]).arg(&wide);
    // What comes before and after the speech in a call is no part of it.
    output(sox.stderr(Stdio::null()))?;
    Ok(wide)
}
