//! Which part of the books is read, and what comes out of them.

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{Account, AccountId, Booking, BookingId};
use serde::Serialize;

use crate::{ApiToken, Broken, CallRow, Page, Period, RecordingRow, User, Webhook};

/// Which conferences or calls. Everything that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFilter {
    /// That began in this period.
    pub period: Period,
    /// Of this account alone.
    pub account: Option<AccountId>,
    /// Of this booking alone.
    pub booking: Option<BookingId>,
    /// Of accounts in this department, upper or lower case.
    pub department: Option<String>,
    /// From this caller's number (calls).
    pub number: Option<String>,
    /// In this conference, by its number in the books (calls).
    pub conference: Option<u64>,
    /// Which part of the list; `after` is the id of the last row of the page before.
    pub page: Page,
}

impl ReportFilter {
    /// Everything in a period.
    pub fn all(period: Period) -> Self {
        Self {
            period,
            account: None,
            booking: None,
            department: None,
            number: None,
            conference: None,
            page: Page::all(),
        }
    }
}

/// What an account's conferences came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UsageRow {
    /// Which account.
    pub account: AccountId,
    /// Its owner's name.
    pub owner: String,
    /// Its owner's e-mail address.
    pub email: String,
    /// Where the owner works.
    pub department: Option<String>,
    /// Whom its costs are charged to.
    pub cost_code: Option<String>,
    /// How many conferences started.
    pub conferences: u64,
    /// How many calls were let in.
    pub calls: u64,
    /// How long those calls were in, together; those that are in yet are not counted.
    pub seconds: u64,
}

/// A Host PIN that looks shared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hint {
    /// Whose account.
    pub account: AccountId,
    /// Its owner's name.
    pub owner: String,
    /// From how many different numbers its Host PIN was used.
    pub numbers: u64,
    /// How often a second Host came while one was in.
    pub another_host: u64,
}

/// Which entries of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditPage {
    /// That were written in this period.
    pub period: Period,
    /// Whose kind begins so, such as `account.`.
    pub kind: Option<String>,
    /// After the entry of this number.
    pub after: u64,
    /// Up to the entry of this number: of a period, where its [span](crate::Store::audit_span) is known, so that what
    /// comes after it isn't looked through.
    pub last: Option<u64>,
    /// So many at most; 0 for as many as a page holds.
    pub limit: u32,
}

impl AuditPage {
    /// The entries of a period whose [span](crate::Store::audit_span) is known, after the one of number `after`.
    pub fn of(period: Period, (first, last): (u64, u64), after: u64) -> Self {
        Self {
            period,
            after: after.max(first.saturating_sub(1)),
            last: Some(last),
            ..Self::default()
        }
    }
}

/// An entry of the audit log, as reports show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditRow {
    /// Its place in the chain.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// What happened, such as `account.suspended`.
    pub kind: String,
    /// The particulars, with names and numbers in place of their commitments where they aren't erased.
    pub body: serde_json::Value,
}

/// Everything that is kept of a person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Person {
    /// The e-mail address that was asked for.
    pub email: String,
    /// As whom they sign in to the portal.
    pub user: Option<User>,
    /// The tokens by which programs act in their name; what proves one is not kept.
    pub api_tokens: Vec<ApiToken>,
    /// The addresses that they have told of what happens, without what signs it.
    pub webhooks: Vec<Webhook>,
    /// Their accounts.
    pub accounts: Vec<Account>,
    /// The bookings of these accounts, and those that they were invited to.
    pub bookings: Vec<Booking>,
    /// The calls that came with one of their personal PINs or Host PINs.
    pub calls: Vec<CallRow>,
    /// The numbers that their accounts know.
    pub known_numbers: Vec<KnownNumber>,
    /// What their accounts recorded, and what holds their voice alone.
    pub recordings: Vec<RecordingRow>,
    /// The entries of the audit log that speak of them or their calls.
    pub audit: Vec<AuditRow>,
}

/// A number from which callers were let in on an account, so that it isn't held up when somebody guesses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownNumber {
    /// On which account.
    pub account: AccountId,
    /// The number.
    pub number: String,
    /// When a caller from it was let in last.
    pub last_at: DateTime<Utc>,
}

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Calls and conferences: 13 months by default.
    pub calls: TimeDelta,
    /// Callers' numbers in full, which are masked then: 90 days by default.
    pub numbers: TimeDelta,
    /// The audit log: 400 days by default.
    pub audit: TimeDelta,
    /// Recordings: 30 days by default. Who serves deletes the files.
    pub recordings: TimeDelta,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            calls: TimeDelta::days(396),
            numbers: TimeDelta::days(90),
            audit: TimeDelta::days(400),
            recordings: TimeDelta::days(30),
        }
    }
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Calls that were dropped.
    pub calls: u64,
    /// Numbers that were masked.
    pub masked: u64,
    /// Entries of the audit log that were dropped.
    pub audit: u64,
    /// PINs of bookings that were over.
    pub pins: u64,
    /// Why the audit log's front is kept: it was tampered with.
    pub broken: Option<Broken>,
    /// Whether there is more to do: sweep again soon.
    pub more: bool,
}
