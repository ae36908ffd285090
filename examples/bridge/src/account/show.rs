//! An account, for the eye and for a program.

use conclave_accounts::{Account, AccountState, HostLeaves, Pin};
use serde_json::{Value, json};

use crate::{
    cli::Common,
    output::{Failure, print, print_json},
};

pub(super) fn show(
    account: &Account,
    common: &Common,
    host: Option<&Pin>,
    guest: Option<&Pin>,
) -> Result<(), Failure> {
    if common.json {
        return print_json(&to_json(account, host, guest));
    }
    let terms = &account.terms;
    let on = |on| if on { "on" } else { "off" };
    print(&format!(
        "Account     {} ({})",
        account.id.0,
        state(account.state)
    ))?;
    print(&format!(
        "Owner       {} <{}>",
        account.owner.name(),
        account.owner.email()
    ))?;
    for (name, word) in [
        ("Department  ", &account.department),
        ("Cost code   ", &account.cost_code),
    ] {
        if let Some(word) = word {
            print(&format!("{name}{word}"))?;
        }
    }
    print(
        &format!("Announces   entry {:?}, exit {:?}", terms.entry, terms.exit)
            .to_lowercase()
            .replace("announces", "Announces"),
    )?;
    print(&format!("Host leaves {}", host_leaves(terms.host_leaves)))?;
    print(&format!(
        "Features    lock {}, consent {}, recording {}{}, bookings {}",
        on(terms.lock),
        on(terms.consent),
        on(terms.recording),
        match terms.recording_tone.as_secs() {
            0 => String::new(),
            every => format!(" (a tone every {every} s)"),
        },
        on(account.bookings)
    ))?;
    let talkers = terms.most_talkers;
    print(&format!(
        "Sound       noisy lines quieted {}, noise turned down {}, voices levelled {}, {} heard at once",
        on(terms.quieting),
        on(terms.noise_suppression),
        on(terms.levelling),
        talkers.map_or("all".to_owned(), |most| most.to_string())
    ))?;
    print(&format!(
        "Limits      {} callers, a Guest waits {} min for a Host",
        terms.max_participants,
        terms.longest_wait.as_secs() / 60
    ))?;
    if let Some(pin) = host {
        print(&format!(
            "Host PIN    {}   (shown this once; for its owner alone)",
            pin.expose()
        ))?;
    }
    if let Some(pin) = guest {
        print(&format!(
            "Guest PIN   {}   (for those who are invited)",
            pin.expose()
        ))?;
    }
    Ok(())
}

pub(super) fn to_json(account: &Account, host: Option<&Pin>, guest: Option<&Pin>) -> Value {
    let mut value = json!({
        "id": account.id.0,
        "owner": { "name": account.owner.name(), "email": account.owner.email() },
        "state": state(account.state),
        "department": account.department,
        "cost_code": account.cost_code,
        "bookings": account.bookings,
        "terms": account.terms,
    });
    for (key, pin) in [("host_pin", host), ("guest_pin", guest)] {
        if let Some(pin) = pin {
            value[key] = json!(pin.expose());
        }
    }
    value
}

fn host_leaves(what: HostLeaves) -> String {
    match what {
        HostLeaves::Continue => "the others go on".into(),
        HostLeaves::Hold => "the others are held until a Host is back".into(),
        HostLeaves::Hangup { grace } if grace.is_zero() => "the others are disconnected".into(),
        HostLeaves::Hangup { grace } => format!(
            "the others are held for {} s, then disconnected",
            grace.as_secs()
        ),
    }
}

pub(super) fn state(state: AccountState) -> &'static str {
    match state {
        AccountState::Active => "active",
        AccountState::Suspended => "suspended",
        AccountState::Closed => "closed",
    }
}
