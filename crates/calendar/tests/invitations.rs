//! What an invitation says, to people and to parsers that we didn't write.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use calcard::icalendar::{ICalendar, ICalendarComponentType, ICalendarProperty};
use chrono::{DateTime, Utc};
use common::plan;
use conclave_accounts::{
    AccountId, Booking, BookingId, BookingState, Invitee, InviteeId, Owner, Pin, Plan, Title,
};
use conclave_calendar::{
    AccessNumber, Cancellation, Horizon, Invitation, Occurrences, occurrences,
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::Value;

struct Party {
    booking: Booking,
    occurrences: Occurrences,
    organizer: Owner,
    to: Option<Invitee>,
}

impl Party {
    fn new(title: &str, plan: Plan) -> Self {
        Self {
            occurrences: occurrences(&plan, &Horizon::default()).unwrap(),
            booking: Booking {
                id: BookingId(7),
                account: AccountId(1),
                title: Title::new(title).unwrap(),
                plan,
                state: BookingState::Booked,
                uid: "5b2f-9c@conclave.example.org".to_owned(),
                sequence: 3,
                invitees: vec![],
            },
            organizer: Owner::new("Ada Byron", "ada@example.org").unwrap(),
            to: None,
        }
    }

    fn invite<T>(&self, read: impl Fn(&Invitation<'_>) -> T) -> T {
        let number =
            |number, label, country| AccessNumber::new(number, label, country, "English").unwrap();
        read(&Invitation {
            booking: &self.booking,
            occurrences: &self.occurrences,
            organizer: &self.organizer,
            to: self.to.as_ref(),
            pin: &Pin::parse("7305918246").unwrap(),
            numbers: &[
                number("+442079460000", "London", "United Kingdom"),
                number("+12125550100", "New York", "United States"),
            ],
            now: now(),
        })
    }

    fn ics(&self) -> String {
        self.invite(|invitation| invitation.ics())
    }

    fn text(&self) -> String {
        self.invite(|invitation| invitation.text())
    }

    fn cancel(&self) -> Cancellation<'_> {
        Cancellation {
            booking: &self.booking,
            occurrences: &self.occurrences,
            organizer: &self.organizer,
            to: self.to.as_ref(),
            now: now(),
        }
    }

    fn moments(&self) -> Vec<[i64; 2]> {
        let windows = self.occurrences.windows().iter();
        windows
            .map(|window| [window.starts.timestamp(), window.ends.timestamp()])
            .collect()
    }
}

fn now() -> DateTime<Utc> {
    "2026-11-27T12:00:00Z".parse().unwrap()
}

fn bob() -> Option<Invitee> {
    Some(Invitee {
        id: InviteeId(1),
        name: "Bob \"B\" O'Neil; Jr., ext: 5".to_owned(),
        email: "bob%x@example.org".to_owned(),
        withdrawn: false,
    })
}

#[test]
fn the_text_of_one_booking() {
    let mut party = Party::new(
        "Budget, 2027",
        plan("2026-12-01T09:00:00", "Europe/Berlin", None),
    );
    assert_eq!(
        party.text(),
        "Budget, 2027

Tuesday, 1 December 2026, 09:00 to 10:00 (Europe/Berlin, UTC+01:00)

Call one of these numbers:

London (United Kingdom, English): +442079460000
Tap to dial: tel:+442079460000,,7305918246#

New York (United States, English): +12125550100
Tap to dial: tel:+12125550100,,7305918246#

PIN: 730 591 8246 (then #)

You are invited by Ada Byron <ada@example.org>.
"
    );
    party.booking.state = BookingState::Cancelled;
    assert_eq!(
        party.cancel().text(),
        "Budget, 2027

Tuesday, 1 December 2026, 09:00 to 10:00 (Europe/Berlin, UTC+01:00)

This conference was called off. Its PINs no longer work.
"
    );
}

#[test]
fn the_text_of_a_series() {
    let mut series = plan(
        "2026-12-01T23:30:00",
        "Europe/Berlin",
        Some("FREQ=WEEKLY;COUNT=20"),
    );
    series.early = Duration::from_secs(600);
    let mut party = Party::new("Night watch", series);
    party.to = bob();
    let text = party.text();
    let check = |expected: &str| assert!(text.contains(expected), "{text}");
    check("Tuesday, 1 December 2026, 23:30 to Wednesday, 2 December 2026, 00:30 (Europe/Berlin)\n");
    check("20 times, the last on Tuesday, 13 April 2027, at 23:30\n");
    check("You can dial in 10 minutes before.\n");
    check("This PIN is Bob \"B\" O'Neil; Jr., ext: 5's alone");
}

#[test]
fn one_booking_is_in_utc() {
    let party = Party::new("Budget", plan("2026-12-01T09:00:00", "Europe/Berlin", None));
    let ics = party.ics();
    let head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Conclave//Conclave//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n\
        UID:5b2f-9c@conclave.example.org\r\nSEQUENCE:3\r\nDTSTAMP:20261127T120000Z\r\nDTSTART:20261201T080000Z\r\n\
        DTEND:20261201T090000Z\r\nSUMMARY:Budget\r\nCLASS:PRIVATE\r\nORGANIZER;CN=\"Ada Byron\":mailto:ada@example.org\r\n";
    assert!(ics.starts_with(head), "{ics}");
    let tail = "LOCATION:tel:+442079460000\\,\\,7305918246#\r\nSTATUS:CONFIRMED\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    assert!(ics.ends_with(tail), "{ics}");
}

#[test]
fn a_series_brings_its_zone() {
    let party = Party::new(
        "Budget",
        plan(
            "2026-12-01T09:00:00",
            "Europe/Berlin",
            Some("FREQ=WEEKLY;COUNT=20"),
        ),
    );
    let ics = party.ics();
    for expected in [
        "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:STANDARD\r\n",
        "BEGIN:DAYLIGHT\r\nDTSTART:20270328T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nTZNAME:CEST\r\nEND:DAYLIGHT\r\n",
        "DTSTART;TZID=Europe/Berlin:20261201T090000\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=20\r\n",
    ] {
        assert!(ics.contains(expected), "{ics}");
    }
    let endless = Party::new(
        "Budget",
        plan("2026-12-01T09:00:00", "Europe/Berlin", Some("FREQ=WEEKLY")),
    );
    assert!(
        endless
            .ics()
            .contains("RRULE:FREQ=WEEKLY;UNTIL=20281128T080000Z\r\n")
    );
}

#[test]
fn a_pin_is_in_the_invitation_alone() {
    let mut party = Party::new("Budget", plan("2026-12-01T09:00:00", "Europe/Berlin", None));
    party.to = bob();
    let debug = party.invite(|invitation| format!("{invitation:?}"));
    assert!(debug.contains("Pin(**********)"));
    assert!(party.ics().replace("\r\n ", "").contains("7305918246"));
    for text in [debug, party.cancel().ics(), party.cancel().text()] {
        assert!(!text.contains("7305918246") && !text.contains("730 591 8246"));
    }
}

#[test]
fn who_alone_is_uninvited_does_not_cancel_the_others() {
    let mut party = Party::new("Budget", plan("2026-12-01T09:00:00", "Europe/Berlin", None));
    party.to = bob();
    let check = |party: &Party, cancelled: bool| {
        let ics = party.cancel().ics();
        assert!(ics.contains("METHOD:CANCEL\r\n"), "{ics}");
        assert_eq!(ics.contains("STATUS:CANCELLED\r\n"), cancelled, "{ics}");
    };
    check(&party, false);
    party.booking.state = BookingState::Cancelled;
    check(&party, true);
}

/// Bookings over the edges of daylight saving time, with titles that a careless writer would break on.
fn parties() -> Vec<Party> {
    let mut runner = TestRunner::deterministic();
    let mut title = || {
        let titles = prop_oneof![
            "[,;:\\\\\"^n a-z]{1,60}",
            "[\\PC]{1,200}",
            "[😀é€,]{100,200}"
        ];
        let titles = titles.prop_filter("no title", |title| Title::new(title).is_ok());
        titles.new_tree(&mut runner).unwrap().current()
    };
    let mut parties = Vec::new();
    for (zone, day) in [
        ("Europe/Berlin", "2026-03-25"),
        ("Europe/Berlin", "2026-10-20"),
        ("America/New_York", "2026-10-30"),
        ("Australia/Lord_Howe", "2026-10-01"),
        ("America/Sao_Paulo", "2018-11-01"),
        ("Africa/Casablanca", "2026-02-10"),
        ("Pacific/Apia", "2011-12-25"),
        ("Asia/Kathmandu", "2028-02-25"),
        ("UTC", "2026-12-01"),
    ] {
        for time in [
            "00:00:00", "00:30:00", "02:15:00", "02:30:00", "03:00:00", "09:00:00",
        ] {
            for rule in [
                None,
                Some("FREQ=DAILY;COUNT=12"),
                Some("FREQ=WEEKLY"),
                Some("FREQ=MONTHLY;COUNT=30"),
                Some("FREQ=DAILY;INTERVAL=3;UNTIL=20290101"),
            ] {
                let mut plan = plan(&format!("{day}T{time}"), zone, rule);
                if rule.is_some() {
                    let third =
                        occurrences(&plan, &Horizon::default()).unwrap().windows()[2].starts;
                    let third = third
                        .with_timezone(&zone.parse::<chrono_tz::Tz>().unwrap())
                        .naive_local();
                    // Where the clock jumps the plan doesn't say what the clock shows.
                    if third.format("%H:%M:%S").to_string() == time {
                        plan.except = vec![third, plan.starts];
                    }
                }
                let mut party = Party::new(&title(), plan);
                party.to = bob().filter(|_| parties.len() % 2 == 0);
                parties.push(party);
            }
        }
    }
    parties
}

#[test]
fn calcard_reads_what_was_meant() {
    for party in parties() {
        let ics = party.ics();
        let read = ICalendar::parse(&ics).unwrap_or_else(|error| panic!("{error:?}: {ics}"));
        let event = read
            .components
            .iter()
            .find(|part| part.component_type == ICalendarComponentType::VEvent)
            .unwrap();
        let text = |property| {
            event.property(&property).unwrap().values[0]
                .as_text()
                .map(str::to_owned)
        };
        assert_eq!(
            text(ICalendarProperty::Summary).as_deref(),
            Some(party.booking.title.as_str())
        );
        assert_eq!(
            text(ICalendarProperty::Uid).as_deref(),
            Some(party.booking.uid.as_str())
        );
        assert_eq!(text(ICalendarProperty::Description), Some(party.text()));
        let sequence = &event.property(&ICalendarProperty::Sequence).unwrap().values[0];
        assert_eq!(sequence.as_integer(), Some(3));
        let method = &read.components[0]
            .property(&ICalendarProperty::Method)
            .unwrap()
            .values[0];
        assert_eq!(method.as_text(), Some("REQUEST"));
        assert!(
            ics.split("\r\n")
                .all(|line| line.len() <= 75 && !line.contains(['\r', '\n'])),
            "{ics}"
        );
    }
}

#[test]
fn python_reads_what_was_meant() {
    let mut parties = parties();
    // Python's offsets are below 24 hours, and dateutil takes Apia's jump of 24 for one.
    parties.retain(|party| party.booking.plan.zone != "Pacific/Apia");
    let requests: Vec<String> = parties.iter().map(|party| party.ics()).collect();
    let texts: Vec<String> = parties.iter().map(|party| party.text()).collect();
    for (number, read) in python(&requests).iter().enumerate() {
        let party = &parties[number];
        assert_eq!(read["method"], "REQUEST");
        assert_eq!(read["uid"], party.booking.uid.as_str());
        assert_eq!(read["sequence"], 3);
        assert_eq!(read["status"], "CONFIRMED");
        assert_eq!(read["summary"], party.booking.title.as_str());
        assert_eq!(read["description"], texts[number].as_str());
        assert_eq!(read["organizer"], "mailto:ada@example.org");
        assert_eq!(
            read["attendees"][0],
            serde_json::json!(["mailto:ada@example.org", "Ada Byron"])
        );
        if party.to.is_some() {
            // A parameter can't hold a quotation mark.
            let bob =
                serde_json::json!(["mailto:bob%25x@example.org", "Bob 'B' O'Neil; Jr., ext: 5"]);
            assert_eq!(read["attendees"][1], bob);
        }
        assert_eq!(
            read["moments"],
            serde_json::json!(party.moments()),
            "{}",
            requests[number]
        );
    }
    for party in &mut parties {
        party.booking.state = BookingState::Cancelled;
    }
    let cancellations: Vec<String> = parties.iter().map(|party| party.cancel().ics()).collect();
    for (read, party) in python(&cancellations).iter().zip(&parties) {
        assert_eq!(
            (&read["method"], &read["status"]),
            (&"CANCEL".into(), &"CANCELLED".into())
        );
        assert_eq!(read["uid"], party.booking.uid.as_str());
        assert_eq!(read["moments"], serde_json::json!(party.moments()));
    }
}

/// Debian's packages belong to Debian's Python, which needn't be the first on the PATH.
fn python(texts: &[String]) -> Vec<Value> {
    let debian = Path::new("/usr/bin/python3");
    let mut child = Command::new(if debian.exists() {
        debian
    } else {
        Path::new("python3")
    })
    .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_invitations.py"))
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .spawn()
    .expect("python3 runs (`cargo xtask setup` installs it)");
    let input = serde_json::to_vec(texts).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    assert!(
        writer.join().unwrap().is_ok() && output.status.success(),
        "tests/read_invitations.py failed; it needs python3-icalendar, python3-vobject and python3-dateutil \
         (`cargo xtask setup` installs them)"
    );
    let read: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read.len(), texts.len());
    read
}
