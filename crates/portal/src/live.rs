//! The seam between the portal and a bridge that runs: what goes on in its conferences, and orders to them.
//!
//! The portal's end is [`Live`]; whoever runs conferences receives [`Request`]s and answers each when it comes to it. The
//! queue between them has a bound and nobody waits for it: a server that is busy costs the page, not a call. What is
//! watched is kept as its latest state, so a slow reader misses steps in between and never the outcome.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use conclave_accounts::{AccountId, BookingId, ConferenceKey, Role};
use conclave_conference::{
    CallId, Command, Conference, ConferenceId, Floor, Muted, OperatorId, Participant, Phase, Place,
    Refusal, WaitFor,
};
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that wait for the server at the same time; more are refused.
const QUEUE: usize = 64;
/// A server that hasn't answered by then is taken for gone.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// The portal's end of the seam. Clones share it.
///
/// A server of one conference, in a test or instead of a bridge:
///
/// ```
/// use std::sync::Arc;
/// use conclave_portal::live::{Live, Request};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), conclave_portal::live::LiveError> {
/// let (live, mut requests) = Live::channel();
/// tokio::spawn(async move {
///     while let Some(request) = requests.recv().await {
///         match request {
///             Request::List { answer } => drop(answer.send(tokio::sync::watch::channel(Arc::default()).1)),
///             Request::Watch { answer, .. } => drop(answer.send(None)), // no conference of that number goes on
///             Request::Order { answer, .. } => drop(answer.send(Err(conclave_conference::Refusal::Unknown))),
///             Request::Metrics { answer } => drop(answer.send(String::new())),
///             _ => {}
///         }
///     }
/// });
/// assert!(live.list().await?.borrow().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Live(mpsc::Sender<Request>);

/// What the portal asks of whoever runs the conferences.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request {
    /// The conferences that go on, and from now on each change of the list.
    List {
        /// Where the list is kept up to date for as long as somebody holds on to it.
        answer: oneshot::Sender<watch::Receiver<Arc<[Summary]>>>,
    },
    /// A conference as it is, and from now on each change; nothing more comes once it is over.
    Watch {
        /// Which.
        conference: ConferenceId,
        /// Where it is kept up to date; `None` where no such conference goes on.
        answer: oneshot::Sender<Option<watch::Receiver<Arc<Snapshot>>>>,
    },
    /// Something that shall be done.
    Order {
        /// What, where and by whom.
        order: Order,
        /// Whether it was done.
        answer: oneshot::Sender<Result<(), Refusal>>,
    },
    /// The server's figures.
    Metrics {
        /// In the text format of Prometheus.
        answer: oneshot::Sender<String>,
    },
}

/// Something that an operator wants done in a conference.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Where.
    pub conference: ConferenceId,
    /// When that conference started. Numbers begin anew with each run of a bridge: an order that was meant for another
    /// conference of this number is to be refused as [`Refusal::Unknown`].
    pub started: DateTime<Utc>,
    /// Who gives it.
    pub by: OperatorId,
    /// What.
    pub deed: Deed,
}

/// What shall be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// A command.
    Command(Command),
    /// A call shall be shown by another name.
    Name {
        /// Which call.
        call: CallId,
        /// The name.
        name: String,
    },
}

/// A conference that goes on, in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Its number in this run of the bridge.
    pub id: ConferenceId,
    /// The account that owns it.
    pub account: AccountId,
    /// The booking, if it is one.
    pub booking: Option<BookingId>,
    /// When its first call arrived.
    pub started: DateTime<Utc>,
    /// Where it is in its life.
    pub stage: Stage,
    /// Hosts in the room.
    pub hosts: usize,
    /// Guests in the room.
    pub guests: usize,
    /// Callers who wait for a Host, to be let in, or for a Host's return.
    pub waiting: usize,
    /// Of those, callers whom somebody must let in.
    pub asking: usize,
    /// Whether it is locked.
    pub locked: bool,
}

/// Where a conference is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No Host has been in: Guests wait.
    AwaitingHost,
    /// It goes on.
    Open,
    /// The last Host left; the others are held until one returns.
    HostAway,
    /// Its end is being announced.
    Ending {
        /// Whether that can be taken back.
        can_take_back: bool,
    },
}

/// A conference that goes on, in full.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// What a list shows of it.
    pub summary: Summary,
    /// Who may speak.
    pub floor: Floor,
    /// Whether the account has the lock.
    pub can_lock: bool,
    /// How many callers the lock has turned away since it was locked last.
    pub turned_away: u32,
    /// Everyone who is in or waits, in order of arrival.
    pub callers: Vec<Caller>,
}

/// A call in a conference.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// Its number in this run of the bridge.
    pub call: CallId,
    /// As what it came.
    pub role: Role,
    /// An invitee's name, or as it was corrected since.
    pub name: Option<String>,
    /// The number that it calls from, in full: who may see that is the page's to say.
    pub number: Option<String>,
    /// When it arrived.
    pub arrived: DateTime<Utc>,
    /// Where it is.
    pub place: Place,
    /// Why the others don't hear it, if a mute is why.
    pub muted: Option<Muted>,
    /// The peer has put its line on hold.
    pub on_hold: bool,
    /// The line was flagged as playing music or noise.
    pub noisy: bool,
    /// The hand is up.
    pub hand: bool,
    /// [`Command::LetSpeak`] would let it speak.
    pub can_let_speak: bool,
    /// It is heard to speak now.
    pub speaking: bool,
    /// How its packets come in, once that is known.
    pub reception: Option<Reception>,
}

/// How a call's packets have come in lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reception {
    /// Lost ones, in percent.
    pub lost: u8,
    /// Interarrival jitter in milliseconds (RFC 3550, section 6.4.1).
    pub jitter_ms: u16,
}

/// What the server knows of a call beside its conference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Line {
    /// It is heard to speak now.
    pub speaking: bool,
    /// How its packets come in.
    pub reception: Option<Reception>,
}

/// Why the server said nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    /// More requests wait for it than it can bear.
    #[error("the bridge is too busy just now")]
    Busy,
    /// It is stopping, or doesn't answer.
    #[error("the bridge does not answer")]
    Gone,
}

impl Live {
    /// Both ends: the portal's, and that of whoever runs the conferences.
    pub fn channel() -> (Self, mpsc::Receiver<Request>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// The conferences that go on, kept up to date.
    pub async fn list(&self) -> Result<watch::Receiver<Arc<[Summary]>>, LiveError> {
        self.ask(|answer| Request::List { answer }).await
    }

    /// A conference, kept up to date; `None` where none of that number goes on.
    pub async fn watch(
        &self,
        conference: ConferenceId,
    ) -> Result<Option<watch::Receiver<Arc<Snapshot>>>, LiveError> {
        self.ask(|answer| Request::Watch { conference, answer })
            .await
    }

    /// A conference as it is now.
    pub async fn snapshot(
        &self,
        conference: ConferenceId,
    ) -> Result<Option<Arc<Snapshot>>, LiveError> {
        let watched = self.watch(conference).await?;
        Ok(watched.map(|watched| Arc::clone(&watched.borrow())))
    }

    /// Gives an order; the answer says whether it was carried out, or why not.
    pub async fn order(&self, order: Order) -> Result<Result<(), Refusal>, LiveError> {
        self.ask(|answer| Request::Order { order, answer }).await
    }

    /// The server's figures, in the text format of Prometheus.
    pub async fn metrics(&self) -> Result<String, LiveError> {
        self.ask(|answer| Request::Metrics { answer }).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, LiveError> {
        let (answer, answered) = oneshot::channel();
        self.0
            .try_send(request(answer))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => LiveError::Busy,
                mpsc::error::TrySendError::Closed(_) => LiveError::Gone,
            })?;
        let answered = tokio::time::timeout(ANSWERED_WITHIN, answered).await;
        answered
            .map_err(|_| LiveError::Gone)?
            .map_err(|_| LiveError::Gone)
    }
}

impl Summary {
    /// Of a conference that goes on; `None` before its first call has arrived and after its end.
    pub fn of(conference: &Conference) -> Option<Self> {
        let stage = match conference.phase() {
            Phase::AwaitingHost => Stage::AwaitingHost,
            Phase::Open => Stage::Open,
            Phase::HostAway { .. } => Stage::HostAway,
            Phase::Ending { .. } => Stage::Ending {
                can_take_back: conference.can_take_back(),
            },
            _ => return None,
        };
        let mut summary = Self {
            id: conference.id(),
            account: conference.account(),
            booking: match conference.key() {
                ConferenceKey::Booking(id) => Some(id),
                ConferenceKey::Account(_) => None,
            },
            started: conference.started()?,
            stage,
            hosts: 0,
            guests: 0,
            waiting: 0,
            asking: 0,
            locked: conference.is_locked(),
        };
        for (_, row) in conference.roster() {
            match (row.place(), row.role()) {
                (Place::Room, Role::Host) => summary.hosts += 1,
                (Place::Room, Role::Guest) => summary.guests += 1,
                (place @ (Place::Waiting { .. } | Place::Held { .. }), _) => {
                    summary.waiting += 1;
                    summary.asking += usize::from(asks(place));
                }
            }
        }
        Some(summary)
    }
}

impl Snapshot {
    /// Of a conference that goes on, with what is known of its lines.
    pub fn of(conference: &Conference, line: impl Fn(CallId) -> Line) -> Option<Self> {
        let floor = conference.floor();
        let callers = conference
            .roster()
            .map(|(call, row)| caller(call, row, floor, line(call)));
        Some(Self {
            summary: Summary::of(conference)?,
            floor,
            can_lock: conference.terms().lock,
            turned_away: conference.turned_away(),
            callers: callers.collect(),
        })
    }
}

fn caller(call: CallId, row: &Participant, floor: Floor, line: Line) -> Caller {
    Caller {
        call,
        role: row.role(),
        name: row.holder().map(str::to_owned),
        number: row.caller().number.clone(),
        arrived: row.arrived(),
        place: row.place(),
        muted: row.muted(floor),
        on_hold: row.on_hold(),
        noisy: row.noisy(),
        hand: row.hand_raised(),
        can_let_speak: row.can_be_let_speak(floor),
        speaking: line.speaking && row.is_heard(),
        reception: line.reception,
    }
}

/// Whether somebody must let this caller in.
pub(crate) fn asks(place: Place) -> bool {
    matches!(
        place,
        Place::Waiting {
            what: WaitFor::Consent,
            ..
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_waits_for_a_server_that_is_busy_or_gone() {
        let (live, requests) = Live::channel();
        let ask = || {
            let live = live.clone();
            tokio::spawn(async move { live.metrics().await })
        };
        let asking: Vec<_> = (0..QUEUE).map(|_| ask()).collect();
        while live.0.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(live.metrics().await, Err(LiveError::Busy));
        drop(requests);
        for one in asking {
            assert_eq!(one.await.unwrap(), Err(LiveError::Gone));
        }
        assert_eq!(live.list().await.err(), Some(LiveError::Gone));
    }
}
