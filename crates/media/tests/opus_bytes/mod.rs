//! Bytes as the payloads of one Opus stream: decoded, or lost and made up for, with what must hold whatever they are.
//! Shared by the fuzz target `opus` and by the replay of its corpus.

#![allow(clippy::unwrap_used, reason = "a check may fail")]

use conclave_media::{Codec, Decoder};

/// 60 ms.
const LONGEST: usize = 3 * Codec::Opus.frame_samples();

/// Payloads, each behind a byte that says what becomes of it (modulo 4: lost and made up for, lost and told of by the next,
/// else heard) and another one for its length.
pub(crate) fn check(mut bytes: &[u8]) {
    let mut decoder = Codec::Opus.decoder();
    while let [deed, length, rest @ ..] = bytes {
        let (payload, rest) = rest.split_at(rest.len().min((*length).into()));
        bytes = rest;
        let samples = Codec::Opus.samples_in(payload);
        assert!(samples.is_none_or(|n| n > 0 && n <= LONGEST && n.is_multiple_of(120)));
        match deed % 4 {
            0 => fill(|out| decoder.conceal(out), usize::from(*length) * 60),
            1 => fill(|out| decoder.recover(payload, out), samples.unwrap_or(960)),
            _ => hear(&mut *decoder, payload, samples),
        }
    }
}

fn hear(decoder: &mut dyn Decoder, payload: &[u8], samples: Option<usize>) {
    let mut out = [12_345; LONGEST + 1];
    assert_eq!(
        decoder.decode(payload, &mut out[..LONGEST]),
        samples.unwrap_or(0)
    );
    assert_eq!(out[LONGEST], 12_345);
    // What doesn't fit is refused whole.
    if let Some(samples) = samples {
        assert_eq!(decoder.decode(payload, &mut out[..samples - 1]), 0);
    }
}

/// All of `out`, or nothing.
fn fill(way: impl FnOnce(&mut [i16]) -> bool, samples: usize) {
    let mut out = vec![12_345; samples];
    if !way(&mut out) {
        assert!(out.iter().all(|sample| *sample == 12_345));
    }
}
