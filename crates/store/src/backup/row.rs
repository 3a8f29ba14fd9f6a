//! A row as a line of a backup: a JSON array of its values, the same from both databases.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parlance_model::{Error, Result};
use serde_json::Value as Json;

use super::manifest::{ColumnType, damaged};
use crate::db::{Param, Row};

/// A value that waits to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Boolean(bool),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    pub(super) fn param(&self) -> Param<'_> {
        match self {
            Self::Null => Param::Null,
            Self::Integer(value) => Param::from(*value),
            Self::Boolean(value) => Param::from(*value),
            Self::Text(value) => Param::from(value),
            Self::Bytes(value) => Param::from(value),
        }
    }
}

/// Adds the row's line.
pub(super) fn write(row: &Row<'_>, columns: &[(String, ColumnType)], out: &mut Vec<u8>) -> Result<()> {
    let cells = columns.iter().enumerate().map(|(index, (_, kind))| cell(row, index, *kind));
    let line: Vec<Json> = cells.collect::<Result<_>>()?;
    serde_json::to_writer(&mut *out, &line).map_err(Error::internal)?;
    out.push(b'\n');
    Ok(())
}

fn cell(row: &Row<'_>, index: usize, kind: ColumnType) -> Result<Json> {
    Ok(match kind {
        ColumnType::Integer => row.get::<Option<i64>>(index)?.into(),
        ColumnType::Boolean => row.get::<Option<bool>>(index)?.into(),
        ColumnType::Text => row.get::<Option<String>>(index)?.into(),
        ColumnType::Bytes => row.get::<Option<Vec<u8>>>(index)?.map(|bytes| STANDARD.encode(bytes)).into(),
    })
}

/// The values of a line.
pub(super) fn parse(line: &[u8], columns: &[(String, ColumnType)]) -> Result<Vec<Value>> {
    let odd = || damaged("a row is not of its table's form");
    let cells: Vec<Json> = serde_json::from_slice(line).map_err(|cause| odd().with_source(cause))?;
    if cells.len() != columns.len() {
        return Err(odd());
    }
    let values = cells.into_iter().zip(columns).map(|(cell, (_, kind))| match (kind, cell) {
        (_, Json::Null) => Some(Value::Null),
        (ColumnType::Integer, Json::Number(number)) => number.as_i64().map(Value::Integer),
        (ColumnType::Boolean, Json::Bool(value)) => Some(Value::Boolean(value)),
        (ColumnType::Text, Json::String(text)) => Some(Value::Text(text)),
        (ColumnType::Bytes, Json::String(text)) => STANDARD.decode(text).ok().map(Value::Bytes),
        _ => None,
    });
    values.collect::<Option<_>>().ok_or_else(odd)
}

#[cfg(test)]
mod tests {
    use super::{ColumnType, Value, parse};

    #[test]
    fn a_line_reads_back_and_another_form_is_refused() {
        let columns: Vec<_> = [ColumnType::Integer, ColumnType::Boolean, ColumnType::Text, ColumnType::Bytes, ColumnType::Text]
            .into_iter()
            .map(|kind| (String::new(), kind))
            .collect();
        let read = parse(br#"[9223372036854775807,true,"a\nb","AP8=",null]"#, &columns).unwrap();
        let expected =
            vec![Value::Integer(i64::MAX), Value::Boolean(true), Value::Text("a\nb".into()), Value::Bytes(vec![0, 255]), Value::Null];
        assert_eq!(read, expected);
        for line in
            [r#"[1,true,"a","AP8="]"#, r#"[1.5,true,"a","AP8=",null]"#, r#"[1,1,"a","AP8=",null]"#, r#"[1,true,"a","?",null]"#, "{}", ""]
        {
            assert_eq!(parse(line.as_bytes(), &columns).unwrap_err().code(), "backup_damaged", "{line}");
        }
    }
}
