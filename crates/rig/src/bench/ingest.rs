//! `bench ingest`: signed hooks over loopback, against axum alone. The variants take turns within each round, so that whatever else the
//! machine does meets all of them; of the rounds the median is reported.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use parlance_model::{Error, Result};
use parlance_store::Place;
use parlance_store::watch::{self, Unit, Watch};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::subject::{Home, Size, Subject};
use super::target::{self, Round, Target, Variant};
use super::{Report, float, median, rounded};
use crate::Door;
use crate::load::{Client, Plan, What};

/// Requests that are built for each second of a round that stores them; a server that takes them faster ends its round early.
pub(super) const BUILT_PER_SECOND: u64 = 25_000;
/// Requests that are built for a round that stores nothing, and sent again and again.
const REPEATED: u64 = 10_000;
/// What a round that stores nothing lasts, of one that does.
const SHORTER: u64 = 4;
/// Orgs of the last variant.
const ORGS: usize = 4;

const COLUMNS: [&str; 14] = [
    "variant",
    "connections",
    "requests_per_s",
    "of_bare",
    "p50_ms",
    "p99_ms",
    "cpu_us",
    "cpu_of_bare",
    "bytes_written",
    "requests_per_commit",
    "commits",
    "checkpoints",
    "wal_mib",
    "drained_ms",
];

/// What to measure.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// Messages that are stored beforehand.
    pub messages: u64,
    /// Conversations that they are in.
    pub conversations: u64,
    /// How many connections send, one measurement each.
    pub connections: Vec<usize>,
    /// Rounds of each.
    pub rounds: usize,
    /// How long a round that stores lasts.
    pub seconds: u64,
    /// Page sizes of the embedded database, in bytes, one variant each.
    pub page_sizes: Vec<u32>,
    /// A PostgreSQL server, by the URL of a role that may make databases.
    pub postgres_url: Option<String>,
    /// Where temporary folders are made. The disk under it is measured.
    pub scratch: Option<PathBuf>,
    /// The command line of a process that runs [`crate::load::child`].
    pub client: Vec<OsString>,
    /// How the server takes connections.
    pub door: Door,
}

/// Builds, measures, and removes what it built. Blocks: called on a thread that may, with a runtime at hand.
///
/// # Errors
/// `not_all_stored`, `not_drained`, `requests_failed`, `no_checkpoint`: then nothing is reported. `cancelled`; those of the database.
pub fn run(options: &Ingest, watch: &dyn Watch) -> Result<Report> {
    let mut subjects = Vec::new();
    for page_size in &options.page_sizes {
        let (home, place) = Home::sqlite(options.scratch.as_deref(), *page_size)?;
        subjects.push((format!("sqlite {page_size}"), Subject::make(home, place, options.size(1), watch)?));
    }
    if let Some(url) = &options.postgres_url {
        let (home, place) = Home::postgres(url)?;
        subjects.push(("postgresql".to_owned(), Subject::make(home, place, options.size(ORGS), watch)?));
    }
    let measured = Handle::current().block_on(measure(options, &mut subjects, watch));
    for (_, subject) in subjects {
        drop(Handle::current().block_on(subject.end()));
    }
    measured
}

impl Ingest {
    fn size(&self, orgs: usize) -> Size {
        Size { orgs, messages: self.messages, conversations: self.conversations.max(1), varied: false }
    }
}

type Named = (String, Subject);

async fn measure(options: &Ingest, subjects: &mut [Named], watch: &dyn Watch) -> Result<Report> {
    let targets = targets(subjects, options.door).await?;
    let mut settings = vec![("messages".to_owned(), options.messages.into()), ("conversations".to_owned(), options.conversations.into())];
    for (name, subject) in &*subjects {
        let of_it = subject.settings().await?;
        settings.extend(of_it.into_iter().map(|(setting, value)| (format!("{name}: {setting}"), Value::from(value))));
    }
    let total = options.connections.len() * options.rounds * targets.len();
    watch.stage("Measuring", Some(total as u64), Unit::Rows);
    let mut rows = Vec::new();
    for connections in &options.connections {
        let mut rounds: Vec<Vec<Round>> = targets.iter().map(|_| Vec::new()).collect();
        for _ in 0..options.rounds {
            for (target, rounds) in targets.iter().zip(&mut rounds) {
                rounds.push(one(options, &mut subjects[target.subject].1, target, *connections, watch).await?);
                watch::advance(watch, 1)?;
            }
        }
        checkpointed(subjects, &targets, &rounds)?;
        rows.extend(targets.iter().zip(&rounds).map(|(target, of_it)| row(target, *connections, of_it, &rounds[0])));
    }
    Ok(Report { settings, columns: &COLUMNS, rows })
}

/// Every variant, listening. The first is the bare one, which the others are compared with.
async fn targets(subjects: &[Named], door: Door) -> Result<Vec<Target>> {
    let mut wanted = vec![("bare".to_owned(), Variant::Bare, 0, 1), ("verified".to_owned(), Variant::Verified, 0, 1)];
    for (index, (name, subject)) in subjects.iter().enumerate() {
        let orgs = BTreeSet::from([1, subject.accounts.len()]);
        wanted.extend(orgs.into_iter().map(|orgs| {
            let name = if orgs == 1 { name.clone() } else { format!("{name}, {orgs} orgs") };
            (name, Variant::Durable, index, orgs)
        }));
    }
    let mut targets = Vec::new();
    for (name, variant, index, orgs) in wanted {
        let (_, subject) = subjects.get(index).ok_or_else(|| Error::invalid("page-size", "Name a page size, or a PostgreSQL server."))?;
        let address = target::listen(subject, variant, door).await?;
        targets.push(Target { name, variant, subject: index, orgs, address });
    }
    Ok(targets)
}

/// One round of one variant, with a client that is ready before it begins.
async fn one(options: &Ingest, subject: &mut Subject, target: &Target, connections: usize, watch: &dyn Watch) -> Result<Round> {
    let stores = target.variant == Variant::Durable;
    let lasts_ms = options.seconds * 1000 / if stores { 1 } else { SHORTER };
    let requests = if stores { options.seconds * BUILT_PER_SECOND } else { REPEATED };
    let what = What::Hooks { traffic: subject.traffic(target.orgs, requests), count: requests };
    let plan = Plan { address: target.address, connections, lasts_ms, pause_ms: 0, again: !stores, what };
    let mut client = Client::ready(&options.client, &plan).await?;
    target::round(&subject.app, stores.then_some(&subject.place), client.run(), watch).await
}

/// A figure without a checkpoint in it says nothing of the day after.
fn checkpointed(subjects: &[Named], targets: &[Target], rounds: &[Vec<Round>]) -> Result<()> {
    for (target, rounds) in targets.iter().zip(rounds).filter(|(target, _)| target.variant == Variant::Durable) {
        let embedded = matches!(subjects[target.subject].1.place, Place::Sqlite { .. });
        if embedded && rounds.iter().all(|round| round.usage.checkpoints == 0) {
            let text = format!("No checkpoint fell into the rounds of {}. Let them last longer (--seconds).", target.name);
            return Err(Error::conflict("no_checkpoint", text));
        }
    }
    Ok(())
}

fn row(target: &Target, connections: usize, rounds: &[Round], bare: &[Round]) -> Vec<Value> {
    let of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value).collect());
    let against = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().zip(bare).map(|(round, bare)| value(round) / value(bare)).collect());
    let rate = |round: &Round| float(round.sent.answered) / float(round.sent.took_us.max(1)) * 1e6;
    let each = |total: u64, round: &Round| float(total) / float(round.sent.answered.max(1));
    let cpu = |round: &Round| each(round.usage.cpu_us, round);
    let stored = |value: Value| if target.variant == Variant::Durable { value } else { Value::Null };
    let embedded = |value: Value| if rounds.iter().any(|round| round.wal.is_some()) { value } else { Value::Null };
    let wal = rounds.iter().filter_map(|round| round.wal).max().unwrap_or_default();
    vec![
        target.name.clone().into(),
        json!(connections),
        rounded(of(&rate), 0),
        rounded(against(&rate), 3),
        rounded(of(&|round| float(round.sent.p50_us) / 1e3), 2),
        rounded(of(&|round| float(round.sent.p99_us) / 1e3), 2),
        rounded(of(&cpu), 1),
        rounded(against(&cpu), 2),
        embedded(rounded(of(&|round| each(round.usage.written, round)), 0)),
        stored(rounded(of(&|round| float(round.sent.answered) / float(round.usage.commits.max(1))), 1)),
        stored(rounded(of(&|round| float(round.usage.commits)), 0)),
        embedded(rounded(of(&|round| float(round.usage.checkpoints)), 0)),
        embedded(rounded(float(wal) / 1_048_576.0, 1)),
        stored(rounded(of(&|round| round.drained.as_secs_f64() * 1e3), 0)),
    ]
}
