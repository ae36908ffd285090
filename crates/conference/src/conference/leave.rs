//! Leaving: what it means to the others, above all when it was the last Host.

use chrono::{DateTime, Utc};
use conclave_accounts::{HostLeaves, Role};

use super::{Alone, Conference, Phase, say::spoken_name};
use crate::{
    Action, CallId, EndReason, Fact, Floor, LeaveReason, Participant, Place, Prompt, RecordingEnd,
    plays::About, timer::later,
};

impl Conference {
    /// The call is gone, or goes where the conference doesn't follow it.
    pub(super) fn leave(&mut self, call: CallId, reason: LeaveReason, now: DateTime<Utc>) {
        if let Some(row) = self.take_out(call, reason, now) {
            self.go_on_without(call, &row, reason, now);
        }
    }

    /// The conference parts with the call.
    pub(super) fn release(
        &mut self,
        call: CallId,
        farewell: Option<Prompt>,
        reason: LeaveReason,
        now: DateTime<Utc>,
    ) {
        if let Some(row) = self.take_out(call, reason, now) {
            self.actions.push_back(Action::Release {
                call,
                farewell,
                reason,
            });
            self.go_on_without(call, &row, reason, now);
        }
    }

    /// Parts with everyone, and is over.
    pub(super) fn release_all(
        &mut self,
        reason: LeaveReason,
        farewell: impl Fn(&Participant) -> Option<Prompt>,
        why: EndReason,
        now: DateTime<Utc>,
    ) {
        self.stop_all_plays();
        for call in self.roster.calls(|_| true) {
            if let Some(row) = self.take_out(call, reason, now) {
                self.actions.push_back(Action::Release {
                    call,
                    farewell: farewell(&row),
                    reason,
                });
            }
        }
        self.finish(why, now);
    }

    /// Watches whether one is left in the room with nobody to talk to. Callers who wait are no company.
    pub(super) fn watch_alone(&mut self, now: DateTime<Utc>) {
        let mut in_room = self.roster.iter().filter(|(_, row)| row.in_room());
        let only = match (self.phase, in_room.next(), in_room.next()) {
            (Phase::Open, Some((call, _)), None) => Some(call),
            _ => None,
        };
        let watched = self.alone.map(|alone| match alone {
            Alone::ToBeWarned { call, .. } | Alone::ToBeEnded { call, .. } => call,
        });
        if only != watched {
            self.alone = only.map(|call| Alone::ToBeWarned {
                call,
                at: later(now, self.terms.alone),
            });
        }
    }

    /// Out of the roster and the books, with all that was for its ears.
    fn take_out(
        &mut self,
        call: CallId,
        reason: LeaveReason,
        now: DateTime<Utc>,
    ) -> Option<Participant> {
        let row = self.roster.remove(call)?;
        self.stop_plays_to(call);
        self.roll_calls.remove(&call);
        self.dialogues.remove(&call);
        self.drop_dialogues_about(call);
        self.parting.extend(row.caller.name);
        self.record(Fact::Departed { call, reason }, now);
        Some(row)
    }

    fn go_on_without(
        &mut self,
        call: CallId,
        row: &Participant,
        reason: LeaveReason,
        now: DateTime<Utc>,
    ) {
        if self.roster.is_empty() {
            let why = match self.phase {
                Phase::Ending { why, .. } => why,
                Phase::AwaitingHost | Phase::Open | Phase::HostAway { .. } | Phase::Over { .. } => {
                    reason.ends_with()
                }
            };
            return self.finish(why, now);
        }
        // While the end is being announced nobody minds who goes.
        if row.in_room() && self.phase == Phase::Open {
            let last_host = row.role == Role::Host && !self.roster.host_is_in();
            let recorded = last_host && self.cut_recording(RecordingEnd::HostLeft, now);
            if recorded {
                // A Host may be among them.
                self.let_in_who_hears_the_notice(now);
            }
            if self.is_over() {
                return;
            }
            if last_host && !self.roster.host_is_in() {
                self.last_host_left(call, row, now);
            } else {
                self.announce_exit(call, spoken_name(row), now);
            }
            if recorded && !self.is_over() {
                self.tell_that_recording_stopped(now);
            }
        }
        if self.is_over() {
            return;
        }
        self.begin_afresh_if_empty();
        self.watch_alone(now);
        self.forget_names();
    }

    fn last_host_left(&mut self, call: CallId, row: &Participant, now: DateTime<Utc>) {
        match self.terms.host_leaves {
            HostLeaves::Continue => {
                self.announce_exit(call, spoken_name(row), now);
                self.play_to_room(None, About::HostLeft, [Prompt::HostHasLeft], now);
                self.loosen_lecture(now);
            }
            HostLeaves::Hold => self.hold_all(None, now),
            HostLeaves::Hangup { grace } if grace.is_zero() => {
                self.release_all(LeaveReason::HostLeft, |_| None, EndReason::HostLeft, now);
            }
            HostLeaves::Hangup { grace } => self.hold_all(Some(later(now, grace)), now),
        }
    }

    /// Whoever was told that it is recorded is told that it isn't any more, in the room or back on hold.
    fn tell_that_recording_stopped(&mut self, now: DateTime<Utc>) {
        let stopped = Prompt::RecordingStopped;
        if self.phase == Phase::Open {
            self.play_to_room(None, About::Recording, [stopped], now);
        } else {
            let held = |row: &Participant| matches!(row.place(), Place::Held { .. });
            let held = self.roster.calls(held);
            self.play_to_calls(&held, About::Recording, stopped, now);
        }
    }

    /// The Guests are to go on talking. In a strict lecture with no Host nobody could be heard, nor be given the
    /// floor: it becomes a lecture, in which those speak who want to.
    fn loosen_lecture(&mut self, now: DateTime<Utc>) {
        if self.floor == Floor::StrictLecture {
            self.floor = Floor::Lecture;
            self.play_to_room(None, About::Floor, [Prompt::LectureOn], now);
        }
    }

    /// Back to the music with everyone. They keep their rows, mutes and hands.
    fn hold_all(&mut self, until: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        self.phase = Phase::HostAway { until };
        self.stop_room_plays();
        self.entering = None;
        self.leaving = None;
        for call in self.roster.calls(Participant::in_room) {
            self.roster.put(call, Place::Held { since: now });
            self.record(Fact::Held { call }, now);
            self.route(call);
        }
    }

    /// When nobody is left but callers who were never let in, what the participants agreed on ends with them:
    /// the next one finds a door without a lock, and a Host is needed again. A grace runs out first.
    fn begin_afresh_if_empty(&mut self) {
        let someone = self
            .roster
            .iter()
            .any(|(_, row)| !matches!(row.place(), Place::Waiting { .. }));
        if !someone && matches!(self.phase, Phase::Open | Phase::HostAway { until: None }) {
            self.phase = Phase::AwaitingHost;
            self.locked = false;
            self.turned_away = 0;
            self.floor = Floor::Open;
            self.entering = None;
            self.leaving = None;
            self.stop_room_plays();
        }
    }
}
