//! `conclave-bridge alarm`: the watch on guessing, as an operator sees it.

use chrono::{DateTime, SecondsFormat, Utc};
use conclave_accounts::{Ceiling, ConferenceKey, Role};
use conclave_store::{Porter, Store};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::{
    account::existing,
    cli::{self, Common},
    clock,
    output::{Failure, print, print_json},
};

pub(crate) async fn run(command: cli::Alarm) -> Result<(), Failure> {
    match command {
        cli::Alarm::Show(common) => self::show(common).await,
        cli::Alarm::End(common) => self::end(common).await,
    }
}

async fn show(common: Common) -> Result<(), Failure> {
    let (data, config) = existing(&common.place).await?;
    let policy = config.pins.policy();
    let (now, random) = (clock::wall(), StdRng::from_rng(&mut rand::rng()));
    let porter = Porter::open(data.store, policy.clone(), Box::new(random), now).await?;
    porter.handle_timeout(now);
    let watch = porter.with_doorkeeper(|doorkeeper| Watch {
        wrong: doorkeeper.throttle().count_today(Ceiling::WrongPins),
        mistyped: doorkeeper.throttle().count_today(Ceiling::TypingErrors),
        since: doorkeeper.consent_since(),
        mistyped_since: doorkeeper.throttle().consent(Ceiling::TypingErrors),
        suspects: doorkeeper.suspects().collect(),
    });
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    if common.json {
        let suspects = watch.suspects.iter().map(|(account, conference, role)| {
            let booking = match conference {
                ConferenceKey::Booking(booking) => Some(booking.0),
                ConferenceKey::Account(_) => None,
            };
            json!({ "account": account.0, "booking": booking, "role": role })
        });
        return print_json(&json!({
            "wrong_pins_today": watch.wrong, "typing_errors_today": watch.mistyped, "ceiling_per_day": policy.ceiling,
            "consent_since": watch.since.map(time), "typing_consent_since": watch.mistyped_since.map(time),
            "suspects": suspects.collect::<Vec<_>>(),
        }));
    }
    print(&format!(
        "Wrong PINs in the last day: {} (consent comes on at {}); typing errors: {}.",
        watch.wrong, policy.ceiling, watch.mistyped
    ))?;
    match watch.since {
        Some(since) => print(&format!(
            "Consent is on since {}: callers whose number isn't known wait for a human's word. It ends by itself after a quiet day; `alarm end` ends it now.",
            time(since)
        ))?,
        None => print("Consent is off: a right PIN opens its door.")?,
    }
    if let Some(since) = watch.mistyped_since {
        print(&format!(
            "PINs without a check digit (migrated ones) are by consent since {}.",
            time(since)
        ))?;
    }
    for (account, conference, role) in &watch.suspects {
        let (what, remedy) = match conference {
            ConferenceKey::Account(_) => (
                account.to_string(),
                format!("`account reset-pin {}` draws another", account.0),
            ),
            ConferenceKey::Booking(booking) => (
                booking.to_string(),
                format!(
                    "`booking cancel {}` ends it, if nobody vouches for the callers",
                    booking.0
                ),
            ),
        };
        let role = match role {
            Role::Host => "Host",
            Role::Guest => "Guest",
        };
        print(&format!(
            "The {role} PIN of {what} may have been guessed: {remedy}."
        ))?;
    }
    Ok(())
}

struct Watch {
    wrong: u32,
    mistyped: u32,
    since: Option<DateTime<Utc>>,
    mistyped_since: Option<DateTime<Utc>>,
    suspects: Vec<(conclave_accounts::AccountId, ConferenceKey, Role)>,
}

async fn end(common: Common) -> Result<(), Failure> {
    let (data, _) = existing(&common.place).await?;
    data.store.end_consent(&data.act()).await?;
    if common.json {
        return print_json(&json!({ "ended": true }));
    }
    print(
        "Consent is off in all bridges of this database within a second. `alarm show` names the PINs to be changed.",
    )
}
