//! `conclave-bridge user`: who signs in to the web portal.

use std::net::SocketAddr;

use conclave_portal::{LINK_LASTS, Site};
use conclave_store::{Page, Store, StoreError, Token, User, UserEmail};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::{
    account::{existing, open},
    cli::{self, Common, There, UserAdd, UserLink, UserList, UserRoleChange, UserWhich},
    clock,
    config::{Config, Http, Oidc},
    data::Data,
    output::{Failure, print, print_json},
};

pub(crate) async fn run(command: cli::User) -> Result<(), Failure> {
    match command {
        cli::User::Add(add) => self::add(add).await,
        cli::User::List(list) => self::list(list).await,
        cli::User::Link(which) => self::link(which).await,
        cli::User::Role(change) => role(change).await,
        cli::User::Suspend(which) => suspend(which, true).await,
        cli::User::Resume(which) => suspend(which, false).await,
        cli::User::ResetSecondFactor(which) => reset_second_factor(which).await,
        cli::User::SignOut(which) => sign_out(which).await,
    }
}

async fn add(add: UserAdd) -> Result<(), Failure> {
    let email = UserEmail::parse(&add.email)
        .map_err(|error| Failure::usage(format!("'{}': {error}", add.email)))?;
    let (data, config) = open(&add.common.place).await?;
    let page = SetUpPage::of(config, &add.there)?;
    let user = data
        .store
        .add_user(&email, add.role.into(), &data.act())
        .await?;
    if let Some(label) = &page.instead {
        if add.common.json {
            return print_json(&json!({ "id": user.id, "email": user.email, "role": user.role }));
        }
        let at = page.site.url(page.listen, "/");
        return print(&format!(
            "{} ({}) signs in with {label} at {at}",
            user.email, user.role
        ));
    }
    offer_link(&data, &page, &user, &add.common).await
}

async fn link(which: UserLink) -> Result<(), Failure> {
    let (data, config) = existing(&which.common.place).await?;
    let page = SetUpPage::of(config, &which.there)?;
    if let Some(label) = &page.instead {
        return Err(Failure::usage(format!(
            "there are no passwords: http.oidc has people sign in with {label}"
        )));
    }
    let user = find(&data, &which.email).await?;
    offer_link(&data, &page, &user, &which.common).await
}

/// Where links lead.
struct SetUpPage {
    site: Site,
    listen: SocketAddr,
    /// Where there are no passwords: what people sign in with.
    instead: Option<String>,
}

impl SetUpPage {
    fn of(config: Config, there: &There) -> Result<Self, Failure> {
        let http = Http {
            listen: there.http.or(config.http.listen),
            ..config.http
        };
        Ok(Self {
            site: http.site().map_err(Failure::usage)?,
            listen: http.listen_or_default(),
            instead: http.oidc.as_ref().and_then(Oidc::instead_of_passwords),
        })
    }
}

/// The code stands behind a `#`: browsers send that to nobody, so it is in no log of a server or proxy.
async fn offer_link(
    data: &Data,
    page: &SetUpPage,
    user: &User,
    common: &Common,
) -> Result<(), Failure> {
    let code = Token::draw(&mut StdRng::from_rng(&mut rand::rng()));
    let ends = clock::wall() + LINK_LASTS;
    data.store
        .offer_link(user.id, &code.hash(), ends, &data.act())
        .await?;
    let path = format!("/set-up#{}", *code.expose());
    let link = page.site.url(page.listen, &path);
    if common.json {
        return print_json(&json!({
            "id": user.id, "email": user.email, "role": user.role, "link": link, "ends": ends,
        }));
    }
    print(&format!(
        "{} ({}) sets a password here, once, until {}:",
        user.email,
        user.role,
        ends.format("%Y-%m-%d %H:%M UTC")
    ))?;
    print(&format!("  {link}"))
}

pub(crate) async fn find(data: &Data, email: &str) -> Result<User, Failure> {
    let found = data.store.user(email.trim()).await?;
    found.map(|(user, _)| user).ok_or_else(|| {
        Failure::usage(format!(
            "no user is '{email}'; `conclave-bridge user list` shows them all"
        ))
    })
}

async fn list(list: UserList) -> Result<(), Failure> {
    let (data, _) = existing(&list.common.place).await?;
    let page = Page {
        after: list.part.after,
        limit: list.part.limit.unwrap_or(Page::MOST),
    };
    let users = data.store.users(page).await?;
    if list.common.json {
        return print_json(&json!({ "users": users }));
    }
    if users.is_empty() {
        return print(
            "There are no users of the portal yet: conclave-bridge user add ada@example.org --role administrator",
        );
    }
    print(&format!(
        "{:>6}  {:<14} {:<13} E-MAIL",
        "ID", "STATE", "ROLE"
    ))?;
    for user in users {
        let state = match (user.suspended, user.has_password) {
            (true, _) => "suspended",
            (false, true) => "active",
            (false, false) => "not set up",
        };
        print(&format!(
            "{:>6}  {state:<14} {:<13} {}",
            user.id.0, user.role, user.email
        ))?;
    }
    Ok(())
}

async fn role(change: UserRoleChange) -> Result<(), Failure> {
    let (data, _) = existing(&change.common.place).await?;
    let user = find(&data, &change.email).await?;
    data.store
        .change_user_role(user.id, change.role.into(), &data.act())
        .await?;
    show(&data, &user, &change.common).await
}

async fn suspend(which: UserWhich, suspended: bool) -> Result<(), Failure> {
    let (data, _) = existing(&which.common.place).await?;
    let user = find(&data, &which.email).await?;
    data.store
        .suspend_user(user.id, suspended, &data.act())
        .await?;
    show(&data, &user, &which.common).await
}

async fn sign_out(which: UserWhich) -> Result<(), Failure> {
    let (data, _) = existing(&which.common.place).await?;
    let user = find(&data, &which.email).await?;
    let ended = data.store.end_sessions(user.id, &data.act()).await?;
    if which.common.json {
        return print_json(&json!({ "id": user.id, "sessions": ended }));
    }
    print(&format!(
        "{} was signed out of {ended} sessions",
        user.email
    ))
}

async fn reset_second_factor(which: UserWhich) -> Result<(), Failure> {
    let (data, _) = existing(&which.common.place).await?;
    let user = find(&data, &which.email).await?;
    if !user.has_second_factor {
        return Err(Failure::usage(format!(
            "{} has no second factor",
            user.email
        )));
    }
    data.store.drop_second_factor(user.id, &data.act()).await?;
    show(&data, &user, &which.common).await
}

/// As it is now.
async fn show(data: &Data, user: &User, common: &Common) -> Result<(), Failure> {
    let found = data.store.user(user.email.as_str()).await?;
    let (user, _) = found.ok_or(StoreError::NoSuchUser(user.id))?;
    if common.json {
        return print_json(&json!(user));
    }
    let state = if user.suspended {
        "suspended"
    } else {
        "active"
    };
    print(&format!("{} ({}) is {state}", user.email, user.role))
}
