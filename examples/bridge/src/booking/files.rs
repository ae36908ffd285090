//! Invitations and cancellations as `.ics` files.

use std::path::Path;

use conclave_accounts::{Booking, InviteeId};
use conclave_store::LetterKind;

use crate::{
    clock,
    config::Config,
    data::Data,
    invitation,
    output::{Failure, replace_private, warn},
};

/// Whom a booking is told to: each invitee whose invitation stands, or the owner for all.
pub(super) fn addressees(booking: &Booking) -> Vec<Option<InviteeId>> {
    if booking.invitees.is_empty() {
        return vec![None];
    }
    let invited = booking.invitees.iter().filter(|one| !one.withdrawn);
    invited.map(|one| Some(one.id)).collect()
}

/// All invitations of a booking.
pub(super) async fn invitations(
    data: &Data,
    config: &Config,
    booking: &Booking,
    directory: &Path,
) -> Result<(), Failure> {
    for invitee in addressees(booking) {
        let kind = LetterKind::Invitation;
        write(data, config, booking, invitee, kind, directory).await?;
    }
    Ok(())
}

pub(super) async fn write(
    data: &Data,
    config: &Config,
    booking: &Booking,
    invitee: Option<InviteeId>,
    kind: LetterKind,
    directory: &Path,
) -> Result<(), Failure> {
    let (numbers, now) = (&config.access_numbers, clock::wall());
    let rendered = invitation::render(
        &data.store,
        &data.keys,
        numbers,
        booking,
        invitee,
        kind,
        now,
    )
    .await?;
    let name = match invitee {
        Some(invitee) => format!("booking-{}-invitee-{}.ics", booking.id.0, invitee.0),
        None => format!("booking-{}.ics", booking.id.0),
    };
    replace_private(directory, &name, &rendered.ics)?;
    warn(format!(
        "{} is for {} <{}>",
        directory.join(name).display(),
        rendered.name,
        rendered.email
    ));
    Ok(())
}
