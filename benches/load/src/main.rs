//! `conclave-load`: any number of telephone calls to a SIP bridge on this machine, and what became of them; and the
//! floor, a server that receives and sends the same packets with nothing between.
//!
//! It calls nothing but loopback addresses, and it ends by itself.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod floor;
mod histogram;
mod listener;
mod process;
mod report;
mod signalling;
mod speaker;
mod stream;
mod trunk;
mod voice;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use conclave_media::Codec;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Loads a SIP bridge on this machine with calls, and measures what comes back.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Places calls, keeps them up for a while and reports setup, packets, gaps, delay and the bridge's CPU and memory.
    Calls(Box<Calls>),
    /// Answers calls and receives and sends packets with nothing between: the least that a bridge can cost.
    ///
    /// Four shared sockets with a thread each; at each tick of 20 ms all that came is received in batches, and a packet
    /// for each call is sent in batches. Runs until its standard input ends.
    Floor(Floor),
}

#[derive(clap::Args)]
struct Calls {
    /// The bridge's SIP address, on loopback.
    #[arg(long, value_parser = loopback)]
    target: SocketAddr,
    /// Whom to call there.
    #[arg(long, default_value = "conference")]
    user: String,
    /// How many calls.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    calls: u32,
    /// Calls set up in a second.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Seconds from the last setup until measuring begins, for prompts to end.
    #[arg(long, default_value_t = 8)]
    settle: u64,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// A file with a line for each room: the PIN that its first call types, a space, the PIN of all others. Without it
    /// nobody types anything and all calls count as one room.
    #[arg(long)]
    rooms: Option<PathBuf>,
    /// Calls that talk in each room: a number, or `all`. The others send silence. One more call of the first room
    /// sends the marks by which delay is measured, and nothing else.
    #[arg(long, default_value = "3", value_parser = talkers)]
    talkers: usize,
    /// The codec.
    #[arg(long, default_value = "pcmu")]
    codec: Offer,
    /// Calls that are silent send next to nothing, as telephones do that are asked to (Opus).
    #[arg(long)]
    dtx: bool,
    /// So many calls have one socket in common, each with an address of its own (127.64.0.1 and on). 1 is a socket for each, as
    /// telephones have; where thousands share the bridge's processors, 100 costs less.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=500))]
    share: u32,
    /// The bridge's process, for its CPU time and memory.
    #[arg(long)]
    process: Option<u32>,
    /// One JSON object in place of a table.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Floor {
    /// Where it takes calls, on loopback.
    #[arg(long, default_value = "127.0.0.1:5070", value_parser = loopback)]
    sip: SocketAddr,
}

#[derive(Clone, Copy, ValueEnum)]
enum Offer {
    Pcmu,
    Pcma,
    Opus,
}

impl Offer {
    fn codec(self) -> Codec {
        match self {
            Offer::Pcmu => Codec::Pcmu,
            Offer::Pcma => Codec::Pcma,
            Offer::Opus => Codec::Opus,
        }
    }
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "an address and a port, such as 127.0.0.1:5060".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("a load goes to loopback addresses alone".to_owned())
    }
}

fn talkers(text: &str) -> Result<usize, String> {
    match text {
        "all" => Ok(usize::MAX),
        number => number.parse().map_err(|_| "a number, or `all`".to_owned()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let quiet = format!("warn,{}", conclave_sip::QUIET_STACK);
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(quiet))
        .with_writer(std::io::stderr)
        .init();
    let done = match Arguments::parse().command {
        Command::Calls(calls) => signalling::run(*calls).await,
        Command::Floor(floor) => floor::run(floor.sip).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// A packet each so often.
const TICK: Duration = Duration::from_millis(20);
