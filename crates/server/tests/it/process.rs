//! The binary as a user runs it: commands that end, and a server that is killed and started again on the same port.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use parlance_testkit::{Database, FreshDatabase};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command as AsyncCommand};

/// Visibly not a secret.
const SECRET_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000001";

/// The binary of this test run.
const BINARY: &str = env!("CARGO_BIN_EXE_parlance");

/// A database that commands and servers share, and a data folder.
pub(crate) struct Place {
    fresh: FreshDatabase,
    /// The data folder beside PostgreSQL.
    beside: tempfile::TempDir,
    /// Whether the secret key comes from the environment, and not from the data folder.
    given_key: bool,
}

/// What a command that ended left.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) async fn new(database: Database) -> Self {
        let fresh = tokio::task::spawn_blocking(move || database.fresh()).await.unwrap();
        Self { fresh, beside: tempfile::tempdir().unwrap(), given_key: true }
    }

    /// A place whose secret key is a file in its data folder.
    pub(crate) async fn with_its_own_key(database: Database) -> Self {
        Self { given_key: false, ..Self::new(database).await }
    }

    /// The data folder.
    pub(crate) fn folder(&self) -> &Path {
        match &self.fresh {
            FreshDatabase::Sqlite(folder) => folder.path(),
            FreshDatabase::Postgres(_) => self.beside.path(),
        }
    }

    /// Runs statements in the database, past the binary.
    pub(crate) fn execute(&self, sqlite: &str, postgres: &str) {
        self.fresh.execute(sqlite, postgres);
    }

    fn args(&self) -> Vec<String> {
        let mut args = vec!["--data".to_owned(), self.folder().display().to_string()];
        if let FreshDatabase::Postgres(url) = &self.fresh {
            args.extend(["--database-url".to_owned(), url.clone()]);
        }
        args
    }

    fn key(&self) -> Option<(&'static str, &'static str)> {
        self.given_key.then_some(("PARLANCE_SECRET_KEY", SECRET_KEY))
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, "")
    }

    /// Runs a command with this standard input.
    pub(crate) fn run_with(&self, args: &[&str], stdin: &str) -> Ended {
        self.run_in(&self.key().map_or(Vec::new(), |key| vec![key]), args, stdin)
    }

    /// Runs a command whose only settings in the environment are these.
    pub(crate) fn run_in(&self, environment: &[(&str, &str)], args: &[&str], stdin: &str) -> Ended {
        self.run_by(Command::new(BINARY), environment, args, stdin)
    }

    /// Runs a command that may let no file grow beyond this (`ulimit -f`): a full disk.
    pub(crate) fn run_with_small_files(&self, kib: u32, args: &[&str]) -> Ended {
        let mut command = Command::new("bash");
        command.args(["-c", &format!("ulimit -f {kib}; exec \"$@\""), "bash", BINARY]);
        self.run_by(command, &self.key().map_or(Vec::new(), |key| vec![key]), args, "")
    }

    fn run_by(&self, mut command: Command, environment: &[(&str, &str)], args: &[&str], stdin: &str) -> Ended {
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PARLANCE_")) {
            command.env_remove(name);
        }
        command.args(args).args(self.args()).envs(environment.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that reads none may have ended already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs a command with `--json` that must succeed; answers what it printed.
    pub(crate) fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat())).unwrap()
    }

    /// Runs a command that must succeed; answers its one line.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let ended = self.run(args);
        assert!(ended.status.success(), "{args:?}: {}", ended.stderr);
        ended.stdout.trim_end().to_owned()
    }

    /// Starts a server on this port (0: any) and waits until it says that it listens.
    pub(crate) async fn serve(&self, port: u16, public_url: &str) -> Server {
        self.serve_by(AsyncCommand::new(BINARY), port, public_url).await
    }

    /// The same with these variables in its environment.
    pub(crate) async fn serve_in(&self, environment: &[(&str, &str)], port: u16, public_url: &str) -> Server {
        let mut command = AsyncCommand::new(BINARY);
        command.envs(environment.iter().copied());
        self.serve_by(command, port, public_url).await
    }

    /// The same, with no file allowed to grow beyond this (`ulimit -f`): a full disk.
    pub(crate) async fn serve_with_small_files(&self, kib: u32, public_url: &str) -> Server {
        self.serve_within(&format!("ulimit -f {kib}"), public_url).await
    }

    /// The same, within the limits that this command of bash sets.
    pub(crate) async fn serve_within(&self, limits: &str, public_url: &str) -> Server {
        let mut command = AsyncCommand::new("bash");
        command.args(["-c", &format!("{limits}; exec \"$@\""), "bash", BINARY]);
        self.serve_by(command, 0, public_url).await
    }

    /// The same with further flags and variables, without a public URL.
    pub(crate) async fn serve_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Server {
        let mut command = AsyncCommand::new(BINARY);
        command.args(["serve"]).args(args).envs(variables.iter().copied());
        self.start(command).await
    }

    /// Starts a server whose system calls this program writes down: `strace` and its arguments, as the server's parent.
    pub(crate) async fn serve_under(&self, program: &[&str], args: &[&str]) -> Server {
        let mut command = AsyncCommand::new(program[0]);
        command.args(&program[1..]).args([BINARY, "serve", "--listen", "127.0.0.1:0", "--public-url", "http://127.0.0.1:0"]).args(args);
        self.start(command).await
    }

    /// Starts the demo and waits until it says that it listens.
    pub(crate) async fn demo(&self) -> Server {
        let mut command = AsyncCommand::new(BINARY);
        command.args(["demo", "--listen", "127.0.0.1:0"]);
        self.start(command).await
    }

    async fn serve_by(&self, mut command: AsyncCommand, port: u16, public_url: &str) -> Server {
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--public-url", public_url, "--rate-limit", "0"]);
        command.env("PARLANCE_LOG", "trace");
        self.start(command).await
    }

    async fn start(&self, mut command: AsyncCommand) -> Server {
        command.args(self.args()).envs(self.key()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, address)) = line.split_once("listening on http").and_then(|(_, url)| url.split_once("://127.0.0.1:")) {
                let port = address.trim().parse().unwrap();
                let (said, heard) = tokio::sync::mpsc::unbounded_channel();
                // The pipe is read to its end, so that a full one never stops the server.
                let rest = tokio::task::spawn(async move {
                    while let Ok(Some(line)) = lines.next_line().await {
                        let _ = said.send(line);
                    }
                });
                return Server { child, port, heard, _rest: rest };
            }
            seen.push(line);
        }
        panic!("the server did not start: {seen:?}");
    }
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    heard: tokio::sync::mpsc::UnboundedReceiver<String>,
    _rest: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The system's number for it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// The next line of its log with this in it.
    pub(crate) async fn says(&mut self, what: &str) -> String {
        let mut seen = Vec::new();
        while let Some(line) = self.heard.recv().await {
            if line.contains(what) {
                return line;
            }
            seen.push(line);
        }
        panic!("the server ended without saying {what:?}: {seen:?}");
    }

    /// SIGTERM; answers the log since it listened, which is written at the finest level.
    pub(crate) async fn log(mut self) -> String {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let mut lines = Vec::new();
        while let Some(line) = self.heard.recv().await {
            lines.push(line);
        }
        lines.join("\n")
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM; answers how it ended.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        self.signal();
        self.child.wait().await.unwrap()
    }

    /// SIGTERM.
    pub(crate) fn signal(&self) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// SIGTERM to the server whose parent this is. Returns when both have ended.
    pub(crate) async fn terminate_child(mut self) {
        let id = self.child.id().unwrap();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        assert!(Command::new("kill").arg("-TERM").args(children.split_whitespace()).status().unwrap().success());
        self.child.wait().await.unwrap();
    }

    /// Everything that it says until its end.
    pub(crate) async fn rest(mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(line) = self.heard.recv().await {
            said.push(line);
        }
        said
    }
}
