//! Users of the portal.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use conclave_store::{Page, Store, StoreError, User as Found, UserEmail, UserId};

use super::problem::ApiProblem;
use super::shapes::{Link, NewUser, User, UserWish};
use super::{Call, List, Numbered, again, created, made_before};
use crate::portal::{LINK_LASTS, Portal};

pub(crate) async fn list_users(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let page = call.page()?;
    let rows = portal.store().users(page).await?;
    let list = List::new(rows, page, |row| row.id.0, |row| User::of(&row));
    Ok(Json(list).into_response())
}

/// By number: the store finds the rows behind one.
async fn find(portal: &Portal, id: u64) -> Result<Found, ApiProblem> {
    let page = Page {
        after: id.saturating_sub(1),
        limit: 1,
    };
    let found = portal.store().users(page).await?.pop();
    found
        .filter(|user| user.id.0 == id)
        .ok_or_else(ApiProblem::not_found)
}

pub(crate) async fn make_user(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let new: NewUser = call.body()?;
    let email = UserEmail::parse(&new.email);
    let email = email.map_err(|error| ApiProblem::field("email", error))?;
    let act = call.act_once(&portal);
    match portal.store().add_user(&email, new.role.into(), &act).await {
        Ok(user) => {
            let shape = User::of(&user);
            Ok(created(format!("/api/v1/users/{}", shape.id), shape))
        }
        Err(StoreError::Repeated) => {
            let id = made_before(&portal, &call).await?;
            Ok(again(User::of(&find(&portal, id).await?)))
        }
        // The address is taken by whoever made it: perhaps by this same request.
        Err(StoreError::UserExists) => match made_before(&portal, &call).await {
            Ok(id) => Ok(again(User::of(&find(&portal, id).await?))),
            Err(_) => Err(StoreError::UserExists.into()),
        },
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn change_user(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let user = find(&portal, which.get()?).await?;
    let wish: UserWish = call.body()?;
    if user.id == call.user.id {
        return Err(ApiProblem::forbidden(
            "Nobody takes their own role: another administrator does that.",
        ));
    }
    let act = call.act(&portal);
    if let Some(role) = wish.role {
        portal
            .store()
            .change_user_role(user.id, role.into(), &act)
            .await?;
    }
    if let Some(suspended) = wish.suspended {
        portal
            .store()
            .suspend_user(user.id, suspended, &act)
            .await?;
    }
    Ok(Json(User::of(&find(&portal, user.id.0).await?)).into_response())
}

pub(crate) async fn offer_link(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    portal.has_passwords()?;
    let id = UserId(which.get()?);
    let (code, ends) = (portal.draw_token(), portal.now() + LINK_LASTS);
    let act = call.act(&portal);
    portal
        .store()
        .offer_link(id, &code.hash(), ends, &act)
        .await?;
    Ok(Json(Link {
        path: format!("/set-up#{}", *code.expose()),
        ends,
    })
    .into_response())
}

pub(crate) async fn sign_out(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let user = find(&portal, which.get()?).await?;
    let act = call.act(&portal);
    portal.store().end_sessions(user.id, &act).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
