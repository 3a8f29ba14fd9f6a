//! The project's own commands: `cargo xtask demo`, `test`, `ci` and `tidy`.
//!
//! Each command is a file. What a command found goes to standard output, its progress to standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its terminal")]

mod ci;
mod demo;
mod deny;
mod packages;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::Parser;

/// Parlance's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Builds Parlance and serves it with sample data and a simulated Twilio on http://127.0.0.1:8080
    Demo(demo::Options),
    /// Installs what the tests need and runs every test, on SQLite and on PostgreSQL
    Test(test::Options),
    /// Runs the whole gate: format, clippy, docs, dependencies, tidy, tests
    Ci,
    /// Checks the rules of the house that a machine can check
    Tidy,
}

fn main() -> ExitCode {
    let command = Command::parse();
    match run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> shell::Result {
    std::env::set_current_dir(shell::root())?;
    match command {
        Command::Demo(options) => demo::run(options),
        Command::Test(options) => test::run(options),
        Command::Ci => ci::run(),
        Command::Tidy => tidy::run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Command;

    #[test]
    fn the_command_line_is_consistent() {
        Command::command().debug_assert();
    }

    #[test]
    fn the_demo_takes_the_servers_flags_as_they_are() {
        let Command::Demo(options) = Command::parse_from(["xtask", "demo", "--listen", "127.0.0.1:9000", "--data=d"]) else {
            panic!("another command")
        };
        assert_eq!(options.args, ["--listen", "127.0.0.1:9000", "--data=d"]);
    }

    #[test]
    fn what_follows_two_dashes_is_passed_on_untouched() {
        let Command::Test(options) = Command::parse_from(["xtask", "test", "--", "-p", "parlance-model", "--", "--nocapture"]) else {
            panic!("another command")
        };
        assert_eq!(options.args, ["-p", "parlance-model", "--", "--nocapture"]);
    }
}
