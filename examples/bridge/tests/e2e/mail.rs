//! Invitations by mail, to a mail server that we did not write.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use chrono::{SecondsFormat, TimeDelta};

use crate::bridge::{Bridge, free_port};

struct MailServer(Child);

impl MailServer {
    /// Debian's aiosmtpd, which keeps what comes in a Maildir.
    fn start(port: u16, directory: &Path) -> Self {
        let child = Command::new("aiosmtpd")
            .args(["-n", "-l", &format!("127.0.0.1:{port}")])
            .args(["-c", "aiosmtpd.handlers.Mailbox"])
            .arg(directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("aiosmtpd is missing: `cargo xtask test` installs it");
        Self(child)
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The letters, in the order of their recipients, once so many have come.
#[track_caller]
fn letters(directory: &Path, count: usize) -> Vec<String> {
    let began = Instant::now();
    loop {
        let files: Vec<_> = fs::read_dir(directory.join("new"))
            .map(|files| files.map(|file| file.unwrap().path()).collect())
            .unwrap_or_default();
        if files.len() >= count {
            let mut letters: Vec<String> = files
                .iter()
                .map(|file| fs::read_to_string(file).unwrap())
                .collect();
            letters.sort_by_key(|letter| header(letter, "To"));
            return letters;
        }
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{} of {count} letters came",
            files.len()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn header(letter: &str, name: &str) -> String {
    let line = letter
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_default().to_owned()
}

#[test]
fn invitations_wait_for_the_mail_server_and_go_to_each_invitee() {
    let port = free_port();
    let config = format!(
        "[mail]\nserver = '127.0.0.1'\nport = {port}\nsecurity = 'none'\nfrom = 'Conferences <conferences@example.org>'\n\
         [[access-number]]\nnumber = '+442079460000'\nlabel = 'London'\ncountry = 'United Kingdom'\nlanguage = 'en'\n"
    );
    let bridge = Bridge::start_configured(&config);
    let account = bridge.account(&[]);
    let start = bridge.now() + TimeDelta::days(1);
    let at = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let (from, to) = (at(start), at(start + TimeDelta::hours(1)));
    let id = account.id.to_string();
    let booking = bridge.json(&[
        "booking",
        "add",
        "--account",
        &id,
        "--title",
        "Board meeting",
        "--start",
        &from,
        "--end",
        &to,
        "--invite",
        "Alan Turing=alan@example.org",
        "--invite",
        "Grace Hopper=grace@example.org",
        "--config",
        "bridge.toml",
    ]);
    // Nobody is there to take them; a crash in between loses none.
    std::thread::sleep(Duration::from_secs(3));
    let directory = bridge.kill();
    let mailbox = directory.path().join("mail");
    let _server = MailServer::start(port, &mailbox);
    let bridge = Bridge::start_in(
        directory,
        &["--prompts", "prompts", "--config", "bridge.toml"],
    );
    bridge.go_to(bridge.now() + TimeDelta::minutes(10));

    let sent = letters(&mailbox, 2);
    for (letter, invitee) in sent.iter().zip(booking["invitees"].as_array().unwrap()) {
        let pin = invitee["pin"].as_str().unwrap();
        assert!(
            header(letter, "To").contains(invitee["email"].as_str().unwrap()),
            "{letter}"
        );
        assert_eq!(header(letter, "Subject"), "Invitation: Board meeting");
        let plain: String = letter
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '=')
            .collect();
        assert!(plain.contains(pin), "the PIN is missing: {letter}");
        assert!(
            plain.contains("METHOD:REQUEST") && plain.contains("method=\"REQUEST\"")
                || plain.contains("methodREQUEST"),
            "{letter}"
        );
        let others = booking["invitees"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|other| *other != invitee);
        for other in others {
            assert!(
                !plain.contains(other["pin"].as_str().unwrap()),
                "another's PIN"
            );
        }
    }
    bridge.json(&[
        "booking",
        "cancel",
        &booking["id"].to_string(),
        "--config",
        "bridge.toml",
    ]);
    let sent = letters(&mailbox, 4);
    let cancelled = sent
        .iter()
        .filter(|letter| header(letter, "Subject") == "Cancelled: Board meeting");
    assert_eq!(cancelled.count(), 2);
    // The log says that letters were sent, and none of their secrets.
    for invitee in booking["invitees"].as_array().unwrap() {
        assert!(!bridge.log().contains(invitee["pin"].as_str().unwrap()));
    }
}
