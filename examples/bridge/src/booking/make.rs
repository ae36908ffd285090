//! `booking add`.

use conclave_accounts::{Pin, Role, Title};
use conclave_calendar::Request;
use conclave_store::{NewBooking, NewInvitee, Store, StoreError};

use super::show::{Pins, Shown};
use super::{by_mail, files, when};
use crate::{
    account::{existing, find},
    cli::BookingAdd,
    output::Failure,
    pins::{Draw, TRIES, stored},
};

pub(super) async fn add(add: BookingAdd) -> Result<(), Failure> {
    let title = Title::new(&add.title).map_err(Failure::usage)?;
    let except: Vec<&str> = add.when.except.iter().map(String::as_str).collect();
    let planned = when::plan(&Request {
        start: &add.start,
        end: &add.end,
        zone: add.when.tz.as_deref(),
        rule: add.when.rule.as_deref(),
        except: &except,
        early: when::early(add.when.early),
    })?;
    twice(&add)?;
    let (data, config) = existing(&add.common.place).await?;
    let account = find(&data, &add.account).await?;
    let mail = by_mail(&config, add.mail);
    let uid = uid();
    let mut draw = Draw::new(&data, &config.pins.policy()).await?;
    for _ in 0..TRIES {
        let host = draw.pin(Role::Host)?;
        let guest = match add.invite.as_slice() {
            [] => Some(draw.pin(Role::Guest)?),
            _ => None,
        };
        let mut guests = Vec::with_capacity(add.invite.len());
        for _ in &add.invite {
            guests.push(draw.pin(Role::Guest)?);
        }
        let kept = |pin: &Pin| stored(&data, pin, Role::Guest);
        let invitees = add
            .invite
            .iter()
            .zip(&guests)
            .map(|(guest, pin)| NewInvitee {
                name: guest.name.clone(),
                email: guest.email.clone(),
                pin: kept(pin),
                mail,
            });
        let new = NewBooking {
            account: account.id,
            title: title.clone(),
            plan: planned.plan.clone(),
            windows: planned.occurrences.windows().to_vec(),
            uid: uid.clone(),
            host: stored(&data, &host, Role::Host),
            guest: guest.as_ref().map(kept),
            invitees: invitees.collect(),
            mail,
        };
        let booking = match data.store.book(new, &data.act()).await {
            Ok(booking) => booking,
            Err(StoreError::PinTaken) => continue,
            Err(error) => return Err(error.into()),
        };
        let pins = Pins {
            host: Some(host),
            guest,
            // In the order in which they were invited.
            invitees: booking
                .invitees
                .iter()
                .map(|one| one.id)
                .zip(guests)
                .collect(),
        };
        let files = match &add.ics {
            Some(directory) => files::invitations(&data, &config, &booking, directory).await,
            None => Ok(()),
        };
        let shown = Shown::of(&data, booking).await?;
        shown.warn_of_doubts();
        // The Host PIN is shown even where the files can't be written: it never will be again.
        shown.show(&add.common, &pins)?;
        return files;
    }
    Err(StoreError::PinTaken.into())
}

/// Two PINs for one person are a mistake: they could not be told apart when one is withdrawn.
fn twice(add: &BookingAdd) -> Result<(), Failure> {
    for (n, one) in add.invite.iter().enumerate() {
        if add.invite[..n]
            .iter()
            .any(|other| other.email.eq_ignore_ascii_case(&one.email))
        {
            return Err(Failure::usage(format!(
                "--invite names {} twice: each invitee has one PIN",
                one.email
            )));
        }
    }
    Ok(())
}

/// Globally unique, as RFC 7986, 5.3 asks: randomness, and where it was drawn.
fn uid() -> String {
    let random: [u8; 16] = rand::random();
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match host.trim() {
        "" => format!("{hex}@conclave"),
        host => format!("{hex}@{host}"),
    }
}
