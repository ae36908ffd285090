//! One room in several threads: each sums what its legs say and tells the others, then all of them mix.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use conclave_mixer::Rate;
use crossbeam_channel::{Receiver, Sender};

use crate::{LegId, RoomId, meter::Meter};

/// Threads of the engine, by their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Threads(u64);

impl Threads {
    /// An engine has no more.
    pub(crate) const MOST: usize = 64;

    pub(crate) const fn one(thread: usize) -> Self {
        Self(1 << thread)
    }

    pub(crate) const fn has(self, thread: usize) -> bool {
        self.0 >> thread & 1 == 1
    }

    pub(crate) const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(crate) const fn without(self, thread: usize) -> Self {
        Self(self.0 & !(1 << thread))
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        (0..Self::MOST).filter(move |&thread| self.has(thread))
    }
}

/// What a thread tells of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// So many of its legs say this together.
    Speech { voices: usize },
    /// This is played to all in the room but `except`.
    Prompt { except: Option<LegId> },
    /// One of its legs says this, for the room's tap alone.
    Voice { leg: LegId },
    /// The highest rate of its legs.
    Rate,
}

/// What one thread tells another of a tick, of all the rooms that they share.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    from: usize,
    tick: u64,
    /// No room is shared any more: nothing follows.
    last: bool,
    items: Vec<(RoomId, Told, Rate, usize)>,
    samples: Vec<i32>,
}

impl Bundle {
    pub(crate) fn push(
        &mut self,
        room: RoomId,
        told: Told,
        rate: Rate,
        samples: impl IntoIterator<Item = i32>,
    ) {
        self.samples.extend(samples);
        self.items.push((room, told, rate, self.samples.len()));
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = (RoomId, Told, Rate, &[i32])> {
        let mut begin = 0;
        self.items.iter().map(move |&(room, told, rate, end)| {
            let samples = &self.samples[begin..end];
            begin = end;
            (room, told, rate, samples)
        })
    }
}

/// What goes out to each of the other threads after what the legs say is summed.
#[derive(Default)]
pub(crate) struct Outgoing {
    bundles: Vec<Bundle>,
    /// Who shares a room with this thread in this tick.
    to: Threads,
}

impl Outgoing {
    /// The bundles for the threads that share a room.
    pub(crate) fn to(&mut self, threads: Threads) -> impl Iterator<Item = &mut Bundle> {
        self.to = self.to.and(threads);
        let bundles = self.bundles.iter_mut().enumerate();
        bundles.filter_map(move |(thread, bundle)| threads.has(thread).then_some(bundle))
    }
}

/// One thread's side of it.
///
/// A thread waits for those that have told it something of the tick before: they will tell of this one. One that takes longer than
/// [`PATIENCE`] is not waited for again until it tells anew.
pub(crate) struct Exchange {
    me: usize,
    peers: Vec<Sender<Bundle>>,
    inbox: Receiver<Bundle>,
    outgoing: Outgoing,
    /// Who was told something, and nothing of an end.
    telling: Threads,
    /// Who told something, and nothing of an end.
    told: Threads,
    /// What came and was not asked for yet, by thread.
    waiting: Vec<VecDeque<Bundle>>,
    spare: Vec<Bundle>,
    meter: Arc<Meter>,
}

/// How long after a tick was due another thread's sums of it are waited for.
const PATIENCE: Duration = Duration::from_millis(60);
/// Bundles underway to a thread from each other one: as many ticks as a thread catches up with, and some.
pub(crate) const MOST_UNDERWAY: usize = 64;

impl Exchange {
    pub(crate) fn new(
        me: usize,
        peers: Vec<Sender<Bundle>>,
        inbox: Receiver<Bundle>,
        meter: Arc<Meter>,
    ) -> Self {
        let each = peers.len();
        Exchange {
            me,
            peers,
            inbox,
            outgoing: Outgoing {
                bundles: (0..each).map(|_| Bundle::default()).collect(),
                to: Threads::default(),
            },
            telling: Threads::default(),
            told: Threads::default(),
            waiting: (0..each).map(|_| VecDeque::new()).collect(),
            spare: Vec::new(),
            meter,
        }
    }

    /// Where the rooms put what goes out.
    pub(crate) fn outgoing(&mut self) -> &mut Outgoing {
        &mut self.outgoing
    }

    /// Tells the others what was put there.
    pub(crate) fn send(&mut self, tick: u64) {
        let to = std::mem::take(&mut self.outgoing.to);
        for thread in to.and(self.telling).iter() {
            let spare = self.spare.pop().unwrap_or_default();
            let bundle = std::mem::replace(&mut self.outgoing.bundles[thread], spare);
            let bundle = Bundle {
                from: self.me,
                tick,
                last: !to.has(thread),
                ..bundle
            };
            // One that has stood still for so long leaves these ticks out.
            if let Err(failed) = self.peers[thread].try_send(bundle) {
                Meter::count(&self.meter.sums_missed, 1);
                self.recycle(failed.into_inner());
            }
        }
        self.telling = to;
    }

    /// Gives `add` what the others say in this tick, once they have told it. `late` says how long ago the tick was due.
    pub(crate) fn gather(
        &mut self,
        tick: u64,
        late: impl Fn() -> Duration,
        mut add: impl FnMut(&Bundle),
    ) {
        while let Ok(bundle) = self.inbox.try_recv() {
            self.file(bundle);
        }
        loop {
            let missing = self.told.iter().find(|&thread| {
                let last = self.waiting[thread].back();
                last.is_none_or(|bundle| bundle.tick < tick)
            });
            let Some(missing) = missing else { break };
            match self.inbox.recv_timeout(PATIENCE.saturating_sub(late())) {
                Ok(bundle) => self.file(bundle),
                Err(_) => self.told = self.told.without(missing),
            }
        }
        for thread in 0..self.waiting.len() {
            while let Some(bundle) = self.waiting[thread].pop_front_if(|b| b.tick <= tick) {
                if bundle.tick == tick {
                    add(&bundle);
                } else {
                    Meter::count(&self.meter.sums_missed, 1);
                }
                self.recycle(bundle);
            }
        }
    }

    fn file(&mut self, bundle: Bundle) {
        let from = Threads::one(bundle.from);
        self.told = if bundle.last {
            self.told.without(bundle.from)
        } else {
            self.told.and(from)
        };
        self.waiting[bundle.from].push_back(bundle);
    }

    fn recycle(&mut self, mut bundle: Bundle) {
        bundle.items.clear();
        bundle.samples.clear();
        if self.spare.len() < self.peers.len() {
            self.spare.push(bundle);
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;

    const ROOM: RoomId = RoomId(5);

    fn exchanges(count: usize) -> Vec<Exchange> {
        let (peers, inboxes): (Vec<_>, Vec<_>) =
            (0..count).map(|_| bounded(MOST_UNDERWAY * count)).unzip();
        let one = |(me, inbox)| Exchange::new(me, peers.clone(), inbox, Arc::default());
        inboxes.into_iter().enumerate().map(one).collect()
    }

    fn say(exchange: &mut Exchange, tick: u64, to: Threads, sample: i32) {
        let voices = 1;
        for bundle in exchange.outgoing().to(to) {
            bundle.push(ROOM, Told::Speech { voices }, Rate::Hz8000, [sample; 2]);
        }
        exchange.send(tick);
    }

    /// What is heard of a tick, if `late` so late.
    fn heard(exchange: &mut Exchange, tick: u64, late: Duration) -> Vec<i32> {
        let mut heard = Vec::new();
        exchange.gather(
            tick,
            || late,
            |bundle| {
                for (room, told, _, samples) in bundle.items() {
                    assert_eq!((room, told), (ROOM, Told::Speech { voices: 1 }));
                    assert_eq!(samples[0], samples[1]);
                    heard.push(samples[0]);
                }
            },
        );
        heard
    }

    const IN_TIME: Duration = Duration::ZERO;
    const TOO_LATE: Duration = Duration::from_secs(1);

    #[test]
    fn each_tick_is_heard_in_its_turn() {
        let mut all = exchanges(3);
        let [a, b, c] = &mut all[..] else {
            panic!("three")
        };
        assert_eq!(heard(a, 1, IN_TIME), [], "nobody is waited for at first");
        say(b, 2, Threads::one(0), 20);
        say(c, 2, Threads::one(0), 200);
        assert_eq!(heard(a, 2, IN_TIME), [20, 200]);
        // One that is ahead.
        say(c, 3, Threads::one(0), 300);
        say(c, 4, Threads::one(0), 400);
        say(b, 3, Threads::one(0), 30);
        assert_eq!(heard(a, 3, IN_TIME), [30, 300]);
        say(b, 4, Threads::default(), 0);
        assert_eq!(heard(a, 4, IN_TIME), [400]);
        say(c, 5, Threads::one(0), 500);
        assert_eq!(
            heard(a, 5, IN_TIME),
            [500],
            "who has said its last is not waited for"
        );
        assert_eq!(heard(b, 5, IN_TIME), []);
    }

    #[test]
    fn who_comes_is_waited_for() {
        let mut all = exchanges(2);
        let mut b = all.remove(1);
        let mut a = all.remove(0);
        say(&mut b, 1, Threads::one(0), 10);
        assert_eq!(heard(&mut a, 1, IN_TIME), [10]);
        let (go, gone) = bounded(0);
        let later = std::thread::spawn(move || {
            gone.recv().unwrap();
            say(&mut b, 2, Threads::one(0), 20);
            b
        });
        go.send(()).unwrap();
        assert_eq!(heard(&mut a, 2, IN_TIME), [20]);
        let mut b = later.join().unwrap();

        // One that stands still is given up, and heard again once it speaks of the present.
        assert_eq!(heard(&mut a, 3, TOO_LATE), []);
        assert_eq!(heard(&mut a, 4, IN_TIME), []);
        for tick in 3..=5 {
            say(&mut b, tick, Threads::one(0), tick as i32 * 10);
        }
        assert_eq!(heard(&mut a, 5, IN_TIME), [50]);
        assert_eq!(
            a.meter
                .sums_missed
                .load(std::sync::atomic::Ordering::Relaxed),
            2
        );
    }

    #[test]
    fn nothing_piles_up_before_one_that_stands_still() {
        let mut all = exchanges(2);
        for tick in 0..1_000 {
            say(&mut all[1], tick, Threads::one(0), 1);
        }
        assert_eq!(all[0].inbox.len(), 2 * MOST_UNDERWAY);
        assert!(
            all[1].spare.len() <= 1,
            "what could not be sent is used again"
        );
    }
}
