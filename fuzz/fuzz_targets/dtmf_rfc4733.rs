//! Bytes as telephone-event packets.
#![no_main]

#[path = "../../crates/dtmf/tests/dtmf_bytes/mod.rs"]
mod dtmf_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dtmf_bytes::check_rfc4733(bytes));
