//! Signing in at the OpenID provider: the way there, and the way back.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use conclave_store::Store;

use super::sign_in;
use crate::cookie::{self, Name};
use crate::guard::Visitor;
use crate::oidc::{self, Errand, Provider, Unconfirmed};
use crate::portal::Portal;
use crate::problem::Problem;

/// What somebody who came back and isn't signed in reads above the form. The address that led back holds a code of the
/// provider's: no page is shown there, so it doesn't stay in the address bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Stale,
    Declined,
    Unconfirmed,
    Unvouched,
    Unknown,
    TooOften,
    Unavailable,
}

impl Told {
    const ALL: [Self; 7] = [
        Self::Stale,
        Self::Declined,
        Self::Unconfirmed,
        Self::Unvouched,
        Self::Unknown,
        Self::TooOften,
        Self::Unavailable,
    ];

    /// As the address of the form has it.
    fn word(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Declined => "declined",
            Self::Unconfirmed => "unconfirmed",
            Self::Unvouched => "unvouched",
            Self::Unknown => "unknown",
            Self::TooOften => "too-often",
            Self::Unavailable => "unavailable",
        }
    }

    /// What is meant by the word that stands in an address.
    pub(super) fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|told| told.word() == word)
    }

    /// To somebody who came from a provider of that name.
    pub(super) fn words(self, label: &str) -> String {
        match self {
            Self::Stale => "This sign-in was begun in another browser, more than ten minutes ago, or is done already. Please begin again.".to_owned(),
            Self::Declined => format!("{label} says that the sign-in was called off."),
            Self::Unconfirmed => format!("{label} did not confirm who you are. Please begin again; if that doesn't help, whoever runs this bridge finds the reason in its log."),
            Self::Unvouched => format!("{label} does not vouch for your e-mail address: it must be verified there first."),
            // One answer for no user and a suspended one.
            Self::Unknown => format!("You are signed in at {label}, but nobody with your e-mail address may sign in here. An administrator can change that."),
            Self::TooOften => "There were too many tries. Please wait for a minute.".to_owned(),
            Self::Unavailable => "That does not work right now. Please try again in a minute; calls are not affected.".to_owned(),
        }
    }
}

fn provider(portal: &Portal) -> Result<&Provider, Problem> {
    portal.provider().ok_or(Problem::NotFound)
}

/// Leads to the provider. A link does, and no form: what a form leads to must be ours (`form-action`).
pub(crate) async fn leave(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let provider = provider(&portal)?;
    if visitor.user.is_some() {
        return Ok(Redirect::to("/").into_response());
    }
    let errand = Errand::begin(portal.draw_token(), portal.now());
    let left = provider.leave(&errand, &visitor.origin, portal.clock());
    let to = left.await.map_err(|error| {
        tracing::warn!(%error, "nobody can sign in at the provider");
        Problem::NoProvider(provider.settings().label.clone())
    })?;
    let secure = portal.site().is_secure();
    let cookie = cookie::set(Name::Errand, secure, errand.token(), oidc::LASTS);
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&to)).into_response())
}

/// Where the provider sends the browser back to.
pub(crate) async fn back(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let provider = provider(&portal)?;
    let secure = portal.site().is_secure();
    let token = cookie::read(&headers, Name::Errand, secure);
    let errand = token
        .and_then(|token| Errand::back(token, visitor.fields.get("state"), portal.now()))
        .filter(|errand| provider.is_first_time(errand, portal.now()));
    // Whoever leads a browser here with a state that is not its own takes nothing from it.
    let Some(errand) = errand else {
        return Ok(tell(Told::Stale));
    };
    let entered = enter(&portal, provider, &visitor, &errand).await;
    let mut response = entered.unwrap_or_else(tell);
    let forget = cookie::forget(Name::Errand, secure);
    response.headers_mut().append(header::SET_COOKIE, forget);
    Ok(response)
}

fn tell(told: Told) -> Response {
    Redirect::to(&format!("/sign-in?told={}", told.word())).into_response()
}

async fn enter(
    portal: &Portal,
    provider: &Provider,
    visitor: &Visitor,
    errand: &Errand,
) -> Result<Response, Told> {
    let said = |name| visitor.fields.get(name);
    let tried = portal.count_try(visitor.address, None);
    tried.map_err(|_| Told::TooOften)?;
    match said("error") {
        "" => {}
        "access_denied" => return Err(Told::Declined),
        // In the provider's words, which may be anybody's who leads a browser here.
        error => {
            tracing::warn!(?error, "the provider signs nobody in");
            return Err(Told::Unconfirmed);
        }
    }
    // Who it is that answers, where the provider says so (RFC 9207).
    if !["", &provider.settings().issuer].contains(&said("iss")) {
        tracing::warn!("a sign-in comes back from another provider than it went to");
        return Err(Told::Unconfirmed);
    }
    let who = provider.who(errand, said("code"), &visitor.origin, portal.clock());
    let email = who.await.map_err(|error| {
        tracing::warn!(%error, "a sign-in at the provider comes to nothing");
        match error {
            Unconfirmed::Email => Told::Unvouched,
            Unconfirmed::Provider(_) | Unconfirmed::Code(_) | Unconfirmed::Token(_) => {
                Told::Unconfirmed
            }
        }
    })?;
    // What goes wrong from here on stands in the log already.
    let unavailable = |_: Problem| Told::Unavailable;
    let found = portal.store().user(email.as_str()).await;
    let found = found.map_err(Problem::from).map_err(unavailable)?;
    let user = found.map(|(user, _)| user).filter(|user| !user.suspended);
    let Some(user) = user else {
        tracing::warn!(%email, "somebody signed in at the provider who is no user here, or a suspended one");
        sign_in::note_failure(portal, Some(&email), "user.sign-in-failed");
        return Err(Told::Unknown);
    };
    portal.forgive_try(visitor.address, None);
    let asks = provider.settings().second_factor || portal.demands_second_factor(user.role);
    let entered = sign_in::begin(portal, visitor, &user, asks).await;
    entered.map_err(unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_again() {
        for told in Told::ALL {
            assert_eq!(Told::read(told.word()), Some(told));
            assert!(!told.words("Example").is_empty());
        }
        assert_eq!(Told::read(""), None);
        assert_eq!(Told::read("<b>"), None);
    }
}
