//! The recording: nothing is recorded before a Host is in or after the last one has left, and nobody is in the room while it goes
//! on who wasn't told.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};

use super::{Conference, Phase};
use crate::{
    Action, CallId, Fact, LeaveReason, Place, PlayId, Prompt, RecordingEnd, RecordingId, Refusal,
    WaitFor, plays::About, timer::later,
};

/// So long the recorder may take to say whether it records.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Whether it is recorded, and who hears the notice of it before they come in.
#[derive(Debug, Default)]
pub(super) struct Tape {
    state: State,
    last: u32,
    notices: BTreeMap<PlayId, CallId>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Off,
    /// The recorder was asked.
    Asked {
        recording: RecordingId,
        until: DateTime<Utc>,
    },
    On {
        recording: RecordingId,
        /// When the tone is due.
        tone: Option<DateTime<Utc>>,
    },
}

impl Tape {
    pub(super) fn is_on(&self) -> bool {
        matches!(self.state, State::On { .. })
    }

    /// When the recorder's answer is taken for lost.
    pub(super) fn answer_due(&self) -> Option<DateTime<Utc>> {
        match self.state {
            State::Asked { until, .. } => Some(until),
            State::Off | State::On { .. } => None,
        }
    }

    pub(super) fn tone_due(&self) -> Option<DateTime<Utc>> {
        match self.state {
            State::On { tone, .. } => tone,
            State::Off | State::Asked { .. } => None,
        }
    }
}

impl Conference {
    /// `*2`, or the portal's word.
    pub(super) fn record_or_stop(
        &mut self,
        by: Option<CallId>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        if !self.terms.recording {
            if let Some(host) = by {
                self.play_to_call(host, About::Recording, [Prompt::RecordingNotAllowed], now);
            }
            return Err(Refusal::NotAllowed);
        }
        match self.tape.state {
            State::On { .. } => {
                self.stop_recording(RecordingEnd::ByCommand, now);
                Ok(())
            }
            State::Asked { .. } => Err(Refusal::NothingToDo),
            State::Off if self.phase != Phase::Open || !self.roster.host_is_in() => {
                Err(Refusal::NothingToDo)
            }
            State::Off => {
                self.tape.last += 1;
                let recording = RecordingId(self.tape.last);
                let until = later(now, ANSWER_WITHIN);
                self.tape.state = State::Asked { recording, until };
                self.actions.push_back(Action::StartRecording { recording });
                Ok(())
            }
        }
    }

    /// The recorder has begun. An answer that nobody waits for any more was followed by the order to stop.
    pub(super) fn recording_began(&mut self, began: RecordingId, now: DateTime<Utc>) {
        match self.tape.state {
            State::Asked { recording, .. } if recording == began => {
                let tone = self.next_tone(now);
                self.tape.state = State::On { recording, tone };
                self.record(Fact::RecordingStarted { recording }, now);
                self.play_to_room(None, About::Recording, [Prompt::RecordingStarted], now);
            }
            State::Off | State::Asked { .. } | State::On { .. } => {}
        }
    }

    /// The recorder has given up, or couldn't begin.
    pub(super) fn recording_failed(&mut self, failed: RecordingId, now: DateTime<Utc>) {
        let hosts = match self.phase {
            Phase::Open => self.roster.hosts_in(),
            _ => Vec::new(),
        };
        match self.tape.state {
            State::Asked { recording, .. } if recording == failed => self.tape.state = State::Off,
            State::On { recording, .. } if recording == failed => {
                self.stop_recording(RecordingEnd::Failed, now);
            }
            State::Off | State::Asked { .. } | State::On { .. } => return,
        }
        self.play_to_calls(&hosts, About::Recording, Prompt::RecordingFailed, now);
    }

    pub(super) fn no_word_of_the_recorder(&mut self, now: DateTime<Utc>) {
        if let State::Asked { recording, .. } = self.tape.state {
            self.actions.push_back(Action::StopRecording { recording });
            self.recording_failed(recording, now);
        }
    }

    /// Nothing is recorded from now on. Who is in hears so, and who was hearing the notice comes in.
    pub(super) fn stop_recording(&mut self, why: RecordingEnd, now: DateTime<Utc>) {
        self.cut_recording(why, now);
        if self.phase != Phase::Open {
            return;
        }
        self.play_to_room(None, About::Recording, [Prompt::RecordingStopped], now);
        self.let_in_who_hears_the_notice(now);
    }

    /// The same without a word; true if anything was recorded.
    pub(super) fn cut_recording(&mut self, why: RecordingEnd, now: DateTime<Utc>) -> bool {
        match std::mem::take(&mut self.tape.state) {
            State::Off => false,
            State::Asked { recording, .. } => {
                self.actions.push_back(Action::StopRecording { recording });
                false
            }
            State::On { recording, .. } => {
                self.actions.push_back(Action::StopRecording { recording });
                self.record(Fact::RecordingStopped { recording, why }, now);
                true
            }
        }
    }

    /// The end is being announced: what hasn't begun doesn't begin any more.
    pub(super) fn begin_no_recording(&mut self) {
        if let State::Asked { recording, .. } = self.tape.state {
            self.tape.state = State::Off;
            self.actions.push_back(Action::StopRecording { recording });
        }
    }

    /// Tells a caller who is about to come in that it is recorded. False if there is nothing to tell.
    pub(super) fn give_notice(&mut self, call: CallId, now: DateTime<Utc>) -> bool {
        if !self.tape.is_on() || self.roster.get(call).is_none() {
            return false;
        }
        self.stop_plays_to(call);
        let what = WaitFor::Notice;
        self.roster.put(call, Place::Waiting { what, since: now });
        self.route(call);
        let notice = [Prompt::ConferenceIsRecorded];
        let Some(play) = self.play_to_call(call, About::Recording, notice, now) else {
            return false;
        };
        self.tape.notices.insert(play, call);
        true
    }

    /// Somebody has heard the notice to its end.
    pub(super) fn notice_is_over(&mut self, play: PlayId, now: DateTime<Utc>) {
        if let Some(call) = self.tape.notices.remove(&play) {
            self.come_in_after_notice(call, now);
        }
    }

    /// The notices were cut short, and the conference goes on.
    pub(super) fn give_notices_again(&mut self, now: DateTime<Utc>) {
        for call in std::mem::take(&mut self.tape.notices).into_values() {
            if !self.give_notice(call, now) {
                self.come_in_after_notice(call, now);
            }
        }
    }

    /// Nothing is recorded any more: there is nothing to be told.
    pub(super) fn let_in_who_hears_the_notice(&mut self, now: DateTime<Utc>) {
        for (play, call) in std::mem::take(&mut self.tape.notices) {
            self.stop_play(play);
            self.come_in_after_notice(call, now);
        }
    }

    /// What happened while the notice was heard counts: the door may have been locked.
    fn come_in_after_notice(&mut self, call: CallId, now: DateTime<Utc>) {
        let waits = |row: &crate::Participant| row.waits_for(WaitFor::Notice);
        if !self.roster.get(call).is_some_and(waits) {
            return;
        }
        let is_wanted = self.is_host(call) && !self.roster.host_is_in();
        if self.locked && !is_wanted {
            self.turn_away(call, Refusal::Locked, now);
            let farewell = Some(Refusal::Locked.farewell());
            return self.release(call, farewell, LeaveReason::Locked, now);
        }
        self.admit_told(call, now);
    }

    pub(super) fn recording_tone(&mut self, now: DateTime<Utc>) {
        let next = self.next_tone(now);
        if let State::On { tone, .. } = &mut self.tape.state {
            *tone = next;
            self.play_to_room(None, About::RecordingTone, [Prompt::RecordingTone], now);
        }
    }

    fn next_tone(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let every = self.terms.recording_tone;
        (!every.is_zero()).then(|| later(now, every))
    }
}
