//! Bytes as a PIN, and as a day of calls at the door, judged by the doorkeeper and by a naive one.
#![no_main]

#[path = "../../crates/accounts/tests/pin_bytes/mod.rs"]
mod pin_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pin_bytes::check(bytes));
