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
mod log;
mod mail;
mod metrics;
mod odds;
mod output;
mod person;
mod post;
mod prompts;
mod recording;
mod report;
mod serve;
mod shell;
mod spans;
mod telemetry;
mod tls;
mod token;
mod user;
mod webhook;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command, ConfigCommand};
use config::Config;
use output::{Failure, print};

fn main() -> ExitCode {
    let cli = Cli::parse();
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
    // A bridge that serves starts the log itself: its configuration says whether it is traced, too.
    if !matches!(command, Command::Serve(_)) {
        log::start(None);
    }
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

fn fail(failure: &Failure) -> ExitCode {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "conclave-bridge: {}", failure.message);
    ExitCode::from(failure.status)
}
