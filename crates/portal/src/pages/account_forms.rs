//! Accounts, as they are made and changed.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use conclave_accounts::{
    Account, AccountId, AccountState, Announce, HostLeaves, LONGEST_GRACE, Owner, Role, Terms,
    TermsError,
};
use conclave_desk::{DeskError, Leaving, Talkers, Wanted, WishError, Wishes, checked_word};
use conclave_store::{AccountChange, Find, Page, Store, StoreError, User, UserRole};

use super::bookings::spaced;
use super::{number, show_sheet};
use crate::fields::Fields;
use crate::form::{Faults, Field, Form};
use crate::guard::Visitor;
use crate::look::{self, Frame};
use crate::portal::{Portal, is_own, sees_pins};
use crate::problem::{Problem, sentence};

/// Accounts that a person may have without asking anybody.
pub(crate) const OWN_ACCOUNTS: usize = 5;

const ANNOUNCED: [(&str, &str); 3] = [
    ("none", "Nothing is heard"),
    ("tone", "A tone"),
    ("name", "The recorded name"),
];
const LEAVES: [(&str, &str); 3] = [
    ("continue", "The Guests go on talking"),
    ("hold", "The Guests hear music until a Host is back"),
    ("hangup", "Everyone is disconnected"),
];

/// What was just drawn, shown this once.
#[derive(Template)]
#[template(path = "drawn.html")]
struct Drawn<'a> {
    frame: Frame,
    title: &'a str,
    account: Account,
    host: Option<String>,
    guest: Option<String>,
    /// Whether this user may see them.
    sees: bool,
    doubt: Option<String>,
}

pub(crate) async fn new_form(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let once = portal.draw_token();
    let form = new_sheet().hidden("once", once.expose().as_str());
    Ok(show_new(&visitor, StatusCode::OK, form))
}

fn new_sheet() -> Form {
    let form = Form::new("/accounts/new", "Make the account")
        .field(
            Field::text("name", "Name")
                .hint("Of the person: an account is never a department's.")
                .required(),
        )
        .field(Field::input("email", "E-mail address", "email").required())
        .field(
            Field::text("department", "Department")
                .hint("For reports; may be empty.")
                .short(),
        )
        .field(
            Field::text("cost_code", "Cost code")
                .hint("For reports; may be empty.")
                .short(),
        );
    terms_fields(form, &Terms::default(), true)
}

fn show_new(visitor: &Visitor, status: StatusCode, form: Form) -> Response {
    let lead = "For one named person, who gets a Host PIN to open conferences with and a Guest PIN to hand out.";
    let words = ["Make an account", lead];
    show_sheet(visitor, status, "/accounts/new", words, form)
}

pub(crate) async fn make(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let typed = &visitor.fields;
    let mut faults = Faults::default();
    let owner = read_owner(typed, &mut faults);
    let words = read_words(typed, &mut faults);
    let terms = read_terms(typed, &Terms::default(), &mut faults);
    let (Some(owner), Some((department, cost_code)), Some(terms)) = (owner, words, terms) else {
        let form = new_sheet()
            .hidden("once", typed.get("once"))
            .typed(typed, &faults);
        return Ok(show_new(&visitor, StatusCode::UNPROCESSABLE_ENTITY, form));
    };
    let doubt = owner.doubt().map(|doubt| sentence(&doubt.to_string()));
    let wanted = Wanted {
        department,
        cost_code,
        bookings: typed.get("bookings") != "off",
        ..Wanted::new(owner, terms)
    };
    open(&portal, &visitor, wanted, doubt, "account").await
}

/// Opens an account and shows its PINs to whoever may see them.
async fn open(
    portal: &Portal,
    visitor: &Visitor,
    wanted: Wanted,
    doubt: Option<String>,
    what: &str,
) -> Result<Response, Problem> {
    let user = visitor.user()?;
    let once = visitor.once(user, what);
    let act = portal.act(user).once(once);
    match portal.desk().open_account(wanted, &act).await {
        Ok((account, pins)) => {
            let (host, guest) = (spaced(&pins.host), spaced(&pins.guest));
            show_drawn(
                visitor,
                "The account is made",
                account,
                Some(host),
                Some(guest),
                doubt,
            )
        }
        Err(DeskError::Store(StoreError::Repeated)) => {
            let done = match &once {
                Some(once) => portal.store().done(once).await?,
                None => None,
            };
            let done = done.ok_or(Problem::Unavailable)?;
            Ok(to(AccountId(done.made)))
        }
        Err(error) => Err(error.into()),
    }
}

fn to(account: AccountId) -> Response {
    Redirect::to(&format!("/accounts/{}", account.0)).into_response()
}

fn show_drawn(
    visitor: &Visitor,
    title: &str,
    account: Account,
    host: Option<String>,
    guest: Option<String>,
    doubt: Option<String>,
) -> Result<Response, Problem> {
    let sees = sees_pins(visitor.user()?, &account);
    let shown = Drawn {
        frame: Frame::new(visitor, "/accounts"),
        title,
        host: host.filter(|_| sees),
        guest: guest.filter(|_| sees),
        account,
        sees,
        doubt,
    };
    Ok(look::page(StatusCode::OK, &shown))
}

/// A further account for a Host: a second group of people, with PINs of its own.
pub(crate) async fn further(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let wanted = as_the_first(&portal, visitor.user()?).await?;
    open(&portal, &visitor, wanted, None, "further").await
}

/// What a further account of this Host is to be like.
pub(crate) async fn as_the_first(portal: &Portal, user: &User) -> Result<Wanted, Problem> {
    let own = Find::Email(user.email.to_string());
    let mut accounts = portal.store().accounts(&own, Page::all()).await?;
    accounts.retain(|account| is_own(user, account) && account.state == AccountState::Active);
    let Some(first) = accounts.first() else {
        return Err(Problem::Refused(
            "A further account is for whoever has one. Customer service gives you the first."
                .to_owned(),
        ));
    };
    if accounts.len() >= OWN_ACCOUNTS {
        return Err(Problem::Refused(format!(
            "You have {} accounts: customer service gives you more. A booking has PINs of its own, too.",
            accounts.len()
        )));
    }
    // As the first one is: what the bridge's people granted holds for it, too.
    Ok(Wanted {
        department: first.department.clone(),
        cost_code: first.cost_code.clone(),
        bookings: first.bookings,
        ..Wanted::new(first.owner.clone(), first.terms.clone())
    })
}

/// An account that this visitor may change; see [`Portal::account`].
async fn find(portal: &Portal, visitor: &Visitor, id: &str) -> Result<Account, Problem> {
    let id = AccountId(number(id).ok_or(Problem::NotFound)?);
    portal.account(visitor.user()?, id).await
}

pub(crate) async fn settings_form(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let account = find(&portal, &visitor, &id).await?;
    let form = settings_sheet(&visitor, &account)?;
    Ok(show_settings(&visitor, StatusCode::OK, &account, form))
}

/// Whose account it is and what it may do at all is for customer service; how its conferences go is for its Host.
fn administers(role: UserRole) -> bool {
    match role {
        UserRole::Service | UserRole::Administrator => true,
        UserRole::Host | UserRole::Auditor => false,
    }
}

fn settings_sheet(visitor: &Visitor, account: &Account) -> Result<Form, Problem> {
    let form = Form::new(format!("/accounts/{}/settings", account.id.0), "Save");
    if !administers(visitor.user()?.role) {
        return Ok(host_fields(form, &account.terms));
    }
    let word = |word: &Option<String>| word.clone().unwrap_or_default();
    let form = form
        .field(
            Field::text("name", "Name")
                .value(account.owner.name())
                .required(),
        )
        .field(
            Field::input("email", "E-mail address", "email")
                .value(account.owner.email())
                .required(),
        )
        .field(
            Field::text("department", "Department")
                .value(word(&account.department))
                .short(),
        )
        .field(
            Field::text("cost_code", "Cost code")
                .value(word(&account.cost_code))
                .short(),
        );
    Ok(terms_fields(form, &account.terms, account.bookings))
}

/// What a Host decides.
fn host_fields(form: Form, terms: &Terms) -> Form {
    let on = |on: bool| if on { "on" } else { "off" };
    let (leaves, grace) = match terms.host_leaves {
        HostLeaves::Continue => ("continue", 0),
        HostLeaves::Hold => ("hold", 0),
        HostLeaves::Hangup { grace } => ("hangup", grace.as_secs()),
    };
    form.field(
        Field::choice("entry", "Someone joins", ANNOUNCED)
            .value(announced(terms.entry))
            .short(),
    )
    .field(
        Field::choice("exit", "Someone leaves", ANNOUNCED)
            .value(announced(terms.exit))
            .short(),
    )
    .field(
        Field::choice(
            "consent",
            "Guests come in",
            [
                ("off", "When a Host is in"),
                ("on", "One by one, when a Host lets them in (*4)"),
            ],
        )
        .value(on(terms.consent))
        .short(),
    )
    .field(
        Field::switch("lock", "Hosts may lock (*7)")
            .value(on(terms.lock))
            .short(),
    )
    .field(
        Field::choice("host_leaves", "The last Host leaves", LEAVES)
            .value(leaves)
            .short(),
    )
    .field(
        Field::input("host_grace", "Seconds to come back in", "number")
            .value(grace.to_string())
            .hint("Where everyone is disconnected: they are held so long first, 0 to 120.")
            .short(),
    )
    .field(
        Field::switch("quieting", "Noisy lines are quieted by themselves")
            .value(on(terms.quieting))
            .short(),
    )
    .field(
        Field::switch("noise_suppression", "Noise of lines is turned down")
            .value(on(terms.noise_suppression))
            .short(),
    )
    .field(
        Field::switch("levelling", "Voices are levelled")
            .value(on(terms.levelling))
            .short(),
    )
    .field(
        Field::input("max_talkers", "Heard at once", "number")
            .value(terms.most_talkers.unwrap_or(0).to_string())
            .hint("The loudest who speak, 8 to 10000; 0 for all.")
            .short(),
    )
}

/// What customer service decides besides.
fn terms_fields(form: Form, terms: &Terms, bookings: bool) -> Form {
    let on = |on: bool| if on { "on" } else { "off" };
    host_fields(form, terms)
        .field(
            Field::switch("bookings", "May book conferences")
                .value(on(bookings))
                .short(),
        )
        .field(
            Field::switch("recording", "Hosts may record (*2)")
                .value(on(terms.recording))
                .short(),
        )
        .field(
            Field::input(
                "recording_tone",
                "Seconds between tones while recorded",
                "number",
            )
            .value(terms.recording_tone.as_secs().to_string())
            .hint("10 to 3600, or 0 for none.")
            .short(),
        )
        .field(
            Field::input("max_callers", "Callers at most", "number")
                .value(terms.max_participants.to_string())
                .short(),
        )
        .field(
            Field::input("longest_wait", "Minutes a Guest waits for a Host", "number")
                .value((terms.longest_wait.as_secs() / 60).to_string())
                .short(),
        )
}

fn announced(how: Announce) -> &'static str {
    match how {
        Announce::None => "none",
        Announce::Tone => "tone",
        Announce::Name => "name",
    }
}

fn show_settings(visitor: &Visitor, status: StatusCode, account: &Account, form: Form) -> Response {
    let title = format!("Settings of {}", account.owner.name());
    let lead = "They hold for conferences that start from now on.";
    show_sheet(visitor, status, "/accounts", [&title, lead], form)
}

pub(crate) async fn settings(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (user, typed) = (visitor.user()?, &visitor.fields);
    let account = find(&portal, &visitor, &id).await?;
    let mut faults = Faults::default();
    let terms = read_terms(typed, &account.terms, &mut faults);
    let mut change = AccountChange::default();
    if administers(user.role) {
        change.owner = read_owner(typed, &mut faults);
        if let Some((department, cost_code)) = read_words(typed, &mut faults) {
            change.department = Some(department);
            change.cost_code = Some(cost_code);
        }
        change.bookings = Some(typed.get("bookings") != "off");
    }
    let Some(terms) = terms.filter(|_| faults.is_empty()) else {
        let form = settings_sheet(&visitor, &account)?.typed(typed, &faults);
        return Ok(show_settings(
            &visitor,
            StatusCode::UNPROCESSABLE_ENTITY,
            &account,
            form,
        ));
    };
    // What only customer service decides stays as it is, whatever a Host's form says.
    let terms = if administers(user.role) {
        terms
    } else {
        Terms {
            max_participants: account.terms.max_participants,
            longest_wait: account.terms.longest_wait,
            ..terms
        }
    };
    change.terms = Some(terms);
    if !change.apply(&mut account.clone()).is_empty() {
        let act = portal.act(user);
        portal
            .store()
            .change_account(account.id, &change, &act)
            .await?;
    }
    Ok(to(account.id))
}

fn read_owner(typed: &Fields, faults: &mut Faults) -> Option<Owner> {
    let owner = Owner::new(typed.get("name"), typed.get("email"));
    owner
        .map_err(|error| {
            let field = match error {
                conclave_accounts::OwnerError::Name => "name",
                conclave_accounts::OwnerError::Email => "email",
            };
            faults.add(field, sentence(&error.to_string()));
        })
        .ok()
}

type Word = Option<String>;

fn read_words(typed: &Fields, faults: &mut Faults) -> Option<(Word, Word)> {
    let [department, cost_code] = ["department", "cost_code"].map(|field| {
        let word = checked_word("It has", typed.get(field));
        faults.take(
            field,
            word.map_err(|_| "At most 100 characters on one line."),
        )
    });
    Some((department?, cost_code?))
}

fn read_terms(typed: &Fields, before: &Terms, faults: &mut Faults) -> Option<Terms> {
    let announce = |field: &str| match typed.get(field) {
        "none" => Some(Announce::None),
        "tone" => Some(Announce::Tone),
        "name" => Some(Announce::Name),
        _ => None,
    };
    let switch = |field: &str| match typed.get(field) {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    };
    let host_leaves = match typed.get("host_leaves") {
        "continue" => Some(Leaving::Continue),
        "hold" => Some(Leaving::Hold),
        "hangup" => Some(Leaving::Hangup),
        _ => None,
    };
    let mut number = |field: &'static str| -> Option<u64> {
        let text = typed.get(field).trim();
        if text.is_empty() {
            return None;
        }
        let number = text.parse();
        faults.take(field, number.map_err(|_| "This must be a number."))
    };
    let fits = |most: u64| u32::try_from(most).unwrap_or(u32::MAX);
    let (grace, most, wait) = (
        number("host_grace"),
        number("max_callers").map(fits),
        number("longest_wait"),
    );
    let (talkers, tone) = (number("max_talkers").map(fits), number("recording_tone"));
    let wishes = Wishes {
        lock: switch("lock"),
        consent: switch("consent"),
        entry: announce("entry"),
        exit: announce("exit"),
        // A grace that is left over from another choice is no mistake.
        host_grace: grace.filter(|_| host_leaves == Some(Leaving::Hangup)),
        host_leaves,
        max_callers: most,
        longest_wait: wait,
        recording: switch("recording"),
        recording_tone: tone,
        quieting: switch("quieting"),
        noise_suppression: switch("noise_suppression"),
        levelling: switch("levelling"),
        max_talkers: talkers.map(Talkers::from),
    };
    let terms = wishes.of(before).map_err(|error| match error {
        WishError::Terms(TermsError::Grace) | WishError::GraceForNothing => faults.add(
            "host_grace",
            format!("Give 0 to {} seconds.", LONGEST_GRACE.as_secs()),
        ),
        WishError::Terms(TermsError::MaxParticipants) => {
            faults.add("max_callers", "Give 2 to 10000.");
        }
        WishError::Terms(TermsError::MostTalkers) => {
            faults.add("max_talkers", "Give 8 to 10000, or 0 for all.");
        }
        WishError::Terms(TermsError::RecordingTone) => {
            faults.add("recording_tone", "Give 10 to 3600 seconds, or 0.");
        }
        WishError::Terms(TermsError::Wait) => faults.add("longest_wait", "Give 1 to 1440 minutes."),
    });
    terms.ok()
}

pub(crate) async fn pins(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let user = visitor.user()?;
    let account = find(&portal, &visitor, &id).await?;
    if account.state == AccountState::Closed {
        return Err(StoreError::Closed(account.id).into());
    }
    let role = match visitor.fields.get("which") {
        "host" => Role::Host,
        "guest" => Role::Guest,
        _ => return Err(Problem::NotFound),
    };
    let pin = portal
        .desk()
        .reset_pin(account.id, role, &portal.act(user))
        .await?;
    let pin = Some(spaced(&pin));
    let (title, host, guest) = match role {
        Role::Host => ("Another Host PIN", pin, None),
        Role::Guest => ("Another Guest PIN", None, pin),
    };
    show_drawn(&visitor, title, account, host, guest, None)
}

pub(crate) async fn state(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let user = visitor.user()?;
    let account = find(&portal, &visitor, &id).await?;
    let state = match visitor.fields.get("to") {
        "suspended" => AccountState::Suspended,
        "active" => AccountState::Active,
        "closed" if visitor.fields.get("sure") == "yes" => AccountState::Closed,
        "closed" => {
            return Err(Problem::Refused(
                "A closed account stays closed, and its bookings are cancelled. Tick the box beside the button if that is meant.".to_owned(),
            ));
        }
        _ => return Err(Problem::NotFound),
    };
    portal
        .store()
        .set_state(account.id, state, &portal.act(user))
        .await?;
    Ok(to(account.id))
}
