//! The end, in each of its ways, and what warns of it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Alone, Conference, Phase};
use crate::{
    Actor, CallId, EndReason, Fact, LeaveReason, Participant, Prompt, RecordingEnd, Refusal,
    plays::About, timer::later,
};

/// Between the warning of one who is alone and the end.
const ALONE_AFTER_WARNING: Duration = Duration::from_secs(60);

impl Conference {
    /// `##`, or the operator's word: announced to all, and then the end.
    pub(super) fn end_for_all(&mut self, by: Actor, now: DateTime<Utc>) -> Result<(), Refusal> {
        let why = match by {
            Actor::Caller(_) => EndReason::HostEnded,
            Actor::Operator(_) => EndReason::Operator,
        };
        self.announce_end(Prompt::HostEnded, why, now);
        Ok(())
    }

    pub(super) fn can_be_taken_back(&self) -> bool {
        matches!(
            self.phase,
            Phase::Ending {
                why: EndReason::HostEnded | EndReason::Operator,
                ..
            }
        )
    }

    /// The conference goes on as if nothing had been, provided that a Host is still in.
    pub(super) fn take_back(&mut self, now: DateTime<Utc>) -> Result<(), Refusal> {
        if !self.can_be_taken_back() || !self.roster.host_is_in() {
            return Err(Refusal::NothingToDo);
        }
        self.phase = Phase::Open;
        // The newer word on the end stops the older one.
        self.play_to_room(None, About::End, [Prompt::HostEndedCancelled], now);
        self.give_notices_again(now);
        self.watch_alone(now);
        Ok(())
    }

    pub(super) fn grace_over(&mut self, now: DateTime<Utc>) {
        self.release_all(LeaveReason::HostLeft, |_| None, EndReason::HostLeft, now);
    }

    pub(super) fn waited_too_long(&mut self, call: CallId, now: DateTime<Utc>) {
        let farewell = Some(Prompt::HostDidNotCome);
        self.release(call, farewell, LeaveReason::HostDidNotCome, now);
    }

    pub(super) fn warn_alone(&mut self, call: CallId, now: DateTime<Utc>) {
        let at = later(now, ALONE_AFTER_WARNING);
        self.alone = Some(Alone::ToBeEnded { call, at });
        self.play_to_call(call, About::TimeLeft, [Prompt::OneMinuteLeft], now);
    }

    pub(super) fn end_alone(&mut self, call: CallId, now: DateTime<Utc>) {
        self.alone = None;
        self.release(call, Some(Prompt::Goodbye), LeaveReason::Alone, now);
    }

    pub(super) fn shut_down(&mut self, now: DateTime<Utc>) {
        if !self.is_over() {
            let farewell = |_: &Participant| Some(Prompt::Goodbye);
            self.release_all(LeaveReason::Shutdown, farewell, EndReason::Shutdown, now);
        }
    }

    /// The end has been announced: it is here. Those who waited couldn't hear it and are told in parting.
    pub(super) fn end(&mut self, why: EndReason, now: DateTime<Utc>) {
        let (reason, message) = match why {
            EndReason::BookingEnded => (LeaveReason::BookingEnded, Prompt::BookingEnded),
            EndReason::Operator => (LeaveReason::OperatorEnded, Prompt::HostEnded),
            EndReason::HostEnded
            | EndReason::LastLeft
            | EndReason::HostLeft
            | EndReason::Alone
            | EndReason::HostDidNotCome
            | EndReason::Shutdown => (LeaveReason::HostEnded, Prompt::HostEnded),
        };
        let farewell = |row: &Participant| (!row.in_room()).then_some(message);
        self.release_all(reason, farewell, why, now);
    }

    /// Nobody is left, and nothing plays any more.
    pub(super) fn finish(&mut self, why: EndReason, now: DateTime<Utc>) {
        self.stop_all_plays();
        self.alone = None;
        self.booked.now = None;
        self.entering = None;
        self.leaving = None;
        self.roll_calls.clear();
        self.dialogues.clear();
        let names = std::mem::take(&mut self.parting);
        self.forget(names);
        self.cut_recording(RecordingEnd::ConferenceEnded, now);
        self.phase = Phase::Over { why };
        if self.started.is_some() {
            self.record(Fact::Ended { reason: why }, now);
        }
    }

    /// From here on nobody comes in, and nothing else is said.
    pub(super) fn announce_end(&mut self, message: Prompt, why: EndReason, now: DateTime<Utc>) {
        self.stop_all_plays();
        self.begin_no_recording();
        self.roll_calls.clear();
        self.dialogues.clear();
        self.entering = None;
        self.leaving = None;
        self.alone = None;
        match self.play_to_room(None, About::End, [message], now) {
            Some(play) => self.phase = Phase::Ending { play, why },
            // Nobody is in the room to be told.
            None => self.end(why, now),
        }
    }
}
