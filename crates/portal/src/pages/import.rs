//! Many accounts from a table, all or none.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use conclave_desk::{DeskError, Wanted};
use conclave_store::StoreError;

use super::bookings::spaced;
use crate::form::{Faults, Field, Form};
use crate::guard::Visitor;
use crate::look::{self, Frame};
use crate::portal::Portal;
use crate::problem::{Problem, sentence};

const PATH: &str = "/import";
/// So many wrong lines are told: whoever has more has made one mistake many times.
const MOST_TOLD: usize = 50;

#[derive(Template)]
#[template(path = "import.html")]
struct Import {
    frame: Frame,
    form: Form,
    errors: Vec<String>,
    doubts: Vec<String>,
    /// How many would be made.
    checked: Option<usize>,
    made: Vec<Made>,
}

struct Made {
    id: u64,
    name: String,
    email: String,
    host: String,
    guest: String,
}

fn sheet(portal: &Portal) -> Form {
    let once = portal.draw_token();
    Form::new(PATH, "Go on")
        .hidden("once", once.expose().as_str())
        .field(
            Field::lines("table", "Table (CSV)", 12)
                .hint("The first line names the columns: name, email, and if you like department, cost_code, lock, entry, exit, host_leaves, host_grace, consent, recording, recording_tone, quieting, noise_suppression, levelling, max_talkers, bookings, max_callers, longest_wait, host_pin, guest_pin.")
                .required(),
        )
        .field(Field::choice("what", "What to do", [
            ("check", "Check it, make nothing"),
            ("make", "Make the accounts, all or none"),
        ]))
}

pub(crate) async fn form(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    Ok(show(
        &visitor,
        StatusCode::OK,
        sheet(&portal),
        Import::nothing(),
    ))
}

type Said = (Vec<String>, Vec<String>, Option<usize>, Vec<Made>);

impl Import {
    fn nothing() -> Said {
        (Vec::new(), Vec::new(), None, Vec::new())
    }
}

fn show(visitor: &Visitor, status: StatusCode, form: Form, said: Said) -> Response {
    let (errors, doubts, checked, made) = said;
    let shown = Import {
        frame: Frame::new(visitor, PATH),
        form,
        errors,
        doubts,
        checked,
        made,
    };
    look::page(status, &shown)
}

pub(crate) async fn run(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let (user, typed) = (visitor.user()?, &visitor.fields);
    let desk = portal.desk();
    let act = portal.act(user).once(visitor.once(user, "import"));
    let mut draw = desk.draw().await?;
    let refused = |why: Vec<String>, doubts| {
        let form = sheet(&portal).typed(typed, &Faults::default());
        show(
            &visitor,
            StatusCode::UNPROCESSABLE_ENTITY,
            form,
            (why, doubts, None, Vec::new()),
        )
    };
    let table = match desk
        .read_table(typed.get("table").as_bytes(), &mut draw, false, &act)
        .await
    {
        Ok(table) => table,
        Err(DeskError::NoTable(why)) => return Ok(refused(vec![sentence(&why)], Vec::new())),
        Err(error) => return Err(error.into()),
    };
    if !table.errors.is_empty() {
        let told = table.errors.into_iter().take(MOST_TOLD).collect();
        return Ok(refused(told, table.doubts));
    }
    let wanted: Vec<Wanted> = table.wanted.into_iter().map(|(_, wanted)| wanted).collect();
    if wanted.is_empty() {
        let why = "There is no line after the first: there is nothing to be made.";
        return Ok(refused(vec![why.to_owned()], Vec::new()));
    }
    if typed.get("what") != "make" {
        let form = sheet(&portal).typed(typed, &Faults::default());
        let said = (Vec::new(), table.doubts, Some(wanted.len()), Vec::new());
        return Ok(show(&visitor, StatusCode::OK, form, said));
    }
    let made = match desk.open_accounts(&mut draw, &wanted, &act).await {
        Ok(made) => made,
        Err(DeskError::Store(StoreError::Repeated)) => {
            let why = "This table was sent before, and its accounts are made. PINs are shown once: reset those that are lost.";
            return Ok(refused(vec![why.to_owned()], Vec::new()));
        }
        Err(error) => return Err(error.into()),
    };
    let made = made.iter().map(|(account, pins)| Made {
        id: account.id.0,
        name: account.owner.name().to_owned(),
        email: account.owner.email().to_owned(),
        host: spaced(&pins.host),
        guest: spaced(&pins.guest),
    });
    let said = (Vec::new(), table.doubts, None, made.collect());
    Ok(show(&visitor, StatusCode::OK, sheet(&portal), said))
}
