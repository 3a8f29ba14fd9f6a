//! A copy of the database as it is now, page by page, made beside whoever writes.
//!
//! The copy's source holds one read transaction. Writers do not wait for it, but the WAL cannot be restarted meanwhile,
//! so this copies at the disk's speed and does nothing else: whatever takes longer reads the copy.

use std::path::Path;

use parlance_model::error::Kind;
use parlance_model::{Error, Result};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::{Access, Database, Durability, error, file};
use crate::watch::{self, Unit, Watch};

/// Pages copied between two looks at whoever watches: a few MiB.
const STEP: i32 = 1024;

/// Copies the database of a data folder into another folder, which must be empty, and opens the copy for reading.
///
/// # Errors
/// `unavailable`, such as for a full disk; `cancelled`.
pub(crate) fn copy(data: &Path, to: &Path, watch: &dyn Watch) -> Result<Database> {
    let source = Database::open(&file(data), Durability::Full, Access::Read)?;
    // An open read transaction pins what is copied: without one, each write of another process would start it anew.
    source.run("BEGIN; SELECT COUNT(*) FROM sqlite_schema")?;
    let mut target = Connection::open(file(to)).map_err(error)?;
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").map_err(error)?;
    {
        let backup = Backup::new(source.connection(), &mut target).map_err(error)?;
        let (mut known, mut done) = (false, 0);
        loop {
            let more = backup.step(STEP).map_err(error)?;
            let progress = backup.progress();
            if !known {
                let pages = u64::try_from(progress.pagecount).unwrap_or(0);
                watch.stage("Copying the database", Some(pages * page_size(source.connection())?), Unit::Bytes);
                known = true;
            }
            let now = progress.pagecount - progress.remaining;
            watch::advance(watch, u64::try_from(now - done).unwrap_or(0) * page_size(source.connection())?)?;
            done = now;
            match more {
                StepResult::Done => break,
                StepResult::More => {}
                _ => return Err(Error::unavailable("The database is locked by another program. Try again in a moment.", 1)),
            }
        }
    }
    source.run("COMMIT")?;
    target.close().map_err(|(_, cause)| error(cause))?;
    Database::open(&file(to), Durability::Relaxed, Access::Read)
}

/// How many bytes a copy may take: those of the file, and of what is not yet in it.
///
/// # Errors
/// `no_database`.
pub(crate) fn size(data: &Path) -> Result<u64> {
    let bytes = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.len());
    let database = bytes(&file(data)).map_err(|cause| {
        let text = format!("There is no database in {}. Give the data folder of a server as --data.", data.display());
        Error::new(Kind::NotFound, "no_database", text).with_source(cause)
    })?;
    Ok(database + bytes(&data.join("parlance.db-wal")).unwrap_or(0))
}

fn page_size(connection: &Connection) -> Result<u64> {
    let bytes = connection.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0)).map_err(error)?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}
