//! Plays a transcript: the conference, and a media plane that plays each clip for two seconds (a tone for one).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use conclave_conference::{
    Action, Actor, Audience, CallId, Caller, Conference, ConferenceId, Event, NameId, OperatorId,
    PlayId, RecordingId, Timer,
    invariants::{Violation, Watched},
};

use super::{
    read::{self, Input, Settings},
    words,
};
use crate::support::{Doors, START};

/// A user of the portal.
const OPERATOR: Actor = Actor::Operator(OperatorId(1));

pub(crate) struct Stage {
    doors: Doors,
    books: bool,
    conference: Option<Watched>,
    conferences: u32,
    now: DateTime<Utc>,
    /// What plays or is to play, and until when.
    playing: BTreeMap<PlayId, (Audience, DateTime<Utc>)>,
    /// What each play was, for the eye.
    plays: BTreeMap<PlayId, String>,
    media_answers: bool,
    /// What the recorder was told last.
    recording: Option<RecordingId>,
    answers: Vec<String>,
}

impl Stage {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            doors: Doors {
                terms: settings.terms,
                ends: settings.ends,
            },
            books: settings.books,
            conference: None,
            conferences: 0,
            now: START,
            playing: BTreeMap::new(),
            plays: BTreeMap::new(),
            media_answers: true,
            recording: None,
            answers: Vec::new(),
        }
    }

    /// Lets the time pass until then, and lets it happen: what comes out.
    pub(crate) fn input(&mut self, line: &str) -> Result<Vec<String>, String> {
        let (at, input) = read::input(line)?;
        if at < self.now {
            return Err("time doesn't go back".to_owned());
        }
        self.pass_time(at);
        self.now = at;
        self.happen(input)?;
        Ok(std::mem::take(&mut self.answers))
    }

    fn happen(&mut self, input: Input) -> Result<(), String> {
        match input {
            Input::TimePasses => {}
            Input::Recorder(works) => {
                let recording = self.recording.ok_or("nothing is to be recorded")?;
                self.event(if works {
                    Event::RecordingBegan { recording }
                } else {
                    Event::RecordingFailed { recording }
                });
            }
            Input::Silence => self.media_answers = false,
            Input::Arrive {
                calls,
                role,
                named,
                by_consent,
                number,
            } => {
                for call in calls {
                    let caller = Caller {
                        number: number.clone(),
                        name: named.then_some(NameId(call.0)),
                    };
                    let ticket = self.doors.ticket(role, by_consent);
                    if self.conference.is_none() {
                        self.conferences += 1;
                        let id = ConferenceId(self.conferences);
                        let conference = Conference::new(id, &ticket, self.now);
                        self.conference = Some(Watched::new(conference));
                    }
                    self.event(Event::Arrived {
                        call,
                        ticket,
                        caller,
                    });
                }
            }
            Input::Knock { call, role } => {
                let ticket = self.doors.ticket(role, false);
                let now = self.now;
                let (answer, actions) = held(self.running()?.knock(call, &ticket, now));
                let answer = match answer {
                    Ok(()) => format!("{call} may come in"),
                    Err(why) => format!(
                        "{call}: refused, {why} ({}, {})",
                        why.farewell(),
                        why.reason().as_str()
                    ),
                };
                self.answers.push(answer);
                self.tell(actions);
            }
            Input::Leave { call, reason } => self.event(Event::Left { call, reason }),
            Input::Press { call, command } => self.execute(Actor::Caller(call), command)?,
            Input::Operator(command) => self.execute(OPERATOR, command)?,
            Input::Rename { call, name } => {
                let now = self.now;
                let (answer, actions) = held(self.running()?.rename(OPERATOR, call, &name, now));
                if let Err(why) = answer {
                    self.answers.push(format!("refused: {why}"));
                }
                self.tell(actions);
            }
            Input::PeerHold { call, held } => self.event(Event::PeerHold { call, held }),
            Input::Level { call, dbfs } => self.event(Event::Level { call, dbfs }),
            Input::Noisy { call, noisy } => self.event(Event::Noisy { call, noisy }),
            Input::Moved { ends, told } => {
                // Without an end the tickets go on telling the old one: it is a booking's conference.
                self.doors.ends = ends.or(self.doors.ends);
                if told {
                    self.event(Event::Rescheduled { ends_at: ends });
                }
            }
            Input::ShutDown => self.event(Event::ShutDown),
        }
        Ok(())
    }

    fn execute(&mut self, by: Actor, command: conclave_conference::Command) -> Result<(), String> {
        let now = self.now;
        let (answer, actions) = held(self.running()?.execute(by, command, now));
        if let Err(why) = answer {
            self.answers.push(format!("refused: {why}"));
        }
        self.tell(actions);
        Ok(())
    }

    fn running(&mut self) -> Result<&mut Watched, String> {
        self.conference
            .as_mut()
            .ok_or_else(|| "there is no conference".to_owned())
    }

    fn event(&mut self, event: Event) {
        if let Some(conference) = &mut self.conference {
            let actions = held(conference.event(event, self.now));
            self.tell(actions);
        }
    }

    /// Plays end and timers run out, in the order of their times; of the same time, plays end first.
    fn pass_time(&mut self, until: DateTime<Utc>) {
        loop {
            let ends = self.next_end().filter(|(at, _)| *at <= until);
            let timer = self
                .conference
                .as_ref()
                .and_then(|conference| conference.conference().poll_timeout())
                .filter(|(at, _)| *at <= until);
            match (ends, timer) {
                (Some((at, play)), timer) if timer.is_none_or(|(due, _)| at <= due) => {
                    self.now = self.now.max(at);
                    self.playing.remove(&play);
                    self.caused_by_time(None, |stage| stage.event(Event::PlayEnded { play }));
                }
                (_, Some((at, timer))) => {
                    self.now = self.now.max(at);
                    let now = self.now;
                    self.caused_by_time(Some(timer), |stage| {
                        if let Some(conference) = &mut stage.conference {
                            let actions = held(conference.timeout(now));
                            stage.tell(actions);
                        }
                    });
                }
                (_, None) => return,
            }
        }
    }

    fn next_end(&self) -> Option<(DateTime<Utc>, PlayId)> {
        self.media_answers.then(|| {
            self.playing
                .iter()
                .map(|(play, (_, end))| (*end, *play))
                .min()
        })?
    }

    /// Puts the time before the answers that `change` brings, and what was waited for.
    fn caused_by_time(&mut self, timer: Option<Timer>, change: impl FnOnce(&mut Self)) {
        let answers = std::mem::take(&mut self.answers);
        change(self);
        let time = words::time(self.now);
        let new = std::mem::replace(&mut self.answers, answers);
        if let Some(timer) = timer {
            let what = words::timer(timer, &self.plays);
            self.answers.push(format!("{time} ({what})"));
        }
        self.answers
            .extend(new.into_iter().map(|answer| format!("{time} {answer}")));
    }

    fn tell(&mut self, actions: Vec<Action>) {
        for action in actions {
            match &action {
                Action::Play { play, to, clips } => {
                    let begins = self
                        .playing
                        .values()
                        .filter(|(other, _)| same_ears(*other, *to))
                        .map(|(_, end)| *end)
                        .fold(self.now, DateTime::max);
                    let end = begins + TimeDelta::seconds(words::seconds(clips));
                    self.playing.insert(*play, (*to, end));
                    self.plays.insert(*play, words::sound(clips));
                }
                Action::Stop { play } => {
                    self.playing.remove(play);
                }
                Action::StartRecording { recording } => self.recording = Some(*recording),
                Action::StopRecording { .. } => {}
                Action::Route { .. }
                | Action::Release { .. }
                | Action::ForgetName { .. }
                | Action::Record(_) => {}
            }
            if self.books || !matches!(action, Action::Record(_)) {
                self.answers.push(words::action(&action, &self.plays));
            }
        }
        let over = |conference: &mut Watched| conference.conference().is_over();
        if self.conference.take_if(over).is_some() {
            self.answers.push("the conference is over".to_owned());
        }
    }
}

fn held<T>(outcome: Result<T, Violation>) -> T {
    outcome.unwrap_or_else(|violation| panic!("{violation}"))
}

fn same_ears(one: Audience, other: Audience) -> bool {
    let ears = |audience| match audience {
        Audience::Call(call) => Some(call),
        Audience::Room { .. } => None::<CallId>,
    };
    ears(one) == ears(other)
}
