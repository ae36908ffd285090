//! The demo, as a newcomer runs it: with the real prompts.

use crate::bridge::binary;

#[test]
fn the_demo_shows_a_conference() {
    let directory = tempfile::tempdir().unwrap();
    let output = binary()
        .args(["demo", "--out", "out"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{shown}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // In this order, whatever else is between.
    let mut rest = &*shown;
    for line in [
        "Ben   hears \"welcome\"",
        "Ben   hears \"waiting-for-host\"",
        "Ben   hears \"hold-music\"",
        "Ada   calls",
        "Ben   hears \"conference-starting\"",
        "Ada   hears Ben for",
        "Cleo  calls",
        "Cleo  hears \"people-in-conference\"",
        "Ben   hears \"muted\"",
        "Cleo  hears \"locked\"",
        "Ada   hears \"roll-call\"",
        "Ada   presses ##",
        "Cleo  is hung up",
    ] {
        let at = rest
            .find(line)
            .unwrap_or_else(|| panic!("'{line}' is not where it should be in:\n{shown}"));
        rest = &rest[at + line.len()..];
    }
    // The roll call is for the Host alone, and nobody hears themselves while they talk.
    assert!(!shown.contains("Ben   hears \"roll-call\""), "{shown}");
    assert!(!shown.contains("Cleo  hears Cleo"), "{shown}");
    for file in ["ada.wav", "ben.wav", "cleo.wav"] {
        let wav = hound::WavReader::open(directory.path().join("out").join(file)).unwrap();
        assert!(wav.duration() > 8000 * 20, "{file}");
    }
    let picture = std::fs::read_to_string(directory.path().join("out/who-heard-whom.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("Cleo"));
}
