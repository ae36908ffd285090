//! What a database must be able to do for the bridge.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{
    Account, AccountId, AccountState, Booking, BookingId, Door, DoorkeeperState, InviteeId, Notice,
    PinLookup, Role, Source,
};

use crate::error::Result;
use crate::{
    AccountChange, Act, ApiToken, ApiTokenId, AuditPage, AuditRow, BookingChange, BookingFilter,
    CallRow, ConferenceRow, Delivery, DeliveryRow, Done, Entry, EventRow, Find, Hint, HookEvent,
    Keep, Letter, LetterProblem, NewAccount, NewApiToken, NewBooking, NewFactor, NewInvitee,
    NewSession, NewWebhook, Once, Page, PasswordHash, Period, Person, PinCount, RecordingRow,
    ReportFilter, RunId, SealedFactor, SealedGuestPin, Session, StoredPin, Swept, TokenHash,
    UsageRow, User, UserEmail, UserId, UserRole, Verified, Webhook, WebhookId,
};

/// A PIN that was taken out of use is not given again for so long.
pub const PIN_REST: TimeDelta = TimeDelta::days(400);

/// A number that was admitted on an account counts as known there for so long.
pub const KNOWN_FOR: TimeDelta = TimeDelta::days(90);

/// What is behind a PIN.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The door, whether or not it opens now.
    pub door: Door,
    /// The lookup that led there, where that isn't the current key's and the PIN is in use.
    pub under_old_key: Option<PinLookup>,
    /// Whether the PIN is kept encrypted, too.
    pub sealed: bool,
}

/// How many there are whose PINs would be recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Accounts.
    pub accounts: u64,
    /// Bookings that aren't over.
    pub bookings: u64,
}

/// The books: what happened, run by run.
///
/// The futures of all methods are `Send`. Whoever calls tells the time.
#[async_trait]
pub trait Books: Send + Sync + 'static {
    /// Opens a new run of this bridge. What an earlier one left open, because it was killed, is closed as
    /// `interrupted` at the last moment that run was seen. For the process that serves, not for others.
    async fn begin_run(&self, now: DateTime<Utc>) -> Result<RunId>;

    /// Writes the entries down in their order, all or none. An entry about a call or conference of which the
    /// run knows nothing is left out, with a warning in the log.
    async fn write(&self, run: RunId, entries: &[Entry], now: DateTime<Utc>) -> Result<()>;

    /// Notes that the run goes on, should it be killed: free of cost while no call is open.
    async fn still_running(&self, run: RunId, now: DateTime<Utc>) -> Result<()>;

    /// Closes the run in good order; what is open yet is closed as [`begin_run`](Self::begin_run) does.
    async fn end_run(&self, run: RunId, now: DateTime<Utc>) -> Result<()>;
}

/// A database of the bridge. Several processes may use the same one at the same time.
///
/// What an operator does goes into the audit log in the same transaction: such methods take an [`Act`], which
/// says who did it and when.
#[async_trait]
pub trait Store: Books {
    // The door.

    /// What is behind a PIN for a caller from `source`: the door, whether or not it opens now. `pin` has the
    /// lookups of one PIN under each key, the current first; one found under an older key is
    /// [rehashed](Self::rehash_pin) by whoever serves.
    async fn door(
        &self,
        pin: &[PinLookup],
        source: &Source,
        now: DateTime<Utc>,
    ) -> Result<Option<Found>>;

    /// Keeps a PIN under the current key from now on.
    async fn rehash_pin(&self, old: &PinLookup, new: &StoredPin) -> Result<()>;

    /// How many PINs in use are kept under each key, by the key's id.
    async fn pins_by_key(&self) -> Result<Vec<(u32, u64)>>;

    /// How many PINs of each kind would be recognised, by length. Kept as counts: free of cost however many.
    async fn pins(&self) -> Result<Vec<PinCount>>;

    // The watch on guessing: a log that all bridges of a database share.

    /// Ends consent in all bridges of this database.
    async fn end_consent(&self, act: &Act) -> Result<()>;

    /// Adds a notice to the end of the log; gives back its place.
    async fn append_notice(&self, notice: &Notice) -> Result<u64>;

    /// The notices after a place, in order, at most `limit`.
    async fn notices_after(&self, place: u64, limit: u32) -> Result<Vec<(u64, Notice)>>;

    /// The latest snapshot: the place up to which it knows the log, and the state there.
    async fn watch_snapshot(&self) -> Result<(u64, DoorkeeperState)>;

    /// Keeps a snapshot and drops the notices that it makes superfluous: those it knows and that are older
    /// than ten minutes, so that a bridge that lags behind finds them still. An older snapshot than the one kept
    /// is ignored.
    async fn keep_watch_snapshot(
        &self,
        place: u64,
        state: &DoorkeeperState,
        now: DateTime<Utc>,
    ) -> Result<()>;

    // Accounts.

    /// Makes accounts, all or none. [`StoreError::PinTaken`](crate::StoreError::PinTaken) asks for other PINs.
    async fn add_accounts(&self, new: Vec<NewAccount>, act: &Act) -> Result<Vec<Account>>;

    /// One account.
    async fn account(&self, id: AccountId) -> Result<Option<Account>>;

    /// The accounts that match, by their ids.
    async fn accounts(&self, find: &Find, page: Page) -> Result<Vec<Account>>;

    /// Whether there is any account.
    async fn has_accounts(&self) -> Result<bool>;

    /// How many accounts and bookings have a PIN that would be recognised. Kept as counts.
    async fn totals(&self) -> Result<Totals>;

    /// Changes what is given in the change.
    async fn change_account(
        &self,
        id: AccountId,
        change: &AccountChange,
        act: &Act,
    ) -> Result<Account>;

    /// Suspends an account, makes it active again, or closes it for good: its PINs and those of its bookings then
    /// rest, and its bookings that aren't over are cancelled.
    async fn set_state(&self, id: AccountId, state: AccountState, act: &Act) -> Result<()>;

    /// Gives the account another PIN for the role. The old one opens nothing from now on and rests for
    /// [`PIN_REST`]; a suspicion of the old one (see `Doorkeeper`) is lifted.
    async fn reset_pin(&self, id: AccountId, role: Role, pin: StoredPin, act: &Act) -> Result<()>;

    /// The Guest PIN of an account, encrypted; none where it was taken in before Guest PINs were kept.
    async fn guest_pin(&self, id: AccountId) -> Result<Option<SealedGuestPin>>;

    // Bookings.

    /// Books. The letters that are due go into the outbox in the same transaction.
    async fn book(&self, new: NewBooking, act: &Act) -> Result<Booking>;

    /// Changes what is given in the change and counts the sequence up. PINs stay.
    async fn change_booking(
        &self,
        id: BookingId,
        change: &BookingChange,
        act: &Act,
    ) -> Result<Booking>;

    /// Calls a booking off: its PINs open nothing any more. Who is in stays until the booked end.
    async fn cancel_booking(&self, id: BookingId, act: &Act) -> Result<Booking>;

    /// Invites one more person by name.
    async fn invite(&self, id: BookingId, new: NewInvitee, act: &Act) -> Result<Booking>;

    /// Takes one invitation back: that PIN opens nothing any more, the others go on.
    async fn withdraw(&self, id: InviteeId, act: &Act) -> Result<Booking>;

    /// One booking.
    async fn booking(&self, id: BookingId) -> Result<Option<Booking>>;

    /// The bookings that match, by their ids.
    async fn bookings(&self, filter: &BookingFilter, page: Page) -> Result<Vec<Booking>>;

    /// The other bookings of the same owner (all accounts of that e-mail address) that share a moment with it.
    async fn clashes(&self, id: BookingId) -> Result<Vec<BookingId>>;

    /// The Guest PINs of a booking, encrypted: one for all, or one for each invitee who is still invited.
    async fn booking_pins(&self, id: BookingId) -> Result<Vec<SealedGuestPin>>;

    /// Until when these bookings, which are in use now, last: for conferences that run while a booking is moved.
    async fn ends_of(
        &self,
        ids: &[BookingId],
        now: DateTime<Utc>,
    ) -> Result<Vec<(BookingId, DateTime<Utc>)>>;

    // The outbox.

    /// The letters that are due, the oldest first, at most `limit`; each is this bridge's for `lease` from now on.
    async fn due_letters(
        &self,
        limit: u32,
        lease: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Vec<Letter>>;

    /// A letter was taken by the mail server.
    async fn letter_sent(&self, id: u64, now: DateTime<Utc>) -> Result<()>;

    /// A letter was not taken: it is tried again at `again`, or given up where there is no such moment.
    async fn letter_failed(&self, id: u64, why: &str, again: Option<DateTime<Utc>>) -> Result<()>;

    /// The letters about a booking that were tried and not taken, in the order in which they were written.
    async fn letter_problems(&self, booking: BookingId) -> Result<Vec<LetterProblem>>;

    // Reports.

    /// The conferences that match, by their start.
    async fn conferences(&self, filter: &ReportFilter) -> Result<Vec<ConferenceRow>>;

    /// The calls that match, by the moment they were answered; a call that was in several conferences has a row for
    /// each.
    async fn calls(&self, filter: &ReportFilter) -> Result<Vec<CallRow>>;

    /// One conference, by its number in the books.
    async fn conference(&self, id: u64) -> Result<Option<ConferenceRow>>;

    /// What happened in one conference, in order: its number is that of [`ConferenceRow::id`].
    async fn events(&self, conference: u64) -> Result<Vec<EventRow>>;

    /// What each account's conferences that started in the period came to.
    async fn usage(&self, period: Period) -> Result<Vec<UsageRow>>;

    /// Accounts whose Host PIN was used from at least `numbers` different numbers in the period, or by two Hosts at
    /// once: it looks shared.
    async fn hints(&self, period: Period, numbers: u32) -> Result<Vec<Hint>>;

    // Recordings.

    /// The files of recordings that match, by their numbers: of a department or a caller's number it isn't asked.
    async fn recordings(&self, filter: &ReportFilter) -> Result<Vec<RecordingRow>>;

    /// One file.
    async fn recording(&self, id: u64) -> Result<RecordingRow>;

    /// What earlier runs of this bridge were writing when they were killed. For the process that serves, before its run.
    async fn open_recordings(&self) -> Result<Vec<RecordingRow>>;

    /// Such a file was ended: how long it is.
    async fn close_recording(&self, id: u64, length: Duration) -> Result<()>;

    /// Orders that a file be deleted, by whichever bridge has it, once it is whole.
    async fn delete_recording(&self, id: u64, act: &Act) -> Result<RecordingRow>;

    /// The files of this bridge that are to be deleted now: what was ordered, and what began before that moment. At most
    /// `limit` of each.
    async fn due_recordings(&self, before: DateTime<Utc>, limit: u32) -> Result<Vec<RecordingRow>>;

    /// A file is no more.
    async fn recording_gone(&self, id: u64, now: DateTime<Utc>) -> Result<()>;

    // Users of the portal.

    /// Makes a user, who can't sign in before a [link](Self::offer_link) was used.
    async fn add_user(&self, email: &UserEmail, role: UserRole, act: &Act) -> Result<User>;

    /// The users, by their ids.
    async fn users(&self, page: Page) -> Result<Vec<User>>;

    /// The user of an e-mail address, upper or lower case, with the password where one was set.
    async fn user(&self, email: &str) -> Result<Option<(User, Option<PasswordHash>)>>;

    /// Shuts a user out, whose sessions end at once and whose link is withdrawn; or lets them in again.
    async fn suspend_user(&self, id: UserId, suspended: bool, act: &Act) -> Result<()>;

    /// Gives a user another role; a session that is open has it from its next request on.
    async fn change_user_role(&self, id: UserId, role: UserRole, act: &Act) -> Result<()>;

    /// Lets whoever has the link set that user's password, once, until it ends. It takes the place of an earlier
    /// one. The password of now stays good until then.
    async fn offer_link(
        &self,
        id: UserId,
        link: &TokenHash,
        ends: DateTime<Utc>,
        act: &Act,
    ) -> Result<()>;

    /// Whose password the link would set now.
    async fn linked_user(&self, link: &TokenHash, now: DateTime<Utc>) -> Result<Option<User>>;

    /// Sets the password by a link, which is used up with it; all sessions of the user end.
    async fn set_password(
        &self,
        link: &TokenHash,
        password: &PasswordHash,
        now: DateTime<Utc>,
    ) -> Result<User>;

    /// Signs a browser in.
    async fn begin_session(&self, new: &NewSession, now: DateTime<Utc>) -> Result<User>;

    /// The session of a browser, unless it ended, was last seen `idle` ago or longer, or its user is suspended.
    async fn session(
        &self,
        token: &TokenHash,
        idle: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>>;

    /// Notes that a session is in use.
    async fn session_seen(&self, token: &TokenHash, now: DateTime<Utc>) -> Result<()>;

    /// Signs a browser out.
    async fn end_session(&self, token: &TokenHash, act: &Act) -> Result<()>;

    /// Signs all browsers of a user out; says how many there were.
    async fn end_sessions(&self, id: UserId, act: &Act) -> Result<u64>;

    /// Sets a user's second factor, in place of the one there was, with its recovery codes.
    async fn set_second_factor(&self, id: UserId, new: &NewFactor, act: &Act) -> Result<()>;

    /// A user's second factor.
    async fn second_factor(&self, id: UserId) -> Result<Option<SealedFactor>>;

    /// Uses up the code of a time step; says whether it was good: neither that code nor a later one was used before.
    async fn use_factor_step(&self, id: UserId, step: u64) -> Result<bool>;

    /// Uses up a recovery code; says whether there was one.
    async fn use_recovery_code(&self, id: UserId, code: &TokenHash, act: &Act) -> Result<bool>;

    /// How many recovery codes are left.
    async fn recovery_codes(&self, id: UserId) -> Result<u64>;

    /// Recovery codes in place of those there were.
    async fn renew_recovery_codes(&self, id: UserId, codes: &[TokenHash], act: &Act) -> Result<()>;

    /// Takes a user's second factor away, with its recovery codes: the password alone lets them in.
    async fn drop_second_factor(&self, id: UserId, act: &Act) -> Result<()>;

    /// Notes that the password was right in a browser, and the second factor is awaited until `ends`.
    async fn begin_half_session(
        &self,
        token: &TokenHash,
        user: UserId,
        ends: DateTime<Utc>,
    ) -> Result<()>;

    /// Whose second factor is awaited in a browser.
    async fn half_session(&self, token: &TokenHash, now: DateTime<Utc>) -> Result<Option<User>>;

    // Programs that act in the name of users.

    /// Makes a token of a program.
    async fn add_api_token(&self, new: &NewApiToken, act: &Act) -> Result<ApiToken>;

    /// The tokens, of one user or of all, by their ids.
    async fn api_tokens(&self, of: Option<UserId>, page: Page) -> Result<Vec<ApiToken>>;

    /// The token of a program, unless it ended, was revoked, or its user is suspended.
    async fn api_token(&self, token: &TokenHash, now: DateTime<Utc>) -> Result<Option<ApiToken>>;

    /// Notes that a token is in use.
    async fn api_token_used(&self, id: ApiTokenId, now: DateTime<Utc>) -> Result<()>;

    /// A token is good for nothing from now on.
    async fn revoke_api_token(&self, id: ApiTokenId, act: &Act) -> Result<()>;

    /// What was made under a key, for [`ONCE_LASTS`](crate::ONCE_LASTS).
    async fn done(&self, once: &Once) -> Result<Option<Done>>;

    // Webhooks.

    /// Makes a webhook. From now on what happens is put into its outbox, in the transaction that writes it down.
    async fn add_webhook(&self, new: &NewWebhook, act: &Act) -> Result<Webhook>;

    /// The webhooks, of one user or of all, by their ids.
    async fn webhooks(&self, of: Option<UserId>, page: Page) -> Result<Vec<Webhook>>;

    /// Tells a webhook of other events, or switches it off or on. What is due when it is switched off is given up.
    async fn change_webhook(
        &self,
        id: WebhookId,
        events: Option<&[HookEvent]>,
        enabled: Option<bool>,
        act: &Act,
    ) -> Result<Webhook>;

    /// A webhook is told nothing any more, and forgotten with its outbox.
    async fn remove_webhook(&self, id: WebhookId, act: &Act) -> Result<()>;

    /// The webhooks that have something due, at most `limit`.
    async fn due_webhooks(&self, limit: u32, now: DateTime<Utc>) -> Result<Vec<WebhookId>>;

    /// What a webhook is to be told now, at most `limit` events; each is this bridge's for `lease` from now on.
    async fn due_deliveries(
        &self,
        webhook: WebhookId,
        limit: u32,
        lease: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Vec<Delivery>>;

    /// It was taken.
    async fn delivered(&self, delivery: &Delivery, now: DateTime<Utc>) -> Result<()>;

    /// It was not taken: it is tried again at `again`, or given up where there is no such moment. Says since when the webhook has
    /// taken nothing.
    async fn not_delivered(
        &self,
        delivery: &Delivery,
        why: &str,
        again: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>>;

    /// Switches a webhook off that takes nothing any more; the audit log says why.
    async fn disable_webhook(&self, id: WebhookId, why: &str, now: DateTime<Utc>) -> Result<()>;

    /// What a webhook was told or is to be told, the newest first: [`Page::after`] is the last of the part before.
    async fn deliveries(&self, webhook: WebhookId, page: Page) -> Result<Vec<DeliveryRow>>;

    // The audit log.

    /// Writes down what an operator did that changed nothing else in the database.
    async fn note(&self, kind: &str, body: &serde_json::Value, act: &Act) -> Result<()>;

    /// The entries that match, in order, with the names as far as they aren't erased.
    async fn audit(&self, page: &AuditPage) -> Result<Vec<AuditRow>>;

    /// The numbers of the first and the last entry of a period; none where it has no entries.
    async fn audit_span(&self, period: Period) -> Result<Option<(u64, u64)>>;

    /// Verifies the whole chain, from the anchor to the head that is kept outside the database.
    async fn verify_audit(&self) -> Result<Verified>;

    /// Takes the log as it stands for the whole of it, after somebody has looked into what verification found about
    /// its head, which is noted anew; an entry says what was found, and so does the answer. Nothing where all is well.
    /// [`Broken`](crate::StoreError::Broken) where the chain itself, or a name in it, is not as it was written.
    async fn accept_audit(&self, act: &Act) -> Result<Option<String>>;

    // Persons, retention, copies.

    /// Everything that is kept of the person with that e-mail address: accounts, bookings, invitations, calls.
    async fn export_person(&self, email: &str) -> Result<Person>;

    /// Erases that person: closes the accounts, forgets name, address, numbers and titles everywhere. The audit
    /// chain stays verifiable, since it never held them.
    async fn erase_person(&self, email: &str, act: &Act) -> Result<Person>;

    /// What is to be done now and then: drops what was kept for long enough, masks numbers, retires the PINs of
    /// bookings that are over. In steps of bounded size. A log that was tampered with keeps its front, where it may
    /// still be looked into; the rest is swept all the same.
    async fn sweep(&self, keep: &Keep, now: DateTime<Utc>) -> Result<Swept>;
}
