//! `conclave-bridge demo`: the built bridge, called by three telephones over real SIP and RTP on loopback.
//!
//! What each telephone heard is measured in the packets that it received; nothing is taken from the bridge's word.

mod phone;
mod picture;
mod recognise;
mod script;

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use conclave_conference::Prompt;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    cli,
    output::{Failure, print},
    prompts,
};
use recognise::Template;

/// A telephone's name, its pitch in Hz, its colour in the picture.
const PEOPLE: [(&str, f32, &str); 3] = [
    ("Ada", 1250.0, "#2a7f62"),
    ("Ben", 1700.0, "#c2571a"),
    ("Cleo", 2200.0, "#3b6fb6"),
];

/// What a telephone did or heard, and when.
struct Moment {
    at: Duration,
    who: usize,
    what: String,
}

pub(crate) async fn run(arguments: cli::Demo) -> Result<(), Failure> {
    fs::create_dir_all(&arguments.out).map_err(|error| {
        Failure::machine(format!("cannot make {}: {error}", arguments.out.display()))
    })?;
    let data = std::env::temp_dir().join(format!("conclave-demo-{}", std::process::id()));
    let result = conference(&arguments.out, &data).await;
    // Keys and PINs of the demo are of no use to anybody: they go with it, whatever became of it.
    let _ = fs::remove_dir_all(&data);
    result
}

async fn conference(out: &Path, data: &Path) -> Result<(), Failure> {
    let began = Instant::now();
    let (mut bridge, sip) = start_bridge(data).await?;
    let account = make_account(data).await?;
    print(&format!(
        "The bridge runs on 127.0.0.1:{sip}. Three telephones call it; that takes about 70 seconds ..."
    ))?;
    let pin = |role: &str| {
        account[role]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| Failure::machine("the account has no PIN"))
    };
    let played = script::play(sip, &pin("host_pin")?, &pin("guest_pin")?, began).await;
    stop_bridge(&mut bridge).await;
    let (mut moments, sounds) = played?;

    let templates = templates()?;
    let mut rows = Vec::new();
    for (who, sound) in sounds.iter().enumerate() {
        let (name, _, colour) = PEOPLE[who];
        let (first, samples) = sound.heard();
        let offset = first
            .map_or(Duration::ZERO, |first| first - began)
            .as_secs_f32();
        let shift = |spans: Vec<(f32, f32)>| -> Vec<_> {
            spans
                .into_iter()
                .map(|(a, b)| (a + offset, b + offset))
                .collect()
        };
        let mut marks = Vec::new();
        let mut music: Vec<(f32, f32)> = Vec::new();
        for found in recognise::prompts(&samples, &templates) {
            let at = offset + found.frame as f32 * 0.02;
            if found.prompt == Prompt::HoldMusic {
                // The music is found piece by piece.
                match music.last_mut() {
                    Some((_, end)) if at - *end < 1.5 => {
                        *end = at + MUSIC_PIECE;
                        continue;
                    }
                    _ => music.push((at, at + MUSIC_PIECE)),
                }
            }
            moments.push(Moment {
                at: Duration::from_secs_f32(at),
                who,
                what: format!("hears \"{}\"", found.prompt),
            });
            marks.push((at, found.prompt.to_string()));
        }
        let heard: Vec<_> = PEOPLE
            .iter()
            .map(|(_, pitch, _)| shift(picture::spans(&recognise::voice(&samples, *pitch))))
            .collect();
        for (other, spans) in heard.iter().enumerate() {
            for (from, to) in spans {
                let what = format!("hears {} for {:.1} s", PEOPLE[other].0, to - from);
                moments.push(Moment {
                    at: Duration::from_secs_f32(*from),
                    who,
                    what,
                });
            }
        }
        write_wav(&out.join(format!("{}.wav", name.to_lowercase())), &samples)?;
        rows.push(picture::Row {
            name: name.to_owned(),
            colour,
            heard,
            music,
            marks,
            call: (offset, offset + samples.len() as f32 / 8000.0),
        });
    }
    moments.sort_by_key(|moment| moment.at);
    print("")?;
    for Moment { at, who, what } in &moments {
        print(&format!(
            "{:>6.1} s  {:<5} {what}",
            at.as_secs_f32(),
            PEOPLE[*who].0
        ))?;
    }
    let file = out.join("who-heard-whom.svg");
    fs::write(&file, picture::draw(&rows, began.elapsed().as_secs_f32()))
        .map_err(|error| Failure::machine(format!("cannot write {}: {error}", file.display())))?;
    print(&format!(
        "\nWhat each heard: {0}/ada.wav, ben.wav, cleo.wav; who heard whom: {0}/who-heard-whom.svg",
        out.display()
    ))
}

/// This very program, as `serve`, on a free port and an empty data directory.
async fn start_bridge(data: &Path) -> Result<(Child, u16), Failure> {
    let sip = free_port()?;
    let mut bridge = this_program()?
        .arg("serve")
        .arg("--data")
        .arg(data)
        .args(["--sip", &format!("127.0.0.1:{sip}")])
        .env("RUST_LOG", "warn")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Failure::machine(format!("cannot start the bridge: {error}")))?;
    let stdout = bridge
        .stdout
        .take()
        .ok_or_else(|| Failure::machine("the bridge has no standard output"))?;
    let mut lines = BufReader::new(stdout).lines();
    let ready = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains("ready") {
                return true;
            }
        }
        false
    };
    if !timeout(Duration::from_secs(20), ready)
        .await
        .unwrap_or(false)
    {
        return Err(Failure::machine(
            "the bridge did not start; what it said is above",
        ));
    }
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((bridge, sip))
}

async fn stop_bridge(bridge: &mut Child) {
    if let Some(id) = bridge.id() {
        let _ = Command::new("kill")
            .args(["-TERM", &id.to_string()])
            .status()
            .await;
    }
    if timeout(Duration::from_secs(10), bridge.wait())
        .await
        .is_err()
    {
        let _ = bridge.kill().await;
    }
}

async fn make_account(data: &Path) -> Result<Value, Failure> {
    let output = this_program()?
        .args([
            "account",
            "add",
            "--name",
            "Ada Byron",
            "--email",
            "ada@example.org",
            "--entry",
            "name",
            "--json",
            "--data",
        ])
        .arg(data)
        .output()
        .await
        .map_err(|error| Failure::machine(format!("cannot make an account: {error}")))?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        Failure::machine(format!(
            "cannot make an account: {}",
            String::from_utf8_lossy(&output.stderr)
        ))
    })
}

fn this_program() -> Result<Command, Failure> {
    let path = std::env::current_exe()
        .map_err(|error| Failure::machine(format!("cannot find this program: {error}")))?;
    Ok(Command::new(path))
}

/// A port that is free for both UDP and TCP now.
fn free_port() -> Result<u16, Failure> {
    for _ in 0..100 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|tcp| tcp.local_addr())
            .map(|address| address.port());
        if let Ok(port) = port
            && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        {
            return Ok(port);
        }
    }
    Err(Failure::machine("there is no free port on 127.0.0.1"))
}

/// Seconds of hold music in one template: callers hear it from wherever it is.
const MUSIC_PIECE: f32 = 1.0;

/// The built-in prompts as a telephone hears them, at 8 kHz.
fn templates() -> Result<Vec<Template>, Failure> {
    let mut templates = Vec::new();
    for (prompt, sound) in prompts::load(None)? {
        // Averaging pairs is enough of a filter for a comparison of spectra below 3.4 kHz.
        let samples: Vec<i16> = sound
            .samples
            .chunks_exact(2)
            .map(|pair| i16::midpoint(pair[0], pair[1]))
            .collect();
        if prompt == Prompt::HoldMusic {
            let piece = (8000.0 * MUSIC_PIECE) as usize;
            templates.extend(
                samples
                    .chunks_exact(piece)
                    .map(|piece| Template::new(prompt, piece)),
            );
        } else {
            templates.push(Template::new(prompt, &samples));
        }
    }
    Ok(templates)
}

fn write_wav(file: &Path, samples: &[i16]) -> Result<(), Failure> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let write = || -> Result<(), hound::Error> {
        let mut writer = hound::WavWriter::create(file, spec)?;
        samples
            .iter()
            .try_for_each(|sample| writer.write_sample(*sample))?;
        writer.finalize()
    };
    write().map_err(|error| Failure::machine(format!("cannot write {}: {error}", file.display())))
}
