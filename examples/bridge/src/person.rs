//! `conclave-bridge person`: what is kept of one person, and how it is forgotten.

use std::io::Write;

use conclave_store::{Person, Store, StoreError};
use serde_json::json;

use crate::{
    account::existing,
    cli::{self, PersonErase, PersonExport},
    clock,
    data::Data,
    output::{Failure, at, create_private, print, print_json},
    recording::Shelf,
};

pub(crate) async fn run(command: cli::Person) -> Result<(), Failure> {
    match command {
        cli::Person::Export(export) => self::export(export).await,
        cli::Person::Erase(erase) => self::erase(erase).await,
    }
}

async fn export(export: PersonExport) -> Result<(), Failure> {
    let (data, _) = existing(&export.place).await?;
    let person = kept(&data, &export.email).await?;
    let text = serde_json::to_string_pretty(&person).map_err(Failure::machine)?;
    let Some(path) = &export.out else {
        return print(&text);
    };
    let mut file = create_private(path)?;
    writeln!(file, "{text}")
        .and_then(|()| file.sync_all())
        .map_err(at(path))?;
    print(&format!(
        "What is kept of {} is in {}",
        export.email,
        path.display()
    ))
}

/// What there is of a person; a wrongly typed address is told.
async fn kept(data: &Data, email: &str) -> Result<Person, Failure> {
    let person = data.store.export_person(email).await?;
    let nothing = person.user.is_none()
        && person.accounts.is_empty()
        && person.bookings.is_empty()
        && person.calls.is_empty();
    // Whoever only works on the bridge is in the audit log alone.
    if nothing && person.audit.is_empty() {
        return Err(StoreError::NoSuchPerson.into());
    }
    Ok(person)
}

async fn erase(erase: PersonErase) -> Result<(), Failure> {
    let (data, config) = existing(&erase.common.place).await?;
    let person = kept(&data, &erase.email).await?;
    if !erase.yes {
        return Err(Failure::usage(format!(
            "this forgets {} for good ({} accounts, which are closed, {} bookings, {} calls, {} files of recordings, {} to the portal): `person export` keeps a copy, --yes goes on",
            erase.email,
            person.accounts.len(),
            person.bookings.len(),
            person.calls.len(),
            person.recordings.len(),
            if person.user.is_some() {
                "the sign-in"
            } else {
                "no sign-in"
            }
        )));
    }
    let erased = data.store.erase_person(&erase.email, &data.act()).await?;
    let shelf = Shelf::of(&config, &erase.common.place.data.data);
    for row in &erased.recordings {
        shelf.delete_here(&data.store, row, clock::wall()).await?;
    }
    let (accounts, bookings, calls) = (
        erased.accounts.len(),
        erased.bookings.len(),
        erased.calls.len(),
    );
    if erase.common.json {
        return print_json(&json!({
            "accounts": accounts, "bookings": bookings, "calls": calls,
        }));
    }
    print(&format!(
        "Erased from {accounts} accounts, {bookings} bookings and {calls} calls. Backups made before hold it still."
    ))
}
