//! What happens to a conference in a test, and a shell that carries it out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{CallId, Role};
use conclave_conference::{
    Action, Actor, Caller, Clip, Command, Conference, ConferenceId, Event, LeaveReason, NameId,
    OperatorId, PlayId, Prompt, RecordingId, Refusal,
    invariants::{Violation, Watched},
};

use crate::support::{Doors, START};

/// One thing that happens. Calls are few, so that they meet.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Arrive {
        call: u64,
        role: Role,
        by_consent: bool,
        named: bool,
    },
    Knock {
        call: u64,
        role: Role,
    },
    Leave {
        call: u64,
    },
    Press {
        call: u64,
        command: Command,
    },
    Operator(Command),
    /// The n-th of what is playing is over.
    PlayEnds(usize),
    /// A word about a play that nobody waits for.
    StrayPlayEnds(u32),
    PeerHold {
        call: u64,
        held: bool,
    },
    Level {
        call: u64,
        dbfs: i8,
    },
    Noisy {
        call: u64,
        noisy: bool,
    },
    /// So many seconds pass.
    Wait(u32),
    /// The booking ends so many seconds from now.
    Move {
        ends_in: i64,
        /// Otherwise the next ticket tells it.
        told: bool,
    },
    /// It has no end any more.
    Unbound,
    /// The recorder answers what it was asked last: it records, or it can't (any more).
    Recorder(bool),
    ShutDown,
}

/// A conference and its shell.
pub(crate) struct World {
    pub(crate) doors: Doors,
    pub(crate) now: DateTime<Utc>,
    pub(crate) conference: Option<Watched>,
    conferences: u32,
    names: u64,
    /// What the recorder was told last, and whether it has answered.
    recorder: Option<RecordingId>,
    answered: bool,
    present: BTreeSet<CallId>,
    pub(crate) playing: BTreeMap<PlayId, Vec<Clip>>,
    /// Everything that came out.
    pub(crate) actions: Vec<Action>,
}

impl World {
    pub(crate) fn new(doors: Doors) -> Self {
        Self {
            doors,
            now: START,
            conference: None,
            conferences: 0,
            names: 0,
            recorder: None,
            answered: true,
            present: BTreeSet::new(),
            playing: BTreeMap::new(),
            actions: Vec::new(),
        }
    }

    /// Lets it happen; the answer is a command's, where there is one.
    pub(crate) fn step(&mut self, step: &Step) -> Result<Option<Result<(), Refusal>>, Violation> {
        match *step {
            Step::Arrive {
                call,
                role,
                by_consent,
                named,
            } => self.arrive(CallId(call), role, by_consent, named)?,
            Step::Knock { call, role } if !self.doors.are_over(self.now) => {
                let ticket = self.doors.ticket(role, false);
                if let Some(conference) = &mut self.conference {
                    let (answer, actions) = conference.knock(CallId(call), &ticket, self.now)?;
                    self.carry_out(actions);
                    return Ok(Some(answer));
                }
            }
            Step::Leave { call } => {
                let call = CallId(call);
                self.present.remove(&call);
                let reason = LeaveReason::HungUp;
                self.event(Event::Left { call, reason })?;
            }
            Step::Press { call, command } => {
                return self.execute(Actor::Caller(CallId(call)), command);
            }
            Step::Operator(command) => {
                return self.execute(Actor::Operator(OperatorId::BRIDGE), command);
            }
            Step::PlayEnds(which) => {
                let play = self.playing.keys().nth(which % self.playing.len().max(1));
                if let Some(play) = play.copied() {
                    self.playing.remove(&play);
                    self.event(Event::PlayEnded { play })?;
                }
            }
            Step::StrayPlayEnds(number) => {
                let play = PlayId {
                    owner: 4711,
                    number,
                };
                self.event(Event::PlayEnded { play })?;
            }
            Step::PeerHold { call, held } => {
                let call = CallId(call);
                self.event(Event::PeerHold { call, held })?;
            }
            Step::Level { call, dbfs } => {
                let call = CallId(call);
                self.event(Event::Level { call, dbfs })?;
            }
            Step::Noisy { call, noisy } => {
                let call = CallId(call);
                self.event(Event::Noisy { call, noisy })?;
            }
            Step::Wait(seconds) => {
                self.now += TimeDelta::seconds(i64::from(seconds));
                self.timeout()?;
            }
            Step::Knock { .. } => {}
            Step::Move { ends_in, told } => {
                let Some(ends) = &mut self.doors.ends else {
                    return Ok(None);
                };
                *ends = self.now + TimeDelta::seconds(ends_in);
                let ends_at = Some(*ends);
                if told {
                    self.event(Event::Rescheduled { ends_at })?;
                }
            }
            Step::Recorder(works) => {
                self.recorder_answers(works)?;
            }
            Step::Unbound => self.event(Event::Rescheduled { ends_at: None })?,
            Step::ShutDown => self.event(Event::ShutDown)?,
        }
        Ok(None)
    }

    /// Whether the shell would let it in: nobody comes to a booking that is over, or comes twice.
    pub(crate) fn may_arrive(&self, call: CallId) -> bool {
        !self.doors.are_over(self.now) && !self.present.contains(&call)
    }

    fn arrive(
        &mut self,
        call: CallId,
        role: Role,
        by_consent: bool,
        named: bool,
    ) -> Result<(), Violation> {
        if !self.may_arrive(call) {
            return Ok(());
        }
        self.present.insert(call);
        let ticket = self.doors.ticket(role, by_consent);
        if self.conference.is_none() {
            self.conferences += 1;
            let id = ConferenceId(self.conferences);
            self.conference = Some(Watched::new(Conference::new(id, &ticket, self.now)));
        }
        self.names += 1;
        let caller = Caller {
            number: call.0.is_multiple_of(2).then(|| format!("+4930{}", call.0)),
            name: named.then_some(NameId(self.names)),
        };
        self.event(Event::Arrived {
            call,
            ticket,
            caller,
        })
    }

    pub(crate) fn event(&mut self, event: Event) -> Result<(), Violation> {
        if let Some(conference) = &mut self.conference {
            let actions = conference.event(event, self.now)?;
            self.carry_out(actions);
        }
        Ok(())
    }

    /// What the recorder was told last is carried out, or has failed. True if that was an answer.
    pub(crate) fn recorder_answers(&mut self, works: bool) -> Result<bool, Violation> {
        let Some(recording) = self.recorder.filter(|_| !works || !self.answered) else {
            return Ok(false);
        };
        self.answered = true;
        if works {
            self.event(Event::RecordingBegan { recording })?;
        } else {
            self.event(Event::RecordingFailed { recording })?;
        }
        Ok(true)
    }

    pub(crate) fn timeout(&mut self) -> Result<(), Violation> {
        if let Some(conference) = &mut self.conference {
            let actions = conference.timeout(self.now)?;
            self.carry_out(actions);
        }
        Ok(())
    }

    /// Tells the end of everything that plays, what begins meanwhile included; true if the end of the
    /// conference was among it.
    pub(crate) fn finish_plays(&mut self) -> Result<bool, Violation> {
        let mut ending = false;
        while let Some((play, clips)) = self.playing.pop_first() {
            let last = [Prompt::HostEnded.into(), Prompt::BookingEnded.into()];
            ending |= clips.iter().any(|clip| last.contains(clip));
            self.event(Event::PlayEnded { play })?;
        }
        Ok(ending)
    }

    fn execute(
        &mut self,
        by: Actor,
        command: Command,
    ) -> Result<Option<Result<(), Refusal>>, Violation> {
        let Some(conference) = &mut self.conference else {
            return Ok(None);
        };
        let (answer, actions) = conference.execute(by, command, self.now)?;
        self.carry_out(actions);
        Ok(Some(answer))
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in &actions {
            match action {
                Action::Play { play, clips, .. } => {
                    self.playing.insert(*play, clips.clone());
                }
                Action::Stop { play } => {
                    self.playing.remove(play);
                }
                Action::Release { call, .. } => {
                    self.present.remove(call);
                }
                Action::StartRecording { recording } => {
                    self.recorder = Some(*recording);
                    self.answered = false;
                }
                Action::StopRecording { recording } => {
                    self.recorder.take_if(|going| going == recording);
                }
                Action::Route { .. } | Action::ForgetName { .. } | Action::Record(_) => {}
            }
        }
        self.actions.extend(actions);
        let over = |conference: &mut Watched| conference.conference().is_over();
        if self.conference.take_if(over).is_some() {
            self.recorder = None;
        }
    }
}
