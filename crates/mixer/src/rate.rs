/// The sample rates of a room and its legs. A frame is 20 ms of signed 16 bit mono.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rate {
    /// Narrowband: G.711.
    #[default]
    Hz8000,
    /// Wideband: G.722.
    Hz16000,
    /// Fullband: Opus.
    Hz48000,
}

impl Rate {
    /// All rates, the lowest first.
    pub const ALL: [Self; 3] = [Self::Hz8000, Self::Hz16000, Self::Hz48000];

    /// Samples per second.
    #[must_use]
    pub const fn hz(self) -> u32 {
        match self {
            Self::Hz8000 => 8_000,
            Self::Hz16000 => 16_000,
            Self::Hz48000 => 48_000,
        }
    }

    /// Samples in a frame of 20 ms: 160, 320 or 960.
    #[must_use]
    pub const fn frame_len(self) -> usize {
        self.hz() as usize / 50
    }

    /// The rate of so many samples per second, if it is one of ours.
    #[must_use]
    pub fn from_hz(hz: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|rate| rate.hz() == hz)
    }

    /// Samples of the short fade that takes the edge off a signal that starts or breaks off: 5 ms.
    pub(crate) const fn fade_len(self) -> usize {
        self.frame_len() / 4
    }
}
