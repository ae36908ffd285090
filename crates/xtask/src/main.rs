//! Set-up, tests, prompts and the long campaigns of this workspace: what other projects keep in
//! shell scripts, in Rust, so that it runs, fails and explains itself alike everywhere.
//!
//! It is *not* part of the bridge; nothing here is shipped.

// A program for a terminal: printing is its job.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod api;
mod audio;
#[path = "../../../examples/bridge/tests/common/browser.rs"]
#[allow(clippy::unwrap_used, reason = "written for tests")]
mod browser;
mod consoles;
mod load;
mod long;
mod noise;
mod prompts;
mod run;
mod setup;
mod soak;
mod talk_off;
mod test;
mod tick_cost;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Set-up, tests, prompts and the long campaigns of Conclave.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    after_help = "Day to day: `cargo xtask test`. It sets up what it needs."
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install the programs that the tests call (Debian and its kin; needs root only if one is missing)
    Setup,
    /// Everything that must pass before a change lands: set-up, format, lints, tests, features, docs
    Test,
    /// Make the English prompts, the tones and the hold music anew (needs Debian's flite)
    Prompts,
    /// Run a campaign that takes too long for every change; without a name, list them
    #[command(after_help = long::listing())]
    Long {
        /// Which campaign
        name: Option<String>,
        /// What the campaign itself takes
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Setup => setup::setup(),
        Task::Test => test::test(),
        Task::Prompts => prompts::make(),
        Task::Long { name: None, .. } => {
            println!("{}", long::listing());
            Ok(())
        }
        Task::Long {
            name: Some(name),
            arguments,
        } => long::run(&name, &arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
