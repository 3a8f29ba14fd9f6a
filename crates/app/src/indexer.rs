//! The consumer of the event log that keeps the search index: woken by org through the bus, and sweeping all orgs at the
//! start and every few seconds, for what other nodes wrote and what a wake-up call did not reach.

use std::collections::BTreeSet;
use std::time::Duration;

use parlance_model::Result;
use parlance_model::id::OrgId;
use parlance_store::bus::Signal;
use parlance_store::search;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::App;

/// How often every org is looked at.
const SWEEP: Duration = Duration::from_secs(3);
/// Between two rounds: what is written meanwhile is indexed together, at a fraction of the cost.
const GATHER: Duration = Duration::from_millis(200);
/// Steps of an org before the others have their turn.
const TURN: usize = 16;

/// Spawns the consumer.
pub(crate) fn start(app: &App) {
    let indexer = app.clone();
    app.tasks().spawn(async move { work(&indexer).await });
}

impl App {
    /// Brings the search index up to date with the event log. For tests and for commands that must not return before.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn drain_search(&self) -> Result<()> {
        loop {
            let behind = self.store().system_read(search::behind).await?;
            if behind.is_empty() {
                return Ok(());
            }
            for org in behind {
                while search::step(self.store(), org).await? {}
            }
        }
    }

    /// How many events the search index has still to read, of all orgs. For metrics.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn search_lag(&self) -> Result<i64> {
        self.store().system_read(search::lag).await
    }
}

async fn work(app: &App) {
    let mut signals = app.store().bus().listen();
    // At the start every org, also one whose cursor is at the end of its log: it may be another log's.
    let mut orgs = match app.store().system_read(parlance_store::org::all).await {
        Ok(all) => all.into_iter().map(|org| org.id).collect(),
        Err(error) => {
            tracing::warn!(?error, "the search index could not look at the orgs; trying again");
            BTreeSet::new()
        }
    };
    loop {
        let mut left = BTreeSet::new();
        for org in std::mem::take(&mut orgs) {
            if turn(app, org).await {
                left.insert(org);
            }
            if app.tasks().is_stopping() {
                return;
            }
        }
        orgs = left;
        if orgs.is_empty() {
            tokio::select! {
                signal = signals.recv() => orgs.extend(named(signal)),
                () = tokio::time::sleep(SWEEP) => {}
                () = app.tasks().stopping() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(GATHER) => {}
                () = app.tasks().stopping() => return,
            }
        }
        // Wake-up calls may have been lost: an empty set asks which orgs are behind.
        if !gathered(&mut signals, &mut orgs) || orgs.is_empty() {
            match app.store().system_read(search::behind).await {
                Ok(behind) => orgs.extend(behind),
                Err(error) => tracing::warn!(?error, "the search index could not ask what it lacks; trying again"),
            }
        }
    }
}

/// Takes an org's index some steps further. Answers whether there is more to do at once.
async fn turn(app: &App, org: OrgId) -> bool {
    for _ in 0..TURN {
        match search::step(app.store(), org).await {
            Ok(true) if !app.tasks().is_stopping() => {}
            Ok(_) => return false,
            Err(error) => {
                tracing::warn!(?error, %org, "the search index could not be written; trying again");
                return false;
            }
        }
    }
    true
}

fn named(signal: std::result::Result<Signal, RecvError>) -> Option<OrgId> {
    match signal {
        Ok(Signal::Events(org)) => Some(org),
        Ok(Signal::Jobs | Signal::Directory) | Err(_) => None,
    }
}

/// Adds the orgs of every call that came until now. `false` when some were lost.
fn gathered(signals: &mut Receiver<Signal>, orgs: &mut BTreeSet<OrgId>) -> bool {
    let mut all = true;
    loop {
        match signals.try_recv() {
            Ok(Signal::Events(org)) => {
                orgs.insert(org);
            }
            Ok(Signal::Jobs | Signal::Directory) => {}
            Err(TryRecvError::Lagged(_)) => all = false,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return all,
        }
    }
}
