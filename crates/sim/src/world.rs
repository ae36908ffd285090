//! The virtual world around one bridge: a clock, a media plane, storage, and what goes wrong with them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{BookingId, CallId, PinPolicy, Source, Terms, Verdict};
use conclave_attendant::{Access, Action, Attendant, Event, Report, Rules};
use conclave_conference::{
    Command, ConferenceId, Fact, LeaveReason, NameId, OperatorId, PlayId, RecordingId, Refusal,
};
use conclave_dtmf::{Digit, Way};

use crate::media::{Begun, Media};
use crate::rng::Chance;
use crate::town::Town;
use crate::watch::{Violation, Watch, ensure};
use crate::words;

/// When the world begins.
pub const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// What goes wrong, in so many of a hundred cases each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// The media plane doesn't tell that a play is over.
    pub lost_play_end: u8,
    /// Storage doesn't answer.
    pub lost_verdict: u8,
    /// Storage answers after up to 20 s.
    pub slow_verdict: u8,
    /// The media plane doesn't tell that a name is recorded.
    pub lost_name: u8,
    /// The media plane tells it up to 20 s late, or of a call that is gone.
    pub late_name: u8,
    /// A digit comes up to 3 s late.
    pub late_digit: u8,
    /// A digit comes by a second way, too.
    pub doubled_digit: u8,
    /// The peer doesn't answer when it is asked whether it is there.
    pub lost_probe: u8,
    /// The recorder takes up to 20 s to begin.
    pub slow_recorder: u8,
    /// The recorder can't begin, or says within a minute that it gives up.
    pub failing_recorder: u8,
}

/// How a caller answers when asked for the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// Speaks for so long.
    For(Duration),
    /// Says nothing.
    Silence,
}

/// Something that came out of the bridge, or that it waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: DateTime<Utc>,
    /// In words, as the transcripts have it.
    pub words: String,
}

enum Happening {
    PlayEnds(PlayId),
    NameEnds(NameId),
    Told(Box<Event>),
}

/// One bridge and the world around it. Whatever is done to it, the [`Watch`]'s rules are checked after each step.
pub struct World {
    bridge: Attendant,
    media: Media,
    town: Town,
    watch: Watch,
    now: DateTime<Utc>,
    /// What is to happen, in order of time and then of being arranged.
    to_come: BTreeMap<(DateTime<Utc>, u64), Happening>,
    arranged: u64,
    notes: VecDeque<Note>,
    plays: words::Plays,
    speech: BTreeMap<CallId, VecDeque<Speech>>,
    chance: Chance,
    /// What goes wrong from now on.
    pub faults: Faults,
}

/// So many notes are kept for those who don't take them.
const MOST_NOTES: usize = 400;

impl World {
    /// A world whose accounts, numbered from 1, have these terms and the PINs that [`pins`](crate::pins) tells.
    pub fn new(terms: &[Terms], seed: u64) -> Self {
        Self::under(PinPolicy::default(), terms, seed)
    }

    /// The same, whose doorkeeper has a policy of its own.
    pub fn under(policy: PinPolicy, terms: &[Terms], seed: u64) -> Self {
        Self {
            bridge: Attendant::new(Rules::default(), START),
            media: Media::default(),
            town: Town::new(terms, policy, START),
            watch: Watch::default(),
            now: START,
            to_come: BTreeMap::new(),
            arranged: 0,
            notes: VecDeque::new(),
            plays: words::Plays::new(),
            speech: BTreeMap::new(),
            chance: Chance::new(seed),
            faults: Faults::default(),
        }
    }

    /// The bridge, to be looked at.
    pub fn bridge(&self) -> &Attendant {
        &self.bridge
    }

    /// Who hears whom.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The virtual time.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// What came out since it was last taken: the latest lines of it, if it is much.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes).into()
    }

    /// Nothing plays, nothing is recorded, nobody has media.
    pub fn is_silent(&self) -> bool {
        self.media.is_silent()
    }

    /// That account has a booking, from the world's beginning to `ends`, with the PINs that
    /// [`booking_pins`](crate::booking_pins) and [`invitee_pin`](crate::invitee_pin) tell. To be arranged once.
    pub fn add_booking(&mut self, account: u64, ends: DateTime<Utc>) {
        self.town.book(account, START, ends);
    }

    /// Storage knows another end of that account's booking, and tells the bridge.
    ///
    /// # Errors
    ///
    /// The rule that the bridge broke.
    pub fn move_booking(&mut self, account: u64, ends_at: DateTime<Utc>) -> Result<(), Violation> {
        self.town.move_booking(account, START, ends_at);
        let booking = BookingId(account);
        self.tell(Event::BookingMoved { booking, ends_at })
    }

    /// A call is answered.
    ///
    /// # Errors
    ///
    /// As for all that follow: the rule that the bridge broke.
    pub fn dial(&mut self, call: CallId, source: Source, access: Access) -> Result<(), Violation> {
        self.tell(Event::Answered {
            call,
            source,
            access,
        })
    }

    /// The caller presses these keys from now on, one after each `gap`: events of RFC 4733, as far as
    /// the world's faults let them through in order and once.
    pub fn press(&mut self, call: CallId, keys: &str, gap: Duration) {
        let mut at = self.now;
        for digit in keys.chars().filter_map(Digit::new) {
            let late = match self.chance.percent(self.faults.late_digit) {
                true => self.chance.between_ms(0, 3000),
                false => Duration::ZERO,
            };
            let way = Way::Event;
            self.arrange(at + late, told(Event::Digit { call, way, digit }));
            if self.chance.percent(self.faults.doubled_digit) {
                let way = *self.chance.pick(&[Way::Info, Way::Tone]);
                let late = late + self.chance.between_ms(0, 300);
                self.arrange(at + late, told(Event::Digit { call, way, digit }));
            }
            at += gap;
        }
    }

    /// What the caller will say when asked for the name next.
    pub fn prepare_speech(&mut self, call: CallId, speech: Speech) {
        self.speech.entry(call).or_default().push_back(speech);
    }

    /// The peer ends the call.
    ///
    /// # Errors
    ///
    /// The rule that the bridge broke.
    pub fn hang_up(&mut self, call: CallId) -> Result<(), Violation> {
        self.cut(call);
        self.tell(Event::HungUp { call })
    }

    /// The portal or the operator gives a command.
    ///
    /// # Errors
    ///
    /// The rule that the bridge broke; a refusal is the inner result.
    pub fn execute(
        &mut self,
        conference: ConferenceId,
        command: Command,
    ) -> Result<Result<(), Refusal>, Violation> {
        let by = OperatorId::BRIDGE;
        let result = self.bridge.execute(conference, by, command, self.now);
        self.drain()?;
        Ok(result)
    }

    /// Corrects the name of a call.
    ///
    /// # Errors
    ///
    /// The rule that the bridge broke.
    pub fn rename(
        &mut self,
        conference: ConferenceId,
        call: CallId,
        name: &str,
    ) -> Result<Result<(), Refusal>, Violation> {
        let (by, now) = (OperatorId::BRIDGE, self.now);
        let result = self.bridge.rename(conference, by, call, name, now);
        self.drain()?;
        Ok(result)
    }

    /// No conference starts any more.
    pub fn stop_starting(&mut self) {
        self.bridge.drain();
    }

    /// Everybody is to go.
    ///
    /// # Errors
    ///
    /// The rule that the bridge broke.
    pub fn end_all(&mut self, reason: LeaveReason) -> Result<(), Violation> {
        self.bridge.end_all(reason, self.now);
        self.drain()
    }

    /// Any fact, now.
    ///
    /// # Errors
    ///
    /// The rule that the bridge broke.
    pub fn tell(&mut self, event: Event) -> Result<(), Violation> {
        self.watch.event(&event);
        self.bridge.handle_event(event, self.now);
        self.drain()
    }

    /// Lets the time pass until then, with all that happens in it: first what happens, then timers.
    ///
    /// # Errors
    ///
    /// The rule that the bridge broke.
    pub fn run_until(&mut self, until: DateTime<Utc>) -> Result<(), Violation> {
        loop {
            let happens = self.to_come.first_key_value().map(|((at, _), _)| *at);
            let timer = self.bridge.poll_timeout();
            match (
                happens.filter(|at| *at <= until),
                timer.filter(|(at, _)| *at <= until),
            ) {
                (Some(at), timer) if timer.is_none_or(|(due, _)| at <= due) => {
                    self.now = self.now.max(at);
                    if let Some((_, happening)) = self.to_come.pop_first() {
                        self.happen(happening)?;
                    }
                }
                (_, Some((at, timer))) => {
                    self.now = self.now.max(at);
                    self.note(format!("({})", words::timer(timer)));
                    self.bridge.handle_timeout(self.now);
                    self.drain()?;
                    let next = self.bridge.poll_timeout();
                    ensure(next.is_none_or(|(at, _)| at > self.now), || {
                        format!("{next:?} is due, and was to be handled")
                    })?;
                }
                (_, None) => break,
            }
        }
        self.now = self.now.max(until);
        Ok(())
    }

    /// Lets that much time pass.
    ///
    /// # Errors
    ///
    /// The rule that the bridge broke.
    pub fn run_for(&mut self, span: Duration) -> Result<(), Violation> {
        self.run_until(self.now + span)
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::PlayEnds(play) => self.end_play(play),
            Happening::NameEnds(name) => self.end_name(name),
            Happening::Told(event) => return self.tell(*event),
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), Violation> {
        while let Some(action) = self.bridge.poll_action() {
            let words = words::action(&action, &mut self.plays);
            self.note(words);
            self.watch.action(&action)?;
            self.carry_out(action);
        }
        self.watch.check(&self.bridge)
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::CheckPin {
                call,
                inquiry,
                pin,
                source,
                bound,
            } => {
                let verdict = self.town.judge(call, &source, &pin, bound, self.now);
                self.answer_inquiry(call, inquiry, verdict);
            }
            Action::Route { call, route } => {
                self.media.routes.insert(call, route);
            }
            Action::Play { play, to, clips } => {
                let begun = self.media.play(play, to, &clips);
                self.begin(begun);
            }
            Action::Stop { play } => self.end_play(play),
            Action::RecordName { call, name } => {
                let speech = self.speech.get_mut(&call).and_then(VecDeque::pop_front);
                let speech = speech.unwrap_or(Speech::For(Duration::from_secs(1)));
                self.media.record(call, name, speech != Speech::Silence);
                let spoken = match speech {
                    Speech::For(span) => span,
                    Speech::Silence => Duration::ZERO,
                };
                let length = (spoken + SILENCE).min(LONGEST_NAME);
                self.arrange(self.now + length, Happening::NameEnds(name));
            }
            Action::FinishName { call } => {
                if let Some(name) = self.media.recording_of(call) {
                    self.arrange(self.now, Happening::NameEnds(name));
                }
            }
            Action::Probe { call } => {
                if !self.chance.percent(self.faults.lost_probe) {
                    let event = Event::Probed { call, alive: true };
                    self.arrange(self.now + QUICK, told(event));
                }
            }
            Action::StartRecording {
                conference,
                recording,
            } => self.record(conference, recording),
            Action::StopRecording { .. } => {}
            Action::HangUp { call, .. } => self.cut(call),
            Action::Report(report) => self.book(&report),
            // What is kept, the watch knows; how a room sounds, nobody hears here.
            Action::ForgetName { .. } | Action::Tune { .. } => {}
        }
    }

    /// A disk may be slow, full at once or later, or the answer lost.
    fn record(&mut self, conference: ConferenceId, recording: RecordingId) {
        let began = Event::RecordingBegan {
            conference,
            recording,
        };
        let failed = Event::RecordingFailed {
            conference,
            recording,
        };
        let takes = match self.chance.percent(self.faults.slow_recorder) {
            true => self.chance.between_ms(0, 20_000),
            false => Duration::from_millis(20),
        };
        if self.chance.percent(self.faults.failing_recorder) {
            let later = self.chance.between_ms(0, 60_000);
            self.arrange(self.now + later, told(failed));
        }
        if !self.chance.percent(self.faults.failing_recorder) {
            self.arrange(self.now + takes, told(began));
        }
    }

    fn book(&mut self, report: &Report) {
        match report {
            Report::Conference(record) => {
                if let Fact::Admitted { call } = record.fact {
                    self.town.let_in(call, self.now);
                }
            }
            Report::CallEnded { call, .. } => self.town.gone(*call),
            _ => {}
        }
    }

    fn answer_inquiry(&mut self, call: CallId, inquiry: u32, verdict: Verdict) {
        if self.chance.percent(self.faults.lost_verdict) {
            return;
        }
        let takes = match self.chance.percent(self.faults.slow_verdict) {
            true => self.chance.between_ms(0, 20_000),
            false => Duration::ZERO,
        };
        let event = Event::PinJudged {
            call,
            inquiry,
            verdict,
        };
        self.arrange(self.now + takes, told(event));
    }

    fn end_play(&mut self, play: PlayId) {
        let (was_there, next) = self.media.end(play);
        self.begin(next);
        if was_there && !self.chance.percent(self.faults.lost_play_end) {
            self.arrange(self.now, told(Event::PlayEnded { play }));
        }
    }

    fn begin(&mut self, begun: Option<Begun>) {
        if let Some((play, length)) = begun {
            self.arrange(self.now + length, Happening::PlayEnds(play));
        }
    }

    fn end_name(&mut self, name: NameId) {
        let Some(usable) = self.media.recorded(name) else {
            return;
        };
        if self.chance.percent(self.faults.lost_name) {
            return;
        }
        let late = match self.chance.percent(self.faults.late_name) {
            true => self.chance.between_ms(0, 20_000),
            false => Duration::ZERO,
        };
        self.arrange(self.now + late, told(Event::NameRecorded { name, usable }));
    }

    /// The call's media stops, and with it all that played for it alone.
    fn cut(&mut self, call: CallId) {
        if let Some(name) = self.media.recording_of(call)
            && self.chance.percent(self.faults.late_name)
        {
            self.end_name(name);
        }
        for play in self.media.stop(call) {
            self.arrange(self.now, told(Event::PlayEnded { play }));
        }
    }

    fn arrange(&mut self, at: DateTime<Utc>, happening: Happening) {
        self.arranged += 1;
        self.to_come.insert((at, self.arranged), happening);
    }

    fn note(&mut self, words: String) {
        if self.notes.len() == MOST_NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(Note {
            at: self.now,
            words,
        });
    }
}

fn told(event: Event) -> Happening {
    Happening::Told(Box::new(event))
}

/// What ends the recording of a name.
const SILENCE: Duration = Duration::from_secs(2);
const LONGEST_NAME: Duration = Duration::from_secs(5);
/// How long a peer takes to answer.
const QUICK: TimeDelta = TimeDelta::milliseconds(200);
