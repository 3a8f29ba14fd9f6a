//! What a measurement asks of the database past the store's own doors: counts through a connection of its own, what the writing
//! connection is set to, and databases that are made for a measurement. It measures nothing itself.

use std::path::Path;

use parlance_model::conversation::Standing;
use parlance_model::id::OrgId;
use parlance_model::{Error, Result};
use rusqlite::Connection;

use crate::counter::Facets;
use crate::db::{Row, params, postgres, sqlite};
use crate::{Place, SystemTx, make_folder, migrate};

/// What decides how dear a commit is.
const PRAGMAS: [(&str, &str); 5] = [
    ("journal_mode", "PRAGMA journal_mode"),
    ("synchronous", "PRAGMA synchronous"),
    ("page_size", "PRAGMA page_size"),
    ("wal_autocheckpoint", "PRAGMA wal_autocheckpoint"),
    ("cache_size", "PRAGMA cache_size"),
];
/// The same of PostgreSQL.
const SETTINGS: [(&str, &str); 6] = [
    ("server_version", "SELECT current_setting('server_version')"),
    ("fsync", "SELECT current_setting('fsync')"),
    ("synchronous_commit", "SELECT current_setting('synchronous_commit')"),
    ("full_page_writes", "SELECT current_setting('full_page_writes')"),
    ("shared_buffers", "SELECT current_setting('shared_buffers')"),
    ("max_wal_size", "SELECT current_setting('max_wal_size')"),
];

/// How many messages are committed, of all orgs, as a new connection sees it. Blocks.
///
/// # Errors
/// Those of the database.
pub fn messages(place: &Place) -> Result<u64> {
    let count = migrate::peek(place, |tx| tx.query_one("SELECT COUNT(*) FROM message", &[], |row| row.get::<i64>(0)))?;
    u64::try_from(count).map_err(Error::internal)
}

/// Conversations of one standing, medium and answerer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// What they have in common.
    pub facets: Facets,
    /// How many they are.
    pub conversations: i64,
    /// Their unread messages.
    pub unread_messages: i64,
    /// How many hold these.
    pub unread_conversations: i64,
}

/// Every conversation of an org, counted row by row, as a new connection sees it. Blocks.
///
/// # Errors
/// Those of the database.
pub fn conversations(place: &Place, org: OrgId) -> Result<Vec<Counted>> {
    const COUNT: &str = "SELECT state, archived, channel, assigned_to, COUNT(*), CAST(SUM(unread_count) AS BIGINT),
            CAST(SUM(CASE WHEN unread_count > 0 THEN 1 ELSE 0 END) AS BIGINT)
        FROM conversation WHERE org_id = $1 GROUP BY state, archived, channel, assigned_to";
    let read = |row: &Row<'_>| {
        let standing = Standing { state: row.word(0)?, archived: row.get(1)? };
        let facets = Facets { standing, channel: row.word(2)?, assigned_to: row.get(3)? };
        Ok(Counted { facets, conversations: row.get(4)?, unread_messages: row.get(5)?, unread_conversations: row.get(6)? })
    };
    migrate::peek(place, |tx| tx.query(COUNT, params![org], read))
}

/// What the connection is set to, by the database's own names. Asked for in a write transaction, it is the connection that writes:
/// most of SQLite's PRAGMAs are a connection's and not the file's.
///
/// # Errors
/// Those of the database.
pub fn settings(tx: &mut SystemTx<'_, '_>) -> Result<Vec<(&'static str, String)>> {
    let asked = if tx.tx.is_sqlite() { &PRAGMAS[..] } else { &SETTINGS };
    let read = |row: &Row<'_>| row.get::<String>(0).or_else(|_| row.get::<i64>(0).map(|number| number.to_string()));
    asked.iter().map(|(name, sql)| Ok((*name, tx.tx.query_one(*sql, &[], read)?))).collect()
}

/// Bytes of a page of an embedded database that Parlance makes.
pub const PAGE_BYTES: u32 = sqlite::PAGE_BYTES;

/// The size of SQLite's write-ahead log now, in bytes; `None` on PostgreSQL, and where there is none.
#[must_use]
pub fn wal_bytes(place: &Place) -> Option<u64> {
    let Place::Sqlite { data, .. } = place else { return None };
    let file = sqlite::file(data).with_extension("db-wal");
    std::fs::metadata(file).ok().map(|file| file.len())
}

/// Makes an empty embedded database with pages of so many bytes, before anything opens it. Blocks.
///
/// # Errors
/// `unavailable` when the file cannot be made; `internal` for a size that SQLite does not know.
pub fn with_pages_of(data: &Path, bytes: u32) -> Result<()> {
    make_folder(data)?;
    let file = sqlite::file(data);
    sqlite::make(&file, bytes)?;
    let connection = Connection::open(file).map_err(sqlite::error)?;
    let made = connection.pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0)).map_err(sqlite::error)?;
    if made == bytes { Ok(()) } else { Err(Error::internal(format!("SQLite made pages of {made} bytes"))) }
}

/// Lets PostgreSQL look at its tables, as it does by itself a minute after many rows came: plans are made of that. Blocks.
///
/// # Errors
/// Those of the database.
pub fn analyze(place: &Place) -> Result<()> {
    match place {
        Place::Postgres { url } => run(url, "ANALYZE"),
        Place::Sqlite { .. } => Ok(()),
    }
}

/// Makes a database of PostgreSQL. `url` is a role's that may do so; `name` is a plain identifier. Blocks.
///
/// # Errors
/// Those of the database.
pub fn create_database(url: &str, name: &str) -> Result<()> {
    run(url, &format!("CREATE DATABASE {name}"))
}

/// Removes it again, and whoever is connected to it. Blocks.
///
/// # Errors
/// Those of the database.
pub fn drop_database(url: &str, name: &str) -> Result<()> {
    run(url, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
}

fn run(url: &str, text: &str) -> Result<()> {
    let mut connection = postgres::Connection::open(url, postgres::MIGRATING)?;
    let (client, _) = connection.split();
    client.batch_execute(text).map_err(postgres::error)
}
