//! Reads run where they are asked for, on the thread's own `query_only` connection, because a hop costs more than
//! the query. One that takes longer than 3 ms is interrupted and runs again on a small pool, so that a cold page
//! does not stop a runtime worker.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use parlance_model::{Error, Result};

use super::{Access, Database, Durability, SqliteTx};
use crate::db::Tx;
use crate::db::command::{Command, caught};

/// How long a read may run in place.
const IN_PLACE: Duration = Duration::from_millis(3);
/// How long a read may run at all: a longer one would keep the WAL from being restarted.
const AT_MOST: Duration = Duration::from_secs(2);
/// Threads of the pool.
const POOL: usize = 2;

static NEXT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static MINE: RefCell<HashMap<u64, Limited>> = RefCell::default();
}

/// The readers of one store.
pub(crate) struct Readers {
    id: u64,
    files: Files,
    pool: Sender<Box<dyn Command>>,
}

/// The database and the search index, which readers see as one.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) database: PathBuf,
    pub(crate) search: PathBuf,
}

impl Readers {
    pub(crate) fn start(files: Files) -> Result<Self> {
        let (pool, commands) = channel();
        let commands = Arc::new(Mutex::new(commands));
        for number in 0..POOL {
            let (commands, files) = (Arc::clone(&commands), files.clone());
            Builder::new().name(format!("sqlite-reader-{number}")).spawn(move || serve(&files, &commands)).map_err(Error::internal)?;
        }
        Ok(Self { id: NEXT.fetch_add(1, Ordering::Relaxed), files, pool })
    }

    /// Runs the closure here and now. An error with the code [`super::INTERRUPTED`] asks for the pool.
    pub(crate) fn in_place<T>(&self, closure: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        MINE.with_borrow_mut(|mine| {
            let limited = match mine.entry(self.id) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => entry.insert(Limited::open(&self.files)?),
            };
            limited.read(IN_PLACE, closure)
        })
    }

    /// Queues the command for the pool.
    pub(crate) fn submit(&self, command: Box<dyn Command>) {
        let _ = self.pool.send(command);
    }
}

fn serve(files: &Files, commands: &Mutex<Receiver<Box<dyn Command>>>) {
    let mut reader = None;
    loop {
        let next = commands.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut command) = next else { return };
        if command.is_abandoned() {
            continue;
        }
        let failed = match opened(&mut reader, files) {
            Ok(limited) => limited
                .read(AT_MOST, |tx| {
                    command.run(tx);
                    Ok(())
                })
                .err(),
            Err(error) => Some(error),
        };
        command.answer(failed);
    }
}

fn opened<'a>(reader: &'a mut Option<Limited>, files: &Files) -> Result<&'a mut Limited> {
    match reader {
        Some(limited) => Ok(limited),
        None => Ok(reader.insert(Limited::open(files)?)),
    }
}

/// A reading connection that interrupts itself at a deadline.
struct Limited {
    database: Database,
    epoch: Instant,
    deadline_us: Arc<AtomicU64>,
}

impl Limited {
    fn open(files: &Files) -> Result<Self> {
        let database = Database::open(&files.database, Durability::Full, Access::Read)?.attach(&files.search)?;
        let (epoch, deadline_us) = (Instant::now(), Arc::new(AtomicU64::new(u64::MAX)));
        let deadline = Arc::clone(&deadline_us);
        let expired = move || epoch.elapsed().as_micros() > u128::from(deadline.load(Ordering::Relaxed));
        database.connection().progress_handler(1000, Some(expired)).map_err(super::error)?;
        Ok(Self { database, epoch, deadline_us })
    }

    fn read<T>(&mut self, limit: Duration, closure: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.deadline_us.store(u64::MAX, Ordering::Relaxed);
        if !self.database.connection().is_autocommit() {
            // An earlier COMMIT failed. Nothing was written; what is open is given up.
            self.database.step("ROLLBACK")?;
        }
        self.database.step("BEGIN")?;
        let until = (self.epoch.elapsed() + limit).as_micros();
        self.deadline_us.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Relaxed);
        // A panic must not leave the transaction open: this connection is the thread's for good.
        let result = caught(|| closure(&mut Tx::Sqlite(SqliteTx(&self.database))));
        self.deadline_us.store(u64::MAX, Ordering::Relaxed);
        if !self.database.connection().is_autocommit() {
            self.database.step("COMMIT")?;
        }
        result
    }
}
