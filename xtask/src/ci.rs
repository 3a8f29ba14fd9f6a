//! `cargo xtask ci`: the whole gate, step by step; the first failure ends it.

use std::time::Instant;

use crate::shell::{Result, build_release, cargo, release_binary, run as run_command, seconds, step};
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
    ("no failpoints in it", without_failpoints),
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

/// What a build has that can be made to end, or to lie, at a step (`crates/model/src/failpoint.rs`).
const FAILPOINT: &[u8] = b"PARLANCE_FAILPOINT";

/// Tests are built with failpoints, and a release must not be.
fn without_failpoints() -> Result {
    let binary = release_binary();
    let content = std::fs::read(&binary).map_err(|error| format!("{}: {error}", binary.display()))?;
    if has_failpoints(&content) { Err(format!("{} has failpoints", binary.display()).into()) } else { Ok(()) }
}

fn has_failpoints(binary: &[u8]) -> bool {
    binary.windows(FAILPOINT.len()).any(|bytes| bytes == FAILPOINT)
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

#[cfg(test)]
mod tests {
    use super::has_failpoints;

    #[test]
    fn the_failpoints_of_a_binary_are_found() {
        assert!(has_failpoints(b"\x7fELF... PARLANCE_FAILPOINT\0answers-early"));
        assert!(!has_failpoints(b"\x7fELF... PARLANCE_LISTEN\0"));
    }
}
