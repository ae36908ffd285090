//! The virtual media plane: it plays, one after the other to each pair of ears, and records names.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use conclave_accounts::CallId;
use conclave_attendant::{Audience, Route};
use conclave_conference::{Clip, ConferenceId, NameId, PlayId, Prompt};

/// Who hears a queue of plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ears {
    Call(CallId),
    Room(ConferenceId),
}

impl From<Audience> for Ears {
    fn from(audience: Audience) -> Self {
        match audience {
            Audience::Call(call) => Self::Call(call),
            Audience::Room { conference, .. } => Self::Room(conference),
        }
    }
}

/// A play that has begun: when it ends, counted from now.
pub(crate) type Begun = (PlayId, Duration);

#[derive(Debug, Default)]
pub(crate) struct Media {
    /// The first of each queue plays.
    queues: BTreeMap<Ears, VecDeque<(PlayId, Duration)>>,
    ears: BTreeMap<PlayId, Ears>,
    /// Whose, and whether there is anything but silence in it.
    recordings: BTreeMap<NameId, (CallId, bool)>,
    /// The latest orders, to be looked at.
    pub(crate) routes: BTreeMap<CallId, Route>,
}

impl Media {
    pub(crate) fn play(&mut self, play: PlayId, to: Audience, clips: &[Clip]) -> Option<Begun> {
        let length = clips.iter().copied().map(length).sum();
        let ears = to.into();
        self.ears.insert(play, ears);
        let queue = self.queues.entry(ears).or_default();
        queue.push_back((play, length));
        (queue.len() == 1).then_some((play, length))
    }

    /// Takes a play out of its queue: whether it was there, and which one begins then.
    pub(crate) fn end(&mut self, play: PlayId) -> (bool, Option<Begun>) {
        let Some(ears) = self.ears.remove(&play) else {
            return (false, None);
        };
        let Some(queue) = self.queues.get_mut(&ears) else {
            return (false, None);
        };
        let was_first = queue.front().is_some_and(|(first, _)| *first == play);
        queue.retain(|(other, _)| *other != play);
        let next = queue.front().copied().filter(|_| was_first);
        if queue.is_empty() {
            self.queues.remove(&ears);
        }
        (true, next)
    }

    pub(crate) fn record(&mut self, call: CallId, name: NameId, usable: bool) {
        self.recordings.insert(name, (call, usable));
    }

    pub(crate) fn recording_of(&self, call: CallId) -> Option<NameId> {
        let mut recordings = self.recordings.iter();
        let found = recordings.find(|(_, (whose, _))| *whose == call);
        found.map(|(name, _)| *name)
    }

    /// A recording ends: whether it is of use; `None` where it had ended.
    pub(crate) fn recorded(&mut self, name: NameId) -> Option<bool> {
        self.recordings.remove(&name).map(|(_, usable)| usable)
    }

    /// The call's media stops: the plays that nobody hears any more.
    pub(crate) fn stop(&mut self, call: CallId) -> Vec<PlayId> {
        self.routes.remove(&call);
        self.recordings.retain(|_, (whose, _)| *whose != call);
        let queue = self.queues.remove(&Ears::Call(call)).unwrap_or_default();
        for (play, _) in &queue {
            self.ears.remove(play);
        }
        queue.into_iter().map(|(play, _)| play).collect()
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.ears.is_empty() && self.recordings.is_empty() && self.routes.is_empty()
    }
}

/// Two seconds for a prompt or a name, one for a tone.
fn length(clip: Clip) -> Duration {
    Duration::from_secs(match clip {
        Clip::Prompt(
            Prompt::EntryTone
            | Prompt::ExitTone
            | Prompt::RefusedTone
            | Prompt::RecordTone
            | Prompt::RecordingTone,
        ) => 1,
        Clip::Prompt(_) | Clip::Name(_) => 2,
    })
}
