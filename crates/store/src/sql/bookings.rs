//! Bookings, their invitees and PINs.

use chrono::{DateTime, Utc};
use conclave_accounts::{
    AccountId, Booking, BookingId, BookingState, ConferenceKey, Invitee, InviteeId,
    LONGEST_BOOKING, Notice, Plan, Role, Title, Window,
};

use super::accounts::{self, add_pin, open_account, role_from};
use super::audit::{Deed, Note};
use super::webhooks::{self, About};
use super::{Row, SqlStore, args, outbox, tokens};
use crate::error::{Result, bad};
use crate::{
    Act, BookingChange, BookingFilter, HookEvent, LetterKind, NewBooking, NewInvitee, Page,
    SealedGuestPin, SealedPin, StoreError,
};

pub(super) const ADD: &str = "
    INSERT INTO bookings (account, title, plan, state, uid, sequence, first_at, last_at, made_at)
    VALUES ($1, $2, $3, 'booked', $4, 0, $5, $6, $7) RETURNING id";
pub(super) const MAY_BOOK: &str = "SELECT bookings FROM accounts WHERE id = $1";
pub(super) const ADD_OCCURRENCE: &str =
    "INSERT INTO occurrences (booking, ends_at, starts_at, opens_at) VALUES ($1, $2, $3, $4)";
pub(super) const CLEAR_OCCURRENCES: &str = "DELETE FROM occurrences WHERE booking = $1";
pub(super) const ADD_INVITEE: &str =
    "INSERT INTO invitees (booking, name, email, mail) VALUES ($1, $2, $3, $4) RETURNING id";
pub(super) const CHANGE: &str = "UPDATE bookings SET title = $2, plan = $3, first_at = $4,
    last_at = $5, sequence = sequence + 1 WHERE id = $1";
pub(super) const CANCEL: &str =
    "UPDATE bookings SET state = 'cancelled', over = 1, sequence = sequence + 1 WHERE id = $1";
pub(super) const WITHDRAW: &str =
    "UPDATE invitees SET withdrawn_at = $2 WHERE id = $1 AND withdrawn_at IS NULL";
pub(super) const BOOKING_OF_INVITEE: &str = "SELECT booking FROM invitees WHERE id = $1";
pub(super) const BY_ID: &str = "
    SELECT id, account, title, plan, state, uid, sequence, first_at, last_at, over FROM bookings WHERE id = $1";
pub(super) const INVITEES: &str =
    "SELECT id, booking, name, email, withdrawn_at FROM invitees WHERE booking = $1 ORDER BY id";
// `+id`: those that are to come are found by their ends, and not among all there ever were.
pub(super) const OF_ACCOUNT: &str = "
    SELECT id, account, title, plan, state, uid, sequence, first_at, last_at, over FROM bookings
    WHERE account = $1 AND last_at > $2 AND +id > $3 AND ($4 = 0 OR state = 'booked') ORDER BY id LIMIT $5";
pub(super) const OF_ALL: &str = "
    SELECT id, account, title, plan, state, uid, sequence, first_at, last_at, over FROM bookings
    WHERE last_at > $1 AND +id > $2 AND ($3 = 0 OR state = 'booked') ORDER BY id LIMIT $4";
pub(super) const OCCURRENCES: &str =
    "SELECT opens_at, starts_at, ends_at FROM occurrences WHERE booking = $1 ORDER BY ends_at";
// The bounds on `o2.ends_at` are what the index is entered by: no occurrence is longer than $3.
pub(super) const CLASHES: &str = "
    SELECT DISTINCT b2.id FROM bookings b1
    JOIN accounts a1 ON a1.id = b1.account
    JOIN accounts a2 ON lower(a2.email) = lower(a1.email)
    JOIN bookings b2 ON b2.account = a2.id AND b2.last_at > b1.first_at
    JOIN occurrences o1 ON o1.booking = b1.id
    JOIN occurrences o2 ON o2.booking = b2.id AND o2.ends_at > o1.starts_at
        AND o2.ends_at < o1.ends_at + $2 AND o2.starts_at < o1.ends_at
    WHERE b1.id = $1 AND b2.id <> $1 AND b2.state = 'booked' AND b1.state = 'booked' ORDER BY b2.id";
pub(super) const PINS: &str = "SELECT p.lookup, p.role, p.invitee, p.sealed FROM pins p
    WHERE p.booking = $1 AND p.retired_at IS NULL AND p.sealed IS NOT NULL ORDER BY p.invitee";
pub(super) const PINS_TO_RETIRE: &str =
    "SELECT lookup FROM pins WHERE booking = $1 AND retired_at IS NULL";
pub(super) const PIN_OF_INVITEE: &str =
    "SELECT lookup FROM pins WHERE invitee = $1 AND retired_at IS NULL";
pub(super) const PIN_FOR_ALL: &str = "SELECT 1 AS one FROM pins
    WHERE booking = $1 AND role = 'guest' AND invitee IS NULL AND retired_at IS NULL LIMIT 1";
pub(super) const ENDS: &str = "SELECT ends_at FROM occurrences WHERE booking = $1 AND ends_at > $2
    ORDER BY ends_at LIMIT 1";
pub(super) const LAST_END: &str = "SELECT last_at FROM bookings WHERE id = $1";
pub(super) const OPEN_OF_ACCOUNT: &str =
    "SELECT id FROM bookings WHERE account = $1 AND last_at > $2 AND over = 0 AND state = 'booked'";
pub(super) const ENDED: &str =
    "SELECT id FROM bookings WHERE over = 0 AND last_at <= $1 ORDER BY last_at LIMIT $2";
pub(super) const SET_OVER: &str = "UPDATE bookings SET over = 1 WHERE id = $1";

impl SqlStore {
    pub(super) async fn book_in(&self, new: NewBooking, act: &Act) -> Result<Booking> {
        let (first, last) = span(&new.windows)?;
        let plan = serde_json::to_string(&new.plan).map_err(|e| bad("plan", e))?;
        let mut deed = self.deed().await?;
        may_book(&mut deed, new.account).await?;
        let added = deed
            .turn
            .one(
                ADD,
                args![
                    new.account,
                    new.title.as_str(),
                    &plan,
                    &new.uid,
                    first,
                    last,
                    act.at
                ],
            )
            .await?
            .ok_or_else(|| bad("bookings", "nothing was inserted"))?;
        let id = BookingId(added.id("id")?);
        add_occurrences(&mut deed, id, &new.windows).await?;
        let owner = accounts::PinOf::booking(new.account, id, Role::Host);
        add_pin(&mut deed.turn, owner, &new.host, act.at).await?;
        if let Some(guest) = &new.guest {
            let owner = accounts::PinOf::booking(new.account, id, Role::Guest);
            add_pin(&mut deed.turn, owner, guest, act.at).await?;
        }
        let mut note = Note::of(act, "booking.made")
            .number("booking", id.0)
            .number("account", new.account.0)
            .title("title", new.title.as_str(), new.account);
        for invitee in &new.invitees {
            let invited = add_invitee(&mut deed, new.account, id, invitee, act).await?;
            let key = format!("invitee-{}", invited.0);
            note = note.person(&key, &invitee.name, &invitee.email);
        }
        // An invitation to pass on. Where each has a PIN of their own there is none: the Host PIN was shown once.
        if new.mail && new.guest.is_some() {
            outbox::put(&mut deed.turn, id, None, LetterKind::Invitation, act.at).await?;
        }
        deed.note(note).await?;
        let about = About::booking(new.account, id);
        webhooks::tell(&mut deed, HookEvent::BookingMade, about, act.at).await?;
        tokens::once(&mut deed, act, id.0).await?;
        let booking = read(&mut deed, id).await?;
        deed.commit().await?;
        Ok(booking)
    }

    pub(super) async fn change_in(
        &self,
        id: BookingId,
        change: &BookingChange,
        act: &Act,
    ) -> Result<Booking> {
        let mut deed = self.deed().await?;
        let before = standing(&mut deed, id, act.at).await?;
        let title = change.title.as_ref().unwrap_or(&before.title);
        let (plan, windows) = match &change.time {
            Some((plan, windows)) => (plan.clone(), windows.clone()),
            None => (before.plan.clone(), windows(&mut deed, id).await?),
        };
        let (first, last) = span(&windows)?;
        let text = serde_json::to_string(&plan).map_err(|e| bad("plan", e))?;
        deed.turn
            .run(CHANGE, args![id, title.as_str(), &text, first, last])
            .await?;
        if change.time.is_some() {
            deed.turn.run(CLEAR_OCCURRENCES, args![id]).await?;
            add_occurrences(&mut deed, id, &windows).await?;
        }
        if change.mail {
            outbox::put_for_all(&mut deed.turn, id, LetterKind::Invitation, act.at).await?;
        }
        let note = Note::of(act, "booking.changed")
            .number("booking", id.0)
            .title("title", title.as_str(), before.account)
            .number("sequence", u64::from(before.sequence) + 1);
        deed.note(note).await?;
        tell_of_change(&mut deed, before.account, id, act).await?;
        let booking = read(&mut deed, id).await?;
        deed.commit().await?;
        Ok(booking)
    }

    pub(super) async fn cancel_in(&self, id: BookingId, act: &Act) -> Result<Booking> {
        let mut deed = self.deed().await?;
        let before = standing(&mut deed, id, act.at).await?;
        cancel(&mut deed, before.account, id, act).await?;
        let booking = read(&mut deed, id).await?;
        deed.commit().await?;
        Ok(booking)
    }

    pub(super) async fn invite_in(
        &self,
        id: BookingId,
        new: NewInvitee,
        act: &Act,
    ) -> Result<Booking> {
        let mut deed = self.deed().await?;
        let before = standing(&mut deed, id, act.at).await?;
        if deed.turn.one(PIN_FOR_ALL, args![id]).await?.is_some() {
            // One Guest PIN serves all there: a PIN of one's own beside it would be withdrawn in vain.
            return Err(StoreError::OnePinForAll(id));
        }
        let invited = add_invitee(&mut deed, before.account, id, &new, act).await?;
        let note = Note::of(act, "booking.invited")
            .number("booking", id.0)
            .number("invitee", invited.0)
            .person("name", &new.name, &new.email);
        deed.note(note).await?;
        tell_of_change(&mut deed, before.account, id, act).await?;
        let booking = read(&mut deed, id).await?;
        deed.commit().await?;
        Ok(booking)
    }

    pub(super) async fn withdraw_in(&self, invitee: InviteeId, act: &Act) -> Result<Booking> {
        let mut deed = self.deed().await?;
        let found = deed.turn.one(BOOKING_OF_INVITEE, args![invitee]).await?;
        let row = found.ok_or(StoreError::NoSuchInvitee(invitee))?;
        let id = BookingId(row.id("booking")?);
        let before = standing(&mut deed, id, act.at).await?;
        if deed.turn.run(WITHDRAW, args![invitee, act.at]).await? == 0 {
            return Err(StoreError::Withdrawn(invitee));
        }
        retire_invitee(&mut deed, invitee, act.at).await?;
        outbox::put_if_told(
            &mut deed.turn,
            id,
            invitee,
            LetterKind::Cancellation,
            act.at,
        )
        .await?;
        let note = Note::of(act, "booking.withdrawn")
            .number("booking", id.0)
            .number("invitee", invitee.0);
        deed.note(note).await?;
        tell_of_change(&mut deed, before.account, id, act).await?;
        let booking = read(&mut deed, id).await?;
        deed.commit().await?;
        Ok(booking)
    }

    pub(super) async fn booking_of(&self, id: BookingId) -> Result<Option<Booking>> {
        let Some(row) = self.db.one(BY_ID, args![id]).await? else {
            return Ok(None);
        };
        let invitees = self.db.all(INVITEES, args![id]).await?;
        Ok(Some(booking_from(&row, &invitees)?))
    }

    pub(super) async fn bookings_of(
        &self,
        filter: &BookingFilter,
        page: Page,
    ) -> Result<Vec<Booking>> {
        let from = filter.from.unwrap_or(DateTime::UNIX_EPOCH);
        let standing = filter.from.is_some();
        let rows = match filter.account {
            Some(account) => {
                let args = args![account, from, page.after, standing, page.limit()];
                self.db.all(OF_ACCOUNT, args).await?
            }
            None => {
                let args = args![from, page.after, standing, page.limit()];
                self.db.all(OF_ALL, args).await?
            }
        };
        let mut bookings = Vec::with_capacity(rows.len());
        for row in &rows {
            let invitees = self.db.all(INVITEES, args![row.id("id")?]).await?;
            bookings.push(booking_from(row, &invitees)?);
        }
        Ok(bookings)
    }

    pub(super) async fn clashes_of(&self, id: BookingId) -> Result<Vec<BookingId>> {
        let longest = LONGEST_BOOKING.num_milliseconds();
        let rows = self.db.all(CLASHES, args![id, longest]).await?;
        rows.iter()
            .map(|row| Ok(BookingId(row.id("id")?)))
            .collect()
    }

    pub(super) async fn pins_of_booking(&self, id: BookingId) -> Result<Vec<SealedGuestPin>> {
        let rows = self.db.all(PINS, args![id]).await?;
        rows.iter().map(sealed_from).collect()
    }

    pub(super) async fn ends_of_bookings(
        &self,
        ids: &[BookingId],
        now: DateTime<Utc>,
    ) -> Result<Vec<(BookingId, DateTime<Utc>)>> {
        let mut ends = Vec::with_capacity(ids.len());
        for id in ids {
            let next = self.db.one(ENDS, args![*id, now]).await?;
            let end = match next {
                Some(row) => Some(row.moment("ends_at")?),
                None => match self.db.one(LAST_END, args![*id]).await? {
                    Some(row) => Some(row.moment("last_at")?),
                    None => None,
                },
            };
            ends.extend(end.map(|end| (*id, end)));
        }
        Ok(ends)
    }

    /// Takes the PINs of bookings that are over out of use, at most `limit` bookings.
    pub(super) async fn retire_ended(&self, limit: u32, now: DateTime<Utc>) -> Result<(u64, bool)> {
        let mut deed = self.deed().await?;
        let ended = deed.turn.all(ENDED, args![now, limit]).await?;
        let mut pins = 0;
        for row in &ended {
            let id = BookingId(row.id("id")?);
            pins += retire_pins(&mut deed, id, now).await?;
            deed.turn.run(SET_OVER, args![id]).await?;
        }
        deed.commit().await?;
        Ok((pins, ended.len() as u64 == u64::from(limit)))
    }
}

/// Cancels within a deed, and tells who has to know.
pub(super) async fn cancel(
    deed: &mut Deed,
    account: AccountId,
    id: BookingId,
    act: &Act,
) -> Result<()> {
    deed.turn.run(CANCEL, args![id]).await?;
    retire_pins(deed, id, act.at).await?;
    outbox::put_for_all(&mut deed.turn, id, LetterKind::Cancellation, act.at).await?;
    let note = Note::of(act, "booking.cancelled").number("booking", id.0);
    deed.note(note).await?;
    let about = About::booking(account, id);
    webhooks::tell(deed, HookEvent::BookingCancelled, about, act.at).await
}

async fn tell_of_change(
    deed: &mut Deed,
    account: AccountId,
    id: BookingId,
    act: &Act,
) -> Result<()> {
    let about = About::booking(account, id);
    webhooks::tell(deed, HookEvent::BookingChanged, about, act.at).await
}

/// Cancels all that an account has booked, because it is closed.
pub(super) async fn cancel_all(deed: &mut Deed, account: AccountId, act: &Act) -> Result<()> {
    for row in deed
        .turn
        .all(OPEN_OF_ACCOUNT, args![account, act.at])
        .await?
    {
        cancel(deed, account, BookingId(row.id("id")?), act).await?;
    }
    Ok(())
}

async fn retire_pins(deed: &mut Deed, id: BookingId, now: DateTime<Utc>) -> Result<u64> {
    let pins = deed.turn.all(PINS_TO_RETIRE, args![id]).await?;
    for pin in &pins {
        accounts::retire_lookup(&mut deed.turn, &pin.blob("lookup")?, now).await?;
    }
    // What was suspected of them is of no account any more.
    for role in [Role::Host, Role::Guest] {
        let conference = ConferenceKey::Booking(id);
        let released = Notice::Released {
            conference,
            role,
            at: now,
        };
        super::watch::append(&mut deed.turn, &released).await?;
    }
    Ok(pins.len() as u64)
}

/// Takes an invitee's PIN out of use.
pub(super) async fn retire_invitee(
    deed: &mut Deed,
    invitee: InviteeId,
    now: DateTime<Utc>,
) -> Result<()> {
    for pin in deed.turn.all(PIN_OF_INVITEE, args![invitee]).await? {
        accounts::retire_lookup(&mut deed.turn, &pin.blob("lookup")?, now).await?;
    }
    Ok(())
}

async fn may_book(deed: &mut Deed, account: AccountId) -> Result<()> {
    open_account(&mut deed.turn, account).await?;
    let row = deed.turn.one(MAY_BOOK, args![account]).await?;
    match row {
        Some(row) if row.flag("bookings")? => Ok(()),
        _ => Err(StoreError::NoBookings(account)),
    }
}

/// The booking as it stands, if it can be changed at all.
async fn standing(deed: &mut Deed, id: BookingId, now: DateTime<Utc>) -> Result<Booking> {
    let row = deed.turn.one(BY_ID, args![id]).await?;
    let row = row.ok_or(StoreError::NoSuchBooking(id))?;
    let booking = booking_from(&row, &[])?;
    if booking.state == BookingState::Cancelled {
        return Err(StoreError::Cancelled(id));
    }
    if row.flag("over")? || row.moment("last_at")? <= now {
        return Err(StoreError::Over(id));
    }
    Ok(booking)
}

async fn read(deed: &mut Deed, id: BookingId) -> Result<Booking> {
    let row = deed.turn.one(BY_ID, args![id]).await?;
    let row = row.ok_or(StoreError::NoSuchBooking(id))?;
    let invitees = deed.turn.all(INVITEES, args![id]).await?;
    booking_from(&row, &invitees)
}

async fn windows(deed: &mut Deed, id: BookingId) -> Result<Vec<Window>> {
    let rows = deed.turn.all(OCCURRENCES, args![id]).await?;
    rows.iter().map(window_from).collect()
}

async fn add_occurrences(deed: &mut Deed, id: BookingId, windows: &[Window]) -> Result<()> {
    for window in windows {
        let args = args![id, window.ends, window.starts, window.opens];
        deed.turn.run(ADD_OCCURRENCE, args).await?;
    }
    Ok(())
}

async fn add_invitee(
    deed: &mut Deed,
    account: AccountId,
    booking: BookingId,
    new: &NewInvitee,
    act: &Act,
) -> Result<InviteeId> {
    let args = args![booking, &new.name, &new.email, new.mail];
    let row = deed.turn.one(ADD_INVITEE, args).await?;
    let row = row.ok_or_else(|| bad("invitees", "nothing was inserted"))?;
    let id = InviteeId(row.id("id")?);
    let owner = accounts::PinOf {
        invitee: Some(id),
        ..accounts::PinOf::booking(account, booking, Role::Guest)
    };
    add_pin(&mut deed.turn, owner, &new.pin, act.at).await?;
    if new.mail {
        let kind = LetterKind::Invitation;
        outbox::put(&mut deed.turn, booking, Some(id), kind, act.at).await?;
    }
    Ok(id)
}

fn span(windows: &[Window]) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    match (windows.first(), windows.last()) {
        (Some(first), Some(last)) => Ok((first.opens, last.ends)),
        _ => Err(bad("booking", "it never takes place")),
    }
}

pub(super) fn window_from(row: &Row) -> Result<Window> {
    Ok(Window {
        opens: row.moment("opens_at")?,
        starts: row.moment("starts_at")?,
        ends: row.moment("ends_at")?,
    })
}

pub(super) fn sealed_from(row: &Row) -> Result<SealedGuestPin> {
    Ok(SealedGuestPin {
        invitee: row.id_opt("invitee")?.map(InviteeId),
        role: role_from(&row.text("role")?)?,
        lookup: accounts::lookup_from(&row.blob("lookup")?)?,
        sealed: SealedPin::from_bytes(&row.blob("sealed")?).map_err(|e| bad("sealed", e))?,
    })
}

fn booking_from(row: &Row, invitees: &[Row]) -> Result<Booking> {
    let plan: Plan = serde_json::from_str(&row.text("plan")?).map_err(|e| bad("plan", e))?;
    let sequence = u32::try_from(row.int("sequence")?).map_err(|e| bad("sequence", e))?;
    let invitees = invitees.iter().map(invitee_from);
    Ok(Booking {
        id: BookingId(row.id("id")?),
        account: AccountId(row.id("account")?),
        title: Title::new(&row.text("title")?).map_err(|e| bad("title", e))?,
        plan,
        state: match row.text("state")?.as_str() {
            "booked" => BookingState::Booked,
            "cancelled" => BookingState::Cancelled,
            other => return Err(bad("state", other)),
        },
        uid: row.text("uid")?,
        sequence,
        invitees: invitees.collect::<Result<_>>()?,
    })
}

fn invitee_from(row: &Row) -> Result<Invitee> {
    Ok(Invitee {
        id: InviteeId(row.id("id")?),
        name: row.text("name")?,
        email: row.text("email")?,
        withdrawn: row.moment_opt("withdrawn_at")?.is_some(),
    })
}
