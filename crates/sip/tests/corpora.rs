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

/// The seeds with bytes changed, cut out, doubled and swapped between them: what a fuzzer would begin with.
#[test]
fn seeds_that_were_tampered_with() {
    for (name, check) in [
        ("sip_datagram", sip_bytes::datagram as fn(&[u8])),
        ("sdp", sip_bytes::sdp),
    ] {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fuzz/corpus")
            .join(name);
        let mut seeds: Vec<_> = std::fs::read_dir(dir)
            .expect("the corpus")
            .map(|entry| std::fs::read(entry.expect("an entry").path()).expect("a file"))
            .collect();
        seeds.sort();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below.max(1) as u64) as usize
        };
        for _ in 0..5_000 {
            let mut bytes = seeds[random(seeds.len())].clone();
            for _ in 0..1 + random(4) {
                let (at, end) = (random(bytes.len()), random(bytes.len()));
                match random(5) {
                    0 if at < bytes.len() => bytes[at] = random(256) as u8,
                    1 if at < end => drop(bytes.drain(at..end)),
                    2 if at < end => {
                        let piece = bytes[at..end].to_vec();
                        bytes.splice(at..at, piece);
                    }
                    3 => bytes.truncate(at),
                    _ => {
                        let other = &seeds[random(seeds.len())];
                        let from = random(other.len());
                        bytes.splice(
                            at..at,
                            other[from..(from + 40).min(other.len())].iter().copied(),
                        );
                    }
                }
            }
            check(&bytes);
        }
    }
}
