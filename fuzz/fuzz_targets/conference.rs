//! Bytes as what callers, operators, storage and the media plane do to a whole bridge, with the rules of who
//! hears whom checked after each deed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| conclave_sim::check_bytes(bytes));
