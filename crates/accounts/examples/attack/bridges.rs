//! Bridges that share one log: the guessers' lines are spread over them.

use chrono::{DateTime, Utc};
use conclave_accounts::{
    AccountId, Door, Doorkeeper, Inquiry, Notice, Pin, PinPolicy, Ruling, Source, Ticket, Verdict,
};

pub(crate) struct Bridges {
    /// Each with how much of the log it has read.
    keepers: Vec<(Doorkeeper, usize)>,
    log: Vec<Notice>,
}

/// A PIN that was looked up and noted, and is to be answered.
pub(crate) struct Asked {
    inquiry: Inquiry,
    ruling: Option<Ruling>,
}

/// What all have read is dropped when the log is so long.
const LONGEST_LOG: usize = 1000;

impl Bridges {
    pub(crate) fn new(count: usize, policy: &PinPolicy, now: DateTime<Utc>) -> Self {
        let keeper = || (Doorkeeper::new(policy.clone(), now), 0);
        Self {
            keepers: std::iter::repeat_with(keeper).take(count.max(1)).collect(),
            log: Vec::new(),
        }
    }

    /// Looks up and notes.
    pub(crate) fn ask(
        &mut self,
        bridge: u64,
        source: &Source,
        pin: &Pin,
        found: Option<Door>,
        bound: Option<AccountId>,
        now: DateTime<Utc>,
    ) -> Asked {
        let inquiry = Inquiry::new(source, pin, found, bound, now);
        let ruling = inquiry.notice().and_then(|notice| {
            self.log.push(notice);
            self.read(bridge)
        });
        Asked { inquiry, ruling }
    }

    /// Reads the log as it is now, and answers.
    pub(crate) fn answer(&mut self, bridge: u64, asked: Asked, now: DateTime<Utc>) -> Verdict {
        self.read(bridge);
        let keeper = self.keeper(bridge);
        let (verdict, touched) = keeper.answer(asked.inquiry, asked.ruling, now);
        self.log.extend(touched);
        verdict
    }

    pub(crate) fn vouch(&mut self, bridge: u64, ticket: &Ticket, now: DateTime<Utc>) {
        let vouched = self.keeper(bridge).vouched(ticket, now);
        self.log.extend(vouched);
    }

    /// Until when every door asks for consent, if it does.
    pub(crate) fn consent_until(&mut self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.read(0);
        let keeper = self.keeper(0);
        keeper.handle_timeout(now);
        keeper.consent_since().and_then(|_| keeper.poll_timeout())
    }

    fn keeper(&mut self, bridge: u64) -> &mut Doorkeeper {
        let index = bridge as usize % self.keepers.len();
        &mut self.keepers[index].0
    }

    /// The ruling is that of the last entry.
    fn read(&mut self, bridge: u64) -> Option<Ruling> {
        let index = bridge as usize % self.keepers.len();
        let ruling = self.catch_up(index);
        if self.log.len() >= LONGEST_LOG {
            for index in 0..self.keepers.len() {
                self.catch_up(index);
                self.keepers[index].1 = 0;
            }
            self.log.clear();
        }
        ruling
    }

    fn catch_up(&mut self, index: usize) -> Option<Ruling> {
        let (keeper, read) = &mut self.keepers[index];
        let mut ruling = None;
        for notice in &self.log[*read..] {
            ruling = keeper.learn(notice);
        }
        *read = self.log.len();
        ruling
    }
}
