//! `conclave-bridge token`: what programs prove themselves by at the HTTP API.

use chrono::TimeDelta;
use conclave_portal::TOKEN_PREFIX;
use conclave_store::{ApiToken, ApiTokenId, NewApiToken, Page, Store, Token};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    account::existing,
    cli::{self, TokenAdd, TokenList, TokenRevoke},
    clock,
    output::{Failure, print, print_json},
    user::find,
};

pub(crate) async fn run(command: cli::Token) -> Result<(), Failure> {
    match command {
        cli::Token::Add(add) => self::add(add).await,
        cli::Token::List(list) => self::list(list).await,
        cli::Token::Revoke(which) => revoke(which).await,
    }
}

async fn add(add: TokenAdd) -> Result<(), Failure> {
    let (data, _) = existing(&add.common.place).await?;
    let user = find(&data, &add.email).await?;
    let token = Token::draw(&mut StdRng::from_rng(&mut rand::rng()));
    let new = NewApiToken {
        user: user.id,
        name: add.name,
        token: token.hash(),
        scopes: add.scopes,
        ends: add
            .days
            .map(|days| clock::wall() + TimeDelta::days(days.into())),
    };
    let made = data.store.add_api_token(&new, &data.act()).await?;
    let text = format!("{TOKEN_PREFIX}{}", *token.expose());
    if add.common.json {
        let mut shown = to_json(&made);
        shown["token"] = json!(text);
        return print_json(&shown);
    }
    print(&format!("{} of {}, shown this once:", made.id, user.email))?;
    print(&format!("  {text}"))
}

async fn list(list: TokenList) -> Result<(), Failure> {
    let (data, _) = existing(&list.common.place).await?;
    let page = Page {
        after: list.part.after,
        limit: list.part.limit.unwrap_or(Page::MOST),
    };
    let tokens = data.store.api_tokens(None, page).await?;
    if list.common.json {
        let tokens: Vec<_> = tokens.iter().map(to_json).collect();
        return print_json(&json!({ "tokens": tokens }));
    }
    if tokens.is_empty() {
        return print(
            "There are no tokens: conclave-bridge token add ada@example.org --name calendar --scope bookings:read",
        );
    }
    print(&format!(
        "{:>6}  {:<28} {:<20} {:<10} SCOPES",
        "ID", "USER", "NAME", "ENDS"
    ))?;
    for token in tokens {
        let ends = token.ends.map(|ends| ends.format("%Y-%m-%d").to_string());
        print(&format!(
            "{:>6}  {:<28} {:<20} {:<10} {}",
            token.id.0,
            token.user.email.as_str(),
            token.name,
            ends.as_deref().unwrap_or("never"),
            words(&token).join(" ")
        ))?;
    }
    Ok(())
}

async fn revoke(which: TokenRevoke) -> Result<(), Failure> {
    let (data, _) = existing(&which.common.place).await?;
    let id = ApiTokenId(which.id);
    data.store.revoke_api_token(id, &data.act()).await?;
    if which.common.json {
        return print_json(&json!({ "id": which.id }));
    }
    print(&format!("{id} is good for nothing any more"))
}

fn words(token: &ApiToken) -> Vec<&'static str> {
    token.scopes.iter().map(|scope| scope.word()).collect()
}

fn to_json(token: &ApiToken) -> Value {
    json!({
        "id": token.id.0, "user": token.user.email, "name": token.name, "scopes": words(token),
        "made": token.made, "used": token.used, "ends": token.ends,
    })
}
