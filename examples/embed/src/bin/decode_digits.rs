//! Prints the digits and the commands in a list of telephone-event packets: `decode_digits FILE`. A line
//! is a packet: arrival in seconds, sequence, timestamp, marker (0 or 1), payload in hex; `#` begins a comment.

use std::time::Duration;

use conclave_dtmf::{DigitGate, EventReceiver, KeyMap, KeyPress, KeyReader, Way};

/// Arrival, sequence, timestamp, marker, payload.
type Packet = (Duration, u16, u32, bool, [u8; 4]);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: decode_digits FILE")?;
    let (mut events, mut gate) = (EventReceiver::new(), DigitGate::new());
    let (map, mut keys) = (KeyMap::default(), KeyReader::new());
    for (index, line) in std::fs::read_to_string(file)?.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (at, sequence, timestamp, marker, payload) =
            parse(line).ok_or(format!("line {} is no packet", index + 1))?;
        report(at, keys.handle_timeout(at));
        let digit = events.push(sequence, timestamp, marker, &payload, at);
        if let Some(digit) = digit.and_then(|digit| gate.accept(Way::Event, digit, at)) {
            println!("{:.3} digit {}", at.as_secs_f64(), digit.as_char());
            report(at, keys.press(&map, digit, at, false));
        }
    }
    Ok(())
}

fn report(at: Duration, press: Option<KeyPress>) {
    match press {
        Some(KeyPress::Command(command)) => println!("{:.3} {command}", at.as_secs_f64()),
        Some(KeyPress::Star | KeyPress::StarAlone) => println!("{:.3} star", at.as_secs_f64()),
        None => {}
    }
}

fn parse(line: &str) -> Option<Packet> {
    let mut words = line.split_whitespace();
    let at = Duration::try_from_secs_f64(words.next()?.parse().ok()?).ok()?;
    let (sequence, timestamp) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let marker = words.next()? == "1";
    let payload = u32::from_str_radix(words.next()?, 16).ok()?.to_be_bytes();
    Some((at, sequence, timestamp, marker, payload))
}
