//! Who may call, how fast, and how much of it at a time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::config::{Limits, Trunk};
use crate::number::Dialling;

/// The numbers that belong to rescue services somewhere; a conference must never swallow them.
const EMERGENCY: [&str; 4] = ["112", "911", "999", "000"];

/// Whether a dialled number is an emergency number.
pub(crate) fn is_emergency(called: &str) -> bool {
    EMERGENCY.contains(&called)
}

/// A source that may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) dialling: Option<Dialling>,
    pub(crate) trust_identity: bool,
}

impl Source {
    /// The trunk that an address belongs to.
    pub(crate) fn trunk(trunks: &[Trunk], address: IpAddr) -> Option<Self> {
        let holds = |trunk: &&Trunk| trunk.networks.iter().any(|net| net.contains(address));
        trunks.iter().find(holds).map(|trunk| Self {
            name: trunk.name.clone(),
            dialling: trunk.dialling.clone(),
            trust_identity: trunk.trust_identity,
        })
    }
}

/// Why a call of an allowed source isn't taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crowded {
    /// Over its setups a second.
    TooFast,
    /// Too many pending, or too many calls.
    Full,
}

/// Rate and room of each source. Sources are those of the configuration, so their number is bounded by it.
pub(crate) struct Gate {
    limits: Limits,
    sources: HashMap<String, Room>,
    pending: usize,
    calls: usize,
}

struct Room {
    setups: Bucket,
    pending: usize,
}

impl Gate {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            sources: HashMap::new(),
            pending: 0,
            calls: 0,
        }
    }

    /// Takes a place for a call of this source.
    pub(crate) fn enter(&mut self, source: &str, now: Duration) -> Result<(), Crowded> {
        let limits = self.limits;
        if !self.sources.contains_key(source) {
            let setups = Bucket::new(limits.setups_per_second, now);
            self.sources
                .insert(source.to_owned(), Room { setups, pending: 0 });
        }
        let Some(room) = self.sources.get_mut(source) else {
            return Err(Crowded::Full);
        };
        if !room.setups.take(now) {
            return Err(Crowded::TooFast);
        }
        let full = room.pending >= limits.pending_per_source
            || self.pending >= limits.pending
            || self.calls >= limits.calls;
        if full {
            return Err(Crowded::Full);
        }
        room.pending += 1;
        self.pending += 1;
        self.calls += 1;
        Ok(())
    }

    /// The call is pending no more.
    pub(crate) fn settled(&mut self, source: &str) {
        if let Some(room) = self.sources.get_mut(source) {
            room.pending = room.pending.saturating_sub(1);
        }
        self.pending = self.pending.saturating_sub(1);
    }

    /// The call is over.
    pub(crate) fn left(&mut self) {
        self.calls = self.calls.saturating_sub(1);
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls
    }
}

/// A token bucket that holds one second's worth.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    tokens: f64,
    at: Duration,
}

impl Bucket {
    pub(crate) fn new(per_second: u32, now: Duration) -> Self {
        let per_second = f64::from(per_second);
        Self {
            per_second,
            tokens: per_second,
            at: now,
        }
    }

    pub(crate) fn take(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        self.tokens = (self.tokens + passed.as_secs_f64() * self.per_second).min(self.per_second);
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_its_rate_and_its_room() {
        let limits = Limits {
            setups_per_second: 10,
            pending_per_source: 15,
            pending: 20,
            calls: 30,
            ..Limits::default()
        };
        let mut gate = Gate::new(limits);
        let at = Duration::from_millis;
        for _ in 0..10 {
            gate.enter("a", at(0)).unwrap();
        }
        assert_eq!(gate.enter("a", at(50)), Err(Crowded::TooFast));
        for _ in 0..5 {
            gate.enter("a", at(1_000)).unwrap();
        }
        assert_eq!(gate.enter("a", at(1_000)), Err(Crowded::Full));
        for _ in 0..5 {
            gate.enter("b", at(1_000)).unwrap();
        }
        assert_eq!(
            gate.enter("b", at(1_000)),
            Err(Crowded::Full),
            "all sources together"
        );
        gate.settled("a");
        gate.enter("b", at(1_001)).unwrap();
        for _ in 0..20 {
            gate.settled("a");
        }
        assert_eq!((gate.pending(), gate.calls()), (0, 21));
        gate.left();
        assert_eq!(gate.calls(), 20);
    }

    #[test]
    fn emergency_numbers_are_whole_numbers() {
        assert!(is_emergency("112") && is_emergency("000"));
        assert!(!is_emergency("1120") && !is_emergency("") && !is_emergency("+112"));
    }
}
