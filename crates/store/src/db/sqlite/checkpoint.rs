//! Keeps the WAL bounded. At a size it is moved into the database beside the writer, on a connection of its own; when that is done, the
//! writer moves the little that came meanwhile and starts the WAL anew, between two batches. A page that many batches changed is moved once.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use parlance_model::{Error, Result};

use super::{Access, Database, Durability};
use crate::metrics::Batches;

/// Bytes in the WAL at which it is moved into the database beside the writer.
const BEGIN: u64 = 16 << 20;
/// Bytes that come further before that is tried again: readers held up the last one.
const AGAIN: u64 = 16 << 20;
/// Bytes in the WAL at which the writer waits for nobody and moves it by itself.
const LIMIT: u64 = 64 << 20;

thread_local! {
    /// Pages in the WAL after the last commit of this thread's connection. SQLite's hook takes no state.
    static WAL_PAGES: Cell<i32> = const { Cell::new(0) };
}

/// The writer's side of the checkpoint thread.
pub(super) struct Checkpointer {
    ask: SyncSender<()>,
    /// Whether the WAL can be started anew: the thread has moved what it found.
    due: Arc<AtomicBool>,
    /// Bytes of a page.
    page: u64,
    /// The size at which the thread is asked next.
    next: Cell<u64>,
    /// When a RESTART was held up the last time.
    held_up: Cell<Option<Instant>>,
    /// How long that put the next off.
    pause: Cell<Duration>,
    measured: Batches,
}

/// How long the writer leaves a WAL alone that could not be restarted: at first, when it may have been the checkpoint thread alone that
/// held it up, and at most, when readers hold it up again and again: as long as there is room, and at the limit, where a second of writing
/// would double it.
const FIRST_PAUSE: Duration = Duration::from_millis(15);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE_AT_LIMIT: Duration = Duration::from_millis(150);
/// How long a RESTART may wait for readers, while writers wait for it: as long as there is room, and at the limit.
const PATIENCE: Duration = Duration::from_millis(3);
const PATIENCE_AT_LIMIT: Duration = Duration::from_millis(50);

/// Restarts the WAL; `false` when readers held it up.
fn restart(database: &Database, patience: Duration) -> rusqlite::Result<bool> {
    let connection = database.connection();
    connection.busy_timeout(patience)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, i64>(0));
    connection.busy_timeout(super::BUSY)?;
    Ok(busy? == 0)
}

impl Checkpointer {
    /// Starts the thread, and lets the connection count the WAL's pages for the thread that writes with it.
    pub(super) fn start(database: &Database, path: PathBuf, durability: Durability, measured: Batches) -> Result<Self> {
        let (ask, asked) = sync_channel(1);
        let due = Arc::new(AtomicBool::new(false));
        let (done, counted) = (Arc::clone(&due), measured.checkpoints.clone());
        let work = move || {
            checkpoint(&path, durability, &asked, || {
                counted.increment(1);
                done.store(true, Ordering::Release);
            });
        };
        Builder::new().name("sqlite-checkpoint".into()).spawn(work).map_err(Error::internal)?;
        database.connection().wal_hook(Some(|_, pages| {
            WAL_PAGES.set(pages);
            Ok(())
        }));
        let page = database.connection().pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0)).map_err(super::error)?;
        let (next, held_up, pause) = (Cell::new(BEGIN), Cell::new(None), Cell::new(Duration::ZERO));
        Ok(Self { ask, due, page: page.into(), next, held_up, pause, measured })
    }

    /// Called by the writer when no transaction is open.
    pub(super) fn between_batches(&self, database: &Database) {
        let bytes = u64::try_from(WAL_PAGES.get()).unwrap_or_default() * self.page;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
        self.measured.wal.set(bytes as f64);
        if bytes < BEGIN {
            // It was started anew, by the writer or by SQLite itself. What the thread has moved since was little.
            self.due.store(false, Ordering::Release);
            self.next.set(BEGIN);
            self.held_up.set(None);
            self.pause.set(Duration::ZERO);
            return;
        }
        let (patience, longest) = if bytes < LIMIT { (PATIENCE, LONGEST_PAUSE) } else { (PATIENCE_AT_LIMIT, LONGEST_PAUSE_AT_LIMIT) };
        let due = self.due.load(Ordering::Acquire) || bytes >= LIMIT;
        if due && self.held_up.get().is_none_or(|at| at.elapsed() >= self.pause.get().min(longest)) {
            self.start_anew(database, patience);
        } else if bytes >= self.next.get() && self.ask.try_send(()).is_ok() {
            self.next.set(bytes + AGAIN);
        }
    }

    fn start_anew(&self, database: &Database, patience: Duration) {
        let was_due = self.due.swap(false, Ordering::AcqRel);
        match restart(database, patience) {
            Ok(true) => {
                WAL_PAGES.set(0);
                self.measured.restarts.increment(1);
            }
            // A reader holds it up, perhaps one of another process, or the thread is still at work. Writing goes on meanwhile.
            Ok(false) => {
                self.measured.held_up.increment(1);
                self.put_off(was_due);
            }
            Err(cause) => {
                tracing::warn!(?cause, "the WAL could not be restarted");
                self.put_off(was_due);
            }
        }
    }

    /// Tries again after a while, which grows while readers hold it up.
    fn put_off(&self, by_readers: bool) {
        let pause = if by_readers { self.pause.get() * 2 } else { FIRST_PAUSE };
        self.pause.set(pause.clamp(FIRST_PAUSE, LONGEST_PAUSE));
        self.held_up.set(Some(Instant::now()));
        if by_readers {
            self.due.store(true, Ordering::Release);
        }
    }
}

fn checkpoint(path: &std::path::Path, durability: Durability, asked: &Receiver<()>, done: impl Fn()) {
    let database = match Database::open(path, durability, Access::Checkpoint) {
        Ok(database) => database,
        Err(cause) => return tracing::error!(?cause, "the checkpoint connection could not be opened"),
    };
    while asked.recv().is_ok() {
        match database.connection().query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            Ok(()) => done(),
            Err(cause) => tracing::warn!(?cause, "a checkpoint failed"),
        }
    }
}
