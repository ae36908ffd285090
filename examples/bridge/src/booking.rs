//! `conclave-bridge booking`: single-use conferences with PINs of their own.

mod files;
mod make;
mod show;

use conclave_accounts::{Booking, BookingId, Invitee, Title};
use conclave_desk::{BookingPins, PlanChange};
use conclave_store::{BookingChange, BookingFilter, LetterKind, Page, Store, StoreError};
use serde_json::json;

use crate::{
    account::{existing, find},
    cli::{self, BookingCancel, BookingInvite, BookingList, BookingShow, BookingWithdraw, Switch},
    clock,
    config::Config,
    data::Data,
    output::{Failure, print, print_json, warn},
};
use show::Shown;

pub(crate) async fn run(command: cli::Booking) -> Result<(), Failure> {
    match command {
        cli::Booking::Add(add) => make::add(*add).await,
        cli::Booking::List(list) => self::list(list).await,
        cli::Booking::Show(which) => self::show_one(which).await,
        cli::Booking::Change(change) => self::change(*change).await,
        cli::Booking::Cancel(which) => self::cancel(which).await,
        cli::Booking::Invite(invite) => self::invite(invite).await,
        cli::Booking::Withdraw(which) => self::withdraw(which).await,
    }
}

async fn list(list: BookingList) -> Result<(), Failure> {
    const PART: u32 = 1_000;
    let (data, config) = existing(&list.common.place).await?;
    let desk = data.desk(&config);
    let account = match &list.account {
        Some(account) => Some(find(&data, account).await?.id),
        None => None,
    };
    let filter = BookingFilter {
        account,
        from: (!list.all).then(clock::wall),
    };
    let page = Page {
        after: list.part.after,
        limit: list.part.limit.unwrap_or(PART),
    };
    let bookings = data.store.bookings(&filter, page).await?;
    let last = bookings.last().map(|booking| booking.id.0);
    let full = bookings.len() >= page.limit as usize;
    let mut shown = Vec::with_capacity(bookings.len());
    for booking in bookings {
        shown.push(Shown::of(&desk, booking).await?);
    }
    if list.common.json {
        let bookings: Vec<_> = shown
            .iter()
            .map(|one| one.json(&BookingPins::default()))
            .collect();
        return print_json(&json!({ "bookings": bookings }));
    }
    if shown.is_empty() {
        return print(
            "There are no such bookings: conclave-bridge booking add --account ... --title ... --start ... --end ...",
        );
    }
    print(&format!(
        "{:>6}  {:<10} {:<25} {:<25} {:<24} TITLE",
        "ID", "STATE", "NEXT START", "ZONE", "OWNER"
    ))?;
    shown.iter().try_for_each(|one| print(&one.line()))?;
    if let Some(last) = last.filter(|_| full) {
        warn(format!("there may be more: --after {last} goes on"));
    }
    Ok(())
}

async fn show_one(which: BookingShow) -> Result<(), Failure> {
    let (data, config) = existing(&which.common.place).await?;
    let desk = data.desk(&config);
    let booking = one(&data, which.id).await?;
    if let Some(directory) = &which.ics {
        files::invitations(&desk, &booking, directory).await?;
    }
    let pins = if which.show_pins {
        desk.kept_pins(booking.id).await?
    } else {
        BookingPins::default()
    };
    Shown::of(&desk, booking).await?.show(&which.common, &pins)
}

async fn change(change: cli::BookingChange) -> Result<(), Failure> {
    let (data, config) = existing(&change.common.place).await?;
    let booking = one(&data, change.id).await?;
    let title = change.title.as_deref().map(Title::new);
    let replanned = wish(&change).of(&booking.plan).map_err(Failure::usage)?;
    for note in replanned.iter().flat_map(|replanned| &replanned.notes) {
        warn(note);
    }
    let wish = BookingChange {
        title: title.transpose().map_err(Failure::usage)?,
        time: replanned.map(|replanned| (replanned.plan, replanned.windows)),
        mail: change.mail.is_on(),
    };
    if wish.title.is_none() && wish.time.is_none() {
        return Err(Failure::usage(
            "nothing to change was given; `booking change --help` says what can be",
        ));
    }
    let booking = data
        .store
        .change_booking(booking.id, &wish, &data.act())
        .await?;
    let desk = data.desk(&config);
    if let Some(directory) = &change.ics {
        files::invitations(&desk, &booking, directory).await?;
    }
    let shown = Shown::of(&desk, booking).await?;
    shown.warn_of_doubts();
    shown.show(&change.common, &BookingPins::default())
}

fn wish(change: &cli::BookingChange) -> PlanChange {
    PlanChange {
        start: change.start.clone(),
        end: change.end.clone(),
        zone: change.when.tz.clone(),
        rule: change.when.rule.clone(),
        except: change.when.except.clone(),
        early: change.when.early,
    }
}

async fn cancel(which: BookingCancel) -> Result<(), Failure> {
    let (data, config) = existing(&which.common.place).await?;
    let desk = data.desk(&config);
    let before = one(&data, which.id).await?;
    let booking = data.store.cancel_booking(before.id, &data.act()).await?;
    if let Some(directory) = &which.ics {
        // Whose invitation was taken back before has had a cancellation.
        for invitee in files::addressees(&before) {
            let kind = LetterKind::Cancellation;
            files::write(&desk, &booking, invitee, kind, directory).await?;
        }
    }
    Shown::of(&desk, booking)
        .await?
        .show(&which.common, &BookingPins::default())
}

async fn invite(invite: BookingInvite) -> Result<(), Failure> {
    let (data, config) = existing(&invite.common.place).await?;
    let desk = data.desk(&config);
    let before = one(&data, invite.id).await?;
    let mail = by_mail(&config, invite.mail);
    let (booking, newest) = desk
        .invite(before.id, &invite.guest, mail, &data.act())
        .await?;
    if let Some(directory) = &invite.ics {
        let (kind, to) = (LetterKind::Invitation, newest.as_ref().map(|(id, _)| *id));
        files::write(&desk, &booking, to, kind, directory).await?;
    }
    let pins = BookingPins {
        invitees: newest.into_iter().collect(),
        ..BookingPins::default()
    };
    Shown::of(&desk, booking).await?.show(&invite.common, &pins)
}

async fn withdraw(which: BookingWithdraw) -> Result<(), Failure> {
    let (data, config) = existing(&which.common.place).await?;
    let desk = data.desk(&config);
    let before = one(&data, which.id).await?;
    let invitee = meant(&before, &which.invitee)?;
    let booking = match data.store.withdraw(invitee.id, &data.act()).await {
        Ok(booking) => booking,
        // The file could not be written the first time.
        Err(StoreError::Withdrawn(who)) if which.ics.is_some() => {
            warn(format!("{who} was withdrawn already"));
            before.clone()
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(directory) = &which.ics {
        let kind = LetterKind::Cancellation;
        files::write(&desk, &booking, Some(invitee.id), kind, directory).await?;
    }
    Shown::of(&desk, booking)
        .await?
        .show(&which.common, &BookingPins::default())
}

/// The one invitee who is meant by a number, a name or an address. Those who are invited still come first.
fn meant<'a>(booking: &'a Booking, typed: &str) -> Result<&'a Invitee, Failure> {
    let typed = typed.trim();
    let is = |invitee: &&Invitee| {
        invitee.id.0.to_string() == typed
            || invitee.email.eq_ignore_ascii_case(typed)
            || invitee.name.to_lowercase() == typed.to_lowercase()
    };
    let all: Vec<_> = booking.invitees.iter().filter(is).collect();
    let invited: Vec<_> = all.iter().copied().filter(|one| !one.withdrawn).collect();
    match (all.as_slice(), invited.as_slice()) {
        (_, [one]) | ([one], []) => Ok(*one),
        ([], _) => Err(Failure::usage(format!(
            "nobody invited to {0} is '{typed}'; `conclave-bridge booking show {1}` shows who is",
            booking.id, booking.id.0
        ))),
        (several, _) => {
            let ids: Vec<_> = several.iter().map(|one| one.id.0.to_string()).collect();
            Err(Failure::usage(format!(
                "several are '{typed}': name one by its number ({})",
                ids.join(", ")
            )))
        }
    }
}

async fn one(data: &Data, id: u64) -> Result<Booking, Failure> {
    let id = BookingId(id);
    let booking = data.store.booking(id).await?;
    booking.ok_or_else(|| StoreError::NoSuchBooking(id).into())
}

/// Whether the bridge is to mail invitations.
fn by_mail(config: &Config, wish: Option<Switch>) -> bool {
    let on = wish.map_or(config.mail.is_some(), Switch::is_on);
    if on && config.mail.is_none() {
        warn(
            "the configuration given here has no [mail]: the letters wait until a bridge that has one sends them",
        );
    }
    on
}
