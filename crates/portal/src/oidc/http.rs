//! What is asked of the provider, by HTTP: with bounds of time and size, and no step aside.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request, Response, Uri, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// From the look-up of the name to the last byte of the answer.
const WITHIN: Duration = Duration::from_secs(10);
/// The body of an answer, and likewise its head. Documents and keys of large providers are a tenth of that.
const MOST: usize = 256 << 10;

/// Asks servers by HTTPS; by HTTP only where the provider itself is on this machine. Redirections aren't followed: they
/// could lead anywhere.
pub(super) struct Client {
    tls: TlsConnector,
    plain_at_home: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("{0} is asked by HTTPS alone")]
    NotSecure(String),
    #[error("cannot look up {0}: {1}")]
    LookUp(String, std::io::Error),
    #[error("cannot connect to {0}: {1}")]
    Connect(String, std::io::Error),
    #[error("{0} speaks no HTTP that can be understood: {1}")]
    Http(String, hyper::Error),
    #[error("the answer of {0} breaks off, or is longer than {most} bytes", most = MOST)]
    Body(String),
    #[error("no whole answer of {0} within {seconds} s", seconds = WITHIN.as_secs())]
    TooSlow(String),
}

impl Client {
    /// `plain_at_home` allows HTTP to this machine.
    pub(super) fn new(tls: Arc<ClientConfig>, plain_at_home: bool) -> Self {
        Self {
            tls: TlsConnector::from(tls),
            plain_at_home,
        }
    }

    /// Whether something there may be asked, or a browser sent there.
    pub(super) fn may_go_to(&self, url: &str) -> bool {
        url.parse().is_ok_and(|url| self.may_ask(&url))
    }

    fn may_ask(&self, url: &Uri) -> bool {
        let named = url
            .authority()
            .is_some_and(|authority| !authority.as_str().contains('@'));
        named
            && match url.scheme_str() {
                Some("https") => true,
                Some("http") => self.plain_at_home && is_at_home(url),
                _ => false,
            }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = bare_host(request.uri()).to_owned();
        let answer = timeout(WITHIN, self.ask(&host, request)).await;
        answer.unwrap_or(Err(HttpError::TooSlow(host)))
    }

    async fn ask(&self, host: &str, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let url = std::mem::take(request.uri_mut());
        let named = || host.to_owned();
        let (true, Some(authority)) = (self.may_ask(&url), url.authority()) else {
            return Err(HttpError::NotSecure(named()));
        };
        if let Some(path) = url.path_and_query() {
            *request.uri_mut() = path.clone().into();
        }
        let name = HeaderValue::try_from(authority.as_str());
        let name = name.map_err(|_| HttpError::NotSecure(named()))?;
        request.headers_mut().insert(header::HOST, name);
        let secure = url.scheme_str() == Some("https");
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let found = lookup_host((host, port)).await;
        let found = found.map_err(|error| HttpError::LookUp(named(), error))?;
        // What is not encrypted stays on this machine, whatever the name leads to.
        let addresses: Vec<_> = found
            .filter(|address| secure || address.ip().is_loopback())
            .collect();
        let connected = |error| HttpError::Connect(named(), error);
        let stream = TcpStream::connect(&addresses[..]).await;
        let stream = stream.map_err(connected)?;
        if !secure {
            return exchange(host, stream, request).await;
        }
        let name = ServerName::try_from(named());
        let name = name.map_err(|_| HttpError::NotSecure(named()))?;
        let stream = self.tls.connect(name, stream).await;
        exchange(host, stream.map_err(connected)?, request).await
    }
}

impl<'c> AsyncHttpClient<'c> for Client {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

async fn exchange<S>(host: &str, stream: S, request: HttpRequest) -> Result<HttpResponse, HttpError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let failed = |error| HttpError::Http(host.to_owned(), error);
    let handshake = http1::Builder::new()
        .max_buf_size(MOST)
        .handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(failed)?;
    let answer = async {
        let request: Request<Body> = request.map(Body::from);
        let answer = sender.send_request(request).await.map_err(failed)?;
        let (parts, body) = answer.into_parts();
        let body = to_bytes(Body::new(body), MOST).await;
        let body = body.map_err(|_| HttpError::Body(host.to_owned()))?;
        Ok(Response::from_parts(parts, body.to_vec()))
    };
    // A connection that has closed has given its answer, or never will: either way the other half says so.
    let carried = async {
        drop(connection.await);
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = answer => answer,
        never = carried => match never {},
    }
}

/// The host, without the brackets of an IPv6 address.
fn bare_host(url: &Uri) -> &str {
    let host = url.host().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether an address names this machine.
pub(super) fn is_at_home(url: &Uri) -> bool {
    let host = bare_host(url);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::tests::tls;

    fn client(plain_at_home: bool) -> Client {
        Client::new(tls(), plain_at_home)
    }

    #[test]
    fn nothing_is_asked_in_the_clear_but_on_this_machine() {
        let check = |url: &str, anywhere: bool, at_home: bool| {
            assert_eq!(client(false).may_go_to(url), anywhere, "{url}");
            assert_eq!(client(true).may_go_to(url), at_home, "{url}");
        };
        check("https://login.example.org/keys", true, true);
        check("https://[2001:db8::1]:8443/", true, true);
        check("http://login.example.org/keys", false, false);
        check("http://127.0.0.1:9/keys", false, true);
        check("http://[::1]:9/keys", false, true);
        check("http://localhost:9/keys", false, true);
        check("http://127.0.0.1.example.org/", false, false);
        check("http://localhost@example.org/", false, false);
        check("https://me:secret@login.example.org/", false, false);
        check("ftp://login.example.org/", false, false);
        check("/keys", false, false);
        check("", false, false);
    }
}
