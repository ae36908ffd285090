//! `conclave-bridge user ...`.

use std::net::SocketAddr;

use clap::{Args, Subcommand, ValueEnum};
use conclave_store::UserRole;

use super::{Common, Part};

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Make a user of the web portal and print the link by which they set their password
    #[command(
        after_help = "Example:\n  conclave-bridge user add ada@example.org --role host\n\nA Host sees the accounts of the same e-mail address, and nothing of others'. The link is good once, for two days;\n`user link` prints another."
    )]
    Add(UserAdd),
    /// List the users
    #[command(after_help = "Example:\n  conclave-bridge user list")]
    List(UserList),
    /// Print a new link by which a user sets a password, such as one who forgot it
    #[command(
        after_help = "Example:\n  conclave-bridge user link ada@example.org\n\nEarlier links are withdrawn. The password of now stays good until the link is used."
    )]
    Link(UserLink),
    /// Give a user another role
    #[command(after_help = "Example:\n  conclave-bridge user role ada@example.org auditor")]
    Role(UserRoleChange),
    /// Shut a user out at once: their sessions end, their link is withdrawn
    #[command(after_help = "Example:\n  conclave-bridge user suspend ada@example.org")]
    Suspend(UserWhich),
    /// Let a suspended user sign in again
    #[command(after_help = "Example:\n  conclave-bridge user resume ada@example.org")]
    Resume(UserWhich),
    /// Take away a user's second factor, such as after the telephone was lost: the password alone lets them in
    #[command(
        after_help = "Example:\n  conclave-bridge user reset-second-factor ada@example.org\n\nMake sure that it is them who ask. Where their role must have a second factor, they set up another one when they sign in."
    )]
    ResetSecondFactor(UserWhich),
    /// Sign a user out wherever they are signed in
    #[command(after_help = "Example:\n  conclave-bridge user sign-out ada@example.org")]
    SignOut(UserWhich),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Sees their own accounts and conferences
    Host,
    /// Customer service: finds everybody's accounts and conferences
    Service,
    /// Sees everything that the portal shows
    Administrator,
    /// Reads reports and the audit log
    Auditor,
}

impl From<Role> for UserRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Host => Self::Host,
            Role::Service => Self::Service,
            Role::Administrator => Self::Administrator,
            Role::Auditor => Self::Auditor,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct UserAdd {
    /// By what they sign in
    #[arg(value_name = "EMAIL")]
    pub(crate) email: String,
    /// What they may do
    #[arg(long, value_enum)]
    pub(crate) role: Role,
    #[command(flatten)]
    pub(crate) there: There,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct UserLink {
    /// By what they sign in
    #[arg(value_name = "EMAIL")]
    pub(crate) email: String,
    #[command(flatten)]
    pub(crate) there: There,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Where the link leads.
#[derive(Debug, Args)]
pub(crate) struct There {
    /// The address that `serve --http` was told, in place of the configured one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct UserList {
    #[command(flatten)]
    pub(crate) part: Part,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct UserWhich {
    /// By what they sign in
    #[arg(value_name = "EMAIL")]
    pub(crate) email: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct UserRoleChange {
    /// By what they sign in
    #[arg(value_name = "EMAIL")]
    pub(crate) email: String,
    /// What they may do from now on
    #[arg(value_enum)]
    pub(crate) role: Role,
    #[command(flatten)]
    pub(crate) common: Common,
}
