//! Bytes as audio.
#![no_main]

#[path = "../../crates/dtmf/tests/dtmf_bytes/mod.rs"]
mod dtmf_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dtmf_bytes::check_tones(bytes));
