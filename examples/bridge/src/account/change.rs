//! `account change`: what a person wishes of an account, applied to one that is there.

use conclave_accounts::{Account, Announce, Owner};
use conclave_desk::{Leaving, Wishes, checked_word};
use conclave_store::Store;

use super::{existing, find, show};
use crate::{
    cli::{self, AccountAdd, AccountChange, Switch},
    output::{Failure, warn},
};

impl From<&AccountAdd> for Wishes {
    fn from(add: &AccountAdd) -> Self {
        Self {
            lock: Some(add.lock.is_on()),
            consent: Some(add.consent.is_on()),
            recording: Some(add.recording.is_on()),
            recording_tone: add.recording_tone,
            quieting: Some(add.quieting.is_on()),
            noise_suppression: Some(add.noise_suppression.is_on()),
            levelling: Some(add.levelling.is_on()),
            max_talkers: Some(add.max_talkers),
            entry: Some(add.entry.into()),
            exit: Some(add.exit.into()),
            host_leaves: Some(add.host_leaves.into()),
            host_grace: Some(add.host_grace).filter(|grace| *grace > 0),
            max_callers: add.max_callers,
            longest_wait: add.longest_wait,
        }
    }
}

impl From<&AccountChange> for Wishes {
    fn from(change: &AccountChange) -> Self {
        Self {
            lock: change.lock.map(Switch::is_on),
            consent: change.consent.map(Switch::is_on),
            recording: change.recording.map(Switch::is_on),
            recording_tone: change.recording_tone,
            quieting: change.quieting.map(Switch::is_on),
            noise_suppression: change.noise_suppression.map(Switch::is_on),
            levelling: change.levelling.map(Switch::is_on),
            max_talkers: change.max_talkers,
            entry: change.entry.map(Into::into),
            exit: change.exit.map(Into::into),
            host_leaves: change.host_leaves.map(Into::into),
            host_grace: change.host_grace,
            max_callers: change.max_callers,
            longest_wait: change.longest_wait,
        }
    }
}

impl From<cli::Announce> for Announce {
    fn from(how: cli::Announce) -> Self {
        match how {
            cli::Announce::None => Self::None,
            cli::Announce::Tone => Self::Tone,
            cli::Announce::Name => Self::Name,
        }
    }
}

impl From<cli::HostLeaves> for Leaving {
    fn from(leaves: cli::HostLeaves) -> Self {
        match leaves {
            cli::HostLeaves::Continue => Self::Continue,
            cli::HostLeaves::Hold => Self::Hold,
            cli::HostLeaves::Hangup => Self::Hangup,
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
