use chrono::{DateTime, Utc};
use conclave_accounts::{Booking, BookingState, Invitee, Owner, Pin};

use crate::{
    AccessNumber, Occurrences,
    ics::{Ics, duration, local, mailto, parameter, utc},
    words,
};

/// An invitation to a booking: an iTIP request (RFC 5546, 3.2.2), and a mail's text.
///
/// It is there to tell the PIN: what [`ics`](Self::ics) and [`text`](Self::text) give is as secret
/// as that. `Debug` masks it.
#[derive(Clone, Copy, Debug)]
pub struct Invitation<'a> {
    /// To what.
    pub booking: &'a Booking,
    /// The moments of its plan.
    pub occurrences: &'a Occurrences,
    /// Who invites: the account's owner.
    pub organizer: &'a Owner,
    /// Whose the PIN is, if it isn't one for all.
    pub to: Option<&'a Invitee>,
    /// The PIN that opens the door.
    pub pin: &'a Pin,
    /// The bridge's numbers, the best one first. With none, the text says whom to ask.
    pub numbers: &'a [AccessNumber],
    /// The present time.
    pub now: DateTime<Utc>,
}

/// Takes an invitation back: an iTIP cancellation (RFC 5546, 3.2.5), and a mail's text.
///
/// Of the whole booking, if that was called off; else for [`to`](Self::to) alone.
#[derive(Clone, Copy, Debug)]
pub struct Cancellation<'a> {
    /// Of what.
    pub booking: &'a Booking,
    /// The moments that its plan had.
    pub occurrences: &'a Occurrences,
    /// Who had invited.
    pub organizer: &'a Owner,
    /// Who had been invited by name.
    pub to: Option<&'a Invitee>,
    /// The present time.
    pub now: DateTime<Utc>,
}

impl Invitation<'_> {
    /// The `.ics` file, `text/calendar; method=REQUEST; charset=utf-8`. A booking that takes place
    /// once is in UTC; a series is on the clock of its zone, which is described.
    pub fn ics(&self) -> String {
        let mut ics = begin("REQUEST", self.booking, self.occurrences, self.now);
        people(
            &mut ics,
            self.organizer,
            self.to,
            ";PARTSTAT=NEEDS-ACTION;RSVP=TRUE",
        );
        ics.text("DESCRIPTION", &self.text());
        if let Some(number) = self.numbers.first() {
            ics.text("LOCATION", &words::tap_to_dial(number, self.pin));
        }
        ics.line("STATUS", "CONFIRMED");
        end(ics)
    }

    /// The same in words: the text of a mail, and the description in the calendar.
    pub fn text(&self) -> String {
        words::invitation(self)
    }
}

impl Cancellation<'_> {
    /// The `.ics` file, `text/calendar; method=CANCEL; charset=utf-8`.
    pub fn ics(&self) -> String {
        let mut ics = begin("CANCEL", self.booking, self.occurrences, self.now);
        people(&mut ics, self.organizer, self.to, "");
        ics.text("DESCRIPTION", &self.text());
        // RFC 5546: not where some are uninvited and the others still meet.
        if self.booking.state == BookingState::Cancelled {
            ics.line("STATUS", "CANCELLED");
        }
        end(ics)
    }

    /// The same in words: the text of a mail.
    pub fn text(&self) -> String {
        words::cancellation(self)
    }
}

fn begin(method: &str, booking: &Booking, occurrences: &Occurrences, now: DateTime<Utc>) -> Ics {
    let mut ics = Ics::new();
    ics.line("BEGIN", "VCALENDAR");
    ics.line("VERSION", "2.0");
    ics.line("PRODID", "-//Conclave//Conclave//EN");
    ics.line("METHOD", method);
    if occurrences.rule().is_some() {
        ics.zone(occurrences.zone(), occurrences.start(), occurrences.until());
    }
    ics.line("BEGIN", "VEVENT");
    ics.text("UID", &booking.uid);
    ics.line("SEQUENCE", &booking.sequence.to_string());
    ics.line("DTSTAMP", &utc(now));
    when(&mut ics, booking, occurrences);
    ics.text("SUMMARY", booking.title.as_str());
    ics.line("CLASS", "PRIVATE");
    ics
}

fn when(ics: &mut Ics, booking: &Booking, occurrences: &Occurrences) {
    let Some(rule) = occurrences.rule() else {
        ics.line("DTSTART", &utc(occurrences.first().starts));
        ics.line("DTEND", &utc(occurrences.until()));
        return;
    };
    let here = |name: &str| format!("{name};TZID={}", occurrences.zone().name());
    let first = occurrences.first();
    ics.line(&here("DTSTART"), &local(booking.plan.starts));
    // An end on the clock would be in doubt where that time comes twice.
    ics.line("DURATION", &duration(first.ends - first.starts));
    ics.line("RRULE", rule);
    let except: Vec<String> = booking
        .plan
        .except
        .iter()
        .map(|start| local(*start))
        .collect();
    if !except.is_empty() {
        ics.line(&here("EXDATE"), &except.join(","));
    }
}

/// A request names at least one attendee: the organizer comes, too.
fn people(ics: &mut Ics, organizer: &Owner, to: Option<&Invitee>, state: &str) {
    let name = parameter(organizer.name());
    let address = mailto(organizer.email());
    ics.line(&format!("ORGANIZER;CN={name}"), &address);
    ics.line(
        &format!("ATTENDEE;CN={name};ROLE=CHAIR;PARTSTAT=ACCEPTED;RSVP=FALSE"),
        &address,
    );
    if let Some(to) = to {
        let name = parameter(&to.name);
        let who = format!("ATTENDEE;CN={name};ROLE=REQ-PARTICIPANT{state}");
        ics.line(&who, &mailto(&to.email));
    }
}

fn end(mut ics: Ics) -> String {
    ics.line("END", "VEVENT");
    ics.line("END", "VCALENDAR");
    ics.into_string()
}
