//! What the conference tells its shell: routes, plays, names to be wiped, entries for the books.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::Conference;
use crate::{
    Action, Audience, CallId, Clip, Fact, NameId, Participant, PlayId, Prompt, Record,
    plays::{About, is_to_call},
};

impl Conference {
    /// Tells the shell the call's route, if it isn't as it should be.
    pub(super) fn route(&mut self, call: CallId) {
        let floor = self.floor;
        if let Some(row) = self.roster.get_mut(call)
            && row.route != Some(row.due_route(floor))
        {
            let route = row.due_route(floor);
            row.route = Some(route);
            self.actions.push_back(Action::Route { call, route });
        }
    }

    pub(super) fn route_all(&mut self) {
        for call in self.roster.calls(|_| true) {
            self.route(call);
        }
    }

    pub(super) fn play_to_call(
        &mut self,
        call: CallId,
        about: About,
        clips: impl IntoIterator<Item = impl Into<Clip>>,
        now: DateTime<Utc>,
    ) -> Option<PlayId> {
        self.play(Audience::Call(call), about, clips, now)
    }

    pub(super) fn play_to_calls(
        &mut self,
        calls: &[CallId],
        about: About,
        clip: impl Into<Clip> + Copy,
        now: DateTime<Utc>,
    ) {
        for call in calls {
            self.play_to_call(*call, about, [clip], now);
        }
    }

    /// Plays to the room, if there is anybody in it (but `except`).
    pub(super) fn play_to_room(
        &mut self,
        except: Option<CallId>,
        about: About,
        clips: impl IntoIterator<Item = impl Into<Clip>>,
        now: DateTime<Utc>,
    ) -> Option<PlayId> {
        let heard = self
            .roster
            .iter()
            .any(|(call, row)| row.in_room() && Some(call) != except);
        if !heard {
            return None;
        }
        self.play(Audience::Room { except }, about, clips, now)
    }

    fn play(
        &mut self,
        to: Audience,
        about: About,
        clips: impl IntoIterator<Item = impl Into<Clip>>,
        now: DateTime<Utc>,
    ) -> Option<PlayId> {
        let clips: Vec<Clip> = clips.into_iter().map(Into::into).collect();
        let started = self.plays.start(to, about, &clips, now)?;
        self.stop(started.replaced);
        let play = started.play;
        self.actions.push_back(Action::Play { play, to, clips });
        Some(play)
    }

    pub(super) fn stop_play(&mut self, play: PlayId) {
        if self.plays.end(play) {
            self.stop([play]);
        }
    }

    pub(super) fn stop_plays_to(&mut self, call: CallId) {
        let plays = self.plays.take(|to| is_to_call(to, call));
        self.stop(plays);
    }

    pub(super) fn stop_room_plays(&mut self) {
        let plays = self.plays.take(|to| matches!(to, Audience::Room { .. }));
        self.stop(plays);
    }

    pub(super) fn stop_all_plays(&mut self) {
        let plays = self.plays.take(|_| true);
        self.stop(plays);
    }

    fn stop(&mut self, plays: impl IntoIterator<Item = PlayId>) {
        self.actions
            .extend(plays.into_iter().map(|play| Action::Stop { play }));
    }

    /// Lets go of the names of those who left, as far as nothing needs them any more.
    pub(super) fn forget_names(&mut self) {
        let needed = |name: NameId| {
            self.plays.use_name(name)
                || [&self.entering, &self.leaving]
                    .into_iter()
                    .flatten()
                    .any(|gathering| gathering.uses(name))
        };
        let (kept, gone) = std::mem::take(&mut self.parting)
            .into_iter()
            .partition(|name| needed(*name));
        self.parting = kept;
        self.forget(gone);
    }

    pub(super) fn forget(&mut self, names: BTreeSet<NameId>) {
        self.actions
            .extend(names.into_iter().map(|name| Action::ForgetName { name }));
    }

    pub(super) fn record(&mut self, fact: Fact, now: DateTime<Utc>) {
        let record = self.record_of(fact, now);
        self.actions.push_back(record);
    }

    pub(super) fn record_of(&self, fact: Fact, now: DateTime<Utc>) -> Action {
        Action::Record(Record {
            at: now,
            conference: self.id,
            fact,
        })
    }

    /// How a list of names speaks of a caller.
    pub(super) fn spoken(&self, call: CallId) -> Clip {
        self.roster
            .get(call)
            .map_or(Clip::Prompt(Prompt::UnnamedCaller), spoken_name)
    }
}

pub(super) fn spoken_name(row: &Participant) -> Clip {
    row.caller
        .name
        .map_or(Clip::Prompt(Prompt::UnnamedCaller), Clip::Name)
}
