//! `torture`: a server under load through its public doors is killed again and again, and each time what it had acknowledged is looked
//! for. The journal of acknowledgements is kept here, outside the server and its data folder.
//!
//! A kill leaves the system's page cache, so this proves the order of commit and answer, not that a commit reached the disk: that is
//! shown by the order of the server's system calls (`docs/reliability.md`).

mod check;
mod client;
mod journal;
mod load;
mod place;
mod proxy;
mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parlance_model::clock::SystemClock;
use parlance_model::entropy::SystemEntropy;
use parlance_model::failpoint::{self, STEPS, Step};
use parlance_model::{Error, Result};
use parlance_sim::twilio::{AccountConfig, Config, Sim};
use parlance_store::watch::{Unit, Watch, advance, go_on};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use self::check::Check;
use self::client::{ACCOUNT_SID, AUTH_TOKEN, Client, NUMBER};
use self::journal::Journal;
use self::load::Load;
use self::place::{Place, Server};
use self::proxy::Proxy;
pub use self::report::Report;

/// The organisation that the load belongs to.
const ORG: &str = "torture";
/// The person whom conversations are assigned to.
const PERSON: &str = "ann@torture.example";
/// How often the end of a wait is looked for.
const TICK: Duration = Duration::from_millis(20);
/// The longest that a server gets to do more work before it is killed.
const TURN: Duration = Duration::from_secs(2);

/// One in so many kills comes after a full disk...
const FULL_DISK: u32 = 6;
/// ...on which no file grows beyond so many bytes.
const FULL: u64 = 4096;
/// How long a server may take to go on after that.
const RECOVERY: Duration = Duration::from_secs(20);

/// What to do to which server.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server's binary.
    pub binary: PathBuf,
    /// An empty PostgreSQL database. Without one, the embedded database in a temporary folder.
    pub database_url: Option<String>,
    /// Where the randomness of the load and of the kills begins. The order in which the system runs things stays its own.
    pub seed: u64,
    /// How often the server is killed.
    pub kills: u32,
    /// How soon a server has to be ready after a kill.
    pub ready_within: Duration,
    /// How long what is under way at the end may take to settle.
    pub settle: Duration,
    /// After how many kills `doctor --deep` looks at the database each time; it always does so at the end.
    pub doctor_every: u32,
    /// Let the server answer before it commits: a run that must find lost acknowledgements.
    pub answers_early: bool,
}

/// Tortures a server. Everything that it makes on disk is taken away again, unless a promise was broken: then the report says where the
/// evidence is.
///
/// # Errors
/// `cancelled`; `internal` and `unavailable` when the rig itself cannot work.
pub async fn run(options: &Options, watch: &dyn Watch) -> Result<Report> {
    let folder = tempfile::Builder::new().prefix("parlance-torture-").tempdir().map_err(Error::internal)?;
    let mut report = Rig::set_up(options, folder.path()).await?.torture(watch).await?;
    if !report.wrong.is_empty() {
        report.evidence = Some(folder.keep());
    }
    Ok(report)
}

/// A server and everything around it.
struct Rig<'a> {
    options: &'a Options,
    random: StdRng,
    place: Place,
    server: Server,
    /// In front of the server: what providers and clients call.
    door: Proxy,
    /// In front of the provider.
    exit: Proxy,
    /// In front of PostgreSQL.
    database: Option<Proxy>,
    sim: Sim,
    client: Client,
    journal: Arc<Journal>,
    load: Load,
    /// The step at which the running server ends by itself.
    step: Option<Step>,
    report: Report,
    /// How many entries of the journal were looked for.
    checked: usize,
}

impl<'a> Rig<'a> {
    async fn set_up(options: &'a Options, folder: &Path) -> Result<Self> {
        if options.answers_early && STEPS.is_empty() {
            return Err(Error::invalid("answers-early", "Needs a build with failpoints (`cargo build --features failpoints`)."));
        }
        let mut random = StdRng::seed_from_u64(options.seed);
        let mut place = Place::new(options.binary.clone(), folder, options.database_url.clone())?;
        if place.run(&["org", "list", "--json"]).await?.trim() != "[]" {
            return Err(Error::conflict("database_in_use", "There are organisations in this database. Torture needs an empty one."));
        }
        let sim = simulator().await?;
        let exit = Proxy::start(random.random(), sim.base_url().authority()).await?;
        place.run(&["org", "create", "Torture", "--slug", ORG]).await?;
        place.run(&["user", "create", "--org", ORG, "--email", PERSON, "--name", "Ann", "--role", "agent"]).await?;
        let account = ["account", "create", "--org", ORG, "twilio", "--account-sid", ACCOUNT_SID, "--auth-token", AUTH_TOKEN];
        let exit_url = exit.url();
        place.run(&[&account[..], &["--phone-number", NUMBER, "--base-url", &exit_url, "--messages-per-second", "0"]].concat()).await?;
        let key = place.run(&["key", "create", "--org", ORG, "--name", "torture"]).await?;
        let door = Proxy::start(random.random(), "").await?;
        let database = match options.database_url.as_deref().and_then(proxy::postgres) {
            None => None,
            Some((target, url)) => {
                let proxy = Proxy::start(random.random(), &target).await?;
                place.reach_database_at(proxy.address(), url);
                Some(proxy)
            }
        };
        let early = if options.answers_early { failpoint::arm_early_answers() } else { None };
        let (server, _) = place.serve(&door.url(), early).await?;
        door.lead_to(&server.address());
        let client = Client::new(&door.url(), key.trim())?;
        let journal = Arc::new(Journal::create(&folder.join("acknowledged.jsonl"))?);
        let load = Load::start(&client, &journal, &mut random).await?;
        let report = Report { seed: options.seed, ..Report::default() };
        Ok(Self { options, random, place, server, door, exit, database, sim, client, journal, load, step: None, report, checked: 0 })
    }

    async fn torture(mut self, watch: &dyn Watch) -> Result<Report> {
        watch.stage("killing the server", Some(self.options.kills.into()), Unit::Rows);
        while self.report.kills < self.options.kills && self.report.wrong.is_empty() {
            self.turn(watch).await?;
            advance(watch, 1)?;
        }
        self.journal.stop();
        self.load.end().await;
        self.settle(watch).await?;
        watch.stage("looking for what was acknowledged", None, Unit::Rows);
        let mut report = std::mem::take(&mut self.report);
        self.check().everything(&mut report).await;
        self.report = report;
        self.doctor().await;
        self.server.kill().await?;
        self.report.cuts = [Some(&self.door), Some(&self.exit), self.database.as_ref()].into_iter().flatten().map(Proxy::cuts).sum();
        self.report.wrong.extend(self.journal.complaints());
        self.sim.shutdown().await;
        Ok(self.report)
    }

    /// Some load, a kill, a new start, and a look at what was acknowledged since the last.
    async fn turn(&mut self, watch: &dyn Watch) -> Result<()> {
        if self.step.is_some() {
            if self.within(TURN, watch, |rig| rig.server.has_ended()).await? {
                self.report.kills_at_steps += 1;
            }
        } else {
            if self.options.database_url.is_none() && self.random.random_ratio(1, FULL_DISK) {
                self.fill_disk(watch).await?;
            }
            let until = self.journal.len() + self.random.random_range(5..60);
            self.within(TURN, watch, |rig| rig.journal.len() >= until).await?;
            // An acknowledgement is the end of something: a kill that waits a little also meets what has just begun.
            sleep(Duration::from_millis(self.random.random_range(0..40))).await;
            if self.server.has_ended() {
                self.report.wrong.push(format!("after kill {} the server ended by itself", self.report.kills));
            }
        }
        self.server.kill().await?;
        self.report.kills += 1;
        let armed = self.arm();
        let (server, took) = match self.place.serve(&self.door.url(), armed).await {
            Ok(started) => started,
            Err(error) => {
                self.report.wrong.push(format!("after kill {}: {error}", self.report.kills));
                return Ok(());
            }
        };
        self.server = server;
        self.door.lead_to(&self.server.address());
        self.report.slowest_start = self.report.slowest_start.max(took);
        if took > self.options.ready_within {
            self.report.wrong.push(format!("after kill {} the server was ready after {} ms only", self.report.kills, took.as_millis()));
        }
        // One that ends by itself cannot be asked: the next can.
        if self.step.is_none() {
            let journalled = self.journal.len();
            let mut report = std::mem::take(&mut self.report);
            self.check().newest(self.checked, &mut report).await;
            (self.report, self.checked) = (report, journalled);
        }
        if self.report.kills.is_multiple_of(self.options.doctor_every) {
            self.doctor().await;
        }
        tracing::info!(
            kills = self.report.kills,
            acknowledged = self.journal.len(),
            start_ms = took.as_millis(),
            "killed and started again"
        );
        Ok(())
    }

    /// Chooses where the next server ends: every second one at a step, where the build has them. Answers the variable that says so.
    fn arm(&mut self) -> Option<(&'static str, String)> {
        if self.options.answers_early {
            return failpoint::arm_early_answers();
        }
        let kills = self.report.kills as usize;
        let armed = kills % 2 == 1 && self.report.kills < self.options.kills;
        self.step = STEPS.get((kills / 2) % STEPS.len().max(1)).copied().filter(|_| armed);
        let times = match self.step? {
            // A server commits a few times before it listens, and often afterwards.
            Step::Committing | Step::Committed => self.random.random_range(20..60),
            _ => self.random.random_range(1..4),
        };
        failpoint::arm(self.step?, times)
    }

    /// Leaves no room on the disk until some requests were refused. Once there is room again, the same server has to go on.
    async fn fill_disk(&mut self, watch: &dyn Watch) -> Result<()> {
        let refused = self.client.refused();
        self.server.limit_files(Some(FULL))?;
        let met = self.within(TURN, watch, |rig| rig.client.refused() >= refused + 5).await?;
        self.server.limit_files(None)?;
        let until = self.journal.len() + 5;
        if !self.within(RECOVERY, watch, |rig| rig.journal.len() >= until).await? {
            self.report
                .wrong
                .push(format!("after kill {} the disk was full, and the server took nothing when it had room again", self.report.kills));
        }
        self.report.full_disks += u32::from(met);
        Ok(())
    }

    /// Waits until it is so, for this long at most. Answers whether it is.
    async fn within(&mut self, most: Duration, watch: &dyn Watch, mut is_so: impl FnMut(&mut Self) -> bool) -> Result<bool> {
        let begun = Instant::now();
        while begun.elapsed() < most {
            go_on(watch)?;
            if is_so(self) {
                return Ok(true);
            }
            sleep(TICK).await;
        }
        Ok(false)
    }

    fn check(&self) -> Check<'_> {
        Check { client: &self.client, journal: &self.journal, sim: &self.sim }
    }

    async fn doctor(&mut self) {
        if let Err(error) = self.place.run(&["doctor", "--deep"]).await {
            self.report.wrong.push(format!("after kill {}: {error}", self.report.kills));
        }
    }

    /// Waits until every message has come to its end, or for as long as was said.
    async fn settle(&self, watch: &dyn Watch) -> Result<()> {
        watch.stage("letting it settle", None, Unit::Rows);
        let begun = Instant::now();
        while begun.elapsed() < self.options.settle && self.check().waiting().await? > 0 {
            go_on(watch)?;
            sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }
}

async fn simulator() -> Result<Sim> {
    let account = AccountConfig { phone_numbers: vec![NUMBER.to_owned()], ..AccountConfig::new(ACCOUNT_SID, AUTH_TOKEN) };
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Error::internal)?;
    // Everything has to be remembered, or a message that is sent twice could be missed.
    let config = Config { accounts: vec![account], kept: usize::MAX, ..Config::default() };
    Sim::start(config, listener, Arc::new(SystemClock), Arc::new(SystemEntropy)).await
}
