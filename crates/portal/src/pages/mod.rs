//! What is behind the entrances. Whoever comes here was let in by the guard.

pub(crate) mod account_forms;
pub(crate) mod accounts;
pub(crate) mod assets;
pub(crate) mod audit;
mod booking_form;
pub(crate) mod bookings;
pub(crate) mod conferences;
pub(crate) mod import;
pub(crate) mod live;
pub(crate) mod policies;
pub(crate) mod provider;
pub(crate) mod reports;
pub(crate) mod second_factor;
pub(crate) mod sign_in;
pub(crate) mod tokens;
pub(crate) mod users;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use conclave_store::Page;

use crate::form::Form;
use crate::guard::Visitor;
use crate::look::{self, Frame, Month};

pub(crate) async fn home() -> Redirect {
    Redirect::to("/accounts")
}

/// A page that is one form.
#[derive(Template)]
#[template(path = "form.html")]
struct Sheet<'a> {
    frame: Frame,
    title: &'a str,
    lead: &'a str,
    form: Form,
}

/// Shows a form; `path` is its place in the menu.
fn show_sheet(
    visitor: &Visitor,
    status: StatusCode,
    path: &str,
    [title, lead]: [&str; 2],
    form: Form,
) -> Response {
    let frame = Frame::new(visitor, path);
    let shown = Sheet {
        frame,
        title,
        lead,
        form,
    };
    look::page(status, &shown)
}

/// Rows on one page.
const ROWS: u32 = 100;

/// One row more than a page shows: whether there are more.
fn and_one(after: u64) -> Page {
    Page {
        after,
        limit: ROWS + 1,
    }
}

/// The months beside the one that is shown, and whether its list goes on.
#[derive(Debug)]
struct Turning {
    month: Month,
    path: String,
    /// The last row that is shown, where there are more.
    more: Option<u64>,
}

impl Turning {
    /// Keeps as many rows as a page shows.
    fn new<T>(path: String, month: Month, rows: &mut Vec<T>, id: impl Fn(&T) -> u64) -> Self {
        let longer = rows.len() > ROWS as usize;
        rows.truncate(ROWS as usize);
        Self {
            month,
            path,
            more: rows.last().filter(|_| longer).map(id),
        }
    }
}

/// What is in the last segment of an address: a number of the database's, or nothing that there is.
pub(crate) fn number(segment: &str) -> Option<u64> {
    let number = segment.parse::<i64>().ok()?;
    u64::try_from(number)
        .ok()
        .filter(|_| !segment.starts_with('+'))
}
