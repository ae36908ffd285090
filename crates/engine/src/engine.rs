//! The engine as its owner holds it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Instant,
};

use crate::{
    ClipId, Command, EngineConfig, EngineError, EngineStats, EventReceiver, LegId, Pcm, Port,
    RoomId, Tap,
    control::Control,
    events::Events,
    local::{Local, Peer},
    meter::{self, Meter},
    pcm::Clip,
    port::PortPool,
    priority,
    shard::{Message, Shard},
    sums::{self, Exchange, Threads},
    udp,
};

/// The real-time media plane, running. Its threads end when it is dropped or [shut down](Self::shutdown).
///
/// All methods may be called from any thread. What they share is a directory of which thread has what,
/// which no media thread ever touches: a slow caller can't make a packet late.
#[derive(Debug)]
pub struct Engine {
    control: Mutex<Control>,
    peers: Vec<Peer>,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Starts the threads. Events come out of the receiver. Raises the process's limit of open files to what the system
    /// allows it, since each leg may need two sockets.
    ///
    /// # Errors
    /// A port range without a pair of ports, or no thread to be had.
    pub fn start(config: EngineConfig) -> Result<(Engine, EventReceiver), EngineError> {
        let pool = PortPool::new(config.rtp_ports.clone())?;
        udp::allow_many_sockets();
        let (events, receiver) = Events::channel();
        let (peers, inboxes): (Vec<_>, Vec<_>) = (0..shards(&config))
            .map(|_| {
                let (inbox, messages) = crossbeam_channel::unbounded();
                let meter = Arc::new(Meter::default());
                (Peer { inbox, meter }, messages)
            })
            .unzip();
        let (clock, niceness) = (Instant::now(), config.niceness);
        let mut engine = Engine {
            control: Mutex::new(Control::new(
                &config,
                pool,
                peers.clone(),
                events.clone(),
                clock,
            )),
            peers: peers.clone(),
            threads: Vec::new(),
        };
        let (sums, sum_inboxes): (Vec<_>, Vec<_>) = (0..peers.len())
            .map(|_| crossbeam_channel::bounded(sums::MOST_UNDERWAY * peers.len()))
            .unzip();
        for (me, (inbox, sum_inbox)) in inboxes.into_iter().zip(sum_inboxes).enumerate() {
            let local = Local::new(me, peers.clone(), events.clone(), 1);
            let exchange = Exchange::new(me, sums.clone(), sum_inbox, Arc::clone(&peers[me].meter));
            let shard = Shard::new(clock, config.poll, inbox, local, exchange)
                .map_err(EngineError::Thread)?;
            let thread = thread::Builder::new()
                .name(format!("media-{me}"))
                .spawn(move || {
                    hurry(me, niceness);
                    shard.run();
                })
                .map_err(EngineError::Thread)?;
            engine.threads.push(thread);
        }
        Ok((engine, receiver))
    }

    /// Opens (or finds) the sockets for a leg on `local_ip`: the RTP address for the SDP answer. RTCP is on the port
    /// above, or muxed, as [`LegMedia`](crate::LegMedia) says later. A leg that never starts is given up by
    /// [`Command::Stop`].
    ///
    /// # Errors
    /// The engine is full, the leg has a port already, or no port is free.
    pub fn reserve(
        &self,
        leg: LegId,
        port: Port,
        local_ip: IpAddr,
    ) -> Result<SocketAddr, EngineError> {
        self.reserve_for(leg, port, local_ip, None)
    }

    /// The same where the peer's RTP address is known from its offer. Two legs with one peer address never share
    /// a socket then: they could not be told apart.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    pub fn reserve_for(
        &self,
        leg: LegId,
        port: Port,
        local_ip: IpAddr,
        remote: Option<SocketAddr>,
    ) -> Result<SocketAddr, EngineError> {
        self.control().reserve(leg, port, local_ip, remote)
    }

    /// Gives a command, which acts on the next frame boundary. Never waits for a media thread.
    pub fn send(&self, command: Command) {
        self.control().send(command);
    }

    /// Adds (or replaces) a clip that can be played. Brings it to the rates that legs have, here and now: for long
    /// clips this takes a while.
    pub fn add_clip(&self, id: ClipId, pcm: Pcm) {
        let clip = Clip::new(pcm);
        self.control().add_clip(id, clip);
    }

    /// Lets somebody hear all that is said in a room, from the next frame on: in place of who heard it before. Where nobody is in that
    /// room, and when its last leg leaves, the tap is dropped.
    pub fn tap(&self, room: RoomId, tap: Box<dyn Tap>) {
        self.control().tap(room, Some(tap));
    }

    /// Ends that: the tap is dropped.
    pub fn untap(&self, room: RoomId) {
        self.control().tap(room, None);
    }

    /// Sets the hold music, which is played round and round. Without it there is silence.
    pub fn set_music(&self, pcm: Pcm) {
        let clip = Arc::new(Clip::new(pcm));
        self.control()
            .tell_all(|| Message::Music(Arc::clone(&clip)));
    }

    /// How the engine is at this moment.
    pub fn stats(&self) -> EngineStats {
        let (legs, rooms) = self.control().count();
        EngineStats {
            legs,
            rooms,
            ..meter::stats(self.peers.iter().map(|peer| &*peer.meter))
        }
    }

    /// Ends all media at once and waits until the threads are gone and the sockets closed. Legs that weren't
    /// stopped before say nothing more.
    pub fn shutdown(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.control().tell_all(|| Message::Shutdown);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a media thread had panicked");
            }
        }
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        // The directory is changed only in steps that can't panic half-way.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.end();
    }
}

/// Sets how the calling media thread stands to the rest of the machine's work. The first one speaks for all.
fn hurry(me: usize, niceness: i8) {
    match priority::set_niceness(niceness) {
        Err(error) if me == 0 => tracing::info!(
            niceness,
            "media threads wait for the processor like all others, as the system allows no niceness below 0 \
             (RLIMIT_NICE or CAP_SYS_NICE): {error}"
        ),
        Ok(()) | Err(_) => {}
    }
}

fn shards(config: &EngineConfig) -> usize {
    match config.shards {
        0 => thread::available_parallelism().map_or(1, |cores| cores.get().min(4)),
        shards => shards.min(Threads::MOST),
    }
}
