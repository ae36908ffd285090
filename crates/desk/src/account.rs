//! Accounts: what somebody wants of one, and how it is made.

use std::time::Duration;

use conclave_accounts::{
    Account, AccountId, Announce, HostLeaves, Owner, Pin, Role, Source, TALKERS, Terms, TermsError,
    WeakPin,
};
use conclave_store::{Act, NewAccount, Store, StoreError, StoredPin};

use crate::pins::TRIES;
use crate::{Desk, DeskError, Draw};

/// An account that somebody wants.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Whose it is to be.
    pub owner: Owner,
    /// Where they work.
    pub department: Option<String>,
    /// Whom its costs are charged to.
    pub cost_code: Option<String>,
    /// Whether it may make bookings.
    pub bookings: bool,
    /// What its conferences may and must do.
    pub terms: Terms,
    /// A Host PIN that comes with it; else one is drawn.
    pub host: Option<Brought>,
    /// A Guest PIN, likewise.
    pub guest: Option<Brought>,
}

impl Wanted {
    /// One whose PINs are drawn, and that may make bookings.
    pub fn new(owner: Owner, terms: Terms) -> Self {
        Self {
            owner,
            department: None,
            cost_code: None,
            bookings: true,
            terms,
            host: None,
            guest: None,
        }
    }
}

/// A PIN that was in use elsewhere.
#[derive(Debug, Clone)]
pub struct Brought {
    /// The PIN.
    pub pin: Pin,
    forced: bool,
}

/// Why a PIN that was in use elsewhere can't be taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BroughtError {
    /// Another account of the same time brings it, too.
    #[error("this PIN is there twice: nobody could tell the two apart")]
    Twice,
    /// It is easier to guess than the policy bears.
    #[error("{0}; --force-weak-pin takes it all the same")]
    Weak(WeakPin),
}

impl Brought {
    /// Takes one, which counts from now on among those that `draw` knows.
    pub fn new(pin: Pin, draw: &mut Draw<'_>, force: bool) -> Result<Self, BroughtError> {
        let forced = draw.bring(&pin, force)?;
        Ok(Self { pin, forced })
    }
}

/// The PINs of an account that was just made.
#[derive(Debug, Clone)]
pub struct AccountPins {
    /// For the owner alone; it is never seen again.
    pub host: Pin,
    /// For those who are invited.
    pub guest: Pin,
}

impl Desk {
    /// Makes one account.
    pub async fn open_account(
        &self,
        wanted: Wanted,
        act: &Act,
    ) -> Result<(Account, AccountPins), DeskError> {
        let mut draw = self.draw().await?;
        let made = self.open_accounts(&mut draw, &[wanted], act).await?;
        let one = made.into_iter().next();
        one.ok_or(DeskError::Store(StoreError::Bad {
            what: "accounts",
            why: "nothing was inserted".to_owned(),
        }))
    }

    /// Makes them, all or none. PINs that are drawn are drawn again where they are taken.
    pub async fn open_accounts(
        &self,
        draw: &mut Draw<'_>,
        wanted: &[Wanted],
        act: &Act,
    ) -> Result<Vec<(Account, AccountPins)>, DeskError> {
        let any_drawn = wanted.iter().any(|w| w.host.is_none() || w.guest.is_none());
        let tries = if any_drawn { TRIES } else { 1 };
        for _ in 0..tries {
            let mut pins = Vec::with_capacity(wanted.len());
            let mut new = Vec::with_capacity(wanted.len());
            for one in wanted {
                let (host, host_kept) = self.own_pin(draw, one.host.as_ref(), Role::Host)?;
                let (guest, guest_kept) = self.own_pin(draw, one.guest.as_ref(), Role::Guest)?;
                pins.push(AccountPins { host, guest });
                new.push(NewAccount {
                    owner: one.owner.clone(),
                    terms: one.terms.clone(),
                    department: one.department.clone(),
                    cost_code: one.cost_code.clone(),
                    bookings: one.bookings,
                    host: host_kept,
                    guest: guest_kept,
                });
            }
            match self.store.add_accounts(new, act).await {
                Ok(made) => return Ok(made.into_iter().zip(pins).collect()),
                Err(StoreError::PinTaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(DeskError::BroughtTaken)
    }

    fn own_pin(
        &self,
        draw: &mut Draw<'_>,
        brought: Option<&Brought>,
        role: Role,
    ) -> Result<(Pin, StoredPin), DeskError> {
        let (pin, forced) = match brought {
            Some(brought) => (brought.pin.clone(), brought.forced),
            None => (draw.pin(role)?, false),
        };
        let kept = StoredPin {
            forced,
            ..self.stored(&pin, role)
        };
        Ok((pin, kept))
    }

    /// Whether somebody has that PIN already.
    pub(crate) async fn is_taken(&self, pin: &Pin, act: &Act) -> Result<bool, StoreError> {
        let lookups = self.keys().lookups(pin);
        let lookups: Vec<_> = lookups.iter().map(|under| under.lookup).collect();
        let nobody = Source::withheld("");
        let found = self.store.door(&lookups, &nobody, act.at).await?;
        Ok(found.is_some())
    }

    /// Draws another PIN for an account; the old one opens nothing from now on.
    pub async fn reset_pin(
        &self,
        account: AccountId,
        role: Role,
        act: &Act,
    ) -> Result<Pin, DeskError> {
        let mut draw = self.draw().await?;
        for _ in 0..TRIES {
            let pin = draw.pin(role)?;
            let kept = self.stored(&pin, role);
            match self.store.reset_pin(account, role, kept, act).await {
                Ok(()) => return Ok(pin),
                Err(StoreError::PinTaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::PinTaken.into())
    }

    /// The Guest PIN of an account; none where it was taken in before Guest PINs were kept.
    pub async fn guest_pin(&self, account: AccountId) -> Result<Option<Pin>, DeskError> {
        let sealed = self.store.guest_pin(account).await?;
        let pin = sealed.map(|sealed| sealed.open(&self.keys()));
        Ok(pin.transpose()?)
    }
}

/// What is said of an account's terms; what is `None` stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The Host may lock.
    pub lock: Option<bool>,
    /// Guests are let in one by one.
    pub consent: Option<bool>,
    /// The Host may record.
    pub recording: Option<bool>,
    /// How often a soft tone reminds those who are recorded, in seconds; 0 for never.
    pub recording_tone: Option<u64>,
    /// A line that plays music or steady noise is quieted by itself.
    pub quieting: Option<bool>,
    /// The steady noise of each line is turned down.
    pub noise_suppression: Option<bool>,
    /// All voices are brought to one loudness.
    pub levelling: Option<bool>,
    /// How many talkers are heard at once.
    pub max_talkers: Option<Talkers>,
    /// How an arrival is announced.
    pub entry: Option<Announce>,
    /// How a departure is announced.
    pub exit: Option<Announce>,
    /// What becomes of the others when the last Host leaves.
    pub host_leaves: Option<Leaving>,
    /// Where they are disconnected then: how long they are held first, in seconds.
    pub host_grace: Option<u64>,
    /// How many may be in a conference.
    pub max_callers: Option<u32>,
    /// How long a Guest waits for a Host, in minutes.
    pub longest_wait: Option<u64>,
}

/// What becomes of the others when the last Host leaves; see [`HostLeaves`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// They go on talking.
    Continue,
    /// They are held until a Host is back.
    Hold,
    /// They are disconnected.
    Hangup,
}

/// Why terms can't be as somebody wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// A grace where nobody is disconnected.
    #[error("--host-grace works with --host-leaves hangup: without it nobody is disconnected")]
    GraceForNothing,
    /// A value out of its range.
    #[error(transparent)]
    Terms(#[from] TermsError),
}

/// How many are heard at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talkers {
    /// Everybody.
    All,
    /// The loudest, so many; within [`TALKERS`].
    AtMost(u32),
}

impl Talkers {
    /// The number, if there is one.
    pub fn bound(self) -> Option<u32> {
        match self {
            Self::All => None,
            Self::AtMost(most) => Some(most),
        }
    }
}

/// So many; 0 for all.
impl From<u32> for Talkers {
    fn from(most: u32) -> Self {
        match most {
            0 => Self::All,
            most => Self::AtMost(most),
        }
    }
}

impl std::str::FromStr for Talkers {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        if word.eq_ignore_ascii_case("all") {
            return Ok(Self::All);
        }
        let most = word.parse().ok().filter(|most| TALKERS.contains(most));
        most.map(Self::AtMost)
            .ok_or("it is neither 'all' nor a number from 8 to 10000")
    }
}

impl Wishes {
    /// The terms with these wishes fulfilled.
    pub fn of(self, before: &Terms) -> Result<Terms, WishError> {
        let terms = Terms {
            lock: self.lock.unwrap_or(before.lock),
            consent: self.consent.unwrap_or(before.consent),
            recording: self.recording.unwrap_or(before.recording),
            recording_tone: self
                .recording_tone
                .map_or(before.recording_tone, Duration::from_secs),
            quieting: self.quieting.unwrap_or(before.quieting),
            noise_suppression: self.noise_suppression.unwrap_or(before.noise_suppression),
            levelling: self.levelling.unwrap_or(before.levelling),
            most_talkers: self.max_talkers.map_or(before.most_talkers, Talkers::bound),
            entry: self.entry.unwrap_or(before.entry),
            exit: self.exit.unwrap_or(before.exit),
            host_leaves: self.host_leaves(before.host_leaves)?,
            max_participants: self.max_callers.unwrap_or(before.max_participants),
            longest_wait: self.longest_wait.map_or(before.longest_wait, |minutes| {
                Duration::from_secs(minutes.saturating_mul(60))
            }),
            ..before.clone()
        };
        terms.validate()?;
        Ok(terms)
    }

    fn host_leaves(self, before: HostLeaves) -> Result<HostLeaves, WishError> {
        let kept = match before {
            HostLeaves::Hangup { grace } => grace,
            HostLeaves::Continue | HostLeaves::Hold => Duration::ZERO,
        };
        let grace = self.host_grace.map_or(kept, Duration::from_secs);
        let leaves = match self.host_leaves {
            None => before,
            Some(Leaving::Continue) => HostLeaves::Continue,
            Some(Leaving::Hold) => HostLeaves::Hold,
            Some(Leaving::Hangup) => HostLeaves::Hangup { grace },
        };
        match leaves {
            HostLeaves::Hangup { .. } => Ok(HostLeaves::hangup(grace)?),
            _ if self.host_grace.is_some_and(|grace| grace > 0) => Err(WishError::GraceForNothing),
            other => Ok(other),
        }
    }
}

/// A word of the reports (a department, a cost code) that fits into them; none where it is empty. `what` names it
/// in the error.
pub fn checked_word(what: &str, text: &str) -> Result<Option<String>, String> {
    let fits = text.chars().count() <= 100 && !text.chars().any(char::is_control);
    if !fits {
        return Err(format!(
            "{what}: at most 100 printable characters on one line"
        ));
    }
    let word = Some(text.trim()).filter(|text| !text.is_empty());
    Ok(word.map(str::to_owned))
}
