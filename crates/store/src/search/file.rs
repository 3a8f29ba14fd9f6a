//! `search.db`, the index of an embedded database: its tables, and whether they belong to this installation. What does
//! not fit, or cannot be read, is made anew; there is nothing in the file that the database does not know.

use std::path::{Path, PathBuf};

use parlance_model::Result;
use parlance_model::id::InstallationTag;
use parlance_model::search::VERSION;

use crate::db::sqlite::{Access, DAMAGED, Database, Durability, SqliteTx};
use crate::db::{Tx, params};

/// The tables. `detail = none`, because the order of words is looked up in the message. Beginnings of words have indexes
/// of their own in every length that is asked for: without, each search would merge all that begins so.
const SCHEMA: &str = r#"
CREATE TABLE search_file (tag BIGINT NOT NULL, version BIGINT NOT NULL);
CREATE TABLE search_cursor (
  org_id INTEGER PRIMARY KEY,
  version BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  anchor TEXT NOT NULL,
  stage BIGINT NOT NULL,
  place_a BIGINT NOT NULL,
  place_b BIGINT NOT NULL,
  place_c BIGINT NOT NULL
);
CREATE VIRTUAL TABLE search_message USING fts5 (
  tokens, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii', prefix = '2 3 4 5 6 7 8 9 10 11 12'
);
CREATE VIRTUAL TABLE search_person USING fts5 (
  tokens, content = '', contentless_delete = 1, detail = none, tokenize = "ascii tokenchars '#'", prefix = '1 2'
);
"#;
const DROP: &str = "DROP TABLE IF EXISTS search_file; DROP TABLE IF EXISTS search_cursor;
    DROP TABLE IF EXISTS search_message; DROP TABLE IF EXISTS search_person;";

/// The file in the data folder.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join("search.db")
}

/// Opens the index of this installation for writing, made anew where it is another's, of another version, or damaged.
pub(crate) fn open(data: &Path, tag: InstallationTag) -> Result<Database> {
    let path = path(data);
    match fitting(&path, tag) {
        Err(cause) if cause.code() == DAMAGED => {
            tracing::warn!(?cause, "search.db is damaged; it is made anew");
            for companion in ["search.db", "search.db-wal", "search.db-shm"] {
                // One that is not there need not be removed, and one that cannot be shows at the next step.
                let _ = std::fs::remove_file(data.join(companion));
            }
            fitting(&path, tag)
        }
        other => other,
    }
}

fn fitting(path: &Path, tag: InstallationTag) -> Result<Database> {
    // Losing its last commits is no loss: they are made again from the log.
    let database = Database::open(path, Durability::Relaxed, Access::Write)?;
    if !fits(&database, tag)? {
        database.begin()?;
        // Another process may have done it meanwhile.
        let made = if fits(&database, tag)? { Ok(()) } else { make(&database, tag) };
        database.run(if made.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        made?;
    }
    Ok(database)
}

fn fits(database: &Database, tag: InstallationTag) -> Result<bool> {
    const TABLES: &str = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'search_file'";
    const KEPT: &str = "SELECT COUNT(*) FROM search_file WHERE tag = $1 AND version = $2";
    let mut tx = Tx::Sqlite(SqliteTx(database));
    let count = |tx: &mut Tx<'_>, text: &'static str, values: &[_]| tx.query_one(text, values, |row| row.get::<i64>(0));
    database.run("SAVEPOINT look")?;
    let fits = match count(&mut tx, TABLES, &[]) {
        Ok(0) => Ok(false),
        Ok(_) => count(&mut tx, KEPT, params![tag.to_i64(), VERSION]).map(|count| count == 1),
        Err(cause) => Err(cause),
    };
    database.run("RELEASE look")?;
    fits
}

fn make(database: &Database, tag: InstallationTag) -> Result<()> {
    const INSERT: &str = "INSERT INTO search_file (tag, version) VALUES ($1, $2)";
    database.run(DROP)?;
    database.run(SCHEMA)?;
    Tx::Sqlite(SqliteTx(database)).execute(INSERT, params![tag.to_i64(), VERSION]).map(drop)
}
