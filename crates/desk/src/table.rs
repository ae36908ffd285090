//! Many accounts from a CSV file, as it is read: each wrong cell with its line.

use std::collections::HashMap;

use conclave_accounts::{Announce, Owner, Pin, Terms};
use conclave_store::Act;

use crate::account::checked_word;
use crate::{Brought, Desk, DeskError, Draw, Leaving, Talkers, Wanted, Wishes};

/// The longest file.
pub const MOST_BYTES: u64 = 10_000_000;
const MOST_ACCOUNTS: usize = 100_000;

const COLUMNS: [&str; 21] = [
    "name",
    "email",
    "department",
    "cost_code",
    "lock",
    "entry",
    "exit",
    "host_leaves",
    "host_grace",
    "consent",
    "recording",
    "recording_tone",
    "quieting",
    "noise_suppression",
    "levelling",
    "max_talkers",
    "bookings",
    "max_callers",
    "longest_wait",
    "host_pin",
    "guest_pin",
];

/// What the file asks for, and what is to be said of its lines.
#[derive(Debug, Default)]
pub struct Table {
    /// With the line of each.
    pub wanted: Vec<(u64, Wanted)>,
    /// What is allowed, and probably not meant.
    pub doubts: Vec<String>,
    /// What is wrong.
    pub errors: Vec<String>,
}

impl Desk {
    /// Reads a file of accounts, in UTF-8; `force` takes PINs that are easier to guess than the policy bears. Only a
    /// file that is none of accounts at all is an error; what is wrong on a line is in the table.
    pub async fn read_table(
        &self,
        text: &[u8],
        draw: &mut Draw<'_>,
        force: bool,
        act: &Act,
    ) -> Result<Table, DeskError> {
        let mut table = read(text, draw, force)?;
        for (line, wanted) in &table.wanted {
            for (column, brought) in [("host_pin", &wanted.host), ("guest_pin", &wanted.guest)] {
                let Some(brought) = brought else { continue };
                if self.is_taken(&brought.pin, act).await? {
                    table.errors.push(format!(
                        "line {line}: {column}: this PIN is in use already: leave it out, and one is drawn"
                    ));
                }
            }
        }
        Ok(table)
    }
}

fn read(text: &[u8], draw: &mut Draw<'_>, force: bool) -> Result<Table, DeskError> {
    // Spreadsheets begin a file in UTF-8 so.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text);
    let columns = columns(reader.byte_headers().map_err(no_table)?)?;
    let mut table = Table::default();
    for record in reader.byte_records() {
        let record = record.map_err(no_table)?;
        let line = record.position().map_or(0, |position| line(text, position));
        if table.wanted.len() + table.errors.len() >= MOST_ACCOUNTS {
            return Err(no_table(format!(
                "line {line}: a file has at most {MOST_ACCOUNTS} accounts: make several of it"
            )));
        }
        if record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        match wanted(&columns, &record, draw, force) {
            Ok(wanted) => {
                if let Some(doubt) = wanted.owner.doubt() {
                    table.doubts.push(format!("line {line}: {doubt}"));
                }
                table.wanted.push((line, wanted));
            }
            Err(why) => table.errors.push(format!("line {line}: {why}")),
        }
    }
    Ok(table)
}

fn no_table(why: impl ToString) -> DeskError {
    DeskError::NoTable(why.to_string())
}

/// Where the reader stands before a record there may be the end of the line before, and empty lines.
fn line(text: &[u8], position: &csv::Position) -> u64 {
    let rest = text.get(position.byte() as usize..).unwrap_or_default();
    let ends = rest.iter().take_while(|byte| b"\r\n".contains(byte));
    position.line() + ends.filter(|byte| **byte == b'\n').count() as u64
}

fn columns(header: &csv::ByteRecord) -> Result<Vec<&'static str>, DeskError> {
    let mut columns = Vec::new();
    for name in header {
        let name = String::from_utf8_lossy(name);
        let known = COLUMNS.into_iter().find(|column| *column == name);
        let known = known.ok_or_else(|| {
            no_table(format!(
                "line 1: there is no column '{name}'; the columns are {}",
                COLUMNS.join(", ")
            ))
        })?;
        if columns.contains(&known) {
            return Err(no_table(format!(
                "line 1: the column '{known}' is there twice"
            )));
        }
        columns.push(known);
    }
    match ["name", "email"]
        .into_iter()
        .find(|needed| !columns.contains(needed))
    {
        Some(needed) => Err(no_table(format!(
            "line 1: the column '{needed}' is missing; the first line names the columns"
        ))),
        None => Ok(columns),
    }
}

fn wanted(
    columns: &[&'static str],
    record: &csv::ByteRecord,
    draw: &mut Draw<'_>,
    force: bool,
) -> Result<Wanted, String> {
    if record.len() != columns.len() {
        let (is, should) = (record.len(), columns.len());
        return Err(format!("it has {is} cells, the first line has {should}"));
    }
    let mut cells = HashMap::new();
    for (column, cell) in columns.iter().zip(record) {
        let cell = std::str::from_utf8(cell).map_err(|_| format!("{column}: it is not UTF-8"))?;
        if !cell.is_empty() {
            cells.insert(*column, cell);
        }
    }
    let cell = |column: &str| cells.get(column).copied();
    let text = |column: &str| cell(column).unwrap_or_default();
    let owner = Owner::new(text("name"), text("email")).map_err(|error| error.to_string())?;
    let wishes = Wishes {
        lock: choice(cell("lock"), "lock", SWITCH)?,
        consent: choice(cell("consent"), "consent", SWITCH)?,
        recording: choice(cell("recording"), "recording", SWITCH)?,
        recording_tone: number(cell("recording_tone"), "recording_tone")?,
        quieting: choice(cell("quieting"), "quieting", SWITCH)?,
        noise_suppression: choice(cell("noise_suppression"), "noise_suppression", SWITCH)?,
        levelling: choice(cell("levelling"), "levelling", SWITCH)?,
        max_talkers: talkers(cell("max_talkers"))?,
        entry: choice(cell("entry"), "entry", ANNOUNCE)?,
        exit: choice(cell("exit"), "exit", ANNOUNCE)?,
        host_leaves: choice(cell("host_leaves"), "host_leaves", LEAVING)?,
        host_grace: number(cell("host_grace"), "host_grace")?,
        max_callers: number(cell("max_callers"), "max_callers")?,
        longest_wait: number(cell("longest_wait"), "longest_wait")?,
    };
    let bookings = choice(cell("bookings"), "bookings", SWITCH)?;
    let terms = wishes
        .of(&Terms::default())
        .map_err(|error| error.to_string())?;
    let department = checked_word("department", text("department"))?;
    let cost_code = checked_word("cost_code", text("cost_code"))?;
    let mut bring = |column: &str| {
        let pin = cell(column).map(|digits| {
            let pin = Pin::parse(digits).map_err(|error| error.to_string());
            pin.and_then(|pin| Brought::new(pin, draw, force).map_err(|error| error.to_string()))
        });
        pin.transpose().map_err(|why| format!("{column}: {why}"))
    };
    Ok(Wanted {
        owner,
        department,
        cost_code,
        bookings: bookings.unwrap_or(true),
        terms,
        host: bring("host_pin")?,
        guest: bring("guest_pin")?,
    })
}

const SWITCH: &[(&str, bool)] = &[("on", true), ("off", false)];
const ANNOUNCE: &[(&str, Announce)] = &[
    ("none", Announce::None),
    ("tone", Announce::Tone),
    ("name", Announce::Name),
];
const LEAVING: &[(&str, Leaving)] = &[
    ("continue", Leaving::Continue),
    ("hold", Leaving::Hold),
    ("hangup", Leaving::Hangup),
];

fn choice<T: Copy>(
    cell: Option<&str>,
    column: &str,
    words: &[(&str, T)],
) -> Result<Option<T>, String> {
    let Some(cell) = cell else { return Ok(None) };
    let found = words
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(cell));
    found.map(|(_, value)| Some(*value)).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("{column}: '{cell}' is none of {}", words.join(", "))
    })
}

fn talkers(cell: Option<&str>) -> Result<Option<Talkers>, String> {
    let most = cell.map(str::parse).transpose();
    most.map_err(|why| format!("max_talkers: {why}"))
}

fn number<T: std::str::FromStr>(cell: Option<&str>, column: &str) -> Result<Option<T>, String> {
    let number = cell.map(str::parse).transpose();
    number.map_err(|_| format!("{column}: '{}' is no number", cell.unwrap_or_default()))
}
