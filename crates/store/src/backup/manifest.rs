//! The manifest at a backup's start and the seal at its end: what the file says of itself, and whether this program
//! can take it.

use std::collections::BTreeMap;

use parlance_model::error::Kind;
use parlance_model::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::migrate;

/// The version of the file's layout that this program writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

/// What kind of values a column holds, on both databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// A 64-bit integer, written as a number.
    Integer,
    /// A truth value.
    Boolean,
    /// Text.
    Text,
    /// Bytes, written in base64.
    Bytes,
}

/// Every table that a backup carries, with the type of each column.
pub type Tables = BTreeMap<String, BTreeMap<String, ColumnType>>;

/// A table as the backup has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) name: String,
    /// In the order of each row's values.
    pub(super) columns: Vec<(String, ColumnType)>,
    pub(super) rows: u64,
    /// The highest id that was ever given out, where the table draws ids: none of them is given out again.
    pub(super) last_id: Option<i64>,
}

/// The first entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) parlance: String,
    /// The names of the migrations that had run, in order.
    pub(super) schema: Vec<String>,
    pub(super) database: String,
    pub(super) installation: i64,
    pub(super) created_at: String,
    pub(super) secret_key: bool,
    pub(super) tables: Vec<Table>,
}

/// The last entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seal {
    /// Over the path, length and content of every entry before.
    pub(super) sha256: String,
    pub(super) entries: u64,
}

/// Only the field that must be understood before anything else is read.
#[derive(Deserialize)]
struct Version {
    format: u32,
    parlance: String,
}

impl Manifest {
    /// Reads it, and refuses what this program does not know.
    pub(super) fn parse(text: &[u8]) -> Result<Self> {
        let version: Version = serde_json::from_slice(text).map_err(|cause| not_one().with_source(cause))?;
        if version.format > FORMAT {
            return Err(too_new(&version.parlance));
        }
        let manifest: Self = serde_json::from_slice(text).map_err(|cause| damaged("its manifest cannot be read").with_source(cause))?;
        let known = migrate::names();
        if manifest.schema.len() > known.len() {
            return Err(too_new(&manifest.parlance));
        }
        if manifest.schema.iter().zip(&known).any(|(theirs, ours)| theirs != ours) || manifest.schema.is_empty() {
            let text = format!("This backup was made by another line of Parlance ({}). Restore it with that program.", manifest.parlance);
            return Err(Error::new(Kind::Conflict, "backup_foreign", text));
        }
        Ok(manifest)
    }

    pub(super) fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

fn too_new(parlance: &str) -> Error {
    let text = format!(
        "This backup was made by Parlance {parlance}, which is newer than this program ({}). Restore it with that version or a later one.",
        env!("CARGO_PKG_VERSION")
    );
    Error::new(Kind::Conflict, "backup_too_new", text)
}

/// The file is something else.
pub(super) fn not_one() -> Error {
    Error::new(Kind::Conflict, "not_a_backup", "This file is not a backup of Parlance. Give one that `parlance backup` wrote.")
}

/// The file ends before its end.
pub(super) fn cut_short() -> Error {
    Error::new(
        Kind::Conflict,
        "backup_cut_short",
        "This backup is cut short: it was not copied whole. Nothing was restored; copy it again, or take another.",
    )
}

/// The file is not what was written.
pub(super) fn damaged(why: &str) -> Error {
    let text = format!("This backup was altered or is damaged: {why}. Nothing was restored; copy it again, or take another.");
    Error::new(Kind::Conflict, "backup_damaged", text)
}

#[cfg(test)]
mod tests {
    use super::{FORMAT, Manifest};
    use crate::migrate;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            parlance: "9.9.9".to_owned(),
            schema: migrate::names().into_iter().map(str::to_owned).collect(),
            database: "sqlite".to_owned(),
            installation: 1,
            created_at: "2026-03-05T20:00:00Z".to_owned(),
            secret_key: false,
            tables: Vec::new(),
        }
    }

    fn refused(manifest: &Manifest) -> (&'static str, String) {
        let error = Manifest::parse(&serde_json::to_vec(manifest).unwrap()).unwrap_err();
        (error.code(), error.message().to_owned())
    }

    #[test]
    fn a_manifest_of_a_newer_or_another_program_is_refused_by_name() {
        assert_eq!(Manifest::parse(&serde_json::to_vec(&manifest()).unwrap()).unwrap(), manifest());
        let (code, message) = refused(&Manifest { format: FORMAT + 1, ..manifest() });
        assert!(code == "backup_too_new" && message.contains("9.9.9"), "{message}");
        let mut newer = manifest();
        newer.schema.push("1000_of_the_future".to_owned());
        assert_eq!(refused(&newer).0, "backup_too_new");
        let mut other = manifest();
        other.schema[0] = "0001_other".to_owned();
        assert_eq!(refused(&other).0, "backup_foreign");
        assert_eq!(refused(&Manifest { schema: Vec::new(), ..manifest() }).0, "backup_foreign");
        // A later layout may lack every field but these two.
        let later = Manifest::parse(br#"{"format": 7, "parlance": "7.0.0"}"#).unwrap_err();
        assert_eq!(later.code(), "backup_too_new");
        assert_eq!(Manifest::parse(br#"{"format": 1, "parlance": "1"}"#).unwrap_err().code(), "backup_damaged");
        assert_eq!(Manifest::parse(b"{}").unwrap_err().code(), "not_a_backup");
    }
}
