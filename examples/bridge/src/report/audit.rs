//! `report audit`: the entries, or whether all of them are as they were written.

use conclave_store::{AuditPage, Store, StoreError};
use serde_json::json;

use super::range::{period, time};
use super::{rows, sheet::Sheet};
use crate::{
    account::existing,
    cli::{AuditArgs, Format},
    data::Data,
    output::{Failure, print, print_json},
};

const BATCH: u32 = 2_000;

pub(super) async fn run(mut arguments: AuditArgs) -> Result<(), Failure> {
    if arguments.json {
        arguments.range.format = Format::Json;
    }
    let period = period(&arguments.range)?;
    let (data, _) = existing(&arguments.range.place).await?;
    if arguments.verify {
        return verify(&data, &arguments).await;
    }
    if arguments.accept {
        return accept(&data).await;
    }
    let mut sheet = Sheet::new(&arguments.range, rows::AUDIT);
    let Some(span) = data.store.audit_span(period).await? else {
        return sheet.end();
    };
    let mut page = AuditPage {
        kind: arguments.kind.clone(),
        limit: BATCH,
        ..AuditPage::of(period, span, arguments.part.after)
    };
    let mut left = arguments.part.most();
    loop {
        let mut batch = data.store.audit(&page).await?;
        let last = batch.len() < BATCH as usize;
        let Some(end) = batch.last() else { break };
        page.after = end.seq;
        batch.truncate(left);
        left -= batch.len();
        sheet.add(batch.iter().map(|row| rows::audit(row, arguments.range.tz)))?;
        if last || left == 0 {
            break;
        }
    }
    sheet.end()
}

async fn accept(data: &Data) -> Result<(), Failure> {
    match data.store.accept_audit(&data.act()).await {
        Ok(None) => print("The audit log is as it was written: there is nothing to accept."),
        Ok(Some(found)) => print(&format!(
            "Accepted, and written down: {found}. The log is verified from its present end on."
        )),
        Err(StoreError::Broken(broken)) => Err(Failure::machine(format!(
            "{broken}. That can't be accepted: only a backup has what was written"
        ))),
        Err(error) => Err(error.into()),
    }
}

/// A broken chain is told on standard error and by the status; for a program, on standard output, too.
async fn verify(data: &Data, arguments: &AuditArgs) -> Result<(), Failure> {
    let json = arguments.range.format == Format::Json;
    let verified = match data.store.verify_audit().await {
        Ok(verified) => verified,
        Err(StoreError::Broken(broken)) => {
            if json {
                print_json(&json!({
                    "verified": false, "first_bad": broken.seq, "why": broken.fault.to_string(),
                }))?;
            }
            return Err(Failure::machine(format!(
                "{broken}. Keep the database and the file audit.head as they are, and compare with a backup; \
                 `report audit --accept` goes on from here once that was looked into"
            )));
        }
        Err(error) => return Err(error.into()),
    };
    let (entries, head) = (verified.entries, verified.last);
    let mac: String = head
        .mac
        .as_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let page = AuditPage {
        after: head.seq.saturating_sub(1),
        limit: 1,
        ..AuditPage::default()
    };
    let newest = data.store.audit(&page).await?;
    let at = newest.first().map(|row| time(row.at, arguments.range.tz));
    if json {
        return print_json(&json!({
            "verified": true, "entries": entries, "head": head.seq, "at": at, "mac": mac, "first": head.anchor + 1,
            "against_head": verified.against_head,
        }));
    }
    print(&format!(
        "The audit log is as it was written: {entries} {}, the newest is number {}{}, {mac}.",
        if entries == 1 { "entry" } else { "entries" },
        head.seq,
        at.map(|at| format!(" of {at}")).unwrap_or_default()
    ))?;
    if verified.against_head {
        Ok(())
    } else {
        print(
            "Nothing outside the database (audit.head) says where it should end: a cut end would not show. \
             The next entry notes it anew.",
        )
    }
}
