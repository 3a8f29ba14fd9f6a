//! The `parlance` binary: reads the command line, opens what a command needs, and maps failures to exit codes.
//! Holds no logic of its own.

mod cli;
mod command;
mod output;
mod place;
mod progress;
mod settings;
mod tls;

use std::process::ExitCode;

use crate::cli::Command;
use crate::settings::parse::{self, Parsed, parse};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let form = parse::form(&arguments);
    let parsed = match parse(arguments) {
        Ok(parsed) => parsed,
        Err(stop) => return stop.end(form),
    };
    output::start_logs(&parsed.cli.output);
    match run(parsed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            form.complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(parsed: Parsed) -> parlance_model::Result<()> {
    if let Some(file) = parsed.file.as_ref().filter(|file| file.exposes(&parsed.settings)) {
        tracing::warn!("{} holds a secret and everybody may read it. `chmod 640` keeps it.", file.path.display());
    }
    if matches!(parsed.cli.command, Command::Serve(_) | Command::Config(_)) {
        let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for (name, known) in settings::misspelt(&parsed.settings, variables) {
            tracing::warn!("{name} is no setting. Did you mean {known}?");
        }
    }
    let (place, form) = (&parsed.cli.place, parsed.cli.output.form());
    match parsed.cli.command {
        Command::Serve(options) => command::serve::run(place, &options),
        Command::Demo(options) => command::demo::run(place, form, &options),
        Command::Org(action) => command::org::run(place, form, action),
        Command::User(action) => command::user::run(place, form, action),
        Command::Key(action) => command::key::run(place, form, action),
        Command::Account(action) => command::account::run(place, form, action),
        Command::Audit(action) => command::audit::run(place, form, action),
        Command::Migrate => command::database::migrate(place, form),
        Command::Backup(options) => command::backup::back_up(place, form, options),
        Command::Restore(options) => command::backup::restore(place, form, options),
        Command::Doctor { deep, scratch } => command::database::doctor(place, form, deep, scratch),
        Command::Simulate(what) => command::simulate::run(form, what),
        Command::Torture(options) => command::torture::run(place, form, options),
        Command::Bench(what) => command::bench::run(form, what),
        Command::Config(options) if options.example => command::config::example(form, &parsed.settings),
        Command::Config(_) => command::config::show(form, &parsed.settings, &parsed.matches, parsed.file.as_ref()),
        Command::Completions { shell } => command::shell::completions(shell),
        Command::Man { dir } => command::shell::man(dir.as_deref()),
    }
}
