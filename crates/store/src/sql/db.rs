//! One way to speak to either database. Every statement is written once, in the dialect that both understand:
//! `$1` for an argument, `RETURNING id` for a new row's number, milliseconds since 1970 for a moment, 0 and 1 for a
//! flag, `CASE WHEN` where SQLite says `MAX(a, b)` and PostgreSQL `GREATEST(a, b)`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use conclave_accounts::{AccountId, BookingId, CallId, InviteeId};
use futures_util::{FutureExt as _, TryStreamExt as _};
use sqlx::query::Query;
use sqlx::{Database, Encode, Pool, Postgres, Sqlite, Transaction, Type};
use tracing::{Span, debug_span, field};

use super::row::Row;
use crate::error::Result;
use crate::{RunId, UserId};

/// A statement in which the databases call a thing differently.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sql {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

/// A database that is open. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) enum Db {
    Sqlite(Pools<Sqlite>),
    Postgres(Pools<Postgres>),
}

/// Readers never wait for a writer: they have connections of their own.
#[derive(Debug)]
pub(crate) struct Pools<D: Database> {
    pub(super) readers: Pool<D>,
    /// One connection: within a process writers queue here, fairly, and not at the database.
    pub(super) writer: Pool<D>,
}

impl<D: Database> Clone for Pools<D> {
    fn clone(&self) -> Self {
        Self {
            readers: self.readers.clone(),
            writer: self.writer.clone(),
        }
    }
}

impl<D: Database> Pools<D> {
    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// For so long the rows of a long report gather before they are fetched: some two hundred come meanwhile.
const GATHER: Duration = Duration::from_millis(1);

/// All that writes in PostgreSQL holds this lock from its beginning to its end, so that writers take turns as they
/// do in SQLite: numbers are in the order of commits, and what a turn has looked up stays so until it has written.
const WRITERS_TURN: &str = "SELECT pg_advisory_xact_lock(4856142078501201)";

impl Db {
    /// All rows. Doesn't wait for writers, and sees what was committed when it began.
    pub(crate) async fn all(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<Row>> {
        Ok(match self {
            Self::Sqlite(pools) => {
                let rows = bound::<Sqlite>(sql, args).fetch_all(&pools.readers).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(pools) => {
                let rows = bound::<Postgres>(sql, args)
                    .fetch_all(&pools.readers)
                    .await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// All rows, each made into something as it comes, while the database goes on: of a long report that is half of the
    /// time.
    pub(crate) async fn each<T>(
        &self,
        sql: Sql,
        args: &[Arg<'_>],
        make: impl Fn(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut made = Vec::new();
        match self {
            Self::Sqlite(pools) => {
                let mut rows = bound::<Sqlite>(sql.sqlite, args).fetch(&pools.readers);
                // Rows come from another thread: to be woken for each costs as much as the row.
                loop {
                    match rows.try_next().now_or_never() {
                        Some(row) => match row? {
                            Some(row) => made.push(make(&Row::Sqlite(row))?),
                            None => break,
                        },
                        None => tokio::time::sleep(GATHER).await,
                    }
                }
            }
            Self::Postgres(pools) => {
                let mut rows = bound::<Postgres>(sql.postgres, args).fetch(&pools.readers);
                while let Some(row) = rows.try_next().await? {
                    made.push(make(&Row::Postgres(row))?);
                }
            }
        }
        Ok(made)
    }

    /// The first row, if there is any.
    pub(crate) async fn one(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<Option<Row>> {
        Ok(match self {
            Self::Sqlite(pools) => bound::<Sqlite>(sql, args)
                .fetch_optional(&pools.readers)
                .await?
                .map(Row::Sqlite),
            Self::Postgres(pools) => bound::<Postgres>(sql, args)
                .fetch_optional(&pools.readers)
                .await?
                .map(Row::Postgres),
        })
    }

    /// A transaction that has the turn to write from its beginning, so that it never fails halfway for want of it.
    pub(crate) async fn begin(&self) -> Result<Turn> {
        let span = self.span();
        Ok(match self {
            Self::Sqlite(pools) => {
                Turn::Sqlite(pools.writer.begin_with("BEGIN IMMEDIATE").await?, span)
            }
            Self::Postgres(pools) => {
                let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
                let mut turn = pools.writer.begin_with(begin).await?;
                sqlx::query(WRITERS_TURN).execute(&mut *turn).await?;
                Turn::Postgres(turn, span)
            }
        })
    }

    /// Of a transaction, from its wait for the turn to its end: within whatever is traced, as a part of it.
    fn span(&self) -> Span {
        if Span::current().is_none() {
            return Span::none();
        }
        let system = match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        };
        debug_span!(
            "transaction",
            otel.kind = "client",
            db.system.name = system,
            committed = field::Empty
        )
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(pools) => pools.close().await,
            Self::Postgres(pools) => pools.close().await,
        }
    }
}

/// A turn to write: all of it or, dropped without [`commit`](Self::commit), nothing.
pub(crate) enum Turn {
    Sqlite(Transaction<'static, Sqlite>, Span),
    Postgres(Transaction<'static, Postgres>, Span),
}

impl Turn {
    /// Says how many rows were written, altered or deleted.
    pub(crate) async fn run(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64> {
        Ok(match self {
            Self::Sqlite(turn, _) => bound::<Sqlite>(sql, args)
                .execute(&mut **turn)
                .await?
                .rows_affected(),
            Self::Postgres(turn, _) => bound::<Postgres>(sql, args)
                .execute(&mut **turn)
                .await?
                .rows_affected(),
        })
    }

    #[allow(dead_code, reason = "one(), but more")]
    pub(crate) async fn all(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<Row>> {
        Ok(match self {
            Self::Sqlite(turn, _) => {
                let rows = bound::<Sqlite>(sql, args).fetch_all(&mut **turn).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(turn, _) => {
                let rows = bound::<Postgres>(sql, args).fetch_all(&mut **turn).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    pub(crate) async fn one(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<Option<Row>> {
        Ok(match self {
            Self::Sqlite(turn, _) => bound::<Sqlite>(sql, args)
                .fetch_optional(&mut **turn)
                .await?
                .map(Row::Sqlite),
            Self::Postgres(turn, _) => bound::<Postgres>(sql, args)
                .fetch_optional(&mut **turn)
                .await?
                .map(Row::Postgres),
        })
    }

    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(turn, span) => {
                turn.commit().await?;
                span.record("committed", true);
            }
            Self::Postgres(turn, span) => {
                turn.commit().await?;
                span.record("committed", true);
            }
        }
        Ok(())
    }
}

/// What stands for a `$1`. Nothing has a type too: PostgreSQL asks for it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arg<'a> {
    Int(Option<i64>),
    Real(Option<f64>),
    Text(Option<&'a str>),
    Blob(Option<&'a [u8]>),
}

/// The arguments of a statement, in order, each made an [`Arg`].
macro_rules! args {
    ($($arg:expr),* $(,)?) => { &[$($crate::sql::Arg::from($arg)),*] };
}
pub(crate) use args;

fn bound<'q, D>(sql: &'static str, args: &[Arg<'_>]) -> Query<'q, D, D::Arguments>
where
    D: Database,
    for<'t> i64: Encode<'t, D> + Type<D>,
    for<'t> f64: Encode<'t, D> + Type<D>,
    for<'t> &'t str: Encode<'t, D> + Type<D>,
    for<'t> &'t [u8]: Encode<'t, D> + Type<D>,
    for<'t> Option<i64>: Encode<'t, D>,
    for<'t> Option<f64>: Encode<'t, D>,
    for<'t> Option<&'t str>: Encode<'t, D>,
    for<'t> Option<&'t [u8]>: Encode<'t, D>,
{
    args.iter().fold(sqlx::query(sql), |query, arg| match *arg {
        Arg::Int(value) => query.bind(value),
        Arg::Real(value) => query.bind(value),
        Arg::Text(value) => query.bind(value),
        Arg::Blob(value) => query.bind(value),
    })
}

/// Each of these, and each that may be absent, is that kind of argument once converted.
macro_rules! args_from {
    ($($kind:ident: $($type:ty => $convert:expr),+;)+) => {$($(
        impl<'a> From<$type> for Arg<'a> {
            fn from(value: $type) -> Self {
                Self::from(Some(value))
            }
        }

        impl<'a> From<Option<$type>> for Arg<'a> {
            fn from(value: Option<$type>) -> Self {
                Self::$kind(value.map($convert))
            }
        }
    )+)+};
}

args_from! {
    Int:
        i64 => |n| n,
        i32 => i64::from,
        u8 => i64::from,
        u16 => i64::from,
        u32 => i64::from,
        u64 => u64::cast_signed,
        bool => i64::from,
        DateTime<Utc> => |at| at.timestamp_millis(),
        AccountId => |id| id.0.cast_signed(),
        BookingId => |id| id.0.cast_signed(),
        InviteeId => |id| id.0.cast_signed(),
        CallId => |id| id.0.cast_signed(),
        UserId => |id| id.0.cast_signed(),
        RunId => |id| id.0.cast_signed();
    Real:
        f64 => |x| x;
    Text:
        &'a str => |text| text,
        &'a String => |text| text.as_str();
    Blob:
        &'a [u8] => |bytes| bytes;
}

impl<'a, const N: usize> From<&'a [u8; N]> for Arg<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Blob(Some(bytes))
    }
}
