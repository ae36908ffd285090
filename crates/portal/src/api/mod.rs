//! The HTTP API: the same things as JSON, for programs that act in the name of a user.

mod accounts;
mod bookings;
mod document;
mod import;
mod live;
mod past;
mod policies;
pub(crate) mod problem;
mod shapes;
mod tokens;
mod users;
mod webhooks;

pub(crate) use accounts::{
    change_account, further, list_accounts, make_account, one_account, reset_pin,
};
pub(crate) use bookings::{
    book, cancel_booking, change_booking, invitation, invite, list_bookings, one_booking, withdraw,
};
pub(crate) use document::{BASE, document, page};
pub(crate) use import::import;
pub(crate) use live::{events_of_all, events_of_one, list_live, one_live, order};
pub(crate) use past::{audit, hints, list_conferences, one_conference, usage};
pub(crate) use policies::{end_consent, policies};
pub(crate) use problem::ApiProblem;
pub(crate) use tokens::{list_tokens, make_token, revoke_token};
pub(crate) use users::{change_user, list_users, make_user, offer_link, sign_out};
pub(crate) use webhooks::{
    change_webhook, list_deliveries, list_webhooks, make_webhook, one_webhook, remove_webhook,
};

use axum::Json;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::AccountId;
use conclave_store::{Act, ApiTokenId, Once, Page, Scope, Store, Token, TokenHash, User, UserRole};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fields::Fields;
use crate::pages::number;
use crate::portal::{Portal, sees_all};
use crate::problem::Problem;
use crate::stream::{Looker, ProgramLooker};

/// More than anything that is asked for here, but a table of accounts.
const LARGEST_BODY: usize = 256 * 1024;
const LARGEST_TABLE: usize = 4 << 20;
/// Use is noted so often, not at each request.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);
/// What a token begins with, so that whoever finds one in a file knows what it is.
pub const PREFIX: &str = "conclave_";

/// A request that was let in.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// In whose name.
    pub(crate) user: User,
    /// What stands behind the `?`.
    pub(crate) query: Fields,
    body: Vec<u8>,
    once: Option<Once>,
    id: ApiTokenId,
    token: TokenHash,
    /// What the token may do, and until when.
    scopes: Vec<Scope>,
    ends: Option<DateTime<Utc>>,
}

impl Call {
    /// What was sent: an object, as all our shapes are (serde would take a list of its parts, too).
    fn body<T: DeserializeOwned>(&self) -> Result<T, ApiProblem> {
        let object = serde_json::from_slice(&self.body).map(Value::Object);
        object.and_then(serde_json::from_value).map_err(|error| {
            ApiProblem::invalid(format!("The body is not as it should be: {error}."))
        })
    }

    /// Whoever listens to what this asks for, for as long as the token is good.
    fn looker(&self, scope: Scope) -> Looker {
        Looker::Program(ProgramLooker {
            id: self.id,
            token: self.token,
            user: self.user.clone(),
            scope,
        })
    }

    fn act(&self, portal: &Portal) -> Act {
        portal.act(&self.user)
    }

    /// For what is made: once for each key.
    fn act_once(&self, portal: &Portal) -> Act {
        self.act(portal).once(self.once)
    }

    /// The account that a list is narrowed to. Who sees only their own must name one.
    async fn account(&self, portal: &Portal) -> Result<Option<AccountId>, ApiProblem> {
        match self.query.get("account") {
            "" if sees_all(self.user.role) => Ok(None),
            "" => Err(ApiProblem::field("account", "Name one of your accounts.")),
            text => {
                let id = number(text).ok_or_else(ApiProblem::not_found)?;
                Ok(Some(portal.account(&self.user, AccountId(id)).await?.id))
            }
        }
    }

    /// The part of a list that is asked for, and one row more: whether there are more.
    fn page(&self) -> Result<Page, ApiProblem> {
        let number = |name, usual: u64| match self.query.get(name) {
            "" => Ok(usual),
            text => text.parse::<u32>().map(u64::from).map_err(|_| {
                ApiProblem::field(name, "This is no number that a list gives or takes.")
            }),
        };
        let (after, limit) = (number("cursor", 0)?, number("limit", 50)?);
        if !(1..=200).contains(&limit) {
            return Err(ApiProblem::field("limit", "Ask for 1 to 200."));
        }
        Ok(Page {
            after,
            limit: limit as u32 + 1,
        })
    }
}

/// A part of a list.
#[derive(Debug, Serialize)]
struct List<T> {
    items: Vec<T>,
    /// For the next part; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T> List<T> {
    /// Of rows that were asked for by that page.
    fn new<R>(
        mut rows: Vec<R>,
        page: Page,
        id: impl Fn(&R) -> u64,
        shape: impl FnMut(R) -> T,
    ) -> Self {
        let shown = page.limit as usize - 1;
        let longer = rows.len() > shown;
        rows.truncate(shown);
        let next = rows
            .last()
            .filter(|_| longer)
            .map(|last| id(last).to_string());
        Self {
            items: rows.into_iter().map(shape).collect(),
            next,
        }
    }
}

/// What is found by its number.
#[derive(Debug, Deserialize)]
pub(crate) struct Numbered {
    id: String,
}

impl Numbered {
    fn get(&self) -> Result<u64, ApiProblem> {
        crate::pages::number(&self.id).ok_or_else(ApiProblem::not_found)
    }
}

/// Looks who sends a request, and whether they may.
pub(crate) async fn enter(
    portal: &Portal,
    scope: Scope,
    roles: &[UserRole],
    mut request: Request,
) -> Result<Request, ApiProblem> {
    if !portal.site().is_named(request.headers()) {
        return Err(Problem::Misdirected.into());
    }
    let now = portal.now();
    let token = bearer(request.headers()).ok_or_else(ApiProblem::unauthorized)?;
    let token = token.hash();
    let found = portal.store().api_token(&token, now).await?;
    let found = found.ok_or_else(ApiProblem::unauthorized)?;
    if !roles.contains(&found.user.role) {
        return Err(ApiProblem::forbidden(
            "The role of this token's user may not do that.",
        ));
    }
    if !found.scopes.contains(&scope) {
        return Err(ApiProblem::forbidden(format!(
            "This token has not the scope {scope}."
        )));
    }
    if found.used.is_none_or(|used| now - used >= NOTED_EVERY) {
        portal.store().api_token_used(found.id, now).await?;
    }
    let key = request.headers().get("idempotency-key").cloned();
    let path = format!("{} {}", request.method(), request.uri().path());
    let query = Fields::parse(request.uri().query().unwrap_or_default().as_bytes());
    if let Some(name) = query.twice() {
        return Err(ApiProblem::field(name, "Say it once."));
    }
    let body = std::mem::take(request.body_mut());
    let largest = match path.ends_with("/accounts/import") {
        true => LARGEST_TABLE,
        false => LARGEST_BODY,
    };
    let body = to_bytes(body, largest).await;
    let body = body
        .map_err(|_| ApiProblem::from(Problem::TooLarge))?
        .to_vec();
    let once = match key {
        None => None,
        Some(key) if (1..=255).contains(&key.len()) => Some(Once {
            user: found.user.id,
            key: TokenHash::of(key.as_bytes()),
            request: TokenHash::of(&[path.as_bytes(), b"\n", &body].concat()),
        }),
        Some(_) => {
            return Err(ApiProblem::field(
                "Idempotency-Key",
                "It has 1 to 255 characters.",
            ));
        }
    };
    request.extensions_mut().insert(Call {
        user: found.user,
        query,
        body,
        once,
        id: found.id,
        token,
        scopes: found.scopes,
        ends: found.ends,
    });
    Ok(request)
}

/// The token of `Authorization: Bearer conclave_...`.
fn bearer(headers: &HeaderMap) -> Option<Token> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (all.next(), all.next()) else {
        return None;
    };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(())?;
    Token::parse(token.trim().strip_prefix(PREFIX)?)
}

/// What was made under the same key before, if this is the same request.
async fn made_before(portal: &Portal, call: &Call) -> Result<u64, ApiProblem> {
    let Some(once) = &call.once else {
        return Err(Problem::Unavailable.into());
    };
    match portal.store().done(once).await? {
        Some(done) if done.request == once.request => Ok(done.made),
        _ => Err(ApiProblem::invalid(
            "That Idempotency-Key was used for another request: each request has a key of its own.",
        )),
    }
}

/// What is there already, made by the same request before; PINs that are shown once are not in it.
fn again(shape: impl Serialize) -> Response {
    ([("idempotency-replayed", "true")], Json(shape)).into_response()
}

fn created(at: String, shape: impl Serialize) -> Response {
    (StatusCode::CREATED, [(header::LOCATION, at)], Json(shape)).into_response()
}
