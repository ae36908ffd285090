//! What a database must be able to do for the bridge.

use std::{future::Future, time::Duration};

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
pub trait Books: Send + Sync + 'static {
    /// Opens a new run of this bridge. What an earlier one left open, because it was killed, is closed as
    /// `interrupted` at the last moment that run was seen. For the process that serves, not for others.
    fn begin_run(&self, now: DateTime<Utc>) -> impl Future<Output = Result<RunId>> + Send;

    /// Writes the entries down in their order, all or none. An entry about a call or conference of which the
    /// run knows nothing is left out, with a warning in the log.
    fn write(
        &self,
        run: RunId,
        entries: &[Entry],
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Notes that the run goes on, should it be killed: free of cost while no call is open.
    fn still_running(
        &self,
        run: RunId,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Closes the run in good order; what is open yet is closed as [`begin_run`](Self::begin_run) does.
    fn end_run(&self, run: RunId, now: DateTime<Utc>) -> impl Future<Output = Result<()>> + Send;
}

/// A database of the bridge. Several processes may use the same one at the same time.
///
/// What an operator does goes into the audit log in the same transaction: such methods take an [`Act`], which
/// says who did it and when.
pub trait Store: Books {
    // The door.

    /// What is behind a PIN for a caller from `source`: the door, whether or not it opens now. `pin` has the
    /// lookups of one PIN under each key, the current first; one found under an older key is
    /// [rehashed](Self::rehash_pin) by whoever serves.
    fn door(
        &self,
        pin: &[PinLookup],
        source: &Source,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<Found>>> + Send;

    /// Keeps a PIN under the current key from now on.
    fn rehash_pin(
        &self,
        old: &PinLookup,
        new: &StoredPin,
    ) -> impl Future<Output = Result<()>> + Send;

    /// How many PINs in use are kept under each key, by the key's id.
    fn pins_by_key(&self) -> impl Future<Output = Result<Vec<(u32, u64)>>> + Send;

    /// How many PINs of each kind would be recognised, by length. Kept as counts: free of cost however many.
    fn pins(&self) -> impl Future<Output = Result<Vec<PinCount>>> + Send;

    // The watch on guessing: a log that all bridges of a database share.

    /// Ends consent in all bridges of this database.
    fn end_consent(&self, act: &Act) -> impl Future<Output = Result<()>> + Send;

    /// Adds a notice to the end of the log; gives back its place.
    fn append_notice(&self, notice: &Notice) -> impl Future<Output = Result<u64>> + Send;

    /// The notices after a place, in order, at most `limit`.
    fn notices_after(
        &self,
        place: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<(u64, Notice)>>> + Send;

    /// The latest snapshot: the place up to which it knows the log, and the state there.
    fn watch_snapshot(&self) -> impl Future<Output = Result<(u64, DoorkeeperState)>> + Send;

    /// Keeps a snapshot and drops the notices that it makes superfluous: those it knows and that are older
    /// than ten minutes, so that a bridge that lags behind finds them still. An older snapshot than the one kept
    /// is ignored.
    fn keep_watch_snapshot(
        &self,
        place: u64,
        state: &DoorkeeperState,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send;

    // Accounts.

    /// Makes accounts, all or none. [`StoreError::PinTaken`](crate::StoreError::PinTaken) asks for other PINs.
    fn add_accounts(
        &self,
        new: Vec<NewAccount>,
        act: &Act,
    ) -> impl Future<Output = Result<Vec<Account>>> + Send;

    /// One account.
    fn account(&self, id: AccountId) -> impl Future<Output = Result<Option<Account>>> + Send;

    /// The accounts that match, by their ids.
    fn accounts(
        &self,
        find: &Find,
        page: Page,
    ) -> impl Future<Output = Result<Vec<Account>>> + Send;

    /// Whether there is any account.
    fn has_accounts(&self) -> impl Future<Output = Result<bool>> + Send;

    /// How many accounts and bookings have a PIN that would be recognised. Kept as counts.
    fn totals(&self) -> impl Future<Output = Result<Totals>> + Send;

    /// Changes what is given in the change.
    fn change_account(
        &self,
        id: AccountId,
        change: &AccountChange,
        act: &Act,
    ) -> impl Future<Output = Result<Account>> + Send;

    /// Suspends an account, makes it active again, or closes it for good: its PINs and those of its bookings then
    /// rest, and its bookings that aren't over are cancelled.
    fn set_state(
        &self,
        id: AccountId,
        state: AccountState,
        act: &Act,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Gives the account another PIN for the role. The old one opens nothing from now on and rests for
    /// [`PIN_REST`]; a suspicion of the old one (see `Doorkeeper`) is lifted.
    fn reset_pin(
        &self,
        id: AccountId,
        role: Role,
        pin: StoredPin,
        act: &Act,
    ) -> impl Future<Output = Result<()>> + Send;

    /// The Guest PIN of an account, encrypted; none where it was taken in before Guest PINs were kept.
    fn guest_pin(
        &self,
        id: AccountId,
    ) -> impl Future<Output = Result<Option<SealedGuestPin>>> + Send;

    // Bookings.

    /// Books. The letters that are due go into the outbox in the same transaction.
    fn book(&self, new: NewBooking, act: &Act) -> impl Future<Output = Result<Booking>> + Send;

    /// Changes what is given in the change and counts the sequence up. PINs stay.
    fn change_booking(
        &self,
        id: BookingId,
        change: &BookingChange,
        act: &Act,
    ) -> impl Future<Output = Result<Booking>> + Send;

    /// Calls a booking off: its PINs open nothing any more. Who is in stays until the booked end.
    fn cancel_booking(
        &self,
        id: BookingId,
        act: &Act,
    ) -> impl Future<Output = Result<Booking>> + Send;

    /// Invites one more person by name.
    fn invite(
        &self,
        id: BookingId,
        new: NewInvitee,
        act: &Act,
    ) -> impl Future<Output = Result<Booking>> + Send;

    /// Takes one invitation back: that PIN opens nothing any more, the others go on.
    fn withdraw(&self, id: InviteeId, act: &Act) -> impl Future<Output = Result<Booking>> + Send;

    /// One booking.
    fn booking(&self, id: BookingId) -> impl Future<Output = Result<Option<Booking>>> + Send;

    /// The bookings that match, by their ids.
    fn bookings(
        &self,
        filter: &BookingFilter,
        page: Page,
    ) -> impl Future<Output = Result<Vec<Booking>>> + Send;

    /// The other bookings of the same owner (all accounts of that e-mail address) that share a moment with it.
    fn clashes(&self, id: BookingId) -> impl Future<Output = Result<Vec<BookingId>>> + Send;

    /// The Guest PINs of a booking, encrypted: one for all, or one for each invitee who is still invited.
    fn booking_pins(
        &self,
        id: BookingId,
    ) -> impl Future<Output = Result<Vec<SealedGuestPin>>> + Send;

    /// Until when these bookings, which are in use now, last: for conferences that run while a booking is moved.
    fn ends_of(
        &self,
        ids: &[BookingId],
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<(BookingId, DateTime<Utc>)>>> + Send;

    // The outbox.

    /// The letters that are due, the oldest first, at most `limit`; each is this bridge's for `lease` from now on.
    fn due_letters(
        &self,
        limit: u32,
        lease: TimeDelta,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<Letter>>> + Send;

    /// A letter was taken by the mail server.
    fn letter_sent(&self, id: u64, now: DateTime<Utc>) -> impl Future<Output = Result<()>> + Send;

    /// A letter was not taken: it is tried again at `again`, or given up where there is no such moment.
    fn letter_failed(
        &self,
        id: u64,
        why: &str,
        again: Option<DateTime<Utc>>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// The letters about a booking that were tried and not taken, in the order in which they were written.
    fn letter_problems(
        &self,
        booking: BookingId,
    ) -> impl Future<Output = Result<Vec<LetterProblem>>> + Send;

    // Reports.

    /// The conferences that match, by their start.
    fn conferences(
        &self,
        filter: &ReportFilter,
    ) -> impl Future<Output = Result<Vec<ConferenceRow>>> + Send;

    /// The calls that match, by the moment they were answered; a call that was in several conferences has a row for
    /// each.
    fn calls(&self, filter: &ReportFilter) -> impl Future<Output = Result<Vec<CallRow>>> + Send;

    /// One conference, by its number in the books.
    fn conference(&self, id: u64) -> impl Future<Output = Result<Option<ConferenceRow>>> + Send;

    /// What happened in one conference, in order: its number is that of [`ConferenceRow::id`].
    fn events(&self, conference: u64) -> impl Future<Output = Result<Vec<EventRow>>> + Send;

    /// What each account's conferences that started in the period came to.
    fn usage(&self, period: Period) -> impl Future<Output = Result<Vec<UsageRow>>> + Send;

    /// Accounts whose Host PIN was used from at least `numbers` different numbers in the period, or by two Hosts at
    /// once: it looks shared.
    fn hints(&self, period: Period, numbers: u32)
    -> impl Future<Output = Result<Vec<Hint>>> + Send;

    // Recordings.

    /// The files of recordings that match, by their numbers: of a department or a caller's number it isn't asked.
    fn recordings(
        &self,
        filter: &ReportFilter,
    ) -> impl Future<Output = Result<Vec<RecordingRow>>> + Send;

    /// One file.
    fn recording(&self, id: u64) -> impl Future<Output = Result<RecordingRow>> + Send;

    /// What earlier runs of this bridge were writing when they were killed. For the process that serves, before its run.
    fn open_recordings(&self) -> impl Future<Output = Result<Vec<RecordingRow>>> + Send;

    /// Such a file was ended: how long it is.
    fn close_recording(&self, id: u64, length: Duration)
    -> impl Future<Output = Result<()>> + Send;

    /// Orders that a file be deleted, by whichever bridge has it, once it is whole.
    fn delete_recording(
        &self,
        id: u64,
        act: &Act,
    ) -> impl Future<Output = Result<RecordingRow>> + Send;

    /// The files of this bridge that are to be deleted now: what was ordered, and what began before that moment. At most
    /// `limit` of each.
    fn due_recordings(
        &self,
        before: DateTime<Utc>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<RecordingRow>>> + Send;

    /// A file is no more.
    fn recording_gone(
        &self,
        id: u64,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send;

    // Users of the portal.

    /// Makes a user, who can't sign in before a [link](Self::offer_link) was used.
    fn add_user(
        &self,
        email: &UserEmail,
        role: UserRole,
        act: &Act,
    ) -> impl Future<Output = Result<User>> + Send;

    /// The users, by their ids.
    fn users(&self, page: Page) -> impl Future<Output = Result<Vec<User>>> + Send;

    /// The user of an e-mail address, upper or lower case, with the password where one was set.
    fn user(
        &self,
        email: &str,
    ) -> impl Future<Output = Result<Option<(User, Option<PasswordHash>)>>> + Send;

    /// Shuts a user out, whose sessions end at once and whose link is withdrawn; or lets them in again.
    fn suspend_user(
        &self,
        id: UserId,
        suspended: bool,
        act: &Act,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Gives a user another role; a session that is open has it from its next request on.
    fn change_user_role(
        &self,
        id: UserId,
        role: UserRole,
        act: &Act,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Lets whoever has the link set that user's password, once, until it ends. It takes the place of an earlier
    /// one. The password of now stays good until then.
    fn offer_link(
        &self,
        id: UserId,
        link: &TokenHash,
        ends: DateTime<Utc>,
        act: &Act,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Whose password the link would set now.
    fn linked_user(
        &self,
        link: &TokenHash,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<User>>> + Send;

    /// Sets the password by a link, which is used up with it; all sessions of the user end.
    fn set_password(
        &self,
        link: &TokenHash,
        password: &PasswordHash,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<User>> + Send;

    /// Signs a browser in.
    fn begin_session(
        &self,
        new: &NewSession,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<User>> + Send;

    /// The session of a browser, unless it ended, was last seen `idle` ago or longer, or its user is suspended.
    fn session(
        &self,
        token: &TokenHash,
        idle: TimeDelta,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<Session>>> + Send;

    /// Notes that a session is in use.
    fn session_seen(
        &self,
        token: &TokenHash,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Signs a browser out.
    fn end_session(&self, token: &TokenHash, act: &Act) -> impl Future<Output = Result<()>> + Send;

    /// Signs all browsers of a user out; says how many there were.
    fn end_sessions(&self, id: UserId, act: &Act) -> impl Future<Output = Result<u64>> + Send;

    /// Sets a user's second factor, in place of the one there was, with its recovery codes.
    fn set_second_factor(
        &self,
        id: UserId,
        new: &NewFactor,
        act: &Act,
    ) -> impl Future<Output = Result<()>> + Send;

    /// A user's second factor.
    fn second_factor(
        &self,
        id: UserId,
    ) -> impl Future<Output = Result<Option<SealedFactor>>> + Send;

    /// Uses up the code of a time step; says whether it was good: neither that code nor a later one was used before.
    fn use_factor_step(&self, id: UserId, step: u64) -> impl Future<Output = Result<bool>> + Send;

    /// Uses up a recovery code; says whether there was one.
    fn use_recovery_code(
        &self,
        id: UserId,
        code: &TokenHash,
        act: &Act,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// How many recovery codes are left.
    fn recovery_codes(&self, id: UserId) -> impl Future<Output = Result<u64>> + Send;

    /// Recovery codes in place of those there were.
    fn renew_recovery_codes(
        &self,
        id: UserId,
        codes: &[TokenHash],
        act: &Act,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Takes a user's second factor away, with its recovery codes: the password alone lets them in.
    fn drop_second_factor(&self, id: UserId, act: &Act) -> impl Future<Output = Result<()>> + Send;

    /// Notes that the password was right in a browser, and the second factor is awaited until `ends`.
    fn begin_half_session(
        &self,
        token: &TokenHash,
        user: UserId,
        ends: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Whose second factor is awaited in a browser.
    fn half_session(
        &self,
        token: &TokenHash,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<User>>> + Send;

    // Programs that act in the name of users.

    /// Makes a token of a program.
    fn add_api_token(
        &self,
        new: &NewApiToken,
        act: &Act,
    ) -> impl Future<Output = Result<ApiToken>> + Send;

    /// The tokens, of one user or of all, by their ids.
    fn api_tokens(
        &self,
        of: Option<UserId>,
        page: Page,
    ) -> impl Future<Output = Result<Vec<ApiToken>>> + Send;

    /// The token of a program, unless it ended, was revoked, or its user is suspended.
    fn api_token(
        &self,
        token: &TokenHash,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<ApiToken>>> + Send;

    /// Notes that a token is in use.
    fn api_token_used(
        &self,
        id: ApiTokenId,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// A token is good for nothing from now on.
    fn revoke_api_token(
        &self,
        id: ApiTokenId,
        act: &Act,
    ) -> impl Future<Output = Result<()>> + Send;

    /// What was made under a key, for [`ONCE_LASTS`](crate::ONCE_LASTS).
    fn done(&self, once: &Once) -> impl Future<Output = Result<Option<Done>>> + Send;

    // Webhooks.

    /// Makes a webhook. From now on what happens is put into its outbox, in the transaction that writes it down.
    fn add_webhook(
        &self,
        new: &NewWebhook,
        act: &Act,
    ) -> impl Future<Output = Result<Webhook>> + Send;

    /// The webhooks, of one user or of all, by their ids.
    fn webhooks(
        &self,
        of: Option<UserId>,
        page: Page,
    ) -> impl Future<Output = Result<Vec<Webhook>>> + Send;

    /// Tells a webhook of other events, or switches it off or on. What is due when it is switched off is given up.
    fn change_webhook(
        &self,
        id: WebhookId,
        events: Option<&[HookEvent]>,
        enabled: Option<bool>,
        act: &Act,
    ) -> impl Future<Output = Result<Webhook>> + Send;

    /// A webhook is told nothing any more, and forgotten with its outbox.
    fn remove_webhook(&self, id: WebhookId, act: &Act) -> impl Future<Output = Result<()>> + Send;

    /// The webhooks that have something due, at most `limit`.
    fn due_webhooks(
        &self,
        limit: u32,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<WebhookId>>> + Send;

    /// What a webhook is to be told now, at most `limit` events; each is this bridge's for `lease` from now on.
    fn due_deliveries(
        &self,
        webhook: WebhookId,
        limit: u32,
        lease: TimeDelta,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Vec<Delivery>>> + Send;

    /// It was taken.
    fn delivered(
        &self,
        delivery: &Delivery,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// It was not taken: it is tried again at `again`, or given up where there is no such moment. Says since when the webhook has
    /// taken nothing.
    fn not_delivered(
        &self,
        delivery: &Delivery,
        why: &str,
        again: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<DateTime<Utc>>>> + Send;

    /// Switches a webhook off that takes nothing any more; the audit log says why.
    fn disable_webhook(
        &self,
        id: WebhookId,
        why: &str,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// What a webhook was told or is to be told, the newest first: [`Page::after`] is the last of the part before.
    fn deliveries(
        &self,
        webhook: WebhookId,
        page: Page,
    ) -> impl Future<Output = Result<Vec<DeliveryRow>>> + Send;

    // The audit log.

    /// Writes down what an operator did that changed nothing else in the database.
    fn note(
        &self,
        kind: &str,
        body: &serde_json::Value,
        act: &Act,
    ) -> impl Future<Output = Result<()>> + Send;

    /// The entries that match, in order, with the names as far as they aren't erased.
    fn audit(&self, page: &AuditPage) -> impl Future<Output = Result<Vec<AuditRow>>> + Send;

    /// The numbers of the first and the last entry of a period; none where it has no entries.
    fn audit_span(&self, period: Period)
    -> impl Future<Output = Result<Option<(u64, u64)>>> + Send;

    /// Verifies the whole chain, from the anchor to the head that is kept outside the database.
    fn verify_audit(&self) -> impl Future<Output = Result<Verified>> + Send;

    /// Takes the log as it stands for the whole of it, after somebody has looked into what verification found about
    /// its head, which is noted anew; an entry says what was found, and so does the answer. Nothing where all is well.
    /// [`Broken`](crate::StoreError::Broken) where the chain itself, or a name in it, is not as it was written.
    fn accept_audit(&self, act: &Act) -> impl Future<Output = Result<Option<String>>> + Send;

    // Persons, retention, copies.

    /// Everything that is kept of the person with that e-mail address: accounts, bookings, invitations, calls.
    fn export_person(&self, email: &str) -> impl Future<Output = Result<Person>> + Send;

    /// Erases that person: closes the accounts, forgets name, address, numbers and titles everywhere. The audit
    /// chain stays verifiable, since it never held them.
    fn erase_person(&self, email: &str, act: &Act) -> impl Future<Output = Result<Person>> + Send;

    /// What is to be done now and then: drops what was kept for long enough, masks numbers, retires the PINs of
    /// bookings that are over. In steps of bounded size. A log that was tampered with keeps its front, where it may
    /// still be looked into; the rest is swept all the same.
    fn sweep(&self, keep: &Keep, now: DateTime<Utc>) -> impl Future<Output = Result<Swept>> + Send;
}
