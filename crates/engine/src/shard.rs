//! One thread of the engine: its sockets, its legs, its rooms, and the clock that drives them.
//!
//! A leg lives where its room is, a socket where it was opened. What comes to a socket for a leg that lives
//! elsewhere is sent on; the leg itself sends through the socket from wherever it is.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crossbeam_channel::Receiver;

use crate::{
    LegId, LegMedia, PlayId, RoomId, Sound,
    grid::{self, Look, Pace},
    homes::Homes,
    leg::Leg,
    local::{Arrival, Local, Parcel},
    meter::Meter,
    pcm::Clip,
    plane::LegOrder,
    play::Play,
    port::{Channel, PortKey, PortPair},
    room::Ear,
    sums::{Exchange, Threads},
    udp::{BATCH, Inbound, Received},
};

/// What threads are told, by the engine's owner and by each other. One queue for all, so that what was sent
/// first is done first.
pub(crate) enum Message {
    /// Receive on a pair that many legs share, for as long as the engine lives.
    Share(Arc<PortPair>),
    /// A new leg, whose sockets are this thread's.
    Start {
        leg: Box<Leg>,
        pair: Arc<PortPair>,
        media: LegMedia,
    },
    /// For the owner of a leg's sockets: its peer's address was negotiated anew.
    Negotiated {
        leg: LegId,
        media: LegMedia,
    },
    /// For the owner of a leg's sockets: it has found its peer.
    Latched {
        leg: LegId,
        remote: SocketAddr,
    },
    /// For the owner of a leg's sockets: the leg lives there now.
    Lives {
        leg: LegId,
        at: usize,
    },
    /// For the owner of a leg's sockets: the leg is gone.
    Close {
        leg: LegId,
    },
    /// For the thread where the leg lives: it is to live there.
    Move {
        leg: LegId,
        to: usize,
    },
    /// A leg will arrive: keep what comes for it.
    Expect {
        leg: LegId,
    },
    /// It is here.
    Arrive {
        leg: Box<Leg>,
        pair: Arc<PortPair>,
    },
    /// For the thread where the leg lives.
    Leg(LegId, LegOrder),
    OpenRoom(RoomId),
    CloseRoom(RoomId),
    /// The threads that have legs of a room, this one among them.
    SpreadRoom(RoomId, Threads),
    Tune(RoomId, Sound),
    PlayToRoom(RoomId, Play),
    Tap(RoomId, Option<Ear>),
    Watch(RoomId),
    /// To all threads: whoever has it ends it.
    StopPlay(PlayId),
    Music(Arc<Clip>),
    Parcel(Parcel),
    Shutdown,
}

/// A socket is drained in so many batches at most before the others have their turn.
const MOST_BATCHES: usize = 16;

pub(crate) struct Shard {
    clock: Instant,
    pace: Pace,
    /// When the sockets were looked at last.
    looked: Duration,
    inbox: Receiver<Message>,
    inbound: Inbound,
    ready: Vec<(PortKey, Channel)>,
    homes: Homes,
    local: Local,
    exchange: Exchange,
}

impl Shard {
    /// `clock` is the engine's start, the same for all threads.
    pub(crate) fn new(
        clock: Instant,
        poll: Duration,
        inbox: Receiver<Message>,
        local: Local,
        exchange: Exchange,
    ) -> io::Result<Self> {
        Ok(Shard {
            clock,
            pace: Pace::new(poll),
            looked: Duration::ZERO,
            inbox,
            inbound: Inbound::new(),
            ready: Vec::new(),
            homes: Homes::new()?,
            local,
            exchange,
        })
    }

    /// Runs until it is told to shut down.
    pub(crate) fn run(mut self) {
        loop {
            self.sleep();
            let woke = self.clock.elapsed();
            while let Ok(message) = self.inbox.try_recv() {
                if matches!(message, Message::Shutdown) {
                    return;
                }
                self.handle(message);
            }
            self.receive();
            self.tick();
            self.local.meter.worked(woke, self.clock.elapsed());
        }
    }

    fn sleep(&self) {
        let next = self.local.plane.next_tick();
        thread::sleep(grid::pause(next, self.pace.poll(), self.clock.elapsed()));
    }

    fn tick(&mut self) {
        let (local, exchange) = (&mut self.local, &mut self.exchange);
        let (left_out, last) = grid::due(local.plane.next_tick(), self.clock.elapsed());
        if left_out > 0 {
            local.plane.skip_to(local.plane.next_tick() + left_out);
            local.meter.left_out(left_out);
        }
        while local.plane.next_tick() <= last {
            let tick = local.plane.next_tick();
            let late = || self.clock.elapsed().saturating_sub(grid::time_of(tick));
            local.plane.listen(exchange.outgoing());
            Meter::count(&local.meter.ignored, local.plane.ignored());
            exchange.send(tick);
            exchange.gather(tick, late, |bundle| local.plane.hear(bundle));
            local.meter.tick_began(late());
            local.plane.speak(&mut local.post);
            local.post.flush();
        }
        self.learn();
    }

    fn arrival(&self) -> Duration {
        grid::arrival(self.local.plane.next_tick(), self.clock.elapsed())
    }

    /// Takes in what waits on the sockets.
    fn receive(&mut self) {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = self.clock.elapsed();
        let look = Look {
            before: std::mem::replace(&mut self.looked, now),
            now,
            wall: wall.unwrap_or_default(),
        };
        let local = &mut self.local;
        let next = local.plane.next_tick();
        let (mut most, mut stamped) = (0, true);
        self.homes.ready(&mut self.ready);
        for &(pair, channel) in &self.ready {
            let Some(source) = self.homes.source(pair) else {
                continue;
            };
            let mut waited = 0;
            for _ in 0..MOST_BATCHES {
                let count = self.inbound.receive(source.pair.socket(channel));
                Meter::count(&local.meter.packets_in, count);
                for Received { bytes, from, stamp } in self.inbound.datagrams() {
                    stamped &= stamp.is_some();
                    let owner = from.and_then(|from| Some((from, source.owner(channel, from)?)));
                    if let Some((from, owner)) = owner {
                        let arrival = Arrival {
                            leg: owner.leg,
                            channel,
                            from,
                            came: grid::arrival(next, look.came(stamp)),
                        };
                        local.deliver(owner.lives_at, arrival, bytes);
                    } else {
                        Meter::count(&local.meter.ignored, 1);
                    }
                }
                waited += count;
                if count < BATCH {
                    break;
                }
            }
            most = most.max(waited);
        }
        self.pace.looked(most, stamped);
        local.send_parcels();
    }

    fn handle(&mut self, message: Message) {
        let now = self.arrival();
        let local = &mut self.local;
        match message {
            Message::Share(pair) => self.homes.share(pair),
            Message::Start { leg, pair, media } => self.start(leg, &pair, media, now),
            Message::Negotiated { leg, media } => self.homes.expect(leg, media),
            Message::Latched { leg, remote } => self.homes.latched(leg, remote),
            Message::Lives { leg, at } => self.homes.moved(leg, at),
            Message::Close { leg } => self.homes.close(leg),
            Message::Leg(leg, order) => local.order(leg, order, now),
            Message::Move { leg, to } => local.send_away(leg, to, now),
            Message::Expect { leg } => local.expect(leg),
            Message::Arrive { leg, pair } => local.arrive(leg, &pair, now),
            Message::OpenRoom(room) => local.plane.open_room(room),
            Message::CloseRoom(room) => local.plane.close_room(room),
            Message::SpreadRoom(room, threads) => {
                let elsewhere = threads.without(local.me());
                local.plane.spread_room(room, elsewhere);
            }
            Message::Tune(room, sound) => local.plane.tune(room, sound),
            Message::PlayToRoom(room, play) => local.plane.play_to_room(room, play),
            Message::Tap(room, ear) => local.plane.tap(room, ear),
            Message::Watch(room) => local.plane.watch(room),
            Message::StopPlay(play) => local.stop_play(play),
            Message::Music(clip) => local.plane.set_music(clip),
            Message::Parcel(parcel) => local.unpack(&parcel),
            Message::Shutdown => {}
        }
        self.local.send_parcels();
        self.learn();
    }

    /// The stream of a new leg begins with the next tick.
    fn start(&mut self, mut leg: Box<Leg>, pair: &Arc<PortPair>, media: LegMedia, now: Duration) {
        let shared = self.homes.has(pair.key);
        if !shared {
            // What came before the call was answered is nobody's.
            for _ in 0..MOST_BATCHES {
                if self.inbound.receive(pair.socket(Channel::Rtp)) < BATCH {
                    break;
                }
            }
        }
        leg.next_tick = self.local.plane.next_tick();
        self.homes.start(leg.id, self.local.me(), pair, media);
        self.local.arrive(leg, pair, now);
    }

    /// Legs that have latched are found by that address from now on.
    fn learn(&mut self) {
        while let Some((home, leg, remote)) = self.local.plane.latched() {
            if home == self.local.me() {
                self.homes.latched(leg, remote);
            } else {
                self.local.tell(home, Message::Latched { leg, remote });
            }
        }
    }
}
