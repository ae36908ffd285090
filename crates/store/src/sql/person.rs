//! One person's data: handed out, and erased.

use std::collections::{BTreeMap, BTreeSet};

use conclave_accounts::{Account, AccountId, AccountState, BookingId, InviteeId};

use super::audit::{self, Note};
use super::reports::{call_fields, fields_from, in_both};
use super::{Sql, SqlStore, accounts, args, bookings, recordings, users};
use crate::audit::names::ERASED;
use crate::error::Result;
use crate::{Act, AuditRow, CallRow, Find, KnownNumber, Page, Person, StoreError, SubjectKind};

pub(super) const INVITED: &str =
    "SELECT id, booking, name, email FROM invitees WHERE lower(email) = lower($1) ORDER BY id";
pub(super) const BOOKED: &str = "SELECT id FROM bookings WHERE account = $1 ORDER BY id";
// The calls of a Host PIN, and those of a personal PIN.
macro_rules! calls {
    ($array:literal, $condition:literal) => {
        concat!(
            "SELECT ",
            call_fields!($array),
            "
            FROM attendances t JOIN calls k ON k.id = t.call JOIN conferences c ON c.id = t.conference
                JOIN accounts a ON a.id = c.account LEFT JOIN bookings b ON b.id = c.booking
            WHERE ",
            $condition,
            " ORDER BY k.answered_at, k.id, t.id"
        )
    };
}
pub(super) const AS_HOST: Sql = in_both!(calls!("c.account = $1 AND t.role = 'host'"));
pub(super) const AS_INVITEE: Sql = in_both!(calls!("t.invitee = $1"));

pub(super) const ERASE_ACCOUNT: &str = "UPDATE accounts SET name = 'Erased person',
    email = 'erased-' || CAST(id AS TEXT) || '@erased.invalid', department = NULL, cost_code = NULL, erased_at = $2
    WHERE id = $1";
pub(super) const ERASE_TITLES: &str = "UPDATE bookings SET title = 'Erased' WHERE account = $1";
pub(super) const ERASE_INVITEE: &str = "UPDATE invitees SET name = 'Erased person',
    email = 'erased@erased.invalid', withdrawn_at = COALESCE(withdrawn_at, $2) WHERE id = $1";
pub(super) const ERASE_HOLDER: &str = "UPDATE attendances SET holder = NULL WHERE invitee = $1";
pub(super) const ERASE_NUMBER: &str = "UPDATE calls SET number = NULL, masked = 1 WHERE id = $1";
pub(super) const KNOWN: &str =
    "SELECT account, number, last_at FROM known_numbers WHERE account = $1 ORDER BY number";
pub(super) const ERASE_KNOWN: &str = "DELETE FROM known_numbers WHERE account = $1";
pub(super) const ERASE_KNOWN_NUMBER: &str =
    "DELETE FROM known_numbers WHERE account = $1 AND number = $2";
// What a mail server says of an address it quotes.
pub(super) const ERASE_LETTERS: &str =
    "UPDATE outbox SET due_at = NULL, problem = 'erased' WHERE invitee = $1";
pub(super) const ERASE_OWNERS_LETTERS: &str =
    "UPDATE outbox SET due_at = NULL, problem = 'erased' WHERE booking = $1 AND invitee IS NULL";

impl SqlStore {
    pub(super) async fn person(&self, email: &str) -> Result<Person> {
        let found = self
            .find(&Find::Email(email.to_owned()), Page::all())
            .await?;
        let mut bookings = BTreeSet::new();
        let mut calls: Vec<CallRow> = Vec::new();
        let mut known_numbers = Vec::new();
        for account in &found {
            for row in self.db.all(KNOWN, args![account.id]).await? {
                known_numbers.push(KnownNumber {
                    account: AccountId(row.id("account")?),
                    number: row.text("number")?,
                    last_at: row.moment("last_at")?,
                });
            }
            for row in self.db.all(BOOKED, args![account.id]).await? {
                bookings.insert(row.id("id")?);
            }
            for call in self
                .db
                .each(AS_HOST, args![account.id], fields_from)
                .await?
            {
                calls.push(call.try_into()?);
            }
        }
        for invited in self.db.all(INVITED, args![email]).await? {
            bookings.insert(invited.id("booking")?);
            let id = invited.id("id")?;
            for call in self.db.each(AS_INVITEE, args![id], fields_from).await? {
                calls.push(call.try_into()?);
            }
        }
        let mut all = Vec::new();
        for id in bookings {
            all.extend(self.booking_of(BookingId(id)).await?);
        }
        // Of others' bookings and of other invitees no more than is this person's.
        let own: BTreeSet<AccountId> = found.iter().map(|account| account.id).collect();
        for booking in &mut all {
            if !own.contains(&booking.account) {
                let theirs = |email_of: &str| email_of.eq_ignore_ascii_case(email);
                booking.invitees.retain(|invitee| theirs(&invitee.email));
            }
        }
        calls.sort_by_key(|call| (call.answered, call.id));
        let mut recordings = BTreeMap::new();
        for (sql, id) in found
            .iter()
            .map(|account| (recordings::OF_ACCOUNT, account.id.0))
            .chain(calls.iter().map(|call| (recordings::OF_CALL, call.id)))
        {
            for row in self.db.all(sql, args![id]).await? {
                let row = recordings::recording_from(&row)?;
                recordings.insert(row.id, row);
            }
        }
        let user = self.user_of(email).await?.map(|(user, _)| user);
        let (mut api_tokens, mut webhooks) = (Vec::new(), Vec::new());
        if let Some(user) = &user {
            api_tokens = self.all_api_tokens(Some(user.id), Page::all()).await?;
            webhooks = self.all_webhooks(Some(user.id), Page::all()).await?;
        }
        let mut person = Person {
            email: email.to_owned(),
            user,
            api_tokens,
            webhooks,
            accounts: found,
            bookings: all,
            calls,
            known_numbers,
            recordings: recordings.into_values().collect(),
            audit: Vec::new(),
        };
        person.audit = self.entries_about(&person).await?;
        Ok(person)
    }

    /// By what the log's commitments stand for: no entry holds a name itself.
    async fn entries_about(&self, person: &Person) -> Result<Vec<AuditRow>> {
        let mut subjects = vec![
            (SubjectKind::Person, person.email.to_lowercase()),
            (SubjectKind::Email, person.email.to_lowercase()),
        ];
        let titles = |account: &Account| (SubjectKind::Title, account.id.to_string());
        subjects.extend(person.accounts.iter().map(titles));
        let numbers = |call: &CallRow| (SubjectKind::Number, call.id.to_string());
        subjects.extend(person.calls.iter().map(numbers));
        let mut commitments = BTreeSet::new();
        for (kind, belongs) in subjects {
            for row in self
                .db
                .all(audit::BELONGING, args![kind.word(), &belongs])
                .await?
            {
                commitments.insert(row.blob("commitment")?);
            }
        }
        let accounts: Vec<u64> = person.accounts.iter().map(|account| account.id.0).collect();
        let before = self.called_before(&accounts).await?;
        commitments.extend(before.iter().map(|one| one.as_bytes().to_vec()));
        for operator in BTreeSet::from([&person.email, &person.email.to_lowercase()]) {
            let known = args![SubjectKind::Operator.word(), "", operator];
            for row in self.db.all(audit::SUBJECT, known).await? {
                commitments.insert(row.blob("commitment")?);
            }
        }
        self.speaking_of(&commitments).await
    }

    pub(super) async fn erase(&self, email: &str, act: &Act) -> Result<Person> {
        let person = self.person(email).await?;
        let mut deed = self.deed().await?;
        let address = email.to_lowercase();
        let mut forgotten =
            audit::forget_all(&mut deed.turn, SubjectKind::Person, &address).await?;
        let accounts: Vec<u64> = person.accounts.iter().map(|account| account.id.0).collect();
        for commitment in self.called_before(&accounts).await? {
            forgotten.extend(audit::forget_one(&mut deed.turn, &commitment).await?);
        }
        // Who works on the bridge is named as they typed it, a user of the portal in lower case.
        for operator in BTreeSet::from([email, &address]) {
            forgotten.extend(audit::forget(&mut deed.turn, SubjectKind::Operator, operator).await?);
        }
        forgotten.extend(audit::forget_all(&mut deed.turn, SubjectKind::Email, &address).await?);
        let mut found = !forgotten.is_empty();
        found |= users::erase(&mut deed, &address).await?;
        for account in &person.accounts {
            if account.state != AccountState::Closed {
                accounts::close(&mut deed, account.id, act).await?;
            }
            let titles = account.id.to_string();
            let titles = audit::forget_all(&mut deed.turn, SubjectKind::Title, &titles).await?;
            forgotten.extend(titles);
            for row in deed.turn.all(BOOKED, args![account.id]).await? {
                deed.turn
                    .run(ERASE_OWNERS_LETTERS, args![row.id("id")?])
                    .await?;
            }
            deed.turn
                .run(ERASE_ACCOUNT, args![account.id, act.at])
                .await?;
            deed.turn.run(ERASE_TITLES, args![account.id]).await?;
            deed.turn.run(ERASE_KNOWN, args![account.id]).await?;
            found = true;
        }
        for invited in deed.turn.all(INVITED, args![email]).await? {
            let id = invited.id("id")?;
            bookings::retire_invitee(&mut deed, InviteeId(id), act.at).await?;
            deed.turn.run(ERASE_INVITEE, args![id, act.at]).await?;
            deed.turn.run(ERASE_HOLDER, args![id]).await?;
            deed.turn.run(ERASE_LETTERS, args![id]).await?;
            found = true;
        }
        if !found {
            return Err(StoreError::NoSuchPerson);
        }
        for call in &person.calls {
            deed.turn.run(ERASE_NUMBER, args![call.id]).await?;
            // By the call: the number itself may be masked by now.
            let id = call.id.to_string();
            forgotten.extend(audit::forget_all(&mut deed.turn, SubjectKind::Number, &id).await?);
            let Some(number) = &call.number else { continue };
            // As the first versions kept it.
            forgotten.extend(audit::forget(&mut deed.turn, SubjectKind::Number, number).await?);
            if let Some(visit) = &call.visit {
                let known = args![visit.account, number];
                deed.turn.run(ERASE_KNOWN_NUMBER, known).await?;
            }
        }
        for recording in &person.recordings {
            recordings::order(&mut deed, recording.id, act).await?;
        }
        let note = Note::of(act, ERASED)
            .plain("accounts", serde_json::json!(accounts))
            .erased(&forgotten);
        deed.note(note).await?;
        deed.commit().await?;
        Ok(person)
    }
}
