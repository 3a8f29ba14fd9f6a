//! The worker: claims due jobs, runs them side by side, and sweeps what has aged.

use std::sync::Arc;
use std::time::Duration;

use parlance_model::job::{Claimed, Job};
use parlance_store::bus::Signal;
use parlance_store::{SystemTx, idempotency, job, session};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::{App, backfill, call, deliver, fetch, health, reconcile, staff};

/// Jobs that run side by side on this node.
const AT_ONCE: usize = 32;
/// The poll behind the wake-up calls: jobs of other nodes and of dead ones. Nobody sleeps past the time of a job that is known.
const POLL: Duration = Duration::from_secs(1);
/// The shortest rest between two claims that nobody called for, in milliseconds.
const SHORTEST_REST_MS: u64 = 5;
/// A job that hands a message over and fails at this claim, those not counted that gave it back, is ended: it would fail for ever, and hold up
/// its conversation.
const LAST_CLAIM: i64 = 60;
/// How often aged rows are swept, and resting jobs marked.
const SWEEP: Duration = Duration::from_secs(600);

/// Spawns the loops.
pub(crate) fn start(app: &App) {
    let worker = app.clone();
    app.tasks().spawn(async move { work(&worker).await });
    let sweeper = app.clone();
    app.tasks().spawn(async move { sweep(&sweeper).await });
    let seen = app.clone();
    app.tasks().spawn(async move { health::keep(&seen).await });
}

impl App {
    /// Runs what is due now, one after the other, until nothing is, then the consumers of the event log. Answers how many
    /// jobs ran. For tests and for commands that must not return before the work is done.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn run_jobs(&self) -> parlance_model::Result<usize> {
        let mut ran = 0;
        loop {
            let claimed = self.store().system_write(|tx| job::claim(tx, 64, deliver::LEASE_MS)).await?;
            if claimed.is_empty() {
                self.drain_search().await?;
                return Ok(ran);
            }
            for claimed in &claimed {
                run(self, claimed).await;
                ran += 1;
            }
        }
    }
}

async fn work(app: &App) {
    let mut signals = app.store().bus().listen();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        // One look serves every call that came until now.
        while !matches!(signals.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
        let free = places.available_permits();
        let (claimed, rest) = if free > 0 { claim(app, free).await } else { (Vec::new(), POLL) };
        let full = claimed.len() == free;
        for claimed in claimed {
            let (app, places) = (app.clone(), Arc::clone(&places));
            // Permits are only taken here, so one is free for each claimed job.
            let Ok(permit) = places.try_acquire_owned() else { break };
            app.clone().tasks().spawn(async move {
                run(&app, &claimed).await;
                drop(permit);
            });
        }
        if full {
            // More may be due: go on as soon as a place is free.
            tokio::select! {
                permit = Arc::clone(&places).acquire_owned() => drop(permit),
                () = app.tasks().stopping() => return,
            }
        } else {
            tokio::select! {
                () = woken(&mut signals) => {}
                () = tokio::time::sleep(rest) => {}
                () = app.tasks().stopping() => return,
            }
        }
    }
}

async fn woken(signals: &mut tokio::sync::broadcast::Receiver<Signal>) {
    loop {
        match signals.recv().await {
            Ok(Signal::Jobs) | Err(RecvError::Lagged(_)) => return,
            Ok(Signal::Events(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Claims what is due. Answers also how long there is nothing more, as far as is known.
async fn claim(app: &App, limit: usize) -> (Vec<Claimed>, Duration) {
    let limit = i64::try_from(limit).unwrap_or(1);
    let write = move |tx: &mut SystemTx<'_, '_>| Ok((job::claim(tx, limit, deliver::LEASE_MS)?, job::next_due(tx)?));
    match app.store().system_write(write).await {
        Ok((claimed, next_ms)) => {
            let until_ms = next_ms.map(|next_ms| u64::try_from(next_ms - app.now_ms()).unwrap_or(0));
            (claimed, until_ms.map_or(POLL, |ms| Duration::from_millis(ms.max(SHORTEST_REST_MS)).min(POLL)))
        }
        Err(error) => {
            tracing::warn!(?error, "jobs could not be claimed; trying again");
            (Vec::new(), POLL)
        }
    }
}

async fn run(app: &App, claimed: &Claimed) {
    let result = match &claimed.job {
        Job::Send { message_id } => deliver::run(app, claimed, *message_id).await,
        Job::Call { message_id } => call::run(app, claimed, *message_id).await,
        Job::FetchMedia { message_id, index } => fetch::run(app, claimed, *message_id, *index).await,
        Job::Reconcile { attempt_id } => reconcile::run(app, claimed, *attempt_id).await,
        Job::Backfill { account_id } => backfill::run(app, claimed, *account_id).await,
        Job::FindCall { account_id, provider_id } => backfill::find_call(app, claimed, *account_id, provider_id).await,
        Job::Unassign { user_id } => staff::unassign(app, claimed, *user_id).await,
    };
    if let Err(error) = result {
        if claimed.lost + 1 >= LAST_CLAIM
            && let Some(message_id) = claimed.job.hands_over()
            && let Err(error) = deliver::give_up(app, claimed, message_id).await
        {
            tracing::error!(?error, job = %claimed.id, "a job that keeps failing could not be ended");
        }
        tracing::error!(?error, job = %claimed.id, kind = claimed.job.kind(), attempt = claimed.attempt, "a job failed; it runs again when its lease ends");
    }
}

async fn sweep(app: &App) {
    let mut at_start = true;
    loop {
        match app.store().system_write(idempotency::sweep).await {
            // A full chunk: there may be more.
            Ok(1000..) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(?error, "idempotency keys could not be swept; trying again later"),
        }
        if let Err(error) = app.sweep_events().await {
            tracing::warn!(?error, "aged events could not be swept; trying again later");
        }
        if let Err(error) = app.sweep_audit().await {
            tracing::warn!(?error, "the audit log could not be swept; trying again later");
        }
        while let Ok(1000..) = app.store().system_write(session::sweep).await {}
        if let Err(error) = app.jobs_follow_switches().await {
            tracing::warn!(?error, "jobs could not be marked as their orgs' switches say; trying again later");
        }
        if let Err(error) = app.sweep_media().await {
            tracing::warn!(?error, "uploads that nobody took could not be swept; trying again later");
        }
        if let Err(error) = app.queue_backfills(at_start).await {
            tracing::warn!(?error, "comparisons with providers' lists could not be queued; trying again later");
        }
        at_start = false;
        tokio::select! {
            () = tokio::time::sleep(SWEEP) => {}
            () = app.tasks().stopping() => return,
        }
    }
}
