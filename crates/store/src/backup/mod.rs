//! Backup and restore: the whole installation as one file, made beside a running server and put back elsewhere.
//!
//! The file is a tar compressed by zstd: `manifest.json`, `secret.key` where the data folder keeps the key, each
//! table's rows as JSON lines under `tables/`, the files of `media/`, and `end.json` with the digest of all before it
//! (`docs/decisions/0012-backups.md`). Rows are written the same way whichever database they come from, so a backup of
//! one kind is restored into the other. What can be derived (the search index) is left out.

mod archive;
pub(crate) mod dump;
mod files;
mod load;
mod manifest;
mod restore;
mod row;
pub(crate) mod schema;
mod scratch;
pub(crate) mod session;
mod settle;

use std::io::Write;
use std::path::PathBuf;

use parlance_model::clock::{SharedClock, iso8601};
use parlance_model::{Error, Result};

use crate::watch::Watch;
use crate::{Place, installation, migrate};

use archive::Writer;
use dump::Dump;
use manifest::{FORMAT, Manifest};

pub use files::{REPLACED, check_finished};
pub use manifest::Tables;
pub use restore::{Restored, Target, restore};
pub use schema::tables;

/// What is backed up.
#[derive(Debug, Clone)]
pub struct Source {
    /// The database.
    pub place: Place,
    /// The data folder, with the secret key where it is a file.
    pub folder: PathBuf,
    /// The folder of media; none where they are in a bucket, which is backed up by itself.
    pub media: Option<PathBuf>,
    /// Whether the key's file goes into the backup. Whoever has the file can then read provider secrets.
    pub with_key: bool,
    /// Where an embedded database is copied to while it is read: a folder with as much room as the database takes, and some more.
    pub scratch: PathBuf,
}

/// What a backup holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows of all tables.
    pub rows: u64,
    /// Media files.
    pub media_files: u64,
    /// Their bytes.
    pub media_bytes: u64,
    /// Whether the secret key is in it.
    pub has_key: bool,
    /// Uploads that no message names and that went away while the backup was made, as a sweep removes them.
    pub vanished: Vec<String>,
    /// Files that messages name and that are not there or not whole, each with its org, its id and what is wrong. The backup is as good
    /// as what it was made of.
    pub missing: Vec<String>,
}

/// Writes a backup of everything that was committed when this began. Blocks; a running server is not held up.
///
/// # Errors
/// `no_database` when there is none; `no_room` when a copy does not fit into `scratch`; `unavailable` when the database or the output cannot be used; `cancelled`.
pub fn write(source: &Source, clock: &SharedClock, out: impl Write, watch: &dyn Watch) -> Result<Summary> {
    let mut dump = Dump::open(&source.place, &source.scratch, watch)?;
    let tag = dump.tx(installation::tag)?;
    let schema = dump.tx(migrate::applied)?;
    if schema.len() > migrate::names().len() {
        return Err(migrate::too_new(schema.len()));
    }
    let tables = dump.tables()?;
    let key = if source.with_key { files::read_key(&source.folder)? } else { None };
    let now_ms = clock.now_ms();
    let manifest = Manifest {
        format: FORMAT,
        parlance: env!("CARGO_PKG_VERSION").to_owned(),
        schema,
        database: source.place.kind().to_owned(),
        installation: tag.to_i64(),
        created_at: iso8601(now_ms),
        secret_key: key.is_some(),
        tables,
    };
    let mut archive = Writer::start(out, now_ms, watch)?;
    archive.json("manifest.json", &manifest)?;
    let mut summary = Summary { has_key: key.is_some(), rows: manifest.rows(), ..Summary::default() };
    if let Some(key) = &key {
        archive.add("secret.key", key)?;
    }
    dump.rows(&manifest, &mut archive, watch)?;
    // A database of before there were files may be backed up too.
    if let Some(media) = source.media.as_ref().filter(|_| manifest.tables.iter().any(|table| table.name == "media")) {
        let named = files::named(&mut dump)?;
        files::add_media(media, &named, &mut archive, &mut summary, watch)?;
    }
    archive.finish()?;
    Ok(summary)
}

/// What reading or writing a file failed with: a full disk is named.
fn io_error(what: &str, cause: std::io::Error) -> Error {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let text = match cause.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => format!("{what}: the disk is full. Free some space, or choose another place."),
        _ => format!("{what} cannot be used. Check the path and its permissions."),
    };
    Error::unavailable(text, 1).with_source(cause)
}
