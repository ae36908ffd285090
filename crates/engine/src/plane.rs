//! The legs and rooms of one thread, and what happens to them in a tick. No socket and no clock:
//! datagrams, ticks and orders are handed in.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use conclave_dtmf::{Digit, Way};
use conclave_mixer::SlotId;

use crate::{
    ClipId, Direction, Event, LegId, LegMedia, NameRules, PlayId, RoomId, Route, Sound,
    WATCH_LASTS,
    encoding::SharedEncoding,
    events::Events,
    grid::{ticks, time_of},
    ids::IdMap,
    leg::{Came, Ingested, Leg, Says, Scratch, Seat, Sounds, Wire},
    local::Arrival,
    mail::Mail,
    music::Music,
    name::NameRecorder,
    pcm::Clip,
    play::{ClipCell, Play},
    port::PortKey,
    room::{Ear, LONGEST_FRAME, Room},
    sums::{Bundle, Outgoing, Threads, Told},
};

/// What a leg is told, wherever it is.
pub(crate) enum LegOrder {
    Update {
        media: LegMedia,
        direction: Direction,
    },
    Stop,
    Ask,
    Route(Route),
    Play(Play),
    RecordName {
        clip: ClipId,
        cell: ClipCell,
        rules: NameRules,
    },
    FinishName,
    Datagram {
        arrival: Arrival,
        bytes: Box<[u8]>,
    },
}

/// So many legs ahead of the one whose turn it is, a leg is fetched into the cache.
const AHEAD: usize = 2;

/// What became of the datagrams that were taken in.
#[derive(Default)]
struct Received {
    /// Legs that have found their peer, and the threads that own their sockets.
    latched: Vec<(usize, LegId, SocketAddr)>,
    ignored: usize,
}

impl Received {
    fn note(&mut self, ingested: Ingested, arrival: &Arrival) {
        match ingested {
            Ingested::Taken => {}
            Ingested::Latched { home } => self.latched.push((home, arrival.leg, arrival.from)),
            Ingested::Ignored => self.ignored += 1,
        }
    }
}

pub(crate) struct Plane {
    events: Events,
    /// In the order of their ports, so that what goes out through one socket goes in one batch.
    #[allow(clippy::vec_box)] // legs are sorted, and go from thread to thread, as pointers
    legs: Vec<Box<Leg>>,
    places: IdMap<LegId, usize>,
    sorted: bool,
    mail: Mail,
    received: Received,
    rooms: Vec<Option<Room>>,
    room_places: IdMap<RoomId, usize>,
    music: Music,
    silence: SharedEncoding,
    scratch: Box<Scratch>,
    /// The tick that comes next.
    tick: u64,
}

impl Plane {
    pub(crate) fn new(events: Events, tick: u64) -> Self {
        Plane {
            events,
            legs: Vec::new(),
            places: IdMap::default(),
            sorted: true,
            mail: Mail::default(),
            received: Received::default(),
            rooms: Vec::new(),
            room_places: IdMap::default(),
            music: Music::default(),
            silence: SharedEncoding::default(),
            scratch: Scratch::new(),
            tick,
        }
    }

    #[cfg(test)]
    pub(crate) fn has(&self, leg: LegId) -> bool {
        self.places.contains_key(&leg)
    }

    /// The sockets that a leg sends through.
    pub(crate) fn port(&self, leg: LegId) -> Option<PortKey> {
        Some(self.legs[*self.places.get(&leg)?].port)
    }

    #[cfg(test)]
    pub(crate) fn seat(&self, leg: LegId) -> Option<Seat> {
        Some(self.legs[*self.places.get(&leg)?].seat)
    }

    pub(crate) fn next_tick(&self) -> u64 {
        self.tick
    }

    /// Leaves ticks out: the machine stood still for too long to catch up with.
    pub(crate) fn skip_to(&mut self, tick: u64) {
        self.tick = self.tick.max(tick);
    }

    pub(crate) fn set_music(&mut self, clip: Arc<Clip>) {
        self.music.set(clip);
    }

    /// Takes a leg in. One that comes from another thread has spoken up to some tick: what this thread did
    /// meanwhile is made up for here, so that no packet of its stream is left out or sent twice.
    pub(crate) fn admit(&mut self, mut leg: Box<Leg>, wire: &mut impl Wire) {
        let events = &self.events;
        let mut frame = [0; LONGEST_FRAME];
        while leg.next_tick < self.tick {
            let now = time_of(leg.next_tick);
            let id = leg.id;
            let length = leg.rate().frame_len();
            leg.hear(None, now, &mut frame[..length], |digit| {
                events.say(digit_of(id, Way::Tone, digit));
            });
            let mut sounds = Sounds {
                tick: leg.next_tick,
                rooms: &mut [],
                music: &mut self.music,
                silence: &mut self.silence,
            };
            leg.speak(
                &mut sounds,
                &mut self.scratch,
                |play| events.say(Event::PlayEnded { play }),
                wire,
            );
        }
        self.places.insert(leg.id, self.legs.len());
        self.legs.push(leg);
        self.sorted = false;
    }

    /// Gives a leg away, to another thread: out of its room.
    pub(crate) fn depart(&mut self, leg: LegId) -> Option<Box<Leg>> {
        self.take_in(*self.places.get(&leg)?);
        let place = self.places.remove(&leg)?;
        let mut leg = self.legs.swap_remove(place);
        leg.part(&mut Sounds {
            tick: self.tick,
            rooms: &mut self.rooms,
            music: &mut self.music,
            silence: &mut self.silence,
        });
        if let Some(moved) = self.legs.get(place) {
            self.places.insert(moved.id, place);
        }
        self.sorted = false;
        if let Some(room) = leave(&mut self.rooms, &leg.seat) {
            debug_assert!(self.room_places.contains_key(&room));
            leg.sit(Seat::Silence);
        }
        Some(leg)
    }

    pub(crate) fn open_room(&mut self, id: RoomId) {
        let place = match self.rooms.iter().position(Option::is_none) {
            Some(place) => place,
            None => {
                self.rooms.push(None);
                self.rooms.len() - 1
            }
        };
        self.rooms[place] = Some(Room::new(id));
        self.room_places.insert(id, place);
    }

    /// Other threads have legs of the room, too.
    pub(crate) fn spread_room(&mut self, id: RoomId, elsewhere: Threads) {
        if let Some(room) = self.room_mut(id) {
            room.spread(elsewhere);
        }
    }

    fn room_mut(&mut self, id: RoomId) -> Option<&mut Room> {
        let place = *self.room_places.get(&id)?;
        self.rooms[place].as_mut()
    }

    /// Its last leg has left.
    pub(crate) fn close_room(&mut self, id: RoomId) {
        let Some(place) = self.room_places.remove(&id) else {
            return;
        };
        for leg in &mut self.legs {
            if matches!(leg.seat, Seat::Room { room, .. } if room == place) {
                leg.sit(Seat::Silence);
            }
        }
        let room = self.rooms[place].take();
        for play in room.into_iter().flat_map(Room::close) {
            self.events.say(Event::PlayEnded { play });
        }
    }

    /// Keeps a datagram until the turn of its leg in the next tick; false if the leg isn't here.
    pub(crate) fn keep(&mut self, arrival: Arrival, datagram: &[u8]) -> bool {
        let Some(&place) = self.places.get(&arrival.leg) else {
            return false;
        };
        self.mail.push(place, arrival, datagram);
        true
    }

    /// Lets a leg have what has come for it before what it is told next.
    fn take_in(&mut self, place: usize) {
        let leg = &mut self.legs[place];
        while let Some((arrival, datagram)) = self.mail.take(leg.id) {
            let (ingested, came) = ingest(leg, arrival, datagram, &self.events);
            self.received.note(ingested, arrival);
            if let Some(came) = came {
                leg.keep(came);
            }
        }
    }

    /// A leg that has found its peer since the last time, and the thread that owns its sockets.
    pub(crate) fn latched(&mut self) -> Option<(usize, LegId, SocketAddr)> {
        self.received.latched.pop()
    }

    /// How many datagrams since the last time were of no use to their leg.
    pub(crate) fn ignored(&mut self) -> usize {
        std::mem::take(&mut self.received.ignored)
    }

    /// Does what a leg is told. Where the leg isn't here, what wants an answer is answered, and the rest is nothing.
    pub(crate) fn order(
        &mut self,
        id: LegId,
        order: LegOrder,
        now: Duration,
        wire: &mut impl Wire,
    ) {
        let Some(&place) = self.places.get(&id) else {
            match order {
                LegOrder::Play(play) => self.events.say(Event::PlayEnded { play: play.id }),
                LegOrder::RecordName { clip, .. } => {
                    let (leg, usable) = (id, false);
                    self.events.say(Event::NameRecorded { leg, clip, usable });
                }
                LegOrder::Update { .. }
                | LegOrder::Stop
                | LegOrder::Ask
                | LegOrder::Route(_)
                | LegOrder::FinishName
                | LegOrder::Datagram { .. } => {}
            }
            return;
        };
        self.take_in(place);
        let leg = &mut self.legs[place];
        match order {
            LegOrder::Update { media, direction } => {
                let before = leg.rate();
                leg.update(media, direction, now);
                if leg.rate() != before {
                    self.rejoin(place);
                }
            }
            LegOrder::Stop => self.stop(id, now, wire),
            LegOrder::Ask => {
                let stats = leg.stats();
                self.events.say(Event::Reception { leg: id, stats });
            }
            LegOrder::Route(route) => self.route(place, route),
            LegOrder::Play(play) => {
                if let Err(play) = leg.plays.push(play) {
                    self.events.say(Event::PlayEnded { play });
                }
            }
            LegOrder::RecordName { clip, cell, rules } => {
                let name = NameRecorder::new(clip, cell, rules, leg.rate());
                let before = leg.name.replace(Box::new(name));
                finish_name(&self.events, id, before);
            }
            LegOrder::FinishName => {
                let name = leg.name.take();
                finish_name(&self.events, id, name);
            }
            LegOrder::Datagram { arrival, bytes } => {
                self.keep(arrival, &bytes);
            }
        }
    }

    /// Somebody hears all of a room from now on, or nobody any more.
    pub(crate) fn tap(&mut self, room: RoomId, ear: Option<Ear>) {
        if let Some(room) = self.room_mut(room) {
            room.set_tap(ear);
        }
    }

    /// Somebody looks at a room.
    pub(crate) fn watch(&mut self, room: RoomId) {
        let until = self.tick;
        if let Some(room) = self.room_mut(room) {
            room.watch(until, ticks(WATCH_LASTS));
        }
    }

    pub(crate) fn tune(&mut self, room: RoomId, sound: Sound) {
        if let Some(room) = self.room_mut(room) {
            room.tune(sound);
        }
    }

    /// Queues a play to a room.
    pub(crate) fn play_to_room(&mut self, room: RoomId, play: Play) {
        let refused = match self.room_mut(room) {
            Some(room) => room.play(play).err(),
            None => Some(play.id),
        };
        if let Some(play) = refused {
            self.events.say(Event::PlayEnded { play });
        }
    }

    /// Ends a play if it is here.
    pub(crate) fn stop_play(&mut self, play: PlayId) {
        let over = self.legs.iter_mut().any(|leg| leg.plays.stop(play))
            || self.rooms.iter_mut().flatten().any(|room| room.stop(play));
        if over {
            self.events.say(Event::PlayEnded { play });
        }
    }

    /// The first half of a tick: what each leg has said in 20 ms, and what is played, goes into the rooms; what other threads
    /// are to know of that goes out.
    pub(crate) fn listen(&mut self, outgoing: &mut Outgoing) {
        let (tick, now) = (self.tick, time_of(self.tick));
        self.sort();
        self.mail.sort(self.legs.len());
        let events = &self.events;
        let ended = |play| events.say(Event::PlayEnded { play });

        let mut frame = [0; LONGEST_FRAME];
        for place in 0..self.legs.len() {
            if let Some(leg) = self.legs.get(place + AHEAD) {
                leg.fetch_for_listening();
            }
            if let Some(leg) = self.legs.get(place + 1) {
                leg.fetch_beside(&self.rooms);
            }
            let leg = &mut self.legs[place];
            let mut last = None;
            for (arrival, datagram) in self.mail.of(place) {
                let (ingested, came) = ingest(leg, arrival, datagram, events);
                self.received.note(ingested, arrival);
                if let Some(came) = came
                    && let Some(before) = last.replace(came)
                {
                    leg.keep(before);
                }
            }
            if leg.next_tick > tick {
                if let Some(last) = last {
                    leg.keep(last);
                }
                continue;
            }
            let frame = &mut frame[..leg.rate().frame_len()];
            let id = leg.id;
            let says = leg.hear(last, now, frame, |digit| {
                events.say(digit_of(id, Way::Tone, digit));
            });
            if let Seat::Room { room, slot, heard } = leg.seat
                && says != Says::Nothing
                && let Some(Some(room)) = self.rooms.get_mut(room)
            {
                room.write(slot, says, frame);
                if heard && matches!(says, Says::Sound | Says::Zeros) {
                    room.tap(id, leg.rate(), frame, outgoing);
                }
            }
            if says == Says::Noise {
                // The others hear that the line is open; it is no part of a name.
                frame.fill(0);
            }
            if leg.name.as_mut().is_some_and(|name| name.take(frame)) {
                finish_name(events, leg.id, leg.name.take());
            }
            if let Some(noisy) = leg.watch_noise(says, frame) {
                events.say(Event::Noisy { leg: leg.id, noisy });
            }
            if leg.is_quiet(now) {
                events.say(Event::Quiet { leg: leg.id });
            }
        }
        self.mail.clear();

        let (legs, places) = (&self.legs, &self.places);
        for (place, room) in self.rooms.iter_mut().enumerate() {
            let Some(room) = room else { continue };
            let slot_of = |leg| match legs[*places.get(&leg)?].seat {
                Seat::Room { room, slot, .. } if room == place => Some(slot),
                Seat::Room { .. } | Seat::Silence | Seat::Music => None,
            };
            let prompt = room.prompt(&mut frame, ended).map(|prompt| {
                let frame = &frame[..prompt.rate.frame_len()];
                room.announce(prompt.rate, frame, prompt.except.and_then(slot_of));
                (prompt, frame)
            });
            room.tell(prompt, outgoing);
        }
    }

    /// What the legs of another thread say in this tick.
    pub(crate) fn hear(&mut self, bundle: &Bundle) {
        for (id, told, rate, samples) in bundle.items() {
            let Some(&place) = self.room_places.get(&id) else {
                continue;
            };
            let except = match told {
                Told::Prompt { except } => except.and_then(|leg| self.slot(leg, place)),
                Told::Speech { .. } | Told::Voice { .. } | Told::Rate => None,
            };
            if let Some(Some(room)) = self.rooms.get_mut(place) {
                room.hear(told, rate, samples, except);
            }
        }
    }

    /// The slot of a leg in the room at this place.
    fn slot(&self, leg: LegId, place: usize) -> Option<SlotId> {
        match self.legs[*self.places.get(&leg)?].seat {
            Seat::Room { room, slot, .. } if room == place => Some(slot),
            Seat::Room { .. } | Seat::Silence | Seat::Music => None,
        }
    }

    /// The second half: each room is mixed once, each leg gets its packet.
    pub(crate) fn speak(&mut self, wire: &mut impl Wire) {
        let (tick, now) = (self.tick, time_of(self.tick));
        self.tick += 1;
        let events = &self.events;
        let ended = |play| events.say(Event::PlayEnded { play });
        for room in self.rooms.iter_mut().flatten() {
            room.mix(tick);
        }
        let mut sounds = Sounds {
            tick,
            rooms: &mut self.rooms,
            music: &mut self.music,
            silence: &mut self.silence,
        };
        for place in 0..self.legs.len() {
            if let Some(leg) = self.legs.get(place + AHEAD) {
                leg.fetch_for_speaking();
            }
            if let Some(leg) = self.legs.get(place + 1) {
                leg.fetch_seat(sounds.rooms);
            }
            let leg = &mut self.legs[place];
            if leg.next_tick > tick {
                continue;
            }
            leg.speak(&mut sounds, &mut self.scratch, ended, wire);
            leg.report(now, wire);
            if let Some(dbfs) = leg.level(tick, sounds.rooms) {
                events.say(Event::Level { leg: leg.id, dbfs });
            }
        }
    }

    fn stop(&mut self, id: LegId, now: Duration, wire: &mut impl Wire) {
        let Some(mut leg) = self.depart(id) else {
            return;
        };
        for play in leg.plays.clear() {
            self.events.say(Event::PlayEnded { play });
        }
        finish_name(&self.events, id, leg.name.take());
        leg.bye(now, wire);
        let stats = leg.stats();
        self.events.say(Event::Stopped { leg: id, stats });
    }

    fn route(&mut self, place: usize, route: Route) {
        let leg = &mut self.legs[place];
        let seat = match route {
            Route::Silence => Seat::Silence,
            Route::Music => Seat::Music,
            Route::Room { room, heard } => match self.room_places.get(&room).copied() {
                None => Seat::Silence,
                Some(place) => match leg.seat {
                    Seat::Room { room, slot, .. } if room == place => {
                        if let Some(Some(room)) = self.rooms.get_mut(place) {
                            room.set_heard(slot, heard);
                        }
                        leg.seat = Seat::Room { room, slot, heard };
                        return;
                    }
                    Seat::Room { .. } | Seat::Silence | Seat::Music => {
                        let Some(Some(open)) = self.rooms.get_mut(place) else {
                            return;
                        };
                        let slot = open.join(leg.rate(), heard);
                        Seat::Room {
                            room: place,
                            slot,
                            heard,
                        }
                    }
                },
            },
        };
        if seat == leg.seat {
            return;
        }
        leave(&mut self.rooms, &leg.seat);
        leg.sit(seat);
    }

    /// The leg's codec has another rate now: a new slot in the same room.
    fn rejoin(&mut self, place: usize) {
        let leg = &mut self.legs[place];
        if let Seat::Room { room, slot, heard } = leg.seat
            && let Some(Some(mix)) = self.rooms.get_mut(room)
        {
            mix.leave(slot);
            let slot = mix.join(leg.rate(), heard);
            leg.seat = Seat::Room { room, slot, heard };
        }
    }

    fn sort(&mut self) {
        if self.sorted {
            return;
        }
        self.legs.sort_unstable_by_key(|leg| (leg.port, leg.id));
        for (place, leg) in self.legs.iter().enumerate() {
            self.places.insert(leg.id, place);
        }
        self.mail.renew(|leg| self.places.get(&leg).copied());
        self.sorted = true;
    }
}

fn ingest<'a>(
    leg: &mut Leg,
    arrival: &Arrival,
    datagram: &'a [u8],
    events: &Events,
) -> (Ingested, Option<Came<'a>>) {
    let &Arrival {
        channel,
        from,
        came,
        ..
    } = arrival;
    let id = leg.id;
    leg.ingest(channel, from, datagram, came, |digit| {
        events.say(digit_of(id, Way::Event, digit));
    })
}

fn digit_of(leg: LegId, way: Way, digit: Digit) -> Event {
    Event::Digit { leg, way, digit }
}

/// Takes a seat's slot out of its room.
fn leave(rooms: &mut [Option<Room>], seat: &Seat) -> Option<RoomId> {
    let Seat::Room { room, slot, .. } = *seat else {
        return None;
    };
    let room = rooms.get_mut(room)?.as_mut()?;
    room.leave(slot);
    Some(room.id)
}

fn finish_name(events: &Events, leg: LegId, name: Option<Box<NameRecorder>>) {
    if let Some(name) = name {
        let clip = name.clip;
        let usable = name.finish();
        events.say(Event::NameRecorded { leg, clip, usable });
    }
}

#[cfg(test)]
mod tests;
