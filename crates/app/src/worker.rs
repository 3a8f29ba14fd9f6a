//! The worker: claims due jobs, runs them side by side, and sweeps what has aged.

use std::pin::pin;
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
/// How often the lease of a job is renewed while it runs: a third of it.
const RENEWAL: Duration = Duration::from_millis(deliver::LEASE_MS.unsigned_abs() / 3);
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
            Ok(Signal::Events(_) | Signal::Directory) => {}
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
        // Both are shorter than any lease.
        Job::Send { message_id } => deliver::run(app, claimed, *message_id).await,
        Job::Call { message_id } => call::run(app, claimed, *message_id).await,
        Job::FetchMedia { message_id, index } => held(app, claimed, RENEWAL, fetch::run(app, claimed, *message_id, *index)).await,
        Job::Reconcile { attempt_id } => held(app, claimed, RENEWAL, reconcile::run(app, claimed, *attempt_id)).await,
        Job::Backfill { account_id } => held(app, claimed, RENEWAL, backfill::run(app, claimed, *account_id)).await,
        Job::FindCall { account_id, provider_id } => {
            held(app, claimed, RENEWAL, backfill::find_call(app, claimed, *account_id, provider_id)).await
        }
        Job::Unassign { user_id } => held(app, claimed, RENEWAL, staff::unassign(app, claimed, *user_id)).await,
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

/// Does work that may take longer than a lease, and renews the lease meanwhile. Without that, somebody else would begin the same work
/// before it is done, and so would the next.
async fn held<T>(app: &App, claimed: &Claimed, every: Duration, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(every) => {}
        }
        let job = claimed.clone();
        let renewing = app.store().write(claimed.org, move |tx| job::hold(tx, &job, deliver::LEASE_MS));
        tokio::select! {
            biased;
            done = &mut work => return done,
            renewed = renewing => match renewed {
                Ok(true) => {}
                // It is done, or somebody else's: the work looks by itself before it writes.
                Ok(false) => return work.await,
                Err(error) => tracing::warn!(?error, job = %claimed.id, "the lease of a job could not be renewed; trying again"),
            },
        }
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

#[cfg(test)]
mod tests {
    use parlance_model::clock::ManualClock;
    use parlance_model::entropy::SeededEntropy;
    use parlance_model::id::UserId;
    use parlance_store::secret::SecretKey;
    use parlance_store::{Durability, OrgTx, Place, Setup, Store};

    use super::*;
    use crate::Config;

    #[tokio::test]
    async fn a_lease_is_renewed_for_as_long_as_the_work_takes() {
        let folder = tempfile::tempdir().unwrap();
        let (clock, entropy) = (Arc::new(ManualClock::at(1_772_740_800_000)), Arc::new(SeededEntropy::new(1)));
        let setup = Setup { clock: clock.clone(), entropy: entropy.clone(), secret: SecretKey::new([3; 32]) };
        let place = Place::Sqlite { data: folder.path().to_owned(), durability: Durability::Relaxed };
        let http = parlance_net::Client::new(parlance_net::Policy::default()).unwrap();
        let app = App::new(Store::open(&place, setup).unwrap(), http, entropy, Config::default());
        let org = app.create_org("acme", "Acme", "US").await.unwrap().id;
        let queue = |tx: &mut OrgTx<'_, '_>| job::enqueue(tx, &Job::Unassign { user_id: UserId(1) }, None, 0);
        app.store().write(org, queue).await.unwrap();
        let claim = async || app.store().system_write(|tx| job::claim(tx, 1, deliver::LEASE_MS)).await.unwrap();
        let claimed = claim().await.remove(0);
        let lease_ms = async || app.store().system_read(job::waiting).await.unwrap().1.unwrap();
        // Three times as long as a lease.
        let work = async {
            for _ in 0..6 {
                let before_ms = lease_ms().await;
                clock.advance_ms(deliver::LEASE_MS / 2);
                while lease_ms().await == before_ms {
                    tokio::task::yield_now().await;
                }
                assert!(claim().await.is_empty());
            }
        };
        held(&app, &claimed, Duration::from_millis(1), work).await;
    }
}
