//! Who is in a conference, in order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use conclave_accounts::Role;

use crate::{CallId, Caller, Prompt, Route, WaitFor};

/// One call of a conference: its row in the roster.
#[derive(Debug, Clone, PartialEq)]
pub struct Participant {
    pub(crate) role: Role,
    pub(crate) caller: Caller,
    pub(crate) holder: Option<String>,
    pub(crate) arrived: DateTime<Utc>,
    /// The roster's to change: it knows who waits, and since when.
    place: Place,
    pub(crate) on_hold: bool,
    pub(crate) noisy: bool,
    /// How loud the caller was, and when.
    pub(crate) level: Option<(i8, DateTime<Utc>)>,
    /// The turn of a raised hand: the lowest speaks first.
    pub(crate) hand: Option<u64>,
    /// By `*6`.
    pub(crate) own_mute: bool,
    /// By a Host or the portal.
    pub(crate) silenced: Option<Silenced>,
    /// It was quieted by the account's wish, not by a Host's word.
    pub(crate) quieted_by_itself: bool,
    /// A Host wants the line heard although it is flagged.
    pub(crate) spared: bool,
    /// May speak in the present lecture.
    pub(crate) floor: bool,
    /// What the shell was last told.
    pub(crate) route: Option<Route>,
}

/// Where a call of a conference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Not let in yet: alone with the hold music.
    Waiting {
        /// For what.
        what: WaitFor,
        /// Since when.
        since: DateTime<Utc>,
    },
    /// In the room.
    Room,
    /// Was in the room and is back with the hold music, because no Host is in.
    Held {
        /// Since when.
        since: DateTime<Utc>,
    },
}

/// Why a participant isn't heard: the strongest reason of those that hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Muted {
    /// The line was quieted for its music or noise, by a Host or by the account's wish: `*6` doesn't undo it.
    Quieted,
    /// A Host or the portal muted it: `*6` doesn't undo it.
    ByHost,
    /// By the lecture.
    ByLecture,
    /// By the caller's own `*6`.
    ByOneself,
}

/// Who may be heard in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Floor {
    /// Everyone.
    #[default]
    Open,
    /// Hosts, and Guests who took the floor by `*6`.
    Lecture,
    /// Hosts, and Guests whose raised hand a Host let speak.
    StrictLecture,
}

/// What a Host's word did to a participant's voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silenced {
    Muted,
    /// With the turn in which it was: the latest is restored first.
    Quieted(u64),
}

impl Participant {
    pub(crate) fn new(
        role: Role,
        caller: Caller,
        holder: Option<String>,
        place: Place,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            role,
            caller,
            holder,
            arrived: now,
            place,
            on_hold: false,
            noisy: false,
            level: None,
            hand: None,
            own_mute: false,
            silenced: None,
            quieted_by_itself: false,
            spared: false,
            floor: false,
            route: None,
        }
    }

    /// Host or Guest, by the PIN.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Number and spoken name.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The invitee's name of a personal PIN, or as it was corrected since.
    pub fn holder(&self) -> Option<&str> {
        self.holder.as_deref()
    }

    /// When the call arrived.
    pub fn arrived(&self) -> DateTime<Utc> {
        self.arrived
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether the peer has put its line on hold.
    pub fn on_hold(&self) -> bool {
        self.on_hold
    }

    /// Whether the line was flagged as playing music or noise.
    pub fn noisy(&self) -> bool {
        self.noisy
    }

    /// Whether the hand is up.
    pub fn hand_raised(&self) -> bool {
        self.hand.is_some()
    }

    /// Whether the call hears the room.
    pub fn hears(&self) -> bool {
        matches!(self.route, Some(Route::Room { .. }))
    }

    /// Whether the room hears the call.
    pub fn is_heard(&self) -> bool {
        self.route == Some(Route::Room { heard: true })
    }

    /// Why the others don't hear it, as far as mutes are concerned, where `floor` is the conference's
    /// [`floor`](crate::Conference::floor).
    pub fn muted(&self, floor: Floor) -> Option<Muted> {
        match self.silenced {
            Some(Silenced::Quieted(_)) => Some(Muted::Quieted),
            Some(Silenced::Muted) => Some(Muted::ByHost),
            None if self.lectured(floor) => Some(Muted::ByLecture),
            None if self.own_mute => Some(Muted::ByOneself),
            None => None,
        }
    }

    /// Whether a [`Command::LetSpeak`](crate::Command::LetSpeak) does anything: the hand is up, or the lecture alone mutes
    /// the call. Who muted themselves is let be until they raise a hand.
    pub fn can_be_let_speak(&self, floor: Floor) -> bool {
        let lectured = self.muted(floor) == Some(Muted::ByLecture) && !self.own_mute;
        self.in_room() && (self.hand.is_some() || lectured)
    }

    /// What the call shall hear, and whether it shall be heard: a function of everything above.
    pub(crate) fn due_route(&self, floor: Floor) -> Route {
        match self.place {
            Place::Waiting { .. } | Place::Held { .. } => Route::HoldMusic,
            Place::Room => Route::Room {
                heard: !self.on_hold && self.muted(floor).is_none(),
            },
        }
    }

    pub(crate) fn in_room(&self) -> bool {
        self.place == Place::Room
    }

    pub(crate) fn is_host_in(&self) -> bool {
        self.in_room() && self.role == Role::Host
    }

    pub(crate) fn waits_for(&self, wanted: WaitFor) -> bool {
        matches!(self.place, Place::Waiting { what, .. } if what == wanted)
    }

    /// `*6`; the answer is what the caller is told.
    pub(crate) fn toggle_mute(&mut self, floor: Floor) -> Prompt {
        match self.muted(floor) {
            Some(Muted::Quieted | Muted::ByHost) => Prompt::MutedByHost,
            Some(Muted::ByLecture) if floor == Floor::StrictLecture => Prompt::MutedByHost,
            Some(Muted::ByLecture | Muted::ByOneself) => {
                self.own_mute = false;
                self.floor = true;
                Prompt::Unmuted
            }
            None => {
                self.own_mute = true;
                Prompt::Muted
            }
        }
    }

    /// A Host gives the floor: no mute of any kind may make `you-may-speak` a lie.
    pub(crate) fn give_floor(&mut self) {
        self.hand = None;
        self.own_mute = false;
        self.silenced = None;
        self.spared = true;
        self.floor = true;
    }

    /// What was done and allowed because the line was flagged is over; whether it had been quieted without a Host's word.
    pub(crate) fn end_own_quieting(&mut self) -> bool {
        self.spared = false;
        let quieted = std::mem::take(&mut self.quieted_by_itself);
        if quieted {
            self.silenced = None;
        }
        quieted
    }

    fn lectured(&self, floor: Floor) -> bool {
        self.role == Role::Guest && floor != Floor::Open && !self.floor
    }
}

/// The rows, to be found by call and walked in order of arrival.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roster {
    rows: BTreeMap<Arrival, (CallId, Participant)>,
    by_call: BTreeMap<CallId, Arrival>,
    /// Those who wait and those who are held, by since when: in a room of thousands no event may cost a walk.
    waiting: BTreeSet<(DateTime<Utc>, Arrival)>,
    held: BTreeSet<(DateTime<Utc>, Arrival)>,
    next: Arrival,
}

/// A place in the order of arrival, never used again.
pub(crate) type Arrival = u64;

impl Roster {
    /// Adds a call that isn't in it.
    pub(crate) fn add(&mut self, call: CallId, participant: Participant) {
        let arrival = self.next;
        self.next += 1;
        self.note(arrival, participant.place);
        self.by_call.insert(call, arrival);
        self.rows.insert(arrival, (call, participant));
    }

    pub(crate) fn remove(&mut self, call: CallId) -> Option<Participant> {
        let arrival = self.by_call.remove(&call)?;
        let (_, participant) = self.rows.remove(&arrival)?;
        self.forget(arrival, participant.place);
        Some(participant)
    }

    /// Moves a call to another place; false if it isn't in the roster.
    pub(crate) fn put(&mut self, call: CallId, place: Place) -> bool {
        let Some(&arrival) = self.by_call.get(&call) else {
            return false;
        };
        let Some((_, row)) = self.rows.get_mut(&arrival) else {
            return false;
        };
        let before = std::mem::replace(&mut row.place, place);
        self.forget(arrival, before);
        self.note(arrival, place);
        true
    }

    /// Who has waited the longest, and since when.
    pub(crate) fn first_waiting(&self) -> Option<(DateTime<Utc>, CallId)> {
        self.first_of(&self.waiting)
    }

    /// Who has been held the longest, and since when.
    pub(crate) fn first_held(&self) -> Option<(DateTime<Utc>, CallId)> {
        self.first_of(&self.held)
    }

    fn first_of(
        &self,
        those: &BTreeSet<(DateTime<Utc>, Arrival)>,
    ) -> Option<(DateTime<Utc>, CallId)> {
        let (since, arrival) = those.first()?;
        let (call, _) = self.rows.get(arrival)?;
        Some((*since, *call))
    }

    fn note(&mut self, arrival: Arrival, place: Place) {
        match place {
            Place::Waiting { since, .. } => self.waiting.insert((since, arrival)),
            Place::Held { since } => self.held.insert((since, arrival)),
            Place::Room => true,
        };
    }

    fn forget(&mut self, arrival: Arrival, place: Place) {
        match place {
            Place::Waiting { since, .. } => self.waiting.remove(&(since, arrival)),
            Place::Held { since } => self.held.remove(&(since, arrival)),
            Place::Room => true,
        };
    }

    pub(crate) fn get(&self, call: CallId) -> Option<&Participant> {
        let (_, participant) = self.rows.get(self.by_call.get(&call)?)?;
        Some(participant)
    }

    pub(crate) fn get_mut(&mut self, call: CallId) -> Option<&mut Participant> {
        let (_, participant) = self.rows.get_mut(self.by_call.get(&call)?)?;
        Some(participant)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (CallId, &Participant)> {
        self.rows
            .values()
            .map(|(call, participant)| (*call, participant))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (CallId, &mut Participant)> {
        self.rows
            .values_mut()
            .map(|(call, participant)| (*call, participant))
    }

    /// The calls that are as `wanted` says, in order of arrival.
    pub(crate) fn calls(&self, wanted: impl Fn(&Participant) -> bool) -> Vec<CallId> {
        self.iter()
            .filter(|(_, participant)| wanted(participant))
            .map(|(call, _)| call)
            .collect()
    }

    /// The first call after that arrival (or of all) that is as `wanted` says.
    pub(crate) fn next_after(
        &self,
        arrival: Option<Arrival>,
        wanted: impl Fn(&Participant) -> bool,
    ) -> Option<(Arrival, CallId)> {
        let from = arrival.map_or(0, |arrival| arrival + 1);
        self.rows
            .range(from..)
            .find(|(_, (_, participant))| wanted(participant))
            .map(|(arrival, (call, _))| (*arrival, *call))
    }

    pub(crate) fn in_room(&self) -> usize {
        self.rows.len() - self.waiting.len() - self.held.len()
    }

    pub(crate) fn hosts_in(&self) -> Vec<CallId> {
        self.calls(Participant::is_host_in)
    }

    pub(crate) fn host_is_in(&self) -> bool {
        self.iter().any(|(_, row)| row.is_host_in())
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
