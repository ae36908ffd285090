//! Which thread has what: turns commands into messages to the threads.
//!
//! All that is sent to one thread arrives in the order sent, so the directory may run ahead of the
//! threads: what it says about a leg is true for every message sent after.

use std::{
    collections::{HashMap, HashSet},
    hash::BuildHasher,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    Audience, ClipId, Command, EngineConfig, EngineError, Event, LegId, LegMedia, LegStats, PlayId,
    Port, RoomId, Route, Sound, Tap,
    events::Events,
    leg::{Leg, StreamStart},
    local::Peer,
    pcm::Clip,
    plane::LegOrder,
    play::{ClipCell, Play},
    port::{PortPair, PortPool},
    room::Ear,
    shard::Message,
    sums::Threads,
};

/// Room for a burst on a socket that many legs share: what hundreds of them send in a few ticks.
const SHARED_BUFFER: usize = 4 << 20;
/// Room on a socket of one leg: a second of it.
const OWN_BUFFER: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Control {
    max_legs: usize,
    shared_sockets: usize,
    quiet_after: Duration,
    pool: PortPool,
    peers: Vec<Peer>,
    events: Events,
    clock: Instant,
    ntp_at_zero: u64,
    random: std::hash::RandomState,
    shared: HashMap<IpAddr, Vec<Shared>>,
    legs: HashMap<LegId, Entry>,
    rooms: HashMap<RoomId, RoomEntry>,
    clips: HashMap<ClipId, ClipCell>,
    /// Those that are recorded names.
    names: HashSet<ClipId>,
    /// How many legs live in each thread.
    load: Vec<usize>,
}

#[derive(Debug)]
struct Shared {
    pair: Arc<PortPair>,
    thread: usize,
    /// The peers of its legs, as far as they are known.
    remotes: HashSet<SocketAddr>,
    legs: usize,
}

#[derive(Debug)]
struct Entry {
    pair: Arc<PortPair>,
    /// The thread that owns its sockets, and the one where it lives.
    home: usize,
    lives_at: usize,
    started: bool,
    room: Option<RoomId>,
    /// Of a shared socket: the address that it is told apart by.
    remote: Option<SocketAddr>,
}

#[derive(Debug)]
struct RoomEntry {
    /// Where its first legs are, and what is played to it.
    thread: usize,
    /// All threads that have legs of it.
    threads: Threads,
    legs: usize,
    sound: Sound,
    /// Somebody hears it.
    tapped: bool,
}

/// The legs of a room are together in one thread up to here, so that each frame is encoded once for all of them; those that come
/// after them stay where they are, so that a large room is the work of several cores.
const TOGETHER: usize = 24;

impl Control {
    pub(crate) fn new(
        config: &EngineConfig,
        pool: PortPool,
        peers: Vec<Peer>,
        events: Events,
        clock: Instant,
    ) -> Self {
        Control {
            max_legs: config.max_legs,
            shared_sockets: config.shared_sockets.clamp(1, 64),
            quiet_after: config.quiet_after.max(Duration::from_secs(1)),
            pool,
            load: vec![0; peers.len()],
            peers,
            events,
            clock,
            ntp_at_zero: ntp_now(),
            random: std::hash::RandomState::new(),
            shared: HashMap::new(),
            legs: HashMap::new(),
            rooms: HashMap::new(),
            clips: HashMap::new(),
            names: HashSet::new(),
        }
    }

    pub(crate) fn reserve(
        &mut self,
        leg: LegId,
        port: Port,
        local_ip: IpAddr,
        remote: Option<SocketAddr>,
    ) -> Result<SocketAddr, EngineError> {
        if self.legs.len() >= self.max_legs {
            return Err(EngineError::Full(self.max_legs));
        }
        if self.legs.contains_key(&leg) {
            return Err(EngineError::Reserved(leg));
        }
        let shared = match port {
            Port::Shared => self.share(local_ip, remote)?,
            Port::Own => None,
        };
        let remote = remote.filter(|_| shared.is_some());
        let (pair, home) = match shared {
            Some(found) => found,
            None => {
                let pair = self.pool.open(local_ip, OWN_BUFFER)?;
                (Arc::new(pair), self.least_loaded(None))
            }
        };
        let address = pair.address;
        self.load[home] += 1;
        let entry = Entry {
            pair,
            home,
            lives_at: home,
            started: false,
            room: None,
            remote,
        };
        self.legs.insert(leg, entry);
        Ok(address)
    }

    pub(crate) fn send(&mut self, command: Command) {
        match command {
            Command::Start { leg, media } => self.start(leg, media),
            Command::Update {
                leg,
                media,
                direction,
            } => {
                self.peer_is(leg, media.remote);
                let Some(entry) = self.legs.get(&leg) else {
                    return;
                };
                let negotiated = Message::Negotiated {
                    leg,
                    media: media.clone(),
                };
                self.tell(entry.home, negotiated);
                self.order(leg, LegOrder::Update { media, direction });
            }
            Command::Stop { leg } => self.stop(leg),
            Command::Route { leg, route } => self.route(leg, route),
            Command::Tune { room, sound } => {
                if let Some(entry) = self.rooms.get_mut(&room) {
                    entry.sound = sound;
                    let threads = entry.threads;
                    self.tell_each(threads, || Message::Tune(room, sound));
                }
            }
            Command::Play { play, to, clips } => self.play(play, to, &clips),
            Command::Watch { room } => {
                if let Some(entry) = self.rooms.get(&room) {
                    self.tell_each(entry.threads, || Message::Watch(room));
                }
            }
            Command::Ask { leg } => self.order(leg, LegOrder::Ask),
            Command::StopPlay { play } => self.tell_all(|| Message::StopPlay(play)),
            Command::RecordName { leg, clip, rules } => {
                if self.legs.get(&leg).is_some_and(|entry| entry.started) {
                    let cell = ClipCell::default();
                    self.clips.insert(clip, Arc::clone(&cell));
                    self.names.insert(clip);
                    self.order(leg, LegOrder::RecordName { clip, cell, rules });
                } else {
                    let usable = false;
                    self.events.say(Event::NameRecorded { leg, clip, usable });
                }
            }
            Command::FinishName { leg } => self.order(leg, LegOrder::FinishName),
            Command::DropClip { clip } => {
                self.clips.remove(&clip);
                self.names.remove(&clip);
            }
        }
    }

    pub(crate) fn add_clip(&mut self, id: ClipId, clip: Clip) {
        self.clips.insert(id, Arc::new(clip.into()));
    }

    pub(crate) fn tap(&mut self, room: RoomId, tap: Option<Box<dyn Tap>>) {
        let Some(entry) = self.rooms.get_mut(&room) else {
            return;
        };
        let (at, threads, tapped) = (entry.thread, entry.threads, tap.is_some());
        entry.tapped = tapped;
        let there = || tapped.then_some(Ear::There(at));
        self.tell_each(threads.without(at), || Message::Tap(room, there()));
        self.tell(at, Message::Tap(room, tap.map(Ear::Here)));
    }

    pub(crate) fn tell_all(&self, message: impl Fn() -> Message) {
        for thread in 0..self.peers.len() {
            self.tell(thread, message());
        }
    }

    /// Legs and rooms.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.legs.len(), self.rooms.len())
    }

    fn start(&mut self, leg: LegId, media: LegMedia) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        if std::mem::replace(&mut entry.started, true) {
            return;
        }
        let chance = self.random.hash_one((leg, self.clock.elapsed()));
        let more = self.random.hash_one((chance, leg));
        let start = StreamStart {
            ssrc: chance as u32,
            sequence: (chance >> 32) as u16,
            timestamp: more as u32,
            seed: self.random.hash_one((more, chance)),
            ntp_at_zero: self.ntp_at_zero,
        };
        let remote = media.remote;
        let started = Leg::new(
            leg,
            entry.pair.key,
            entry.home,
            media.clone(),
            start,
            self.quiet_after,
            self.clock.elapsed(),
        );
        let message = Message::Start {
            leg: Box::new(started),
            pair: Arc::clone(&entry.pair),
            media,
        };
        let home = entry.home;
        self.peer_is(leg, remote);
        self.tell(home, message);
    }

    /// Notes which peer address means this leg on its shared socket, so that no other leg there gets the same one.
    fn peer_is(&mut self, leg: LegId, remote: SocketAddr) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        // A peer that holds by 0.0.0.0 comes back to its address.
        if entry.remote == Some(remote) || remote.ip().is_unspecified() {
            return;
        }
        let pair = &entry.pair;
        let set = self.shared.get_mut(&pair.address.ip());
        let Some(shared) = set.and_then(|set| set.iter_mut().find(|s| s.pair.key == pair.key))
        else {
            return;
        };
        if let Some(before) = entry.remote.take() {
            shared.remotes.remove(&before);
        }
        if shared.remotes.insert(remote) {
            entry.remote = Some(remote);
        } else {
            tracing::warn!(%leg, %remote, "another leg on this socket has this peer address and keeps it");
        }
    }

    fn stop(&mut self, leg: LegId) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let room = entry.room.take();
        if entry.started {
            self.order(leg, LegOrder::Stop);
        } else {
            let stats = LegStats::default();
            self.events.say(Event::Stopped { leg, stats });
        }
        self.left(room);
        let Some(entry) = self.legs.remove(&leg) else {
            return;
        };
        self.load[entry.lives_at] -= 1;
        self.tell(entry.home, Message::Close { leg });
        let sets = self.shared.get_mut(&entry.pair.address.ip());
        let shared = sets.and_then(|s| s.iter_mut().find(|s| s.pair.key == entry.pair.key));
        if let Some(shared) = shared {
            shared.legs -= 1;
            if let Some(remote) = entry.remote {
                shared.remotes.remove(&remote);
            }
        }
    }

    fn route(&mut self, leg: LegId, route: Route) {
        let Some(entry) = self.legs.get(&leg).filter(|entry| entry.started) else {
            return;
        };
        let (before, lives_at) = (entry.room, entry.lives_at);
        let room = match route {
            Route::Room { room, .. } => Some(room),
            Route::Silence | Route::Music => None,
        };
        if room != before {
            if let Some(room) = room {
                let thread = self.enter(room, lives_at);
                if thread != lives_at {
                    self.relocate(leg, thread);
                }
            }
            if let Some(entry) = self.legs.get_mut(&leg) {
                entry.room = room;
            }
        }
        self.order(leg, LegOrder::Route(route));
        if room != before {
            self.left(before);
        }
    }

    fn play(&mut self, id: PlayId, to: Audience, clips: &[ClipId]) {
        let named = clips.iter().any(|clip| self.names.contains(clip));
        let clips = clips
            .iter()
            .filter_map(|clip| self.clips.get(clip).cloned())
            .collect();
        let (thread, message) = match to {
            Audience::Leg(leg) => {
                let play = Play {
                    id,
                    clips,
                    except: None,
                    named,
                };
                let entry = self.legs.get(&leg).filter(|entry| entry.started);
                let thread = entry.map(|entry| entry.lives_at);
                (thread, Message::Leg(leg, LegOrder::Play(play)))
            }
            Audience::Room { room, except } => {
                let play = Play {
                    id,
                    clips,
                    except,
                    named,
                };
                let thread = self.rooms.get(&room).map(|entry| entry.thread);
                (thread, Message::PlayToRoom(room, play))
            }
        };
        match thread {
            Some(thread) => self.tell(thread, message),
            None => self.events.say(Event::PlayEnded { play: id }),
        }
    }

    /// One more leg is in the room, which is opened if this is its first one; the thread where the leg is to live.
    fn enter(&mut self, room: RoomId, lives_at: usize) -> usize {
        if let Some(entry) = self.rooms.get_mut(&room) {
            entry.legs += 1;
            if entry.threads.has(lives_at) {
                return lives_at;
            }
            if entry.legs <= TOGETHER {
                return entry.thread;
            }
            entry.threads = entry.threads.and(Threads::one(lives_at));
            let (threads, sound) = (entry.threads, entry.sound);
            let ear = entry.tapped.then_some(Ear::There(entry.thread));
            self.tell(lives_at, Message::OpenRoom(room));
            self.tell(lives_at, Message::Tap(room, ear));
            self.tell(lives_at, Message::Tune(room, sound));
            self.tell_each(threads, || Message::SpreadRoom(room, threads));
            return lives_at;
        }
        let thread = self.least_loaded(Some(lives_at));
        let entry = RoomEntry {
            thread,
            threads: Threads::one(thread),
            legs: 1,
            sound: Sound::default(),
            tapped: false,
        };
        self.rooms.insert(room, entry);
        self.tell(thread, Message::OpenRoom(room));
        thread
    }

    /// One leg fewer is in the room, which is closed after its last one.
    fn left(&mut self, room: Option<RoomId>) {
        let Some((room, entry)) = room.and_then(|id| Some((id, self.rooms.get_mut(&id)?))) else {
            return;
        };
        entry.legs -= 1;
        if entry.legs == 0 {
            let threads = entry.threads;
            self.rooms.remove(&room);
            self.tell_each(threads, || Message::CloseRoom(room));
        }
    }

    /// Has a leg live in another thread. First the receiver is told, so that it keeps what comes before the leg does.
    fn relocate(&mut self, leg: LegId, to: usize) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let (home, from) = (entry.home, entry.lives_at);
        entry.lives_at = to;
        self.load[from] -= 1;
        self.load[to] += 1;
        self.tell(to, Message::Expect { leg });
        self.tell(from, Message::Move { leg, to });
        self.tell(home, Message::Lives { leg, at: to });
    }

    fn order(&self, leg: LegId, order: LegOrder) {
        if let Some(entry) = self.legs.get(&leg).filter(|entry| entry.started) {
            self.tell(entry.lives_at, Message::Leg(leg, order));
        }
    }

    fn tell_each(&self, threads: Threads, message: impl Fn() -> Message) {
        for thread in threads.iter() {
            self.tell(thread, message());
        }
    }

    fn tell(&self, thread: usize, message: Message) {
        // A thread that is gone has been shut down.
        let _ = self.peers[thread].inbox.send(message);
    }

    /// The thread with the fewest legs; of equals, the one that is favoured.
    fn least_loaded(&self, favoured: Option<usize>) -> usize {
        (0..self.load.len())
            .min_by_key(|&thread| (self.load[thread], Some(thread) != favoured))
            .unwrap_or(0)
    }

    /// The least used of the shared sockets on this address on which `remote` means nobody else, if there is one.
    fn share(
        &mut self,
        local_ip: IpAddr,
        remote: Option<SocketAddr>,
    ) -> Result<Option<(Arc<PortPair>, usize)>, EngineError> {
        if !self.shared.contains_key(&local_ip) {
            let set = self.open_shared(local_ip)?;
            for shared in &set {
                self.tell(shared.thread, Message::Share(Arc::clone(&shared.pair)));
            }
            self.shared.insert(local_ip, set);
        }
        let set = self.shared.get_mut(&local_ip);
        let free = |shared: &&mut Shared| remote.is_none_or(|r| !shared.remotes.contains(&r));
        let least = set
            .into_iter()
            .flatten()
            .filter(free)
            .min_by_key(|shared| shared.legs);
        Ok(least.map(|shared| {
            shared.legs += 1;
            shared.remotes.extend(remote);
            (Arc::clone(&shared.pair), shared.thread)
        }))
    }

    fn open_shared(&mut self, local_ip: IpAddr) -> Result<Vec<Shared>, EngineError> {
        (0..self.shared_sockets)
            .map(|n| {
                Ok(Shared {
                    pair: Arc::new(self.pool.open(local_ip, SHARED_BUFFER)?),
                    thread: n % self.peers.len(),
                    remotes: HashSet::new(),
                    legs: 0,
                })
            })
            .collect()
    }
}

/// The wall clock as NTP has it: seconds since 1900, 32.32 fixed point.
fn ntp_now() -> u64 {
    const UNIX_EPOCH: u64 = 2_208_988_800;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or_default();
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    // Era 1 begins in 2036: the seconds wrap, as RFC 5905 has it.
    (now.as_secs().wrapping_add(UNIX_EPOCH) << 32) | fraction
}
