//! The desk itself: what everything that is done at it needs.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use conclave_accounts::{Doors, PinPolicy};
use conclave_calendar::AccessNumber;
use conclave_store::{Keys, PinCount, SqlStore, Store, StoreError};
use rand_core::CryptoRng;

/// The keys as they are now: a rotation may replace them while the desk is open.
pub type KeySource = Box<dyn Fn() -> Arc<Keys> + Send + Sync>;

/// What the bridge is configured for, as far as the desk must know it.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// How hard to guess PINs must be.
    pub pins: PinPolicy,
    /// What invitations say may be dialled, the best one first.
    pub numbers: Vec<AccessNumber>,
    /// Whether a bridge sends the letters of the outbox.
    pub mails: bool,
    /// Where bookings are made: the second half of their UIDs. Empty where it is not known.
    pub place: String,
}

/// Where accounts and bookings are made and changed.
pub struct Desk {
    pub(crate) store: SqlStore,
    keys: KeySource,
    rules: Rules,
    random: Mutex<Box<dyn CryptoRng + Send>>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// A desk before that store. `random` draws PINs and nonces: it must be a generator fit for keys, seeded by the
    /// operating system.
    pub fn new(
        store: SqlStore,
        keys: KeySource,
        rules: Rules,
        random: Box<dyn CryptoRng + Send>,
    ) -> Self {
        Self {
            store,
            keys,
            rules,
            random: Mutex::new(random),
        }
    }

    /// What is behind it.
    pub fn store(&self) -> &SqlStore {
        &self.store
    }

    /// What it goes by.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Every PIN that would be recognised, for the odds of guessing one.
    pub async fn doors(&self) -> Result<Doors, StoreError> {
        doors(&self.store, |_| true).await
    }

    /// The same without the PINs that an operator forced upon the policy, which therefore isn't to be blamed for them.
    pub async fn doors_by_policy(&self) -> Result<Doors, StoreError> {
        doors(&self.store, |pins| !pins.forced).await
    }

    /// The keys as they are now.
    pub fn keys(&self) -> Arc<Keys> {
        (self.keys)()
    }

    pub(crate) fn random(&self) -> MutexGuard<'_, Box<dyn CryptoRng + Send>> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn draw_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random().fill_bytes(&mut bytes);
        bytes
    }

    /// Globally unique, as RFC 7986, 5.3 asks: randomness, and where it was drawn.
    pub(crate) fn uid(&self) -> String {
        let random: [u8; 16] = self.draw_bytes();
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        match self.rules.place.trim() {
            "" => format!("{hex}@conclave"),
            place => format!("{hex}@{place}"),
        }
    }
}

async fn doors(store: &SqlStore, which: impl Fn(&PinCount) -> bool) -> Result<Doors, StoreError> {
    let mut doors = Doors::default();
    for pins in store.pins().await?.into_iter().filter(which) {
        doors.add(pins.digits, pins.check_digit, pins.count);
    }
    Ok(doors)
}

/// What can be dialled from outside, of numbers with their label, country and language: an extension is of no use to
/// guests.
pub fn dial_in_numbers<'a>(numbers: impl IntoIterator<Item = [&'a str; 4]>) -> Vec<AccessNumber> {
    numbers
        .into_iter()
        .filter_map(|[number, label, country, language]| {
            AccessNumber::new(number, label, country, language).ok()
        })
        .collect()
}
