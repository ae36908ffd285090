//! A user's own second factor: set up, turned off, and recovery codes drawn.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use conclave_store::{FactorSecret, NewFactor, Store, User};
use zeroize::Zeroizing;

use super::sign_in::shows_second_factor;
use crate::guard::Visitor;
use crate::look::{self, Frame};
use crate::portal::Portal;
use crate::problem::Problem;
use crate::totp;

const PATH: &str = "/second-factor";
const NOT_OF_THE_APP: &str = "That is not the code of now. Does the telephone's clock go right? Type the six digits that the app shows now.";
const BAD_CODE: &str =
    "That is not the code of now, or it was used already: wait for the app's next one.";

#[derive(Template)]
#[template(path = "second_factor.html")]
struct Own<'a> {
    frame: Frame,
    /// Whether the user's role is nothing without.
    demanded: bool,
    stage: Stage,
    /// What was just drawn.
    fresh: Vec<Zeroizing<String>>,
    problem: Option<&'a str>,
}

enum Stage {
    /// What the app needs to know, as text and as a picture: its side, and the path of what is dark.
    Off {
        secret: Zeroizing<String>,
        side: usize,
        path: String,
    },
    On {
        recovery_left: u64,
    },
}

pub(crate) async fn page(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let user = visitor.user()?;
    if user.has_second_factor {
        return show_on(&portal, &visitor, StatusCode::OK, Vec::new(), None).await;
    }
    let secret = portal.draw(|random| totp::draw(random));
    show_off(&portal, &visitor, StatusCode::OK, &secret, None)
}

fn show_off(
    portal: &Portal,
    visitor: &Visitor,
    status: StatusCode,
    secret: &FactorSecret,
    problem: Option<&str>,
) -> Result<Response, Problem> {
    let user = visitor.user()?;
    let (side, path) = totp::picture(secret, &user.email).ok_or(Problem::Unavailable)?;
    let shown = Own {
        frame: Frame::new(visitor, PATH),
        demanded: portal.demands_second_factor(user.role),
        stage: Stage::Off {
            secret: totp::spelled(secret),
            side,
            path,
        },
        fresh: Vec::new(),
        problem,
    };
    Ok(look::page(status, &shown))
}

async fn show_on(
    portal: &Portal,
    visitor: &Visitor,
    status: StatusCode,
    fresh: Vec<Zeroizing<String>>,
    problem: Option<&str>,
) -> Result<Response, Problem> {
    let user = visitor.user()?;
    let shown = Own {
        frame: Frame::new(visitor, PATH),
        demanded: portal.demands_second_factor(user.role),
        stage: Stage::On {
            recovery_left: portal.store().recovery_codes(user.id).await?,
        },
        fresh,
        problem,
    };
    Ok(look::page(status, &shown))
}

pub(crate) async fn change(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let (user, typed) = (visitor.user()?, &visitor.fields);
    let wish = typed.get("do");
    if !["on", "off", "codes"].contains(&wish) {
        return Err(Problem::NotFound);
    }
    // The page is old: show how it is.
    if (wish == "on") == user.has_second_factor {
        return Ok(Redirect::to(PATH).into_response());
    }
    if wish == "on" {
        return set_up(&portal, &visitor, user).await;
    }
    if wish == "off" && portal.demands_second_factor(user.role) {
        return Err(Problem::Refused(
            "Your role needs a second factor. An administrator resets it if the telephone is lost."
                .to_owned(),
        ));
    }
    if !shows_second_factor(&portal, user, typed.get("code")).await? {
        return show_on(
            &portal,
            &visitor,
            StatusCode::FORBIDDEN,
            Vec::new(),
            Some(BAD_CODE),
        )
        .await;
    }
    if wish == "off" {
        portal
            .store()
            .drop_second_factor(user.id, &portal.act(user))
            .await?;
        return Ok(Redirect::to(PATH).into_response());
    }
    let (codes, hashes) = portal.draw(|random| totp::draw_recovery(random));
    let act = portal.act(user);
    portal
        .store()
        .renew_recovery_codes(user.id, &hashes, &act)
        .await?;
    show_on(&portal, &visitor, StatusCode::OK, codes, None).await
}

/// The code shows that the app knows the secret, which only then is kept: until then the form itself holds it.
async fn set_up(portal: &Portal, visitor: &Visitor, user: &User) -> Result<Response, Problem> {
    let typed = &visitor.fields;
    let Some(secret) = totp::parse(typed.get("secret")) else {
        return Ok(Redirect::to(PATH).into_response());
    };
    let Some(step) = totp::step_of(&secret, typed.get("code"), portal.now()) else {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return show_off(portal, visitor, status, &secret, Some(NOT_OF_THE_APP));
    };
    let (codes, recovery) = portal.draw(|random| totp::draw_recovery(random));
    let mut nonce = [0; 24];
    portal.draw(|random| random.fill_bytes(&mut nonce));
    let new = NewFactor {
        secret: portal.desk().keys().seal_factor(&secret, user.id, nonce),
        step,
        recovery,
    };
    portal
        .store()
        .set_second_factor(user.id, &new, &portal.act(user))
        .await?;
    show_on(portal, visitor, StatusCode::OK, codes, None).await
}
