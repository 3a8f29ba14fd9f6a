//! Where a copy of the embedded database is put while it is read: a folder that goes away with its owner or, when that
//! was killed, before the next one is made beside it.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;

use parlance_model::error::Kind;
use parlance_model::{Error, Result};
use tempfile::TempDir;

use super::io_error;

/// What begins the name of each such folder.
const PREFIX: &str = ".parlance-copy-";
/// Bytes that stay free beside the copy: a server may be writing to the same disk.
const RESERVE: u64 = 64 << 20;

/// The folder. It is locked while its owner lives.
pub(crate) struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes one within this folder, with room for so many bytes.
    ///
    /// # Errors
    /// `no_room`; `unavailable`.
    pub(crate) fn within(parent: &Path, bytes: u64) -> Result<Self> {
        let unusable = |cause| io_error(&parent.display().to_string(), cause);
        sweep(parent).map_err(unusable)?;
        let disk = rustix::fs::statvfs(parent).map_err(|cause| unusable(cause.into()))?;
        enough(parent, bytes, disk.f_bavail.saturating_mul(disk.f_frsize))?;
        loop {
            if let Some(made) = Self::make(parent).map_err(unusable)? {
                return Ok(made);
            }
        }
    }

    /// `None` when another process took it for one that was left behind, before it was locked.
    fn make(parent: &Path) -> io::Result<Option<Self>> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = match File::open(folder.path()) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        match lock.try_lock() {
            Ok(()) if folder.path().exists() => Ok(Some(Self { folder, _lock: lock })),
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(cause),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Takes away what killed processes left.
fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        // One that cannot be opened is somebody else's, or just went away.
        let Ok(folder) = File::open(entry.path()) else { continue };
        if folder.try_lock().is_ok() {
            tracing::info!("{} was left by a process that was killed, and is taken away", entry.path().display());
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn enough(parent: &Path, bytes: u64, free: u64) -> Result<()> {
    let needed = bytes.saturating_add(RESERVE);
    if needed <= free {
        return Ok(());
    }
    let text = format!(
        "A copy of the database needs {} MiB in {}, where {} MiB are free. Make room, or name another folder with --scratch.",
        needed.div_ceil(1 << 20),
        parent.display(),
        free >> 20
    );
    Err(Error::new(Kind::Unavailable, "no_room", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_in_use_stays() {
        let parent = tempfile::tempdir().unwrap();
        let used = Scratch::within(parent.path(), 1).unwrap();
        let left = parent.path().join(".parlance-copy-left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("parlance.db"), "a copy").unwrap();
        fs::write(parent.path().join("mine"), "").unwrap();
        let next = Scratch::within(parent.path(), 1).unwrap();
        assert!(used.path().exists() && next.path().exists() && !left.exists());
        drop((used, next));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn too_little_room_is_said_with_numbers() {
        let folder = Path::new("/srv/parlance");
        assert!(enough(folder, 1 << 30, (1 << 30) + RESERVE).is_ok());
        let refused = enough(folder, 1 << 30, 1 << 30).unwrap_err();
        assert_eq!(refused.code(), "no_room");
        assert!(refused.message().contains("needs 1088 MiB in /srv/parlance, where 1024 MiB are free"), "{refused:?}");
    }
}
