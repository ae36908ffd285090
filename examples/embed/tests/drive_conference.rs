//! Types commands into the built program and reads what it says.

use std::{
    io::Write,
    process::{Command, Stdio},
};

#[test]
fn a_typed_conference_locks_its_door() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_drive_conference"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let typed = "arrive 1 1234\narrive 2 4711\narrive 3 9999\nkey 1 *7\nkey 2 *7\narrive 4 1234\nleave 2\nleave 1\n";
    let mut keyboard = program.stdin.take().expect("a keyboard");
    keyboard.write_all(typed.as_bytes()).expect("it is typed");
    drop(keyboard);
    let output = program.wait_with_output().expect("the program ends");
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).expect("text");
    let mut lines = said.lines();
    let mut expect = |words: &str| {
        assert!(
            lines.any(|line| line.contains(words)),
            "{words:?} doesn't follow, in:\n{said}"
        );
    };
    expect("Route { call: CallId(1), route: HoldMusic }");
    expect("Route { call: CallId(2), route: Room { heard: true } }");
    expect("Route { call: CallId(1), route: Room { heard: true } }");
    expect("call 3: Mistyped");
    expect("call 1: only a host may do that");
    expect("Prompt(Locked)");
    expect("Release { call: CallId(4), farewell: Some(ConferenceIsLocked), reason: Locked }");
    expect("Prompt(HostHasLeft)");
    expect("Ended { reason: LastLeft }");
}
