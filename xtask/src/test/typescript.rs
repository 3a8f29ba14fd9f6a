//! The TypeScript client: its types are generated from the golden OpenAPI document, it is type-checked, and its tour through
//! the API is run against the server's binary.

use std::path::Path;
use std::process::Command;

use super::environment::Environment;
use super::tally::Tally;
use super::{Options, judges};
use crate::packages;
use crate::shell::{Result, run as run_command, run_reading, succeeds};

/// The oldest Node that the client is for; Debian 12 has it.
const NODE: u32 = 18;

/// Builds `clients/typescript` and takes its tour.
pub(super) fn run(environment: &Environment, _: &Options, tally: &mut Tally) -> Result {
    let folder = Path::new("clients/typescript");
    if !(has_node() && succeeds(Command::new("npm").arg("--version"))) {
        packages::install(&format!("there is no npm with Node {NODE} or newer"), &["nodejs", "npm"])?;
    }
    install(folder)?;
    run_command(npm(folder).args(["run", "build"]))?;
    let mut tour = Command::new(judges::python()?);
    tour.arg("tests/judges/typescript_client.py");
    environment.give_to(&mut tour);
    run_reading(&mut tour, |line| tally.read(line))
}

fn has_node() -> bool {
    let version = Command::new("node").arg("--version").output();
    version.is_ok_and(|output| major(&String::from_utf8_lossy(&output.stdout)).is_some_and(|major| major >= NODE))
}

/// The first number of `v20.11.1`.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// What the lock file names, unless it is there already.
fn install(folder: &Path) -> Result {
    let (lock, installed) = (folder.join("package-lock.json"), folder.join("node_modules/.installed-lock.json"));
    let wanted = std::fs::read_to_string(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    run_command(npm(folder).args(["ci", "--prefer-offline"]))?;
    // Last, so that an installation that was interrupted is made anew.
    Ok(std::fs::write(installed, wanted)?)
}

fn npm(folder: &Path) -> Command {
    let mut command = Command::new("npm");
    // Results alone go to standard output.
    command.current_dir(folder).env("NO_UPDATE_NOTIFIER", "1").stdout(std::io::stderr());
    command
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major(""), None);
        assert_eq!(major("20"), None);
    }
}
