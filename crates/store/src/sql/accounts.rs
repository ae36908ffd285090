//! Accounts, PINs and the doors behind them.

use chrono::{DateTime, Utc};
use conclave_accounts::{
    Account, AccountId, AccountState, ConferenceKey, Door, Owner, PinLookup, Role, Source, Terms,
};

use super::{Row, SqlStore, Turn, args};
use crate::error::{Result, bad};
use crate::store::{KNOWN_FOR, PIN_REST, Store};
use crate::{
    CallRow, ConferenceRow, EventRow, Find, NewAccount, Period, PinCount, StoreError, StoredPin,
};

pub(super) const DOOR: &str = "
    SELECT p.account, p.role, a.state, a.terms, CASE WHEN EXISTS (
        SELECT 1 FROM known_numbers k WHERE k.account = p.account AND k.number = $2 AND k.last_at >= $3
    ) THEN 1 ELSE 0 END AS known
    FROM pins p JOIN accounts a ON a.id = p.account
    WHERE p.lookup = $1 AND p.retired_at IS NULL";
pub(super) const ADD_ACCOUNT: &str =
    "INSERT INTO accounts (name, email, state, bookings, terms, made_at)
    VALUES ($1, $2, 'active', $3, $4, $5) RETURNING id";
pub(super) const FORGET_RESTED_PIN: &str =
    "DELETE FROM pins WHERE lookup = $1 AND retired_at <= $2";
pub(super) const ADD_PIN: &str =
    "INSERT INTO pins (lookup, account, role, digits, check_digit, made_at, forced)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
pub(super) const RETIRE_PIN: &str =
    "UPDATE pins SET retired_at = $3 WHERE account = $1 AND role = $2 AND retired_at IS NULL";
pub(super) const STATE: &str = "SELECT state FROM accounts WHERE id = $1";
pub(super) const SET_STATE: &str = "UPDATE accounts SET state = $2 WHERE id = $1";
const COUNT_PINS: &str = "
    SELECT p.digits, p.check_digit, p.role, p.forced, COUNT(*) AS pins
    FROM pins p JOIN accounts a ON a.id = p.account
    WHERE p.retired_at IS NULL AND a.state = 'active'
    GROUP BY p.digits, p.check_digit, p.role, p.forced
    ORDER BY p.digits, p.check_digit, p.role, p.forced";
const ALL: &str = "SELECT id, name, email, state, bookings, terms FROM accounts ORDER BY id";
pub(super) const BY_ID: &str =
    "SELECT id, name, email, state, bookings, terms FROM accounts WHERE id = $1";
pub(super) const BY_EMAIL: &str = "SELECT id, name, email, state, bookings, terms FROM accounts
    WHERE lower(email) = lower($1) ORDER BY id";
/// What holds the letters is another text without them: so both databases can say it.
const BY_TEXT: &str = "SELECT id, name, email, state, bookings, terms FROM accounts
    WHERE replace(lower(name), lower($1), '') <> lower(name)
    OR replace(lower(email), lower($1), '') <> lower(email) ORDER BY id";

impl Store for SqlStore {
    async fn door(
        &self,
        pin: &PinLookup,
        source: &Source,
        now: DateTime<Utc>,
    ) -> Result<Option<Door>> {
        let args = args![pin.as_bytes(), source.number.as_deref(), now - KNOWN_FOR];
        let Some(row) = self.db.one(DOOR, args).await? else {
            return Ok(None);
        };
        let account = AccountId(row.id("account")?);
        Ok(Some(Door {
            account,
            conference: ConferenceKey::Account(account),
            role: role_from(&row.text("role")?)?,
            state: state_from(&row.text("state")?)?,
            terms: terms_from(&row.text("terms")?)?,
            window: None,
            known: row.flag("known")?,
            holder: None,
            invitee: None,
        }))
    }

    async fn add_account(&self, new: NewAccount, now: DateTime<Utc>) -> Result<Account> {
        let terms = serde_json::to_string(&new.terms).map_err(|e| bad("terms", e))?;
        let (name, email) = (new.owner.name(), new.owner.email());
        let mut turn = self.db.begin().await?;
        let added = turn
            .one(ADD_ACCOUNT, args![name, email, new.bookings, &terms, now])
            .await?;
        let id = AccountId(
            added
                .ok_or_else(|| bad("id", "no row was added"))?
                .id("id")?,
        );
        add_pin(&mut turn, id, Role::Host, &new.host, now).await?;
        add_pin(&mut turn, id, Role::Guest, &new.guest, now).await?;
        turn.commit().await?;
        Ok(new.into_account(id))
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        Ok(self.accounts(&Find::Id(id)).await?.pop())
    }

    async fn accounts(&self, find: &Find) -> Result<Vec<Account>> {
        let rows = match find {
            Find::All => self.db.all(ALL, args![]).await?,
            Find::Id(id) => self.db.all(BY_ID, args![*id]).await?,
            Find::Email(email) => self.db.all(BY_EMAIL, args![email]).await?,
            Find::Text(text) => self.db.all(BY_TEXT, args![text]).await?,
        };
        rows.iter().map(account_from).collect()
    }

    async fn set_state(
        &self,
        id: AccountId,
        state: AccountState,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut turn = self.db.begin().await?;
        open_account(&mut turn, id).await?;
        turn.run(SET_STATE, args![id, state_word(state)]).await?;
        if state == AccountState::Closed {
            retire_pin(&mut turn, id, Role::Host, now).await?;
            retire_pin(&mut turn, id, Role::Guest, now).await?;
        }
        turn.commit().await
    }

    async fn reset_pin(
        &self,
        id: AccountId,
        role: Role,
        pin: StoredPin,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut turn = self.db.begin().await?;
        open_account(&mut turn, id).await?;
        retire_pin(&mut turn, id, role, now).await?;
        add_pin(&mut turn, id, role, &pin, now).await?;
        turn.commit().await
    }

    async fn pins(&self) -> Result<Vec<PinCount>> {
        let rows = self.db.all(COUNT_PINS, args![]).await?;
        rows.iter()
            .map(|row| {
                let digits = row.int("digits")?;
                Ok(PinCount {
                    digits: u8::try_from(digits).map_err(|e| bad("digits", e))?,
                    check_digit: row.flag("check_digit")?,
                    role: role_from(&row.text("role")?)?,
                    forced: row.flag("forced")?,
                    count: row.id("pins")?,
                })
            })
            .collect()
    }

    async fn conferences(&self, period: Period) -> Result<Vec<ConferenceRow>> {
        super::reports::conferences(&self.db, period).await
    }

    async fn calls(&self, period: Period) -> Result<Vec<CallRow>> {
        super::reports::calls(&self.db, period).await
    }

    async fn events(&self, conference: u64) -> Result<Vec<EventRow>> {
        super::reports::events(&self.db, conference).await
    }
}

/// Leaves the turn to be rolled back where the PIN can't be given.
async fn add_pin(
    turn: &mut Turn,
    id: AccountId,
    role: Role,
    pin: &StoredPin,
    now: DateTime<Utc>,
) -> Result<()> {
    let lookup = pin.lookup.as_bytes();
    turn.run(FORGET_RESTED_PIN, args![lookup, now - PIN_REST])
        .await?;
    let (role, digits) = (role_word(role), pin.digits);
    let args = args![lookup, id, role, digits, pin.check_digit, now, pin.forced];
    match turn.run(ADD_PIN, args).await {
        Err(e) if e.is_unique_violation() => Err(StoreError::PinTaken),
        other => other.map(drop),
    }
}

async fn retire_pin(turn: &mut Turn, id: AccountId, role: Role, now: DateTime<Utc>) -> Result<()> {
    turn.run(RETIRE_PIN, args![id, role_word(role), now])
        .await
        .map(drop)
}

/// That the account is there and not closed.
async fn open_account(turn: &mut Turn, id: AccountId) -> Result<()> {
    let found = turn.one(STATE, args![id]).await?;
    let row = found.ok_or(StoreError::NoSuchAccount(id))?;
    match state_from(&row.text("state")?)? {
        AccountState::Closed => Err(StoreError::Closed(id)),
        AccountState::Active | AccountState::Suspended => Ok(()),
    }
}

fn account_from(row: &Row) -> Result<Account> {
    let owner = Owner::new(&row.text("name")?, &row.text("email")?);
    Ok(Account {
        id: AccountId(row.id("id")?),
        owner: owner.map_err(|e| bad("owner", e))?,
        state: state_from(&row.text("state")?)?,
        department: None,
        cost_code: None,
        bookings: row.flag("bookings")?,
        terms: terms_from(&row.text("terms")?)?,
    })
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
