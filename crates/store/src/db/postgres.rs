//! PostgreSQL: a few write lanes sharded by org, one lane for the directory, and a pool of readers, each a thread
//! with the synchronous client and a connection of its own.
//!
//! Writes of an org go through one lane of this node and take the org's row `FOR UPDATE` first, which orders the
//! lanes of other nodes too: seq, counters and contacts neither skew nor deadlock.

mod lane;
mod many;
mod reader;
mod tls;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parlance_model::error::Kind;
use parlance_model::{Error, Result};
use postgres::error::SqlState;
use postgres::types::ToSql;
use postgres::{Client, Statement, Transaction};

use super::{Param, Row};

pub(crate) use lane::Lanes;
pub(crate) use reader::Readers;

/// A connection with its prepared statements.
pub(crate) struct Connection {
    client: Client,
    statements: Statements,
}

/// Prepared statements, for one row and for many, keyed by address and length of their constant texts.
#[derive(Default)]
pub(crate) struct Statements {
    one: HashMap<(usize, usize), Statement>,
    many: HashMap<(usize, usize), Statement>,
}

/// A stuck statement ends instead of holding its lane for ever.
/// Writes find their rows by keys. While a table is new and its statistics lack, one that reads it whole may look cheaper, and would be kept.
const WRITING: &str = "SET timezone = 'UTC'; SET statement_timeout = '20s'; SET lock_timeout = '15s';
    SET plan_cache_mode = 'force_generic_plan'; SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";
/// A read may take as long as on SQLite. Its plan follows its parameters: one for all filters would sort whole orgs.
const READING: &str = "SET timezone = 'UTC'; SET statement_timeout = '2s'; SET plan_cache_mode = 'force_custom_plan'";
/// An index of a large table takes its time.
pub(crate) const MIGRATING: &str = "SET timezone = 'UTC'; SET client_min_messages = 'warning'; SET application_name = 'parlance apart'";
/// The name of connections of an open store, by which whoever wants to change the schema finds them.
pub(crate) const SERVING: &str = "parlance";
/// After a connection that could not be opened took its time, others fail at once for so long, instead of one after the other.
const AWAY: Duration = Duration::from_secs(1);
/// A refusal that comes sooner costs nothing, and the next try may succeed.
const SLOW: Duration = Duration::from_millis(500);

impl Connection {
    /// Connects, and sets what its use asks for: one of the texts above.
    pub(crate) fn open(url: &str, settings: &str) -> Result<Self> {
        let (mut config, tls) = tls::read(url)?;
        // A server that went silent (a lost host, a cut network) is noticed in ten seconds, not in hours.
        config.application_name(SERVING).connect_timeout(Duration::from_secs(5)).tcp_user_timeout(Duration::from_secs(10));
        config.keepalives_idle(Duration::from_secs(10)).keepalives_interval(Duration::from_secs(3)).keepalives_retries(3);
        let mut client = config.connect(tls).map_err(not_connected)?;
        client.batch_execute(settings).map_err(error)?;
        Ok(Self { client, statements: Statements::default() })
    }

    fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(crate) fn split(&mut self) -> (&mut Client, &mut Statements) {
        (&mut self.client, &mut self.statements)
    }
}

/// The connection of a thread, opened again after it broke.
pub(crate) struct Reconnecting {
    url: String,
    settings: &'static str,
    connection: Option<Connection>,
    failed: Option<Instant>,
}

impl Reconnecting {
    pub(crate) fn for_writing(url: &str) -> Self {
        Self { url: url.to_owned(), settings: WRITING, connection: None, failed: None }
    }

    pub(crate) fn for_reading(url: &str) -> Self {
        Self { settings: READING, ..Self::for_writing(url) }
    }

    fn get(&mut self) -> Result<&mut Connection> {
        if self.connection.as_ref().is_some_and(Connection::is_closed) {
            self.connection = None;
        }
        if self.connection.is_none() {
            if self.failed.is_some_and(|failed| failed.elapsed() < AWAY) {
                return Err(Error::unavailable(AWAY_TEXT, 1));
            }
            let begun = Instant::now();
            let opened = Connection::open(&self.url, self.settings);
            self.failed = (opened.is_err() && begun.elapsed() > SLOW).then(Instant::now);
            self.connection = Some(opened?);
        }
        self.connection.as_mut().ok_or_else(|| Error::internal("a connection was opened and is not there"))
    }

    fn forget(&mut self) {
        self.connection = None;
    }
}

/// An open transaction.
pub(crate) struct PostgresTx<'a> {
    transaction: &'a mut dyn Statementer,
    statements: &'a mut Statements,
    failed: bool,
}

/// What a transaction and a savepoint have in common, without their lifetimes.
pub(crate) trait Statementer {
    fn prepare(&mut self, sql: &str) -> Result<Statement, postgres::Error>;
    fn execute(&mut self, statement: &Statement, params: &[&(dyn ToSql + Sync)]) -> Result<u64, postgres::Error>;
    fn query(&mut self, statement: &Statement, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<postgres::Row>, postgres::Error>;
    fn batch(&mut self, text: &str) -> Result<(), postgres::Error>;
}

impl Statementer for Transaction<'_> {
    fn prepare(&mut self, sql: &str) -> Result<Statement, postgres::Error> {
        Transaction::prepare(self, sql)
    }

    fn execute(&mut self, statement: &Statement, params: &[&(dyn ToSql + Sync)]) -> Result<u64, postgres::Error> {
        Transaction::execute(self, statement, params)
    }

    fn query(&mut self, statement: &Statement, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<postgres::Row>, postgres::Error> {
        Transaction::query(self, statement, params)
    }

    fn batch(&mut self, text: &str) -> Result<(), postgres::Error> {
        self.batch_execute(text)
    }
}

/// A connection whose transaction was begun by hand, because it outlives one call.
impl Statementer for Client {
    fn prepare(&mut self, sql: &str) -> Result<Statement, postgres::Error> {
        Client::prepare(self, sql)
    }

    fn execute(&mut self, statement: &Statement, params: &[&(dyn ToSql + Sync)]) -> Result<u64, postgres::Error> {
        Client::execute(self, statement, params)
    }

    fn query(&mut self, statement: &Statement, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<postgres::Row>, postgres::Error> {
        Client::query(self, statement, params)
    }

    fn batch(&mut self, text: &str) -> Result<(), postgres::Error> {
        self.batch_execute(text)
    }
}

impl<'a> PostgresTx<'a> {
    pub(crate) fn new(transaction: &'a mut dyn Statementer, statements: &'a mut Statements) -> Self {
        Self { transaction, statements, failed: false }
    }

    /// Whether a statement failed, which ends the transaction: PostgreSQL answers its COMMIT as if all were well, and rolls back.
    pub(crate) const fn has_failed(&self) -> bool {
        self.failed
    }

    fn seen<T>(&mut self, result: Result<T, postgres::Error>) -> Result<T> {
        self.failed |= result.is_err();
        result.map_err(error)
    }

    fn prepared(&mut self, sql: &'static str) -> Result<Statement> {
        let key = (sql.as_ptr() as usize, sql.len());
        if let Some(statement) = self.statements.one.get(&key) {
            return Ok(statement.clone());
        }
        let statement = self.transaction.prepare(sql);
        let statement = self.seen(statement)?;
        self.statements.one.insert(key, statement.clone());
        Ok(statement)
    }

    /// The same statement for many rows at once.
    fn prepared_for_many(&mut self, sql: &'static str) -> Result<Statement> {
        let key = (sql.as_ptr() as usize, sql.len());
        if let Some(statement) = self.statements.many.get(&key) {
            return Ok(statement.clone());
        }
        let text = many::text(sql, self.prepared(sql)?.params())?;
        let statement = self.transaction.prepare(&text);
        let statement = self.seen(statement)?;
        self.statements.many.insert(key, statement.clone());
        Ok(statement)
    }

    pub(crate) fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64> {
        let statement = self.prepared(sql)?;
        let changed = self.transaction.execute(&statement, &bound(params));
        self.seen(changed)
    }

    pub(crate) fn query<T>(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let statement = self.prepared(sql)?;
        let rows = self.transaction.query(&statement, &bound(params));
        let rows = self.seen(rows)?;
        rows.iter().map(|row| map(&Row::Postgres(row))).collect()
    }

    pub(crate) fn execute_each(&mut self, sql: &'static str, org: &Param<'_>, rows: &[&[Param<'_>]]) -> Result<u64> {
        let changed = if let [row] = rows {
            let statement = self.prepared(sql)?;
            self.transaction.execute(&statement, &with_org(org, row))
        } else {
            let statement = self.prepared_for_many(sql)?;
            self.transaction.execute(&statement, &with_org(org, &columns(rows)))
        };
        self.seen(changed)
    }

    pub(crate) fn query_each<T>(
        &mut self,
        sql: &'static str,
        org: &Param<'_>,
        rows: &[&[Param<'_>]],
        mut map: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let found = if let [row] = rows {
            let statement = self.prepared(sql)?;
            self.transaction.query(&statement, &with_org(org, row))
        } else {
            let statement = self.prepared_for_many(sql)?;
            self.transaction.query(&statement, &with_org(org, &columns(rows)))
        };
        self.seen(found)?.iter().map(|row| map(&Row::Postgres(row))).collect()
    }

    pub(crate) fn batch(&mut self, text: &str) -> Result<()> {
        let done = self.transaction.batch(text);
        self.seen(done)
    }
}

fn bound<'p>(params: &'p [Param<'p>]) -> Vec<&'p (dyn ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
}

fn with_org<'p, V: ToSql + Sync>(org: &'p Param<'_>, values: &'p [V]) -> Vec<&'p (dyn ToSql + Sync)> {
    let values = values.iter().map(|value| value as &(dyn ToSql + Sync));
    std::iter::once(org as &(dyn ToSql + Sync)).chain(values).collect()
}

/// The values of rows, column by column.
fn columns<'p>(rows: &[&'p [Param<'p>]]) -> Vec<Vec<&'p Param<'p>>> {
    let width = rows.first().map_or(0, |row| row.len());
    (0..width).map(|at| rows.iter().map(|row| &row[at]).collect()).collect()
}

/// What a caller reads of all this.
const AWAY_TEXT: &str = "The database cannot be reached just now. Nothing was changed; try again.";
/// The code of an error after which the same closure may succeed at once.
pub(crate) const RETRY: &str = "db_retry";
/// The code of an error that took the connection with it.
pub(crate) const LOST: &str = "db_lost";
/// The code of a connection that broke while nobody used it, which shows only at the next BEGIN: nothing has run.
pub(crate) const STALE: &str = "db_stale";

/// The code of a COMMIT whose answer was lost: it may have happened.
pub(crate) const DOUBT: &str = "db_doubt";

/// Translates what COMMIT failed with. A deadlock or a serialisation failure is certain; an outage is not.
fn in_doubt(cause: postgres::Error) -> Error {
    let cause = error(cause);
    match cause.kind() {
        Kind::Unavailable if cause.code() != RETRY => Error::new(Kind::Unavailable, DOUBT, "").with_source(cause),
        _ => cause,
    }
}

/// Translates what BEGIN failed with.
fn stale(cause: postgres::Error) -> Error {
    let cause = error(cause);
    match cause.kind() {
        Kind::Unavailable => Error::new(Kind::Unavailable, STALE, cause.message().to_owned()).with_source(cause).with_retry_after(1),
        _ => cause,
    }
}

/// Translates what connecting failed with. What the server did not say itself, such as a certificate that is not trusted, is no defect either.
fn not_connected(cause: postgres::Error) -> Error {
    match cause.code() {
        Some(_) => error(cause),
        None => Error::new(Kind::Unavailable, LOST, AWAY_TEXT).with_source(cause).with_retry_after(1),
    }
}

/// Translates PostgreSQL's errors: deadlocks and serialisation failures are retried, a lost connection, a full disk
/// and a server that is starting or stopping are `unavailable`, the rest is a defect.
pub(crate) fn error(cause: postgres::Error) -> Error {
    let error = meaning(&cause);
    error.with_source(said(cause))
}

/// What PostgreSQL said, without the values that it quotes: the detail of a broken constraint has the row in it.
fn said(cause: postgres::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let Some(error) = cause.as_db_error() else { return cause.into() };
    let place = |name: &str, value: Option<&str>| value.map(|value| format!(", {name} {value}")).unwrap_or_default();
    // Classes 22 and 23 are about values; the others speak of statements, which are ours, and of the server.
    let about_values = ["22", "23"].iter().any(|class| error.code().code().starts_with(class));
    let sentence = if about_values { "a value was refused" } else { error.message() };
    let places = [place("table", error.table()), place("column", error.column()), place("constraint", error.constraint())].concat();
    format!("{} {}: {sentence}{places}", error.severity(), error.code().code()).into()
}

fn meaning(cause: &postgres::Error) -> Error {
    let defect = || Error::internal("PostgreSQL refused a statement");
    match cause.code() {
        Some(code) if [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE].contains(code) => {
            Error::new(Kind::Unavailable, RETRY, AWAY_TEXT).with_retry_after(1)
        }
        // Class 53 is "insufficient resources" (disk full, too many connections), 57 "operator intervention" and
        // statements that took too long, 58 a system error such as I/O, 08 the connection, 28 its credentials. 25006 is
        // a server that became read-only, 25P03 a session that was ended: both come with a failover.
        Some(code)
            if ["53", "57", "58", "08", "28", "25006", "25P03"].iter().any(|class| code.code().starts_with(class))
                || *code == SqlState::LOCK_NOT_AVAILABLE =>
        {
            Error::unavailable(AWAY_TEXT, 1)
        }
        Some(_) => defect(),
        None if cause.is_closed() || std::error::Error::source(cause).is_some_and(|source| source.is::<std::io::Error>()) => {
            Error::new(Kind::Unavailable, LOST, AWAY_TEXT).with_retry_after(1)
        }
        None => defect(),
    }
}
