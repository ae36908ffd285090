//! The bridge: every call's journey and every conference, joined.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use conclave_accounts::{BookingId, CallId, ConferenceKey, InviteeId, Role, Ticket};
use conclave_conference::{
    Action as ConferenceAction, Actor, Audience as ConferenceAudience, Caller, Command, Conference,
    ConferenceId, Event as ConferenceEvent, LeaveReason, NameId, OperatorId, Prompt, Refusal,
    Route as ConferenceRoute,
};
use conclave_dtmf::{KeyCommand, KeyPress};

use crate::deadlines::{Deadlines, Owner};
use crate::desk::{ATTENDANT, Desk};
use crate::journey::{Context, Journey, Turn};
use crate::{Action, Audience, Event, Report, Route, Rules, Sound, Timer};

/// The whole bridge as one machine: it knows each call from the answer to the goodbye, and each
/// conference that they meet in, and does no I/O.
///
/// A shell drives it, and each of these belongs to one of four groups:
///
/// - *Getters* look: [`step`](Self::step), [`calls`](Self::calls), [`conference`](Self::conference),
///   [`conferences`](Self::conferences), whose [`Conference`]s have the rosters,
///   [`live_bookings`](Self::live_bookings).
/// - *Facts* come in by [`handle_event`](Self::handle_event), time by [`handle_timeout`](Self::handle_timeout).
/// - *Wishes* come in by [`execute`](Self::execute), [`rename`](Self::rename), [`drain`](Self::drain) and [`end_all`](Self::end_all).
/// - *Results* go out by [`poll_action`](Self::poll_action) and [`poll_timeout`](Self::poll_timeout).
///
/// After each fact, wish or timeout the shell takes all actions, in order, and carries them out in that
/// order; then it asks for the next timeout, which any of them may have changed. `now` may stand still
/// between calls; one that goes back counts as standing still. Whatever comes late, twice, or names nobody is
/// a no-op.
///
/// Every call that was answered ends in one [`Action::HangUp`], unless the peer ended it
/// ([`Event::HungUp`]), and in one [`Report::CallEnded`]; then the machine has forgotten it. Nothing waits
/// for ever: each action that expects an answer has a timer, so that a lost answer costs the caller some
/// seconds and never the call.
///
/// One call that types a PIN, in a shell without a telephone:
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use conclave_accounts::{CallId, Source};
/// use conclave_attendant::{Access, Action, Attendant, Event, Rules, Step};
/// use conclave_dtmf::{Digit, Way};
///
/// let mut now = DateTime::UNIX_EPOCH;
/// let mut attendant = Attendant::new(Rules::default(), now);
/// let call = CallId(1);
/// let source = Source::new("trunk", "+4930123456");
/// let mut inbox = vec![Event::Answered { call, source, access: Access::default() }];
/// inbox.extend("0123456789#".chars().filter_map(Digit::new).map(|digit| {
///     Event::Digit { call, way: Way::Event, digit }
/// }));
///
/// let mut asked = 0;
/// for event in inbox {
///     attendant.handle_event(event, now);
///     while let Some(action) = attendant.poll_action() {
///         match action {
///             Action::Play { play, .. } => println!("the media plane plays, and will tell the end of {play:?}"),
///             Action::CheckPin { inquiry, .. } => asked = inquiry, // storage judges it, and answers later
///             _ => {} // a real shell carries out each
///         }
///     }
///     now += TimeDelta::milliseconds(200);
/// }
/// assert_eq!(attendant.step(call), Some(Step::Judging));
/// assert_eq!(asked, 1);
///
/// // No storage answers: when the timer that guards the question is due, the PIN is asked for again.
/// let (at, _why) = attendant.poll_timeout().unwrap();
/// attendant.handle_timeout(at);
/// assert_eq!(attendant.step(call), Some(Step::Pin));
/// ```
#[derive(Debug)]
pub struct Attendant {
    rules: Rules,
    calls: BTreeMap<CallId, Journey>,
    conferences: BTreeMap<ConferenceId, Conference>,
    /// Which run of a conference the doors lead to now.
    running: BTreeMap<ConferenceKey, ConferenceId>,
    /// Whose personal PIN is in use, from the verdict to the end of the call or to another PIN.
    invitees: BTreeMap<InviteeId, CallId>,
    deadlines: Deadlines,
    desk: Desk,
    last_conference: u32,
    draining: bool,
    /// The latest time that was told: nothing happens before it.
    now: DateTime<Utc>,
}

/// Where in the journey a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is asked for a PIN.
    Pin,
    /// A verdict on its PIN is awaited.
    Judging,
    /// It has a ticket to the conference behind that door, and is asked for the name.
    Naming(ConferenceKey),
    /// It waits for, or is in, that conference.
    InConference(ConferenceId),
    /// It hears why it is about to be hung up.
    Farewell(LeaveReason),
}

// Getters.
impl Attendant {
    /// A bridge without calls.
    pub fn new(rules: Rules, now: DateTime<Utc>) -> Self {
        Self {
            rules,
            calls: BTreeMap::new(),
            conferences: BTreeMap::new(),
            running: BTreeMap::new(),
            invitees: BTreeMap::new(),
            deadlines: Deadlines::default(),
            desk: Desk::default(),
            last_conference: 0,
            draining: false,
            now,
        }
    }

    /// Where the call is in its journey; `None` if there is no such call.
    pub fn step(&self, call: CallId) -> Option<Step> {
        self.calls.get(&call).map(Journey::step)
    }

    /// All calls with their steps, by number.
    pub fn calls(&self) -> impl ExactSizeIterator<Item = (CallId, Step)> {
        self.calls
            .iter()
            .map(|(call, journey)| (*call, journey.step()))
    }

    /// A conference that goes on.
    pub fn conference(&self, id: ConferenceId) -> Option<&Conference> {
        self.conferences.get(&id)
    }

    /// All conferences that go on, in order of their start.
    pub fn conferences(&self) -> impl ExactSizeIterator<Item = (ConferenceId, &Conference)> {
        self.conferences
            .iter()
            .map(|(id, conference)| (*id, conference))
    }

    /// The bookings whose conferences go on: those of which a change is worth an [`Event::BookingMoved`].
    pub fn live_bookings(&self) -> impl Iterator<Item = BookingId> + '_ {
        self.running.keys().filter_map(|key| match key {
            ConferenceKey::Booking(booking) => Some(*booking),
            ConferenceKey::Account(_) => None,
        })
    }
}

// Facts and time.
impl Attendant {
    /// Takes in a fact.
    pub fn handle_event(&mut self, event: Event, now: DateTime<Utc>) {
        let now = self.tick(now);
        match event {
            Event::Answered {
                call,
                source,
                access,
            } => {
                if self.calls.contains_key(&call) {
                    return;
                }
                self.desk.report(Report::CallAnswered {
                    call,
                    at: now,
                    source: source.clone(),
                });
                let mut context = Context {
                    desk: &mut self.desk,
                    rules: &self.rules,
                    now,
                };
                let journey = Journey::answer(call, source, access, &mut context);
                self.calls.insert(call, journey);
                self.rearm_call(call);
            }
            Event::Digit { call, way, digit } => {
                let star_acts_alone = self.star_acts_alone(call);
                self.advance(call, now, |journey, context| {
                    journey.digit(way, digit, star_acts_alone, context)
                });
            }
            Event::PinJudged {
                call,
                inquiry,
                verdict,
            } => self.advance(call, now, |journey, context| {
                journey.judged(inquiry, verdict, context)
            }),
            Event::PlayEnded { play } if play.owner == ATTENDANT => {
                if let Some(call) = self.desk.play_ended(play) {
                    self.advance(call, now, |journey, context| {
                        journey.play_ended(play, context)
                    });
                }
            }
            Event::PlayEnded { play } => {
                let conference = ConferenceId(play.owner);
                self.tell(conference, ConferenceEvent::PlayEnded { play }, now);
            }
            Event::NameRecorded { name, usable } => {
                if let Some(call) = self.desk.name_recorded(name, usable) {
                    self.advance(call, now, |journey, context| {
                        journey.name_recorded(name, usable, context)
                    });
                }
            }
            Event::PeerHold { call, held } => {
                if let Some(journey) = self.calls.get_mut(&call) {
                    journey.line.held = held;
                    self.tell_of(call, ConferenceEvent::PeerHold { call, held }, now);
                }
            }
            Event::Noisy { call, noisy } => {
                if let Some(journey) = self.calls.get_mut(&call) {
                    journey.line.noisy = noisy;
                    self.tell_of(call, ConferenceEvent::Noisy { call, noisy }, now);
                }
            }
            Event::Level { call, dbfs } => {
                self.tell_of(call, ConferenceEvent::Level { call, dbfs }, now);
            }
            Event::MediaQuiet { call } => self.advance(call, now, |journey, context| {
                journey.media_quiet(context);
                Turn::Stay
            }),
            Event::Probed { call, alive } => {
                self.advance(call, now, |journey, _| journey.probed(alive));
            }
            Event::BookingMoved { booking, ends_at } => {
                if let Some(&id) = self.running.get(&ConferenceKey::Booking(booking)) {
                    let ends_at = Some(ends_at);
                    self.tell(id, ConferenceEvent::Rescheduled { ends_at }, now);
                }
            }
            Event::RecordingBegan {
                conference,
                recording,
            } => self.tell(
                conference,
                ConferenceEvent::RecordingBegan { recording },
                now,
            ),
            Event::RecordingFailed {
                conference,
                recording,
            } => self.tell(
                conference,
                ConferenceEvent::RecordingFailed { recording },
                now,
            ),
            Event::HungUp { call } => self.end_call(call, LeaveReason::HungUp, Ended::ByPeer, now),
        }
    }

    /// Does what is due at `now`. To be called when the time of [`poll_timeout`](Self::poll_timeout) has
    /// come; at any other time it does no harm.
    pub fn handle_timeout(&mut self, now: DateTime<Utc>) {
        let now = self.tick(now);
        for owner in self.deadlines.due(now) {
            match owner {
                Owner::Call(call) => self.advance(call, now, Journey::handle_timeout),
                Owner::Conference(id) => {
                    if let Some(conference) = self.conferences.get_mut(&id) {
                        conference.handle_timeout(now);
                        self.settle(id, now);
                    }
                }
            }
        }
    }
}

// Wishes.
impl Attendant {
    /// Gives a command to a conference, as the portal and the operator do.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unknown`] where that conference is over, else whatever the conference refuses it for.
    pub fn execute(
        &mut self,
        conference: ConferenceId,
        by: OperatorId,
        command: Command,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let now = self.tick(now);
        self.command(conference, Actor::Operator(by), command, now)
    }

    /// Corrects the name by which a conference shows one of its calls.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unknown`] where that conference is over or the call isn't in it, [`Refusal::NotAName`].
    pub fn rename(
        &mut self,
        conference: ConferenceId,
        by: OperatorId,
        call: CallId,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let now = self.tick(now);
        let running = self.conferences.get_mut(&conference);
        let running = running.ok_or(Refusal::Unknown)?;
        let result = running.rename(Actor::Operator(by), call, name, now);
        self.settle(conference, now);
        result
    }

    /// From now on no conference starts: who comes to one that doesn't go on already hears the goodbye.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Ends all conferences and all calls, and starts no conference any more. With
    /// [`LeaveReason::OperatorEnded`] the conferences end as by a Host's `##`; with any other reason, as at a
    /// shutdown, everyone hears the goodbye and is hung up. [`calls`](Self::calls) is empty when these
    /// prompts are over, at the latest when the timers that guard them have run out.
    pub fn end_all(&mut self, reason: LeaveReason, now: DateTime<Utc>) {
        let now = self.tick(now);
        self.draining = true;
        let conferences: Vec<_> = self.conferences.keys().copied().collect();
        for id in conferences {
            if reason == LeaveReason::OperatorEnded {
                // One that is ending already goes on to its end.
                let by = Actor::Operator(OperatorId::BRIDGE);
                let _ = self.command(id, by, Command::EndForAll, now);
            } else {
                self.tell(id, ConferenceEvent::ShutDown, now);
            }
        }
        let calls: Vec<_> = self.calls.keys().copied().collect();
        for call in calls {
            self.advance(call, now, |journey, context| match journey.step() {
                Step::Pin | Step::Judging | Step::Naming(_) => {
                    journey.take_leave(&[Prompt::Goodbye], reason, context)
                }
                Step::InConference(_) | Step::Farewell(_) => Turn::Stay,
            });
        }
    }
}

// Results.
impl Attendant {
    /// The next order to the shell.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.desk.actions.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next, and what for.
    pub fn poll_timeout(&self) -> Option<(DateTime<Utc>, Timer)> {
        self.deadlines.first()
    }
}

/// Who ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    ByUs,
    ByPeer,
}

// A call's way through the bridge.
impl Attendant {
    /// The time told, or the latest where that one is earlier.
    fn tick(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.now = self.now.max(now);
        self.now
    }

    /// Lets a journey handle one thing, and does the bridge's part of what comes of it.
    fn advance(
        &mut self,
        call: CallId,
        now: DateTime<Utc>,
        handle: impl FnOnce(&mut Journey, &mut Context<'_>) -> Turn,
    ) {
        let Some(journey) = self.calls.get_mut(&call) else {
            return;
        };
        let mut context = Context {
            desk: &mut self.desk,
            rules: &self.rules,
            now,
        };
        match handle(journey, &mut context) {
            Turn::Stay => {}
            Turn::Admitted(ticket) => self.admit(call, ticket, now),
            Turn::Named { ticket, name } => self.arrive(call, ticket, name, now),
            Turn::Pressed(press) => self.press(call, press, now),
            Turn::Over(reason) => self.end_call(call, reason, Ended::ByUs, now),
        }
        self.rearm_call(call);
    }

    /// A PIN opened a door. Who would not be let in now is told so before a name is asked for; a personal PIN
    /// with which another call is in opens nothing now.
    fn admit(&mut self, call: CallId, ticket: Ticket, now: DateTime<Utc>) {
        if let Some(invitee) = ticket.invitee() {
            if self.invitees.contains_key(&invitee) {
                return self.advance(call, now, Journey::refuse_ticket);
            }
            self.invitees.insert(invitee, call);
            if let Some(journey) = self.calls.get_mut(&call) {
                journey.invitee = Some(invitee);
            }
        }
        if !ticket.terms().names() {
            return self.arrive(call, ticket, None, now);
        }
        let refused = match self.running.get(&ticket.conference()) {
            Some(&id) => self.knock(id, call, &ticket, now).err(),
            None => None,
        };
        let may_start = self.may_lead_to(&ticket);
        self.advance(call, now, |journey, context| match refused {
            Some(why) => journey.take_leave(&[why.farewell()], why.reason(), context),
            None if !may_start => sent_home(journey, context),
            None => {
                journey.ask_name(ticket, context);
                Turn::Stay
            }
        });
    }

    /// The caller is ready to join, and has a name if it said one.
    fn arrive(&mut self, call: CallId, ticket: Ticket, name: Option<NameId>, now: DateTime<Utc>) {
        let Some(id) = self.conference_for(&ticket, now) else {
            name.into_iter()
                .for_each(|name| self.desk.forget_name(name));
            return self.advance(call, now, sent_home);
        };
        let Some(journey) = self.calls.get_mut(&call) else {
            return;
        };
        journey.enter(id);
        let line = journey.line;
        let number = journey.source.number.clone();
        let caller = Caller { number, name };
        let arrived = ConferenceEvent::Arrived {
            call,
            ticket,
            caller,
        };
        self.tell(id, arrived, now);
        if line.held {
            self.tell_of(call, ConferenceEvent::PeerHold { call, held: true }, now);
        }
        if line.noisy {
            self.tell_of(call, ConferenceEvent::Noisy { call, noisy: true }, now);
        }
    }

    fn press(&mut self, call: CallId, press: KeyPress, now: DateTime<Utc>) {
        let Some(Step::InConference(id)) = self.step(call) else {
            return;
        };
        let command = match press {
            KeyPress::Command(keys) if self.is_kept_from(call, id, keys) => {
                return self.refuse(call, id, command_of(keys), now);
            }
            KeyPress::Command(keys) => command_of(keys),
            KeyPress::Star if !self.awaits_star(call) && self.is_on_hold(call) => {
                return self.ask_another_pin(call, id, now);
            }
            // Pressed before there was an end to take back: the first key of a command whose second was lost.
            KeyPress::StarAlone if self.awaits_star(call) => return,
            KeyPress::Star | KeyPress::StarAlone => Command::Star,
        };
        // What is refused is the conference's to tell the caller, where it is told at all.
        let _ = self.command(id, Actor::Caller(call), command, now);
    }

    /// Whether the call is a Guest's, and the keys of the number that it dialled keep that command for Hosts.
    /// (What is a Host's by the conference's own rule stays so, whatever the keys say.)
    fn is_kept_from(&self, call: CallId, id: ConferenceId, command: KeyCommand) -> bool {
        let conference = self.conferences.get(&id);
        let row = conference.and_then(|conference| conference.participant(call));
        let journey = self.calls.get(&call);
        row.is_some_and(|row| row.role() == Role::Guest)
            && journey.is_some_and(|journey| journey.keeps_for_hosts(command))
    }

    fn refuse(&mut self, call: CallId, id: ConferenceId, command: Command, now: DateTime<Utc>) {
        if let Some(conference) = self.conferences.get_mut(&id) {
            conference.refuse(Actor::Caller(call), command, Refusal::NotAHost, now);
            self.settle(id, now);
        }
    }

    fn ask_another_pin(&mut self, call: CallId, id: ConferenceId, now: DateTime<Utc>) {
        let reason = LeaveReason::AnotherPin;
        self.tell(id, ConferenceEvent::Left { call, reason }, now);
        if let Some(journey) = self.calls.get_mut(&call) {
            let invitee = journey.invitee.take();
            invitee.map(|invitee| self.invitees.remove(&invitee));
        }
        self.advance(call, now, |journey, context| {
            journey.ask_another_pin(context);
            Turn::Stay
        });
    }

    /// Ends a call in whatever step it is: its conference lets go of it, what plays and is recorded for it
    /// is released, and it is forgotten.
    fn end_call(&mut self, call: CallId, reason: LeaveReason, ended: Ended, now: DateTime<Utc>) {
        let Some(mut journey) = self.calls.remove(&call) else {
            return;
        };
        self.deadlines.set(Owner::Call(call), None);
        let invitee = journey.invitee.take();
        invitee.map(|invitee| self.invitees.remove(&invitee));
        if let Some(id) = journey.conference() {
            self.tell(id, ConferenceEvent::Left { call, reason }, now);
        }
        journey.abandon(&mut Context {
            desk: &mut self.desk,
            rules: &self.rules,
            now,
        });
        // Who hears why has the reason already, however the line then ends.
        let reason = match journey.step() {
            Step::Farewell(reason) => reason,
            Step::Pin | Step::Judging | Step::Naming(_) | Step::InConference(_) => reason,
        };
        if ended == Ended::ByUs {
            self.desk.order(Action::HangUp { call, reason });
        }
        self.desk.report(Report::CallEnded {
            call,
            at: now,
            reason,
        });
    }

    fn rearm_call(&mut self, call: CallId) {
        if let Some(journey) = self.calls.get(&call) {
            self.deadlines.set(Owner::Call(call), journey.deadline());
        }
    }

    /// Whether `*` from this caller is an answer, or asks for another PIN, and so acts at once.
    fn star_acts_alone(&self, call: CallId) -> bool {
        self.awaits_star(call) || self.is_on_hold(call)
    }

    fn awaits_star(&self, call: CallId) -> bool {
        let conference = self.calls.get(&call).and_then(Journey::conference);
        conference
            .and_then(|id| self.conferences.get(&id))
            .is_some_and(|conference| conference.awaits_star(call))
    }

    fn is_on_hold(&self, call: CallId) -> bool {
        self.calls.get(&call).is_some_and(Journey::is_on_hold)
    }
}

// The conferences.
impl Attendant {
    /// The conference to which the ticket leads, made where none goes on.
    fn conference_for(&mut self, ticket: &Ticket, now: DateTime<Utc>) -> Option<ConferenceId> {
        if !self.may_lead_to(ticket) {
            return None;
        }
        if let Some(id) = self.running.get(&ticket.conference()) {
            return Some(*id);
        }
        self.last_conference = self.last_conference.wrapping_add(1).max(1);
        let id = ConferenceId(self.last_conference);
        self.running.insert(ticket.conference(), id);
        self.conferences
            .insert(id, Conference::new(id, ticket, now));
        Some(id)
    }

    /// While draining, only to one that goes on.
    fn may_lead_to(&self, ticket: &Ticket) -> bool {
        !self.draining || self.running.contains_key(&ticket.conference())
    }

    fn knock(
        &mut self,
        id: ConferenceId,
        call: CallId,
        ticket: &Ticket,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let conference = self.conferences.get_mut(&id).ok_or(Refusal::Unknown)?;
        let result = conference.knock(call, ticket, now);
        self.settle(id, now);
        result
    }

    fn command(
        &mut self,
        id: ConferenceId,
        by: Actor,
        command: Command,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let conference = self.conferences.get_mut(&id).ok_or(Refusal::Unknown)?;
        let result = conference.execute(by, command, now);
        self.settle(id, now);
        result
    }

    fn tell(&mut self, id: ConferenceId, event: ConferenceEvent, now: DateTime<Utc>) {
        if let Some(conference) = self.conferences.get_mut(&id) {
            conference.handle_event(event, now);
            self.settle(id, now);
        }
    }

    /// Tells the conference that the call is in, if it is in one.
    fn tell_of(&mut self, call: CallId, event: ConferenceEvent, now: DateTime<Utc>) {
        if let Some(Step::InConference(id)) = self.step(call) {
            self.tell(id, event, now);
        }
    }

    /// Passes on what a conference orders, keeps its next deadline, and drops it when it is over.
    fn settle(&mut self, id: ConferenceId, now: DateTime<Utc>) {
        while let Some(action) = self
            .conferences
            .get_mut(&id)
            .and_then(Conference::poll_action)
        {
            self.pass_on(id, action, now);
        }
        let Some(conference) = self.conferences.get(&id) else {
            return;
        };
        let owner = Owner::Conference(id);
        if conference.is_over() {
            self.running.remove(&conference.key());
            self.conferences.remove(&id);
            self.deadlines.set(owner, None);
        } else {
            let next = conference.poll_timeout();
            let next = next.map(|(at, timer)| (at, Timer::Conference(timer)));
            self.deadlines.set(owner, next);
        }
    }

    fn pass_on(&mut self, id: ConferenceId, action: ConferenceAction, now: DateTime<Utc>) {
        match action {
            ConferenceAction::Route { call, route } => {
                let route = match route {
                    ConferenceRoute::Silence => Route::Silence,
                    ConferenceRoute::HoldMusic => Route::HoldMusic,
                    ConferenceRoute::Room { heard } => Route::Room {
                        conference: id,
                        heard,
                    },
                };
                self.advance(call, now, |journey, context| {
                    journey.route(route, context);
                    Turn::Stay
                });
                let terms = self.conferences.get(&id).map(Conference::terms);
                let sound = terms.map_or_else(Sound::default, Sound::of);
                if matches!(route, Route::Room { .. }) && sound != Sound::default() {
                    let conference = id;
                    self.desk.order(Action::Tune { conference, sound });
                }
            }
            ConferenceAction::Play { play, to, clips } => {
                let to = match to {
                    ConferenceAudience::Call(call) => Audience::Call(call),
                    ConferenceAudience::Room { except } => Audience::Room {
                        conference: id,
                        except,
                    },
                };
                self.desk.order(Action::Play { play, to, clips });
            }
            ConferenceAction::Stop { play } => self.desk.order(Action::Stop { play }),
            ConferenceAction::Release {
                call,
                farewell,
                reason,
            } => self.advance(call, now, |journey, context| {
                journey.take_leave(farewell.as_slice(), reason, context)
            }),
            ConferenceAction::StartRecording { recording } => {
                self.desk.order(Action::StartRecording {
                    conference: id,
                    recording,
                });
            }
            ConferenceAction::StopRecording { recording } => {
                self.desk.order(Action::StopRecording {
                    conference: id,
                    recording,
                });
            }
            ConferenceAction::ForgetName { name } => self.desk.forget_name(name),
            ConferenceAction::Record(record) => self.desk.report(Report::Conference(record)),
        }
    }
}

/// The bridge is being shut down, and no conference starts.
fn sent_home(journey: &mut Journey, context: &mut Context<'_>) -> Turn {
    journey.take_leave(&[Prompt::Goodbye], LeaveReason::Shutdown, context)
}

/// The conference's command for the keys' one.
fn command_of(keys: KeyCommand) -> Command {
    match keys {
        KeyCommand::Mute => Command::Mute,
        KeyCommand::Lock => Command::Lock,
        KeyCommand::RollCall => Command::RollCall,
        KeyCommand::EndForAll => Command::EndForAll,
        KeyCommand::Lecture => Command::Lecture,
        KeyCommand::Consent => Command::Consent,
        KeyCommand::Quiet => Command::Quiet,
        KeyCommand::Record => Command::Recording,
        KeyCommand::Hand => Command::Hand,
        KeyCommand::Help => Command::Help,
    }
}
