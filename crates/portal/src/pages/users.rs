//! Users of the portal, for administrators.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use conclave_store::{Page, Store, StoreError, User, UserEmail, UserId, UserRole};

use super::{and_one, number};
use crate::fields::Fields;
use crate::form::{Faults, Field, Form};
use crate::guard::Visitor;
use crate::look::{self, Frame, When, role};
use crate::portal::{LINK_LASTS, Portal};
use crate::problem::{Problem, sentence};

const PATH: &str = "/users";

#[derive(Template)]
#[template(path = "users.html")]
struct List {
    frame: Frame,
    users: Vec<User>,
    more: Option<u64>,
    me: UserId,
    /// Whether they sign in by password: else nobody needs a link to set one by.
    passwords: bool,
    form: Form,
    /// A set-up link that was just made: for whom, the link, until when.
    link: Option<(String, String, When)>,
}

impl List {
    fn state(&self, user: &User) -> &'static str {
        match (user.suspended, user.has_password) {
            (true, _) => "suspended",
            (false, true) if user.has_second_factor => "active, with a second factor",
            (false, true) => "active",
            (false, false) if !self.passwords => "active",
            (false, false) => "has no password yet",
        }
    }

    fn role(&self, user: &User) -> &'static str {
        role(user.role)
    }

    fn has(&self, user: &User, word: &str) -> bool {
        user.role.word() == word
    }

    fn roles(&self) -> [(&'static str, &'static str); 4] {
        roles()
    }
}

fn roles() -> [(&'static str, &'static str); 4] {
    UserRole::ALL.map(|one| (one.word(), role(one)))
}

pub(crate) async fn list(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let form = sheet(&Fields::default(), &Faults::default());
    show(&portal, &visitor, StatusCode::OK, form, None).await
}

fn sheet(typed: &Fields, faults: &Faults) -> Form {
    let form = Form::new(PATH, "Make the user")
        .field(
            Field::input("email", "E-mail address", "email")
                .required()
                .short(),
        )
        .field(Field::choice("role", "Role", roles()).short());
    if faults.is_empty() {
        form
    } else {
        form.typed(typed, faults)
    }
}

async fn show(
    portal: &Portal,
    visitor: &Visitor,
    status: StatusCode,
    form: Form,
    link: Option<(String, String, When)>,
) -> Result<Response, Problem> {
    let page = and_one(visitor.fields.number("after"));
    let mut users = portal.store().users(page).await?;
    let longer = users.len() == page.limit as usize;
    users.truncate(page.limit as usize - 1);
    let shown = List {
        frame: Frame::new(visitor, PATH),
        more: users.last().filter(|_| longer).map(|last| last.id.0),
        users,
        me: visitor.user()?.id,
        passwords: portal.instead_of_passwords().is_none(),
        form,
        link,
    };
    Ok(look::page(status, &shown))
}

pub(crate) async fn add(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let (me, typed) = (visitor.user()?, &visitor.fields);
    let mut faults = Faults::default();
    let email = UserEmail::parse(typed.get("email"));
    let email = email.map_err(|error| sentence(&error.to_string()));
    let email = faults.take("email", email);
    let role = UserRole::from_word(typed.get("role"));
    let role = faults.take("role", role.ok_or("Choose a role."));
    let added = match (email, role) {
        (Some(email), Some(role)) => {
            match portal.store().add_user(&email, role, &portal.act(me)).await {
                Err(StoreError::UserExists) => {
                    let why = "There is a user with this address already: the list gives them a new link.";
                    faults.add("email", why);
                    None
                }
                other => Some(other?),
            }
        }
        _ => None,
    };
    let Some(user) = added else {
        let form = sheet(typed, &faults);
        return show(
            &portal,
            &visitor,
            StatusCode::UNPROCESSABLE_ENTITY,
            form,
            None,
        )
        .await;
    };
    if portal.instead_of_passwords().is_some() {
        return Ok(Redirect::to(PATH).into_response());
    }
    offer(&portal, &visitor, &user).await
}

/// A link by which the user sets a password, shown this once.
async fn offer(portal: &Portal, visitor: &Visitor, user: &User) -> Result<Response, Problem> {
    portal.has_passwords()?;
    let (code, ends) = (portal.draw_token(), portal.now() + LINK_LASTS);
    let act = portal.act(visitor.user()?);
    portal
        .store()
        .offer_link(user.id, &code.hash(), ends, &act)
        .await?;
    let link = format!("{}/set-up#{}", visitor.origin, *code.expose());
    let form = sheet(&Fields::default(), &Faults::default());
    let link = Some((user.email.to_string(), link, When(ends)));
    show(portal, visitor, StatusCode::OK, form, link).await
}

pub(crate) async fn change(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (me, typed) = (visitor.user()?, &visitor.fields);
    let id = number(&id).ok_or(Problem::NotFound)?;
    let part = Page {
        after: id.saturating_sub(1),
        limit: 1,
    };
    let found = portal.store().users(part).await?.pop();
    let user = found
        .filter(|user| user.id.0 == id)
        .ok_or(Problem::NotFound)?;
    let act = portal.act(me);
    let what = typed.get("do");
    if user.id == me.id && ["suspend", "role"].contains(&what) {
        return Err(Problem::Refused(
            "Nobody shuts themselves out: another administrator does that.".to_owned(),
        ));
    }
    match what {
        "link" => return offer(&portal, &visitor, &user).await,
        "suspend" => portal.store().suspend_user(user.id, true, &act).await?,
        "resume" => portal.store().suspend_user(user.id, false, &act).await?,
        "second-factor" => portal.store().drop_second_factor(user.id, &act).await?,
        "sign-out" => drop(portal.store().end_sessions(user.id, &act).await?),
        "role" => {
            let role = UserRole::from_word(typed.get("role")).ok_or(Problem::NotFound)?;
            portal.store().change_user_role(user.id, role, &act).await?;
        }
        _ => return Err(Problem::NotFound),
    }
    Ok(Redirect::to(PATH).into_response())
}
