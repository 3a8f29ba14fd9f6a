//! The write lanes. A lane drains what has queued for it, takes one org's commands into one transaction with a
//! savepoint each, commits once and answers everybody.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use parlance_model::error::Kind;
use parlance_model::failpoint::{self, Step};
use parlance_model::id::OrgId;
use parlance_model::{Error, Result};
use postgres::Transaction;

use super::{DOUBT, LOST, PostgresTx, RETRY, Reconnecting, STALE, Statements, error, in_doubt, stale};
use crate::db::Tx;
use crate::db::command::{Command, Indispensable, answer_early, not_committed, size};
use crate::metrics::Batches;

/// Lanes for orgs; one more serves the directory, and one the search index.
const LANES: usize = 4;
const DIRECTORY: usize = LANES;
const INDEX: usize = LANES + 1;
/// The most closures that share one commit.
const BATCH: usize = 512;
/// How often a closure that met a deadlock or a serialisation failure is tried again.
const TRIES: usize = 5;

struct Lane {
    queue: Option<Sender<Box<dyn Command>>>,
    thread: Option<JoinHandle<()>>,
}

/// Every write lane of this node. Dropping it ends the threads after what has queued.
pub(crate) struct Lanes(Vec<Lane>);

impl Lanes {
    pub(crate) fn start(url: &str, main: &Batches, index: &Batches) -> Result<Self> {
        let lanes = (0..=INDEX).map(|number| {
            let (queue, commands) = channel();
            let (connection, measured) = (Reconnecting::for_writing(url), if number == INDEX { index } else { main }.clone());
            let thread = Builder::new()
                .name(format!("postgres-lane-{number}"))
                .spawn(move || run(connection, &commands, &measured))
                .map_err(Error::internal)?;
            Ok(Lane { queue: Some(queue), thread: Some(thread) })
        });
        lanes.collect::<Result<_>>().map(Self)
    }

    pub(crate) fn submit(&self, command: Box<dyn Command>) {
        let index = match command.org() {
            Some(org) => usize::try_from(org.0).unwrap_or(0) % LANES,
            None => DIRECTORY,
        };
        self.send(index, command);
    }

    /// Queues work on the search index, which takes no org's lock and waits behind nobody else's writes.
    pub(crate) fn submit_index(&self, command: Box<dyn Command>) {
        self.send(INDEX, command);
    }

    fn send(&self, lane: usize, command: Box<dyn Command>) {
        if let Some(queue) = &self.0[lane].queue {
            let _ = queue.send(command);
        }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        for lane in &mut self.0 {
            lane.queue = None;
        }
        for thread in self.0.iter_mut().filter_map(|lane| lane.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn run(mut connection: Reconnecting, commands: &Receiver<Box<dyn Command>>, measured: &Batches) {
    let _guard = Indispensable;
    let mut waiting: VecDeque<Box<dyn Command>> = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match commands.recv() {
                Ok(command) => waiting.push_back(command),
                Err(_) => return,
            }
        }
        while waiting.len() < BATCH {
            match commands.try_recv() {
                Ok(command) => waiting.push_back(command),
                Err(_) => break,
            }
        }
        // One org a transaction: a batch never holds two orgs' locks, so batches of two nodes cannot deadlock.
        let org = waiting.front().and_then(|command| command.org());
        let (batch, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|command| command.org() == org);
        waiting = rest.into();
        commit(&mut connection, org, batch, measured);
    }
}

fn commit(connection: &mut Reconnecting, org: Option<OrgId>, mut batch: Vec<Box<dyn Command>>, measured: &Batches) {
    let mut outcome = together(connection, org, &mut batch, measured);
    if outcome.as_ref().is_err_and(|cause| cause.code() == STALE) {
        connection.forget();
        outcome = together(connection, org, &mut batch, measured);
    }
    if outcome.is_err() {
        measured.failed.increment(1);
    }
    match outcome {
        Ok(()) => {
            failpoint::reach(Step::Committed);
            batch.into_iter().for_each(|command| command.answer(None));
        }
        // The answer to COMMIT was lost, or the server is away: running the closures again could apply them twice.
        Err(cause) if [DOUBT, LOST, STALE, "unavailable"].contains(&cause.code()) => {
            tracing::warn!(?cause, size = batch.len(), "a batch was not committed");
            connection.forget();
            batch.into_iter().for_each(|command| command.answer(Some(not_committed(&cause))));
        }
        Err(cause) => {
            tracing::warn!(?cause, size = batch.len(), "a batch did not commit; running its closures one by one");
            for command in batch {
                alone(connection, org, command, measured);
            }
        }
    }
}

fn alone(connection: &mut Reconnecting, org: Option<OrgId>, command: Box<dyn Command>, measured: &Batches) {
    let mut one = vec![command];
    let mut outcome = Ok(());
    for _ in 0..TRIES {
        outcome = together(connection, org, &mut one, measured);
        if !outcome.as_ref().is_err_and(|error| error.code() == RETRY) {
            break;
        }
    }
    if let Err(cause) = &outcome {
        tracing::error!(?cause, "a write did not commit");
        connection.forget();
    }
    one.into_iter().for_each(|command| command.answer(outcome.as_ref().err().map(not_committed)));
}

/// One transaction over all of them. One that fails as a whole is put in the place of its parts. `Err` means that none is known to be
/// committed.
fn together(connection: &mut Reconnecting, org: Option<OrgId>, batch: &mut Vec<Box<dyn Command>>, measured: &Batches) -> Result<()> {
    let (client, statements) = connection.get()?.split();
    let mut transaction = client.transaction().map_err(stale)?;
    if let Some(org) = org {
        lock(&mut transaction, statements, org)?;
    }
    if let [command] = &mut batch[..] {
        // The only one needs no savepoint: nobody else's work would be undone with it.
        let mut tx = Tx::Postgres(PostgresTx::new(&mut transaction, statements));
        let keep = command.run(&mut tx);
        if keep && tx.has_failed() {
            return Err(Error::internal("a statement failed, and its closure went on"));
        }
        broken(command.as_ref())?;
        if keep {
            return finish(transaction, batch, measured);
        }
        let parts = command.split();
        let whole = parts.is_empty();
        if !whole {
            *batch = parts;
        }
        transaction.rollback().map_err(error)?;
        return if whole { Ok(()) } else { together(connection, org, batch, measured) };
    }
    let mut next = 0;
    while let Some(command) = batch.get_mut(next) {
        let mut savepoint = transaction.savepoint("one").map_err(error)?;
        let keep = command.run(&mut Tx::Postgres(PostgresTx::new(&mut savepoint, statements)));
        broken(command.as_ref())?;
        if keep { savepoint.commit() } else { savepoint.rollback() }.map_err(error)?;
        let parts = if keep { Vec::new() } else { command.split() };
        if parts.is_empty() {
            next += 1;
        } else {
            batch.splice(next..=next, parts);
        }
    }
    finish(transaction, batch, measured)
}

/// Refuses to go on after an error that takes the whole transaction: a retry needs a fresh one, and a lost connection has none.
fn broken(command: &dyn Command) -> Result<()> {
    match command.error() {
        Some(cause) if [RETRY, LOST].contains(&cause.code()) => {
            Err(Error::new(Kind::Unavailable, cause.code(), "").with_source(format!("{cause:?}")))
        }
        _ => Ok(()),
    }
}

fn finish(transaction: Transaction<'_>, batch: &mut Vec<Box<dyn Command>>, measured: &Batches) -> Result<()> {
    let size = size(batch);
    answer_early(batch);
    failpoint::reach(Step::Committing);
    measured.commit(size, || transaction.commit().map_err(in_doubt))
}

fn lock(transaction: &mut Transaction<'_>, statements: &mut Statements, org: OrgId) -> Result<()> {
    const LOCK: &str = "SELECT id FROM org WHERE id = $1 FOR UPDATE";
    PostgresTx::new(transaction, statements).execute(LOCK, crate::db::params![org]).map(drop)
}
