//! A piece of work for a database thread: a closure that may be run more than once, and whoever waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parlance_model::id::OrgId;
use parlance_model::{Error, Result, failpoint};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Tx;
use crate::bus::{Bus, Signal};

/// What a command left behind once its transaction is committed.
pub(crate) type Signals = Vec<Signal>;

/// Work for a database thread. `run` may be called again after a rollback; `answer` is called once.
pub(crate) trait Command: Send {
    /// The org whose lock a write takes; `None` for the directory.
    fn org(&self) -> Option<OrgId>;

    /// How many callers wait for it.
    fn size(&self) -> usize;

    /// Runs the closure and keeps its result. `false`: roll back what it did.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;

    /// The kept result's error, where it failed.
    fn error(&self) -> Option<&Error>;

    /// Whether nobody waits any more. A read that nobody waits for need not run.
    fn is_abandoned(&self) -> bool;

    /// What it is made of, each to be run by itself after it failed as a whole. A command that stands for one caller has no parts.
    fn split(&mut self) -> Vec<Box<dyn Command>> {
        Vec::new()
    }

    /// Answers whoever waits: with the kept result, or with this error when the transaction did not commit.
    fn answer(self: Box<Self>, failed: Option<Error>);
}

/// The usual command.
pub(crate) struct Typed<F, T> {
    pub(crate) org: Option<OrgId>,
    pub(crate) closure: F,
    pub(crate) kept: Option<Result<(T, Signals)>>,
    pub(crate) reply: oneshot::Sender<Result<T>>,
    pub(crate) bus: Bus,
    /// The place in the bounded queue, given back when the command is done.
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

impl<F, T> Command for Typed<F, T>
where
    F: Fn(&mut Tx<'_>) -> Result<(T, Signals)> + Send,
    T: Send,
{
    fn org(&self) -> Option<OrgId> {
        self.org
    }

    fn size(&self) -> usize {
        1
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let kept = self.kept.insert(caught(|| (self.closure)(tx)));
        kept.is_ok()
    }

    fn error(&self) -> Option<&Error> {
        self.kept.as_ref().and_then(|result| result.as_ref().err())
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn answer(self: Box<Self>, failed: Option<Error>) {
        // Nobody may be waiting any more: a client that went away does not undo what was committed.
        let _ = self.reply.send(told(failed, self.kept, &self.bus));
    }
}

/// Runs a closure. A panic in one must not end the thread that everybody writes through.
pub(crate) fn caught<T>(closure: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(closure)).unwrap_or_else(|_| Err(Error::internal("a store closure panicked")))
}

/// What the callers of a command are told, once whoever is to be woken was: the kept result, unless the transaction did not commit.
pub(crate) fn told<T>(failed: Option<Error>, kept: Option<Result<(T, Signals)>>, bus: &Bus) -> Result<T> {
    if let Some(error) = failed {
        return Err(error);
    }
    let (value, signals) = kept.unwrap_or_else(|| Err(Error::internal("a command was answered before it ran")))?;
    signals.into_iter().for_each(|signal| bus.send(signal));
    Ok(value)
}

/// How many callers wait for a batch.
pub(crate) fn size(batch: &[Box<dyn Command>]) -> usize {
    batch.iter().map(|command| command.size()).sum()
}

/// Answers before the commit, which no server may do. Only a build with failpoints can be told to, so that the crash rig is seen to notice.
pub(crate) fn answer_early(batch: &mut Vec<Box<dyn Command>>) {
    if failpoint::answers_early() {
        batch.drain(..).for_each(|command| command.answer(None));
        failpoint::linger();
    }
}

/// The error of a transaction that could not be committed, for each of the many who wait for it.
pub(crate) fn not_committed(cause: &Error) -> Error {
    let text = if cause.code() == super::postgres::DOUBT {
        "The database went away before it answered, so this may or may not have been stored. Ask again; with the same Idempotency-Key nothing is done twice."
    } else {
        "The database could not take this just now. Nothing was changed; try again."
    };
    Error::unavailable(text, 1).with_source(format!("{cause:?}"))
}

/// Held by a thread without which nothing can be written. Should it ever unwind, the process ends at once, to be started
/// again whole, instead of refusing every write from then on.
pub(crate) struct Indispensable;

impl Drop for Indispensable {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}
