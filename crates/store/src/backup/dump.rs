//! Reads a database as it is at one moment: a copy of the embedded one, one snapshot of PostgreSQL.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use parlance_model::Result;

use super::archive::Writer;
use super::manifest::{Manifest, Table};
use super::scratch::Scratch;
use super::session::Session;
use super::{row, schema};
use crate::Place;
use crate::db::{Tx, postgres as pg, sqlite};
use crate::watch::{self, Unit, Watch};

/// Bytes of rows in one entry: its length stands before it, so it is gathered in memory.
const CHUNK: usize = 4 << 20;
/// Rows between two looks at whoever watches.
const ROWS: u64 = 1000;

/// What is read from: nothing that is written meanwhile shows in it. Dropping it takes the copy away.
pub(crate) struct Dump {
    pub(crate) session: Session,
    folder: Option<Scratch>,
}

impl Dump {
    pub(crate) fn open(place: &Place, scratch: &Path, watch: &dyn Watch) -> Result<Self> {
        match place {
            Place::Sqlite { data, .. } => {
                let folder = Scratch::within(scratch, sqlite::size(data)?)?;
                let database = sqlite::copy(data, folder.path(), watch)?;
                database.run("BEGIN")?;
                Ok(Self { session: Session::Sqlite(database), folder: Some(folder) })
            }
            Place::Postgres { url } => {
                let mut session = Session::Postgres(pg::Connection::open(url, pg::MIGRATING)?);
                session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
                Ok(Self { session, folder: None })
            }
        }
    }

    /// The folder of the copy.
    pub(crate) fn copy(&self) -> Option<&Path> {
        self.folder.as_ref().map(Scratch::path)
    }

    /// Looks through the store's own eyes.
    pub(crate) fn tx<T>(&mut self, look: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.session.tx(look)
    }

    /// Every table with its columns, its number of rows and the last id that it gave out.
    pub(super) fn tables(&mut self) -> Result<Vec<Table>> {
        let tables = self.tx(schema::of)?;
        let last_ids = self.tx(last_ids)?;
        let described = tables.into_iter().map(|(name, columns)| {
            let mut rows = 0;
            self.session.each(&format!("SELECT COUNT(*) FROM {}", schema::quoted(&name)), |row| {
                rows = u64::try_from(row.get::<i64>(0)?).unwrap_or(0);
                Ok(())
            })?;
            let last_id = last_ids.get(&name).copied();
            Ok(Table { columns: columns.into_iter().collect(), rows, last_id, name })
        });
        described.collect()
    }

    /// Writes every row of every table.
    pub(super) fn rows<W: Write>(&mut self, manifest: &Manifest, archive: &mut Writer<'_, W>, watch: &dyn Watch) -> Result<()> {
        watch.stage("Writing rows", Some(manifest.rows()), Unit::Rows);
        for table in &manifest.tables {
            let text = format!("SELECT {} FROM {}", schema::listed(&table.columns), schema::quoted(&table.name));
            let (mut chunk, mut number, mut pending) = (Vec::new(), 0, 0);
            let mut flush = |chunk: &mut Vec<u8>| {
                number += 1;
                archive.add(&format!("tables/{}/{number:06}.ndjson", table.name), chunk)?;
                chunk.clear();
                Ok(())
            };
            self.session.each(&text, |row| {
                row::write(row, &table.columns, &mut chunk)?;
                pending += 1;
                if pending == ROWS {
                    watch::advance(watch, std::mem::take(&mut pending))?;
                }
                if chunk.len() >= CHUNK { flush(&mut chunk) } else { Ok(()) }
            })?;
            if !chunk.is_empty() {
                flush(&mut chunk)?;
            }
            watch::advance(watch, pending)?;
        }
        Ok(())
    }
}

/// The highest id that each table has given out, also to rows that are gone.
fn last_ids(tx: &mut Tx<'_>) -> Result<BTreeMap<String, i64>> {
    let text = match tx.is_sqlite() {
        true => "SELECT name, seq FROM sqlite_sequence",
        // Sequences stand outside of the snapshot: what is read here is at or past what its rows have.
        false => {
            "SELECT CAST(table_name AS TEXT),
                    COALESCE(pg_sequence_last_value(CAST(pg_get_serial_sequence(quote_ident(table_name), column_name) AS regclass)), 0)
                FROM information_schema.columns WHERE table_schema = current_schema() AND is_identity = 'YES'"
        }
    };
    Ok(tx.query(text, &[], |row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect())
}
