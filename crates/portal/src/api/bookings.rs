//! Bookings.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use conclave_accounts as accounts;
use conclave_accounts::{AccountId, BookingId, Invitee, InviteeId, Title};
use conclave_calendar::{Horizon, Request};
use conclave_desk::{BookingPins, BookingWish as Wish, DeskError, Guest, NotSent, PlanChange};
use conclave_store::{BookingChange, BookingFilter, LetterKind, Store, StoreError};
use serde::Deserialize;

use super::problem::ApiProblem;
use super::shapes::{Booking, BookingWish, Invitation, NewBooking, Person};
use super::{Call, List, Numbered, again, created, made_before};
use crate::pages::number;
use crate::portal::{Portal, sees_pins};

/// An invitee of a booking.
#[derive(Debug, Deserialize)]
pub(crate) struct OfBooking {
    id: String,
    invitee: String,
}

pub(crate) async fn list_bookings(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let page = call.page()?;
    let account = call.account(&portal).await?;
    let all = match call.query.get("all") {
        "true" => true,
        "" | "false" => false,
        _ => return Err(ApiProblem::field("all", "Write true or false.")),
    };
    let filter = BookingFilter {
        account,
        from: (!all).then(|| portal.now()),
    };
    let rows = portal.store().bookings(&filter, page).await?;
    let mut shapes = Vec::with_capacity(rows.len());
    for row in rows {
        shapes.push(shape(&portal, row, &BookingPins::default()).await?);
    }
    let list = List::new(shapes, page, |booking| booking.id, |booking| booking);
    Ok(Json(list).into_response())
}

async fn shape(
    portal: &Portal,
    booking: accounts::Booking,
    pins: &BookingPins,
) -> Result<Booking, ApiProblem> {
    let details = portal.desk().details(booking).await?;
    Ok(Booking::of(&details, pins, portal.now()))
}

/// A booking that this user may see, and its account.
async fn find(
    portal: &Portal,
    call: &Call,
    id: &str,
) -> Result<(accounts::Booking, accounts::Account), ApiProblem> {
    let id = BookingId(number(id).ok_or_else(ApiProblem::not_found)?);
    let booking = portal.store().booking(id).await?;
    let booking = booking.ok_or_else(ApiProblem::not_found)?;
    let account = portal.account(&call.user, booking.account).await?;
    Ok((booking, account))
}

/// As it is, with the Guest PINs for those who may see them.
async fn answer(
    portal: &Portal,
    call: &Call,
    booking: accounts::Booking,
) -> Result<Booking, ApiProblem> {
    let account = portal.account(&call.user, booking.account).await?;
    let pins = if sees_pins(&call.user, &account) {
        portal.desk().kept_pins(booking.id).await?
    } else {
        BookingPins::default()
    };
    shape(portal, booking, &pins).await
}

pub(crate) async fn one_booking(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let (booking, _) = find(&portal, &call, &which.id).await?;
    Ok(Json(answer(&portal, &call, booking).await?).into_response())
}

pub(crate) async fn book(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let new: NewBooking = call.body()?;
    let account = portal.account(&call.user, AccountId(new.account)).await?;
    if !sees_pins(&call.user, &account) {
        return Err(ApiProblem::forbidden(
            "Whoever books sees the Host PIN: that is the owner, or an administrator.",
        ));
    }
    let except: Vec<&str> = new.except.iter().map(String::as_str).collect();
    let request = Request {
        start: &new.start,
        end: &new.end,
        zone: new.tz.as_deref(),
        rule: new.rule.as_deref(),
        except: &except,
        early: std::time::Duration::from_secs(new.early_minutes.unwrap_or(0).saturating_mul(60)),
    };
    let wish = Wish {
        account: account.id,
        title: title(&new.title)?,
        planned: request.plan(&Horizon::default()).map_err(DeskError::Plan)?,
        guests: new.invitees.iter().map(guest).collect::<Result<_, _>>()?,
        mail: new.mail && portal.desk().rules().mails,
    };
    match portal.desk().book(&wish, &call.act_once(&portal)).await {
        Ok((booking, pins)) => {
            let shape = shape(&portal, booking, &pins).await?;
            Ok(created(format!("/api/v1/bookings/{}", shape.id), shape))
        }
        Err(DeskError::Store(StoreError::Repeated)) => {
            let id = made_before(&portal, &call).await?.to_string();
            let (booking, _) = find(&portal, &call, &id).await?;
            Ok(again(answer(&portal, &call, booking).await?))
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn change_booking(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let (booking, _) = find(&portal, &call, &which.id).await?;
    let wish: BookingWish = call.body()?;
    let change = PlanChange {
        start: wish.start,
        end: wish.end,
        zone: wish.tz,
        rule: wish.rule,
        except: wish.except,
        early: wish.early_minutes,
    };
    let replanned = change.of(&booking.plan).map_err(DeskError::Plan)?;
    let change = BookingChange {
        title: wish.title.as_deref().map(title).transpose()?,
        time: replanned.map(|replanned| (replanned.plan, replanned.windows)),
        mail: wish.mail,
    };
    let booking = if change.title.is_some() || change.time.is_some() {
        let act = call.act(&portal);
        portal
            .store()
            .change_booking(booking.id, &change, &act)
            .await?
    } else {
        booking
    };
    Ok(Json(answer(&portal, &call, booking).await?).into_response())
}

pub(crate) async fn cancel_booking(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let (booking, _) = find(&portal, &call, &which.id).await?;
    portal
        .store()
        .cancel_booking(booking.id, &call.act(&portal))
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn invite(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let (booking, _) = find(&portal, &call, &which.id).await?;
    let person: Person = call.body()?;
    let invited = booking.invitees.iter().filter(|one| !one.withdrawn);
    if invited
        .into_iter()
        .any(|one| one.email.eq_ignore_ascii_case(&person.email))
    {
        return Err(ApiProblem::field(
            "email",
            "That person is invited already.",
        ));
    }
    let mail = portal.desk().rules().mails;
    let act = call.act(&portal);
    let (booking, _) = portal
        .desk()
        .invite(booking.id, &guest(&person)?, mail, &act)
        .await?;
    Ok(Json(answer(&portal, &call, booking).await?).into_response())
}

pub(crate) async fn withdraw(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<OfBooking>,
) -> Result<Response, ApiProblem> {
    let (booking, _) = find(&portal, &call, &which.id).await?;
    let invitee = number(&which.invitee).map(InviteeId);
    // Only of this booking: another's number is as good as none.
    let invitee = invitee.filter(|id| booking.invitees.iter().any(|one| one.id == *id));
    let invitee = invitee.ok_or_else(ApiProblem::not_found)?;
    portal.store().withdraw(invitee, &call.act(&portal)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn invitation(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let (booking, account) = find(&portal, &call, &which.id).await?;
    if !sees_pins(&call.user, &account) {
        return Err(ApiProblem::forbidden(
            "An invitation holds a PIN: that is for the owner, or an administrator.",
        ));
    }
    let invitee = match call.query.get("invitee") {
        "" => None,
        text => Some(InviteeId(number(text).ok_or_else(ApiProblem::not_found)?)),
    };
    let kind = LetterKind::Invitation;
    let rendered = portal
        .desk()
        .render(&booking, invitee, kind, portal.now())
        .await;
    let rendered = rendered.map_err(|error| match error {
        NotSent::Moot(why) => ApiProblem::new(StatusCode::CONFLICT, why),
        NotSent::Store(error) => error.into(),
    })?;
    Ok(Json(Invitation {
        name: rendered.name,
        email: rendered.email,
        text: rendered.text,
        ics: rendered.ics,
    })
    .into_response())
}

fn title(text: &str) -> Result<Title, ApiProblem> {
    Title::new(text).map_err(|error| ApiProblem::field("title", error))
}

fn guest(person: &Person) -> Result<Guest, ApiProblem> {
    let checked = Invitee::check(&person.name, &person.email);
    let (name, email) = checked.map_err(|error| ApiProblem::field("invitees", error))?;
    Ok(Guest { name, email })
}
