//! `conclave-bridge report ...`.

use chrono_tz::Tz;
use clap::{Args, Subcommand, ValueEnum};

use super::{Part, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// The conferences: who owned them, when, and why they ended
    #[command(
        after_help = "Example:\n  conclave-bridge report conferences --from 2026-11-01 --to 2026-12-01 --tz Europe/London --format csv"
    )]
    Conferences(ConferenceArgs),
    /// The calls: numbers, roles, arrival, departure, quality
    #[command(
        after_help = "Example:\n  conclave-bridge report calls --conference 41\n  conclave-bridge report calls --number +442079460000 --format json"
    )]
    Calls(CallArgs),
    /// The audit log: what operators did, and what befell conferences
    #[command(
        after_help = "Example:\n  conclave-bridge report audit --kind account. --from 2026-11-01\n  conclave-bridge report audit --verify"
    )]
    Audit(AuditArgs),
    /// What the conferences came to, by person, department, cost code or month
    #[command(
        after_help = "Example:\n  conclave-bridge report usage --by month --tz Europe/London --from 2026-01-01"
    )]
    Usage(UsageArgs),
    /// Accounts whose Host PIN looks shared
    #[command(
        after_help = "Example:\n  conclave-bridge report hints --from 2026-11-01 --numbers 3"
    )]
    Hints(HintArgs),
}

/// From when to when, and how it is shown.
#[derive(Debug, Args)]
pub(crate) struct Range {
    /// From this moment on (RFC 3339, or a date)
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Before this moment (RFC 3339, or a date)
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Time zone of dates and of the times that are shown, such as Europe/London
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = parse_zone)]
    pub(crate) tz: Tz,
    /// For the eye, for a spreadsheet, for a program
    #[arg(long, default_value = "table")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ConferenceArgs {
    /// Only of this account: its number, or the e-mail address of its owner
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// Only of this booking
    #[arg(long, value_name = "ID")]
    pub(crate) booking: Option<u64>,
    /// Only of accounts in this department
    #[arg(long, value_name = "TEXT")]
    pub(crate) department: Option<String>,
    #[command(flatten)]
    pub(crate) part: Part,
    #[command(flatten)]
    pub(crate) range: Range,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// Only from this caller's number
    #[arg(long, value_name = "NUMBER")]
    pub(crate) number: Option<String>,
    /// Only in this conference, by its id in `report conferences`
    #[arg(long, value_name = "ID")]
    pub(crate) conference: Option<u64>,
    #[command(flatten)]
    pub(crate) of: ConferenceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Only what begins so, such as `account.`
    #[arg(long, value_name = "PREFIX")]
    pub(crate) kind: Option<String>,
    /// Check that no entry was changed, put in or taken out; ends with 1 if one was
    #[arg(long)]
    pub(crate) verify: bool,
    /// Take the log as it stands for the whole of it, after looking into what --verify found about its end: an entry
    /// says so for good
    #[arg(long, conflicts_with = "verify")]
    pub(crate) accept: bool,
    /// Print JSON, as --format json does
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) part: Part,
    #[command(flatten)]
    pub(crate) range: Range,
}

#[derive(Debug, Args)]
pub(crate) struct UsageArgs {
    /// What is added up
    #[arg(long, default_value = "person")]
    pub(crate) by: UsageBy,
    /// Only of this account: its number, or the e-mail address of its owner
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// Only of accounts in this department
    #[arg(long, value_name = "TEXT")]
    pub(crate) department: Option<String>,
    #[command(flatten)]
    pub(crate) part: Part,
    #[command(flatten)]
    pub(crate) range: Range,
}

#[derive(Debug, Args)]
pub(crate) struct HintArgs {
    /// From so many different numbers on a Host PIN looks shared
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) numbers: u32,
    #[command(flatten)]
    pub(crate) part: Part,
    #[command(flatten)]
    pub(crate) range: Range,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UsageBy {
    Person,
    Department,
    CostCode,
    Month,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Csv,
    Json,
}

fn parse_zone(text: &str) -> Result<Tz, String> {
    text.parse()
        .map_err(|_| format!("there is no time zone '{text}': use a name such as Europe/London"))
}
