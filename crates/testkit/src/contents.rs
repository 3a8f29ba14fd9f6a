//! Every row of a database, past whatever is opened on it, for tests that show that nothing was written; and statements of a test's
//! own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;

use crate::database::FreshDatabase;

/// The rows of each table, as text and in a stable order.
#[derive(PartialEq, Eq)]
pub struct Contents(BTreeMap<String, Vec<String>>);

impl FreshDatabase {
    /// Reads every row. Of the embedded database's folder, the file `parlance.db`.
    ///
    /// # Panics
    /// When the database cannot be read.
    #[must_use]
    pub fn contents(&self) -> Contents {
        // PostgreSQL's client may not be used inside a runtime.
        let read = || match self {
            Self::Sqlite(folder) => sqlite(&folder.path().join("parlance.db")).map_err(|error| error.to_string()),
            Self::Postgres(url) => postgres(url).map_err(|error| error.to_string()),
        };
        match std::thread::scope(|threads| threads.spawn(read).join()) {
            Ok(Ok(tables)) => Contents(tables),
            Ok(Err(error)) => panic!("the database cannot be read: {error}"),
            Err(_) => panic!("reading the database panicked"),
        }
    }

    /// Runs statements on it, past whatever is opened on it. Of the embedded database's folder, on the file `parlance.db`.
    ///
    /// # Panics
    /// When they fail.
    pub fn execute(&self, sqlite: &str, postgres: &str) {
        // PostgreSQL's client may not be used inside a runtime.
        let run = || match self {
            Self::Sqlite(folder) => rusqlite::Connection::open(folder.path().join("parlance.db"))
                .and_then(|connection| connection.execute_batch(sqlite))
                .map_err(|error| error.to_string()),
            Self::Postgres(url) => postgres::Client::connect(url, postgres::NoTls)
                .and_then(|mut client| client.batch_execute(postgres))
                .map_err(|error| error.to_string()),
        };
        match std::thread::scope(|threads| threads.spawn(run).join()) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("the statements failed: {error}"),
            Err(_) => panic!("running the statements panicked"),
        }
    }
}

impl Contents {
    /// What is in `self` and not in `before`, or the other way round, a line each.
    #[must_use]
    pub fn changes(&self, before: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let tables: std::collections::BTreeSet<_> = self.0.keys().chain(before.0.keys()).collect();
        for table in tables {
            let (now, then) = (self.0.get(table), before.0.get(table));
            let only = |rows: Option<&Vec<String>>, others: Option<&Vec<String>>, sign: char| {
                let rows = rows.into_iter().flatten().filter(|row| !others.is_some_and(|others| others.contains(row)));
                rows.map(|row| format!("{sign} {table}: {row}")).collect::<Vec<_>>()
            };
            changes.extend(only(then, now, '-'));
            changes.extend(only(now, then, '+'));
        }
        changes
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(table, rows)| (table, rows.len()))).finish()
    }
}

fn sqlite(file: &Path) -> rusqlite::Result<BTreeMap<String, Vec<String>>> {
    let connection = rusqlite::Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    let mut names = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut tables = BTreeMap::new();
    for name in names {
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{name}\""))?;
        let columns = statement.column_count();
        let read = |row: &rusqlite::Row<'_>| (0..columns).map(|index| row.get_ref(index).map(text)).collect::<rusqlite::Result<Vec<_>>>();
        let rows = statement.query_map([], read)?.map(|row| row.map(|values| values.join("|")));
        let mut rows: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
        rows.sort();
        tables.insert(name, rows);
    }
    Ok(tables)
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => value.to_string(),
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn postgres(url: &str) -> Result<BTreeMap<String, Vec<String>>, postgres::Error> {
    let mut client = postgres::Client::connect(url, postgres::NoTls)?;
    let names = client.query("SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public'", &[])?;
    let mut tables = BTreeMap::new();
    for name in names.iter().map(|row| row.get::<_, String>(0)) {
        let rows = client.query(&format!("SELECT CAST(t AS TEXT) FROM \"{name}\" t"), &[])?;
        let mut rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        rows.sort();
        tables.insert(name, rows);
    }
    Ok(tables)
}
