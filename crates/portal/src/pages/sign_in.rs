//! Signing in and out, and setting a password by a set-up link.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use conclave_store::{Act, Store, StoreError, Token, User, UserEmail};
use serde_json::json;

use crate::cookie::{self, Name};
use crate::guard::Visitor;
use crate::look::{self, Frame};
use crate::password;
use crate::portal::{Portal, SESSION_LASTS};
use crate::problem::Problem;

/// One answer for an unknown address, a wrong password, no password yet and a suspended user.
const REFUSED: &str = "Address and password do not belong together. A set-up link from an administrator sets a new password.";
const BAD_LINK: &str = "This set-up link is not valid: it was used, replaced by a newer one, or is too old. An administrator can give you another.";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    frame: Frame,
    email: &'a str,
    problem: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "set_up.html")]
struct SetUp<'a> {
    frame: Frame,
    code: &'a str,
    shortest: usize,
    problem: Option<&'a str>,
}

pub(crate) async fn page(Extension(visitor): Extension<Visitor>) -> Response {
    if visitor.user.is_some() {
        return Redirect::to("/").into_response();
    }
    show_sign_in(&visitor, StatusCode::OK, None)
}

fn show_sign_in(visitor: &Visitor, status: StatusCode, problem: Option<&str>) -> Response {
    let shown = SignIn {
        frame: Frame::new(visitor, "/sign-in"),
        email: visitor.fields.get("email"),
        problem,
    };
    look::page(status, &shown)
}

pub(crate) async fn sign_in(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let email = UserEmail::parse(visitor.fields.get("email")).ok();
    let tried = portal.count_try(visitor.address, email.as_ref());
    tried.map_err(Problem::Throttled)?;
    let found = match &email {
        Some(email) => portal.store().user(email.as_str()).await?,
        None => None,
    };
    let (user, password) = found.unzip();
    let active = user.as_ref().is_some_and(|user| !user.suspended);
    let kept = password.flatten().filter(|_| active);
    let typed = visitor.fields.get("password");
    let right = portal.passwords().verify(typed, kept).await?;
    let Some(user) = user.filter(|_| right) else {
        note_failure(&portal, email.as_ref());
        return Ok(show_sign_in(&visitor, StatusCode::FORBIDDEN, Some(REFUSED)));
    };
    portal.forgive_try(visitor.address, email.as_ref());
    begin(&portal, &visitor, &user).await
}

/// Beside the answer, which must not take longer for a user whom there is.
fn note_failure(portal: &Portal, email: Option<&UserEmail>) {
    let (portal, email) = (portal.clone(), email.cloned());
    tokio::spawn(async move {
        let Some(email) = email else { return };
        let noted = async {
            let Some((user, _)) = portal.store().user(email.as_str()).await? else {
                return Ok(());
            };
            let (act, body) = (Act::new("portal", portal.now()), json!({ "user": user.id }));
            portal
                .store()
                .note("user.sign-in-failed", &body, &act)
                .await
        };
        let noted: Result<(), StoreError> = noted.await;
        if let Err(error) = noted {
            tracing::error!(%error, "a failed sign-in is missing in the audit log");
        }
    });
}

async fn begin(portal: &Portal, visitor: &Visitor, user: &User) -> Result<Response, Problem> {
    let replaced = visitor.user.as_ref().map(|_| &visitor.token);
    let token = portal.begin_session(user.id, replaced).await?;
    let secure = portal.site().is_secure();
    let mut response = Redirect::to("/").into_response();
    let headers = response.headers_mut();
    let session = cookie::set(Name::Session, secure, &token, SESSION_LASTS);
    headers.append(header::SET_COOKIE, session);
    headers.append(header::SET_COOKIE, cookie::forget(Name::Visit, secure));
    Ok(response)
}

pub(crate) async fn sign_out(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let act = Act::new(visitor.user()?.email.as_str(), portal.now());
    portal
        .store()
        .end_session(&visitor.token.hash(), &act)
        .await?;
    let forget = cookie::forget(Name::Session, portal.site().is_secure());
    Ok(([(header::SET_COOKIE, forget)], Redirect::to("/sign-in")).into_response())
}

pub(crate) async fn set_up_page(Extension(visitor): Extension<Visitor>) -> Response {
    show_set_up(&visitor, StatusCode::OK, None)
}

fn show_set_up(visitor: &Visitor, status: StatusCode, problem: Option<&str>) -> Response {
    let shown = SetUp {
        frame: Frame::new(visitor, "/set-up"),
        // Only what its holder has just sent.
        code: visitor.fields.get("code"),
        shortest: password::SHORTEST,
        problem,
    };
    look::page(status, &shown)
}

pub(crate) async fn set_up(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let refuse =
        |problem: &str| show_set_up(&visitor, StatusCode::UNPROCESSABLE_ENTITY, Some(problem));
    let tried = portal.count_try(visitor.address, None);
    tried.map_err(Problem::Throttled)?;
    // The whole link is taken, too, as somebody may copy it by hand.
    let code = visitor.fields.get("code").trim();
    let code = code.rsplit_once('#').map_or(code, |(_, code)| code);
    let link = Token::parse(code).map(|code| code.hash());
    let user = match &link {
        Some(link) => portal.store().linked_user(link, portal.now()).await?,
        None => None,
    };
    let (Some(link), Some(user)) = (link, user) else {
        return Ok(refuse(BAD_LINK));
    };
    portal.forgive_try(visitor.address, None);
    let [new, again] = ["password", "again"].map(|name| visitor.fields.get(name));
    if let Some(fault) = password::fault(new, again, &user.email) {
        return Ok(refuse(&fault));
    }
    let hash = portal.passwords().hash(new, portal.draw_salt()).await?;
    match portal
        .store()
        .set_password(&link, &hash, portal.now())
        .await
    {
        Ok(user) => begin(&portal, &visitor, &user).await,
        Err(StoreError::NoSuchLink) => Ok(refuse(BAD_LINK)),
        Err(error) => Err(error.into()),
    }
}
