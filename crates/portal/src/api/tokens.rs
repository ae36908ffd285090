//! Tokens of programs: what a token makes may do no more than it may itself, and no longer.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use conclave_store as store;
use conclave_store::{NewApiToken, Page, Scope, Store, StoreError, UserId, UserRole};

use super::problem::ApiProblem;
use super::shapes::{NewToken, Token};
use super::{Call, List, Numbered, PREFIX, again, created, made_before};
use crate::pages::tokens::token_name;
use crate::portal::Portal;

pub(crate) async fn list_tokens(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let page = call.page()?;
    let rows = portal.store().api_tokens(of(&call), page).await?;
    let list = List::new(rows, page, |row| row.id.0, |row| Token::of(&row));
    Ok(Json(list).into_response())
}

/// Whose a user sees: an administrator everybody's.
fn of(call: &Call) -> Option<UserId> {
    (call.user.role != UserRole::Administrator).then_some(call.user.id)
}

/// One that this user may see; another's is as good as none.
async fn find(portal: &Portal, call: &Call, id: u64) -> Result<store::ApiToken, ApiProblem> {
    let page = Page {
        after: id.saturating_sub(1),
        limit: 1,
    };
    let found = portal.store().api_tokens(of(call), page).await?.pop();
    found
        .filter(|token| token.id.0 == id)
        .ok_or_else(ApiProblem::not_found)
}

pub(crate) async fn make_token(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let wish: NewToken = call.body()?;
    let name = token_name(&wish.name)
        .ok_or_else(|| ApiProblem::field("name", "1 to 100 characters on one line."))?;
    let scopes = scopes(&call, &wish.scopes)?;
    if wish.ends.is_some_and(|ends| ends <= portal.now()) {
        return Err(ApiProblem::field("ends", "It would be good for nothing."));
    }
    let ends = match (wish.ends, call.ends) {
        (Some(ends), Some(own)) => Some(ends.min(own)),
        (ends, own) => ends.or(own),
    };
    let token = portal.draw_token();
    let new = NewApiToken {
        user: call.user.id,
        name,
        token: token.hash(),
        scopes,
        ends,
    };
    match portal
        .store()
        .add_api_token(&new, &call.act_once(&portal))
        .await
    {
        Ok(made) => {
            let shape = Token {
                token: Some(format!("{PREFIX}{}", *token.expose())),
                ..Token::of(&made)
            };
            Ok(created(format!("/api/v1/tokens/{}", shape.id), shape))
        }
        Err(StoreError::Repeated) => {
            let id = made_before(&portal, &call).await?;
            Ok(again(Token::of(&find(&portal, &call, id).await?)))
        }
        Err(error) => Err(error.into()),
    }
}

/// As they are wished, as far as this token has them.
fn scopes(call: &Call, wished: &[String]) -> Result<Vec<Scope>, ApiProblem> {
    let mut scopes = Vec::new();
    for word in wished {
        let scope: Scope = word
            .parse()
            .map_err(|error| ApiProblem::field("scopes", error))?;
        if !call.scopes.contains(&scope) {
            return Err(ApiProblem::forbidden(format!(
                "This token has not the scope {scope}, so it gives it to none."
            )));
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        return Err(ApiProblem::field("scopes", "Name one at least."));
    }
    Ok(scopes)
}

pub(crate) async fn revoke_token(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let token = find(&portal, &call, which.get()?).await?;
    let act = call.act(&portal);
    portal.store().revoke_api_token(token.id, &act).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
