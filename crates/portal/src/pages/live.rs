//! The live console: conferences as they go on, and what can be done in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use conclave_accounts::{AccountId, BookingId, Role};
use conclave_conference::{
    CallId, Command, ConferenceId, Floor, Muted, OperatorId, Place, Refusal, WaitFor,
};
use conclave_store::{Store, User, UserRole};

use super::number;
use crate::guard::Visitor;
use crate::live::{self, Deed, Live, Order, Reception, Snapshot, Stage, Summary};
use crate::look::{self, Frame, When, masked};
use crate::portal::Portal;
use crate::problem::Problem;
use crate::stream::{Events, Looker, Pushed};

const PATH: &str = "/live";

/// The list, with the frame around it.
#[derive(Template)]
#[template(path = "live.html")]
struct ListPage {
    frame: Frame,
    list: ListPart,
}

/// What changes of it.
#[derive(Template)]
#[template(path = "live_list.html")]
struct ListPart {
    conferences: Vec<Listed>,
    all: bool,
}

struct Listed {
    id: u32,
    title: String,
    owner: String,
    started: When,
    state: String,
}

/// A conference, with the frame around it.
#[derive(Template)]
#[template(path = "live_conference.html")]
struct ConsolePage {
    frame: Frame,
    id: u32,
    title: String,
    owner: String,
    account: u64,
    started: When,
    /// Why what was asked for wasn't done.
    refused: Option<&'static str>,
    console: Console,
}

/// What changes of it.
#[derive(Template)]
#[template(path = "live_console.html")]
struct Console {
    id: u32,
    started: i64,
    form: String,
    may_act: bool,
    state: String,
    stage: Stage,
    locked: bool,
    can_lock: bool,
    turned_away: u32,
    floor: Floor,
    hands: usize,
    noise: bool,
    asking: Vec<Row>,
    waiting: Vec<Row>,
    room: Vec<Row>,
}

/// A caller, in words.
struct Row {
    call: u64,
    name: String,
    /// What the field to correct it holds.
    known: String,
    role: &'static str,
    number: String,
    arrived: When,
    place: &'static str,
    asks: bool,
    in_room: bool,
    marks: Vec<(&'static str, &'static str)>,
    can_let_speak: bool,
    silenced: bool,
    quieted: bool,
    speaking: bool,
    quality: Option<(&'static str, String)>,
}

impl Console {
    fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    fn is_ending(&self) -> bool {
        matches!(self.stage, Stage::Ending { .. })
    }

    fn can_take_back(&self) -> bool {
        let back = Stage::Ending {
            can_take_back: true,
        };
        self.stage == back
    }

    fn floors(&self) -> [(&'static str, &'static str, bool); 3] {
        [
            ("open", "Everyone", Floor::Open),
            ("lecture", "Lecture", Floor::Lecture),
            ("strict", "Strict lecture", Floor::StrictLecture),
        ]
        .map(|(word, label, floor)| (word, label, self.floor == floor))
    }
}

pub(crate) async fn list(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let now = Arc::clone(&live(&portal)?.list().await?.borrow());
    let mut known = Known::new(&portal, visitor.user()?);
    let shown = ListPage {
        frame: Frame::new(&visitor, PATH),
        list: known.list(&now).await?,
    };
    Ok(look::page(StatusCode::OK, &shown))
}

pub(crate) async fn list_events(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    let mut changes = live(&portal)?.list().await?;
    let events = Events::open(&portal)?;
    let user = visitor.user()?.clone();
    let looker = Looker::Browser(visitor);
    Ok(
        events.run(portal.clone(), looker, async move |pushed: Pushed| {
            let mut known = Known::new(&portal, &user);
            loop {
                let now = Arc::clone(&changes.borrow_and_update());
                pushed.part(&known.list(&now).await.ok()?).await?;
                changes.changed().await.ok()?;
            }
        }),
    )
}

pub(crate) async fn one(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let snapshot = snapshot(&portal, visitor.user()?, &id).await?;
    show(&portal, &visitor, &snapshot, StatusCode::OK, None).await
}

pub(crate) async fn events(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let watched = live(&portal)?.watch(conference(&id)?).await?;
    let mut changes = watched.ok_or(Problem::NotFound)?;
    let user = visitor.user()?.clone();
    let account = changes.borrow().summary.account;
    portal.account(&user, account).await?;
    let events = Events::open(&portal)?;
    let form = Frame::new(&visitor, PATH).form;
    let looker = Looker::Browser(visitor);
    Ok(events.run(portal, looker, async move |pushed: Pushed| {
        loop {
            let now = Arc::clone(&changes.borrow_and_update());
            // Who speaks changes all the time: it comes by itself, and is small.
            let console = console(&now, &user, form.clone(), false);
            pushed.part(&console).await?;
            pushed.speaking(&now).await?;
            if changes.changed().await.is_err() {
                return pushed.over(account).await;
            }
        }
    }))
}

pub(crate) async fn act(
    State(portal): State<Portal>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let user = visitor.user()?;
    let id = conference(&id)?;
    let snapshot = snapshot(&portal, user, &id.0.to_string()).await?;
    let fields = &visitor.fields;
    let call = CallId(fields.number("call"));
    let Some(deed) = deed(fields.get("do"), call, fields.get("name")) else {
        return Err(Problem::NotFound);
    };
    let order = Order {
        conference: id,
        started: started(fields.get("started")).ok_or(Problem::NotFound)?,
        by: OperatorId(user.id.0),
        deed,
    };
    match live(&portal)?.order(order).await? {
        Ok(()) => Ok(Redirect::to(&format!("{PATH}/{}", id.0)).into_response()),
        Err(why) => {
            let refused = Some(words(why));
            show(&portal, &visitor, &snapshot, StatusCode::CONFLICT, refused).await
        }
    }
}

async fn show(
    portal: &Portal,
    visitor: &Visitor,
    snapshot: &Snapshot,
    status: StatusCode,
    refused: Option<&'static str>,
) -> Result<Response, Problem> {
    let (user, summary) = (visitor.user()?, &snapshot.summary);
    let about = Known::new(portal, user).about(summary).await?;
    let About { title, owner } = about.ok_or(Problem::NotFound)?;
    let frame = Frame::new(visitor, PATH);
    let shown = ConsolePage {
        id: summary.id.0,
        title,
        owner,
        account: summary.account.0,
        started: When(summary.started),
        refused,
        console: console(snapshot, user, frame.form.clone(), true),
        frame,
    };
    Ok(look::page(status, &shown))
}

pub(crate) fn live(portal: &Portal) -> Result<&Live, Problem> {
    portal.live().ok_or(Problem::NotFound)
}

pub(crate) fn conference(id: &str) -> Result<ConferenceId, Problem> {
    let id = number(id).and_then(|id| u32::try_from(id).ok());
    id.map(ConferenceId).ok_or(Problem::NotFound)
}

/// A conference, if this user may see it; one of somebody else's is as good as none.
pub(crate) async fn snapshot(
    portal: &Portal,
    user: &User,
    id: &str,
) -> Result<Arc<Snapshot>, Problem> {
    let snapshot = live(portal)?.snapshot(conference(id)?).await?;
    let snapshot = snapshot.ok_or(Problem::NotFound)?;
    portal.account(user, snapshot.summary.account).await?;
    Ok(snapshot)
}

/// What a form says of when the conference started.
fn started(text: &str) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(text.parse().ok()?)
}

/// What a form's button means.
pub(crate) fn deed(word: &str, call: CallId, name: &str) -> Option<Deed> {
    let floor = |floor| Command::SetFloor { floor };
    Some(Deed::Command(match word {
        "name" => {
            let name = name.to_owned();
            return Some(Deed::Name { call, name });
        }
        "lock" => Command::SetLock { locked: true },
        "unlock" => Command::SetLock { locked: false },
        "open" => floor(Floor::Open),
        "lecture" => floor(Floor::Lecture),
        "strict" => floor(Floor::StrictLecture),
        "quiet-noise" => Command::Quiet,
        "next-hand" => Command::Hand,
        "roll-call" => Command::RollCall,
        "end" => Command::EndForAll,
        "take-back" => Command::Star,
        "mute" => Command::MuteCall { call, muted: true },
        "unmute" => Command::MuteCall { call, muted: false },
        "quiet" => Command::QuietCall {
            call,
            quieted: true,
        },
        "restore" => Command::QuietCall {
            call,
            quieted: false,
        },
        "let-speak" => Command::LetSpeak { call },
        "disconnect" => Command::Remove { call },
        "let-in" => Command::Admit {
            call,
            welcome: true,
        },
        "send-away" => Command::Admit {
            call,
            welcome: false,
        },
        _ => return None,
    }))
}

/// Why it wasn't done, and what helps.
pub(crate) fn words(why: Refusal) -> &'static str {
    match why {
        Refusal::Unknown => "That caller has left, or the conference is over. Nothing was done.",
        Refusal::NotAllowed => "The account of this conference does not have that feature.",
        Refusal::Locked => {
            "The conference is locked, so nobody can be let in. Unlock it first, then let the caller in."
        }
        Refusal::Ending => "The conference is ending. Take that back first.",
        Refusal::NothingToDo => {
            "There was nothing to do: what you saw may have changed, or somebody else was faster."
        }
        Refusal::NotAName => {
            "That is no name: it should have 1 to 100 printable characters, at least one of them a letter."
        }
        _ => "The bridge refused that.",
    }
}

fn may_act(role: UserRole) -> bool {
    match role {
        UserRole::Host | UserRole::Service | UserRole::Administrator => true,
        UserRole::Auditor => false,
    }
}

pub(crate) fn sees_numbers(role: UserRole) -> bool {
    match role {
        UserRole::Administrator | UserRole::Auditor => true,
        UserRole::Host | UserRole::Service => false,
    }
}

fn console(snapshot: &Snapshot, user: &User, form: String, speaking: bool) -> Console {
    let summary = &snapshot.summary;
    let full = sees_numbers(user.role);
    let mut shown = Console {
        id: summary.id.0,
        started: summary.started.timestamp_micros(),
        form,
        may_act: may_act(user.role),
        state: state(summary),
        stage: summary.stage,
        locked: summary.locked,
        can_lock: snapshot.can_lock,
        turned_away: snapshot.turned_away,
        floor: snapshot.floor,
        hands: 0,
        noise: false,
        asking: Vec::new(),
        waiting: Vec::new(),
        room: Vec::new(),
    };
    for caller in &snapshot.callers {
        let row = row(caller, full, speaking);
        let in_room = caller.place == Place::Room;
        shown.hands += usize::from(in_room && caller.hand);
        shown.noise |= in_room && caller.noisy && caller.muted.is_none();
        let rows = if in_room {
            &mut shown.room
        } else if live::asks(caller.place) {
            &mut shown.asking
        } else {
            &mut shown.waiting
        };
        rows.push(row);
    }
    shown
}

fn row(caller: &live::Caller, full: bool, speaking: bool) -> Row {
    let number = match (&caller.number, full) {
        (None, _) => "withheld".to_owned(),
        (Some(number), true) => number.clone(),
        (Some(number), false) => masked(number),
    };
    let mut marks = Vec::new();
    if let Some(muted) = caller.muted {
        marks.push(match muted {
            Muted::Quieted => ("muted", "quieted: noisy line"),
            Muted::ByHost => ("muted", "muted by a Host"),
            Muted::ByLecture => ("muted", "muted by the lecture"),
            Muted::ByOneself => ("muted", "muted by the caller"),
        });
    }
    if caller.hand {
        marks.push(("hand", "hand is up"));
    }
    if caller.on_hold {
        marks.push(("hold", "line is on hold"));
    }
    if caller.noisy {
        marks.push(("noisy", "music or noise"));
    }
    Row {
        call: caller.call.0,
        name: match &caller.name {
            Some(name) => name.clone(),
            None => format!("Caller {}", caller.call.0),
        },
        known: caller.name.clone().unwrap_or_default(),
        role: match caller.role {
            Role::Host => "Host",
            Role::Guest => "Guest",
        },
        number,
        arrived: When(caller.arrived),
        place: match caller.place {
            Place::Room => "",
            Place::Waiting {
                what: WaitFor::Host,
                ..
            } => "waits for a Host",
            Place::Waiting {
                what: WaitFor::Consent,
                ..
            } => "waits to be let in",
            Place::Waiting {
                what: WaitFor::Notice,
                ..
            } => "is told of the recording",
            Place::Held { .. } => "waits for a Host to return",
        },
        asks: live::asks(caller.place),
        in_room: caller.place == Place::Room,
        marks,
        can_let_speak: caller.can_let_speak,
        silenced: matches!(caller.muted, Some(Muted::ByHost | Muted::Quieted)),
        quieted: caller.muted == Some(Muted::Quieted),
        speaking: speaking && caller.speaking,
        quality: caller.reception.map(quality),
    }
}

/// From where on talk suffers: a lost packet in twenty is heard, one in fifty by those who listen for it.
pub(crate) fn quality(reception: Reception) -> (&'static str, String) {
    let Reception { lost, jitter_ms } = reception;
    let word = match (lost, jitter_ms) {
        (0..=1, 0..=40) => "good",
        (0..=4, 0..=80) => "fair",
        _ => "poor",
    };
    (word, format!("{lost} % lost, {jitter_ms} ms jitter"))
}

/// How it stands, in a sentence: what a screen reader says when it changes.
fn state(summary: &Summary) -> String {
    let mut state = match summary.stage {
        Stage::AwaitingHost => "No Host is in yet.".to_owned(),
        Stage::Open => format!("{} in the room.", people(summary)),
        Stage::HostAway => {
            "The last Host has left; everyone waits until a Host is back.".to_owned()
        }
        Stage::Ending { .. } => "The end is being announced.".to_owned(),
    };
    match summary.asking {
        0 => {}
        1 => state.push_str(" 1 caller waits to be let in."),
        asking => state.push_str(&format!(" {asking} callers wait to be let in.")),
    }
    match summary.waiting - summary.asking {
        0 => {}
        1 => state.push_str(" 1 caller waits for a Host."),
        waiting => state.push_str(&format!(" {waiting} callers wait for a Host.")),
    }
    if summary.locked {
        state.push_str(" The conference is locked.");
    }
    state
}

fn people(summary: &Summary) -> String {
    let count = |n: usize, one: &str| match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    };
    let (hosts, guests) = (summary.hosts, summary.guests);
    format!("{}, {}", count(hosts, "Host"), count(guests, "Guest"))
}

/// What a conference is about and whose it is, for one user; remembered, since neither changes while it goes on.
pub(crate) struct Known {
    portal: Portal,
    user: User,
    abouts: BTreeMap<(AccountId, Option<BookingId>), Option<About>>,
}

#[derive(Clone)]
pub(crate) struct About {
    pub(crate) title: String,
    pub(crate) owner: String,
}

impl Known {
    pub(crate) fn new(portal: &Portal, user: &User) -> Self {
        Self {
            portal: portal.clone(),
            user: user.clone(),
            abouts: BTreeMap::new(),
        }
    }

    /// `None` where the user may not see it.
    pub(crate) async fn about(&mut self, summary: &Summary) -> Result<Option<About>, Problem> {
        let key = (summary.account, summary.booking);
        if let Some(about) = self.abouts.get(&key) {
            return Ok(about.clone());
        }
        let about = match self.portal.account(&self.user, summary.account).await {
            Ok(account) => {
                let booking = match summary.booking {
                    Some(id) => self.portal.store().booking(id).await?,
                    None => None,
                };
                Some(About {
                    title: match booking {
                        Some(booking) => booking.title.as_str().to_owned(),
                        None => format!("Conference of {}", account.owner.name()),
                    },
                    owner: account.owner.name().to_owned(),
                })
            }
            Err(Problem::NotFound) => None,
            Err(problem) => return Err(problem),
        };
        self.abouts.insert(key, about.clone());
        Ok(about)
    }

    async fn list(&mut self, summaries: &[Summary]) -> Result<ListPart, Problem> {
        let mut conferences = Vec::new();
        for summary in summaries {
            if let Some(About { title, owner }) = self.about(summary).await? {
                conferences.push(Listed {
                    id: summary.id.0,
                    title,
                    owner,
                    started: When(summary.started),
                    state: state(summary),
                });
            }
        }
        Ok(ListPart {
            conferences,
            all: crate::portal::sees_all(self.user.role),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_judged_by_what_is_heard_of_it() {
        let check = |lost, jitter_ms, word| {
            assert_eq!(
                quality(Reception { lost, jitter_ms }).0,
                word,
                "{lost} % {jitter_ms} ms"
            );
        };
        check(0, 3, "good");
        check(1, 40, "good");
        check(2, 0, "fair");
        check(0, 41, "fair");
        check(4, 80, "fair");
        check(5, 0, "poor");
        check(0, 200, "poor");
    }

    #[test]
    fn how_it_stands_is_said_in_a_sentence() {
        let quiet = Summary {
            id: ConferenceId(1),
            account: AccountId(1),
            booking: None,
            started: DateTime::UNIX_EPOCH,
            stage: Stage::Open,
            hosts: 1,
            guests: 2,
            waiting: 0,
            asking: 0,
            locked: false,
        };
        assert_eq!(state(&quiet), "1 Host, 2 Guests in the room.");
        let busy = Summary {
            waiting: 3,
            asking: 1,
            locked: true,
            ..quiet.clone()
        };
        assert_eq!(
            state(&busy),
            "1 Host, 2 Guests in the room. 1 caller waits to be let in. 2 callers wait for a Host. The conference is locked."
        );
        let early = Summary {
            stage: Stage::AwaitingHost,
            waiting: 1,
            ..quiet
        };
        assert_eq!(
            state(&early),
            "No Host is in yet. 1 caller waits for a Host."
        );
    }

    #[test]
    fn every_button_means_something() {
        let source = concat!(
            include_str!("../../templates/live_console.html"),
            include_str!("../../templates/live_row.html")
        );
        let buttons: Vec<_> = source
            .split("name=\"do\" value=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|word| !word.contains('{'))
            .collect();
        assert!(buttons.len() >= 15, "{buttons:?}");
        for word in buttons.into_iter().chain(["open", "lecture", "strict"]) {
            assert!(deed(word, CallId(1), "Ada").is_some(), "{word}");
        }
        assert_eq!(deed("destroy", CallId(1), ""), None);
    }
}
