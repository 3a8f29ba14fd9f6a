//! `backup` and `restore`: where the file is, what is said about it, and what to do next.

use std::fs::File;
use std::io::{IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use parlance_model::clock::iso8601;
use parlance_model::error::Kind;
use parlance_model::{Error, Result};
use parlance_store::Setup;
use parlance_store::backup::{self, Restored, Source, Summary, Target};
use parlance_store::watch::Watch;
use serde_json::json;
use tempfile::NamedTempFile;

use super::database;
use crate::cli::{BackupArgs, PlaceArgs, RestoreArgs};
use crate::output::{Form, Record, say};
use crate::place::{self, Parts, parts};
use crate::progress::watched;

/// Standard input or output, in place of a file.
const STREAM: &str = "-";

pub(crate) fn back_up(args: &PlaceArgs, form: Form, options: BackupArgs) -> Result<()> {
    let Parts { clock, .. } = parts();
    let file = options.file.unwrap_or_else(|| {
        let time: String = iso8601(clock.now_ms() / 1000 * 1000).chars().filter(|c| !"-:".contains(*c)).collect();
        PathBuf::from(format!("parlance-backup-{time}.tar.zst"))
    });
    let streamed = file == Path::new(STREAM);
    let scratch = options.scratch.unwrap_or_else(|| if streamed { args.data.clone() } else { folder_of(&file) });
    // A key that came from outside stays outside.
    let with_key = !options.without_key && args.secret_key.is_none();
    let source = Source { place: args.place()?, folder: args.data.clone(), media: args.media_folder(), with_key, scratch };
    if source.media.is_none() {
        tracing::warn!("media are in a bucket and not in this backup: keep copies of the bucket by its own means");
    }
    if streamed {
        if std::io::stdout().is_terminal() {
            return Err(Error::invalid("file", "A backup is not for the terminal. Send it into a file or another program."));
        }
        let summary = watched(move |watch| backup::write(&source, &clock, std::io::stdout().lock(), watch))?;
        return report(&summary);
    }
    if file.exists() && !options.force {
        return Err(there_already(&file));
    }
    let (target, force) = (file.clone(), options.force);
    let summary = watched(move |watch| {
        let mut partial = partial(&target)?;
        let summary = backup::write(&source, &clock, partial.as_file_mut(), watch)?;
        put(partial, &target, force)?;
        Ok(summary)
    })?;
    let name = file.display().to_string();
    let made = vec![
        ("file", json!(name)),
        ("rows", json!(summary.rows)),
        ("media_files", json!(summary.media_files)),
        ("media_bytes", json!(summary.media_bytes)),
        ("secret_key", json!(summary.has_key)),
        ("vanished", json!(summary.vanished)),
        ("missing", json!(summary.missing)),
    ];
    form.made(Some(&name), made)?;
    report(&summary)
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// The file under another name, readable by its owner only. It goes away unless it is put in its place.
fn partial(target: &Path) -> Result<NamedTempFile> {
    let made = tempfile::Builder::new().prefix(".parlance-backup-").suffix(".partial").tempfile_in(folder_of(target));
    made.map_err(|cause| unusable(target, cause))
}

/// Syncs the file, then gives it its name: whoever sees the name sees a whole backup.
fn put(partial: NamedTempFile, target: &Path, force: bool) -> Result<()> {
    partial.as_file().sync_all().map_err(|cause| unusable(target, cause))?;
    let put = if force { partial.persist(target) } else { partial.persist_noclobber(target) };
    put.map_err(|cause| match cause.error.kind() {
        std::io::ErrorKind::AlreadyExists => there_already(target),
        _ => unusable(target, cause.error),
    })?;
    File::open(folder_of(target)).and_then(|folder| folder.sync_all()).map_err(|cause| unusable(target, cause))
}

fn there_already(file: &Path) -> Error {
    Error::conflict("file_exists", format!("{} is there already. Give another name, or --force to replace it.", file.display()))
}

fn unusable(file: &Path, cause: std::io::Error) -> Error {
    Error::unavailable(format!("{} cannot be written. Check the path, its permissions and the room on its disk.", file.display()), 1)
        .with_source(cause)
}

/// What is in the file, on standard error: standard output may be the file. A file that is not whole is a failure, though the backup is
/// written: whoever runs this by a timer has to hear of it.
fn report(summary: &Summary) -> Result<()> {
    let Summary { rows, media_files, media_bytes, .. } = summary;
    tracing::info!("backed up {rows} rows and {media_files} media files ({media_bytes} bytes)");
    for name in &summary.vanished {
        tracing::warn!("{name} went away while the backup was made, and is not in it; no message names it");
    }
    for missing in &summary.missing {
        tracing::error!("{missing}");
    }
    if summary.has_key {
        tracing::warn!("the secret key is in this backup: whoever has the file can read provider secrets. --without-key leaves it out");
    } else {
        tracing::warn!("the secret key is not in this backup: keep PARLANCE_SECRET_KEY or secret.key apart, a restored copy needs it");
    }
    match summary.missing.len() {
        0 => Ok(()),
        count => {
            let text = format!(
                "The backup is written, but {count} files that messages name are missing or not whole. Check that --media-store is the \
                 server's; else put them back from an earlier backup, and back up again."
            );
            Err(Error::conflict("files_missing", text))
        }
    }
}

pub(crate) fn restore(args: &PlaceArgs, form: Form, options: RestoreArgs) -> Result<()> {
    let _lock = place::lock_folder(&args.data)?;
    let target = Target { place: args.any_place()?, folder: args.data.clone(), force: options.force, keep_sending: options.keep_sending };
    let Parts { clock, entropy } = parts();
    let setup = Setup { clock, entropy, secret: args.given_secret()? };
    let file = options.file;
    let restored = watched(move |watch| read(&file, &target, &setup, watch))?;
    if form == Form::Json {
        let sound = database::quick(args)?.findings.is_empty();
        return form.record(record(&restored, sound));
    }
    tell(&restored, options.keep_sending)?;
    // Without files: they may have to be moved yet.
    database::tell(&database::quick(args)?, None, form, false)?;
    next(args, &restored)
}

fn record(restored: &Restored, sound: bool) -> Record {
    vec![
        ("created_at", json!(restored.created_at)),
        ("rows", json!(restored.rows)),
        ("media_files", json!(restored.media_files)),
        ("applied", json!(restored.applied)),
        ("unknown_messages", json!(restored.unknown)),
        ("ended_sessions", json!(restored.sessions)),
        ("has_secret_key", json!(restored.has_key)),
        ("replaced", json!(restored.replaced.as_ref().map(|folder| folder.display().to_string()))),
        ("ok", json!(sound)),
    ]
}

fn read(file: &Path, target: &Target, setup: &Setup, watch: &dyn Watch) -> Result<Restored> {
    let (input, size): (Box<dyn Read>, _) = if file == Path::new(STREAM) {
        (Box::new(std::io::stdin().lock()), None)
    } else {
        let opened = File::open(file).and_then(|opened| opened.metadata().map(|metadata| (opened, metadata.len())));
        let (opened, size) = opened.map_err(|cause| {
            Error::new(Kind::NotFound, "no_backup", format!("{} cannot be read. Check the path and its permissions.", file.display()))
                .with_source(cause)
        })?;
        (Box::new(opened), Some(size))
    };
    backup::restore(target, setup, input, size, watch)
}

fn tell(restored: &Restored, keep_sending: bool) -> Result<()> {
    let Restored { created_at, rows, media_files, .. } = restored;
    say(&format!("restored the backup of {created_at}: {rows} rows, {media_files} media files"))?;
    if let Some(folder) = &restored.replaced {
        say(&format!("what was there before is in {}", folder.display()))?;
    }
    restored.applied.iter().try_for_each(|name| say(&format!("applied {name}")))?;
    if !keep_sending {
        let (messages, sessions) = (restored.unknown, restored.sessions);
        say(&format!("{messages} messages were waiting and may have been sent since: they are `unknown`, and are not sent from here"))?;
        say(&format!("{sessions} sign-ins were ended; keys that were revoked since the backup are valid again"))?;
    }
    Ok(())
}

fn next(args: &PlaceArgs, restored: &Restored) -> Result<()> {
    if !restored.has_key {
        say("next: set PARLANCE_SECRET_KEY to the key of the original; without it provider secrets cannot be read")?;
    }
    if restored.media_files > 0 && args.media_folder().is_none_or(|folder| folder != args.data.join("media")) {
        say(&format!("next: move the files of {} to where --media-store points", args.data.join("media").display()))?;
    }
    let place = match args.database_url {
        Some(_) => "--database-url …".to_owned(),
        None => format!("--data {}", args.data.display()),
    };
    say(&format!("next: make sure that the original does not run, then `parlance serve {place}`"))
}
