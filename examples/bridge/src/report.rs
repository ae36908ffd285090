//! `conclave-bridge report`: conferences and calls, as table, CSV or JSON.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use conclave_store::{CallRow, ConferenceRow, Period, Store};
use serde_json::{Value, json};

use crate::{
    cli::{Format, Report, ReportArgs},
    data::Data,
    output::{Failure, print, print_json},
};

pub(crate) async fn run(command: Report) -> Result<(), Failure> {
    match command {
        Report::Conferences(arguments) => {
            let rows = Data::existing(&arguments.data.data)
                .await?
                .store
                .conferences(period(&arguments)?)
                .await?;
            show(
                &arguments,
                &[
                    "id", "account", "owner", "started", "ended", "reason", "calls", "admitted",
                ],
                rows.iter().map(conference).collect(),
            )
        }
        Report::Calls(arguments) => {
            let rows = Data::existing(&arguments.data.data)
                .await?
                .store
                .calls(period(&arguments)?)
                .await?;
            let columns = [
                "id",
                "trunk",
                "number",
                "answered",
                "ended",
                "reason",
                "conference",
                "role",
                "arrived",
                "admitted",
                "departed",
                "left_reason",
                "wrong_pins",
                "codec",
                "encryption",
                "packets_lost",
                "jitter_ms",
                "mos",
            ];
            show(&arguments, &columns, rows.iter().map(call).collect())
        }
        Report::Audit(_) => Err(Failure::usage(
            "the audit log is not there yet; `report calls` and `report conferences` are",
        )),
    }
}

fn conference(row: &ConferenceRow) -> Value {
    json!({
        "id": row.id, "account": row.account.0, "owner": row.owner, "booking": row.booking.map(|id| id.0),
        "started": time(Some(row.started)), "ended": time(row.ended), "reason": row.reason, "calls": row.calls, "admitted": row.admitted,
    })
}

fn call(row: &CallRow) -> Value {
    let visit = row.visit.as_ref();
    json!({
        "id": row.id, "trunk": row.trunk, "number": row.number, "answered": time(Some(row.answered)), "ended": time(row.ended),
        "reason": row.reason, "wrong_pins": row.wrong_pins,
        "conference": visit.map(|visit| visit.conference),
        "role": visit.map(|visit| format!("{:?}", visit.role).to_lowercase()),
        "holder": visit.and_then(|visit| visit.holder.clone()),
        "arrived": visit.and_then(|visit| time(Some(visit.arrived))),
        "admitted": visit.and_then(|visit| time(visit.admitted)),
        "departed": visit.and_then(|visit| time(visit.departed)),
        "left_reason": visit.and_then(|visit| visit.reason.clone()),
        "codec": row.media.codec, "encryption": row.media.encryption, "packets_lost": row.media.packets_lost,
        "jitter_ms": row.media.jitter_ms, "mos": row.media.mos,
    })
}

fn show(arguments: &ReportArgs, columns: &[&str], rows: Vec<Value>) -> Result<(), Failure> {
    let cell = |row: &Value, column: &str| match &row[column] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number
            .as_f64()
            .filter(|_| number.is_f64())
            .map_or(number.to_string(), |float| format!("{float:.2}")),
        other => other.to_string(),
    };
    match arguments.format {
        Format::Json => print_json(&Value::Array(rows)),
        Format::Csv => {
            print(&columns.join(","))?;
            rows.iter().try_for_each(|row| {
                let cells: Vec<_> = columns
                    .iter()
                    .map(|column| csv_cell(&cell(row, column)))
                    .collect();
                print(&cells.join(","))
            })
        }
        Format::Table => {
            let cells: Vec<Vec<String>> = rows
                .iter()
                .map(|row| columns.iter().map(|column| cell(row, column)).collect())
                .collect();
            let widths: Vec<usize> = columns
                .iter()
                .enumerate()
                .map(|(index, column)| {
                    cells
                        .iter()
                        .map(|row| row[index].chars().count())
                        .chain([column.len()])
                        .max()
                        .unwrap_or(0)
                })
                .collect();
            let line = |row: Vec<&str>| {
                let padded: Vec<_> = row
                    .iter()
                    .zip(&widths)
                    .map(|(cell, width)| format!("{cell:<width$}"))
                    .collect();
                padded.join("  ").trim_end().to_owned()
            };
            print(&line(columns.to_vec()).to_uppercase())?;
            cells
                .iter()
                .try_for_each(|row| print(&line(row.iter().map(String::as_str).collect())))
        }
    }
}

/// A cell that a spreadsheet takes for text: quoted, and nothing in it is a formula.
fn csv_cell(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r', '\'']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

fn time(at: Option<DateTime<Utc>>) -> Option<String> {
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn period(arguments: &ReportArgs) -> Result<Period, Failure> {
    let parse = |flag: &str, text: &Option<String>| {
        text.as_deref().map(|text| moment(flag, text)).transpose()
    };
    let from = parse("--from", &arguments.from)?;
    let to = parse("--to", &arguments.to)?;
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Failure::usage(
            "--from is not before --to: nothing lies between",
        ));
    }
    Ok(Period { from, to })
}

fn moment(flag: &str, text: &str) -> Result<DateTime<Utc>, Failure> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .and_then(|date| date.and_hms_opt(0, 0, 0))
        .map(|time| time.and_utc())
        .ok_or_else(|| {
            Failure::usage(format!(
                "{flag}: '{text}' is no time such as 2026-11-30 or 2026-11-30T09:00:00Z"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreadsheets_are_not_tricked() {
        assert_eq!(csv_cell("=1+1"), "\"'=1+1\"");
        assert_eq!(csv_cell("+442079460000"), "\"'+442079460000\"");
        assert_eq!(csv_cell("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(csv_cell("plain"), "plain");
    }

    #[test]
    fn times_are_dates_or_moments() {
        assert_eq!(
            moment("--from", "2026-11-30").unwrap().to_rfc3339(),
            "2026-11-30T00:00:00+00:00"
        );
        assert_eq!(
            moment("--from", "2026-11-30T01:00:00+01:00")
                .unwrap()
                .to_rfc3339(),
            "2026-11-30T00:00:00+00:00"
        );
        assert!(
            moment("--to", "tomorrow")
                .unwrap_err()
                .message
                .contains("--to")
        );
    }
}
