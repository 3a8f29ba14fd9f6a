//! The judges: clients that others wrote (providers' SDKs, schema-driven requests), run against the server's binary.
//!
//! They are Python, in `tests/judges`: `requirements.txt` pins them, `run.py` starts them and ends with the line
//! `N passed, N failed`. Their virtual environment is kept in the target folder until the requirements change.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Options;
use super::environment::Environment;
use super::tally::Tally;
use crate::packages;
use crate::shell::{Result, run as run_command, run_reading, succeeds, target};

const FOLDER: &str = "tests/judges";

/// Runs `tests/judges/run.py`.
pub(super) fn run(environment: &Environment, _: &Options, tally: &mut Tally) -> Result {
    let mut command = Command::new(python()?);
    command.arg(Path::new(FOLDER).join("run.py"));
    environment.give_to(&mut command);
    run_reading(&mut command, |line| tally.read(line))
}

/// The Python of the judges' virtual environment, which is made when it is not there.
pub(super) fn python() -> Result<PathBuf> {
    prepare(&Path::new(FOLDER).join("requirements.txt"), &target().join("judges"))
}

/// A virtual environment with exactly these requirements; returns its Python.
fn prepare(requirements: &Path, home: &Path) -> Result<PathBuf> {
    let wanted = std::fs::read_to_string(requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let (python, installed) = (home.join("bin/python"), home.join("installed.txt"));
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) && succeeds(Command::new(&python).arg("--version")) {
        return Ok(python);
    }
    if !succeeds(Command::new("python3").args(["-c", "import venv, ensurepip"])) {
        packages::install("there is no python3 with venv", &["python3", "python3-venv"])?;
    }
    run_command(Command::new("python3").args(["-m", "venv", "--clear"]).arg(home))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(requirements);
    run_command(pip.stdout(std::io::stderr()))?;
    // Last, so that a set-up that was interrupted is made anew.
    std::fs::write(&installed, wanted)?;
    Ok(python)
}
