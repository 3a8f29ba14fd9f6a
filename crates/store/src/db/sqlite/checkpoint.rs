//! Keeps the WAL bounded: PASSIVE checkpoints on a connection of their own as it grows, and, when that does not
//! catch up under steady load, a RESTART by the writer between two batches.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use metrics::Counter;
use parlance_model::{Error, Result};

use super::{Access, Database, Durability};
use crate::metrics::Batches;

/// Pages in the WAL after which a PASSIVE checkpoint is asked for (4 MiB).
const PASSIVE_PAGES: i32 = 1024;
/// Pages in the WAL at which the writer pauses for a RESTART (32 MiB).
const RESTART_PAGES: i32 = 8192;

/// SQLite's page, in bytes.
const PAGE_BYTES: f64 = 4096.0;

thread_local! {
    /// Pages in the WAL after the last commit of this thread's connection. SQLite's hook takes no state.
    static WAL_PAGES: Cell<i32> = const { Cell::new(0) };
}

/// The writer's side of the checkpoint thread.
pub(super) struct Checkpointer {
    ask: SyncSender<()>,
    /// After a RESTART that was held up, the next is not tried before this.
    not_before: Cell<Option<Instant>>,
    /// How long the last one put the next off.
    pause: Cell<Duration>,
    measured: Batches,
}

/// How long the writer leaves a WAL alone that could not be restarted: at first, when it may have been the checkpoint thread alone that
/// held it up, and at most, when readers hold it up again and again.
const FIRST_PAUSE: Duration = Duration::from_millis(125);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long a RESTART may wait for readers: writers wait meanwhile.
const PATIENCE: Duration = Duration::from_millis(50);

/// Restarts the WAL; `false` when readers held it up.
fn restart(database: &Database) -> rusqlite::Result<bool> {
    let connection = database.connection();
    connection.busy_timeout(PATIENCE)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, i64>(0));
    connection.busy_timeout(super::BUSY)?;
    Ok(busy? == 0)
}

impl Checkpointer {
    pub(super) fn start(path: PathBuf, durability: Durability, measured: Batches) -> Result<Self> {
        let (ask, asked) = sync_channel(1);
        let done = measured.checkpoints.clone();
        let work = move || checkpoint(&path, durability, &asked, &done);
        Builder::new().name("sqlite-checkpoint".into()).spawn(work).map_err(Error::internal)?;
        Ok(Self { ask, not_before: Cell::new(None), pause: Cell::new(Duration::ZERO), measured })
    }

    /// Counts the WAL's pages on the calling thread's connection.
    pub(super) fn watch(&self, database: &Database) {
        database.connection().wal_hook(Some(|_, pages| {
            WAL_PAGES.set(pages);
            Ok(())
        }));
    }

    /// Called by the writer when no transaction is open.
    pub(super) fn between_batches(&self, database: &Database) {
        let pages = WAL_PAGES.get();
        self.measured.wal.set(f64::from(pages) * PAGE_BYTES);
        if pages >= RESTART_PAGES && self.not_before.get().is_none_or(|time| Instant::now() >= time) {
            match restart(database) {
                Ok(true) => {
                    WAL_PAGES.set(0);
                    self.measured.restarts.increment(1);
                    self.not_before.set(None);
                    self.pause.set(Duration::ZERO);
                }
                // A reader holds it up, perhaps one of another process. Writing goes on meanwhile.
                Ok(false) => {
                    self.measured.held_up.increment(1);
                    self.put_off();
                }
                Err(cause) => {
                    tracing::warn!(?cause, pages, "the WAL could not be restarted");
                    self.put_off();
                }
            }
        } else if pages >= PASSIVE_PAGES {
            // One request may wait; more would say nothing new.
            let _ = self.ask.try_send(());
        }
    }

    fn put_off(&self) {
        self.pause.set((self.pause.get() * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE));
        self.not_before.set(Some(Instant::now() + self.pause.get()));
    }
}

fn checkpoint(path: &std::path::Path, durability: Durability, asked: &Receiver<()>, done: &Counter) {
    let database = match Database::open(path, durability, Access::Checkpoint) {
        Ok(database) => database,
        Err(cause) => return tracing::error!(?cause, "the checkpoint connection could not be opened"),
    };
    while asked.recv().is_ok() {
        match database.connection().query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            Ok(()) => done.increment(1),
            Err(cause) => tracing::warn!(?cause, "a checkpoint failed"),
        }
    }
}
