//! `account import`: many accounts from a CSV file, all or none.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
};

use conclave_accounts::Account;
use conclave_desk::{AccountPins, MOST_BYTES, Wanted};
use serde_json::json;

use super::show::to_json;
use super::{existing, open};
use crate::{
    cli::AccountImport,
    output::{Failure, at, create_private, csv_row, print, warn},
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
    let (desk, act) = (data.desk(&config), data.act());
    let mut draw = desk.draw().await?;
    let table = desk
        .read_table(&text, &mut draw, import.force_weak_pin, &act)
        .await?;
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
    let made = desk.open_accounts(&mut draw, &wanted, &act).await;
    let made = match (made, &import.out) {
        (Ok(made), _) => made,
        (Err(error), Some(path)) => {
            let _ = std::fs::remove_file(path);
            return Err(error.into());
        }
        (Err(error), None) => return Err(error.into()),
    };
    let lines = if import.json {
        json_of(&made)
    } else {
        csv_of(&made)?
    };
    match (out, &import.out) {
        (Some(mut file), Some(path)) => {
            let written = writeln!(file, "{lines}").and_then(|()| file.sync_all());
            written.map_err(at(path)).map_err(|failure| {
                let all = made.len();
                Failure::machine(format!(
                    "{}; {all} accounts were made, but their PINs are lost: `account reset-pin` draws new ones",
                    failure.message
                ))
            })?;
            print(&format!(
                "{} accounts were made; their PINs are in {}",
                made.len(),
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

type Made = [(Account, AccountPins)];

fn json_of(made: &Made) -> String {
    let accounts: Vec<_> = made
        .iter()
        .map(|(account, pins)| to_json(account, Some(&pins.host), Some(&pins.guest)))
        .collect();
    json!({ "accounts": accounts }).to_string()
}

fn csv_of(made: &Made) -> Result<String, Failure> {
    let mut rows = vec![csv_row(["id", "name", "email", "host_pin", "guest_pin"])?];
    for (account, pins) in made {
        let (id, owner) = (account.id.0.to_string(), &account.owner);
        let cells = [
            &id,
            owner.name(),
            owner.email(),
            pins.host.expose(),
            pins.guest.expose(),
        ];
        rows.push(csv_row(cells)?);
    }
    Ok(rows.join("\n"))
}
