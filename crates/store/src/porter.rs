//! The door of a bridge: a PIN is looked up, judged by the watch that all bridges of a database share, and what
//! was learned from it is on the disk before the caller hears a word.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{
    AccountId, Alert, Doorkeeper, Inquiry, Notice, Pin, PinPolicy, Ruling, Source, Ticket, Verdict,
};

use rand_core::{CryptoRng, Rng};

use crate::error::Result;
use crate::{Keys, Store, StoredPin};

/// Judges PINs for one bridge. The log of the watch is the store's, so that a restart, and another bridge of the
/// same database, go on where this one is.
///
/// A wrong PIN is answered when its notice is in the log; a right one is judged by all that was in the log when its
/// door had been found. So between any number of bridges a guesser has as many guesses as at one.
pub struct Porter<S> {
    store: S,
    policy: PinPolicy,
    watch: Mutex<Watch>,
}

struct Watch {
    doorkeeper: Doorkeeper,
    /// Up to where the log is known.
    place: u64,
    /// When it was last read to its end.
    read_at: DateTime<Utc>,
    /// The latest guesses' rulings, for those who wrote them.
    rulings: BTreeMap<u64, Ruling>,
    /// Notices since the last snapshot.
    unsaved: u32,
    random: Box<dyn CryptoRng + Send>,
}

/// So many notices are read at once.
const BATCH: u32 = 1_000;

/// More guesses than this are not in flight at once.
const RULINGS: usize = 4_096;

/// A snapshot is due after so many notices: what a restart has to read again.
const SNAPSHOT_AFTER: u32 = 2_000;

/// Who has not read the log for so long may have missed what a snapshot replaced.
const TOO_LONG: TimeDelta = TimeDelta::minutes(5);

impl<S: Store> Porter<S> {
    /// Goes on where the log ends.
    pub async fn open(
        store: S,
        policy: PinPolicy,
        random: Box<dyn CryptoRng + Send>,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let watch = Watch {
            doorkeeper: Doorkeeper::new(policy.clone(), now),
            place: 0,
            // So long ago that the snapshot is read.
            read_at: DateTime::UNIX_EPOCH,
            rulings: BTreeMap::new(),
            unsaved: 0,
            random,
        };
        let porter = Self {
            store,
            policy,
            watch: Mutex::new(watch),
        };
        porter.catch_up(now).await?;
        // What the log tells of days past alarmed whoever was there.
        while porter.watch().doorkeeper.poll_alert().is_some() {}
        Ok(porter)
    }

    /// Judges what a caller typed. `bound` is the account that the dialled number belongs to, if it is bound to one.
    pub async fn judge(
        &self,
        keys: &Keys,
        source: &Source,
        pin: &Pin,
        bound: Option<AccountId>,
        now: DateTime<Utc>,
    ) -> Result<Verdict> {
        let lookups: Vec<_> = keys.lookups(pin).iter().map(|under| under.lookup).collect();
        let found = self.store.door(&lookups, source, now).await?;
        let old = found.as_ref().and_then(|found| found.under_old_key);
        let sealed = found.as_ref().is_some_and(|found| found.sealed);
        let door = found.map(|found| found.door);
        let inquiry = Inquiry::new(source, pin, door, bound, now);
        let place = match inquiry.notice() {
            Some(notice) => Some(self.store.append_notice(&notice).await?),
            None => None,
        };
        self.catch_up(now).await?;
        let (verdict, touched) = {
            let mut watch = self.watch();
            let ruling = place.map(|place| watch.take_ruling(place, &self.policy));
            watch.doorkeeper.answer(inquiry, ruling, now)
        };
        if let Some(touched) = touched {
            self.store.append_notice(&touched).await?;
            self.catch_up(now).await?;
        }
        if let Some(old) = old {
            let stored = if sealed {
                StoredPin::guest(pin, keys, self.watch().nonce())
            } else {
                StoredPin::host(pin, keys)
            };
            // The answer doesn't depend on it: the next time will do.
            if let Err(error) = self.store.rehash_pin(&old, &stored).await {
                tracing::warn!(%error, "a PIN could not be kept under the current key");
            }
        }
        Ok(verdict)
    }

    /// Reads what other bridges, and operators, have added to the log. To be called about once a second.
    pub async fn catch_up(&self, now: DateTime<Utc>) -> Result<()> {
        let (mut place, lagged) = {
            let watch = self.watch();
            (watch.place, now - watch.read_at > TOO_LONG)
        };
        if lagged {
            let (kept, state) = self.store.watch_snapshot().await?;
            let mut watch = self.watch();
            // Another task may have read the log meanwhile, beyond the snapshot.
            if kept > watch.place {
                watch.doorkeeper = Doorkeeper::import(self.policy.clone(), state, now);
                watch.place = kept;
            }
            place = watch.place;
        }
        loop {
            let news = self.store.notices_after(place, BATCH).await?;
            let last = (news.len() as u32) < BATCH;
            let mut watch = self.watch();
            for (at, notice) in &news {
                watch.learn(*at, notice);
            }
            place = watch.place;
            if last {
                watch.read_at = watch.read_at.max(now);
                return Ok(());
            }
        }
    }

    /// A human let the holder of this ticket in: that PIN was not guessed.
    pub async fn vouch(&self, ticket: &Ticket, now: DateTime<Utc>) -> Result<()> {
        let vouched = self.watch().doorkeeper.vouched(ticket, now);
        if let Some(notice) = vouched {
            self.store.append_notice(&notice).await?;
            self.catch_up(now).await?;
        }
        Ok(())
    }

    /// Keeps what is known, where so much has come since the last time that a restart would be slow; `force` at
    /// the end of a run.
    pub async fn save(&self, force: bool, now: DateTime<Utc>) -> Result<()> {
        let (place, state) = {
            let mut watch = self.watch();
            if watch.unsaved == 0 || (!force && watch.unsaved < SNAPSHOT_AFTER) {
                return Ok(());
            }
            watch.unsaved = 0;
            (watch.place, watch.doorkeeper.export())
        };
        self.store.keep_watch_snapshot(place, &state, now).await
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub fn poll_timeout(&self) -> Option<DateTime<Utc>> {
        self.watch().doorkeeper.poll_timeout()
    }

    /// Ends consent if a day has passed quietly.
    pub fn handle_timeout(&self, now: DateTime<Utc>) {
        self.watch().doorkeeper.handle_timeout(now);
    }

    /// The next thing for the operator, oldest first.
    pub fn poll_alert(&self) -> Option<Alert> {
        self.watch().doorkeeper.poll_alert()
    }

    /// Reads from the doorkeeper: its counts, since when it asks for consent, which doors it suspects.
    pub fn with_doorkeeper<T>(&self, read: impl FnOnce(&Doorkeeper) -> T) -> T {
        read(&self.watch().doorkeeper)
    }

    /// Held for moments, never while the store is waited for.
    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Several tasks read the log at once and may bring the same part of it: each notice counts once.
    fn learn(&mut self, place: u64, notice: &Notice) {
        if place <= self.place {
            return;
        }
        self.place = place;
        self.unsaved = self.unsaved.saturating_add(1);
        if let Some(ruling) = self.doorkeeper.learn(notice) {
            self.rulings.insert(place, ruling);
            if self.rulings.len() > RULINGS {
                self.rulings.pop_first();
            }
        }
    }

    /// The ruling on a guess of ours. One that is gone from here was in a flood: it gets the longest delay.
    fn take_ruling(&mut self, place: u64, policy: &PinPolicy) -> Ruling {
        let flooded = Ruling {
            delay: policy.longest_delay,
            by_consent: false,
        };
        self.rulings.remove(&place).unwrap_or(flooded)
    }

    fn nonce(&mut self) -> [u8; 24] {
        let mut nonce = [0; 24];
        self.random.fill_bytes(&mut nonce);
        nonce
    }
}
