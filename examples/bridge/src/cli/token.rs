//! `conclave-bridge token ...`.

use clap::{Args, Subcommand};
use conclave_store::Scope;

use super::{Common, Part};

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token for a program that uses the HTTP API, and print it this once
    #[command(
        after_help = "Example:\n  conclave-bridge token add ada@example.org --name calendar --scope bookings:read --scope bookings:write --days 90\n\nThe program does in the user's name what its scopes say, as far as the user's role may."
    )]
    Add(TokenAdd),
    /// List the tokens; what proves them is not kept
    #[command(after_help = "Example:\n  conclave-bridge token list")]
    List(TokenList),
    /// Make a token good for nothing
    #[command(after_help = "Example:\n  conclave-bridge token revoke 3")]
    Revoke(TokenRevoke),
}

#[derive(Debug, Args)]
pub(crate) struct TokenAdd {
    /// In whose name: the e-mail address of a user
    #[arg(value_name = "EMAIL")]
    pub(crate) email: String,
    /// What it is for
    #[arg(long, value_name = "TEXT", value_parser = name)]
    pub(crate) name: String,
    /// What the program may do (repeatable), such as bookings:read
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    pub(crate) scopes: Vec<Scope>,
    /// How long it is good for [default: until it is revoked]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: Option<u32>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct TokenList {
    #[command(flatten)]
    pub(crate) part: Part,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct TokenRevoke {
    /// Its number
    #[arg(value_name = "TOKEN")]
    pub(crate) id: u64,
    #[command(flatten)]
    pub(crate) common: Common,
}

fn name(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let fits = (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
        .ok_or("1 to 100 printable characters on one line")
}
