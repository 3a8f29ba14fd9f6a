//! `bench footprint`: how soon a server is ready, and how much memory it holds, on an empty database and on a large one. The server is
//! `parlance serve` itself, and each start but the first follows a kill.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use parlance_model::{Error, Result};
use parlance_store::Place;
use parlance_store::measure::PAGE_BYTES;
use parlance_store::watch::{self, Unit, Watch};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;

use super::subject::{Home, PUBLIC_URL, Size, Subject};
use super::{Report, float, folder, median, rounded, target, unreadable};
use crate::load::{self, Client, Plan, What};
use crate::traffic::Traffic;

const COLUMNS: [&str; 4] = ["database", "ready_ms", "idle_mib", "busy_mib"];
/// Starts, of which the median is shown.
const STARTS: usize = 5;
/// How long a server has been idle when its memory is looked at.
const IDLE: Duration = Duration::from_secs(2);
/// Between two looks whether it is ready.
const LOOK: Duration = Duration::from_millis(1);
/// Between two looks at its memory, under load.
const WEIGH: Duration = Duration::from_millis(50);
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The load that it is weighed under.
const CONNECTIONS: usize = 64;
const BUSY_S: u64 = 5;
const BUILT: u64 = 100_000;
const MIB: f64 = 1_048_576.0;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Footprint {
    /// Messages of the large database; 0 for none.
    pub messages: u64,
    /// Conversations that they are in.
    pub conversations: u64,
    /// Where temporary folders are made.
    pub scratch: Option<PathBuf>,
    /// The binary.
    pub program: PathBuf,
    /// The command line of a process that runs [`crate::load::child`].
    pub client: Vec<OsString>,
}

/// Builds, measures, and removes what it built. Blocks: called on a thread that may, with a runtime at hand.
///
/// # Errors
/// `unavailable` when the server does not start; `cancelled`; those of the database.
pub fn run(options: &Footprint, watch: &dyn Watch) -> Result<Report> {
    let runtime = Handle::current();
    let size = fs::metadata(&options.program).map_err(unreadable)?.len();
    watch.stage("Starting servers", None, Unit::Rows);
    let empty = folder(options.scratch.as_deref())?;
    let mut rows = runtime.block_on(async {
        let first = Server::start(options, empty.path()).await?;
        let made = row("made at the start", &[first.ready], Some(first.idle().await?), None);
        first.kill().await?;
        Ok::<_, Error>(vec![made, measure(options, "empty", empty.path(), None, watch).await?])
    })?;
    if options.messages > 0 {
        let (home, place) = Home::sqlite(options.scratch.as_deref(), PAGE_BYTES)?;
        let Place::Sqlite { data, .. } = place.clone() else { return Err(Error::internal("a folder is no folder")) };
        let size = Size { orgs: 1, messages: options.messages, conversations: options.conversations.max(1), varied: false };
        let mut subject = Subject::make(home, place, size, watch)?;
        let traffic = subject.traffic(1, BUILT);
        let home = runtime.block_on(subject.end());
        watch.stage("Starting servers", None, Unit::Rows);
        let name = format!("{} messages", options.messages);
        rows.push(runtime.block_on(measure(options, &name, &data, Some(traffic), watch))?);
        drop(home);
    }
    Ok(Report { settings: vec![("binary_mib".to_owned(), rounded(float(size) / MIB, 1))], columns: &COLUMNS, rows })
}

/// Starts on a folder that has a database, a few times; weighs the last.
async fn measure(options: &Footprint, name: &str, data: &Path, traffic: Option<Traffic>, watch: &dyn Watch) -> Result<Vec<Value>> {
    let mut ready = Vec::new();
    for _ in 1..STARTS {
        let server = Server::start(options, data).await?;
        ready.push(server.ready);
        server.kill().await?;
        watch::advance(watch, 1)?;
    }
    let server = Server::start(options, data).await?;
    ready.push(server.ready);
    let idle = server.idle().await?;
    let busy = match traffic {
        Some(traffic) => Some(server.busy(options, traffic).await?),
        None => None,
    };
    server.kill().await?;
    Ok(row(name, &ready, Some(idle), busy))
}

fn row(name: &str, ready: &[Duration], idle: Option<u64>, busy: Option<u64>) -> Vec<Value> {
    let mib = |bytes: Option<u64>| bytes.map_or(Value::Null, |bytes| rounded(float(bytes) / MIB, 1));
    let ready = median(ready.iter().map(|time| time.as_secs_f64() * 1e3).collect());
    vec![name.into(), rounded(ready, 1), mib(idle), mib(busy)]
}

/// A server that is ready. Killed when this is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    /// From the start of its process until it answered that it is.
    ready: Duration,
}

impl Server {
    async fn start(options: &Footprint, data: &Path) -> Result<Self> {
        let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let address = free.map_err(Error::internal)?;
        let mut command = Command::new(&options.program);
        // Nothing of this process's surroundings is for that server.
        command.env_clear().process_group(0).kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::null());
        command.args(["serve", "--log", "error", "--public-url", PUBLIC_URL, "--listen", &address.to_string(), "--data"]).arg(data);
        let begun = Instant::now();
        let mut child = command.spawn().map_err(Error::internal)?;
        while !matches!(load::ask(address, "GET /ready HTTP/1.1\r\nhost: bench\r\n\r\n").await, Ok(answer) if answer.status == 200) {
            let ended = child.try_wait().map_err(Error::internal)?;
            if ended.is_some() || begun.elapsed() > PATIENCE {
                return Err(Error::unavailable("The server did not start. Above it says why.", 1));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(Self { child, address, ready: begun.elapsed() })
    }

    /// Ends it as a power cut would, and waits until its folder is free.
    async fn kill(mut self) -> Result<()> {
        self.child.kill().await.map_err(Error::internal)
    }

    /// Its memory after it did nothing for a while, in bytes.
    async fn idle(&self) -> Result<u64> {
        tokio::time::sleep(IDLE).await;
        self.resident()
    }

    /// The most memory that was seen while hooks came in, in bytes.
    async fn busy(&self, options: &Footprint, traffic: Traffic) -> Result<u64> {
        let what = What::Hooks { traffic, count: BUILT };
        let plan = Plan { address: self.address, connections: CONNECTIONS, lasts_ms: BUSY_S * 1000, pause_ms: 0, again: false, what };
        let mut client = Client::ready(&options.client, &plan).await?;
        let mut sending = std::pin::pin!(client.run());
        let mut looks = tokio::time::interval(WEIGH);
        let mut most = 0;
        let sent = loop {
            tokio::select! {
                sent = &mut sending => break sent?,
                _ = looks.tick() => most = most.max(self.resident()?),
            }
        };
        target::all_answered(&sent)?;
        Ok(most)
    }

    fn resident(&self) -> Result<u64> {
        let id = self.child.id().ok_or_else(|| unreadable("the server has ended"))?;
        let status = fs::read_to_string(format!("/proc/{id}/status")).map_err(unreadable)?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| unreadable("the server's status has no VmRSS"))
    }
}
