//! `conclave-bridge booking ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use conclave_accounts::Invitee;
use conclave_desk::Guest;

use super::{Common, Part, Switch};

#[derive(Debug, Subcommand)]
pub(crate) enum Booking {
    /// Book a conference; its PINs are shown now, the Host PIN never again
    #[command(
        after_help = "Examples:\n  conclave-bridge booking add --account ada@example.org --title \"Board meeting\" \\\n    --start 2026-12-01T09:00 --end 2026-12-01T10:30 --tz Europe/London \\\n    --invite \"Grace Hopper=grace@example.org\" --ics invitations\n  conclave-bridge booking add --account 7 --title Weekly --start 2026-12-01T09:00 --end 2026-12-01T09:30 \\\n    --tz Europe/Berlin --rule \"FREQ=WEEKLY;COUNT=10\" --except 2026-12-29T09:00\n\nWith --invite each invitee gets a PIN of their own; without, one Guest PIN serves all."
    )]
    Add(Box<BookingAdd>),
    /// List the bookings that are not over
    #[command(
        after_help = "Example:\n  conclave-bridge booking list --account ada@example.org --all"
    )]
    List(BookingList),
    /// Show one booking
    #[command(
        after_help = "Example:\n  conclave-bridge booking show 7 --show-pins\n  conclave-bridge booking show 7 --ics invitations"
    )]
    Show(BookingShow),
    /// Change a booking: only what is given changes; its PINs stay
    #[command(
        after_help = "Example:\n  conclave-bridge booking change 7 --start 2026-12-01T10:00 --end 2026-12-01T11:30\n  conclave-bridge booking change 7 --except 2026-12-08T09:00\n\n--except is added to those there. --rule none makes a series take place once."
    )]
    Change(Box<BookingChange>),
    /// Call a booking off: its PINs open nothing any more
    #[command(after_help = "Example:\n  conclave-bridge booking cancel 7 --ics cancellations")]
    Cancel(BookingCancel),
    /// Invite one more person by name, to a booking whose invitees have PINs of their own
    #[command(
        after_help = "Example:\n  conclave-bridge booking invite 7 \"Alan Turing=alan@example.org\" --ics invitations"
    )]
    Invite(BookingInvite),
    /// Take one invitation back: that PIN opens nothing any more, the others do
    #[command(
        after_help = "Example:\n  conclave-bridge booking withdraw 7 alan@example.org --ics cancellations"
    )]
    Withdraw(BookingWithdraw),
}

/// When a booking takes place.
#[derive(Debug, Args)]
pub(crate) struct When {
    /// Time zone of the start, the end and the series, such as Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    pub(crate) tz: Option<String>,
    /// How it recurs, as in iCalendar: FREQ=WEEKLY;BYDAY=MO;COUNT=10
    #[arg(long, value_name = "RRULE")]
    pub(crate) rule: Option<String>,
    /// Leave out the occurrence that starts then, on the clock of the zone (repeatable)
    #[arg(long, value_name = "LOCAL")]
    pub(crate) except: Vec<String>,
    /// Let people in so long before the start (0 to 1440) [default: 0]
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(0..=1440))]
    pub(crate) early: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct BookingAdd {
    /// Whose: the number of the account, or the e-mail address of its owner
    #[arg(long)]
    pub(crate) account: String,
    /// What it is about
    #[arg(long)]
    pub(crate) title: String,
    /// When it starts: 2026-12-01T09:00 with --tz, or 2026-12-01T09:00:00+01:00
    #[arg(long, value_name = "TIME")]
    pub(crate) start: String,
    /// When it ends
    #[arg(long, value_name = "TIME")]
    pub(crate) end: String,
    #[command(flatten)]
    pub(crate) when: When,
    /// Invite a person by name, with a PIN of their own (repeatable)
    #[arg(long, value_name = "NAME=EMAIL", value_parser = parse_guest)]
    pub(crate) invite: Vec<Guest>,
    /// Write the invitations as .ics files into this directory; PINs are in them
    #[arg(long, value_name = "DIR")]
    pub(crate) ics: Option<PathBuf>,
    /// Whether the bridge mails the invitations [default: on where the configuration has a mail section]
    #[arg(long, value_name = "on|off")]
    pub(crate) mail: Option<Switch>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct BookingList {
    /// Only those of this account: its number, or the e-mail address of its owner
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// Those, too, that are over or cancelled
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) part: Part,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct BookingShow {
    /// The booking's number
    #[arg(value_name = "ID")]
    pub(crate) id: u64,
    /// Write the invitations as .ics files into this directory; PINs are in them
    #[arg(long, value_name = "DIR")]
    pub(crate) ics: Option<PathBuf>,
    /// Show the Guest PINs (the Host PIN is kept as a hash only)
    #[arg(long)]
    pub(crate) show_pins: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct BookingChange {
    /// The booking's number
    #[arg(value_name = "ID")]
    pub(crate) id: u64,
    /// What it is about
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// When it starts
    #[arg(long, value_name = "TIME", requires = "end")]
    pub(crate) start: Option<String>,
    /// When it ends
    #[arg(long, value_name = "TIME")]
    pub(crate) end: Option<String>,
    #[command(flatten)]
    pub(crate) when: When,
    /// Write the changed invitations as .ics files into this directory; PINs are in them
    #[arg(long, value_name = "DIR")]
    pub(crate) ics: Option<PathBuf>,
    /// Whether those who had mail get word
    #[arg(long, value_name = "on|off", default_value = "on")]
    pub(crate) mail: Switch,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct BookingCancel {
    /// The booking's number
    #[arg(value_name = "ID")]
    pub(crate) id: u64,
    /// Write the cancellations as .ics files into this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) ics: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct BookingInvite {
    /// The booking's number
    #[arg(value_name = "ID")]
    pub(crate) id: u64,
    /// Whom
    #[arg(value_name = "NAME=EMAIL", value_parser = parse_guest)]
    pub(crate) guest: Guest,
    /// Write the invitation as an .ics file into this directory; the PIN is in it
    #[arg(long, value_name = "DIR")]
    pub(crate) ics: Option<PathBuf>,
    /// Whether the bridge mails the invitation [default: on where the configuration has a mail section]
    #[arg(long, value_name = "on|off")]
    pub(crate) mail: Option<Switch>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct BookingWithdraw {
    /// The booking's number
    #[arg(value_name = "ID")]
    pub(crate) id: u64,
    /// Whose: the invitee's number, name or e-mail address
    #[arg(value_name = "INVITEE")]
    pub(crate) invitee: String,
    /// Write the cancellation as an .ics file into this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) ics: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// The last equals sign counts: an e-mail address has none after it, a name might.
fn parse_guest(text: &str) -> Result<Guest, String> {
    let (name, email) = text
        .rsplit_once('=')
        .ok_or("write NAME=EMAIL, such as \"Grace Hopper=grace@example.org\"")?;
    let (name, email) = Invitee::check(name, email).map_err(|error| error.to_string())?;
    Ok(Guest { name, email })
}
