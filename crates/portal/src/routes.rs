//! Every page, and who may enter it: the one table from which the router, the menu and the page of the documentation
//! are made.

use std::fmt::Write;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, delete, get, patch, post};
use conclave_store::{Scope, UserRole};

use crate::api;
use crate::guard::{guard, harden};
use crate::pages::{
    account_forms, accounts, assets, audit, bookings, conferences, home, import, live, policies,
    provider, reports, second_factor, sign_in, tokens, users,
};
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
    /// A program whose token has this scope, and whose user has one of these roles.
    Token(Scope, &'static [UserRole]),
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
            (Self::Roles(_) | Self::Token(..), None) => Verdict::SignIn,
            (Self::Roles(roles) | Self::Token(_, roles), Some(role)) if roles.contains(&role) => {
                Verdict::Enter
            }
            (Self::Roles(_) | Self::Token(..), Some(_)) => Verdict::Forbidden,
        }
    }
}

/// A page, or what a form does.
#[derive(Debug)]
pub struct Entrance {
    /// `GET`, `POST`, `PATCH` or `DELETE`.
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

impl Entrance {
    /// Whether it is open for who has yet to set up the second factor that their role demands.
    pub(crate) fn is_for_debtors(&self) -> bool {
        ["/second-factor", "/sign-out"].contains(&self.path)
    }

    /// More than a form that is sent here holds.
    pub(crate) fn largest_form(&self) -> usize {
        match self.path {
            "/import" => 4 << 20,
            "/book" => 64 << 10,
            _ => 16 << 10,
        }
    }
}

const HELPERS: &[UserRole] = &[UserRole::Service, UserRole::Administrator];
const CHANGERS: &[UserRole] = &[UserRole::Host, UserRole::Service, UserRole::Administrator];
/// Whoever books sees the Host PIN, this once: so nobody does for somebody else but who runs the bridge.
const BOOKERS: &[UserRole] = &[UserRole::Host, UserRole::Administrator];
/// Whose webhooks are told something: an administrator's of all accounts, a Host's of their own.
const HOOKED: &[UserRole] = &[UserRole::Host, UserRole::Administrator];
const READERS: &[UserRole] = &[UserRole::Administrator, UserRole::Auditor];

const SIGNED_IN: Access = Access::Roles(&UserRole::ALL);
const ALL_ACCOUNTS: Access = Access::Roles(&[
    UserRole::Service,
    UserRole::Administrator,
    UserRole::Auditor,
]);
const CHANGES: Access = Access::Roles(CHANGERS);
const BOOKS_CONFERENCES: Access = Access::Roles(BOOKERS);
const HELPS: Access = Access::Roles(HELPERS);
const HOST: Access = Access::Roles(&[UserRole::Host]);
const BOOKS: Access = Access::Roles(READERS);
const ADMINISTRATOR: Access = Access::Roles(&[UserRole::Administrator]);

const fn token(scope: Scope, roles: &'static [UserRole]) -> Access {
    Access::Token(scope, roles)
}

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
    (patch) => {
        "PATCH"
    };
    (delete) => {
        "DELETE"
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
    get "/sign-in/code" Access::Everybody, None, sign_in::code_page, "the form for the code of a second factor";
    post "/sign-in/code" Access::Everybody, None, sign_in::code, "signs in by password and code";
    get "/sign-in/oidc" Access::Everybody, None, provider::leave, "leads to the OpenID provider, where there is one";
    get "/sign-in/oidc/back" Access::Everybody, None, provider::back, "where the provider leads back to: signs in";
    get "/set-up" Access::Everybody, None, sign_in::set_up_page, "the form behind a set-up link";
    post "/set-up" Access::Everybody, None, sign_in::set_up, "sets a password by a set-up link";
    post "/sign-out" SIGNED_IN, None, sign_in::sign_out, "signs out";
    get "/" SIGNED_IN, None, home, "leads on to the accounts";
    get "/accounts" SIGNED_IN, Some("Accounts"), accounts::list, "accounts: a Host's own; everybody's for the others";
    get "/accounts/{id}" SIGNED_IN, None, accounts::one, "an account, its bookings, its conferences of a month; of a Host's own alone";
    get "/accounts/new" HELPS, None, account_forms::new_form, "the form for a new account";
    post "/accounts/new" HELPS, None, account_forms::make, "makes an account";
    post "/accounts/further" HOST, None, account_forms::further, "a further account for a Host who has one";
    get "/accounts/{id}/settings" CHANGES, None, account_forms::settings_form, "the form for an account's settings; a Host's own alone";
    post "/accounts/{id}/settings" CHANGES, None, account_forms::settings, "announcements, lock, consent, what happens when the Host leaves; owner and limits for customer service";
    post "/accounts/{id}/pins" CHANGES, None, account_forms::pins, "draws another PIN, shown once to the owner or an administrator";
    post "/accounts/{id}/state" HELPS, None, account_forms::state, "suspends, resumes or closes an account";
    get "/book" BOOKS_CONFERENCES, Some("Book"), bookings::form, "the form to book a conference; on a Host's own accounts";
    post "/book" BOOKS_CONFERENCES, None, bookings::book, "books, and shows the Host PIN this once";
    get "/bookings/{id}" SIGNED_IN, None, bookings::one, "a booking, who is invited, the invitation; of a Host's own alone";
    get "/bookings/{id}/change" CHANGES, None, bookings::change_form, "the form to change a booking";
    post "/bookings/{id}/change" CHANGES, None, bookings::change, "changes a booking";
    post "/bookings/{id}/cancel" CHANGES, None, bookings::cancel, "calls a booking off";
    post "/bookings/{id}/invite" CHANGES, None, bookings::invite, "invites one more person by name";
    post "/bookings/{id}/withdraw" CHANGES, None, bookings::withdraw, "takes one invitation back";
    get "/bookings/{id}/invitation.ics" BOOKS_CONFERENCES, None, bookings::calendar, "the invitation as a calendar's file, with its PIN";
    get "/live" SIGNED_IN, Some("Live"), live::list, "conferences that go on: a Host's own; everybody's for the others";
    get "/live/events" SIGNED_IN, None, live::list_events, "the same as it changes";
    get "/live/{id}" SIGNED_IN, None, live::one, "who is in a conference now; of a Host's own alone";
    get "/live/{id}/events" SIGNED_IN, None, live::events, "the same as it changes";
    post "/live/{id}" ACTS, None, live::act, "mutes, lets in, locks, disconnects, ends; of a Host's own alone";
    get "/conferences" ALL_ACCOUNTS, Some("Conferences"), conferences::list, "everybody's conferences of a month";
    get "/conferences/{id}" SIGNED_IN, None, conferences::one, "who was in a conference and what happened; of a Host's own alone";
    get "/reports" BOOKS, Some("Reports"), reports::page, "usage by account, Host PINs that look shared";
    get "/reports/year" BOOKS, None, reports::year, "usage by month, of a year";
    get "/audit" BOOKS, Some("Audit log"), audit::page, "the audit log of a month";
    get "/second-factor" SIGNED_IN, Some("Second factor"), second_factor::page, "the user's own second factor";
    post "/second-factor" SIGNED_IN, None, second_factor::change, "sets it up, turns it off, draws recovery codes; each with a code";
    get "/tokens" SIGNED_IN, Some("API tokens"), tokens::list, "the user's own API tokens; all for an administrator";
    post "/tokens" SIGNED_IN, None, tokens::make, "makes an API token, shown this once";
    post "/tokens/{id}/revoke" SIGNED_IN, None, tokens::revoke, "revokes an API token; another's only for an administrator";
    get "/users" ADMINISTRATOR, Some("Users"), users::list, "the users of the portal";
    post "/users" ADMINISTRATOR, None, users::add, "makes a user, and a set-up link";
    post "/users/{id}" ADMINISTRATOR, None, users::change, "gives a role or a set-up link, suspends, resumes, signs out, resets a second factor";
    get "/policies" BOOKS, Some("Policies"), policies::page, "policies of PINs, the odds of guessing one, alarms";
    post "/policies/consent" ADMINISTRATOR, None, policies::end_consent, "ends consent after an alarm";
    get "/import" ADMINISTRATOR, Some("Import"), import::form, "the form to make many accounts";
    post "/import" ADMINISTRATOR, None, import::run, "makes the accounts of a table, all or none; their PINs are shown this once";
    get "/api/v1" Access::Everybody, None, api::page, "the API, to read";
    get "/api/v1/openapi.json" Access::Machine, None, api::document, "the API, for programs (OpenAPI 3.1)";
    get "/api/v1/accounts" token(Scope::AccountsRead, &UserRole::ALL), None, api::list_accounts, "accounts: a Host's own; everybody's for the others";
    post "/api/v1/accounts" token(Scope::AccountsWrite, HELPERS), None, api::make_account, "makes an account";
    get "/api/v1/accounts/{id}" token(Scope::AccountsRead, &UserRole::ALL), None, api::one_account, "an account";
    patch "/api/v1/accounts/{id}" token(Scope::AccountsWrite, CHANGERS), None, api::change_account, "changes an account; a Host the terms of their own";
    post "/api/v1/accounts/{id}/pins" token(Scope::AccountsWrite, CHANGERS), None, api::reset_pin, "draws another PIN";
    get "/api/v1/bookings" token(Scope::BookingsRead, &UserRole::ALL), None, api::list_bookings, "bookings that are to come";
    post "/api/v1/bookings" token(Scope::BookingsWrite, BOOKERS), None, api::book, "books a conference";
    get "/api/v1/bookings/{id}" token(Scope::BookingsRead, &UserRole::ALL), None, api::one_booking, "a booking";
    patch "/api/v1/bookings/{id}" token(Scope::BookingsWrite, CHANGERS), None, api::change_booking, "changes a booking";
    delete "/api/v1/bookings/{id}" token(Scope::BookingsWrite, CHANGERS), None, api::cancel_booking, "calls a booking off";
    post "/api/v1/bookings/{id}/invitees" token(Scope::BookingsWrite, CHANGERS), None, api::invite, "invites one more person by name";
    delete "/api/v1/bookings/{id}/invitees/{invitee}" token(Scope::BookingsWrite, CHANGERS), None, api::withdraw, "takes one invitation back";
    get "/api/v1/bookings/{id}/invitation" token(Scope::BookingsRead, BOOKERS), None, api::invitation, "an invitation to pass on, with its PIN";
    get "/api/v1/live" token(Scope::LiveRead, &UserRole::ALL), None, api::list_live, "conferences that go on: a Host's own; everybody's for the others";
    get "/api/v1/live/{id}" token(Scope::LiveRead, &UserRole::ALL), None, api::one_live, "who is in a conference now";
    get "/api/v1/live/{id}/events" token(Scope::LiveRead, &UserRole::ALL), None, api::events_of_one, "what happens in a conference, as it happens";
    post "/api/v1/live/{id}/orders" token(Scope::LiveAct, CHANGERS), None, api::order, "mutes, lets in, locks, disconnects, ends";
    get "/api/v1/events" token(Scope::LiveRead, &UserRole::ALL), None, api::events_of_all, "what happens in all conferences that one may see";
    get "/api/v1/conferences" token(Scope::ConferencesRead, &UserRole::ALL), None, api::list_conferences, "conferences of a period";
    get "/api/v1/conferences/{id}" token(Scope::ConferencesRead, &UserRole::ALL), None, api::one_conference, "who was in a conference and what happened";
    get "/api/v1/reports/usage" token(Scope::ReportsRead, READERS), None, api::usage, "usage by account in a period";
    get "/api/v1/audit" token(Scope::ReportsRead, READERS), None, api::audit, "the audit log of a period";
    get "/api/v1/users" token(Scope::UsersRead, &[UserRole::Administrator]), None, api::list_users, "the users of the portal";
    post "/api/v1/users" token(Scope::UsersWrite, &[UserRole::Administrator]), None, api::make_user, "makes a user";
    patch "/api/v1/users/{id}" token(Scope::UsersWrite, &[UserRole::Administrator]), None, api::change_user, "gives a user another role, suspends, resumes";
    post "/api/v1/users/{id}/link" token(Scope::UsersWrite, &[UserRole::Administrator]), None, api::offer_link, "a link by which a user sets a password, once";
    post "/api/v1/users/{id}/sign-out" token(Scope::UsersWrite, &[UserRole::Administrator]), None, api::sign_out, "ends a user's sessions";
    post "/api/v1/accounts/further" token(Scope::AccountsWrite, &[UserRole::Host]), None, api::further, "a further account for a Host who has one";
    post "/api/v1/accounts/import" token(Scope::AccountsWrite, &[UserRole::Administrator]), None, api::import, "makes the accounts of a table, all or none";
    get "/api/v1/reports/hints" token(Scope::ReportsRead, READERS), None, api::hints, "Host PINs that look shared";
    get "/api/v1/policies" token(Scope::PoliciesRead, READERS), None, api::policies, "what guards the PINs, and the odds of guessing one";
    delete "/api/v1/policies/consent" token(Scope::PoliciesWrite, &[UserRole::Administrator]), None, api::end_consent, "ends consent after an alarm";
    get "/api/v1/tokens" token(Scope::TokensRead, &UserRole::ALL), None, api::list_tokens, "the user's own API tokens; all for an administrator";
    post "/api/v1/tokens" token(Scope::TokensWrite, &UserRole::ALL), None, api::make_token, "makes an API token that may do no more, shown this once";
    delete "/api/v1/tokens/{id}" token(Scope::TokensWrite, &UserRole::ALL), None, api::revoke_token, "revokes an API token; another's only for an administrator";
    get "/api/v1/webhooks" token(Scope::WebhooksRead, HOOKED), None, api::list_webhooks, "addresses that are told of what happens: a Host's own; everybody's for an administrator";
    post "/api/v1/webhooks" token(Scope::WebhooksWrite, HOOKED), None, api::make_webhook, "has an address told of what happens, and shows once what signs it";
    get "/api/v1/webhooks/{id}" token(Scope::WebhooksRead, HOOKED), None, api::one_webhook, "a webhook";
    patch "/api/v1/webhooks/{id}" token(Scope::WebhooksWrite, HOOKED), None, api::change_webhook, "tells a webhook of other events, switches it off and on";
    delete "/api/v1/webhooks/{id}" token(Scope::WebhooksWrite, HOOKED), None, api::remove_webhook, "tells an address nothing any more";
    get "/api/v1/webhooks/{id}/deliveries" token(Scope::WebhooksRead, HOOKED), None, api::list_deliveries, "what a webhook was told and is to be told, the newest first";
}

pub(crate) fn router(portal: Portal) -> Router {
    let mut router = Router::new();
    for entrance in ENTRANCES {
        let state = (portal.clone(), entrance);
        let guarded = (entrance.handler)().layer(from_fn_with_state(state, guard));
        router = router.route(entrance.path, guarded);
    }
    router
        .fallback(elsewhere)
        .layer(from_fn_with_state(portal.clone(), harden))
        .with_state(portal)
}

/// Where there is nothing.
async fn elsewhere(uri: axum::http::Uri) -> axum::response::Response {
    if uri.path().starts_with(api::BASE) {
        api::ApiProblem::not_found().into_response()
    } else {
        Problem::NotFound.into_response()
    }
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
