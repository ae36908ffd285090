//! `account import`: many accounts from a CSV file, all or none.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
};

use conclave_accounts::{Account, Source};
use conclave_store::Store;
use serde_json::json;

use super::make::{Pins, Wanted, wanted_accounts};
use super::show::to_json;
use super::table::{self, MOST_BYTES};
use super::{existing, open};
use crate::{
    cli::AccountImport,
    clock,
    data::Data,
    output::{Failure, at, create_private, csv_row, print, warn},
    pins::Draw,
};

/// So many wrong lines are told: whoever has more has made one mistake many times.
const MOST_TOLD: usize = 100;

pub(super) async fn run(import: AccountImport) -> Result<(), Failure> {
    let text = read(&import.file)?;
    // A trial makes no data directory.
    let (data, config) = if import.dry_run {
        existing(&import.place).await?
    } else {
        open(&import.place).await?
    };
    let mut draw = Draw::new(&data, &config.pins.policy()).await?;
    let mut table = table::read(&text, &mut draw, import.force_weak_pin)?;
    taken(&data, &table.wanted, &mut table.errors).await?;
    table.doubts.iter().for_each(warn);
    if !table.errors.is_empty() {
        table.errors.iter().take(MOST_TOLD).for_each(warn);
        return Err(Failure::usage(format!(
            "{}: {} lines are wrong, so no account was made",
            import.file.display(),
            table.errors.len()
        )));
    }
    let wanted: Vec<Wanted> = table.wanted.into_iter().map(|(_, wanted)| wanted).collect();
    if wanted.is_empty() {
        return Err(Failure::usage(format!(
            "{} has no line after the first: there is nothing to be made",
            import.file.display()
        )));
    }
    if import.dry_run {
        return print(&format!(
            "{} accounts would be made; nothing was done",
            wanted.len()
        ));
    }
    // Before the accounts: PINs that can't be written down would be lost.
    let out = import.out.as_deref().map(create_private).transpose()?;
    let made = wanted_accounts(&data, &mut draw, &wanted).await;
    let (accounts, pins) = match (made, &import.out) {
        (Ok(made), _) => made,
        (Err(failure), Some(path)) => {
            let _ = std::fs::remove_file(path);
            return Err(failure);
        }
        (Err(failure), None) => return Err(failure),
    };
    let lines = if import.json {
        json_of(&accounts, &pins)
    } else {
        csv_of(&accounts, &pins)?
    };
    match (out, &import.out) {
        (Some(mut file), Some(path)) => {
            let written = writeln!(file, "{lines}").and_then(|()| file.sync_all());
            written.map_err(at(path)).map_err(|failure| {
                let all = accounts.len();
                Failure::machine(format!(
                    "{}; {all} accounts were made, but their PINs are lost: `account reset-pin` draws new ones",
                    failure.message
                ))
            })?;
            print(&format!(
                "{} accounts were made; their PINs are in {}",
                accounts.len(),
                path.display()
            ))
        }
        _ => print(&lines),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut text))
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(Failure::usage(format!(
            "{} has more than 10 MB: make several files of it",
            path.display()
        )));
    }
    Ok(text)
}

/// Names the lines whose PINs are another's already.
async fn taken(
    data: &Data,
    wanted: &[(u64, Wanted)],
    errors: &mut Vec<String>,
) -> Result<(), Failure> {
    let nobody = Source::withheld("");
    for (line, wanted) in wanted {
        for (column, brought) in [("host_pin", &wanted.host), ("guest_pin", &wanted.guest)] {
            let Some(brought) = brought else { continue };
            let lookups = data.keys.lookups(&brought.pin);
            let lookups: Vec<_> = lookups.iter().map(|under| under.lookup).collect();
            let found = data.store.door(&lookups, &nobody, clock::wall()).await?;
            if found.is_some() {
                errors.push(format!(
                    "line {line}: {column}: this PIN is in use already: leave it out, and one is drawn"
                ));
            }
        }
    }
    Ok(())
}

fn json_of(accounts: &[Account], pins: &[Pins]) -> String {
    let accounts: Vec<_> = accounts
        .iter()
        .zip(pins)
        .map(|(account, (host, guest))| to_json(account, Some(host), Some(guest)))
        .collect();
    json!({ "accounts": accounts }).to_string()
}

fn csv_of(accounts: &[Account], pins: &[Pins]) -> Result<String, Failure> {
    let mut rows = vec![csv_row(["id", "name", "email", "host_pin", "guest_pin"])?];
    for (account, (host, guest)) in accounts.iter().zip(pins) {
        let (id, owner) = (account.id.0.to_string(), &account.owner);
        let cells = [
            &id,
            owner.name(),
            owner.email(),
            host.expose(),
            guest.expose(),
        ];
        rows.push(csv_row(cells)?);
    }
    Ok(rows.join("\n"))
}
