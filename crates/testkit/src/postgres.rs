//! A private PostgreSQL cluster in a temporary folder, on loopback, that cannot outlive the process that started it.
//!
//! PostgreSQL's programs are run by a keeper (`keeper.sh`), a child whose standard input we hold open. However we end,
//! by return, panic or SIGKILL, the kernel closes that pipe, and the keeper ends the server and removes the folder.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use rand::TryRng;
use rand::rngs::SysRng;

use crate::programs;

/// The variable with the superuser's URL of a running cluster. `cargo xtask test` starts one for the whole run and sets it.
pub const URL_VAR: &str = "PARLANCE_TEST_POSTGRES";

/// Another process may take the free port between our choice and the server's start: then the next one is tried.
const PORT_TRIES: usize = 5;

/// The URL of an empty database, made for the caller alone: `postgres://parlance@127.0.0.1:PORT/NAME`.
///
/// It lives as long as its cluster. The name is random, so processes that share a cluster do not meet.
///
/// # Panics
/// When there is no PostgreSQL or it makes no database: a missing database is a failure, never a skip.
#[must_use]
pub fn postgres_url() -> String {
    match create_database(cluster()) {
        Ok(url) => url,
        Err(error) => panic!("no PostgreSQL database for this test: {error}"),
    }
}

/// The superuser's URL of the cluster of this run: the runner's, else one that this process starts on first use.
///
/// # Panics
/// When there is none and none can be started.
pub fn cluster() -> &'static str {
    static SHARED: OnceLock<(String, Option<Cluster>)> = OnceLock::new();
    let (url, _) = SHARED.get_or_init(|| match std::env::var(URL_VAR) {
        Ok(url) => (url, None),
        Err(_) => match Cluster::start() {
            Ok(cluster) => (cluster.url(), Some(cluster)),
            Err(error) => panic!("no PostgreSQL for the tests: {error}"),
        },
    });
    url
}

/// Whether the server's programs are installed.
///
/// # Errors
/// `NotFound`, with a sentence that says where they were looked for and what to install.
pub fn installed() -> io::Result<()> {
    programs::server_folder().map(drop)
}

/// A cluster of one's own, for tests that stop and start the server. Ended and removed on drop.
#[derive(Debug)]
pub struct Cluster {
    keeper: Child,
    /// `None` only while dropping: its end is the keeper's signal to clean up.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
    port: u16,
    running: bool,
}

impl Cluster {
    /// Makes a cluster in a new temporary folder and starts its server. Returns when it accepts connections.
    ///
    /// # Errors
    /// No PostgreSQL, no user to run it as, or its own refusal with the end of its log.
    pub fn start() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("parlance-postgres-").tempdir()?;
        let mut keeper = keeper(folder.path())?;
        let (Some(commands), Some(answers)) = (keeper.stdin.take(), keeper.stdout.take()) else {
            return Err(io::Error::other("the keeper of PostgreSQL has no pipes"));
        };
        let answers = BufReader::new(answers);
        let mut cluster = Self { keeper, commands: Some(commands), answers, folder: folder.keep(), port: 0, running: false };
        cluster.tell("create")?;
        cluster.start_on_a_free_port()?;
        Ok(cluster)
    }

    /// The superuser's URL: `postgres://parlance@127.0.0.1:PORT/postgres`. The same for the cluster's whole life.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://parlance@127.0.0.1:{}/postgres", self.port)
    }

    /// The temporary folder: socket, log and data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes an empty database here and returns its URL.
    ///
    /// # Errors
    /// The server's refusal.
    pub fn database(&self) -> io::Result<String> {
        create_database(&self.url())
    }

    /// Ends the server at once, without a shutdown checkpoint: connections break, and the next start recovers as after a crash.
    ///
    /// # Errors
    /// The server is not running, or does not end.
    pub fn stop(&mut self) -> io::Result<()> {
        self.tell("stop")?;
        self.running = false;
        Ok(())
    }

    /// Starts the server again on the same data and port, after ending it if it runs.
    ///
    /// # Errors
    /// The server does not end, or does not start.
    pub fn restart(&mut self) -> io::Result<()> {
        if self.running {
            self.stop()?;
        }
        self.tell(&format!("start {}", self.port))?;
        self.running = true;
        Ok(())
    }

    /// Restarts the server with this certificate and key (PEM), refusing connections over the network that are not encrypted.
    ///
    /// # Errors
    /// The files cannot be written, or the server does not start with them.
    pub fn encrypt(&mut self, certificate: &str, key: &str) -> io::Result<()> {
        let data = self.folder.join("data");
        let owner = std::fs::metadata(&data)?;
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = data.join(name);
            std::fs::write(&path, text)?;
            // PostgreSQL wants its key readable by its own user alone.
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
            std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid()))?;
        }
        std::fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"))?.write_all(b"ssl = on\n")?;
        std::fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n")?;
        self.restart()
    }

    fn start_on_a_free_port(&mut self) -> io::Result<()> {
        let mut refused = io::Error::other("never tried");
        for _ in 0..PORT_TRIES {
            self.port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            match self.restart() {
                Ok(()) => return Ok(()),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn tell(&mut self, command: &str) -> io::Result<()> {
        if let Some(commands) = &mut self.commands {
            writeln!(commands, "{command}")?;
        }
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        if answer.trim_end() == "ok" {
            return Ok(());
        }
        let log = std::fs::read_to_string(self.folder.join("postgres.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(20)..].join("\n");
        Err(io::Error::other(format!("PostgreSQL did not {command}; the end of its log:\n{end}")))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.commands.take());
        // Waiting for the keeper is waiting for the server's end. There is nobody to tell if it fails.
        let _ = self.keeper.wait();
    }
}

/// Starts the keeper of a folder, which it will remove.
fn keeper(folder: &Path) -> io::Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", include_str!("keeper.sh"), "keeper"]).arg(folder).arg(programs::server_folder()?);
    // The folder as working directory, since ours may be closed to another user; a process group of its own, so that
    // Ctrl-C and a runner's kill reach the keeper only as the end of its input.
    command.current_dir(folder).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
    if let Some((uid, gid)) = programs::server_user(folder)? {
        std::os::unix::fs::chown(folder, Some(uid), Some(gid))?;
        command.uid(uid).gid(gid);
    }
    command.spawn()
}

fn create_database(superuser_url: &str) -> io::Result<String> {
    let number = SysRng.try_next_u64().map_err(io::Error::other)?;
    let name = format!("test_{number:016x}");
    let mut maintenance = std::ffi::OsString::from("--maintenance-db=");
    maintenance.push(superuser_url);
    // template0, since nobody can be connected to it, which would make CREATE DATABASE fail.
    let output = Command::new(programs::createdb()?).arg(maintenance).args(["--template=template0", &name]).output()?;
    if output.status.success() {
        Ok(with_database(superuser_url, &name))
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

/// The same URL with another database's name; parameters stay.
fn with_database(url: &str, name: &str) -> String {
    let (address, parameters) = url.split_once('?').map_or((url, None), |(address, parameters)| (address, Some(parameters)));
    let server = address.rsplit_once('/').map_or(address, |(server, _)| server);
    match parameters {
        Some(parameters) => format!("{server}/{name}?{parameters}"),
        None => format!("{server}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{keeper, with_database};

    #[test]
    fn a_keeper_whose_process_dies_during_set_up_still_cleans_up() {
        let folder = tempfile::tempdir().unwrap().keep();
        let mut keeper = keeper(&folder).unwrap();
        drop(keeper.stdout.take());
        keeper.stdin.take().unwrap().write_all(b"create\n").unwrap();
        keeper.wait().unwrap();
        assert!(!folder.exists(), "{} was left behind", folder.display());
    }

    #[test]
    fn the_database_is_replaced_and_the_parameters_stay() {
        assert_eq!(with_database("postgres://parlance@127.0.0.1:5/postgres", "a"), "postgres://parlance@127.0.0.1:5/a");
        assert_eq!(with_database("postgres://p@h/postgres?sslmode=disable", "a"), "postgres://p@h/a?sslmode=disable");
    }
}
