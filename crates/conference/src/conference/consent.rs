//! Callers who wait for a Host's word, and the dialogue in which the Host gives it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use conclave_accounts::Role;

use super::Conference;
use crate::{
    CallId, Caller, Clip, LeaveReason, PlayId, Prompt, Refusal, WaitFor, plays::About, timer::later,
};

/// How long after the question `*4` lets the caller in, and `*` sends them away.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// `*` could become `*4` for so long: a word that was given in time is told by that much later.
const STAR_IS_TOLD_AFTER: Duration = Duration::from_secs(3);

/// One Host's question about one caller.
#[derive(Debug)]
pub(super) struct Dialogue {
    pub(super) about: CallId,
    question: PlayId,
    /// The end of the time to answer; none while the question is being played.
    until: Option<DateTime<Utc>>,
}

impl Dialogue {
    /// When no answer can come any more.
    pub(super) fn over_at(&self) -> Option<DateTime<Utc>> {
        self.until.map(|until| later(until, STAR_IS_TOLD_AFTER))
    }
}

impl Conference {
    /// `*4`: asks about the next caller, or lets in the one who was asked about.
    pub(super) fn consent_key(&mut self, host: CallId, now: DateTime<Utc>) -> Result<(), Refusal> {
        if let Some(dialogue) = self.dialogues.get(&host)
            && dialogue.until.is_none_or(|until| now <= until)
        {
            let about = dialogue.about;
            return self.decide(about, true, Some(host), now);
        }
        let waits = |row: &crate::Participant| row.waits_for(WaitFor::Consent);
        let (arrival, about) = self
            .roster
            .next_after(self.last_asked, waits)
            .or_else(|| self.roster.next_after(None, waits))
            .ok_or(Refusal::NothingToDo)?;
        self.last_asked = Some(arrival);
        let mut clips = self
            .roster
            .get(about)
            .map(|row| who(&row.caller))
            .unwrap_or_default();
        clips.push(Prompt::CallerWaitsForConsent.into());
        if let Some(question) = self.play_to_call(host, About::Consent, clips, now) {
            let dialogue = Dialogue {
                about,
                question,
                until: None,
            };
            self.dialogues.insert(host, dialogue);
        }
        Ok(())
    }

    /// The question is over: now the time to answer runs.
    pub(super) fn dialogue_listens(&mut self, play: PlayId, now: DateTime<Utc>) {
        for dialogue in self.dialogues.values_mut() {
            if dialogue.question == play {
                dialogue.until = Some(later(now, ANSWER_WITHIN));
            }
        }
    }

    /// A Host's or the portal's word on a caller who waits for it.
    pub(super) fn decide(
        &mut self,
        call: CallId,
        welcome: bool,
        host: Option<CallId>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let row = self.roster.get(call).ok_or(Refusal::Unknown)?;
        if !row.waits_for(WaitFor::Consent) {
            return Err(Refusal::NothingToDo);
        }
        let is_wanted = row.role == Role::Host && !self.roster.host_is_in();
        if welcome && self.locked && !is_wanted {
            return Err(Refusal::Locked);
        }
        self.drop_dialogues_about(call);
        if !welcome {
            self.release(
                call,
                Some(Prompt::Goodbye),
                LeaveReason::ConsentRefused,
                now,
            );
            return Ok(());
        }
        if let Some(host) = host {
            self.play_to_call(host, About::Consent, [Prompt::CallerLetIn], now);
        }
        self.admit(call, now);
        Ok(())
    }

    /// A question about a caller for whom it doesn't arise any more falls silent.
    pub(super) fn drop_dialogues_about(&mut self, call: CallId) {
        let over: Vec<PlayId> = self
            .dialogues
            .extract_if(.., |_, dialogue| dialogue.about == call)
            .map(|(_, dialogue)| dialogue.question)
            .collect();
        for question in over {
            self.stop_play(question);
        }
    }
}

/// The name that the caller spoke, else the digits of the number, else "an unnamed caller".
fn who(caller: &Caller) -> Vec<Clip> {
    /// E.164 has no more.
    const LONGEST_NUMBER: usize = 15;
    if let Some(name) = caller.name {
        return vec![Clip::Name(name)];
    }
    let digits: Vec<Clip> = caller
        .number
        .iter()
        .flat_map(|number| number.chars())
        .filter_map(|digit| digit.to_digit(10))
        .take(LONGEST_NUMBER)
        .flat_map(Prompt::number)
        .map(Clip::Prompt)
        .collect();
    if digits.is_empty() {
        return vec![Prompt::UnnamedCaller.into()];
    }
    digits
}
