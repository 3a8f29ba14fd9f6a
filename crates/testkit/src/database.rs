//! The two databases that a store case runs on, and the record that proves it ran on both.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use tempfile::TempDir;

use crate::postgres::postgres_url;

/// The variable that names the file to which passed cases are appended. `cargo xtask test` sets it and counts the lines.
pub const CASES_VAR: &str = "PARLANCE_STORE_CASES";

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// The embedded one.
    Sqlite,
    /// The server.
    Postgres,
}

/// Both kinds, in the order in which they are reported.
#[must_use]
pub fn databases() -> [Database; 2] {
    [Database::Sqlite, Database::Postgres]
}

impl Database {
    /// The word for it in the record and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// An empty database of this kind, which no other test sees.
    ///
    /// # Panics
    /// When it cannot be made: a missing PostgreSQL is a failure, never a skip.
    #[must_use]
    pub fn fresh(self) -> FreshDatabase {
        match self {
            Self::Sqlite => match tempfile::Builder::new().prefix("parlance-sqlite-").tempdir() {
                Ok(folder) => FreshDatabase::Sqlite(folder),
                Err(error) => panic!("no temporary folder for SQLite: {error}"),
            },
            Self::Postgres => FreshDatabase::Postgres(postgres_url()),
        }
    }
}

/// A database without a schema, for one test.
#[derive(Debug)]
pub enum FreshDatabase {
    /// An empty data folder, removed when this value is dropped: keep it until the store is closed.
    Sqlite(TempDir),
    /// The URL of an empty database, which lives as long as its cluster.
    Postgres(String),
}

/// Notes that a case has passed on this database, where the runner asked for it (`PARLANCE_STORE_CASES`).
///
/// # Panics
/// When the note cannot be written, since the count would be wrong.
pub fn record_case(database: Database, name: &str) {
    if let Some(file) = std::env::var_os(CASES_VAR)
        && let Err(error) = append_case(Path::new(&file), database, name)
    {
        panic!("the case {name} passed but could not be recorded in {}: {error}", file.display());
    }
}

/// One `write` of one line to a file opened for appending: lines of concurrent processes do not mix.
fn append_case(file: &Path, database: Database, name: &str) -> io::Result<()> {
    let line = format!("{} {name}\n", database.name());
    OpenOptions::new().create(true).append(true).open(file)?.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{Database, FreshDatabase, append_case, databases};

    #[test]
    fn concurrent_cases_are_recorded_one_to_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cases");
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    for _ in 0..50 {
                        append_case(&file, Database::Postgres, "a_case").unwrap();
                    }
                });
            }
        });
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().filter(|line| *line == "postgres a_case").count(), 400);
        assert_eq!(text.lines().count(), 400);
    }

    #[test]
    fn a_fresh_database_is_shared_with_nobody() {
        for database in databases() {
            match (database.fresh(), database.fresh()) {
                (FreshDatabase::Sqlite(one), FreshDatabase::Sqlite(other)) => assert_ne!(one.path(), other.path()),
                (FreshDatabase::Postgres(one), FreshDatabase::Postgres(other)) => assert_ne!(one, other),
                (one, other) => panic!("{database:?} gave {one:?} and {other:?}"),
            }
        }
    }
}
