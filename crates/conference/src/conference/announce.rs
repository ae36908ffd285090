//! Who comes and who goes, as the room hears it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use conclave_accounts::Announce;

use super::Conference;
use crate::{CallId, Clip, NameId, Prompt, WaitFor, plays::About, timer::later};

/// From so many participants on, names that come close to each other are announced as one list.
const LIST_FROM: usize = 6;
/// From so many on, the tone alone is used.
const TONE_FROM: usize = 16;
/// How close to each other.
const LIST_SPAN: Duration = Duration::from_secs(3);

/// Names that are about to be announced as one list.
#[derive(Debug)]
pub(super) struct Gathering {
    pub(super) until: DateTime<Utc>,
    names: Vec<(CallId, Clip)>,
}

impl Gathering {
    pub(super) fn uses(&self, name: NameId) -> bool {
        self.names.iter().any(|(_, clip)| *clip == Clip::Name(name))
    }
}

impl Conference {
    pub(super) fn announce_entry(&mut self, calls: &[CallId], now: DateTime<Utc>) {
        let names: Vec<_> = calls
            .iter()
            .map(|call| (*call, self.spoken(*call)))
            .collect();
        match self.style(self.terms.entry, self.roster.in_room()) {
            Style::Nothing => {}
            Style::Tone => self.announce(&names, Sound::EntryTone, now),
            Style::Now => self.announce(&names, Sound::Joined, now),
            Style::InAList => gather(&mut self.entering, names, now),
        }
    }

    /// The Host and those who waited have come in together: the tone once, or the Host's name to the others
    /// and theirs to all; nobody hears a list of their own name alone.
    pub(super) fn announce_start(&mut self, host: CallId, waiters: &[CallId], now: DateTime<Utc>) {
        let guests: Vec<_> = waiters
            .iter()
            .map(|call| (*call, self.spoken(*call)))
            .collect();
        let host = [(host, self.spoken(host))];
        match self.style(self.terms.entry, self.roster.in_room()) {
            Style::Nothing => {}
            Style::Tone if guests.is_empty() => self.announce(&host, Sound::EntryTone, now),
            Style::Tone => {
                self.play_to_room(None, About::ComingAndGoing, [Prompt::EntryTone], now);
            }
            Style::Now | Style::InAList => {
                self.announce(&host, Sound::Joined, now);
                self.announce(&guests, Sound::Joined, now);
            }
        }
    }

    /// Announces one who was in the room and isn't any more. Whoever is still waiting to be announced as come
    /// is not announced at all.
    pub(super) fn announce_exit(&mut self, call: CallId, name: Clip, now: DateTime<Utc>) {
        if let Some(entering) = &mut self.entering
            && let Some(index) = entering.names.iter().position(|(other, _)| *other == call)
        {
            entering.names.remove(index);
            return;
        }
        let names = vec![(call, name)];
        match self.style(self.terms.exit, self.roster.in_room() + 1) {
            Style::Nothing => {}
            Style::Tone => self.announce(&names, Sound::ExitTone, now),
            Style::Now => self.announce(&names, Sound::Left, now),
            Style::InAList => gather(&mut self.leaving, names, now),
        }
    }

    pub(super) fn announce_entry_list(&mut self, now: DateTime<Utc>) {
        if let Some(gathering) = self.entering.take() {
            self.announce(&gathering.names, Sound::Joined, now);
        }
    }

    pub(super) fn announce_exit_list(&mut self, now: DateTime<Utc>) {
        if let Some(gathering) = self.leaving.take() {
            self.announce(&gathering.names, Sound::Left, now);
            self.forget_names();
        }
    }

    pub(super) fn someone_waits_for_consent(&self) -> bool {
        self.roster
            .iter()
            .any(|(_, row)| row.waits_for(WaitFor::Consent))
    }

    /// To the room; one who is announced alone doesn't hear it.
    fn announce(&mut self, names: &[(CallId, Clip)], sound: Sound, now: DateTime<Utc>) {
        let except = match names {
            [] => return,
            [(alone, _)] => Some(*alone),
            _ => None,
        };
        let clips = match sound {
            Sound::EntryTone => vec![Prompt::EntryTone.into()],
            Sound::ExitTone => vec![Prompt::ExitTone.into()],
            Sound::Joined => list(names, Prompt::HasJoined),
            Sound::Left => list(names, Prompt::HasLeft),
        };
        // Who has left can't hear it anyway.
        let except = except.filter(|call| self.roster.get(*call).is_some());
        self.play_to_room(except, About::ComingAndGoing, clips, now);
    }

    fn style(&self, announce: Announce, count: usize) -> Style {
        match announce {
            Announce::None => Style::Nothing,
            Announce::Tone => Style::Tone,
            Announce::Name if count >= TONE_FROM => Style::Tone,
            Announce::Name if count >= LIST_FROM => Style::InAList,
            Announce::Name => Style::Now,
        }
    }
}

enum Style {
    Nothing,
    Tone,
    Now,
    InAList,
}

enum Sound {
    EntryTone,
    ExitTone,
    Joined,
    Left,
}

fn gather(gathering: &mut Option<Gathering>, names: Vec<(CallId, Clip)>, now: DateTime<Utc>) {
    gathering
        .get_or_insert_with(|| Gathering {
            until: later(now, LIST_SPAN),
            names: Vec::new(),
        })
        .names
        .extend(names);
}

fn list(names: &[(CallId, Clip)], ending: Prompt) -> Vec<Clip> {
    names
        .iter()
        .map(|(_, clip)| *clip)
        .chain([ending.into()])
        .collect()
}
