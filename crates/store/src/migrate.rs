//! The schema's versions: numbered folders, forward only, run under a lock.

mod refold;

use std::fs::File;
use std::path::Path;

use parlance_model::error::Kind;
use parlance_model::{Error, Result, entropy};

use crate::db::{Tx, params, postgres, sqlite};
use crate::{Durability, Place, Setup};

/// One step of the schema, with its text for each database.
struct Migration {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migrations {
    ($($name:literal),+) => { &[$(Migration {
        name: $name,
        sqlite: include_str!(concat!("../migrations/", $name, "/sqlite.sql")),
        postgres: include_str!(concat!("../migrations/", $name, "/postgres.sql")),
    }),+] };
}

/// Every step, in order. A step that has been released is never changed.
const MIGRATIONS: &[Migration] = migrations![
    "0001_core",
    "0002_contacts",
    "0003_directory",
    "0004_search",
    "0005_media",
    "0006_audit",
    "0007_versions",
    "0008_disable",
    "0009_restore_mark",
    "0010_bounds",
    "0011_twilio",
    "0012_pace",
    "0013_turns",
    "0014_recipient",
    "0015_lists",
    "0016_postgres",
    "0017_counts"
];

/// The advisory lock that orders migrating nodes on PostgreSQL; any constant will do.
pub(crate) const LOCK: &str = "SELECT pg_advisory_xact_lock(7241106)";

/// How long PostgreSQL may take to notice that a server has just ended, in looks of 100 ms.
const LOOKS: u32 = 20;

/// Whether there is nothing to apply: looked at without a lock, so that commands beside a busy server do not wait.
///
/// # Errors
/// `schema_too_new`; those of the database.
pub fn is_current(place: &Place) -> Result<bool> {
    match version(place)? {
        version if version > MIGRATIONS.len() => Err(too_new(version)),
        version => Ok(version == MIGRATIONS.len()),
    }
}

/// Refuses a database whose schema is not this program's.
///
/// # Errors
/// `no_database`, `schema_too_old`, `schema_too_new`; those of the database.
pub(crate) fn require_current(place: &Place) -> Result<()> {
    match version(place)? {
        0 => Err(nothing()),
        version if version > MIGRATIONS.len() => Err(too_new(version)),
        version if version < MIGRATIONS.len() => {
            let text = format!(
                "The database is at schema version {version}; this program needs {}. Stop every server that runs on it, then run \
                 `parlance migrate` or start the new server.",
                MIGRATIONS.len()
            );
            Err(Error::new(Kind::Conflict, "schema_too_old", text))
        }
        _ => Ok(()),
    }
}

/// How many steps have run; 0 where there is no schema.
fn version(place: &Place) -> Result<usize> {
    if let Place::Sqlite { data, .. } = place
        && !sqlite::file(data).exists()
    {
        return Ok(0);
    }
    peek(place, |tx| if exists(tx)? { reached(tx) } else { Ok(0) })
}

fn reached(tx: &mut Tx<'_>) -> Result<usize> {
    const VERSION: &str = "SELECT COALESCE(MAX(version), 0) FROM schema_migration";
    let version = tx.query_one(VERSION, &[], |row| row.get::<i64>(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Whether there is a schema at all.
pub(crate) fn exists(tx: &mut Tx<'_>) -> Result<bool> {
    let tables = match tx.is_sqlite() {
        true => "SELECT COUNT(*) FROM sqlite_master WHERE name = 'schema_migration'",
        false => "SELECT COUNT(*) FROM pg_tables WHERE schemaname = ANY (current_schemas(false)) AND tablename = 'schema_migration'",
    };
    Ok(tx.query_one(tables, &[], |row| row.get::<i64>(0))? > 0)
}

/// The names of all steps that this program knows, in order.
pub(crate) fn names() -> Vec<&'static str> {
    MIGRATIONS.iter().map(|migration| migration.name).collect()
}

/// The names of the steps that have run, in order.
pub(crate) fn applied(tx: &mut Tx<'_>) -> Result<Vec<String>> {
    if !exists(tx)? {
        return Err(nothing());
    }
    tx.query("SELECT name FROM schema_migration ORDER BY version", &[], |row| row.get(0))
}

fn nothing() -> Error {
    Error::new(Kind::NotFound, "no_database", "The database is empty: nothing of Parlance is in it. Check its address.")
}

pub(crate) fn run(place: &Place, setup: &Setup) -> Result<Vec<&'static str>> {
    // SQLite refuses without waiting while another process makes the file. Whoever is at it takes as long as it takes.
    let _turn = match place {
        Place::Sqlite { data, .. } => Some(turn(data)?),
        Place::Postgres { .. } => None,
    };
    if is_current(place)? {
        return Ok(Vec::new());
    }
    match place {
        Place::Sqlite { data, durability } => {
            let database = sqlite::Database::open(&sqlite::file(data), *durability, sqlite::Access::Write)?;
            database.run("BEGIN IMMEDIATE")?;
            let ran = apply(&mut Tx::Sqlite(sqlite::SqliteTx(&database)), setup);
            database.run(if ran.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
            ran
        }
        Place::Postgres { url } => {
            let mut connection = postgres::Connection::open(url, postgres::MIGRATING)?;
            let (client, statements) = connection.split();
            let mut transaction = client.transaction().map_err(postgres::error)?;
            let ran = {
                let mut tx = Tx::Postgres(postgres::PostgresTx::new(&mut transaction, statements));
                tx.batch(LOCK)?;
                alone(&mut tx)?;
                apply(&mut tx, setup)?
            };
            transaction.commit().map_err(postgres::error)?;
            Ok(ran)
        }
    }
}

/// Waits until no other process makes or migrates the database. None does until the file is dropped.
fn turn(data: &Path) -> Result<File> {
    let path = data.join("migration.lock");
    let unusable =
        |cause| Error::unavailable(format!("{} cannot be used. Check the path and its permissions.", path.display()), 1).with_source(cause);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(unusable)?;
    file.lock().map_err(unusable)?;
    Ok(file)
}

/// Refuses to change a schema under servers that run on it. On the embedded database, the lock of its folder does that.
fn alone(tx: &mut Tx<'_>) -> Result<()> {
    const SERVERS: &str = "SELECT COUNT(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()";
    // Another node may have done it while this one waited for the lock.
    if !exists(tx)? || reached(tx)? >= MIGRATIONS.len() {
        return Ok(());
    }
    for _ in 0..LOOKS {
        if tx.query_one(SERVERS, params![postgres::SERVING], |row| row.get::<i64>(0))? == 0 {
            return Ok(());
        }
        tx.batch("SELECT pg_stat_clear_snapshot(), pg_sleep(0.1)")?;
    }
    let text =
        "The database has an older schema, and servers run on it. Stop all of them, then run `parlance migrate` or start the new server.";
    Err(Error::conflict("database_in_use", text))
}

fn apply(tx: &mut Tx<'_>, setup: &Setup) -> Result<Vec<&'static str>> {
    let now_ms = setup.clock.now_ms();
    let ran = apply_until(tx, now_ms, MIGRATIONS.len())?;
    if ran.first() == MIGRATIONS.first().map(|migration| &migration.name) {
        crate::installation::create(tx, entropy::bytes(setup.entropy.as_ref()), now_ms)?;
    }
    Ok(ran)
}

/// Applies what is missing up to this version. Tables that are new stay empty.
pub(crate) fn apply_until(tx: &mut Tx<'_>, now_ms: i64, until: usize) -> Result<Vec<&'static str>> {
    tx.batch("CREATE TABLE IF NOT EXISTS schema_migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_ms BIGINT NOT NULL)")?;
    let current = reached(tx)?;
    if current > MIGRATIONS.len() {
        return Err(too_new(current));
    }
    let mut ran = Vec::new();
    for (version, migration) in (1_i64..).zip(MIGRATIONS).take(until).skip(current) {
        tx.batch(if tx.is_sqlite() { migration.sqlite } else { migration.postgres })?;
        if migration.name == refold::AFTER {
            refold::texts(tx)?;
        }
        tx.execute(
            "INSERT INTO schema_migration (version, name, applied_ms) VALUES ($1, $2, $3)",
            params![version, migration.name, now_ms],
        )?;
        ran.push(migration.name);
    }
    Ok(ran)
}

/// The refusal of a database that a newer program wrote.
pub(crate) fn too_new(version: usize) -> Error {
    Error::new(
        Kind::Unavailable,
        "schema_too_new",
        format!("The database is at schema version {version}; this program knows {}. Run the newer program.", MIGRATIONS.len()),
    )
}

/// Opens a connection for one look at the directory.
pub(crate) fn peek<T>(place: &Place, look: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
    match place {
        Place::Sqlite { data, .. } => {
            let database = sqlite::Database::open(&sqlite::file(data), Durability::Full, sqlite::Access::Read)?;
            database.run("BEGIN")?;
            look(&mut Tx::Sqlite(sqlite::SqliteTx(&database)))
        }
        Place::Postgres { url } => {
            let mut connection = postgres::Connection::open(url, postgres::MIGRATING)?;
            let (client, statements) = connection.split();
            let mut transaction = client.transaction().map_err(postgres::error)?;
            look(&mut Tx::Postgres(postgres::PostgresTx::new(&mut transaction, statements)))
        }
    }
}
