//! What is behind the entrances. Whoever comes here was let in by the guard.

pub(crate) mod account_forms;
pub(crate) mod accounts;
pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod bookings;
pub(crate) mod conferences;
pub(crate) mod import;
pub(crate) mod live;
pub(crate) mod policies;
pub(crate) mod reports;
pub(crate) mod sign_in;
pub(crate) mod tokens;
pub(crate) mod users;

use axum::response::Redirect;
use conclave_store::Page;

use crate::look::Month;

pub(crate) async fn home() -> Redirect {
    Redirect::to("/accounts")
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
