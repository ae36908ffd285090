//! What happened, read again.

use chrono::serde::{ts_milliseconds as millis, ts_milliseconds_option as millis_opt};
use chrono::{DateTime, Utc};
use conclave_accounts::{AccountId, BookingId};
use serde::Deserialize;

use super::accounts::role_from;
use super::row::some;
use super::{Row, Sql, SqlStore, args};
use crate::error::{Result, bad};
use crate::{
    CallMedia, CallRow, ConferenceRow, EventRow, Hint, Period, ReportFilter, StoreError, UsageRow,
    Visit,
};

/// A row of the list of conferences `c`.
macro_rules! conference {
    ($rest:expr) => {
        concat!(
            "SELECT c.id, c.account, a.name AS owner, a.department, a.cost_code, c.booking, b.title,
                c.started_at, c.ended_at, c.reason,
                (SELECT COUNT(DISTINCT t.call) FROM attendances t WHERE t.conference = c.id) AS calls,
                (SELECT COUNT(DISTINCT t.call) FROM attendances t
                    WHERE t.conference = c.id AND t.admitted_at IS NOT NULL) AS admitted
            FROM conferences c JOIN accounts a ON a.id = c.account LEFT JOIN bookings b ON b.id = c.booking
            WHERE ",
            $rest
        )
    };
}
pub(super) const CONFERENCE: &str = conference!("c.id = $1");

/// `$1` from, `$2` to, `$3` the last row of the page before (0: none), `$4` the limit, `$5` the department ('' for
/// all), `$6` the account and `$7` the booking (0 for all). Each way to narrow the list enters by an index of its own.
macro_rules! conferences {
    ($entry:literal) => {
        conference!(concat!(
            "c.started_at >= COALESCE((SELECT x.started_at FROM conferences x WHERE x.id = $3), $1)
                AND c.started_at < $2
                AND (c.started_at > COALESCE((SELECT x.started_at FROM conferences x WHERE x.id = $3), $1)
                    OR c.id > $3)
                AND ($5 = '' OR lower(a.department) = lower($5))
                AND ($6 = 0 OR c.account = $6) AND ($7 = 0 OR c.booking = $7) AND ",
            $entry,
            " ORDER BY c.started_at, c.id LIMIT $4"
        ))
    };
}
pub(super) const CONFERENCES: &str = conferences!("$6 = 0");
pub(super) const CONFERENCES_OF_ACCOUNT: &str = conferences!("c.account = $6");
pub(super) const CONFERENCES_OF_BOOKING: &str = conferences!("c.booking = $7");
pub(super) const CONFERENCES_OF_DEPARTMENT: &str = conferences!(
    "c.account IN (SELECT v.id FROM accounts v WHERE lower(v.department) = lower($5))"
);

/// A call and one of its visits, as [`CallFields`] read them: in one value, for a month has a hundred thousand rows, and
/// SQLite's driver copies, and frees again, each value by itself.
macro_rules! call_fields {
    ($array:literal) => {
        concat!(
            "CAST(",
            $array,
            "(k.id, k.trunk, k.number, k.answered_at, k.ended_at, k.reason, k.codec, k.encryption,
                k.packets_lost, k.jitter_ms, k.mos,
                (SELECT COUNT(*) FROM wrong_pins w WHERE w.call = k.id),
                t.id, t.conference, t.role, t.holder, t.arrived_at, t.admitted_at, t.departed_at, t.reason,
                c.account, a.name, c.booking, b.title) AS TEXT) AS fields"
        )
    };
}
pub(super) use call_fields;

/// As each database names the function that makes a JSON array.
macro_rules! in_both {
    ($statement:ident!($entry:literal)) => {
        $crate::sql::Sql {
            sqlite: $statement!("json_array", $entry),
            postgres: $statement!("json_build_array", $entry),
        }
    };
}
pub(super) use in_both;

/// As above; `$8` is the conference (0 for all), `$9` the caller's number ('' for all). A page has so many calls, each
/// with all of its visits. Its rows come in any order, so that the first is there before the last was found.
macro_rules! calls {
    ($array:literal, $entry:literal) => {
        concat!(
            "WITH page AS (
                SELECT k.id, k.answered_at FROM calls k
                WHERE k.answered_at >= COALESCE((SELECT x.answered_at FROM calls x WHERE x.id = $3), $1)
                    AND k.answered_at < $2
                    AND (k.answered_at > COALESCE((SELECT x.answered_at FROM calls x WHERE x.id = $3), $1)
                        OR k.id > $3)
                    AND ($9 = '' OR k.number = $9)
                    AND (($5 = '' AND $6 = 0 AND $7 = 0 AND $8 = 0) OR EXISTS (
                        SELECT 1 FROM attendances t JOIN conferences c ON c.id = t.conference
                            JOIN accounts a ON a.id = c.account
                        WHERE t.call = k.id AND ($5 = '' OR lower(a.department) = lower($5))
                            AND ($6 = 0 OR c.account = $6) AND ($7 = 0 OR c.booking = $7)
                            AND ($8 = 0 OR c.id = $8)))
                    AND ",
            $entry,
            " ORDER BY k.answered_at, k.id LIMIT $4)
            SELECT ",
            call_fields!($array),
            "
            FROM page p CROSS JOIN calls k
                LEFT JOIN attendances t ON t.call = k.id
                LEFT JOIN conferences c ON c.id = t.conference
                LEFT JOIN accounts a ON a.id = c.account LEFT JOIN bookings b ON b.id = c.booking
            WHERE k.id = p.id AND ($5 = '' OR lower(a.department) = lower($5)) AND ($6 = 0 OR c.account = $6)
                AND ($7 = 0 OR c.booking = $7) AND ($8 = 0 OR c.id = $8)"
        )
    };
}
pub(super) const CALLS: Sql = in_both!(calls!("$9 = ''"));
pub(super) const CALLS_OF_ACCOUNT: Sql = in_both!(calls!(
    "k.id IN (SELECT y.call FROM conferences z JOIN attendances y ON y.conference = z.id
        WHERE z.account = $6)"
));
pub(super) const CALLS_OF_BOOKING: Sql = in_both!(calls!(
    "k.id IN (SELECT y.call FROM conferences z JOIN attendances y ON y.conference = z.id
        WHERE z.booking = $7)"
));
pub(super) const CALLS_OF_DEPARTMENT: Sql = in_both!(calls!(
    "k.id IN (SELECT y.call FROM accounts v JOIN conferences z ON z.account = v.id
        JOIN attendances y ON y.conference = z.id WHERE lower(v.department) = lower($5))"
));
pub(super) const CALLS_OF_CONFERENCE: Sql = in_both!(calls!(
    "k.id IN (SELECT y.call FROM attendances y WHERE y.conference = $8)"
));
pub(super) const CALLS_OF_NUMBER: Sql = in_both!(calls!("k.number = $9"));

pub(super) const EVENTS: &str =
    "SELECT e.conference, e.at, e.what, e.call, e.command, e.about, e.refusal, u.email AS operator
    FROM events e LEFT JOIN users u ON u.id = e.operator WHERE e.conference = $1 ORDER BY e.at, e.id";

pub(super) const USAGE: &str = "
    SELECT c.account, a.name AS owner, a.email, a.department, a.cost_code,
        COUNT(DISTINCT c.id) AS conferences, COUNT(t.admitted_at) AS calls,
        CAST(COALESCE(SUM(CASE WHEN t.departed_at > t.admitted_at THEN t.departed_at - t.admitted_at ELSE 0 END), 0)
            AS BIGINT) AS spent
    FROM conferences c JOIN accounts a ON a.id = c.account LEFT JOIN attendances t ON t.conference = c.id
    WHERE c.started_at >= $1 AND c.started_at < $2
    GROUP BY c.account, a.name, a.email, a.department, a.cost_code ORDER BY c.account";

// The conferences of the period come first: grouping by account would lead through all there ever were.
pub(super) const HINTS: &str = "
    WITH held AS MATERIALIZED (SELECT id, account FROM conferences
        WHERE started_at >= $1 AND started_at < $2 AND booking IS NULL)
    SELECT p.account, a.name AS owner, COUNT(DISTINCT k.number) AS numbers,
        COUNT(DISTINCT e.id) AS another_host
    FROM held p JOIN accounts a ON a.id = p.account
        LEFT JOIN attendances t ON t.conference = p.id AND t.role = 'host'
        LEFT JOIN calls k ON k.id = t.call
        LEFT JOIN events e ON e.conference = p.id AND e.what = 'another-host'
    GROUP BY p.account, a.name HAVING COUNT(DISTINCT k.number) >= $3 OR COUNT(DISTINCT e.id) > 0
    ORDER BY COUNT(DISTINCT k.number) DESC, p.account";

impl SqlStore {
    pub(super) async fn conferences_of(&self, filter: &ReportFilter) -> Result<Vec<ConferenceRow>> {
        let sql = match (filter.booking, filter.account, &filter.department) {
            (Some(_), ..) => CONFERENCES_OF_BOOKING,
            (None, Some(_), _) => CONFERENCES_OF_ACCOUNT,
            (None, None, Some(_)) => CONFERENCES_OF_DEPARTMENT,
            (None, None, None) => CONFERENCES,
        };
        let (from, to) = bounds(filter.period);
        let args = args![
            from,
            to,
            filter.page.after,
            filter.page.limit(),
            filter.department.as_deref().unwrap_or(""),
            filter.account.map_or(0, |account| account.0),
            filter.booking.map_or(0, |booking| booking.0)
        ];
        let rows = self.db.all(sql, args).await?;
        rows.iter().map(conference_from).collect()
    }

    pub(super) async fn conference_of(&self, id: u64) -> Result<Option<ConferenceRow>> {
        let row = self.db.one(CONFERENCE, args![id]).await?;
        row.as_ref().map(conference_from).transpose()
    }

    pub(super) async fn calls_of(&self, filter: &ReportFilter) -> Result<Vec<CallRow>> {
        let sql = match filter {
            ReportFilter {
                conference: Some(_),
                ..
            } => CALLS_OF_CONFERENCE,
            ReportFilter {
                booking: Some(_), ..
            } => CALLS_OF_BOOKING,
            ReportFilter {
                number: Some(_), ..
            } => CALLS_OF_NUMBER,
            ReportFilter {
                account: Some(_), ..
            } => CALLS_OF_ACCOUNT,
            ReportFilter {
                department: Some(_),
                ..
            } => CALLS_OF_DEPARTMENT,
            ReportFilter { .. } => CALLS,
        };
        let (from, to) = bounds(filter.period);
        let args = args![
            from,
            to,
            filter.page.after,
            filter.page.limit(),
            filter.department.as_deref().unwrap_or(""),
            filter.account.map_or(0, |account| account.0),
            filter.booking.map_or(0, |booking| booking.0),
            filter.conference.unwrap_or(0),
            filter.number.as_deref().unwrap_or("")
        ];
        let mut calls = self.db.each(sql, args, fields_from).await?;
        calls.sort_by_key(|call| (call.answered, call.id, call.visit));
        calls.into_iter().map(CallRow::try_from).collect()
    }

    pub(super) async fn events_of(&self, conference: u64) -> Result<Vec<EventRow>> {
        let rows = self.db.all(EVENTS, args![conference]).await?;
        rows.iter().map(event_from).collect()
    }

    pub(super) async fn usage_in(&self, period: Period) -> Result<Vec<UsageRow>> {
        let (from, to) = bounds(period);
        let rows = self.db.all(USAGE, args![from, to]).await?;
        rows.iter().map(usage_from).collect()
    }

    pub(super) async fn hints_in(&self, period: Period, numbers: u32) -> Result<Vec<Hint>> {
        let (from, to) = bounds(period);
        let rows = self.db.all(HINTS, args![from, to, numbers]).await?;
        rows.iter().map(hint_from).collect()
    }
}

/// Milliseconds that both databases can reckon with.
pub(super) fn bounds(period: Period) -> (i64, i64) {
    const FAR: i64 = 1 << 53;
    let millis = |at: chrono::DateTime<chrono::Utc>| at.timestamp_millis();
    (
        period.from.map_or(-FAR, millis),
        period.to.map_or(FAR, millis),
    )
}

fn conference_from(row: &Row) -> Result<ConferenceRow> {
    Ok(ConferenceRow {
        id: row.id("id")?,
        account: AccountId(row.id("account")?),
        owner: row.text("owner")?,
        department: row.text_opt("department")?,
        cost_code: row.text_opt("cost_code")?,
        booking: row.id_opt("booking")?.map(BookingId),
        title: row.text_opt("title")?,
        started: row.moment("started_at")?,
        ended: row.moment_opt("ended_at")?,
        reason: row.text_opt("reason")?,
        calls: row.id("calls")?,
        admitted: row.id("admitted")?,
    })
}

/// What `call_fields` put together, in its order.
#[derive(Deserialize)]
pub(super) struct CallFields {
    id: u64,
    trunk: String,
    number: Option<String>,
    #[serde(with = "millis")]
    answered: DateTime<Utc>,
    #[serde(with = "millis_opt")]
    ended: Option<DateTime<Utc>>,
    reason: Option<String>,
    codec: Option<String>,
    encryption: Option<String>,
    packets_lost: Option<u64>,
    jitter_ms: Option<f64>,
    mos: Option<f64>,
    wrong_pins: u64,
    visit: Option<u64>,
    conference: Option<u64>,
    role: Option<String>,
    holder: Option<String>,
    #[serde(with = "millis_opt")]
    arrived: Option<DateTime<Utc>>,
    #[serde(with = "millis_opt")]
    admitted: Option<DateTime<Utc>>,
    #[serde(with = "millis_opt")]
    departed: Option<DateTime<Utc>>,
    visit_reason: Option<String>,
    account: Option<u64>,
    owner: Option<String>,
    booking: Option<u64>,
    title: Option<String>,
}

pub(super) fn fields_from(row: &Row) -> Result<CallFields> {
    serde_json::from_str(row.str("fields")?).map_err(|error| bad("fields", error))
}

impl TryFrom<CallFields> for CallRow {
    type Error = StoreError;

    fn try_from(call: CallFields) -> Result<Self> {
        let visit = match call.conference {
            None => None,
            Some(conference) => Some(Visit {
                conference,
                account: AccountId(some("account", call.account)?),
                owner: some("owner", call.owner)?,
                booking: call.booking.map(BookingId),
                title: call.title,
                role: role_from(&some("role", call.role)?)?,
                holder: call.holder,
                arrived: some("arrived_at", call.arrived)?,
                admitted: call.admitted,
                departed: call.departed,
                reason: call.visit_reason,
            }),
        };
        Ok(Self {
            id: call.id,
            trunk: call.trunk,
            number: call.number,
            answered: call.answered,
            ended: call.ended,
            reason: call.reason,
            wrong_pins: call.wrong_pins,
            visit,
            media: CallMedia {
                codec: call.codec,
                encryption: call.encryption,
                packets_lost: call.packets_lost,
                jitter_ms: call.jitter_ms,
                mos: call.mos,
            },
        })
    }
}

fn event_from(row: &Row) -> Result<EventRow> {
    Ok(EventRow {
        conference: row.id("conference")?,
        at: row.moment("at")?,
        what: row.text("what")?,
        call: row.id_opt("call")?,
        operator: row.text_opt("operator")?,
        command: row.text_opt("command")?,
        about: row.id_opt("about")?,
        refusal: row.text_opt("refusal")?,
    })
}

fn usage_from(row: &Row) -> Result<UsageRow> {
    Ok(UsageRow {
        account: AccountId(row.id("account")?),
        owner: row.text("owner")?,
        email: row.text("email")?,
        department: row.text_opt("department")?,
        cost_code: row.text_opt("cost_code")?,
        conferences: row.id("conferences")?,
        calls: row.id("calls")?,
        seconds: row.id("spent")? / 1000,
    })
}

fn hint_from(row: &Row) -> Result<Hint> {
    Ok(Hint {
        account: AccountId(row.id("account")?),
        owner: row.text("owner")?,
        numbers: row.id("numbers")?,
        another_host: row.id("another_host")?,
    })
}
