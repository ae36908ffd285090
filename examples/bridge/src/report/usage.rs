//! `report usage`: what the conferences came to.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;
use conclave_store::{Page, Period, ReportFilter, Store, UsageRow};
use serde_json::{Value, json};

use super::part_of;
use super::range::{begin, period};
use super::sheet::Sheet;
use crate::{
    account::{existing, find},
    cli::{UsageArgs, UsageBy},
    clock,
    data::Data,
    output::Failure,
};

pub(super) const PERSON: &[&str] = &[
    "account",
    "owner",
    "email",
    "department",
    "cost_code",
    "conferences",
    "calls",
    "seconds",
];
pub(super) const DEPARTMENT: &[&str] =
    &["department", "accounts", "conferences", "calls", "seconds"];
pub(super) const COST_CODE: &[&str] = &["cost_code", "accounts", "conferences", "calls", "seconds"];
pub(super) const MONTH: &[&str] = &["month", "accounts", "conferences", "calls", "seconds"];

pub(super) async fn run(arguments: UsageArgs) -> Result<(), Failure> {
    let whole = period(&arguments.range)?;
    let (data, _) = existing(&arguments.range.place).await?;
    let account = match &arguments.account {
        Some(account) => Some(find(&data, account).await?.id),
        None => None,
    };
    // As the database does it for the other reports: letters beyond A to Z are as they were written.
    let is_asked = |row: &UsageRow| {
        let theirs = row.department.as_deref().unwrap_or_default();
        let department = arguments.department.as_deref();
        account.is_none_or(|account| row.account == account)
            && department.is_none_or(|asked| theirs.eq_ignore_ascii_case(asked))
    };
    let rows = async |period| {
        let mut rows = data.store.usage(period).await?;
        rows.retain(&is_asked);
        Ok::<_, Failure>(rows)
    };
    if arguments.part.after != 0 && arguments.by != UsageBy::Person {
        return Err(Failure::usage("--after goes with --by person"));
    }
    let (columns, mut rows): (_, Vec<Value>) = match arguments.by {
        UsageBy::Person => {
            let rows = part_of(rows(whole).await?, &arguments.part, |row| row.account.0)?;
            (PERSON, rows.iter().map(person).collect())
        }
        UsageBy::Department => {
            let by = sums(&rows(whole).await?, |row| row.department.clone());
            (DEPARTMENT, objects("department", by))
        }
        UsageBy::CostCode => {
            let by = sums(&rows(whole).await?, |row| row.cost_code.clone());
            (COST_CODE, objects("cost_code", by))
        }
        UsageBy::Month => {
            let mut by = BTreeMap::new();
            for (month, period) in months(&data, whole, arguments.range.tz).await? {
                let rows = rows(period).await?;
                by.extend(sums(&rows, |_| Some(month.clone())));
            }
            (MONTH, objects("month", by))
        }
    };
    rows.truncate(arguments.part.most());
    let mut sheet = Sheet::new(&arguments.range, columns);
    sheet.add(rows.into_iter())?;
    sheet.end()
}

fn person(row: &UsageRow) -> Value {
    json!({
        "account": row.account.0, "owner": row.owner, "email": row.email, "department": row.department,
        "cost_code": row.cost_code, "conferences": row.conferences, "calls": row.calls, "seconds": row.seconds,
    })
}

#[derive(Debug, Default, PartialEq)]
struct Sum {
    accounts: u64,
    conferences: u64,
    calls: u64,
    seconds: u64,
}

/// Added up by what each row is counted under; rows that have nothing there are counted together.
fn sums(
    rows: &[UsageRow],
    under: impl Fn(&UsageRow) -> Option<String>,
) -> BTreeMap<Option<String>, Sum> {
    let mut sums: BTreeMap<_, Sum> = BTreeMap::new();
    for row in rows {
        let sum = sums.entry(under(row)).or_default();
        sum.accounts += 1;
        sum.conferences += row.conferences;
        sum.calls += row.calls;
        sum.seconds += row.seconds;
    }
    sums
}

fn objects(key: &str, sums: BTreeMap<Option<String>, Sum>) -> Vec<Value> {
    sums.into_iter()
        .map(|(under, sum)| {
            json!({
                key: under, "accounts": sum.accounts, "conferences": sum.conferences, "calls": sum.calls,
                "seconds": sum.seconds,
            })
        })
        .collect()
}

/// The months that the period touches, from the first conference on, each cut to the period.
async fn months(data: &Data, whole: Period, zone: Tz) -> Result<Vec<(String, Period)>, Failure> {
    let first = ReportFilter {
        page: Page::first(1),
        ..ReportFilter::all(whole)
    };
    let first = data.store.conferences(&first).await?;
    let Some(first) = first.first().map(|row| row.started) else {
        return Ok(Vec::new());
    };
    let end = whole.to.unwrap_or_else(clock::wall);
    Ok(months_between(first, end, whole, zone))
}

fn months_between(
    first: DateTime<Utc>,
    end: DateTime<Utc>,
    whole: Period,
    zone: Tz,
) -> Vec<(String, Period)> {
    let day = zone.from_utc_datetime(&first.naive_utc()).date_naive();
    let mut month = NaiveDate::from_ymd_opt(day.year(), day.month(), 1).unwrap_or(day);
    let mut months = Vec::new();
    while begin(month, zone) < end {
        let Some(next) = month.checked_add_months(Months::new(1)) else {
            break;
        };
        let (from, to) = (begin(month, zone), begin(next, zone));
        let period = Period {
            from: Some(whole.from.map_or(from, |bound| bound.max(from))),
            to: Some(whole.to.map_or(to, |bound| bound.min(to))),
        };
        months.push((month.format("%Y-%m").to_string(), period));
        month = next;
    }
    months
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_the_zone() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let whole = Period {
            from: Some(at("2026-03-15T00:00:00Z")),
            to: Some(at("2026-05-01T00:00:00Z")),
        };
        let months = months_between(
            at("2026-03-31T22:30:00Z"),
            at("2026-05-01T00:00:00Z"),
            whole,
            Tz::Europe__Berlin,
        );
        let shown: Vec<_> = months
            .iter()
            .map(|(month, period)| (month.as_str(), period.from.unwrap(), period.to.unwrap()))
            .collect();
        let expected = [
            (
                "2026-04",
                at("2026-03-31T22:00:00Z"),
                at("2026-04-30T22:00:00Z"),
            ),
            (
                "2026-05",
                at("2026-04-30T22:00:00Z"),
                at("2026-05-01T00:00:00Z"),
            ),
        ];
        assert_eq!(shown, expected);
    }
}
