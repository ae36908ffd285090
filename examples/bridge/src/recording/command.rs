//! `conclave-bridge recording`: what was recorded, copied out and deleted.

use std::{fs::File, io, path::Path};

use conclave_accounts::BookingId;
use conclave_store::{Page, RecordingRow, ReportFilter, Store};
use serde_json::{Value, json};

use super::shelf::Shelf;
use crate::{
    account::{existing, find},
    cli::{self, RecordingDelete, RecordingExport, RecordingList},
    clock,
    output::{Failure, at, create_private, print, print_json},
    report::{Sheet, period, time},
};

/// So many rows are read at once.
const BATCH: u32 = 2_000;

const COLUMNS: &[&str] = &[
    "id",
    "conference",
    "account",
    "owner",
    "booking",
    "title",
    "call",
    "started",
    "seconds",
    "bytes",
    "file",
    "bridge",
    "deleted",
];

pub(crate) async fn run(command: cli::Recording) -> Result<(), Failure> {
    match command {
        cli::Recording::List(list) => self::list(list).await,
        cli::Recording::Export(export) => self::export(export).await,
        cli::Recording::Delete(delete) => self::delete(delete).await,
    }
}

async fn list(list: RecordingList) -> Result<(), Failure> {
    let period = period(&list.range)?;
    let (data, config) = existing(&list.range.place).await?;
    let shelf = Shelf::of(&config, &list.range.place.data.data);
    let account = match &list.account {
        Some(typed) => Some(find(&data, typed).await?.id),
        None => None,
    };
    let mut left = list.part.most();
    let mut filter = ReportFilter {
        account,
        booking: list.booking.map(BookingId),
        conference: list.conference,
        page: Page {
            after: list.part.after,
            limit: BATCH,
        },
        ..ReportFilter::all(period)
    };
    let mut sheet = Sheet::new(&list.range, COLUMNS);
    loop {
        let mut batch = data.store.recordings(&filter).await?;
        let last = batch.len() < BATCH as usize;
        let Some(end) = batch.last() else { break };
        filter.page.after = end.id;
        batch.truncate(left);
        left -= batch.len();
        sheet.add(batch.iter().map(|row| shown(row, &shelf, list.range.tz)))?;
        if last || left == 0 {
            break;
        }
    }
    sheet.end()
}

fn shown(row: &RecordingRow, shelf: &Shelf, zone: chrono_tz::Tz) -> Value {
    // Another bridge's file is on another machine.
    let bytes = shelf.path(row).and_then(|path| path.metadata().ok());
    json!({
        "id": row.id, "conference": row.conference, "account": row.account.0, "owner": row.owner,
        "booking": row.booking.map(|id| id.0), "title": row.title, "call": row.call,
        "started": time(row.started, zone), "seconds": row.seconds, "bytes": bytes.map(|file| file.len()),
        "file": row.file, "bridge": row.bridge, "deleted": row.deleted.map(|at| time(at, zone)),
    })
}

async fn export(export: RecordingExport) -> Result<(), Failure> {
    let (data, config) = existing(&export.common.place).await?;
    let row = data.store.recording(export.id).await?;
    if row.deleted.is_some() {
        return Err(Failure::usage(format!(
            "recording {} is being deleted",
            row.id
        )));
    }
    let shelf = Shelf::of(&config, &export.common.place.data.data);
    let path = shelf.path(&row).unwrap_or_default();
    let mut from = File::open(&path).map_err(|error| elsewhere(&row, &path, &error))?;
    let mut to = create_private(&export.out)?;
    // Before the copy can be of use to anybody.
    let body = json!({ "file": row.id });
    data.store
        .note("recording.exported", &body, &data.act())
        .await?;
    let bytes = io::copy(&mut from, &mut to)
        .and_then(|bytes| to.sync_all().map(|()| bytes))
        .map_err(at(&export.out))?;
    if export.common.json {
        return print_json(&json!({ "id": row.id, "out": export.out, "bytes": bytes }));
    }
    let unfinished = if row.seconds.is_none() {
        "; it is being written: this is what there was of it"
    } else {
        ""
    };
    print(&format!(
        "Recording {} is in {} ({bytes} bytes){unfinished}",
        row.id,
        export.out.display()
    ))
}

fn elsewhere(row: &RecordingRow, path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!(
        "{}: {error}; the bridge '{}' recorded it: this works on its machine, with its --data and --config",
        path.display(),
        row.bridge
    ))
}

async fn delete(delete: RecordingDelete) -> Result<(), Failure> {
    let (data, config) = existing(&delete.common.place).await?;
    let shelf = Shelf::of(&config, &delete.common.place.data.data);
    let mut gone = Vec::new();
    let mut later = Vec::new();
    for id in &delete.ids {
        let row = data.store.delete_recording(*id, &data.act()).await?;
        if shelf.delete_here(&data.store, &row, clock::wall()).await? {
            gone.push(row.id);
        } else {
            later.push(row.id);
        }
    }
    if delete.common.json {
        return print_json(&json!({ "deleted": gone, "to_be_deleted": later }));
    }
    for id in gone {
        print(&format!("Recording {id} is deleted"))?;
    }
    for id in later {
        print(&format!(
            "Recording {id} will be deleted by the bridge that has it, within a minute, or when it is over"
        ))?;
    }
    Ok(())
}
