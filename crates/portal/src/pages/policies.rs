//! What guards the PINs: the policy, the odds, alarms.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use conclave_accounts::{Odds, Role};
use conclave_store::Store;

use crate::guard::Visitor;
use crate::look::{self, Frame};
use crate::portal::{Portal, changes};
use crate::problem::Problem;

const PATH: &str = "/policies";

#[derive(Template)]
#[template(path = "policies.html")]
struct Policies {
    frame: Frame,
    rows: Vec<(&'static str, String)>,
    advice: Option<&'static str>,
    may_end_consent: bool,
}

pub(crate) async fn page(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let (desk, rules) = (portal.desk(), portal.desk().rules());
    let doors = desk.doors().await?;
    let by_policy = desk.doors_by_policy().await?;
    let odds = Odds::of(&rules.pins, &doors);
    let totals = portal.store().totals().await?;
    let next = |role| match rules.pins.digits_for(role, &by_policy) {
        Some(digits) => format!("{digits} digits"),
        None => "none is long enough any more".to_owned(),
    };
    let rows = vec![
        ("Accounts", totals.accounts.to_string()),
        ("Bookings that aren't over", totals.bookings.to_string()),
        ("PINs that open a door", doors.total().to_string()),
        (
            "Of them forced upon the policy",
            (doors.total() - by_policy.total()).to_string(),
        ),
        (
            "Chance that a day of guessing opens a door without a human's consent",
            format!(
                "{:.1e} (at most {:.0e} is right)",
                odds.chance(),
                rules.pins.odds
            ),
        ),
        (
            "Wrong PINs a day that turn on consent",
            rules.pins.ceiling.to_string(),
        ),
        ("The next Guest PIN", next(Role::Guest)),
        ("The next Host PIN", next(Role::Host)),
        (
            "Invitations by mail",
            if rules.mails {
                "sent"
            } else {
                "not configured"
            }
            .to_owned(),
        ),
    ];
    let advice = "Suspend or close accounts that nobody uses, lower pins.wrong-a-day, or give longer PINs: each digit divides the chance by ten.";
    let shown = Policies {
        frame: Frame::new(&visitor, PATH),
        rows,
        advice: (!odds.is_bearable()).then_some(advice),
        may_end_consent: changes(visitor.user()?.role),
    };
    Ok(look::page(StatusCode::OK, &shown))
}

pub(crate) async fn end_consent(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let act = portal.act(visitor.user()?);
    portal.store().end_consent(&act).await?;
    Ok(Redirect::to(PATH).into_response())
}
