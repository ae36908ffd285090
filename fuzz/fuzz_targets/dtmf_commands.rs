//! Bytes as a key map and presses.
#![no_main]

#[path = "../../crates/dtmf/tests/dtmf_bytes/mod.rs"]
mod dtmf_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dtmf_bytes::check_commands(bytes));
