//! The real binary, run in a directory of its own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

pub(crate) fn binary(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conclave-bridge"));
    command.current_dir(directory).env_remove("RUST_LOG");
    command
}

#[track_caller]
pub(crate) fn run(directory: &Path, arguments: &[&str], status: i32) -> (String, String) {
    let Output {
        status: ended,
        stdout,
        stderr,
    } = binary(directory).args(arguments).output().unwrap();
    let said = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(ended.code(), Some(status), "{arguments:?}: {said:?}");
    let [out, error] = said;
    (out, error)
}

pub(crate) const ADA: [&str; 6] = [
    "account",
    "add",
    "--name",
    "Ada",
    "--email",
    "ada@example.org",
];

/// Runs a command and reads the JSON that it prints.
#[track_caller]
pub(crate) fn json(directory: &Path, arguments: &[&str]) -> Value {
    let (out, _) = run(directory, arguments, 0);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
}

/// Runs a command that fails by what was typed, and checks that it says so in these words.
#[track_caller]
pub(crate) fn refused(directory: &Path, arguments: &[&str], words: &[&str]) -> String {
    let (_, error) = run(directory, arguments, 2);
    for word in words {
        assert!(
            error.contains(word),
            "{arguments:?}: no '{word}' in {error}"
        );
    }
    error
}

/// The words of a command line that needs no quotes.
pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

pub(crate) fn keys(value: &Value) -> Vec<&str> {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"));
    object.keys().map(String::as_str).collect()
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key}: {value}"))
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
