//! Accounts.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use conclave_accounts as accounts;
use conclave_accounts::{AccountId, AccountState, Owner, OwnerError, Terms, TermsError};
use conclave_desk::{DeskError, Wanted, WishError, checked_word};
use conclave_store::{AccountChange, Find, Store, StoreError, User, UserRole};

use super::problem::ApiProblem;
use super::shapes::{
    Account, AccountWish, DrawnPin, NewAccount, Person, PinWish, State as Becomes, TermsWish,
};
use super::{Call, List, Numbered, again, created, made_before};
use crate::pages::account_forms::as_the_first;
use crate::portal::{Portal, is_own, sees_all, sees_pins};

pub(crate) async fn list_accounts(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let (user, page) = (&call.user, call.page()?);
    let all = sees_all(user.role);
    let find = if all {
        Find::parse(call.query.get("find"))
    } else {
        Find::Email(user.email.to_string())
    };
    let mut rows = portal.store().accounts(&find, page).await?;
    rows.retain(|account| all || is_own(user, account));
    let list = List::new(rows, page, |row| row.id.0, |row| Account::of(&row));
    Ok(Json(list).into_response())
}

pub(crate) async fn one_account(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let account = portal.account(&call.user, AccountId(which.get()?)).await?;
    let open = account.state != AccountState::Closed;
    let guest_pin = match open && sees_pins(&call.user, &account) {
        true => portal.desk().guest_pin(account.id).await?,
        false => None,
    };
    Ok(Json(Account {
        guest_pin: guest_pin.map(|pin| pin.expose().to_owned()),
        ..Account::of(&account)
    })
    .into_response())
}

pub(crate) async fn make_account(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let new: NewAccount = call.body()?;
    let wanted = Wanted {
        department: word("department", new.department.as_deref())?,
        cost_code: word("cost_code", new.cost_code.as_deref())?,
        bookings: new.bookings.unwrap_or(true),
        ..Wanted::new(owner(&new.owner)?, terms(&new.terms, &Terms::default())?)
    };
    open(&portal, &call, wanted).await
}

/// A further account for a Host who has one.
pub(crate) async fn further(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let wanted = as_the_first(&portal, &call.user).await?;
    open(&portal, &call, wanted).await
}

async fn open(portal: &Portal, call: &Call, wanted: Wanted) -> Result<Response, ApiProblem> {
    match portal
        .desk()
        .open_account(wanted, &call.act_once(portal))
        .await
    {
        Ok((account, pins)) => {
            let sees = sees_pins(&call.user, &account);
            let digits = |pin: &accounts::Pin| sees.then(|| pin.expose().to_owned());
            let shape = Account {
                host_pin: digits(&pins.host),
                guest_pin: digits(&pins.guest),
                ..Account::of(&account)
            };
            Ok(created(format!("/api/v1/accounts/{}", shape.id), shape))
        }
        Err(DeskError::Store(StoreError::Repeated)) => {
            let id = AccountId(made_before(portal, call).await?);
            let account = portal.account(&call.user, id).await?;
            Ok(again(Account::of(&account)))
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn change_account(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let account = portal.account(&call.user, AccountId(which.get()?)).await?;
    let wish: AccountWish = call.body()?;
    host_may(&call.user, &wish)?;
    let word = |name, text: &Option<String>| match text {
        Some(text) => word(name, Some(text)).map(Some),
        None => Ok(None),
    };
    let terms = terms(&wish.terms, &account.terms)?;
    let change = AccountChange {
        owner: wish.owner.as_ref().map(owner).transpose()?,
        department: word("department", &wish.department)?,
        cost_code: word("cost_code", &wish.cost_code)?,
        bookings: wish.bookings,
        terms: Some(terms).filter(|terms| *terms != account.terms),
    };
    let (id, act) = (account.id, call.act(&portal));
    if !change.apply(&mut account.clone()).is_empty() {
        portal.store().change_account(id, &change, &act).await?;
    }
    if let Some(state) = wish.state {
        let state = match state {
            Becomes::Active => AccountState::Active,
            Becomes::Suspended => AccountState::Suspended,
            Becomes::Closed => AccountState::Closed,
        };
        if state != account.state {
            portal.store().set_state(id, state, &act).await?;
        }
    }
    let now = portal.store().account(id).await?;
    let now = now.ok_or_else(ApiProblem::not_found)?;
    Ok(Json(Account::of(&now)).into_response())
}

/// How the conferences go is for a Host; the rest isn't.
fn host_may(user: &User, wish: &AccountWish) -> Result<(), ApiProblem> {
    let more = wish.owner.is_some()
        || wish.department.is_some()
        || wish.cost_code.is_some()
        || wish.bookings.is_some()
        || wish.state.is_some()
        || wish.terms.is_about_limits();
    if user.role == UserRole::Host && more {
        return Err(ApiProblem::forbidden(
            "A Host changes how the conferences go: lock, consent, entry, exit, host_leaves, host_grace, quieting, noise_suppression, levelling, max_talkers.",
        ));
    }
    Ok(())
}

pub(crate) async fn reset_pin(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let account = portal.account(&call.user, AccountId(which.get()?)).await?;
    let wish: PinWish = call.body()?;
    if account.state == AccountState::Closed {
        return Err(StoreError::Closed(account.id).into());
    }
    let act = call.act(&portal);
    let pin = portal
        .desk()
        .reset_pin(account.id, wish.which.into(), &act)
        .await?;
    let sees = sees_pins(&call.user, &account);
    Ok(Json(DrawnPin {
        which: wish.which,
        pin: sees.then(|| pin.expose().to_owned()),
    })
    .into_response())
}

fn owner(person: &Person) -> Result<Owner, ApiProblem> {
    Owner::new(&person.name, &person.email).map_err(|error| {
        let field = match error {
            OwnerError::Name => "owner.name",
            OwnerError::Email => "owner.email",
        };
        ApiProblem::field(field, error)
    })
}

fn word(field: &str, text: Option<&str>) -> Result<Option<String>, ApiProblem> {
    let word = checked_word(field, text.unwrap_or_default());
    word.map_err(|why| ApiProblem::field(field, why))
}

fn terms(wish: &TermsWish, before: &Terms) -> Result<Terms, ApiProblem> {
    wish.wishes().of(before).map_err(|error| match error {
        WishError::GraceForNothing => ApiProblem::field(
            "terms.host_grace",
            "A grace works with host_leaves hangup: without it nobody is disconnected",
        ),
        WishError::Terms(error) => {
            let field = match error {
                TermsError::Grace => "terms.host_grace",
                TermsError::MaxParticipants => "terms.max_callers",
                TermsError::MostTalkers => "terms.max_talkers",
                TermsError::RecordingTone => "terms.recording_tone",
                TermsError::Wait => "terms.longest_wait",
            };
            ApiProblem::field(field, error)
        }
    })
}
