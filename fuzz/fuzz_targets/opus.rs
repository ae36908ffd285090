//! Bytes as the payloads of one Opus stream, some of them lost.
#![no_main]

#[path = "../../crates/media/tests/opus_bytes/mod.rs"]
mod opus_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| opus_bytes::check(bytes));
