//! What must always hold of a conference, watched from outside: by this crate's tests, fuzzers and simulators.
//!
//! The [`Watch`] knows nothing of the machine's insides: it sees what the shell sees, and compares that with the
//! roster. Tell it each event before the conference is told, each action as it comes out, and let it
//! [`check`](Watch::check) when the actions are drained. [`Watched`] does all that for a conference that it owns.
//!
//! - No Guest hears or is heard by anyone before a Host is in, nor while the account holds them.
//! - Nobody new is in once the conference is locked, but a Host while no Host is in.
//! - Who waits for consent is in by a Host's or the portal's word, and not before.
//! - Everyone who can hear or be heard is in the roster, as the roster says.
//! - Every call leaves once, for one reason; the books say the same.
//! - What plays is heard by somebody who is there, is told by one name and at most once, uses no wiped name, and
//!   never piles up.
//! - Nothing is recorded unless a Host is in, nor without a word to those who are in; who comes later is told before.
//! - A spoken name is kept as long as its caller is in, and is wiped once.
//! - After the end nobody is left, nothing is playing, no name is kept, and nothing more is said.
//!
//! That nobody hears their own voice follows from [`Route`]: a call is in one room, once, and a room is
//! everyone but oneself.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use conclave_accounts::{HostLeaves, Role, Ticket};

use crate::{
    Action, Actor, Audience, CallId, Clip, Command, Conference, Event, Fact, LeaveReason, NameId,
    Phase, PlayId, Prompt, Record, RecordingId, Refusal, Route, WaitFor,
};

/// More plays than that for one pair of ears, or for the room, have piled up.
const MOST_PLAYS: usize = 32;

/// A rule that was broken, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(String);

/// A conference under watch: each change drains its actions and checks.
#[derive(Debug)]
pub struct Watched {
    conference: Conference,
    watch: Watch,
}

impl Watched {
    /// Watches a conference that nothing was told yet.
    pub fn new(conference: Conference) -> Self {
        let watch = Watch::new();
        Self { conference, watch }
    }

    /// The conference, to look at.
    pub fn conference(&self) -> &Conference {
        &self.conference
    }

    /// [`Conference::handle_event`], and what came of it.
    ///
    /// # Errors
    ///
    /// The first rule that is broken, as in all that follow.
    pub fn event(&mut self, event: Event, now: DateTime<Utc>) -> Result<Vec<Action>, Violation> {
        self.watch.event(&event);
        self.conference.handle_event(event, now);
        self.drain()
    }

    /// [`Conference::knock`], its answer, and what came of it.
    pub fn knock(
        &mut self,
        call: CallId,
        ticket: &Ticket,
        now: DateTime<Utc>,
    ) -> Result<(Result<(), Refusal>, Vec<Action>), Violation> {
        let answer = self.conference.knock(call, ticket, now);
        Ok((answer, self.drain()?))
    }

    /// [`Conference::execute`], its answer, and what came of it.
    pub fn execute(
        &mut self,
        by: Actor,
        command: Command,
        now: DateTime<Utc>,
    ) -> Result<(Result<(), Refusal>, Vec<Action>), Violation> {
        let answer = self.conference.execute(by, command, now);
        Ok((answer, self.drain()?))
    }

    /// [`Conference::rename`], its answer, and what came of it.
    pub fn rename(
        &mut self,
        by: Actor,
        call: CallId,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<(Result<(), Refusal>, Vec<Action>), Violation> {
        let answer = self.conference.rename(by, call, name, now);
        Ok((answer, self.drain()?))
    }

    /// [`Conference::handle_timeout`], and what came of it. Nothing that was due may be left.
    pub fn timeout(&mut self, now: DateTime<Utc>) -> Result<Vec<Action>, Violation> {
        self.conference.handle_timeout(now);
        let due = self.conference.poll_timeout().filter(|(at, _)| *at <= now);
        ensure(due.is_none(), || format!("{due:?} is still due at {now}"))?;
        self.drain()
    }

    fn drain(&mut self) -> Result<Vec<Action>, Violation> {
        let mut actions = Vec::new();
        while let Some(action) = self.conference.poll_action() {
            self.watch.action(&action)?;
            actions.push(action);
        }
        self.watch.check(&self.conference)?;
        Ok(actions)
    }
}

/// Watches one conference from its first event to its end.
#[derive(Debug, Default)]
pub struct Watch {
    present: BTreeMap<CallId, Seen>,
    /// Calls in the books whose departure isn't.
    booked: BTreeSet<CallId>,
    /// Why a call left, for its entry in the books, if there is to be one.
    left: BTreeMap<CallId, LeaveReason>,
    /// Wait for a human's word.
    asking: BTreeSet<CallId>,
    /// A Host gave that word in this step, to one of them.
    welcomed: bool,
    /// Came into the room in this step, and whether a Host was in then.
    came: Vec<(CallId, bool)>,
    plays: BTreeMap<PlayId, Audience>,
    last_play: Option<PlayId>,
    names: BTreeSet<NameId>,
    /// A Host has been in since the room was last empty.
    opened: bool,
    /// The recorder was told to record.
    recorder: Option<RecordingId>,
    /// By the books it is recorded.
    recorded: bool,
    /// What tells somebody so, and those who have been told since it began.
    notices: BTreeMap<PlayId, CallId>,
    told: BTreeSet<CallId>,
    /// The word to all is still to come.
    untold: bool,
    /// As the last check saw it.
    before: Before,
    ended: u32,
}

#[derive(Debug)]
struct Seen {
    role: Role,
    name: Option<NameId>,
    route: Option<Route>,
    been_in: bool,
}

#[derive(Debug, Default)]
struct Before {
    locked: bool,
    host_in: bool,
}

impl Watch {
    /// A watch for a conference that nothing was told yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The conference is about to be told this.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Arrived {
                call,
                ticket,
                caller,
            } => {
                self.present.entry(*call).or_insert_with(|| {
                    self.names.extend(caller.name);
                    Seen {
                        role: ticket.role(),
                        name: caller.name,
                        route: None,
                        been_in: false,
                    }
                });
            }
            Event::Left { call, reason } => {
                if self.present.remove(call).is_some() {
                    self.left.insert(*call, *reason);
                }
            }
            Event::PlayEnded { play } => {
                self.plays.remove(play);
                self.told.extend(self.notices.remove(play));
            }
            Event::RecordingFailed { recording } => {
                self.recorder.take_if(|asked| asked == recording);
            }
            Event::PeerHold { .. }
            | Event::Level { .. }
            | Event::Noisy { .. }
            | Event::Rescheduled { .. }
            | Event::RecordingBegan { .. }
            | Event::ShutDown => {}
        }
    }

    /// The conference has ordered this.
    ///
    /// # Errors
    ///
    /// The first rule that it breaks.
    pub fn action(&mut self, action: &Action) -> Result<(), Violation> {
        match action {
            Action::Route { call, route } => self.routed(*call, *route),
            Action::Play { play, to, clips } => self.played(*play, *to, clips),
            Action::Stop { play } => {
                // Also where its end was never told.
                self.told.extend(self.notices.remove(play));
                ensure(self.plays.remove(play).is_some(), || {
                    format!("{play:?} is stopped and isn't playing")
                })
            }
            Action::StartRecording { recording } => {
                let before = self.recorder.replace(*recording);
                ensure(before.is_none() && self.host_is_in(), || {
                    format!("{recording:?} begins without a Host or beside {before:?}")
                })
            }
            Action::StopRecording { recording } => {
                self.recorder.take_if(|asked| asked == recording);
                Ok(())
            }
            Action::Release { call, reason, .. } => {
                ensure(self.present.remove(call).is_some(), || {
                    format!("{call} is released and isn't there")
                })?;
                let booked = self.left.remove(call);
                ensure(booked.is_none_or(|booked| booked == *reason), || {
                    format!("{call} is released for {reason:?}, the books say {booked:?}")
                })
            }
            Action::ForgetName { name } => self.forgotten(*name),
            Action::Record(record) => self.recorded(record),
        }
    }

    /// The actions are drained: compares what was seen with the conference.
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn check(&mut self, conference: &Conference) -> Result<(), Violation> {
        self.check_roster(conference)?;
        self.check_host(conference)?;
        self.check_lock(conference)?;
        self.check_ears(conference)?;
        self.check_recording(conference)?;
        let unbooked = self.left.keys().next();
        ensure(unbooked.is_none(), || {
            format!("{unbooked:?} left, and the books don't say so")
        })?;
        let stray = self
            .booked
            .iter()
            .find(|call| !self.present.contains_key(call));
        ensure(stray.is_none(), || {
            format!("{stray:?} is in the books and nowhere else")
        })?;
        if conference.is_over() {
            self.check_over()?;
        }
        self.came.clear();
        self.welcomed = false;
        let empty = self.in_room().next().is_none();
        self.opened &= !empty;
        self.before = Before {
            locked: conference.is_locked(),
            host_in: self.host_is_in(),
        };
        Ok(())
    }

    fn routed(&mut self, call: CallId, route: Route) -> Result<(), Violation> {
        let host_in = self.host_is_in();
        let Some(seen) = self.present.get_mut(&call) else {
            return broken(format!("{call} is routed and isn't there"));
        };
        let was_in = matches!(seen.route, Some(Route::Room { .. }));
        seen.route = Some(route);
        if matches!(route, Route::Room { .. }) && !was_in {
            ensure(!self.asking.contains(&call), || {
                format!("{call} is in the room and still waits for consent")
            })?;
            ensure(!self.recorded || self.told.contains(&call), || {
                format!("{call} is in the room and doesn't know that it is recorded")
            })?;
            self.opened |= seen.role == Role::Host;
            self.came.push((call, host_in));
            ensure(self.opened, || {
                format!("{call} is in the room before any Host")
            })?;
        }
        Ok(())
    }

    fn played(&mut self, play: PlayId, to: Audience, clips: &[Clip]) -> Result<(), Violation> {
        ensure(!clips.is_empty(), || format!("{play:?} plays nothing"))?;
        ensure(self.ended == 0, || format!("{play:?} begins after the end"))?;
        ensure(self.last_play < Some(play), || {
            format!("{play:?} isn't a new name")
        })?;
        self.last_play = Some(play);
        let heard = match to {
            Audience::Call(call) => self.present.contains_key(&call),
            Audience::Room { except } => self.in_room().any(|call| Some(call) != except),
        };
        ensure(heard, || format!("{play:?} to {to:?} is heard by nobody"))?;
        for clip in clips {
            match (to, clip) {
                (Audience::Call(call), Clip::Prompt(Prompt::ConferenceIsRecorded)) => {
                    if std::mem::take(&mut self.welcomed) {
                        self.asking.remove(&call);
                    }
                    self.notices.insert(play, call);
                }
                (Audience::Room { except: None }, Clip::Prompt(Prompt::RecordingStarted)) => {
                    self.untold = false;
                }
                _ => {}
            }
            if let Clip::Name(name) = clip {
                ensure(self.names.contains(name), || {
                    format!("{play:?} plays {name:?}, which is wiped")
                })?;
            }
        }
        self.plays.insert(play, to);
        let same = |other: &&Audience| match (**other, to) {
            (Audience::Room { .. }, Audience::Room { .. }) => true,
            (other, to) => other == to,
        };
        let piled = self.plays.values().filter(same).count();
        ensure(piled <= MOST_PLAYS, || {
            format!("{piled} plays have piled up for {to:?}")
        })
    }

    fn forgotten(&mut self, name: NameId) -> Result<(), Violation> {
        ensure(self.names.remove(&name), || {
            format!("{name:?} is wiped and isn't kept")
        })
    }

    fn recorded(&mut self, record: &Record) -> Result<(), Violation> {
        match &record.fact {
            Fact::Arrived {
                call, waits_for, ..
            } => {
                if *waits_for == Some(WaitFor::Consent) {
                    self.asking.insert(*call);
                }
                let new = self.present.contains_key(call) && self.booked.insert(*call);
                ensure(new, || format!("{call} arrives in the books alone"))
            }
            Fact::Command {
                command,
                refused: None,
                ..
            } => {
                match command {
                    // Which caller it is about, the admission that follows says.
                    Command::Consent => self.welcomed = true,
                    Command::Admit {
                        call,
                        welcome: true,
                    } => {
                        self.asking.remove(call);
                    }
                    _ => {}
                }
                Ok(())
            }
            Fact::Admitted { call } => {
                let welcome = !self.asking.remove(call) || std::mem::take(&mut self.welcomed);
                ensure(welcome, || format!("{call} is let in by nobody's word"))
            }
            Fact::Departed { call, reason } => {
                self.asking.remove(call);
                ensure(self.booked.remove(call), || {
                    format!("{call} departs and never arrived, or departs again")
                })?;
                if self.present.contains_key(call) {
                    // Its release must follow, for the same reason.
                    self.left.insert(*call, *reason);
                    return Ok(());
                }
                let told = self.left.remove(call);
                ensure(told == Some(*reason), || {
                    format!("{call} left for {told:?}, the books say {reason:?}")
                })
            }
            Fact::RecordingStarted { recording } => {
                self.told.clear();
                (self.recorded, self.untold) = (true, true);
                ensure(self.recorder == Some(*recording), || {
                    format!("{recording:?} is in the books alone")
                })
            }
            Fact::RecordingStopped { recording, .. } => {
                ensure(std::mem::take(&mut self.recorded), || {
                    format!("{recording:?} stops and hadn't begun")
                })
            }
            Fact::Ended { .. } => {
                self.ended += 1;
                ensure(self.ended == 1, || "it ends twice".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn check_roster(&self, conference: &Conference) -> Result<(), Violation> {
        let roster: BTreeMap<CallId, _> = conference.roster().collect();
        ensure(roster.keys().eq(self.present.keys()), || {
            format!(
                "the roster has {:?}, the bridge {:?}",
                roster.keys(),
                self.present.keys()
            )
        })?;
        for (call, seen) in &self.present {
            let row = roster[call];
            let hears = matches!(seen.route, Some(Route::Room { .. }));
            let heard = seen.route == Some(Route::Room { heard: true });
            let agree = seen.route.is_some() && row.hears() == hears && row.is_heard() == heard;
            ensure(agree, || {
                format!("{call} has the route {:?}, the roster {row:?}", seen.route)
            })?;
            ensure(!(heard && row.on_hold()), || {
                format!("{call} is on hold and is heard")
            })?;
            let named = seen.name.is_none_or(|name| self.names.contains(&name));
            ensure(named, || format!("{call} is in and its name is wiped"))?;
        }
        Ok(())
    }

    fn check_host(&self, conference: &Conference) -> Result<(), Violation> {
        if self.host_is_in() || self.in_room().next().is_none() {
            return Ok(());
        }
        let may_go_on = conference.terms().host_leaves == HostLeaves::Continue
            || matches!(conference.phase(), Phase::Ending { .. });
        ensure(self.opened && may_go_on, || {
            "Guests meet without a Host".to_owned()
        })
    }

    fn check_lock(&mut self, conference: &Conference) -> Result<(), Violation> {
        let locked = self.before.locked && conference.is_locked();
        for (call, host_in) in &self.came {
            let Some(seen) = self.present.get_mut(call) else {
                continue;
            };
            let host_wanted = !(self.before.host_in && *host_in);
            let may = seen.been_in || (seen.role == Role::Host && host_wanted);
            ensure(!locked || may, || {
                format!("{call} is in although it is locked")
            })?;
            seen.been_in = true;
        }
        Ok(())
    }

    /// What plays for a call goes with it, and what plays in the room with the last of it; but the word that ends
    /// the conference is waited for.
    fn check_ears(&self, conference: &Conference) -> Result<(), Violation> {
        let ending = matches!(conference.phase(), Phase::Ending { .. });
        let deaf = self.plays.iter().find(|(_, to)| match to {
            Audience::Call(call) => !self.present.contains_key(call),
            Audience::Room { .. } => !ending && self.in_room().next().is_none(),
        });
        ensure(deaf.is_none(), || {
            format!("nobody is there to hear {deaf:?}")
        })
    }

    fn check_recording(&self, conference: &Conference) -> Result<(), Violation> {
        ensure(conference.is_recorded() == self.recorded, || {
            "the books and the conference differ on whether it is recorded".to_owned()
        })?;
        let may = self.host_is_in() || matches!(conference.phase(), Phase::Ending { .. });
        ensure(!self.recorded || (may && self.recorder.is_some()), || {
            "it is recorded without a Host, or without a recorder".to_owned()
        })?;
        ensure(!self.recorded || !self.untold, || {
            "it is recorded and nobody was told".to_owned()
        })
    }

    fn check_over(&self) -> Result<(), Violation> {
        ensure(self.present.is_empty(), || {
            format!("it is over, and {:?} are left", self.present.keys())
        })?;
        ensure(self.plays.is_empty(), || {
            format!("it is over, and {:?} play", self.plays.keys())
        })?;
        ensure(self.recorder.is_none(), || {
            format!("it is over, and {:?} goes on", self.recorder)
        })?;
        ensure(self.names.is_empty(), || {
            format!("it is over, and {:?} are kept", self.names)
        })
    }

    fn in_room(&self) -> impl Iterator<Item = CallId> {
        self.present
            .iter()
            .filter(|(_, seen)| matches!(seen.route, Some(Route::Room { .. })))
            .map(|(call, _)| *call)
    }

    fn host_is_in(&self) -> bool {
        self.in_room()
            .any(|call| self.present[&call].role == Role::Host)
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { broken(otherwise()) }
}

fn broken(what: String) -> Result<(), Violation> {
    Err(Violation(what))
}
