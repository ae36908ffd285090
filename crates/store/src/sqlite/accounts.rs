//! Accounts, PINs and the doors behind them.

use chrono::{DateTime, Utc};
use conclave_accounts::{
    Account, AccountId, AccountState, ConferenceKey, Door, Owner, PinLookup, Role, Source, Terms,
};
use sqlx::{Sqlite, Transaction};

use super::{SqliteStore, bad, millis};
use crate::error::Result;
use crate::store::{KNOWN_FOR, PIN_REST, Store};
use crate::{
    CallRow, ConferenceRow, EventRow, Find, NewAccount, Period, PinCount, StoreError, StoredPin,
};

pub(super) const DOOR: &str = "
    SELECT p.account, p.role, a.state, a.terms,
        EXISTS (SELECT 1 FROM known_numbers k WHERE k.account = p.account AND k.number = ?2 AND k.last_at >= ?3)
    FROM pins p JOIN accounts a ON a.id = p.account
    WHERE p.lookup = ?1 AND p.retired_at IS NULL";
const ADD_ACCOUNT: &str = "INSERT INTO accounts (name, email, state, bookings, terms, made_at) VALUES (?1, ?2, 'active', ?3, ?4, ?5)";
pub(super) const FORGET_RESTED_PIN: &str =
    "DELETE FROM pins WHERE lookup = ?1 AND retired_at <= ?2";
const ADD_PIN: &str = "INSERT INTO pins (lookup, account, role, digits, check_digit, made_at, forced) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
pub(super) const RETIRE_PIN: &str =
    "UPDATE pins SET retired_at = ?3 WHERE account = ?1 AND role = ?2 AND retired_at IS NULL";
pub(super) const STATE: &str = "SELECT state FROM accounts WHERE id = ?1";
pub(super) const SET_STATE: &str = "UPDATE accounts SET state = ?2 WHERE id = ?1";
const COUNT_PINS: &str = "
    SELECT p.digits, p.check_digit, p.role, p.forced, COUNT(*)
    FROM pins p JOIN accounts a ON a.id = p.account
    WHERE p.retired_at IS NULL AND a.state = 'active'
    GROUP BY p.digits, p.check_digit, p.role, p.forced
    ORDER BY p.digits, p.check_digit, p.role, p.forced";
const ALL: &str = "SELECT id, name, email, state, bookings, terms FROM accounts ORDER BY id";
pub(super) const BY_ID: &str =
    "SELECT id, name, email, state, bookings, terms FROM accounts WHERE id = ?1";
pub(super) const BY_EMAIL: &str =
    "SELECT id, name, email, state, bookings, terms FROM accounts WHERE email = ?1 ORDER BY id";
const BY_TEXT: &str = "SELECT id, name, email, state, bookings, terms FROM accounts
    WHERE instr(lower(name), lower(?1)) > 0 OR instr(lower(email), lower(?1)) > 0 ORDER BY id";

impl Store for SqliteStore {
    async fn door(
        &self,
        pin: &PinLookup,
        source: &Source,
        now: DateTime<Utc>,
    ) -> Result<Option<Door>> {
        let found: Option<(i64, String, String, String, bool)> = sqlx::query_as(DOOR)
            .bind(&pin.as_bytes()[..])
            .bind(source.number.as_deref())
            .bind(millis(now - KNOWN_FOR))
            .fetch_optional(&self.0.readers)
            .await?;
        let Some((account, role, state, terms, known)) = found else {
            return Ok(None);
        };
        let account = AccountId(account.cast_unsigned());
        Ok(Some(Door {
            account,
            conference: ConferenceKey::Account(account),
            role: role_from(&role)?,
            state: state_from(&state)?,
            terms: terms_from(&terms)?,
            window: None,
            known,
            holder: None,
            invitee: None,
        }))
    }

    async fn add_account(&self, new: NewAccount, now: DateTime<Utc>) -> Result<Account> {
        let terms = serde_json::to_string(&new.terms).map_err(|e| bad("terms", e))?;
        let mut turn = self.begin().await?;
        let added = sqlx::query(ADD_ACCOUNT)
            .bind(new.owner.name())
            .bind(new.owner.email())
            .bind(new.bookings)
            .bind(terms)
            .bind(millis(now))
            .execute(&mut *turn)
            .await?;
        let id = AccountId(added.last_insert_rowid().cast_unsigned());
        add_pin(&mut turn, id, Role::Host, &new.host, now).await?;
        add_pin(&mut turn, id, Role::Guest, &new.guest, now).await?;
        turn.commit().await?;
        Ok(new.into_account(id))
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        Ok(self.accounts(&Find::Id(id)).await?.pop())
    }

    async fn accounts(&self, find: &Find) -> Result<Vec<Account>> {
        let query = match find {
            Find::All => sqlx::query_as(ALL),
            Find::Id(id) => sqlx::query_as(BY_ID).bind(id.0.cast_signed()),
            Find::Email(email) => sqlx::query_as(BY_EMAIL).bind(email),
            Find::Text(text) => sqlx::query_as(BY_TEXT).bind(text),
        };
        let rows: Vec<AccountRow> = query.fetch_all(&self.0.readers).await?;
        rows.into_iter().map(Account::try_from).collect()
    }

    async fn set_state(
        &self,
        id: AccountId,
        state: AccountState,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut turn = self.begin().await?;
        open_account(&mut turn, id).await?;
        sqlx::query(SET_STATE)
            .bind(id.0.cast_signed())
            .bind(state_word(state))
            .execute(&mut *turn)
            .await?;
        if state == AccountState::Closed {
            retire_pin(&mut turn, id, Role::Host, now).await?;
            retire_pin(&mut turn, id, Role::Guest, now).await?;
        }
        Ok(turn.commit().await?)
    }

    async fn reset_pin(
        &self,
        id: AccountId,
        role: Role,
        pin: StoredPin,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut turn = self.begin().await?;
        open_account(&mut turn, id).await?;
        retire_pin(&mut turn, id, role, now).await?;
        add_pin(&mut turn, id, role, &pin, now).await?;
        Ok(turn.commit().await?)
    }

    async fn pins(&self) -> Result<Vec<PinCount>> {
        let rows: Vec<(u8, bool, String, bool, i64)> = sqlx::query_as(COUNT_PINS)
            .fetch_all(&self.0.readers)
            .await?;
        rows.into_iter()
            .map(|(digits, check_digit, role, forced, count)| {
                Ok(PinCount {
                    digits,
                    check_digit,
                    role: role_from(&role)?,
                    forced,
                    count: count.cast_unsigned(),
                })
            })
            .collect()
    }

    async fn conferences(&self, period: Period) -> Result<Vec<ConferenceRow>> {
        super::reports::conferences(&self.0.readers, period).await
    }

    async fn calls(&self, period: Period) -> Result<Vec<CallRow>> {
        super::reports::calls(&self.0.readers, period).await
    }

    async fn events(&self, conference: u64) -> Result<Vec<EventRow>> {
        super::reports::events(&self.0.readers, conference).await
    }
}

type Turn = Transaction<'static, Sqlite>;

/// Leaves the turn to be rolled back where the PIN can't be given.
async fn add_pin(
    turn: &mut Turn,
    id: AccountId,
    role: Role,
    pin: &StoredPin,
    now: DateTime<Utc>,
) -> Result<()> {
    let lookup = &pin.lookup.as_bytes()[..];
    sqlx::query(FORGET_RESTED_PIN)
        .bind(lookup)
        .bind(millis(now - PIN_REST))
        .execute(&mut **turn)
        .await?;
    let added = sqlx::query(ADD_PIN)
        .bind(lookup)
        .bind(id.0.cast_signed())
        .bind(role_word(role))
        .bind(pin.digits)
        .bind(pin.check_digit)
        .bind(millis(now))
        .bind(pin.forced)
        .execute(&mut **turn)
        .await;
    match added {
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => Err(StoreError::PinTaken),
        other => Ok(other.map(drop)?),
    }
}

async fn retire_pin(turn: &mut Turn, id: AccountId, role: Role, now: DateTime<Utc>) -> Result<()> {
    let retire = sqlx::query(RETIRE_PIN)
        .bind(id.0.cast_signed())
        .bind(role_word(role))
        .bind(millis(now));
    Ok(retire.execute(&mut **turn).await.map(drop)?)
}

/// That the account is there and not closed.
async fn open_account(turn: &mut Turn, id: AccountId) -> Result<()> {
    let state: Option<(String,)> = sqlx::query_as(STATE)
        .bind(id.0.cast_signed())
        .fetch_optional(&mut **turn)
        .await?;
    match state {
        None => Err(StoreError::NoSuchAccount(id)),
        Some((state,)) if state_from(&state)? == AccountState::Closed => {
            Err(StoreError::Closed(id))
        }
        Some(_) => Ok(()),
    }
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    id: i64,
    name: String,
    email: String,
    state: String,
    bookings: bool,
    terms: String,
}

impl TryFrom<AccountRow> for Account {
    type Error = StoreError;

    fn try_from(row: AccountRow) -> Result<Self> {
        Ok(Self {
            id: AccountId(row.id.cast_unsigned()),
            owner: Owner::new(&row.name, &row.email).map_err(|e| bad("owner", e))?,
            state: state_from(&row.state)?,
            department: None,
            cost_code: None,
            bookings: row.bookings,
            terms: terms_from(&row.terms)?,
        })
    }
}

fn terms_from(json: &str) -> Result<Terms> {
    serde_json::from_str(json).map_err(|e| bad("terms", e))
}

pub(super) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Host => "host",
        Role::Guest => "guest",
    }
}

pub(super) fn role_from(word: &str) -> Result<Role> {
    match word {
        "host" => Ok(Role::Host),
        "guest" => Ok(Role::Guest),
        other => Err(bad("role", other)),
    }
}

fn state_word(state: AccountState) -> &'static str {
    match state {
        AccountState::Active => "active",
        AccountState::Suspended => "suspended",
        AccountState::Closed => "closed",
    }
}

fn state_from(word: &str) -> Result<AccountState> {
    match word {
        "active" => Ok(AccountState::Active),
        "suspended" => Ok(AccountState::Suspended),
        "closed" => Ok(AccountState::Closed),
        other => Err(bad("state", other)),
    }
}
