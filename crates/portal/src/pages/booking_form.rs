//! The form for a booking: its fields, and what was typed in them.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, TimeZone, Timelike};
use chrono_tz::{TZ_VARIANTS, Tz};
use conclave_accounts::{Account, Invitee};
use conclave_calendar::{Horizon, PlanError, Planned, Request};
use conclave_desk::Guest;

use crate::fields::Fields;
use crate::form::{Faults, Field, Form};
use crate::look::length;
use crate::portal::Portal;

/// In minutes.
const LENGTHS: [(&str, &str); 9] = [
    ("15", "15 minutes"),
    ("30", "30 minutes"),
    ("45", "45 minutes"),
    ("60", "1 hour"),
    ("90", "1 hour 30 minutes"),
    ("120", "2 hours"),
    ("180", "3 hours"),
    ("240", "4 hours"),
    ("480", "8 hours"),
];

pub(super) const REPEATS: [(&str, &str); 6] = [
    ("", "Once"),
    ("FREQ=DAILY", "Every day"),
    ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "Monday to Friday"),
    ("FREQ=WEEKLY", "Every week"),
    ("FREQ=WEEKLY;INTERVAL=2", "Every two weeks"),
    ("FREQ=MONTHLY", "Every month, on this day of it"),
];

const EARLY: [(&str, &str); 4] = [
    ("0", "At the start"),
    ("5", "5 minutes before"),
    ("10", "10 minutes before"),
    ("15", "15 minutes before"),
];

/// What is filled in before anybody types: the time of a booking.
pub(super) struct Preset<'a> {
    pub(super) starts: NaiveDateTime,
    pub(super) zone: &'a str,
    pub(super) minutes: u64,
    pub(super) rule: Option<&'a str>,
    pub(super) early: u64,
}

pub(super) fn next_hour(now: NaiveDateTime) -> NaiveDateTime {
    let began = now.with_minute(0).and_then(|now| now.with_second(0));
    let began = began.and_then(|now| now.with_nanosecond(0));
    began.unwrap_or(now) + TimeDelta::hours(1)
}

pub(super) fn new_form(portal: &Portal, accounts: &[Account], preset: &Preset<'_>) -> Form {
    let mut form =
        Form::new("/book", "Book").field(Field::text("title", "What it is about").required());
    form = match accounts {
        [only] => form.hidden("account", only.id.0.to_string()),
        several => form.field(Field::choice(
            "account",
            "On which account",
            several.iter().map(|account| {
                let word = account
                    .department
                    .as_deref()
                    .unwrap_or(account.owner.name());
                (
                    account.id.0.to_string(),
                    format!("{} ({word})", account.id.0),
                )
            }),
        )),
    };
    let form = when_fields(form, preset).field(
        Field::lines("guests", "Who is invited", 4)
            .hint("One on each line: Grace Hopper, grace@example.org. Each gets a PIN of their own. Leave it empty, and one Guest PIN serves all."),
    );
    mail_field(portal, form)
}

pub(super) fn mail_field(portal: &Portal, form: Form) -> Form {
    if portal.desk().rules().mails {
        form.field(Field::choice(
            "mail",
            "Invitations",
            [("on", "Are sent by mail"), ("off", "I pass them on myself")],
        ))
    } else {
        form.hidden("mail", "off")
    }
}

pub(super) fn when_fields(form: Form, preset: &Preset<'_>) -> Form {
    let zones = TZ_VARIANTS.iter().map(|zone| zone.name());
    let zones = zones.filter(|name| *name == "UTC" || is_place(name));
    let (rule, until) = split_rule(preset.rule.unwrap_or_default(), preset.zone);
    let minutes = preset.minutes.to_string();
    let known = LENGTHS.iter().any(|(of, _)| *of == minutes);
    let odd = (!known).then(|| {
        (
            minutes.clone(),
            length(std::time::Duration::from_secs(preset.minutes * 60)),
        )
    });
    let lengths = LENGTHS
        .iter()
        .map(|(of, words)| ((*of).to_owned(), (*words).to_owned()));
    form.field(
        Field::input("date", "Day", "date")
            .value(preset.starts.format("%Y-%m-%d").to_string())
            .own("date")
            .required()
            .short(),
    )
    .field(
        Field::input("time", "Begins at", "time")
            .value(preset.starts.format("%H:%M").to_string())
            .own("time")
            .required()
            .short(),
    )
    .field(
        Field::choice("length", "How long", lengths.chain(odd))
            .value(minutes)
            .short(),
    )
    .field(
        Field::choice(
            "zone",
            "Time zone",
            zones.map(|name| (name, name.replace('_', " "))),
        )
        .value(preset.zone)
        .own("zone")
        .short(),
    )
    .field(
        Field::choice("repeat", "How often", REPEATS)
            .value(rule)
            .short(),
    )
    .field(
        Field::input("until", "Last day, if it repeats", "date")
            .value(until)
            .hint("Without one it goes on for two years.")
            .short(),
    )
    .field(
        Field::choice("early", "Doors open", EARLY)
            .value(preset.early.to_string())
            .short(),
    )
}

/// `Europe/Berlin`, and not the older spellings of it.
fn is_place(name: &str) -> bool {
    const REGIONS: [&str; 10] = [
        "Africa/",
        "America/",
        "Antarctica/",
        "Arctic/",
        "Asia/",
        "Atlantic/",
        "Australia/",
        "Europe/",
        "Indian/",
        "Pacific/",
    ];
    REGIONS.iter().any(|region| name.starts_with(region))
}

/// What the form has two fields for: how often, and the last day on the clock of the zone.
pub(super) fn split_rule(rule: &str, zone: &str) -> (String, String) {
    let is_until = |part: &&str| part.starts_with("UNTIL=");
    let (until, rest): (Vec<_>, Vec<_>) = rule.split(';').partition(is_until);
    let until = until.first().map_or("", |part| &part["UNTIL=".len()..]);
    let here = zone.parse().unwrap_or(Tz::UTC);
    let day = match NaiveDateTime::parse_from_str(until, "%Y%m%dT%H%M%SZ") {
        Ok(end) => Some(end.and_utc().with_timezone(&here).date_naive()),
        Err(_) => until
            .get(..8)
            .and_then(|day| NaiveDate::parse_from_str(day, "%Y%m%d").ok()),
    };
    let day = day.map(|day| day.to_string());
    (rest.join(";"), day.unwrap_or_default())
}

/// A time as the form asks for it.
pub(super) struct Typed {
    pub(super) start: String,
    pub(super) end: String,
    pub(super) zone: String,
    pub(super) rule: Option<String>,
    pub(super) early: u64,
}

impl Typed {
    pub(super) fn read(typed: &Fields, faults: &mut Faults) -> Option<Self> {
        let day = NaiveDate::parse_from_str(typed.get("date"), "%Y-%m-%d");
        let day = faults.take("date", day.map_err(|_| "Choose a day, such as 2026-12-01."));
        let time = NaiveTime::parse_from_str(typed.get("time"), "%H:%M")
            .or_else(|_| NaiveTime::parse_from_str(typed.get("time"), "%H:%M:%S"));
        let time = faults.take("time", time.map_err(|_| "Choose a time, such as 09:30."));
        let minutes = typed.get("length").parse::<u32>();
        let minutes = faults.take("length", minutes.map_err(|_| "Choose how long it takes."));
        let early = typed.get("early").parse().unwrap_or(0);
        let zone = typed.get("zone").to_owned();
        let here = zone.parse::<Tz>();
        let here = faults.take("zone", here.map_err(|_| "Choose a time zone of the list."));
        let until = match typed.get("until") {
            "" => Some(None),
            text => {
                let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").map(Some);
                faults.take(
                    "until",
                    day.map_err(|_| "Choose a day, such as 2026-12-31, or leave it empty."),
                )
            }
        };
        let (starts, here, until) = (day?.and_time(time?), here?, until?);
        let lasts = TimeDelta::minutes(minutes?.into());
        // Exactly so long, whatever the clock of the zone does meanwhile; where it has no such time, the start is refused.
        let end = match here.from_local_datetime(&starts).earliest() {
            Some(start) => (start + lasts)
                .to_utc()
                .to_rfc3339_opts(SecondsFormat::Secs, true),
            None => local(starts + lasts),
        };
        let rule = match (typed.get("repeat"), until) {
            ("", _) => None,
            (rule, None) => Some(rule.to_owned()),
            (rule, Some(last)) => {
                let end =
                    last.and_time(NaiveTime::MIN) + TimeDelta::days(1) - TimeDelta::seconds(1);
                let end = here.from_local_datetime(&end).latest();
                let end = end.map_or_else(
                    || last.and_time(NaiveTime::MIN).and_utc(),
                    |end| end.to_utc(),
                );
                Some(format!("{rule};UNTIL={}", end.format("%Y%m%dT%H%M%SZ")))
            }
        };
        Some(Self {
            start: local(starts),
            end,
            zone,
            rule,
            early,
        })
    }

    pub(super) fn plan(&self, except: &[&str], faults: &mut Faults) -> Option<Planned> {
        let request = Request {
            start: &self.start,
            end: &self.end,
            zone: Some(&self.zone),
            rule: self.rule.as_deref(),
            except,
            early: std::time::Duration::from_secs(self.early.saturating_mul(60)),
        };
        let planned = request.plan(&Horizon::default());
        let planned = planned.map_err(|error| faults.add(field_of(&error), error));
        planned.ok()
    }
}

/// Where the form says what is wrong with a time.
fn field_of(error: &PlanError) -> &'static str {
    match error {
        PlanError::UnknownZone { .. } | PlanError::NeedsZone(_) | PlanError::SeriesNeedsZone => {
            "zone"
        }
        PlanError::Nonexistent { .. } | PlanError::SeriesAtSecond { .. } | PlanError::Fraction => {
            "time"
        }
        PlanError::EndsBeforeStart { .. } | PlanError::Length => "length",
        PlanError::Early => "early",
        PlanError::RuleTooLong(_)
        | PlanError::RulePart { .. }
        | PlanError::Rule(_)
        | PlanError::TooFine(_)
        | PlanError::TooOften(_)
        | PlanError::NoOccurrence => "repeat",
        _ => "date",
    }
}

/// Those who are invited: a name and an address on each line.
pub(super) fn read_guests(text: &str) -> Result<Vec<Guest>, String> {
    let mut guests: Vec<Guest> = Vec::new();
    for (line, text) in text.lines().map(str::trim).enumerate() {
        if text.is_empty() {
            continue;
        }
        let said = |why: &dyn std::fmt::Display| format!("Line {}: {why}.", line + 1);
        let guest = read_guest(text).map_err(|why| said(&why))?;
        if guests
            .iter()
            .any(|other| other.email.eq_ignore_ascii_case(&guest.email))
        {
            return Err(said(&format!(
                "{} is there already; each has one PIN",
                guest.email
            )));
        }
        guests.push(guest);
    }
    Ok(guests)
}

/// `Grace Hopper, grace@example.org`, as mail programs write it, or the address alone.
pub(super) fn read_guest(text: &str) -> Result<Guest, String> {
    let text = text.trim_end_matches([',', ';', '>']);
    let split = text.rsplit_once(['<', ',', ';', '=', '\t']);
    let (name, email) = match split {
        Some((name, email)) => (name, email),
        None => text.rsplit_once(char::is_whitespace).unwrap_or(("", text)),
    };
    let name = name.trim().trim_matches('"');
    let name = if name.is_empty() {
        email.split('@').next().unwrap_or_default()
    } else {
        name
    };
    let (name, email) = Invitee::check(name, email).map_err(|error| error.to_string())?;
    Ok(Guest { name, email })
}

pub(super) fn local(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_read_however_people_write_them() {
        let check = |text: &str, name: &str, email: &str| {
            let guest = read_guest(text).unwrap();
            assert_eq!(
                (guest.name.as_str(), guest.email.as_str()),
                (name, email),
                "{text}"
            );
        };
        check(
            "Grace Hopper, grace@example.org",
            "Grace Hopper",
            "grace@example.org",
        );
        check(
            "Grace Hopper <grace@example.org>",
            "Grace Hopper",
            "grace@example.org",
        );
        check(
            "\"Hopper, Grace\" <grace@example.org>,",
            "Hopper, Grace",
            "grace@example.org",
        );
        check(
            "Grace Hopper grace@example.org",
            "Grace Hopper",
            "grace@example.org",
        );
        check("grace@example.org", "grace", "grace@example.org");
        assert!(read_guest("Grace Hopper").is_err());
        let two = read_guests("a@example.org\n\n B <b@example.org>\n").unwrap();
        assert_eq!(two.len(), 2);
        let again = read_guests("a@example.org\nA@example.org").unwrap_err();
        assert!(again.starts_with("Line 2:"), "{again}");
        assert!(
            read_guests("a@example.org\nx")
                .unwrap_err()
                .starts_with("Line 2:")
        );
    }

    #[track_caller]
    fn planned(fields: &str) -> Result<Planned, &'static str> {
        let mut faults = Faults::default();
        let typed = Fields::parse(fields.as_bytes());
        let planned = Typed::read(&typed, &mut faults).and_then(|time| time.plan(&[], &mut faults));
        planned.ok_or_else(|| faults.first().unwrap())
    }

    #[test]
    fn a_time_is_what_the_form_says() {
        let once = "date=2026-12-01&time=09:30&length=90&zone=Europe/Berlin&early=5";
        let found = planned(once).unwrap();
        let [only] = found.occurrences.windows() else {
            panic!("{found:?}")
        };
        assert_eq!(only.starts.to_rfc3339(), "2026-12-01T08:30:00+00:00");
        assert_eq!(found.plan.length.as_secs(), 90 * 60);
        assert_eq!(found.plan.early.as_secs(), 300);
        let weekly = format!("{once}&repeat=FREQ%3DWEEKLY&until=2026-12-22");
        assert_eq!(
            planned(&weekly).unwrap().occurrences.windows().len(),
            4,
            "the last day is one of them"
        );
        // The night in which the clock is put back: two hours are two hours.
        let night = "date=2026-10-25&time=01:30&length=120&zone=Europe/Berlin";
        assert_eq!(planned(night).unwrap().plan.length.as_secs(), 7200);
        for (fields, field) in [
            ("date=x&time=09:30&length=90&zone=UTC", "date"),
            ("date=2026-12-01&time=x&length=90&zone=UTC", "time"),
            ("date=2026-12-01&time=09:30&length=x&zone=UTC", "length"),
            ("date=2026-12-01&time=09:30&length=0&zone=UTC", "length"),
            (
                "date=2026-12-01&time=09:30&length=60&zone=Mars/Base",
                "zone",
            ),
            (
                "date=2026-03-29&time=02:30&length=60&zone=Europe/Berlin",
                "time",
            ),
            (
                "date=2026-12-01&time=09:30&length=60&zone=UTC&repeat=FREQ%3DOFTEN",
                "repeat",
            ),
            (
                "date=2026-12-01&time=09:30&length=60&zone=UTC&repeat=FREQ%3DDAILY&until=x",
                "until",
            ),
            (
                "date=2026-12-01&time=09:30&length=60&zone=UTC&early=99999",
                "early",
            ),
        ] {
            assert_eq!(planned(fields).unwrap_err(), field, "{fields}");
        }
    }

    #[test]
    fn a_rule_is_split_as_it_was_joined() {
        let check = |rule: &str, zone: &str, often: &str, day: &str| {
            assert_eq!(
                split_rule(rule, zone),
                (often.to_owned(), day.to_owned()),
                "{rule}"
            );
        };
        let every_second = "FREQ=WEEKLY;INTERVAL=2";
        check(
            &format!("{every_second};UNTIL=20261222T225959Z"),
            "Europe/Berlin",
            every_second,
            "2026-12-22",
        );
        check(
            "UNTIL=20261223T045959Z;FREQ=DAILY",
            "America/New_York",
            "FREQ=DAILY",
            "2026-12-22",
        );
        check(
            "FREQ=DAILY;UNTIL=20261222",
            "UTC",
            "FREQ=DAILY",
            "2026-12-22",
        );
        check("FREQ=DAILY;UNTIL=x", "UTC", "FREQ=DAILY", "");
        check("FREQ=DAILY", "UTC", "FREQ=DAILY", "");
        check("", "UTC", "", "");
    }
}
