//! A conference bridge for telephones: configuration, wiring and signals around the Conclave libraries.

mod access;
mod account;
mod alarm;
mod backup;
mod booking;
mod cli;
mod clock;
mod config;
mod data;
mod demo;
mod housekeeping;
mod keyring;
mod keys;
mod live;
mod mail;
mod metrics;
mod odds;
mod output;
mod person;
mod prompts;
mod recording;
mod report;
mod serve;
mod shell;
mod tls;
mod token;
mod user;
mod webhook;

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use tracing_subscriber::{EnvFilter, filter::Targets, prelude::*};

use cli::{Cli, Command, ConfigCommand};
use config::Config;
use output::{Failure, print};

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::machine(format!("cannot start: {error}"))),
    };
    match runtime.block_on(run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Account(command) => account::run(command).await,
        Command::Booking(command) => booking::run(command).await,
        Command::Token(command) => token::run(command).await,
        Command::User(command) => user::run(command).await,
        Command::Webhook(command) => webhook::run(command).await,
        Command::Report(command) => report::run(command).await,
        Command::Recording(command) => recording::run(command).await,
        Command::Config(ConfigCommand::PrintDefault) => print(config::DEFAULT.trim_end()),
        Command::Config(ConfigCommand::Check { file }) => {
            let config = Config::load(Some(&file))?;
            serve::sip_config(&config).map_err(Failure::usage)?;
            access::AccessNumbers::new(&config.access_numbers).map_err(Failure::usage)?;
            prompts::load(config.prompts.directory.as_deref())?;
            print(&format!("{} is right", file.display()))
        }
        Command::Odds(arguments) => odds::run(arguments).await,
        Command::Person(command) => person::run(command).await,
        Command::Keys(command) => keys::run(command).await,
        Command::Backup(arguments) => backup::backup(arguments).await,
        Command::Restore(arguments) => backup::restore(arguments).await,
        Command::Alarm(command) => alarm::run(command).await,
    }
}

/// Logs go to standard error; `RUST_LOG` sets what is logged.
fn log_to_stderr() {
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    let (filter, wrong) = match EnvFilter::try_new(&wanted) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .with(quiet_stack())
        .init();
    if let Some(error) = wrong {
        tracing::warn!("RUST_LOG is not understood, so the level is info: {error}");
    }
}

/// Whatever `RUST_LOG` says, the SIP stack's own log of whole messages stays out: they carry credentials and digits.
fn quiet_stack() -> Targets {
    format!("trace,{}", conclave_sip::QUIET_STACK)
        .parse()
        .unwrap_or_else(|_| Targets::new().with_default(tracing::Level::WARN))
}

fn fail(failure: &Failure) -> ExitCode {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "conclave-bridge: {}", failure.message);
    ExitCode::from(failure.status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn the_stack_is_quiet_and_nothing_else_is() {
        let targets = quiet_stack();
        assert!(targets.would_enable("rsipstack::transaction::endpoint", &Level::WARN));
        assert!(!targets.would_enable("rsipstack::transaction::endpoint", &Level::INFO));
        assert!(targets.would_enable("conclave_bridge::shell", &Level::TRACE));
    }
}
