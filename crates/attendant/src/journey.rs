//! One caller's journey: which step the call is in, and what a fact makes of it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{CallId, InviteeId, Outcome, Source, Ticket, Verdict};
use conclave_conference::{ConferenceId, LeaveReason, NameId, PlayId, Prompt};
use conclave_dtmf::{Digit, DigitGate, KeyCommand, KeyPress, KeyReader, Way, Who};

use crate::desk::Desk;
use crate::naming::{Naming, Spoken};
use crate::pin::{Answer, Judging, PinEntry, Typing};
use crate::{Access, Action, Report, Route, Rules, Step, Timer};

/// What a journey needs of the rest while it handles one fact.
pub(crate) struct Context<'a> {
    pub(crate) desk: &'a mut Desk,
    pub(crate) rules: &'a Rules,
    pub(crate) now: DateTime<Utc>,
}

impl Context<'_> {
    /// The time `span` from now.
    pub(crate) fn after(&self, span: Duration) -> DateTime<Utc> {
        later(self.now, span)
    }
}

/// `span` after `time`, or the end of time.
fn later(time: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(span)
        .ok()
        .and_then(|span| time.checked_add_signed(span))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Where a step leads when the call alone can't take it: the bridge's part.
#[derive(Debug)]
#[must_use]
pub(crate) enum Turn {
    /// Nowhere.
    Stay,
    /// The PIN opened a door.
    Admitted(Ticket),
    /// The name is spoken, or never will be.
    Named {
        ticket: Ticket,
        name: Option<NameId>,
    },
    /// The caller pressed keys in the conference.
    Pressed(KeyPress),
    /// The call is to be hung up.
    Over(LeaveReason),
}

#[derive(Debug)]
pub(crate) struct Journey {
    call: CallId,
    pub(crate) source: Source,
    access: Access,
    answered: DateTime<Utc>,
    gate: DigitGate,
    /// `#` counts again from then on.
    hash_from: DateTime<Utc>,
    inquiries: u32,
    /// Whose personal PIN it came in with.
    pub(crate) invitee: Option<InviteeId>,
    phase: Phase,
    route: Route,
    /// The peer was asked whether it is still there: until when it may answer.
    probe: Option<DateTime<Utc>>,
    /// What the media plane last said of the line, for the conference that it comes to.
    pub(crate) line: Line,
}

/// The state of a line, whatever step its call is in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Line {
    pub(crate) held: bool,
    pub(crate) noisy: bool,
}

#[derive(Debug)]
enum Phase {
    Pin(PinEntry),
    Judging(Judging),
    Naming(Naming),
    InConference {
        conference: ConferenceId,
        keys: KeyReader,
    },
    Farewell {
        /// None where nothing is said.
        play: Option<PlayId>,
        guard: DateTime<Utc>,
        reason: LeaveReason,
    },
}

impl Journey {
    /// Welcomes the caller and asks for the PIN.
    pub(crate) fn answer(
        call: CallId,
        source: Source,
        access: Access,
        context: &mut Context<'_>,
    ) -> Self {
        let entry = PinEntry::ask(
            call,
            &[Prompt::Welcome, Prompt::EnterPin],
            access.longest_pin,
            context.rules.tries.max(1),
            context,
        );
        Self {
            call,
            source,
            access,
            answered: context.now,
            gate: DigitGate::new(),
            hash_from: context.now,
            inquiries: 0,
            invitee: None,
            phase: Phase::Pin(entry),
            route: Route::Silence,
            probe: None,
            line: Line::default(),
        }
    }

    pub(crate) fn step(&self) -> Step {
        match &self.phase {
            Phase::Pin(_) => Step::Pin,
            Phase::Judging(_) => Step::Judging,
            Phase::Naming(naming) => Step::Naming(naming.ticket.conference()),
            Phase::InConference { conference, .. } => Step::InConference(*conference),
            Phase::Farewell { reason, .. } => Step::Farewell(*reason),
        }
    }

    /// The conference that knows of the call.
    pub(crate) fn conference(&self) -> Option<ConferenceId> {
        match self.phase {
            Phase::InConference { conference, .. } => Some(conference),
            Phase::Pin(_) | Phase::Judging(_) | Phase::Naming(_) | Phase::Farewell { .. } => None,
        }
    }

    /// Whether the call waits for a Host or for consent, alone with the music.
    pub(crate) fn is_on_hold(&self) -> bool {
        self.route == Route::HoldMusic
    }

    pub(crate) fn keeps_for_hosts(&self, command: KeyCommand) -> bool {
        self.access.keys.who_may(command) == Some(Who::Host)
    }

    pub(crate) fn deadline(&self) -> Option<(DateTime<Utc>, Timer)> {
        let step = match &self.phase {
            Phase::Pin(entry) => Some(entry.deadline()),
            Phase::Judging(judging) => Some(judging.deadline()),
            Phase::Naming(naming) => Some(naming.deadline()),
            Phase::InConference { keys, .. } => keys
                .deadline()
                .map(|at| (later(self.answered, at), Timer::Keys)),
            Phase::Farewell { guard, .. } => Some((*guard, Timer::Prompt)),
        };
        let probe = self.probe.map(|guard| (guard, Timer::Probe));
        step.into_iter().chain(probe).min_by_key(|&(at, _)| at)
    }

    /// A digit came. In a conference `star_acts_alone` where it stands for an answer.
    pub(crate) fn digit(
        &mut self,
        way: Way,
        digit: Digit,
        star_acts_alone: bool,
        context: &mut Context<'_>,
    ) -> Turn {
        let at = self.since_answered(context.now);
        let Some(digit) = self.gate.accept(way, digit, at) else {
            return Turn::Stay;
        };
        if digit == Digit::HASH && context.now < self.hash_from {
            return Turn::Stay;
        }
        match &mut self.phase {
            Phase::Pin(entry) => {
                let typing = entry.digit(digit, context);
                self.typed(typing, context)
            }
            Phase::Naming(naming) => {
                naming.digit(digit, context);
                Turn::Stay
            }
            Phase::InConference { keys, .. } => keys
                .press(&self.access.keys, digit, at, star_acts_alone)
                .map_or(Turn::Stay, Turn::Pressed),
            Phase::Judging(_) | Phase::Farewell { .. } => Turn::Stay,
        }
    }

    pub(crate) fn play_ended(&mut self, ended: PlayId, context: &mut Context<'_>) -> Turn {
        match &mut self.phase {
            Phase::Pin(entry) => entry.play_ended(ended, context),
            Phase::Naming(naming) => naming.play_ended(ended, context),
            Phase::Farewell { play, reason, .. } if *play == Some(ended) => {
                return Turn::Over(*reason);
            }
            Phase::Judging(_) | Phase::InConference { .. } | Phase::Farewell { .. } => {}
        }
        Turn::Stay
    }

    pub(crate) fn judged(
        &mut self,
        inquiry: u32,
        verdict: Verdict,
        context: &mut Context<'_>,
    ) -> Turn {
        let Phase::Judging(judging) = &mut self.phase else {
            return Turn::Stay;
        };
        let mistyped = match verdict.outcome {
            Outcome::Admit(_) => None,
            Outcome::Mistyped => Some(true),
            Outcome::NotValid => Some(false),
        };
        if !judging.judged(inquiry, verdict) {
            return Turn::Stay;
        }
        if let Some(mistyped) = mistyped {
            self.report_wrong_pin(mistyped, context);
        }
        self.act_on_answer(context)
    }

    /// The door that the verdict opens is none for this call now: it is answered as any PIN that opens none,
    /// and no sooner.
    pub(crate) fn refuse_ticket(&mut self, context: &mut Context<'_>) -> Turn {
        let Phase::Judging(judging) = &mut self.phase else {
            return Turn::Stay;
        };
        judging.refuse_ticket();
        self.report_wrong_pin(false, context);
        self.act_on_answer(context)
    }

    pub(crate) fn name_recorded(
        &mut self,
        name: NameId,
        usable: bool,
        context: &mut Context<'_>,
    ) -> Turn {
        let Phase::Naming(naming) = &mut self.phase else {
            return Turn::Stay;
        };
        self.hash_from = context.after(context.rules.hash_ignored);
        let spoken = naming.name_recorded(name, usable, context);
        self.spoken(spoken)
    }

    /// Acts on whatever is due.
    pub(crate) fn handle_timeout(&mut self, context: &mut Context<'_>) -> Turn {
        if self.probe.is_some_and(|guard| guard <= context.now) {
            return Turn::Over(LeaveReason::Lost);
        }
        let at = self.since_answered(context.now);
        match &mut self.phase {
            Phase::Pin(entry) => {
                let typing = entry.handle_timeout(context);
                self.typed(typing, context)
            }
            Phase::Judging(_) => self.act_on_answer(context),
            Phase::Naming(naming) => {
                let spoken = naming.handle_timeout(context);
                if spoken != Spoken::NotYet {
                    self.hash_from = context.after(context.rules.hash_ignored);
                }
                self.spoken(spoken)
            }
            Phase::InConference { keys, .. } => {
                keys.handle_timeout(at).map_or(Turn::Stay, Turn::Pressed)
            }
            Phase::Farewell {
                play,
                guard,
                reason,
            } if *guard <= context.now => {
                play.take()
                    .into_iter()
                    .for_each(|play| context.desk.stop(play));
                Turn::Over(*reason)
            }
            Phase::Farewell { .. } => Turn::Stay,
        }
    }

    /// No sound comes from the line: asks the peer, unless that is under way.
    pub(crate) fn media_quiet(&mut self, context: &mut Context<'_>) {
        if self.probe.is_none() {
            self.probe = Some(context.after(context.rules.probe));
            context.desk.order(Action::Probe { call: self.call });
        }
    }

    pub(crate) fn probed(&mut self, alive: bool) -> Turn {
        match self.probe.take() {
            Some(_) if !alive => Turn::Over(LeaveReason::Lost),
            _ => Turn::Stay,
        }
    }

    /// Asks for another PIN, with as many tries as at first.
    pub(crate) fn ask_another_pin(&mut self, context: &mut Context<'_>) {
        self.route(Route::Silence, context);
        self.ask_pin(&[Prompt::EnterPin], context.rules.tries.max(1), context);
    }

    /// The ticket leads to a conference whose callers say their name.
    pub(crate) fn ask_name(&mut self, ticket: Ticket, context: &mut Context<'_>) {
        self.phase = Phase::Naming(Naming::ask(self.call, ticket, context));
    }

    pub(crate) fn enter(&mut self, conference: ConferenceId) {
        self.phase = Phase::InConference {
            conference,
            keys: KeyReader::new(),
        };
    }

    pub(crate) fn route(&mut self, route: Route, context: &mut Context<'_>) {
        if self.route != route {
            self.route = route;
            context.desk.route(self.call, route);
        }
    }

    /// Says why, alone on the line, then hangs up; at once, where nothing is said.
    pub(crate) fn take_leave(
        &mut self,
        prompts: &[Prompt],
        reason: LeaveReason,
        context: &mut Context<'_>,
    ) -> Turn {
        if let Phase::Naming(naming) = &mut self.phase {
            naming.stop_recording(context);
        }
        self.abandon(context);
        self.route(Route::Silence, context);
        let play = (!prompts.is_empty()).then(|| context.desk.play(self.call, prompts));
        self.phase = Phase::Farewell {
            play,
            guard: context.after(context.rules.prompt),
            reason,
        };
        match play {
            Some(_) => Turn::Stay,
            None => Turn::Over(reason),
        }
    }

    /// Stops what the journey plays and wipes what it records: the call goes elsewhere, or is over.
    pub(crate) fn abandon(&mut self, context: &mut Context<'_>) {
        match &mut self.phase {
            Phase::Pin(entry) => entry.stop_prompt(context),
            Phase::Naming(naming) => naming.abandon(context),
            Phase::Farewell { play, .. } => {
                play.take()
                    .into_iter()
                    .for_each(|play| context.desk.stop(play));
            }
            Phase::Judging(_) | Phase::InConference { .. } => {}
        }
    }

    fn typed(&mut self, typing: Typing, context: &mut Context<'_>) -> Turn {
        let Phase::Pin(entry) = &self.phase else {
            return Turn::Stay;
        };
        let tries_left = entry.tries_left;
        match typing {
            Typing::GoesOn => Turn::Stay,
            Typing::Nothing => self.try_failed(tries_left, None, context),
            Typing::Complete => {
                let pin = entry.pin();
                self.hash_from = context.after(context.rules.hash_ignored);
                let Some(pin) = pin else {
                    self.report_wrong_pin(true, context);
                    return self.try_failed(tries_left, Some(Prompt::PinMistyped), context);
                };
                self.inquiries += 1;
                self.phase = Phase::Judging(Judging::new(tries_left, self.inquiries, context));
                context.desk.order(Action::CheckPin {
                    call: self.call,
                    inquiry: self.inquiries,
                    pin,
                    source: self.source.clone(),
                    bound: self.access.bound,
                });
                Turn::Stay
            }
        }
    }

    fn act_on_answer(&mut self, context: &mut Context<'_>) -> Turn {
        let Phase::Judging(judging) = &mut self.phase else {
            return Turn::Stay;
        };
        let tries_left = judging.tries_left;
        let failed = match judging.answer(context.now) {
            None => return Turn::Stay,
            Some(Answer::Verdict(Outcome::Admit(ticket))) => return Turn::Admitted(ticket),
            Some(Answer::Verdict(Outcome::Mistyped)) => Some(Prompt::PinMistyped),
            Some(Answer::Verdict(Outcome::NotValid)) => Some(Prompt::PinNotValid),
            Some(Answer::Lost) => None,
        };
        self.try_failed(tries_left, failed, context)
    }

    /// Says what was wrong with the PIN, if anything is known of it, and asks again or says goodbye.
    fn try_failed(
        &mut self,
        tries_left: u8,
        wrong: Option<Prompt>,
        context: &mut Context<'_>,
    ) -> Turn {
        let again = tries_left > 1;
        let then = if again {
            Prompt::EnterPin
        } else {
            Prompt::Goodbye
        };
        let prompts: Vec<_> = wrong.into_iter().chain([then]).collect();
        if again {
            self.ask_pin(&prompts, tries_left - 1, context);
            Turn::Stay
        } else {
            self.take_leave(&prompts, LeaveReason::NoValidPin, context)
        }
    }

    fn ask_pin(&mut self, prompts: &[Prompt], tries_left: u8, context: &mut Context<'_>) {
        let longest = self.access.longest_pin;
        self.phase = Phase::Pin(PinEntry::ask(
            self.call, prompts, longest, tries_left, context,
        ));
    }

    fn spoken(&self, spoken: Spoken) -> Turn {
        let name = match spoken {
            Spoken::NotYet => return Turn::Stay,
            Spoken::Name(name) => Some(name),
            Spoken::Unnamed => None,
        };
        match &self.phase {
            Phase::Naming(naming) => Turn::Named {
                ticket: naming.ticket.clone(),
                name,
            },
            Phase::Pin(_)
            | Phase::Judging(_)
            | Phase::InConference { .. }
            | Phase::Farewell { .. } => Turn::Stay,
        }
    }

    fn report_wrong_pin(&self, mistyped: bool, context: &mut Context<'_>) {
        context.desk.report(Report::WrongPin {
            call: self.call,
            at: context.now,
            mistyped,
        });
    }

    /// The leg's own clock, as digits are timed.
    fn since_answered(&self, now: DateTime<Utc>) -> Duration {
        (now - self.answered).to_std().unwrap_or_default()
    }
}
