//! The step in which a caller speaks the name.

use chrono::{DateTime, Utc};
use conclave_accounts::{CallId, Ticket};
use conclave_conference::{NameId, PlayId, Prompt};
use conclave_dtmf::Digit;

use crate::journey::Context;
use crate::{Action, Timer};

/// The caller has a ticket and is asked for the name.
#[derive(Debug)]
pub(crate) struct Naming {
    call: CallId,
    pub(crate) ticket: Ticket,
    takes_left: u8,
    take: Take,
    /// Until when the take's present part must be over.
    guard: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy)]
enum Take {
    /// `record-name` plays, `record-tone` is queued behind it.
    Asking { prompt: PlayId, tone: PlayId },
    /// The tone plays: speak after it.
    Tone { tone: PlayId },
    /// The caller speaks.
    Recording { name: NameId },
    /// The caller pressed `#`: the recording's answer is awaited.
    Finishing { name: NameId },
}

/// What came of asking for the name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    NotYet,
    Name(NameId),
    /// The caller stays unnamed.
    Unnamed,
}

impl Naming {
    pub(crate) fn ask(call: CallId, ticket: Ticket, context: &mut Context<'_>) -> Self {
        Self {
            call,
            ticket,
            takes_left: context.rules.name_takes.saturating_sub(1),
            take: Take::ask(call, context),
            guard: context.after(context.rules.prompt),
        }
    }

    /// Any digit cuts the prompt, and `#` ends the recording.
    pub(crate) fn digit(&mut self, digit: Digit, context: &mut Context<'_>) {
        match self.take {
            Take::Asking { prompt, tone } => {
                context.desk.stop(prompt);
                self.go_on(Take::Tone { tone }, context);
            }
            Take::Recording { name } if digit.as_char() == '#' => {
                context.desk.order(Action::FinishName { call: self.call });
                self.take = Take::Finishing { name };
            }
            Take::Tone { .. } | Take::Recording { .. } | Take::Finishing { .. } => {}
        }
    }

    pub(crate) fn play_ended(&mut self, ended: PlayId, context: &mut Context<'_>) {
        match self.take {
            Take::Asking { prompt, tone } if ended == prompt => {
                self.go_on(Take::Tone { tone }, context);
            }
            Take::Asking { prompt, tone } if ended == tone => {
                context.desk.stop(prompt);
                self.record(context);
            }
            Take::Tone { tone } if ended == tone => self.record(context),
            _ => {}
        }
    }

    pub(crate) fn name_recorded(
        &mut self,
        ended: NameId,
        usable: bool,
        context: &mut Context<'_>,
    ) -> Spoken {
        match self.take {
            Take::Recording { name } | Take::Finishing { name } if name == ended => {
                if usable {
                    // Nothing is being recorded any more, wherever the call goes from here.
                    self.take = Take::Finishing { name };
                    Spoken::Name(name)
                } else if self.takes_left == 0 {
                    Spoken::Unnamed
                } else {
                    self.takes_left -= 1;
                    let take = Take::ask(self.call, context);
                    self.go_on(take, context);
                    Spoken::NotYet
                }
            }
            _ => Spoken::NotYet,
        }
    }

    pub(crate) fn handle_timeout(&mut self, context: &mut Context<'_>) -> Spoken {
        if context.now < self.guard {
            return Spoken::NotYet;
        }
        match self.take {
            Take::Asking { prompt, tone } => {
                context.desk.stop(prompt);
                self.go_on(Take::Tone { tone }, context);
            }
            Take::Tone { tone } => {
                context.desk.stop(tone);
                self.record(context);
            }
            Take::Recording { .. } | Take::Finishing { .. } => {
                self.stop_recording(context);
                self.abandon(context);
                return Spoken::Unnamed;
            }
        }
        Spoken::NotYet
    }

    pub(crate) fn deadline(&self) -> (DateTime<Utc>, Timer) {
        let timer = match self.take {
            Take::Asking { .. } | Take::Tone { .. } => Timer::Prompt,
            Take::Recording { .. } | Take::Finishing { .. } => Timer::Recording,
        };
        (self.guard, timer)
    }

    /// The call goes on without its name: nothing of it is recorded any more.
    pub(crate) fn stop_recording(&mut self, context: &mut Context<'_>) {
        if let Take::Recording { .. } = self.take {
            context.desk.order(Action::FinishName { call: self.call });
        }
    }

    /// Stops what plays and wipes what is being recorded, for a call that may be gone.
    pub(crate) fn abandon(&mut self, context: &mut Context<'_>) {
        match self.take {
            Take::Asking { prompt, tone } => {
                context.desk.stop(prompt);
                context.desk.stop(tone);
            }
            Take::Tone { tone } => context.desk.stop(tone),
            Take::Recording { name } | Take::Finishing { name } => context.desk.forget_name(name),
        }
    }

    fn record(&mut self, context: &mut Context<'_>) {
        let name = context.desk.record_name(self.call);
        self.go_on(Take::Recording { name }, context);
    }

    fn go_on(&mut self, take: Take, context: &Context<'_>) {
        self.guard = context.after(match take {
            Take::Asking { .. } => context.rules.prompt,
            Take::Tone { .. } | Take::Recording { .. } | Take::Finishing { .. } => {
                context.rules.recording
            }
        });
        self.take = take;
    }
}

impl Take {
    fn ask(call: CallId, context: &mut Context<'_>) -> Self {
        Self::Asking {
            prompt: context.desk.play(call, &[Prompt::RecordName]),
            tone: context.desk.play(call, &[Prompt::RecordTone]),
        }
    }
}
