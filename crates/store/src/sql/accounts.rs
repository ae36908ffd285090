//! Accounts, PINs and the doors behind them.

use chrono::{DateTime, Utc};
use conclave_accounts::{
    Account, AccountId, AccountState, BookingId, ConferenceKey, Door, InviteeId, Notice, Owner,
    PinLookup, Role, Source, Terms,
};

use super::audit::{Deed, Note};
use super::{Row, SqlStore, Turn, args, bookings, tokens, watch};
use crate::error::{Result, bad};
use crate::store::{Found, KNOWN_FOR, PIN_REST, Totals};
use crate::{
    AccountChange, Act, Find, NewAccount, Page, PinCount, SealedGuestPin, StoreError, StoredPin,
};

// A PIN that was taken out of use, or of a booking whose times are over, is found too: it is no guess at one that opens.
pub(super) const DOOR: &str = "
    SELECT p.lookup, p.account, p.role, p.booking, p.invitee, p.pin_key, p.retired_at, p.sealed IS NOT NULL AS sealed,
        a.state, a.terms, i.name AS holder, o.opens_at, o.starts_at, o.ends_at,
        CASE WHEN EXISTS (SELECT 1 FROM known_numbers k
            WHERE k.account = p.account AND k.number = $2 AND k.last_at >= $3) THEN 1 ELSE 0 END AS known
    FROM pins p JOIN accounts a ON a.id = p.account
        LEFT JOIN invitees i ON i.id = p.invitee
        LEFT JOIN occurrences o ON o.booking = p.booking AND o.ends_at =
            (SELECT MIN(x.ends_at) FROM occurrences x WHERE x.booking = p.booking AND x.ends_at > $4)
    WHERE p.lookup = $1";
pub(super) const ADD_ACCOUNT: &str = "
    INSERT INTO accounts (name, email, state, department, cost_code, bookings, terms, made_at)
    VALUES ($1, $2, 'active', $3, $4, $5, $6, $7) RETURNING id";
pub(super) const FORGET_RESTED_PIN: &str =
    "DELETE FROM pins WHERE lookup = $1 AND retired_at <= $2";
pub(super) const PIN_TAKEN: &str =
    "SELECT 1 AS taken FROM pins WHERE lookup = $1 AND (retired_at IS NULL OR retired_at > $2)";
pub(super) const ADD_PIN: &str = "
    INSERT INTO pins (lookup, account, role, digits, check_digit, made_at, forced, booking, invitee, pin_key, sealed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
pub(super) const ONE_PIN: &str = "SELECT digits, check_digit, role, forced, pin_key, booking
    FROM pins WHERE lookup = $1 AND retired_at IS NULL";
pub(super) const RETIRE: &str = "UPDATE pins SET retired_at = $2 WHERE lookup = $1";
pub(super) const OWN_PIN: &str = "SELECT lookup FROM pins
    WHERE account = $1 AND role = $2 AND retired_at IS NULL AND booking IS NULL";
pub(super) const OWN_GUEST_PIN: &str = "SELECT lookup, role, invitee, sealed FROM pins
    WHERE account = $1 AND role = 'guest' AND retired_at IS NULL AND booking IS NULL AND sealed IS NOT NULL";
pub(super) const REHASH: &str = "UPDATE pins SET lookup = $2, pin_key = $3, sealed = $4
    WHERE lookup = $1 AND retired_at IS NULL";
pub(super) const COUNT: &str = "
    INSERT INTO pin_counts (digits, check_digit, role, forced, pin_key, booking, count)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (digits, check_digit, role, forced, pin_key, booking)
        DO UPDATE SET count = pin_counts.count + excluded.count";
pub(super) const COUNTS: &str =
    "SELECT digits, check_digit, role, forced, pin_key, booking, count FROM pin_counts
    WHERE count > 0 ORDER BY digits, check_digit, role, forced, pin_key, booking";
pub(super) const STATE: &str = "SELECT state FROM accounts WHERE id = $1";
pub(super) const SET_STATE: &str = "UPDATE accounts SET state = $2 WHERE id = $1";
pub(super) const CHANGE: &str =
    "UPDATE accounts SET name = $2, email = $3, department = $4, cost_code = $5,
    bookings = $6, terms = $7 WHERE id = $1";
pub(super) const ANY: &str = "SELECT id FROM accounts ORDER BY id LIMIT 1";

macro_rules! accounts {
    ($condition:literal) => {
        concat!(
            "SELECT id, name, email, state, department, cost_code, bookings, terms FROM accounts WHERE id > $1 AND ",
            $condition,
            " ORDER BY id LIMIT $2"
        )
    };
}
pub(super) const ALL: &str = accounts!("$3 = 0");
pub(super) const BY_ID: &str = accounts!("id = $3");
pub(super) const BY_EMAIL: &str = accounts!("lower(email) = lower($3)");
// Parts of names are found by reading all: no index serves there.
pub(super) const BY_TEXT: &str = accounts!(
    "(lower(name) LIKE lower($3) ESCAPE '\\' OR lower(email) LIKE lower($3) ESCAPE '\\')"
);

/// Whose a PIN is.
#[derive(Clone, Copy)]
pub(super) struct PinOf {
    pub(super) account: AccountId,
    pub(super) booking: Option<BookingId>,
    pub(super) invitee: Option<InviteeId>,
    pub(super) role: Role,
}

impl PinOf {
    pub(super) fn account(account: AccountId, role: Role) -> Self {
        Self {
            account,
            booking: None,
            invitee: None,
            role,
        }
    }

    pub(super) fn booking(account: AccountId, booking: BookingId, role: Role) -> Self {
        Self {
            booking: Some(booking),
            ..Self::account(account, role)
        }
    }
}

impl SqlStore {
    /// Every lookup is asked for, whichever is found: a PIN under an old key takes no other time.
    pub(super) async fn find_door(
        &self,
        pin: &[PinLookup],
        source: &Source,
        now: DateTime<Utc>,
    ) -> Result<Option<Found>> {
        let mut found = None;
        for (index, lookup) in pin.iter().enumerate() {
            let args = args![
                &lookup.as_bytes()[..],
                source.number.as_deref(),
                now - KNOWN_FOR,
                now
            ];
            let row = self.db.one(DOOR, args).await?;
            if found.is_none() {
                found = row.map(|row| (index, row));
            }
        }
        let Some((index, row)) = found else {
            return Ok(None);
        };
        let door = door_from(&row)?;
        let in_use = row.moment_opt("retired_at")?.is_none();
        Ok(Some(Found {
            door,
            under_old_key: pin.get(index).copied().filter(|_| index > 0 && in_use),
            sealed: row.flag("sealed")?,
        }))
    }

    pub(super) async fn rehash(&self, old: &PinLookup, new: &StoredPin) -> Result<()> {
        let mut turn = self.db.begin().await?;
        let Some(row) = turn.one(ONE_PIN, args![&old.as_bytes()[..]]).await? else {
            return Ok(());
        };
        count(&mut turn, &row, row.int("pin_key")?, -1).await?;
        count(&mut turn, &row, i64::from(new.key), 1).await?;
        let args = args![
            &old.as_bytes()[..],
            &new.lookup.as_bytes()[..],
            new.key,
            new.sealed.as_ref().map(|sealed| sealed.as_bytes())
        ];
        turn.run(REHASH, args).await?;
        turn.commit().await
    }

    pub(super) async fn add(&self, new: Vec<NewAccount>, act: &Act) -> Result<Vec<Account>> {
        let mut deed = self.deed().await?;
        let mut added = Vec::with_capacity(new.len());
        for account in new {
            added.push(add_one(&mut deed, account, act).await?);
        }
        if let Some(first) = added.first() {
            tokens::once(&mut deed, act, first.id.0).await?;
        }
        deed.commit().await?;
        Ok(added)
    }

    pub(super) async fn find(&self, find: &Find, page: Page) -> Result<Vec<Account>> {
        let (after, limit) = (page.after, page.limit());
        let rows = match find {
            Find::All => self.db.all(ALL, args![after, limit, 0]).await?,
            Find::Id(id) => self.db.all(BY_ID, args![after, limit, *id]).await?,
            Find::Email(email) => self.db.all(BY_EMAIL, args![after, limit, email]).await?,
            Find::Text(text) => {
                let pattern = pattern(text);
                self.db.all(BY_TEXT, args![after, limit, &pattern]).await?
            }
        };
        rows.iter().map(account_from).collect()
    }

    pub(super) async fn change(
        &self,
        id: AccountId,
        change: &AccountChange,
        act: &Act,
    ) -> Result<Account> {
        let mut deed = self.deed().await?;
        open_account(&mut deed.turn, id).await?;
        let row = deed.turn.one(BY_ID, args![0, 1, id]).await?;
        let mut account = account_from(&row.ok_or(StoreError::NoSuchAccount(id))?)?;
        let changed = change.apply(&mut account);
        let terms = serde_json::to_string(&account.terms).map_err(|e| bad("terms", e))?;
        let args = args![
            id,
            account.owner.name(),
            account.owner.email(),
            account.department.as_deref(),
            account.cost_code.as_deref(),
            account.bookings,
            &terms
        ];
        deed.turn.run(CHANGE, args).await?;
        let mut note = Note::of(act, "account.changed")
            .number("account", id.0)
            .plain("changed", serde_json::json!(changed));
        if changed.contains(&"owner") {
            note = note.person("owner", account.owner.name(), account.owner.email());
        }
        deed.note(note).await?;
        deed.commit().await?;
        Ok(account)
    }

    pub(super) async fn put_state(
        &self,
        id: AccountId,
        state: AccountState,
        act: &Act,
    ) -> Result<()> {
        let mut deed = self.deed().await?;
        open_account(&mut deed.turn, id).await?;
        if state == AccountState::Closed {
            close(&mut deed, id, act).await?;
        } else {
            deed.turn
                .run(SET_STATE, args![id, state_word(state)])
                .await?;
            let kind = if state == AccountState::Active {
                "account.resumed"
            } else {
                "account.suspended"
            };
            deed.note(Note::of(act, kind).number("account", id.0))
                .await?;
        }
        deed.commit().await
    }

    pub(super) async fn replace_pin(
        &self,
        id: AccountId,
        role: Role,
        pin: &StoredPin,
        act: &Act,
    ) -> Result<()> {
        let mut deed = self.deed().await?;
        open_account(&mut deed.turn, id).await?;
        retire_own(&mut deed.turn, id, role, act.at).await?;
        add_pin(&mut deed.turn, PinOf::account(id, role), pin, act.at).await?;
        let note = Note::of(act, "account.pin-reset")
            .number("account", id.0)
            .word("role", role_word(role));
        deed.note(note).await?;
        deed.commit().await
    }

    pub(super) async fn own_guest_pin(&self, id: AccountId) -> Result<Option<SealedGuestPin>> {
        let row = self.db.one(OWN_GUEST_PIN, args![id]).await?;
        row.map(|row| bookings::sealed_from(&row)).transpose()
    }

    pub(super) async fn count_pins(&self) -> Result<Vec<PinCount>> {
        let rows = self.db.all(COUNTS, &[]).await?;
        let mut counts: Vec<PinCount> = Vec::new();
        for row in &rows {
            let one = PinCount {
                digits: u8::try_from(row.int("digits")?).map_err(|e| bad("digits", e))?,
                check_digit: row.flag("check_digit")?,
                role: role_from(&row.text("role")?)?,
                forced: row.flag("forced")?,
                count: row.id("count")?,
            };
            // Under which key they are kept, and whether they are bookings', makes them no harder to guess.
            match counts.last_mut() {
                Some(last)
                    if (PinCount {
                        count: one.count,
                        ..*last
                    }) == one =>
                {
                    last.count += one.count
                }
                _ => counts.push(one),
            }
        }
        Ok(counts)
    }

    pub(super) async fn count_by_key(&self) -> Result<Vec<(u32, u64)>> {
        let mut keys = std::collections::BTreeMap::new();
        for row in self.db.all(COUNTS, &[]).await? {
            let key = u32::try_from(row.int("pin_key")?).map_err(|e| bad("pin_key", e))?;
            *keys.entry(key).or_insert(0) += row.id("count")?;
        }
        Ok(keys.into_iter().collect())
    }

    pub(super) async fn count_totals(&self) -> Result<Totals> {
        let mut totals = Totals::default();
        for row in self.db.all(COUNTS, &[]).await? {
            if row.text("role")? == "host" {
                let of = if row.flag("booking")? {
                    &mut totals.bookings
                } else {
                    &mut totals.accounts
                };
                *of += row.id("count")?;
            }
        }
        Ok(totals)
    }

    pub(super) async fn any_account(&self) -> Result<bool> {
        Ok(self.db.one(ANY, &[]).await?.is_some())
    }
}

async fn add_one(deed: &mut Deed, new: NewAccount, act: &Act) -> Result<Account> {
    let terms = serde_json::to_string(&new.terms).map_err(|e| bad("terms", e))?;
    let args = args![
        new.owner.name(),
        new.owner.email(),
        new.department.as_deref(),
        new.cost_code.as_deref(),
        new.bookings,
        &terms,
        act.at
    ];
    let row = deed.turn.one(ADD_ACCOUNT, args).await?;
    let row = row.ok_or_else(|| bad("accounts", "nothing was inserted"))?;
    let id = AccountId(row.id("id")?);
    for (role, pin) in [(Role::Host, &new.host), (Role::Guest, &new.guest)] {
        add_pin(&mut deed.turn, PinOf::account(id, role), pin, act.at).await?;
    }
    let note = Note::of(act, "account.added")
        .number("account", id.0)
        .person("owner", new.owner.name(), new.owner.email());
    deed.note(note).await?;
    Ok(new.into_account(id))
}

/// Closes an account for good, within a deed.
pub(super) async fn close(deed: &mut Deed, id: AccountId, act: &Act) -> Result<()> {
    let closed = args![id, state_word(AccountState::Closed)];
    deed.turn.run(SET_STATE, closed).await?;
    for role in [Role::Host, Role::Guest] {
        retire_own(&mut deed.turn, id, role, act.at).await?;
    }
    bookings::cancel_all(deed, id, act).await?;
    deed.note(Note::of(act, "account.closed").number("account", id.0))
        .await
}

/// Leaves the turn to be rolled back where the PIN can't be given.
pub(super) async fn add_pin(
    turn: &mut Turn,
    of: PinOf,
    pin: &StoredPin,
    now: DateTime<Utc>,
) -> Result<()> {
    let lookup = &pin.lookup.as_bytes()[..];
    for older in &pin.others {
        let taken = args![&older.as_bytes()[..], now - PIN_REST];
        if turn.one(PIN_TAKEN, taken).await?.is_some() {
            return Err(StoreError::PinTaken);
        }
    }
    turn.run(FORGET_RESTED_PIN, args![lookup, now - PIN_REST])
        .await?;
    let row = args![
        lookup,
        of.account,
        role_word(of.role),
        pin.digits,
        pin.check_digit,
        now,
        pin.forced,
        of.booking,
        of.invitee,
        pin.key,
        pin.sealed.as_ref().map(|sealed| sealed.as_bytes())
    ];
    match turn.run(ADD_PIN, row).await {
        Err(error) if error.is_unique_violation() => return Err(StoreError::PinTaken),
        other => other?,
    };
    let added = turn.one(ONE_PIN, args![lookup]).await?;
    let added = added.ok_or_else(|| bad("pins", "nothing was inserted"))?;
    count(turn, &added, i64::from(pin.key), 1).await
}

async fn retire_own(turn: &mut Turn, id: AccountId, role: Role, now: DateTime<Utc>) -> Result<()> {
    if let Some(pin) = turn.one(OWN_PIN, args![id, role_word(role)]).await? {
        retire_lookup(turn, &pin.blob("lookup")?, now).await?;
    }
    let released = Notice::Released {
        conference: ConferenceKey::Account(id),
        role,
        at: now,
    };
    watch::append(turn, &released).await.map(drop)
}

/// Takes one PIN out of use: it rests from now on.
pub(super) async fn retire_lookup(
    turn: &mut Turn,
    lookup: &[u8],
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(row) = turn.one(ONE_PIN, args![lookup]).await? else {
        return Ok(());
    };
    count(turn, &row, row.int("pin_key")?, -1).await?;
    turn.run(RETIRE, args![lookup, now]).await.map(drop)
}

/// Keeps the counts that the odds are computed from in step with the PINs.
async fn count(turn: &mut Turn, pin: &Row, key: i64, by: i64) -> Result<()> {
    let role = pin.text("role")?;
    let args = args![
        pin.int("digits")?,
        pin.int("check_digit")?,
        &role,
        pin.int("forced")?,
        key,
        pin.id_opt("booking")?.is_some(),
        by
    ];
    turn.run(COUNT, args).await.map(drop)
}

/// That the account is there and not closed.
pub(super) async fn open_account(turn: &mut Turn, id: AccountId) -> Result<()> {
    match turn.one(STATE, args![id]).await? {
        None => Err(StoreError::NoSuchAccount(id)),
        Some(row) if state_from(&row.text("state")?)? == AccountState::Closed => {
            Err(StoreError::Closed(id))
        }
        Some(_) => Ok(()),
    }
}

fn door_from(row: &Row) -> Result<Door> {
    let account = AccountId(row.id("account")?);
    let booking = row.id_opt("booking")?.map(BookingId);
    let window = match row.moment_opt("ends_at")? {
        Some(_) => Some(bookings::window_from(row)?),
        None => None,
    };
    // A retired PIN, and one of a booking that won't take place again, is known and opens nothing.
    let gone = row.moment_opt("retired_at")?.is_some() || (booking.is_some() && window.is_none());
    let state = if gone {
        AccountState::Closed
    } else {
        state_from(&row.text("state")?)?
    };
    Ok(Door {
        account,
        conference: booking.map_or(ConferenceKey::Account(account), ConferenceKey::Booking),
        role: role_from(&row.text("role")?)?,
        state,
        terms: terms_from(&row.text("terms")?)?,
        window,
        known: row.flag("known")?,
        holder: row.text_opt("holder")?,
        invitee: row.id_opt("invitee")?.map(InviteeId),
    })
}

fn account_from(row: &Row) -> Result<Account> {
    let owner = Owner::new(&row.text("name")?, &row.text("email")?);
    Ok(Account {
        id: AccountId(row.id("id")?),
        owner: owner.map_err(|e| bad("owner", e))?,
        state: state_from(&row.text("state")?)?,
        department: row.text_opt("department")?,
        cost_code: row.text_opt("cost_code")?,
        bookings: row.flag("bookings")?,
        terms: terms_from(&row.text("terms")?)?,
    })
}

pub(super) fn lookup_from(bytes: &[u8]) -> Result<PinLookup> {
    let bytes = bytes.try_into().map_err(|e| bad("lookup", e))?;
    Ok(PinLookup::from_bytes(bytes))
}

/// What LIKE takes for a part of a text.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
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
