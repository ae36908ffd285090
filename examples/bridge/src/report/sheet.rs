//! A report as it is printed, part by part: a long one is never whole in memory.

use serde_json::Value;

use crate::{
    cli::{Format, Range},
    output::{Failure, csv_row, print},
};

pub(crate) struct Sheet {
    format: Format,
    columns: &'static [&'static str],
    /// Of a table, as wide as the first part needs.
    widths: Vec<usize>,
    begun: bool,
}

impl Sheet {
    pub(crate) fn new(range: &Range, columns: &'static [&'static str]) -> Self {
        Self {
            format: range.format,
            columns,
            widths: Vec::new(),
            begun: false,
        }
    }

    pub(crate) fn add(&mut self, rows: impl Iterator<Item = Value>) -> Result<(), Failure> {
        match self.format {
            Format::Json => {
                for row in rows {
                    let before = if self.begun { "," } else { "[" };
                    print(&format!("{before}{row}"))?;
                    self.begun = true;
                }
                Ok(())
            }
            Format::Csv => {
                self.csv_header()?;
                for row in rows {
                    let cells = self.cells(&row);
                    print(&csv_row(cells.iter().map(String::as_str))?)?;
                }
                Ok(())
            }
            Format::Table => {
                let rows: Vec<_> = rows.map(|row| self.cells(&row)).collect();
                self.table_header(&rows)?;
                rows.iter().try_for_each(|row| print(&self.line(row)))
            }
        }
    }

    /// An empty report has its columns, too.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        match self.format {
            Format::Json => print(if self.begun { "]" } else { "[]" }),
            Format::Csv => self.csv_header(),
            Format::Table => self.table_header(&[]),
        }
    }

    fn csv_header(&mut self) -> Result<(), Failure> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        print(&csv_row(self.columns.iter().copied())?)
    }

    fn table_header(&mut self, rows: &[Vec<String>]) -> Result<(), Failure> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let width = |(n, column): (usize, &&str)| {
            let cells = rows.iter().map(|row| row[n].chars().count());
            cells.chain([column.len()]).max().unwrap_or(0)
        };
        self.widths = self.columns.iter().enumerate().map(width).collect();
        let header: Vec<_> = self
            .columns
            .iter()
            .map(|name| name.to_uppercase())
            .collect();
        print(&self.line(&header))
    }

    fn line(&self, row: &[String]) -> String {
        let cells = row.iter().zip(&self.widths);
        let padded: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    }

    fn cells(&self, row: &Value) -> Vec<String> {
        self.columns
            .iter()
            .map(|column| cell(&row[*column]))
            .collect()
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number
            .as_f64()
            .filter(|_| number.is_f64())
            .map_or(number.to_string(), |float| format!("{float:.2}")),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
