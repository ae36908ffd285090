//! What a thread sends: in batches, socket by socket.

use std::{net::SocketAddr, sync::Arc};

use crate::{
    ids::IdMap,
    leg::Wire,
    meter::Meter,
    port::{Channel, PortKey, PortPair},
    udp::Outbound,
};

pub(crate) struct Post {
    /// The sockets of the legs here, with how many legs use each.
    ports: IdMap<PortKey, (Arc<PortPair>, usize)>,
    /// Where the batch goes.
    current: Option<(Arc<PortPair>, Channel)>,
    batch: Outbound,
    batched: usize,
    meter: Arc<Meter>,
}

impl Post {
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Post {
            ports: IdMap::default(),
            current: None,
            batch: Outbound::new(),
            batched: 0,
            meter,
        }
    }

    /// One more leg here sends through this pair.
    pub(crate) fn take(&mut self, pair: &Arc<PortPair>) {
        let entry = self.ports.entry(pair.key);
        entry.or_insert_with(|| (Arc::clone(pair), 0)).1 += 1;
    }

    /// One leg fewer does; the pair of the leg.
    pub(crate) fn give(&mut self, key: PortKey) -> Option<Arc<PortPair>> {
        let (pair, legs) = self.ports.get_mut(&key)?;
        *legs -= 1;
        let (pair, gone) = (Arc::clone(pair), *legs == 0);
        if gone {
            // The batch must not keep a socket open that its leg has left.
            self.flush();
            self.ports.remove(&key);
        }
        Some(pair)
    }

    /// Sends what has been put together.
    pub(crate) fn flush(&mut self) {
        if let Some((pair, channel)) = self.current.take() {
            let sent = self.batch.flush(pair.socket(channel));
            Meter::count(&self.meter.packets_out, sent);
            Meter::count(&self.meter.dropped, self.batched - sent);
            self.batched = 0;
        }
    }
}

impl Wire for Post {
    fn send(&mut self, port: PortKey, channel: Channel, to: SocketAddr, datagram: &[u8]) {
        let same = matches!(&self.current, Some((pair, c)) if pair.key == port && *c == channel);
        if !same || self.batch.is_full() {
            self.flush();
            let Some((pair, _)) = self.ports.get(&port) else {
                return;
            };
            self.current = Some((Arc::clone(pair), channel));
        }
        self.batch.push(to, datagram);
        self.batched += 1;
    }
}
