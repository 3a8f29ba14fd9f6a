//! `bench list`: what is asked of conversations, on a small database and on a large one, over the store and over HTTP. The kinds and the
//! databases take turns within each round; of the rounds the median is reported.

use std::collections::HashSet;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::ptr;
use std::time::{Duration, Instant};

use parlance_model::{Error, Result};
use parlance_store::measure::PAGE_BYTES;
use parlance_store::watch::{self, Unit, Watch};
use serde_json::Value;
use tokio::runtime::Handle;

use super::kinds::{self, Kind};
use super::office::Office;
use super::subject::Home;
use super::target::{self, Variant, all_answered};
use super::{Report, float, median, rounded};
use crate::Door;
use crate::load::{Client, Plan, Request, Sent, What, percentiles};

/// Connections of the measurement of how much is answered; of how soon, it is one.
const CONNECTIONS: usize = 64;
/// Answers of the store in a round: at most, and at least where they take long.
const ANSWERS: usize = 500;
const FEWEST: usize = 20;

const COLUMNS: [&str; 13] = [
    "kind",
    "database",
    "conversations",
    "rows",
    "store_p50_us",
    "store_p99_us",
    "store_p50_of_first",
    "store_p99_of_first",
    "http_p50_us",
    "http_p99_us",
    "requests_per_s",
    "requests_of_first",
    "of_bare",
];

/// What to measure.
#[derive(Debug, Clone)]
pub struct List {
    /// Sizes of databases, in conversations. The others are compared with the first.
    pub conversations: Vec<u64>,
    /// Messages of each conversation.
    pub messages_each: u64,
    /// Rounds of each measurement.
    pub rounds: usize,
    /// How long each lasts over HTTP, in milliseconds; over the store it may be shorter.
    pub millis: u64,
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
/// `wrong_page`, `requests_failed`: then nothing is reported. `cancelled`; those of the database.
pub fn run(options: &List, watch: &dyn Watch) -> Result<Report> {
    let mut shelves = Vec::new();
    for url in std::iter::once(None).chain(options.postgres_url.as_deref().map(Some)) {
        for conversations in &options.conversations {
            let (database, (home, place)) = match url {
                None => ("sqlite", Home::sqlite(options.scratch.as_deref(), PAGE_BYTES)?),
                Some(url) => ("postgresql", Home::postgres(url)?),
            };
            let messages = conversations * options.messages_each;
            let office = Office::make(home, place, *conversations, messages, options.door, watch)?;
            let kinds = Handle::current().block_on(kinds::all(&office, messages, watch))?;
            let first = shelves.len() - shelves.len() % options.conversations.len();
            shelves.push(Shelf { database, conversations: *conversations, first, office, kinds });
        }
    }
    let measured = Handle::current().block_on(measure(options, &shelves, watch));
    for shelf in shelves {
        drop(Handle::current().block_on(shelf.office.subject.end()));
    }
    measured
}

/// A database of one size, with what is asked of it.
struct Shelf {
    database: &'static str,
    conversations: u64,
    /// The one that it is compared with, by its place in the list.
    first: usize,
    office: Office,
    kinds: Vec<Kind>,
}

/// What is measured: a kind on a database, or axum alone.
struct Measured<'a> {
    name: String,
    shelf: Option<&'a Shelf>,
    kind: Option<&'a Kind>,
    /// Asked by a client that has the answer: the store is not.
    unchanged: bool,
    address: SocketAddr,
    requests: Vec<Request>,
    rounds: Vec<Round>,
}

/// What a round came to.
struct Round {
    /// Half of the store's answers, and 99 of 100, took so many nanoseconds at most.
    store: Option<[u64; 2]>,
    alone: Sent,
    many: Sent,
}

async fn measure(options: &List, shelves: &[Shelf], watch: &dyn Watch) -> Result<Report> {
    let mut all = everything(options, shelves).await?;
    watch.stage("Measuring", Some((all.len() * options.rounds) as u64), Unit::Rows);
    let mut client = Client::start(&options.client)?;
    for _ in 0..options.rounds {
        for one in &mut all {
            let round = one.round(options, &mut client).await?;
            one.rounds.push(round);
            watch::advance(watch, 1)?;
        }
    }
    let mut settings = vec![("messages_each".to_owned(), Value::from(options.messages_each))];
    for shelf in shelves.iter().step_by(options.conversations.len()) {
        let of_it = shelf.office.subject.settings().await?;
        settings.extend(of_it.into_iter().map(|(setting, value)| (format!("{}: {setting}", shelf.database), Value::from(value))));
    }
    let (bare, rest) = all.split_first().ok_or_else(|| Error::internal("nothing was measured"))?;
    let first = |one: &Measured<'_>| {
        let first = &shelves[one.shelf?.first];
        rest.iter().find(|other| other.name == one.name && other.shelf.is_some_and(|shelf| ptr::eq(shelf, first)))
    };
    let rows = all.iter().map(|one| row(one, first(one), bare)).collect();
    Ok(Report { settings, columns: &COLUMNS, rows })
}

/// Axum alone, then each kind on each database, small beside large. Everything is asked once and looked at, which warms it too.
async fn everything<'a>(options: &List, shelves: &'a [Shelf]) -> Result<Vec<Measured<'a>>> {
    let Some(some) = shelves.first() else { return Err(Error::invalid("conversations", "Name a size.")) };
    let mut all = Vec::new();
    let names: Vec<_> = shelves.iter().flat_map(|shelf| &shelf.kinds).map(|kind| kind.name).collect();
    let mut done = HashSet::new();
    for name in names.into_iter().filter(|name| done.insert(*name)) {
        for shelf in shelves {
            let Some(kind) = shelf.kinds.iter().find(|kind| kind.name == name) else { continue };
            let (office, address) = (&shelf.office, shelf.office.address);
            let mut requests = Vec::new();
            for ask in &kind.asks {
                requests.push(ask.checked(office).await?);
            }
            let one = |name, unchanged, requests| {
                let (shelf, kind) = (Some(shelf), Some(kind));
                Measured { name, shelf, kind, unchanged, address, requests, rounds: Vec::new() }
            };
            all.push(one(name.to_owned(), false, requests));
            if kind.tagged {
                all.push(one(format!("{name}, unchanged"), true, Vec::new()));
            }
        }
    }
    let address = target::listen(&some.office.subject, Variant::Bare, options.door).await?;
    let requests = all.iter().flat_map(|one| &one.requests).take(1).map(|request| Request { length: None, status: 200, ..request.clone() });
    let (name, requests) = ("bare".to_owned(), requests.collect());
    let bare = Measured { name, shelf: None, kind: None, unchanged: false, address, requests, rounds: Vec::new() };
    all.insert(0, bare);
    Ok(all)
}

impl Measured<'_> {
    async fn round(&self, options: &List, client: &mut Client) -> Result<Round> {
        let (Some(kind), Some(shelf)) = (self.kind, self.shelf) else {
            return self.over_http(options, client, None, &self.requests).await;
        };
        if !self.unchanged {
            let store = store(&shelf.office, kind, Duration::from_millis(options.millis)).await?;
            return self.over_http(options, client, Some(store), &self.requests).await;
        }
        // Tags are made anew on the hour.
        let mut requests = Vec::new();
        for ask in &kind.asks {
            requests.push(ask.unchanged(&shelf.office).await?);
        }
        self.over_http(options, client, None, &requests).await
    }

    async fn over_http(&self, options: &List, client: &mut Client, store: Option<[u64; 2]>, requests: &[Request]) -> Result<Round> {
        let alone = self.sent(options, client, 1, requests).await?;
        Ok(Round { store, alone, many: self.sent(options, client, CONNECTIONS, requests).await? })
    }

    async fn sent(&self, options: &List, client: &mut Client, connections: usize, requests: &[Request]) -> Result<Sent> {
        let what = What::Given(requests.to_vec());
        let plan = Plan { address: self.address, connections, lasts_ms: options.millis, pause_ms: 0, again: true, what };
        client.prepare(&plan).await?;
        let sent = client.run().await?;
        all_answered(&sent)?;
        Ok(sent)
    }
}

/// Asks the application again and again, as the API does, one question after the other. Every answer is looked at.
async fn store(office: &Office, kind: &Kind, at_most: Duration) -> Result<[u64; 2]> {
    let (mut times, begun) = (Vec::new(), Instant::now());
    for ask in kind.asks.iter().cycle().take(ANSWERS) {
        if begun.elapsed() > at_most && times.len() >= FEWEST {
            break;
        }
        let asked = Instant::now();
        let shown = ask.question.app(&office.subject.app, &office.who).await?;
        times.push(u32::try_from(asked.elapsed().as_nanos()).unwrap_or(u32::MAX));
        ask.fits(&shown)?;
    }
    Ok(percentiles(&mut times, [50, 99]))
}

fn row(one: &Measured<'_>, first: Option<&Measured<'_>>, bare: &Measured<'_>) -> Vec<Value> {
    let of = |value: &dyn Fn(&Round) -> f64| rounded(median(one.rounds.iter().map(value).collect()), 1);
    let against = |other: Option<&Measured<'_>>, value: &dyn Fn(&Round) -> f64, digits| {
        let other = other.filter(|other| !ptr::eq(*other, one))?;
        let ratios = one.rounds.iter().zip(&other.rounds).map(|(round, other)| value(round) / value(other));
        Some(rounded(median(ratios.collect()), digits))
    };
    let null = |value: Option<Value>| value.unwrap_or_default();
    let stored = |value: Value| if one.rounds.iter().all(|round| round.store.is_some()) { value } else { Value::Null };
    let p50 = |round: &Round| round.store.map_or(f64::NAN, |[p50, _]| float(p50) / 1e3);
    let p99 = |round: &Round| round.store.map_or(f64::NAN, |[_, p99]| float(p99) / 1e3);
    let rate = |round: &Round| float(round.many.answered) / float(round.many.took_us.max(1)) * 1e6;
    let rows = one.kind.filter(|_| !one.unchanged).and_then(|kind| kind.asks.iter().map(|ask| ask.expected.rows).max());
    vec![
        one.name.clone().into(),
        one.shelf.map(|shelf| shelf.database).into(),
        one.shelf.map(|shelf| shelf.conversations).into(),
        rows.into(),
        stored(of(&p50)),
        stored(of(&p99)),
        stored(null(against(first, &p50, 2))),
        stored(null(against(first, &p99, 2))),
        of(&|round| float(round.alone.p50_us)),
        of(&|round| float(round.alone.p99_us)),
        of(&rate),
        null(against(first, &rate, 2)),
        null(against(Some(bare), &rate, 3)),
    ]
}
