//! Bytes as SIP datagrams, at the door of a server that answers every call.
#![no_main]

#[path = "../../crates/sip/tests/sip_bytes/mod.rs"]
mod sip_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sip_bytes::datagram(bytes));
