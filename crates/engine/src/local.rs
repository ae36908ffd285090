//! The legs that live in one thread, those that are about to arrive, and those that have just left.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use crossbeam_channel::Sender;

use crate::{
    LegId, PlayId,
    events::Events,
    leg::{Ingested, Leg},
    meter::Meter,
    plane::{LegOrder, Plane},
    port::{Channel, PortPair},
    post::Post,
    shard::Message,
};

/// Datagrams underway to one thread; further ones are dropped.
const MOST_UNDERWAY: usize = 8_192;
/// Datagrams kept for a leg that is about to arrive.
const MOST_KEPT: usize = 64;
/// How long a thread remembers where a leg went, for datagrams that were underway to it.
const REMEMBERED: Duration = Duration::from_secs(1);

/// What a thread needs to reach another.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) inbox: Sender<Message>,
    pub(crate) meter: Arc<Meter>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").finish_non_exhaustive()
    }
}

/// Datagrams on their way from the owner of a socket to where the legs live.
#[derive(Default)]
pub(crate) struct Parcel {
    items: Vec<(LegId, Channel, SocketAddr, usize)>,
    bytes: Vec<u8>,
}

impl Parcel {
    fn push(&mut self, leg: LegId, channel: Channel, from: SocketAddr, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.items.push((leg, channel, from, self.bytes.len()));
    }

    fn items(&self) -> impl Iterator<Item = (LegId, Channel, SocketAddr, &[u8])> {
        let mut begin = 0;
        self.items.iter().map(move |&(leg, channel, from, end)| {
            let bytes = &self.bytes[begin..end];
            begin = end;
            (leg, channel, from, bytes)
        })
    }
}

/// What is kept for a leg until it arrives.
#[derive(Default)]
struct Kept {
    orders: Vec<LegOrder>,
    datagrams: usize,
    stops: Vec<PlayId>,
    moves_to: Option<usize>,
}

pub(crate) struct Local {
    me: usize,
    pub(crate) plane: Plane,
    pub(crate) post: Post,
    pub(crate) meter: Arc<Meter>,
    peers: Vec<Peer>,
    awaited: HashMap<LegId, Kept>,
    away: Vec<(LegId, usize, Duration)>,
    parcels: Vec<Parcel>,
    /// Legs that have found their peer, and the thread that must know.
    latched: Vec<(usize, LegId, SocketAddr)>,
}

impl Local {
    pub(crate) fn new(me: usize, peers: Vec<Peer>, events: Events, tick: u64) -> Self {
        let meter = Arc::clone(&peers[me].meter);
        Local {
            me,
            plane: Plane::new(events, tick),
            post: Post::new(Arc::clone(&meter)),
            meter,
            awaited: HashMap::new(),
            away: Vec::new(),
            parcels: peers.iter().map(|_| Parcel::default()).collect(),
            peers,
            latched: Vec::new(),
        }
    }

    pub(crate) fn me(&self) -> usize {
        self.me
    }

    /// A datagram for a leg that lives, or is thought to live, at `at`.
    pub(crate) fn deliver(
        &mut self,
        at: usize,
        leg: LegId,
        channel: Channel,
        from: SocketAddr,
        datagram: &[u8],
        now: Duration,
    ) {
        if at != self.me {
            self.parcels[at].push(leg, channel, from, datagram);
        } else if self.plane.has(leg) {
            match self.plane.ingest(leg, channel, from, datagram, now) {
                Ingested::Taken => {}
                Ingested::Latched { home } => self.latched.push((home, leg, from)),
                Ingested::Ignored => Meter::count(&self.meter.ignored, 1),
            }
        } else if let Some(kept) = self.awaited.get_mut(&leg) {
            if kept.datagrams < MOST_KEPT {
                kept.datagrams += 1;
                let bytes = datagram.into();
                kept.orders.push(LegOrder::Datagram {
                    channel,
                    from,
                    bytes,
                });
            } else {
                Meter::count(&self.meter.dropped, 1);
            }
        } else if let Some(&(_, to, _)) = self.away.iter().rev().find(|(gone, ..)| *gone == leg) {
            self.parcels[to].push(leg, channel, from, datagram);
        } else {
            Meter::count(&self.meter.ignored, 1);
        }
    }

    /// What came from another thread's sockets.
    pub(crate) fn unpack(&mut self, parcel: &Parcel, now: Duration) {
        self.meter.underway.fetch_sub(parcel.items.len(), Relaxed);
        for (leg, channel, from, datagram) in parcel.items() {
            self.deliver(self.me, leg, channel, from, datagram, now);
        }
    }

    /// Sends on what is for legs elsewhere.
    pub(crate) fn send_parcels(&mut self) {
        for (parcel, peer) in self.parcels.iter_mut().zip(&self.peers) {
            let count = parcel.items.len();
            if count == 0 {
                continue;
            }
            if peer.meter.underway.fetch_add(count, Relaxed) + count > MOST_UNDERWAY {
                peer.meter.underway.fetch_sub(count, Relaxed);
                Meter::count(&self.meter.dropped, count);
                parcel.items.clear();
                parcel.bytes.clear();
            } else {
                let message = Message::Parcel(std::mem::take(parcel));
                // A thread that has shut down has no legs that could miss it.
                let _ = peer.inbox.send(message);
            }
        }
    }

    /// The legs that have latched since the last time, with the thread that owns their sockets.
    pub(crate) fn latched(&mut self) -> Option<(usize, LegId, SocketAddr)> {
        self.latched.pop()
    }

    pub(crate) fn tell(&self, thread: usize, message: Message) {
        // As above.
        let _ = self.peers[thread].inbox.send(message);
    }

    pub(crate) fn order(&mut self, leg: LegId, order: LegOrder, now: Duration) {
        match self.awaited.get_mut(&leg) {
            Some(kept) => kept.orders.push(order),
            None => {
                let stops = matches!(order, LegOrder::Stop);
                let port = self.plane.port(leg);
                self.plane.order(leg, order, now, &mut self.post);
                if let Some(port) = port.filter(|_| stops) {
                    self.post.give(port);
                }
            }
        }
    }

    /// Ends a play, here or on its way here.
    pub(crate) fn stop_play(&mut self, play: PlayId) {
        self.plane.stop_play(play);
        for kept in self.awaited.values_mut() {
            kept.stops.push(play);
        }
    }

    /// A leg will arrive.
    pub(crate) fn expect(&mut self, leg: LegId) {
        self.awaited.entry(leg).or_default();
    }

    /// A leg is to live at `to`.
    pub(crate) fn send_away(&mut self, leg: LegId, to: usize, now: Duration) {
        if let Some(kept) = self.awaited.get_mut(&leg) {
            kept.moves_to = Some(to);
            return;
        }
        self.away
            .retain(|&(_, _, since)| now.saturating_sub(since) < REMEMBERED);
        let Some(leg) = self.plane.depart(leg) else {
            return;
        };
        let Some(pair) = self.post.give(leg.port) else {
            return;
        };
        self.away.push((leg.id, to, now));
        self.tell(to, Message::Arrive { leg, pair });
    }

    /// A leg is here: what was kept for it happens now.
    pub(crate) fn arrive(&mut self, leg: Box<Leg>, pair: &Arc<PortPair>, now: Duration) {
        let id = leg.id;
        self.away.retain(|&(gone, ..)| gone != id);
        self.post.take(pair);
        self.plane.admit(leg, &mut self.post);
        self.post.flush();
        let kept = self.awaited.remove(&id).unwrap_or_default();
        for order in kept.orders {
            match order {
                LegOrder::Datagram {
                    channel,
                    from,
                    bytes,
                } => {
                    self.deliver(self.me, id, channel, from, &bytes, now);
                }
                order => self.order(id, order, now),
            }
        }
        for play in kept.stops {
            self.plane.stop_play(play);
        }
        if let Some(to) = kept.moves_to {
            self.send_away(id, to, now);
        }
    }
}
