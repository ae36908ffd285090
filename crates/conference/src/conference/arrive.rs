//! Arriving: the door, the waiting, the way in, and the start when the first Host comes.

use chrono::{DateTime, Utc};
use conclave_accounts::{Role, Ticket};

use super::{Conference, Phase};
use crate::{
    Action, CallId, Caller, Clip, EndReason, Fact, Floor, Participant, Place, Prompt, Refusal,
    WaitFor, plays::About,
};

impl Conference {
    /// Whether that ticket opens the door now.
    ///
    /// While no Host is in, a locked door opens for the Host PIN and for nothing else, and the last free place
    /// is kept for a Host, who could not get in past a crowd of waiting Guests otherwise.
    pub(super) fn door(&self, ticket: &Ticket, now: DateTime<Utc>) -> Result<(), Refusal> {
        if ticket.conference() != self.key {
            return Err(Refusal::NotAllowed);
        }
        let booking_over = self
            .booked
            .now
            .is_some_and(|booking| booking.ends_at <= now);
        if booking_over || matches!(self.phase, Phase::Ending { .. } | Phase::Over { .. }) {
            return Err(Refusal::Ending);
        }
        let host_wanted = !self.roster.host_is_in();
        if self.locked && !(host_wanted && ticket.role() == Role::Host) {
            return Err(Refusal::Locked);
        }
        let kept = usize::from(host_wanted && ticket.role() == Role::Guest);
        if self.roster.len() + kept >= self.terms.max_participants as usize {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// Notes that a caller was refused, and lets the Hosts hear it when the lock did it.
    pub(super) fn turn_away(&mut self, call: CallId, why: Refusal, now: DateTime<Utc>) {
        self.record(Fact::Refused { call, why }, now);
        if why == Refusal::Locked {
            self.turned_away = self.turned_away.saturating_add(1);
            let hosts = self.roster.hosts_in();
            self.play_to_calls(&hosts, About::Refused, Prompt::RefusedTone, now);
        }
    }

    pub(super) fn arrive(
        &mut self,
        call: CallId,
        ticket: Ticket,
        caller: Caller,
        now: DateTime<Utc>,
    ) {
        if self.roster.get(call).is_some() {
            return;
        }
        self.heed(&ticket, now);
        if let Err(why) = self.door(&ticket, now) {
            return self.refuse_arrival(call, why, caller, now);
        }
        if self.started.is_none() {
            self.started = Some(now);
            let fact = Fact::Started {
                key: self.key,
                account: self.account,
            };
            self.record(fact, now);
        }
        let role = ticket.role();
        let waits_for = if ticket.by_consent() {
            Some(WaitFor::Consent)
        } else if role == Role::Guest && self.phase != Phase::Open {
            Some(WaitFor::Host)
        } else {
            None
        };
        let holder = ticket.holder().map(str::to_owned);
        let invitee = ticket.invitee();
        let fact = Fact::Arrived {
            call,
            role,
            holder: holder.clone(),
            invitee,
            waits_for,
        };
        self.record(fact, now);
        let what = waits_for.unwrap_or(WaitFor::Host);
        let place = Place::Waiting { what, since: now };
        let row = Participant::new(role, caller, holder, place, now);
        self.roster.add(call, row);
        match waits_for {
            None => self.admit(call, now),
            Some(what) => self.wait(call, what, now),
        }
    }

    /// A caller who knocked in time, and finds the door shut with the name on their lips.
    fn refuse_arrival(&mut self, call: CallId, why: Refusal, caller: Caller, now: DateTime<Utc>) {
        self.turn_away(call, why, now);
        self.forget(caller.name.into_iter().collect());
        self.actions.push_back(Action::Release {
            call,
            farewell: Some(why.farewell()),
            reason: why.reason(),
        });
        if self.roster.is_empty() && !self.is_over() {
            self.finish(EndReason::LastLeft, now);
        }
    }

    /// Alone with the music, until something happens.
    pub(super) fn wait(&mut self, call: CallId, what: WaitFor, now: DateTime<Utc>) {
        if !self.roster.put(call, Place::Waiting { what, since: now }) {
            return;
        }
        self.route(call);
        match what {
            WaitFor::Host => {
                self.play_to_call(call, About::Waiting, [Prompt::WaitingForHost], now);
            }
            // Its place is taken when the notice begins.
            WaitFor::Notice => {}
            WaitFor::Consent => {
                self.play_to_call(call, About::Waiting, [Prompt::WaitingForConsent], now);
                let hosts = self.roster.hosts_in();
                self.play_to_calls(
                    &hosts,
                    About::ConsentWaiters,
                    Prompt::CallerWaitsForConsent,
                    now,
                );
            }
        }
    }

    /// Lets a call in that nothing holds back, or lets it wait for a Host like any other Guest.
    pub(super) fn admit(&mut self, call: CallId, now: DateTime<Utc>) {
        let host = self.is_host(call);
        if !host && self.phase != Phase::Open {
            return self.wait(call, WaitFor::Host, now);
        }
        if !self.give_notice(call, now) {
            self.admit_told(call, now);
        }
    }

    /// The same for one who knows whether it is recorded.
    pub(super) fn admit_told(&mut self, call: CallId, now: DateTime<Utc>) {
        let host = self.is_host(call);
        if !host && self.phase != Phase::Open {
            return self.wait(call, WaitFor::Host, now);
        }
        let hosts_before = self.roster.hosts_in();
        self.bring_in(call, now);
        if self.phase == Phase::Open {
            self.announce_entry(&[call], now);
        } else {
            self.phase = Phase::Open;
            self.start(call, now);
        }
        self.tell_count(call, now);
        self.tell_floor(call, now);
        if host {
            if !hosts_before.is_empty() {
                self.record(Fact::AnotherHost { call }, now);
                self.play_to_calls(&hosts_before, About::AnotherHost, Prompt::AnotherHost, now);
            }
            if self.someone_waits_for_consent() {
                self.play_to_call(
                    call,
                    About::ConsentWaiters,
                    [Prompt::CallerWaitsForConsent],
                    now,
                );
            }
        }
        self.watch_alone(now);
    }

    /// The Host is in: everyone who waited for one, or was held, follows at once. No announcement holds
    /// anybody out of the room; who came new is announced in one go.
    fn start(&mut self, host: CallId, now: DateTime<Utc>) {
        let held = self
            .roster
            .calls(|row| matches!(row.place(), Place::Held { .. }));
        let new = self.roster.calls(|row| row.waits_for(WaitFor::Host));
        for call in held.iter().chain(&new) {
            self.bring_in(*call, now);
        }
        self.play_to_room(
            Some(host),
            About::Starting,
            [Prompt::ConferenceStarting],
            now,
        );
        self.announce_start(host, &new, now);
        for call in new {
            self.tell_floor(call, now);
        }
    }

    fn bring_in(&mut self, call: CallId, now: DateTime<Utc>) {
        if self.roster.put(call, Place::Room) {
            self.record(Fact::Admitted { call }, now);
            self.stop_plays_to(call);
            self.route(call);
        }
    }

    /// Tells a Guest who comes into a lecture why nobody hears them.
    fn tell_floor(&mut self, call: CallId, now: DateTime<Utc>) {
        let lecture = match self.floor {
            Floor::Open => return,
            Floor::Lecture => Prompt::LectureOn,
            Floor::StrictLecture => Prompt::LectureStrict,
        };
        if !self.is_host(call) {
            self.play_to_call(call, About::Floor, [lecture], now);
        }
    }

    /// Tells the newcomer how many are in, the newcomer included.
    fn tell_count(&mut self, call: CallId, now: DateTime<Utc>) {
        let clips = match self.roster.in_room() {
            1 => vec![Prompt::YouAreTheFirst.into()],
            count => count_clips(count),
        };
        self.play_to_call(call, About::Count, clips, now);
    }
}

/// "Two people are in the conference."
pub(super) fn count_clips(count: usize) -> Vec<Clip> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let ending = match count {
        1 => Prompt::PersonInConference,
        _ => Prompt::PeopleInConference,
    };
    Prompt::number(count)
        .into_iter()
        .chain([ending])
        .map(Clip::Prompt)
        .collect()
}
