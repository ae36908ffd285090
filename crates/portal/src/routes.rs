//! Every page, and who may enter it: the one table from which the router, the menu and the page of the documentation
//! are made.

use std::fmt::Write;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use conclave_store::UserRole;

use crate::guard::{guard, harden};
use crate::pages::{accounts, assets, audit, conferences, home, live, reports, sign_in};
use crate::portal::Portal;
use crate::problem::Problem;

/// Who may enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever asks, and is not asked back: nothing personal is here, and no session is looked for.
    Machine,
    /// Everybody, signed in or not.
    Everybody,
    /// Who is signed in and has one of these roles.
    Roles(&'static [UserRole]),
}

/// What becomes of somebody at an entrance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Enter,
    SignIn,
    Forbidden,
}

impl Access {
    /// Whether somebody of this role (none: not signed in) may enter.
    pub(crate) fn admits(self, role: Option<UserRole>) -> Verdict {
        match (self, role) {
            (Self::Machine | Self::Everybody, _) => Verdict::Enter,
            (Self::Roles(_), None) => Verdict::SignIn,
            (Self::Roles(roles), Some(role)) if roles.contains(&role) => Verdict::Enter,
            (Self::Roles(_), Some(_)) => Verdict::Forbidden,
        }
    }
}

/// A page, or what a form does.
#[derive(Debug)]
pub struct Entrance {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path, as axum spells it.
    pub path: &'static str,
    /// Who may enter.
    pub access: Access,
    /// What is behind it.
    pub what: &'static str,
    /// What the menu calls it, if it is in the menu.
    pub(crate) menu: Option<&'static str>,
    handler: fn() -> MethodRouter<Portal>,
}

const SIGNED_IN: Access = Access::Roles(&UserRole::ALL);
const ALL_ACCOUNTS: Access = Access::Roles(&[
    UserRole::Service,
    UserRole::Administrator,
    UserRole::Auditor,
]);
const BOOKS: Access = Access::Roles(&[UserRole::Administrator, UserRole::Auditor]);

/// Who may do something in a conference that goes on.
const ACTS: Access = Access::Roles(&[UserRole::Host, UserRole::Service, UserRole::Administrator]);

macro_rules! entrances {
    ($($method:ident $path:literal $access:expr, $menu:expr, $handler:path, $what:literal;)+) => {
        /// All entrances. There is no other way in.
        pub static ENTRANCES: &[Entrance] = &[$(Entrance {
            method: method!($method),
            path: $path,
            access: $access,
            what: $what,
            menu: $menu,
            handler: || $method($handler),
        }),+];
    };
}
macro_rules! method {
    (get) => {
        "GET"
    };
    (post) => {
        "POST"
    };
}

entrances! {
    get "/healthz" Access::Machine, None, assets::healthz, "whether the process answers";
    get "/readyz" Access::Machine, None, assets::readyz, "whether the database answers";
    get "/style.css" Access::Machine, None, assets::style, "how pages look";
    get "/portal.js" Access::Machine, None, assets::script, "times in the viewer's zone, the code of a set-up link";
    get "/metrics" Access::Machine, None, assets::metrics, "figures for Prometheus; answered on loopback alone";
    get "/live.css" Access::Machine, None, assets::live_style, "how the live pages look";
    get "/live.js" Access::Machine, None, assets::live_script, "changes as they come";
    get "/sign-in" Access::Everybody, None, sign_in::page, "the form to sign in";
    post "/sign-in" Access::Everybody, None, sign_in::sign_in, "signs in";
    get "/set-up" Access::Everybody, None, sign_in::set_up_page, "the form behind a set-up link";
    post "/set-up" Access::Everybody, None, sign_in::set_up, "sets a password by a set-up link";
    post "/sign-out" SIGNED_IN, None, sign_in::sign_out, "signs out";
    get "/" SIGNED_IN, None, home, "leads on to the accounts";
    get "/accounts" SIGNED_IN, Some("Accounts"), accounts::list, "accounts: a Host's own; everybody's for the others";
    get "/accounts/{id}" SIGNED_IN, None, accounts::one, "an account, its bookings, its conferences of a month; of a Host's own alone";
    get "/live" SIGNED_IN, Some("Live"), live::list, "conferences that go on: a Host's own; everybody's for the others";
    get "/live/events" SIGNED_IN, None, live::list_events, "the same as it changes";
    get "/live/{id}" SIGNED_IN, None, live::one, "who is in a conference now; of a Host's own alone";
    get "/live/{id}/events" SIGNED_IN, None, live::events, "the same as it changes";
    post "/live/{id}" ACTS, None, live::act, "mutes, lets in, locks, disconnects, ends; of a Host's own alone";
    get "/conferences" ALL_ACCOUNTS, Some("Conferences"), conferences::list, "everybody's conferences of a month";
    get "/conferences/{id}" SIGNED_IN, None, conferences::one, "who was in a conference and what happened; of a Host's own alone";
    get "/reports" BOOKS, Some("Reports"), reports::page, "usage by account, Host PINs that look shared";
    get "/audit" BOOKS, Some("Audit log"), audit::page, "the audit log of a month";
}

pub(crate) fn router(portal: Portal) -> Router {
    let mut router = Router::new();
    for entrance in ENTRANCES {
        let state = (portal.clone(), entrance);
        let guarded = (entrance.handler)().layer(from_fn_with_state(state, guard));
        router = router.route(entrance.path, guarded);
    }
    router
        .fallback(async || Problem::NotFound)
        .layer(from_fn_with_state(portal.clone(), harden))
        .with_state(portal)
}

/// The entrances as a table in Markdown, as the documentation has it.
pub fn role_table() -> String {
    let mut table = String::from("| | | what | not signed in |");
    for role in UserRole::ALL {
        let _ = write!(table, " {role} |");
    }
    table.push_str("\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for entrance in ENTRANCES {
        let Entrance {
            method, path, what, ..
        } = entrance;
        let _ = write!(table, "| {method} | `{path}` | {what} |");
        for role in std::iter::once(None).chain(UserRole::ALL.map(Some)) {
            table.push_str(match entrance.access.admits(role) {
                Verdict::Enter => " yes |",
                Verdict::SignIn | Verdict::Forbidden => " – |",
            });
        }
        table.push('\n');
    }
    table
}
