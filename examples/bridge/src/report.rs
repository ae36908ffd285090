//! `conclave-bridge report`: what happened, as table, CSV or JSON. `docs/reports.md` lists the keys.

mod audit;
mod range;
mod rows;
mod sheet;
mod usage;

use conclave_accounts::BookingId;
use conclave_store::{CallRow, ConferenceRow, Page, ReportFilter, Store};

use crate::{
    account::{existing, find},
    cli::{CallArgs, ConferenceArgs, HintArgs, Part, Report},
    data::Data,
    output::Failure,
};
pub(crate) use range::{period, time};
pub(crate) use sheet::Sheet;

/// So many rows are read at once.
const BATCH: u32 = 2_000;

pub(crate) async fn run(command: Report) -> Result<(), Failure> {
    match command {
        Report::Conferences(arguments) => conferences(arguments).await,
        Report::Calls(arguments) => calls(arguments).await,
        Report::Audit(arguments) => audit::run(arguments).await,
        Report::Usage(arguments) => usage::run(arguments).await,
        Report::Hints(arguments) => hints(arguments).await,
    }
}

async fn conferences(arguments: ConferenceArgs) -> Result<(), Failure> {
    let period = period(&arguments.range)?;
    let (data, _) = existing(&arguments.range.place).await?;
    let mut filter = filter(&data, &arguments, period).await?;
    let mut sheet = Sheet::new(&arguments.range, rows::CONFERENCES);
    let mut left = arguments.part.most();
    loop {
        let mut batch = data.store.conferences(&filter).await?;
        let last = batch.len() < BATCH as usize;
        let Some(end) = batch.last() else { break };
        filter.page.after = end.id;
        batch.retain(|row| is_asked(&filter, row));
        batch.truncate(left);
        left -= batch.len();
        sheet.add(
            batch
                .iter()
                .map(|row| rows::conference(row, arguments.range.tz)),
        )?;
        if last || left == 0 {
            break;
        }
    }
    sheet.end()
}

/// The store narrows by the one condition that is best found by an index; the others are seen to here.
fn is_asked(filter: &ReportFilter, row: &ConferenceRow) -> bool {
    filter.account.is_none_or(|account| row.account == account)
        && filter
            .booking
            .is_none_or(|booking| row.booking == Some(booking))
}

async fn calls(arguments: CallArgs) -> Result<(), Failure> {
    let range = &arguments.of.range;
    let period = period(range)?;
    let (data, _) = existing(&range.place).await?;
    let mut filter = filter(&data, &arguments.of, period).await?;
    filter.number = arguments.number;
    filter.conference = arguments.conference;
    let mut sheet = Sheet::new(range, rows::CALLS);
    let mut left = arguments.of.part.most();
    loop {
        let mut batch = data.store.calls(&filter).await?;
        let last = batch.len() < BATCH as usize;
        if !last {
            whole_calls(&mut batch);
        }
        let Some(end) = batch.last() else { break };
        filter.page.after = end.id;
        batch.retain(|row| is_call_asked(&filter, row));
        if batch.len() > left {
            // Rows of one call stay together, or the next part could not go on after it.
            let end = batch[left - 1].id;
            let torn = batch[left..].iter().take_while(|row| row.id == end).count();
            batch.truncate(left + torn);
        }
        left = left.saturating_sub(batch.len());
        sheet.add(batch.iter().map(|row| rows::call(row, range.tz)))?;
        if last || left == 0 {
            break;
        }
    }
    sheet.end()
}

/// Leaves out the last call of a batch, whose other rows may be missing, unless it is the only one.
fn whole_calls(batch: &mut Vec<CallRow>) {
    let Some(end) = batch.last().map(|row| row.id) else {
        return;
    };
    if batch.iter().any(|row| row.id != end) {
        batch.retain(|row| row.id != end);
    }
}

fn is_call_asked(filter: &ReportFilter, row: &CallRow) -> bool {
    let visit = row.visit.as_ref();
    let number = filter.number.as_ref();
    number.is_none_or(|number| row.number.as_ref() == Some(number))
        && filter
            .conference
            .is_none_or(|id| visit.is_some_and(|visit| visit.conference == id))
        && filter
            .account
            .is_none_or(|id| visit.is_some_and(|visit| visit.account == id))
        && filter
            .booking
            .is_none_or(|id| visit.is_some_and(|visit| visit.booking == Some(id)))
}

async fn filter(
    data: &Data,
    arguments: &ConferenceArgs,
    period: conclave_store::Period,
) -> Result<ReportFilter, Failure> {
    let account = match &arguments.account {
        Some(account) => Some(find(data, account).await?.id),
        None => None,
    };
    Ok(ReportFilter {
        account,
        booking: arguments.booking.map(BookingId),
        department: arguments.department.clone(),
        page: Page {
            after: arguments.part.after,
            limit: BATCH,
        },
        ..ReportFilter::all(period)
    })
}

async fn hints(arguments: HintArgs) -> Result<(), Failure> {
    let period = period(&arguments.range)?;
    let (data, _) = existing(&arguments.range.place).await?;
    let hints = data.store.hints(period, arguments.numbers).await?;
    let hints = part_of(hints, &arguments.part, |hint| hint.account.0)?;
    let mut sheet = Sheet::new(&arguments.range, rows::HINTS);
    sheet.add(hints.iter().map(rows::hint))?;
    sheet.end()
}

/// The part that was asked for of a list with one row for each account.
fn part_of<T>(rows: Vec<T>, part: &Part, account: impl Fn(&T) -> u64) -> Result<Vec<T>, Failure> {
    let from = match part.after {
        0 => 0,
        after => {
            let last = rows.iter().position(|row| account(row) == after);
            last.ok_or_else(|| {
                Failure::usage(format!(
                    "--after {after}: no row is of account {after}; give the `account` of the last row before"
                ))
            })? + 1
        }
    };
    Ok(rows.into_iter().skip(from).take(part.most()).collect())
}
