//! The step in which a PIN is typed, and the one in which its verdict is awaited.

use std::fmt;

use chrono::{DateTime, Utc};
use conclave_accounts::{CallId, LONGEST_PIN, Outcome, Pin, Verdict};
use conclave_conference::{PlayId, Prompt};
use conclave_dtmf::Digit;
use zeroize::Zeroizing;

use crate::Timer;
use crate::journey::Context;

/// A PIN is asked for.
#[derive(Debug)]
pub(crate) struct PinEntry {
    pub(crate) tries_left: u8,
    longest: usize,
    typed: Typed,
    waits: Waits,
}

#[derive(Debug)]
enum Waits {
    Prompt { play: PlayId, guard: DateTime<Utc> },
    FirstDigit { until: DateTime<Utc> },
    NextDigit { until: DateTime<Utc> },
}

/// What a digit or a deadline makes of the PIN.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typing {
    GoesOn,
    /// The PIN is complete.
    Complete,
    /// Nothing was typed in time.
    Nothing,
}

/// The digits so far: never longer than [`LONGEST_PIN`], so that the buffer doesn't move and leave copies.
struct Typed(Zeroizing<String>);

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed(**********)")
    }
}

impl PinEntry {
    /// Plays `prompts`, and waits for the PIN meanwhile.
    pub(crate) fn ask(
        call: CallId,
        prompts: &[Prompt],
        longest: usize,
        tries_left: u8,
        context: &mut Context<'_>,
    ) -> Self {
        Self {
            tries_left,
            longest: longest.clamp(1, LONGEST_PIN.into()),
            typed: Typed(Zeroizing::new(String::with_capacity(LONGEST_PIN.into()))),
            waits: Waits::Prompt {
                play: context.desk.play(call, prompts),
                guard: context.after(context.rules.prompt),
            },
        }
    }

    /// A figure interrupts the prompt at once. `#` ends the PIN, `*` clears it; both do nothing where nothing
    /// is typed, so that they don't cut a prompt out of habit.
    pub(crate) fn digit(&mut self, digit: Digit, context: &mut Context<'_>) -> Typing {
        let empty = self.typed.0.is_empty();
        match digit.as_char() {
            '#' if !empty => return Typing::Complete,
            '*' if !empty => {
                self.typed.0.clear();
                self.waits = Waits::FirstDigit {
                    until: context.after(context.rules.first_digit),
                };
            }
            figure @ '0'..='9' => {
                self.stop_prompt(context);
                self.typed.0.push(figure);
                if self.typed.0.len() >= self.longest {
                    return Typing::Complete;
                }
                self.waits = Waits::NextDigit {
                    until: context.after(context.rules.next_digit),
                };
            }
            _ => {}
        }
        Typing::GoesOn
    }

    pub(crate) fn play_ended(&mut self, ended: PlayId, context: &mut Context<'_>) {
        if matches!(self.waits, Waits::Prompt { play, .. } if play == ended) {
            self.waits = Waits::FirstDigit {
                until: context.after(context.rules.first_digit),
            };
        }
    }

    pub(crate) fn handle_timeout(&mut self, context: &mut Context<'_>) -> Typing {
        match self.waits {
            Waits::Prompt { play, guard } if guard <= context.now => {
                context.desk.stop(play);
                self.play_ended(play, context);
                Typing::GoesOn
            }
            Waits::FirstDigit { until } if until <= context.now => Typing::Nothing,
            Waits::NextDigit { until } if until <= context.now => Typing::Complete,
            _ => Typing::GoesOn,
        }
    }

    pub(crate) fn deadline(&self) -> (DateTime<Utc>, Timer) {
        match self.waits {
            Waits::Prompt { guard, .. } => (guard, Timer::Prompt),
            Waits::FirstDigit { until } => (until, Timer::FirstDigit),
            Waits::NextDigit { until } => (until, Timer::NextDigit),
        }
    }

    /// The PIN, where what was typed can be one at all.
    pub(crate) fn pin(&self) -> Option<Pin> {
        Pin::parse(&self.typed.0).ok()
    }

    pub(crate) fn stop_prompt(&mut self, context: &mut Context<'_>) {
        if let Waits::Prompt { play, .. } = self.waits {
            context.desk.stop(play);
        }
    }
}

/// A verdict is awaited, or there and not due yet.
#[derive(Debug)]
pub(crate) struct Judging {
    pub(crate) tries_left: u8,
    inquiry: u32,
    /// No refusal is heard before.
    refuse_from: DateTime<Utc>,
    verdict: Awaited,
}

#[derive(Debug)]
enum Awaited {
    Until(DateTime<Utc>),
    There(Verdict),
}

/// What came of an inquiry.
pub(crate) enum Answer {
    /// The verdict, at its time.
    Verdict(Outcome),
    /// None came.
    Lost,
}

impl Judging {
    pub(crate) fn new(tries_left: u8, inquiry: u32, context: &Context<'_>) -> Self {
        Self {
            tries_left,
            inquiry,
            refuse_from: context.after(context.rules.refusal),
            verdict: Awaited::Until(context.after(context.rules.verdict)),
        }
    }

    /// Takes the verdict if it is the awaited one, and says whether it is. It is acted upon at its time:
    /// every refusal [`Rules::refusal`](crate::Rules::refusal) after the PIN's end at the earliest.
    pub(crate) fn judged(&mut self, inquiry: u32, verdict: Verdict) -> bool {
        if inquiry != self.inquiry || matches!(self.verdict, Awaited::There(_)) {
            return false;
        }
        self.take(verdict);
        true
    }

    /// The verdict's time has come, and its door is none for this call: from here on it is a refusal like any
    /// other, with the same pause before it.
    pub(crate) fn refuse_ticket(&mut self) {
        if let Awaited::There(verdict) = &self.verdict {
            self.take(Verdict {
                outcome: Outcome::NotValid,
                ready_at: verdict.ready_at,
            });
        }
    }

    fn take(&mut self, mut verdict: Verdict) {
        if !matches!(verdict.outcome, Outcome::Admit(_)) {
            verdict.ready_at = verdict.ready_at.max(self.refuse_from);
        }
        self.verdict = Awaited::There(verdict);
    }

    /// What came of it, if it is time.
    pub(crate) fn answer(&self, now: DateTime<Utc>) -> Option<Answer> {
        match &self.verdict {
            Awaited::There(verdict) if verdict.ready_at <= now => {
                Some(Answer::Verdict(verdict.outcome.clone()))
            }
            Awaited::Until(guard) if *guard <= now => Some(Answer::Lost),
            _ => None,
        }
    }

    pub(crate) fn deadline(&self) -> (DateTime<Utc>, Timer) {
        match &self.verdict {
            Awaited::Until(guard) => (*guard, Timer::Verdict),
            Awaited::There(verdict) => (verdict.ready_at, Timer::Answer),
        }
    }
}
