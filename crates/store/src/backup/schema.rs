//! Which tables a backup carries: all that the schema has, but for what is written elsewhere or derived.

use parlance_model::{Error, Result};

use super::manifest::{ColumnType, Tables};
use crate::Place;
use crate::db::Tx;

/// Tables that are left out: the schema's version is in the manifest, and the search index is made anew out of the rest.
const LEFT_OUT: &[&str] = &["schema_migration", "search_cursor", "search_message", "search_person"];

/// Every table that a backup of this database would carry.
///
/// # Errors
/// Those of the database; `internal` for a column whose type a backup cannot carry.
pub fn tables(place: &Place) -> Result<Tables> {
    crate::migrate::peek(place, of)
}

pub(crate) fn of(tx: &mut Tx<'_>) -> Result<Tables> {
    let columns = match tx.is_sqlite() {
        true => {
            "SELECT t.name, c.name, c.type FROM sqlite_schema t, pragma_table_info(t.name) c
                WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'"
        }
        false => {
            "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), CAST(data_type AS TEXT) FROM information_schema.columns
                WHERE table_schema = current_schema()"
        }
    };
    let columns = tx.query(columns, &[], |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<String>(2)?)))?;
    let mut tables = Tables::new();
    for (table, column, kind) in columns.into_iter().filter(|(table, _, _)| !LEFT_OUT.contains(&table.as_str())) {
        let kind = match kind.to_ascii_lowercase().as_str() {
            "bigint" | "integer" => ColumnType::Integer,
            "boolean" => ColumnType::Boolean,
            "text" => ColumnType::Text,
            "blob" | "bytea" => ColumnType::Bytes,
            _ => return Err(Error::internal(format!("{table}.{column} is {kind}, which a backup cannot carry"))),
        };
        tables.entry(table).or_default().insert(column, kind);
    }
    Ok(tables)
}

/// The name, safe inside SQL. Names come from the schema, never from a file.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The columns' names, in order.
pub(crate) fn listed(columns: &[(String, ColumnType)]) -> String {
    columns.iter().map(|(name, _)| quoted(name)).collect::<Vec<_>>().join(", ")
}
