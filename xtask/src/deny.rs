//! The audit of our dependencies by cargo-deny, and cargo-deny itself. The policy is `deny.toml`.

use std::path::PathBuf;
use std::process::Command;

use crate::shell::{Result, cargo, run as run_command, succeeds, target};

/// One version for everyone, so that the policy means the same everywhere.
const VERSION: &str = "0.20.2";

/// Bans, licences and sources always; advisories where their database can be had.
pub(crate) fn run() -> Result {
    let program = installed()?;
    run_command(Command::new(&program).args(["--locked", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    if succeeds(Command::new(&program).args(["fetch", "db"])) {
        run_command(Command::new(&program).args(["--locked", "check", "--disable-fetch", "advisories"]))
    } else {
        eprintln!("ADVISORIES WERE NOT CHECKED: the RustSec database cannot be fetched from here. Run this again where it can.");
        Ok(())
    }
}

/// The path of cargo-deny, built once into the target folder.
fn installed() -> Result<PathBuf> {
    let tools = target().join("tools");
    let program = tools.join("bin/cargo-deny");
    let version = Command::new(&program).arg("--version").output();
    if !version.is_ok_and(|output| output.stdout.trim_ascii().ends_with(VERSION.as_bytes())) {
        eprintln!("installing cargo-deny {VERSION}; this takes some minutes, once");
        let mut install = cargo(&["install", "cargo-deny", "--locked", "--version", VERSION, "--root"]);
        run_command(install.arg(&tools)).map_err(|error| format!("dependencies cannot be audited without cargo-deny: {error}"))?;
    }
    Ok(program)
}
