//! `cargo xtask test`: everything the tests need, then every suite, then the counts.
//!
//! A suite is a function in [`SUITES`]. It reads what it needs from the [`Environment`] and adds to the [`Tally`].

mod environment;
mod judges;
mod store_cases;
mod tally;
mod typescript;

use self::environment::Environment;
use self::store_cases::StoreCases;
use self::tally::Tally;
use crate::shell::{Result, cargo, run_reading, step};

/// What to run.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Run this suite alone, `rust`, `judges` or `typescript`: a partial run, which demands nothing of the store cases
    #[arg(long, value_parser = SUITES.map(|suite| suite.name))]
    suite: Option<String>,
    /// Passed to `cargo test`: a partial run of the `rust` suite
    #[arg(last = true)]
    pub(crate) args: Vec<String>,
}

/// A kind of tests.
struct Suite {
    name: &'static str,
    run: fn(&Environment, &Options, &mut Tally) -> Result,
}

/// In the order in which they run. A browser's tests or another SDK's judge are a line here.
const SUITES: [Suite; 3] =
    [Suite { name: RUST, run: cargo_test }, Suite { name: "judges", run: judges::run }, Suite { name: "typescript", run: typescript::run }];

/// The suite that arguments are for.
const RUST: &str = "rust";

/// Runs the suites, all of them even if one fails, and closes with the counts on standard output.
pub(crate) fn run(options: &Options) -> Result {
    let chosen = options.suite.as_deref().or((!options.args.is_empty()).then_some(RUST));
    let environment = Environment::prepare(options.args.is_empty())?;
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    for suite in SUITES.iter().filter(|suite| chosen.is_none_or(|name| name == suite.name)) {
        if let Err(error) = step(suite.name, || (suite.run)(&environment, options, &mut tally)) {
            failures.push(format!("{}: {error}", suite.name));
        }
    }
    let cases = StoreCases::read(environment.cases_file())?;
    drop(environment);
    if tally.failed > 0 {
        failures.push(format!("failed tests: {}", tally.failed));
    }
    if tally.passed == 0 {
        failures.push("no test ran".to_owned());
    }
    if chosen.is_none() {
        failures.extend(cases.complaints());
    }
    println!("{tally}");
    println!("{cases}");
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n       ").into()) }
}

/// The Rust tests of the workspace. A failing binary does not hide what the others say.
fn cargo_test(environment: &Environment, options: &Options, tally: &mut Tally) -> Result {
    let mut command = cargo(&["test", "--locked", "--no-fail-fast"]);
    if !selects_packages(&options.args) {
        command.arg("--workspace");
    }
    command.args(&options.args);
    environment.give_to(&mut command);
    run_reading(&mut command, |line| tally.read(line))
}

/// `--workspace` would win over the packages that somebody asked for.
fn selects_packages(args: &[String]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| arg.starts_with("-p") || arg.starts_with("--package"))
}

#[cfg(test)]
mod tests {
    use super::selects_packages;

    #[test]
    fn packages_are_looked_for_before_the_second_dashes_only() {
        let args = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(selects_packages(&args("-p parlance-model")));
        assert!(selects_packages(&args("--package=parlance-model a_name")));
        assert!(!selects_packages(&args("a_name -- -p")));
    }
}
