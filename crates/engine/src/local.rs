//! The legs that live in one thread, those that are about to arrive, and those that have just left.

use std::{
    collections::VecDeque,
    fmt,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use crossbeam_channel::Sender;

use crate::{
    LegId, PlayId,
    events::Events,
    grid::time_of,
    ids::IdMap,
    leg::Leg,
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
    /// Each with where it ends in the bytes.
    items: Vec<(Arrival, usize)>,
    bytes: Vec<u8>,
}

/// What is known of a datagram beside its bytes.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) leg: LegId,
    pub(crate) channel: Channel,
    pub(crate) from: SocketAddr,
    pub(crate) came: Duration,
}

impl Parcel {
    fn push(&mut self, arrival: Arrival, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.items.push((arrival, self.bytes.len()));
    }

    fn items(&self) -> impl Iterator<Item = (Arrival, &[u8])> {
        let mut begin = 0;
        self.items.iter().map(move |&(arrival, end)| {
            let bytes = &self.bytes[begin..end];
            begin = end;
            (arrival, bytes)
        })
    }
}

/// What is kept for one visit of a leg until it arrives.
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
    /// The visits that each leg will make here, in their order: it may be sent on, and back, before it has come
    /// for the first time.
    awaited: IdMap<LegId, VecDeque<Kept>>,
    away: Vec<(LegId, usize, Duration)>,
    parcels: Vec<Parcel>,
}

impl Local {
    pub(crate) fn new(me: usize, peers: Vec<Peer>, events: Events, tick: u64) -> Self {
        let meter = Arc::clone(&peers[me].meter);
        Local {
            me,
            plane: Plane::new(events, tick),
            post: Post::new(Arc::clone(&meter)),
            meter,
            awaited: IdMap::default(),
            away: Vec::new(),
            parcels: peers.iter().map(|_| Parcel::default()).collect(),
            peers,
        }
    }

    pub(crate) fn me(&self) -> usize {
        self.me
    }

    /// A datagram for a leg that lives, or is thought to live, at `at`.
    pub(crate) fn deliver(&mut self, at: usize, arrival: Arrival, datagram: &[u8]) {
        if at != self.me {
            self.parcels[at].push(arrival, datagram);
            return;
        }
        if !self.plane.keep(arrival, datagram) {
            self.forward(arrival, datagram);
        }
    }

    /// A datagram for a leg that is about to arrive, or has just left.
    fn forward(&mut self, arrival: Arrival, datagram: &[u8]) {
        let leg = arrival.leg;
        if let Some(kept) = self.awaits(leg) {
            if kept.datagrams < MOST_KEPT {
                kept.datagrams += 1;
                let bytes = datagram.into();
                kept.orders.push(LegOrder::Datagram { arrival, bytes });
            } else {
                Meter::count(&self.meter.dropped, 1);
            }
        } else if let Some(&(_, to, _)) = self.away.iter().rev().find(|(gone, ..)| *gone == leg) {
            self.parcels[to].push(arrival, datagram);
        } else {
            Meter::count(&self.meter.ignored, 1);
        }
    }

    /// What came from another thread's sockets.
    pub(crate) fn unpack(&mut self, parcel: &Parcel) {
        self.meter.underway.fetch_sub(parcel.items.len(), Relaxed);
        for (arrival, datagram) in parcel.items() {
            self.deliver(self.me, self.in_time(arrival), datagram);
        }
    }

    /// What was still underway at the last tick came after it, as far as the leg is concerned.
    fn in_time(&self, arrival: Arrival) -> Arrival {
        let last_tick = self.plane.next_tick().saturating_sub(1);
        let soonest = time_of(last_tick) + Duration::from_micros(1);
        Arrival {
            came: arrival.came.max(soonest),
            ..arrival
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

    pub(crate) fn tell(&self, thread: usize, message: Message) {
        // As above.
        let _ = self.peers[thread].inbox.send(message);
    }

    pub(crate) fn order(&mut self, leg: LegId, order: LegOrder, now: Duration) {
        match self.awaits(leg) {
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
        for kept in self.awaited.values_mut().flatten() {
            kept.stops.push(play);
        }
    }

    /// A leg will arrive.
    pub(crate) fn expect(&mut self, leg: LegId) {
        self.awaited
            .entry(leg)
            .or_default()
            .push_back(Kept::default());
    }

    /// The last visit that a leg will make.
    fn awaits(&mut self, leg: LegId) -> Option<&mut Kept> {
        self.awaited.get_mut(&leg)?.back_mut()
    }

    /// A leg is to live at `to`.
    pub(crate) fn send_away(&mut self, leg: LegId, to: usize, now: Duration) {
        if let Some(kept) = self.awaits(leg) {
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
        let mut visits = self.awaited.remove(&id).unwrap_or_default();
        let kept = visits.pop_front().unwrap_or_default();
        for order in kept.orders {
            match order {
                LegOrder::Datagram { arrival, bytes } => {
                    self.deliver(self.me, self.in_time(arrival), &bytes);
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
        if !visits.is_empty() {
            self.awaited.insert(id, visits);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use conclave_media::Codec;
    use crossbeam_channel::Receiver;

    use super::*;
    use crate::{
        Direction, Event, EventReceiver, LegMedia, RoomId, Route,
        leg::{Seat, StreamStart},
        port::PortPool,
    };

    const LEG: LegId = LegId(1);
    const NOW: Duration = Duration::from_millis(10);

    fn locals(count: usize) -> (Vec<Local>, Vec<Receiver<Message>>, EventReceiver) {
        let (events, receiver) = Events::channel();
        let (peers, inboxes): (Vec<_>, Vec<_>) = (0..count)
            .map(|_| {
                let (inbox, messages) = crossbeam_channel::unbounded();
                let meter = Arc::default();
                (Peer { inbox, meter }, messages)
            })
            .unzip();
        let local = |me| Local::new(me, peers.clone(), events.clone(), 1);
        ((0..count).map(local).collect(), inboxes, receiver)
    }

    fn leg(pair: &PortPair) -> Box<Leg> {
        let media = LegMedia::new(([127, 0, 0, 1], 9).into(), Codec::Pcmu);
        let start = StreamStart {
            ssrc: 1,
            sequence: 1,
            timestamp: 1,
            seed: 1,
            ntp_at_zero: 0,
        };
        let quiet_after = Duration::from_secs(60);
        Box::new(Leg::new(LEG, pair.key, 0, media, start, quiet_after, NOW))
    }

    fn room(room: u64) -> LegOrder {
        let (room, heard) = (RoomId(room), true);
        LegOrder::Route(Route::Room { room, heard })
    }

    #[test]
    fn a_leg_that_is_sent_on_and_back_before_it_came_ends_where_it_was_sent_last() {
        let (mut locals, inboxes, events) = locals(3);
        let mut pool = PortPool::new(17_100..=17_199).unwrap();
        let local_ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let pair = Arc::new(pool.open(local_ip, 1 << 16).unwrap());
        locals[0].arrive(leg(&pair), &pair, NOW);
        for (thread, local) in locals.iter_mut().enumerate() {
            local.plane.open_room(RoomId(thread as u64));
        }
        // 0 to 1, on to 2, and back to 1; nothing has arrived yet.
        locals[1].expect(LEG);
        locals[0].send_away(LEG, 1, NOW);
        locals[1].order(LEG, room(1), NOW);
        locals[2].expect(LEG);
        locals[1].send_away(LEG, 2, NOW);
        locals[2].order(LEG, room(2), NOW);
        locals[1].expect(LEG);
        locals[2].send_away(LEG, 1, NOW);
        locals[1].order(LEG, room(1), NOW);
        let direction = Direction::SendRecv;
        let media = LegMedia::new(([127, 0, 0, 1], 9).into(), Codec::Pcma);
        locals[1].order(LEG, LegOrder::Update { media, direction }, NOW);
        let mut journey = Vec::new();
        while let Some((at, message)) = inboxes
            .iter()
            .enumerate()
            .find_map(|(at, inbox)| Some((at, inbox.try_recv().ok()?)))
        {
            let Message::Arrive { leg, pair } = message else {
                panic!("nothing but the leg is underway");
            };
            journey.push(at);
            locals[at].arrive(leg, &pair, NOW);
        }
        assert_eq!(journey, [1, 2, 1]);
        let seat = locals[1].plane.seat(LEG);
        assert!(matches!(seat, Some(Seat::Room { .. })), "{seat:?}");
        let leg = locals[1].plane.depart(LEG).unwrap();
        assert!(locals.iter().all(|local| local.awaited.is_empty()));

        // Told to stop on its way, it stops where it arrives, and only then.
        locals[0].arrive(leg, &pair, NOW);
        locals[2].expect(LEG);
        locals[0].send_away(LEG, 2, NOW);
        locals[2].order(LEG, LegOrder::Stop, NOW);
        assert!(events.is_empty());
        let Ok(Message::Arrive { leg, pair }) = inboxes[2].try_recv() else {
            panic!("the leg isn't underway");
        };
        locals[2].arrive(leg, &pair, NOW);
        assert!(matches!(
            events.try_recv(),
            Ok(Event::Stopped { leg: LEG, .. })
        ));
        assert!(!locals[2].plane.has(LEG));
    }
}
