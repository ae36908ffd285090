//! Calls that come and go for a long time, and a flood of strangers: what the built bridge holds of them.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::run::{Failure, Result, cargo, output, root, run};

/// Calls a second, and how long each lasts.
const RATE: u32 = 20;
const CALL_MS: u32 = 5_000;

/// `soak [MINUTES]`: 20 calls a second of 5 s each, memory and sockets looked at every half minute.
pub(crate) fn soak(arguments: &[String]) -> Result {
    let minutes = number(arguments, "60")?;
    let bridge = Bridge::start(None)?;
    println!("{minutes} minutes of {RATE} calls a second, {CALL_MS} ms each, by SIPp's own caller");
    let calls = u64::from(minutes) * 60 * u64::from(RATE);
    let mut sipp = sipp(bridge.port, "127.0.0.1", &bridge.directory)
        .args([
            "-sn",
            "uac",
            "-d",
            &CALL_MS.to_string(),
            "-r",
            &RATE.to_string(),
        ])
        .args(["-m", &calls.to_string(), "-l", "1000"])
        .spawn()
        .map_err(|e| {
            Failure(format!(
                "cannot run sipp: {e} (`cargo xtask setup` installs it)"
            ))
        })?;
    let began = Instant::now();
    println!(
        "{:>8}  {:>9}  {:>7}  {:>7}",
        "seconds", "memory KB", "sockets", "threads"
    );
    let status = loop {
        if let Some(status) = sipp.try_wait().map_err(|e| Failure(e.to_string()))? {
            break status;
        }
        bridge.show(began);
        sleep(Duration::from_secs(30));
    };
    sleep(Duration::from_secs(35));
    bridge.show(began);
    if status.success() {
        println!("all of {calls} calls were set up and ended well");
        Ok(())
    } else {
        Err(Failure(format!(
            "sipp saw calls fail: {status}; its screen is in {}",
            bridge.directory.display()
        )))
    }
}

/// `flood [SECONDS]`: 1,000 INVITEs a second from an address that isn't allowed, while one that is holds a call.
pub(crate) fn flood(arguments: &[String]) -> Result {
    let seconds = number(arguments, "60")?;
    let bridge = Bridge::start(Some("[[trunk]]\nname = 'allowed'\nfrom = ['127.0.0.2']\n"))?;
    let ear = UdpSocket::bind("127.0.0.2:0").map_err(|e| Failure(e.to_string()))?;
    let port = ear.local_addr().map_err(|e| Failure(e.to_string()))?.port();
    let scenario = bridge.directory.join("caller.xml");
    let pin = bridge.host_pin()?;
    fs::write(&scenario, caller(port, &pin, seconds)).map_err(|e| Failure(e.to_string()))?;
    let mut inside = sipp(bridge.port, "127.0.0.2", &bridge.directory)
        .arg("-sf")
        .arg(&scenario)
        .args(["-m", "1"])
        .spawn()
        .map_err(|e| {
            Failure(format!(
                "cannot run sipp: {e} (`cargo xtask setup` installs it)"
            ))
        })?;
    sleep(Duration::from_secs(4));
    let began = Instant::now();
    println!(
        "{:>8}  {:>9}  {:>7}  {:>7}",
        "seconds", "memory KB", "sockets", "threads"
    );
    bridge.show(began);
    let mut strangers = sipp(bridge.port, "127.0.0.3", &bridge.directory)
        .args([
            "-sn",
            "uac",
            "-r",
            "1000",
            "-m",
            &(u64::from(seconds) * 1000).to_string(),
            "-l",
            "100000",
        ])
        .spawn()
        .map_err(|e| Failure(e.to_string()))?;
    let heard = listen(&ear, Duration::from_secs(u64::from(seconds)));
    bridge.show(began);
    stop(&mut strangers);
    let status = inside.wait().map_err(|e| Failure(e.to_string()))?;
    sleep(Duration::from_secs(35));
    bridge.show(began);
    println!(
        "the call inside was sent {:.2} packets a second, its longest gap {:?}, its end {status}",
        f64::from(heard.packets) / f64::from(seconds),
        heard.longest_gap
    );
    Ok(())
}

struct Heard {
    packets: u32,
    longest_gap: Duration,
}

fn listen(ear: &UdpSocket, time: Duration) -> Heard {
    // What came before the flood is not counted.
    let _ = ear.set_nonblocking(true);
    while ear.recv_from(&mut [0; 2048]).is_ok() {}
    let _ = ear.set_nonblocking(false);
    let _ = ear.set_read_timeout(Some(Duration::from_millis(100)));
    let mut heard = Heard {
        packets: 0,
        longest_gap: Duration::ZERO,
    };
    let (began, mut last) = (Instant::now(), Instant::now());
    // For each packet one of silence goes back, so that the line isn't taken for dead.
    let mut silence = [0xff; 172];
    silence[..12].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    while began.elapsed() < time {
        if let Ok((_, bridge)) = ear.recv_from(&mut [0; 2048]) {
            heard.longest_gap = heard.longest_gap.max(last.elapsed());
            heard.packets += 1;
            last = Instant::now();
            silence[2..4].copy_from_slice(&(heard.packets as u16).to_be_bytes());
            silence[4..8].copy_from_slice(&(heard.packets * 160).to_be_bytes());
            let _ = ear.send_to(&silence, bridge);
        }
    }
    heard
}

struct Bridge {
    child: Child,
    port: u16,
    directory: PathBuf,
    program: PathBuf,
}

impl Bridge {
    fn start(config: Option<&str>) -> Result<Self> {
        run(&mut cargo(&["build", "--release", "-p", "conclave-bridge"]))?;
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root().join("target"), PathBuf::from);
        let directory = std::env::temp_dir().join(format!("conclave-soak-{}", std::process::id()));
        let failed = |e: std::io::Error| Failure(format!("{}: {e}", directory.display()));
        fs::create_dir_all(&directory).map_err(failed)?;
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|s| s.local_addr())
            .map_err(failed)?
            .port();
        let listen = if config.is_some() {
            "0.0.0.0"
        } else {
            "127.0.0.1"
        };
        let program = target.join("release/conclave-bridge");
        let mut command = Command::new(&program);
        if let Some(config) = config {
            fs::write(directory.join("c.toml"), config).map_err(failed)?;
        }
        command.args([
            "serve",
            "--data",
            "data",
            "--sip",
            &format!("{listen}:{port}"),
        ]);
        if config.is_some() {
            command.args(["--config", "c.toml"]);
        }
        let log = fs::File::create(directory.join("bridge.log")).map_err(failed)?;
        let child = command
            .current_dir(&directory)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(failed)?;
        sleep(Duration::from_secs(2));
        Ok(Self {
            child,
            port,
            directory,
            program,
        })
    }

    /// Makes an account and gives its Host PIN.
    fn host_pin(&self) -> Result<String> {
        let mut command = Command::new(&self.program);
        command
            .args([
                "account",
                "add",
                "--name",
                "Ada Byron",
                "--email",
                "ada@example.org",
                "--json",
                "--data",
                "data",
            ])
            .current_dir(&self.directory);
        let account: serde_json::Value =
            serde_json::from_slice(&output(&mut command)?).map_err(|e| Failure(e.to_string()))?;
        Ok(account["host_pin"].as_str().unwrap_or_default().to_owned())
    }

    /// A line of the table, from the system's own figures.
    fn show(&self, began: Instant) {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(proc.join("status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_whitespace().nth(1))
                .unwrap_or("-")
                .to_owned()
        };
        let is_socket = |file: &fs::DirEntry| {
            fs::read_link(file.path())
                .is_ok_and(|link| link.to_string_lossy().starts_with("socket:"))
        };
        let sockets = fs::read_dir(proc.join("fd"))
            .map_or(0, |files| files.flatten().filter(is_socket).count());
        println!(
            "{:>8}  {:>9}  {sockets:>7}  {:>7}",
            began.elapsed().as_secs(),
            field("VmRSS:"),
            field("Threads:")
        );
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        stop(&mut self.child);
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn sipp(bridge: u16, from: &str, directory: &Path) -> Command {
    let mut command = Command::new("sipp");
    command
        .arg(format!("127.0.0.1:{bridge}"))
        .args(["-i", from, "-nostdin"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn number(arguments: &[String], default: &str) -> Result<u32> {
    let typed = arguments.first().map_or(default, String::as_str);
    typed
        .parse()
        .map_err(|_| Failure(format!("'{typed}' is not a number")))
}

/// A caller who types the PIN by SIP INFO, holds the line for that long and takes its media at `rtp`.
fn caller(rtp: u16, pin: &str, seconds: u32) -> String {
    let request = |method: &str, uri: &str, sequence: u32, tag: &str, rest: &str| {
        format!(
            "<send retrans=\"500\"><![CDATA[\n{method} {uri} SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
             From: <sip:inside@[local_ip]>;tag=1\nTo: <sip:conference@[remote_ip]:[remote_port]>{tag}\nCall-ID: [call_id]\n\
             CSeq: {sequence} {method}\nContact: <sip:inside@[local_ip]:[local_port]>\nMax-Forwards: 70\n{rest}]]></send>\n"
        )
    };
    let sdp = format!(
        "Content-Type: application/sdp\nContent-Length: [len]\n\nv=0\no=- 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\n\
         m=audio {rtp} RTP/AVP 0\na=rtpmap:0 PCMU/8000\n"
    );
    let none = "Content-Length: 0\n\n";
    let (first, within) = ("sip:conference@[remote_ip]:[remote_port]", "[next_url]");
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"inside\">\n",
    );
    xml += &request("INVITE", first, 1, "", &sdp);
    xml += "<recv response=\"100\" optional=\"true\"/>\n<recv response=\"200\" rrs=\"true\"/>\n";
    xml += &request("ACK", within, 1, "[peer_tag_param]", none).replace(" retrans=\"500\"", "");
    xml += "<pause milliseconds=\"2000\"/>\n";
    for (index, digit) in pin.chars().enumerate() {
        let body = format!("Content-Type: application/dtmf\nContent-Length: [len]\n\n{digit}\n");
        xml += &request("INFO", within, 2 + index as u32, "[peer_tag_param]", &body);
        xml += "<recv response=\"200\"/>\n";
    }
    xml += &format!("<pause milliseconds=\"{}\"/>\n", (seconds + 5) * 1000);
    xml += &request("BYE", within, 99, "[peer_tag_param]", none);
    xml += "<recv response=\"200\"/>\n</scenario>\n";
    xml
}
