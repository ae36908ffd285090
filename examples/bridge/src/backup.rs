//! `conclave-bridge backup` and `restore`: copies of the database.

use std::path::absolute;

use conclave_store::{Auditor, FreshKeys, KeysFile, SqlStore, Store};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::{
    account::existing,
    cli,
    config::Config,
    data::act,
    output::{Failure, at, print, print_json, warn},
};

pub(crate) async fn backup(arguments: cli::Backup) -> Result<(), Failure> {
    let (data, _) = existing(&arguments.common.place).await?;
    data.store.backup(&arguments.file).await?;
    let path = absolute(&arguments.file).map_err(at(&arguments.file))?;
    let file = path.display().to_string();
    let note = json!({ "file": file });
    data.store.note("backup.made", &note, &data.act()).await?;
    if arguments.common.json {
        return print_json(&json!({ "file": file }));
    }
    print(&format!("The database is copied to {file}."))?;
    print(&format!(
        "The keys are not in it: back {} up too, in another place. Without it no PIN is recognised.",
        arguments.common.place.data.data.join("keys").display()
    ))
}

pub(crate) async fn restore(arguments: cli::Restore) -> Result<(), Failure> {
    let (place, file) = (&arguments.common.place, &arguments.file);
    let directory = &place.data.data;
    if Config::load(place.config.as_deref())?
        .database
        .url
        .is_some()
    {
        return Err(Failure::usage(
            "the configuration names a PostgreSQL database: pg_restore restores that",
        ));
    }
    let keys = directory.join("keys");
    if !keys.exists() {
        return Err(Failure::usage(format!(
            "{} is missing: put the keys that belong to the backup there first, or no PIN in it can be recognised",
            keys.display()
        )));
    }
    let keys = KeysFile::load_or_create(directory, FreshKeys::draw(&mut rand::rng()))
        .map_err(Failure::machine)?;
    let random = StdRng::from_rng(&mut rand::rng());
    let auditor = Auditor::new(directory, keys.keys(), Box::new(random));
    let restored = SqlStore::restore(file, directory, auditor, arguments.replace, &act()).await?;
    if let Some(lost) = restored.lost.filter(|lost| *lost > 0) {
        warn(format!(
            "{lost} entries of the audit log were written after this backup and are lost, and what they tell of with them"
        ));
    }
    if arguments.common.json {
        return print_json(&json!({
            "entries": restored.entries, "lost": restored.lost,
            "kept": restored.kept.map(|path| path.display().to_string()),
        }));
    }
    print(&format!(
        "{} is in place in {}; its audit log verifies: {} entries.",
        file.display(),
        directory.display(),
        restored.entries
    ))?;
    match restored.kept {
        Some(kept) => print(&format!(
            "The database that was there is kept: {}",
            kept.display()
        )),
        None => Ok(()),
    }
}
