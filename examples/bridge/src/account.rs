//! `conclave-bridge account`: accounts and their PINs.

use std::time::Duration;

use conclave_accounts::{
    Account, AccountState, Announce, HostLeaves, Owner, Pin, PinPolicy, Role, Terms,
};
use conclave_store::{Find, NewAccount, Store, StoreError, StoredPin};
use serde_json::{Value, json};

use crate::{
    cli::{self, AccountAdd, Common, ResetPin, WhichPin},
    clock,
    config::Config,
    data::Data,
    output::{Failure, print, print_json},
};

pub(crate) async fn run(command: cli::Account) -> Result<(), Failure> {
    match command {
        cli::Account::Add(add) => self::add(*add).await,
        cli::Account::List(list) => {
            let accounts = existing(&list.common)
                .await?
                .0
                .store
                .accounts(&Find::All)
                .await?;
            if list.common.json {
                let accounts: Vec<_> = accounts
                    .iter()
                    .map(|account| to_json(account, None, None))
                    .collect();
                return print_json(&json!({ "accounts": accounts }));
            }
            if accounts.is_empty() {
                return print(
                    "There are no accounts yet: conclave-bridge account add --name ... --email ...",
                );
            }
            print(&format!(
                "{:>6}  {:<10} {:<28} E-MAIL",
                "ID", "STATE", "NAME"
            ))?;
            for account in accounts {
                let owner = &account.owner;
                print(&format!(
                    "{:>6}  {:<10} {:<28} {}",
                    account.id.0,
                    state(account.state),
                    owner.name(),
                    owner.email()
                ))?;
            }
            Ok(())
        }
        cli::Account::Show(which) => {
            let account = find(&existing(&which.common).await?.0, &which.account).await?;
            show(&account, &which.common, None, None)
        }
        cli::Account::Suspend(which) => set_state(which, AccountState::Suspended).await,
        cli::Account::Resume(which) => set_state(which, AccountState::Active).await,
        cli::Account::ResetPin(reset) => self::reset_pin(reset).await,
    }
}

async fn open(common: &Common) -> Result<(Data, PinPolicy), Failure> {
    let config = Config::load(common.config.as_deref())?;
    Ok((Data::open(&common.data.data).await?, config.pins.policy()))
}

/// For what is done to accounts that are there.
async fn existing(common: &Common) -> Result<(Data, PinPolicy), Failure> {
    let config = Config::load(common.config.as_deref())?;
    Ok((
        Data::existing(&common.data.data).await?,
        config.pins.policy(),
    ))
}

async fn add(add: AccountAdd) -> Result<(), Failure> {
    let owner =
        Owner::new(&add.name, &add.email).map_err(|error| Failure::usage(error.to_string()))?;
    let terms = terms(&add);
    terms
        .validate()
        .map_err(|error| Failure::usage(error.to_string()))?;
    if add.host_grace > 0 && add.host_leaves != cli::HostLeaves::Hangup {
        return Err(Failure::usage(
            "--host-grace works with --host-leaves hangup: without it nobody is disconnected",
        ));
    }
    let (data, policy) = open(&add.common).await?;
    let host = given(add.host_pin.as_deref(), "--host-pin")?;
    let guest = given(add.guest_pin.as_deref(), "--guest-pin")?;
    if host.is_some() && host == guest {
        return Err(Failure::usage(
            "--host-pin and --guest-pin are the same: nobody could tell the Host from a Guest",
        ));
    }
    let mut doors = data.doors_by_policy().await?;
    let mut forced = |pin: &Option<Pin>| match pin {
        None => Ok(false),
        Some(pin) => match policy.accept(pin, &doors) {
            Ok(()) => {
                doors.add_pin(pin);
                Ok(false)
            }
            Err(_) if add.force_weak_pin => Ok(true),
            Err(weak) => Err(Failure::usage(format!(
                "{weak}; --force-weak-pin takes it all the same"
            ))),
        },
    };
    let (host_forced, guest_forced) = (forced(&host)?, forced(&guest)?);
    let draw = Draw::new(&data, &policy).await?;
    for _ in 0..TRIES {
        let host_pin = host
            .as_ref()
            .map_or_else(|| draw.pin(Role::Host), |pin| Ok(pin.clone()))?;
        let guest_pin = guest
            .as_ref()
            .map_or_else(|| draw.pin(Role::Guest), |pin| Ok(pin.clone()))?;
        let new = NewAccount {
            owner: owner.clone(),
            terms: terms.clone(),
            bookings: add.bookings.is_on(),
            host: StoredPin {
                forced: host_forced,
                ..StoredPin::host(&host_pin, &data.keys)
            },
            guest: StoredPin {
                forced: guest_forced,
                ..StoredPin::guest(&guest_pin, &data.keys, rand::random())
            },
        };
        match data.store.add_account(new, clock::wall()).await {
            Ok(account) => return show(&account, &add.common, Some(&host_pin), Some(&guest_pin)),
            Err(StoreError::PinTaken) if host.is_none() || guest.is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::PinTaken.into())
}

async fn reset_pin(reset: ResetPin) -> Result<(), Failure> {
    let (data, policy) = existing(&reset.common).await?;
    let account = find(&data, &reset.account).await?;
    let draw = Draw::new(&data, &policy).await?;
    let mut pins = [None, None];
    for (role, pin) in [Role::Host, Role::Guest].into_iter().zip(&mut pins) {
        let wanted = match reset.which {
            WhichPin::Both => true,
            WhichPin::Host => role == Role::Host,
            WhichPin::Guest => role == Role::Guest,
        };
        if wanted {
            *pin = Some(draw.and_set(&account, role).await?);
        }
    }
    let [host, guest] = pins;
    show(&account, &reset.common, host.as_ref(), guest.as_ref())
}

/// Draws PINs of the length that the accounts there are ask for.
struct Draw<'a> {
    data: &'a Data,
    host_digits: u8,
    guest_digits: u8,
}

/// A drawn PIN is taken with a chance of the number of accounts in 10⁹: more misses in a row are no accident.
const TRIES: usize = 20;

impl<'a> Draw<'a> {
    async fn new(data: &'a Data, policy: &PinPolicy) -> Result<Self, Failure> {
        let doors = data.doors_by_policy().await?;
        let digits = |role| {
            policy.digits_for(role, &doors).ok_or_else(|| {
                Failure::usage("so many PINs are in use that none is long enough to be hard to guess: lower pins.wrong-a-day")
            })
        };
        Ok(Self {
            data,
            host_digits: digits(Role::Host)?,
            guest_digits: digits(Role::Guest)?,
        })
    }

    fn pin(&self, role: Role) -> Result<Pin, Failure> {
        let digits = match role {
            Role::Host => self.host_digits,
            Role::Guest => self.guest_digits,
        };
        Pin::draw(digits, &mut rand::rng()).map_err(|error| Failure::usage(error.to_string()))
    }

    async fn and_set(&self, account: &Account, role: Role) -> Result<Pin, Failure> {
        for _ in 0..TRIES {
            let pin = self.pin(role)?;
            let keys = &self.data.keys;
            let stored = match role {
                Role::Host => StoredPin::host(&pin, keys),
                Role::Guest => StoredPin::guest(&pin, keys, rand::random()),
            };
            match self
                .data
                .store
                .reset_pin(account.id, role, stored, clock::wall())
                .await
            {
                Ok(()) => return Ok(pin),
                Err(StoreError::PinTaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::PinTaken.into())
    }
}

fn given(typed: Option<&str>, flag: &str) -> Result<Option<Pin>, Failure> {
    typed
        .map(Pin::parse)
        .transpose()
        .map_err(|error| Failure::usage(format!("{flag}: {error}")))
}

fn terms(add: &AccountAdd) -> Terms {
    let announce = |how| match how {
        cli::Announce::None => Announce::None,
        cli::Announce::Tone => Announce::Tone,
        cli::Announce::Name => Announce::Name,
    };
    Terms {
        lock: add.lock.is_on(),
        consent: add.consent.is_on(),
        recording: add.recording.is_on(),
        entry: announce(add.entry),
        exit: announce(add.exit),
        host_leaves: match add.host_leaves {
            cli::HostLeaves::Continue => HostLeaves::Continue,
            cli::HostLeaves::Hold => HostLeaves::Hold,
            cli::HostLeaves::Hangup => HostLeaves::Hangup {
                grace: Duration::from_secs(add.host_grace),
            },
        },
        ..Terms::default()
    }
}

async fn set_state(which: cli::AccountId, state: AccountState) -> Result<(), Failure> {
    let (data, _) = existing(&which.common).await?;
    let account = find(&data, &which.account).await?;
    data.store
        .set_state(account.id, state, clock::wall())
        .await?;
    show(&Account { state, ..account }, &which.common, None, None)
}

/// The one account that is meant.
async fn find(data: &Data, typed: &str) -> Result<Account, Failure> {
    let which = Find::parse(typed);
    // Part of a name is too little to suspend somebody by.
    if !matches!(which, Find::Id(_) | Find::Email(_)) {
        return Err(Failure::usage(format!(
            "'{typed}' is neither the number of an account nor the e-mail address of its owner"
        )));
    }
    let mut accounts = data.store.accounts(&which).await?;
    match accounts.len() {
        0 => Err(Failure::usage(format!(
            "no account is '{typed}'; `conclave-bridge account list` shows them all"
        ))),
        1 => Ok(accounts.remove(0)),
        count => {
            let ids: Vec<_> = accounts
                .iter()
                .take(10)
                .map(|account| account.id.0.to_string())
                .collect();
            Err(Failure::usage(format!(
                "{count} accounts are '{typed}': name one by its number ({})",
                ids.join(", ")
            )))
        }
    }
}

fn show(
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
    print(
        &format!("Announces   entry {:?}, exit {:?}", terms.entry, terms.exit)
            .to_lowercase()
            .replace("announces", "Announces"),
    )?;
    print(&format!("Host leaves {}", host_leaves(terms.host_leaves)))?;
    print(&format!(
        "Features    lock {}, consent {}, recording {}, bookings {}",
        on(terms.lock),
        on(terms.consent),
        on(terms.recording),
        on(account.bookings)
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

fn to_json(account: &Account, host: Option<&Pin>, guest: Option<&Pin>) -> Value {
    let mut value = json!({
        "id": account.id.0,
        "owner": { "name": account.owner.name(), "email": account.owner.email() },
        "state": state(account.state),
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

fn state(state: AccountState) -> &'static str {
    match state {
        AccountState::Active => "active",
        AccountState::Suspended => "suspended",
        AccountState::Closed => "closed",
    }
}
