//! The one place where it is decided who may enter: every request for every page comes through here.

use std::net::{IpAddr, SocketAddr};

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use conclave_store::{Once, Token, TokenHash, User};

use crate::api;
use crate::cookie::{self, Name};
use crate::fields::Fields;
use crate::portal::{Portal, SESSION_LASTS};
use crate::problem::Problem;
use crate::routes::{Access, Entrance, Verdict};

/// Whoever was let in, and what they sent.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// Who is signed in.
    pub(crate) user: Option<User>,
    /// Of the session, or else of the visit.
    pub(crate) token: Token,
    /// The fields of the form, or those of the query.
    pub(crate) fields: Fields,
    /// From where.
    pub(crate) address: Option<IpAddr>,
    /// What the browser has in its address bar before the path.
    pub(crate) origin: String,
}

impl Visitor {
    /// What a form of this browser's must hold (a synchronizer token, in OWASP's words): no other site can read it.
    pub(crate) fn form_token(&self) -> Token {
        form_token(&self.token)
    }

    /// Who is signed in, where the guard lets nobody else in.
    pub(crate) fn user(&self) -> Result<&User, Problem> {
        self.user.as_ref().ok_or(Problem::Forbidden)
    }
}

impl Visitor {
    /// What a form that makes something carries, so that it is made once however often it is sent.
    pub(crate) fn once(&self, user: &User, what: &str) -> Option<Once> {
        let key = Token::parse(self.fields.get("once"))?;
        Some(Once {
            user: user.id,
            key: key.hash(),
            request: TokenHash::of(what.as_bytes()),
        })
    }
}

fn form_token(token: &Token) -> Token {
    token.derive("conclave portal form")
}

/// Lets a request in to an entrance, or answers it here.
pub(crate) async fn guard(
    State((portal, entrance)): State<(Portal, &'static Entrance)>,
    request: Request,
    next: Next,
) -> Response {
    if entrance.access == Access::Machine {
        return next.run(request).await;
    }
    if let Access::Token(scope, roles) = entrance.access {
        return match api::enter(&portal, scope, roles, request).await {
            Ok(request) => next.run(request).await,
            Err(problem) => problem.into_response(),
        };
    }
    match enter(&portal, entrance, request).await {
        Ok((request, new_cookie)) => {
            let mut response = next.run(request).await;
            if let Some(cookie) = new_cookie {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(answer) => answer,
    }
}

async fn enter(
    portal: &Portal,
    entrance: &Entrance,
    mut request: Request,
) -> Result<(Request, Option<HeaderValue>), Response> {
    let (site, refuse) = (portal.site(), Problem::into_response);
    if !site.is_named(request.headers()) {
        return Err(refuse(Problem::Misdirected));
    }
    let cookies = [Name::Session, Name::Visit];
    let [session, visit] =
        cookies.map(|name| cookie::read(request.headers(), name, site.is_secure()));
    let mut signed_in = None;
    if let Some(token) = session {
        let session = portal.session(&token).await.map_err(refuse)?;
        signed_in = session.map(|session| (session.user, token));
    }
    let role = signed_in.as_ref().map(|(user, _)| user.role);
    match entrance.access.admits(role) {
        Verdict::Enter => {}
        Verdict::SignIn => return Err(Redirect::to("/sign-in").into_response()),
        Verdict::Forbidden => return Err(refuse(Problem::Forbidden)),
    }
    let owes = signed_in.as_ref().is_some_and(|(user, _)| {
        !user.has_second_factor && portal.demands_second_factor(user.role)
    });
    if owes && matches!(entrance.access, Access::Roles(_)) && !entrance.is_for_debtors() {
        return Err(Redirect::to("/second-factor").into_response());
    }
    let mut new_cookie = None;
    let (user, token) = match (signed_in, visit) {
        (Some((user, token)), _) => (Some(user), token),
        (None, Some(token)) => (None, token),
        (None, None) => {
            let token = portal.draw_token();
            let set = cookie::set(Name::Visit, site.is_secure(), &token, SESSION_LASTS);
            new_cookie = Some(set);
            (None, token)
        }
    };
    let origin = site.origin(request.headers());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|ConnectInfo(peer)| peer.ip());
    let address = site.client(peer, request.headers());
    let fields = if request.method() == Method::POST {
        if !site.is_own(request.headers()) {
            return Err(refuse(Problem::StrangeForm));
        }
        let body = std::mem::replace(request.body_mut(), Body::empty());
        let body = to_bytes(body, entrance.largest_form()).await;
        let fields = Fields::parse(&body.map_err(|_| refuse(Problem::TooLarge))?);
        if Token::parse(fields.get("form")) != Some(form_token(&token)) {
            return Err(refuse(Problem::StrangeForm));
        }
        fields
    } else {
        Fields::parse(request.uri().query().unwrap_or_default().as_bytes())
    };
    request.extensions_mut().insert(Visitor {
        user,
        token,
        fields,
        address,
        origin,
    });
    Ok((request, new_cookie))
}

/// What every answer says to the browser: run and show nothing but what comes from here, send nothing elsewhere, keep
/// nothing, and let no other site put the page into a frame.
pub(crate) async fn harden(State(portal): State<Portal>, request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, &str); 8] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let of_api = request.uri().path().starts_with(api::BASE);
    let mut response = next.run(request).await;
    if of_api && response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = response.headers().get(header::ALLOW).cloned();
        let what = "That method does nothing here.";
        response = api::ApiProblem::new(StatusCode::METHOD_NOT_ALLOWED, what).into_response();
        if let Some(allowed) = allowed {
            response.headers_mut().insert(header::ALLOW, allowed);
        }
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if portal.site().is_secure() {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}
