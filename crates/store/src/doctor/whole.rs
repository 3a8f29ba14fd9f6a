//! The whole installation at one moment: the file itself, its indexes, and rows of an org that is not there. Then every
//! org, on the same moment, so that nothing is found that was only half-written just then.

use std::collections::BTreeSet;
use std::path::Path;

use parlance_model::id::OrgId;
use parlance_model::{Error, Result};

use super::{Finding, Report, finding};
use crate::backup::dump::Dump;
use crate::backup::schema;
use crate::backup::session::Session;
use crate::db::{Tx, sqlite};
use crate::search::file::Unfit;
use crate::watch::{Unit, Watch};
use crate::{Durability, Place, Setup, Store, migrate};

/// Findings of SQLite's own check; a damaged file has thousands.
const AT_MOST: usize = 100;

/// Opens this place as it is at one moment, checks what is below the orgs, and answers the store to check the orgs with.
/// Keep the snapshot until that is done. Blocks.
pub(super) fn open(place: &Place, setup: Setup, scratch: &Path, watch: &dyn Watch, report: &mut Report) -> Result<(Store, Dump)> {
    migrate::require_current(place)?;
    let mut snapshot = Dump::open(place, scratch, watch)?;
    let store = match (snapshot.copy().map(Path::to_owned), place) {
        (Some(copy), _) => {
            integrity(&mut snapshot.session, watch, report)?;
            Store::open(&Place::Sqlite { data: copy, durability: Durability::Relaxed }, setup)?
        }
        (None, place) => {
            let mut name = String::new();
            snapshot.session.each("SELECT pg_export_snapshot()", |row| row.get(0).map(|own| name = own))?;
            Store::at(place, setup, Unfit::Refuse, Some(&name))?
        }
    };
    indexes(&mut snapshot, report)?;
    orgs(&mut snapshot, report)?;
    watch.stage("Checking rows", Some(rows(&mut snapshot)?), Unit::Rows);
    Ok((store, snapshot))
}

fn of_all(invariant: &'static str, detail: String) -> Finding {
    finding(OrgId(0), invariant, detail)
}

/// SQLite's own check of pages, indexes and constraints.
fn integrity(session: &mut Session, watch: &dyn Watch, report: &mut Report) -> Result<()> {
    watch.stage("Checking the file", None, Unit::Rows);
    session.each(&format!("PRAGMA integrity_check({AT_MOST})"), |row| {
        let said: String = row.get(0)?;
        if said != "ok" {
            report.findings.push(of_all("the database file is sound", said));
        }
        Ok(())
    })
}

/// Every unique index is there: they are what keeps conversations and provider ids single under any concurrency.
fn indexes(snapshot: &mut Dump, report: &mut Report) -> Result<()> {
    const SQLITE: &str = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE 'CREATE UNIQUE%'";
    const POSTGRES: &str = "SELECT CAST(c.relname AS TEXT) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND i.indisunique AND i.indisvalid";
    let names = |tx: &mut Tx<'_>| -> Result<BTreeSet<String>> {
        let text = if tx.is_sqlite() { SQLITE } else { POSTGRES };
        Ok(tx.query(text, &[], |row| row.get(0))?.into_iter().collect())
    };
    let scratch = tempfile::tempdir().map_err(Error::internal)?;
    let fresh = sqlite::Database::open(&sqlite::file(scratch.path()), Durability::Relaxed, sqlite::Access::Write)?;
    let mut fresh = Tx::Sqlite(sqlite::SqliteTx(&fresh));
    fresh.batch("BEGIN")?;
    migrate::apply_until(&mut fresh, 0, snapshot.tx(migrate::applied)?.len())?;
    let (expected, there) = (names(&mut fresh)?, snapshot.tx(names)?);
    fresh.batch("COMMIT")?;
    report.findings.extend(expected.difference(&there).map(|name| of_all("unique indexes are there", format!("{name} is missing"))));
    Ok(())
}

/// Rows of every table that names an org, whose org is not there.
fn orgs(snapshot: &mut Dump, report: &mut Report) -> Result<()> {
    let tables = snapshot.tx(schema::of)?;
    for table in tables.iter().filter(|(_, columns)| columns.contains_key("org_id")).map(|(name, _)| name) {
        let text = format!("SELECT DISTINCT org_id FROM {} WHERE org_id NOT IN (SELECT id FROM org)", schema::quoted(table));
        snapshot.session.each(&text, |row| {
            let detail = format!("{table} has rows of this org, which is not there");
            report.findings.push(finding(row.get(0)?, "no row points into another org", detail));
            Ok(())
        })?;
    }
    Ok(())
}

/// How many rows are read one by one.
fn rows(snapshot: &mut Dump) -> Result<u64> {
    const ROWS: &str = "SELECT (SELECT COUNT(*) FROM message) + (SELECT COUNT(*) FROM conversation) + (SELECT COUNT(*) FROM attempt)";
    let count = snapshot.tx(|tx| tx.query_one(ROWS, &[], |row| row.get::<i64>(0)))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
