//! What the tests find around them: a PostgreSQL, the server's binary, and the file of the cases. The variables are theirs to read.

use std::path::{Path, PathBuf};
use std::process::Command;

use parlance_testkit::{Cluster, database, postgres};

use crate::packages;
use crate::shell::{Result, cargo, run, step, target};

/// The variable with the path of the server's binary, for the judges.
const BINARY_VAR: &str = "PARLANCE_BIN";

/// Ends the cluster when dropped.
pub(super) struct Environment {
    /// `None` when the caller brought a running PostgreSQL of their own.
    _cluster: Option<Cluster>,
    postgres_url: String,
    cases_file: PathBuf,
}

impl Environment {
    /// Installs, builds and starts what is needed.
    pub(super) fn prepare(build: bool) -> Result<Self> {
        if build {
            // The server's binary is among them: built as the tests are, so that nothing is built twice.
            step("tests built", || run(&mut cargo(&["test", "--workspace", "--locked", "--no-run"])))?;
        }
        let (cluster, postgres_url) = match std::env::var(postgres::URL_VAR) {
            Ok(url) => (None, url),
            Err(_) => {
                let cluster = step("PostgreSQL", start_postgres)?;
                let url = cluster.url();
                (Some(cluster), url)
            }
        };
        step("Pebble", have_pebble)?;
        step("strace", have_strace)?;
        let cases_file = target().join("store-cases.txt");
        std::fs::create_dir_all(target())?;
        std::fs::write(&cases_file, "")?;
        Ok(Self { _cluster: cluster, postgres_url, cases_file })
    }

    /// Sets the variables for a suite.
    pub(super) fn give_to(&self, command: &mut Command) {
        command.env(postgres::URL_VAR, &self.postgres_url);
        command.env(database::CASES_VAR, &self.cases_file);
        command.env(BINARY_VAR, target().join("debug/parlance"));
    }

    /// Where the passed store cases are listed.
    pub(super) fn cases_file(&self) -> &Path {
        &self.cases_file
    }
}

/// The certificate authority that the tests of automatic certificates talk to.
fn have_pebble() -> Result {
    let installed = ["pebble", "pebble-challtestsrv"].iter().all(|program| Command::new(program).arg("-help").output().is_ok());
    if installed { Ok(()) } else { packages::install("no Pebble, the ACME test server", &["pebble"]) }
}

/// What shows in which order a server writes, syncs and answers.
fn have_strace() -> Result {
    let installed = Command::new("strace").arg("--version").output().is_ok();
    if installed { Ok(()) } else { packages::install("no strace", &["strace"]) }
}

fn start_postgres() -> Result<Cluster> {
    if let Err(missing) = postgres::installed() {
        packages::install(&missing.to_string(), &["postgresql"])?;
    }
    Ok(Cluster::start()?)
}
