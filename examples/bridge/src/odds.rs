//! `conclave-bridge odds`: the chance that a day of guessing opens a door.

use conclave_accounts::{Odds, Role};
use conclave_store::Store;
use serde_json::json;

use crate::{
    account::existing,
    cli,
    output::{Failure, print, print_json},
};

pub(crate) async fn run(arguments: cli::Odds) -> Result<(), Failure> {
    let (data, config) = existing(&arguments.common.place).await?;
    let policy = config.pins.policy();
    let desk = data.desk(&config);
    let doors = desk.doors().await?;
    let odds = Odds::of(&policy, &doors);
    let by_policy = desk.doors_by_policy().await?;
    let forced = doors.total() - by_policy.total();
    let totals = data.store.totals().await?;
    if arguments.common.json {
        print_json(&json!({
            "accounts": totals.accounts, "bookings": totals.bookings, "active_targets": doors.total(),
            "guest_digits": policy.guest_digits, "host_digits": policy.host_digits, "ceiling_per_day": policy.ceiling,
            "odds_per_day": odds.chance(),
        }))?;
        return judged(&odds);
    }
    print(&format!(
        "PINs that open a door: {} (accounts: {}, bookings: {}). Well-formed wrong PINs a day that turn on consent: {}.",
        doors.total(),
        totals.accounts,
        totals.bookings,
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
    let mut next = [None, None];
    for (digits, (role, name)) in next
        .iter_mut()
        .zip([(Role::Guest, "Guest"), (Role::Host, "Host")])
    {
        *digits = policy.digits_for(role, &by_policy);
        match digits {
            Some(digits) => print(&format!(
                "The next {name} PIN is drawn with {digits} digits."
            ))?,
            None => print(&format!(
                "No {name} PIN is long enough any more: lower pins.wrong-a-day."
            ))?,
        }
    }
    let [guest, host] = next;
    let longer = |digits: u8| digits.saturating_add(1).min(conclave_accounts::LONGEST_PIN);
    print(&format!(
        "What lowers it: suspending or closing accounts that nobody uses; a lower pins.wrong-a-day (half of it, half the chance); \
         longer PINs (pins.guest-digits = {}, pins.host-digits = {}), once `account reset-pin` has drawn them: each digit divides the chance by ten.",
        longer(guest.unwrap_or(policy.guest_digits)),
        longer(host.unwrap_or(policy.host_digits)),
    ))?;
    judged(&odds)
}

fn judged(odds: &Odds) -> Result<(), Failure> {
    if odds.is_bearable() {
        Ok(())
    } else {
        Err(Failure::usage(
            "guessing is too easy: longer PINs (`account reset-pin`) or a lower pins.wrong-a-day help",
        ))
    }
}
