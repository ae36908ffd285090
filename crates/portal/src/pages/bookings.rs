//! Bookings: made, seen, changed, called off, and told to more people.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use conclave_accounts::{
    Account, AccountId, AccountState, Booking, BookingId, BookingState, InviteeId, Plan, Title,
};
use conclave_desk::{BookingPins, BookingWish, DeskError, Details};
use conclave_store::{
    BookingChange, BookingFilter, Find, LetterKind, Page, Store, StoreError, User,
};

use super::accounts::numbers;
use super::booking_form::{
    Preset, REPEATS, Typed, local, mail_field, new_form, next_hour, read_guest, read_guests,
    split_rule, when_fields,
};
use super::{number, show_sheet};
use crate::form::{Faults, Field, Form};
use crate::guard::Visitor;
use crate::look::{self, Frame, When, length};
use crate::portal::{Portal, changes, sees_pins};
use crate::problem::Problem;

const PATH: &str = "/book";

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
    Ok(show_form(&visitor, StatusCode::OK, form))
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

fn show_form(visitor: &Visitor, status: StatusCode, form: Form) -> Response {
    let lead = "It gets PINs of its own, which work at that time and at no other.";
    show_sheet(visitor, status, PATH, ["Book a conference", lead], form)
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
        return Ok(show_form(&visitor, StatusCode::UNPROCESSABLE_ENTITY, form));
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
    Ok(show_change(&visitor, StatusCode::OK, &booking, form))
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

fn show_change(visitor: &Visitor, status: StatusCode, booking: &Booking, form: Form) -> Response {
    let title = format!("Change “{}”", booking.title);
    let words = [title.as_str(), "The PINs stay as they are."];
    show_sheet(visitor, status, PATH, words, form)
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
        return Ok(show_change(
            &visitor,
            StatusCode::UNPROCESSABLE_ENTITY,
            &booking,
            form,
        ));
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
        let form = guest_form(&portal, booking.id).typed(typed, &faults);
        let (status, words) = (
            StatusCode::UNPROCESSABLE_ENTITY,
            ["Invite one more", booking.title.as_str()],
        );
        return Ok(show_sheet(&visitor, status, PATH, words, form));
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
