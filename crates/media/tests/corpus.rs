//! The corpus of the fuzz target `rtp`, and bytes that nobody chose.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod rtp_bytes;

use std::path::Path;

use proptest::prelude::*;
use rtp_bytes::check;

#[test]
fn the_corpus_replays() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/rtp");
    let mut replayed = 0;
    for entry in std::fs::read_dir(corpus).expect("the corpus is in the repository") {
        check(&std::fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 5, "{replayed} seeds");
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        check(&bytes);
    }
}
