//! `cargo xtask ci`: the whole gate, step by step; the first failure ends it.

use std::time::Instant;

use crate::shell::{Result, build_release, cargo, run as run_command, seconds, step};
use crate::{deny, test, tidy};

/// A name and what to run.
type Step = (&'static str, fn() -> Result);

/// Cheap steps come first.
const STEPS: &[Step] = &[
    ("format", format),
    ("tidy", tidy::run),
    ("dependencies", deny::run),
    ("clippy", clippy),
    ("docs", docs),
    ("tests", tests),
    ("release binary", build_release),
];

/// Runs every step, then lists their times.
pub(crate) fn run() -> Result {
    let mut times = Vec::new();
    for (name, work) in STEPS {
        let begun = Instant::now();
        step(name, work)?;
        times.push(format!("{name} {}", seconds(begun.elapsed())));
    }
    eprintln!("the gate is green: {}", times.join(", "));
    Ok(())
}

fn format() -> Result {
    run_command(&mut cargo(&["fmt", "--all", "--check"]))
}

fn clippy() -> Result {
    run_command(&mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
}

fn docs() -> Result {
    run_command(cargo(&["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn tests() -> Result {
    test::run(&test::Options::default())
}
