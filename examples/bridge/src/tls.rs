//! TLS towards others: whose certificates are believed.

use std::sync::Arc;

use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
use tracing::warn;

/// Those that this machine believes. `SSL_CERT_FILE` and `SSL_CERT_DIR` name others, such as a company's own.
pub(crate) fn client() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        warn!("a certificate of this machine can't be read: {error}");
    }
    roots.add_parsable_certificates(found.certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has what they ask for")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
