//! `conclave-bridge webhook`: addresses that are told of what happens. Who tells them is in `tell.rs`.

mod tell;

use conclave_store::{DeliveryRow, Page, Store, Webhook, WebhookId};
use serde_json::{Value, json};

pub(crate) use tell::Teller;

use crate::{
    account::existing,
    cli::{self, WebhookAdd, WebhookDeliveries, WebhookList, WebhookWhich},
    config::Config,
    output::{Failure, print, print_json},
    user::find,
};

pub(crate) async fn run(command: cli::Webhook) -> Result<(), Failure> {
    match command {
        cli::Webhook::Add(add) => self::add(add).await,
        cli::Webhook::List(list) => self::list(list).await,
        cli::Webhook::Enable(which) => enable(which).await,
        cli::Webhook::Remove(which) => remove(which).await,
        cli::Webhook::Deliveries(which) => deliveries(which).await,
    }
}

async fn add(add: WebhookAdd) -> Result<(), Failure> {
    let config = Config::load(add.common.place.config.as_deref())?;
    let (data, _) = existing(&add.common.place).await?;
    let user = find(&data, &add.email).await?;
    let desk = data.desk(&config);
    let made = desk
        .add_webhook(&user, &add.url, &add.events, &data.act())
        .await;
    let (webhook, secret) = made?;
    if add.common.json {
        let mut shown = to_json(&webhook);
        shown["secret"] = json!(*secret.expose());
        return print_json(&shown);
    }
    print(&format!(
        "{} of {}. What it is sent is signed with this secret, shown this once:",
        webhook.id, user.email
    ))?;
    print(&format!("  {}", *secret.expose()))
}

async fn list(list: WebhookList) -> Result<(), Failure> {
    let (data, _) = existing(&list.common.place).await?;
    let page = Page {
        after: list.part.after,
        limit: list.part.limit.unwrap_or(Page::MOST),
    };
    let webhooks = data.store.webhooks(None, page).await?;
    if list.common.json {
        let webhooks: Vec<_> = webhooks.iter().map(to_json).collect();
        return print_json(&json!({ "webhooks": webhooks }));
    }
    if webhooks.is_empty() {
        return print(
            "There are no webhooks: conclave-bridge webhook add ada@example.org --url https://example.org/hook --event call.joined",
        );
    }
    print(&format!(
        "{:>6}  {:<28} {:<10} {:<40} EVENTS",
        "ID", "USER", "STATE", "URL"
    ))?;
    for webhook in webhooks {
        print(&format!(
            "{:>6}  {:<28} {:<10} {:<40} {}",
            webhook.id.0,
            webhook.user.email.as_str(),
            state(&webhook),
            webhook.url,
            words(&webhook).join(" ")
        ))?;
    }
    Ok(())
}

async fn enable(which: WebhookWhich) -> Result<(), Failure> {
    let (data, _) = existing(&which.common.place).await?;
    let id = WebhookId(which.id);
    let act = data.act();
    let changed = data.store.change_webhook(id, None, Some(true), &act);
    let webhook = changed.await?;
    if which.common.json {
        return print_json(&to_json(&webhook));
    }
    print(&format!("{id} is told of what happens from now on"))
}

async fn remove(which: WebhookWhich) -> Result<(), Failure> {
    let (data, _) = existing(&which.common.place).await?;
    let id = WebhookId(which.id);
    data.store.remove_webhook(id, &data.act()).await?;
    if which.common.json {
        return print_json(&json!({ "id": which.id }));
    }
    print(&format!("{id} is told nothing any more"))
}

async fn deliveries(which: WebhookDeliveries) -> Result<(), Failure> {
    let (data, _) = existing(&which.common.place).await?;
    let page = Page {
        after: which.part.after,
        limit: which.part.limit.unwrap_or(100),
    };
    let rows = data.store.deliveries(WebhookId(which.id), page).await?;
    if which.common.json {
        let rows: Vec<_> = rows.iter().map(delivery_to_json).collect();
        return print_json(&json!({ "deliveries": rows }));
    }
    if rows.is_empty() {
        return print("Nothing has happened that it is told of.");
    }
    print(&format!(
        "{:>8}  {:<20} {:<20} {:>5}  OUTCOME",
        "ID", "EVENT", "AT", "TRIES"
    ))?;
    for row in rows {
        let at = row.at.format("%Y-%m-%d %H:%M:%S");
        let outcome = match (&row.delivered, &row.again, &row.problem) {
            (Some(_), ..) => "taken".to_owned(),
            (None, Some(again), Some(why)) => {
                format!("{why}; again at {}", again.format("%Y-%m-%d %H:%M:%S"))
            }
            (None, Some(_), None) => "due".to_owned(),
            (None, None, why) => format!("given up: {}", why.as_deref().unwrap_or("?")),
        };
        print(&format!(
            "{:>8}  {:<20} {:<20} {:>5}  {outcome}",
            row.id, row.event, at, row.tries
        ))?;
    }
    Ok(())
}

fn state(webhook: &Webhook) -> &'static str {
    match (webhook.disabled, webhook.failing) {
        (Some(_), _) => "off",
        (None, Some(_)) => "failing",
        (None, None) => "on",
    }
}

fn words(webhook: &Webhook) -> Vec<&'static str> {
    webhook.events.iter().map(|event| event.word()).collect()
}

fn to_json(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id.0, "user": webhook.user.email, "url": webhook.url, "events": words(webhook),
        "made": webhook.made, "failing": webhook.failing, "disabled": webhook.disabled,
    })
}

fn delivery_to_json(row: &DeliveryRow) -> Value {
    json!({
        "id": row.id, "event": row.event.word(), "at": row.at, "tries": row.tries, "problem": row.problem,
        "again": row.again, "delivered": row.delivered,
    })
}
