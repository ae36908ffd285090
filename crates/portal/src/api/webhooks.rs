//! Webhooks: addresses that are told of what happens.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use conclave_desk::DeskError;
use conclave_store as store;
use conclave_store::{Page, Store, StoreError, UserRole, WebhookId};

use super::problem::ApiProblem;
use super::shapes::{Delivery, HookEvent, NewWebhook, Webhook, WebhookWish};
use super::{Call, List, Numbered, again, created, made_before};
use crate::portal::Portal;

pub(crate) async fn list_webhooks(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let page = call.page()?;
    let rows = portal.store().webhooks(of(&call), page).await?;
    let list = List::new(rows, page, |row| row.id.0, |row| Webhook::of(&row));
    Ok(Json(list).into_response())
}

/// Whose a user sees: an administrator everybody's.
fn of(call: &Call) -> Option<store::UserId> {
    (call.user.role != UserRole::Administrator).then_some(call.user.id)
}

/// One that this user may see; another's is as good as none.
async fn find(portal: &Portal, call: &Call, id: u64) -> Result<store::Webhook, ApiProblem> {
    let page = Page {
        after: id.saturating_sub(1),
        limit: 1,
    };
    let found = portal.store().webhooks(of(call), page).await?.pop();
    found
        .filter(|webhook| webhook.id == WebhookId(id))
        .ok_or_else(ApiProblem::not_found)
}

pub(crate) async fn one_webhook(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let webhook = find(&portal, &call, which.get()?).await?;
    Ok(Json(Webhook::of(&webhook)).into_response())
}

pub(crate) async fn make_webhook(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let new: NewWebhook = call.body()?;
    let events = events(&new.events);
    let act = call.act_once(&portal);
    let made = portal
        .desk()
        .add_webhook(&call.user, &new.url, &events, &act)
        .await;
    match made {
        Ok((webhook, secret)) => {
            let shape = Webhook {
                secret: Some(secret.expose().to_string()),
                ..Webhook::of(&webhook)
            };
            Ok(created(format!("/api/v1/webhooks/{}", shape.id), shape))
        }
        Err(DeskError::Store(StoreError::Repeated)) => {
            let id = made_before(&portal, &call).await?;
            Ok(again(Webhook::of(&find(&portal, &call, id).await?)))
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn change_webhook(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let webhook = find(&portal, &call, which.get()?).await?;
    let wish: WebhookWish = call.body()?;
    let events = wish.events.as_deref().map(events);
    if events.as_ref().is_some_and(Vec::is_empty) {
        return Err(ApiProblem::field("events", "Name one at least."));
    }
    let act = call.act(&portal);
    let changed = portal
        .store()
        .change_webhook(webhook.id, events.as_deref(), wish.enabled, &act)
        .await?;
    Ok(Json(Webhook::of(&changed)).into_response())
}

pub(crate) async fn remove_webhook(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let webhook = find(&portal, &call, which.get()?).await?;
    let act = call.act(&portal);
    portal.store().remove_webhook(webhook.id, &act).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn list_deliveries(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let webhook = find(&portal, &call, which.get()?).await?;
    let page = call.page()?;
    let rows = portal.store().deliveries(webhook.id, page).await?;
    let list = List::new(rows, page, |row| row.id, |row| Delivery::of(&row));
    Ok(Json(list).into_response())
}

fn events(events: &[HookEvent]) -> Vec<store::HookEvent> {
    let mut events: Vec<_> = events.iter().map(|event| (*event).into()).collect();
    events.sort();
    events.dedup();
    events
}
