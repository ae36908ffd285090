//! A row of either database, read column by column.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};

use crate::StoreError;
use crate::error::{Result, bad};

/// Asked for a column that it lacks, or for one of another type, it gives [`StoreError::Bad`] with the name.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// The column as that type.
macro_rules! column {
    ($row:expr, $name:expr, $type:ty) => {
        match $row {
            Row::Sqlite(row) => row.try_get::<Option<$type>, _>($name),
            Row::Postgres(row) => row.try_get::<Option<$type>, _>($name),
        }
        .map_err(|error| bad($name, error))
    };
}

#[allow(dead_code, reason = "whole for every type that a column may have")]
impl Row {
    pub(crate) fn int(&self, name: &'static str) -> Result<i64> {
        some(name, self.int_opt(name)?)
    }

    /// A whole number of any width; a comparison's `true` is 1.
    pub(crate) fn int_opt(&self, name: &'static str) -> Result<Option<i64>> {
        let Self::Postgres(row) = self else {
            return column!(self, name, i64);
        };
        let value = row.try_get_raw(name).map_err(|error| bad(name, error))?;
        let narrow = value.type_info().name().to_owned();
        match narrow.as_str() {
            "INT4" => Ok(column!(self, name, i32)?.map(i64::from)),
            "BOOL" => Ok(column!(self, name, bool)?.map(i64::from)),
            _ => column!(self, name, i64),
        }
    }

    pub(crate) fn id(&self, name: &'static str) -> Result<u64> {
        Ok(self.int(name)?.cast_unsigned())
    }

    pub(crate) fn id_opt(&self, name: &'static str) -> Result<Option<u64>> {
        Ok(self.int_opt(name)?.map(i64::cast_unsigned))
    }

    pub(crate) fn flag(&self, name: &'static str) -> Result<bool> {
        Ok(self.int(name)? != 0)
    }

    pub(crate) fn real_opt(&self, name: &'static str) -> Result<Option<f64>> {
        column!(self, name, f64)
    }

    pub(crate) fn text(&self, name: &'static str) -> Result<String> {
        some(name, self.text_opt(name)?)
    }

    /// A text, where it lies.
    pub(crate) fn str(&self, name: &'static str) -> Result<&str> {
        some(name, column!(self, name, &str)?)
    }

    pub(crate) fn text_opt(&self, name: &'static str) -> Result<Option<String>> {
        column!(self, name, String)
    }

    pub(crate) fn blob(&self, name: &'static str) -> Result<Vec<u8>> {
        some(name, self.blob_opt(name)?)
    }

    pub(crate) fn blob_opt(&self, name: &'static str) -> Result<Option<Vec<u8>>> {
        column!(self, name, Vec<u8>)
    }

    pub(crate) fn moment(&self, name: &'static str) -> Result<DateTime<Utc>> {
        some(name, self.moment_opt(name)?)
    }

    pub(crate) fn moment_opt(&self, name: &'static str) -> Result<Option<DateTime<Utc>>> {
        let moment = |millis| {
            DateTime::from_timestamp_millis(millis).ok_or_else(|| bad(name, "no moment in time"))
        };
        self.int_opt(name)?.map(moment).transpose()
    }
}

pub(super) fn some<T>(name: &'static str, value: Option<T>) -> Result<T, StoreError> {
    value.ok_or_else(|| bad(name, "nothing is there"))
}
