//! The machine itself: its state, what it is told and asked, and its timers. What follows from them is
//! told by the modules below, one for each part of a conference's life.

mod announce;
mod arrive;
mod booking;
mod command;
mod consent;
mod end;
mod leave;
mod recording;
mod roll_call;
mod say;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, Utc};
use conclave_accounts::{AccountId, ConferenceKey, Role, Terms, Ticket};

use self::{
    announce::Gathering,
    booking::{Booked, Booking},
    consent::Dialogue,
    recording::Tape,
    roll_call::RollCall,
};
use crate::{
    Action, Actor, CallId, Command, ConferenceId, EndReason, Event, Fact, Floor, NameId,
    Participant, PlayId, Refusal, Timer,
    plays::Plays,
    roster::{Arrival, Roster},
    timer::later,
};

/// One conference, from its first call to its last, as a plain value that a shell drives.
///
/// # The contract
///
/// - *Getters* change nothing: [`phase`](Self::phase), [`roster`](Self::roster),
///   [`awaits_star`](Self::awaits_star), [`is_over`](Self::is_over) and their like.
/// - *One change at a time*: [`knock`](Self::knock), [`handle_event`](Self::handle_event),
///   [`execute`](Self::execute), [`rename`](Self::rename), [`refuse`](Self::refuse) or [`handle_timeout`](Self::handle_timeout), each with the time at which it
///   happens. Times should not go back; one that does is harmless.
/// - *Then drain*: [`poll_action`](Self::poll_action) until it is `None`, carrying the orders out in their order,
///   and ask [`poll_timeout`](Self::poll_timeout) anew: a timer that was told before may be gone.
/// - When [`is_over`](Self::is_over) says so and the actions are drained, drop it. The next call on the same
///   [`ConferenceKey`] makes a new one: lock, mutes and roster begin afresh.
///
/// Handling is total: events about calls or plays that the conference doesn't know (any more) do nothing.
///
/// ```
/// use chrono::DateTime;
/// use conclave_conference::{Action, CallId, Caller, Conference, ConferenceId, Event};
/// # use conclave_accounts::*;
/// # let account = Account::new(AccountId(1), Owner::new("Ada", "ada@example.org").unwrap());
/// # let pin = Pin::parse("4711").unwrap();
/// # let door = Some(account.door(Role::Host));
/// # let mut doorkeeper = Doorkeeper::new(PinPolicy::default(), DateTime::UNIX_EPOCH);
/// # let source = Source::new("trunk", "+4930123456");
///
/// let mut now = DateTime::UNIX_EPOCH;
/// // The way to a conference leads past the PIN check of `conclave-accounts`.
/// let Outcome::Admit(ticket) = doorkeeper.judge(&source, &pin, door, None, now).outcome else {
///     panic!("the PIN is good");
/// };
/// let mut conference = Conference::new(ConferenceId(1), &ticket, now);
/// let (call, caller) = (CallId(7), Caller::default());
/// conference.handle_event(Event::Arrived { call, ticket, caller }, now);
/// let mut told = Vec::new();
/// loop {
///     while let Some(action) = conference.poll_action() {
///         match action {
///             Action::Route { .. } | Action::Stop { .. } => { /* to the media plane */ }
///             Action::Play { clips, .. } => told.extend(clips), // to the media plane, too
///             Action::Release { .. } => { /* the farewell, then a BYE */ }
///             Action::ForgetName { .. } => { /* wipe the recorded name */ }
///             Action::StartRecording { .. } | Action::StopRecording { .. } => { /* to the recorder */ }
///             Action::Record(_) => { /* to the books */ }
///         }
///     }
///     if conference.is_over() {
///         break;
///     }
///     // Wait for whatever comes first: an event, a command, or the timer.
///     let Some((at, _what_for)) = conference.poll_timeout() else { break };
///     now = at;
///     conference.handle_timeout(now);
/// }
/// // The Host was alone for so long that the conference ended.
/// use conclave_conference::Prompt::*;
/// assert_eq!(told, [YouAreTheFirst.into(), OneMinuteLeft.into()]);
/// assert!(conference.is_over());
/// ```
#[derive(Debug)]
pub struct Conference {
    id: ConferenceId,
    key: ConferenceKey,
    account: AccountId,
    terms: Terms,
    phase: Phase,
    /// When the first call arrived.
    started: Option<DateTime<Utc>>,
    locked: bool,
    /// Callers whom the lock turned away, since it was locked last.
    turned_away: u32,
    floor: Floor,
    roster: Roster,
    alone: Option<Alone>,
    booked: Booked,
    entering: Option<Gathering>,
    leaving: Option<Gathering>,
    roll_calls: BTreeMap<CallId, RollCall>,
    dialogues: BTreeMap<CallId, Dialogue>,
    tape: Tape,
    /// Where the last consent dialogue stood in the queue: the next one asks about the one behind.
    last_asked: Option<Arrival>,
    plays: Plays,
    /// Names of those who left, kept until nothing that is playing or about to be needs them.
    parting: BTreeSet<NameId>,
    /// Numbers the turns of hands and of quieted lines.
    turn: u64,
    actions: VecDeque<Action>,
}

/// Where a conference is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// No Host has been in: Guests wait, each alone.
    AwaitingHost,
    /// A Host has been in, and who is let in meets the others. No Host need be in any more, where the account
    /// says that the Guests go on.
    Open,
    /// The last Host left, and the others are held until one returns.
    HostAway {
        /// When all are disconnected, where the account gives a grace.
        until: Option<DateTime<Utc>>,
    },
    /// The end is being announced to all; nobody comes in any more.
    Ending {
        /// The announcement.
        play: PlayId,
        /// Why it ends. What a Host or an operator does can be taken back, the end of a booking can't.
        why: EndReason,
    },
    /// Nobody is left.
    Over {
        /// Why it ended.
        why: EndReason,
    },
}

/// The one participant in the room, and what comes next.
#[derive(Debug, Clone, Copy)]
enum Alone {
    ToBeWarned { call: CallId, at: DateTime<Utc> },
    ToBeEnded { call: CallId, at: DateTime<Utc> },
}

impl Conference {
    /// The conference to which the first caller's ticket leads. It begins with the first
    /// [`Event::Arrived`], which should come next.
    pub fn new(id: ConferenceId, first: &Ticket, now: DateTime<Utc>) -> Self {
        Self {
            id,
            key: first.conference(),
            account: first.account(),
            terms: first.terms().clone(),
            phase: Phase::AwaitingHost,
            started: None,
            locked: false,
            turned_away: 0,
            floor: Floor::Open,
            roster: Roster::default(),
            alone: None,
            booked: Booked::new(first.ends_at(), now),
            entering: None,
            leaving: None,
            roll_calls: BTreeMap::new(),
            dialogues: BTreeMap::new(),
            tape: Tape::default(),
            last_asked: None,
            plays: Plays::new(id.0),
            parting: BTreeSet::new(),
            turn: 0,
            actions: VecDeque::new(),
        }
    }

    /// Its number in this run of the bridge.
    pub fn id(&self) -> ConferenceId {
        self.id
    }

    /// Whose doors lead here.
    pub fn key(&self) -> ConferenceKey {
        self.key
    }

    /// The account that owns it.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// What it may and must do: the terms of the ticket that began it, to its end.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Where it is in its life.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether nobody is left and nobody can come: drain the actions and drop it.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over { .. })
    }

    /// Whether it is locked.
    pub fn is_locked(&self) -> bool {
        self.locked
    }

    /// Whether what is said in the room is being recorded.
    pub fn is_recorded(&self) -> bool {
        self.tape.is_on()
    }

    /// How many callers the lock has turned away since it was locked last.
    pub fn turned_away(&self) -> u32 {
        self.turned_away
    }

    /// When the first call arrived; `None` before it.
    pub fn started(&self) -> Option<DateTime<Utc>> {
        self.started
    }

    /// Whether the end that is being announced can be taken back now.
    pub fn can_take_back(&self) -> bool {
        self.can_be_taken_back() && self.roster.host_is_in()
    }

    /// Who may be heard.
    pub fn floor(&self) -> Floor {
        self.floor
    }

    /// Everyone who has arrived and not left, in order of arrival, those who wait included: look at
    /// [`Participant::place`].
    pub fn roster(&self) -> impl Iterator<Item = (CallId, &Participant)> {
        self.roster.iter()
    }

    /// One row of the roster.
    pub fn participant(&self, call: CallId) -> Option<&Participant> {
        self.roster.get(call)
    }

    /// Whether `*` alone acts at once for this caller: it takes back the end of the conference, or stops the
    /// roll call. (In the consent dialogue it must not, because `*4` begins with it: there it counts when no second
    /// key follows.)
    pub fn awaits_star(&self, call: CallId) -> bool {
        let host = self.roster.get(call).is_some_and(Participant::is_host_in);
        host && (self.can_be_taken_back() || self.roll_calls.contains_key(&call))
    }

    /// Asks whether a caller with that ticket would be let in now; to be asked when the PIN was found good,
    /// before a name is recorded. A refusal goes to the books, and the Hosts hear it when it is the lock's doing.
    ///
    /// [`Event::Arrived`] asks again: what happened in between counts.
    ///
    /// # Errors
    ///
    /// [`Refusal::Locked`], [`Refusal::Full`] or [`Refusal::Ending`]; [`Refusal::farewell`] and
    /// [`Refusal::reason`] say how to part.
    pub fn knock(
        &mut self,
        call: CallId,
        ticket: &Ticket,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        self.heed(ticket, now);
        let verdict = self.door(ticket, now);
        if let Err(why) = verdict {
            self.turn_away(call, why, now);
        }
        verdict
    }

    /// Takes a fact in.
    pub fn handle_event(&mut self, event: Event, now: DateTime<Utc>) {
        match event {
            Event::Arrived {
                call,
                ticket,
                caller,
            } => self.arrive(call, ticket, caller, now),
            Event::Left { call, reason } => self.leave(call, reason, now),
            Event::PlayEnded { play } => self.play_ended(play, now),
            Event::PeerHold { call, held } => {
                if let Some(row) = self.roster.get_mut(call) {
                    row.on_hold = held;
                    // What a held line sends is its PBX's music, no word about the caller.
                    row.level = None;
                    row.noisy = false;
                    row.end_own_quieting();
                    self.route(call);
                }
            }
            Event::Level { call, dbfs } => {
                if let Some(row) = self.roster.get_mut(call)
                    && !row.on_hold
                {
                    row.level = Some((dbfs, now));
                }
            }
            Event::Noisy { call, noisy } => {
                if let Some(row) = self.roster.get_mut(call) {
                    row.noisy = noisy && !row.on_hold;
                }
                if !noisy {
                    self.restore_line(call, now);
                }
            }
            Event::RecordingBegan { recording } => self.recording_began(recording, now),
            Event::RecordingFailed { recording } => self.recording_failed(recording, now),
            Event::Rescheduled { ends_at } => self.reschedule(ends_at, now),
            Event::ShutDown => self.shut_down(now),
        }
        self.quiet_noisy_lines(now);
    }

    /// Carries out a command, or says why not. Either goes to the books, but for a [`Command::Star`] that nothing
    /// waited for.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] is a word for the caller or the portal; the conference has not changed.
    pub fn execute(
        &mut self,
        by: Actor,
        command: Command,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let done = self.command(by, command, now);
        self.quiet_noisy_lines(now);
        done
    }

    /// Corrects by which name the roster and the books show a call.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotAName`], or [`Refusal::Unknown`] where that call isn't in; nothing has changed then.
    pub fn rename(
        &mut self,
        by: Actor,
        call: CallId,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        self.name_call(by, call, name, now)
    }

    /// Notes a command that is refused outside: by the keys of the number that was dialled, say, which may keep
    /// for Hosts what the conference lets everyone do. It goes to the books, and nothing else happens.
    pub fn refuse(&mut self, by: Actor, command: Command, why: Refusal, now: DateTime<Utc>) {
        if self.is_over() {
            return;
        }
        let fact = Fact::Command {
            by,
            command,
            refused: Some(why),
        };
        self.record(fact, now);
    }

    /// Does what is due. Calls before a timer's time do nothing.
    pub fn handle_timeout(&mut self, now: DateTime<Utc>) {
        // Each turn uses up the timer that it handles.
        while let Some((at, timer)) = self.poll_timeout()
            && at <= now
        {
            self.timeout(timer, now);
        }
    }

    /// The next order, oldest first.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The time at which [`handle_timeout`](Self::handle_timeout) is wanted next, and what for.
    pub fn poll_timeout(&self) -> Option<(DateTime<Utc>, Timer)> {
        if self.is_over() {
            return None;
        }
        let booking = self.booked.now.iter().flat_map(Booking::timers);
        let grace = match self.phase {
            Phase::HostAway { until } => until,
            Phase::AwaitingHost | Phase::Open | Phase::Ending { .. } | Phase::Over { .. } => None,
        };
        let lists = [
            (self.entering.as_ref(), Timer::EntryList),
            (self.leaving.as_ref(), Timer::ExitList),
        ];
        let alone = self.alone.map(|alone| match alone {
            Alone::ToBeWarned { call, at } => (at, Timer::AloneWarning(call)),
            Alone::ToBeEnded { call, at } => (at, Timer::AloneEnds(call)),
        });
        let held = self.roster.first_held().filter(|_| grace.is_none());
        let waits = self.roster.first_waiting().into_iter().chain(held);
        let waits = waits.map(|(since, call)| {
            let at = later(since, self.terms.longest_wait);
            (at, Timer::LongestWait(call))
        });
        let dialogues = self.dialogues.iter().filter_map(|(host, dialogue)| {
            Some((dialogue.over_at()?, Timer::ConsentAnswer(*host)))
        });
        booking
            .filter_map(|(at, timer)| Some((at?, timer)))
            .chain(grace.map(|at| (at, Timer::Grace)))
            .chain(
                lists
                    .into_iter()
                    .filter_map(|(list, timer)| Some((list?.until, timer))),
            )
            .chain(alone)
            .chain(waits)
            .chain(dialogues)
            .chain(
                self.tape
                    .answer_due()
                    .map(|at| (at, Timer::RecordingAnswer)),
            )
            .chain(self.tape.tone_due().map(|at| (at, Timer::RecordingTone)))
            .chain(
                self.plays
                    .first_overdue()
                    .map(|(at, play)| (at, Timer::PlayEnd(play))),
            )
            .min()
    }

    fn timeout(&mut self, timer: Timer, now: DateTime<Utc>) {
        match timer {
            Timer::BookingEnds => self.end_booking(now),
            Timer::FiveMinutesLeft => self.five_minutes_left(now),
            Timer::OneMinuteLeft => self.one_minute_left(now),
            Timer::Grace => self.grace_over(now),
            Timer::LongestWait(call) => self.waited_too_long(call, now),
            Timer::AloneWarning(call) => self.warn_alone(call, now),
            Timer::AloneEnds(call) => self.end_alone(call, now),
            Timer::EntryList => self.announce_entry_list(now),
            Timer::ExitList => self.announce_exit_list(now),
            Timer::ConsentAnswer(host) => {
                self.dialogues.remove(&host);
            }
            Timer::RecordingAnswer => self.no_word_of_the_recorder(now),
            Timer::RecordingTone => self.recording_tone(now),
            Timer::PlayEnd(play) => {
                self.actions.push_back(Action::Stop { play });
                self.play_ended(play, now);
            }
        }
    }

    fn play_ended(&mut self, play: PlayId, now: DateTime<Utc>) {
        if !self.plays.end(play) {
            return;
        }
        if let Phase::Ending { play: last, why } = self.phase
            && last == play
        {
            return self.end(why, now);
        }
        self.roll_call_goes_on(play, now);
        self.dialogue_listens(play, now);
        self.notice_is_over(play, now);
        self.forget_names();
    }

    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    fn is_host(&self, call: CallId) -> bool {
        self.roster
            .get(call)
            .is_some_and(|row| row.role == Role::Host)
    }
}
