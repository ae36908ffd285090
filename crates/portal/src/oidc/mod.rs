//! Signing in at an OpenID provider, where there is one: the authorization code flow with PKCE (OpenID Connect Core 1.0,
//! section 3.1; RFC 7636).
//!
//! It makes no users: whom the provider names by an e-mail address that it vouches for is the user who has that address.
//! What guards it stands in `docs/security.md`.
//!
//! ```
//! # use std::sync::Arc;
//! use conclave_portal::Portal;
//! use conclave_portal::oidc::{Provider, Settings, SettingsError};
//! use tokio_rustls::rustls::ClientConfig;
//!
//! fn with_sign_in(portal: Portal, tls: Arc<ClientConfig>, secret: String) -> Result<Portal, SettingsError> {
//!     let settings = Settings {
//!         issuer: "https://login.example.org".into(),
//!         client_id: "conclave".into(),
//!         label: "Example Corp".into(),
//!         passwords: true,
//!         second_factor: false,
//!     };
//!     Ok(portal.with_provider(Arc::new(Provider::new(settings, secret, tls)?)))
//! }
//! ```

mod errand;
mod http;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::Uri;
use chrono::{DateTime, TimeDelta, Utc};
use conclave_store::UserEmail;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreErrorResponseType, CoreIdToken,
    CoreIdTokenClaims, CoreIdTokenVerifier, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreRequestTokenError, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    DiscoveryError, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError,
    Scope, SignatureVerificationError, TokenResponse,
};
use tokio_rustls::rustls::ClientConfig;

pub(crate) use errand::{Errand, LASTS};

use crate::portal::Clock;
use errand::UsedUp;
use http::{Client, HttpError};

/// Where the provider sends browsers back to.
pub(crate) const BACK: &str = "/sign-in/oidc/back";

/// So long the provider's document and keys are good without being read again.
const KEPT: TimeDelta = TimeDelta::hours(1);
/// They are read again for an ID token that none of the keys has signed, at most so often.
const KEYS_AGAIN: TimeDelta = TimeDelta::seconds(30);
/// A provider that could not be asked is left alone for so long.
const LEFT_ALONE: TimeDelta = TimeDelta::seconds(5);
/// So far the provider's clock may be from ours.
const SKEW: TimeDelta = TimeDelta::minutes(2);

/// What a portal knows of its provider, but for the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The issuer, letter by letter as it calls itself: `https://login.example.org`. `http` is for this machine alone.
    pub issuer: String,
    /// By what the provider knows the portal.
    pub client_id: String,
    /// What people call the provider: they “sign in with” it.
    pub label: String,
    /// Whether they may sign in by password as well.
    pub passwords: bool,
    /// Whether who has a second factor of the portal's is asked for it after the provider's sign-in. Users in a role that
    /// [must have one](crate::Portal::demanding_second_factors) are asked in any case.
    pub second_factor: bool,
}

/// What is wrong with a provider's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The issuer is no address of one.
    #[error(
        "issuer: it looks like https://login.example.org, without a query; http is for this machine alone"
    )]
    Issuer,
    /// There is no client id.
    #[error("client-id: the provider gives one to each that people sign in to")]
    ClientId,
    /// There is no secret.
    #[error("client-secret: the provider gives one with the client id")]
    ClientSecret,
    /// The label is no name.
    #[error("label: what people call the provider, in 1 to 60 characters")]
    Label,
}

impl Settings {
    /// Whether a provider can be made of them.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.issuer_url()?;
        if self.client_id.trim().is_empty() {
            return Err(SettingsError::ClientId);
        }
        let label = self.label.trim();
        if label.is_empty() || label.chars().count() > 60 || label.chars().any(char::is_control) {
            return Err(SettingsError::Label);
        }
        Ok(())
    }

    fn issuer_url(&self) -> Result<IssuerUrl, SettingsError> {
        let refused = SettingsError::Issuer;
        let url = IssuerUrl::new(self.issuer.clone()).map_err(|_| refused)?;
        let parts = url.url();
        let plain = parts.query().is_none()
            && parts.fragment().is_none()
            && parts.username().is_empty()
            && parts.password().is_none();
        match parts.scheme() {
            "https" if plain => Ok(url),
            "http" if plain && is_at_home(&self.issuer) => Ok(url),
            _ => Err(refused),
        }
    }
}

fn is_at_home(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|url| http::is_at_home(&url))
}

/// Why the provider can't be used now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);

/// Why somebody who comes back from the provider isn't let in. No word of it is a secret's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unconfirmed {
    #[error("the provider can't be used: {0}")]
    Provider(#[from] Unusable),
    #[error("the provider gives no tokens for the code: {0}")]
    Code(String),
    #[error("the provider's ID token is not good: {0:?}")]
    Token(String),
    #[error("the provider vouches for no e-mail address")]
    Email,
}

/// A client of the provider's, with the endpoints that its document names.
type PortalAtProvider = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// An OpenID provider at which the users of a portal sign in.
pub struct Provider {
    settings: Settings,
    issuer: IssuerUrl,
    id: ClientId,
    secret: ClientSecret,
    client: Client,
    /// Held while the provider is asked: of many who want to know, one asks.
    known: tokio::sync::Mutex<Known>,
    used_up: Mutex<UsedUp>,
}

/// What is known of the provider, and since when.
#[derive(Default)]
struct Known {
    metadata: Option<(Arc<CoreProviderMetadata>, DateTime<Utc>)>,
    failed: Option<(Unusable, DateTime<Utc>)>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// A provider that is asked nothing yet. `tls` says whose certificates are believed.
    pub fn new(
        settings: Settings,
        secret: impl Into<String>,
        tls: Arc<ClientConfig>,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let secret = secret.into();
        if secret.is_empty() {
            return Err(SettingsError::ClientSecret);
        }
        Ok(Self {
            issuer: settings.issuer_url()?,
            id: ClientId::new(settings.client_id.clone()),
            secret: ClientSecret::new(secret),
            client: Client::new(tls, is_at_home(&settings.issuer)),
            known: tokio::sync::Mutex::default(),
            used_up: Mutex::default(),
            settings,
        })
    }

    /// Whether it answers, and names all that is needed. What it says is kept for whoever signs in first.
    pub async fn is_usable(&self, clock: &Clock) -> Result<(), Unusable> {
        self.metadata(KEPT, clock).await.map(drop)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where a browser goes to sign in. `origin` is what it has in its address bar before the path.
    pub(crate) async fn leave(
        &self,
        errand: &Errand,
        origin: &str,
        clock: &Clock,
    ) -> Result<String, Unusable> {
        let metadata = self.metadata(KEPT, clock).await?;
        let (state, nonce) = (errand.state(), errand.nonce());
        let verifier = PkceCodeVerifier::new(errand.verifier());
        let (url, _, _) = self
            .at_provider(&metadata, origin)?
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .add_scope(Scope::new("email".to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url.into())
    }

    /// Whether an errand comes home for the first time: it is used up by that.
    pub(crate) fn is_first_time(&self, errand: &Errand, now: DateTime<Utc>) -> bool {
        let used_up = self.used_up.lock();
        let mut used_up = used_up.unwrap_or_else(PoisonError::into_inner);
        used_up.first_time(errand, now)
    }

    /// Who has signed in there, by the code that the browser brought back.
    pub(crate) async fn who(
        &self,
        errand: &Errand,
        code: &str,
        origin: &str,
        clock: &Clock,
    ) -> Result<UserEmail, Unconfirmed> {
        let metadata = self.metadata(KEPT, clock).await?;
        let portal = self.at_provider(&metadata, origin)?;
        let tokens = portal
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| Unconfirmed::Code(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(errand.verifier()))
            .request_async(&self.client)
            .await
            .map_err(|error| Unconfirmed::Code(why_no_tokens(error)))?;
        let token = tokens
            .id_token()
            .ok_or_else(|| Unconfirmed::Token("there is none".to_owned()))?;
        let claims = self.claims(token, metadata, errand, clock).await?;
        let (email, verified) = match claims.email() {
            Some(email) => (email.to_string(), claims.email_verified()),
            None => asked_for_email(&portal, &tokens, claims, &self.client).await?,
        };
        if verified != Some(true) {
            return Err(Unconfirmed::Email);
        }
        UserEmail::parse(&email).map_err(|_| Unconfirmed::Email)
    }

    /// What an ID token says, if it is good. Where none of the keys has signed it, they are read again: the provider may
    /// have new ones.
    async fn claims<'t>(
        &self,
        token: &'t CoreIdToken,
        metadata: Arc<CoreProviderMetadata>,
        errand: &Errand,
        clock: &Clock,
    ) -> Result<&'t CoreIdTokenClaims, Unconfirmed> {
        use SignatureVerificationError::{CryptoError, NoMatchingKey};
        let verified = match self.verified(token, &metadata, errand, clock()) {
            Err(ClaimsVerificationError::SignatureVerification(NoMatchingKey | CryptoError(_))) => {
                let metadata = self.metadata(KEYS_AGAIN, clock).await?;
                self.verified(token, &metadata, errand, clock())
            }
            verified => verified,
        };
        let claims = verified.map_err(|error| {
            let cause = std::error::Error::source(&error);
            let cause = cause.map(|cause| format!(": {cause}"));
            Unconfirmed::Token(format!("{error}{}", cause.unwrap_or_default()))
        })?;
        // The library checks that nobody else is in the audience, and leaves this to us.
        if claims.authorized_party().is_some_and(|it| *it != self.id) {
            let why = "it was issued to somebody else (azp)";
            return Err(Unconfirmed::Token(why.to_owned()));
        }
        Ok(claims)
    }

    fn verified<'t>(
        &self,
        token: &'t CoreIdToken,
        metadata: &CoreProviderMetadata,
        errand: &Errand,
        now: DateTime<Utc>,
    ) -> Result<&'t CoreIdTokenClaims, ClaimsVerificationError> {
        // As of a client that has no secret: nothing that a secret could sign is taken.
        let (id, issuer) = (self.id.clone(), self.issuer.clone());
        let (from, to) = (errand.began() - SKEW, now + SKEW);
        let verifier = CoreIdTokenVerifier::new_public_client(id, issuer, metadata.jwks().clone())
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || now)
            .set_issue_time_verifier_fn(move |issued| {
                let fits = issued >= from && issued <= to;
                fits.then_some(())
                    .ok_or_else(|| format!("ID token issued at {issued}, and it is {now}"))
            });
        token.claims(&verifier, &Nonce::new(errand.nonce()))
    }

    /// What the provider says of itself, its keys among it, read no longer ago than `kept`.
    async fn metadata(
        &self,
        kept: TimeDelta,
        clock: &Clock,
    ) -> Result<Arc<CoreProviderMetadata>, Unusable> {
        let mut known = self.known.lock().await;
        let now = clock();
        if let Some((metadata, read)) = &known.metadata
            && now - *read < kept
        {
            return Ok(Arc::clone(metadata));
        }
        if let Some((why, failed)) = &known.failed
            && now - *failed < LEFT_ALONE
        {
            return Err(why.clone());
        }
        match self.discover().await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                *known = Known {
                    metadata: Some((Arc::clone(&metadata), now)),
                    failed: None,
                };
                Ok(metadata)
            }
            Err(why) => {
                known.failed = Some((why.clone(), clock()));
                Err(why)
            }
        }
    }

    async fn discover(&self) -> Result<CoreProviderMetadata, Unusable> {
        let found = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.client).await;
        let metadata = found.map_err(|error| Unusable(why_unusable(&error)))?;
        let token = metadata.token_endpoint().map(|url| url.as_str());
        let token = token.ok_or_else(|| Unusable("it names no token endpoint".to_owned()))?;
        for url in [metadata.authorization_endpoint().as_str(), token] {
            if !self.client.may_go_to(url) {
                return Err(Unusable(format!("{url:?} is not HTTPS")));
            }
        }
        Ok(metadata)
    }

    /// The portal as the provider knows it.
    fn at_provider(
        &self,
        metadata: &CoreProviderMetadata,
        origin: &str,
    ) -> Result<PortalAtProvider, Unusable> {
        let back = RedirectUrl::new(format!("{origin}{BACK}"));
        let back = back.map_err(|error| Unusable(format!("our own address: {error}")))?;
        let (id, secret) = (self.id.clone(), self.secret.clone());
        let portal = CoreClient::from_provider_metadata(metadata.clone(), id, Some(secret));
        let taken = metadata.token_endpoint_auth_methods_supported();
        let in_body = taken.is_some_and(|taken| {
            taken.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !taken.contains(&CoreClientAuthMethod::ClientSecretBasic)
        });
        let auth = if in_body {
            AuthType::RequestBody
        } else {
            AuthType::BasicAuth
        };
        Ok(portal.set_redirect_uri(back).set_auth_type(auth))
    }
}

/// By what an ID token may be signed: public keys alone.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Providers that go by the letter (OpenID Connect Core 1.0, section 5.4) tell the address only where they are asked about
/// the user. That must be the one of the ID token.
async fn asked_for_email(
    portal: &PortalAtProvider,
    tokens: &CoreTokenResponse,
    claims: &CoreIdTokenClaims,
    client: &Client,
) -> Result<(String, Option<bool>), Unconfirmed> {
    let subject = claims.subject().clone();
    let asked = portal.user_info(tokens.access_token().clone(), Some(subject));
    let asked = asked.map_err(|_| Unconfirmed::Email)?;
    let told: Result<CoreUserInfoClaims, _> = asked.request_async(client).await;
    // What went wrong could quote what the provider said of somebody.
    let told = told.map_err(|_| Unconfirmed::Email)?;
    let email = told.email().ok_or(Unconfirmed::Email)?;
    Ok((email.to_string(), told.email_verified()))
}

fn why_unusable(error: &DiscoveryError<HttpError>) -> String {
    match error {
        DiscoveryError::Request(error) => error.to_string(),
        DiscoveryError::Parse(error) => format!("its document or keys can't be read: {error}"),
        other => format!("{other:?}", other = other.to_string()),
    }
}

/// Never what the provider wrote beside its error: it may quote the code.
fn why_no_tokens(error: CoreRequestTokenError<HttpError>) -> String {
    match error {
        RequestTokenError::ServerResponse(answer) => match answer.error() {
            CoreErrorResponseType::Extension(_) => "an error that no standard knows".to_owned(),
            known => known.as_ref().to_owned(),
        },
        RequestTokenError::Request(error) => error.to_string(),
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            "its answer can't be read".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::RootCertStore;
    use tokio_rustls::rustls::crypto::ring;

    use super::*;

    fn settings(issuer: &str) -> Settings {
        Settings {
            issuer: issuer.to_owned(),
            client_id: "conclave".to_owned(),
            label: "Example".to_owned(),
            passwords: true,
            second_factor: false,
        }
    }

    /// Of somebody who believes no certificate.
    pub(super) fn tls() -> Arc<ClientConfig> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        Arc::new(config)
    }

    #[test]
    fn what_is_wrong_with_the_settings_is_named() {
        for good in [
            "https://login.example.org",
            "https://login.example.org/realms/one",
            "http://127.0.0.1:9",
            "http://localhost:9/x",
        ] {
            assert_eq!(settings(good).check(), Ok(()), "{good}");
        }
        for bad in [
            "",
            "login.example.org",
            "http://login.example.org",
            "https://login.example.org/?a=b",
            "https://login.example.org/#a",
            "https://me:secret@login.example.org",
            "http://127.0.0.1.example.org",
            "file:///etc/passwd",
        ] {
            let found = settings(bad).check();
            assert_eq!(found, Err(SettingsError::Issuer), "{bad}");
        }
        let nobody = Settings {
            client_id: " ".to_owned(),
            ..settings("https://login.example.org")
        };
        assert_eq!(nobody.check(), Err(SettingsError::ClientId));
        let nameless = Settings {
            label: String::new(),
            ..settings("https://login.example.org")
        };
        assert_eq!(nameless.check(), Err(SettingsError::Label));
    }

    #[test]
    fn no_secret_is_shown() {
        let settings = settings("https://login.example.org");
        let without = Provider::new(settings.clone(), "", tls());
        assert_eq!(without.unwrap_err(), SettingsError::ClientSecret);
        let provider = Provider::new(settings, "hush-hush", tls()).unwrap();
        assert!(!format!("{provider:?}").contains("hush-hush"));
    }
}
