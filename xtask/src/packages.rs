//! System packages that tests need, installed where we may.

use std::process::Command;

use crate::shell::{Result, run, succeeds};

/// Installs Debian packages: as root, or through sudo where that asks for no password.
///
/// Without apt or the right to use it, the error says what to install by hand; `missing` says what is not there.
pub(crate) fn install(missing: &str, packages: &[&str]) -> Result {
    let list = packages.join(" ");
    let Some(prefix) = apt_prefix() else {
        return Err(format!(
            "{missing}. This needs apt-get and root or a password-free sudo: install it yourself (Debian, Ubuntu: apt-get install {list})"
        )
        .into());
    };
    eprintln!("{missing}: installing {list}");
    run(apt_get(prefix).arg("update"))?;
    run(apt_get(prefix).args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

/// The words before `apt-get`, or nothing where it cannot be used.
fn apt_prefix() -> Option<&'static [&'static str]> {
    if !succeeds(Command::new("apt-get").arg("--version")) {
        return None;
    }
    if Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0") {
        return Some(&[]);
    }
    succeeds(Command::new("sudo").args(["--non-interactive", "true"])).then_some(&["sudo", "--non-interactive"])
}

/// `env` carries the answer to Debian's questions, also through sudo, which drops our environment.
fn apt_get(prefix: &[&str]) -> Command {
    let words = [prefix, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    // Results alone go to standard output.
    command.stdout(std::io::stderr());
    command
}
