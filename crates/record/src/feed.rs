//! The way from a media thread to the disk: a queue of bounded length that neither end waits for.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use crate::FRAME;

/// Samples in a chunk: eight voices of 48 kHz, or 48 of a telephone.
const SAMPLES: usize = 8 * FRAME;
/// Frames in a chunk.
const FRAMES: usize = 64;
/// Chunks underway: five seconds, where one holds a tick.
const CHUNKS: usize = 256;

/// Whose sound it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A participant, by a number that the owner of the feed gives; it may have a file of its own.
    Voice(u64),
    /// What is played to all. It is in the mix alone.
    Room,
}

/// Some of what was heard in one tick.
#[derive(Debug)]
pub(crate) struct Chunk {
    tick: u64,
    /// More of the same tick follows in the next chunk.
    more: bool,
    samples: Vec<i16>,
    frames: Vec<(Origin, usize)>,
}

/// The end that a media thread has. Nothing here waits, locks or allocates: what finds no room is left out and counted.
#[derive(Debug)]
pub struct Feed {
    now: Option<Box<Chunk>>,
    empty: Receiver<Box<Chunk>>,
    full: Sender<Box<Chunk>>,
    lost: Arc<AtomicU64>,
    /// Some of this tick has been left out.
    incomplete: bool,
}

/// The other end.
#[derive(Debug)]
pub(crate) struct Drain {
    empty: Sender<Box<Chunk>>,
    full: Receiver<Box<Chunk>>,
    lost: Arc<AtomicU64>,
}

/// What there is at the other end of a feed.
#[derive(Debug)]
pub(crate) enum Drained {
    Chunk(Box<Chunk>),
    /// Nothing yet.
    Nothing,
    /// Nothing any more: the feed is gone.
    End,
}

pub(crate) fn feed() -> (Feed, Drain) {
    let (empty_again, empty) = bounded(CHUNKS);
    let (full, filled) = bounded(CHUNKS);
    for _ in 0..CHUNKS {
        let chunk = Box::new(Chunk {
            tick: 0,
            more: false,
            samples: Vec::with_capacity(SAMPLES),
            frames: Vec::with_capacity(FRAMES),
        });
        // There is room for all of them.
        let _ = empty_again.try_send(chunk);
    }
    let lost = Arc::new(AtomicU64::new(0));
    let feed = Feed {
        now: None,
        empty,
        full,
        lost: Arc::clone(&lost),
        incomplete: false,
    };
    let drain = Drain {
        empty: empty_again,
        full: filled,
        lost,
    };
    (feed, drain)
}

impl Feed {
    /// A frame of this tick: 20 ms at 8, 16 or 48 kHz, so of 160, 320 or 960 samples. One of another length is none.
    pub fn hear(&mut self, from: Origin, frame: &[i16]) {
        if ![FRAME / 6, FRAME / 3, FRAME].contains(&frame.len()) {
            return;
        }
        let fits = self
            .now
            .as_ref()
            .is_none_or(|chunk| chunk.has_room(frame.len()));
        if !fits {
            self.send(0, true);
        }
        if self.take_one() {
            if let Some(chunk) = &mut self.now {
                chunk.samples.extend_from_slice(frame);
                chunk.frames.push((from, frame.len()));
            }
        } else {
            self.incomplete = true;
        }
    }

    /// The tick is over. Ticks are numbered in their order; one that is left out was silent.
    pub fn end_tick(&mut self, tick: u64) {
        if self.take_one() {
            self.send(tick, false);
        } else {
            self.incomplete = true;
        }
        if std::mem::take(&mut self.incomplete) {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    /// Ticks of which something was left out.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    fn take_one(&mut self) -> bool {
        if self.now.is_none() {
            self.now = self.empty.try_recv().ok();
        }
        self.now.is_some()
    }

    fn send(&mut self, tick: u64, more: bool) {
        if let Some(mut chunk) = self.now.take() {
            (chunk.tick, chunk.more) = (tick, more);
            // There is room for all chunks; without anybody at the other end it is dropped.
            let _ = self.full.try_send(chunk);
        }
    }
}

impl Chunk {
    fn has_room(&self, samples: usize) -> bool {
        self.samples.len() + samples <= SAMPLES && self.frames.len() < FRAMES
    }

    pub(crate) fn tick(&self) -> Option<u64> {
        (!self.more).then_some(self.tick)
    }

    pub(crate) fn frames(&self) -> impl Iterator<Item = (Origin, &[i16])> {
        let mut begin = 0;
        self.frames.iter().map(move |&(from, length)| {
            let frame = &self.samples[begin..begin + length];
            begin += length;
            (from, frame)
        })
    }
}

impl Drain {
    pub(crate) fn next(&self) -> Drained {
        match self.full.try_recv() {
            Ok(chunk) => Drained::Chunk(chunk),
            Err(TryRecvError::Empty) => Drained::Nothing,
            Err(TryRecvError::Disconnected) => Drained::End,
        }
    }

    pub(crate) fn give_back(&self, mut chunk: Box<Chunk>) {
        chunk.samples.clear();
        chunk.frames.clear();
        // Its feed may be gone.
        let _ = self.empty.try_send(chunk);
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tick = (u64, Vec<(Origin, i16, usize)>);

    fn drained(drain: &Drain) -> Vec<Tick> {
        let (mut ticks, mut frames) = (Vec::new(), Vec::new());
        while let Drained::Chunk(chunk) = drain.next() {
            frames.extend(chunk.frames().map(|(from, f)| (from, f[0], f.len())));
            if let Some(tick) = chunk.tick() {
                ticks.push((tick, std::mem::take(&mut frames)));
            }
            drain.give_back(chunk);
        }
        ticks
    }

    #[test]
    fn what_is_heard_comes_out_in_its_tick() {
        let (mut feed, drain) = feed();
        feed.hear(Origin::Voice(3), &[7; 160]);
        feed.hear(Origin::Room, &[8; 960]);
        feed.hear(Origin::Voice(4), &[9; 161]);
        feed.end_tick(5);
        feed.end_tick(6);
        let frames = vec![(Origin::Voice(3), 7, 160), (Origin::Room, 8, 960)];
        assert_eq!(drained(&drain), [(5, frames), (6, vec![])]);
        assert!(matches!(drain.next(), Drained::Nothing));
        drop(feed);
        assert!(matches!(drain.next(), Drained::End));
    }

    #[test]
    fn a_crowd_takes_more_chunks() {
        let (mut feed, drain) = feed();
        for voice in 0..1_000 {
            feed.hear(Origin::Voice(voice), &[voice as i16; 320]);
        }
        feed.end_tick(9);
        let ticks = drained(&drain);
        assert_eq!((ticks.len(), ticks[0].1.len()), (1, 1_000));
        assert_eq!(ticks[0].1[999], (Origin::Voice(999), 999, 320));
    }

    #[test]
    fn a_slow_disk_loses_sound_and_no_time() {
        let (mut feed, drain) = feed();
        let begun = std::time::Instant::now();
        for tick in 0..100_000 {
            feed.hear(Origin::Voice(1), &[1; 960]);
            feed.end_tick(tick);
        }
        assert!(begun.elapsed().as_secs() < 5, "nothing waits");
        assert_eq!(feed.lost(), 100_000 - CHUNKS as u64);
        let ticks = drained(&drain);
        assert_eq!(ticks.len(), CHUNKS);
        assert!(ticks.iter().all(|(_, frames)| frames.len() == 1));
        // And then it goes on.
        feed.hear(Origin::Voice(1), &[2; 960]);
        feed.end_tick(100_000);
        assert_eq!(
            drained(&drain),
            [(100_000, vec![(Origin::Voice(1), 2, 960)])]
        );
    }
}
