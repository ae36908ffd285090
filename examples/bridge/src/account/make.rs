//! `account add`.

use conclave_accounts::{Owner, Pin, Terms};
use conclave_desk::{Brought, Wanted, Wishes, checked_word};

use super::{open, show};
use crate::{
    cli::AccountAdd,
    output::{Failure, warn},
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
        ..Wanted::new(owner, terms)
    };
    let host = given(add.host_pin.as_deref(), "--host-pin")?;
    let guest = given(add.guest_pin.as_deref(), "--guest-pin")?;
    if host.is_some() && host == guest {
        return Err(Failure::usage(
            "--host-pin and --guest-pin are the same: nobody could tell the Host from a Guest",
        ));
    }
    let (data, config) = open(&add.common.place).await?;
    let desk = data.desk(&config);
    let mut draw = desk.draw().await?;
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
    let made = desk
        .open_accounts(&mut draw, &[wanted], &data.act())
        .await?;
    let shown = made
        .iter()
        .map(|(account, pins)| show(account, &add.common, Some(&pins.host), Some(&pins.guest)));
    shown.collect()
}

fn given(typed: Option<&str>, what: &str) -> Result<Option<Pin>, Failure> {
    typed
        .map(Pin::parse)
        .transpose()
        .map_err(|error| Failure::usage(format!("{what}: {error}")))
}
