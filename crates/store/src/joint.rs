//! Joint writes: what waits of one kind for the same org is applied as one slice by one closure, so that rows which many of them touch
//! are read and written once. Each is still answered by itself, and one that fails takes none of the others with it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use parlance_model::id::OrgId;
use parlance_model::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::bus::Bus;
use crate::db::Tx;
use crate::db::command::{Command, Signals, caught, told};
use crate::store::answered;
use crate::{OrgTx, Shared, Store};

/// The most that one closure takes.
const SLICE: usize = 512;

/// Applies a slice, and answers one value for each of its parts, in their order. May be run again after a rollback.
pub type Apply<I, O> = fn(&mut OrgTx<'_, '_>, &[&I]) -> Result<Vec<O>>;

/// A kind of joint write, of one store.
pub struct Joint<I, O> {
    apply: Apply<I, O>,
    waiting: Waiting<I, O>,
}

/// Parts that no command has taken yet. Of each org as many commands are queued as it takes to take them all, `SLICE` at most each.
type Waiting<I, O> = Arc<Mutex<HashMap<OrgId, VecDeque<Part<I, O>>>>>;

struct Part<I, O> {
    item: I,
    reply: oneshot::Sender<Result<O>>,
    /// Its place in the bounded queue.
    _permit: OwnedSemaphorePermit,
}

impl<I: Send + Sync + 'static, O: Send + 'static> Joint<I, O> {
    /// Writes that this function applies.
    #[must_use]
    pub fn new(apply: Apply<I, O>) -> Self {
        Self { apply, waiting: Arc::default() }
    }

    /// Applies an item together with whatever else waits for this org, and answers after COMMIT.
    ///
    /// # Errors
    /// Those of the function for this item, or `unavailable` when nothing was changed.
    pub async fn write(&self, store: &Store, org: OrgId, item: I) -> Result<O> {
        let begun = Instant::now();
        let permit = store.place().await?;
        let (reply, answer) = oneshot::channel();
        let first = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let parts = waiting.entry(org).or_default();
            parts.push_back(Part { item, reply, _permit: permit });
            parts.len() % SLICE == 1
        };
        if first {
            let (apply, waiting) = (self.apply, Some(Arc::clone(&self.waiting)));
            store.submit(Box::new(Slice {
                org,
                apply,
                waiting,
                parts: Vec::new(),
                kept: None,
                shared: store.shared(),
                bus: store.bus().clone(),
            }));
        }
        let answer = answered(answer).await;
        store.wrote(begun);
        answer
    }
}

/// The command of a slice, which takes its parts when its turn comes.
struct Slice<I, O> {
    org: OrgId,
    apply: Apply<I, O>,
    /// Where to take the parts from; `None` once that is done.
    waiting: Option<Waiting<I, O>>,
    parts: Vec<Part<I, O>>,
    kept: Option<Result<(Vec<O>, Signals)>>,
    shared: Shared,
    bus: Bus,
}

impl<I, O> Slice<I, O> {
    fn take(&mut self) {
        let Some(waiting) = self.waiting.take() else { return };
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parts) = waiting.get_mut(&self.org) {
            self.parts.extend(parts.drain(..parts.len().min(SLICE)));
            if parts.is_empty() {
                waiting.remove(&self.org);
            }
        }
    }

    fn applied(&self, tx: &mut Tx<'_>) -> Result<(Vec<O>, Signals)> {
        let items: Vec<&I> = self.parts.iter().map(|part| &part.item).collect();
        if items.is_empty() {
            return Ok((Vec::new(), Signals::new()));
        }
        let mut tx = OrgTx::new(tx, self.org, &self.shared);
        let values = (self.apply)(&mut tx, &items)?;
        if values.len() != items.len() {
            return Err(Error::internal("a joint write answered another number of items"));
        }
        Ok((values, tx.finish()?))
    }
}

impl<I, O> Drop for Slice<I, O> {
    /// Whoever waits for a command that never runs hears of it at once.
    fn drop(&mut self) {
        self.take();
    }
}

impl<I: Send + Sync + 'static, O: Send + 'static> Command for Slice<I, O> {
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }

    fn size(&self) -> usize {
        self.parts.len()
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        self.take();
        let result = caught(|| self.applied(tx));
        self.kept.insert(result).is_ok()
    }

    fn error(&self) -> Option<&Error> {
        self.kept.as_ref().and_then(|result| result.as_ref().err())
    }

    fn is_abandoned(&self) -> bool {
        false
    }

    fn split(&mut self) -> Vec<Box<dyn Command>> {
        if self.parts.len() < 2 {
            return Vec::new();
        }
        let alone = |part| {
            let (org, apply, shared, bus) = (self.org, self.apply, self.shared.clone(), self.bus.clone());
            Box::new(Self { org, apply, waiting: None, parts: vec![part], kept: None, shared, bus }) as Box<dyn Command>
        };
        std::mem::take(&mut self.parts).into_iter().map(alone).collect()
    }

    fn answer(mut self: Box<Self>, failed: Option<Error>) {
        // Whoever has not been taken yet waits behind this command alone.
        self.take();
        let parts = std::mem::take(&mut self.parts);
        match told(failed, self.kept.take(), &self.bus) {
            Ok(values) => parts.into_iter().zip(values).for_each(|(part, value)| drop(part.reply.send(Ok(value)))),
            Err(error) => parts.into_iter().for_each(|part| drop(part.reply.send(Err(error.again())))),
        }
    }
}
