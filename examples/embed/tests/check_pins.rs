//! `check_pins` as somebody at a keyboard sees it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use conclave_accounts::Pin;

#[test]
fn says_what_each_pin_opens() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_check_pins"))
        .arg("+4930123456")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut typed = program.stdin.take().unwrap();
    let mut said = BufReader::new(program.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let host = said
        .next()
        .unwrap()
        .strip_prefix("host ")
        .unwrap()
        .to_owned();
    let guest = said
        .next()
        .unwrap()
        .strip_prefix("guest ")
        .unwrap()
        .to_owned();
    assert_eq!((host.len(), guest.len()), (12, 10));
    assert_eq!(said.next().unwrap(), "odds 1 in 10000000 a day");

    let mut check = |pin: &str, expected: &str| {
        writeln!(typed, "{pin}").unwrap();
        assert_eq!(said.next().unwrap(), expected, "{pin}");
    };
    check(&guest, "0 s: guest of account 1");
    check(&host, "0 s: host of account 1");
    let last = (guest.as_bytes()[9] - b'0' + 1) % 10;
    check(&format!("{}{last}", &guest[..9]), "0 s: mistyped");
    check("12", "a PIN has 4 to 16 digits, this one has 2");
    let unknown = other_than(&guest);
    for wait in [0, 0, 0, 0, 0, 1, 2] {
        check(&unknown, &format!("{wait} s: not valid"));
    }
    check(&guest, "4 s: guest of account 1");

    drop(typed);
    assert!(program.wait().unwrap().success());
}

/// A well-formed PIN that nobody has.
fn other_than(taken: &str) -> String {
    (0..10_000)
        .map(|digits| format!("98765{digits:05}"))
        .find(|digits| digits != taken && Pin::parse(digits).unwrap().has_check_digit())
        .unwrap()
}
