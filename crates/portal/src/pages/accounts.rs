//! Accounts, with their bookings and conferences.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use conclave_accounts::{Account, AccountId, AccountState, Announce, Booking, HostLeaves};
use conclave_store::{BookingFilter, ConferenceRow, Find, Page, ReportFilter, Store, UserRole};

use super::account_forms::OWN_ACCOUNTS;
use super::bookings::spaced;
use super::conferences::Held;
use super::{Turning, and_one, number};
use crate::guard::Visitor;
use crate::look::{self, Frame, Month, length};
use crate::portal::{Portal, changes, is_own, sees_all, sees_pins};
use crate::problem::Problem;

const PATH: &str = "/accounts";

#[derive(Template)]
#[template(path = "accounts.html")]
struct List<'a> {
    frame: Frame,
    accounts: Vec<Account>,
    /// Whether all may be seen, and searched through.
    all: bool,
    find: &'a str,
    email: &'a str,
    more: Option<u64>,
    /// Whether this user makes accounts, may have a further one of their own, books.
    makes: bool,
    further: bool,
    books: bool,
    once: String,
}

impl List<'_> {
    fn state(&self, account: &Account) -> &'static str {
        state(account.state)
    }
}

#[derive(Template)]
#[template(path = "account.html")]
struct One {
    frame: Frame,
    account: Account,
    state: &'static str,
    terms: Vec<(&'static str, String)>,
    bookings: Vec<Booked>,
    conferences: Vec<Held>,
    turning: Turning,
    /// What may be dialled, and where.
    numbers: Vec<(String, String)>,
    guest_pin: Option<String>,
    /// What this user may do here.
    changeable: bool,
    sees_pins: bool,
    administers: bool,
    may_book: bool,
}

/// A booking, as the page of its account shows it.
struct Booked {
    id: u64,
    title: String,
    when: String,
    invited: String,
}

pub(crate) async fn list(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let user = visitor.user()?;
    let (all, text) = (sees_all(user.role), visitor.fields.get("find"));
    let find = if all {
        Find::parse(text)
    } else {
        Find::Email(user.email.to_string())
    };
    let page = and_one(visitor.fields.number("after"));
    let mut accounts = portal.store().accounts(&find, page).await?;
    let longer = accounts.len() == page.limit as usize;
    accounts.truncate(page.limit as usize - 1);
    let more = accounts.last().filter(|_| longer).map(|last| last.id.0);
    accounts.retain(|account| all || is_own(user, account));
    let host = user.role == UserRole::Host;
    let active = accounts
        .iter()
        .filter(|account| account.state == AccountState::Active);
    let active = active.count();
    let shown = List {
        frame: Frame::new(&visitor, PATH),
        makes: matches!(user.role, UserRole::Service | UserRole::Administrator),
        further: host && (1..OWN_ACCOUNTS).contains(&active),
        books: host && active > 0,
        once: portal.draw_token().expose().to_string(),
        accounts,
        all,
        find: text,
        email: user.email.as_str(),
        more,
    };
    Ok(look::page(StatusCode::OK, &shown))
}

pub(crate) async fn one(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = AccountId(number(&id).ok_or(Problem::NotFound)?);
    let user = visitor.user()?;
    let account = portal.account(user, id).await?;
    let (open, sees) = (
        account.state != AccountState::Closed,
        sees_pins(user, &account),
    );
    let guest_pin = if open && sees {
        portal.desk().guest_pin(id).await?
    } else {
        None
    };
    let filter = BookingFilter {
        account: Some(id),
        from: Some(portal.now()),
    };
    let bookings = portal.store().bookings(&filter, Page::all()).await?;
    let month = Month::parse(visitor.fields.get("month"), portal.now());
    let filter = ReportFilter {
        account: Some(id),
        page: and_one(visitor.fields.number("after")),
        ..ReportFilter::all(month.period())
    };
    let mut conferences = portal.store().conferences(&filter).await?;
    let path = format!("{PATH}/{}", id.0);
    let turning = Turning::new(path, month, &mut conferences, |row: &ConferenceRow| row.id);
    let shown = One {
        frame: Frame::new(&visitor, PATH),
        state: state(account.state),
        terms: terms(&account),
        numbers: numbers(&portal),
        guest_pin: guest_pin.as_ref().map(spaced),
        changeable: open && changes(user.role),
        sees_pins: sees,
        administers: open && matches!(user.role, UserRole::Service | UserRole::Administrator),
        may_book: open && sees && account.bookings && changes(user.role),
        account,
        bookings: bookings.iter().map(booked).collect(),
        conferences: conferences.into_iter().map(Held::from).collect(),
        turning,
    };
    Ok(look::page(StatusCode::OK, &shown))
}

/// What may be dialled: the number, and where.
pub(super) fn numbers(portal: &Portal) -> Vec<(String, String)> {
    let numbers = portal.desk().rules().numbers.iter();
    numbers
        .map(|number| (number.number().to_owned(), number.place()))
        .collect()
}

fn state(state: AccountState) -> &'static str {
    match state {
        AccountState::Active => "active",
        AccountState::Suspended => "suspended: its PINs open nothing until it is resumed",
        AccountState::Closed => "closed for good",
    }
}

/// What its conferences may and must do, in words.
fn terms(account: &Account) -> Vec<(&'static str, String)> {
    let terms = &account.terms;
    let on = |on: bool| if on { "on" } else { "off" }.to_owned();
    let announce = |announce: Announce| match announce {
        Announce::None => "nothing is heard".to_owned(),
        Announce::Tone => "a tone".to_owned(),
        Announce::Name => "the recorded name".to_owned(),
    };
    vec![
        ("Someone joins", announce(terms.entry)),
        ("Someone leaves", announce(terms.exit)),
        (
            "The last Host leaves",
            match terms.host_leaves {
                HostLeaves::Continue => "the Guests go on talking".to_owned(),
                HostLeaves::Hold => "the Guests hear music until a Host is back".to_owned(),
                HostLeaves::Hangup { grace } if grace.is_zero() => {
                    "everyone is disconnected".to_owned()
                }
                HostLeaves::Hangup { grace } => format!(
                    "everyone is disconnected, unless a Host is back within {}",
                    length(grace)
                ),
            },
        ),
        ("Lock (*7)", on(terms.lock)),
        (
            "Guests come in",
            if terms.consent {
                "when a Host lets them in (*4)".to_owned()
            } else {
                "when a Host is in".to_owned()
            },
        ),
        ("Recording (*2)", on(terms.recording)),
        ("Noisy lines are quieted by themselves", on(terms.quieting)),
        ("Noise of lines is turned down", on(terms.noise_suppression)),
        ("Voices are levelled", on(terms.levelling)),
        (
            "Heard at once",
            terms.most_talkers.map_or_else(
                || "all who speak".to_owned(),
                |most| format!("the {most} loudest who speak"),
            ),
        ),
        ("Bookings", on(account.bookings)),
    ]
}

fn booked(booking: &Booking) -> Booked {
    let plan = &booking.plan;
    let repeats = if plan.rule.is_some() { ", repeats" } else { "" };
    let invited: Vec<_> = booking
        .invitees
        .iter()
        .filter(|invitee| !invitee.withdrawn)
        .map(|invitee| invitee.name.as_str())
        .collect();
    Booked {
        id: booking.id.0,
        title: booking.title.as_str().to_owned(),
        when: format!(
            "{} {}, {}{repeats}",
            plan.starts.format("%-d %b %Y, %H:%M"),
            plan.zone,
            length(plan.length)
        ),
        invited: if invited.is_empty() {
            "whoever has the Guest PIN".to_owned()
        } else {
            invited.join(", ")
        },
    }
}
