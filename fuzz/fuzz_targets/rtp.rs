//! Bytes as what the network does to a leg: RTP, RTCP, latch and jitter buffer.
#![no_main]

#[path = "../../crates/media/tests/rtp_bytes/mod.rs"]
mod rtp_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rtp_bytes::check(bytes));
