//! The binary as its user runs it: commands that end, and a server that is killed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use parlance_model::{Error, Result};
#[cfg(target_os = "linux")]
use rlimit::Resource;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use url::Url;

/// For how long a start is tried again where the database may be away.
const DATABASE_AWAY: Duration = Duration::from_secs(60);

/// Where the server's data is, and how it is started.
pub(super) struct Place {
    binary: PathBuf,
    data: PathBuf,
    log: PathBuf,
    database_url: Option<String>,
    /// Where servers reach it, if elsewhere than commands.
    server_database_url: Option<String>,
}

impl Place {
    /// A data folder in this folder, and the server's log beside it.
    pub(super) fn new(binary: PathBuf, folder: &Path, database_url: Option<String>) -> Result<Self> {
        let data = folder.join("data");
        std::fs::create_dir(&data).map_err(Error::internal)?;
        Ok(Self { binary, data, log: folder.join("server.log"), database_url, server_database_url: None })
    }

    /// Lets servers reach the database at this address; `url` is its URL.
    pub(super) fn reach_database_at(&mut self, address: SocketAddr, mut url: Url) {
        // An address and a port fit any URL that has a host.
        let _ = url.set_ip_host(address.ip()).and_then(|()| url.set_port(Some(address.port())));
        self.server_database_url = Some(url.into());
    }

    /// Runs a command that must succeed; answers what it printed.
    pub(super) async fn run(&self, args: &[&str]) -> Result<String> {
        let output = self.command(args).stdout(Stdio::piped()).output().await.map_err(Error::internal)?;
        if output.status.success() {
            return String::from_utf8(output.stdout).map_err(Error::internal);
        }
        let said = [output.stdout, output.stderr].concat();
        let text = format!("`parlance {}` ended with {}: {}", args[0], output.status, String::from_utf8_lossy(&said).trim());
        Err(Error::unavailable(text, 1))
    }

    /// Starts a server with this variable in its environment and waits until it listens. Answers also how long that took.
    pub(super) async fn serve(&self, public_url: &str, variable: Option<(&str, String)>) -> Result<(Server, Duration)> {
        let begun = Instant::now();
        loop {
            let spawned = Instant::now();
            if let Some(server) = self.start(public_url, variable.as_ref()).await? {
                return Ok((server, spawned.elapsed()));
            }
            if self.database_url.is_none() || begun.elapsed() > DATABASE_AWAY {
                return Err(Error::unavailable(format!("The server ended before it listened; {} says why.", self.log.display()), 1));
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// `None` for one that ended before it listened.
    async fn start(&self, public_url: &str, variable: Option<&(&str, String)>) -> Result<Option<Server>> {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--public-url", public_url, "--rate-limit", "0"]);
        if let Some(url) = &self.server_database_url {
            command.env("PARLANCE_DATABASE_URL", url);
        }
        if let Some((name, value)) = variable {
            command.env(name, value);
        }
        let mut child = command.spawn().map_err(Error::internal)?;
        let Some(stderr) = child.stderr.take() else { return Err(Error::internal("the server has no standard error")) };
        let mut log = OpenOptions::new().create(true).append(true).open(&self.log).await.map_err(Error::internal)?;
        let mut lines = BufReader::new(stderr).lines();
        while let Some(line) = next(&mut lines, &mut log).await {
            if let Some((_, address)) = line.split_once("listening on http://") {
                let address = address.trim().to_owned();
                let mut rest = JoinSet::new();
                // The pipe is read to its end: a full one would stop the server.
                rest.spawn(async move { while next(&mut lines, &mut log).await.is_some() {} });
                return Ok(Some(Server { child, address, rest }));
            }
        }
        child.wait().await.map_err(Error::internal)?;
        Ok(None)
    }

    /// The binary with these arguments on this place. Settings of whoever runs the rig are none of its own.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PARLANCE_")) {
            command.env_remove(name);
        }
        command.args(args).env("PARLANCE_DATA", &self.data).env("PARLANCE_CONFIG", "/dev/null");
        if let Some(url) = &self.database_url {
            command.env("PARLANCE_DATABASE_URL", url);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

/// The next line of a server's log, kept in the file.
async fn next(lines: &mut Lines<BufReader<ChildStderr>>, log: &mut File) -> Option<String> {
    let line = lines.next_line().await.ok()??;
    // A log that cannot be kept is no reason to stop.
    let _ = log.write_all(format!("{line}\n").as_bytes()).await;
    Some(line)
}

/// A running server. Dropping it kills it.
pub(super) struct Server {
    child: Child,
    address: String,
    rest: JoinSet<()>,
}

impl Server {
    /// Its host and port.
    pub(super) fn address(&self) -> String {
        self.address.clone()
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Lets no file of it grow beyond so many bytes, as a full disk would; `None` takes that back. Nothing happens but on Linux.
    #[cfg(target_os = "linux")]
    pub(super) fn limit_files(&self, bytes: Option<u64>) -> Result<()> {
        let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()) else { return Ok(()) };
        let (mut soft, mut hard) = (0, 0);
        rlimit::prlimit(id, Resource::FSIZE, None, Some((&mut soft, &mut hard))).map_err(Error::internal)?;
        rlimit::prlimit(id, Resource::FSIZE, Some((bytes.unwrap_or(hard).min(hard), hard)), None).map_err(Error::internal)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn limit_files(&self, _bytes: Option<u64>) -> Result<()> {
        Ok(())
    }

    /// `kill -9`. Returns when it is gone.
    pub(super) async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.map_err(Error::internal)?;
        self.rest.join_next().await;
        Ok(())
    }
}
