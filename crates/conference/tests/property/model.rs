//! The rules once more, written as naively as can be: one list, one second at a time, nothing that plays.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{CallId, HostLeaves, Role, Terms};
use conclave_conference::{Command, Floor, Refusal};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    WaitsForHost,
    WaitsForConsent,
    HearsNotice,
    In,
    Held,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    AwaitingHost,
    Open,
    HostAway,
    Ending,
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tape {
    Off,
    Asked,
    On,
}

#[derive(Debug)]
struct Person {
    call: CallId,
    host: bool,
    state: State,
    since: DateTime<Utc>,
    own_mute: bool,
    host_mute: bool,
    quieted: Option<u64>,
    may_speak: bool,
    hand: Option<u64>,
    on_hold: bool,
    noisy: bool,
    level: Option<(i8, DateTime<Utc>)>,
}

#[derive(Debug)]
pub(crate) struct Model {
    terms: Terms,
    ends: Option<DateTime<Utc>>,
    /// The ends that were moved back.
    taken_back: Vec<DateTime<Utc>>,
    people: Vec<Person>,
    pub(crate) mode: Mode,
    pub(crate) locked: bool,
    pub(crate) floor: Floor,
    away_until: Option<DateTime<Utc>>,
    alone: Option<(CallId, DateTime<Utc>)>,
    pub(crate) tape: Tape,
    /// Whether the end that is being announced is a booking's.
    time_over: bool,
    turn: u64,
}

impl Model {
    pub(crate) fn new(terms: Terms, ends: Option<DateTime<Utc>>) -> Self {
        Self {
            terms,
            ends,
            taken_back: Vec::new(),
            people: Vec::new(),
            mode: Mode::AwaitingHost,
            locked: false,
            floor: Floor::Open,
            away_until: None,
            alone: None,
            tape: Tape::Off,
            time_over: false,
            turn: 0,
        }
    }

    /// Who is where, and who is heard, in order of arrival.
    pub(crate) fn people(&self) -> Vec<(CallId, State, bool)> {
        self.people
            .iter()
            .map(|person| (person.call, person.state, self.heard(person)))
            .collect()
    }

    pub(crate) fn door(&self, role: Role) -> Result<(), Refusal> {
        let full = match role {
            Role::Guest if !self.host_in() => self.people.len() + 1 >= self.places(),
            Role::Guest | Role::Host => self.people.len() >= self.places(),
        };
        if matches!(self.mode, Mode::Ending | Mode::Over) {
            Err(Refusal::Ending)
        } else if self.locked && (role == Role::Guest || self.host_in()) {
            Err(Refusal::Locked)
        } else if full {
            Err(Refusal::Full)
        } else {
            Ok(())
        }
    }

    pub(crate) fn arrive(
        &mut self,
        call: CallId,
        role: Role,
        by_consent: bool,
        now: DateTime<Utc>,
    ) {
        if self.person(call).is_some() {
            return;
        }
        if self.door(role).is_err() {
            if self.people.is_empty() {
                self.mode = Mode::Over;
            }
            return;
        }
        self.people.push(Person {
            call,
            host: role == Role::Host,
            state: if by_consent {
                State::WaitsForConsent
            } else {
                State::WaitsForHost
            },
            since: now,
            own_mute: false,
            host_mute: false,
            quieted: None,
            may_speak: false,
            hand: None,
            on_hold: false,
            noisy: false,
            level: None,
        });
        if !by_consent {
            self.let_in(call, now);
        }
        self.watch(now);
    }

    pub(crate) fn leave(&mut self, call: CallId, now: DateTime<Utc>) {
        let Some(index) = self.people.iter().position(|person| person.call == call) else {
            return;
        };
        let gone = self.people.remove(index);
        if self.people.is_empty() {
            self.mode = Mode::Over;
        }
        let last_host = gone.host && gone.state == State::In && !self.host_in();
        if last_host && self.mode == Mode::Open && self.tape != Tape::Off {
            self.tape = Tape::Off;
            self.notices_are_over(now);
        }
        let last_host = last_host && !self.host_in();
        if last_host && self.mode == Mode::Open {
            match self.terms.host_leaves {
                HostLeaves::Continue if self.floor == Floor::StrictLecture => {
                    self.floor = Floor::Lecture;
                }
                HostLeaves::Continue => {}
                HostLeaves::Hangup {
                    grace: Duration::ZERO,
                } => self.end(),
                HostLeaves::Hangup { grace } => self.hold(Some(now + grace), now),
                HostLeaves::Hold => self.hold(None, now),
            }
        }
        let admitted = |person: &Person| matches!(person.state, State::In | State::Held);
        let in_grace = self.mode == Mode::HostAway && self.away_until.is_some();
        if !self.people.iter().any(admitted)
            && matches!(self.mode, Mode::Open | Mode::HostAway)
            && !in_grace
        {
            self.mode = Mode::AwaitingHost;
            self.locked = false;
            self.floor = Floor::Open;
        }
        self.watch(now);
    }

    pub(crate) fn peer_hold(&mut self, call: CallId, held: bool) {
        if let Some(person) = self.person_mut(call) {
            person.on_hold = held;
            person.noisy = false;
            person.level = None;
        }
    }

    pub(crate) fn noisy(&mut self, call: CallId, noisy: bool) {
        if let Some(person) = self.person_mut(call) {
            person.noisy = noisy && !person.on_hold;
        }
    }

    pub(crate) fn level(&mut self, call: CallId, dbfs: i8, now: DateTime<Utc>) {
        if let Some(person) = self.person_mut(call)
            && !person.on_hold
        {
            person.level = Some((dbfs, now));
        }
    }

    /// The booking was moved.
    pub(crate) fn reschedule(&mut self, ends: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        let announced = self.mode == Mode::Ending && self.time_over;
        if announced || self.mode == Mode::Over || ends == self.ends {
            return;
        }
        self.taken_back.extend(self.ends);
        self.taken_back
            .retain(|old| ends.is_some_and(|ends| ends < *old));
        self.ends = ends;
        if ends.is_some_and(|ends| ends <= now) {
            self.time_is_over();
        }
    }

    /// A caller's ticket tells the end of the booking, provided that its PIN still opens the door.
    pub(crate) fn heed(&mut self, told: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        let Some((told, ends)) = told.zip(self.ends) else {
            return;
        };
        let announced = self.mode == Mode::Ending && self.time_over;
        let old = self.taken_back.iter().any(|old| told <= *old);
        if told > now && told > ends && !announced && !old {
            self.ends = Some(told);
        }
    }

    fn time_is_over(&mut self) {
        self.ends = None;
        self.alone = None;
        self.ask_no_more();
        let told = self.people.iter().any(|person| person.state == State::In);
        if told || self.mode == Mode::Ending {
            self.mode = Mode::Ending;
            self.time_over = true;
        } else {
            self.end();
        }
    }

    /// The recorder says that it records, or that it can't, or has ceased to.
    pub(crate) fn recorder_answers(&mut self, works: bool, now: DateTime<Utc>) {
        match self.tape {
            Tape::Asked if works => self.tape = Tape::On,
            Tape::On if !works => {
                self.tape = Tape::Off;
                if self.mode == Mode::Open {
                    self.notices_are_over(now);
                }
            }
            Tape::Asked => self.tape = Tape::Off,
            Tape::Off | Tape::On => {}
        }
        self.watch(now);
    }

    /// Who heard that it is recorded comes in, unless the door has been locked.
    pub(crate) fn notices_are_over(&mut self, now: DateTime<Utc>) {
        if self.mode == Mode::Ending {
            return;
        }
        let hear = |person: &&Person| person.state == State::HearsNotice;
        let calls: Vec<_> = self.people.iter().filter(hear).map(|p| p.call).collect();
        for call in calls {
            let host = self.person(call).is_some_and(|person| person.host);
            if self.locked && (!host || self.host_in()) {
                self.leave(call, now);
            } else {
                self.come_in(call, now);
            }
        }
        self.watch(now);
    }

    /// The announcement of the end is over.
    pub(crate) fn end_announced(&mut self) {
        if self.mode == Mode::Ending {
            self.end();
        }
    }

    pub(crate) fn tick(&mut self, now: DateTime<Utc>) {
        if self.mode == Mode::Over {
            return;
        }
        if self.ends.is_some_and(|ends| ends <= now) {
            self.time_is_over();
        }
        if self.mode == Mode::HostAway && self.away_until.is_some_and(|until| until <= now) {
            self.end();
        }
        let longest = TimeDelta::from_std(self.terms.longest_wait).expect("a span");
        loop {
            let in_grace = self.mode == Mode::HostAway && self.away_until.is_some();
            let waits = |person: &Person| match person.state {
                State::WaitsForHost | State::WaitsForConsent | State::HearsNotice => true,
                State::Held => !in_grace,
                State::In => false,
            };
            let over = |person: &Person| waits(person) && person.since + longest <= now;
            let Some(call) = self.people.iter().find(|p| over(p)).map(|p| p.call) else {
                break;
            };
            self.leave(call, now);
        }
        if let Some((call, since)) = self.alone
            && since + self.terms.alone + Duration::from_secs(60) <= now
        {
            self.leave(call, now);
        }
    }

    pub(crate) fn command(
        &mut self,
        by: Option<CallId>,
        command: Command,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let for_all = matches!(
            command,
            Command::Mute | Command::Hand | Command::Help | Command::Star
        );
        if let Some(by) = by {
            let person = self.person(by).ok_or(Refusal::Unknown)?;
            if !person.host && !for_all {
                return Err(Refusal::NotAHost);
            }
            if person.state != State::In {
                return Err(Refusal::NothingToDo);
            }
        }
        let to_the_end = matches!(
            command,
            Command::Mute | Command::Star | Command::MuteCall { .. } | Command::Remove { .. }
        );
        if self.mode == Mode::Over || (self.mode == Mode::Ending && !to_the_end) {
            return Err(Refusal::Ending);
        }
        self.turn += 1;
        let turn = self.turn;
        let done = Ok(());
        let nothing = Err(Refusal::NothingToDo);
        let host = by.is_none_or(|by| self.person(by).is_some_and(|person| person.host));
        match command {
            Command::Mute => match by {
                None => nothing,
                Some(by) => {
                    self.mute(by);
                    done
                }
            },
            Command::Lock | Command::SetLock { .. } if !self.terms.lock => Err(Refusal::NotAllowed),
            Command::SetLock { locked } if locked == self.locked => nothing,
            Command::Lock | Command::SetLock { .. } if !self.locked && self.mode != Mode::Open => {
                nothing
            }
            Command::Lock | Command::SetLock { .. } => {
                self.locked = !self.locked;
                done
            }
            Command::RollCall if by.is_none() && !self.host_in() => nothing,
            Command::RollCall => done,
            Command::Help => by.map(|_| ()).ok_or(Refusal::NothingToDo),
            Command::EndForAll => {
                if self.people.iter().any(|person| person.state == State::In) {
                    self.mode = Mode::Ending;
                } else {
                    self.end();
                }
                self.alone = None;
                self.ask_no_more();
                done
            }
            Command::Star => {
                if !host || self.mode != Mode::Ending || self.time_over || !self.host_in() {
                    return nothing;
                }
                self.mode = Mode::Open;
                self.watch(now);
                done
            }
            Command::Lecture => {
                self.floor = match self.floor {
                    Floor::Open => Floor::Lecture,
                    Floor::Lecture => Floor::StrictLecture,
                    Floor::StrictLecture => Floor::Open,
                };
                for person in &mut self.people {
                    person.may_speak = false;
                }
                done
            }
            Command::SetFloor { floor } if floor == self.floor => nothing,
            Command::SetFloor { floor } => {
                self.floor = floor;
                for person in &mut self.people {
                    person.may_speak = false;
                }
                done
            }
            Command::QuietCall { call, quieted } => {
                let person = self.person_mut(call).ok_or(Refusal::Unknown)?;
                if person.quieted.is_some() == quieted || person.state != State::In {
                    return nothing;
                }
                person.host_mute = false;
                person.quieted = quieted.then_some(turn);
                done
            }
            Command::LetSpeak { call } => {
                let lecture = self.floor != Floor::Open;
                let person = self.person_mut(call).ok_or(Refusal::Unknown)?;
                let silenced = person.host_mute || person.quieted.is_some();
                let muted = silenced || person.own_mute;
                let lectured = lecture && !person.host && !person.may_speak && !muted;
                if person.state != State::In || person.hand.is_none() && !lectured {
                    return nothing;
                }
                person.hand = None;
                person.own_mute = false;
                person.host_mute = false;
                person.quieted = None;
                person.may_speak = true;
                done
            }
            Command::Quiet => self.quiet(turn, now),
            Command::Recording if !self.terms.recording => Err(Refusal::NotAllowed),
            Command::Recording => match self.tape {
                Tape::On => {
                    self.tape = Tape::Off;
                    self.notices_are_over(now);
                    done
                }
                Tape::Off if self.mode == Mode::Open && self.host_in() => {
                    self.tape = Tape::Asked;
                    done
                }
                Tape::Off | Tape::Asked => nothing,
            },
            Command::Hand if host => {
                let up = self.people.iter_mut().filter(|p| p.state == State::In);
                let next = up.filter(|p| p.hand.is_some()).min_by_key(|p| p.hand);
                let next = next.ok_or(Refusal::NothingToDo)?;
                next.hand = None;
                next.own_mute = false;
                next.host_mute = false;
                next.quieted = None;
                next.may_speak = true;
                done
            }
            Command::Hand => {
                let person = by.and_then(|by| self.person_mut(by));
                if let Some(person) = person {
                    person.hand = if person.hand.is_some() {
                        None
                    } else {
                        Some(turn)
                    };
                }
                done
            }
            Command::MuteCall { call, muted } => {
                let person = self.person_mut(call).ok_or(Refusal::Unknown)?;
                let silenced = person.host_mute || person.quieted.is_some();
                if silenced == muted {
                    return nothing;
                }
                person.host_mute = muted;
                person.quieted = None;
                done
            }
            Command::Remove { call } => {
                self.person(call).ok_or(Refusal::Unknown)?;
                self.leave(call, now);
                done
            }
            Command::Admit { call, welcome } => {
                let person = self.person(call).ok_or(Refusal::Unknown)?;
                if person.state != State::WaitsForConsent {
                    return nothing;
                }
                if !welcome {
                    self.leave(call, now);
                } else if self.locked && (!person.host || self.host_in()) {
                    return Err(Refusal::Locked);
                } else {
                    self.let_in(call, now);
                    self.watch(now);
                }
                done
            }
            other => panic!("{other:?} is not modelled"),
        }
    }

    fn mute(&mut self, call: CallId) {
        let floor = self.floor;
        let Some(person) = self.person_mut(call) else {
            return;
        };
        let lectured = !person.host && floor != Floor::Open && !person.may_speak;
        if person.host_mute
            || person.quieted.is_some()
            || (lectured && floor == Floor::StrictLecture)
        {
        } else if lectured || person.own_mute {
            person.own_mute = false;
            person.may_speak = true;
        } else {
            person.own_mute = true;
        }
    }

    fn quiet(&mut self, turn: u64, now: DateTime<Utc>) -> Result<(), Refusal> {
        let heard: Vec<bool> = self
            .people
            .iter()
            .map(|person| self.heard(person))
            .collect();
        let noisy = self
            .people
            .iter()
            .zip(&heard)
            .position(|(person, heard)| person.noisy && *heard);
        let quieted = (0..self.people.len())
            .filter(|i| self.people[*i].state == State::In)
            .filter(|i| self.people[*i].quieted.is_some())
            .max_by_key(|i| self.people[*i].quieted);
        let loud = |i: &usize| {
            let person = &self.people[*i];
            let (dbfs, at) = person.level?;
            (heard[*i] && !person.host && now <= at + TimeDelta::seconds(10)).then_some(dbfs)
        };
        let loudest = (0..self.people.len())
            .filter_map(|i| loud(&i).map(|dbfs| (dbfs, i)))
            .max_by(|a, b| (a.0, self.people[b.1].call).cmp(&(b.0, self.people[a.1].call)));
        if let Some(i) = noisy {
            self.people[i].quieted = Some(turn);
        } else if let Some(i) = quieted {
            self.people[i].quieted = None;
        } else if let Some((_, i)) = loudest {
            self.people[i].quieted = Some(turn);
        } else {
            return Err(Refusal::NothingToDo);
        }
        Ok(())
    }

    fn let_in(&mut self, call: CallId, now: DateTime<Utc>) {
        let opens = self.mode != Mode::Open;
        let tape = self.tape;
        let Some(person) = self.person_mut(call) else {
            return;
        };
        // Who waits for a Host is told when they come in.
        if tape == Tape::On && (person.host || !opens) {
            person.state = State::HearsNotice;
            person.since = now;
            return;
        }
        self.come_in(call, now);
    }

    fn come_in(&mut self, call: CallId, now: DateTime<Utc>) {
        let opens = self.mode != Mode::Open;
        let Some(person) = self.person_mut(call) else {
            return;
        };
        if opens && !person.host {
            person.state = State::WaitsForHost;
            person.since = now;
            return;
        }
        person.state = State::In;
        if opens {
            self.mode = Mode::Open;
            for person in &mut self.people {
                if matches!(person.state, State::WaitsForHost | State::Held) {
                    person.state = State::In;
                }
            }
        }
    }

    fn hold(&mut self, until: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        if self.mode == Mode::Over {
            return;
        }
        self.mode = Mode::HostAway;
        self.away_until = until;
        for person in &mut self.people {
            if person.state == State::In {
                person.state = State::Held;
                person.since = now;
            }
        }
    }

    fn ask_no_more(&mut self) {
        if self.tape == Tape::Asked {
            self.tape = Tape::Off;
        }
    }

    fn end(&mut self) {
        self.tape = Tape::Off;
        self.people.clear();
        self.mode = Mode::Over;
    }

    fn watch(&mut self, now: DateTime<Utc>) {
        let within: Vec<CallId> = self
            .people
            .iter()
            .filter(|person| person.state == State::In)
            .map(|person| person.call)
            .collect();
        self.alone = match (self.mode, within.as_slice(), self.alone) {
            (Mode::Open, [only], Some((call, since))) if *only == call => Some((call, since)),
            (Mode::Open, [only], _) => Some((*only, now)),
            _ => None,
        };
    }

    fn heard(&self, person: &Person) -> bool {
        let lectured = !person.host && self.floor != Floor::Open && !person.may_speak;
        let silenced = person.host_mute || person.quieted.is_some() || person.own_mute;
        person.state == State::In && !person.on_hold && !silenced && !lectured
    }

    fn host_in(&self) -> bool {
        self.people
            .iter()
            .any(|person| person.host && person.state == State::In)
    }

    fn places(&self) -> usize {
        self.terms.max_participants as usize
    }

    fn person(&self, call: CallId) -> Option<&Person> {
        self.people.iter().find(|person| person.call == call)
    }

    fn person_mut(&mut self, call: CallId) -> Option<&mut Person> {
        self.people.iter_mut().find(|person| person.call == call)
    }
}
