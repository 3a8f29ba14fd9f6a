//! Values in and out of both databases: integers, booleans, text and bytes, each possibly NULL.

use std::str::FromStr;

use parlance_model::{Error, Result};
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A bound value.
#[derive(Clone)]
pub(crate) enum Param<'a> {
    Null,
    Int(i64),
    Bool(bool),
    Text(std::borrow::Cow<'a, str>),
    Bytes(&'a [u8]),
}

macro_rules! param_from {
    ($($from:ty => |$value:ident| $to:expr;)+) => {$(
        impl<'a> From<$from> for Param<'a> {
            fn from($value: $from) -> Self { $to }
        }
    )+};
}

param_from! {
    i64 => |value| Self::Int(value);
    bool => |value| Self::Bool(value);
    &'a str => |value| Self::Text(value.into());
    &'a String => |value| Self::Text(value.as_str().into());
    String => |value| Self::Text(value.into());
    &'a [u8] => |value| Self::Bytes(value);
    &'a Vec<u8> => |value| Self::Bytes(value);
    parlance_model::id::OrgId => |value| Self::Int(value.0);
    parlance_model::id::UserId => |value| Self::Int(value.0);
    parlance_model::id::KeyId => |value| Self::Int(value.0);
    parlance_model::id::ContactId => |value| Self::Int(value.0);
    parlance_model::id::AccountId => |value| Self::Int(value.0);
    parlance_model::id::ConversationId => |value| Self::Int(value.0);
    parlance_model::id::MessageId => |value| Self::Int(value.0);
    parlance_model::id::AttemptId => |value| Self::Int(value.0);
    parlance_model::id::HookId => |value| Self::Int(value.0);
    parlance_model::id::JobId => |value| Self::Int(value.0);
    parlance_model::id::SessionId => |value| Self::Int(value.0);
    parlance_model::id::MediaId => |value| Self::Int(value.0);
}

impl<'a, const N: usize> From<&'a [u8; N]> for Param<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Bytes(value)
    }
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl rusqlite::ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, ValueRef};
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Bool(value) => ValueRef::Integer(i64::from(*value)),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

impl ToSql for Param<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut postgres::types::private::BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) => value.to_sql_checked(ty, out),
            Self::Bool(value) => value.to_sql_checked(ty, out),
            Self::Text(value) => value.to_sql_checked(ty, out),
            Self::Bytes(value) => value.to_sql_checked(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl std::fmt::Debug for Param<'_> {
    /// The type alone: values are people's numbers, names and words, and our secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Int(_) => "Int",
            Self::Bool(_) => "Bool",
            Self::Text(_) => "Text",
            Self::Bytes(_) => "Bytes",
        })
    }
}

/// A row of a result.
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a postgres::Row),
}

impl Row<'_> {
    /// The column at this position, from 0.
    pub(crate) fn get<T: Column>(&self, index: usize) -> Result<T> {
        match self {
            Self::Sqlite(row) => T::sqlite(row, index).map_err(Error::internal),
            Self::Postgres(row) => T::postgres(row, index).map_err(Error::internal),
        }
    }

    /// A column that holds one of the model's words.
    pub(crate) fn word<T: FromStr<Err = Error>>(&self, index: usize) -> Result<T> {
        self.word_opt(index)?.ok_or_else(|| Error::internal(format!("column {index} holds NULL and no word")))
    }

    /// A column that holds one of the model's words, or NULL.
    pub(crate) fn word_opt<T: FromStr<Err = Error>>(&self, index: usize) -> Result<Option<T>> {
        let word = self.text(index)?.map(str::parse).transpose();
        // The text is left out: a damaged row may have anything in its place.
        word.map_err(|error| Error::internal(format!("column {index} holds no word of ours: {error}")))
    }

    /// A column that holds JSON text.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, index: usize) -> Result<T> {
        self.json_opt(index)?.ok_or_else(|| Error::internal(format!("column {index} holds NULL and no JSON")))
    }

    /// A column that holds JSON text, or NULL.
    pub(crate) fn json_opt<T: serde::de::DeserializeOwned>(&self, index: usize) -> Result<Option<T>> {
        let value = self.text(index)?.map(serde_json::from_str).transpose();
        value.map_err(|cause: serde_json::Error| {
            // What serde says quotes the value.
            let place = format!("{:?} error at line {} column {}", cause.classify(), cause.line(), cause.column());
            Error::internal(format!("column {index} holds JSON that does not fit: {place}"))
        })
    }

    /// A column of text, or NULL, where it lies: what is read of it at once need not be copied.
    fn text(&self, index: usize) -> Result<Option<&str>> {
        match self {
            Self::Sqlite(row) => row.get_ref(index).map_err(Error::internal)?.as_str_or_null().map_err(Error::internal),
            Self::Postgres(row) => row.try_get(index).map_err(Error::internal),
        }
    }
}

/// A type that a column can be read as.
pub(crate) trait Column: Sized {
    fn sqlite(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Self>;
    fn postgres(row: &postgres::Row, index: usize) -> std::result::Result<Self, postgres::Error>;
}

macro_rules! columns {
    ($($ty:ty),+) => {$(
        impl Column for $ty {
            fn sqlite(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Self> { row.get(index) }
            fn postgres(row: &postgres::Row, index: usize) -> std::result::Result<Self, postgres::Error> { row.try_get(index) }
        }
        impl Column for Option<$ty> {
            fn sqlite(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Self> { row.get(index) }
            fn postgres(row: &postgres::Row, index: usize) -> std::result::Result<Self, postgres::Error> { row.try_get(index) }
        }
    )+};
}
columns!(i64, bool, String, Vec<u8>);

macro_rules! id_columns {
    ($($id:ident),+) => {$(
        impl Column for parlance_model::id::$id {
            fn sqlite(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Self> { row.get(index).map(Self) }
            fn postgres(row: &postgres::Row, index: usize) -> std::result::Result<Self, postgres::Error> {
                row.try_get(index).map(Self)
            }
        }
        impl Column for Option<parlance_model::id::$id> {
            fn sqlite(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Self> {
                Ok(row.get::<_, Option<i64>>(index)?.map(parlance_model::id::$id))
            }
            fn postgres(row: &postgres::Row, index: usize) -> std::result::Result<Self, postgres::Error> {
                Ok(row.try_get::<_, Option<i64>>(index)?.map(parlance_model::id::$id))
            }
        }
    )+};
}
id_columns!(OrgId, UserId, KeyId, ContactId, AccountId, ConversationId, MessageId, AttemptId, HookId, JobId, SessionId, MediaId);
