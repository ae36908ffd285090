//! Bookings: made, seen, changed, called off, and told to more people.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{
    DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, TimeZone, Timelike,
    Utc,
};
use chrono_tz::{TZ_VARIANTS, Tz};
use conclave_accounts::{
    Account, AccountId, AccountState, Booking, BookingId, BookingState, Invitee, InviteeId, Plan,
    Title,
};
use conclave_calendar::{Horizon, PlanError, Planned, Request};
use conclave_desk::{BookingPins, BookingWish, DeskError, Details, Guest};
use conclave_store::{
    BookingChange, BookingFilter, Find, LetterKind, Page, Store, StoreError, User,
};

use super::accounts::numbers;
use super::number;
use crate::fields::Fields;
use crate::form::{Faults, Field, Form};
use crate::guard::Visitor;
use crate::look::{self, Frame, When, length};
use crate::portal::{Portal, changes, sees_pins};
use crate::problem::Problem;

const PATH: &str = "/book";

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

const REPEATS: [(&str, &str); 6] = [
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

#[derive(Template)]
#[template(path = "form.html")]
struct Sheet<'a> {
    frame: Frame,
    title: &'a str,
    lead: &'a str,
    form: Form,
}

/// For whoever has no account to book on.
#[derive(Template)]
#[template(path = "nobody.html")]
struct Nobody {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "booking.html")]
struct One {
    frame: Frame,
    booking: Booking,
    owner: Account,
    state: &'static str,
    first: When,
    time: String,
    series: Option<String>,
    next: When,
    /// What is to be said of it.
    remarks: Vec<String>,
    /// What was just drawn.
    host_pin: Option<String>,
    guest_pin: Option<String>,
    invitees: Vec<Invited>,
    /// What the owner passes on.
    invitation: Option<String>,
    numbers: Vec<(String, String)>,
    /// Whether this visitor may change it, and it can be changed.
    changeable: bool,
    guest: Option<Form>,
}

struct Invited {
    id: u64,
    name: String,
    email: String,
    withdrawn: bool,
    pin: Option<String>,
    invitation: Option<String>,
}

/// What is filled in before anybody types: the time of a booking.
struct Preset<'a> {
    starts: NaiveDateTime,
    zone: &'a str,
    minutes: u64,
    rule: Option<&'a str>,
    early: u64,
}

pub(crate) async fn form(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let accounts = bookable(&portal, &visitor).await?;
    let Some(first) = accounts.first() else {
        let shown = Nobody {
            frame: Frame::new(&visitor, PATH),
        };
        return Ok(look::page(StatusCode::OK, &shown));
    };
    let zone = last_zone(&portal, first.id).await?;
    let here: Tz = zone.parse().unwrap_or(Tz::UTC);
    let preset = Preset {
        starts: next_hour(portal.now().with_timezone(&here).naive_local()),
        zone: here.name(),
        minutes: 60,
        rule: None,
        early: 0,
    };
    let once = portal.draw_token();
    let form = new_form(&portal, &accounts, &preset).hidden("once", once.expose().as_str());
    show_form(&visitor, StatusCode::OK, form)
}

/// The zone of the latest booking is that of the next one, too.
async fn last_zone(portal: &Portal, account: AccountId) -> Result<String, Problem> {
    let filter = BookingFilter {
        account: Some(account),
        from: None,
    };
    let latest = portal.store().bookings(&filter, Page::all()).await?.pop();
    Ok(latest.map(|booking| booking.plan.zone).unwrap_or_default())
}

fn next_hour(now: NaiveDateTime) -> NaiveDateTime {
    let began = now.with_minute(0).and_then(|now| now.with_second(0));
    let began = began.and_then(|now| now.with_nanosecond(0));
    began.unwrap_or(now) + TimeDelta::hours(1)
}

fn show_form(visitor: &Visitor, status: StatusCode, form: Form) -> Result<Response, Problem> {
    let shown = Sheet {
        frame: Frame::new(visitor, PATH),
        title: "Book a conference",
        lead: "It gets PINs of its own, which work at that time and at no other.",
        form,
    };
    Ok(look::page(status, &shown))
}

/// The accounts that this visitor books for: one that was named, or all of their own.
async fn bookable(portal: &Portal, visitor: &Visitor) -> Result<Vec<Account>, Problem> {
    let user = visitor.user()?;
    let named = visitor.fields.get("account");
    let mut accounts = if named.is_empty() {
        let own = Find::Email(user.email.to_string());
        portal.store().accounts(&own, Page::first(100)).await?
    } else {
        let id = AccountId(number(named).ok_or(Problem::NotFound)?);
        vec![portal.account(user, id).await?]
    };
    accounts.retain(|account| {
        account.bookings && account.state != AccountState::Closed && sees_pins(user, account)
    });
    Ok(accounts)
}

fn new_form(portal: &Portal, accounts: &[Account], preset: &Preset<'_>) -> Form {
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

fn mail_field(portal: &Portal, form: Form) -> Form {
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

fn when_fields(form: Form, preset: &Preset<'_>) -> Form {
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
fn split_rule(rule: &str, zone: &str) -> (String, String) {
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
struct Typed {
    start: String,
    end: String,
    zone: String,
    rule: Option<String>,
    early: u64,
}

impl Typed {
    fn read(typed: &Fields, faults: &mut Faults) -> Option<Self> {
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

    fn plan(&self, except: &[&str], faults: &mut Faults) -> Option<Planned> {
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
fn read_guests(text: &str) -> Result<Vec<Guest>, String> {
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
fn read_guest(text: &str) -> Result<Guest, String> {
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

pub(crate) async fn book(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let (user, typed) = (visitor.user()?, &visitor.fields);
    let accounts = bookable(&portal, &visitor).await?;
    let account = accounts.first().map(|account| account.id);
    let account = account.ok_or(Problem::NotFound)?;
    let mut faults = Faults::default();
    let title = faults.take("title", Title::new(typed.get("title")));
    let time = Typed::read(typed, &mut faults);
    let planned = time.and_then(|time| time.plan(&[], &mut faults));
    let guests = faults.take("guests", read_guests(typed.get("guests")));
    let (Some(title), Some(planned), Some(guests)) = (title, planned, guests) else {
        let preset = Preset {
            starts: portal.now().naive_utc(),
            zone: "UTC",
            minutes: 60,
            rule: None,
            early: 0,
        };
        let form = new_form(&portal, &accounts, &preset)
            .hidden("once", typed.get("once"))
            .typed(typed, &faults);
        return show_form(&visitor, StatusCode::UNPROCESSABLE_ENTITY, form);
    };
    let notes: Vec<_> = planned.notes.iter().map(ToString::to_string).collect();
    let wish = BookingWish {
        account,
        title,
        planned,
        guests,
        mail: typed.get("mail") == "on" && portal.desk().rules().mails,
    };
    let once = visitor.once(user, "book");
    let act = portal.act(user).once(once);
    match portal.desk().book(&wish, &act).await {
        Ok((booking, pins)) => show(&portal, &visitor, booking, pins, notes).await,
        Err(DeskError::Store(StoreError::Repeated)) => {
            let done = match &once {
                Some(once) => portal.store().done(once).await?,
                None => None,
            };
            let done = done.ok_or(Problem::Unavailable)?;
            Ok(Redirect::to(&format!("/bookings/{}", done.made)).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// A booking, where this user may see it; see [`Portal::account`].
async fn find(portal: &Portal, user: &User, id: &str) -> Result<(Booking, Account), Problem> {
    let id = BookingId(number(id).ok_or(Problem::NotFound)?);
    let booking = portal.store().booking(id).await?.ok_or(Problem::NotFound)?;
    let account = portal.account(user, booking.account).await?;
    Ok((booking, account))
}

pub(crate) async fn one(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (booking, _) = find(&portal, visitor.user()?, &id).await?;
    show(
        &portal,
        &visitor,
        booking,
        BookingPins::default(),
        Vec::new(),
    )
    .await
}

/// The page of a booking; `drawn` has the PINs that were just drawn.
async fn show(
    portal: &Portal,
    visitor: &Visitor,
    booking: Booking,
    drawn: BookingPins,
    notes: Vec<String>,
) -> Result<Response, Problem> {
    let (user, now) = (visitor.user()?, portal.now());
    let details = portal.desk().details(booking).await?;
    let (booking, account) = (&details.booking, &details.account);
    let sees = sees_pins(user, account);
    let state = details.state(now);
    let stands = state == "booked";
    let kept = if sees && stands {
        portal.desk().kept_pins(booking.id).await?
    } else {
        BookingPins::default()
    };
    let mut invitees = Vec::with_capacity(booking.invitees.len());
    for invitee in &booking.invitees {
        let pin = kept.of(invitee.id);
        invitees.push(Invited {
            id: invitee.id.0,
            name: invitee.name.clone(),
            email: invitee.email.clone(),
            withdrawn: invitee.withdrawn,
            invitation: match pin {
                Some(_) => invitation(portal, booking, Some(invitee.id), now).await?,
                None => None,
            },
            pin: pin.map(spaced),
        });
    }
    let invitation = match &kept.guest {
        Some(_) => invitation(portal, booking, None, now).await?,
        None => None,
    };
    let first = details.times.windows()[0];
    let changeable = stands && changes(user.role);
    let own_pins = !booking.invitees.is_empty();
    let shown = One {
        frame: Frame::new(visitor, PATH),
        state,
        first: When(first.starts),
        time: time_of(&details),
        series: booking.plan.rule.as_ref().map(|_| series(&details)),
        next: When(details.next(now).starts),
        remarks: remarks(&details, notes, now),
        host_pin: drawn.host.as_ref().filter(|_| sees).map(spaced),
        guest_pin: kept.guest.as_ref().map(spaced),
        invitees,
        invitation,
        numbers: numbers(portal),
        changeable,
        guest: (changeable && own_pins).then(|| guest_form(portal, booking.id)),
        owner: account.clone(),
        booking: details.booking,
    };
    Ok(look::page(StatusCode::OK, &shown))
}

fn guest_form(portal: &Portal, booking: BookingId) -> Form {
    let form = Form::new(format!("/bookings/{}/invite", booking.0), "Invite").field(
        Field::text("guest", "Invite one more")
            .hint("Grace Hopper, grace@example.org")
            .required(),
    );
    mail_field(portal, form)
}

async fn invitation(
    portal: &Portal,
    booking: &Booking,
    invitee: Option<InviteeId>,
    now: DateTime<Utc>,
) -> Result<Option<String>, Problem> {
    let kind = LetterKind::Invitation;
    let rendered = portal.desk().render(booking, invitee, kind, now).await;
    match rendered {
        Ok(rendered) => Ok(Some(rendered.text)),
        Err(conclave_desk::NotSent::Moot(_)) => Ok(None),
        Err(conclave_desk::NotSent::Store(error)) => Err(error.into()),
    }
}

fn time_of(details: &Details) -> String {
    let Plan {
        starts,
        length: lasts,
        zone,
        ..
    } = &details.booking.plan;
    format!(
        "{} {zone}, {}",
        starts.format("%-d %b %Y, %H:%M"),
        length(*lasts)
    )
}

fn series(details: &Details) -> String {
    let rule = details.booking.plan.rule.as_deref().unwrap_or_default();
    let (often, _) = split_rule(rule, &details.booking.plan.zone);
    let known = REPEATS.iter().find(|(of, _)| *of == often);
    let often = known.map_or(often.as_str(), |(_, words)| words);
    let until = details.times.until().with_timezone(&details.zone);
    format!(
        "{often}, {} times, until {}",
        details.times.windows().len(),
        until.format("%-d %b %Y")
    )
}

fn remarks(details: &Details, notes: Vec<String>, now: DateTime<Utc>) -> Vec<String> {
    let mut remarks = notes;
    if details.booking.state == BookingState::Booked {
        remarks.extend(details.doubts(now).iter().map(ToString::to_string));
    }
    remarks.extend(details.problems.iter().map(|problem| {
        let again = match problem.again {
            Some(_) => "is tried again",
            None => "was given up",
        };
        format!(
            "the {} to {} {again}: {}",
            problem.kind.word(),
            details.addressee(problem),
            problem.why
        )
    }));
    remarks
}

pub(crate) async fn change_form(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (booking, _) = find(&portal, visitor.user()?, &id).await?;
    let form = change_sheet(&portal, &booking);
    show_change(&visitor, StatusCode::OK, &booking, form)
}

fn change_sheet(portal: &Portal, booking: &Booking) -> Form {
    let plan = &booking.plan;
    let preset = Preset {
        starts: plan.starts,
        zone: &plan.zone,
        minutes: plan.length.as_secs() / 60,
        rule: plan.rule.as_deref(),
        early: plan.early.as_secs() / 60,
    };
    let form = Form::new(format!("/bookings/{}/change", booking.id.0), "Change").field(
        Field::text("title", "What it is about")
            .value(booking.title.as_str())
            .required(),
    );
    let mut form = when_fields(form, &preset);
    // What was booked counts, not what a browser would fill in.
    for field in &mut form.fields {
        field.forget_own();
    }
    mail_field(portal, form)
}

fn show_change(
    visitor: &Visitor,
    status: StatusCode,
    booking: &Booking,
    form: Form,
) -> Result<Response, Problem> {
    let title = format!("Change “{}”", booking.title);
    let shown = Sheet {
        frame: Frame::new(visitor, PATH),
        title: &title,
        lead: "The PINs stay as they are.",
        form,
    };
    Ok(look::page(status, &shown))
}

pub(crate) async fn change(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (user, typed) = (visitor.user()?, &visitor.fields);
    let (booking, _) = find(&portal, user, &id).await?;
    let mut faults = Faults::default();
    let title = faults.take("title", Title::new(typed.get("title")));
    let before = &booking.plan;
    let time = Typed::read(typed, &mut faults);
    // What is left out of a series stays left out while its starts are the same.
    let same_starts = time.as_ref().is_some_and(|time| {
        time.start == local(before.starts) && time.rule == before.rule && time.zone == before.zone
    });
    let except: Vec<String> = match same_starts {
        true => before.except.iter().copied().map(local).collect(),
        false => Vec::new(),
    };
    let except: Vec<&str> = except.iter().map(String::as_str).collect();
    let planned = time.and_then(|time| time.plan(&except, &mut faults));
    let (Some(title), Some(planned)) = (title, planned) else {
        let form = change_sheet(&portal, &booking).typed(typed, &faults);
        return show_change(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &booking, form);
    };
    let moved = planned.plan != *before;
    let wish = BookingChange {
        title: Some(title).filter(|title| *title != booking.title),
        time: moved.then(|| (planned.plan, planned.occurrences.windows().to_vec())),
        mail: typed.get("mail") == "on",
    };
    if wish.title.is_some() || wish.time.is_some() {
        let act = portal.act(user);
        portal
            .store()
            .change_booking(booking.id, &wish, &act)
            .await?;
    }
    Ok(to(&booking))
}

fn to(booking: &Booking) -> Response {
    Redirect::to(&format!("/bookings/{}", booking.id.0)).into_response()
}

pub(crate) async fn cancel(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let user = visitor.user()?;
    let (booking, _) = find(&portal, user, &id).await?;
    let act = portal.act(user);
    portal.store().cancel_booking(booking.id, &act).await?;
    Ok(to(&booking))
}

pub(crate) async fn invite(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (user, typed) = (visitor.user()?, &visitor.fields);
    let (booking, _) = find(&portal, user, &id).await?;
    let mut faults = Faults::default();
    let guest = read_guest(typed.get("guest").trim()).and_then(|guest| {
        let mut invited = booking.invitees.iter().filter(|one| !one.withdrawn);
        match invited.any(|one| one.email.eq_ignore_ascii_case(&guest.email)) {
            true => Err(format!("{} is invited already", guest.email)),
            false => Ok(guest),
        }
    });
    let Some(guest) = faults.take("guest", guest) else {
        let shown = Sheet {
            frame: Frame::new(&visitor, PATH),
            title: "Invite one more",
            lead: booking.title.as_str(),
            form: guest_form(&portal, booking.id).typed(typed, &faults),
        };
        return Ok(look::page(StatusCode::UNPROCESSABLE_ENTITY, &shown));
    };
    let mail = typed.get("mail") == "on" && portal.desk().rules().mails;
    let act = portal.act(user);
    portal.desk().invite(booking.id, &guest, mail, &act).await?;
    Ok(to(&booking))
}

pub(crate) async fn withdraw(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let user = visitor.user()?;
    let (booking, _) = find(&portal, user, &id).await?;
    let invitee = InviteeId(visitor.fields.number("invitee"));
    // Only of this booking: another's number is as good as none.
    if !booking.invitees.iter().any(|one| one.id == invitee) {
        return Err(Problem::NotFound);
    }
    portal.store().withdraw(invitee, &portal.act(user)).await?;
    Ok(to(&booking))
}

/// The invitation as a file for calendars.
pub(crate) async fn calendar(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let user = visitor.user()?;
    let (booking, account) = find(&portal, user, &id).await?;
    if !sees_pins(user, &account) {
        return Err(Problem::Forbidden);
    }
    let invitee = Some(visitor.fields.number("invitee")).filter(|id| *id > 0);
    let (invitee, kind) = (invitee.map(InviteeId), LetterKind::Invitation);
    let rendered = portal
        .desk()
        .render(&booking, invitee, kind, portal.now())
        .await;
    let rendered = rendered.map_err(|error| match error {
        conclave_desk::NotSent::Moot(_) => Problem::NotFound,
        conclave_desk::NotSent::Store(error) => error.into(),
    })?;
    let kind = HeaderValue::from_static("text/calendar; charset=utf-8; method=REQUEST");
    let file = HeaderValue::from_static("attachment; filename=\"invitation.ics\"");
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, file),
    ];
    Ok((headers, rendered.ics).into_response())
}

/// In groups of three, as one reads them out.
pub(crate) fn spaced(pin: &conclave_accounts::Pin) -> String {
    let digits = pin.expose().as_bytes();
    let groups = digits.chunks(3).map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(" ")
}

fn local(time: NaiveDateTime) -> String {
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
