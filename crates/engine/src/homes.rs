//! The sockets of one thread, and where the legs live whose packets come to them.

use std::{io, net::SocketAddr, sync::Arc};

use crate::{
    LegId, LegMedia,
    demux::{Demux, Owner},
    ids::IdMap,
    leg::Leg,
    port::{Channel, PortKey, PortPair},
    udp::Watch,
};

/// A pair of sockets and whose packets come to it.
pub(crate) struct Source {
    pub(crate) pair: Arc<PortPair>,
    legs: Legs,
}

enum Legs {
    /// Told apart by the peer's address.
    Many(Demux),
    /// One leg's alone, which judges the source itself.
    One(Owner),
}

struct Home {
    owner: Owner,
    port: PortKey,
    media: LegMedia,
}

pub(crate) struct Homes {
    sources: IdMap<PortKey, Source>,
    homes: IdMap<LegId, Home>,
    watch: Watch,
}

impl Source {
    pub(crate) fn owner(&self, channel: Channel, from: SocketAddr) -> Option<Owner> {
        match &self.legs {
            Legs::Many(demux) => demux.owner(channel, from),
            Legs::One(owner) => Some(*owner),
        }
    }
}

impl Homes {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Homes {
            sources: IdMap::default(),
            homes: IdMap::default(),
            watch: Watch::new()?,
        })
    }

    /// Whether a pair is received on.
    pub(crate) fn has(&self, pair: PortKey) -> bool {
        self.sources.contains_key(&pair)
    }

    /// Fills in the sockets that have something to be received.
    pub(crate) fn ready(&mut self, ready: &mut Vec<(PortKey, Channel)>) {
        ready.clear();
        ready.extend(self.watch.ready().iter().map(|&token| untoken(token)));
    }

    pub(crate) fn source(&self, pair: PortKey) -> Option<&Source> {
        self.sources.get(&pair)
    }

    /// A pair that many legs share, for as long as the engine lives.
    pub(crate) fn share(&mut self, pair: Arc<PortPair>) {
        self.listen(pair, Legs::Many(Demux::default()));
    }

    fn listen(&mut self, pair: Arc<PortPair>, legs: Legs) {
        for channel in [Channel::Rtp, Channel::Rtcp] {
            let token = token(pair.key, channel);
            if let Err(error) = self.watch.add(pair.socket(channel), token) {
                tracing::error!(%error, address = %pair.address, "nothing can be received here");
            }
        }
        self.sources.insert(pair.key, Source { pair, legs });
    }

    pub(crate) fn start(&mut self, leg: LegId, at: usize, pair: &Arc<PortPair>, media: LegMedia) {
        let owner = Owner { leg, lives_at: at };
        if !self.has(pair.key) {
            self.listen(Arc::clone(pair), Legs::One(owner));
        }
        let home = Home {
            owner,
            port: pair.key,
            media,
        };
        let (rtp, rtcp) = (
            home.media.remote,
            Leg::rtcp_remote(&home.media, home.media.remote),
        );
        self.homes.insert(leg, home);
        if let Some(demux) = self.demux(leg) {
            demux.expect(owner, rtp, rtcp);
        }
    }

    /// The peer's address was negotiated anew.
    pub(crate) fn expect(&mut self, leg: LegId, media: LegMedia) {
        let (rtp, rtcp) = (media.remote, Leg::rtcp_remote(&media, media.remote));
        let Some(home) = self.homes.get_mut(&leg) else {
            return;
        };
        let same = home.media.remote == media.remote;
        home.media = media;
        let owner = home.owner;
        match self.demux(leg) {
            // The address that it has latched on stays good.
            Some(demux) if same => demux.wait(owner, rtp),
            Some(demux) => demux.expect(owner, rtp, rtcp),
            None => {}
        }
    }

    /// The leg has found its peer.
    pub(crate) fn latched(&mut self, leg: LegId, remote: SocketAddr) {
        let Some(home) = self.homes.get(&leg) else {
            return;
        };
        let (owner, rtcp) = (home.owner, Leg::rtcp_remote(&home.media, remote));
        if let Some(demux) = self.demux(leg) {
            demux.latched(owner, remote, rtcp);
        }
    }

    pub(crate) fn moved(&mut self, leg: LegId, to: usize) {
        let Some(home) = self.homes.get_mut(&leg) else {
            return;
        };
        home.owner.lives_at = to;
        let (owner, port) = (home.owner, home.port);
        match self.sources.get_mut(&port).map(|source| &mut source.legs) {
            Some(Legs::Many(demux)) => demux.moved(owner),
            Some(Legs::One(one)) => *one = owner,
            None => {}
        }
    }

    /// The leg is gone, and with it a pair that was its alone.
    pub(crate) fn close(&mut self, leg: LegId) {
        if let Some(demux) = self.demux(leg) {
            demux.remove(leg);
        }
        let Some(Home { port, .. }) = self.homes.remove(&leg) else {
            return;
        };
        if let Some(source) = self.sources.get(&port)
            && matches!(source.legs, Legs::One(_))
        {
            for channel in [Channel::Rtp, Channel::Rtcp] {
                let token = token(port, channel);
                self.watch.remove(source.pair.socket(channel), token);
            }
            self.sources.remove(&port);
        }
    }

    fn demux(&mut self, leg: LegId) -> Option<&mut Demux> {
        let port = self.homes.get(&leg)?.port;
        match &mut self.sources.get_mut(&port)?.legs {
            Legs::Many(demux) => Some(demux),
            Legs::One(_) => None,
        }
    }
}

/// How a socket is called where a number is wanted.
fn token(pair: PortKey, channel: Channel) -> u64 {
    pair.0 << 1 | u64::from(channel == Channel::Rtcp)
}

fn untoken(token: u64) -> (PortKey, Channel) {
    let channel = if token & 1 == 1 {
        Channel::Rtcp
    } else {
        Channel::Rtp
    };
    (PortKey(token >> 1), channel)
}
