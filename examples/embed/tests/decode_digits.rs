//! `decode_digits` on a recorded list of packets.

use std::process::{Command, Output};

fn decode(file: &str) -> Output {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/");
    let mut program = Command::new(env!("CARGO_BIN_EXE_decode_digits"));
    program.arg(format!("{data}{file}")).output().unwrap()
}

#[test]
fn prints_each_digit_once_and_what_it_does() {
    let output = decode("star-six.txt");
    assert!(output.status.success(), "{output:?}");
    let expected = "\
0.020 digit *
0.300 digit 6
0.300 mute
1.000 digit #
1.200 digit #
1.200 end-for-all
2.000 digit *
6.000 star
6.000 digit 1
";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn says_what_it_cannot_read() {
    assert!(!decode("no-such-file.txt").status.success());
    let output = decode("../decode_digits.rs");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("line 1 is no packet"),
        "{output:?}"
    );
}
