//! Where packets wait for their turn: in order of time, in memory that is taken once.

/// What is known of a waiting packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// Of the first sample, unwrapped, in units of the clock rate.
    pub(crate) timestamp: i64,
    /// Unwrapped.
    pub(crate) sequence: i64,
    /// How much time the packet covers, in units of the clock rate.
    pub(crate) ticks: i64,
    /// When it came, in microseconds.
    pub(crate) arrival: i64,
    /// It tells of the noise in a pause and holds no audio.
    pub(crate) is_noise: bool,
    /// Its audio is zeros, and it takes no block.
    pub(crate) is_zeros: bool,
    length: u16,
    first_block: u8,
}

impl Slot {
    pub(crate) const fn new(timestamp: i64, sequence: i64, ticks: i64, arrival: i64) -> Self {
        Slot {
            timestamp,
            sequence,
            ticks,
            arrival,
            is_noise: false,
            is_zeros: false,
            length: 0,
            first_block: NONE,
        }
    }

    pub(crate) const fn end(&self) -> i64 {
        self.timestamp + self.ticks
    }
}

/// 10 ms of G.711: short packets waste nothing, long ones take several.
const BLOCK: usize = 80;
const NONE: u8 = u8::MAX;

/// Packets in order of their timestamps, their payloads in chains of blocks.
pub(crate) struct PacketStore {
    /// Few: in one place of the memory, whichever comes and goes.
    slots: Vec<Slot>,
    blocks: Box<[[u8; BLOCK]]>,
    /// The block after each one in its chain.
    next: Box<[u8]>,
    free: u8,
    free_blocks: usize,
}

impl PacketStore {
    /// A store for payloads of so many bytes in all, at most 20,000.
    pub(crate) fn new(bytes: usize) -> Self {
        let blocks = (bytes / BLOCK).min(NONE.into());
        let mut store = PacketStore {
            slots: Vec::with_capacity(blocks),
            blocks: vec![[0; BLOCK]; blocks].into(),
            next: vec![NONE; blocks].into(),
            free: NONE,
            free_blocks: 0,
        };
        store.clear();
        store
    }

    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.free = NONE;
        self.free_blocks = self.next.len();
        // The last one first: a packet's last part is put in first, and its parts then lie one after the other.
        for (index, next) in self.next.iter_mut().enumerate() {
            *next = std::mem::replace(&mut self.free, index as u8);
        }
    }

    /// Whether a packet with a payload of this many bytes can be put in.
    pub(crate) fn has_room(&self, length: usize) -> bool {
        length.div_ceil(BLOCK) <= self.free_blocks && self.slots.len() < self.next.len()
    }

    /// Puts a packet in its place; one without payload that isn't known to be zeros, or for which there is no room, is dropped.
    pub(crate) fn insert(&mut self, mut slot: Slot, payload: &[u8]) {
        let payload = if slot.is_zeros { &[] } else { payload };
        if (payload.is_empty() && !slot.is_zeros) || !self.has_room(payload.len()) {
            return;
        }
        slot.length = payload.len() as u16;
        // From the last part to the first, so that each can point to the one after it.
        for part in payload.chunks(BLOCK).rev() {
            let block = usize::from(self.free);
            self.free = std::mem::replace(&mut self.next[block], slot.first_block);
            self.free_blocks -= 1;
            self.blocks[block][..part.len()].copy_from_slice(part);
            slot.first_block = block as u8;
        }
        let place = self
            .slots
            .iter()
            .rposition(|other| other.timestamp <= slot.timestamp);
        self.slots
            .insert(place.map_or(0, |before| before + 1), slot);
    }

    pub(crate) fn front(&self) -> Option<&Slot> {
        self.slots.first()
    }

    pub(crate) fn back(&self) -> Option<&Slot> {
        self.slots.last()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The payload of the earliest packet: where it lies, or put together in `scratch`, which has room for the longest.
    pub(crate) fn front_payload<'a>(&'a self, scratch: &'a mut [u8]) -> &'a [u8] {
        let Some(slot) = self.slots.first().filter(|slot| slot.length > 0) else {
            return &[];
        };
        let (first, length) = (usize::from(slot.first_block), usize::from(slot.length));
        let chain = |block: &u8| Some(self.next[usize::from(*block)]);
        let chain = std::iter::successors(Some(slot.first_block), chain);
        let parts = length.div_ceil(BLOCK);
        if chain
            .take(parts)
            .zip(first..)
            .all(|(block, place)| usize::from(block) == place)
        {
            return &self.blocks.as_flattened()[first * BLOCK..][..length];
        }
        let length = length.min(scratch.len());
        let mut block = first;
        for part in scratch[..length].chunks_mut(BLOCK) {
            part.copy_from_slice(&self.blocks[block][..part.len()]);
            block = usize::from(self.next[block]);
        }
        &scratch[..length]
    }

    /// Takes the earliest packet out.
    pub(crate) fn drop_front(&mut self) {
        if self.slots.is_empty() {
            return;
        }
        let mut block = self.slots.remove(0).first_block;
        while block != NONE {
            block = self.release(block);
        }
    }

    /// How much is there without a gap from `timestamp` on.
    pub(crate) fn ready_from(&self, timestamp: i64) -> i64 {
        let mut end = timestamp;
        for slot in &self.slots {
            if slot.timestamp > end {
                break;
            }
            end = end.max(slot.end());
        }
        end - timestamp
    }

    /// Gives a block back; returns the one after it in its chain.
    fn release(&mut self, block: u8) -> u8 {
        let after = self.next[usize::from(block)];
        self.next[usize::from(block)] = self.free;
        self.free = block;
        self.free_blocks += 1;
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_in_order_and_whole() {
        let mut store = PacketStore::new(3_200);
        for round in 0..50i64 {
            for (timestamp, length) in [(320, 480usize), (0, 160), (160, 81), (800, 1)] {
                let at = round * 10_000 + timestamp;
                store.insert(
                    Slot::new(at, 0, length as i64, 0),
                    &vec![length as u8; length],
                );
            }
            assert_eq!(store.ready_from(round * 10_000), 241);
            for length in [160, 81, 480, 1] {
                let mut scratch = [0; 480];
                let payload = store.front_payload(&mut scratch);
                assert_eq!(payload, vec![length as u8; length]);
                store.drop_front();
            }
            assert!(store.front().is_none());
        }
    }

    #[test]
    fn a_full_store_refuses_and_goes_on() {
        let mut store = PacketStore::new(3_200);
        for at in 0..100 {
            assert_eq!(store.has_room(240), at < 13);
            store.insert(Slot::new(at * 240, at, 240, 0), &[7; 240]);
        }
        assert_eq!(store.len(), 13);
        store.drop_front();
        store.insert(Slot::new(0, 0, 240, 0), &[9; 240]);
        assert_eq!(store.front_payload(&mut [0; 480]), [9; 240]);
    }

    #[test]
    fn zeros_take_no_block_and_are_bounded_too() {
        let mut store = PacketStore::new(3_200);
        let zeros = |at| Slot {
            is_zeros: true,
            ..Slot::new(at, at, 1, 0)
        };
        store.insert(Slot::new(50, 50, 3_120, 0), &[7; 39 * BLOCK]);
        for at in 0..100 {
            assert_eq!(store.has_room(0), at < 39);
            store.insert(zeros(at), &[0xFF; 160]);
        }
        assert_eq!(store.len(), 40);
        for at in 0..39 {
            let front = *store.front().unwrap();
            assert_eq!((front.is_zeros, front.sequence), (true, at));
            assert_eq!(store.front_payload(&mut [1; 480]), []);
            store.drop_front();
        }
        assert_eq!(store.front_payload(&mut [0; 3_200]), [7; 3_120]);
        assert_eq!(store.free_blocks, 1);
    }

    #[test]
    fn packets_of_one_length_lie_in_one_piece() {
        let mut store = PacketStore::new(3_200);
        for at in 0..1_000 {
            store.insert(Slot::new(at * 160, at, 160, 0), &[at as u8; 160]);
            if at >= 3 {
                // Nothing to put parts together in is needed.
                assert_eq!(store.front_payload(&mut []), [(at - 3) as u8; 160]);
                store.drop_front();
            }
        }
    }
}
