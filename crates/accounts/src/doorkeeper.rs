use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, Alert, Attempt, Ceiling, ConferenceKey, Door, Inquiry, Notice, Outcome, Pin,
    PinPolicy, Role, Ruling, Source, Throttle, ThrottleState, Ticket, Verdict,
};

/// Judges PINs: the only maker of [`Ticket`]s.
///
/// The shell looks a PIN up under its [`PinKey`](crate::PinKey) and hands over what it found. All
/// PINs that open nothing now get one answer after one delay, whatever the reason.
///
/// While consent is on, an answer other than "not valid" tells a guesser that a PIN is right, even
/// though nobody is let in. So a door that was recognised in that time from a number that isn't
/// known stays by consent for such numbers when the alarm is over, until a human lets that caller
/// in ([`vouch`](Self::vouch)) or the PIN is changed ([`release`](Self::release)).
///
/// # One log, many bridges
///
/// What a doorkeeper keeps changes by [`Notice`]s alone, and doorkeepers of one policy that were
/// told the same notices in the same order keep the same. So a store that puts all notices into
/// one order (a log) makes many bridges one doorkeeper, and a restart loses nothing. For each PIN
/// a bridge
///
/// 1. looks the PIN up and makes an [`Inquiry`];
/// 2. writes [`Inquiry::notice`] to the log, if there is one;
/// 3. reads the log, to its end as of now or at least up to that entry, and [`learn`](Self::learn)s
///    each notice in order, its own among them;
/// 4. asks for the [`answer`](Self::answer), and tells it once what came with it is in the log.
///
/// A bridge that can't do one of these tells nobody anything.
///
/// *Why no guess gets past.* A wrong guess counts from the moment its notice is in the log, and is
/// answered only after that. A right PIN is judged by all notices that were in the log when its
/// door was found, because the log is read after that. So each judgement stands at one place in
/// the log's order: a guess at its notice, a right PIN at the end that was read for it. One bridge
/// that judged them one after another in that order would have given the same answers. In
/// particular at most a ceiling's worth of guesses comes before the notice that turns consent on,
/// however many bridges they are spread over, and a right PIN judged after it is by consent. A
/// right PIN that is recognised then is in the log as [`Notice::Touched`] before its caller hears
/// anything, so what a guesser learns from one bridge is of no use at another.
///
/// *Time.* A notice has the time of the bridge that wrote it. One that is earlier than another
/// before it in the log is taken to be as late as that; one that is far ahead makes time pass for
/// all, so the clocks should be kept to within seconds of each other. Consent ends when a quiet day has passed
/// by each bridge's own clock; that a bridge's clock moved leaves no trace in what is kept.
///
/// *Restarts and alerts.* [`export`](Self::export) is the state after some prefix of the log;
/// [`import`](Self::import) and then the rest of the log give the doorkeeper back. Each bridge
/// raises its own alert on learning the notice that reaches a ceiling, so that every operator
/// hears of it. Replaying raises again what was raised before: drain
/// [`poll_alert`](Self::poll_alert) after a replay and drop what comes of it. Whether consent is
/// on then is [`consent_since`](Self::consent_since).
///
/// Who has one bridge and no log uses [`judge`](Self::judge), which is all four steps at once.
#[derive(Debug)]
pub struct Doorkeeper {
    throttle: Throttle,
    suspects: BTreeMap<(ConferenceKey, Role), Suspect>,
}

/// A door whose PIN may have been guessed while nobody was let in by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Suspect {
    account: AccountId,
    /// Recognised that often without a human vouching for the caller.
    touches: u32,
    /// A booking's end, after which it is no door any more.
    ends: Option<DateTime<Utc>>,
}

/// What a doorkeeper has seen, to be kept over a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoorkeeperState {
    throttle: ThrottleState,
    suspects: Vec<((ConferenceKey, Role), Suspect)>,
}

impl Doorkeeper {
    /// A doorkeeper who has seen nothing. Whether the policy keeps the odds is
    /// [`PinPolicy::check`]'s to say.
    pub fn new(policy: PinPolicy, now: DateTime<Utc>) -> Self {
        Self::import(policy, DoorkeeperState::default(), now)
    }

    /// A doorkeeper who goes on where another left off, under the same or another policy (under
    /// another, what a longer memory or a higher ceiling would have kept is not there). Times
    /// that lie more than a minute ahead are taken for `now`: the clock was put right meanwhile.
    pub fn import(policy: PinPolicy, state: DoorkeeperState, now: DateTime<Utc>) -> Self {
        Self {
            throttle: Throttle::import(policy, state.throttle, now),
            suspects: state.suspects.into_iter().collect(),
        }
    }

    /// What to keep over a restart.
    pub fn export(&self) -> DoorkeeperState {
        DoorkeeperState {
            throttle: self.throttle.export(),
            suspects: self
                .suspects
                .iter()
                .map(|(key, suspect)| (*key, *suspect))
                .collect(),
        }
    }

    /// Takes note of what the log says, in its order. The ruling is that of the guess, for
    /// whoever made it; `None` for other notices.
    pub fn learn(&mut self, notice: &Notice) -> Option<Ruling> {
        match notice {
            Notice::Guess { source, kind, at } => {
                return Some(self.throttle.guess(*source, *kind, *at));
            }
            Notice::Touched {
                conference,
                role,
                account,
                ends,
                at,
            } => {
                let now = self.throttle.pass(*at);
                self.suspects
                    .retain(|_, suspect| suspect.ends.is_none_or(|ends| ends > now));
                let suspect = self
                    .suspects
                    .entry((*conference, *role))
                    .or_insert(Suspect {
                        account: *account,
                        touches: 0,
                        ends: *ends,
                    });
                suspect.touches = suspect.touches.saturating_add(1);
                // A booking may have been moved.
                suspect.ends = *ends;
            }
            Notice::Vouched {
                conference,
                role,
                at,
            } => {
                self.throttle.pass(*at);
                let key = (*conference, *role);
                if let Some(suspect) = self.suspects.get_mut(&key) {
                    suspect.touches = suspect.touches.saturating_sub(1);
                    if suspect.touches == 0 {
                        self.suspects.remove(&key);
                    }
                }
            }
            Notice::Released {
                conference,
                role,
                at,
            } => {
                self.throttle.pass(*at);
                self.suspects.remove(&(*conference, *role));
            }
            Notice::ConsentEnded { at } => {
                self.throttle
                    .end(&[Ceiling::WrongPins, Ceiling::TypingErrors], *at);
            }
        }
        None
    }

    /// Judges, given the ruling that [`learn`](Self::learn) gave of this inquiry's own notice
    /// (`None` where it has none). Gives back the verdict, and what must be written to the log
    /// before the answer is told; that takes effect when it is learned, as everything does.
    pub fn answer(
        &mut self,
        inquiry: Inquiry,
        ruling: Option<Ruling>,
        now: DateTime<Utc>,
    ) -> (Verdict, Option<Notice>) {
        self.handle_timeout(now);
        let Inquiry {
            source,
            attempt,
            door,
            now: asked_at,
        } = inquiry;
        let verdict = |outcome, delay| Verdict {
            outcome,
            ready_at: after(asked_at, delay),
        };
        match (attempt, door) {
            (Attempt::Opens { known, check_digit }, Some(door)) => {
                let ruling = self.throttle.opens(source, known, check_digit);
                let key = (door.conference, door.role);
                let suspect = !known && self.suspects.contains_key(&key);
                let touched = ruling.by_consent.then(|| Notice::Touched {
                    conference: door.conference,
                    role: door.role,
                    account: door.account,
                    ends: door.window.map(|window| window.ends),
                    at: now,
                });
                let ticket = Ticket::to(door, ruling.by_consent, suspect);
                (verdict(Outcome::Admit(ticket), ruling.delay), touched)
            }
            (Attempt::Mistyped, _) => (verdict(Outcome::Mistyped, Duration::ZERO), None),
            (Attempt::Opens { .. } | Attempt::Closed | Attempt::Wrong, _) => {
                let delay = ruling.map_or_else(|| self.throttle.delay(source), |own| own.delay);
                (verdict(Outcome::NotValid, delay), None)
            }
        }
    }

    /// Judges what a caller typed, for whoever has one bridge and no log. The arguments are those
    /// of [`Inquiry::new`].
    pub fn judge(
        &mut self,
        source: &Source,
        pin: &Pin,
        found: Option<Door>,
        bound: Option<AccountId>,
        now: DateTime<Utc>,
    ) -> Verdict {
        self.handle_timeout(now);
        let inquiry = Inquiry::new(source, pin, found, bound, now);
        let ruling = inquiry.notice().and_then(|notice| self.note(notice));
        let (verdict, touched) = self.answer(inquiry, ruling, now);
        touched.map(|notice| self.note(notice));
        verdict
    }

    /// The notice that a human let the holder of this ticket in, once: that PIN was not guessed.
    /// `None` where nothing is to be noted. To be asked when consent is given; not writing it
    /// errs on the side of asking again.
    pub fn vouched(&self, ticket: &Ticket, now: DateTime<Utc>) -> Option<Notice> {
        ticket.touched().then(|| Notice::Vouched {
            conference: ticket.conference(),
            role: ticket.role(),
            at: now,
        })
    }

    /// [`vouched`](Self::vouched), for whoever has no log.
    pub fn vouch(&mut self, ticket: &Ticket) {
        let notice = self.vouched(ticket, self.throttle.now());
        notice.map(|notice| self.note(notice));
    }

    /// The PIN behind this door was changed, or an operator knows better: it is no longer
    /// suspected of having been guessed. With a log, [`Notice::Released`].
    pub fn release(&mut self, conference: ConferenceKey, role: Role) {
        self.note(Notice::Released {
            conference,
            role,
            at: self.throttle.now(),
        });
    }

    /// The doors whose PIN may have been guessed while consent was on, and should be changed.
    pub fn suspects(&self) -> impl Iterator<Item = (AccountId, ConferenceKey, Role)> + '_ {
        self.suspects
            .iter()
            .map(|((conference, role), suspect)| (suspect.account, *conference, *role))
    }

    /// Since when every door asks callers who aren't known for consent, if it does.
    pub fn consent_since(&self) -> Option<DateTime<Utc>> {
        self.throttle.consent(Ceiling::WrongPins)
    }

    /// An operator ends consent. Doors under suspicion stay so. With a log,
    /// [`Notice::ConsentEnded`].
    pub fn end_consent(&mut self, now: DateTime<Utc>) {
        self.note(Notice::ConsentEnded { at: now });
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub fn poll_timeout(&self) -> Option<DateTime<Utc>> {
        self.throttle.poll_timeout()
    }

    /// Ends consent if a day has passed quietly. Judging does so too; this is for telling the
    /// operator in time.
    pub fn handle_timeout(&mut self, now: DateTime<Utc>) {
        self.throttle.handle_timeout(now);
    }

    /// The next thing for the operator, oldest first.
    pub fn poll_alert(&mut self) -> Option<Alert> {
        self.throttle.poll_alert()
    }

    /// The throttle inside, for its counts.
    pub fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// Learns what happens here and now; a clock that was set back meanwhile is not followed.
    fn note(&mut self, notice: Notice) -> Option<Ruling> {
        self.learn(&notice.no_earlier_than(self.throttle.now()))
    }
}

fn after(now: DateTime<Utc>, delay: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(delay)
        .ok()
        .and_then(|delay| now.checked_add_signed(delay))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
