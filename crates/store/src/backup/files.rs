//! The files beside the database: media, the secret key, and the folder in which a restore is put together before
//! anything of it can be seen.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use parlance_model::error::Kind;
use parlance_model::id::{MediaId, OrgId};
use parlance_model::{Error, Result};

use super::archive::{Content, Writer, broken};
use super::dump::Dump;
use super::{Summary, io_error};
use crate::watch::{self, Unit, Watch};

/// Uploads, in the data folder.
const MEDIA: &str = "media";
/// The key's file, in the data folder.
const KEY: &str = "secret.key";
/// The database's file, in the data folder.
const DATABASE: &str = "parlance.db";
/// Where a restore is put together, in the data folder.
const STAGING: &str = ".restoring";
/// What begins the name of the folder into which `--force` moves what was there.
pub const REPLACED: &str = "replaced-";
/// What belongs to an installation in its data folder. The database is last: with it, the restore is there.
const PARTS: [&str; 8] = [MEDIA, KEY, "search.db", "search.db-wal", "search.db-shm", "parlance.db-wal", "parlance.db-shm", DATABASE];

fn unusable(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.display().to_string();
    move |cause| io_error(&path, cause)
}

/// The key's file, where the folder has one.
pub(super) fn read_key(folder: &Path) -> Result<Option<Vec<u8>>> {
    let path = folder.join(KEY);
    match fs::read(&path) {
        Ok(key) => Ok(Some(key)),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(unusable(&path)(cause)),
    }
}

/// A file that a row names.
pub(super) struct Named {
    org: OrgId,
    id: MediaId,
    /// Its name in the media folder.
    key: String,
    /// Bytes; a thumbnail's are not kept.
    size: Option<u64>,
    /// Whether a message names it. Otherwise a server may have removed it since.
    stays: bool,
}

/// The files of the rows in this snapshot, with their thumbnails.
pub(super) fn named(dump: &mut Dump) -> Result<Vec<Named>> {
    const FILES: &str = "SELECT org_id, id, object_key, thumbnail_key, size, state FROM media
        WHERE state IN ('ready', 'attached') ORDER BY org_id, id";
    let mut files = Vec::new();
    dump.session.each(FILES, |row| {
        let (org, id, stays) = (row.get(0)?, row.get(1)?, row.get::<String>(5)? == "attached");
        let size = Some(u64::try_from(row.get::<i64>(4)?).map_err(Error::internal)?);
        files.push(Named { org, id, key: row.get(2)?, size, stays });
        files.extend(row.get::<Option<String>>(3)?.map(|key| Named { org, id, key, size: None, stays }));
        Ok(())
    })?;
    Ok(files)
}

/// Adds the files that the rows name, and no others: what is not whole yet, and what is of nobody, stays where it is. Files are never
/// changed once they have their name, so what was there when the rows were read is what they mean.
pub(super) fn add_media<W: Write>(
    media: &Path,
    files: &[Named],
    archive: &mut Writer<'_, W>,
    summary: &mut Summary,
    watch: &dyn Watch,
) -> Result<()> {
    watch.stage("Adding media", Some(files.iter().filter_map(|file| file.size).sum()), Unit::Bytes);
    for Named { org, id, key, size: due, stays } in files {
        let (name, path) = (format!("{MEDIA}/{key}"), media.join(key));
        let told = |what: &str| format!("org {org}, file {id}: {name} {what}");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == ErrorKind::NotFound && *stays => {
                summary.missing.push(told("is missing"));
                continue;
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                summary.vanished.push(name);
                continue;
            }
            Err(cause) => return Err(unusable(&path)(cause)),
        };
        let size = file.metadata().map_err(unusable(&path))?.len();
        if let Some(due) = due.filter(|due| *due != size) {
            summary.missing.push(told(&format!("has {size} bytes in place of {due}")));
        }
        archive.stream(&name, size, file)?;
        summary.media_files += 1;
        summary.media_bytes += size;
        watch::advance(watch, if due.is_some() { size } else { 0 })?;
    }
    Ok(())
}

/// Refuses a data folder in which a restore was begun and not finished: what is there belongs together with what is not.
///
/// # Errors
/// `restore_unfinished`.
pub fn check_finished(folder: &Path) -> Result<()> {
    // Once the database has been moved in, the restore is there; what is left of the folder goes with the next one.
    if folder.join(STAGING).exists() && !folder.join(DATABASE).exists() {
        let text =
            format!("A restore into {} is under way, or was broken off. Wait for it, or run `parlance restore` again.", folder.display());
        return Err(Error::new(Kind::Conflict, "restore_unfinished", text));
    }
    Ok(())
}

/// A restore on its way into a data folder. Unless it is finished, dropping it leaves the folder as it was.
pub(super) struct Staging {
    folder: PathBuf,
    made: Vec<PathBuf>,
    /// Where what was in the way is.
    aside: Option<PathBuf>,
    /// What was moved so far, from where to where.
    moved: Vec<(PathBuf, PathBuf)>,
    done: bool,
}

impl Staging {
    /// Begins in a folder that has no installation yet, or in any with `force`. What an earlier one left half-made is
    /// taken away.
    pub(super) fn begin(folder: &Path, force: bool) -> Result<Self> {
        let staging = Self { folder: folder.to_owned(), made: Vec::new(), aside: None, moved: Vec::new(), done: false };
        let path = staging.path();
        if path.exists() {
            // A restore that was moving its parts in has this list; before its database was there, they are no installation.
            if !folder.join(DATABASE).exists()
                && let Ok(parts) = fs::read_to_string(path.join("moved"))
            {
                for part in parts.lines().filter(|part| PARTS.contains(part)) {
                    remove(&folder.join(part))?;
                }
            }
            remove(&path)?;
        }
        if !force && let Some(part) = staging.present().find(|part| *part != KEY) {
            let text = format!(
                "{} holds an installation already ({part}). Restore into an empty folder, or add --force to move the old one aside.",
                folder.display()
            );
            return Err(Error::new(Kind::Conflict, "place_not_empty", text));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(unusable(&path))?;
        Ok(staging)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(STAGING)
    }

    fn present(&self) -> impl Iterator<Item = &'static str> {
        PARTS.into_iter().filter(|part| self.folder.join(part).exists())
    }

    /// Puts down a file of the backup, synced. Its path was found to be plain.
    pub(super) fn put(&mut self, path: &str, content: &mut Content<'_>, watch: &dyn Watch) -> Result<()> {
        let target = self.path().join(path);
        if let Some(parent) = target.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(unusable(parent))?;
            if self.made.last().is_none_or(|last| last != parent) {
                self.made.push(parent.to_owned());
            }
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target).map_err(unusable(&target))?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = content.read(&mut buffer).map_err(|cause| broken(cause, watch))?;
            if read == 0 {
                break;
            }
            file.write_all(&buffer[..read]).map_err(unusable(&target))?;
        }
        file.sync_all().map_err(unusable(&target))
    }

    /// Whether the backup brought its key.
    pub(super) fn key(&self) -> Result<Option<Vec<u8>>> {
        match read_key(&self.path())? {
            Some(key) => Ok(Some(key)),
            None => read_key(&self.folder),
        }
    }

    /// Moves what is in the way aside, answering where to.
    pub(super) fn make_room(&mut self, name: &str) -> Result<Option<PathBuf>> {
        let aside = self.folder.join(format!("{REPLACED}{name}"));
        // A backup without its key is opened by the key that is there: that one stays.
        let stays = !self.path().join(KEY).exists();
        // The database goes first: without it, nobody takes what is left for an installation.
        let parts: Vec<_> = self.present().filter(|part| !(stays && *part == KEY)).collect();
        if !parts.iter().any(|part| *part != KEY) {
            return Ok(None);
        }
        DirBuilder::new().mode(0o700).create(&aside).map_err(unusable(&aside))?;
        self.aside = Some(aside.clone());
        for part in parts.into_iter().rev() {
            self.rename(self.folder.join(part), aside.join(part))?;
        }
        sync(&aside)?;
        sync(&self.folder)?;
        Ok(Some(aside))
    }

    /// Moves every part into the folder, the database last.
    pub(super) fn move_in(&mut self) -> Result<()> {
        let path = self.path();
        let parts: Vec<_> = PARTS.into_iter().filter(|part| path.join(part).exists()).collect();
        for part in &parts {
            let (from, to) = (path.join(part), self.folder.join(part));
            if *part == KEY && to.exists() {
                same_key(&from, &to)?;
                remove(&from)?;
            }
        }
        let parts: Vec<_> = parts.into_iter().filter(|part| path.join(part).exists()).collect();
        for folder in self.made.iter().chain([&path]) {
            sync(folder)?;
        }
        // Another run undoes what is listed while the database is not there. PostgreSQL's never is, so nothing is listed for it.
        if parts.contains(&DATABASE) {
            let list = path.join("moved");
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&list).map_err(unusable(&list))?;
            file.write_all(parts.join("\n").as_bytes()).and_then(|()| file.sync_all()).map_err(unusable(&list))?;
            sync(&path)?;
        }
        for part in parts {
            self.rename(path.join(part), self.folder.join(part))?;
        }
        sync(&self.folder)
    }

    /// Everything is where it belongs, the database too.
    pub(super) fn finish(mut self) {
        self.done = true;
        if let Err(cause) = remove(&self.path()).and_then(|()| sync(&self.folder)) {
            tracing::warn!(?cause, "{} is not needed any more, and could not be taken away", self.path().display());
        }
    }

    fn rename(&mut self, from: PathBuf, to: PathBuf) -> Result<()> {
        fs::rename(&from, &to).map_err(unusable(&to))?;
        self.moved.push((from, to));
        Ok(())
    }

    fn undo(&mut self) -> Result<()> {
        for (from, to) in std::mem::take(&mut self.moved).into_iter().rev() {
            fs::rename(&to, &from).map_err(unusable(&to))?;
        }
        if let Some(aside) = self.aside.take() {
            remove(&aside)?;
        }
        remove(&self.path())?;
        sync(&self.folder)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.done
            && let Err(cause) = self.undo()
        {
            tracing::warn!(?cause, "the data folder could not be made as it was before the restore");
        }
    }
}

fn same_key(one: &Path, other: &Path) -> Result<()> {
    let read = |path: &Path| fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(unusable(path));
    if read(one)? == read(other)? {
        return Ok(());
    }
    let text = format!("{} is another key than the backup's. Move it away and restore again.", other.display());
    Err(Error::new(Kind::Conflict, "other_secret_key", text))
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(unusable(path)(cause)),
        _ => Ok(()),
    }
}

/// Makes what was created in a folder survive power loss.
fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unusable(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finished_leaves_the_folder_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let read = |path: &str| fs::read_to_string(at(path)).unwrap();
        fs::create_dir(at("media")).unwrap();
        for path in ["media/old", KEY, DATABASE, "note"] {
            fs::write(at(path), "old").unwrap();
        }
        for finish in [false, true] {
            let mut staging = Staging::begin(folder.path(), true).unwrap();
            for path in ["media/new", KEY, DATABASE] {
                staging.put(path, &mut "new".as_bytes(), &watch::Unwatched::default()).unwrap();
            }
            let aside = staging.make_room("aside").unwrap().unwrap();
            staging.move_in().unwrap();
            assert_eq!((read(DATABASE), read("media/new"), aside.join(DATABASE).exists()), ("new".to_owned(), "new".to_owned(), true));
            if finish {
                staging.finish();
                assert_eq!((read(KEY), at("media/old").exists(), aside.join("media/old").exists()), ("new".to_owned(), false, true));
            } else {
                drop(staging);
                assert_eq!((read(DATABASE), read(KEY), read("media/old"), read("note")), <_>::from(["old"; 4].map(str::to_owned)));
                assert!(!aside.exists() && !at("media/new").exists());
            }
            assert!(!at(STAGING).exists());
        }
    }
}
