use chrono::{DateTime, Offset, Utc};
use chrono_tz::Tz;
use conclave_accounts::{BookingState, Pin};

use crate::{AccessNumber, Cancellation, Invitation, Occurrences};

pub(crate) fn invitation(invitation: &Invitation<'_>) -> String {
    let mut text = format!(
        "{}\n\n{}\n",
        invitation.booking.title,
        when(invitation.occurrences)
    );
    let early = invitation.booking.plan.early.as_secs();
    match (early / 60, early) {
        (_, 0) => {}
        (0, _) => text += &format!("You can dial in {early} seconds before.\n"),
        (minutes, _) => text += &format!("You can dial in {minutes} minutes before.\n"),
    }
    let organizer = invitation.organizer;
    if invitation.numbers.is_empty() {
        text += &format!("\nAsk {} for the number to call.\n", organizer.name());
    } else {
        text += "\nCall one of these numbers:\n";
    }
    for number in invitation.numbers {
        let place = number.place();
        let separator = if place.is_empty() { "" } else { ": " };
        text += &format!("\n{place}{separator}{}\n", number.number());
        text += &format!("Tap to dial: {}\n", tap_to_dial(number, invitation.pin));
    }
    text += &format!("\nPIN: {} (then #)\n", grouped(invitation.pin));
    if let Some(to) = invitation.to {
        text += &format!(
            "This PIN is {}'s alone: it works for one call at a time.\n",
            to.name
        );
    }
    text + &format!(
        "\nYou are invited by {} <{}>.\n",
        organizer.name(),
        organizer.email()
    )
}

pub(crate) fn cancellation(cancellation: &Cancellation<'_>) -> String {
    let what = match cancellation.booking.state {
        BookingState::Cancelled => "This conference was called off. Its PINs no longer work.",
        BookingState::Booked => "Your invitation was taken back. Its PIN no longer works.",
    };
    format!(
        "{}\n\n{}\n\n{what}\n",
        cancellation.booking.title,
        when(cancellation.occurrences)
    )
}

/// RFC 3966, with the commas that telephones take for pauses: each waits two seconds.
pub(crate) fn tap_to_dial(number: &AccessNumber, pin: &Pin) -> String {
    format!("tel:{},,{}#", number.number(), pin.expose())
}

/// By threes; a digit that would stand alone goes with the last three.
fn grouped(pin: &Pin) -> String {
    let digits = pin.expose();
    let alone = digits.len() % 3 == 1;
    let (threes, four) = digits.split_at(digits.len() - if alone { 4 } else { 0 });
    let threes = threes.as_bytes().chunks(3).map(String::from_utf8_lossy);
    let four = Some(four.into()).filter(|_| alone);
    threes.chain(four).collect::<Vec<_>>().join(" ")
}

fn when(occurrences: &Occurrences) -> String {
    let (zone, first, last) = (occurrences.zone(), occurrences.first(), occurrences.last());
    let (starts, ends) = (clock(first.starts, zone), clock(first.ends, zone));
    let day = |moment: DateTime<Utc>| moment.with_timezone(&zone).date_naive();
    let ends = if day(first.starts) == day(first.ends) {
        ends.time
    } else {
        ends.to_string()
    };
    let place = if zone == Tz::UTC {
        "UTC".to_owned()
    } else if occurrences.rule().is_none() {
        let offset = first.starts.with_timezone(&zone).offset().fix();
        format!("{}, UTC{offset}", zone.name())
    } else {
        zone.name().to_owned()
    };
    let once = format!("{starts} to {ends} ({place})");
    match occurrences.windows().len() {
        1 => once,
        count => format!(
            "{once}\n{count} times, the last on {}, at {}",
            clock(last.starts, zone).day,
            clock(last.starts, zone).time
        ),
    }
}

struct Clock {
    day: String,
    time: String,
}

fn clock(moment: DateTime<Utc>, zone: Tz) -> Clock {
    let local = moment.with_timezone(&zone);
    let seconds = if moment.timestamp() % 60 == 0 {
        ""
    } else {
        ":%S"
    };
    Clock {
        day: local.format("%A, %-d %B %Y").to_string(),
        time: local.format(&format!("%H:%M{seconds}")).to_string(),
    }
}

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", self.day, self.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_grouped_for_reading() {
        let check = |pin: &str, expected: &str| {
            assert_eq!(grouped(&Pin::parse(pin).unwrap()), expected);
        };
        check("5724", "5724");
        check("12345", "123 45");
        check("123456", "123 456");
        check("1234567", "123 4567");
        check("7305918246", "730 591 8246");
        check("123456789012", "123 456 789 012");
        check("1234567890123456", "123 456 789 012 3456");
    }
}
