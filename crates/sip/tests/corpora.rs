//! Replays the fuzz corpora.

mod sip_bytes;

fn replay(name: &str, check: fn(&[u8])) {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(name);
    let mut count = 0;
    for entry in std::fs::read_dir(&dir).expect("the corpus is part of the repository") {
        let path = entry.expect("a readable directory").path();
        check(&std::fs::read(&path).expect("a readable file"));
        count += 1;
    }
    assert!(count > 0, "{} is empty", dir.display());
}

#[test]
fn datagrams() {
    replay("sip_datagram", sip_bytes::datagram);
}

#[test]
fn session_descriptions() {
    replay("sdp", sip_bytes::sdp);
}
