//! Tokens of programs that act in a user's name.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::TimeDelta;
use conclave_store::{ApiToken, ApiTokenId, NewApiToken, Page, Scope, Store, User, UserRole};

use super::number;
use crate::api;
use crate::fields::Fields;
use crate::form::{Faults, Field, Form};
use crate::guard::Visitor;
use crate::look::{self, Frame, When};
use crate::portal::Portal;
use crate::problem::Problem;

const PATH: &str = "/tokens";

#[derive(Template)]
#[template(path = "tokens.html")]
struct List {
    frame: Frame,
    tokens: Vec<Listed>,
    /// The one that was just made, in the clear.
    made: Option<String>,
    /// Whether those of others are there, too.
    all: bool,
    form: Form,
    scopes: Vec<(&'static str, bool)>,
    scopes_error: Option<&'static str>,
}

struct Listed {
    id: u64,
    name: String,
    owner: String,
    scopes: String,
    made: When,
    used: Option<When>,
    ends: Option<When>,
}

impl From<ApiToken> for Listed {
    fn from(token: ApiToken) -> Self {
        let scopes: Vec<_> = token.scopes.iter().map(|scope| scope.word()).collect();
        Self {
            id: token.id.0,
            name: token.name,
            owner: token.user.email.to_string(),
            scopes: scopes.join(", "),
            made: When(token.made),
            used: token.used.map(When),
            ends: token.ends.map(When),
        }
    }
}

fn sees_others(user: &User) -> bool {
    user.role == UserRole::Administrator
}

pub(crate) async fn list(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let nothing = Fields::default();
    show(
        &portal,
        &visitor,
        StatusCode::OK,
        None,
        &nothing,
        Faults::default(),
    )
    .await
}

async fn show(
    portal: &Portal,
    visitor: &Visitor,
    status: StatusCode,
    made: Option<String>,
    typed: &Fields,
    faults: Faults,
) -> Result<Response, Problem> {
    let user = visitor.user()?;
    let all = sees_others(user);
    let of = (!all).then_some(user.id);
    let tokens = portal.store().api_tokens(of, Page::all()).await?;
    let form = Form::new(PATH, "Make a token")
        .field(
            Field::text("name", "What it is for")
                .hint("So that you know it again.")
                .required()
                .short(),
        )
        .field(
            Field::choice(
                "days",
                "Good for",
                [
                    ("30", "30 days"),
                    ("90", "90 days"),
                    ("365", "A year"),
                    ("0", "Until it is revoked"),
                ],
            )
            .value("90")
            .short(),
        );
    let blank = faults.is_empty();
    let shown = List {
        frame: Frame::new(visitor, PATH),
        tokens: tokens.into_iter().map(Listed::from).collect(),
        made,
        all,
        scopes: Scope::ALL
            .map(|scope| {
                (
                    scope.word(),
                    typed.all("scope").any(|typed| typed == scope.word()),
                )
            })
            .to_vec(),
        scopes_error: faults.has("scope").then_some("Tick one at least."),
        form: if blank {
            form
        } else {
            form.typed(typed, &faults)
        },
    };
    Ok(look::page(status, &shown))
}

pub(crate) async fn make(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let (user, typed) = (visitor.user()?, &visitor.fields);
    let mut faults = Faults::default();
    let name = token_name(typed.get("name"));
    let name = faults.take("name", name.ok_or("1 to 100 characters on one line."));
    let days = typed
        .get("days")
        .parse::<u32>()
        .ok()
        .filter(|days| *days <= 3650);
    let days = faults.take("days", days.ok_or("Choose how long it is good for."));
    let scopes: Vec<Scope> = typed
        .all("scope")
        .filter_map(|word| word.parse().ok())
        .collect();
    if scopes.is_empty() {
        faults.add("scope", "Tick one at least.");
    }
    let (Some(name), Some(days), true) = (name, days, faults.is_empty()) else {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return show(&portal, &visitor, status, None, typed, faults).await;
    };
    let token = portal.draw_token();
    let new = NewApiToken {
        user: user.id,
        name,
        token: token.hash(),
        scopes,
        ends: (days > 0).then(|| portal.now() + TimeDelta::days(days.into())),
    };
    portal
        .store()
        .add_api_token(&new, &portal.act(user))
        .await?;
    let made = format!("{}{}", api::PREFIX, *token.expose());
    let nothing = Fields::default();
    show(
        &portal,
        &visitor,
        StatusCode::OK,
        Some(made),
        &nothing,
        Faults::default(),
    )
    .await
}

pub(crate) fn token_name(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

pub(crate) async fn revoke(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let user = visitor.user()?;
    let id = ApiTokenId(number(&id).ok_or(Problem::NotFound)?);
    let of = (!sees_others(user)).then_some(user.id);
    let part = Page {
        after: id.0.saturating_sub(1),
        limit: 1,
    };
    let found = portal.store().api_tokens(of, part).await?;
    // Another's is as good as none.
    if !found.iter().any(|token| token.id == id) {
        return Err(Problem::NotFound);
    }
    portal
        .store()
        .revoke_api_token(id, &portal.act(user))
        .await?;
    Ok(Redirect::to(PATH).into_response())
}
