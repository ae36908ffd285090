//! A bridge under bytes that nobody chose, and the corpus of the fuzz target `conference`.

use std::path::Path;

use conclave_sim::check_bytes;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_rule_holds(faults: u8, deeds in vec(any::<[u8; 3]>(), 0..150)) {
        let mut bytes = vec![faults];
        bytes.extend(deeds.concat());
        check_bytes(&bytes);
    }

    /// The same with few callers, most of whom get in.
    #[test]
    fn every_rule_holds_where_callers_meet(deeds in vec((0u8..16, 0u8..4, any::<u8>()), 0..150)) {
        let mut bytes = vec![0];
        bytes.extend(deeds.into_iter().flat_map(|(what, who, how)| [what, who, how]));
        check_bytes(&bytes);
    }
}

#[test]
fn the_fuzz_corpus_replays() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/conference");
    let mut replayed = 0;
    for entry in std::fs::read_dir(corpus).expect("the corpus is in the repository") {
        check_bytes(&std::fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 8, "{replayed} seeds");
}
