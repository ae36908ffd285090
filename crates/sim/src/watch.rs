//! What must always hold of the bridge, seen from outside: who hears whom, built from its orders alone.
//!
//! - No Guest hears or is heard by anybody before a Host is in, nor while the account holds them.
//! - Nobody new is in once the conference is locked, but a Host while no Host is in.
//! - Who hears or is heard is in the roster of that conference, as the roster says; who is in no conference
//!   hears nothing but its own prompts.
//! - Whose peer holds the line is not heard.
//! - Every call ends once, by one hang-up, for one reason; afterwards nothing is ordered for it.
//! - After the end of a conference nobody is left in it and nothing of it is playing.
//! - Nothing is recorded before a Host is in, nor after the end.
//! - No two calls are in with one invitee's personal PIN.
//! - Plays have names of their own, something to play, and somebody to play it to; a wiped name is never played.
//!
//! That nobody hears their own voice follows from the shape of [`Route`]: a call is in one room, once, and
//! hears everyone in it but itself.

use std::collections::{BTreeMap, BTreeSet};

use conclave_accounts::{CallId, HostLeaves, InviteeId, Outcome, Role};
use conclave_attendant::{Action, Attendant, Audience, Event, Report, Route, Step};
use conclave_conference::{
    Clip, Conference, ConferenceId, Fact, LeaveReason, NameId, Phase, PlayId, RecordingId,
};

/// A rule that was broken, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(String);

/// Watches a bridge from its first event on.
#[derive(Debug, Default)]
pub struct Watch {
    calls: BTreeMap<CallId, Seen>,
    rooms: BTreeMap<ConferenceId, Room>,
    plays: BTreeMap<PlayId, Audience>,
    names: BTreeSet<NameId>,
    recording: BTreeSet<NameId>,
    /// What the recorder was told to record, and not to stop.
    recordings: BTreeMap<ConferenceId, RecordingId>,
    /// Hung up, by us or by the peer; the report must follow in the same step.
    ending: BTreeMap<CallId, Option<LeaveReason>>,
    ended: u64,
}

#[derive(Debug, Default)]
struct Seen {
    route: Option<Route>,
    role: Option<Role>,
    held: bool,
    /// The inquiry that storage was asked last, and the invitee whose PIN it found.
    inquiry: u32,
    found: Option<InviteeId>,
    /// The invitee with whose PIN the call is in.
    invitee: Option<InviteeId>,
}

#[derive(Debug, Default)]
struct Room {
    /// A Host has been in since it was last empty.
    opened: bool,
    been_in: BTreeSet<CallId>,
    /// As of the last check.
    was_locked: bool,
    host_was_in: bool,
}

impl Watch {
    /// How many calls have ended so far.
    pub fn ended(&self) -> u64 {
        self.ended
    }

    /// Whether `listener` hears `talker` now.
    pub fn hears(&self, listener: CallId, talker: CallId) -> bool {
        let route = |call| self.calls.get(call)?.route;
        match (route(&listener), route(&talker)) {
            (
                Some(Route::Room { conference, .. }),
                Some(Route::Room {
                    conference: other,
                    heard,
                }),
            ) => listener != talker && conference == other && heard,
            _ => false,
        }
    }

    /// The bridge is about to be told this.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Answered { call, .. } => {
                self.calls.entry(*call).or_default();
            }
            Event::PeerHold { call, held } => {
                if let Some(seen) = self.calls.get_mut(call) {
                    seen.held = *held;
                }
            }
            Event::PinJudged {
                call,
                inquiry,
                verdict,
            } => {
                if let Some(seen) = self.calls.get_mut(call)
                    && seen.inquiry == *inquiry
                    && let Outcome::Admit(ticket) = &verdict.outcome
                {
                    seen.found = ticket.invitee();
                }
            }
            Event::PlayEnded { play } => {
                self.plays.remove(play);
            }
            Event::NameRecorded { name, usable } => {
                self.recording.remove(name);
                if *usable {
                    self.names.insert(*name);
                }
            }
            Event::RecordingFailed {
                conference,
                recording,
            } => {
                let going = self
                    .recordings
                    .extract_if(.., |id, going| (*id, *going) == (*conference, *recording));
                going.for_each(drop);
            }
            Event::HungUp { call } if self.calls.remove(call).is_some() => {
                self.ending.insert(*call, None);
            }
            _ => {}
        }
    }

    /// The bridge has ordered this.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn action(&mut self, action: &Action) -> Result<(), Violation> {
        match action {
            Action::CheckPin { call, inquiry, .. } => {
                self.is_there(*call)?;
                if let Some(seen) = self.calls.get_mut(call) {
                    seen.inquiry = *inquiry;
                    seen.found = None;
                }
                Ok(())
            }
            Action::Probe { call } | Action::FinishName { call } => self.is_there(*call),
            Action::Route { call, route } => {
                self.is_there(*call)?;
                if let Some(seen) = self.calls.get_mut(call) {
                    seen.route = Some(*route);
                }
                Ok(())
            }
            Action::Tune { .. } => Ok(()),
            Action::Play { play, to, clips } => self.played(*play, *to, clips),
            Action::Stop { play } => {
                self.plays.remove(play);
                Ok(())
            }
            Action::RecordName { call, name } => {
                self.is_there(*call)?;
                let new = self.recording.insert(*name) && !self.names.contains(name);
                ensure(new, || format!("{name:?} isn't a new name"))
            }
            Action::ForgetName { name } => {
                let known = self.names.remove(name) | self.recording.remove(name);
                ensure(known, || format!("{name:?} is wiped and isn't kept"))
            }
            Action::StartRecording {
                conference,
                recording,
            } => {
                let host = self
                    .in_room(*conference)
                    .any(|(call, _)| self.calls[&call].role == Some(Role::Host));
                let before = self.recordings.insert(*conference, *recording);
                ensure(host && before.is_none(), || {
                    format!("{recording:?} begins without a Host, or beside {before:?}")
                })
            }
            Action::StopRecording { conference, .. } => {
                self.recordings.remove(conference);
                Ok(())
            }
            Action::HangUp { call, reason } => {
                ensure(self.calls.remove(call).is_some(), || {
                    format!("{call} is hung up and isn't there")
                })?;
                self.ending.insert(*call, Some(*reason));
                Ok(())
            }
            Action::Report(report) => self.reported(report),
        }
    }

    /// The actions are drained: compares what was seen with what the bridge says of itself.
    ///
    /// # Errors
    ///
    /// The rule that is broken.
    pub fn check(&mut self, bridge: &Attendant) -> Result<(), Violation> {
        let steps: BTreeMap<CallId, Step> = bridge.calls().collect();
        ensure(steps.keys().eq(self.calls.keys()), || {
            format!(
                "the bridge has {:?}, the line {:?}",
                steps.keys(),
                self.calls.keys()
            )
        })?;
        let unreported = self.ending.keys().next();
        ensure(unreported.is_none(), || {
            format!("{unreported:?} has ended, and no report says so")
        })?;
        for (call, step) in &steps {
            self.check_step(*call, *step, bridge)?;
        }
        self.check_invitees(&steps)?;
        for (id, conference) in bridge.conferences() {
            self.check_conference(id, conference)?;
        }
        self.rooms.retain(|id, _| bridge.conference(*id).is_some());
        let stray = self
            .recordings
            .keys()
            .find(|id| bridge.conference(**id).is_none());
        ensure(stray.is_none(), || {
            format!("{stray:?} is over, and recorded")
        })?;
        let stray = self
            .plays
            .keys()
            .find(|play| play.owner != 0 && bridge.conference(ConferenceId(play.owner)).is_none());
        ensure(stray.is_none(), || {
            format!("{stray:?} plays after the end of its conference")
        })?;
        if steps.is_empty() {
            ensure(bridge.conferences().len() == 0, || {
                "nobody is there, and a conference goes on".to_owned()
            })?;
            ensure(self.names.is_empty(), || {
                format!("nobody is there, and {:?} are kept", self.names)
            })?;
            ensure(bridge.poll_timeout().is_none(), || {
                format!(
                    "nobody is there, and {:?} is waited for",
                    bridge.poll_timeout()
                )
            })?;
        }
        Ok(())
    }

    fn played(&mut self, play: PlayId, to: Audience, clips: &[Clip]) -> Result<(), Violation> {
        ensure(!clips.is_empty(), || format!("{play:?} plays nothing"))?;
        for clip in clips {
            if let Clip::Name(name) = clip {
                ensure(self.names.contains(name), || {
                    format!("{play:?} plays {name:?}, which is wiped")
                })?;
            }
        }
        match to {
            Audience::Call(call) => self.is_there(call)?,
            Audience::Room { conference, except } => {
                let heard = self
                    .in_room(conference)
                    .any(|(call, _)| Some(call) != except);
                ensure(heard, || format!("{play:?} is heard by nobody"))?;
            }
        }
        ensure(self.plays.insert(play, to).is_none(), || {
            format!("{play:?} isn't a new name")
        })
    }

    fn reported(&mut self, report: &Report) -> Result<(), Violation> {
        match report {
            Report::CallEnded { call, reason, .. } => {
                self.ended += 1;
                let hung_up = self.ending.remove(call);
                ensure(
                    hung_up.is_some_and(|said| said.is_none_or(|said| said == *reason)),
                    || format!("{call} is reported as {reason:?} and was hung up as {hung_up:?}"),
                )
            }
            Report::Conference(record) => {
                match record.fact {
                    Fact::Arrived { call, role, .. } => {
                        if let Some(seen) = self.calls.get_mut(&call) {
                            seen.role = Some(role);
                        }
                    }
                    Fact::Departed { call, .. } => {
                        if let Some(room) = self.rooms.get_mut(&record.conference) {
                            room.been_in.remove(&call);
                        }
                    }
                    _ => {}
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_step(&self, call: CallId, step: Step, bridge: &Attendant) -> Result<(), Violation> {
        let route = self.calls[&call].route;
        match step {
            Step::InConference(id) => {
                let row = bridge
                    .conference(id)
                    .and_then(|room| room.participant(call));
                ensure(row.is_some(), || format!("{call} is in no roster"))?;
                let routed = match route {
                    Some(Route::Room { conference, .. }) => conference == id,
                    Some(Route::HoldMusic) => true,
                    Some(Route::Silence) | None => false,
                };
                ensure(routed, || format!("{call} is in {id:?} and has {route:?}"))
            }
            Step::Pin | Step::Judging | Step::Naming(_) | Step::Farewell(_) => {
                ensure(matches!(route, None | Some(Route::Silence)), || {
                    format!("{call} is at {step:?} and has {route:?}")
                })
            }
        }
    }

    /// From the admission on, be it only to the name, until the call is asked for another PIN or hung up.
    fn check_invitees(&mut self, steps: &BTreeMap<CallId, Step>) -> Result<(), Violation> {
        let mut present = BTreeMap::new();
        for (call, step) in steps {
            let Some(seen) = self.calls.get_mut(call) else {
                continue;
            };
            match step {
                Step::Naming(_) | Step::InConference(_) => seen.invitee = seen.found,
                Step::Pin | Step::Judging => seen.invitee = None,
                Step::Farewell(_) => {}
            }
            let other = seen
                .invitee
                .and_then(|invitee| present.insert(invitee, call));
            ensure(other.is_none(), || {
                format!("{call} and {other:?} are both in as {:?}", seen.invitee)
            })?;
        }
        Ok(())
    }

    fn check_conference(
        &mut self,
        id: ConferenceId,
        conference: &Conference,
    ) -> Result<(), Violation> {
        let roster: BTreeMap<CallId, (bool, bool)> = conference
            .roster()
            .filter(|(_, row)| row.hears() || row.is_heard())
            .map(|(call, row)| (call, (row.hears(), row.is_heard())))
            .collect();
        let routed: BTreeMap<CallId, (bool, bool)> = self
            .in_room(id)
            .map(|(call, heard)| (call, (true, heard)))
            .collect();
        ensure(roster == routed, || {
            format!("the roster says {roster:?} (hears, is heard), the line {routed:?}")
        })?;
        let host_is_in = routed
            .keys()
            .any(|call| self.calls[call].role == Some(Role::Host));
        for (call, (_, heard)) in &routed {
            let seen = &self.calls[call];
            ensure(seen.role.is_some(), || {
                format!("{call} is in and never arrived")
            })?;
            ensure(!(seen.held && *heard), || {
                format!("{call} is on hold and is heard")
            })?;
        }
        let room = self.rooms.entry(id).or_default();
        room.opened |= host_is_in;
        let goes_on = conference.terms().host_leaves == HostLeaves::Continue
            || matches!(conference.phase(), Phase::Ending { .. });
        ensure(
            routed.is_empty() || host_is_in || (room.opened && goes_on),
            || format!("Guests {:?} meet without a Host", routed.keys()),
        )?;
        for call in routed.keys() {
            let new = room.been_in.insert(*call);
            let is_host = |call: &CallId| self.calls[call].role == Some(Role::Host);
            // The one who was in may have left in this step.
            let another = routed.keys().any(|other| other != call && is_host(other));
            let is_wanted = is_host(call) && !(room.host_was_in && another);
            let locked = room.was_locked && conference.is_locked();
            ensure(!new || !locked || is_wanted, || {
                format!("{call} is in although it is locked")
            })?;
        }
        room.opened &= !routed.is_empty();
        room.was_locked = conference.is_locked();
        room.host_was_in = host_is_in;
        Ok(())
    }

    /// Who is routed into that room, and whether it is heard.
    fn in_room(&self, id: ConferenceId) -> impl Iterator<Item = (CallId, bool)> {
        self.calls
            .iter()
            .filter_map(move |(call, seen)| match seen.route {
                Some(Route::Room { conference, heard }) if conference == id => Some((*call, heard)),
                _ => None,
            })
    }

    fn is_there(&self, call: CallId) -> Result<(), Violation> {
        ensure(self.calls.contains_key(&call), || {
            format!("an order for {call}, which isn't there")
        })
    }
}

pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds {
        Ok(())
    } else {
        Err(Violation(otherwise()))
    }
}
