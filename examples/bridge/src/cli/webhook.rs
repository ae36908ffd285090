//! `conclave-bridge webhook ...`.

use clap::{Args, Subcommand};
use conclave_store::HookEvent;

use super::{Common, Part};

#[derive(Debug, Subcommand)]
pub(crate) enum Webhook {
    /// Have an address told of what happens, and print once what signs it
    #[command(
        after_help = "Example:\n  conclave-bridge webhook add ada@example.org --url https://example.org/hook --event call.joined --event call.left\n\nAn administrator is told of all accounts, a host of their own. Events: conference.started, conference.ended, call.joined,\ncall.left, booking.made, booking.changed, booking.cancelled. They are signed as Standard Webhooks says: the header\nwebhook-signature holds the HMAC-SHA-256 of webhook-id, webhook-timestamp and the body."
    )]
    Add(WebhookAdd),
    /// List the webhooks
    #[command(after_help = "Example:\n  conclave-bridge webhook list")]
    List(WebhookList),
    /// List what a webhook was told and is to be told, the newest first
    #[command(after_help = "Example:\n  conclave-bridge webhook deliveries 3 --limit 20")]
    Deliveries(WebhookDeliveries),
    /// Switch a webhook on again that took nothing for days
    #[command(after_help = "Example:\n  conclave-bridge webhook enable 3")]
    Enable(WebhookWhich),
    /// Tell an address nothing any more
    #[command(after_help = "Example:\n  conclave-bridge webhook remove 3")]
    Remove(WebhookWhich),
}

#[derive(Debug, Args)]
pub(crate) struct WebhookAdd {
    /// Whose: the e-mail address of a user who is administrator or host
    #[arg(value_name = "EMAIL")]
    pub(crate) email: String,
    /// Where: https://, or http:// on this machine
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    /// Of what (repeatable), such as call.joined
    #[arg(long = "event", value_name = "EVENT", required = true)]
    pub(crate) events: Vec<HookEvent>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct WebhookList {
    #[command(flatten)]
    pub(crate) part: Part,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct WebhookWhich {
    /// Its number
    #[arg(value_name = "WEBHOOK")]
    pub(crate) id: u64,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct WebhookDeliveries {
    /// Its number
    #[arg(value_name = "WEBHOOK")]
    pub(crate) id: u64,
    #[command(flatten)]
    pub(crate) part: Part,
    #[command(flatten)]
    pub(crate) common: Common,
}
