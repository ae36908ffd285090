use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, Utc};
use chrono_tz::{OffsetComponents, OffsetName, Tz, TzOffset};

use crate::zone::transitions;

/// Content lines of RFC 5545 (3.1), as they are written.
pub(crate) struct Ics(String);

impl Ics {
    pub(crate) fn new() -> Self {
        Self(String::new())
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }

    /// A line whose value needs no escaping. Folded: no line has more than 75 octets, and no
    /// character is torn.
    pub(crate) fn line(&mut self, name: &str, value: &str) {
        const LONGEST: usize = 75;
        let mut octets = 0;
        for c in name.chars().chain([':']).chain(value.chars()) {
            if octets + c.len_utf8() > LONGEST {
                self.0.push_str("\r\n ");
                octets = 1;
            }
            self.0.push(c);
            octets += c.len_utf8();
        }
        self.0.push_str("\r\n");
    }

    /// A line whose value is TEXT (3.3.11).
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        let mut escaped = String::with_capacity(value.len());
        for c in value.chars() {
            match c {
                '\\' | ';' | ',' => escaped.extend(['\\', c]),
                '\n' => escaped.push_str("\\n"),
                c if c.is_control() => {}
                c => escaped.push(c),
            }
        }
        self.line(name, &escaped);
    }

    /// The zone, with each change of its clock from a year before `first` to `last` as an observance
    /// of its own (3.6.5).
    pub(crate) fn zone(&mut self, zone: Tz, first: DateTime<Utc>, last: DateTime<Utc>) {
        let from = first - TimeDelta::days(366);
        let changes = transitions(zone, from, last);
        self.line("BEGIN", "VTIMEZONE");
        self.line("TZID", zone.name());
        let before = chrono::TimeZone::offset_from_utc_datetime(&zone, &from.naive_utc());
        self.observance(from, &before, &before);
        for change in changes {
            self.observance(change.at, &change.before, &change.after);
        }
        self.line("END", "VTIMEZONE");
    }

    fn observance(&mut self, at: DateTime<Utc>, before: &TzOffset, after: &TzOffset) {
        let kind = if after.dst_offset().is_zero() {
            "STANDARD"
        } else {
            "DAYLIGHT"
        };
        self.line("BEGIN", kind);
        self.line("DTSTART", &local(at.naive_utc() + before.fix()));
        self.line("TZOFFSETFROM", &offset(before));
        self.line("TZOFFSETTO", &offset(after));
        match after.abbreviation() {
            Some(name) => self.text("TZNAME", name),
            None => self.text("TZNAME", &after.to_string()),
        }
        self.line("END", kind);
    }
}

pub(crate) fn utc(moment: DateTime<Utc>) -> String {
    moment.format("%Y%m%dT%H%M%SZ").to_string()
}

pub(crate) fn local(time: NaiveDateTime) -> String {
    time.format("%Y%m%dT%H%M%S").to_string()
}

/// DURATION in hours and below: a day of it would be a nominal one (3.8.2.5).
pub(crate) fn duration(length: TimeDelta) -> String {
    let seconds = length.num_seconds();
    let parts = [
        (seconds / 3600, 'H'),
        (seconds / 60 % 60, 'M'),
        (seconds % 60, 'S'),
    ];
    let parts = parts.iter().filter(|part| part.0 > 0);
    parts.fold("PT".to_owned(), |text, (number, unit)| {
        format!("{text}{number}{unit}")
    })
}

/// A parameter's value, in quotes. They can't hold a quotation mark: an apostrophe stands for it. A
/// caret is written as RFC 6868 has it, which makes of `^n` no new line.
pub(crate) fn parameter(value: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in value.chars() {
        match c {
            '"' => quoted.push('\''),
            '^' => quoted.push_str("^^"),
            c if c.is_control() => {}
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// RFC 6068: what isn't allowed in an address of a URI is percent-encoded.
pub(crate) fn mailto(address: &str) -> String {
    let mut uri = "mailto:".to_owned();
    for byte in address.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$'*+@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

fn offset(offset: &TzOffset) -> String {
    let east = offset.fix().local_minus_utc();
    let (sign, size) = if east < 0 { ('-', -east) } else { ('+', east) };
    let (hours, minutes, seconds) = (size / 3600, size / 60 % 60, size % 60);
    if seconds == 0 {
        format!("{sign}{hours:02}{minutes:02}")
    } else {
        format!("{sign}{hours:02}{minutes:02}{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_folded_at_75_octets_and_no_character_is_torn() {
        for letter in ["a", "é", "€", "😀"] {
            let mut ics = Ics::new();
            let value = letter.repeat(100);
            ics.line("SUMMARY", &value);
            let text = ics.into_string();
            let lines: Vec<_> = text.strip_suffix("\r\n").unwrap().split("\r\n").collect();
            assert!(
                lines
                    .iter()
                    .all(|line| (72..=75).contains(&line.len()) || line == lines.last().unwrap())
            );
            assert_eq!(text.replace("\r\n ", ""), format!("SUMMARY:{value}\r\n"));
        }
    }

    #[test]
    fn text_is_escaped_and_control_characters_make_no_lines() {
        let check = |text: &str, expected: &str| {
            let mut ics = Ics::new();
            ics.text("X", text);
            assert_eq!(ics.into_string(), format!("X:{expected}\r\n"));
        };
        check("a,b;c\\d", "a\\,b\\;c\\\\d");
        check("one\r\ntwo\u{7}", "one\\ntwo");
        check("a\"b:c", "a\"b:c");
    }

    #[test]
    fn parameters_addresses_and_durations() {
        assert_eq!(parameter("A \"B\" ^n; C\r\n"), "\"A 'B' ^^n; C\"");
        assert_eq!(mailto("a+b%c/ü@x.org"), "mailto:a+b%25c%2F%C3%BC@x.org");
        let check = |seconds, expected: &str| {
            assert_eq!(duration(TimeDelta::seconds(seconds)), expected);
        };
        check(3600, "PT1H");
        check(7 * 86_400, "PT168H");
        check(3661, "PT1H1M1S");
        check(60, "PT1M");
    }
}
