//! `conclave-bridge recording ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Common, Part, Range};

#[derive(Debug, Subcommand)]
pub(crate) enum Recording {
    /// List the files of recordings: of all who were heard, and of single callers
    #[command(
        after_help = "Example:\n  conclave-bridge recording list --account ada@example.org --from 2026-11-01\n\nA row with a call holds that caller's voice alone; `report calls` says whose it is."
    )]
    List(RecordingList),
    /// Copy a recording to a new file, for its owner alone; the audit log says so
    #[command(after_help = "Example:\n  conclave-bridge recording export 12 --out board.opus")]
    Export(RecordingExport),
    /// Delete recordings for good, before their time
    #[command(
        after_help = "Example:\n  conclave-bridge recording delete 12 13\n\nCopies and backups stay: they are yours to find."
    )]
    Delete(RecordingDelete),
}

#[derive(Debug, Args)]
pub(crate) struct RecordingList {
    /// Only of this account: its number, or the e-mail address of its owner
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// Only of this booking
    #[arg(long, value_name = "ID")]
    pub(crate) booking: Option<u64>,
    /// Only of this conference, by its id in `report conferences`
    #[arg(long, value_name = "ID")]
    pub(crate) conference: Option<u64>,
    #[command(flatten)]
    pub(crate) part: Part,
    #[command(flatten)]
    pub(crate) range: Range,
}

#[derive(Debug, Args)]
pub(crate) struct RecordingExport {
    /// Its number in `recording list`
    #[arg(value_name = "ID")]
    pub(crate) id: u64,
    /// The new file
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct RecordingDelete {
    /// Their numbers in `recording list`
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<u64>,
    #[command(flatten)]
    pub(crate) common: Common,
}
