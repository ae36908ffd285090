//! The trait, method by method: what each does is in the file of its subject.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{
    Account, AccountId, AccountState, Booking, BookingId, DoorkeeperState, InviteeId, Notice,
    PinLookup, Role, Source,
};

use super::SqlStore;
use crate::error::Result;
use crate::{
    AccountChange, Act, ApiToken, ApiTokenId, AuditPage, AuditRow, BookingChange, BookingFilter,
    CallRow, ConferenceRow, Delivery, DeliveryRow, Done, EventRow, Find, Found, Hint, HookEvent,
    Keep, Letter, LetterProblem, NewAccount, NewApiToken, NewBooking, NewFactor, NewInvitee,
    NewSession, NewWebhook, Once, Page, PasswordHash, Period, Person, PinCount, RecordingRow,
    ReportFilter, SealedFactor, SealedGuestPin, Session, Store, StoredPin, Swept, TokenHash,
    Totals, UsageRow, User, UserEmail, UserId, UserRole, Verified, Webhook, WebhookId,
};

#[async_trait::async_trait]
impl Store for SqlStore {
    async fn door(
        &self,
        pin: &[PinLookup],
        source: &Source,
        now: DateTime<Utc>,
    ) -> Result<Option<Found>> {
        self.find_door(pin, source, now).await
    }

    async fn rehash_pin(&self, old: &PinLookup, new: &StoredPin) -> Result<()> {
        self.rehash(old, new).await
    }

    async fn pins_by_key(&self) -> Result<Vec<(u32, u64)>> {
        self.count_by_key().await
    }

    async fn pins(&self) -> Result<Vec<PinCount>> {
        self.count_pins().await
    }

    async fn end_consent(&self, act: &Act) -> Result<()> {
        self.consent_ended(act).await
    }

    async fn append_notice(&self, notice: &Notice) -> Result<u64> {
        self.append(notice).await
    }

    async fn notices_after(&self, place: u64, limit: u32) -> Result<Vec<(u64, Notice)>> {
        self.after(place, limit).await
    }

    async fn watch_snapshot(&self) -> Result<(u64, DoorkeeperState)> {
        self.snapshot().await
    }

    async fn keep_watch_snapshot(
        &self,
        place: u64,
        state: &DoorkeeperState,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.keep_snapshot(place, state, now).await
    }

    async fn add_accounts(&self, new: Vec<NewAccount>, act: &Act) -> Result<Vec<Account>> {
        self.add(new, act).await
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        Ok(self.find(&Find::Id(id), Page::first(1)).await?.pop())
    }

    async fn accounts(&self, find: &Find, page: Page) -> Result<Vec<Account>> {
        self.find(find, page).await
    }

    async fn has_accounts(&self) -> Result<bool> {
        self.any_account().await
    }

    async fn totals(&self) -> Result<Totals> {
        self.count_totals().await
    }

    async fn change_account(
        &self,
        id: AccountId,
        change: &AccountChange,
        act: &Act,
    ) -> Result<Account> {
        self.change(id, change, act).await
    }

    async fn set_state(&self, id: AccountId, state: AccountState, act: &Act) -> Result<()> {
        self.put_state(id, state, act).await
    }

    async fn reset_pin(&self, id: AccountId, role: Role, pin: StoredPin, act: &Act) -> Result<()> {
        self.replace_pin(id, role, &pin, act).await
    }

    async fn guest_pin(&self, id: AccountId) -> Result<Option<SealedGuestPin>> {
        self.own_guest_pin(id).await
    }

    async fn book(&self, new: NewBooking, act: &Act) -> Result<Booking> {
        self.book_in(new, act).await
    }

    async fn change_booking(
        &self,
        id: BookingId,
        change: &BookingChange,
        act: &Act,
    ) -> Result<Booking> {
        self.change_in(id, change, act).await
    }

    async fn cancel_booking(&self, id: BookingId, act: &Act) -> Result<Booking> {
        self.cancel_in(id, act).await
    }

    async fn invite(&self, id: BookingId, new: NewInvitee, act: &Act) -> Result<Booking> {
        self.invite_in(id, new, act).await
    }

    async fn withdraw(&self, id: InviteeId, act: &Act) -> Result<Booking> {
        self.withdraw_in(id, act).await
    }

    async fn booking(&self, id: BookingId) -> Result<Option<Booking>> {
        self.booking_of(id).await
    }

    async fn bookings(&self, filter: &BookingFilter, page: Page) -> Result<Vec<Booking>> {
        self.bookings_of(filter, page).await
    }

    async fn clashes(&self, id: BookingId) -> Result<Vec<BookingId>> {
        self.clashes_of(id).await
    }

    async fn booking_pins(&self, id: BookingId) -> Result<Vec<SealedGuestPin>> {
        self.pins_of_booking(id).await
    }

    async fn ends_of(
        &self,
        ids: &[BookingId],
        now: DateTime<Utc>,
    ) -> Result<Vec<(BookingId, DateTime<Utc>)>> {
        self.ends_of_bookings(ids, now).await
    }

    async fn due_letters(
        &self,
        limit: u32,
        lease: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Vec<Letter>> {
        self.due(limit, lease, now).await
    }

    async fn letter_sent(&self, id: u64, now: DateTime<Utc>) -> Result<()> {
        self.sent(id, now).await
    }

    async fn letter_failed(&self, id: u64, why: &str, again: Option<DateTime<Utc>>) -> Result<()> {
        self.failed(id, why, again).await
    }

    async fn letter_problems(&self, booking: BookingId) -> Result<Vec<LetterProblem>> {
        self.problems(booking).await
    }

    async fn conferences(&self, filter: &ReportFilter) -> Result<Vec<ConferenceRow>> {
        self.conferences_of(filter).await
    }

    async fn calls(&self, filter: &ReportFilter) -> Result<Vec<CallRow>> {
        self.calls_of(filter).await
    }

    async fn conference(&self, id: u64) -> Result<Option<ConferenceRow>> {
        self.conference_of(id).await
    }

    async fn events(&self, conference: u64) -> Result<Vec<EventRow>> {
        self.events_of(conference).await
    }

    async fn usage(&self, period: Period) -> Result<Vec<UsageRow>> {
        self.usage_in(period).await
    }

    async fn hints(&self, period: Period, numbers: u32) -> Result<Vec<Hint>> {
        self.hints_in(period, numbers).await
    }

    async fn recordings(&self, filter: &ReportFilter) -> Result<Vec<RecordingRow>> {
        self.recordings_of(filter).await
    }

    async fn recording(&self, id: u64) -> Result<RecordingRow> {
        self.recording_of(id).await
    }

    async fn open_recordings(&self) -> Result<Vec<RecordingRow>> {
        self.open_recordings_of().await
    }

    async fn close_recording(&self, id: u64, length: Duration) -> Result<()> {
        self.close_one(id, length).await
    }

    async fn delete_recording(&self, id: u64, act: &Act) -> Result<RecordingRow> {
        self.order_deletion(id, act).await
    }

    async fn due_recordings(&self, before: DateTime<Utc>, limit: u32) -> Result<Vec<RecordingRow>> {
        self.due_recordings_of(before, limit).await
    }

    async fn recording_gone(&self, id: u64, now: DateTime<Utc>) -> Result<()> {
        self.drop_recording(id, now).await
    }

    async fn add_user(&self, email: &UserEmail, role: UserRole, act: &Act) -> Result<User> {
        self.new_user(email, role, act).await
    }

    async fn users(&self, page: Page) -> Result<Vec<User>> {
        self.all_users(page).await
    }

    async fn user(&self, email: &str) -> Result<Option<(User, Option<PasswordHash>)>> {
        self.user_of(email).await
    }

    async fn suspend_user(&self, id: UserId, suspended: bool, act: &Act) -> Result<()> {
        self.put_user_state(id, suspended, act).await
    }

    async fn change_user_role(&self, id: UserId, role: UserRole, act: &Act) -> Result<()> {
        self.put_user_role(id, role, act).await
    }

    async fn offer_link(
        &self,
        id: UserId,
        link: &TokenHash,
        ends: DateTime<Utc>,
        act: &Act,
    ) -> Result<()> {
        self.new_link(id, link, ends, act).await
    }

    async fn linked_user(&self, link: &TokenHash, now: DateTime<Utc>) -> Result<Option<User>> {
        self.user_of_link(link, now).await
    }

    async fn set_password(
        &self,
        link: &TokenHash,
        password: &PasswordHash,
        now: DateTime<Utc>,
    ) -> Result<User> {
        self.use_link(link, password, now).await
    }

    async fn begin_session(&self, new: &NewSession, now: DateTime<Utc>) -> Result<User> {
        self.new_session(new, now).await
    }

    async fn session(
        &self,
        token: &TokenHash,
        idle: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>> {
        self.find_session(token, idle, now).await
    }

    async fn session_seen(&self, token: &TokenHash, now: DateTime<Utc>) -> Result<()> {
        self.seen(token, now).await
    }

    async fn end_session(&self, token: &TokenHash, act: &Act) -> Result<()> {
        self.drop_session(token, act).await
    }

    async fn set_second_factor(&self, id: UserId, new: &NewFactor, act: &Act) -> Result<()> {
        self.put_factor(id, new, act).await
    }

    async fn second_factor(&self, id: UserId) -> Result<Option<SealedFactor>> {
        self.factor_of(id).await
    }

    async fn use_factor_step(&self, id: UserId, step: u64) -> Result<bool> {
        self.use_step(id, step).await
    }

    async fn use_recovery_code(&self, id: UserId, code: &TokenHash, act: &Act) -> Result<bool> {
        self.use_recovery(id, code, act).await
    }

    async fn recovery_codes(&self, id: UserId) -> Result<u64> {
        self.recovery_left(id).await
    }

    async fn renew_recovery_codes(&self, id: UserId, codes: &[TokenHash], act: &Act) -> Result<()> {
        self.renew_recovery(id, codes, act).await
    }

    async fn drop_second_factor(&self, id: UserId, act: &Act) -> Result<()> {
        self.drop_factor(id, act).await
    }

    async fn begin_half_session(
        &self,
        token: &TokenHash,
        user: UserId,
        ends: DateTime<Utc>,
    ) -> Result<()> {
        self.new_half_session(token, user, ends).await
    }

    async fn half_session(&self, token: &TokenHash, now: DateTime<Utc>) -> Result<Option<User>> {
        self.find_half_session(token, now).await
    }

    async fn end_sessions(&self, id: UserId, act: &Act) -> Result<u64> {
        self.drop_sessions(id, act).await
    }

    async fn add_api_token(&self, new: &NewApiToken, act: &Act) -> Result<ApiToken> {
        self.new_api_token(new, act).await
    }

    async fn api_tokens(&self, of: Option<UserId>, page: Page) -> Result<Vec<ApiToken>> {
        self.all_api_tokens(of, page).await
    }

    async fn api_token(&self, token: &TokenHash, now: DateTime<Utc>) -> Result<Option<ApiToken>> {
        self.api_token_of(token, now).await
    }

    async fn api_token_used(&self, id: ApiTokenId, now: DateTime<Utc>) -> Result<()> {
        self.note_use(id, now).await
    }

    async fn revoke_api_token(&self, id: ApiTokenId, act: &Act) -> Result<()> {
        self.drop_api_token(id, act).await
    }

    async fn done(&self, once: &Once) -> Result<Option<Done>> {
        self.done_under(once).await
    }

    async fn add_webhook(&self, new: &NewWebhook, act: &Act) -> Result<Webhook> {
        self.new_webhook(new, act).await
    }

    async fn webhooks(&self, of: Option<UserId>, page: Page) -> Result<Vec<Webhook>> {
        self.all_webhooks(of, page).await
    }

    async fn change_webhook(
        &self,
        id: WebhookId,
        events: Option<&[HookEvent]>,
        enabled: Option<bool>,
        act: &Act,
    ) -> Result<Webhook> {
        self.change_webhook_of(id, events, enabled, act).await
    }

    async fn remove_webhook(&self, id: WebhookId, act: &Act) -> Result<()> {
        self.drop_webhook(id, act).await
    }

    async fn due_webhooks(&self, limit: u32, now: DateTime<Utc>) -> Result<Vec<WebhookId>> {
        self.hooks_due(limit, now).await
    }

    async fn due_deliveries(
        &self,
        webhook: WebhookId,
        limit: u32,
        lease: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Vec<Delivery>> {
        self.deliveries_due(webhook, limit, lease, now).await
    }

    async fn delivered(&self, delivery: &Delivery, now: DateTime<Utc>) -> Result<()> {
        self.was_delivered(delivery, now).await
    }

    async fn not_delivered(
        &self,
        delivery: &Delivery,
        why: &str,
        again: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>> {
        self.was_not_delivered(delivery, why, again, now).await
    }

    async fn disable_webhook(&self, id: WebhookId, why: &str, now: DateTime<Utc>) -> Result<()> {
        self.webhook_off(id, why, now).await
    }

    async fn deliveries(&self, webhook: WebhookId, page: Page) -> Result<Vec<DeliveryRow>> {
        self.deliveries_of(webhook, page).await
    }

    async fn note(&self, kind: &str, body: &serde_json::Value, act: &Act) -> Result<()> {
        self.note_down(kind, body, act).await
    }

    async fn audit(&self, page: &AuditPage) -> Result<Vec<AuditRow>> {
        self.audit_rows(page).await
    }

    async fn accept_audit(&self, act: &Act) -> Result<Option<String>> {
        self.accept(act).await
    }

    async fn audit_span(&self, period: Period) -> Result<Option<(u64, u64)>> {
        self.span(period).await
    }

    async fn verify_audit(&self) -> Result<Verified> {
        self.verify().await
    }

    async fn export_person(&self, email: &str) -> Result<Person> {
        self.person(email).await
    }

    async fn erase_person(&self, email: &str, act: &Act) -> Result<Person> {
        self.erase(email, act).await
    }

    async fn sweep(&self, keep: &Keep, now: DateTime<Utc>) -> Result<Swept> {
        self.sweep_once(keep, now).await
    }
}
