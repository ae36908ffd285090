//! The corpora of the fuzz targets `dtmf_rfc4733`, `dtmf_info`, `dtmf_commands` and `tones`, and bytes that nobody chose.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod dtmf_bytes;

use std::path::Path;

use dtmf_bytes::{check_commands, check_info, check_rfc4733, check_tones};
use proptest::prelude::*;

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut replayed = 0;
    for entry in std::fs::read_dir(corpus).expect("the corpus is in the repository") {
        check(&std::fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 5, "{target}: {replayed} seeds");
}

#[test]
fn the_corpora_replay() {
    replay("dtmf_rfc4733", check_rfc4733);
    replay("dtmf_info", check_info);
    replay("dtmf_commands", check_commands);
    replay("tones", check_tones);
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check_rfc4733(&bytes);
        check_info(&bytes);
        check_commands(&bytes);
        check_tones(&bytes);
    }

    /// Packets near each other, as a hostile sender would make them.
    #[test]
    fn crowded_packets(
        packets in proptest::collection::vec((0u8..6, 0u8..4, any::<bool>(), 0u8..3, any::<bool>(), 0u8..4), 0..60),
    ) {
        let bytes: Vec<u8> = packets
            .into_iter()
            .flat_map(|(sequence, timestamp, marker, code, end, duration)| {
                let flags = if marker { 0x84 } else { 4 };
                [0, sequence, 0, 0, timestamp, 0, flags, code, u8::from(end) << 7, duration, 0]
            })
            .collect();
        check_rfc4733(&bytes);
    }
}
