//! The sockets of one thread, and where the legs live whose packets come to them.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use crate::{
    LegId, LegMedia,
    demux::Demux,
    leg::Leg,
    port::{Channel, PortKey, PortPair},
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
    One(LegId),
}

struct Home {
    lives_at: usize,
    port: PortKey,
    media: LegMedia,
}

#[derive(Default)]
pub(crate) struct Homes {
    sources: Vec<Source>,
    homes: HashMap<LegId, Home>,
}

impl Source {
    pub(crate) fn owner(&self, channel: Channel, from: SocketAddr) -> Option<LegId> {
        match &self.legs {
            Legs::Many(demux) => demux.owner(channel, from),
            Legs::One(leg) => Some(*leg),
        }
    }
}

impl Homes {
    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The thread where a leg lives.
    pub(crate) fn lives_at(&self, leg: LegId) -> Option<usize> {
        self.homes.get(&leg).map(|home| home.lives_at)
    }

    /// A pair that many legs share, for as long as the engine lives.
    pub(crate) fn share(&mut self, pair: Arc<PortPair>) {
        let legs = Legs::Many(Demux::default());
        self.sources.push(Source { pair, legs });
    }

    pub(crate) fn start(&mut self, leg: LegId, at: usize, pair: &Arc<PortPair>, media: LegMedia) {
        if !self.sources.iter().any(|s| s.pair.key == pair.key) {
            let (pair, legs) = (Arc::clone(pair), Legs::One(leg));
            self.sources.push(Source { pair, legs });
        }
        let home = Home {
            lives_at: at,
            port: pair.key,
            media: media.clone(),
        };
        self.homes.insert(leg, home);
        self.expect(leg, media);
    }

    /// The peer's address was negotiated (anew).
    pub(crate) fn expect(&mut self, leg: LegId, media: LegMedia) {
        let (rtp, rtcp) = (media.remote, Leg::rtcp_remote(&media, media.remote));
        if let Some(demux) = self.demux(leg) {
            demux.expect(leg, rtp, rtcp);
        }
        if let Some(home) = self.homes.get_mut(&leg) {
            home.media = media;
        }
    }

    /// The leg has found its peer.
    pub(crate) fn latched(&mut self, leg: LegId, remote: SocketAddr) {
        let Some(home) = self.homes.get(&leg) else {
            return;
        };
        let rtcp = Leg::rtcp_remote(&home.media, remote);
        if let Some(demux) = self.demux(leg) {
            demux.latched(leg, remote, rtcp);
        }
    }

    pub(crate) fn moved(&mut self, leg: LegId, to: usize) {
        if let Some(home) = self.homes.get_mut(&leg) {
            home.lives_at = to;
        }
    }

    /// The leg is gone, and with it a pair that was its alone.
    pub(crate) fn close(&mut self, leg: LegId) {
        if let Some(demux) = self.demux(leg) {
            demux.remove(leg);
        }
        self.homes.remove(&leg);
        self.sources
            .retain(|source| !matches!(source.legs, Legs::One(only) if only == leg));
    }

    fn demux(&mut self, leg: LegId) -> Option<&mut Demux> {
        let port = self.homes.get(&leg)?.port;
        let source = self.sources.iter_mut().find(|s| s.pair.key == port)?;
        match &mut source.legs {
            Legs::Many(demux) => Some(demux),
            Legs::One(_) => None,
        }
    }
}
