//! `bench mixed`: inbound messages alone, and while people look at lists and search. The variants take turns within each round; of the
//! rounds the median is reported.

use std::ffi::OsString;
use std::path::PathBuf;

use parlance_model::Result;
use parlance_store::measure::PAGE_BYTES;
use parlance_store::watch::{self, Unit, Watch};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::ask::Ask;
use super::ingest::BUILT_PER_SECOND;
use super::kinds;
use super::office::Office;
use super::subject::Home;
use super::target::{self, Round, all_answered};
use super::{Report, float, median, rounded};
use crate::Door;
use crate::load::{Client, Plan, Request, Sent, What};

/// People who look at lists, each over a connection of their own.
const READERS: usize = 10;

const COLUMNS: [&str; 14] = [
    "database",
    "pause_ms",
    "messages_per_s",
    "messages_of_alone",
    "p50_ms",
    "p99_ms",
    "p99_of_alone",
    "cpu_us",
    "lists_per_s",
    "list_p50_ms",
    "list_p99_ms",
    "searches_per_s",
    "search_p50_ms",
    "search_p99_ms",
];

/// What to measure.
#[derive(Debug, Clone)]
pub struct Mixed {
    /// Messages that are stored beforehand.
    pub messages: u64,
    /// Conversations that they are in.
    pub conversations: u64,
    /// How many connections send.
    pub connections: usize,
    /// How long a reader rests after an answer, in milliseconds: a variant for each.
    pub pauses_ms: Vec<u64>,
    /// Rounds of each variant.
    pub rounds: usize,
    /// How long a round lasts.
    pub seconds: u64,
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
/// `not_all_stored`, `not_drained`, `requests_failed`, `wrong_page`: then nothing is reported. `cancelled`; those of the database.
pub fn run(options: &Mixed, watch: &dyn Watch) -> Result<Report> {
    let mut offices = Vec::new();
    for url in std::iter::once(None).chain(options.postgres_url.as_deref().map(Some)) {
        let (database, (home, place)) = match url {
            None => ("sqlite", Home::sqlite(options.scratch.as_deref(), PAGE_BYTES)?),
            Some(url) => ("postgresql", Home::postgres(url)?),
        };
        let office = Office::make(home, place, options.conversations, options.messages, options.door, watch)?;
        offices.push((database, office));
    }
    let measured = Handle::current().block_on(measure(options, &mut offices, watch));
    for (_, office) in offices {
        drop(Handle::current().block_on(office.subject.end()));
    }
    measured
}

/// A round of a variant: of messages, and of what read beside them.
struct Beside {
    round: Round,
    read: Option<Read>,
}

struct Read {
    lists: Sent,
    searches: Sent,
}

async fn measure(options: &Mixed, offices: &mut [(&'static str, Office)], watch: &dyn Watch) -> Result<Report> {
    let variants: Vec<_> = std::iter::once(None).chain(options.pauses_ms.iter().copied().map(Some)).collect();
    watch.stage("Measuring", Some((offices.len() * variants.len() * options.rounds) as u64), Unit::Rows);
    let mut settings = vec![("messages".to_owned(), options.messages.into()), ("conversations".to_owned(), options.conversations.into())];
    let mut rows = Vec::new();
    for (database, office) in offices {
        let of_it = office.subject.settings().await?;
        settings.extend(of_it.into_iter().map(|(setting, value)| (format!("{database}: {setting}"), Value::from(value))));
        let searches = requests(office, kinds::searches(options.messages).into_iter().flat_map(|kind| kind.asks)).await?;
        let mut rounds: Vec<Vec<Beside>> = variants.iter().map(|_| Vec::new()).collect();
        for _ in 0..options.rounds {
            // What a list shows is counted anew, since messages have come.
            let lists = lists(office).await?;
            for (pause, rounds) in variants.iter().zip(&mut rounds) {
                let readers =
                    pause.map(|pause_ms| [(READERS, &lists), (1, &searches)].map(|(n, asked)| reader(options, office, pause_ms, n, asked)));
                rounds.push(one(options, office, readers, watch).await?);
                watch::advance(watch, 1)?;
            }
        }
        // Pages are whole and counts are right also after everything has come at once.
        lists(office).await?;
        rows.extend(variants.iter().zip(&rounds).map(|(pause, of_it)| row(database, *pause, of_it, &rounds[0])));
    }
    Ok(Report { settings, columns: &COLUMNS, rows })
}

/// The first pages of all lists, and what nobody has read: looked at, and as they are asked for while they change.
async fn lists(office: &Office) -> Result<Vec<Request>> {
    let kinds = kinds::views(office).await?;
    requests(office, kinds.into_iter().flat_map(|kind| kind.asks)).await
}

async fn requests(office: &Office, asks: impl Iterator<Item = Ask>) -> Result<Vec<Request>> {
    let mut requests = Vec::new();
    for ask in asks {
        requests.push(Request { length: None, ..ask.checked(office).await? });
    }
    Ok(requests)
}

fn reader(options: &Mixed, office: &Office, pause_ms: u64, connections: usize, asked: &[Request]) -> Plan {
    let what = What::Given(asked.to_vec());
    Plan { address: office.address, connections, lasts_ms: options.seconds * 1000, pause_ms, again: true, what }
}

/// One round: messages, and whoever reads meanwhile.
async fn one(options: &Mixed, office: &mut Office, readers: Option<[Plan; 2]>, watch: &dyn Watch) -> Result<Beside> {
    let count = options.seconds * BUILT_PER_SECOND;
    let what = What::Hooks { traffic: office.subject.traffic(1, count), count };
    let lasts_ms = options.seconds * 1000;
    let plan = Plan { address: office.address, connections: options.connections, lasts_ms, pause_ms: 0, again: false, what };
    let mut sending = Client::ready(&options.client, &plan).await?;
    let (app, place) = (&office.subject.app, Some(&office.subject.place));
    let Some([lists, searches]) = readers else {
        return Ok(Beside { round: target::round(app, place, sending.run(), watch).await?, read: None });
    };
    let (mut lists, mut searches) = (Client::ready(&options.client, &lists).await?, Client::ready(&options.client, &searches).await?);
    let mut read = None;
    let all = async {
        let (sent, lists, searches) = tokio::try_join!(sending.run(), lists.run(), searches.run())?;
        all_answered(&lists)?;
        all_answered(&searches)?;
        read = Some(Read { lists, searches });
        Ok(sent)
    };
    let round = target::round(app, place, all, watch).await?;
    Ok(Beside { round, read })
}

fn row(database: &str, pause_ms: Option<u64>, rounds: &[Beside], alone: &[Beside]) -> Vec<Value> {
    let rate = |sent: &Sent| float(sent.answered) / float(sent.took_us.max(1)) * 1e6;
    let ms = |us: u64| float(us) / 1e3;
    let of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(|beside| value(&beside.round)).collect());
    let against = |value: &dyn Fn(&Round) -> f64| {
        let ratios = rounds.iter().zip(alone).map(|(beside, alone)| value(&beside.round) / value(&alone.round));
        pause_ms.map_or(Value::Null, |_| rounded(median(ratios.collect()), 2))
    };
    let read = |digits, value: &dyn Fn(&Read) -> f64| {
        let values: Vec<_> = rounds.iter().filter_map(|beside| beside.read.as_ref()).map(value).collect();
        if values.is_empty() { Value::Null } else { rounded(median(values), digits) }
    };
    let messages = |round: &Round| rate(&round.sent);
    let p99 = |round: &Round| ms(round.sent.p99_us);
    vec![
        database.into(),
        json!(pause_ms),
        rounded(of(&messages), 0),
        against(&messages),
        rounded(of(&|round| ms(round.sent.p50_us)), 2),
        rounded(of(&p99), 2),
        against(&p99),
        rounded(of(&|round| float(round.usage.cpu_us) / float(round.sent.answered.max(1))), 1),
        read(0, &|read| rate(&read.lists)),
        read(2, &|read| ms(read.lists.p50_us)),
        read(2, &|read| ms(read.lists.p99_us)),
        read(0, &|read| rate(&read.searches)),
        read(2, &|read| ms(read.searches.p50_us)),
        read(2, &|read| ms(read.searches.p99_us)),
    ]
}
