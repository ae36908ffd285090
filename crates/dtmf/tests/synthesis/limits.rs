//! The limits of Q.24, each tried on both sides.

use super::{Line, Press};

/// One side of one limit.
pub(crate) struct Limit {
    pub(crate) what: &'static str,
    pub(crate) side: &'static str,
    /// Whether the keys pressed are to be heard; otherwise nothing is.
    pub(crate) accepted: bool,
    pub(crate) press: fn(&mut Line),
}

impl Limit {
    /// One try: the line, and the digits that it is to give.
    pub(crate) fn attempt(&self, seed: u64) -> (Vec<i16>, String) {
        let mut line = Line::new(seed);
        (self.press)(&mut line);
        line.pause(60.0);
        let keys = if self.accepted { &line.keys } else { "" };
        (line.sampled(), keys.to_owned())
    }
}

const fn accepted(what: &'static str, side: &'static str, press: fn(&mut Line)) -> Limit {
    Limit {
        what,
        side,
        accepted: true,
        press,
    }
}

const fn refused(what: &'static str, side: &'static str, press: fn(&mut Line)) -> Limit {
    Limit {
        what,
        side,
        accepted: false,
        press,
    }
}

pub(crate) const LIMITS: &[Limit] = &[
    accepted(
        "frequency",
        "both tones off by 1.5 % and 2 Hz, up or down",
        |line| {
            let (low, high) = (line.chance.sign(), line.chance.sign());
            press(line, |press| {
                press.off = (1.0 + 0.015 * low, 1.0 + 0.015 * high);
                press.hertz = (2.0 * low, 2.0 * high);
            });
        },
    ),
    refused("frequency", "low tone off by 3.5 %", |line| {
        let low = 1.0 + 0.035 * line.chance.sign();
        press(line, |press| (press.off.0, press.ms) = (low, 500.0));
    }),
    refused("frequency", "high tone off by 3.5 %", |line| {
        let high = 1.0 + 0.035 * line.chance.sign();
        press(line, |press| (press.off.1, press.ms) = (high, 500.0));
    }),
    refused("frequency", "one tone off by 3.5 to 6 %", |line| {
        let off = 1.0 + line.chance.between(0.035, 0.06) * line.chance.sign();
        let low = line.chance.sign() > 0.0;
        let off = if low { (off, 1.0) } else { (1.0, off) };
        press(line, |press| (press.off, press.ms) = (off, 500.0));
    }),
    accepted("level", "0 dBm0 each (clips)", |line| {
        press(line, |press| press.level = (0.0, 0.0));
    }),
    accepted("level", "−25 dBm0 each", |line| {
        press(line, |press| press.level = (-25.0, -25.0));
    }),
    refused("level", "−55 dBm0 each", |line| {
        press(line, |press| {
            (press.level, press.ms) = ((-55.0, -55.0), 500.0)
        });
    }),
    accepted("twist", "high tone 4 dB above low", |line| {
        press(line, |press| press.level = (-14.0, -10.0));
    }),
    accepted("twist", "high tone 8 dB below low", |line| {
        press(line, |press| press.level = (-10.0, -18.0));
    }),
    refused("twist (ours)", "high tone 8 dB above low", |line| {
        press(line, |press| {
            (press.level, press.ms) = ((-18.0, -10.0), 500.0)
        });
    }),
    refused("twist (ours)", "high tone 12 dB below low", |line| {
        press(line, |press| {
            (press.level, press.ms) = ((-10.0, -22.0), 500.0)
        });
    }),
    accepted("time", "40 ms", |line| press(line, |press| press.ms = 40.0)),
    refused("time", "23 ms", |line| press(line, |press| press.ms = 23.0)),
    accepted("pause", "the same digit twice, 40 ms between", |line| {
        let key = line.chance.key();
        line.press(Press::of(key));
        line.pause(40.0);
        line.press(Press::of(key));
    }),
    accepted(
        "gap",
        "100 ms of tone with 10 ms of nothing anywhere",
        |line| {
            let from = line.chance.between(0.0, 90.0);
            press(line, |press| {
                (press.ms, press.gap) = (100.0, (from, from + 10.0))
            });
        },
    ),
    accepted(
        "rate",
        "ten digits, each 93 ms: tone 45, pause 48",
        |line| {
            for _ in 0..10 {
                press(line, |press| press.ms = 45.0);
                line.pause(48.0);
            }
        },
    ),
    accepted(
        "rate",
        "ten digits, each 93 ms: tone 53, pause 40",
        |line| {
            for _ in 0..10 {
                press(line, |press| press.ms = 53.0);
                line.pause(40.0);
            }
        },
    ),
    accepted("noise", "15 dB below both tones", |line| {
        press(line, |_| {});
        line.pause(60.0);
        line.noise((-10.0, -10.0), 15.0);
    }),
    accepted(
        "together",
        "1.5 % and 2 Hz, 4 or −8 dB of twist, down to −25 dBm0, 40 ms",
        |line| {
            let (low, high) = (line.chance.sign(), line.chance.sign());
            let twist = if line.chance.sign() > 0.0 {
                (-25.0, -21.0)
            } else {
                (-17.0, -25.0)
            };
            press(line, |press| {
                press.off = (1.0 + 0.015 * low, 1.0 + 0.015 * high);
                press.hertz = (2.0 * low, 2.0 * high);
                (press.level, press.ms) = (twist, 40.0);
            });
        },
    ),
    refused("together", "23 ms at 15 dB of noise", |line| {
        press(line, |press| press.ms = 23.0);
        line.pause(60.0);
        line.noise((-10.0, -10.0), 15.0);
    }),
    refused(
        "together",
        "one tone off by 3.5 % at 15 dB of noise",
        |line| {
            let off = 1.0 + 0.035 * line.chance.sign();
            let low = line.chance.sign() > 0.0;
            let off = if low { (off, 1.0) } else { (1.0, off) };
            press(line, |press| (press.off, press.ms) = (off, 500.0));
            line.noise((-10.0, -10.0), 15.0);
        },
    ),
];

fn press(line: &mut Line, how: impl FnOnce(&mut Press)) {
    let mut press = Press::of(line.chance.key());
    how(&mut press);
    line.press(press);
}
