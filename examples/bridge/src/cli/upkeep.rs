//! `conclave-bridge person|keys|backup|restore|alarm ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Common, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum Person {
    /// Print all that is kept of a person, as JSON
    #[command(
        after_help = "Example:\n  conclave-bridge person export ada@example.org --out ada.json"
    )]
    Export(PersonExport),
    /// Forget a person: their accounts are closed; names, addresses, numbers and titles are erased everywhere
    #[command(
        after_help = "Example:\n  conclave-bridge person erase ada@example.org --yes\n\nThe audit log still verifies: it never held them. Backups do: drop those as your rules ask."
    )]
    Erase(PersonErase),
}

#[derive(Debug, Args)]
pub(crate) struct PersonExport {
    /// The person's e-mail address
    #[arg(value_name = "EMAIL")]
    pub(crate) email: String,
    /// Write it to this new file in place of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct PersonErase {
    /// The person's e-mail address
    #[arg(value_name = "EMAIL")]
    pub(crate) email: String,
    /// Yes, for good
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Show the PIN keys, and how many PINs are kept under each
    #[command(after_help = "Example:\n  conclave-bridge keys status")]
    Status(Common),
    /// Make a new PIN key; a bridge that runs takes it up within a second
    #[command(
        after_help = "Example:\n  conclave-bridge keys rotate\n\nThe older keys stay: each PIN moves to the new key when it is next used. Back up the file `keys` afterwards."
    )]
    Rotate(Common),
    /// Forget the PIN key ID and those before it
    #[command(
        after_help = "Example:\n  conclave-bridge keys status\n  conclave-bridge keys retire 1\n\nPINs that were not used since the rotation are kept under the old key still, and would open nothing any more:\n`account reset-pin` gives such an account new ones."
    )]
    Retire(KeysRetire),
}

#[derive(Debug, Args)]
pub(crate) struct KeysRetire {
    /// The newest key to be forgotten
    #[arg(value_name = "ID")]
    pub(crate) id: u32,
    /// Although PINs stop working
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The new file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// What `backup` wrote
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Where there is a database: keep it aside and put this one in its place
    #[arg(long)]
    pub(crate) replace: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Alarm {
    /// Show how many wrong PINs came today, whether consent is on, and which PINs may have been guessed
    #[command(after_help = "Example:\n  conclave-bridge alarm show --config bridge.toml")]
    Show(Common),
    /// End consent: callers whose number isn't known come in again without a human's word
    #[command(
        after_help = "Example:\n  conclave-bridge alarm end\n\nThe day's count starts afresh: a guesser who is still there has another day's worth of guesses. PINs under\nsuspicion stay so until they are changed (`account reset-pin`) or a human lets the caller in."
    )]
    End(Common),
}
