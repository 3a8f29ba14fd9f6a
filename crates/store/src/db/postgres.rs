//! PostgreSQL: a few write lanes sharded by org, one lane for the directory, and a pool of readers, each a thread
//! with the synchronous client and a connection of its own.
//!
//! Writes of an org go through one lane of this node and take the org's row `FOR UPDATE` first, which orders the
//! lanes of other nodes too: seq, counters and contacts neither skew nor deadlock.

mod lane;
mod reader;

use std::collections::HashMap;

use parlance_model::error::Kind;
use parlance_model::{Error, Result};
use postgres::error::SqlState;
use postgres::types::ToSql;
use postgres::{Client, NoTls, Statement, Transaction};

use super::{Param, Row};

pub(crate) use lane::Lanes;
pub(crate) use reader::Readers;

/// A connection with its prepared statements, keyed by address and length of their constant texts.
pub(crate) struct Connection {
    client: Client,
    statements: Statements,
}

type Statements = HashMap<(usize, usize), Statement>;

impl Connection {
    pub(crate) fn open(url: &str) -> Result<Self> {
        let mut config: postgres::Config = url.parse().map_err(|cause: postgres::Error| {
            Error::invalid("database-url", "Must be postgres://user:password@host:port/name.").with_source(cause)
        })?;
        config.application_name("parlance").connect_timeout(std::time::Duration::from_secs(5));
        let mut client = config.connect(NoTls).map_err(error)?;
        // Our own limit sits above, so that a stuck statement ends instead of holding its lane for ever.
        client.batch_execute("SET statement_timeout = '30s'; SET lock_timeout = '20s'; SET timezone = 'UTC'").map_err(error)?;
        Ok(Self { client, statements: HashMap::new() })
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
    connection: Option<Connection>,
}

impl Reconnecting {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), connection: None }
    }

    fn get(&mut self) -> Result<&mut Connection> {
        if self.connection.as_ref().is_some_and(Connection::is_closed) {
            self.connection = None;
        }
        match &mut self.connection {
            Some(connection) => Ok(connection),
            slot => Ok(slot.insert(Connection::open(&self.url)?)),
        }
    }

    fn forget(&mut self) {
        self.connection = None;
    }
}

/// An open transaction.
pub(crate) struct PostgresTx<'a> {
    transaction: &'a mut dyn Statementer,
    statements: &'a mut Statements,
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

impl<'a> PostgresTx<'a> {
    pub(crate) fn new(transaction: &'a mut dyn Statementer, statements: &'a mut Statements) -> Self {
        Self { transaction, statements }
    }

    fn prepared(&mut self, sql: &'static str) -> Result<Statement> {
        let key = (sql.as_ptr() as usize, sql.len());
        if let Some(statement) = self.statements.get(&key) {
            return Ok(statement.clone());
        }
        let statement = self.transaction.prepare(sql).map_err(error)?;
        self.statements.insert(key, statement.clone());
        Ok(statement)
    }

    pub(crate) fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64> {
        let statement = self.prepared(sql)?;
        self.transaction.execute(&statement, &bound(params)).map_err(error)
    }

    pub(crate) fn query<T>(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let statement = self.prepared(sql)?;
        let rows = self.transaction.query(&statement, &bound(params)).map_err(error)?;
        rows.iter().map(|row| map(&Row::Postgres(row))).collect()
    }

    pub(crate) fn batch(&mut self, text: &str) -> Result<()> {
        self.transaction.batch(text).map_err(error)
    }
}

fn bound<'p>(params: &'p [Param<'p>]) -> Vec<&'p (dyn ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
}

/// The code of an error after which the same closure may succeed at once.
pub(crate) const RETRY: &str = "db_retry";
/// The code of an error that took the connection with it.
pub(crate) const LOST: &str = "db_lost";
/// The code of a connection that broke while nobody used it, which shows only at the next BEGIN: nothing has run.
pub(crate) const STALE: &str = "db_stale";

/// Translates what BEGIN failed with.
fn stale(cause: postgres::Error) -> Error {
    let cause = error(cause);
    match cause.kind() {
        Kind::Unavailable => Error::new(Kind::Unavailable, STALE, cause.message().to_owned()).with_source(cause).with_retry_after(1),
        _ => cause,
    }
}

/// Translates PostgreSQL's errors: deadlocks and serialisation failures are retried, a lost connection, a full disk
/// and a server that is starting or stopping are `unavailable`, the rest is a defect.
pub(crate) fn error(cause: postgres::Error) -> Error {
    let away = "The database cannot be reached just now. Nothing was changed; try again.";
    match cause.code() {
        Some(code) if [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE].contains(code) => {
            Error::new(Kind::Unavailable, RETRY, away).with_source(cause).with_retry_after(1)
        }
        // Class 53 is "insufficient resources" (disk full, too many connections), 57P "operator intervention",
        // 58 a system error such as I/O, 08 the connection.
        Some(code)
            if ["53", "57", "58", "08"].iter().any(|class| code.code().starts_with(class)) || *code == SqlState::LOCK_NOT_AVAILABLE =>
        {
            Error::unavailable(away, 1).with_source(cause)
        }
        Some(_) => Error::internal(cause),
        None if cause.is_closed() || std::error::Error::source(&cause).is_some_and(|source| source.is::<std::io::Error>()) => {
            Error::new(Kind::Unavailable, LOST, away).with_source(cause).with_retry_after(1)
        }
        None => Error::internal(cause),
    }
}
