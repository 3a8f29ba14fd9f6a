//! `search.db`, the index of an embedded database: its tables, and whether they belong to this database. What does not
//! fit, or cannot be read, is made anew; there is nothing in the file that the database does not know.

use std::path::{Path, PathBuf};

use parlance_model::error::Kind;
use parlance_model::search::VERSION;
use parlance_model::{Error, Result};

use crate::db::sqlite::{Access, DAMAGED, Database, Durability, SqliteTx};
use crate::db::{Tx, params};
use crate::installation::Origin;

/// The tables. `detail = none`, because the order of words is looked up in the message. Beginnings of words have indexes
/// of their own in every length that is asked for: without, each search would merge all that begins so.
const SCHEMA: &str = r#"
CREATE TABLE search_file (tag BIGINT NOT NULL, restore_mark BIGINT NOT NULL, version BIGINT NOT NULL);
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
  tokens, content = '', contentless_delete = 1, detail = none, tokenize = "ascii tokenchars '#'", prefix = '2 3'
);
"#;
const DROP: &str = "DROP TABLE IF EXISTS search_file; DROP TABLE IF EXISTS search_cursor;
    DROP TABLE IF EXISTS search_message; DROP TABLE IF EXISTS search_person;";

/// The file in the data folder.
pub(crate) fn path(data: &Path) -> PathBuf {
    data.join("search.db")
}

/// What becomes of an index that is damaged, another database's, or of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is made anew. Only the holder of the folder's lock may do that: a server's connections would keep the old file.
    MakeAnew,
    /// It is left alone and refused.
    Refuse,
}

/// Opens the index of this database for writing. Where there is none it is made.
///
/// # Errors
/// `search_unfit`; those of the database.
pub(crate) fn open(data: &Path, origin: Origin, unfit: Unfit) -> Result<Database> {
    let path = path(data);
    let may_make = unfit == Unfit::MakeAnew || !path.exists();
    match fitting(&path, origin, may_make) {
        Err(cause) if cause.code() == DAMAGED && may_make => {
            tracing::warn!(?cause, "search.db is damaged; it is made anew");
            for companion in ["search.db", "search.db-wal", "search.db-shm"] {
                // One that is not there need not be removed, and one that cannot be shows at the next step.
                let _ = std::fs::remove_file(data.join(companion));
            }
            fitting(&path, origin, may_make)
        }
        Err(cause) if cause.code() == DAMAGED => Err(refused().with_source(cause)),
        other => other,
    }
}

fn refused() -> Error {
    let text = "search.db is damaged, or belongs to another database. A server makes it anew when it starts: start it, or start it again.";
    Error::new(Kind::Unavailable, "search_unfit", text)
}

fn fitting(path: &Path, origin: Origin, may_make: bool) -> Result<Database> {
    // Losing its last commits is no loss: they are made again from the log.
    let database = Database::open(path, Durability::Relaxed, Access::Index)?;
    if !fits(&database, origin)? {
        if !may_make {
            return Err(refused());
        }
        database.begin()?;
        // Another process may have done it meanwhile.
        let made = if fits(&database, origin)? { Ok(()) } else { make(&database, origin) };
        database.run(if made.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        made?;
    }
    Ok(database)
}

fn fits(database: &Database, origin: Origin) -> Result<bool> {
    const TABLES: &str = "SELECT COUNT(*) FROM pragma_table_info('search_file') WHERE name = 'restore_mark'";
    const KEPT: &str = "SELECT COUNT(*) FROM search_file WHERE tag = $1 AND restore_mark = $2 AND version = $3";
    let mut tx = Tx::Sqlite(SqliteTx(database));
    let count = |tx: &mut Tx<'_>, text: &'static str, values: &[_]| tx.query_one(text, values, |row| row.get::<i64>(0));
    database.run("SAVEPOINT look")?;
    let fits = match count(&mut tx, TABLES, &[]) {
        Ok(0) => Ok(false),
        Ok(_) => count(&mut tx, KEPT, params![origin.tag.to_i64(), origin.restore_mark, VERSION]).map(|count| count == 1),
        Err(cause) => Err(cause),
    };
    database.run("RELEASE look")?;
    fits
}

fn make(database: &Database, origin: Origin) -> Result<()> {
    const INSERT: &str = "INSERT INTO search_file (tag, restore_mark, version) VALUES ($1, $2, $3)";
    database.run(DROP)?;
    database.run(SCHEMA)?;
    let values = params![origin.tag.to_i64(), origin.restore_mark, VERSION];
    Tx::Sqlite(SqliteTx(database)).execute(INSERT, values).map(drop)
}
