//! Ours and the floor in turn: what a call costs at growing numbers of calls, by `conclave-load`.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::run::{Failure, Result, cargo, numbers, output, root, run};

/// One room, its talkers, or many rooms of four.
const SHAPES: [(&str, Rooms, &str); 3] = [
    ("one room, 3 talk", Rooms::One, "3"),
    ("one room, all talk", Rooms::One, "all"),
    ("rooms of 4, 1 talks", Rooms::OfFour, "1"),
];

#[derive(Clone, Copy)]
pub(crate) enum Rooms {
    One,
    OfFour,
}

impl Rooms {
    /// How many there are for so many calls.
    pub(crate) fn of(self, calls: u32) -> u32 {
        match self {
            Rooms::One => 1,
            Rooms::OfFour => calls.div_ceil(4),
        }
    }
}

/// `load [CALLS ...]`: each number of calls in each shape, and at the floor just before it.
pub(crate) fn load(arguments: &[String]) -> Result {
    let numbers = numbers(arguments, "load: CALLS", [200, 400, 800])?;
    let programs = programs(&["--release"])?;
    println!(
        "| calls | shape | floor, ms CPU a call-second | bridge | ratio | packets a second, least | longest gap | delay p50 / p99 | memory a call | late phones p99 |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for calls in numbers {
        for (name, rooms, talkers) in SHAPES {
            let floor = Server::floor(&programs)?.measured(calls, None, talkers)?;
            let bridge = Server::bridge(&programs)?;
            let pins = bridge.rooms(rooms.of(calls))?;
            let idle = bridge.resident();
            let ours = bridge.measured(calls, Some(&pins), talkers)?;
            println!("{}", row(calls, name, &floor, &ours, idle));
        }
    }
    Ok(())
}

/// Builds the bridge and its load, and gives the directory in which they are.
pub(crate) fn programs(profile: &[&str]) -> Result<PathBuf> {
    let build = ["build", "-p", "conclave-bridge", "-p", "conclave-load"];
    run(&mut cargo(&[&build, profile].concat()))?;
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join(if profile.is_empty() {
        "debug"
    } else {
        "release"
    }))
}

fn row(calls: u32, shape: &str, floor: &Value, ours: &Value, idle: u64) -> String {
    // The median of many short windows: what the machine is busy with now and then is not in it.
    let cost = |of: &Value| {
        of["bridge"]["median_ms_a_call_second"]
            .as_f64()
            .unwrap_or(f64::NAN)
    };
    let resident = ours["bridge"]["resident_kib"].as_u64().unwrap_or(0);
    let failed = ours["failed"].as_object().map_or(0, serde_json::Map::len)
        + ours["ended_early"].as_u64().unwrap_or(0) as usize;
    let delay = match ours["delay_ms"]["of"].as_u64() {
        // Where all talk nobody is left to send marks.
        None | Some(0) => "not marked".to_owned(),
        Some(_) => format!(
            "{} / {} ms",
            ours["delay_ms"]["p50"], ours["delay_ms"]["p99"]
        ),
    };
    let mut row = format!(
        "| {calls} | {shape} | {:.3} | {:.3} | {:.2} | {} | {} ms | {delay} | {} KiB | {} ms |",
        cost(floor),
        cost(ours),
        cost(ours) / cost(floor),
        ours["packets"]["a_second_least"],
        ours["gap_ms"]["max"],
        resident.saturating_sub(idle) / u64::from(calls),
        ours["load_sent_late_ms"]["p99"],
    );
    if failed > 0 {
        row += &format!(" {failed} kinds of failure: {}", ours["failed"]);
    }
    row
}

/// The bridge or the floor, for one measurement.
pub(crate) struct Server {
    child: Child,
    /// The floor ends when this does.
    _open: Option<ChildStdin>,
    port: u16,
    pub(crate) directory: PathBuf,
    programs: PathBuf,
}

impl Server {
    fn floor(programs: &Path) -> Result<Self> {
        Self::start(programs, "conclave-load", |command, address, _| {
            command.args(["floor", "--sip", address]);
        })
    }

    fn bridge(programs: &Path) -> Result<Self> {
        Self::start(
            programs,
            "conclave-bridge",
            |command, address, directory| {
                command.args(["serve", "--sip", address, "--data"]);
                command.arg(directory.join("data"));
            },
        )
    }

    pub(crate) fn start(
        programs: &Path,
        name: &str,
        arguments: impl Fn(&mut Command, &str, &Path),
    ) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("conclave-load-{}", std::process::id()));
        let failed = |e: std::io::Error| Failure(format!("{name}: {e}"));
        fs::create_dir_all(&directory).map_err(failed)?;
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|socket| socket.local_addr())
            .map_err(failed)?
            .port();
        let mut command = Command::new(programs.join(name));
        arguments(&mut command, &format!("127.0.0.1:{port}"), &directory);
        let mut child = command
            .env("RUST_LOG", "warn")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(directory.join("log")).map_err(failed)?)
            .spawn()
            .map_err(failed)?;
        sleep(Duration::from_secs(2));
        Ok(Self {
            _open: child.stdin.take(),
            child,
            port,
            directory,
            programs: programs.to_owned(),
        })
    }

    /// Accounts without announcements and with room for all, and a file with the PINs of each.
    pub(crate) fn rooms(&self, rooms: u32) -> Result<PathBuf> {
        let failed = |e: std::io::Error| Failure(format!("{}: {e}", self.directory.display()));
        let mut csv = String::from("name,email,entry,exit,max_callers\n");
        for n in 1..=rooms {
            csv += &format!("Person {n},p{n}@example.org,none,none,10000\n");
        }
        let file = self.directory.join("accounts.csv");
        fs::write(&file, csv).map_err(failed)?;
        let mut import = self.command(&["account", "import", "--json"]);
        import.arg(&file);
        let made: Value =
            serde_json::from_slice(&output(&mut import)?).map_err(|e| Failure(e.to_string()))?;
        let accounts = made["accounts"].as_array().into_iter().flatten();
        let lines: Vec<String> = accounts
            .map(|account| {
                let pin = |role: &str| account[role].as_str().unwrap_or_default().to_owned();
                format!("{} {}\n", pin("host_pin"), pin("guest_pin"))
            })
            .collect();
        let pins = self.directory.join("rooms");
        fs::write(&pins, lines.concat()).map_err(failed)?;
        Ok(pins)
    }

    /// In KiB.
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(0)
    }

    /// A command on the bridge's data.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join("conclave-bridge"));
        command.args(arguments).arg("--data");
        command.arg(self.directory.join("data"));
        command
    }

    /// The calls of a load, 80 more each second. They share sockets, so that their program leaves the processors to the bridge.
    pub(crate) fn calls(&self, calls: u32, talkers: &str) -> Command {
        let mut command = Command::new(self.programs.join("conclave-load"));
        command
            .args([
                "calls",
                "--json",
                "--target",
                &format!("127.0.0.1:{}", self.port),
            ])
            .args(["--calls", &calls.to_string(), "--talkers", talkers])
            .args(["--process", &self.child.id().to_string()])
            .args(["--rate", "80", "--share", "100"]);
        command
    }

    fn measured(&self, calls: u32, rooms: Option<&Path>, talkers: &str) -> Result<Value> {
        let mut command = self.calls(calls, talkers);
        command.args(["--seconds", "15"]);
        match rooms {
            // The prompts of the last one who came end within that time.
            Some(rooms) => command.args(["--settle", "15", "--rooms"]).arg(rooms),
            None => command.args(["--settle", "2"]),
        };
        serde_json::from_slice(&output(&mut command)?).map_err(|e| Failure(e.to_string()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Calls, while they last: ended when this is dropped.
pub(crate) struct Load(Child);

impl Load {
    pub(crate) fn start(calls: &mut Command) -> Result<Self> {
        let child = calls.spawn().map_err(failed)?;
        Ok(Self(child))
    }

    /// Lets them end; what they report, if their output was to be kept.
    pub(crate) fn finish(mut self) -> Result<Value> {
        let mut text = String::new();
        if let Some(mut out) = self.0.stdout.take() {
            out.read_to_string(&mut text).map_err(failed)?;
        }
        self.0.wait().map_err(failed)?;
        serde_json::from_str(&text).map_err(failed)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn failed(error: impl Display) -> Failure {
    Failure(format!("conclave-load: {error}"))
}
