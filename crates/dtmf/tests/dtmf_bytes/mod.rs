//! Bytes as event packets, as SIP INFO bodies, as key maps with presses, and as audio; each with what must
//! hold whatever they are. Shared by the fuzz targets `dtmf_rfc4733`, `dtmf_info`, `dtmf_commands`, `tones` and by
//! the replay of their corpora.

// Each fuzz target uses one of the four.
#![allow(dead_code)]
#![allow(clippy::unwrap_used, reason = "a check may fail")]

use std::time::Duration;

use conclave_dtmf::{
    Digit, DigitGate, EventReceiver, HASH_GUARD, KeyCommand, KeyMap, KeyPress, KeyReader,
    MAX_INFO_BODY, ToneDetector, Way, Who, parse_info,
};

/// Packets of eleven bytes: sequence (2), timestamp (4), marker and payload length (1), payload (4); 20 ms
/// apart. Half of the payload lengths that one byte can say are a whole event.
pub(crate) fn check_rfc4733(bytes: &[u8]) {
    let (mut events, mut gate) = (EventReceiver::new(), DigitGate::new());
    let mut at = Duration::ZERO;
    for packet in bytes.chunks_exact(11) {
        let sequence = u16::from_be_bytes([packet[0], packet[1]]);
        let timestamp = u32::from_be_bytes([packet[2], packet[3], packet[4], packet[5]]);
        let (marker, length) = (packet[6] & 0x80 != 0, usize::from(packet[6] & 7).min(4));
        let payload = &packet[7..7 + length];
        at += Duration::from_millis(20);
        if let Some(digit) = events.push(sequence, timestamp, marker, payload, at) {
            assert_eq!(payload[0], digit.event_code());
            assert!(events.muted(at), "a press that is heard by others");
            assert_eq!(gate.accept(Way::Event, digit, at), Some(digit));
            assert_eq!(
                gate.accept(Way::Tone, digit, at),
                None,
                "a tone beside events"
            );
        }
        let again = events.push(sequence, timestamp, marker, payload, at);
        assert_eq!(again, None, "a doubled packet is a digit");
    }
    assert!(!events.muted(at + Duration::from_secs(1)), "muted for ever");
}

/// Audio in pieces: a byte with a length in samples and how often it comes, then that many samples of two bytes; then silence.
pub(crate) fn check_tones(bytes: &[u8]) {
    let (mut tones, mut whole) = (ToneDetector::new(), ToneDetector::new());
    let (mut heard, mut samples) = (0, Vec::new());
    let mut rest = bytes;
    while let Some((head, more)) = rest.split_first() {
        let (piece, more) = more.split_at(more.len().min(usize::from(head & 0x3F) * 2));
        rest = more;
        let piece: Vec<i16> = piece
            .as_chunks()
            .0
            .iter()
            .map(|pair| i16::from_be_bytes(*pair))
            .collect();
        for _ in 0..1 << ((head >> 6) * 2) {
            tones.push(&piece, |digit| {
                assert!(digit.event_code() < 16);
                heard += 1;
            });
            samples.extend_from_slice(&piece);
        }
    }
    assert!(heard <= samples.len() / 240, "digits of less than 30 ms");
    let mut at_once = 0;
    whole.push(&samples, |_| at_once += 1);
    assert_eq!(heard, at_once, "the lengths of the pieces matter");
    assert_eq!(tones.suspects(), whole.suspects());
    tones.push(&[0; 800], |_| panic!("a digit of silence"));
    assert!(!tones.suspects(), "silence is kept from others");
}

/// The content type up to the first zero byte, the body after it.
pub(crate) fn check_info(bytes: &[u8]) {
    let (content_type, body) = match bytes.iter().position(|&byte| byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (&b"application/dtmf-relay"[..], bytes),
    };
    let content_type = String::from_utf8_lossy(content_type);
    let Ok(info) = parse_info(&content_type, body) else {
        return;
    };
    assert!(body.len() <= MAX_INFO_BODY);
    assert!(
        content_type
            .trim()
            .to_ascii_lowercase()
            .starts_with("application/dtmf")
    );
    let key = info.digit.as_char();
    let code = info.digit.event_code().to_string();
    let said = |byte: &u8| byte.to_ascii_uppercase() == key as u8;
    let coded = body.windows(2).any(|pair| pair == code.as_bytes());
    assert!(body.iter().any(said) || coded, "{key} came from nowhere");
    // The same said plainly is the same digit.
    let plain = format!("Signal={key}\r\nDuration=160\r\n");
    assert_eq!(
        parse_info("application/dtmf-relay", plain.as_bytes())
            .unwrap()
            .digit,
        info.digit
    );
}

/// A map, then presses. The map: a byte with the number of entries (modulo 16; 0 takes the default), each entry a byte
/// with who, how many keys and which command, and a byte for each key. A press: a byte with the key and two
/// flags, a byte with the time after it in units of 25 ms.
pub(crate) fn check_commands(bytes: &[u8]) {
    let mut bytes = bytes.iter().copied();
    let Some(map) = take_map(&mut bytes) else {
        return;
    };
    check_lost_digits(&map);
    let (mut reader, mut now) = (KeyReader::new(), Duration::ZERO);
    let mut pressed: Vec<Digit> = Vec::new();
    while let (Some(what), Some(wait)) = (bytes.next(), bytes.next()) {
        let digit = Digit::try_from(what & 0xF).unwrap();
        let star_alone = what & 0x10 != 0;
        if what & 0x20 != 0 {
            reader.ignore_hash_until(now + HASH_GUARD);
        }
        pressed.push(digit);
        match reader.press(&map, digit, now, star_alone) {
            Some(KeyPress::Command(command)) => {
                let of_it = |keys: &[Digit]| pressed.ends_with(keys);
                let bindings = map.bindings().filter(|binding| binding.command == command);
                let found = bindings
                    .map(|binding| binding.keys)
                    .any(|keys| of_it(keys.as_slice()));
                // An ignored `#` may lie between the keys of a command.
                assert!(
                    found || pressed.contains(&Digit::HASH),
                    "{command:?} was not pressed"
                );
                assert_eq!(reader.deadline(), None, "keys are left over");
            }
            Some(KeyPress::Star) => assert!(star_alone && digit == Digit::STAR),
            Some(KeyPress::StarAlone) => panic!("a star alone takes time"),
            None => assert!(reader.deadline().is_none_or(|deadline| deadline > now)),
        }
        now += Duration::from_millis(25) * u32::from(wait);
        match reader.handle_timeout(now) {
            None | Some(KeyPress::StarAlone) => {}
            Some(press) => panic!("{press:?} by waiting"),
        }
    }
}

fn take_map(bytes: &mut impl Iterator<Item = u8>) -> Option<KeyMap> {
    let entries = bytes.next()? % 16;
    if entries == 0 {
        return Some(KeyMap::default());
    }
    let mut written = Vec::new();
    for _ in 0..entries {
        let head = bytes.next()?;
        let who = if head & 0x80 == 0 {
            Who::Everyone
        } else {
            Who::Host
        };
        let command = KeyCommand::ALL[usize::from(head >> 3 & 0xF) % KeyCommand::ALL.len()];
        let keys: String = bytes
            .take(usize::from(head & 7))
            .map(|key| Digit::try_from(key & 0x1F).map_or('?', Digit::as_char))
            .collect();
        written.push((keys, who, command.name()));
    }
    KeyMap::parse(
        written
            .iter()
            .map(|(keys, who, name)| (keys.as_str(), *who, *name)),
    )
    .ok()
}

/// No single lost digit of a command pressed alone makes another command.
fn check_lost_digits(map: &KeyMap) {
    for binding in map.bindings() {
        let keys = binding.keys.as_slice();
        assert_eq!(
            press_alone(map, keys.iter()),
            [binding.command],
            "{binding}"
        );
        for lost in 0..keys.len() {
            let rest = keys[..lost].iter().chain(&keys[lost + 1..]);
            assert_eq!(press_alone(map, rest), [], "{binding} without key {lost}");
        }
    }
}

fn press_alone<'a>(map: &KeyMap, keys: impl Iterator<Item = &'a Digit>) -> Vec<KeyCommand> {
    let mut reader = KeyReader::new();
    keys.filter_map(|&key| match reader.press(map, key, Duration::ZERO, false) {
        Some(KeyPress::Command(command)) => Some(command),
        _ => None,
    })
    .collect()
}
