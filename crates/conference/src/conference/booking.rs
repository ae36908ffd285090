//! The end of a booking: what warns of it, and what moves it.

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{ConferenceKey, Ticket};

use super::{Conference, Phase};
use crate::{EndReason, Prompt, Timer, plays::About};

/// The booked time, as it is known now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Booked {
    /// None where there is no end, or it has come.
    pub(super) now: Option<Booking>,
    /// The latest end that was taken back: a ticket that still tells it is an old one.
    taken_back: Option<DateTime<Utc>>,
}

/// What is left of a booking's time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Booking {
    pub(super) ends_at: DateTime<Utc>,
    /// The warnings that are still to be given.
    five_minutes: Option<DateTime<Utc>>,
    one_minute: Option<DateTime<Utc>>,
}

impl Booked {
    pub(super) fn new(ends_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        Self {
            now: ends_at.map(|ends_at| Booking::new(ends_at, now)),
            taken_back: None,
        }
    }
}

impl Booking {
    /// A warning is given only where that much time is left now.
    fn new(ends_at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let warning = |minutes| {
            ends_at
                .checked_sub_signed(TimeDelta::minutes(minutes))
                .filter(|at| *at >= now)
        };
        Self {
            ends_at,
            five_minutes: warning(5),
            one_minute: warning(1),
        }
    }

    pub(super) fn timers(&self) -> [(Option<DateTime<Utc>>, Timer); 3] {
        [
            (Some(self.ends_at), Timer::BookingEnds),
            (self.five_minutes, Timer::FiveMinutesLeft),
            (self.one_minute, Timer::OneMinuteLeft),
        ]
    }
}

impl Conference {
    /// The booking has another end, or none any more.
    pub(super) fn reschedule(&mut self, ends_at: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        if !self.can_be_moved() {
            return;
        }
        let before = self.booked.now.map(|booking| booking.ends_at);
        if before == ends_at {
            return;
        }
        // Of all ends that were taken back the latest: tickets that tell them may come yet.
        self.booked.taken_back = self
            .booked
            .taken_back
            .max(before)
            .filter(|taken_back| ends_at.is_some_and(|ends_at| ends_at < *taken_back));
        self.booked.now = ends_at.map(|ends_at| Booking::new(ends_at, now));
        if ends_at.is_some_and(|ends_at| ends_at <= now) {
            self.end_booking(now);
        }
    }

    /// A ticket that tells a later end is newer than what was known, unless that end was taken back.
    pub(super) fn heed(&mut self, ticket: &Ticket, now: DateTime<Utc>) {
        let Some((told, booking)) = ticket.ends_at().zip(self.booked.now) else {
            return;
        };
        let later = Some(told) > self.booked.taken_back && told > booking.ends_at;
        if later && ticket.conference() == self.key && self.can_be_moved() {
            self.booked.now = Some(Booking::new(told, now));
        }
    }

    /// What has been said to be the end stays so, and only a booking has one.
    fn can_be_moved(&self) -> bool {
        let ended = matches!(
            self.phase,
            Phase::Ending {
                why: EndReason::BookingEnded,
                ..
            } | Phase::Over { .. }
        );
        !ended && matches!(self.key, ConferenceKey::Booking(_))
    }

    pub(super) fn end_booking(&mut self, now: DateTime<Utc>) {
        self.booked.now = None;
        let why = EndReason::BookingEnded;
        match self.phase {
            // All are being told that it ends: it ends, and can't be taken back any more.
            Phase::Ending { play, .. } => self.phase = Phase::Ending { play, why },
            Phase::AwaitingHost | Phase::Open | Phase::HostAway { .. } => {
                self.announce_end(Prompt::BookingEnded, why, now);
            }
            Phase::Over { .. } => {}
        }
    }

    pub(super) fn five_minutes_left(&mut self, now: DateTime<Utc>) {
        if let Some(booking) = &mut self.booked.now {
            booking.five_minutes = None;
            self.tell_time_left(Prompt::FiveMinutesLeft, now);
        }
    }

    pub(super) fn one_minute_left(&mut self, now: DateTime<Utc>) {
        if let Some(booking) = &mut self.booked.now {
            booking.one_minute = None;
            self.tell_time_left(Prompt::OneMinuteLeft, now);
        }
    }

    /// To all, those who wait included.
    fn tell_time_left(&mut self, message: Prompt, now: DateTime<Utc>) {
        if matches!(self.phase, Phase::Ending { .. }) {
            return;
        }
        self.play_to_room(None, About::TimeLeft, [message], now);
        let waiting = self.roster.calls(|row| !row.in_room());
        self.play_to_calls(&waiting, About::TimeLeft, message, now);
    }
}
