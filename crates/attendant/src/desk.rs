//! What all journeys share: the queue of orders, and who waits for which play and which name.

use std::collections::{BTreeMap, VecDeque};

use conclave_accounts::CallId;
use conclave_conference::{NameId, PlayId, Prompt};

use crate::{Action, Audience, Report, Route};

/// The owner's number in the attendant's own plays.
pub(crate) const ATTENDANT: u32 = 0;

#[derive(Debug, Default)]
pub(crate) struct Desk {
    pub(crate) actions: VecDeque<Action>,
    /// Who waits for the end of which of the attendant's plays.
    plays: BTreeMap<u32, CallId>,
    /// Every name that the media plane may hold: whose, while it is being recorded.
    names: BTreeMap<NameId, Option<CallId>>,
    last_play: u32,
    last_name: u64,
}

impl Desk {
    pub(crate) fn order(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(crate) fn report(&mut self, report: Report) {
        self.order(Action::Report(report));
    }

    pub(crate) fn route(&mut self, call: CallId, route: Route) {
        self.order(Action::Route { call, route });
    }

    pub(crate) fn play(&mut self, call: CallId, prompts: &[Prompt]) -> PlayId {
        self.last_play = self.last_play.wrapping_add(1);
        let play = PlayId {
            owner: ATTENDANT,
            number: self.last_play,
        };
        self.plays.insert(play.number, call);
        self.order(Action::Play {
            play,
            to: Audience::Call(call),
            clips: prompts.iter().copied().map(Into::into).collect(),
        });
        play
    }

    /// Stops a play and no longer waits for its end.
    pub(crate) fn stop(&mut self, play: PlayId) {
        if self.plays.remove(&play.number).is_some() {
            self.order(Action::Stop { play });
        }
    }

    /// A play is over; who waited for it, if anybody does.
    pub(crate) fn play_ended(&mut self, play: PlayId) -> Option<CallId> {
        self.plays.remove(&play.number)
    }

    pub(crate) fn record_name(&mut self, call: CallId) -> NameId {
        self.last_name += 1;
        let name = NameId(self.last_name);
        self.names.insert(name, Some(call));
        self.order(Action::RecordName { call, name });
        name
    }

    /// A recording has ended; who waited for it. One that nobody waits for any more is wiped.
    pub(crate) fn name_recorded(&mut self, name: NameId, usable: bool) -> Option<CallId> {
        let Some(waiting) = self.names.get_mut(&name) else {
            if usable {
                self.order(Action::ForgetName { name });
            }
            return None;
        };
        let call = waiting.take();
        if !usable && call.is_some() {
            self.names.remove(&name);
        }
        call
    }

    pub(crate) fn forget_name(&mut self, name: NameId) {
        if self.names.remove(&name).is_some() {
            self.order(Action::ForgetName { name });
        }
    }
}
