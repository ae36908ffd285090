//! `conclave-bridge account ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use conclave_desk::Talkers;

use super::{Common, Part, Place, Switch};

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Make an account; its PINs are shown now, the Host PIN never again
    #[command(
        after_help = "Example:\n  conclave-bridge account add --name \"Ada Lovelace\" --email ada@example.org --department Research --entry name"
    )]
    Add(Box<AccountAdd>),
    /// Make the accounts of a CSV file, all or none
    #[command(
        after_help = "Example:\n  conclave-bridge account import staff.csv --dry-run\n  conclave-bridge account import staff.csv --out pins.csv\n\nThe first row names the columns: name and email, and if you like department, cost_code, lock, entry, exit,\nhost_leaves, host_grace, consent, recording, recording_tone, quieting, noise_suppression, levelling, max_talkers,\nbookings, max_callers, longest_wait, host_pin, guest_pin.\nA cell means what the option of `account add` means; an empty one is the default. PINs that aren't in the file are\ndrawn. Let a spreadsheet read the columns of PINs as text: as numbers they lose their zeros."
    )]
    Import(AccountImport),
    /// Change an account: only what is given changes
    #[command(
        after_help = "Example:\n  conclave-bridge account change ada@example.org --lock off --department \"\"\n\nConferences that run keep what they started with."
    )]
    Change(Box<AccountChange>),
    /// List the accounts
    #[command(
        after_help = "Example:\n  conclave-bridge account list --find lovelace\n  conclave-bridge account list --limit 100 --after 2300"
    )]
    List(AccountList),
    /// Show one account
    #[command(
        after_help = "Example:\n  conclave-bridge account show ada@example.org --show-guest-pin"
    )]
    Show(AccountShow),
    /// Suspend an account: its PINs open nothing until it is resumed
    #[command(after_help = "Example:\n  conclave-bridge account suspend ada@example.org")]
    Suspend(AccountId),
    /// Let a suspended account's PINs open its door again
    #[command(after_help = "Example:\n  conclave-bridge account resume 7")]
    Resume(AccountId),
    /// Close an account for good: its PINs never open anything again, its bookings are cancelled
    #[command(after_help = "Example:\n  conclave-bridge account close 7 --yes")]
    Close(AccountClose),
    /// Draw new PINs for an account; the old ones open nothing from then on
    #[command(
        after_help = "Example:\n  conclave-bridge account reset-pin ada@example.org --which host"
    )]
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
    /// Where the person works, for reports
    #[arg(long, value_name = "TEXT")]
    pub(crate) department: Option<String>,
    /// Whom the costs are charged to, for reports
    #[arg(long, value_name = "TEXT")]
    pub(crate) cost_code: Option<String>,
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
    /// Whether the Host may record the conference, with *2
    #[arg(long, value_name = "on|off", default_value = "off")]
    pub(crate) recording: Switch,
    /// How often a soft tone reminds those who are recorded (10 to 3600) [default: never]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) recording_tone: Option<u64>,
    /// Whether lines that play music or noise are quieted without a Host's `*3`
    #[arg(long, value_name = "on|off", default_value = "off")]
    pub(crate) quieting: Switch,
    /// Whether the steady noise of each line is turned down
    #[arg(long, value_name = "on|off", default_value = "off")]
    pub(crate) noise_suppression: Switch,
    /// Whether every voice is brought to the same loudness
    #[arg(long, value_name = "on|off", default_value = "off")]
    pub(crate) levelling: Switch,
    /// How many are heard at once, the loudest who speak (8 to 10000, or all)
    #[arg(long, value_name = "N|all", default_value = "all")]
    pub(crate) max_talkers: Talkers,
    /// Whether the account may book single-use conferences
    #[arg(long, value_name = "on|off", default_value = "on")]
    pub(crate) bookings: Switch,
    /// How many may be in a conference (2 to 10000) [default: 500]
    #[arg(long, value_name = "N")]
    pub(crate) max_callers: Option<u32>,
    /// How long a Guest waits for a Host (1 to 1440) [default: 30]
    #[arg(long, value_name = "MINUTES")]
    pub(crate) longest_wait: Option<u64>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct AccountChange {
    /// The account: its number, or the e-mail address of its owner
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: String,
    /// The person's name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The person's e-mail address
    #[arg(long)]
    pub(crate) email: Option<String>,
    /// Where the person works, for reports; empty for none
    #[arg(long, value_name = "TEXT")]
    pub(crate) department: Option<String>,
    /// Whom the costs are charged to, for reports; empty for none
    #[arg(long, value_name = "TEXT")]
    pub(crate) cost_code: Option<String>,
    /// Whether the Host may lock the conference
    #[arg(long, value_name = "on|off")]
    pub(crate) lock: Option<Switch>,
    /// How an arrival is announced
    #[arg(long)]
    pub(crate) entry: Option<Announce>,
    /// How a departure is announced
    #[arg(long)]
    pub(crate) exit: Option<Announce>,
    /// What happens to the others when the last Host leaves
    #[arg(long)]
    pub(crate) host_leaves: Option<HostLeaves>,
    /// Where the others are disconnected then: hold them this long first (0 to 120)
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=120))]
    pub(crate) host_grace: Option<u64>,
    /// Whether each Guest needs a Host's consent to come in
    #[arg(long, value_name = "on|off")]
    pub(crate) consent: Option<Switch>,
    /// Whether the Host may record the conference, with *2
    #[arg(long, value_name = "on|off")]
    pub(crate) recording: Option<Switch>,
    /// How often a soft tone reminds those who are recorded (10 to 3600, 0 for never)
    #[arg(long, value_name = "SECONDS")]
    pub(crate) recording_tone: Option<u64>,
    /// Whether lines that play music or noise are quieted without a Host's `*3`
    #[arg(long, value_name = "on|off")]
    pub(crate) quieting: Option<Switch>,
    /// Whether the steady noise of each line is turned down
    #[arg(long, value_name = "on|off")]
    pub(crate) noise_suppression: Option<Switch>,
    /// Whether every voice is brought to the same loudness
    #[arg(long, value_name = "on|off")]
    pub(crate) levelling: Option<Switch>,
    /// How many are heard at once, the loudest who speak (8 to 10000, or all)
    #[arg(long, value_name = "N|all")]
    pub(crate) max_talkers: Option<Talkers>,
    /// Whether the account may book single-use conferences
    #[arg(long, value_name = "on|off")]
    pub(crate) bookings: Option<Switch>,
    /// How many may be in a conference (2 to 10000)
    #[arg(long, value_name = "N")]
    pub(crate) max_callers: Option<u32>,
    /// How long a Guest waits for a Host (1 to 1440)
    #[arg(long, value_name = "MINUTES")]
    pub(crate) longest_wait: Option<u64>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct AccountImport {
    /// The CSV file, in UTF-8
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Check the file and make nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write what was made, with its PINs, to this new file in place of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Take migrated PINs although they are easier to guess than the policy allows
    #[arg(long)]
    pub(crate) force_weak_pin: bool,
    /// Write one JSON object in place of CSV
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct AccountList {
    /// Only those whose name or e-mail address holds these letters
    #[arg(long, value_name = "TEXT")]
    pub(crate) find: Option<String>,
    #[command(flatten)]
    pub(crate) part: Part,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct AccountShow {
    /// The account: its number, or the e-mail address of its owner
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: String,
    /// Show the Guest PIN, too (the Host PIN is kept as a hash only)
    #[arg(long)]
    pub(crate) show_guest_pin: bool,
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
pub(crate) struct AccountClose {
    #[command(flatten)]
    pub(crate) which: AccountId,
    /// Yes, for good
    #[arg(long)]
    pub(crate) yes: bool,
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
