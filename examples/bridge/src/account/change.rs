//! What a person wishes of an account, and `account change`, which applies it to one that is there.

use std::time::Duration;

use conclave_accounts::{Account, Announce, HostLeaves, Owner, Terms};
use conclave_store::Store;

use super::{checked_word, existing, find, show};
use crate::{
    cli::{self, AccountAdd, AccountChange, Switch, Talkers},
    output::{Failure, warn},
};

/// What is said of an account's terms; what is `None` stays.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wishes {
    pub(super) lock: Option<Switch>,
    pub(super) consent: Option<Switch>,
    pub(super) recording: Option<Switch>,
    pub(super) quieting: Option<Switch>,
    pub(super) levelling: Option<Switch>,
    pub(super) max_talkers: Option<Talkers>,
    pub(super) entry: Option<cli::Announce>,
    pub(super) exit: Option<cli::Announce>,
    pub(super) host_leaves: Option<cli::HostLeaves>,
    pub(super) host_grace: Option<u64>,
    pub(super) max_callers: Option<u32>,
    /// In minutes.
    pub(super) longest_wait: Option<u64>,
}

impl From<&AccountAdd> for Wishes {
    fn from(add: &AccountAdd) -> Self {
        Self {
            lock: Some(add.lock),
            consent: Some(add.consent),
            recording: Some(add.recording),
            quieting: Some(add.quieting),
            levelling: Some(add.levelling),
            max_talkers: Some(add.max_talkers),
            entry: Some(add.entry),
            exit: Some(add.exit),
            host_leaves: Some(add.host_leaves),
            host_grace: Some(add.host_grace).filter(|grace| *grace > 0),
            max_callers: add.max_callers,
            longest_wait: add.longest_wait,
        }
    }
}

impl From<&AccountChange> for Wishes {
    fn from(change: &AccountChange) -> Self {
        Self {
            lock: change.lock,
            consent: change.consent,
            recording: change.recording,
            quieting: change.quieting,
            levelling: change.levelling,
            max_talkers: change.max_talkers,
            entry: change.entry,
            exit: change.exit,
            host_leaves: change.host_leaves,
            host_grace: change.host_grace,
            max_callers: change.max_callers,
            longest_wait: change.longest_wait,
        }
    }
}

impl Wishes {
    /// The terms with these wishes fulfilled.
    pub(super) fn of(self, before: &Terms) -> Result<Terms, String> {
        let announce = |how| match how {
            cli::Announce::None => Announce::None,
            cli::Announce::Tone => Announce::Tone,
            cli::Announce::Name => Announce::Name,
        };
        let switch = |wish: Option<Switch>, before| wish.map_or(before, Switch::is_on);
        let terms = Terms {
            lock: switch(self.lock, before.lock),
            consent: switch(self.consent, before.consent),
            recording: switch(self.recording, before.recording),
            quieting: switch(self.quieting, before.quieting),
            levelling: switch(self.levelling, before.levelling),
            most_talkers: self.max_talkers.map_or(before.most_talkers, Talkers::bound),
            entry: self.entry.map_or(before.entry, announce),
            exit: self.exit.map_or(before.exit, announce),
            host_leaves: self.host_leaves(before.host_leaves)?,
            max_participants: self.max_callers.unwrap_or(before.max_participants),
            longest_wait: self.longest_wait.map_or(before.longest_wait, |minutes| {
                Duration::from_secs(minutes.saturating_mul(60))
            }),
            ..before.clone()
        };
        terms.validate().map_err(|error| error.to_string())?;
        Ok(terms)
    }

    fn host_leaves(self, before: HostLeaves) -> Result<HostLeaves, String> {
        let kept = match before {
            HostLeaves::Hangup { grace } => grace,
            HostLeaves::Continue | HostLeaves::Hold => Duration::ZERO,
        };
        let grace = self.host_grace.map_or(kept, Duration::from_secs);
        let leaves = match self.host_leaves {
            None => before,
            Some(cli::HostLeaves::Continue) => HostLeaves::Continue,
            Some(cli::HostLeaves::Hold) => HostLeaves::Hold,
            Some(cli::HostLeaves::Hangup) => HostLeaves::Hangup { grace },
        };
        match leaves {
            HostLeaves::Hangup { .. } => {
                HostLeaves::hangup(grace).map_err(|error| error.to_string())
            }
            _ if self.host_grace.is_some_and(|grace| grace > 0) => Err(
                "--host-grace works with --host-leaves hangup: without it nobody is disconnected"
                    .into(),
            ),
            other => Ok(other),
        }
    }
}

pub(super) async fn run(change: AccountChange) -> Result<(), Failure> {
    let (data, _) = existing(&change.common.place).await?;
    let account = find(&data, &change.account).await?;
    let wish = wish(&account, &change)?;
    if wish == conclave_store::AccountChange::default() {
        return Err(Failure::usage(
            "nothing to change was given; `account change --help` says what can be",
        ));
    }
    if let Some(doubt) = wish.owner.as_ref().and_then(Owner::doubt) {
        warn(doubt);
    }
    let changed = data
        .store
        .change_account(account.id, &wish, &data.act())
        .await?;
    show(&changed, &change.common, None, None)
}

fn wish(
    account: &Account,
    change: &AccountChange,
) -> Result<conclave_store::AccountChange, Failure> {
    let owner = match (&change.name, &change.email) {
        (None, None) => None,
        (name, email) => {
            let name = name.as_deref().unwrap_or(account.owner.name());
            let email = email.as_deref().unwrap_or(account.owner.email());
            Some(Owner::new(name, email).map_err(Failure::usage)?)
        }
    };
    let word = |flag: &str, text: &Option<String>| {
        let text = text.as_deref().map(|text| checked_word(flag, text));
        text.transpose().map_err(Failure::usage)
    };
    let terms = Wishes::from(change)
        .of(&account.terms)
        .map_err(Failure::usage)?;
    Ok(conclave_store::AccountChange {
        owner,
        department: word("--department", &change.department)?,
        cost_code: word("--cost-code", &change.cost_code)?,
        bookings: change.bookings.map(Switch::is_on),
        terms: Some(terms).filter(|terms| *terms != account.terms),
    })
}
