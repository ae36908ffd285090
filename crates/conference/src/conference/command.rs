//! The keys' and the portal's wishes.

use std::time::Duration;

use chrono::{DateTime, Utc};
use conclave_accounts::{Owner, Role};

use super::{Conference, Phase};
use crate::{
    Actor, CallId, Command, Fact, Floor, LeaveReason, Participant, Prompt, Refusal, plays::About,
    roster::Silenced, timer::later,
};

/// "The loudest of the last seconds" are these.
const LOUD_FOR: Duration = Duration::from_secs(10);

impl Conference {
    /// The book's entry comes before what follows from the command.
    pub(super) fn command(
        &mut self,
        by: Actor,
        command: Command,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let before = self.actions.len();
        let outcome = self.carry_out(by, command, now);
        // A star that nothing waited for is a key that does nothing, and no command.
        let idle = command == Command::Star && outcome == Err(Refusal::NothingToDo);
        if outcome != Err(Refusal::Unknown) && !idle {
            let fact = Fact::Command {
                by,
                command,
                refused: outcome.err(),
            };
            let record = self.record_of(fact, now);
            self.actions.insert(before, record);
        }
        outcome
    }

    fn carry_out(
        &mut self,
        by: Actor,
        command: Command,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let caller = match by {
            Actor::Operator(_) => None,
            Actor::Caller(call) => Some(call),
        };
        if let Some(call) = caller {
            let row = self.roster.get(call).ok_or(Refusal::Unknown)?;
            if row.role == Role::Guest && command.is_hosts() {
                return Err(Refusal::NotAHost);
            }
            if !row.in_room() {
                return Err(Refusal::NothingToDo);
            }
        }
        if self.is_over() || (self.is_ending() && !command.works_to_the_end()) {
            return Err(Refusal::Ending);
        }
        match (command, caller) {
            (Command::Lock, _) => self.set_lock(!self.locked, now),
            (Command::SetLock { locked }, _) => self.set_lock(locked, now),
            (Command::Lecture, _) => self.set_floor(next_floor(self.floor), now),
            (Command::SetFloor { floor }, _) => self.set_floor(floor, now),
            (Command::Quiet, _) => self.quiet(caller, now),
            (Command::EndForAll, _) => self.end_for_all(by, now),
            (Command::Recording, _) => self.record_or_stop(caller, now),
            (Command::QuietCall { call, quieted }, _) => {
                self.quiet_call(call, quieted, caller, now)
            }
            (Command::LetSpeak { call }, _) => self.let_speak(call, now),
            (Command::MuteCall { call, muted }, _) => self.mute_call(call, muted, now),
            (Command::Remove { call }, _) => self.remove_call(call, now),
            (Command::Admit { call, welcome }, _) => self.decide(call, welcome, caller, now),
            (Command::Hand, Some(call)) if !self.is_host(call) => self.raise_or_lower(call, now),
            (Command::Hand, _) => self.let_next_hand_speak(now),
            (Command::Star, Some(call)) => self.star(call, now),
            (Command::Star, None) => self.take_back(now),
            (Command::Mute, Some(call)) => self.mute(call, now),
            (Command::RollCall, Some(call)) => self.call_the_roll(call, now),
            (Command::RollCall, None) => self.call_the_roll_to_hosts(now),
            (Command::Consent, Some(call)) => self.consent_key(call, now),
            (Command::Help, Some(call)) => self.help(call, now),
            // The portal has no voice to mute and no ear to hear with.
            (Command::Mute | Command::Consent | Command::Help, None) => Err(Refusal::NothingToDo),
        }
    }

    fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending { .. })
    }

    fn mute(&mut self, call: CallId, now: DateTime<Utc>) -> Result<(), Refusal> {
        let floor = self.floor;
        let row = self.roster.get_mut(call).ok_or(Refusal::Unknown)?;
        let result = row.toggle_mute(floor);
        self.route(call);
        self.play_to_call(call, About::Voice, [result], now);
        Ok(())
    }

    fn set_lock(&mut self, locked: bool, now: DateTime<Utc>) -> Result<(), Refusal> {
        if !self.terms.lock {
            return Err(Refusal::NotAllowed);
        }
        // With no Host in there is no room to lock; who waits then shall still be let in.
        if locked == self.locked || locked && self.phase != Phase::Open {
            return Err(Refusal::NothingToDo);
        }
        self.locked = locked;
        let result = if self.locked {
            self.turned_away = 0;
            Prompt::Locked
        } else {
            Prompt::Unlocked
        };
        self.play_to_room(None, About::Lock, [result], now);
        Ok(())
    }

    /// A floor that someone took or was given is good for one kind of lecture.
    fn set_floor(&mut self, floor: Floor, now: DateTime<Utc>) -> Result<(), Refusal> {
        if floor == self.floor {
            return Err(Refusal::NothingToDo);
        }
        let result = match floor {
            Floor::Lecture => Prompt::LectureOn,
            Floor::StrictLecture => Prompt::LectureStrict,
            Floor::Open => Prompt::LectureOff,
        };
        self.floor = floor;
        for (_, row) in self.roster.iter_mut() {
            row.floor = false;
        }
        self.route_all();
        self.play_to_room(None, About::Floor, [result], now);
        Ok(())
    }

    /// A flagged line first; else what was quieted last is restored; else the loudest Guest is quieted.
    fn quiet(&mut self, asked_by: Option<CallId>, now: DateTime<Utc>) -> Result<(), Refusal> {
        let turn = self.next_turn();
        let (call, silenced, result) = if let Some(call) = self.noisy_line() {
            (call, Some(Silenced::Quieted(turn)), Prompt::LineQuieted)
        } else if let Some(call) = self.quieted_last() {
            (call, None, Prompt::LineRestored)
        } else if let Some(call) = self.loudest_guest(now) {
            (call, Some(Silenced::Quieted(turn)), Prompt::LineQuieted)
        } else {
            return Err(Refusal::NothingToDo);
        };
        self.silence(call, silenced, result, asked_by, now);
        Ok(())
    }

    fn quiet_call(
        &mut self,
        call: CallId,
        quieted: bool,
        asked_by: Option<CallId>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let turn = self.next_turn();
        let row = self.roster.get(call).ok_or(Refusal::Unknown)?;
        let is_quieted = matches!(row.silenced, Some(Silenced::Quieted(_)));
        if is_quieted == quieted || !row.in_room() {
            return Err(Refusal::NothingToDo);
        }
        let (silenced, result) = if quieted {
            (Some(Silenced::Quieted(turn)), Prompt::LineQuieted)
        } else {
            (None, Prompt::LineRestored)
        };
        self.silence(call, silenced, result, asked_by, now);
        Ok(())
    }

    fn silence(
        &mut self,
        call: CallId,
        silenced: Option<Silenced>,
        result: Prompt,
        asked_by: Option<CallId>,
        now: DateTime<Utc>,
    ) {
        if let Some(row) = self.roster.get_mut(call) {
            row.silenced = silenced;
            row.spared = silenced.is_none();
            row.quieted_by_itself = false;
        }
        self.route(call);
        let host = asked_by.filter(|host| *host != call);
        for ear in host.into_iter().chain([call]) {
            self.play_to_call(ear, About::Quiet, [result], now);
        }
    }

    /// Where the account wishes it, flagged lines are quieted without a Host's word.
    pub(super) fn quiet_noisy_lines(&mut self, now: DateTime<Utc>) {
        if !self.terms.quieting {
            return;
        }
        let flagged = |row: &Participant| row.noisy && !row.spared && row.is_heard();
        for call in self.roster.calls(flagged) {
            let turn = self.next_turn();
            if let Some(row) = self.roster.get_mut(call) {
                row.silenced = Some(Silenced::Quieted(turn));
                row.quieted_by_itself = true;
            }
            self.tell_of_quieting(call, Prompt::LineQuieted, now);
        }
    }

    /// The line is flagged no longer.
    pub(super) fn restore_line(&mut self, call: CallId, now: DateTime<Utc>) {
        let row = self.roster.get_mut(call);
        if row.is_some_and(Participant::end_own_quieting) {
            self.tell_of_quieting(call, Prompt::LineRestored, now);
        }
    }

    fn tell_of_quieting(&mut self, call: CallId, result: Prompt, now: DateTime<Utc>) {
        self.route(call);
        let in_room = self.roster.get(call).is_some_and(Participant::in_room);
        let hosts = self.roster.hosts_in().into_iter();
        let others = hosts.filter(|host| *host != call);
        let ears: Vec<CallId> = others.chain(in_room.then_some(call)).collect();
        self.play_to_calls(&ears, About::Quiet, result, now);
    }

    fn noisy_line(&self) -> Option<CallId> {
        let flagged = |row: &Participant| row.noisy && row.is_heard();
        self.roster.calls(flagged).first().copied()
    }

    fn quieted_last(&self) -> Option<CallId> {
        self.roster
            .iter()
            .filter_map(|(call, row)| match row.silenced {
                Some(Silenced::Quieted(turn)) if row.in_room() => Some((turn, call)),
                Some(Silenced::Quieted(_) | Silenced::Muted) | None => None,
            })
            .max()
            .map(|(_, call)| call)
    }

    fn loudest_guest(&self, now: DateTime<Utc>) -> Option<CallId> {
        self.roster
            .iter()
            .filter(|(_, row)| row.role == Role::Guest && row.is_heard())
            .filter_map(|(call, row)| {
                let (dbfs, at) = row.level?;
                (now <= later(at, LOUD_FOR)).then_some((dbfs, std::cmp::Reverse(call)))
            })
            .max()
            .map(|(_, call)| call.0)
    }

    fn mute_call(&mut self, call: CallId, muted: bool, now: DateTime<Utc>) -> Result<(), Refusal> {
        let row = self.roster.get_mut(call).ok_or(Refusal::Unknown)?;
        if row.silenced.is_some() == muted {
            return Err(Refusal::NothingToDo);
        }
        row.silenced = muted.then_some(Silenced::Muted);
        row.spared = !muted;
        row.quieted_by_itself = false;
        let result = if muted {
            Prompt::MutedByHost
        } else {
            Prompt::UnmutedByHost
        };
        self.route(call);
        self.play_to_call(call, About::Voice, [result], now);
        Ok(())
    }

    fn remove_call(&mut self, call: CallId, now: DateTime<Utc>) -> Result<(), Refusal> {
        self.roster.get(call).ok_or(Refusal::Unknown)?;
        self.release(call, Some(Prompt::RemovedByHost), LeaveReason::Removed, now);
        Ok(())
    }

    fn raise_or_lower(&mut self, call: CallId, now: DateTime<Utc>) -> Result<(), Refusal> {
        let turn = self.next_turn();
        let row = self.roster.get_mut(call).ok_or(Refusal::Unknown)?;
        if row.hand.take().is_some() {
            self.play_to_call(call, About::Hand, [Prompt::HandLowered], now);
            return Ok(());
        }
        row.hand = Some(turn);
        self.play_to_call(call, About::Hand, [Prompt::HandRaised], now);
        let hosts = self.roster.hosts_in();
        self.play_to_calls(&hosts, About::Hand, Prompt::HandRaised, now);
        Ok(())
    }

    fn let_next_hand_speak(&mut self, now: DateTime<Utc>) -> Result<(), Refusal> {
        let (_, call) = self
            .roster
            .iter()
            .filter(|(_, row)| row.in_room())
            .filter_map(|(call, row)| Some((row.hand?, call)))
            .min()
            .ok_or(Refusal::NothingToDo)?;
        if let Some(row) = self.roster.get_mut(call) {
            row.give_floor();
        }
        self.route(call);
        self.play_to_call(call, About::Hand, [Prompt::YouMaySpeak], now);
        Ok(())
    }

    fn let_speak(&mut self, call: CallId, now: DateTime<Utc>) -> Result<(), Refusal> {
        let floor = self.floor;
        let row = self.roster.get_mut(call).ok_or(Refusal::Unknown)?;
        if !row.can_be_let_speak(floor) {
            return Err(Refusal::NothingToDo);
        }
        row.give_floor();
        self.route(call);
        self.play_to_call(call, About::Hand, [Prompt::YouMaySpeak], now);
        Ok(())
    }

    /// The name that the books and the roster show from now on.
    pub(super) fn name_call(
        &mut self,
        by: Actor,
        call: CallId,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let name = Owner::check_name(name).map_err(|_| Refusal::NotAName)?;
        let row = self.roster.get_mut(call).ok_or(Refusal::Unknown)?;
        if row.holder.as_deref() == Some(name) {
            return Err(Refusal::NothingToDo);
        }
        let name = name.to_owned();
        row.holder = Some(name.clone());
        self.record(Fact::Named { by, call, name }, now);
        Ok(())
    }

    fn help(&mut self, call: CallId, now: DateTime<Utc>) -> Result<(), Refusal> {
        let keys = if self.is_host(call) {
            Prompt::HelpHost
        } else {
            Prompt::HelpGuest
        };
        self.play_to_call(call, About::Help, [keys], now);
        Ok(())
    }

    /// `*` alone: to the take-back first, since it can't wait; then to the roll call; then to the consent dialogue.
    fn star(&mut self, call: CallId, now: DateTime<Utc>) -> Result<(), Refusal> {
        if !self.is_host(call) {
            Err(Refusal::NothingToDo)
        } else if self.is_ending() {
            self.take_back(now)
        } else if let Some(roll_call) = self.roll_calls.remove(&call) {
            self.stop_play(roll_call.play());
            Ok(())
        } else if let Some(dialogue) = self.dialogues.remove(&call) {
            self.decide(dialogue.about, false, Some(call), now)
        } else {
            Err(Refusal::NothingToDo)
        }
    }
}

/// `*5`: open, lecture, strict lecture, open.
fn next_floor(floor: Floor) -> Floor {
    match floor {
        Floor::Open => Floor::Lecture,
        Floor::Lecture => Floor::StrictLecture,
        Floor::StrictLecture => Floor::Open,
    }
}

impl Command {
    /// Whether only a Host may give it.
    fn is_hosts(self) -> bool {
        match self {
            Self::Mute | Self::Hand | Self::Help | Self::Star => false,
            Self::Lock
            | Self::RollCall
            | Self::EndForAll
            | Self::Lecture
            | Self::Consent
            | Self::Quiet
            | Self::Recording
            | Self::SetLock { .. }
            | Self::SetFloor { .. }
            | Self::QuietCall { .. }
            | Self::LetSpeak { .. }
            | Self::MuteCall { .. }
            | Self::Remove { .. }
            | Self::Admit { .. } => true,
        }
    }

    /// Whether it still means something while the end is being announced.
    fn works_to_the_end(self) -> bool {
        match self {
            Self::Mute | Self::Star | Self::MuteCall { .. } | Self::Remove { .. } => true,
            Self::Lock
            | Self::RollCall
            | Self::EndForAll
            | Self::Lecture
            | Self::Consent
            | Self::Quiet
            | Self::Recording
            | Self::SetLock { .. }
            | Self::SetFloor { .. }
            | Self::QuietCall { .. }
            | Self::LetSpeak { .. }
            | Self::Hand
            | Self::Help
            | Self::Admit { .. } => false,
        }
    }
}
