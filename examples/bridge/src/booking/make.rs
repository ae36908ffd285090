//! `booking add`.

use conclave_accounts::Title;
use conclave_calendar::{Horizon, Request};
use conclave_desk::BookingWish;

use super::show::Shown;
use super::{by_mail, files};
use crate::{
    account::{existing, find},
    cli::BookingAdd,
    output::{Failure, warn},
};

pub(super) async fn add(add: BookingAdd) -> Result<(), Failure> {
    let title = Title::new(&add.title).map_err(Failure::usage)?;
    let except: Vec<&str> = add.when.except.iter().map(String::as_str).collect();
    let minutes = add.when.early.unwrap_or(0);
    let request = Request {
        start: &add.start,
        end: &add.end,
        zone: add.when.tz.as_deref(),
        rule: add.when.rule.as_deref(),
        except: &except,
        early: std::time::Duration::from_secs(minutes.saturating_mul(60)),
    };
    let planned = request.plan(&Horizon::default()).map_err(Failure::usage)?;
    planned.notes.iter().for_each(warn);
    let (data, config) = existing(&add.common.place).await?;
    let desk = data.desk(&config);
    let account = find(&data, &add.account).await?;
    let wish = BookingWish {
        account: account.id,
        title,
        planned,
        mail: by_mail(&config, add.mail),
        guests: add.invite,
    };
    let (booking, pins) = desk.book(&wish, &data.act()).await?;
    let files = match &add.ics {
        Some(directory) => files::invitations(&desk, &booking, directory).await,
        None => Ok(()),
    };
    let shown = Shown::of(&desk, booking).await?;
    shown.warn_of_doubts();
    // The Host PIN is shown even where the files can't be written: it never will be again.
    shown.show(&add.common, &pins)?;
    files
}
