//! The small facade over two databases: one SQL text, one transaction type, one row type.
//!
//! Texts use `$n`. PostgreSQL takes them as they are; for SQLite they become `?n` once per text, because SQLite
//! reads `$1` as a *name* numbered by appearance, and binding by position would silently bind the wrong columns.

pub(crate) mod command;
pub(crate) mod postgres;
pub(crate) mod sqlite;
mod value;

#[cfg(test)]
mod tests;

use parlance_model::{Error, Result};

pub(crate) use value::{Param, Row};

/// An SQL text for both databases.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sql {
    sqlite: &'static str,
    postgres: &'static str,
}

impl Sql {
    /// One text.
    pub(crate) const fn same(text: &'static str) -> Self {
        Self { sqlite: text, postgres: text }
    }

    /// Two texts that must differ, side by side. `cargo xtask tidy` lets their number only fall.
    pub(crate) const fn differs(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { sqlite, postgres }
    }

    /// The text for SQLite, to look at its plan.
    #[cfg(test)]
    pub(crate) const fn on_sqlite(self) -> &'static str {
        self.sqlite
    }

    /// The same for PostgreSQL.
    #[cfg(test)]
    pub(crate) const fn on_postgres(self) -> &'static str {
        self.postgres
    }

    /// Whether it changes rows.
    pub(crate) fn writes(self) -> bool {
        let text = self.sqlite.trim_start();
        ["INSERT", "UPDATE", "DELETE"].iter().any(|verb| text.starts_with(verb))
    }

    /// The table whose rows it changes.
    pub(crate) fn changed_table(self) -> Option<&'static str> {
        let mut words = self.sqlite.split_ascii_whitespace();
        match words.next() {
            Some("INSERT" | "DELETE") => words.nth(1),
            Some("UPDATE") => words.next(),
            _ => None,
        }
    }

    /// One of the texts: both do the same.
    pub(crate) const fn either(self) -> &'static str {
        self.sqlite
    }
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self::same(text)
    }
}

/// An open transaction on either database.
pub(crate) enum Tx<'a> {
    Sqlite(sqlite::SqliteTx<'a>),
    Postgres(postgres::PostgresTx<'a>),
}

impl Tx<'_> {
    /// Runs a statement; answers how many rows it changed.
    pub(crate) fn execute(&mut self, sql: impl Into<Sql>, params: &[Param<'_>]) -> Result<u64> {
        let sql = sql.into();
        without_nul(params)?;
        match self {
            Self::Sqlite(tx) => tx.execute(sql.sqlite, params),
            Self::Postgres(tx) => tx.execute(sql.postgres, params),
        }
    }

    /// Runs a query; maps every row.
    pub(crate) fn query<T>(&mut self, sql: impl Into<Sql>, params: &[Param<'_>], map: impl FnMut(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        let sql = sql.into();
        without_nul(params)?;
        #[cfg(test)]
        crate::plans::hear(sql, params.iter());
        match self {
            Self::Sqlite(tx) => tx.query(sql.sqlite, params, map),
            Self::Postgres(tx) => tx.query(sql.postgres, params, map),
        }
    }

    /// Runs a query of at most one row.
    pub(crate) fn query_opt<T>(
        &mut self,
        sql: impl Into<Sql>,
        params: &[Param<'_>],
        map: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        Ok(self.query(sql, params, map)?.into_iter().next())
    }

    /// Runs a query that always has a row.
    pub(crate) fn query_one<T>(&mut self, sql: impl Into<Sql>, params: &[Param<'_>], map: impl FnMut(&Row<'_>) -> Result<T>) -> Result<T> {
        let row = self.query_opt(sql, params, map)?;
        row.ok_or_else(|| Error::internal("a query that always has a row had none"))
    }

    /// Runs a statement once for each row of values, with the org in front of each: on PostgreSQL in one round trip. Answers how many
    /// rows it changed. Updates must be of different rows. After an error some rows may be done: who goes on must not count on either.
    pub(crate) fn execute_each(&mut self, sql: Sql, org: &Param<'_>, rows: &[&[Param<'_>]]) -> Result<u64> {
        rows.iter().try_for_each(|row| without_nul(row))?;
        match self {
            _ if rows.is_empty() => Ok(0),
            Self::Sqlite(tx) => tx.execute_each(sql.sqlite, org, rows),
            Self::Postgres(tx) => tx.execute_each(sql.postgres, org, rows),
        }
    }

    /// Runs a query in the same way; maps every row that any of them finds, in their order.
    pub(crate) fn query_each<T>(
        &mut self,
        sql: Sql,
        org: &Param<'_>,
        rows: &[&[Param<'_>]],
        map: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        rows.iter().try_for_each(|row| without_nul(row))?;
        #[cfg(test)]
        rows.iter().for_each(|row| crate::plans::hear(sql, std::iter::once(org).chain(*row)));
        match self {
            _ if rows.is_empty() => Ok(Vec::new()),
            Self::Sqlite(tx) => tx.query_each(sql.sqlite, org, rows, map),
            Self::Postgres(tx) => tx.query_each(sql.postgres, org, rows, map),
        }
    }

    /// Runs a file of statements without parameters: migrations.
    pub(crate) fn batch(&mut self, text: &str) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.batch(text),
            Self::Postgres(tx) => tx.batch(text),
        }
    }

    /// Whether a statement failed that ended the transaction. SQLite is asked itself (`is_autocommit`).
    pub(crate) const fn has_failed(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(tx) => tx.has_failed(),
        }
    }

    /// Whether this is SQLite.
    pub(crate) const fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}

/// PostgreSQL refuses NUL in text and SQLite takes it: both refuse it here, as the caller's fault.
fn without_nul(params: &[Param<'_>]) -> Result<()> {
    let nul = |param: &Param<'_>| matches!(param, Param::Text(text) if text.contains('\0'));
    if params.iter().any(nul) { Err(Error::invalid("text", "Must not contain the character NUL.")) } else { Ok(()) }
}

/// Parameters of a statement, each converted to a [`Param`].
macro_rules! params {
    ($($value:expr),* $(,)?) => { &$crate::db::row![$($value),*][..] };
}
/// One row of parameters, of many that a statement is run for.
macro_rules! row {
    ($($value:expr),* $(,)?) => { [$($crate::db::Param::from($value)),*] };
}
pub(crate) use {params, row};
