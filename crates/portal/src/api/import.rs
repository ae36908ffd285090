//! Many accounts from a table, all or none.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use conclave_desk::{DeskError, Wanted};
use conclave_store::{Find, Page, Store, StoreError};

use super::problem::ApiProblem;
use super::shapes::{Account, Import, Imported};
use super::{Call, again, made_before};
use crate::portal::Portal;
use crate::problem::sentence;

/// So many wrong lines are told: whoever has more has made one mistake many times.
const MOST_TOLD: usize = 50;

pub(crate) async fn import(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let wish: Import = call.body()?;
    let (desk, act) = (portal.desk(), call.act_once(&portal));
    let mut draw = desk.draw().await?;
    let read = desk
        .read_table(wish.table.as_bytes(), &mut draw, false, &act)
        .await;
    let table = match read {
        Ok(table) => table,
        Err(DeskError::NoTable(why)) => return Err(ApiProblem::field("table", sentence(&why))),
        Err(error) => return Err(error.into()),
    };
    // First of all: PINs that the table brought are in use by now, by the accounts that it made.
    if let Ok(first) = made_before(&portal, &call).await {
        return replayed(&portal, first, table.wanted.len()).await;
    }
    if !table.errors.is_empty() {
        let errors = table.errors.into_iter().take(MOST_TOLD);
        return Err(ApiProblem::faults("table", errors));
    }
    let wanted: Vec<Wanted> = table.wanted.into_iter().map(|(_, wanted)| wanted).collect();
    if wanted.is_empty() {
        return Err(ApiProblem::field(
            "table",
            "There is no line after the first.",
        ));
    }
    if wish.check {
        let checked = Imported {
            count: wanted.len() as u64,
            doubts: table.doubts,
            accounts: Vec::new(),
        };
        return Ok(Json(checked).into_response());
    }
    match desk.open_accounts(&mut draw, &wanted, &act).await {
        Ok(made) => {
            let accounts = made.iter().map(|(account, pins)| Account {
                host_pin: Some(pins.host.expose().to_owned()),
                guest_pin: Some(pins.guest.expose().to_owned()),
                ..Account::of(account)
            });
            let imported = Imported {
                count: made.len() as u64,
                doubts: table.doubts,
                accounts: accounts.collect(),
            };
            Ok((StatusCode::CREATED, Json(imported)).into_response())
        }
        Err(DeskError::Store(StoreError::Repeated)) => {
            let first = made_before(&portal, &call).await?;
            replayed(&portal, first, wanted.len()).await
        }
        Err(error) => Err(error.into()),
    }
}

/// What the same request made before: accounts of one import are numbered one after the other.
async fn replayed(portal: &Portal, first: u64, count: usize) -> Result<Response, ApiProblem> {
    let page = Page {
        after: first.saturating_sub(1),
        limit: u32::try_from(count).unwrap_or(u32::MAX),
    };
    let accounts = portal.store().accounts(&Find::All, page).await?;
    Ok(again(Imported {
        count: accounts.len() as u64,
        doubts: Vec::new(),
        accounts: accounts.iter().map(Account::of).collect(),
    }))
}
