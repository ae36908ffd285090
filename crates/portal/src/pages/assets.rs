//! What machines ask for, and what browsers fetch beside a page.

use std::net::SocketAddr;

use axum::Extension;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use conclave_store::Store;

use crate::portal::Portal;
use crate::site::Site;

/// A browser asks again after an hour: an upgrade shows then at the latest.
const FOR_AN_HOUR: (header::HeaderName, &str) = (header::CACHE_CONTROL, "max-age=3600");

pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

pub(crate) async fn readyz(State(portal): State<Portal>) -> (StatusCode, &'static str) {
    match portal.store().has_accounts().await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready: the database does not answer");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer\n",
            )
        }
    }
}

/// The server's figures, for whoever asks from this machine.
pub(crate) async fn metrics(
    State(portal): State<Portal>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, StatusCode> {
    let peer = peer.map(|Extension(ConnectInfo(peer))| peer.ip());
    let live = portal
        .live()
        .filter(|_| Site::is_at_home(peer, &headers))
        .ok_or(StatusCode::NOT_FOUND)?;
    let text = live.metrics().await.map_err(|error| {
        tracing::warn!(%error, "there are no metrics");
        StatusCode::SERVICE_UNAVAILABLE
    })?;
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text))
}

pub(crate) async fn live_style() -> impl IntoResponse {
    let kind = (header::CONTENT_TYPE, "text/css; charset=utf-8");
    ([kind, FOR_AN_HOUR], include_str!("../../assets/live.css"))
}

pub(crate) async fn live_script() -> impl IntoResponse {
    let kind = (header::CONTENT_TYPE, "text/javascript; charset=utf-8");
    ([kind, FOR_AN_HOUR], include_str!("../../assets/live.js"))
}

pub(crate) async fn style() -> impl IntoResponse {
    let kind = (header::CONTENT_TYPE, "text/css; charset=utf-8");
    ([kind, FOR_AN_HOUR], include_str!("../../assets/style.css"))
}

pub(crate) async fn script() -> impl IntoResponse {
    let kind = (header::CONTENT_TYPE, "text/javascript; charset=utf-8");
    ([kind, FOR_AN_HOUR], include_str!("../../assets/portal.js"))
}
