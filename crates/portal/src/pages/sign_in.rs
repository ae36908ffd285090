//! Signing in, with a second factor where the user has one, and out, and setting a password by a set-up link.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use conclave_store::{Act, Store, StoreError, Token, User, UserEmail};
use serde_json::json;

use super::provider::Told;
use crate::cookie::{self, Name};
use crate::guard::Visitor;
use crate::look::{self, Frame};
use crate::password;
use crate::portal::{HALF_SESSION_LASTS, Portal, SESSION_LASTS};
use crate::problem::Problem;
use crate::totp;

/// One answer for an unknown address, a wrong password, no password yet and a suspended user.
const REFUSED: &str = "Address and password do not belong together. A set-up link from an administrator sets a new password.";
const BAD_CODE: &str = "That is not the code of now, or it was used already: the app shows the next one within half a minute.";
const FIRST: &str = "First the sign-in; the code is asked for within ten minutes of it.";
const BAD_LINK: &str = "This set-up link is not valid: it was used, replaced by a newer one, or is too old. An administrator can give you another.";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    frame: Frame,
    email: &'a str,
    /// What the OpenID provider is called, where there is one.
    provider: Option<&'a str>,
    passwords: bool,
    problem: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "code.html")]
struct Code<'a> {
    frame: Frame,
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

pub(crate) async fn page(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    if visitor.user.is_some() {
        return Redirect::to("/").into_response();
    }
    let provider = portal.provider().map(|it| it.settings().label.as_str());
    let told = Told::read(visitor.fields.get("told"));
    let told = provider.and_then(|label| Some(told?.words(label)));
    show_sign_in(&portal, &visitor, StatusCode::OK, told.as_deref())
}

fn show_sign_in(
    portal: &Portal,
    visitor: &Visitor,
    status: StatusCode,
    problem: Option<&str>,
) -> Response {
    let shown = SignIn {
        frame: Frame::new(visitor, "/sign-in"),
        email: visitor.fields.get("email"),
        provider: portal.provider().map(|it| it.settings().label.as_str()),
        passwords: portal.instead_of_passwords().is_none(),
        problem,
    };
    look::page(status, &shown)
}

pub(crate) async fn sign_in(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    portal.has_passwords()?;
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
        note_failure(&portal, email.as_ref(), "user.sign-in-failed");
        let status = StatusCode::FORBIDDEN;
        return Ok(show_sign_in(&portal, &visitor, status, Some(REFUSED)));
    };
    portal.forgive_try(visitor.address, email.as_ref());
    begin(&portal, &visitor, &user, true).await
}

/// Beside the answer, which must not take longer for a user whom there is.
pub(super) fn note_failure(portal: &Portal, email: Option<&UserEmail>, kind: &'static str) {
    let (portal, email) = (portal.clone(), email.cloned());
    tokio::spawn(async move {
        let Some(email) = email else { return };
        let noted = async {
            let Some((user, _)) = portal.store().user(email.as_str()).await? else {
                return Ok(());
            };
            let (act, body) = (Act::new("portal", portal.now()), json!({ "user": user.id }));
            portal.store().note(kind, &body, &act).await
        };
        let noted: Result<(), StoreError> = noted.await;
        if let Err(error) = noted {
            tracing::error!(%error, "a failed sign-in is missing in the audit log");
        }
    });
}

/// The password is right, or the provider says who it is: that is all, or the half of it where a second factor is asked
/// for.
pub(super) async fn begin(
    portal: &Portal,
    visitor: &Visitor,
    user: &User,
    asks: bool,
) -> Result<Response, Problem> {
    if !user.has_second_factor || !asks {
        return open(portal, visitor, user).await;
    }
    let (store, secure, now) = (portal.store(), portal.site().is_secure(), portal.now());
    let mut response = Redirect::to("/sign-in/code").into_response();
    if let Some(before) = &visitor.user {
        let act = Act::new(before.email.as_str(), now);
        store.end_session(&visitor.token.hash(), &act).await?;
        let forget = cookie::forget(Name::Session, secure);
        response.headers_mut().append(header::SET_COOKIE, forget);
    }
    let token = portal.draw_token();
    store
        .begin_half_session(&token.hash(), user.id, now + HALF_SESSION_LASTS)
        .await?;
    let visit = cookie::set(Name::Visit, secure, &token, SESSION_LASTS);
    response.headers_mut().append(header::SET_COOKIE, visit);
    Ok(response)
}

async fn open(portal: &Portal, visitor: &Visitor, user: &User) -> Result<Response, Problem> {
    let token = portal.begin_session(user.id, Some(&visitor.token)).await?;
    let secure = portal.site().is_secure();
    let mut response = Redirect::to("/").into_response();
    let headers = response.headers_mut();
    let session = cookie::set(Name::Session, secure, &token, SESSION_LASTS);
    headers.append(header::SET_COOKIE, session);
    headers.append(header::SET_COOKIE, cookie::forget(Name::Visit, secure));
    Ok(response)
}

pub(crate) async fn code_page(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    Ok(match owing(&portal, &visitor).await? {
        Some(_) => show_code(&visitor, StatusCode::OK, None),
        None if visitor.user.is_some() => Redirect::to("/").into_response(),
        None => show_sign_in(&portal, &visitor, StatusCode::OK, Some(FIRST)),
    })
}

fn show_code(visitor: &Visitor, status: StatusCode, problem: Option<&str>) -> Response {
    let shown = Code {
        frame: Frame::new(visitor, "/sign-in/code"),
        problem,
    };
    look::page(status, &shown)
}

/// Who was here with the right password, or came from the provider, and owes the code.
async fn owing(portal: &Portal, visitor: &Visitor) -> Result<Option<User>, Problem> {
    let token = visitor.token.hash();
    Ok(portal.store().half_session(&token, portal.now()).await?)
}

pub(crate) async fn code(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let Some(user) = owing(&portal, &visitor).await? else {
        let status = StatusCode::FORBIDDEN;
        return Ok(show_sign_in(&portal, &visitor, status, Some(FIRST)));
    };
    if shows_second_factor(&portal, &user, visitor.fields.get("code")).await? {
        open(&portal, &visitor, &user).await
    } else {
        Ok(show_code(&visitor, StatusCode::FORBIDDEN, Some(BAD_CODE)))
    }
}

/// Whether that is the code of a user's app, or a recovery code; either is used up by it. Counted like a password.
pub(super) async fn shows_second_factor(
    portal: &Portal,
    user: &User,
    typed: &str,
) -> Result<bool, Problem> {
    let counted = portal.count_code(&user.email);
    counted.map_err(Problem::Throttled)?;
    let store = portal.store();
    let Some(sealed) = store.second_factor(user.id).await? else {
        return Ok(false);
    };
    let secret = portal.desk().keys().open_factor(&sealed, user.id);
    let secret = secret.map_err(|error| {
        tracing::error!(%error, "the second factor of {} can't be read", user.id);
        Problem::Unavailable
    })?;
    let good = match (
        totp::step_of(&secret, typed, portal.now()),
        totp::recovery_hash(typed),
    ) {
        (Some(step), _) => store.use_factor_step(user.id, step).await?,
        (None, Some(code)) => {
            let act = portal.act(user);
            store.use_recovery_code(user.id, &code, &act).await?
        }
        (None, None) => false,
    };
    if good {
        portal.forgive_code(&user.email);
    } else {
        note_failure(portal, Some(&user.email), "user.second-factor-failed");
    }
    Ok(good)
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

pub(crate) async fn set_up_page(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    portal.has_passwords()?;
    Ok(show_set_up(&visitor, StatusCode::OK, None))
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
    portal.has_passwords()?;
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
        Ok(user) => begin(&portal, &visitor, &user, true).await,
        Err(StoreError::NoSuchLink) => Ok(refuse(BAD_LINK)),
        Err(error) => Err(error.into()),
    }
}
