//! What guards the PINs.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use conclave_accounts::{Odds, Role};
use conclave_store::Store;

use super::Call;
use super::problem::ApiProblem;
use super::shapes::Policies;
use crate::portal::Portal;

pub(crate) async fn policies(State(portal): State<Portal>) -> Result<Response, ApiProblem> {
    let (desk, rules) = (portal.desk(), portal.desk().rules());
    let doors = desk.doors().await?;
    let by_policy = desk.doors_by_policy().await?;
    let odds = Odds::of(&rules.pins, &doors);
    let totals = portal.store().totals().await?;
    Ok(Json(Policies {
        accounts: totals.accounts,
        bookings: totals.bookings,
        pins: doors.total(),
        forced_pins: doors.total() - by_policy.total(),
        chance_a_day: odds.chance(),
        highest_chance: rules.pins.odds,
        bearable: odds.is_bearable(),
        wrong_a_day: rules.pins.ceiling.into(),
        guest_digits: rules.pins.digits_for(Role::Guest, &by_policy),
        host_digits: rules.pins.digits_for(Role::Host, &by_policy),
        mails: rules.mails,
    })
    .into_response())
}

pub(crate) async fn end_consent(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    portal.store().end_consent(&call.act(&portal)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
