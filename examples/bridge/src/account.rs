//! `conclave-bridge account`: accounts and their PINs.

mod change;
mod import;
mod make;
mod show;

use conclave_accounts::{Account, AccountState, Role};
use conclave_store::{Find, Page, Store};
use serde_json::json;

use crate::{
    cli::{self, AccountId, AccountList, AccountShow, Place, ResetPin, WhichPin},
    config::Config,
    data::Data,
    output::{Failure, print, print_json},
};
use show::{show, state, to_json};

pub(crate) async fn run(command: cli::Account) -> Result<(), Failure> {
    match command {
        cli::Account::Add(add) => make::add(*add).await,
        cli::Account::Import(import) => import::run(import).await,
        cli::Account::Change(change) => change::run(*change).await,
        cli::Account::List(list) => self::list(list).await,
        cli::Account::Show(which) => self::show_one(which).await,
        cli::Account::Suspend(which) => set_state(which, AccountState::Suspended).await,
        cli::Account::Resume(which) => set_state(which, AccountState::Active).await,
        cli::Account::Close(close) if close.yes => {
            set_state(close.which, AccountState::Closed).await
        }
        cli::Account::Close(close) => Err(Failure::usage(format!(
            "a closed account stays closed and its bookings are cancelled: `account suspend {0}` can be undone, `account close {0} --yes` can't",
            close.which.account
        ))),
        cli::Account::ResetPin(reset) => self::reset_pin(reset).await,
    }
}

pub(crate) async fn open(place: &Place) -> Result<(Data, Config), Failure> {
    let config = Config::load(place.config.as_deref())?;
    Ok((Data::open(&place.data.data, &config).await?, config))
}

/// For what is done to what is there.
pub(crate) async fn existing(place: &Place) -> Result<(Data, Config), Failure> {
    let config = Config::load(place.config.as_deref())?;
    Ok((Data::existing(&place.data.data, &config).await?, config))
}

/// The one account that is meant.
pub(crate) async fn find(data: &Data, typed: &str) -> Result<Account, Failure> {
    let which = Find::parse(typed);
    // Part of a name is too little to suspend somebody by.
    if !matches!(which, Find::Id(_) | Find::Email(_)) {
        return Err(Failure::usage(format!(
            "'{typed}' is neither the number of an account nor the e-mail address of its owner"
        )));
    }
    let mut accounts = data.store.accounts(&which, Page::first(11)).await?;
    match accounts.len() {
        0 => Err(Failure::usage(format!(
            "no account is '{typed}'; `conclave-bridge account list` shows them all"
        ))),
        1 => Ok(accounts.remove(0)),
        _ => {
            let ids: Vec<_> = accounts
                .iter()
                .map(|account| account.id.0.to_string())
                .collect();
            Err(Failure::usage(format!(
                "several accounts are '{typed}': name one by its number ({})",
                ids.join(", ")
            )))
        }
    }
}

async fn list(list: AccountList) -> Result<(), Failure> {
    let (data, _) = existing(&list.common.place).await?;
    let find = list.find.map_or(Find::All, Find::Text);
    let page = Page {
        after: list.part.after,
        limit: list.part.limit.unwrap_or(Page::MOST),
    };
    let accounts = data.store.accounts(&find, page).await?;
    if list.common.json {
        let accounts: Vec<_> = accounts
            .iter()
            .map(|account| to_json(account, None, None))
            .collect();
        return print_json(&json!({ "accounts": accounts }));
    }
    if accounts.is_empty() {
        return print(if find == Find::All && page.after == 0 {
            "There are no accounts yet: conclave-bridge account add --name ... --email ..."
        } else {
            "There are no such accounts."
        });
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

async fn show_one(which: AccountShow) -> Result<(), Failure> {
    let (data, config) = existing(&which.common.place).await?;
    let account = find(&data, &which.account).await?;
    let guest = if which.show_guest_pin {
        let pin = data.desk(&config).guest_pin(account.id).await?;
        Some(pin.ok_or_else(|| {
            Failure::usage(format!(
                "no Guest PIN of {0} is kept that could be shown: `account reset-pin {0} --which guest` draws one",
                account.id.0
            ))
        })?)
    } else {
        None
    };
    show(&account, &which.common, None, guest.as_ref())
}

async fn set_state(which: AccountId, to: AccountState) -> Result<(), Failure> {
    let (data, _) = existing(&which.common.place).await?;
    let account = find(&data, &which.account).await?;
    data.store.set_state(account.id, to, &data.act()).await?;
    show(
        &Account {
            state: to,
            ..account
        },
        &which.common,
        None,
        None,
    )
}

async fn reset_pin(reset: ResetPin) -> Result<(), Failure> {
    let (data, config) = existing(&reset.common.place).await?;
    let account = find(&data, &reset.account).await?;
    let desk = data.desk(&config);
    let mut pins = [None, None];
    for (role, pin) in [Role::Host, Role::Guest].into_iter().zip(&mut pins) {
        let wanted = match reset.which {
            WhichPin::Both => true,
            WhichPin::Host => role == Role::Host,
            WhichPin::Guest => role == Role::Guest,
        };
        if wanted {
            *pin = Some(desk.reset_pin(account.id, role, &data.act()).await?);
        }
    }
    let [host, guest] = pins;
    show(&account, &reset.common, host.as_ref(), guest.as_ref())
}
