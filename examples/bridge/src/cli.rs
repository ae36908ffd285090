//! The command line: what a person types, and how `--help` explains it.

mod account;
mod booking;
mod recording;
mod report;
mod token;
mod upkeep;
mod user;
mod webhook;

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use account::{
    Account, AccountAdd, AccountChange, AccountId, AccountImport, AccountList, AccountShow,
    Announce, HostLeaves, ResetPin, WhichPin,
};
pub(crate) use booking::{
    Booking, BookingAdd, BookingCancel, BookingChange, BookingInvite, BookingList, BookingShow,
    BookingWithdraw,
};
pub(crate) use recording::{Recording, RecordingDelete, RecordingExport, RecordingList};
pub(crate) use report::{
    AuditArgs, CallArgs, ConferenceArgs, Format, HintArgs, Range, Report, UsageArgs, UsageBy,
};
pub(crate) use token::{Token, TokenAdd, TokenList, TokenRevoke};
pub(crate) use upkeep::{
    Alarm, Backup, Keys, KeysRetire, Person, PersonErase, PersonExport, Restore,
};
pub(crate) use user::{There, User, UserAdd, UserLink, UserList, UserRoleChange, UserWhich};
pub(crate) use webhook::{Webhook, WebhookAdd, WebhookDeliveries, WebhookList, WebhookWhich};

/// A conference bridge for telephones: guests hear music until a host dials in, `*7` locks the room,
/// `*8` calls the roll, `##` ends it for all.
#[derive(Debug, Parser)]
#[command(
    name = "conclave-bridge",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the bridge until it is told to stop (SIGTERM or Ctrl-C)
    Serve(Serve),
    /// Show a conference of three calls over real SIP and RTP on loopback
    Demo(Demo),
    /// Accounts: one for each person who may hold conferences
    #[command(subcommand)]
    Account(Account),
    /// Bookings: single-use conferences with PINs of their own
    #[command(subcommand)]
    Booking(Booking),
    /// Tokens of programs that use the HTTP API
    #[command(subcommand)]
    Token(Token),
    /// Users of the web portal
    #[command(subcommand)]
    User(User),
    /// Addresses that are told of what happens
    #[command(subcommand)]
    Webhook(Webhook),
    /// What happened: conferences, calls, usage, shared PINs, the audit log
    #[command(subcommand)]
    Report(Report),
    /// Recordings of conferences
    #[command(subcommand)]
    Recording(Recording),
    /// The configuration file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The chance that guessing opens a door, and what would lower it
    #[command(after_help = "Example:\n  conclave-bridge odds --config bridge.toml")]
    Odds(Odds),
    /// Everything that is kept of one person
    #[command(subcommand)]
    Person(Person),
    /// The keys that PINs are hashed under
    #[command(subcommand)]
    Keys(Keys),
    /// Copy the database while the bridge runs
    #[command(
        after_help = "Example:\n  conclave-bridge backup /backup/conclave-2026-11-30.db\n\nThe keys are not in it. Back up the file `keys` of the data directory too, and elsewhere: without it no PIN\nis recognised, and whoever has both can read the Guest PINs."
    )]
    Backup(Backup),
    /// Put a backup in place, while no bridge runs on the directory
    #[command(
        after_help = "Example:\n  install -d -m 700 conclave-data\n  cp -p /safe/keys conclave-data/keys\n  conclave-bridge restore /backup/conclave-2026-11-30.db --data conclave-data"
    )]
    Restore(Restore),
    /// The alarm that too many wrong PINs raise
    #[command(subcommand)]
    Alarm(Alarm),
}

/// Where the bridge keeps its database and keys.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// Directory of the database and the keys; made at the first start
    #[arg(
        long,
        value_name = "DIR",
        default_value = "conclave-data",
        global = true
    )]
    pub(crate) data: PathBuf,
}

/// Where a command finds the database, and what it is to know of the configuration.
#[derive(Debug, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) data: Data,
    /// Configuration file: its PIN policy, its database, its mail
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// What the commands share that show one thing.
#[derive(Debug, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Configuration file (TOML); without it only calls from this machine are taken
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: Data,
    /// Listen for SIP on this address, UDP and TCP, in place of the configured ones [default: 127.0.0.1:5060]
    #[arg(long, value_name = "ADDR")]
    pub(crate) sip: Option<SocketAddr>,
    /// Serve the web portal by HTTP on this address, such as 127.0.0.1:8080, in place of the configured one [default: nothing
    /// listens]
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<SocketAddr>,
    /// Ports for RTP, in place of the configured ones [default: 20000-29999]
    #[arg(long, value_name = "A-B", value_parser = parse_ports)]
    pub(crate) rtp_ports: Option<RangeInclusive<u16>>,
    /// Directory of prompts that replace the built-in ones, file by file
    #[arg(long, value_name = "DIR")]
    pub(crate) prompts: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Directory for what each caller heard (WAV) and the picture of who was heard when (SVG)
    #[arg(long, value_name = "DIR", default_value = "demo-out")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

impl Switch {
    pub(crate) fn is_on(self) -> bool {
        self == Self::On
    }
}

/// A part of a long list.
#[derive(Debug, Args)]
pub(crate) struct Part {
    /// Show so many at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// Go on after the one of this number, the last of the part before
    #[arg(
        long,
        value_name = "ID",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub(crate) after: u64,
}

impl Part {
    /// How many there may be.
    pub(crate) fn most(&self) -> usize {
        self.limit.map_or(usize::MAX, |limit| limit as usize)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the defaults as a file, each line explained
    PrintDefault,
    /// Read a file, say what is wrong with it, and do nothing else
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Odds {
    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let bad = || format!("'{text}' is not a range of ports such as 20000-29999");
    let (from, to) = text.split_once('-').ok_or_else(bad)?;
    let from: u16 = from.trim().parse().map_err(|_| bad())?;
    let to: u16 = to.trim().parse().map_err(|_| bad())?;
    if from < 1024 || to <= from {
        return Err(format!(
            "'{text}': ports run from 1024 up, the first below the last"
        ));
    }
    Ok(from..=to)
}
