//! `conclave-bridge odds`: the chance that a day of guessing opens a door.

use conclave_accounts::{Odds, Role};
use conclave_store::{Find, Store};
use serde_json::json;

use crate::{
    cli,
    config::Config,
    data::Data,
    output::{Failure, print, print_json},
};

pub(crate) async fn run(arguments: cli::Odds) -> Result<(), Failure> {
    let config = Config::load(arguments.common.config.as_deref())?;
    let policy = config.pins.policy();
    let data = Data::existing(&arguments.common.data.data).await?;
    let doors = data.doors().await?;
    let odds = Odds::of(&policy, &doors);
    let by_policy = data.doors_by_policy().await?;
    let forced = doors.total() - by_policy.total();
    let accounts = data.store.accounts(&Find::All).await?.len();
    if arguments.common.json {
        return print_json(&json!({
            "accounts": accounts, "bookings": 0, "active_targets": doors.total(), "forced": forced, "guest_digits": policy.guest_digits,
            "host_digits": policy.host_digits, "ceiling_per_day": policy.ceiling, "odds_per_day": odds.chance(),
        }));
    }
    print(&format!(
        "PINs that open a door: {} (accounts: {accounts}). Well-formed wrong PINs a day that turn on consent: {}.",
        doors.total(),
        policy.ceiling
    ))?;
    print(&format!(
        "The chance that a day of guessing opens a door without a human's consent: {:.1e} (at most {:.0e} is right).",
        odds.chance(),
        policy.odds
    ))?;
    if forced > 0 {
        print(&format!(
            "Of the PINs {forced} came by --force-weak-pin; without them the chance is {:.1e}.",
            Odds::of(&policy, &by_policy).chance()
        ))?;
    }
    for (role, name) in [(Role::Guest, "Guest"), (Role::Host, "Host")] {
        match policy.digits_for(role, &by_policy) {
            Some(digits) => print(&format!(
                "The next {name} PIN is drawn with {digits} digits."
            ))?,
            None => print(&format!(
                "No {name} PIN is long enough any more: lower pins.wrong-a-day."
            ))?,
        }
    }
    if odds.is_bearable() {
        Ok(())
    } else {
        Err(Failure::usage(
            "guessing is too easy: longer PINs (`account reset-pin`) or a lower pins.wrong-a-day help",
        ))
    }
}
