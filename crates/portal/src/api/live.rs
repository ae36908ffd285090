//! Conferences that go on: what the console shows, as JSON and as events.

mod events;
mod shapes;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use conclave_conference::{ConferenceId, OperatorId, Refusal};
use conclave_store::Scope;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(super) use events::{Happening, LiveEvent};
use shapes::Unfit;
pub(super) use shapes::{
    LiveCaller, LiveConference, LiveDeed, LiveDetails, LiveFloor, LiveMute, LiveOrder, LivePlace,
    LiveQuality, LiveReception, LiveStage,
};

use super::problem::ApiProblem;
use super::{Call, List, Numbered};
use crate::live::{Order, Snapshot, Summary};
use crate::pages::live::{self as console, About, Known};
use crate::portal::Portal;
use crate::stream::{Events, Pushed};

/// A stream of all conferences follows so many caller by caller: each costs the bridge a look at it, four times a second.
const FOLLOWED: usize = 100;

pub(crate) async fn list_live(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let page = call.page()?;
    let now = Arc::clone(&console::live(&portal)?.list().await?.borrow());
    let mut known = Known::new(&portal, &call.user);
    let mut rows = Vec::new();
    for summary in by_number(&now) {
        if rows.len() < page.limit as usize
            && u64::from(summary.id.0) > page.after
            && let Some(about) = known.about(summary).await?
        {
            rows.push(LiveConference::of(summary, &about));
        }
    }
    let list = List::new(rows, page, |row| row.id, |row| row);
    Ok(Json(list).into_response())
}

fn by_number(list: &[Summary]) -> Vec<&Summary> {
    let mut list: Vec<_> = list.iter().collect();
    list.sort_by_key(|summary| summary.id);
    list
}

pub(crate) async fn one_live(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let snapshot = console::snapshot(&portal, &call.user, &which.id).await?;
    let about = about(&portal, &call, &snapshot.summary).await?;
    let full = console::sees_numbers(call.user.role);
    Ok(Json(LiveDetails::of(&snapshot, &about, full)).into_response())
}

async fn about(portal: &Portal, call: &Call, summary: &Summary) -> Result<About, ApiProblem> {
    let about = Known::new(portal, &call.user).about(summary).await?;
    about.ok_or_else(ApiProblem::not_found)
}

pub(crate) async fn order(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let snapshot = console::snapshot(&portal, &call.user, &which.id).await?;
    let wish: LiveOrder = call.body()?;
    let started = wish.started;
    let deed = wish.deed().map_err(|unfit| match unfit {
        Unfit::Lacks(field) => ApiProblem::field(field, "An order of this kind needs it."),
        Unfit::Has(field) => ApiProblem::field(field, "An order of this kind has none."),
    })?;
    let order = Order {
        conference: snapshot.summary.id,
        started,
        by: OperatorId(call.user.id.0),
        deed,
    };
    match console::live(&portal)?.order(order).await? {
        Ok(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(why @ Refusal::NotAName) => Err(ApiProblem::field("name", console::words(why))),
        Err(why) => Err(ApiProblem::new(StatusCode::CONFLICT, console::words(why))),
    }
}

/// Tells of conferences to one who listens.
struct Teller {
    portal: Portal,
    pushed: Pushed,
    /// Whole numbers of callers are for this user.
    full: bool,
}

impl Teller {
    async fn tell(&self, event: &LiveEvent) -> Option<()> {
        let data = serde_json::to_string(event).ok()?;
        self.pushed.event(event.what.word(), &data).await
    }

    /// How it stands and what happens in it, to its end.
    async fn follow(
        &self,
        mut changes: watch::Receiver<Arc<Snapshot>>,
        about: About,
        begins: Happening,
    ) -> Option<()> {
        let details = |snapshot: &Snapshot| LiveDetails::of(snapshot, &about, self.full);
        let mut known = details(&Arc::clone(&changes.borrow_and_update()));
        self.tell(&LiveEvent::whole(begins, &known, self.portal.now()))
            .await?;
        while changes.changed().await.is_ok() {
            let now = details(&Arc::clone(&changes.borrow_and_update()));
            for event in events::between(&known, &now, self.portal.now()) {
                self.tell(&event).await?;
            }
            known = now;
        }
        self.tell(&LiveEvent::ended(&known, self.portal.now()))
            .await
    }
}

pub(crate) async fn events_of_one(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
    Path(which): Path<Numbered>,
) -> Result<Response, ApiProblem> {
    let id = console::conference(&which.id)?;
    let watched = console::live(&portal)?.watch(id).await?;
    let changes = watched.ok_or_else(ApiProblem::not_found)?;
    let summary = changes.borrow().summary.clone();
    let about = about(&portal, &call, &summary).await?;
    let events = Events::open_for_program(&portal)?;
    let full = console::sees_numbers(call.user.role);
    let looker = call.looker(Scope::LiveRead);
    let teller_of = portal.clone();
    Ok(events.run(portal, looker, async move |pushed| {
        let teller = Teller {
            portal: teller_of,
            pushed,
            full,
        };
        teller.follow(changes, about, Happening::Snapshot).await
    }))
}

pub(crate) async fn events_of_all(
    State(portal): State<Portal>,
    Extension(call): Extension<Call>,
) -> Result<Response, ApiProblem> {
    let list = console::live(&portal)?.list().await?;
    let events = Events::open_for_program(&portal)?;
    let looker = call.looker(Scope::LiveRead);
    let full = console::sees_numbers(call.user.role);
    let all = portal.clone();
    Ok(events.run(portal, looker, async move |pushed| {
        let known = Known::new(&all, &call.user);
        let teller = Teller {
            portal: all,
            pushed,
            full,
        };
        follow_all(Arc::new(teller), list, known).await
    }))
}

/// How a stream of all conferences has each of them.
enum Follows {
    /// Caller by caller, by a task of its own.
    Closely,
    /// As the list has it.
    FromAfar(LiveConference),
}

async fn follow_all(
    teller: Arc<Teller>,
    mut list: watch::Receiver<Arc<[Summary]>>,
    mut known: Known,
) -> Option<()> {
    let mut following: BTreeMap<ConferenceId, Follows> = BTreeMap::new();
    let mut closely = JoinSet::new();
    let mut begins = Happening::Snapshot;
    loop {
        let now = Arc::clone(&list.borrow_and_update());
        for summary in by_number(&now) {
            let Some(about) = known.about(summary).await.ok()? else {
                continue;
            };
            match following.get_mut(&summary.id) {
                Some(Follows::Closely) => {}
                Some(Follows::FromAfar(before)) => {
                    let is = LiveConference::of(summary, &about);
                    if *before != is {
                        let at = teller.portal.now();
                        teller
                            .tell(&LiveEvent::from_afar(Happening::Changed, &is, at))
                            .await?;
                        *before = is;
                    }
                }
                None if closely.len() < FOLLOWED => {
                    let live = console::live(&teller.portal).ok()?;
                    // One that is over already never was.
                    if let Some(changes) = live.watch(summary.id).await.ok()? {
                        let teller = Arc::clone(&teller);
                        closely.spawn(async move { teller.follow(changes, about, begins).await });
                        following.insert(summary.id, Follows::Closely);
                    }
                }
                None => {
                    let is = LiveConference::of(summary, &about);
                    let at = teller.portal.now();
                    teller.tell(&LiveEvent::from_afar(begins, &is, at)).await?;
                    following.insert(summary.id, Follows::FromAfar(is));
                }
            }
        }
        let there = |id: &ConferenceId| now.iter().any(|summary| summary.id == *id);
        let gone: Vec<_> = following.keys().filter(|id| !there(id)).copied().collect();
        for id in gone {
            // Who follows it closely says so.
            if let Some(Follows::FromAfar(last)) = following.remove(&id) {
                let at = teller.portal.now();
                teller
                    .tell(&LiveEvent::from_afar(Happening::Ended, &last, at))
                    .await?;
            }
        }
        begins = Happening::Started;
        loop {
            tokio::select! {
                changed = list.changed() => {
                    changed.ok()?;
                    break;
                }
                Some(_) = closely.join_next() => {}
            }
        }
    }
}
