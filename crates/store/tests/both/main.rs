//! What holds on both databases, subject by subject.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod audit;
mod bookings;
mod counts;
mod outbox;
mod person;
mod porter;
mod recordings;
mod reports;
mod rotation;
mod sweep;
mod tampering;
mod tokens;
mod users;
mod webhooks;
