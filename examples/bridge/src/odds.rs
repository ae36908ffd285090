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
    let data = Data::open(&arguments.common.data.data).await?;
    let doors = data.doors().await?;
    let odds = Odds::of(&policy, &doors);
    let accounts = data.store.accounts(&Find::All).await?.len();
    if arguments.common.json {
        return print_json(&json!({
            "accounts": accounts, "bookings": 0, "active_targets": doors.total(), "guest_digits": policy.guest_digits,
            "host_digits": policy.host_digits, "ceiling_per_day": policy.ceiling, "odds_per_day": odds.chance(),
        }));
    }
    print(&format!(
        "{} PINs of {accounts} accounts open a door; {} well-formed wrong PINs a day turn on consent.",
        doors.total(),
        policy.ceiling
    ))?;
    print(&format!(
        "The chance that a day of guessing opens a door without a human's consent: {:.1e} (at most {:.0e} is right).",
        odds.chance(),
        policy.odds
    ))?;
    for (role, name) in [(Role::Guest, "Guest"), (Role::Host, "Host")] {
        match policy.digits_for(role, &doors) {
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
