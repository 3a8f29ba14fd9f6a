//! A connection of its own for a backup, a restore or the doctor, on either database, past the store's lanes and limits.

use parlance_model::Result;
use postgres::fallible_iterator::FallibleIterator as _;

use crate::db::{Row, Tx, postgres as pg, sqlite};

/// The connection, in a transaction that its owner began.
pub(crate) enum Session {
    Sqlite(sqlite::Database),
    Postgres(pg::Connection),
}

impl Session {
    /// Looks and writes as the store does.
    pub(crate) fn tx<T>(&mut self, run: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        match self {
            Self::Sqlite(database) => run(&mut Tx::Sqlite(sqlite::SqliteTx(database))),
            Self::Postgres(connection) => {
                let (client, statements) = connection.split();
                run(&mut Tx::Postgres(pg::PostgresTx::new(client, statements)))
            }
        }
    }

    /// Runs statements without parameters.
    pub(crate) fn run(&mut self, text: &str) -> Result<()> {
        match self {
            Self::Sqlite(database) => database.run(text),
            Self::Postgres(connection) => connection.split().0.batch_execute(text).map_err(pg::error),
        }
    }

    /// Runs a query and hands on row after row, without keeping them.
    pub(crate) fn each(&mut self, text: &str, mut take: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
        match self {
            Self::Sqlite(database) => {
                let mut statement = database.connection().prepare(text).map_err(sqlite::error)?;
                let mut rows = statement.query([]).map_err(sqlite::error)?;
                while let Some(row) = rows.next().map_err(sqlite::error)? {
                    take(&Row::Sqlite(row))?;
                }
            }
            Self::Postgres(connection) => {
                let mut rows = connection.split().0.query_raw(text, Vec::<i64>::new()).map_err(pg::error)?;
                while let Some(row) = rows.next().map_err(pg::error)? {
                    take(&Row::Postgres(&row))?;
                }
            }
        }
        Ok(())
    }
}
