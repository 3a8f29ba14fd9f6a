//! SQLite: one writer thread with group commit, readers in place, checkpoints on a connection of their own.
//!
//! Every write of the process goes through one connection, so SQLite's single writer is never contended and one
//! fsync serves everything that queued meanwhile. The thread that asks waits for COMMIT; nobody is answered earlier.

mod checkpoint;
mod copy;
mod reader;
pub(crate) mod rewrite;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parlance_model::{Error, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use super::{Param, Row};

#[cfg(test)]
mod tests;

pub(crate) use copy::{copy, size};
pub(crate) use reader::{Files, Readers};
pub(crate) use writer::Writer;

/// The database file in the data folder.
pub(crate) fn file(data: &Path) -> PathBuf {
    data.join("parlance.db")
}

/// The code of an error that asks the reader pool to run the closure again.
pub(crate) const INTERRUPTED: &str = "db_interrupted";

/// The code of an error that says the file is no intact database.
pub(crate) const DAMAGED: &str = "db_damaged";

/// How much a commit promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Survives power loss: one fsync per group commit.
    #[default]
    Full,
    /// Survives a killed process; power loss may take the last commits.
    Relaxed,
}

/// How long a statement waits for another process's lock. A server's own connections never wait for each other.
pub(crate) const BUSY: Duration = Duration::from_secs(3);

/// Bytes of a page of the database. A message changes a few rows, each in a page of its own: the smaller the page, the less is written.
pub(crate) const PAGE_BYTES: u32 = 2048;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// The one that writes.
    Write,
    /// The one that writes the search index.
    Index,
    /// One of many that only read.
    Read,
    /// The one that moves the WAL into the database.
    Checkpoint,
}

impl Access {
    /// Its page cache, in KiB. Readers are many, and share the operating system's cache. The writer's is no larger because of what
    /// SQLite does at a commit after it has moved pages: it looks at every page in the cache.
    const fn cache_kib(self) -> u32 {
        match self {
            Self::Write => 16_384,
            Self::Index | Self::Read => 8192,
            Self::Checkpoint => 2048,
        }
    }

    /// Bytes of a page of the file that it makes; `None` where it makes none. FTS5 writes pages of its own, of nearly 4096 bytes, as single rows.
    const fn makes(self) -> Option<u32> {
        match self {
            Self::Write => Some(PAGE_BYTES),
            Self::Index => Some(4096),
            Self::Read | Self::Checkpoint => None,
        }
    }
}

/// Makes an empty file with pages of so many bytes, readable by its owner only; SQLite gives its companions the same mode. A file that has
/// something in it keeps its pages.
pub(crate) fn make(path: &Path, page_bytes: u32) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let made = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    made.map_err(|cause| {
        Error::unavailable(format!("{} cannot be made. Check the path and its permissions.", path.display()), 1).with_source(cause)
    })?;
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(error)?;
    connection.busy_timeout(BUSY).map_err(error)?;
    connection.pragma_update(None, "page_size", page_bytes).map_err(error)?;
    // The first thing that writes the file's header.
    connection.execute_batch("PRAGMA journal_mode = WAL").map_err(error)
}

/// A connection with its rewritten texts.
pub(crate) struct Database {
    connection: Connection,
    /// How its writing transactions begin.
    begin: &'static str,
    texts: std::cell::RefCell<HashMap<(usize, usize), Box<str>>>,
}

impl Database {
    /// Opens the file. The first to write makes it.
    pub(crate) fn open(path: &Path, durability: Durability, access: Access) -> Result<Self> {
        if let Some(page_bytes) = access.makes().filter(|_| std::fs::metadata(path).map_or(true, |file| file.len() == 0)) {
            make(path, page_bytes)?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(error)?;
        connection.busy_timeout(BUSY).map_err(error)?;
        connection.set_prepared_statement_cache_capacity(256);
        // Else SQLite plans a statement with `LIKE ?` anew whenever it is bound, in the hope of a pattern that an index could serve.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(error)?;
        let synchronous = match durability {
            Durability::Full => "FULL",
            Durability::Relaxed => "NORMAL",
        };
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = 0;
                 PRAGMA cache_size = -{}; PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF;
                 PRAGMA journal_size_limit = 67108864; PRAGMA query_only = {};",
                access.cache_kib(),
                if access == Access::Read { "ON" } else { "OFF" }
            ))
            .map_err(error)?;
        Ok(Self { connection, begin: "BEGIN IMMEDIATE", texts: std::cell::RefCell::default() })
    }

    /// Adds another file's tables to this connection. Transactions take the lock of a file with the first write to it:
    /// IMMEDIATE ones would take both.
    pub(crate) fn attach(mut self, path: &Path) -> Result<Self> {
        let path = path.to_str().ok_or_else(|| Error::invalid("data", "The data folder's name must be UTF-8."))?;
        self.connection.execute("ATTACH DATABASE ?1 AS other", [path]).map_err(error)?;
        self.begin = "BEGIN";
        Ok(self)
    }

    /// Begins a writing transaction.
    pub(crate) fn begin(&self) -> Result<()> {
        self.step(self.begin)
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs statements without parameters.
    pub(crate) fn run(&self, text: &str) -> Result<()> {
        self.connection.execute_batch(text).map_err(error)
    }

    /// Runs one statement without parameters or rows, which is parsed once: with every request some are run.
    pub(crate) fn step(&self, text: &'static str) -> Result<()> {
        self.connection.prepare_cached(text).and_then(|mut statement| statement.execute(())).map(drop).map_err(error)
    }

    /// The text with `?n`, rewritten once. Keyed by address and length: texts are constants, and one may begin another.
    fn prepared(&self, sql: &'static str) -> Result<rusqlite::CachedStatement<'_>> {
        let mut texts = self.texts.borrow_mut();
        let text = texts.entry((sql.as_ptr() as usize, sql.len())).or_insert_with(|| rewrite::positional(sql).into());
        self.connection.prepare_cached(text).map_err(error)
    }
}

/// An open transaction.
pub(crate) struct SqliteTx<'a>(pub(crate) &'a Database);

impl SqliteTx<'_> {
    /// SQLite may have ended the transaction with an error that the closure passed over. Going on would commit each
    /// further statement by itself.
    fn still_open(&self) -> Result<()> {
        if self.0.connection.is_autocommit() { Err(ended()) } else { Ok(()) }
    }

    pub(crate) fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64> {
        self.still_open()?;
        let mut statement = self.0.prepared(sql)?;
        let changed = statement.execute(params_from_iter(params)).map_err(error)?;
        Ok(changed as u64)
    }

    pub(crate) fn query<T>(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.still_open()?;
        let mut statement = self.0.prepared(sql)?;
        let mut rows = statement.query(params_from_iter(params)).map_err(error)?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(error)? {
            out.push(map(&Row::Sqlite(row))?);
        }
        Ok(out)
    }

    pub(crate) fn execute_each(&mut self, sql: &'static str, org: &Param<'_>, rows: &[&[Param<'_>]]) -> Result<u64> {
        self.still_open()?;
        let mut statement = self.0.prepared(sql)?;
        rows.iter().try_fold(0, |changed, row| Ok(changed + statement.execute(with_org(org, row)).map_err(error)? as u64))
    }

    pub(crate) fn query_each<T>(
        &mut self,
        sql: &'static str,
        org: &Param<'_>,
        rows: &[&[Param<'_>]],
        mut map: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.still_open()?;
        let mut statement = self.0.prepared(sql)?;
        let mut out = Vec::with_capacity(rows.len());
        for row in rows {
            let mut found = statement.query(with_org(org, row)).map_err(error)?;
            while let Some(row) = found.next().map_err(error)? {
                out.push(map(&Row::Sqlite(row))?);
            }
        }
        Ok(out)
    }

    pub(crate) fn batch(&mut self, text: &str) -> Result<()> {
        self.0.run(text)
    }
}

fn with_org<'p>(org: &'p Param<'p>, row: &'p [Param<'p>]) -> impl rusqlite::Params + 'p {
    params_from_iter(std::iter::once(org).chain(row))
}

/// The error of whoever goes on after that.
fn ended() -> Error {
    Error::internal("SQLite ended the transaction in the middle")
}

/// Translates SQLite's errors: what a retry can mend is `unavailable`, an interrupt is handed to the reader pool,
/// the rest is a defect.
pub(crate) fn error(cause: rusqlite::Error) -> Error {
    let code = cause.sqlite_error_code();
    match code {
        Some(ErrorCode::OperationInterrupted) => {
            Error::new(parlance_model::error::Kind::Unavailable, INTERRUPTED, "This took too long. Narrow the request.").with_source(cause)
        }
        Some(ErrorCode::DiskFull) => {
            Error::unavailable("The disk is full. Nothing was changed; free some space and try again.", 5).with_source(cause)
        }
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly,
        ) => Error::unavailable("The database cannot be used just now. Nothing was changed; try again.", 1).with_source(cause),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            Error::new(parlance_model::error::Kind::Internal, DAMAGED, "The database file is damaged. Restore it from a backup.")
                .with_source(cause)
        }
        _ => Error::internal(cause),
    }
}
