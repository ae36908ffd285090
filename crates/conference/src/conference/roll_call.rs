//! The roll call: for one Host's ears, while the conference goes on and people come and go.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{Conference, arrive::count_clips};
use crate::{CallId, PlayId, Prompt, Refusal, plays::About};

/// A roll call under way.
#[derive(Debug)]
pub(super) enum RollCall {
    /// The count of all, in one play.
    Count { play: PlayId },
    /// One name after the other: each is chosen when the one before is over, so that those who left are
    /// skipped and those who came are called.
    Names {
        play: PlayId,
        called: BTreeSet<CallId>,
    },
}

impl RollCall {
    pub(super) fn play(&self) -> PlayId {
        match self {
            Self::Count { play } | Self::Names { play, .. } => *play,
        }
    }
}

impl Conference {
    /// Begins it, or begins it anew.
    pub(super) fn call_the_roll(
        &mut self,
        host: CallId,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let mut clips = vec![Prompt::RollCall.into()];
        let names = self.terms.names();
        if !names {
            clips.extend(count_clips(self.roster.in_room()));
        }
        if let Some(play) = self.play_to_call(host, About::RollCall, clips, now) {
            let roll_call = if names {
                let called = BTreeSet::new();
                RollCall::Names { play, called }
            } else {
                RollCall::Count { play }
            };
            self.roll_calls.insert(host, roll_call);
        }
        Ok(())
    }

    /// An operator has no ear: the Hosts who are in hear it.
    pub(super) fn call_the_roll_to_hosts(&mut self, now: DateTime<Utc>) -> Result<(), Refusal> {
        let hosts = self.roster.hosts_in();
        if hosts.is_empty() {
            return Err(Refusal::NothingToDo);
        }
        hosts
            .into_iter()
            .try_for_each(|host| self.call_the_roll(host, now))
    }

    /// A play is over: if it was a roll call's, the next name follows.
    pub(super) fn roll_call_goes_on(&mut self, ended: PlayId, now: DateTime<Utc>) {
        let host = self
            .roll_calls
            .iter()
            .find(|(_, roll_call)| roll_call.play() == ended)
            .map(|(host, _)| *host);
        let Some(host) = host else { return };
        let Some(RollCall::Names { mut called, .. }) = self.roll_calls.remove(&host) else {
            return;
        };
        let next = self
            .roster
            .iter()
            .find(|(call, row)| row.in_room() && !called.contains(call))
            .map(|(call, _)| call);
        let Some(next) = next else { return };
        called.insert(next);
        let name = self.spoken(next);
        if let Some(play) = self.play_to_call(host, About::RollCall, [name], now) {
            self.roll_calls
                .insert(host, RollCall::Names { play, called });
        }
    }
}
