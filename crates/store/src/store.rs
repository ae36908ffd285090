//! What a database must be able to do for the bridge.

use std::future::Future;

use chrono::{DateTime, TimeDelta, Utc};
use conclave_accounts::{Account, AccountId, AccountState, Door, PinLookup, Role, Source};

use crate::error::Result;
use crate::{
    CallRow, ConferenceRow, Entry, EventRow, Find, NewAccount, Period, PinCount, RunId, StoredPin,
};

/// A PIN that was taken out of use is not given again for so long.
pub const PIN_REST: TimeDelta = TimeDelta::days(400);

/// A number that was admitted on an account counts as known there for so long.
pub const KNOWN_FOR: TimeDelta = TimeDelta::days(90);

/// The books: what happened, run by run.
///
/// The futures of all methods are `Send`. Whoever calls tells the time.
pub trait Books: Send + Sync + 'static {
    /// Opens a new run. What an earlier one left open, because it was killed, is closed as `interrupted` at the
    /// last moment that run was seen. For the one process that serves, not for others.
    fn begin_run(&self, now: DateTime<Utc>) -> impl Future<Output = Result<RunId>> + Send;

    /// Writes the entries down in their order, all or none. An entry about a call or conference of which the
    /// run knows nothing is left out, with a warning in the log.
    fn write(
        &self,
        run: RunId,
        entries: &[Entry],
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Notes that the run goes on, should it be killed: free of cost while no call is open.
    fn still_running(
        &self,
        run: RunId,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Closes the run in good order; what is open yet is closed as [`begin_run`](Self::begin_run) does.
    fn end_run(&self, run: RunId, now: DateTime<Utc>) -> impl Future<Output = Result<()>> + Send;
}

/// A database of the bridge. Several processes may use the same one at the same time.
pub trait Store: Books {
    /// What is behind a PIN for a caller from `source`: the door, whether or not it opens now.
    fn door(
        &self,
        pin: &PinLookup,
        source: &Source,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<Door>>> + Send;

    /// Makes an account. [`StoreError::PinTaken`](crate::StoreError::PinTaken) asks for other PINs; nothing is
    /// made then.
    fn add_account(
        &self,
        new: NewAccount,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Account>> + Send;

    /// One account.
    fn account(&self, id: AccountId) -> impl Future<Output = Result<Option<Account>>> + Send;

    /// The accounts that match, by their ids.
    fn accounts(&self, find: &Find) -> impl Future<Output = Result<Vec<Account>>> + Send;

    /// Suspends an account, makes it active again, or closes it for good; its PINs then rest.
    fn set_state(
        &self,
        id: AccountId,
        state: AccountState,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Gives the account another PIN for the role. The old one opens nothing from now on and rests for
    /// [`PIN_REST`].
    fn reset_pin(
        &self,
        id: AccountId,
        role: Role,
        pin: StoredPin,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// How many PINs of each kind are in use, by length; those of suspended accounts are not among them.
    fn pins(&self) -> impl Future<Output = Result<Vec<PinCount>>> + Send;

    /// The conferences that started in the period, by their start.
    fn conferences(
        &self,
        period: Period,
    ) -> impl Future<Output = Result<Vec<ConferenceRow>>> + Send;

    /// The calls that were answered in the period, by that moment; a call that was in several conferences has
    /// a row for each.
    fn calls(&self, period: Period) -> impl Future<Output = Result<Vec<CallRow>>> + Send;

    /// What happened in one conference, in order: its number is that of [`ConferenceRow::id`].
    fn events(&self, conference: u64) -> impl Future<Output = Result<Vec<EventRow>>> + Send;
}
