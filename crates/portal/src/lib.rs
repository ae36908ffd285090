//! The web portal of a conference bridge, as a router that can be mounted in any server.
//!
//! It is *not* the bridge: it works at the desk, where accounts and bookings are made, and of conferences that go on it sees and does what
//! whoever runs them answers through the seam in [`live`]. Pages are rendered here, on the server; style sheet and script are in the binary,
//! and nothing is fetched from anywhere else.
//!
//! ```
//! # use std::sync::Arc;
//! # use chrono::DateTime;
//! use conclave_desk::{Desk, Rules};
//! use conclave_portal::{Portal, Site};
//! use conclave_store::{Auditor, FreshKeys, Keys, SqlStore};
//! # use rand::{SeedableRng, rngs::StdRng};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let scratch = tempfile::tempdir()?;
//! # let (dir, mut random) = (scratch.path(), StdRng::seed_from_u64(1));
//! # let clock = || DateTime::UNIX_EPOCH;
//! let keys = Keys::load_or_create(dir, FreshKeys::draw(&mut random))?;
//! # let more = StdRng::seed_from_u64(2);
//! let store = SqlStore::open(dir, Auditor::new(dir, &keys, Box::new(random))).await?;
//! # let again = StdRng::seed_from_u64(3);
//! let keys = Arc::new(keys);
//! let desk = Desk::new(store, Box::new(move || keys.clone()), Rules::default(), Box::new(again));
//! let portal = Portal::new(Arc::new(desk), Site::loopback(), Box::new(clock), Box::new(more))?;
//! let router: axum::Router = portal.router(); // for `conclave_portal::serve`, or another server
//! # drop(router);
//! # Ok(())
//! # }
//! ```
//!
//! The router stands at the root of a host of its own. It takes the peer's address from axum's
//! [`ConnectInfo`](axum::extract::ConnectInfo).

mod api;
mod cookie;
mod fields;
mod form;
mod guard;
pub mod live;
mod look;
pub mod oidc;
mod pages;
mod password;
mod portal;
mod problem;
mod routes;
mod server;
mod site;
mod stream;
mod throttle;
mod timeline;
mod totp;

pub use api::PREFIX as TOKEN_PREFIX;
pub use password::PasswordsError;
pub use portal::{Clock, LINK_LASTS, Portal};
pub use routes::{Access, ENTRANCES, Entrance, role_table};
pub use server::serve;
pub use site::{Site, SiteError};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
