//! A queue of plays for one audience: each is heard after the one before, without a gap, and each
//! ends exactly once.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
};

use conclave_mixer::Rate;

use crate::{LegId, PlayId, pcm::Clip};

/// A place for a clip: empty for as long as the recording of a name goes on, and for ever if it
/// wasn't usable.
pub(crate) type ClipCell = Arc<OnceLock<Clip>>;

/// Plays for one audience that wait at the same time; more are answered at once.
const LONGEST_QUEUE: usize = 256;

/// 5 ms, as a share of a 20 ms frame: short enough to feel at once, long enough not to click.
const FADE_DIVISOR: usize = 4;

#[derive(Debug)]
pub(crate) struct Play {
    pub(crate) id: PlayId,
    pub(crate) clips: Vec<ClipCell>,
    /// Of a room's play: who does not hear it.
    pub(crate) except: Option<LegId>,
    /// Somebody's recorded name is in it.
    pub(crate) named: bool,
}

/// What a frame of a [`PlayQueue`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Played {
    /// Nothing plays: the frame is zero.
    Nothing,
    /// Some of the frame is a play's, that `except` must not hear.
    Something { except: Option<LegId>, named: bool },
}

#[derive(Debug, Default)]
pub(crate) struct PlayQueue {
    plays: VecDeque<Play>,
    /// Which clip of the first play, and the next sample in it at `rate`.
    clip: usize,
    sample: usize,
    rate: Option<Rate>,
    /// The first play has been stopped: one short fade, then it is over.
    stopping: bool,
}

impl PlayQueue {
    /// Puts a play at the end, or gives it back where there are too many.
    pub(crate) fn push(&mut self, play: Play) -> Result<(), PlayId> {
        if self.plays.len() >= LONGEST_QUEUE {
            return Err(play.id);
        }
        self.plays.push_back(play);
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.plays.is_empty()
    }

    /// Ends a play. One that waits, or hasn't begun, is over at once: true. The one that
    /// plays is faded out in the next frame and then reported by [`fill`](Self::fill).
    pub(crate) fn stop(&mut self, id: PlayId) -> bool {
        match self.plays.iter().position(|play| play.id == id) {
            Some(0) if self.clip > 0 || self.sample > 0 => {
                self.stopping = true;
                false
            }
            Some(place) => {
                self.plays.remove(place);
                true
            }
            None => false,
        }
    }

    /// Everything that played or waited, because its audience is gone.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = PlayId> + '_ {
        (self.clip, self.sample, self.stopping) = (0, 0, false);
        self.plays.drain(..).map(|play| play.id)
    }

    /// Writes the next frame and tells `ended` of each play that ends in it.
    ///
    /// A play follows the one before within the frame, unless it is kept from somebody else, or from a [tap](crate::Tap).
    pub(crate) fn fill(
        &mut self,
        rate: Rate,
        frame: &mut [i16],
        mut ended: impl FnMut(PlayId),
    ) -> Played {
        frame.fill(0);
        self.follow(rate);
        let kept_from = |play: &Play| (play.except, play.named);
        let Some((except, named)) = self.plays.front().map(kept_from) else {
            return Played::Nothing;
        };
        let mut filled = 0;
        while let Some(play) = self.plays.front() {
            if kept_from(play) != (except, named) || (filled == frame.len() && !self.at_end(rate)) {
                break;
            }
            filled += self.take(rate, &mut frame[filled..]);
            if self.stopping {
                fade_out(&mut frame[..filled]);
            } else if !self.at_end(rate) {
                break;
            }
            if let Some(over) = self.plays.pop_front() {
                ended(over.id);
            }
            let stopped = std::mem::take(&mut self.stopping);
            (self.clip, self.sample) = (0, 0);
            if stopped {
                break;
            }
        }
        Played::Something { except, named }
    }

    /// Copies as much of the first play as fits.
    fn take(&mut self, rate: Rate, into: &mut [i16]) -> usize {
        let Some(play) = self.plays.front() else {
            return 0;
        };
        let mut filled = 0;
        while filled < into.len() {
            let Some(cell) = play.clips.get(self.clip) else {
                break;
            };
            let clip = cell.get();
            let count = clip.map_or(0, |clip| clip.read(rate, self.sample, &mut into[filled..]));
            filled += count;
            self.sample += count;
            if clip.is_none_or(|clip| self.sample >= clip.len(rate)) {
                (self.clip, self.sample) = (self.clip + 1, 0);
            }
        }
        filled
    }

    fn at_end(&self, rate: Rate) -> bool {
        self.plays.front().is_some_and(|play| {
            play.clips[self.clip.min(play.clips.len())..]
                .iter()
                .all(|cell| cell.get().is_none_or(|clip| clip.len(rate) == 0))
        })
    }

    /// The room's rate may change while something plays.
    fn follow(&mut self, rate: Rate) {
        if let Some(before) = self.rate.replace(rate)
            && before != rate
        {
            self.sample = self.sample * rate.frame_len() / before.frame_len();
        }
    }
}

fn fade_out(frame: &mut [i16]) {
    let length = (frame.len() / FADE_DIVISOR).max(1);
    for (n, sample) in frame.iter_mut().enumerate() {
        let left = length.saturating_sub(n) as f32 / length as f32;
        *sample = (f32::from(*sample) * left) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pcm;

    fn clip(value: i16, samples: usize) -> ClipCell {
        let cell = OnceLock::new();
        let pcm = Pcm {
            rate: 8_000,
            samples: vec![value; samples].into(),
        };
        cell.set(Clip::new(pcm)).unwrap();
        Arc::new(cell)
    }

    fn play(id: u64, clips: Vec<ClipCell>) -> Play {
        Play {
            id: PlayId(id),
            clips,
            except: None,
            named: false,
        }
    }

    /// The frame and the plays that ended in it.
    fn next(queue: &mut PlayQueue) -> (Vec<i16>, Played, Vec<u64>) {
        let mut frame = [7; 160];
        let mut ended = Vec::new();
        let played = queue.fill(Rate::Hz8000, &mut frame, |play| ended.push(play.0));
        (frame.to_vec(), played, ended)
    }

    const SOME: Played = Played::Something {
        except: None,
        named: false,
    };

    #[test]
    fn clips_and_plays_follow_each_other_without_a_gap() {
        let mut queue = PlayQueue::default();
        queue
            .push(play(1, vec![clip(10, 100), clip(20, 30)]))
            .unwrap();
        queue.push(play(2, vec![clip(30, 60)])).unwrap();
        let (frame, played, ended) = next(&mut queue);
        assert_eq!(frame[..100], [10; 100]);
        assert_eq!(frame[100..130], [20; 30]);
        assert_eq!(frame[130..], [30; 30]);
        assert_eq!((played, ended), (SOME, vec![1]));
        let (frame, played, ended) = next(&mut queue);
        assert_eq!(frame[..30], [30; 30]);
        assert_eq!(frame[30..], [0; 130]);
        assert_eq!((played, ended), (SOME, vec![2]));
        assert_eq!(next(&mut queue).1, Played::Nothing);
    }

    #[test]
    fn a_play_that_fills_its_last_frame_ends_in_it() {
        let mut queue = PlayQueue::default();
        queue.push(play(1, vec![clip(10, 160)])).unwrap();
        assert_eq!(next(&mut queue).2, [1]);
        assert!(queue.is_empty());
    }

    #[test]
    fn nothing_to_play_ends_at_once() {
        let mut queue = PlayQueue::default();
        queue.push(play(1, vec![])).unwrap();
        queue
            .push(play(2, vec![Arc::default(), clip(1, 0)]))
            .unwrap();
        queue.push(play(3, vec![clip(5, 400)])).unwrap();
        let (frame, _, ended) = next(&mut queue);
        assert_eq!((frame, ended), (vec![5; 160], vec![1, 2]));
    }

    #[test]
    fn the_playing_one_fades_and_a_waiting_one_goes_at_once() {
        let mut queue = PlayQueue::default();
        for id in 1..=3 {
            queue.push(play(id, vec![clip(8_000, 1_600)])).unwrap();
        }
        next(&mut queue);
        assert!(queue.stop(PlayId(2)));
        assert!(!queue.stop(PlayId(1)));
        let (frame, _, ended) = next(&mut queue);
        assert_eq!(ended, [1]);
        assert_eq!(frame[0], 8_000);
        assert!(frame.windows(2).all(|w| (w[0] - w[1]).abs() <= 200));
        assert_eq!(frame[40..], [0; 120]);
        let (frame, _, ended) = next(&mut queue);
        assert_eq!((frame[0], ended), (8_000, vec![]));
        assert!(!queue.stop(PlayId(9)));
        assert_eq!(queue.clear().collect::<Vec<_>>(), [PlayId(3)]);
    }

    #[test]
    fn plays_that_differ_in_who_hears_them_share_no_frame() {
        let mut queue = PlayQueue::default();
        queue.push(play(1, vec![clip(10, 100)])).unwrap();
        let mut other = play(2, vec![clip(20, 100)]);
        other.except = Some(LegId(4));
        queue.push(other).unwrap();
        let (frame, played, _) = next(&mut queue);
        assert_eq!((frame[100], played), (0, SOME));
        let (frame, played, _) = next(&mut queue);
        let (except, named) = (Some(LegId(4)), false);
        assert_eq!(
            (frame[0], played),
            (20, Played::Something { except, named })
        );
    }

    #[test]
    fn the_queue_has_an_end() {
        let mut queue = PlayQueue::default();
        for id in 0..LONGEST_QUEUE as u64 {
            queue.push(play(id, vec![])).unwrap();
        }
        assert_eq!(queue.push(play(999, vec![])), Err(PlayId(999)));
    }
}
