//! The `parlance` binary: reads the command line, opens what a command needs, and maps failures to exit codes.
//! Holds no logic of its own.

mod cli;
mod command;
mod output;
mod place;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    // Usage errors end here, with exit code 2.
    let cli = Cli::parse();
    output::start_logs();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> parlance_model::Result<()> {
    let Cli { place, command } = cli;
    match command {
        Command::Serve(options) => command::serve::run(&place, &options),
        Command::Demo(options) => command::demo::run(&place, &options),
        Command::Org(action) => command::directory::org(&place, action),
        Command::User(action) => command::directory::user(&place, action),
        Command::Key(action) => command::directory::key(&place, action),
        Command::Account(action) => command::directory::account(&place, action),
        Command::Migrate => command::database::migrate(&place),
        Command::Doctor { deep } => command::database::doctor(&place, deep),
        Command::Simulate(what) => command::simulate::run(what),
    }
}
