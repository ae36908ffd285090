//! The hold music: one stream for the whole engine.

use std::sync::Arc;

use conclave_mixer::Rate;

use crate::{encoding::SharedEncoding, pcm::Clip};

/// The hold music as one thread has it. Where it is follows from the number of the tick alone, so all
/// threads agree and nobody hears it from the beginning.
#[derive(Default)]
pub(crate) struct Music {
    clip: Option<Arc<Clip>>,
    shared: SharedEncoding,
}

impl Music {
    pub(crate) fn set(&mut self, clip: Arc<Clip>) {
        *self = Music {
            clip: Some(clip),
            shared: SharedEncoding::default(),
        };
    }

    /// The frame of `tick`; silence where there is no music.
    pub(crate) fn frame(&self, rate: Rate, tick: u64, frame: &mut [i16]) {
        let Some(clip) = self.clip.as_ref().filter(|clip| clip.len(rate) > 0) else {
            frame.fill(0);
            return;
        };
        let mut at = (u128::from(tick) * frame.len() as u128 % clip.len(rate) as u128) as usize;
        let mut filled = 0;
        while filled < frame.len() {
            filled += clip.read(rate, at, &mut frame[filled..]);
            at = 0;
        }
    }

    /// The stream of those who hear nothing else.
    pub(crate) fn encoding(&mut self) -> &mut SharedEncoding {
        &mut self.shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pcm;

    #[test]
    fn it_goes_on_where_it_is_and_round() {
        let mut music = Music::default();
        let mut frame = [9; 160];
        music.frame(Rate::Hz8000, 3, &mut frame);
        assert_eq!(frame, [0; 160]);
        let samples: Vec<i16> = (0..400).collect();
        music.set(Arc::new(Clip::new(Pcm {
            rate: 8_000,
            samples: samples.into(),
        })));
        for tick in [0u64, 1, 2, 7, 1 << 40, u64::MAX] {
            music.frame(Rate::Hz8000, tick, &mut frame);
            let first = (u128::from(tick) * 160 % 400) as i16;
            let want: Vec<i16> = (0..160).map(|n| (first + n) % 400).collect();
            assert_eq!(frame[..], want, "tick {tick}");
        }
    }
}
