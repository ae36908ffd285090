//! Invitations and cancellations as `.ics` files.

use std::path::Path;

use conclave_accounts::{Booking, InviteeId};
use conclave_desk::Desk;
use conclave_store::LetterKind;

use crate::{
    clock,
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
    desk: &Desk,
    booking: &Booking,
    directory: &Path,
) -> Result<(), Failure> {
    for invitee in addressees(booking) {
        let kind = LetterKind::Invitation;
        write(desk, booking, invitee, kind, directory).await?;
    }
    Ok(())
}

pub(super) async fn write(
    desk: &Desk,
    booking: &Booking,
    invitee: Option<InviteeId>,
    kind: LetterKind,
    directory: &Path,
) -> Result<(), Failure> {
    let rendered = desk.render(booking, invitee, kind, clock::wall()).await?;
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
