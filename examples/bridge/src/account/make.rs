//! `account add`.

use conclave_accounts::{Owner, Pin, Role, Terms};
use conclave_store::{NewAccount, Store, StoreError, StoredPin};

use super::change::Wishes;
use super::{checked_word, open, show};
use crate::{
    cli::AccountAdd,
    data::Data,
    output::{Failure, warn},
    pins::{Draw, TRIES, stored},
};

pub(super) async fn add(add: AccountAdd) -> Result<(), Failure> {
    let owner = Owner::new(&add.name, &add.email).map_err(Failure::usage)?;
    let terms = Wishes::from(&add)
        .of(&Terms::default())
        .map_err(Failure::usage)?;
    let word = |flag: &str, text: &Option<String>| {
        checked_word(flag, text.as_deref().unwrap_or_default()).map_err(Failure::usage)
    };
    let wanted = Wanted {
        department: word("--department", &add.department)?,
        cost_code: word("--cost-code", &add.cost_code)?,
        bookings: add.bookings.is_on(),
        owner,
        terms,
        host: None,
        guest: None,
    };
    let host = given(add.host_pin.as_deref(), "--host-pin")?;
    let guest = given(add.guest_pin.as_deref(), "--guest-pin")?;
    if host.is_some() && host == guest {
        return Err(Failure::usage(
            "--host-pin and --guest-pin are the same: nobody could tell the Host from a Guest",
        ));
    }
    let (data, config) = open(&add.common.place).await?;
    let mut draw = Draw::new(&data, &config.pins.policy()).await?;
    let mut bring = |pin: Option<Pin>| {
        let pin = pin.map(|pin| Brought::new(pin, &mut draw, add.force_weak_pin));
        pin.transpose().map_err(Failure::usage)
    };
    let (host, guest) = (bring(host)?, bring(guest)?);
    let wanted = Wanted {
        host,
        guest,
        ..wanted
    };
    if let Some(doubt) = wanted.owner.doubt() {
        warn(doubt);
    }
    let (mut made, pins) = wanted_accounts(&data, &mut draw, &[wanted]).await?;
    let (account, (host, guest)) = (made.remove(0), &pins[0]);
    show(&account, &add.common, Some(host), Some(guest))
}

/// An account that somebody wants.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) owner: Owner,
    pub(super) department: Option<String>,
    pub(super) cost_code: Option<String>,
    pub(super) bookings: bool,
    pub(super) terms: Terms,
    /// A PIN that comes with it; else one is drawn.
    pub(super) host: Option<Brought>,
    pub(super) guest: Option<Brought>,
}

/// A PIN that was in use elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Brought {
    pub(super) pin: Pin,
    forced: bool,
}

impl Brought {
    pub(super) fn new(pin: Pin, draw: &mut Draw, force: bool) -> Result<Self, String> {
        let forced = draw.bring(&pin, force)?;
        Ok(Self { pin, forced })
    }
}

/// The Host PIN and the Guest PIN.
pub(super) type Pins = (Pin, Pin);

/// Makes them, all or none. PINs that are drawn are drawn again where they are taken.
pub(super) async fn wanted_accounts(
    data: &Data,
    draw: &mut Draw,
    wanted: &[Wanted],
) -> Result<(Vec<conclave_accounts::Account>, Vec<Pins>), Failure> {
    let any_drawn = wanted.iter().any(|w| w.host.is_none() || w.guest.is_none());
    let tries = if any_drawn { TRIES } else { 1 };
    for _ in 0..tries {
        let mut pins = Vec::with_capacity(wanted.len());
        let mut new = Vec::with_capacity(wanted.len());
        for one in wanted {
            let (host, host_kept) = pin(data, draw, one.host.as_ref(), Role::Host)?;
            let (guest, guest_kept) = pin(data, draw, one.guest.as_ref(), Role::Guest)?;
            pins.push((host, guest));
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
        match data.store.add_accounts(new, &data.act()).await {
            Ok(made) => return Ok((made, pins)),
            Err(StoreError::PinTaken) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::usage(format!(
        "{}; nothing was made. Leave a PIN that was brought out, and one is drawn",
        StoreError::PinTaken
    )))
}

fn pin(
    data: &Data,
    draw: &mut Draw,
    brought: Option<&Brought>,
    role: Role,
) -> Result<(Pin, StoredPin), Failure> {
    let (pin, forced) = match brought {
        Some(brought) => (brought.pin.clone(), brought.forced),
        None => (draw.pin(role)?, false),
    };
    let kept = StoredPin {
        forced,
        ..stored(data, &pin, role)
    };
    Ok((pin, kept))
}

pub(super) fn given(typed: Option<&str>, what: &str) -> Result<Option<Pin>, Failure> {
    typed
        .map(Pin::parse)
        .transpose()
        .map_err(|error| Failure::usage(format!("{what}: {error}")))
}
