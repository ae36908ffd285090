use conclave_accounts::{PinError, TitleError};
use conclave_calendar::PlanError;
use conclave_store::{SealError, StoreError};

use crate::HookUrlError;

/// Why something can't be done at the desk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeskError {
    /// The database refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// That can't be booked.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Nothing can be called so.
    #[error(transparent)]
    Title(#[from] TitleError),
    /// One person would have two PINs, which could not be told apart when one is withdrawn.
    #[error("{0} is invited twice: each invitee has one PIN")]
    InvitedTwice(String),
    /// The file is none of accounts.
    #[error("{0}")]
    NoTable(String),
    /// A PIN that came with an account is another's.
    #[error(
        "{}; nothing was made. Leave a PIN that was brought out, and one is drawn",
        StoreError::PinTaken
    )]
    BroughtTaken,
    /// No PIN is hard enough to guess.
    #[error(
        "so many PINs are in use that none is long enough to be hard to guess: lower pins.wrong-a-day"
    )]
    NoPinIsLongEnough,
    /// The policy asks for PINs of a length that there is not.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// Chance can't be this bad: the generator is broken.
    #[error("no PIN could be drawn that is not taken")]
    NoneDrawn,
    /// That address can't be told of anything.
    #[error(transparent)]
    HookUrl(#[from] HookUrlError),
    /// What was kept of a PIN can't be decrypted.
    #[error(transparent)]
    Seal(#[from] SealError),
}
