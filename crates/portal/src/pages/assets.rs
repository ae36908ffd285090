//! What machines ask for, and what browsers fetch beside a page.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use conclave_store::Store;

use crate::portal::Portal;

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

pub(crate) async fn style() -> impl IntoResponse {
    let kind = (header::CONTENT_TYPE, "text/css; charset=utf-8");
    ([kind, FOR_AN_HOUR], include_str!("../../assets/style.css"))
}

pub(crate) async fn script() -> impl IntoResponse {
    let kind = (header::CONTENT_TYPE, "text/javascript; charset=utf-8");
    ([kind, FOR_AN_HOUR], include_str!("../../assets/portal.js"))
}
