//! The command line: what a person types, and how `--help` explains it.

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Bookings: single-use conferences with PINs of their own (not there yet)
    Booking(Later),
    /// What happened: conferences and calls
    #[command(subcommand)]
    Report(Report),
    /// The configuration file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The chance that guessing opens a door, and what would lower it
    Odds(Odds),
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
    /// Address for HTTP [default: 127.0.0.1:8080]; the portal is not there yet, so nothing listens on it
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

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Make an account; its PINs are shown now, the Host PIN never again
    Add(Box<AccountAdd>),
    /// List all accounts
    List(AccountList),
    /// Show one account
    Show(AccountId),
    /// Suspend an account: its PINs open nothing until it is resumed
    Suspend(AccountId),
    /// Let a suspended account's PINs open its door again
    Resume(AccountId),
    /// Draw new PINs for an account; the old ones open nothing from then on
    ResetPin(ResetPin),
}

#[derive(Debug, Args)]
pub(crate) struct AccountAdd {
    /// The person's name
    #[arg(long)]
    pub(crate) name: String,
    /// The person's e-mail address
    #[arg(long)]
    pub(crate) email: String,
    /// Take this Host PIN in place of a drawn one (for migration)
    #[arg(long, value_name = "PIN")]
    pub(crate) host_pin: Option<String>,
    /// Take this Guest PIN in place of a drawn one (for migration)
    #[arg(long, value_name = "PIN")]
    pub(crate) guest_pin: Option<String>,
    /// Take a migrated PIN although it is easier to guess than the policy allows
    #[arg(long)]
    pub(crate) force_weak_pin: bool,
    /// Whether the Host may lock the conference
    #[arg(long, value_name = "on|off", default_value = "on")]
    pub(crate) lock: Switch,
    /// How an arrival is announced
    #[arg(long, default_value = "tone")]
    pub(crate) entry: Announce,
    /// How a departure is announced
    #[arg(long, default_value = "tone")]
    pub(crate) exit: Announce,
    /// What happens to the others when the last Host leaves: they go on, are held until a Host is back, or are
    /// disconnected
    #[arg(long, default_value = "continue")]
    pub(crate) host_leaves: HostLeaves,
    /// With `--host-leaves hangup`: hold the others this long first (0 to 120)
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=120))]
    pub(crate) host_grace: u64,
    /// Whether each Guest needs a Host's consent to come in
    #[arg(long, value_name = "on|off", default_value = "off")]
    pub(crate) consent: Switch,
    /// Whether the Host may record (recordings are not there yet)
    #[arg(long, value_name = "on|off", default_value = "off")]
    pub(crate) recording: Switch,
    /// Whether the account may book single-use conferences
    #[arg(long, value_name = "on|off", default_value = "on")]
    pub(crate) bookings: Switch,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What the account commands share.
#[derive(Debug, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) data: Data,
    /// Configuration file, for its PIN policy
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AccountList {
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct AccountId {
    /// The account: its number, or the e-mail address of its owner
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct ResetPin {
    /// The account: its number, or the e-mail address of its owner
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: String,
    /// Which PIN
    #[arg(long, default_value = "both")]
    pub(crate) which: WhichPin,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhichPin {
    Host,
    Guest,
    Both,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Announce {
    None,
    Tone,
    Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HostLeaves {
    Continue,
    Hold,
    Hangup,
}

/// A command whose part of the product is not there yet: it takes any arguments and says so.
#[derive(Debug, Args)]
pub(crate) struct Later {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// The conferences: who owned them, when, and why they ended
    Conferences(ReportArgs),
    /// The calls: numbers, roles, arrival, departure, quality
    Calls(ReportArgs),
    /// The audit log (not there yet)
    Audit(Later),
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) data: Data,
    /// From this moment on (RFC 3339, or a date)
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Before this moment (RFC 3339, or a date)
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// For the eye, for a spreadsheet, for a program
    #[arg(long, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Csv,
    Json,
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
