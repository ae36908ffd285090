//! The built bridge, started as a user would start it.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpListener, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant, SystemTime},
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::tones;

/// The file by which the bridge's clock is put forward.
const CLOCK: &str = "clock";

pub(crate) struct Bridge {
    child: Child,
    pub(crate) sip: u16,
    pub(crate) directory: tempfile::TempDir,
    /// How long it took from the start to the line that says that it is ready.
    pub(crate) start_up: Duration,
}

/// An account as `account add --json` prints it.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) host_pin: String,
    pub(crate) guest_pin: String,
}

impl Bridge {
    /// Starts with an empty data directory and prompts that are pairs of tones.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        tones::write_prompts(&directory.path().join("prompts"));
        Self::start_in(directory, &["--prompts", "prompts"])
    }

    /// As [`start`](Self::start), with a configuration file, on the test's own clock.
    pub(crate) fn start_configured(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        tones::write_prompts(&directory.path().join("prompts"));
        fs::write(directory.path().join("bridge.toml"), config).unwrap();
        Self::start_in(
            directory,
            &["--prompts", "prompts", "--config", "bridge.toml"],
        )
    }

    /// Starts in that directory, with its `data` as data directory.
    pub(crate) fn start_in(directory: tempfile::TempDir, arguments: &[&str]) -> Self {
        let sip = free_port();
        let ports = rtp_ports();
        let log = fs::File::create(directory.path().join("bridge.log")).unwrap();
        let began = Instant::now();
        let clock = directory.path().join(CLOCK);
        if !clock.exists() {
            fs::write(&clock, "0").unwrap();
        }
        let mut child = binary()
            .current_dir(directory.path())
            .env("CONCLAVE_TEST_CLOCK", clock)
            .args([
                "serve",
                "--data",
                "data",
                "--sip",
                &format!("127.0.0.1:{sip}"),
                "--rtp-ports",
                &ports,
            ])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        loop {
            match lines.next() {
                Some(line) if line.as_ref().unwrap().contains("ready") => break,
                Some(_) => {}
                None => panic!(
                    "the bridge did not start:\n{}",
                    fs::read_to_string(directory.path().join("bridge.log")).unwrap()
                ),
            }
        }
        let start_up = began.elapsed();
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            sip,
            directory,
            start_up,
        }
    }

    /// The time of the bridge, and of the commands that run on its data.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let ahead = fs::read_to_string(self.directory.path().join(CLOCK)).unwrap();
        let ahead: i64 = ahead.trim().parse().unwrap();
        DateTime::<Utc>::from(SystemTime::now()) + TimeDelta::seconds(ahead)
    }

    /// Puts the bridge's clock forward; it has seen it when this returns.
    pub(crate) fn go_to(&self, at: DateTime<Utc>) {
        let file = self.directory.path().join(CLOCK);
        let ahead = at - DateTime::<Utc>::from(SystemTime::now());
        // Up to the next second, written at once: the bridge may read at any time.
        let aside = file.with_extension("new");
        fs::write(&aside, (ahead.num_seconds() + 1).to_string()).unwrap();
        fs::rename(aside, file).unwrap();
        std::thread::sleep(Duration::from_millis(150));
    }

    /// Runs a command that must succeed, and gives its JSON.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Makes an account by the command line, while the bridge runs.
    pub(crate) fn account(&self, arguments: &[&str]) -> Account {
        let output = self.run(
            &[
                &[
                    "account",
                    "add",
                    "--name",
                    "Ada Byron",
                    "--email",
                    "ada@example.org",
                    "--json",
                ],
                arguments,
            ]
            .concat(),
        );
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command on the bridge's data directory.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        binary()
            .current_dir(self.directory.path())
            .env("CONCLAVE_TEST_CLOCK", CLOCK)
            .args(arguments)
            .args(["--data", "data"])
            .output()
            .unwrap()
    }

    /// A report as JSON.
    pub(crate) fn report(&self, what: &str) -> Vec<serde_json::Value> {
        let output = self.run(&["report", what, "--format", "json"]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// The log until now.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("bridge.log")).unwrap()
    }

    /// `kill -9`; gives the directory back.
    pub(crate) fn kill(mut self) -> tempfile::TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap())
    }

    /// Sends a signal of that name.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let status = Command::new("kill")
            .args([&format!("-{name}"), &process])
            .status();
        assert!(status.unwrap().success());
    }

    /// SIGTERM; waits for the end and gives the exit status.
    pub(crate) fn terminate(&mut self) -> std::process::ExitStatus {
        self.signal("TERM");
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "the bridge does not stop:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether the process still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the bridge's log ---\n{}", self.log());
        }
    }
}

pub(crate) fn binary() -> Command {
    Command::new(PathBuf::from(env!("CARGO_BIN_EXE_conclave-bridge")))
}

/// A port that is free for both UDP and TCP now.
pub(crate) fn free_port() -> u16 {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// A range of its own for each bridge of this process; one that another process uses is skipped by the bridge.
fn rtp_ports() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20000
        + (std::process::id() as u16 % 10 * 1000 + NEXT.fetch_add(100, Ordering::Relaxed)) % 9900;
    format!("{first}-{}", first + 99)
}
