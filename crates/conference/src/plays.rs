//! The plays that are under way, each with the time at which it is taken for over.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, Utc};

use crate::{Audience, CallId, Clip, NameId, PlayId, Prompt, timer::later};

/// What a play is about. To the same ears a newer word on a matter takes the place of the older one, so
/// that a caller who hammers a key is told the result and not the history, and the queue stays short. What
/// strangers at the door can bring about is said to its end before it is said again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// Entries and exits: these queue up, as far as [`MOST_ANNOUNCEMENTS`].
    ComingAndGoing,
    Waiting,
    Starting,
    Count,
    AnotherHost,
    HostLeft,
    Consent,
    ConsentWaiters,
    Lock,
    Refused,
    Floor,
    Voice,
    Quiet,
    Hand,
    Help,
    RollCall,
    Recording,
    RecordingTone,
    End,
    TimeLeft,
}

/// So many entries and exits may queue up in a room; what comes on top would be stale when it is heard.
const MOST_ANNOUNCEMENTS: usize = 8;

/// How long the media plane may take to begin a play and to tell that it has ended.
const SLACK: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
struct Outstanding {
    to: Audience,
    about: About,
    names: Vec<NameId>,
    overdue: DateTime<Utc>,
}

/// What becomes of a wish to play something.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) play: PlayId,
    /// To be stopped first.
    pub(crate) replaced: Vec<PlayId>,
}

#[derive(Debug, Clone)]
pub(crate) struct Plays {
    owner: u32,
    next: u32,
    outstanding: BTreeMap<PlayId, Outstanding>,
    by_overdue: BTreeSet<(DateTime<Utc>, PlayId)>,
}

impl Plays {
    pub(crate) fn new(owner: u32) -> Self {
        Self {
            owner,
            next: 1,
            outstanding: BTreeMap::new(),
            by_overdue: BTreeSet::new(),
        }
    }

    /// Notes a play; `None` where it is better left out, because enough of its kind wait to be heard.
    pub(crate) fn start(
        &mut self,
        to: Audience,
        about: About,
        clips: &[Clip],
        now: DateTime<Utc>,
    ) -> Option<Started> {
        let same: Vec<PlayId> = self
            .outstanding
            .iter()
            .filter(|(_, other)| other.about == about && same_ears(other.to, to))
            .map(|(play, _)| *play)
            .collect();
        let replaced = match about {
            About::ComingAndGoing if same.len() >= MOST_ANNOUNCEMENTS => return None,
            About::ConsentWaiters | About::Refused if !same.is_empty() => return None,
            About::ComingAndGoing => Vec::new(),
            _ => same,
        };
        for play in &replaced {
            self.end(*play);
        }
        let begins = self
            .outstanding
            .values()
            .filter(|other| same_ears(other.to, to))
            .map(|other| other.overdue)
            .fold(now, DateTime::max);
        let longest: Duration = clips.iter().copied().map(longest).sum();
        let play = PlayId {
            owner: self.owner,
            number: self.next,
        };
        self.next = self.next.wrapping_add(1);
        let overdue = later(begins, SLACK + longest);
        let names = clips.iter().filter_map(name_in).collect();
        self.by_overdue.insert((overdue, play));
        self.outstanding.insert(
            play,
            Outstanding {
                to,
                about,
                names,
                overdue,
            },
        );
        Some(Started { play, replaced })
    }

    /// Forgets a play that is over or is being stopped; false if it is not under way.
    pub(crate) fn end(&mut self, play: PlayId) -> bool {
        let ended = self.outstanding.remove(&play);
        if let Some(outstanding) = &ended {
            self.by_overdue.remove(&(outstanding.overdue, play));
        }
        ended.is_some()
    }

    /// Takes out all plays to those that `whom` picks, to be stopped.
    pub(crate) fn take(&mut self, whom: impl Fn(Audience) -> bool) -> Vec<PlayId> {
        let taken: Vec<PlayId> = self
            .outstanding
            .iter()
            .filter(|(_, outstanding)| whom(outstanding.to))
            .map(|(play, _)| *play)
            .collect();
        for play in &taken {
            self.end(*play);
        }
        taken
    }

    pub(crate) fn use_name(&self, name: NameId) -> bool {
        self.outstanding
            .values()
            .any(|outstanding| outstanding.names.contains(&name))
    }

    /// The play that is taken for over first, and when.
    pub(crate) fn first_overdue(&self) -> Option<(DateTime<Utc>, PlayId)> {
        self.by_overdue.first().copied()
    }
}

fn same_ears(one: Audience, other: Audience) -> bool {
    match (one, other) {
        (Audience::Call(one), Audience::Call(other)) => one == other,
        (Audience::Room { .. }, Audience::Room { .. }) => true,
        (Audience::Call(_), Audience::Room { .. }) | (Audience::Room { .. }, Audience::Call(_)) => {
            false
        }
    }
}

pub(crate) fn is_to_call(to: Audience, call: CallId) -> bool {
    to == Audience::Call(call)
}

fn name_in(clip: &Clip) -> Option<NameId> {
    match clip {
        Clip::Name(name) => Some(*name),
        Clip::Prompt(_) => None,
    }
}

/// A generous bound on the length of a clip. A recorded name is 5 s at most; prompts are sentences, but for
/// the two that list the keys.
fn longest(clip: Clip) -> Duration {
    Duration::from_secs(match clip {
        Clip::Name(_) => 6,
        Clip::Prompt(Prompt::HelpGuest | Prompt::HelpHost) => 90,
        Clip::Prompt(_) => 10,
    })
}
