//! Puts a backup into an empty place. Nothing can be seen of it before all of it was read, found to be as it was
//! written, and synced.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use parlance_model::clock::iso8601;
use parlance_model::error::Kind;
use parlance_model::{Error, Result};

use super::archive::{self, Content, Visit};
use super::files::Staging;
use super::manifest::{Manifest, damaged};
use super::session::Session;
use super::settle::{self, Settled};
use super::{io_error, load};
use crate::db::{postgres as pg, sqlite};
use crate::secret::SecretKey;
use crate::watch::{Unit, Watch};
use crate::{Durability, Place, Setup, Shared, SystemTx, installation, make_folder, migrate};

/// Where a backup is restored to, and how.
#[derive(Debug, Clone)]
pub struct Target {
    /// The database, which must not be there or be empty.
    pub place: Place,
    /// The data folder: media, and the secret key when the backup has it. On an embedded database, the place's own.
    pub folder: PathBuf,
    /// Moves what is in the data folder aside, into a folder of its own.
    pub force: bool,
    /// The original stopped before the backup was made: what waits is sent from here, and sessions go on.
    pub keep_sending: bool,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was made, RFC 3339.
    pub created_at: String,
    /// Rows of all tables.
    pub rows: u64,
    /// Media files.
    pub media_files: u64,
    /// Migrations that brought an older backup up to date.
    pub applied: Vec<&'static str>,
    /// Messages that became `unknown`, because they may have been sent since.
    pub unknown: u64,
    /// Sign-ins that were ended.
    pub sessions: u64,
    /// Whether this place has the key that opens the provider secrets.
    pub has_key: bool,
    /// Where what was there before is now.
    pub replaced: Option<PathBuf>,
}

/// Reads a backup of `size` bytes, where that is known, and restores it. `setup.secret` is the key of the environment,
/// where it was given. Blocks. The caller holds the data folder's lock.
///
/// # Errors
/// `not_a_backup`, `backup_too_new`, `backup_foreign`, `backup_cut_short`, `backup_damaged`; `place_not_empty`;
/// `wrong_secret_key`; `cancelled`; those of the database and of files. After each, nothing was restored, and the folder is as it was.
pub fn restore(target: &Target, setup: &Setup, input: impl Read, size: Option<u64>, watch: &dyn Watch) -> Result<Restored> {
    watch.stage("Restoring", size, Unit::Bytes);
    let mut loading = Loading::begin(target, setup, watch)?;
    archive::read(input, watch, &mut loading)?;
    loading.finish()
}

/// A restore on its way.
struct Loading<'a> {
    target: &'a Target,
    setup: &'a Setup,
    watch: &'a dyn Watch,
    staging: Option<Staging>,
    session: Option<Session>,
    manifest: Option<Manifest>,
    loaded: BTreeMap<String, u64>,
    media_files: u64,
}

impl<'a> Loading<'a> {
    fn begin(target: &'a Target, setup: &'a Setup, watch: &'a dyn Watch) -> Result<Self> {
        let mut loading =
            Self { target, setup, watch, staging: None, session: None, manifest: None, loaded: BTreeMap::new(), media_files: 0 };
        if matches!(target.place, Place::Sqlite { .. }) {
            loading.staging()?;
        }
        Ok(loading)
    }

    /// With PostgreSQL, a data folder is made only for a backup that brings files.
    fn staging(&mut self) -> Result<&mut Staging> {
        match &mut self.staging {
            Some(staging) => Ok(staging),
            none => {
                make_folder(&self.target.folder)?;
                Ok(none.insert(Staging::begin(&self.target.folder, self.target.force)?))
            }
        }
    }

    fn open(&mut self) -> Result<Session> {
        match &self.target.place {
            Place::Sqlite { .. } => {
                let path = sqlite::file(&self.staging()?.path());
                let database = sqlite::Database::open(&path, Durability::Relaxed, sqlite::Access::Write)?;
                // Nobody sees this file before it is whole and synced: a journal would only write everything twice.
                database.run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN IMMEDIATE")?;
                Ok(Session::Sqlite(database))
            }
            Place::Postgres { url } => {
                let mut session = Session::Postgres(pg::Connection::open(url, pg::MIGRATING)?);
                session.run("BEGIN")?;
                session.run(migrate::LOCK)?;
                Ok(session)
            }
        }
    }

    fn parts(&mut self) -> Result<(&mut Session, &Manifest)> {
        match (&mut self.session, &self.manifest) {
            (Some(session), Some(manifest)) => Ok((session, manifest)),
            _ => Err(Error::internal("a backup was read without its manifest")),
        }
    }

    /// All was read and is as it was written.
    fn finish(mut self) -> Result<Restored> {
        let loaded = std::mem::take(&mut self.loaded);
        let now_ms = self.setup.clock.now_ms();
        let stopped = self.target.keep_sending;
        let (secret, has_key) = self.key()?;
        let shared = Shared { clock: self.setup.clock.clone(), entropy: self.setup.entropy.clone(), secret };
        let (session, manifest) = self.parts()?;
        if manifest.tables.iter().any(|table| loaded.get(&table.name).copied().unwrap_or(0) != table.rows) {
            return Err(damaged("a table has not as many rows as its manifest says"));
        }
        let (applied, Settled { unknown, sessions }) = session.tx(|tx| {
            load::last_ids(tx, manifest, stopped)?;
            let applied = migrate::apply_until(tx, now_ms, usize::MAX)?;
            if has_key {
                installation::check_key(&mut SystemTx::new(tx, &shared))?;
            }
            Ok((applied, settle::settle(tx, &shared, manifest, stopped)?))
        })?;
        let (created_at, rows) = (manifest.created_at.clone(), manifest.rows());
        let media_files = self.media_files;
        let replaced = self.publish(now_ms)?;
        Ok(Restored { created_at, rows, media_files, applied, unknown, sessions, has_key, replaced })
    }

    /// The key that this place will have: the environment's, else the backup's, else the folder's own.
    fn key(&self) -> Result<(SecretKey, bool)> {
        if self.setup.secret.is_present() {
            return Ok((self.setup.secret.clone(), true));
        }
        match self.staging.as_ref().map(Staging::key).transpose()?.flatten() {
            Some(text) => Ok((SecretKey::from_text(&String::from_utf8_lossy(&text))?, true)),
            None => Ok((SecretKey::absent(), false)),
        }
    }

    /// Commits, syncs and moves everything to where it is looked for.
    fn publish(mut self, now_ms: i64) -> Result<Option<PathBuf>> {
        if let Some(Session::Sqlite(database)) = &self.session {
            database.run("COMMIT; PRAGMA journal_mode = WAL")?;
        }
        let postgres = match self.session.take() {
            Some(Session::Sqlite(database)) => {
                drop(database);
                let path = sqlite::file(&self.staging()?.path());
                File::open(&path).and_then(|file| file.sync_all()).map_err(|cause| io_error(&path.display().to_string(), cause))?;
                None
            }
            other => other,
        };
        let mut replaced = None;
        if let Some(staging) = &mut self.staging {
            replaced = staging.make_room(&iso8601(now_ms).replace([':', '-'], ""))?;
            staging.move_in()?;
        }
        // Files can be moved back where the database says no; what is committed stays.
        if let Some(mut session) = postgres {
            session.run("COMMIT").map_err(in_doubt)?;
        }
        if let Some(staging) = self.staging.take() {
            staging.finish();
        }
        Ok(replaced)
    }
}

/// Without an answer to COMMIT, PostgreSQL may have the rows, while the folder is as it was.
fn in_doubt(cause: Error) -> Error {
    if cause.kind() != Kind::Unavailable {
        return cause;
    }
    let text =
        "The connection broke at the very end: the database may hold the backup, without its files. Restore into another, empty one.";
    Error::unavailable(text, 1).with_source(cause)
}

impl Visit for Loading<'_> {
    fn manifest(&mut self, manifest: Manifest) -> Result<()> {
        let mut session = self.open()?;
        load::prepare(&mut session, &manifest, self.setup.clock.now_ms())?;
        (self.session, self.manifest) = (Some(session), Some(manifest));
        Ok(())
    }

    fn entry(&mut self, path: &str, _size: u64, content: &mut Content<'_>) -> Result<()> {
        let watch = self.watch;
        if path == "secret.key" || path.starts_with("media/") {
            self.media_files += u64::from(path != "secret.key");
            return self.staging()?.put(path, content, watch);
        }
        let odd = || damaged("it has an entry that no backup has");
        let name = path.strip_prefix("tables/").and_then(|path| path.split_once('/')).ok_or_else(odd)?.0;
        let (session, manifest) = self.parts()?;
        let table = manifest.tables.iter().find(|table| table.name == name).ok_or_else(odd)?;
        let rows = load::rows(session, table, content, watch)?;
        *self.loaded.entry(name.to_owned()).or_default() += rows;
        Ok(())
    }
}
