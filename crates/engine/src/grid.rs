//! When a thread ticks and when it looks at its sockets: both on a grid from the engine's start, so that nothing
//! drifts, whatever a round takes.

use std::time::Duration;

/// 20 ms: a frame, a packet.
pub(crate) const TICK: Duration = Duration::from_millis(20);
/// Ticks that are caught up with; a machine that stood still for longer leaves the rest out.
const MOST_LATE: u64 = 50;

/// When a tick is due, since the engine's start.
pub(crate) fn time_of(tick: u64) -> Duration {
    Duration::from_millis(tick.saturating_mul(20))
}

/// How many ticks that is.
pub(crate) fn ticks(span: Duration) -> u64 {
    (span.as_nanos() / TICK.as_nanos()) as u64
}

/// What is to be done at `elapsed` if `next` is the tick that comes next: ticks to be left out first, and
/// then the last one to be made up to. Nothing is due while that one is before the next.
pub(crate) fn due(next: u64, elapsed: Duration) -> (u64, u64) {
    let last = (elapsed.as_nanos() / TICK.as_nanos()) as u64;
    let behind = (last + 1).saturating_sub(next);
    let left_out = if behind > MOST_LATE { behind - 1 } else { 0 };
    (left_out, last)
}

/// The time of what is taken in at `elapsed`: never after the tick that it is in time for, however late that is.
/// Otherwise what comes shortly before a tick would seem to be too late for it, and our own lateness the network's.
pub(crate) fn arrival(next: u64, elapsed: Duration) -> Duration {
    elapsed.min(time_of(next))
}

/// A look at the sockets: when it is, by the engine's clock and by the system's, and when the one before it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) before: Duration,
    pub(crate) now: Duration,
    pub(crate) wall: Duration,
}

impl Look {
    /// When a datagram came that the system has stamped so: since the look before, whatever the system's clock is set to.
    pub(crate) fn came(self, stamp: Option<Duration>) -> Duration {
        let age = stamp.map_or(Duration::ZERO, |stamp| self.wall.saturating_sub(stamp));
        self.now.saturating_sub(age).max(self.before)
    }
}

/// A socket holds some five hundred packets of a telephone (212,992 bytes, as most systems allow): with so many of them in one
/// look it is time to look more often.
const CROWDED: usize = 160;
/// With fewer, for so many looks in a row, it is often enough to look half as often.
const ROOMY: usize = 60;
const CALM_LOOKS: u32 = 200;
const SHORTEST: Duration = Duration::from_millis(1);
/// Where nobody says when a packet came, that is the time of the look.
const UNSTAMPED: Duration = Duration::from_millis(5);

/// How often the sockets are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    longest: Duration,
    poll: Duration,
    calm: u32,
}

impl Pace {
    pub(crate) fn new(longest: Duration) -> Self {
        let longest = longest.clamp(SHORTEST, TICK);
        Pace {
            longest,
            poll: longest,
            calm: 0,
        }
    }

    pub(crate) fn poll(self) -> Duration {
        self.poll
    }

    /// After a look: how much was in the fullest socket, and whether all of it was stamped.
    pub(crate) fn looked(&mut self, most: usize, stamped: bool) {
        if !stamped {
            self.longest = self.longest.min(UNSTAMPED);
            self.poll = self.poll.min(self.longest);
        }
        self.calm = if most < ROOMY { self.calm + 1 } else { 0 };
        if most > CROWDED {
            self.poll = (self.poll / 2).max(SHORTEST);
        } else if self.calm >= CALM_LOOKS {
            self.poll = (self.poll * 2).min(self.longest);
            self.calm = 0;
        }
    }
}

/// A look at the sockets so long before each tick, so that what came for the legs of another thread is there in time: it has to be
/// taken in and sent on, some hundreds of packets, before that thread looks for the last time.
const LAST_LOOK: Duration = Duration::from_millis(3);

/// How long to sleep at `elapsed`: until the next tick or the next look at the sockets.
pub(crate) fn pause(next: u64, poll: Duration, elapsed: Duration) -> Duration {
    let poll = poll.as_nanos().max(1);
    let look = (elapsed.as_nanos() / poll + 1) * poll;
    let look = Duration::from_nanos(u64::try_from(look).unwrap_or(u64::MAX));
    let tick = time_of(next);
    let last_look = tick.saturating_sub(LAST_LOOK);
    let next = if elapsed < last_look { last_look } else { tick };
    next.min(look).saturating_sub(elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_millis(5);

    fn us(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn a_second_has_fifty_ticks_whatever_the_rounds_take() {
        // Rounds of a length that fits no grid, now and then one that takes far too long.
        let (mut elapsed, mut next, mut ticks) = (us(0), 1, 0);
        for round in 0u64.. {
            elapsed += pause(next, POLL, elapsed) + us(137);
            if round % 97 == 0 {
                elapsed += us(333_333);
            }
            let (left_out, last) = due(next, elapsed);
            assert_eq!(left_out, 0);
            while next <= last {
                next += 1;
                ticks += 1;
            }
            if elapsed > Duration::from_secs(60) {
                break;
            }
        }
        assert_eq!(ticks, (elapsed.as_millis() / 20) as u64);
    }

    #[test]
    fn nothing_is_due_too_early() {
        assert_eq!(due(5, us(99_999)), (0, 4));
        assert_eq!(due(5, us(100_000)), (0, 5));
        assert_eq!(due(5, us(145_000)), (0, 7));
    }

    #[test]
    fn a_second_is_caught_up_with_and_no_more() {
        assert_eq!(due(10, time_of(59)), (0, 59));
        // 51 ticks are too many: all but the last are left out.
        assert_eq!(due(10, time_of(60)), (50, 60));
    }

    #[test]
    fn what_is_there_at_a_tick_came_in_time_for_it() {
        assert_eq!(arrival(5, us(98_000)), us(98_000));
        assert_eq!(arrival(5, us(100_090)), us(100_000));
        assert_eq!(arrival(5, us(173_000)), us(100_000));
    }

    #[test]
    fn a_packet_came_between_two_looks_whatever_the_clock_of_the_system() {
        let look = Look {
            before: us(80_000),
            now: us(100_000),
            wall: us(9_000_000),
        };
        assert_eq!(look.came(Some(us(8_987_000))), us(87_000));
        assert_eq!(look.came(None), us(100_000));
        // It was set forward, or back.
        assert_eq!(look.came(Some(us(1_000_000))), us(80_000));
        assert_eq!(look.came(Some(us(20_000_000))), us(100_000));
    }

    #[test]
    fn full_sockets_are_looked_at_more_often() {
        let mut pace = Pace::new(TICK);
        pace.looked(160, true);
        assert_eq!(pace.poll(), TICK);
        pace.looked(400, true);
        pace.looked(200, true);
        assert_eq!(pace.poll(), us(5_000));
        for _ in 0..10 {
            pace.looked(500, true);
        }
        assert_eq!(pace.poll(), us(1_000));
        for _ in 0..CALM_LOOKS {
            pace.looked(59, true);
        }
        assert_eq!(pace.poll(), us(2_000));
        pace.looked(60, true);
        for _ in 0..CALM_LOOKS * 10 {
            pace.looked(0, true);
        }
        assert_eq!(pace.poll(), TICK);
        pace.looked(1, false);
        assert_eq!(pace.poll(), us(5_000));
        for _ in 0..CALM_LOOKS * 10 {
            pace.looked(0, true);
        }
        assert_eq!(pace.poll(), us(5_000));
    }

    #[test]
    fn it_sleeps_to_the_next_look_or_tick() {
        assert_eq!(pause(1, POLL, us(1_200)), us(3_800));
        assert_eq!(pause(1, POLL, us(15_000)), us(2_000));
        assert_eq!(pause(1, POLL, us(19_000)), us(1_000));
        assert_eq!(pause(1, us(7_000), us(14_500)), us(2_500));
        assert_eq!(pause(1, POLL, us(20_300)), us(0));
        // Once before the tick, and at it.
        assert_eq!(pause(2, TICK, us(20_100)), us(16_900));
        assert_eq!(pause(2, TICK, us(39_050)), us(950));
    }
}
