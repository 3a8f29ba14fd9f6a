//! The writer thread: drains what has queued, runs each closure in a savepoint where there are several, commits once, answers everybody.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use parlance_model::failpoint::{self, Step};
use parlance_model::{Error, Result};

use super::checkpoint::Checkpointer;
use super::{Database, Durability, SqliteTx, ended};
use crate::db::Tx;
use crate::db::command::{Command, Indispensable, answer_early, not_committed, size};
use crate::metrics::Batches;

/// The most closures that share one commit.
const BATCH: usize = 512;

/// The handle of the writer thread. Dropping it ends the thread after what has queued.
pub(crate) struct Writer {
    queue: Option<Sender<Box<dyn Command>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Takes over the writing connection.
    pub(crate) fn start(database: Database, path: std::path::PathBuf, durability: Durability, measured: Batches) -> Result<Self> {
        let checkpointer = Checkpointer::start(&database, path, durability, measured.clone())?;
        let (queue, commands) = channel();
        let work = move || run(&database, &commands, &checkpointer, &measured);
        let thread = Builder::new().name("sqlite-writer".into()).spawn(work).map_err(Error::internal)?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Queues a command. Whoever waits for it hears from the thread, or finds the reply dropped.
    pub(crate) fn submit(&self, command: Box<dyn Command>) {
        if let Some(queue) = &self.queue {
            let _ = queue.send(command);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(database: &Database, commands: &Receiver<Box<dyn Command>>, checkpointer: &Checkpointer, measured: &Batches) {
    let _guard = Indispensable;
    while let Ok(first) = commands.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match commands.try_recv() {
                Ok(command) => batch.push(command),
                Err(_) => break,
            }
        }
        commit(database, batch, measured);
        checkpointer.between_batches(database);
    }
}

/// One transaction for the whole batch. Where that fails, nobody is answered Ok: each closure runs again alone.
pub(super) fn commit(database: &Database, mut batch: Vec<Box<dyn Command>>, measured: &Batches) {
    if let Err(cause) = database.begin() {
        // Another process holds the lock, or the disk is gone. Nothing has run; trying each alone would only wait again.
        measured.failed.increment(1);
        return refuse(batch, &cause);
    }
    match together(database, &mut batch, measured) {
        Ok(()) => {
            failpoint::reach(Step::Committed);
            batch.into_iter().for_each(|command| command.answer(None));
        }
        Err(cause) => {
            measured.failed.increment(1);
            roll_back(database);
            if batch.len() > 1 {
                tracing::warn!(?cause, size = batch.len(), "a batch did not commit; running its closures one by one");
            }
            one_by_one(database, batch, measured);
        }
    }
}

/// Runs every closure in a savepoint of the transaction that was begun, and commits. One that fails as a whole is put in the place of
/// its parts.
fn together(database: &Database, batch: &mut Vec<Box<dyn Command>>, measured: &Batches) -> Result<()> {
    let mut next = 0;
    while next < batch.len() {
        // The only one needs no savepoint: nobody else's work would be undone with it.
        let only = batch.len() == 1;
        let command = &mut batch[next];
        if !only {
            database.step("SAVEPOINT one")?;
        }
        let keep = command.run(&mut Tx::Sqlite(SqliteTx(database)));
        // Disk full, I/O errors and the like may end the whole transaction, not just the statement. Going on would
        // commit the later closures one by one, in autocommit, and lose the earlier ones.
        if database.connection().is_autocommit() {
            return Err(ended());
        }
        let parts = if keep { Vec::new() } else { command.split() };
        match (keep, only) {
            (true, true) => {}
            (true, false) => database.step("RELEASE one")?,
            (false, true) => {
                database.step("ROLLBACK")?;
                if parts.is_empty() {
                    // Nothing is left to commit, and it is answered with its own error.
                    return Ok(());
                }
                database.begin()?;
            }
            (false, false) => database.step("ROLLBACK TO one").and_then(|()| database.step("RELEASE one"))?,
        }
        if parts.is_empty() {
            next += 1;
        } else {
            batch.splice(next..=next, parts);
        }
    }
    let size = size(batch);
    answer_early(batch);
    failpoint::reach(Step::Committing);
    measured.commit(size, || finish(database))
}

fn refuse(batch: Vec<Box<dyn Command>>, cause: &Error) {
    tracing::error!(?cause, size = batch.len(), "a write could not begin");
    batch.into_iter().for_each(|command| command.answer(Some(not_committed(cause))));
}

/// Runs every closure in a transaction of its own.
fn one_by_one(database: &Database, batch: Vec<Box<dyn Command>>, measured: &Batches) {
    let mut waiting = VecDeque::from(batch);
    while let Some(mut command) = waiting.pop_front() {
        if let Err(cause) = database.begin() {
            waiting.push_front(command);
            return refuse(waiting.into(), &cause);
        }
        if command.run(&mut Tx::Sqlite(SqliteTx(database))) {
            finish_alone(database, command, measured);
            continue;
        }
        roll_back(database);
        let parts = command.split();
        if parts.is_empty() {
            command.answer(None);
        }
        parts.into_iter().rev().for_each(|part| waiting.push_front(part));
    }
}

fn finish_alone(database: &Database, command: Box<dyn Command>, measured: &Batches) {
    let committed = if database.connection().is_autocommit() { Err(ended()) } else { measured.commit(command.size(), || finish(database)) };
    match committed {
        Ok(()) => command.answer(None),
        Err(cause) => {
            roll_back(database);
            tracing::error!(?cause, "a write did not commit");
            command.answer(Some(not_committed(&cause)));
        }
    }
}

fn finish(database: &Database) -> Result<()> {
    database.step("COMMIT")
}

fn roll_back(database: &Database) {
    if !database.connection().is_autocommit()
        && let Err(cause) = database.step("ROLLBACK")
    {
        tracing::error!(?cause, "a transaction could not be rolled back");
    }
}
