//! What goes to standard output and into files, and how a command fails.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use conclave_desk::{DeskError, NotSent};
use conclave_store::StoreError;
use serde_json::Value;

use crate::{config::ConfigError, data::DataError, prompts::PromptError};

/// Why a command came to nothing: a message that says what to do, and an exit status.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    /// 2 where what was typed or configured is wrong, 1 where the machine is.
    pub(crate) status: u8,
}

impl Failure {
    pub(crate) fn usage(message: impl ToString) -> Self {
        Self {
            message: message.to_string(),
            status: 2,
        }
    }

    pub(crate) fn machine(message: impl ToString) -> Self {
        Self {
            message: message.to_string(),
            status: 1,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<PromptError> for Failure {
    fn from(error: PromptError) -> Self {
        Self::usage(error)
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        let message = error.to_string();
        match error {
            DataError::None(_) => Self::usage(message),
            DataError::Keys(_) | DataError::Store(_) => Self::machine(message),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let advice = match &error {
            StoreError::NoSuchAccount(_) => "; `conclave-bridge account list` shows them all",
            StoreError::NoBookings(_) => "; `account change --bookings on` lets it",
            StoreError::NoSuchBooking(_) | StoreError::Over(_) | StoreError::Cancelled(_) => {
                "; `conclave-bridge booking list --all` shows them all"
            }
            StoreError::NoSuchInvitee(_) | StoreError::Withdrawn(_) => {
                "; `conclave-bridge booking show` shows who is invited"
            }
            StoreError::OnePinForAll(_) => {
                "; a booking of its own, made with --invite, gives each a PIN"
            }
            StoreError::Closed(_) => "; make another account",
            StoreError::UserExists => "; `conclave-bridge user link` gives them a new set-up link",
            StoreError::UserSuspended(_) => "; `conclave-bridge user resume` lets them in again",
            StoreError::NoSuchUser(_) => "; `conclave-bridge user list` shows them all",
            StoreError::NoSuchApiToken(_) => "; `conclave-bridge token list` shows them all",
            StoreError::NoSuchRecording(_) => "; `conclave-bridge recording list` shows them all",
            StoreError::NoSuchWebhook(_) => "; `conclave-bridge webhook list` shows them all",
            StoreError::NoSuchPerson => "",
            StoreError::Exists(_) | StoreError::OnlySqlite | StoreError::Served { .. } => "",
            _ => return Self::machine(error),
        };
        Self::usage(format!("{error}{advice}"))
    }
}

impl From<DeskError> for Failure {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Store(error) => error.into(),
            DeskError::NoneDrawn | DeskError::Seal(_) => Self::machine(error),
            _ => Self::usage(error),
        }
    }
}

impl From<NotSent> for Failure {
    fn from(error: NotSent) -> Self {
        match error {
            NotSent::Moot(why) => Self::usage(why),
            NotSent::Store(error) => error.into(),
        }
    }
}

/// Prints a line. A closed pipe (`| head`) is no failure.
pub(crate) fn print(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::machine(format!(
            "cannot write to standard output: {error}"
        ))),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(crate) fn print_json(value: &Value) -> Result<(), Failure> {
    print(&value.to_string())
}

/// Tells of something that stops nothing.
pub(crate) fn warn(message: impl std::fmt::Display) {
    // Where standard error is gone there is nobody to tell.
    let _ = writeln!(io::stderr(), "conclave-bridge: {message}");
}

/// A row of CSV, without its line's end. A spreadsheet takes nothing in it for a formula.
pub(crate) fn csv_row<'a>(cells: impl IntoIterator<Item = &'a str>) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let cells: Vec<String> = cells.into_iter().map(harmless).collect();
    writer.write_record(&cells).map_err(Failure::machine)?;
    let row = writer.into_inner().map_err(Failure::machine)?;
    let row = String::from_utf8(row).map_err(Failure::machine)?;
    Ok(row.trim_end_matches('\n').to_owned())
}

/// The text with an apostrophe before all that begins as a formula does: at its start, and after whatever some
/// spreadsheet takes for the end of a cell. Quotes are no help: spreadsheets take them off first.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 1);
    if text.starts_with(['\t', '\r', '\n']) {
        safe.push('\'');
    }
    let mut at_start = true;
    for c in text.chars() {
        let begins_formula = matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
        if at_start && begins_formula {
            safe.push('\'');
        }
        safe.push(c);
        at_start = match c {
            ';' | '\t' | '\r' | '\n' => true,
            '"' | '\u{feff}' => at_start,
            c if c.is_whitespace() || c.is_control() => at_start,
            _ => false,
        };
    }
    safe
}

/// A new file for its owner alone.
pub(crate) fn create_private(path: &Path) -> Result<File, Failure> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(format!(
            "{} is there already: name another file, or move that one away",
            path.display()
        )),
        _ => at(path)(error),
    })
}

/// Writes a file for its owner alone, in place of one of that name, whole or not at all.
pub(crate) fn replace_private(directory: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let mut make = fs::DirBuilder::new();
    make.recursive(true).mode(0o700);
    make.create(directory).map_err(at(directory))?;
    let aside = directory.join(format!(".{name}.{}", std::process::id()));
    let path = directory.join(name);
    let mut file = create_private(&aside)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&aside, &path))
        .map_err(at(&path))
}

pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.to_owned();
    move |error| Failure::machine(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the cells hold, a reader gets as many, each as it was but for the apostrophes.
        #[test]
        fn rows_are_read_as_they_were_written(
            cells in proptest::collection::vec("[-=+@;'\"\t\r\n ,a-zé]{0,12}|\\PC{0,12}", 2..6)
        ) {
            let row = csv_row(cells.iter().map(String::as_str)).unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(row.as_bytes());
            let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
            prop_assert_eq!(rows.len(), 1);
            prop_assert_eq!(rows[0].len(), cells.len());
            for (read, cell) in rows[0].iter().zip(&cells) {
                let mut left = read.chars();
                // Each character in its order, with nothing but apostrophes between.
                for c in cell.chars() {
                    prop_assert!(left.by_ref().find(|found| *found == c || *found != '\'') == Some(c), "{:?}: {:?}", cell, read);
                }
                prop_assert!(left.next().is_none());
            }
        }
    }

    #[test]
    fn spreadsheets_are_not_tricked() {
        let check = |cell: &str, expected: &str| {
            assert_eq!(csv_row([cell]).unwrap(), expected, "{cell:?}");
        };
        check("plain", "plain");
        check("a-b+c@d=e", "a-b+c@d=e");
        check("a \"b\", c", "\"a \"\"b\"\", c\"");
        check("=1+1", "'=1+1");
        check("+442079460000", "'+442079460000");
        check("-1", "'-1");
        check("@SUM(A1)", "'@SUM(A1)");
        check("  =1", "  '=1");
        check("\u{a0}=1", "\u{a0}'=1");
        check("\u{feff}=1", "\u{feff}'=1");
        check("\tx", "'\tx");
        check("\t=1", "'\t'=1");
        check("\r=1", "\"'\r'=1\"");
        check("a;=1", "a;'=1");
        check("\";=1", "\"\"\";'=1\"");
        check("\"=1", "\"\"\"'=1\"");
        check("a\n=1", "\"a\n'=1\"");
        check("＝1", "'＝1");
    }
}
