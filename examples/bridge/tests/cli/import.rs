//! `account import`: all or nothing, and each mistake with its line.

use std::{fs, path::Path};

use proptest::{collection::vec, prelude::*};
use serde_json::json;

use crate::support::{ADA, json, mode, refused, run, words};

const GOOD: &str = "\u{feff}email,name,department,entry,lock,longest_wait,host_pin,guest_pin
ada@example.org,Ada,=HYPERLINK(1),name,off,5,,
grace@example.org,\"Hopper, Grace\",,,,,918273640518,

alan@example.org,Alan,Research,none,on,,,
";

fn import(here: &Path, csv: &str, more: &str, status: i32) -> (String, String) {
    fs::write(here.join("in.csv"), csv).unwrap();
    let line = format!("account import in.csv {more}");
    run(here, &words(&line), status)
}

fn accounts(here: &Path) -> usize {
    if !here.join("conclave-data").exists() {
        return 0;
    }
    let list = json(here, &words("account list --json"));
    list["accounts"].as_array().unwrap().len()
}

#[test]
fn a_file_of_accounts_is_taken_in() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    run(here, &ADA, 0);
    let (said, _) = import(here, GOOD, "--dry-run", 0);
    assert!(said.contains("3 accounts would be made"), "{said}");
    assert_eq!(accounts(here), 1);
    let (said, _) = import(here, GOOD, "--out out.csv", 0);
    assert!(said.contains("3 accounts were made"), "{said}");
    assert_eq!((accounts(here), mode(&here.join("out.csv"))), (4, 0o600));
    let out = fs::read_to_string(here.join("out.csv")).unwrap();
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("id,name,email,host_pin,guest_pin"));
    assert!(
        lines.next().unwrap().starts_with("2,Ada,ada@example.org,"),
        "{out}"
    );
    let grace = lines.next().unwrap();
    assert!(
        grace.starts_with("3,\"Hopper, Grace\",grace@example.org,918273640518,"),
        "{out}"
    );
    let terms = &json(here, &words("account show 2 --json"))["terms"];
    assert_eq!(
        [
            &terms["entry"],
            &terms["exit"],
            &terms["lock"],
            &terms["longest_wait"]
        ],
        [&json!("name"), &json!("tone"), &json!(false), &json!(300)]
    );
    // The PINs in the file are theirs.
    let pin = grace.rsplit(',').next().unwrap();
    let shown = json(here, &words("account show 3 --show-guest-pin --json"));
    assert_eq!(shown["guest_pin"], pin);

    // Neither the file nor a PIN twice.
    let (_, error) = import(here, GOOD, "--out out.csv", 2);
    assert!(
        error.contains("line 3: host_pin: this PIN is in use already"),
        "{error}"
    );
    assert!(!error.contains("918273640518"), "{error}");
    let fresh = GOOD.replace("918273640518", "");
    let (_, error) = import(here, &fresh, "--out out.csv", 2);
    assert!(error.contains("out.csv is there already"), "{error}");
    assert_eq!(accounts(here), 4);
    let (made, _) = import(here, &fresh, "--json", 0);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["accounts"].as_array().unwrap().len(), 3);
    assert!(made["accounts"][0]["host_pin"].is_string(), "{made}");
}

#[test]
fn with_one_mistake_nothing_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    run(here, &ADA, 0);
    let check = |csv: &str, said: &[&str]| {
        let (out, error) = import(here, csv, "", 2);
        for words in said {
            assert!(error.contains(words), "{csv:?}: no '{words}' in {error}");
        }
        assert_eq!((out.as_str(), accounts(here)), ("", 1), "{csv:?}");
    };
    let head = "name,email,lock,host_pin,guest_pin,host_grace\n";
    let lines = |lines: &str| format!("{head}Ada,a@b.org,,,,\n{lines}");
    check(
        &lines("Bob,bob,,,,\n"),
        &[
            "line 3: an e-mail address has the shape",
            "1 lines are wrong",
        ],
    );
    check(&lines("7,a@b.org,,,,\n"), &["line 3: a name has"]);
    check(
        &lines("Bob,b@b.org,yes,,,\n"),
        &["line 3: lock: 'yes' is none of on, off"],
    );
    check(&lines("Bob,b@b.org,,x,,\n"), &["line 3: host_pin:"]);
    check(
        &lines("Bob,b@b.org,,123456789,,\n"),
        &["line 3: host_pin:", "pattern"],
    );
    check(
        &lines("Bob,b@b.org,,,482193,\n"),
        &["line 3: guest_pin:", "--force-weak-pin"],
    );
    check(
        &lines("Bob,b@b.org,,,,soon\n"),
        &["line 3: host_grace: 'soon' is no number"],
    );
    check(
        &lines("Bob,b@b.org,,,,9\n"),
        &["line 3: --host-grace works with"],
    );
    check(
        &lines("Bob,b@b.org\n"),
        &["line 3: it has 2 cells, the first line has 6"],
    );
    check(
        &lines("Bob,b@b.org,,918273640518,,\nEve,e@b.org,,918273640518,,\n"),
        &["line 4: host_pin: this PIN is there twice"],
    );
    check(
        &lines("Bob,b@b.org,,918273640518,918273640518,\n"),
        &["line 3: guest_pin:", "twice"],
    );
    check(
        &lines("x,y,,,,\nz,a@b.org,no,,,\n"),
        &["line 3:", "line 4:", "2 lines are wrong"],
    );
    check(
        "name,email\r\nAda,a@b.org\r\n\r\nBob,bob\r\n",
        &["line 4: an e-mail"],
    );
    check(
        "name,email\n\n\n\"A\nB\",a@b.org\nEve,eve\n",
        &["line 4: a name", "line 6: an e-mail"],
    );
    check("name,mail\n", &["no column 'mail'", "cost_code"]);
    check("name,email,name\n", &["'name' is there twice"]);
    check("name\nAda\n", &["'email' is missing"]);
    check(head, &["no line after the first"]);
    check("", &["is missing"]);
    refused(here, &words("account import nowhere.csv"), &["nowhere.csv"]);
}

#[test]
fn the_brought_pins_count_together() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    run(here, &ADA, 0);
    // A few PINs of nine digits without a check digit are well within the policy, many are not.
    let line = |n: u64| format!("Ada,a{n}@b.org,{}\n", 318_507_264 + n * 13_577);
    let many: String = (0..1_500).map(line).collect();
    let (_, error) = import(here, &format!("name,email,guest_pin\n{many}"), "", 2);
    assert!(
        error.contains("guest_pin") && error.contains("digits"),
        "{error}"
    );
    assert_eq!(accounts(here), 1);
    let few: String = (0..2).map(line).collect();
    import(here, &format!("name,email,guest_pin\n{few}"), "", 0);
    assert_eq!(accounts(here), 3);
}

#[test]
fn doubts_are_told_and_stop_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (_, warned) = import(
        directory.path(),
        "name,email\nAda,ada@b.org\nInfo,info@b.org\n",
        "",
        0,
    );
    assert!(
        warned.contains("line 3: the e-mail address looks like"),
        "{warned}"
    );
    assert_eq!(accounts(directory.path()), 2);
}

#[test]
fn spreadsheets_are_not_tricked() {
    let directory = tempfile::tempdir().unwrap();
    let csv = "name,email\n\"=cmd|' /C calc'!A0 x\",\"=x@b.org\"\n+Ada,ada@b.org\n";
    let (out, _) = import(directory.path(), csv, "", 0);
    assert!(
        out.contains("\n1,'=cmd|' /C calc'!A0 x,'=x@b.org,"),
        "{out}"
    );
    assert!(out.contains("\n2,'+Ada,ada@b.org,"), "{out}");
    for format in ["table", "csv"] {
        let line = format!("report usage --format {format}");
        run(directory.path(), &words(&line), 0);
    }
}

#[test]
fn a_file_has_its_bounds() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let long = format!("name,email\n{}", "x".repeat(10_000_001));
    let (_, error) = import(here, &long, "", 2);
    assert!(error.contains("more than 10 MB"), "{error}");
    let many = format!("name,email\n{}", "A,a@b.org\n".repeat(100_001));
    let (_, error) = import(here, &many, "", 2);
    assert!(
        error.contains("line 100002: a file has at most 100000 accounts"),
        "{error}"
    );
    assert_eq!(accounts(here), 0);
}

proptest! {
    // Each is several runs of the program.
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// What a spreadsheet wrote comes in as it was, and goes out so that it is read as it was, or as text where it
    /// would be taken for a formula.
    #[test]
    fn names_of_any_kind_go_in_and_out(
        rows in vec(("[ -~äßñ漢]{0,20}[a-zA-Zéö漢][ -~äßñ漢]{0,20}", "[ -~ÄØ]{0,30}"), 1..12)
    ) {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let mut file = csv::Writer::from_writer(Vec::new());
        file.write_record(["name", "email", "department"]).unwrap();
        for (n, (name, department)) in rows.iter().enumerate() {
            file.write_record([name, &format!("{n}@example.org"), department]).unwrap();
        }
        let file = String::from_utf8(file.into_inner().unwrap()).unwrap();
        import(here, &file, "--out out.csv", 0);
        let list = json(here, &words("account list --json"));
        let out = fs::read(here.join("out.csv")).unwrap();
        let out: Vec<csv::StringRecord> = csv::Reader::from_reader(out.as_slice()).records().map(Result::unwrap).collect();
        prop_assert_eq!(out.len(), rows.len());
        for (n, (name, department)) in rows.iter().enumerate() {
            let account = &list["accounts"][n];
            prop_assert_eq!(&account["owner"]["name"], name.trim());
            let kept = Some(department.trim()).filter(|department| !department.is_empty());
            prop_assert_eq!(account["department"].as_str(), kept);
            // The apostrophes that tell a spreadsheet it is text are all that is added.
            let shown = out[n][1].chars().filter(|c| *c != '\'');
            prop_assert!(shown.eq(name.trim().chars().filter(|c| *c != '\'')));
            prop_assert!(!out[n][1].trim_start().starts_with(['=', '+', '-', '@']));
        }
    }
}
