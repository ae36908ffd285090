//! Webhooks, and what is told by them: put here in the transaction that gives the reason, taken out by whoever tells.

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{AccountId, BookingId};
use serde_json::{Value, json};

use super::audit::{Deed, Note};
use super::users::{there_is, user_columns, user_from};
use super::{Row, SqlStore, Turn, args, tokens};
use crate::error::{Result, bad};
use crate::{
    Act, Delivery, DeliveryRow, HookEvent, LISTED_FOR, NewWebhook, Page, SealedSecret, StoreError,
    UserId, UserRole, Webhook, WebhookId,
};

pub(super) const ADD: &str = "INSERT INTO webhooks (user_id, url, events, sealed, made_at)
    VALUES ($1, $2, $3, $4, $5) RETURNING id";
macro_rules! webhooks {
    ($condition:literal) => {
        concat!(
            "SELECT w.id AS webhook, w.url, w.events, w.made_at, w.failing_since, w.disabled_at,
            ",
            user_columns!(),
            " FROM webhooks w JOIN users u ON u.id = w.user_id WHERE ",
            $condition
        )
    };
}
pub(super) const ALL: &str = webhooks!("w.id > $1 ORDER BY w.id LIMIT $2");
pub(super) const OF_USER: &str = webhooks!("w.user_id = $3 AND w.id > $1 ORDER BY w.id LIMIT $2");
pub(super) const BY_ID: &str = webhooks!("w.id = $1");
pub(super) const LISTENING: &str = "SELECT w.id, w.events, u.email, u.role FROM webhooks w
    JOIN users u ON u.id = w.user_id WHERE w.disabled_at IS NULL AND u.state = 'active' ORDER BY w.id";
pub(super) const OWNER: &str = "SELECT lower(email) AS email FROM accounts WHERE id = $1";
pub(super) const PUT: &str =
    "INSERT INTO deliveries (webhook, event, at, body, due_at) VALUES ($1, $2, $3, $4, $3)";
pub(super) const DUE_HOOKS: &str = "SELECT DISTINCT webhook FROM deliveries
    WHERE due_at IS NOT NULL AND due_at <= $1 ORDER BY webhook LIMIT $2";
pub(super) const DUE: &str = "SELECT d.id, d.webhook, d.event, d.at, d.body, d.tries, w.user_id, w.url, w.sealed
    FROM deliveries d JOIN webhooks w ON w.id = d.webhook
    WHERE d.webhook = $1 AND d.due_at IS NOT NULL AND d.due_at <= $2 ORDER BY d.due_at, d.id LIMIT $3";
pub(super) const LEASE: &str = "UPDATE deliveries SET due_at = $2 WHERE id = $1";
pub(super) const DELIVERED: &str = "UPDATE deliveries
    SET due_at = NULL, delivered_at = $2, problem = NULL, tries = tries + 1 WHERE id = $1";
pub(super) const FAILED: &str = "UPDATE deliveries SET due_at = $3, problem = $2, tries = tries + 1
    WHERE id = $1 AND due_at IS NOT NULL";
pub(super) const WELL: &str =
    "UPDATE webhooks SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL";
pub(super) const FAILING: &str =
    "UPDATE webhooks SET failing_since = $2 WHERE id = $1 AND failing_since IS NULL";
pub(super) const DISABLE: &str =
    "UPDATE webhooks SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL";
pub(super) const ENABLE: &str =
    "UPDATE webhooks SET disabled_at = NULL, failing_since = NULL WHERE id = $1";
pub(super) const SET_EVENTS: &str = "UPDATE webhooks SET events = $2 WHERE id = $1";
pub(super) const GIVE_UP: &str =
    "UPDATE deliveries SET due_at = NULL, problem = 'the webhook is off'
    WHERE webhook = $1 AND due_at IS NOT NULL";
pub(super) const DELIVERIES: &str = "SELECT id, event, at, tries, problem, due_at, delivered_at
    FROM deliveries WHERE webhook = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
pub(super) const DROP_DELIVERIES: &str = "DELETE FROM deliveries WHERE webhook = $1";
pub(super) const DROP: &str = "DELETE FROM webhooks WHERE id = $1";
pub(super) const DROP_DELIVERIES_OF_USER: &str =
    "DELETE FROM deliveries WHERE webhook IN (SELECT id FROM webhooks WHERE user_id = $1)";
pub(super) const DROP_OF_USER: &str = "DELETE FROM webhooks WHERE user_id = $1";
pub(super) const OLD: &str = "DELETE FROM deliveries WHERE id IN
    (SELECT id FROM deliveries WHERE at <= $1 AND due_at IS NULL ORDER BY at LIMIT $2)";

/// What an event is about: numbers, by which a receiver asks for more.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    pub(super) account: AccountId,
    pub(super) booking: Option<BookingId>,
    pub(super) conference: Option<u64>,
}

impl About {
    pub(super) fn booking(account: AccountId, booking: BookingId) -> Self {
        Self {
            account,
            booking: Some(booking),
            conference: None,
        }
    }
}

/// Those who are to be told, once they were asked for within a turn.
#[derive(Default)]
pub(super) struct Listeners(Option<Vec<Listener>>);

struct Listener {
    webhook: u64,
    events: String,
    email: String,
    all: bool,
}

impl Listeners {
    /// Whether anybody wants to be told of anything.
    pub(super) async fn are_there(&mut self, turn: &mut Turn) -> Result<bool> {
        Ok(!self.listeners(turn).await?.is_empty())
    }

    async fn listeners(&mut self, turn: &mut Turn) -> Result<&[Listener]> {
        if self.0.is_none() {
            let rows = turn.all(LISTENING, args![]).await?;
            let listeners = rows.iter().map(listener_from).collect::<Result<Vec<_>>>()?;
            let listeners = listeners.into_iter().flatten().collect();
            self.0 = Some(listeners);
        }
        Ok(self.0.as_deref().unwrap_or_default())
    }

    /// Puts an event into the outbox, for each who wants it and may know of it.
    pub(super) async fn tell(
        &mut self,
        turn: &mut Turn,
        event: HookEvent,
        about: About,
        more: Value,
        at: DateTime<Utc>,
    ) -> Result<()> {
        let mut data = json!({ "account": about.account.0 });
        if let Some(booking) = about.booking {
            data["booking"] = json!(booking.0);
        }
        if let Some(conference) = about.conference {
            data["conference"] = json!(conference);
        }
        for (key, value) in more.as_object().into_iter().flatten() {
            data[key] = value.clone();
        }
        let word = event.word();
        let body = json!({ "type": word, "timestamp": at, "data": data }).to_string();
        let mut owner = None;
        for listener in self.listeners(turn).await? {
            if !listener.events.split(' ').any(|one| one == word) {
                continue;
            }
            if !listener.all {
                if owner.is_none() {
                    let row = turn.one(OWNER, args![about.account]).await?;
                    owner = Some(match row {
                        Some(row) => row.text("email")?,
                        None => String::new(),
                    });
                }
                if owner.as_deref() != Some(&listener.email) {
                    continue;
                }
            }
            turn.run(PUT, args![listener.webhook, word, at, &body])
                .await?;
        }
        Ok(())
    }
}

/// Puts an event into the outbox, within a deed that knows of one alone.
pub(super) async fn tell(
    deed: &mut Deed,
    event: HookEvent,
    about: About,
    at: DateTime<Utc>,
) -> Result<()> {
    Listeners::default()
        .tell(&mut deed.turn, event, about, Value::Null, at)
        .await
}

/// None where the role of its user has since become one that is told nothing.
fn listener_from(row: &Row) -> Result<Option<Listener>> {
    let role = row.text("role")?;
    let role = UserRole::from_word(&role).ok_or_else(|| bad("role", role))?;
    let all = match role {
        UserRole::Administrator => true,
        UserRole::Host => false,
        UserRole::Service | UserRole::Auditor => return Ok(None),
    };
    Ok(Some(Listener {
        webhook: row.id("id")?,
        events: row.text("events")?,
        email: row.text("email")?,
        all,
    }))
}

impl SqlStore {
    pub(super) async fn new_webhook(&self, new: &NewWebhook, act: &Act) -> Result<Webhook> {
        let mut deed = self.deed().await?;
        let user = there_is(&mut deed.turn, new.user).await?;
        if user.suspended {
            return Err(StoreError::UserSuspended(user.id));
        }
        let (events, sealed) = (words(&new.events), new.secret.as_bytes());
        let row = args![new.user, &new.url, &events, sealed, act.at];
        let row = deed.turn.one(ADD, row).await?;
        let row = row.ok_or_else(|| bad("webhooks", "nothing was inserted"))?;
        let id = WebhookId(row.id("id")?);
        let note = Note::of(act, "webhook.added")
            .number("webhook", id.0)
            .number("user", user.id.0)
            .word("origin", &origin(&new.url))
            .word("events", &events);
        deed.note(note).await?;
        tokens::once(&mut deed, act, id.0).await?;
        deed.commit().await?;
        Ok(Webhook {
            id,
            user,
            url: new.url.clone(),
            events: new.events.clone(),
            made: act.at,
            failing: None,
            disabled: None,
        })
    }

    pub(super) async fn all_webhooks(
        &self,
        of: Option<UserId>,
        page: Page,
    ) -> Result<Vec<Webhook>> {
        let (after, limit) = (page.after, page.limit());
        let rows = match of {
            Some(user) => self.db.all(OF_USER, args![after, limit, user]).await?,
            None => self.db.all(ALL, args![after, limit]).await?,
        };
        rows.iter().map(webhook_from).collect()
    }

    pub(super) async fn change_webhook_of(
        &self,
        id: WebhookId,
        events: Option<&[HookEvent]>,
        enabled: Option<bool>,
        act: &Act,
    ) -> Result<Webhook> {
        let mut deed = self.deed().await?;
        find(&mut deed.turn, id).await?;
        if let Some(events) = events {
            let events = words(events);
            deed.turn.run(SET_EVENTS, args![id.0, &events]).await?;
            let note = Note::of(act, "webhook.changed")
                .number("webhook", id.0)
                .word("events", &events);
            deed.note(note).await?;
        }
        match enabled {
            Some(true) => {
                deed.turn.run(ENABLE, args![id.0]).await?;
                let note = Note::of(act, "webhook.enabled").number("webhook", id.0);
                deed.note(note).await?;
            }
            Some(false) => {
                let note = Note::of(act, "webhook.disabled").number("webhook", id.0);
                disable(&mut deed, id, note, act.at).await?;
            }
            None => {}
        }
        let now = find(&mut deed.turn, id).await?;
        deed.commit().await?;
        Ok(now)
    }

    pub(super) async fn drop_webhook(&self, id: WebhookId, act: &Act) -> Result<()> {
        let mut deed = self.deed().await?;
        let webhook = find(&mut deed.turn, id).await?;
        for drop in [DROP_DELIVERIES, DROP] {
            deed.turn.run(drop, args![id.0]).await?;
        }
        let note = Note::of(act, "webhook.removed")
            .number("webhook", id.0)
            .number("user", webhook.user.id.0);
        deed.note(note).await?;
        deed.commit().await
    }

    pub(super) async fn hooks_due(&self, limit: u32, now: DateTime<Utc>) -> Result<Vec<WebhookId>> {
        let rows = self.db.all(DUE_HOOKS, args![now, limit]).await?;
        rows.iter()
            .map(|row| Ok(WebhookId(row.id("webhook")?)))
            .collect()
    }

    pub(super) async fn deliveries_due(
        &self,
        webhook: WebhookId,
        limit: u32,
        lease: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Vec<Delivery>> {
        let mut turn = self.db.begin().await?;
        let rows = turn.all(DUE, args![webhook.0, now, limit]).await?;
        let due: Vec<Delivery> = rows.iter().map(delivery_from).collect::<Result<_>>()?;
        for delivery in &due {
            turn.run(LEASE, args![delivery.id, now + lease]).await?;
        }
        turn.commit().await?;
        Ok(due)
    }

    pub(super) async fn was_delivered(
        &self,
        delivery: &Delivery,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut turn = self.db.begin().await?;
        turn.run(DELIVERED, args![delivery.id, now]).await?;
        turn.run(WELL, args![delivery.webhook.0]).await?;
        turn.commit().await
    }

    pub(super) async fn was_not_delivered(
        &self,
        delivery: &Delivery,
        why: &str,
        again: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>> {
        let mut turn = self.db.begin().await?;
        turn.run(FAILED, args![delivery.id, why, again]).await?;
        turn.run(FAILING, args![delivery.webhook.0, now]).await?;
        // It may have been removed meanwhile.
        let webhook = turn.one(BY_ID, args![delivery.webhook.0]).await?;
        let since = webhook.map(|row| row.moment_opt("failing_since"));
        let since = since.transpose()?.flatten();
        turn.commit().await?;
        Ok(since)
    }

    pub(super) async fn webhook_off(
        &self,
        id: WebhookId,
        why: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut deed = self.deed().await?;
        let note = Note::at("webhook.disabled", now)
            .word("by", "bridge")
            .number("webhook", id.0)
            .word("why", why);
        disable(&mut deed, id, note, now).await?;
        deed.commit().await
    }

    pub(super) async fn deliveries_of(
        &self,
        webhook: WebhookId,
        page: Page,
    ) -> Result<Vec<DeliveryRow>> {
        let before = match page.after {
            0 => i64::MAX as u64,
            before => before,
        };
        let args = args![webhook.0, before, page.limit()];
        let rows = self.db.all(DELIVERIES, args).await?;
        let delivery = |row: &Row| {
            Ok(DeliveryRow {
                id: row.id("id")?,
                event: event_from(row)?,
                at: row.moment("at")?,
                tries: tries_from(row)?,
                problem: row.text_opt("problem")?,
                again: row.moment_opt("due_at")?,
                delivered: row.moment_opt("delivered_at")?,
            })
        };
        rows.iter().map(delivery).collect()
    }

    /// Says whether there may be more.
    pub(super) async fn drop_old_deliveries(&self, step: u32, now: DateTime<Utc>) -> Result<bool> {
        let mut turn = self.db.begin().await?;
        let dropped = turn.run(OLD, args![now - LISTED_FOR, step]).await?;
        turn.commit().await?;
        Ok(dropped == u64::from(step))
    }
}

/// Whatever a user was told goes with the user, within a deed.
pub(super) async fn drop_of_user(deed: &mut Deed, user: UserId) -> Result<()> {
    for drop in [DROP_DELIVERIES_OF_USER, DROP_OF_USER] {
        deed.turn.run(drop, args![user]).await?;
    }
    Ok(())
}

async fn disable(deed: &mut Deed, id: WebhookId, note: Note, now: DateTime<Utc>) -> Result<()> {
    if deed.turn.run(DISABLE, args![id.0, now]).await? > 0 {
        deed.turn.run(GIVE_UP, args![id.0]).await?;
        deed.note(note).await?;
    }
    Ok(())
}

async fn find(turn: &mut Turn, id: WebhookId) -> Result<Webhook> {
    let row = turn.one(BY_ID, args![id.0]).await?;
    webhook_from(&row.ok_or(StoreError::NoSuchWebhook(id))?)
}

/// The path of an address may be a secret.
fn origin(url: &str) -> String {
    let parts: Vec<_> = url.split('/').take(3).collect();
    parts.join("/")
}

fn words(events: &[HookEvent]) -> String {
    let words: Vec<_> = events.iter().map(|event| event.word()).collect();
    words.join(" ")
}

fn event_from(row: &Row) -> Result<HookEvent> {
    let word = row.text("event")?;
    word.parse().map_err(|error| bad("event", error))
}

fn tries_from(row: &Row) -> Result<u32> {
    u32::try_from(row.int("tries")?).map_err(|error| bad("tries", error))
}

fn webhook_from(row: &Row) -> Result<Webhook> {
    let events = row.text("events")?;
    let events = events.split_whitespace().map(str::parse);
    Ok(Webhook {
        id: WebhookId(row.id("webhook")?),
        user: user_from(row)?,
        url: row.text("url")?,
        events: events
            .collect::<Result<_, _>>()
            .map_err(|error| bad("events", error))?,
        made: row.moment("made_at")?,
        failing: row.moment_opt("failing_since")?,
        disabled: row.moment_opt("disabled_at")?,
    })
}

fn delivery_from(row: &Row) -> Result<Delivery> {
    let sealed = SealedSecret::from_bytes(&row.blob("sealed")?);
    Ok(Delivery {
        id: row.id("id")?,
        webhook: WebhookId(row.id("webhook")?),
        user: UserId(row.id("user_id")?),
        url: row.text("url")?,
        secret: sealed.map_err(|error| bad("sealed", error))?,
        event: event_from(row)?,
        at: row.moment("at")?,
        body: row.text("body")?,
        tries: tries_from(row)?,
    })
}
