//! Loads a backup's rows into an empty database, in one transaction that its owner commits.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};

use parlance_model::error::Kind;
use parlance_model::{Error, Result};
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::{ToSql, Type};
use rusqlite::params_from_iter;

use super::archive::{Content, broken};
use super::manifest::{ColumnType, Manifest, Table, damaged};
use super::row::{self, Value};
use super::schema;
use super::session::Session;
use crate::db::{Param, Tx, params, postgres as pg, sqlite};
use crate::migrate;
use crate::watch::Watch;

/// Ids that are passed over: what the original gave out after the backup is not given out again for something else.
/// Status callbacks, clients and people may still name those.
const PASSED_OVER: i64 = 1_000_000;

/// Bytes of a row's line. The largest row keeps a hook of 1 MiB, which base64 or escapes make up to six times as long; an altered or
/// foreign file may go on without an end of line.
const LONGEST_LINE: u64 = 32 << 20;

/// Makes the schema that the backup was made with.
pub(super) fn prepare(session: &mut Session, manifest: &Manifest, now_ms: i64) -> Result<()> {
    session.tx(|tx| {
        if migrate::exists(tx)? {
            let text = "The database is not empty. Restore into an empty one, such as `createdb` makes.";
            return Err(Error::new(Kind::Conflict, "place_not_empty", text));
        }
        migrate::apply_until(tx, now_ms, manifest.schema.len())?;
        let theirs: BTreeMap<String, BTreeMap<_, _>> =
            manifest.tables.iter().map(|table| (table.name.clone(), table.columns.iter().cloned().collect())).collect();
        if schema::of(tx)? != theirs {
            return Err(damaged("its tables are not those of its schema"));
        }
        // A migration may have put a first row somewhere; the backup has the true ones.
        theirs.keys().try_for_each(|name| tx.batch(&format!("DELETE FROM {}", schema::quoted(name))))
    })
}

/// Loads one entry of a table; answers how many rows it had.
pub(super) fn rows(session: &mut Session, table: &Table, content: &mut Content<'_>, watch: &dyn Watch) -> Result<u64> {
    let (columns, name) = (schema::listed(&table.columns), schema::quoted(&table.name));
    match session {
        Session::Sqlite(database) => {
            let places = (1..=table.columns.len()).map(|index| format!("?{index}")).collect::<Vec<_>>().join(", ");
            let text = format!("INSERT INTO {name} ({columns}) VALUES ({places})");
            let mut statement = database.connection().prepare_cached(&text).map_err(sqlite::error)?;
            lines(table, content, watch, |values| {
                statement.execute(params_from_iter(values.iter().map(Value::param))).map_err(refused).map(drop)
            })
        }
        Session::Postgres(connection) => {
            let types: Vec<_> = table.columns.iter().map(|(_, kind)| postgres_type(*kind)).collect();
            let text = format!("COPY {name} ({columns}) FROM STDIN (FORMAT binary)");
            let copy = connection.split().0.copy_in(text.as_str()).map_err(pg::error)?;
            let mut copy = BinaryCopyInWriter::new(copy, &types);
            let count = lines(table, content, watch, |values| {
                let params: Vec<Param<'_>> = values.iter().map(Value::param).collect();
                let params: Vec<_> = params.iter().map(|param| param as &(dyn ToSql + Sync)).collect();
                copy.write(&params).map_err(pg::error)
            })?;
            copy.finish().map_err(pg::error)?;
            Ok(count)
        }
    }
}

fn lines(table: &Table, content: &mut Content<'_>, watch: &dyn Watch, mut take: impl FnMut(&[Value]) -> Result<()>) -> Result<u64> {
    let (mut content, mut line, mut count) = (BufReader::with_capacity(1 << 16, content), Vec::new(), 0);
    while content.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(|cause| broken(cause, watch))? > 0 {
        if line.len() as u64 == LONGEST_LINE && line.last() != Some(&b'\n') {
            return Err(damaged("a row is longer than any row can be"));
        }
        take(&row::parse(&line, &table.columns)?)?;
        line.clear();
        count += 1;
    }
    Ok(count)
}

/// A row that breaks a rule of its table is none that was backed up; a full disk is a full disk.
fn refused(cause: rusqlite::Error) -> Error {
    match cause.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => damaged("a row breaks the rules of its table").with_source(cause),
        _ => sqlite::error(cause),
    }
}

fn postgres_type(kind: ColumnType) -> Type {
    match kind {
        ColumnType::Integer => Type::INT8,
        ColumnType::Boolean => Type::BOOL,
        ColumnType::Text => Type::TEXT,
        ColumnType::Bytes => Type::BYTEA,
    }
}

/// Lets ids go on where the original was; further on, when the original may have gone on as well.
pub(super) fn last_ids(tx: &mut Tx<'_>, manifest: &Manifest, original_has_stopped: bool) -> Result<()> {
    const FORGET: &str = "DELETE FROM sqlite_sequence WHERE name = $1";
    const REMEMBER: &str = "INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)";
    const SET: &str = "SELECT setval(CAST(pg_get_serial_sequence(quote_ident($1), 'id') AS regclass), $2)";
    for table in &manifest.tables {
        let Some(last) = table.last_id else { continue };
        let last = if original_has_stopped { last } else { last.saturating_add(PASSED_OVER) };
        if last < 1 {
            continue;
        }
        if tx.is_sqlite() {
            tx.execute(FORGET, params![&table.name])?;
            tx.execute(REMEMBER, params![&table.name, last])?;
        } else {
            tx.query_one(SET, params![&table.name, last], |row| row.get::<i64>(0))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read as _};

    use super::*;
    use crate::watch::Unwatched;

    #[test]
    fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
        let table = Table { name: "note".to_owned(), columns: vec![("text".to_owned(), ColumnType::Text)], rows: 1, last_id: None };
        let read = |content: &mut Content<'_>| lines(&table, content, &Unwatched::default(), |_| Ok(()));
        let mut endless = b"[\"a\"]\n[\"".chain(io::repeat(b'x'));
        let refused = read(&mut endless).unwrap_err();
        assert!(refused.code() == "backup_damaged" && refused.message().contains("longer than any row"), "{refused:?}");
        let long = format!("[\"{}\"]\n[\"b\"]\n", "x".repeat(2 << 20));
        assert_eq!(read(&mut long.as_bytes()).unwrap(), 2);
    }
}
